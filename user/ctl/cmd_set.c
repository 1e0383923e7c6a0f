// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl set: change a device's policies and limits. */
#include "device.h"
#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *exec_name(int value)
{
	return vpmem_exec_name(value);
}

static const char *on_error_name(int value)
{
	return vpmem_on_error_name(value);
}

/* Return: the enum's value with that name, or -1. */
static int parse_enum(const char *(*name_of)(int value), int last,
		      const char *name)
{
	int value;

	for (value = 0; value <= last; value++)
		if (!strcmp(name_of(value), name))
			return value;
	return -1;
}

static int parse_exec(struct vpmem_dev_change *change, const char *name)
{
	int value = parse_enum(exec_name, VPMEM_EXEC_WORKER, name);

	if (value < 0)
		return CTL_USAGE;
	change->exec = value;
	change->present |= VPMEM_SET_EXEC;
	return CTL_OK;
}

static int parse_on_error(struct vpmem_dev_change *change, const char *name)
{
	int value = parse_enum(on_error_name, VPMEM_ON_ERROR_REPORT, name);

	if (value < 0)
		return CTL_USAGE;
	change->on_error = value;
	change->present |= VPMEM_SET_ON_ERROR;
	return CTL_OK;
}

/*
 * A number with an optional suffix, K to T for powers of 1024, from 1 to what
 * JSON can tell again. *@end is set to what follows.
 */
static int parse_number(const char *arg, uint64_t *value, char **end)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned int shift = 0;

	if (!isdigit((unsigned char)*arg))
		return CTL_USAGE;
	errno = 0;
	*value = strtoull(arg, end, 10);
	suffix = **end ? strchr(suffixes, toupper((unsigned char)**end)) : NULL;
	if (suffix) {
		shift = 10 * (suffix - suffixes + 1);
		(*end)++;
	}
	if (errno || !*value || *value > (uint64_t)INT64_MAX >> shift)
		return CTL_USAGE;
	*value <<= shift;
	return CTL_OK;
}

static int parse_limit(struct vpmem_limit *limit, const char *arg)
{
	char *end;

	*limit = (struct vpmem_limit){};
	if (!strcmp(arg, "none"))
		return CTL_OK;
	if (parse_number(arg, &limit->rate, &end))
		return CTL_USAGE;
	if (*end == ',' && parse_number(end + 1, &limit->burst, &end))
		return CTL_USAGE;
	return *end ? CTL_USAGE : CTL_OK;
}

static int parse_flush_limit(struct vpmem_dev_change *change, const char *arg)
{
	change->present |= VPMEM_SET_FLUSH_LIMIT;
	return parse_limit(&change->flush_limit, arg);
}

static int parse_bytes_limit(struct vpmem_dev_change *change, const char *arg)
{
	change->present |= VPMEM_SET_BYTES_LIMIT;
	return parse_limit(&change->bytes_limit, arg);
}

static int parse_write_behind(struct vpmem_dev_change *change, const char *arg)
{
	char *end;

	change->present |= VPMEM_SET_WRITE_BEHIND;
	change->write_behind = 0;
	if (!strcmp(arg, "none"))
		return CTL_OK;
	if (parse_number(arg, &change->write_behind, &end) || *end)
		return CTL_USAGE;
	return change->write_behind < VPMEM_WRITE_BEHIND_MIN ? CTL_USAGE :
							       CTL_OK;
}

static const struct {
	const char *prefix;
	int (*parse)(struct vpmem_dev_change *change, const char *name);
} settings[] = {
	{ "exec=", parse_exec },
	{ "on-error=", parse_on_error },
	{ "flush-limit=", parse_flush_limit },
	{ "bytes-limit=", parse_bytes_limit },
	{ "write-behind=", parse_write_behind },
};

static int parse_setting(struct vpmem_dev_change *change, const char *arg)
{
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		len = strlen(settings[i].prefix);
		if (!strncmp(arg, settings[i].prefix, len))
			return settings[i].parse(change, arg + len);
	}
	return CTL_USAGE;
}

static int parse_settings(struct ctl *ctl, struct vpmem_dev_change *change)
{
	int i;

	for (i = 1; i < ctl->argc; i++)
		if (parse_setting(change, ctl->argv[i]))
			return ctl_usage(ctl->command, "set: %s is no setting",
					 ctl->argv[i]);
	return CTL_OK;
}

int cmd_set_check(struct ctl *ctl)
{
	struct vpmem_dev_change change = {};

	return parse_settings(ctl, &change);
}

int cmd_set(struct ctl *ctl)
{
	struct vpmem_dev_change change = {};
	int status;

	status = parse_settings(ctl, &change);
	return status ? status : device_change(ctl, &change);
}
