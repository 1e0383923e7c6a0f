// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/vpmem.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink.h"

#include <uapi/linux/vpmem.h>

/* Common nested types */
const struct nla_policy vpmem_region_nl_policy[VPMEM_A_REGION_HVA + 1] = {
	[VPMEM_A_REGION_GPA] = { .type = NLA_U64, },
	[VPMEM_A_REGION_SIZE] = { .type = NLA_U64, },
	[VPMEM_A_REGION_HVA] = { .type = NLA_U64, },
};

/* VPMEM_CMD_DEV_GET - do */
const struct nla_policy vpmem_dev_get_nl_policy[VPMEM_A_DEV_ID + 1] = {
	[VPMEM_A_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* VPMEM_CMD_DEV_ADD - do */
const struct nla_policy vpmem_dev_add_nl_policy[VPMEM_A_DEV_WRITE_BEHIND + 1] = {
	[VPMEM_A_DEV_NAME] = { .type = NLA_NUL_STRING, .len = 63, },
	[VPMEM_A_DEV_BACKING_FD] = { .type = NLA_U32, },
	[VPMEM_A_DEV_OFFSET] = { .type = NLA_U64, },
	[VPMEM_A_DEV_LENGTH] = { .type = NLA_U64, },
	[VPMEM_A_DEV_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[VPMEM_A_DEV_REGION] = NLA_POLICY_NESTED(vpmem_region_nl_policy),
	[VPMEM_A_DEV_KICK_FD] = { .type = NLA_U32, },
	[VPMEM_A_DEV_CALL_FD] = { .type = NLA_U32, },
	[VPMEM_A_DEV_EXEC] = NLA_POLICY_MAX(NLA_U32, 2),
	[VPMEM_A_DEV_ON_ERROR] = NLA_POLICY_MAX(NLA_U32, 1),
	[VPMEM_A_DEV_FLUSH_LIMIT] = { .type = NLA_U64, },
	[VPMEM_A_DEV_FLUSH_BURST] = NLA_POLICY_MIN(NLA_U64, 1),
	[VPMEM_A_DEV_BYTES_LIMIT] = { .type = NLA_U64, },
	[VPMEM_A_DEV_BYTES_BURST] = NLA_POLICY_MIN(NLA_U64, 1),
	[VPMEM_A_DEV_WRITE_BEHIND] = { .type = NLA_U64, },
};

/* VPMEM_CMD_DEV_DEL - do */
const struct nla_policy vpmem_dev_del_nl_policy[VPMEM_A_DEV_ID + 1] = {
	[VPMEM_A_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* VPMEM_CMD_DEV_SET - do */
const struct nla_policy vpmem_dev_set_nl_policy[VPMEM_A_DEV_WRITE_BEHIND + 1] = {
	[VPMEM_A_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VPMEM_A_DEV_REGION] = NLA_POLICY_NESTED(vpmem_region_nl_policy),
	[VPMEM_A_DEV_EXEC] = NLA_POLICY_MAX(NLA_U32, 2),
	[VPMEM_A_DEV_ON_ERROR] = NLA_POLICY_MAX(NLA_U32, 1),
	[VPMEM_A_DEV_ERROR] = NLA_POLICY_RANGE(NLA_U32, 1, 4095),
	[VPMEM_A_DEV_CLEAR_ERROR] = { .type = NLA_FLAG, },
	[VPMEM_A_DEV_FLUSH_LIMIT] = { .type = NLA_U64, },
	[VPMEM_A_DEV_FLUSH_BURST] = NLA_POLICY_MIN(NLA_U64, 1),
	[VPMEM_A_DEV_BYTES_LIMIT] = { .type = NLA_U64, },
	[VPMEM_A_DEV_BYTES_BURST] = NLA_POLICY_MIN(NLA_U64, 1),
	[VPMEM_A_DEV_WRITE_BEHIND] = { .type = NLA_U64, },
};

/* VPMEM_CMD_QUEUE_START - do */
const struct nla_policy vpmem_queue_start_nl_policy[VPMEM_A_QUEUE_NEXT_USED + 1] = {
	[VPMEM_A_QUEUE_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VPMEM_A_QUEUE_SIZE] = NLA_POLICY_RANGE(NLA_U32, 1, VPMEM_RING_SIZE_MAX),
	[VPMEM_A_QUEUE_DESC] = { .type = NLA_U64, },
	[VPMEM_A_QUEUE_AVAIL] = { .type = NLA_U64, },
	[VPMEM_A_QUEUE_USED] = { .type = NLA_U64, },
	[VPMEM_A_QUEUE_FEATURES] = { .type = NLA_U64, },
	[VPMEM_A_QUEUE_NEXT_AVAIL] = { .type = NLA_U16, },
	[VPMEM_A_QUEUE_NEXT_USED] = { .type = NLA_U16, },
};

/* VPMEM_CMD_QUEUE_STOP - do */
const struct nla_policy vpmem_queue_stop_nl_policy[VPMEM_A_QUEUE_DEV_ID + 1] = {
	[VPMEM_A_QUEUE_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* Ops table for vpmem */
const struct genl_ops vpmem_nl_ops[6] = {
	{
		.cmd		= VPMEM_CMD_DEV_GET,
		.doit		= vpmem_nl_dev_get_doit,
		.dumpit		= vpmem_nl_dev_get_dumpit,
		.policy		= vpmem_dev_get_nl_policy,
		.maxattr	= VPMEM_A_DEV_ID,
	},
	{
		.cmd		= VPMEM_CMD_DEV_ADD,
		.doit		= vpmem_nl_dev_add_doit,
		.policy		= vpmem_dev_add_nl_policy,
		.maxattr	= VPMEM_A_DEV_WRITE_BEHIND,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= VPMEM_CMD_DEV_DEL,
		.doit		= vpmem_nl_dev_del_doit,
		.policy		= vpmem_dev_del_nl_policy,
		.maxattr	= VPMEM_A_DEV_ID,
	},
	{
		.cmd		= VPMEM_CMD_DEV_SET,
		.doit		= vpmem_nl_dev_set_doit,
		.policy		= vpmem_dev_set_nl_policy,
		.maxattr	= VPMEM_A_DEV_WRITE_BEHIND,
	},
	{
		.cmd		= VPMEM_CMD_QUEUE_START,
		.doit		= vpmem_nl_queue_start_doit,
		.policy		= vpmem_queue_start_nl_policy,
		.maxattr	= VPMEM_A_QUEUE_NEXT_USED,
	},
	{
		.cmd		= VPMEM_CMD_QUEUE_STOP,
		.doit		= vpmem_nl_queue_stop_doit,
		.policy		= vpmem_queue_stop_nl_policy,
		.maxattr	= VPMEM_A_QUEUE_DEV_ID,
	},
};

static const struct genl_multicast_group vpmem_nl_mcgrps[] = {
	[VPMEM_NLGRP_EVENTS] = { "events", },
};
