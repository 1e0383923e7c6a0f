// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guests from start to end: kernels of each form and series, numbers of vCPUs,
 * where the console goes, every way in which a VM ends and what it leaves.
 */
#include "firecracker.h"
#include "pattern.h"
#include "vm.h"
#include "writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define BOOT_S		200
#define END_S		60
#define DISK		"/tmp/boot.img"
#define CONSOLE		"/tmp/boot.console"
#define BLOCKS		8

#define DEVICE		"/dev/mapper/vpmem-boot"
#define CACHE		"/tmp/boot-cache"
#define DEVICE_RAM	"/dev/ram2"
#define CREATE		"dmsetup create vpmem-boot --table '0 16384 linear " \
			DEVICE_RAM " 0'"
#define SUSPEND		"dmsetup suspend --noflush --nolockfs vpmem-boot"
#define RESUME		"dmsetup resume vpmem-boot"
#define REMOVE		"dmsetup remove --retry vpmem-boot"

FIXTURE(boot) {
	struct vm_test vm;
	int terminal;
	int keyboard;
	struct termios mode;
};

FIXTURE_SETUP(boot)
{
	self->terminal = -1;
	self->keyboard = -1;
}

FIXTURE_TEARDOWN(boot)
{
	vm_end(&self->vm);
	close(self->terminal);
	close(self->keyboard);
	unlink(DISK);
	unlink(CONSOLE);
}

/* The whole of a file, as text. */
static const char *read_file(const char *path)
{
	static char text[1 << 17];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	text[len < 0 ? 0 : len] = '\0';
	close(fd);
	return text;
}

/* As vm_wait(), but nobody reads what the VMM writes. */
static int wait_without_reading(struct vm_test *vm, int timeout_s)
{
	int status;

	for (int i = 0; i < timeout_s * 10; i++) {
		if (waitpid(vm->pid, &status, WNOHANG)) {
			vm->pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) :
						   128 + WTERMSIG(status);
		}
		usleep(100000);
	}
	return -ETIME;
}

/* Kernels and vCPUs */

TEST_F_TIMEOUT(boot, elf_kernel_on_two_vcpus, 500)
{
	const char *const args[] = {
		"--kernel", VM_ELF, "--memory", "256M", "--cpus", "2", NULL
	};

	ASSERT_EQ(0, vm_start(&self->vm, "cat,/sys/devices/system/cpu/online",
			      0, args));
	EXPECT_EQ(0, vm_expect(&self->vm, "\n0-1\r\n", BOOT_S));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_TRUE(vm_has(&self->vm, "L2: exit status 0"));
	EXPECT_FALSE(vm_has(&self->vm, "vpmem-vmm: "));
}

/* KVM would keep them up to date for each notification. */
TEST_F_TIMEOUT(boot, guest_has_no_performance_counters, 500)
{
	const char *const args[] = { "--kernel", VM_ELF, "--memory", "256M", NULL };

	ASSERT_EQ(0, vm_start(&self->vm, "ls,-1,/sys/bus/event_source/devices",
			      0, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_TRUE(vm_has(&self->vm, "\nsoftware\r\n"));
	EXPECT_FALSE(vm_has(&self->vm, "\ncpu\r\n"));
}

TEST_F_TIMEOUT(boot, bzimage_on_eight_vcpus, 500)
{
	const char *const args[] = { "--memory", "256M", "--cpus", "8", NULL };

	ASSERT_EQ(0, vm_start(&self->vm, "cat,/sys/devices/system/cpu/online",
			      0, args));
	EXPECT_EQ(0, vm_expect(&self->vm, "\n0-7\r\n", BOOT_S));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_TRUE(vm_has(&self->vm, "L2: exit status 0"));
}

TEST_F_TIMEOUT(boot, bzimage_that_was_unpacked_before, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--kernel-cache", CACHE, "-v", NULL
	};

	ASSERT_EQ(0, system("rm -rf " CACHE " && mkdir " CACHE));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, vm_start(&self->vm, "true", 0, args));
		EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
		EXPECT_TRUE(vm_has(&self->vm, "L2: exit status 0"));
		EXPECT_EQ(i == 1, vm_has(&self->vm, " was unpacked before"));
		vm_end(&self->vm);
	}
	EXPECT_EQ(0, system("rm -r " CACHE));
}

