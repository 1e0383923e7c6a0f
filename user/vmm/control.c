// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket: commands for a running VM, one JSON object a line. What a
 * client sends, and whether it reads, is its own business: it is answered, or
 * disconnected, and nobody waits for it.
 */
#include "control.h"

#include "config.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "pause.h"
#include "reboot.h"
#include "snapshot.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CLIENTS_MAX	16
#define LINE_MAX_BYTES	4096

/* Those of a snapshot. */
#define FDS_MAX		2

/**
 * struct client - A connection.
 * @source: its socket
 * @control: what it is connected to
 * @last_used: when it came or said something last, by @control's count
 * @is_waiting: for the answer to a command; nothing is read from it meanwhile
 * @is_deaf: it does not listen any more; its commands count all the same
 * @is_gone: to be closed
 * @len: bytes of @line
 * @fds: descriptors that it sent and no command has taken, @nr_fds of them
 * @line: what it sent and is not a whole line yet
 */
struct client {
	struct loop_source source;
	struct control *control;
	uint64_t last_used;
	bool is_waiting;
	bool is_deaf;
	bool is_gone;
	size_t len;
	size_t nr_fds;
	int fds[FDS_MAX];
	char line[LINE_MAX_BYTES];
};

/**
 * struct control - The socket.
 * @vm: VM
 * @listener: socket that clients connect to
 * @spare_fd: given up to turn a client away when there are no descriptors
 * @stat: identity of the socket's file
 * @count: clients and commands that came so far
 * @clients: connections, NULL where there is none
 * @hold: keeps the VM paused
 * @snapshot: writes them
 * @snapshot_hold: keeps the VM paused for one
 * @waiter: whose command is under way, or NULL
 * @has_news: clients may have commands that can be run now, or are to be closed
 * @is_settling: these are being looked after
 */
struct control {
	struct vm *vm;
	struct loop_source listener;
	int spare_fd;
	struct stat stat;
	uint64_t count;
	struct client *clients[CLIENTS_MAX];
	struct pause_hold hold;
	struct snapshot *snapshot;
	struct pause_hold snapshot_hold;
	struct client *waiter;
	bool has_news;
	bool is_settling;
};

/* Answers */

static void client_send(struct client *client, const char *line, size_t len)
{
	ssize_t sent = client->is_deaf ? (ssize_t)len :
		       send(client->source.fd, line, len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
		client->is_deaf = true;
	else if (sent != (ssize_t)len)
		/* Who does not read has no room left, and is not waited for. */
		client->is_gone = true;
}

/* Takes @answer over. */
static void client_answer(struct client *client, json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT |
					 JSON_PRESERVE_ORDER) : NULL;
	size_t len = text ? strlen(text) : 0;

	if (text) {
		/* The line's end replaces that of the string. */
		text[len] = '\n';
		client_send(client, text, len + 1);
	} else {
		client->is_gone = true;
	}
	free(text);
	json_decref(answer);
}

static void client_accept_command(struct client *client)
{
	client_answer(client, json_pack("{s:b}", "ok", 1));
}

