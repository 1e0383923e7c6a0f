// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Owns the wording of refusals and the names of attributes. */
#include "extack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <linux/genetlink.h>
#include <linux/vpmem.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const region_names[] = {
	[VPMEM_A_REGION_GPA] = "gpa",
	[VPMEM_A_REGION_SIZE] = "size",
	[VPMEM_A_REGION_HVA] = "hva",
};

static const char *const queue_names[] = {
	[VPMEM_A_QUEUE_DEV_ID] = "dev-id",
	[VPMEM_A_QUEUE_SIZE] = "size",
	[VPMEM_A_QUEUE_DESC] = "desc",
	[VPMEM_A_QUEUE_AVAIL] = "avail",
	[VPMEM_A_QUEUE_USED] = "used",
	[VPMEM_A_QUEUE_FEATURES] = "features",
	[VPMEM_A_QUEUE_NEXT_AVAIL] = "next-avail",
	[VPMEM_A_QUEUE_NEXT_USED] = "next-used",
	[VPMEM_A_QUEUE_STATE] = "state",
};

static const char *const dev_names[] = {
	[VPMEM_A_DEV_ID] = "id",
	[VPMEM_A_DEV_NAME] = "name",
	[VPMEM_A_DEV_BACKING_FD] = "backing-fd",
	[VPMEM_A_DEV_OFFSET] = "offset",
	[VPMEM_A_DEV_LENGTH] = "length",
	[VPMEM_A_DEV_FLAGS] = "flags",
	[VPMEM_A_DEV_REGION] = "region",
	[VPMEM_A_DEV_KICK_FD] = "kick-fd",
	[VPMEM_A_DEV_CALL_FD] = "call-fd",
	[VPMEM_A_DEV_EXEC] = "exec",
	[VPMEM_A_DEV_ON_ERROR] = "on-error",
	[VPMEM_A_DEV_ERROR] = "error",
	[VPMEM_A_DEV_CLEAR_ERROR] = "clear-error",
	[VPMEM_A_DEV_FLUSH_LIMIT] = "flush-limit",
	[VPMEM_A_DEV_FLUSH_BURST] = "flush-burst",
	[VPMEM_A_DEV_BYTES_LIMIT] = "bytes-limit",
	[VPMEM_A_DEV_BYTES_BURST] = "bytes-burst",
	[VPMEM_A_DEV_WRITE_BEHIND] = "write-behind",
};

struct attr_set {
	const char *const *names;
	size_t nr_names;
};

#define ATTR_SET(names)	{ (names), ARRAY_SIZE(names) }

static const struct attr_set region_set = ATTR_SET(region_names);
static const struct attr_set queue_set = ATTR_SET(queue_names);
static const struct attr_set dev_set = ATTR_SET(dev_names);

static const char *attr_name(const struct attr_set *set, uint32_t type)
{
	const char *name = type < set->nr_names ? set->names[type] : NULL;

	return name ? name : "unknown";
}

/**
 * struct extack - What the kernel says of a refused request.
 * @msg: sentence, not terminated, or NULL
 * @msg_len: its length
 * @attr_offset: where the offending attribute starts in the request, or 0
 * @missing: type of an attribute that should have been there, or 0
 */
struct extack {
	const char *msg;
	int msg_len;
	uint32_t attr_offset;
	uint32_t missing;
};

static uint32_t get_u32(const struct nlattr *attr)
{
	return attr && nla_len(attr) >= (int)sizeof(uint32_t) ?
	       nla_get_u32(attr) : 0;
}

/* The attributes follow the error and, unless it is cut, the request. */
static void parse_tlvs(const struct nlmsghdr *nlh, uint32_t skip,
		       struct extack *extack)
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];
	uint32_t start = NLMSG_LENGTH(NLMSG_ALIGN(skip));
	struct nlattr *msg;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || start >= nlh->nlmsg_len)
		return;
	nla_parse(tb, NLMSGERR_ATTR_MAX, (void *)((char *)nlh + start),
		  nlh->nlmsg_len - start, NULL);
	msg = tb[NLMSGERR_ATTR_MSG];
	if (msg) {
		extack->msg = nla_data(msg);
		extack->msg_len = strnlen(extack->msg, nla_len(msg));
	}
	extack->attr_offset = get_u32(tb[NLMSGERR_ATTR_OFFS]);
	extack->missing = get_u32(tb[NLMSGERR_ATTR_MISS_TYPE]);
}

