// SPDX-License-Identifier: GPL-2.0
/*
 * The control plane: netlink attributes to plain structs to device.c, and
 * events. Never sees a descriptor. Nothing here waits for I/O: commands and
 * notifiers run under locks that all of generic netlink shares.
 */
#include "vpmem.h"
#include "generated/netlink.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#define VPMEM_FEATURES_NEEDED	BIT_ULL(VIRTIO_F_VERSION_1)
#define VPMEM_FEATURES_KNOWN	(BIT_ULL(VIRTIO_F_VERSION_1) |		\
				 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |	\
				 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |	\
				 BIT_ULL(VIRTIO_F_ORDER_PLATFORM) |	\
				 BIT_ULL(0) /* SHMEM_REGION */ |	\
				 BIT_ULL(40) /* RING_RESET */)

static const struct genl_multicast_group vpmem_groups[] = {
	[VPMEM_NLGRP_EVENTS] = {
		.name = VPMEM_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

static struct genl_family vpmem_family __ro_after_init = {
	.name = VPMEM_GENL_NAME,
	.version = VPMEM_GENL_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = vpmem_nl_ops,
	.n_ops = ARRAY_SIZE(vpmem_nl_ops),
	.resv_start_op = VPMEM_CMD_DEV_GET,
	.mcgrps = vpmem_groups,
	.n_mcgrps = ARRAY_SIZE(vpmem_groups),
};

/* Refuses with a sentence and the attribute; evaluates to the errno. */
#define vpmem_refuse(info, attr, err, msg) ({				\
	NL_SET_ERR_MSG_ATTR((info)->extack, (attr), msg);		\
	(err);								\
})

#define vpmem_missing(info, attr, msg) ({				\
	struct genl_info *_info = (info);				\
	bool __missing = GENL_REQ_ATTR_CHECK(_info, attr);		\
	if (__missing)							\
		GENL_SET_ERR_MSG(_info, msg " is missing");		\
	__missing;							\
})

static bool vpmem_is_admin(struct sk_buff *skb)
{
	return netlink_ns_capable(skb, sock_net(skb->sk)->user_ns,
				  CAP_NET_ADMIN);
}

static bool vpmem_is_owner(const struct vpmem_dev *dev, struct sk_buff *skb)
{
	return net_eq(dev->net, sock_net(skb->sk)) &&
	       dev->portid == NETLINK_CB(skb).portid;
}

/* With the capability, all devices of the sender's network namespace. */
static bool vpmem_is_visible(const struct vpmem_dev *dev, struct sk_buff *skb,
			     bool is_admin)
{
	return vpmem_is_owner(dev, skb) ||
	       (is_admin && net_eq(dev->net, sock_net(skb->sk)));
}

/**
 * enum vpmem_access - Who may use a command on a device.
 * @VPMEM_ACCESS_OWNER: the socket that created it
 * @VPMEM_ACCESS_ADMIN: also one with CAP_NET_ADMIN
 */
enum vpmem_access {
	VPMEM_ACCESS_OWNER,
	VPMEM_ACCESS_ADMIN,
};

/*
 * The preamble of every command on a device. Gives it with a reference, or an
 * error with extack set.
 */
static struct vpmem_dev *vpmem_find(struct sk_buff *skb, struct genl_info *info,
				    u32 id_attr, enum vpmem_access access)
{
	struct nlattr *attr = info->attrs[id_attr];
	struct vpmem_dev *dev;

	if (vpmem_missing(info, id_attr, "the device number"))
		return ERR_PTR(-EINVAL);
	dev = vpmem_dev_get(nla_get_u32(attr));
	if (!dev || !net_eq(dev->net, sock_net(skb->sk))) {
		if (dev)
			vpmem_dev_put(dev);
		return ERR_PTR(vpmem_refuse(info, attr, -ENODEV,
					    "there is no such device"));
	}
	if (!vpmem_is_visible(dev, skb, access == VPMEM_ACCESS_ADMIN &&
			      vpmem_is_admin(skb))) {
		vpmem_dev_put(dev);
		return ERR_PTR(vpmem_refuse(info, attr, -EPERM,
			"the device belongs to another socket"));
	}
	return dev;
}

/* dev-get */

static int vpmem_put_u64(struct sk_buff *skb, int attr, u64 val)
{
	return nla_put(skb, attr, sizeof(val), &val);
}

