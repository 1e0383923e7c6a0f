// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl vm: one command to the control socket of a VM, and its answer. */
#include "ctl.h"
#include "json.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* In front of the id of a device. */
#define DEVICE	"pmem_"

static const struct {
	const char *name;
	int args;
} names[] = {
	{ "pause", 2 }, { "resume", 2 }, { "snapshot", 3 }, { "status", 2 },
	{ "quit", 2 },
};

int cmd_vm_check(struct ctl *ctl)
{
	const char *name = ctl->argv[1];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i].name))
			continue;
		if (ctl->argc == names[i].args)
			return CTL_OK;
		return ctl_usage(ctl->command, ctl->argc < names[i].args ?
				 "vm %s: a directory is missing" :
				 "vm %s: one argument too many", name);
	}
	return ctl_usage(ctl->command, "vm: %s: no such command", name);
}

/* Returns the socket, or -1 having said what failed. */
static int vm_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		ctl_error("vm %s: the path is too long for a socket", path);
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (const void *)&addr, sizeof(addr)))
		return fd;
	ctl_error("vm %s: %s%s", path, strerror(errno),
		  errno == ECONNREFUSED ? "; its VM has ended" : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int vm_send(int fd, const char *name, const struct vm_files *files)
{
	union {
		char bytes[CMSG_SPACE(sizeof(*files))];
		struct cmsghdr header;
	} rights = { .header = {
		.cmsg_len = CMSG_LEN(sizeof(*files)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	char *line;
	int len = asprintf(&line, "{\"command\":\"%s\"}\n", name);
	ssize_t done;

	if (len < 0)
		return -1;
	iov = (struct iovec) { .iov_base = line, .iov_len = len };
	if (files) {
		memcpy(CMSG_DATA(&rights.header), files, sizeof(*files));
		msg.msg_control = rights.bytes;
		msg.msg_controllen = sizeof(rights.bytes);
	}
	done = sendmsg(fd, &msg, MSG_NOSIGNAL);
	free(line);
	return done == len ? 0 : -1;
}

/* Takes @fd over. Returns the answer; NULL if none came. */
static json_t *vm_receive(int fd)
{
	FILE *file = fdopen(fd, "r");
	json_t *answer = NULL;
	char *line = NULL;
	size_t size = 0;

	if (!file) {
		close(fd);
		return NULL;
	}
	if (getline(&line, &size, file) > 0)
		answer = json_loads(line, 0, NULL);
	free(line);
	fclose(file);
	return answer;
}

static void print_member(const json_t *object, const char *key)
{
	printf(" %s %lld", key,
	       (long long)json_integer_value(json_object_get(object, key)));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "?";
}

static void print_status(const json_t *answer)
{
	json_t *metrics = json_object_get(answer, "metrics");
	json_t *device;
	const char *key;

	printf("%s\n", text_of(answer, "state"));
	json_object_foreach(metrics, key, device) {
		if (strncmp(key, DEVICE, strlen(DEVICE)))
			continue;
		printf("%s: %s,", key + strlen(DEVICE), text_of(device, "flush"));
		print_member(device, "flushes");
		print_member(device, "flush_errors");
		print_member(device, "syncs");
		putchar('\n');
	}
}

/* Takes @answer over. */
static int vm_print(const struct ctl *ctl, json_t *answer)
{
	const char *why = json_string_value(json_object_get(answer, "error"));
	int status = CTL_OK;

	if (!json_is_object(answer))
		status = ctl_error("vm %s: no answer: the VM has ended, or no VM listens there",
				   ctl->argv[0]);
	else if (why)
		status = ctl_error("vm %s: %s", ctl->argv[0], why);
	else if (ctl->is_json)
		return json_print(answer);
	else if (!strcmp(ctl->argv[1], "status"))
		print_status(answer);
	json_decref(answer);
	return status;
}

int vm_command(struct ctl *ctl, const char *name, const struct vm_files *files)
{
	int fd = vm_connect(ctl->argv[0]);

	if (fd < 0)
		return CTL_FAILED;
	if (!vm_send(fd, name, files))
		return vm_print(ctl, vm_receive(fd));
	ctl_error("vm %s: cannot send: %s", ctl->argv[0], strerror(errno));
	close(fd);
	return CTL_FAILED;
}

int cmd_vm(struct ctl *ctl)
{
	if (ctl->argc > 2)
		return vm_snapshot(ctl, ctl->argv[2]);
	return vm_command(ctl, ctl->argv[1], NULL);
}