static uint32_t request_bytes(const struct nlmsghdr *nlh,
			      const struct nlmsgerr *err)
{
	/* An answer that tells of success never repeats the request. */
	if (nlh->nlmsg_flags & NLM_F_CAPPED || !err->error ||
	    err->msg.nlmsg_len < NLMSG_HDRLEN ||
	    err->msg.nlmsg_len > nlh->nlmsg_len)
		return 0;
	return err->msg.nlmsg_len - NLMSG_HDRLEN;
}

static int parse_message(const struct nlmsghdr *nlh, struct extack *extack)
{
	const struct nlmsgerr *err = NLMSG_DATA(nlh);
	uint32_t skip = sizeof(err->error);

	if (nlh->nlmsg_len < NLMSG_LENGTH(skip))
		return -EPROTO;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*err)))
			return -EPROTO;
		skip = sizeof(*err) + request_bytes(nlh, err);
	}
	parse_tlvs(nlh, skip, extack);
	return err->error > 0 ? -EPROTO : err->error;
}

static const struct attr_set *request_set(const struct nlmsghdr *request)
{
	const struct genlmsghdr *genl = NLMSG_DATA(request);

	switch (genl->cmd) {
	case VPMEM_CMD_QUEUE_START:
	case VPMEM_CMD_QUEUE_STOP:
		return &queue_set;
	default:
		return &dev_set;
	}
}

/* Name of the attribute at @offset, or of the one it lies in; NULL if none. */
static const char *name_at(const struct nlmsghdr *request,
			   const struct attr_set *set, struct nlattr *first,
			   int len, uint32_t offset, struct nlattr **at)
{
	uint32_t start;
	int rem;

	nla_for_each_attr(*at, first, len, rem) {
		start = (const char *)*at - (const char *)request;
		if (offset >= start && offset < start + (*at)->nla_len)
			return attr_name(set, nla_type(*at));
	}
	return NULL;
}

static bool starts_at(const struct nlmsghdr *request,
		      const struct nlattr *attr, uint32_t offset)
{
	return (const char *)attr == (const char *)request + offset;
}

/* Appends " (attribute region.size)" for the attribute at @offset. */
static void append_attr(const struct nlmsghdr *request, uint32_t offset,
			char *text, size_t size)
{
	const struct attr_set *set = request_set(request);
	struct nlattr *first = genlmsg_attrdata(NLMSG_DATA(request), 0);
	int len = genlmsg_attrlen(NLMSG_DATA(request), 0);
	const char *outer, *inner = NULL;
	size_t used = strlen(text);
	struct nlattr *at;

	outer = name_at(request, set, first, len, offset, &at);
	if (!outer)
		return;
	if (set == &dev_set && nla_type(at) == VPMEM_A_DEV_REGION &&
	    !starts_at(request, at, offset))
		inner = name_at(request, &region_set, nla_data(at),
				nla_len(at), offset, &at);
	snprintf(text + used, size - used, " (attribute %s%s%s)", outer,
		 inner ? "." : "", inner ? inner : "");
}

static void append_missing(const struct nlmsghdr *request, uint32_t type,
			   char *text, size_t size)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, " (attribute %s)",
		 attr_name(request_set(request), type));
}

int vpmem_extack_parse(const struct nlmsghdr *nlh,
		       const struct nlmsghdr *request, char *text, size_t size)
{
	struct extack extack = {};
	int err = parse_message(nlh, &extack);

	text[0] = '\0';
	if (!err)
		return 0;
	if (extack.msg_len)
		snprintf(text, size, "%.*s", extack.msg_len, extack.msg);
	else
		snprintf(text, size, "%s", strerror(-err));
	if (extack.attr_offset)
		append_attr(request, extack.attr_offset, text, size);
	else if (extack.missing)
		append_missing(request, extack.missing, text, size);
	return err;
}