static int vpmem_put_queue(struct sk_buff *skb, struct vpmem_dev *dev)
{
	struct nlattr *nest = nla_nest_start(skb, VPMEM_A_DEV_QUEUE);
	struct vpmem_ring ring;
	u32 state;

	if (!nest)
		return -EMSGSIZE;
	spin_lock(&dev->state_lock);
	ring = dev->ring;
	state = dev->queue_state;
	spin_unlock(&dev->state_lock);
	if (nla_put_u32(skb, VPMEM_A_QUEUE_SIZE, ring.size) ||
	    vpmem_put_u64(skb, VPMEM_A_QUEUE_FEATURES, ring.features) ||
	    nla_put_u16(skb, VPMEM_A_QUEUE_NEXT_AVAIL, ring.next_avail) ||
	    nla_put_u16(skb, VPMEM_A_QUEUE_NEXT_USED, ring.next_used) ||
	    nla_put_u32(skb, VPMEM_A_QUEUE_STATE, state))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

#define VPMEM_COUNTER(attr, field) \
	{ VPMEM_A_STATS_##attr, offsetof(struct vpmem_stats, field) }

static const struct {
	u16 attr;
	u16 offset;
} vpmem_counters[] = {
	VPMEM_COUNTER(KICKS, kicks),
	VPMEM_COUNTER(FLUSHES, flushes),
	VPMEM_COUNTER(FLUSH_ERRORS, flush_errors),
	VPMEM_COUNTER(BAD_REQUESTS, bad_requests),
	VPMEM_COUNTER(NO_STATUS, no_status),
	VPMEM_COUNTER(RING_ERRORS, ring_errors),
	VPMEM_COUNTER(BATCHES, batches),
	VPMEM_COUNTER(SYNCS, syncs),
	VPMEM_COUNTER(SYNC_ERRORS, sync_errors),
	VPMEM_COUNTER(INLINE_RUNS, inline_runs),
	VPMEM_COUNTER(WORKER_RUNS, worker_runs),
	VPMEM_COUNTER(SIGNALS, signals),
	VPMEM_COUNTER(SUPPRESSED, suppressed),
	VPMEM_COUNTER(SYNC_NS, sync_ns),
	VPMEM_COUNTER(FLUSH_NS, flush_ns),
	VPMEM_COUNTER(BYTES_WRITTEN, bytes_written),
	VPMEM_COUNTER(CPU_NS, cpu_ns),
	VPMEM_COUNTER(THROTTLED, throttled),
	VPMEM_COUNTER(THROTTLED_NS, throttled_ns),
	VPMEM_COUNTER(WRITE_BEHINDS, write_behinds),
	VPMEM_COUNTER(WRITE_BEHIND_BYTES, write_behind_bytes),
	VPMEM_COUNTER(WRITE_BEHIND_CPU_NS, write_behind_cpu_ns),
};

static int vpmem_put_stats(struct sk_buff *skb, const struct vpmem_stats *stats)
{
	struct nlattr *nest = nla_nest_start(skb, VPMEM_A_DEV_STATS);
	u32 i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < ARRAY_SIZE(vpmem_counters); i++) {
		const u64 *counter = (const void *)stats +
				     vpmem_counters[i].offset;

		if (vpmem_put_u64(skb, vpmem_counters[i].attr,
				  READ_ONCE(*counter)))
			return -EMSGSIZE;
	}
	if (nla_put(skb, VPMEM_A_STATS_SYNC_HIST, sizeof(stats->sync_hist),
		    stats->sync_hist) ||
	    nla_put(skb, VPMEM_A_STATS_FLUSH_HIST, sizeof(stats->flush_hist),
		    stats->flush_hist))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int vpmem_put_config(struct sk_buff *skb, const struct vpmem_dev *dev)
{
	if (nla_put_u32(skb, VPMEM_A_DEV_ID, dev->id) ||
	    nla_put_string(skb, VPMEM_A_DEV_NAME, dev->name) ||
	    vpmem_put_u64(skb, VPMEM_A_DEV_OFFSET, dev->offset) ||
	    vpmem_put_u64(skb, VPMEM_A_DEV_LENGTH, dev->length) ||
	    nla_put_u32(skb, VPMEM_A_DEV_FLAGS, dev->flags) ||
	    nla_put_u32(skb, VPMEM_A_DEV_EXEC, READ_ONCE(dev->exec)) ||
	    nla_put_u32(skb, VPMEM_A_DEV_EXEC_EFFECTIVE,
			vpmem_flush_exec(dev)) ||
	    nla_put_u32(skb, VPMEM_A_DEV_ON_ERROR, READ_ONCE(dev->on_error)) ||
	    nla_put_u32(skb, VPMEM_A_DEV_ERROR, READ_ONCE(dev->error)) ||
	    nla_put_u32(skb, VPMEM_A_DEV_OWNER_PORTID, dev->portid) ||
	    nla_put_u32(skb, VPMEM_A_DEV_OWNER_PID, pid_vnr(dev->owner)))
		return -EMSGSIZE;
	return 0;
}

static int vpmem_put_limits(struct sk_buff *skb, struct vpmem_dev *dev)
{
	struct vpmem_limit flushes, bytes;
	u64 write_behind;

	spin_lock(&dev->state_lock);
	flushes = dev->flush_bucket.limit;
	bytes = dev->bytes_bucket.limit;
	write_behind = dev->write_behind;
	spin_unlock(&dev->state_lock);
	if (vpmem_put_u64(skb, VPMEM_A_DEV_FLUSH_LIMIT, flushes.rate) ||
	    vpmem_put_u64(skb, VPMEM_A_DEV_FLUSH_BURST, flushes.burst) ||
	    vpmem_put_u64(skb, VPMEM_A_DEV_BYTES_LIMIT, bytes.rate) ||
	    vpmem_put_u64(skb, VPMEM_A_DEV_BYTES_BURST, bytes.burst) ||
	    vpmem_put_u64(skb, VPMEM_A_DEV_WRITE_BEHIND, write_behind))
		return -EMSGSIZE;
	return 0;
}

/**
 * struct vpmem_msg - Whom a description of a device is for.
 * @portid: port, 0 for everybody
 * @seq: sequence number of the request, or 0
 * @flags: netlink flags
 * @cmd: what the message says of the device
 */
struct vpmem_msg {
	u32 portid;
	u32 seq;
	u16 flags;
	u8 cmd;
};

static int vpmem_put_dev(struct sk_buff *skb, struct vpmem_dev *dev,
			 const struct vpmem_msg *msg,
			 struct netlink_callback *cb)
{
	void *hdr = genlmsg_put(skb, msg->portid, msg->seq, &vpmem_family,
				msg->flags, msg->cmd);

	if (!hdr)
		return -EMSGSIZE;
	if (cb)
		genl_dump_check_consistent(cb, hdr);
	if (vpmem_put_config(skb, dev) || vpmem_put_limits(skb, dev) ||
	    vpmem_put_queue(skb, dev) || vpmem_put_stats(skb, &dev->stats)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int vpmem_nl_dev_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vpmem_msg msg = {
		.portid = info->snd_portid,
		.seq = info->snd_seq,
		.cmd = VPMEM_CMD_DEV_GET,
	};
	struct vpmem_dev *dev;
	struct sk_buff *reply;
	int err;

	dev = vpmem_find(skb, info, VPMEM_A_DEV_ID, VPMEM_ACCESS_ADMIN);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	err = reply ? vpmem_put_dev(reply, dev, &msg, NULL) : -ENOMEM;
	vpmem_dev_put(dev);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	return genlmsg_reply(reply, info);
}

int vpmem_nl_dev_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vpmem_msg msg = {
		.portid = NETLINK_CB(cb->skb).portid,
		.seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI,
		.cmd = VPMEM_CMD_DEV_GET,
	};
	bool is_admin = vpmem_is_admin(cb->skb);
	u32 id = cb->args[0];
	struct vpmem_dev *dev;
	int err = 0;

	cb->seq = vpmem_devices_seq();
	while (!err && (dev = vpmem_dev_get_next(&id))) {
		if (vpmem_is_visible(dev, cb->skb, is_admin))
			err = vpmem_put_dev(skb, dev, &msg, cb);
		vpmem_dev_put(dev);
		id += !err;
	}
	cb->args[0] = id;
	return skb->len ?: err;
}

/* What dev-add and dev-set have in common */

/* Leaves @limit as it is if there is none in the request. */
static int vpmem_get_limit(struct genl_info *info, u32 rate_id, u32 burst_id,
			   struct vpmem_limit *limit)
{
	struct nlattr *rate = info->attrs[rate_id];
	struct nlattr *burst = info->attrs[burst_id];

	if (burst && !rate)
		return vpmem_refuse(info, burst, -EINVAL,
				    "a burst needs the limit that it belongs to");
	if (!rate)
		return 0;
	limit->rate = nla_get_u64(rate);
	limit->burst = burst ? nla_get_u64(burst) : limit->rate;
	return 0;
}

static int vpmem_get_limits(struct genl_info *info, struct vpmem_limit *flushes,
			    struct vpmem_limit *bytes)
{
	return vpmem_get_limit(info, VPMEM_A_DEV_FLUSH_LIMIT,
			       VPMEM_A_DEV_FLUSH_BURST, flushes) ?:
	       vpmem_get_limit(info, VPMEM_A_DEV_BYTES_LIMIT,
			       VPMEM_A_DEV_BYTES_BURST, bytes);
}

/* Leaves @bytes as it is if there is none in the request. */
static int vpmem_get_write_behind(struct genl_info *info, u32 flags, u64 *bytes)
{
	struct nlattr *attr = info->attrs[VPMEM_A_DEV_WRITE_BEHIND];
	u64 value = attr ? nla_get_u64(attr) : 0;

	if (!attr)
		return 0;
	if (value && value < VPMEM_WRITE_BEHIND_MIN)
		return vpmem_refuse(info, attr, -ERANGE,
				    "a write-behind is 0 or at least 65536 bytes");
	if (value && flags)
		return vpmem_refuse(info, attr, -EINVAL,
			"the guest's writes do not go to the file: nothing to write behind");
	*bytes = value;
	return 0;
}

static int vpmem_get_region(struct vpmem_mem *mem, const struct nlattr *attr,
			    struct genl_info *info)
{
	struct nlattr *tb[VPMEM_A_REGION_MAX + 1];
	struct vpmem_region region;
	int err;

	err = nla_parse_nested(tb, VPMEM_A_REGION_MAX, attr,
			       vpmem_region_nl_policy, info->extack);
	if (err)
		return err;
	if (!tb[VPMEM_A_REGION_GPA] || !tb[VPMEM_A_REGION_SIZE] ||
	    !tb[VPMEM_A_REGION_HVA])
		return vpmem_refuse(info, attr, -EINVAL,
				    "a memory region needs gpa, size and hva");
	region.gpa = nla_get_u64(tb[VPMEM_A_REGION_GPA]);
	region.size = nla_get_u64(tb[VPMEM_A_REGION_SIZE]);
	region.hva = nla_get_u64(tb[VPMEM_A_REGION_HVA]);
	err = vpmem_mem_insert(mem, &region);
	if (err == -EEXIST)
		return vpmem_refuse(info, attr, err,
				    "a memory region overlaps another");
	if (err == -EFAULT)
		return vpmem_refuse(info, attr, err,
				    "a memory region is not in user space");
	if (err)
		return vpmem_refuse(info, attr, err,
			"a memory region is empty, wraps or is not page aligned");
	return 0;
}

/* On failure there may be a table, too, for the caller to destroy. */
static int vpmem_get_regions(struct vpmem_mem **mem, struct genl_info *info)
{
	const struct nlattr *attr;
	u32 nr = 0;
	int rem, err;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem)
		nr += nla_type(attr) == VPMEM_A_DEV_REGION;
	if (vpmem_missing(info, VPMEM_A_DEV_REGION, "the guest memory"))
		return -EINVAL;
	if (nr > VPMEM_REGIONS_MAX)
		return vpmem_refuse(info, info->attrs[VPMEM_A_DEV_REGION],
				    -E2BIG, "there are too many memory regions");
	*mem = vpmem_mem_create(nr);
	if (!*mem)
		return -ENOMEM;
	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != VPMEM_A_DEV_REGION)
			continue;
		err = vpmem_get_region(*mem, attr, info);
		if (err)
			return err;
	}
	return 0;
}

