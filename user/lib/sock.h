/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The socket: what all operations send requests and receive messages with. */
#ifndef VPMEM_SOCK_H
#define VPMEM_SOCK_H

#include "event.h"
#include "msg.h"

#include <netlink/msg.h>

/* No message of the kernel is larger: dumps are cut into pieces of this size. */
#define VPMEM_SOCK_BUF_BYTES	32768
#define VPMEM_SOCK_ERROR_BYTES	256

/**
 * struct vpmem_sock - Connection to the module.
 * @fd: netlink socket
 * @seq: sequence number of the latest request; never 0, which events have
 * @family: how to address the module
 * @events: events that came while something else was waited for
 * @is_unloaded: the module went away after vpmem_event_subscribe()
 * @has_overrun: the kernel had to drop messages after those that it still holds
 * @error: why the last command failed, empty if it did not
 * @buf: one received datagram, aligned as its headers need
 */
struct vpmem_sock {
	int fd;
	uint32_t seq;
	struct vpmem_family family;
	struct vpmem_event_queue events;
	bool is_unloaded;
	bool has_overrun;
	char error[VPMEM_SOCK_ERROR_BYTES];
	uint32_t buf[VPMEM_SOCK_BUF_BYTES / sizeof(uint32_t)];
};

/**
 * typedef vpmem_reply_fn - Takes one message of an answer.
 *
 * A return value other than 0 ends the interest in further ones.
 */
typedef int (*vpmem_reply_fn)(const struct nlmsghdr *nlh, void *arg);

/**
 * struct vpmem_call - A request that waits for its answer.
 * @request: the request
 * @fn: takes the messages of the answer; may be NULL
 * @arg: handed to @fn
 * @fn_result: what @fn returned when it had enough, or 0
 * @err: the kernel's verdict, valid once @is_done
 * @is_done: the answer is complete
 * @is_interrupted: what was listed changed during the listing
 */
struct vpmem_call {
	const struct nlmsghdr *request;
	vpmem_reply_fn fn;
	void *arg;
	int fn_result;
	int err;
	bool is_done;
	bool is_interrupted;
};

/**
 * vpmem_sock_request() - Begin a request of the family.
 * @sock: socket
 * @cmd: VPMEM_CMD_*
 * @flags: NLM_F_* besides NLM_F_REQUEST
 * @attr_bytes: room for attributes
 *
 * Return: a message, which vpmem_sock_call() frees; NULL without memory.
 */
struct nl_msg *vpmem_sock_request(struct vpmem_sock *sock, uint8_t cmd,
				  int flags, size_t attr_bytes);

/**
 * vpmem_sock_call() - Send a request and take its answer.
 * @sock: socket
 * @msg: request, freed in any case; NULL stands for one that memory was short
 *	 for
 * @fn: takes the messages of the answer; may be NULL
 * @arg: handed to @fn
 *
 * Events that come meanwhile are queued.
 *
 * Return: 0, what @fn returned, or -errno with the reason in sock->error;
 * -ENOBUFS if the kernel carried the request out and its answer was lost.
 */
int vpmem_sock_call(struct vpmem_sock *sock, struct nl_msg *msg,
		    vpmem_reply_fn fn, void *arg);

/**
 * vpmem_sock_receive() - Take one datagram, if there is one.
 * @sock: socket
 * @call: request whose answer is awaited, or NULL
 *
 * Return: 0; -EAGAIN if there is none; another -errno. An overrun is put into
 * the queue of events and is no error here.
 */
int vpmem_sock_receive(struct vpmem_sock *sock, struct vpmem_call *call);

/**
 * vpmem_sock_input() - Take the messages of a datagram apart.
 * @sock: socket; only its family and queue of events are used
 * @call: request whose answer is awaited, or NULL
 * @data: the datagram, aligned to NLMSG_ALIGNTO
 * @len: its bytes
 */
void vpmem_sock_input(struct vpmem_sock *sock, struct vpmem_call *call,
		      const void *data, size_t len);

/**
 * vpmem_sock_result() - Remember the text of an error.
 *
 * Return: @err.
 */
int vpmem_sock_result(struct vpmem_sock *sock, int err);

#endif /* VPMEM_SOCK_H */