__attribute__((format(printf, 2, 3)))
static void client_refuse(struct client *client, const char *fmt, ...)
{
	char message[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	/* What a client sent may be in it, and may be cut off anywhere. */
	for (char *byte = message; *byte; byte++) {
		if (*byte < ' ' || *byte > '~')
			*byte = '?';
	}
	client_answer(client, json_pack("{s:s}", "error", message));
}

/* An answer comes later: until then the client's other commands wait. */
static void client_wait(struct client *client)
{
	client->is_waiting = true;
	client->control->waiter = client;
	loop_del(&client->control->vm->loop, &client->source);
}

static void client_read_on(struct client *client)
{
	client->is_waiting = false;
	client->control->waiter = NULL;
	client->control->has_news = true;
	if (loop_add(&client->control->vm->loop, &client->source))
		client->is_gone = true;
}

/* Commands */

static void control_settle(struct control *control);

static void control_paused(struct pause_hold *hold)
{
	struct control *control = container_of(hold, struct control, hold);
	struct client *client = control->waiter;

	log_info("paused");
	client_read_on(client);
	client_accept_command(client);
	control_settle(control);
}

static void command_pause(struct client *client)
{
	struct control *control = client->control;

	if (control->waiter) {
		client_refuse(client, "another command is under way");
	} else if (control->hold.is_held) {
		client_accept_command(client);
	} else {
		client_wait(client);
		pause_begin(control->vm->pause, &control->hold);
	}
}

static void command_resume(struct client *client)
{
	struct control *control = client->control;
	struct pause_hold *hold = &control->hold;
	struct client *waiter = hold->is_held && !hold->is_told ?
				control->waiter : NULL;

	pause_end(control->vm->pause, hold);
	if (waiter) {
		client_read_on(waiter);
		client_refuse(waiter, "the VM was resumed meanwhile");
	}
	log_info("resumed");
	client_accept_command(client);
}

static void client_drop_fds(struct client *client)
{
	while (client->nr_fds)
		close(client->fds[--client->nr_fds]);
}

static void control_snapshot_done(void *opaque, const char *why)
{
	struct control *control = opaque;
	struct client *client = control->waiter;

	pause_end(control->vm->pause, &control->snapshot_hold);
	client_read_on(client);
	if (why)
		client_refuse(client, "%s", why);
	else
		client_accept_command(client);
	log_info("snapshot: %s", why ? why : "written");
	control_settle(control);
}

/* The client's descriptors are the snapshot's from here on. */
static void control_snapshot_paused(struct pause_hold *hold)
{
	struct control *control = container_of(hold, struct control,
					       snapshot_hold);
	struct client *client = control->waiter;
	const struct snapshot_files files = {
		.state_fd = client->fds[0],
		.memory_fd = client->fds[1],
	};

	client->nr_fds = 0;
	/* ORDER: what a vCPU asked for before it stopped is done before. */
	reboot_settle(control->vm);
	snapshot_begin(control->snapshot, &files, control_snapshot_done, control);
}

static void command_snapshot(struct client *client)
{
	struct control *control = client->control;

	if (control->waiter) {
		client_refuse(client, "another command is under way");
	} else if (client->nr_fds != FDS_MAX) {
		client_refuse(client, "a snapshot needs two open files: %s",
			      "for its state, and for its memory");
	} else {
		client_wait(client);
		pause_begin(control->vm->pause, &control->snapshot_hold);
	}
}

static const char *control_state(const struct control *control)
{
	const struct pause *pause = control->vm->pause;

	return pause_is_reached(pause) ? "paused" :
	       pause_is_pending(pause) ? "pausing" : "running";
}

static void command_status(struct client *client)
{
	struct control *control = client->control;

	client_answer(client, json_pack("{s:b, s:s, s:I, s:o}", "ok", 1,
					"state", control_state(control),
					"exits", (json_int_t)vcpus_exits(control->vm),
					"metrics", metrics_describe(control->vm)));
}

static void command_quit(struct client *client)
{
	log_info("ending on request");
	client_accept_command(client);
	loop_quit(&client->control->vm->loop, 0);
}

static const struct {
	const char *name;
	void (*run)(struct client *client);
} commands[] = {
	{ "pause", command_pause },
	{ "resume", command_resume },
	{ "snapshot", command_snapshot },
	{ "status", command_status },
	{ "quit", command_quit },
};

static void client_run(struct client *client, const char *name)
{
	client->last_used = ++client->control->count;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(name, commands[i].name)) {
			commands[i].run(client);
			return;
		}
	}
	client_refuse(client, "'%.32s' is none of: pause, resume, snapshot, status, quit",
		      name);
}

static void client_take_line(struct client *client, const char *line, size_t len)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	const char *name = NULL;
	const char *why = NULL;

	if (!request)
		client_refuse(client, "not JSON: %s", error.text);
	else if (json_unpack_ex(request, &error, JSON_STRICT, "{s:s}", "command",
				&name))
		why = "not an object with the string \"command\" and nothing else";
	if (why)
		client_refuse(client, "%s", why);
	else if (name)
		client_run(client, name);
	json_decref(request);
}