/* dev-add */

static void vpmem_get_policies(struct vpmem_dev_config *config,
			       struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;

	if (attrs[VPMEM_A_DEV_NAME])
		nla_strscpy(config->name, attrs[VPMEM_A_DEV_NAME],
			    sizeof(config->name));
	if (attrs[VPMEM_A_DEV_FLAGS])
		config->flags = nla_get_u32(attrs[VPMEM_A_DEV_FLAGS]);
	if (attrs[VPMEM_A_DEV_EXEC])
		config->exec = nla_get_u32(attrs[VPMEM_A_DEV_EXEC]);
	if (attrs[VPMEM_A_DEV_ON_ERROR])
		config->on_error = nla_get_u32(attrs[VPMEM_A_DEV_ON_ERROR]);
}

static int vpmem_get_range(struct vpmem_dev_config *config,
			   struct genl_info *info)
{
	struct nlattr *offset = info->attrs[VPMEM_A_DEV_OFFSET];
	struct nlattr *length = info->attrs[VPMEM_A_DEV_LENGTH];
	u64 size = i_size_read(config->file->f_mapping->host);
	u64 first = offset ? nla_get_u64(offset) : 0;

	if (vpmem_missing(info, VPMEM_A_DEV_LENGTH, "the length"))
		return -EINVAL;
	config->length = nla_get_u64(length);
	if (!config->length)
		return vpmem_refuse(info, length, -EINVAL, "the length is 0");
	if (first >= size)
		return vpmem_refuse(info, offset, -EINVAL,
				    "the offset is past the end of the file");
	if (config->length > size - first)
		return vpmem_refuse(info, length, -EINVAL,
				    "the range reaches past the end of the file");
	config->offset = first;
	return 0;
}