/* Nothing comes on a console that is not there; the file tells. */
TEST_F_TIMEOUT(boot, kernel_of_the_other_series_without_a_console, 500)
{
	const char *const args[] = {
		"--kernel", VM_OTHER_KERNEL, "--initrd", VM_OTHER_INITRD,
		"--memory", "256M", "--serial", "none", "--pmem",
		"path=" DISK ",flush=kernel",
		NULL
	};
	struct utsname l1;

	ASSERT_EQ(0, vm_make_file(DISK, 2 << 20));
	ASSERT_EQ(0, vm_start(&self->vm, "dd,if=/proc/version,of=/dev/pmem0,conv=fsync",
			      1, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_STREQ("", self->vm.text);
	ASSERT_EQ(0, uname(&l1));
	EXPECT_EQ(0, strncmp("Linux version 6.", read_file(DISK), 16));
	EXPECT_EQ(NULL, strstr(read_file(DISK), l1.release));
}

TEST_F_TIMEOUT(boot, root_on_pmem_and_the_console_in_a_file, 500)
{
	const char *const args[] = {
		"--memory", "256M", "--cpus", "1", "--serial", CONSOLE,
		"--pmem", "path=" DISK ",root=on,flush=kernel", NULL
	};
	struct stat st;

	ASSERT_EQ(0, system("mkdir -p /tmp/root/bin && "
			    "cp /bin/busybox /tmp/root/bin/sh && "
			    "mkfs.ext4 -q -F -d /tmp/root " DISK " 16M"));
	ASSERT_EQ(0, vm_start(&self->vm, "root,/bin/sh,-c,echo>/made-by-guest",
			      1, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_STREQ("", self->vm.text);
	EXPECT_NE(NULL, strstr(read_file(CONSOLE), "L2: exit status 0"));
	ASSERT_EQ(0, stat(CONSOLE, &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
	ASSERT_EQ(0, system("mount -t ext4 -o loop,ro " DISK " /mnt"));
	EXPECT_EQ(0, access("/mnt/made-by-guest", F_OK));
	EXPECT_EQ(0, system("umount /mnt"));
	EXPECT_EQ(0, system("e2fsck -fn " DISK " >/dev/null 2>&1"));
}

/* A file made for Firecracker, as it is. */

#define FC_CONFIG	"/tmp/boot.json"
#define FC_LOG		"/tmp/boot.log"
#define FC_METRICS	"/tmp/boot.metrics"
#define FC_ARGS		"quiet highres=off pmem=1 run=root,/bin/sh,-c,echo>/made-by-guest"

static const char firecracker_config[] =
FIRECRACKER_CONFIG(VM_KERNEL, "\"" VM_INITRD "\"", FC_ARGS, DISK, FC_LOG,
		   FC_METRICS);

static int write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	bool is_bad;

	if (!file)
		return -errno;
	is_bad = fputs(text, file) < 0;
	return fclose(file) || is_bad ? -EIO : 0;
}

TEST_F_TIMEOUT(boot, firecrackers_file_unchanged, 500)
{
	const char *const args[] = { "--config", FC_CONFIG, NULL };

	ASSERT_EQ(0, write_file(FC_CONFIG, firecracker_config));
	ASSERT_EQ(0, system("mkdir -p /tmp/root/bin && "
			    "cp /bin/busybox /tmp/root/bin/sh && "
			    "mkfs.ext4 -q -F -d /tmp/root " DISK " 16M"));
	ASSERT_EQ(0, vm_exec(&self->vm, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_TRUE(vm_has(&self->vm, "L2: exit status 0"));
	ASSERT_EQ(0, system("mount -t ext4 -o loop,ro " DISK " /mnt"));
	EXPECT_EQ(0, access("/mnt/made-by-guest", F_OK));
	EXPECT_EQ(0, system("umount /mnt"));
	EXPECT_NE(NULL, strstr(read_file(FC_LOG), "pmem rootfs: flush=auto: "
			       "served by the kernel"));
	EXPECT_NE(NULL, strstr(read_file(FC_METRICS), "\"pmem_rootfs\""));
	unlink(FC_CONFIG);
	unlink(FC_LOG);
	unlink(FC_METRICS);
}

/* Ends that the guest chooses */

/*
 * Without a root file system the kernel panics and reboots: its own way, by the
 * keyboard as Firecracker's users have it, and by ACPI.
 */
#define EXPECT_RESET(how) do {						\
	const char *const args[] = {					\
		"--kernel", VM_ELF, "--memory", "256M", "-v",		\
		"--cmdline", "console=ttyS0 quiet panic=-1 highres=off pci=noearly " how, \
		NULL							\
	};								\
									\
	ASSERT_EQ(0, vm_exec(&self->vm, args));				\
	EXPECT_EQ(0, vm_expect(&self->vm, "Kernel panic", BOOT_S));	\
	EXPECT_EQ(0, vm_expect(&self->vm,				\
			       "vpmem-vmm: the guest has reset itself",	\
			       END_S));					\
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));			\
} while (0)

TEST_F_TIMEOUT(boot, panic_resets_the_guest, 500)
{
	EXPECT_RESET("");
}

TEST_F_TIMEOUT(boot, reset_by_the_keyboard, 500)
{
	EXPECT_RESET("reboot=k");
}

TEST_F_TIMEOUT(boot, reset_by_acpi, 500)
{
	EXPECT_RESET("reboot=a");
}

/* Ends that the user chooses */

static int keyboard_fd;

static int take_keyboard(void)
{
	return dup2(keyboard_fd, STDIN_FILENO) < 0 ? -1 : 0;
}

static int take_keyboard_as_nohup(void)
{
	signal(SIGHUP, SIG_IGN);
	return take_keyboard();
}

/* Starts with a terminal as standard input, whose mode is kept. */
static int start_on_terminal(struct _test_data_boot *self,
			     int (*prepare)(void), const char *const args[])
{
	if (openpty(&self->terminal, &self->keyboard, NULL, NULL, NULL) ||
	    tcgetattr(self->keyboard, &self->mode))
		return -errno;
	keyboard_fd = self->keyboard;
	return vm_exec_as(&self->vm, prepare, args);
}

static bool is_raw(struct _test_data_boot *self)
{
	struct termios mode;

	return !tcgetattr(self->keyboard, &mode) &&
	       !(mode.c_lflag & (ICANON | ECHO | ISIG));
}

static bool is_as_before(struct _test_data_boot *self)
{
	struct termios mode;

	return !tcgetattr(self->keyboard, &mode) &&
	       mode.c_iflag == self->mode.c_iflag &&
	       mode.c_oflag == self->mode.c_oflag &&
	       mode.c_cflag == self->mode.c_cflag &&
	       mode.c_lflag == self->mode.c_lflag &&
	       !memcmp(mode.c_cc, self->mode.c_cc, sizeof(mode.c_cc));
}

static const char *const talking[] = {
	"--kernel", VM_ELF, "--memory", "256M", "--cmdline",
	"console=ttyS0 panic=0", NULL
};

TEST_F_TIMEOUT(boot, keys_end_it_and_an_ignored_signal_does_not, 500)
{
	ASSERT_EQ(0, start_on_terminal(self, take_keyboard_as_nohup, talking));
	ASSERT_EQ(0, vm_expect(&self->vm, "Linux version", BOOT_S));
	EXPECT_TRUE(is_raw(self));
	ASSERT_EQ(0, kill(self->vm.pid, SIGHUP));
	EXPECT_EQ(-ETIME, vm_wait(&self->vm, 2));
	ASSERT_EQ(2, write(self->terminal, "\001x", 2));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_TRUE(is_as_before(self));
}

TEST_F_TIMEOUT(boot, terminal_that_hangs_up_ends_it, 500)
{
	ASSERT_EQ(0, start_on_terminal(self, take_keyboard, talking));
	ASSERT_EQ(0, vm_expect(&self->vm, "Linux version", BOOT_S));
	ASSERT_EQ(0, kill(self->vm.pid, SIGHUP));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_TRUE(is_as_before(self));
}

TEST_F_TIMEOUT(boot, bad_kernel_restores_the_terminal, 60)
{
	const char *const args[] = { "--kernel", "/init", NULL };

	ASSERT_EQ(0, start_on_terminal(self, take_keyboard, args));
	EXPECT_EQ(1, vm_wait(&self->vm, END_S));
	EXPECT_TRUE(is_as_before(self));
}

/* The reader of the console has stopped to read, and typing goes on. */
TEST_F_TIMEOUT(boot, nobody_reads_the_console, 500)
{
	struct pollfd pfd = { .events = POLLIN };

	ASSERT_EQ(0, start_on_terminal(self, take_keyboard, talking));
	pfd.fd = self->vm.out_fd;
	/* A pipe of one page has no room for more once there is anything. */
	ASSERT_LT(0, fcntl(self->vm.out_fd, F_SETPIPE_SZ, 4096));
	ASSERT_EQ(1, poll(&pfd, 1, BOOT_S * 1000));
	sleep(3);
	ASSERT_EQ(5, write(self->terminal, "hello", 5));
	usleep(500000);
	ASSERT_EQ(0, kill(self->vm.pid, SIGTERM));
	EXPECT_EQ(0, wait_without_reading(&self->vm, END_S));
	EXPECT_TRUE(is_as_before(self));
}

/* What a guest has written and not flushed, on a device that can be held. */

FIXTURE(unflushed) {
	struct vm_test vm;
	int device;
};

/* Who starts programs in the background may have them ignore it. */
static int heed_interrupts(void)
{
	return signal(SIGINT, SIG_DFL) == SIG_ERR ? -1 : 0;
}

FIXTURE_SETUP(unflushed)
{
	const char *const args[] = {
		"--memory", "256M", "--pmem", "path=" DEVICE ",flush=user",
		NULL
	};

	/* Nothing is written back for its age, nor by the last close. */
	ASSERT_EQ(0, writeback_hourly());
	ASSERT_EQ(0, system("dd if=/dev/zero of=" DEVICE_RAM
			    " bs=1M count=8 conv=fsync 2>/dev/null"));
	ASSERT_EQ(0, system(CREATE));
	self->device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, vm_start_as(&self->vm, heed_interrupts,
				 "pmem,store,0,0,8", 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "stored 8", BOOT_S));
	ASSERT_EQ(0, pattern_count(DEVICE_RAM, O_DIRECT));
}

FIXTURE_TEARDOWN(unflushed)
{
	system(RESUME);
	vm_end(&self->vm);
	close(self->device);
	EXPECT_EQ(0, system(REMOVE));
	EXPECT_EQ(0, writeback_usual());
}

TEST_F_TIMEOUT(unflushed, is_written_at_the_end, 500)
{
	ASSERT_EQ(0, kill(self->vm.pid, SIGTERM));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_EQ(BLOCKS, pattern_count(DEVICE_RAM, O_DIRECT));
}

TEST_F_TIMEOUT(unflushed, second_interrupt_does_not_wait_for_it, 500)
{
	ASSERT_EQ(0, system(SUSPEND));
	ASSERT_EQ(0, kill(self->vm.pid, SIGINT));
	EXPECT_EQ(-ETIME, vm_wait(&self->vm, 2));
	ASSERT_EQ(0, kill(self->vm.pid, SIGINT));
	/* The sync itself cannot be broken off. */
	ASSERT_EQ(0, system(RESUME));
	EXPECT_EQ(128 + SIGINT, vm_wait(&self->vm, END_S));
}

TEST_HARNESS_MAIN