/* Connections */

static void client_destroy(struct client *client)
{
	struct control *control = client->control;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i] == client)
			control->clients[i] = NULL;
	}
	if (!client->is_waiting)
		loop_del(&control->vm->loop, &client->source);
	client_drop_fds(client);
	close(client->source.fd);
	free(client);
}

/* Runs all commands that are there; the one that has to wait keeps the rest. */
static void client_take_lines(struct client *client)
{
	char *end;

	while (!client->is_gone && !client->is_waiting &&
	       (end = memchr(client->line, '\n', client->len))) {
		size_t len = end + 1 - client->line;
		char line[LINE_MAX_BYTES];

		memcpy(line, client->line, len);
		client->len -= len;
		memmove(client->line, client->line + len, client->len);
		client_take_line(client, line, len - 1);
	}
	if (!client->is_waiting && client->len == sizeof(client->line)) {
		client_refuse(client, "the line is longer than %d bytes",
			      LINE_MAX_BYTES - 1);
		client->is_gone = true;
	}
}

/*
 * A command may have answered another client, which has commands left, or is to
 * be closed.
 */
static void control_settle(struct control *control)
{
	if (control->is_settling)
		return;
	control->is_settling = true;
	do {
		control->has_news = false;
		for (size_t i = 0; i < CLIENTS_MAX; i++) {
			struct client *client = control->clients[i];

			if (client)
				client_take_lines(client);
			if (client && client->is_gone && !client->is_waiting)
				client_destroy(client);
		}
	} while (control->has_news);
	control->is_settling = false;
}

/* Keeps the last ones that came; a client cannot fill the table of files. */
static void client_take_fd(struct client *client, int fd)
{
	if (client->nr_fds == FDS_MAX)
		client_drop_fds(client);
	client->fds[client->nr_fds++] = fd;
}

static void client_take_fds(struct client *client, struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	size_t nr;
	int fd;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET ||
	    cmsg->cmsg_type != SCM_RIGHTS)
		return;
	nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
	for (size_t i = 0; i < nr; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		client_take_fd(client, fd);
	}
}

static ssize_t client_receive(struct client *client)
{
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} rights;
	struct iovec iov = {
		.iov_base = client->line + client->len,
		.iov_len = sizeof(client->line) - client->len,
	};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = rights.bytes,
		.msg_controllen = sizeof(rights.bytes),
	};
	ssize_t len = recvmsg(client->source.fd, &msg,
			      MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (len >= 0)
		client_take_fds(client, &msg);
	return len;
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct client *client = container_of(source, struct client, source);
	struct control *control = client->control;
	ssize_t len = client_receive(client);

	if (len > 0)
		client->len += len;
	else if (!len || (errno != EAGAIN && errno != EINTR))
		client->is_gone = true;
	control_settle(control);
}

/* A place for a new client; the one that was silent for longest has to go. */
static size_t control_make_room(struct control *control)
{
	size_t oldest = CLIENTS_MAX;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *client = control->clients[i];

		if (!client)
			return i;
		if (!client->is_waiting &&
		    (oldest == CLIENTS_MAX ||
		     client->last_used < control->clients[oldest]->last_used))
			oldest = i;
	}
	client_refuse(control->clients[oldest], "too many clients");
	client_destroy(control->clients[oldest]);
	return oldest;
}

static void control_add_client(struct control *control, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	size_t at = control_make_room(control);

	if (client) {
		client->control = control;
		client->last_used = ++control->count;
		client->source.fd = fd;
		client->source.fn = client_ready;
	}
	if (!client || loop_add(&control->vm->loop, &client->source)) {
		free(client);
		close(fd);
		return;
	}
	control->clients[at] = client;
}

/*
 * Without a descriptor for it a client would stay in the queue and wake the loop
 * for ever.
 */
static void control_turn_away(struct control *control)
{
	cleanup_close(&control->spare_fd);
	control->spare_fd = accept4(control->listener.fd, NULL, NULL,
				    SOCK_CLOEXEC);
	cleanup_close(&control->spare_fd);
	control->spare_fd = fcntl(control->listener.fd, F_DUPFD_CLOEXEC, 0);
}