static int vpmem_get_backing(struct vpmem_dev_config *config,
			     struct genl_info *info)
{
	struct nlattr *attr = info->attrs[VPMEM_A_DEV_BACKING_FD];
	fmode_t needed = FMODE_READ;
	struct inode *inode;

	if (vpmem_missing(info, VPMEM_A_DEV_BACKING_FD, "the backing file"))
		return -EINVAL;
	config->file = fget(nla_get_u32(attr));
	if (!config->file)
		return vpmem_refuse(info, attr, -EBADF,
				    "the backing file is no open descriptor");
	inode = file_inode(config->file);
	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return vpmem_refuse(info, attr, -EINVAL,
			"the backing is neither a regular file nor a block device");
	if (!config->file->f_op->fsync)
		return vpmem_refuse(info, attr, -EINVAL,
				    "the backing file cannot be synced");
	if (!config->flags)
		needed |= FMODE_WRITE;
	if ((config->file->f_mode & needed) != needed)
		return vpmem_refuse(info, attr, -EACCES,
			"the backing file is not open for what the guest may do");
	return vpmem_get_range(config, info);
}

static int vpmem_get_eventfds(struct vpmem_dev_config *config,
			      struct genl_info *info)
{
	struct nlattr *kick = info->attrs[VPMEM_A_DEV_KICK_FD];
	struct nlattr *call = info->attrs[VPMEM_A_DEV_CALL_FD];
	struct eventfd_ctx *kick_ctx;

