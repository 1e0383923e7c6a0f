// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl: owns the command line, the table of sub-commands and the errors. */
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_SECONDS_DEFAULT	1
#define WATCH_SECONDS_MAX	86400

#define SET_ARGS	" ID [exec=auto|inline|worker] [on-error=sticky|report]" \
			" [flush-limit=RATE[,BURST]|none]" \
			" [bytes-limit=RATE[,BURST]|none]" \
			" [write-behind=SIZE|none]"

#define VM_ARGS		" PATH pause|resume|snapshot DIR|status|quit"

static const struct ctl_command commands[] = {
	{ "list", "", "one line for each device",
	  0, 0, false, NULL, cmd_list, false },
	{ "show", " ID", "all settings of a device",
	  1, 1, false, NULL, cmd_show, false },
	{ "stats", " [--watch[=SECONDS]|--openmetrics] [ID]", "counters and latencies",
	  0, 1, true, NULL, cmd_stats, false },
	{ "monitor", "", "events as they happen",
	  0, 0, false, NULL, cmd_monitor, false },
	{ "set", SET_ARGS, "change a device",
	  2, 6, false, cmd_set_check, cmd_set, false },
	{ "clear-error", " ID", "let a device sync again after a sync error",
	  1, 1, false, NULL, cmd_clear_error, false },
	{ "vm", VM_ARGS, "command a VM by its control socket",
	  2, 3, false, cmd_vm_check, cmd_vm, true },
	{ }
};

static void error_line(const char *fmt, va_list args)
{
	fputs("vpmemctl: ", stderr);
	vfprintf(stderr, fmt, args);
}

int ctl_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	error_line(fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return CTL_FAILED;
}

int ctl_usage(const struct ctl_command *command, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	error_line(fmt, args);
	va_end(args);
	if (command)
		fprintf(stderr, "; usage: vpmemctl %s [--json]%s\n",
			command->name, command->args);
	else
		fputs("; see vpmemctl --help\n", stderr);
	return CTL_USAGE;
}

int ctl_failed(const struct ctl *ctl, const char *what, int err)
{
	const char *why = vpmem_sock_error(ctl->sock);

	switch (err) {
	case -EPERM:
		return ctl_error("%s: no permission (%s); run as root, or with CAP_NET_ADMIN",
				 what, why);
	case -ENODEV:
		return ctl_error("%s: no such device; see vpmemctl list", what);
	case -ENOENT:
		return ctl_error("%s: the vpmem module was unloaded", what);
	default:
		return ctl_error("%s: %s", what, why);
	}
}

static int connect_failed(int err)
{
	if (err == -ENOENT)
		return ctl_error("the vpmem module is not loaded; load it with: modprobe vpmem");
	return ctl_error("cannot connect to the kernel: %s", strerror(-err));
}

static void print_help(void)
{
	const struct ctl_command *command;

	puts("Usage: vpmemctl [--json] COMMAND [ARGUMENTS]\n"
	     "Look at and steer virtio-pmem devices that the kernel serves.\n\n"
	     "Commands:");
	for (command = commands; command->name; command++)
		printf("  %-12s %s\n", command->name, command->summary);
	puts("\nOptions:\n"
	     "  -j, --json             write JSON\n"
	     "  -w, --watch[=SECONDS]  stats: repeat, with rates\n"
	     "  -o, --openmetrics      stats: write OpenMetrics text\n"
	     "  -h, --help             show this, or a command's usage, and exit\n"
	     "  -V, --version          show the version and exit\n\n"
	     "ID is a device's number, or its name if no other device has it. PATH is\n"
	     "what vpmem-vmm --control was given.");
}

static void print_command_help(const struct ctl_command *command)
{
	printf("Usage: vpmemctl %s [--json]%s\n%s: %s\n", command->name,
	       command->args, command->name, command->summary);
}

static const struct ctl_command *find_command(const char *name)
{
	const struct ctl_command *command;

	for (command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

static int parse_watch(struct ctl *ctl, const char *arg)
{
	unsigned long seconds;
	char *end;

	ctl->watch_seconds = WATCH_SECONDS_DEFAULT;
	if (!arg)
		return CTL_OK;
	seconds = strtoul(arg, &end, 10);
	if (*end || !seconds || seconds > WATCH_SECONDS_MAX)
		return ctl_usage(NULL, "--watch=%s: not a number of seconds from 1 to %d",
				 arg, WATCH_SECONDS_MAX);
	ctl->watch_seconds = seconds;
	return CTL_OK;
}

static int run(struct ctl *ctl)
{
	int status, err = 0;

	if (!ctl->command->needs_no_module)
		err = vpmem_sock_create(&ctl->sock);
	if (err)
		return connect_failed(err);
	status = ctl->command->run(ctl);
	vpmem_sock_destroy(ctl->sock);
	/* A command that failed has said why, and it may have been that. */
	if (!status && (fflush(stdout) || ferror(stdout)))
		return ctl_error("cannot write the output: %s",
				 strerror(errno));
	return status;
}

/* Takes the options out of the command line; @wants_help for --help. */
static int parse_options(struct ctl *ctl, int argc, char **argv,
			 bool *wants_help)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "openmetrics", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "jow::hV", options, NULL)) != -1) {
		if (opt == 'j')
			ctl->is_json = true;
		else if (opt == 'o')
			ctl->is_openmetrics = true;
		else if (opt == 'h')
			*wants_help = true;
		else if (opt == 'V')
			exit(printf("vpmemctl %s\n", VPMEM_VERSION) < 0);
		else if (opt != 'w')
			return ctl_usage(NULL, "%s: unknown option, or wrong use of it",
					 argv[optind - 1]);
		else if (parse_watch(ctl, optarg))
			return CTL_USAGE;
	}
	return CTL_OK;
}

static int check_args(const struct ctl *ctl)
{
	const struct ctl_command *command = ctl->command;

	if (ctl->argc < command->min_args)
		return ctl_usage(command, "%s: an argument is missing",
				 command->name);
	if (ctl->argc > command->max_args)
		return ctl_usage(command, "%s: %s is one argument too many",
				 command->name, ctl->argv[command->max_args]);
	if ((ctl->watch_seconds || ctl->is_openmetrics) && !command->is_stats)
		return ctl_usage(command, "%s: --watch and --openmetrics are only for stats",
				 command->name);
	if (ctl->is_openmetrics && (ctl->is_json || ctl->watch_seconds))
		return ctl_usage(command, "%s: --openmetrics excludes --json and --watch",
				 command->name);
	return CTL_OK;
}

static int run_command(struct ctl *ctl)
{
	int status = check_args(ctl);

	if (!status && ctl->command->check)
		status = ctl->command->check(ctl);
	return status ? status : run(ctl);
}

int main(int argc, char **argv)
{
	struct ctl ctl = {};
	bool wants_help = false;

	if (parse_options(&ctl, argc, argv, &wants_help))
		return CTL_USAGE;
	if (optind == argc) {
		if (!wants_help)
			return ctl_usage(NULL, "no command given");
		print_help();
		return CTL_OK;
	}
	ctl.command = find_command(argv[optind]);
	if (!ctl.command)
		return ctl_usage(NULL, "%s: no such command", argv[optind]);
	if (wants_help) {
		print_command_help(ctl.command);
		return CTL_OK;
	}
	ctl.argc = argc - optind - 1;
	ctl.argv = argv + optind + 1;
	return run_command(&ctl);
}
