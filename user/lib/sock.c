// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Owns the connection: opening it, sending requests, receiving messages. Knows
 * no command's attributes. libnl builds messages and takes them apart; the
 * socket is used directly, because libnl folds errnos into fewer codes of its
 * own.
 */
#include "sock.h"
#include "extack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>

#define RECEIVE_BUFFER_BYTES	(1024 * 1024)

int vpmem_sock_result(struct vpmem_sock *sock, int err)
{
	snprintf(sock->error, sizeof(sock->error), "%s",
		 err < 0 ? strerror(-err) : "");
	return err;
}

const char *vpmem_sock_error(const struct vpmem_sock *sock)
{
	return sock->error[0] ? sock->error : strerror(0);
}

int vpmem_sock_fd(const struct vpmem_sock *sock)
{
	return sock->fd;
}

/* Receiving */

static void input_event(struct vpmem_sock *sock, const struct nlmsghdr *nlh)
{
	struct vpmem_event event;

	if (!vpmem_msg_parse_event(nlh, &event))
		vpmem_event_push(&sock->events, &event);
}

/* Another family may get the number, so it is worth nothing from here on. */
static void input_controller(struct vpmem_sock *sock,
			     const struct nlmsghdr *nlh)
{
	if (vpmem_msg_removes_family(nlh, sock->family.id))
		sock->is_unloaded = true;
}

static void input_end(struct vpmem_sock *sock, struct vpmem_call *call,
		      const struct nlmsghdr *nlh)
{
	call->err = vpmem_extack_parse(nlh, call->request, sock->error,
				       sizeof(sock->error));
	call->is_done = true;
}

static void input_reply(struct vpmem_call *call, const struct nlmsghdr *nlh)
{
	if (call->fn && !call->fn_result)
		call->fn_result = call->fn(nlh, call->arg);
}

static void input_message(struct vpmem_sock *sock, struct vpmem_call *call,
			  const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_type == sock->family.id && vpmem_msg_is_event(nlh)) {
		input_event(sock, nlh);
		return;
	}
	if (nlh->nlmsg_type == GENL_ID_CTRL && !nlh->nlmsg_seq) {
		input_controller(sock, nlh);
		return;
	}
	/* Also leaves out the rest of an answer that was given up before. */
	if (!call || call->is_done ||
	    nlh->nlmsg_seq != call->request->nlmsg_seq)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		call->is_interrupted = true;
	if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
		input_end(sock, call, nlh);
	else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE)
		input_reply(call, nlh);
}

void vpmem_sock_input(struct vpmem_sock *sock, struct vpmem_call *call,
		      const void *data, size_t len)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)data;
	int remaining = len;

	for (; nlmsg_ok(nlh, remaining); nlh = nlmsg_next(nlh, &remaining))
		input_message(sock, call, nlh);
}

/*
 * After an overrun the kernel drops everything until its queue is empty, so
 * that is where the loss belongs.
 */
static int receive_nothing(struct vpmem_sock *sock)
{
	if (!sock->has_overrun)
		return -EAGAIN;
	sock->has_overrun = false;
	vpmem_event_push_loss(&sock->events);
	return 0;
}

int vpmem_sock_receive(struct vpmem_sock *sock, struct vpmem_call *call)
{
	struct sockaddr_nl from = {};
	socklen_t from_len = sizeof(from);
	ssize_t len;

	len = recvfrom(sock->fd, sock->buf, sizeof(sock->buf),
		       MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from,
		       &from_len);
	if (len < 0 && errno == EAGAIN)
		return receive_nothing(sock);
	if (len < 0 && errno == ENOBUFS) {
		sock->has_overrun = true;
		return 0;
	}
	if (len < 0)
		return -errno;
	if ((size_t)len > sizeof(sock->buf))
		return -EMSGSIZE;
	/* Only the kernel's port is 0; another process may have sent this. */
	if (!from.nl_pid)
		vpmem_sock_input(sock, call, sock->buf, len);
	return 0;
}

/* Requests */

