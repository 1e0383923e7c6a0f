// SPDX-License-Identifier: GPL-2.0-or-later
/* The main thread's event loop: descriptors to callbacks. */
#include "loop.h"
#include "util.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

int loop_init(struct loop *loop)
{
	/* A source without an owner is the loop's own. */
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	int err;

	*loop = (struct loop) { .wake_fd = -1 };
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd >= 0)
		loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0 ||
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event)) {
		err = -errno;
		loop_exit(loop);
		return err;
	}
	return 0;
}

void loop_exit(struct loop *loop)
{
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->wake_fd = -1;
	loop->epoll_fd = -1;
}

int loop_add(struct loop *loop, struct loop_source *source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) ?
	       -errno : 0;
}

void loop_del(struct loop *loop, struct loop_source *source)
{
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

/*
 * One event a turn: a callback may remove another source, whose event would
 * then be stale.
 */
int loop_run(struct loop *loop)
{
	struct epoll_event event;

	while (!loop_is_ending(loop)) {
		int count = epoll_wait(loop->epoll_fd, &event, 1, -1);
		struct loop_source *source = event.data.ptr;

		if (count < 0 && errno != EINTR)
			return 1;
		if (count > 0 && source)
			source->fn(source, event.events);
	}
	return __atomic_load_n(&loop->exit_code, __ATOMIC_RELAXED);
}

void loop_quit(struct loop *loop, int exit_code)
{
	uint64_t one = 1;
	int expected = 0;

	if (!__atomic_compare_exchange_n(&loop->is_claimed, &expected, 1, 0,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	loop->exit_code = exit_code;
	__atomic_store_n(&loop->quit, 1, __ATOMIC_RELEASE);
	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		return;
}

bool loop_is_ending(const struct loop *loop)
{
	return __atomic_load_n(&loop->quit, __ATOMIC_ACQUIRE);
}
