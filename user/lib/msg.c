// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Owns the meaning of received messages; knows no socket. */
#include "msg.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static uint8_t get_cmd(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = NLMSG_DATA(nlh);

	return nlh->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN) ? 0 : genl->cmd;
}

/* Without a policy, so that one odd attribute does not hide the others. */
static int parse_attrs(const struct nlmsghdr *nlh, struct nlattr **tb, int max)
{
	struct genlmsghdr *genl;

	if (nlh->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return -EPROTO;
	genl = NLMSG_DATA(nlh);
	nla_parse(tb, max, genlmsg_attrdata(genl, 0), genlmsg_attrlen(genl, 0),
		  NULL);
	return 0;
}

static void parse_nest(struct nlattr *nest, struct nlattr **tb, int max)
{
	nla_parse(tb, max, nla_data(nest), nla_len(nest), NULL);
}

/* Any width of integer: a field may have been narrower or wider once. */
static uint64_t get_uint(const struct nlattr *attr)
{
	switch (attr ? nla_len(attr) : 0) {
	case sizeof(uint64_t):
		return nla_get_u64(attr);
	case sizeof(uint32_t):
		return nla_get_u32(attr);
	case sizeof(uint16_t):
		return nla_get_u16(attr);
	case sizeof(uint8_t):
		return nla_get_u8(attr);
	default:
		return 0;
	}
}

static void get_name(const struct nlattr *attr, char name[VPMEM_NAME_LEN])
{
	size_t len;

	if (!attr)
		return;
	len = strnlen(nla_data(attr), nla_len(attr));
	if (len >= VPMEM_NAME_LEN)
		len = VPMEM_NAME_LEN - 1;
	memcpy(name, nla_data(attr), len);
	name[len] = '\0';
}

/* The last bucket takes what a histogram with more of them has beyond it. */
static void get_hist(const struct nlattr *attr, uint64_t *hist)
{
	size_t len = attr ? nla_len(attr) : 0;
	const char *data = attr ? nla_data(attr) : NULL;
	uint64_t count;
	size_t i;

	for (i = 0; i < len / sizeof(count); i++) {
		memcpy(&count, data + i * sizeof(count), sizeof(count));
		if (i < VPMEM_HIST_BUCKETS)
			hist[i] = count;
		else
			hist[VPMEM_HIST_BUCKETS - 1] += count;
	}
}

static uint32_t parse_group(struct nlattr *group)
{
	struct nlattr *tb[CTRL_ATTR_MCAST_GRP_MAX + 1];
	const struct nlattr *name;

	parse_nest(group, tb, CTRL_ATTR_MCAST_GRP_MAX);
	name = tb[CTRL_ATTR_MCAST_GRP_NAME];
	if (!name || nla_strcmp(name, VPMEM_MCGRP_EVENTS))
		return 0;
	return get_uint(tb[CTRL_ATTR_MCAST_GRP_ID]);
}

int vpmem_msg_parse_family(const struct nlmsghdr *nlh,
			   struct vpmem_family *family)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1], *group;
	int rem;

	memset(family, 0, sizeof(*family));
	if (parse_attrs(nlh, tb, CTRL_ATTR_MAX))
		return -EPROTO;
	family->id = get_uint(tb[CTRL_ATTR_FAMILY_ID]);
	if (!family->id)
		return -EPROTO;
	if (!tb[CTRL_ATTR_MCAST_GROUPS])
		return 0;
	nla_for_each_nested(group, tb[CTRL_ATTR_MCAST_GROUPS], rem)
		if (!family->events_group)
			family->events_group = parse_group(group);
	return 0;
}

bool vpmem_msg_removes_family(const struct nlmsghdr *nlh, uint16_t id)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];

	return get_cmd(nlh) == CTRL_CMD_DELFAMILY &&
	       !parse_attrs(nlh, tb, CTRL_ATTR_MAX) &&
	       get_uint(tb[CTRL_ATTR_FAMILY_ID]) == id;
}

