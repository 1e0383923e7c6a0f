// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line; what the values may be is config.c's. */
#include "options.h"

#include "config.h"
#include "config_json.h"
#include "layout.h"
#include "util.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#ifndef VERSION
#define VERSION			"unknown"
#endif

static const char usage[] =
"usage: vpmem-vmm --kernel FILE [OPTION]...\n"
"       vpmem-vmm --restore DIR [OPTION]...\n"
"\n"
"Runs a Linux guest with virtio-pmem devices.\n"
"\n"
"  --kernel FILE         bzImage or ELF vmlinux\n"
"  --kernel-cache DIR    keep the unpacked kernel there for the next start\n"
"  --initrd FILE         initial RAM disk\n"
"  --cmdline STR         kernel command line\n"
"  --memory SIZE         guest RAM, with suffix M or G (default 512M)\n"
"  --cpus N              vCPUs, 1 to 64 (default 1)\n"
"  --pmem path=FILE[,KEY=VALUE]...\n"
"                        a pmem device, repeatable; keys are id=NAME, root=on,\n"
"                        read-only=on, discard-writes=on,\n"
"                        flush=auto|kernel|user, exec=auto|inline|worker,\n"
"                        on-error=sticky|report,\n"
"                        flush-limit=RATE[,,BURST], bytes-limit=RATE[,,BURST],\n"
"                        write-behind=SIZE;\n"
"                        ',,' stands for a comma\n"
"  --serial stdio|none|FILE\n"
"                        where the guest's console goes (default stdio)\n"
"  --metrics FILE        write counters there, as lines of JSON\n"
"  --restore DIR         go on with a snapshot; --pmem id=NAME,... changes a device\n"
"  --reboot exit|restart\n"
"                        what a reset by the guest does (default exit)\n"
"  --control PATH        listen there for commands: pause, resume, snapshot,\n"
"                        status, quit; see vpmemctl vm\n"
"  --config FILE         read a JSON configuration; later options override it\n"
"  --no-sandbox          allow all system calls; the main thread keeps its rights\n"
"  -v                    say more, can be repeated\n"
"  --help, --version\n"
"\n"
"Exit status: 0 the guest has shut down, 1 failure, 2 usage.\n";

static int parse_number(const char *what, const char *value, uint64_t *number,
			char **end)
{
	errno = 0;
	*number = strtoull(value, end, 10);
	if (errno || *end == value || *value < '0' || *value > '9')
		return config_error("%s: '%s' is not a number", what, value);
	return 0;
}

static int parse_memory(struct config *config, const char *value)
{
	uint64_t mib;
	char *end;
	int err;

	err = parse_number("--memory", value, &mib, &end);
	if (err)
		return err;
	if (strlen(end) != 1 || !strchr("MmGg", *end) ||
	    mib > UINT64_MAX / KIB)
		return config_error("--memory: '%s' is not a size such as 512M or 2G",
				    value);
	if (strchr("Gg", *end))
		mib *= KIB;
	return config_set_memory(config, mib);
}

static int parse_cpus(struct config *config, const char *value)
{
	uint64_t number;
	char *end;
	int err;

	err = parse_number("--cpus", value, &number, &end);
	if (!err && *end)
		err = config_error("--cpus: '%s' is not a number", value);
	return err ?: config_set_cpus(config, number);
}

static int parse_serial(struct config *config, const char *value)
{
	if (!*value)
		return config_error("--serial: use stdio, none or a file");
	config->serial = CONFIG_SERIAL_FILE;
	if (!strcmp(value, "stdio"))
		config->serial = CONFIG_SERIAL_STDIO;
	else if (!strcmp(value, "none"))
		config->serial = CONFIG_SERIAL_NONE;
	return config_set_string(&config->serial_path, value);
}

