// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Owns the commands: one function each, from plain structs to attributes. */
#include "sock.h"

#include <errno.h>
#include <string.h>

#include <netlink/attr.h>

/* Room for all attributes of a request but the regions, and some to spare. */
#define ATTR_BYTES	512
/* One region: its nest and three u64, none of them padded. */
#define REGION_BYTES	(NLA_HDRLEN + 3 * (NLA_HDRLEN + sizeof(uint64_t)))
/* The module's limit is lower; this one only keeps the arithmetic safe. */
#define NR_REGIONS_SANE	UINT16_MAX

/* Sends a finished request; @err is how its making went. */
static int call(struct vpmem_sock *sock, struct nl_msg *msg, int err,
		vpmem_reply_fn fn, void *arg)
{
	if (!err)
		return vpmem_sock_call(sock, msg, fn, arg);
	nlmsg_free(msg);
	return vpmem_sock_result(sock, -EMSGSIZE);
}

static struct nl_msg *request(struct vpmem_sock *sock, uint8_t cmd)
{
	return vpmem_sock_request(sock, cmd, NLM_F_ACK, ATTR_BYTES);
}

/* dev-add */

static int put_region(struct nl_msg *msg, const struct vpmem_region *region)
{
	struct nlattr *nest = nla_nest_start(msg, VPMEM_A_DEV_REGION);

	if (!nest || nla_put_u64(msg, VPMEM_A_REGION_GPA, region->gpa) ||
	    nla_put_u64(msg, VPMEM_A_REGION_SIZE, region->size) ||
	    nla_put_u64(msg, VPMEM_A_REGION_HVA, region->hva))
		return -EMSGSIZE;
	return nla_nest_end(msg, nest);
}

static int put_regions(struct nl_msg *msg, const struct vpmem_region *regions,
		       size_t nr_regions)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < nr_regions; i++)
		err = put_region(msg, &regions[i]);
	return err;
}

static int put_files(struct nl_msg *msg, const struct vpmem_dev_config *config)
{
	return nla_put_u32(msg, VPMEM_A_DEV_BACKING_FD, config->backing_fd) ||
	       nla_put_u64(msg, VPMEM_A_DEV_OFFSET, config->offset) ||
	       nla_put_u64(msg, VPMEM_A_DEV_LENGTH, config->length) ||
	       nla_put_u32(msg, VPMEM_A_DEV_KICK_FD, config->kick_fd) ||
	       nla_put_u32(msg, VPMEM_A_DEV_CALL_FD, config->call_fd);
}

static int put_limit(struct nl_msg *msg, int rate_attr, int burst_attr,
		     const struct vpmem_limit *limit)
{
	return nla_put_u64(msg, rate_attr, limit->rate) ||
	       (limit->burst && nla_put_u64(msg, burst_attr, limit->burst));
}

static int put_flush_limit(struct nl_msg *msg, const struct vpmem_limit *limit)
{
	return put_limit(msg, VPMEM_A_DEV_FLUSH_LIMIT, VPMEM_A_DEV_FLUSH_BURST,
			 limit);
}

static int put_bytes_limit(struct nl_msg *msg, const struct vpmem_limit *limit)
{
	return put_limit(msg, VPMEM_A_DEV_BYTES_LIMIT, VPMEM_A_DEV_BYTES_BURST,
			 limit);
}

static int put_config(struct nl_msg *msg, const struct vpmem_dev_config *config)
{
	return (config->name &&
		nla_put_string(msg, VPMEM_A_DEV_NAME, config->name)) ||
	       put_files(msg, config) ||
	       nla_put_u32(msg, VPMEM_A_DEV_FLAGS, config->flags) ||
	       nla_put_u32(msg, VPMEM_A_DEV_EXEC, config->exec) ||
	       nla_put_u32(msg, VPMEM_A_DEV_ON_ERROR, config->on_error) ||
	       put_flush_limit(msg, &config->flush_limit) ||
	       put_bytes_limit(msg, &config->bytes_limit) ||
	       (config->write_behind &&
		nla_put_u64(msg, VPMEM_A_DEV_WRITE_BEHIND,
			    config->write_behind)) ||
	       put_regions(msg, config->regions, config->nr_regions);
}

static int reply_id(const struct nlmsghdr *nlh, void *arg)
{
	struct vpmem_dev_info info;
	uint32_t *id = arg;
	int err;

	err = vpmem_msg_parse_dev(nlh, &info);
	if (!err)
		*id = info.id;
	return err;
}

int vpmem_dev_add(struct vpmem_sock *sock, const struct vpmem_dev_config *config,
		  uint32_t *id)
{
	size_t bytes = ATTR_BYTES + config->nr_regions * REGION_BYTES;
	struct nl_msg *msg;
	uint32_t new_id = 0;
	int err;

	if (config->nr_regions > NR_REGIONS_SANE)
		return vpmem_sock_result(sock, -E2BIG);
	if (config->name)
		bytes += strlen(config->name);
	msg = vpmem_sock_request(sock, VPMEM_CMD_DEV_ADD, NLM_F_ACK, bytes);
	err = call(sock, msg, msg ? put_config(msg, config) : 0, reply_id,
		   &new_id);
	/* Only the acknowledgment was lost: there is no number without success. */
	if (err == -ENOBUFS && new_id)
		err = vpmem_sock_result(sock, 0);
	if (err)
		return err;
	if (!new_id)
		return vpmem_sock_result(sock, -EPROTO);
	*id = new_id;
	return 0;
}

