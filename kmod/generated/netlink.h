/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/vpmem.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_VPMEM_GEN_H
#define _LINUX_VPMEM_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/vpmem.h>

/* Common nested types */
extern const struct nla_policy vpmem_region_nl_policy[VPMEM_A_REGION_HVA + 1];

extern const struct nla_policy vpmem_dev_get_nl_policy[VPMEM_A_DEV_ID + 1];

extern const struct nla_policy vpmem_dev_add_nl_policy[VPMEM_A_DEV_WRITE_BEHIND + 1];

extern const struct nla_policy vpmem_dev_del_nl_policy[VPMEM_A_DEV_ID + 1];

extern const struct nla_policy vpmem_dev_set_nl_policy[VPMEM_A_DEV_WRITE_BEHIND + 1];

extern const struct nla_policy vpmem_queue_start_nl_policy[VPMEM_A_QUEUE_NEXT_USED + 1];

extern const struct nla_policy vpmem_queue_stop_nl_policy[VPMEM_A_QUEUE_DEV_ID + 1];

/* Ops table for vpmem */
extern const struct genl_ops vpmem_nl_ops[6];

int vpmem_nl_dev_get_doit(struct sk_buff *skb, struct genl_info *info);
int vpmem_nl_dev_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int vpmem_nl_dev_add_doit(struct sk_buff *skb, struct genl_info *info);
int vpmem_nl_dev_del_doit(struct sk_buff *skb, struct genl_info *info);
int vpmem_nl_dev_set_doit(struct sk_buff *skb, struct genl_info *info);
int vpmem_nl_queue_start_doit(struct sk_buff *skb, struct genl_info *info);
int vpmem_nl_queue_stop_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	VPMEM_NLGRP_EVENTS,
};

#endif /* _LINUX_VPMEM_GEN_H */
