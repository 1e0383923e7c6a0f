// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads besides the main one. */
#include "thread.h"

#include "landlock.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The deepest frames are some tens of KiB, of KVM's structs. In the C library's 8 MiB
 * the host may put a huge page, and a thread then has two megabytes for a few
 * kilobytes.
 */
#define STACK_BYTES	(256 << 10)

/**
 * struct start - What a new thread is told, on the stack of its creator.
 * @fn: what it runs
 * @arg: handed to @fn
 * @is_ready: posted when it has given up its rights, or could not
 * @err: why not, or 0
 */
struct start {
	void *(*fn)(void *arg);
	void *arg;
	sem_t is_ready;
	int err;
};

/* Giving up rights one has is always allowed. */
static int drop_capabilities(void)
{
	cap_t none = cap_init();
	int err = 0;

	if (!none)
		return -errno;
	if (cap_set_proc(none))
		err = -errno;
	cap_free(none);
	return err;
}

static int give_up_rights(void)
{
	int err = landlock_enter();

	return err && err != -EOPNOTSUPP ? err : drop_capabilities();
}

/*
 * The C library registers each thread for restartable sequences, of which there
 * are none here. The kernel would write to the thread's area for them whenever
 * it has woken up, or has served a flush, and goes back to the guest.
 */
static void leave_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size)
		syscall(SYS_rseq, area, sizeof(struct rseq),
			RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

static void *start_thread(void *opaque)
{
	struct start *start = opaque;
	void *(*fn)(void *arg) = start->fn;
	void *arg = start->arg;
	int err = give_up_rights();

	leave_rseq();
	start->err = err;
	/* ORDER: last, @start is gone when its creator goes on. */
	sem_post(&start->is_ready);
	return err ? NULL : fn(arg);
}

/*
 * The creator may be about to enter the sandbox, whose filter then holds for
 * this thread too and does not allow what it does until it is ready.
 */
static int wait_ready(struct start *start, pthread_t thread)
{
	while (sem_wait(&start->is_ready))
		;
	if (start->err)
		pthread_join(thread, NULL);
	return start->err;
}

/* Returns 0 or -errno. */
static int start_with_signals(pthread_t *thread, const sigset_t *blocked,
			      struct start *start)
{
	pthread_attr_t attr;
	sigset_t old;
	int err;

	err = -pthread_attr_init(&attr);
	if (err)
		return err;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, blocked, &old);
	err = -pthread_create(thread, &attr, start_thread, start);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

int thread_create(pthread_t *thread, int signal, void *(*fn)(void *arg),
		  void *arg)
{
	struct start start = { .fn = fn, .arg = arg };
	sigset_t blocked;
	int err;

	sem_init(&start.is_ready, 0, 0);
	sigfillset(&blocked);
	if (signal)
		sigdelset(&blocked, signal);
	err = start_with_signals(thread, &blocked, &start);
	if (!err)
		err = wait_ready(&start, *thread);
	sem_destroy(&start.is_ready);
	return err;
}