	if (vpmem_missing(info, VPMEM_A_DEV_KICK_FD, "the kick eventfd") ||
	    vpmem_missing(info, VPMEM_A_DEV_CALL_FD, "the call eventfd"))
		return -EINVAL;
	config->kick = eventfd_fget(nla_get_u32(kick));
	if (IS_ERR(config->kick))
		return vpmem_refuse(info, kick, PTR_ERR(config->kick),
				    "the kick descriptor is no eventfd");
	config->call = eventfd_ctx_fdget(nla_get_u32(call));
	if (IS_ERR(config->call))
		return vpmem_refuse(info, call, PTR_ERR(config->call),
				    "the call descriptor is no eventfd");
	kick_ctx = eventfd_ctx_fileget(config->kick);
	eventfd_ctx_put(kick_ctx);
	if (kick_ctx == config->call)
		return vpmem_refuse(info, call, -EINVAL,
				    "kick and call are the same eventfd");
	return 0;
}

/* Drops what config holds, as far as it was filled in. */
static void vpmem_config_release(struct vpmem_dev_config *config)
{
	vpmem_mem_destroy(config->mem);
	if (!IS_ERR_OR_NULL(config->call))
		eventfd_ctx_put(config->call);
	if (config->file)
		fput(config->file);
	put_net(config->net);
}

static int vpmem_dev_add(struct vpmem_dev_config *config,
			 struct genl_info *info, u32 *id)
{
	int err;

	vpmem_get_policies(config, info);
	err = vpmem_get_limits(info, &config->flush_limit,
			       &config->bytes_limit);
	if (!err)
		err = vpmem_get_write_behind(info, config->flags,
					     &config->write_behind);
	if (!err)
		err = vpmem_get_backing(config, info);
	if (!err)
		err = vpmem_get_regions(&config->mem, info);
	if (!err)
		err = vpmem_get_eventfds(config, info);
	if (!err)
		err = vpmem_dev_create(config, id);
	if (err == -EDQUOT)
		NL_SET_ERR_MSG(info->extack,
			       "the user has max_devices_per_user devices already");
	if (err)
		vpmem_config_release(config);
	if (!IS_ERR_OR_NULL(config->kick))
		fput(config->kick);
	return err;
}

