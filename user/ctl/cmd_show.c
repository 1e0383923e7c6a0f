// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl show: all settings of one device. */
#include "device.h"
#include "fmt.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

#define LINE(key, fmt, ...)	printf("  %-13s " fmt "\n", key, __VA_ARGS__)

static void print_backing(const struct vpmem_dev_info *info)
{
	char buf[FMT_BYTES];

	LINE("size:", "%" PRIu64 " bytes (%s)", info->length,
	     fmt_size(buf, info->length));
	LINE("offset:", "%" PRIu64 " bytes", info->offset);
	LINE("flags:", "%s", fmt_flags(buf, info->flags));
}

static void print_policies(const struct vpmem_dev_info *info)
{
	char buf[FMT_BYTES];

	LINE("exec:", "%s", fmt_exec(buf, info));
	LINE("on-error:", "%s", vpmem_on_error_name(info->on_error));
	LINE("error:", "%s%s", fmt_errno(buf, info->error),
	     info->error ? ", every flush fails; see clear-error" : "");
}

static void print_limits(const struct vpmem_dev_info *info)
{
	char buf[FMT_BYTES];

	LINE("flush-limit:", "%s", fmt_flush_limit(buf, &info->flush_limit));
	LINE("bytes-limit:", "%s", fmt_bytes_limit(buf, &info->bytes_limit));
}

static void print_write_behind(const struct vpmem_dev_info *info)
{
	char buf[FMT_BYTES];

	LINE("write-behind:", "%s", info->write_behind ?
	     fmt_size(buf, info->write_behind) : "none");
}

static void print_queue(const struct vpmem_dev_info *info)
{
	LINE("queue:", "%s", vpmem_queue_state_name(info->queue_state));
	if (!info->ring_size)
		return;
	LINE("ring:", "%u descriptors, next-avail %u, next-used %u",
	     info->ring_size, info->next_avail, info->next_used);
	LINE("features:", "0x%" PRIx64, info->features);
}

static void print_owner(const struct vpmem_dev_info *info)
{
	if (info->owner_pid)
		LINE("owner:", "pid %u, port %u", info->owner_pid,
		     info->owner_portid);
	else
		LINE("owner:", "in another pid namespace, port %u",
		     info->owner_portid);
}

static int print_device(const struct vpmem_dev_info *info)
{
	char buf[FMT_BYTES];

	printf("device %u: %s\n", info->id, fmt_name(buf, info->name));
	print_backing(info);
	print_policies(info);
	print_limits(info);
	print_write_behind(info);
	print_queue(info);
	print_owner(info);
	LINE("flushes:", "%" PRIu64 " done, %" PRIu64 " failed",
	     info->stats.flushes, stats_failed(&info->stats));
	return CTL_OK;
}

int cmd_show(struct ctl *ctl)
{
	struct vpmem_dev_info info;
	int status;

	status = device_find(ctl, ctl->argv[0], &info);
	if (status)
		return status;
	return ctl->is_json ? json_print(json_device(&info)) :
			      print_device(&info);
}