static struct nl_msg *create_request(struct vpmem_sock *sock, uint16_t family,
				     uint8_t cmd, int flags, size_t attr_bytes)
{
	struct nl_msg *msg;

	msg = nlmsg_alloc_size(NLMSG_LENGTH(GENL_HDRLEN) + attr_bytes);
	if (!msg)
		return NULL;
	if (++sock->seq == 0)
		sock->seq = 1;
	if (!genlmsg_put(msg, 0, sock->seq, family, 0, NLM_F_REQUEST | flags,
			 cmd, VPMEM_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

struct nl_msg *vpmem_sock_request(struct vpmem_sock *sock, uint8_t cmd,
				  int flags, size_t attr_bytes)
{
	return create_request(sock, sock->family.id, cmd, flags, attr_bytes);
}

/*
 * Events in the kernel's buffer could leave no room for the answer. Bounded,
 * since they may come as fast as they are taken.
 */
static void make_room(struct vpmem_sock *sock)
{
	unsigned int i;

	for (i = 0; i < VPMEM_EVENT_QUEUE_SIZE; i++)
		if (vpmem_sock_receive(sock, NULL))
			break;
}

static int send_request(struct vpmem_sock *sock, const struct nlmsghdr *request)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t len;

	do {
		len = sendto(sock->fd, request, request->nlmsg_len, 0,
			     (const struct sockaddr *)&kernel, sizeof(kernel));
	} while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : 0;
}

/*
 * The kernel carries a request out while it is sent, so all of its answer that
 * ever comes is there by then, or made when the part before it is taken.
 * Finding nothing means that it was dropped.
 */
static int await_answer(struct vpmem_sock *sock, struct vpmem_call *call)
{
	int err = 0;

	while (!err && !call->is_done)
		err = vpmem_sock_receive(sock, call);
	return err == -EAGAIN ? -ENOBUFS : err;
}

int vpmem_sock_call(struct vpmem_sock *sock, struct nl_msg *msg,
		    vpmem_reply_fn fn, void *arg)
{
	struct vpmem_call call = { .fn = fn, .arg = arg };
	int err;

	if (!msg)
		return vpmem_sock_result(sock, -ENOMEM);
	call.request = nlmsg_hdr(msg);
	make_room(sock);
	err = send_request(sock, call.request);
	if (!err)
		err = await_answer(sock, &call);
	nlmsg_free(msg);
	if (call.is_done && call.err)
		return call.err;
	if (!err)
		err = call.fn_result;
	if (!err && call.is_interrupted)
		err = -EINTR;
	return vpmem_sock_result(sock, err);
}

/* Opening */

static int reply_family(const struct nlmsghdr *nlh, void *arg)
{
	return vpmem_msg_parse_family(nlh, arg);
}

static int resolve_family(struct vpmem_sock *sock)
{
	struct nl_msg *msg;
	int err;

	msg = create_request(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK,
			     nla_total_size(sizeof(VPMEM_GENL_NAME)));
	if (msg)
		nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, VPMEM_GENL_NAME);
	err = vpmem_sock_call(sock, msg, reply_family, &sock->family);
	if (err)
		return err;
	return sock->family.id ? 0 : -EPROTO;
}

/* All of these are improvements that an old kernel may lack. */
static void set_options(int fd)
{
	const int on = 1, bytes = RECEIVE_BUFFER_BYTES;

	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static int open_socket(struct vpmem_sock *sock)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	sock->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (sock->fd < 0)
		return -errno;
	set_options(sock->fd);
	if (bind(sock->fd, (const struct sockaddr *)&any, sizeof(any)))
		return -errno;
	return resolve_family(sock);
}

int vpmem_sock_create(struct vpmem_sock **out)
{
	struct vpmem_sock *sock = calloc(1, sizeof(*sock));
	int err;

	if (!sock)
		return -ENOMEM;
	err = open_socket(sock);
	if (err) {
		vpmem_sock_destroy(sock);
		return err;
	}
	*out = sock;
	return 0;
}

void vpmem_sock_destroy(struct vpmem_sock *sock)
{
	if (!sock)
		return;
	if (sock->fd >= 0)
		close(sock->fd);
	free(sock);
}