/* A device whose number its owner was not told. */
static void vpmem_take_back(u32 id)
{
	struct vpmem_dev *dev = vpmem_dev_get(id);

	if (!dev)
		return;
	vpmem_dev_kill(dev);
	vpmem_dev_put(dev);
}

int vpmem_nl_dev_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vpmem_dev_config config = {
		.portid = info->snd_portid,
	};
	struct sk_buff *reply;
	void *hdr;
	u32 id;
	int err;

	/* The reply first, so that there is memory for it when the device is. */
	reply = genlmsg_new(nla_total_size(sizeof(u32)), GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	hdr = genlmsg_put_reply(reply, info, &vpmem_family, 0,
				VPMEM_CMD_DEV_ADD);
	if (!hdr) {
		nlmsg_free(reply);
		return -EMSGSIZE;
	}
	config.net = get_net(genl_info_net(info));
	config.uid = sock_net_uid(config.net, NETLINK_CB(skb).sk);
	err = vpmem_dev_add(&config, info, &id);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	nla_put_u32(reply, VPMEM_A_DEV_ID, id);
	genlmsg_end(reply, hdr);
	err = genlmsg_reply(reply, info);
	if (err)
		vpmem_take_back(id);
	return err;
}

/* The other commands */

int vpmem_nl_dev_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vpmem_dev *dev;

	dev = vpmem_find(skb, info, VPMEM_A_DEV_ID, VPMEM_ACCESS_OWNER);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	vpmem_dev_kill(dev);
	vpmem_dev_put(dev);
	return 0;
}

static int vpmem_set_regions(struct vpmem_dev *dev, struct sk_buff *skb,
			     struct genl_info *info)
{
	struct nlattr *attr = info->attrs[VPMEM_A_DEV_REGION];
	struct vpmem_mem *mem = NULL;
	int err;

	if (!attr)
		return 0;
	if (!vpmem_is_owner(dev, skb))
		return vpmem_refuse(info, attr, -EPERM,
				    "the device belongs to another socket");
	if (current->mm != dev->mm)
		return vpmem_refuse(info, attr, -EPERM,
			"the guest memory is that of another process");
	err = vpmem_get_regions(&mem, info);
	if (!err) {
		err = vpmem_queue_set_mem(dev, &mem);
		if (err == -EFAULT)
			vpmem_refuse(info, attr, err,
				     "the ring in use would not be in guest memory");
		else if (err == -EBUSY)
			vpmem_refuse(info, attr, err,
				     "the queue waits for a page of guest memory");
	}
	vpmem_mem_destroy(mem);
	return err;
}

static void vpmem_set_policies(struct vpmem_dev *dev, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;

	if (attrs[VPMEM_A_DEV_EXEC])
		WRITE_ONCE(dev->exec, nla_get_u32(attrs[VPMEM_A_DEV_EXEC]));
	if (attrs[VPMEM_A_DEV_ON_ERROR])
		WRITE_ONCE(dev->on_error,
			   nla_get_u32(attrs[VPMEM_A_DEV_ON_ERROR]));
	if (attrs[VPMEM_A_DEV_ERROR])
		WRITE_ONCE(dev->error, nla_get_u32(attrs[VPMEM_A_DEV_ERROR]));
	if (attrs[VPMEM_A_DEV_CLEAR_ERROR]) {
		WRITE_ONCE(dev->error, 0);
		WRITE_ONCE(dev->untold, 0);
	}
}

/* What can be refused comes first, so that all of it is changed or nothing. */
static int vpmem_dev_set(struct vpmem_dev *dev, struct sk_buff *skb,
			 struct genl_info *info)
{
	struct vpmem_limit flushes, bytes;
	struct nlattr **attrs = info->attrs;
	u64 write_behind;
	int err;

	err = vpmem_get_limits(info, &flushes, &bytes);
	if (!err)
		err = vpmem_get_write_behind(info, dev->flags, &write_behind);
	if (!err)
		err = vpmem_set_regions(dev, skb, info);
	if (err)
		return err;
	vpmem_set_policies(dev, info);
	vpmem_queue_set_limits(dev,
			       attrs[VPMEM_A_DEV_FLUSH_LIMIT] ? &flushes : NULL,
			       attrs[VPMEM_A_DEV_BYTES_LIMIT] ? &bytes : NULL);
	if (attrs[VPMEM_A_DEV_WRITE_BEHIND])
		vpmem_behind_set(dev, write_behind);
	return 0;
}