#define COUNTER(attr, field) \
	{ VPMEM_A_STATS_##attr, offsetof(struct vpmem_stats, field) }

static const struct {
	uint16_t attr;
	uint16_t offset;
} counters[] = {
	COUNTER(KICKS, kicks),
	COUNTER(FLUSHES, flushes),
	COUNTER(FLUSH_ERRORS, flush_errors),
	COUNTER(BAD_REQUESTS, bad_requests),
	COUNTER(NO_STATUS, no_status),
	COUNTER(RING_ERRORS, ring_errors),
	COUNTER(BATCHES, batches),
	COUNTER(SYNCS, syncs),
	COUNTER(SYNC_ERRORS, sync_errors),
	COUNTER(INLINE_RUNS, inline_runs),
	COUNTER(WORKER_RUNS, worker_runs),
	COUNTER(SIGNALS, signals),
	COUNTER(SUPPRESSED, suppressed),
	COUNTER(SYNC_NS, sync_ns),
	COUNTER(FLUSH_NS, flush_ns),
	COUNTER(BYTES_WRITTEN, bytes_written),
	COUNTER(CPU_NS, cpu_ns),
	COUNTER(THROTTLED, throttled),
	COUNTER(THROTTLED_NS, throttled_ns),
	COUNTER(WRITE_BEHINDS, write_behinds),
	COUNTER(WRITE_BEHIND_BYTES, write_behind_bytes),
	COUNTER(WRITE_BEHIND_CPU_NS, write_behind_cpu_ns),
};

static void parse_stats(struct nlattr *nest, struct vpmem_stats *stats)
{
	struct nlattr *tb[VPMEM_A_STATS_MAX + 1];
	uint64_t value;
	size_t i;

	parse_nest(nest, tb, VPMEM_A_STATS_MAX);
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		value = get_uint(tb[counters[i].attr]);
		memcpy((char *)stats + counters[i].offset, &value,
		       sizeof(value));
	}
	get_hist(tb[VPMEM_A_STATS_SYNC_HIST], stats->sync_hist);
	get_hist(tb[VPMEM_A_STATS_FLUSH_HIST], stats->flush_hist);
}

static void parse_queue(struct nlattr *nest, struct vpmem_dev_info *info)
{
	struct nlattr *tb[VPMEM_A_QUEUE_MAX + 1];

	parse_nest(nest, tb, VPMEM_A_QUEUE_MAX);
	info->queue_state = get_uint(tb[VPMEM_A_QUEUE_STATE]);
	info->ring_size = get_uint(tb[VPMEM_A_QUEUE_SIZE]);
	info->features = get_uint(tb[VPMEM_A_QUEUE_FEATURES]);
	info->next_avail = get_uint(tb[VPMEM_A_QUEUE_NEXT_AVAIL]);
	info->next_used = get_uint(tb[VPMEM_A_QUEUE_NEXT_USED]);
}

static void parse_config(struct nlattr **tb, struct vpmem_dev_info *info)
{
	info->id = get_uint(tb[VPMEM_A_DEV_ID]);
	get_name(tb[VPMEM_A_DEV_NAME], info->name);
	info->offset = get_uint(tb[VPMEM_A_DEV_OFFSET]);
	info->length = get_uint(tb[VPMEM_A_DEV_LENGTH]);
	info->flags = get_uint(tb[VPMEM_A_DEV_FLAGS]);
	info->exec = get_uint(tb[VPMEM_A_DEV_EXEC]);
	info->exec_effective = get_uint(tb[VPMEM_A_DEV_EXEC_EFFECTIVE]);
	info->on_error = get_uint(tb[VPMEM_A_DEV_ON_ERROR]);
	info->error = get_uint(tb[VPMEM_A_DEV_ERROR]);
	info->owner_portid = get_uint(tb[VPMEM_A_DEV_OWNER_PORTID]);
	info->owner_pid = get_uint(tb[VPMEM_A_DEV_OWNER_PID]);
	info->flush_limit.rate = get_uint(tb[VPMEM_A_DEV_FLUSH_LIMIT]);
	info->flush_limit.burst = get_uint(tb[VPMEM_A_DEV_FLUSH_BURST]);
	info->bytes_limit.rate = get_uint(tb[VPMEM_A_DEV_BYTES_LIMIT]);
	info->bytes_limit.burst = get_uint(tb[VPMEM_A_DEV_BYTES_BURST]);
	info->write_behind = get_uint(tb[VPMEM_A_DEV_WRITE_BEHIND]);
}

