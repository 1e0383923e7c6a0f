/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the sub-commands share: their table entry, exit statuses, errors. */
#ifndef CTL_H
#define CTL_H

#include "util.h"

#include <stdbool.h>

#include <vpmem/vpmem.h>

#define CTL_OK		0
#define CTL_FAILED	1
#define CTL_USAGE	2

/**
 * struct ctl - What a sub-command works with.
 * @command: the sub-command
 * @sock: connection to the module
 * @argc: number of arguments after the sub-command
 * @argv: these arguments
 * @is_json: write JSON instead of text
 * @is_openmetrics: write OpenMetrics text instead
 * @watch_seconds: repeat at this interval, 0 not to
 */
struct ctl {
	const struct ctl_command *command;
	struct vpmem_sock *sock;
	int argc;
	char **argv;
	bool is_json;
	bool is_openmetrics;
	unsigned int watch_seconds;
};

/**
 * struct ctl_command - A sub-command.
 * @name: name on the command line
 * @args: its arguments, for the usage line
 * @summary: one line for --help
 * @min_args: fewest arguments
 * @max_args: most arguments
 * @is_stats: --watch and --openmetrics are meaningful
 * @check: tells whether the arguments make sense, without the module; may be
 *	   NULL; returns CTL_OK or CTL_USAGE, having said what is wrong
 * @run: does it; returns a CTL_* exit status, having said what failed
 * @needs_no_module: is for a VMM, not for the module; there is no ctl->sock
 */
struct ctl_command {
	const char *name;
	const char *args;
	const char *summary;
	int min_args;
	int max_args;
	bool is_stats;
	int (*check)(struct ctl *ctl);
	int (*run)(struct ctl *ctl);
	bool needs_no_module;
};

int cmd_list(struct ctl *ctl);
int cmd_show(struct ctl *ctl);
int cmd_stats(struct ctl *ctl);
int cmd_monitor(struct ctl *ctl);
int cmd_set_check(struct ctl *ctl);
int cmd_set(struct ctl *ctl);
int cmd_clear_error(struct ctl *ctl);
int cmd_vm_check(struct ctl *ctl);
int cmd_vm(struct ctl *ctl);

/** struct vm_files - Files that go with a command, -1 for none. */
struct vm_files {
	int state_fd;
	int memory_fd;
};

/**
 * vm_command() - Send a command to a VM, print what it answers.
 * @ctl: the socket's path is its first argument
 * @name: command
 * @files: sent with it, or NULL
 *
 * Return: a CTL_* status; a failure has been reported.
 */
int vm_command(struct ctl *ctl, const char *name, const struct vm_files *files);

/** vm_snapshot() - Let a VM write a snapshot, which is then DIR. A CTL_* status. */
int vm_snapshot(struct ctl *ctl, const char *dir);

/** watch_stats() - Show rates of all devices, or of one, until a signal. */
int watch_stats(struct ctl *ctl);

/**
 * ctl_error() - Write "vpmemctl: " and a message as one line to stderr.
 *
 * Return: CTL_FAILED.
 */
int ctl_error(const char *fmt, ...) __printf(1, 2);

/**
 * ctl_usage() - Say what is wrong with the command line and how it should be.
 *
 * Return: CTL_USAGE.
 */
int ctl_usage(const struct ctl_command *command, const char *fmt, ...)
	__printf(2, 3);

/**
 * ctl_failed() - Say that a call of the library failed, and what to do.
 * @ctl: context
 * @what: what was tried, such as "device 3"
 * @err: what the library returned
 *
 * Return: CTL_FAILED.
 */
int ctl_failed(const struct ctl *ctl, const char *what, int err);

#endif /* CTL_H */
