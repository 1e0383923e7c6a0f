// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Owns events: their queue, subscribing to them and waiting for them. */
#include "event.h"
#include "sock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/genetlink.h>

/* The controller's only group, which tells of families that come and go. */
#define CONTROLLER_GROUP	GENL_ID_CTRL

static unsigned int slot_index(const struct vpmem_event_queue *queue,
			       unsigned int n)
{
	return (queue->head + n) % VPMEM_EVENT_QUEUE_SIZE;
}

void vpmem_event_push(struct vpmem_event_queue *queue,
		      const struct vpmem_event *event)
{
	unsigned int i = slot_index(queue, queue->count);

	if (queue->count >= VPMEM_EVENT_QUEUE_SIZE - 1) {
		vpmem_event_push_loss(queue);
		return;
	}
	queue->slots[i].is_loss = false;
	queue->slots[i].event = *event;
	queue->count++;
}

void vpmem_event_push_loss(struct vpmem_event_queue *queue)
{
	unsigned int last = slot_index(queue, queue->count - 1);

	if (queue->count && queue->slots[last].is_loss)
		return;
	queue->slots[slot_index(queue, queue->count)].is_loss = true;
	queue->count++;
}

int vpmem_event_pop(struct vpmem_event_queue *queue, struct vpmem_event *event)
{
	unsigned int i = queue->head;

	if (!queue->count)
		return -EAGAIN;
	queue->head = slot_index(queue, 1);
	queue->count--;
	if (queue->slots[i].is_loss)
		return -ENOBUFS;
	*event = queue->slots[i].event;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Return: 0 if there is something to read, -EAGAIN at the deadline. */
static int wait_readable(struct vpmem_sock *sock, int64_t deadline_ms)
{
	struct pollfd pollfd = { .fd = sock->fd, .events = POLLIN };
	int64_t timeout_ms = -1;
	int ret;

	if (deadline_ms >= 0) {
		timeout_ms = deadline_ms - now_ms();
		if (timeout_ms <= 0)
			return -EAGAIN;
	}
	ret = poll(&pollfd, 1, timeout_ms);
	if (ret < 0)
		return -errno;
	return ret ? 0 : -EAGAIN;
}

static int join(struct vpmem_sock *sock, uint32_t group)
{
	return setsockopt(sock->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
			  sizeof(group)) ? -errno : 0;
}

int vpmem_event_subscribe(struct vpmem_sock *sock)
{
	int err = -EOPNOTSUPP;

	if (sock->family.events_group)
		err = join(sock, sock->family.events_group);
	if (!err)
		err = join(sock, CONTROLLER_GROUP);
	return vpmem_sock_result(sock, err);
}

int vpmem_event_next(struct vpmem_sock *sock, struct vpmem_event *event,
		     int timeout_ms)
{
	int64_t deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	int err;

	for (;;) {
		err = vpmem_event_pop(&sock->events, event);
		if (err != -EAGAIN)
			return vpmem_sock_result(sock, err);
		err = vpmem_sock_receive(sock, NULL);
		if (err == -EAGAIN && sock->is_unloaded)
			return vpmem_sock_result(sock, -ENOENT);
		if (err == -EAGAIN)
			err = wait_readable(sock, deadline_ms);
		if (err)
			return vpmem_sock_result(sock, err);
	}
}