static void control_ready(struct loop_source *source, uint32_t events)
{
	struct control *control = container_of(source, struct control, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		control_add_client(control, fd);
	else if (errno == EMFILE || errno == ENFILE)
		control_turn_away(control);
}

/* The socket's file */

static int control_refuse_path(const char *path, const char *why)
{
	log_error("cannot listen on %s: %s", path, why);
	return -EADDRINUSE;
}

/* Whether nobody listens there. */
static bool is_stale(const struct sockaddr_un *addr)
{
	int fd AUTO_CLOSE = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
				   SOCK_NONBLOCK, 0);

	return fd >= 0 && connect(fd, (const void *)addr, sizeof(*addr)) &&
	       errno == ECONNREFUSED;
}

/* Removes what a VMM has left that was killed, and nothing else. */
static int control_clear_path(const struct sockaddr_un *addr)
{
	const char *path = addr->sun_path;
	struct stat st;

	if (lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return control_refuse_path(path, "it is there and no socket; give another path");
	if (!is_stale(addr))
		return control_refuse_path(path, "it is in use; give another path");
	return unlink(path) ? -errno : 0;
}

static int control_bind(struct control *control, const struct sockaddr_un *addr)
{
	mode_t mask;
	int err = 0;

	control->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
				      SOCK_NONBLOCK, 0);
	if (control->listener.fd < 0)
		return -errno;
	/* ORDER: before there is another thread, whose files this concerns too. */
	mask = umask(0177);
	if (bind(control->listener.fd, (const void *)addr, sizeof(*addr)))
		err = -errno;
	umask(mask);
	if (err)
		return err;
	if (lstat(addr->sun_path, &control->stat) ||
	    listen(control->listener.fd, CLIENTS_MAX))
		return -errno;
	control->spare_fd = fcntl(control->listener.fd, F_DUPFD_CLOEXEC, 0);
	return 0;
}

static int control_listen(struct control *control, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	if (!*path || strlen(path) >= sizeof(addr.sun_path)) {
		log_error("cannot listen on '%s': a socket's path has from 1 to %zu bytes",
			  path, sizeof(addr.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	err = control_clear_path(&addr);
	if (err == -EADDRINUSE)
		return err;
	if (!err)
		err = control_bind(control, &addr);
	if (!err)
		err = loop_add(&control->vm->loop, &control->listener);
	if (err)
		log_error("cannot listen on %s: %s", path, strerror(-err));
	return err;
}

int control_create(struct control **control, struct vm *vm)
{
	const char *path = vm->config->control_path;
	struct control *new;
	int err;

	*control = NULL;
	if (!path)
		return 0;
	new = calloc(1, sizeof(*new));
	if (!new) {
		log_error("cannot listen on %s: %s", path, strerror(ENOMEM));
		return -ENOMEM;
	}
	new->vm = vm;
	new->listener.fd = -1;
	new->listener.fn = control_ready;
	new->spare_fd = -1;
	new->hold.done = control_paused;
	new->snapshot_hold.done = control_snapshot_paused;
	/* ORDER: before the sandbox, in which the seed's file cannot be opened. */
	json_object_seed(0);
	err = control_listen(new, path);
	if (!err)
		err = snapshot_create(&new->snapshot, vm);
	if (err) {
		control_destroy(new);
		return err;
	}
	*control = new;
	return 0;
}

/* Another VMM may have taken the place, if somebody removed ours. */
static void control_remove_file(const struct control *control)
{
	const char *path = control->vm->config->control_path;
	struct stat st;

	if (control->stat.st_ino && !lstat(path, &st) &&
	    st.st_ino == control->stat.st_ino &&
	    st.st_dev == control->stat.st_dev)
		unlink(path);
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	snapshot_destroy(control->snapshot);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i])
			client_destroy(control->clients[i]);
	}
	control_remove_file(control);
	if (control->listener.fd >= 0)
		loop_del(&control->vm->loop, &control->listener);
	cleanup_close(&control->listener.fd);
	cleanup_close(&control->spare_fd);
	free(control);
}
