// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads: their rights and signals, and that both are settled from the start. */
#include "thread.h"

#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <unistd.h>

#include "kselftest_harness.h"

static struct {
	unsigned int delay_us;
	int error;
	bool is_called;
} drop;

int __real_cap_set_proc(cap_t caps);
int __wrap_cap_set_proc(cap_t caps);

int __wrap_cap_set_proc(cap_t caps)
{
	usleep(drop.delay_us);
	errno = drop.error;
	if (drop.error)
		return -1;
	__atomic_store_n(&drop.is_called, true, __ATOMIC_SEQ_CST);
	return __real_cap_set_proc(caps);
}

struct seen {
	bool is_run;
	bool has_rights;
	int open_error;
	size_t stack_bytes;
	sigset_t blocked;
};

static void *look(void *arg)
{
	struct seen *seen = arg;
	pthread_attr_t attr;
	void *stack;
	cap_t mine = cap_get_proc();
	cap_t none = cap_init();

	seen->is_run = true;
	seen->has_rights = cap_compare(mine, none);
	seen->open_error = open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
	pthread_sigmask(SIG_BLOCK, NULL, &seen->blocked);
	if (!pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstack(&attr, &stack, &seen->stack_bytes);
		pthread_attr_destroy(&attr);
	}
	cap_free(mine);
	cap_free(none);
	return seen;
}

TEST(thread_has_no_rights_and_takes_no_signals)
{
	struct seen seen = { .has_rights = true };
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, thread_create(&thread, 0, look, &seen));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(&seen, result);
	EXPECT_FALSE(seen.has_rights);
	EXPECT_TRUE(sigismember(&seen.blocked, SIGTERM));
	EXPECT_TRUE(sigismember(&seen.blocked, SIGINT));
	EXPECT_TRUE(sigismember(&seen.blocked, SIGRTMIN));
}

TEST(no_huge_page_fits_into_a_stack)
{
	struct seen seen = { .stack_bytes = 0 };
	pthread_t thread;

	ASSERT_EQ(0, thread_create(&thread, 0, look, &seen));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_LT(0, seen.stack_bytes);
	EXPECT_GT(2 << 20, seen.stack_bytes);
}

/* The creator goes on opening files. */
TEST(thread_can_open_nothing)
{
	struct seen seen = { .is_run = false };
	pthread_t thread;
	int fd;

	ASSERT_EQ(0, thread_create(&thread, 0, look, &seen));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	EXPECT_LE(0, fd);
	close(fd);
	if (landlock_enter() == -EOPNOTSUPP)
		SKIP(return, "this kernel has no Landlock");
	EXPECT_EQ(EACCES, seen.open_error);
}

TEST(signal_that_a_thread_is_to_take)
{
	struct seen seen = { .is_run = false };
	sigset_t mine;
	pthread_t thread;

	ASSERT_EQ(0, thread_create(&thread, SIGRTMIN, look, &seen));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_FALSE(sigismember(&seen.blocked, SIGRTMIN));
	EXPECT_TRUE(sigismember(&seen.blocked, SIGTERM));
	/* The creator takes what it took before. */
	pthread_sigmask(SIG_BLOCK, NULL, &mine);
	EXPECT_FALSE(sigismember(&mine, SIGTERM));
}

/* The filter that is loaded next would kill the process for it. */
TEST(rights_are_gone_when_create_returns)
{
	struct seen seen = { .is_run = false };
	pthread_t thread;

	drop.delay_us = 200000;
	ASSERT_EQ(0, thread_create(&thread, 0, look, &seen));
	EXPECT_TRUE(__atomic_load_n(&drop.is_called, __ATOMIC_SEQ_CST));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST(thread_that_keeps_its_rights_does_not_run)
{
	struct seen seen = { .is_run = false };
	pthread_t thread;

	drop.error = EPERM;
	EXPECT_EQ(-EPERM, thread_create(&thread, 0, look, &seen));
	EXPECT_FALSE(seen.is_run);
}

TEST_HARNESS_MAIN