int vpmem_nl_dev_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vpmem_dev *dev;
	int err;

	dev = vpmem_find(skb, info, VPMEM_A_DEV_ID, VPMEM_ACCESS_ADMIN);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	err = vpmem_dev_set(dev, skb, info);
	vpmem_dev_put(dev);
	return err;
}

/* The table can be replaced at any time: a ring that starts is looked at again. */
static bool vpmem_is_guest_memory(struct vpmem_dev *dev, u64 gpa, u64 bytes)
{
	bool is_covered;

	spin_lock(&dev->state_lock);
	is_covered = vpmem_mem_covers(dev->mem, gpa, bytes);
	spin_unlock(&dev->state_lock);
	return is_covered;
}

static int vpmem_get_ring_part(struct vpmem_dev *dev, struct genl_info *info,
			       u32 attr_id, u64 bytes, u32 align, u64 *gpa)
{
	struct nlattr *attr = info->attrs[attr_id];

	if (vpmem_missing(info, attr_id, "the address of a part of the ring"))
		return -EINVAL;
	*gpa = nla_get_u64(attr);
	if (*gpa % align)
		return vpmem_refuse(info, attr, -EINVAL,
				    "this part of the ring is misaligned");
	if (!vpmem_is_guest_memory(dev, *gpa, bytes))
		return vpmem_refuse(info, attr, -EFAULT,
			"this part of the ring is not in guest memory");
	return 0;
}

static int vpmem_get_ring_features(struct vpmem_ring *ring,
				   struct genl_info *info)
{
	struct nlattr *attr = info->attrs[VPMEM_A_QUEUE_FEATURES];

	if (vpmem_missing(info, VPMEM_A_QUEUE_FEATURES, "the feature set"))
		return -EINVAL;
	ring->features = nla_get_u64(attr);
	if (~ring->features & VPMEM_FEATURES_NEEDED)
		return vpmem_refuse(info, attr, -EINVAL,
				    "the feature VERSION_1 is needed");
	if (ring->features & ~VPMEM_FEATURES_KNOWN)
		return vpmem_refuse(info, attr, -EOPNOTSUPP,
				    "a feature is not supported");
	return 0;
}

static int vpmem_get_ring(struct vpmem_dev *dev, struct genl_info *info,
			  struct vpmem_ring *ring)
{
	struct nlattr *size = info->attrs[VPMEM_A_QUEUE_SIZE];
	int err;

	if (vpmem_missing(info, VPMEM_A_QUEUE_SIZE, "the ring size"))
		return -EINVAL;
	ring->size = nla_get_u32(size);
	if (!is_power_of_2(ring->size))
		return vpmem_refuse(info, size, -EINVAL,
				    "the ring size is no power of two");
	err = vpmem_get_ring_features(ring, info);
	if (!err)
		err = vpmem_get_ring_part(dev, info, VPMEM_A_QUEUE_DESC,
					  vpmem_ring_desc_bytes(ring), 16,
					  &ring->desc);
	if (!err)
		err = vpmem_get_ring_part(dev, info, VPMEM_A_QUEUE_AVAIL,
					  vpmem_ring_avail_bytes(ring), 2,
					  &ring->avail);
	if (!err)
		err = vpmem_get_ring_part(dev, info, VPMEM_A_QUEUE_USED,
					  vpmem_ring_used_bytes(ring), 4,
					  &ring->used);
	return err;
}

int vpmem_nl_queue_start_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct vpmem_ring ring = {};
	struct vpmem_dev *dev;
	int err;

	dev = vpmem_find(skb, info, VPMEM_A_QUEUE_DEV_ID, VPMEM_ACCESS_OWNER);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	err = vpmem_get_ring(dev, info, &ring);
	if (attrs[VPMEM_A_QUEUE_NEXT_AVAIL])
		ring.next_avail = nla_get_u16(attrs[VPMEM_A_QUEUE_NEXT_AVAIL]);
	if (attrs[VPMEM_A_QUEUE_NEXT_USED])
		ring.next_used = nla_get_u16(attrs[VPMEM_A_QUEUE_NEXT_USED]);
	if (!err) {
		err = vpmem_queue_start(dev, &ring);
		if (err == -EBUSY)
			vpmem_refuse(info, attrs[VPMEM_A_QUEUE_DEV_ID], err,
				     "the queue is not stopped");
		else if (err == -EFAULT)
			vpmem_refuse(info, attrs[VPMEM_A_QUEUE_DESC], err,
				     "the ring is not in guest memory any more");
	}
	vpmem_dev_put(dev);
	return err;
}

