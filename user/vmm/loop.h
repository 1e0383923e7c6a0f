/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main thread's event loop: descriptors to callbacks. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct loop - An epoll instance.
 * @epoll_fd: the instance
 * @wake_fd: eventfd that makes loop_run() look at @quit
 * @is_claimed: somebody has decided on @exit_code
 * @quit: loop_run() is to return
 * @exit_code: what it returns
 */
struct loop {
	int epoll_fd;
	int wake_fd;
	int is_claimed;
	int quit;
	int exit_code;
};

/**
 * struct loop_source - A watched descriptor; embedded in its owner.
 * @fd: descriptor, owned by the embedding object
 * @fn: called on the main thread when @fd is ready, with epoll's event bits
 */
struct loop_source {
	int fd;
	void (*fn)(struct loop_source *source, uint32_t events);
};

int loop_init(struct loop *loop);
void loop_exit(struct loop *loop);

/** loop_add() - Watch @source for EPOLLIN. 0 or -errno. */
int loop_add(struct loop *loop, struct loop_source *source);
void loop_del(struct loop *loop, struct loop_source *source);

/** loop_run() - Dispatch until loop_quit(); returns the exit code. */
int loop_run(struct loop *loop);

/** loop_quit() - End loop_run() with @exit_code; the first call wins. Any thread. */
void loop_quit(struct loop *loop, int exit_code);

/** loop_is_ending() - Whether loop_quit() was called. Any thread. */
bool loop_is_ending(const struct loop *loop);

#endif /* LOOP_H */