/* Cuts the next item off, at a comma that is not doubled; undoubles others. */
static char *next_item(char **rest)
{
	char *item = *rest, *to = *rest, *from = *rest;

	if (!item)
		return NULL;
	for (; *from; *to++ = *from++) {
		if (*from != ',')
			continue;
		if (from[1] != ',')
			break;
		from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return item;
}

static int parse_pmem_item(struct config_pmem *pmem, char *item)
{
	char *value = strchr(item, '=');

	if (!value)
		return config_error("--pmem: '%s' is not KEY=VALUE", item);
	*value++ = '\0';
	return config_pmem_set(pmem, item, value);
}

static int parse_pmem(struct config *config, const char *text)
{
	struct config_pmem *pmem = config_pmem_add(config);
	char *copy = strdup(text);
	char *rest = copy;
	char *item;
	int err = pmem ? 0 : -ENOSPC;

	if (!copy)
		err = config_error("out of memory");
	while (!err && (item = next_item(&rest)))
		err = parse_pmem_item(pmem, item);
	free(copy);
	return err;
}

static int parse_file(struct config *config, const char *path)
{
	return config_json_read(config, path);
}

static int parse_kernel(struct config *config, const char *value)
{
	return config_set_string(&config->kernel, value);
}

static int parse_kernel_cache(struct config *config, const char *value)
{
	return config_set_string(&config->kernel_cache, value);
}

static int parse_initrd(struct config *config, const char *value)
{
	return config_set_string(&config->initrd, value);
}

static int parse_cmdline(struct config *config, const char *value)
{
	return config_set_string(&config->cmdline, value);
}

static int parse_metrics(struct config *config, const char *value)
{
	return config_set_string(&config->metrics_path, value);
}

static int parse_control(struct config *config, const char *value)
{
	return config_set_string(&config->control_path, value);
}

static int parse_reboot(struct config *config, const char *value)
{
	return config_set_reboot(config, value);
}

static int parse_restore(struct config *config, const char *value)
{
	return config_set_string(&config->restore_path, value);
}

enum {
	OPTION_HELP = 256,
	OPTION_VERSION,
	OPTION_NO_SANDBOX,
	OPTION_VALUES,
};

static const struct value_option {
	const char *name;
	int (*parse)(struct config *config, const char *value);
} value_options[] = {
	{ "kernel", parse_kernel },
	{ "kernel-cache", parse_kernel_cache },
	{ "initrd", parse_initrd },
	{ "cmdline", parse_cmdline },
	{ "memory", parse_memory },
	{ "cpus", parse_cpus },
	{ "pmem", parse_pmem },
	{ "serial", parse_serial },
	{ "metrics", parse_metrics },
	{ "control", parse_control },
	{ "reboot", parse_reboot },
	{ "restore", parse_restore },
	{ "config", parse_file },
};

#define NR_VALUE_OPTIONS	ARRAY_SIZE(value_options)

/* In the form that getopt_long() wants. */
static void fill_options(struct option options[])
{
	for (size_t i = 0; i < NR_VALUE_OPTIONS; i++)
		*options++ = (struct option) {
			.name = value_options[i].name,
			.has_arg = required_argument,
			.val = OPTION_VALUES + i,
		};
	*options++ = (struct option) { "no-sandbox", no_argument, NULL,
				       OPTION_NO_SANDBOX };
	*options++ = (struct option) { "help", no_argument, NULL, OPTION_HELP };
	*options++ = (struct option) { "version", no_argument, NULL,
				       OPTION_VERSION };
	*options = (struct option) { 0 };
}

/* Of letters that stand together, @word may be the one before them. */
static enum options_result refuse_option(const char *word)
{
	if (optopt >= OPTION_HELP)
		config_error("'%s' takes no value; see --help", word);
	else if (optopt)
		config_error("unknown option '-%c'; see --help", optopt);
	else
		config_error("unknown option '%s'; see --help", word);
	return OPTIONS_USAGE;
}

static enum options_result take_option(struct config *config, int option,
				       char **argv)
{
	switch (option) {
	case OPTION_HELP:
		fputs(usage, stdout);
		return OPTIONS_EXIT_OK;
	case OPTION_VERSION:
		printf("vpmem-vmm %s\n", VERSION);
		return OPTIONS_EXIT_OK;
	case OPTION_NO_SANDBOX:
		config->sandbox = false;
		return OPTIONS_OK;
	case 'v':
		config->verbosity++;
		return OPTIONS_OK;
	case ':':
		config_error("%s needs a value; see --help", argv[optind - 1]);
		return OPTIONS_USAGE;
	case '?':
		return refuse_option(argv[optind - 1]);
	default:
		return value_options[option - OPTION_VALUES].parse(config,
			optarg) ? OPTIONS_USAGE : OPTIONS_OK;
	}
}

static enum options_result parse_options(struct config *config, int argc,
					 char **argv)
{
	struct option options[NR_VALUE_OPTIONS + 4];
	enum options_result result = OPTIONS_OK;
	int option;

	fill_options(options);
	optind = 0;
	while (result == OPTIONS_OK &&
	       (option = getopt_long(argc, argv, "+:v", options, NULL)) != -1)
		result = take_option(config, option, argv);
	if (result == OPTIONS_OK && optind < argc) {
		config_error("unexpected argument '%s'; see --help",
			     argv[optind]);
		result = OPTIONS_USAGE;
	}
	return result;
}

enum options_result options_parse(struct config *config, int argc, char **argv)
{
	enum options_result result;

	if (config_init(config))
		return OPTIONS_USAGE;
	result = parse_options(config, argc, argv);
	if (result == OPTIONS_OK && config_complete(config))
		result = OPTIONS_USAGE;
	return result;
}