int vpmem_nl_queue_stop_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vpmem_dev *dev;
	int err;

	dev = vpmem_find(skb, info, VPMEM_A_QUEUE_DEV_ID, VPMEM_ACCESS_OWNER);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	err = vpmem_queue_stop(dev);
	vpmem_dev_put(dev);
	return err;
}

/* Events: to the owner by unicast, to all others who listen by multicast. */

static void vpmem_event_send(const struct vpmem_dev *dev, struct sk_buff *skb)
{
	nlmsg_notify(dev->net->genl_sock, skb, dev->portid,
		     vpmem_family.mcgrp_offset + VPMEM_NLGRP_EVENTS,
		     READ_ONCE(dev->has_owner), GFP_KERNEL);
}

/* Without memory for an event, those who listen see it as lost. */
static void vpmem_event_lost(const struct vpmem_dev *dev)
{
	genl_set_err(&vpmem_family, dev->net, 0, VPMEM_NLGRP_EVENTS, -ENOBUFS);
}

void vpmem_event_dev_added(struct vpmem_dev *dev)
{
	static const struct vpmem_msg msg = { .cmd = VPMEM_CMD_DEV_ADDED };
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);

	if (!skb || vpmem_put_dev(skb, dev, &msg, NULL)) {
		nlmsg_free(skb);
		vpmem_event_lost(dev);
		return;
	}
	vpmem_event_send(dev, skb);
}

static void vpmem_event_dev(struct vpmem_dev *dev, u8 cmd, u32 error)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *hdr = skb ? genlmsg_put(skb, 0, 0, &vpmem_family, 0, cmd) : NULL;

	if (!hdr || nla_put_u32(skb, VPMEM_A_DEV_ID, dev->id) ||
	    nla_put_string(skb, VPMEM_A_DEV_NAME, dev->name) ||
	    (error && nla_put_u32(skb, VPMEM_A_DEV_ERROR, error))) {
		nlmsg_free(skb);
		vpmem_event_lost(dev);
		return;
	}
	genlmsg_end(skb, hdr);
	vpmem_event_send(dev, skb);
}

void vpmem_event_dev_deleted(struct vpmem_dev *dev)
{
	vpmem_event_dev(dev, VPMEM_CMD_DEV_DELETED, 0);
}

void vpmem_event_sync_error(struct vpmem_dev *dev, u32 error)
{
	vpmem_event_dev(dev, VPMEM_CMD_SYNC_ERROR, error);
}

void vpmem_event_queue(struct vpmem_dev *dev, u8 cmd, u16 next_avail,
		       u16 next_used)
{
	/* The owner waits for these, and nothing else would tell it. */
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE,
					  GFP_KERNEL | __GFP_NOFAIL);
	void *hdr = genlmsg_put(skb, 0, 0, &vpmem_family, 0, cmd);

	if (!hdr || nla_put_u32(skb, VPMEM_A_QUEUE_DEV_ID, dev->id) ||
	    nla_put_u16(skb, VPMEM_A_QUEUE_NEXT_AVAIL, next_avail) ||
	    nla_put_u16(skb, VPMEM_A_QUEUE_NEXT_USED, next_used)) {
		nlmsg_free(skb);
		vpmem_event_lost(dev);
		return;
	}
	genlmsg_end(skb, hdr);
	vpmem_event_send(dev, skb);
}

/* The close of an owner's socket */

static int vpmem_netlink_notify(struct notifier_block *block,
				unsigned long event, void *data)
{
	const struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE &&
	    notify->protocol == NETLINK_GENERIC)
		vpmem_dev_orphan(notify->net, notify->portid);
	return NOTIFY_DONE;
}

static struct notifier_block vpmem_notifier = {
	.notifier_call = vpmem_netlink_notify,
};

int vpmem_netlink_init(void)
{
	int err;

	err = netlink_register_notifier(&vpmem_notifier);
	if (err)
		return err;
	err = genl_register_family(&vpmem_family);
	if (err)
		netlink_unregister_notifier(&vpmem_notifier);
	return err;
}

void vpmem_netlink_exit(void)
{
	genl_unregister_family(&vpmem_family);
	netlink_unregister_notifier(&vpmem_notifier);
}

MODULE_ALIAS_GENL_FAMILY(VPMEM_GENL_NAME);
