// SPDX-License-Identifier: GPL-2.0-or-later
/* The sandbox: what the C library needs in it, and that all else kills. */
#include "config.h"
#include "sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define PAGE		4096ul

/* <asm/termbits.h>, which has this, cannot be included beside <termios.h>. */
struct termios2 {
	unsigned int flags[4];
	unsigned char line[20];
	unsigned int speeds[2];
};

/* Runs @fn in a sandbox of its own; what it ended with, as of wait(2). */
static int in_sandbox(const struct config *config, bool (*fn)(int fd), int fd)
{
	const struct rlimit no_core = { 0 };
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		status = sandbox_enter(config) ? 2 : !fn(fd);
		/* A sanitizer's _exit() does more than this. */
		syscall(SYS_exit_group, status);
	}
	waitpid(pid, &status, 0);
	return status;
}

static int in_usual_sandbox(bool (*fn)(int fd), int fd)
{
	const struct config config = { .sandbox = true };

	return in_sandbox(&config, fn, fd);
}

#define EXPECT_KILLED(status) do {					\
	int __status = status;						\
									\
	EXPECT_TRUE(WIFSIGNALED(__status));				\
	EXPECT_EQ(SIGSYS, WTERMSIG(__status));				\
} while (0)

/* As a C library does that is older, or newer, than the one of this test. */
static bool restore_terminal(int fd)
{
	struct termios2 modes2;
	struct termios modes;
	char old[64];

	return !tcgetattr(fd, &modes) && !tcsetattr(fd, TCSANOW, &modes) &&
	       !ioctl(fd, TCGETS, old) && !ioctl(fd, TCSETS, old) &&
	       !ioctl(fd, TCGETS2, &modes2) && !ioctl(fd, TCSETS2, &modes2);
}

static bool make_controlling(int fd)
{
	return !ioctl(fd, TIOCSCTTY, 0);
}

TEST(terminal_can_be_restored_and_nothing_else)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, grantpt(fd));
	ASSERT_EQ(0, unlockpt(fd));
	EXPECT_EQ(0, in_usual_sandbox(restore_terminal, fd));
	EXPECT_KILLED(in_usual_sandbox(make_controlling, fd));
	close(fd);
}

/* A large block that grows, as malloc() has it. */
static bool grow_memory(int fd)
{
	char *old = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *new;

	(void)fd;
	if (old == MAP_FAILED)
		return false;
	old[0] = 'x';
	new = mremap(old, PAGE, 256 * PAGE, MREMAP_MAYMOVE);
	return new != MAP_FAILED && new[0] == 'x' && !new[255 * PAGE] &&
	       !munmap(new, 256 * PAGE);
}

TEST(memory_can_grow)
{
	EXPECT_EQ(0, in_usual_sandbox(grow_memory, -1));
}

static bool map_code(int fd)
{
	(void)fd;
	return mmap(NULL, PAGE, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool make_code(int fd)
{
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	(void)fd;
	return !mprotect(page, PAGE, PROT_READ | PROT_EXEC);
}

TEST(memory_is_not_executable)
{
	EXPECT_KILLED(in_usual_sandbox(map_code, -1));
	EXPECT_KILLED(in_usual_sandbox(make_code, -1));
}

/* Where there is no vDSO these are system calls. */
static bool look_at_clocks(int fd)
{
	struct timespec ts;

	(void)fd;
	return !syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts) &&
	       !syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
}

TEST(clocks_can_be_looked_at)
{
	EXPECT_EQ(0, in_usual_sandbox(look_at_clocks, -1));
}

static bool open_file(int fd)
{
	(void)fd;
	return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool make_process(int fd)
{
	(void)fd;
	return fork() >= 0;
}

static bool accept_client(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC) < 0;
}

TEST(what_is_not_needed_kills)
{
	const struct config with_control = {
		.sandbox = true,
		.control_path = (char *)"/tmp/socket",
	};
	const struct config without = { .sandbox = false };

	EXPECT_KILLED(in_usual_sandbox(open_file, -1));
	EXPECT_KILLED(in_usual_sandbox(make_process, -1));
	EXPECT_KILLED(in_usual_sandbox(accept_client, -1));
	EXPECT_EQ(0, in_sandbox(&with_control, accept_client, -1));
	EXPECT_KILLED(in_sandbox(&with_control, open_file, -1));
	EXPECT_EQ(0, in_sandbox(&without, open_file, -1));
}

TEST_HARNESS_MAIN