int vpmem_msg_parse_dev(const struct nlmsghdr *nlh,
			struct vpmem_dev_info *info)
{
	struct nlattr *tb[VPMEM_A_DEV_MAX + 1];

	memset(info, 0, sizeof(*info));
	if (parse_attrs(nlh, tb, VPMEM_A_DEV_MAX))
		return -EPROTO;
	parse_config(tb, info);
	if (tb[VPMEM_A_DEV_QUEUE])
		parse_queue(tb[VPMEM_A_DEV_QUEUE], info);
	if (tb[VPMEM_A_DEV_STATS])
		parse_stats(tb[VPMEM_A_DEV_STATS], &info->stats);
	return info->id ? 0 : -EPROTO;
}

/* Commands and events share their numbers; the events come last. */
bool vpmem_msg_is_event(const struct nlmsghdr *nlh)
{
	return get_cmd(nlh) >= VPMEM_CMD_DEV_ADDED;
}

static void parse_dev_event(const struct nlmsghdr *nlh,
			    struct vpmem_event *event)
{
	struct nlattr *tb[VPMEM_A_DEV_MAX + 1];

	if (parse_attrs(nlh, tb, VPMEM_A_DEV_MAX))
		return;
	event->id = get_uint(tb[VPMEM_A_DEV_ID]);
	get_name(tb[VPMEM_A_DEV_NAME], event->name);
	event->error = get_uint(tb[VPMEM_A_DEV_ERROR]);
}

static void parse_queue_event(const struct nlmsghdr *nlh,
			      struct vpmem_event *event)
{
	struct nlattr *tb[VPMEM_A_QUEUE_MAX + 1];

	if (parse_attrs(nlh, tb, VPMEM_A_QUEUE_MAX))
		return;
	event->id = get_uint(tb[VPMEM_A_QUEUE_DEV_ID]);
	event->next_avail = get_uint(tb[VPMEM_A_QUEUE_NEXT_AVAIL]);
	event->next_used = get_uint(tb[VPMEM_A_QUEUE_NEXT_USED]);
}

static const struct {
	uint8_t cmd;
	void (*parse)(const struct nlmsghdr *nlh, struct vpmem_event *event);
} events[] = {
	[VPMEM_EVENT_DEV_ADDED] = { VPMEM_CMD_DEV_ADDED, parse_dev_event },
	[VPMEM_EVENT_DEV_DELETED] = { VPMEM_CMD_DEV_DELETED, parse_dev_event },
	[VPMEM_EVENT_QUEUE_STOPPED] = { VPMEM_CMD_QUEUE_STOPPED,
					parse_queue_event },
	[VPMEM_EVENT_QUEUE_BROKEN] = { VPMEM_CMD_QUEUE_BROKEN,
				       parse_queue_event },
	[VPMEM_EVENT_SYNC_ERROR] = { VPMEM_CMD_SYNC_ERROR, parse_dev_event },
};

int vpmem_msg_parse_event(const struct nlmsghdr *nlh,
			  struct vpmem_event *event)
{
	size_t i;

	memset(event, 0, sizeof(*event));
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		if (events[i].cmd != get_cmd(nlh))
			continue;
		event->type = i;
		events[i].parse(nlh, event);
	}
	return event->id ? 0 : -EPROTO;
}
