// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl monitor: one line for each event, until SIGINT or SIGTERM. */
#include "ctl.h"
#include "fmt.h"
#include "json.h"
#include "stop.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_details(const struct vpmem_event *event)
{
	char buf[FMT_BYTES];

	switch (event->type) {
	case VPMEM_EVENT_QUEUE_STOPPED:
	case VPMEM_EVENT_QUEUE_BROKEN:
		printf(" next-avail %u next-used %u", event->next_avail,
		       event->next_used);
		break;
	case VPMEM_EVENT_SYNC_ERROR:
		printf(" %s", fmt_errno(buf, event->error));
		fallthrough;
	default:
		printf(" %s", fmt_name(buf, event->name));
	}
}

/* @event is NULL for a loss. */
static int print_event(const struct ctl *ctl, const struct vpmem_event *event)
{
	char buf[FMT_BYTES];

	if (ctl->is_json)
		return json_print_line(json_event(event));
	if (event) {
		printf("%s %s %u", fmt_time(buf), vpmem_event_name(event->type),
		       event->id);
		print_details(event);
		putchar('\n');
	} else {
		printf("%s events-lost\n", fmt_time(buf));
	}
	if (fflush(stdout))
		return ctl_error("cannot write the output: %s",
				 strerror(errno));
	return CTL_OK;
}

/* Prints all events there are. */
static int drain(const struct ctl *ctl)
{
	struct vpmem_event event;
	int status = CTL_OK;
	int err;

	while (!status) {
		err = vpmem_event_next(ctl->sock, &event, 0);
		if (err == -EAGAIN)
			return CTL_OK;
		if (err && err != -ENOBUFS)
			return ctl_failed(ctl, "events", err);
		status = print_event(ctl, err ? NULL : &event);
	}
	return status;
}

static int watch(const struct ctl *ctl, int stop_fd)
{
	struct pollfd fds[] = {
		{ .fd = vpmem_sock_fd(ctl->sock), .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	int status;

	do {
		status = drain(ctl);
		if (!status && poll(fds, 2, -1) < 0 && errno != EINTR)
			return ctl_error("cannot wait for events: %s",
					 strerror(errno));
	} while (!status && !fds[1].revents);
	return status;
}

int cmd_monitor(struct ctl *ctl)
{
	int stop_fd = stop_open();
	int status, err;

	if (stop_fd < 0)
		return ctl_error("cannot handle signals: %s", strerror(errno));
	err = vpmem_event_subscribe(ctl->sock);
	if (err)
		status = ctl_failed(ctl, "events", err);
	else
		status = watch(ctl, stop_fd);
	close(stop_fd);
	return status;
}