int vpmem_dev_del(struct vpmem_sock *sock, uint32_t id)
{
	struct nl_msg *msg = request(sock, VPMEM_CMD_DEV_DEL);

	return call(sock, msg, msg ? nla_put_u32(msg, VPMEM_A_DEV_ID, id) : 0,
		    NULL, NULL);
}

/* dev-get */

static int reply_info(const struct nlmsghdr *nlh, void *arg)
{
	return vpmem_msg_parse_dev(nlh, arg);
}

int vpmem_dev_get(struct vpmem_sock *sock, uint32_t id,
		  struct vpmem_dev_info *info)
{
	struct nl_msg *msg = request(sock, VPMEM_CMD_DEV_GET);
	int err;

	info->id = 0;
	err = call(sock, msg, msg ? nla_put_u32(msg, VPMEM_A_DEV_ID, id) : 0,
		   reply_info, info);
	if (!err && !info->id)
		return vpmem_sock_result(sock, -EPROTO);
	return err;
}

struct dump {
	int (*fn)(const struct vpmem_dev_info *info, void *arg);
	void *arg;
};

static int reply_dump(const struct nlmsghdr *nlh, void *arg)
{
	const struct dump *dump = arg;
	struct vpmem_dev_info info;
	int err;

	err = vpmem_msg_parse_dev(nlh, &info);
	return err ? err : dump->fn(&info, dump->arg);
}

int vpmem_dev_dump(struct vpmem_sock *sock,
		   int (*fn)(const struct vpmem_dev_info *info, void *arg),
		   void *arg)
{
	struct dump dump = { .fn = fn, .arg = arg };
	struct nl_msg *msg;

	msg = vpmem_sock_request(sock, VPMEM_CMD_DEV_GET, NLM_F_DUMP, 0);
	return call(sock, msg, 0, reply_dump, &dump);
}

/* dev-set */

static int put_change(struct nl_msg *msg, uint32_t id,
		      const struct vpmem_dev_change *change)
{
	uint32_t present = change->present;

	return nla_put_u32(msg, VPMEM_A_DEV_ID, id) ||
	       (present & VPMEM_SET_EXEC &&
		nla_put_u32(msg, VPMEM_A_DEV_EXEC, change->exec)) ||
	       (present & VPMEM_SET_ON_ERROR &&
		nla_put_u32(msg, VPMEM_A_DEV_ON_ERROR, change->on_error)) ||
	       (present & VPMEM_SET_ERROR &&
		nla_put_u32(msg, VPMEM_A_DEV_ERROR, change->error)) ||
	       (present & VPMEM_SET_CLEAR_ERROR &&
		nla_put_flag(msg, VPMEM_A_DEV_CLEAR_ERROR)) ||
	       (present & VPMEM_SET_FLUSH_LIMIT &&
		put_flush_limit(msg, &change->flush_limit)) ||
	       (present & VPMEM_SET_BYTES_LIMIT &&
		put_bytes_limit(msg, &change->bytes_limit)) ||
	       (present & VPMEM_SET_WRITE_BEHIND &&
		nla_put_u64(msg, VPMEM_A_DEV_WRITE_BEHIND,
			    change->write_behind)) ||
	       (present & VPMEM_SET_REGIONS &&
		put_regions(msg, change->regions, change->nr_regions));
}

int vpmem_dev_set(struct vpmem_sock *sock, uint32_t id,
		  const struct vpmem_dev_change *change)
{
	size_t bytes = ATTR_BYTES;
	struct nl_msg *msg;

	if (change->present & VPMEM_SET_REGIONS) {
		/* To the module, none would mean to leave them as they are. */
		if (!change->nr_regions)
			return vpmem_sock_result(sock, -EINVAL);
		if (change->nr_regions > NR_REGIONS_SANE)
			return vpmem_sock_result(sock, -E2BIG);
		bytes += change->nr_regions * REGION_BYTES;
	}
	msg = vpmem_sock_request(sock, VPMEM_CMD_DEV_SET, NLM_F_ACK, bytes);
	return call(sock, msg, msg ? put_change(msg, id, change) : 0, NULL,
		    NULL);
}

/* queue-start, queue-stop */

static int put_ring(struct nl_msg *msg, uint32_t id,
		    const struct vpmem_queue_config *config)
{
	return nla_put_u32(msg, VPMEM_A_QUEUE_DEV_ID, id) ||
	       nla_put_u32(msg, VPMEM_A_QUEUE_SIZE, config->size) ||
	       nla_put_u64(msg, VPMEM_A_QUEUE_DESC, config->desc) ||
	       nla_put_u64(msg, VPMEM_A_QUEUE_AVAIL, config->avail) ||
	       nla_put_u64(msg, VPMEM_A_QUEUE_USED, config->used) ||
	       nla_put_u64(msg, VPMEM_A_QUEUE_FEATURES, config->features) ||
	       nla_put_u16(msg, VPMEM_A_QUEUE_NEXT_AVAIL, config->next_avail) ||
	       nla_put_u16(msg, VPMEM_A_QUEUE_NEXT_USED, config->next_used);
}

int vpmem_queue_start(struct vpmem_sock *sock, uint32_t id,
		      const struct vpmem_queue_config *config)
{
	struct nl_msg *msg = request(sock, VPMEM_CMD_QUEUE_START);

	return call(sock, msg, msg ? put_ring(msg, id, config) : 0, NULL, NULL);
}

int vpmem_queue_stop(struct vpmem_sock *sock, uint32_t id)
{
	struct nl_msg *msg = request(sock, VPMEM_CMD_QUEUE_STOP);

	return call(sock, msg,
		    msg ? nla_put_u32(msg, VPMEM_A_QUEUE_DEV_ID, id) : 0, NULL,
		    NULL);
}
