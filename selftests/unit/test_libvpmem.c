// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libvpmem against a kernel made of two sockets: what is sent is recorded and
 * answered by the test, with messages that a real one would rarely send.
 */
#include "sock.h"
#include "extack.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>

#include "kselftest_harness.h"

#define FAMILY	0x25
#define GROUP	7

/* The fake kernel. */
static struct {
	int fd;
	unsigned int receive_errno;
	struct nlmsghdr *request;
	void (*answer)(const struct nlmsghdr *request);
} fake;

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value,
		      socklen_t len);
ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags,
		      const struct sockaddr *addr, socklen_t addr_len);
ssize_t __wrap_recvfrom(int fd, void *data, size_t len, int flags,
			struct sockaddr *addr, socklen_t *addr_len);
ssize_t __real_recvfrom(int fd, void *data, size_t len, int flags,
			struct sockaddr *addr, socklen_t *addr_len);

int __wrap_socket(int domain, int type, int protocol)
{
	int fds[2];

	if (domain != AF_NETLINK || !(type & SOCK_CLOEXEC) ||
	    protocol != NETLINK_GENERIC ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		return -1;
	fake.fd = fds[0];
	return fds[1];
}

int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value,
		      socklen_t len)
{
	return 0;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags,
		      const struct sockaddr *addr, socklen_t addr_len)
{
	free(fake.request);
	fake.request = malloc(len);
	memcpy(fake.request, data, len);
	fake.answer(fake.request);
	return len;
}

ssize_t __wrap_recvfrom(int fd, void *data, size_t len, int flags,
			struct sockaddr *addr, socklen_t *addr_len)
{
	if (fake.receive_errno) {
		errno = fake.receive_errno;
		fake.receive_errno = 0;
		return -1;
	}
	return __real_recvfrom(fd, data, len, flags, addr, addr_len);
}

/* Sends a message as the kernel and frees it. */
static void emit(struct nl_msg *msg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);

	if (send(fake.fd, nlh, nlh->nlmsg_len, 0) != nlh->nlmsg_len)
		abort();
	nlmsg_free(msg);
}

static struct nl_msg *make(uint32_t seq, uint16_t family, uint8_t cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(16384);

	genlmsg_put(msg, 0, seq, family, 0, flags, cmd, 1);
	return msg;
}

static struct nl_msg *make_error(const struct nlmsghdr *request, int err,
				 int flags)
{
	struct nlmsgerr body = { .error = err, .msg = *request };
	struct nl_msg *msg = nlmsg_alloc();

	nlmsg_put(msg, 0, request->nlmsg_seq, NLMSG_ERROR, 0,
		  flags | NLM_F_CAPPED);
	nlmsg_append(msg, &body, sizeof(body), NLMSG_ALIGNTO);
	return msg;
}

static struct nl_msg *make_done(const struct nlmsghdr *request, int err)
{
	struct nl_msg *msg = nlmsg_alloc();

	nlmsg_put(msg, 0, request->nlmsg_seq, NLMSG_DONE, 0, NLM_F_MULTI);
	nlmsg_append(msg, &err, sizeof(err), NLMSG_ALIGNTO);
	return msg;
}

static struct nl_msg *make_queue_event(uint8_t cmd, uint32_t id, uint16_t avail)
{
	struct nl_msg *msg = make(0, FAMILY, cmd, 0);

	nla_put_u32(msg, VPMEM_A_QUEUE_DEV_ID, id);
	nla_put_u16(msg, VPMEM_A_QUEUE_NEXT_AVAIL, avail);
	nla_put_u16(msg, VPMEM_A_QUEUE_NEXT_USED, avail + 1);
	return msg;
}

static void put_stats(struct nl_msg *msg, size_t buckets)
{
	struct nlattr *nest = nla_nest_start(msg, VPMEM_A_DEV_STATS);
	uint64_t hist[2 * VPMEM_HIST_BUCKETS];
	int attr;
	size_t i;

	for (attr = VPMEM_A_STATS_KICKS; attr <= VPMEM_A_STATS_MAX; attr++)
		if (attr != VPMEM_A_STATS_SYNC_HIST &&
		    attr != VPMEM_A_STATS_FLUSH_HIST)
			nla_put_u64(msg, attr, 1000 + attr);
	for (i = 0; i < buckets; i++)
		hist[i] = i + 1;
	nla_put(msg, VPMEM_A_STATS_SYNC_HIST, buckets * sizeof(*hist), hist);
	nla_put(msg, VPMEM_A_STATS_FLUSH_HIST, buckets * sizeof(*hist), hist);
	nla_nest_end(msg, nest);
}

static void put_queue(struct nl_msg *msg)
{
	struct nlattr *nest = nla_nest_start(msg, VPMEM_A_DEV_QUEUE);

	nla_put_u32(msg, VPMEM_A_QUEUE_SIZE, 64);
	nla_put_u64(msg, VPMEM_A_QUEUE_FEATURES, 1ULL << 32);
	nla_put_u16(msg, VPMEM_A_QUEUE_NEXT_AVAIL, 11);
	nla_put_u16(msg, VPMEM_A_QUEUE_NEXT_USED, 12);
	nla_put_u32(msg, VPMEM_A_QUEUE_STATE, VPMEM_QUEUE_STATE_RUNNING);
	nla_nest_end(msg, nest);
}

static struct nl_msg *make_dev(uint32_t seq, uint8_t cmd, uint32_t id, int flags)
{
	struct nl_msg *msg = make(seq, FAMILY, cmd, flags);

	nla_put_u32(msg, VPMEM_A_DEV_ID, id);
	nla_put_string(msg, VPMEM_A_DEV_NAME, "root");
	nla_put_u64(msg, VPMEM_A_DEV_OFFSET, 4096);
	nla_put_u64(msg, VPMEM_A_DEV_LENGTH, 1ULL << 40);
	nla_put_u32(msg, VPMEM_A_DEV_FLAGS, VPMEM_DEV_FLAGS_DISCARD_WRITES);
	nla_put_u32(msg, VPMEM_A_DEV_EXEC, VPMEM_EXEC_AUTO);
	nla_put_u32(msg, VPMEM_A_DEV_EXEC_EFFECTIVE, VPMEM_EXEC_WORKER);
	nla_put_u32(msg, VPMEM_A_DEV_ON_ERROR, VPMEM_ON_ERROR_REPORT);
	nla_put_u32(msg, VPMEM_A_DEV_ERROR, EIO);
	nla_put_u32(msg, VPMEM_A_DEV_OWNER_PORTID, 77);
	nla_put_u32(msg, VPMEM_A_DEV_OWNER_PID, 78);
	nla_put_u64(msg, VPMEM_A_DEV_FLUSH_LIMIT, 81);
	nla_put_u64(msg, VPMEM_A_DEV_FLUSH_BURST, 82);
	nla_put_u64(msg, VPMEM_A_DEV_BYTES_LIMIT, 83);
	nla_put_u64(msg, VPMEM_A_DEV_BYTES_BURST, 84);
	nla_put_u64(msg, VPMEM_A_DEV_WRITE_BEHIND, 85);
	put_queue(msg);
	put_stats(msg, VPMEM_HIST_BUCKETS);
	return msg;
}

/* Answers */

static void answer_family(const struct nlmsghdr *request)
{
	struct nl_msg *msg = make(request->nlmsg_seq, GENL_ID_CTRL,
				  CTRL_CMD_NEWFAMILY, 0);
	struct nlattr *groups, *group;

	nla_put_u16(msg, CTRL_ATTR_FAMILY_ID, FAMILY);
	groups = nla_nest_start(msg, CTRL_ATTR_MCAST_GROUPS);
	group = nla_nest_start(msg, 1);
	nla_put_string(msg, CTRL_ATTR_MCAST_GRP_NAME, "other");
	nla_put_u32(msg, CTRL_ATTR_MCAST_GRP_ID, GROUP - 1);
	nla_nest_end(msg, group);
	group = nla_nest_start(msg, 2);
	nla_put_string(msg, CTRL_ATTR_MCAST_GRP_NAME, VPMEM_MCGRP_EVENTS);
	nla_put_u32(msg, CTRL_ATTR_MCAST_GRP_ID, GROUP);
	nla_nest_end(msg, group);
	nla_nest_end(msg, groups);
	emit(msg);
	emit(make_error(request, 0, 0));
}

static void answer_ok(const struct nlmsghdr *request)
{
	emit(make_error(request, 0, 0));
}

static void answer_nothing(const struct nlmsghdr *request)
{
}

static void answer_enoent(const struct nlmsghdr *request)
{
	emit(make_error(request, -ENOENT, 0));
}

/* An event between the reply and the acknowledgment, and one after it. */
static void answer_dev_amid_events(const struct nlmsghdr *request)
{
	uint32_t seq = request->nlmsg_seq;

	emit(make_dev(seq - 1, VPMEM_CMD_DEV_GET, 99, 0));
	emit(make_queue_event(VPMEM_CMD_QUEUE_STOPPED, 5, 10));
	emit(make_dev(seq, VPMEM_CMD_DEV_GET, 3, 0));
	emit(make_dev(0, VPMEM_CMD_DEV_ADDED, 6, 0));
	emit(make_error(request, 0, 0));
	emit(make_queue_event(VPMEM_CMD_QUEUE_BROKEN, 7, 65535));
}

static void answer_added(const struct nlmsghdr *request)
{
	emit(make_dev(request->nlmsg_seq, VPMEM_CMD_DEV_ADD, 3, 0));
}

static void answer_dump(const struct nlmsghdr *request)
{
	uint32_t seq = request->nlmsg_seq;

	emit(make_dev(seq, VPMEM_CMD_DEV_GET, 1, NLM_F_MULTI));
	emit(make_dev(seq, VPMEM_CMD_DEV_GET, 2, NLM_F_MULTI));
	emit(make_dev(seq, VPMEM_CMD_DEV_GET, 3, NLM_F_MULTI));
	emit(make_done(request, 0));
}

static void answer_changing_dump(const struct nlmsghdr *request)
{
	emit(make_dev(request->nlmsg_seq, VPMEM_CMD_DEV_GET, 1,
		      NLM_F_MULTI | NLM_F_DUMP_INTR));
	emit(make_done(request, 0));
}

static void answer_failing_dump(const struct nlmsghdr *request)
{
	emit(make_done(request, -ENOMEM));
}

static void answer_overrun(const struct nlmsghdr *request)
{
	fake.receive_errno = ENOBUFS;
	emit(make_queue_event(VPMEM_CMD_QUEUE_STOPPED, 1, 1));
}

static void answer_overrun_and_ok(const struct nlmsghdr *request)
{
	answer_overrun(request);
	answer_ok(request);
}

FIXTURE(lib)
{
	struct vpmem_sock *sock;
	struct vpmem_event event;
};

FIXTURE_SETUP(lib)
{
	fake.answer = answer_family;
	ASSERT_EQ(0, vpmem_sock_create(&self->sock));
}

FIXTURE_TEARDOWN(lib)
{
	vpmem_sock_destroy(self->sock);
	close(fake.fd);
	free(fake.request);
	fake.request = NULL;
}

/* Connecting */

TEST_F(lib, family_and_group_are_resolved)
{
	const struct genlmsghdr *genl = NLMSG_DATA(fake.request);

	EXPECT_EQ(GENL_ID_CTRL, fake.request->nlmsg_type);
	EXPECT_EQ(CTRL_CMD_GETFAMILY, genl->cmd);
	EXPECT_EQ(FAMILY, self->sock->family.id);
	EXPECT_EQ(GROUP, self->sock->family.events_group);
}

TEST(absent_module_is_enoent)
{
	struct vpmem_sock *sock = NULL;

	fake.answer = answer_enoent;
	EXPECT_EQ(-ENOENT, vpmem_sock_create(&sock));
	EXPECT_EQ(NULL, sock);
	free(fake.request);
	fake.request = NULL;
}

/* Commands */

TEST_F(lib, dev_get_reads_everything)
{
	struct vpmem_dev_info info;

	fake.answer = answer_dev_amid_events;
	ASSERT_EQ(0, vpmem_dev_get(self->sock, 3, &info));
	EXPECT_EQ(3, info.id);
	EXPECT_STREQ("root", info.name);
	EXPECT_EQ(4096, info.offset);
	EXPECT_EQ(1ULL << 40, info.length);
	EXPECT_EQ(VPMEM_DEV_FLAGS_DISCARD_WRITES, info.flags);
	EXPECT_EQ(VPMEM_EXEC_AUTO, info.exec);
	EXPECT_EQ(VPMEM_EXEC_WORKER, info.exec_effective);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, info.on_error);
	EXPECT_EQ(EIO, info.error);
	EXPECT_EQ(77, info.owner_portid);
	EXPECT_EQ(78, info.owner_pid);
	EXPECT_EQ(81, info.flush_limit.rate);
	EXPECT_EQ(82, info.flush_limit.burst);
	EXPECT_EQ(83, info.bytes_limit.rate);
	EXPECT_EQ(84, info.bytes_limit.burst);
	EXPECT_EQ(85, info.write_behind);
	EXPECT_EQ(VPMEM_QUEUE_STATE_RUNNING, info.queue_state);
	EXPECT_EQ(64, info.ring_size);
	EXPECT_EQ(1ULL << 32, info.features);
	EXPECT_EQ(11, info.next_avail);
	EXPECT_EQ(12, info.next_used);
	EXPECT_EQ(1000 + VPMEM_A_STATS_KICKS, info.stats.kicks);
	EXPECT_EQ(1000 + VPMEM_A_STATS_NO_STATUS, info.stats.no_status);
	EXPECT_EQ(1000 + VPMEM_A_STATS_FLUSH_NS, info.stats.flush_ns);
	EXPECT_EQ(1000 + VPMEM_A_STATS_BYTES_WRITTEN,
		  info.stats.bytes_written);
	EXPECT_EQ(1000 + VPMEM_A_STATS_CPU_NS, info.stats.cpu_ns);
	EXPECT_EQ(1000 + VPMEM_A_STATS_THROTTLED_NS,
		  info.stats.throttled_ns);
	EXPECT_EQ(1000 + VPMEM_A_STATS_WRITE_BEHINDS,
		  info.stats.write_behinds);
	EXPECT_EQ(1000 + VPMEM_A_STATS_WRITE_BEHIND_BYTES,
		  info.stats.write_behind_bytes);
	EXPECT_EQ(1000 + VPMEM_A_STATS_WRITE_BEHIND_CPU_NS,
		  info.stats.write_behind_cpu_ns);
	EXPECT_EQ(1, info.stats.sync_hist[0]);
	EXPECT_EQ(VPMEM_HIST_BUCKETS,
		  info.stats.flush_hist[VPMEM_HIST_BUCKETS - 1]);
}

TEST_F(lib, events_during_a_command_are_kept_in_order)
{
	struct vpmem_dev_info info;

	fake.answer = answer_dev_amid_events;
	ASSERT_EQ(0, vpmem_dev_get(self->sock, 3, &info));
	ASSERT_EQ(0, vpmem_event_next(self->sock, &self->event, 0));
	EXPECT_EQ(VPMEM_EVENT_QUEUE_STOPPED, self->event.type);
	EXPECT_EQ(5, self->event.id);
	EXPECT_EQ(10, self->event.next_avail);
	EXPECT_EQ(11, self->event.next_used);
	ASSERT_EQ(0, vpmem_event_next(self->sock, &self->event, 0));
	EXPECT_EQ(VPMEM_EVENT_DEV_ADDED, self->event.type);
	EXPECT_EQ(6, self->event.id);
	EXPECT_STREQ("root", self->event.name);
	ASSERT_EQ(0, vpmem_event_next(self->sock, &self->event, 0));
	EXPECT_EQ(VPMEM_EVENT_QUEUE_BROKEN, self->event.type);
	EXPECT_EQ(65535, self->event.next_avail);
	EXPECT_EQ(0, self->event.next_used);
	EXPECT_EQ(-EAGAIN, vpmem_event_next(self->sock, &self->event, 0));
}

TEST_F(lib, dev_add_sends_512_regions)
{
	struct vpmem_region regions[VPMEM_REGIONS_MAX];
	struct nlattr *tb[VPMEM_A_REGION_MAX + 1], *attr;
	struct vpmem_dev_config config = {
		.name = "root",
		.backing_fd = 3,
		.length = 1 << 20,
		.regions = regions,
		.nr_regions = VPMEM_REGIONS_MAX,
	};
	uint64_t nr = 0;
	uint32_t id = 0;
	int rem;

	for (nr = 0; nr < VPMEM_REGIONS_MAX; nr++)
		regions[nr] = (struct vpmem_region){ nr << 20, 4096, ~nr };
	/* The fake answers with a device and acknowledges. */
	fake.answer = answer_dev_amid_events;
	ASSERT_EQ(0, vpmem_dev_add(self->sock, &config, &id));
	EXPECT_EQ(3, id);
	nr = 0;
	nlmsg_for_each_attr(attr, fake.request, GENL_HDRLEN, rem) {
		if (nla_type(attr) != VPMEM_A_DEV_REGION)
			continue;
		ASSERT_EQ(0, nla_parse_nested(tb, VPMEM_A_REGION_MAX, attr,
					      NULL));
		EXPECT_EQ(nr << 20, nla_get_u64(tb[VPMEM_A_REGION_GPA]));
		EXPECT_EQ(4096, nla_get_u64(tb[VPMEM_A_REGION_SIZE]));
		EXPECT_EQ(~nr, nla_get_u64(tb[VPMEM_A_REGION_HVA]));
		nr++;
	}
	EXPECT_EQ(VPMEM_REGIONS_MAX, nr);
	EXPECT_EQ(0, rem);
}

TEST_F(lib, dev_set_sends_only_what_is_present)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_ON_ERROR | VPMEM_SET_CLEAR_ERROR,
		.exec = VPMEM_EXEC_INLINE,
		.on_error = VPMEM_ON_ERROR_REPORT,
	};
	struct nlattr *tb[VPMEM_A_DEV_MAX + 1];

	fake.answer = answer_ok;
	ASSERT_EQ(0, vpmem_dev_set(self->sock, 9, &change));
	ASSERT_EQ(0, genlmsg_parse(fake.request, 0, tb, VPMEM_A_DEV_MAX, NULL));
	EXPECT_EQ(9, nla_get_u32(tb[VPMEM_A_DEV_ID]));
	EXPECT_EQ(NULL, tb[VPMEM_A_DEV_EXEC]);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT,
		  nla_get_u32(tb[VPMEM_A_DEV_ON_ERROR]));
	EXPECT_NE(NULL, tb[VPMEM_A_DEV_CLEAR_ERROR]);
	EXPECT_EQ(NULL, tb[VPMEM_A_DEV_FLUSH_LIMIT]);
	EXPECT_EQ(NULL, tb[VPMEM_A_DEV_BYTES_LIMIT]);
	EXPECT_EQ(NULL, tb[VPMEM_A_DEV_WRITE_BEHIND]);
}

TEST_F(lib, dev_set_sends_regions)
{
	static struct vpmem_region regions[VPMEM_REGIONS_MAX];
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_REGIONS,
		.regions = regions,
		.nr_regions = VPMEM_REGIONS_MAX,
	};
	struct nlattr *attr;
	size_t nr = 0;
	int rem;

	fake.answer = answer_ok;
	ASSERT_EQ(0, vpmem_dev_set(self->sock, 9, &change));
	nlmsg_for_each_attr(attr, fake.request, GENL_HDRLEN, rem)
		nr += nla_type(attr) == VPMEM_A_DEV_REGION;
	EXPECT_EQ(VPMEM_REGIONS_MAX, nr);
	change.nr_regions = 0;
	EXPECT_EQ(-EINVAL, vpmem_dev_set(self->sock, 9, &change));
	change.nr_regions = 1 << 20;
	EXPECT_EQ(-E2BIG, vpmem_dev_set(self->sock, 9, &change));
}

/* No burst stands for the default, and is left to the module. */
TEST_F(lib, dev_set_sends_limits)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_FLUSH_LIMIT | VPMEM_SET_BYTES_LIMIT,
		.flush_limit = { .rate = 5 },
		.bytes_limit = { .rate = 6, .burst = 7 },
	};
	struct nlattr *tb[VPMEM_A_DEV_MAX + 1];

	fake.answer = answer_ok;
	ASSERT_EQ(0, vpmem_dev_set(self->sock, 9, &change));
	ASSERT_EQ(0, genlmsg_parse(fake.request, 0, tb, VPMEM_A_DEV_MAX, NULL));
	EXPECT_EQ(5, nla_get_u64(tb[VPMEM_A_DEV_FLUSH_LIMIT]));
	EXPECT_EQ(NULL, tb[VPMEM_A_DEV_FLUSH_BURST]);
	EXPECT_EQ(6, nla_get_u64(tb[VPMEM_A_DEV_BYTES_LIMIT]));
	EXPECT_EQ(7, nla_get_u64(tb[VPMEM_A_DEV_BYTES_BURST]));
}

/* None is said as such, where something was set before. */
TEST_F(lib, dev_set_sends_write_behind)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_WRITE_BEHIND,
		.write_behind = 1 << 20,
	};
	struct nlattr *tb[VPMEM_A_DEV_MAX + 1];

	fake.answer = answer_ok;
	ASSERT_EQ(0, vpmem_dev_set(self->sock, 9, &change));
	ASSERT_EQ(0, genlmsg_parse(fake.request, 0, tb, VPMEM_A_DEV_MAX, NULL));
	EXPECT_EQ(1 << 20, nla_get_u64(tb[VPMEM_A_DEV_WRITE_BEHIND]));
	change.write_behind = 0;
	ASSERT_EQ(0, vpmem_dev_set(self->sock, 9, &change));
	ASSERT_EQ(0, genlmsg_parse(fake.request, 0, tb, VPMEM_A_DEV_MAX, NULL));
	EXPECT_EQ(0, nla_get_u64(tb[VPMEM_A_DEV_WRITE_BEHIND]));
}

TEST_F(lib, queue_start_sends_the_ring)
{
	const struct vpmem_queue_config ring = {
		.size = 64, .desc = 0x1000, .avail = 0x2000, .used = 0x3000,
		.features = 1ULL << 32, .next_avail = 65535, .next_used = 4,
	};
	struct nlattr *tb[VPMEM_A_QUEUE_MAX + 1];

	fake.answer = answer_ok;
	ASSERT_EQ(0, vpmem_queue_start(self->sock, 9, &ring));
	ASSERT_EQ(0, genlmsg_parse(fake.request, 0, tb, VPMEM_A_QUEUE_MAX,
				   NULL));
	EXPECT_EQ(9, nla_get_u32(tb[VPMEM_A_QUEUE_DEV_ID]));
	EXPECT_EQ(64, nla_get_u32(tb[VPMEM_A_QUEUE_SIZE]));
	EXPECT_EQ(0x1000, nla_get_u64(tb[VPMEM_A_QUEUE_DESC]));
	EXPECT_EQ(0x2000, nla_get_u64(tb[VPMEM_A_QUEUE_AVAIL]));
	EXPECT_EQ(0x3000, nla_get_u64(tb[VPMEM_A_QUEUE_USED]));
	EXPECT_EQ(1ULL << 32, nla_get_u64(tb[VPMEM_A_QUEUE_FEATURES]));
	EXPECT_EQ(65535, nla_get_u16(tb[VPMEM_A_QUEUE_NEXT_AVAIL]));
	EXPECT_EQ(4, nla_get_u16(tb[VPMEM_A_QUEUE_NEXT_USED]));
}

TEST_F(lib, answer_without_reply_is_eproto)
{
	const struct vpmem_dev_config config = {};
	struct vpmem_dev_info info;
	uint32_t id = 42;

	fake.answer = answer_ok;
	EXPECT_EQ(-EPROTO, vpmem_dev_get(self->sock, 1, &info));
	EXPECT_EQ(-EPROTO, vpmem_dev_add(self->sock, &config, &id));
	EXPECT_EQ(42, id);
}

static int count_until_two(const struct vpmem_dev_info *info, void *arg)
{
	unsigned int *count = arg;

	return ++*count == 2 ? 123 : 0;
}

static int count_all(const struct vpmem_dev_info *info, void *arg)
{
	unsigned int *ids = arg;

	*ids = *ids * 10 + info->id;
	return 0;
}

TEST_F(lib, dump_walks_all_devices)
{
	unsigned int ids = 0;

	fake.answer = answer_dump;
	EXPECT_EQ(0, vpmem_dev_dump(self->sock, count_all, &ids));
	EXPECT_EQ(123, ids);
	EXPECT_EQ(NLM_F_DUMP, fake.request->nlmsg_flags & NLM_F_DUMP);
}

TEST_F(lib, dump_that_is_ended_early_leaves_nothing_behind)
{
	unsigned int count = 0;

	fake.answer = answer_dump;
	EXPECT_EQ(123, vpmem_dev_dump(self->sock, count_until_two, &count));
	EXPECT_EQ(2, count);
	fake.answer = answer_ok;
	EXPECT_EQ(0, vpmem_queue_stop(self->sock, 1));
	EXPECT_EQ(-EAGAIN, vpmem_event_next(self->sock, &self->event, 0));
}

TEST_F(lib, dump_tells_of_a_change_and_of_failure)
{
	unsigned int ids = 0;

	fake.answer = answer_changing_dump;
	EXPECT_EQ(-EINTR, vpmem_dev_dump(self->sock, count_all, &ids));
	EXPECT_EQ(1, ids);
	fake.answer = answer_failing_dump;
	EXPECT_EQ(-ENOMEM, vpmem_dev_dump(self->sock, count_all, &ids));
	EXPECT_STREQ(strerror(ENOMEM), vpmem_sock_error(self->sock));
}

/* Losses */

TEST_F(lib, lost_answer_is_enobufs_not_a_hang)
{
	fake.answer = answer_nothing;
	EXPECT_EQ(-ENOBUFS, vpmem_dev_del(self->sock, 1));
	fake.answer = answer_overrun;
	EXPECT_EQ(-ENOBUFS, vpmem_dev_del(self->sock, 1));
}

TEST_F(lib, device_whose_number_came_is_added_without_an_acknowledgment)
{
	const struct vpmem_dev_config config = { .name = "test" };
	uint32_t id = 0;

	fake.answer = answer_added;
	EXPECT_EQ(0, vpmem_dev_add(self->sock, &config, &id));
	EXPECT_EQ(3, id);
	EXPECT_STREQ(strerror(0), vpmem_sock_error(self->sock));
}

TEST_F(lib, overrun_does_not_break_a_command)
{
	fake.answer = answer_overrun_and_ok;
	EXPECT_EQ(0, vpmem_dev_del(self->sock, 1));
	ASSERT_EQ(0, vpmem_event_next(self->sock, &self->event, 0));
	EXPECT_EQ(1, self->event.id);
	EXPECT_EQ(-ENOBUFS, vpmem_event_next(self->sock, &self->event, 0));
	EXPECT_EQ(-EAGAIN, vpmem_event_next(self->sock, &self->event, 0));
}

TEST_F(lib, full_queue_of_events_tells_of_the_loss_in_its_place)
{
	unsigned int i;

	for (i = 1; i < 2 * VPMEM_EVENT_QUEUE_SIZE; i++)
		vpmem_event_push(&self->sock->events,
				 &(struct vpmem_event){ .id = i });
	for (i = 1; i < VPMEM_EVENT_QUEUE_SIZE; i++) {
		ASSERT_EQ(0, vpmem_event_next(self->sock, &self->event, 0));
		ASSERT_EQ(i, self->event.id);
	}
	vpmem_event_push(&self->sock->events, &(struct vpmem_event){ .id = 1 });
	EXPECT_EQ(-ENOBUFS, vpmem_event_next(self->sock, &self->event, 0));
	ASSERT_EQ(0, vpmem_event_next(self->sock, &self->event, 0));
	EXPECT_EQ(1, self->event.id);
	EXPECT_EQ(-EAGAIN, vpmem_event_next(self->sock, &self->event, 0));
}

/* Waiting */

TEST_F(lib, waiting_ends_at_the_timeout)
{
	EXPECT_EQ(-EAGAIN, vpmem_event_next(self->sock, &self->event, 20));
}

TEST_F(lib, unknown_event_is_passed_over)
{
	emit(make_dev(0, VPMEM_CMD_MAX + 1, 1, 0));
	emit(make_queue_event(VPMEM_CMD_QUEUE_STOPPED, 4, 0));
	ASSERT_EQ(0, vpmem_event_next(self->sock, &self->event, -1));
	EXPECT_EQ(4, self->event.id);
}

TEST_F(lib, unloading_is_told_after_the_last_event)
{
	struct nl_msg *msg = make(0, GENL_ID_CTRL, CTRL_CMD_DELFAMILY, 0);

	nla_put_u16(msg, CTRL_ATTR_FAMILY_ID, FAMILY + 1);
	emit(msg);
	EXPECT_EQ(-EAGAIN, vpmem_event_next(self->sock, &self->event, 0));
	msg = make(0, GENL_ID_CTRL, CTRL_CMD_DELFAMILY, 0);
	nla_put_u16(msg, CTRL_ATTR_FAMILY_ID, FAMILY);
	emit(msg);
	emit(make_dev(0, VPMEM_CMD_DEV_DELETED, 1, 0));
	EXPECT_EQ(0, vpmem_event_next(self->sock, &self->event, -1));
	EXPECT_EQ(-ENOENT, vpmem_event_next(self->sock, &self->event, -1));
}

/* Refusals */

static struct {
	const char *sentence;
	int outer;
	int inner;
	uint32_t missing;
} refusal;

static uint32_t find_offset(const struct nlmsghdr *request)
{
	struct nlattr *attr;

	attr = nlmsg_find_attr((struct nlmsghdr *)request, GENL_HDRLEN,
			       refusal.outer);
	if (attr && refusal.inner)
		attr = nla_find(nla_data(attr), nla_len(attr), refusal.inner);
	return attr ? (char *)attr - (char *)request : 0;
}

static void answer_refusal(const struct nlmsghdr *request)
{
	struct nl_msg *msg = make_error(request, -EINVAL, NLM_F_ACK_TLVS);

	if (refusal.sentence)
		nla_put_string(msg, NLMSGERR_ATTR_MSG, refusal.sentence);
	if (refusal.outer)
		nla_put_u32(msg, NLMSGERR_ATTR_OFFS, find_offset(request));
	if (refusal.missing)
		nla_put_u32(msg, NLMSGERR_ATTR_MISS_TYPE, refusal.missing);
	emit(msg);
}

#define expect_add_error(text) do {					\
	const struct vpmem_region region = {};				\
	const struct vpmem_dev_config config = {			\
		.regions = &region, .nr_regions = 1 };			\
	uint32_t id;							\
	fake.answer = answer_refusal;					\
	EXPECT_EQ(-EINVAL, vpmem_dev_add(self->sock, &config, &id));	\
	EXPECT_STREQ(text, vpmem_sock_error(self->sock));		\
} while (0)

TEST_F(lib, refusal_names_the_attribute)
{
	refusal.sentence = "it is bad";
	refusal.outer = VPMEM_A_DEV_CALL_FD;
	expect_add_error("it is bad (attribute call-fd)");
}

TEST_F(lib, refusal_names_the_nested_attribute)
{
	refusal.sentence = "it is bad";
	refusal.outer = VPMEM_A_DEV_REGION;
	expect_add_error("it is bad (attribute region)");
	refusal.inner = VPMEM_A_REGION_HVA;
	expect_add_error("it is bad (attribute region.hva)");
}

TEST_F(lib, refusal_names_the_missing_attribute)
{
	refusal.missing = VPMEM_A_DEV_KICK_FD;
	expect_add_error("Invalid argument (attribute kick-fd)");
	refusal.missing = 12345;
	expect_add_error("Invalid argument (attribute unknown)");
}

TEST_F(lib, refusal_of_a_queue_uses_the_names_of_its_set)
{
	const struct vpmem_queue_config ring = {};

	refusal.sentence = "it is misaligned";
	refusal.outer = VPMEM_A_QUEUE_AVAIL;
	fake.answer = answer_refusal;
	EXPECT_EQ(-EINVAL, vpmem_queue_start(self->sock, 1, &ring));
	EXPECT_STREQ("it is misaligned (attribute avail)",
		     vpmem_sock_error(self->sock));
}

TEST_F(lib, error_text_is_forgotten_by_the_next_success)
{
	refusal.sentence = "it is bad";
	expect_add_error("it is bad");
	fake.answer = answer_ok;
	EXPECT_EQ(0, vpmem_dev_del(self->sock, 1));
	EXPECT_STREQ("Success", vpmem_sock_error(self->sock));
}

/* Messages that no module should send. Copies on the heap end where they end. */

static struct nlmsghdr *copy(struct nl_msg *msg)
{
	size_t len = nlmsg_hdr(msg)->nlmsg_len;
	struct nlmsghdr *nlh = malloc(len);

	memcpy(nlh, nlmsg_hdr(msg), len);
	nlmsg_free(msg);
	return nlh;
}

static struct vpmem_dev_info parse(struct nl_msg *msg, int *err)
{
	struct nlmsghdr *nlh = copy(msg);
	struct vpmem_dev_info info;

	*err = vpmem_msg_parse_dev(nlh, &info);
	free(nlh);
	return info;
}

TEST(histogram_of_another_length)
{
	struct nl_msg *msg = make(1, FAMILY, VPMEM_CMD_DEV_GET, 0);
	struct vpmem_dev_info info;
	uint64_t sum = 0;
	int err, i;

	nla_put_u32(msg, VPMEM_A_DEV_ID, 1);
	put_stats(msg, 2);
	info = parse(msg, &err);
	EXPECT_EQ(0, err);
	EXPECT_EQ(2, info.stats.sync_hist[1]);
	EXPECT_EQ(0, info.stats.sync_hist[2]);
	msg = make(1, FAMILY, VPMEM_CMD_DEV_GET, 0);
	nla_put_u32(msg, VPMEM_A_DEV_ID, 1);
	put_stats(msg, VPMEM_HIST_BUCKETS + 2);
	info = parse(msg, &err);
	for (i = 0; i < VPMEM_HIST_BUCKETS; i++)
		sum += info.stats.sync_hist[i];
	EXPECT_EQ((VPMEM_HIST_BUCKETS + 2) * (VPMEM_HIST_BUCKETS + 3) / 2, sum);
}

TEST(odd_widths_and_unknown_attributes)
{
	struct nl_msg *msg = make(1, FAMILY, VPMEM_CMD_DEV_GET, 0);
	struct vpmem_dev_info info;
	int err;

	nla_put(msg, VPMEM_A_DEV_MAX + 1, 5, "later");
	nla_put_u64(msg, VPMEM_A_DEV_ID, 8);
	nla_put_u32(msg, VPMEM_A_DEV_LENGTH, 4096);
	nla_put(msg, VPMEM_A_DEV_OFFSET, 3, "abc");
	nla_put(msg, VPMEM_A_DEV_QUEUE, 0, NULL);
	nla_put(msg, VPMEM_A_DEV_STATS, 3, "abc");
	info = parse(msg, &err);
	EXPECT_EQ(0, err);
	EXPECT_EQ(8, info.id);
	EXPECT_EQ(4096, info.length);
	EXPECT_EQ(0, info.offset);
	EXPECT_EQ(0, info.stats.kicks);
}

TEST(name_without_end)
{
	char letters[2 * VPMEM_NAME_LEN];
	struct vpmem_dev_info info;
	struct nl_msg *msg;
	int err;

	memset(letters, 'a', sizeof(letters));
	msg = make(1, FAMILY, VPMEM_CMD_DEV_GET, 0);
	nla_put_u32(msg, VPMEM_A_DEV_ID, 1);
	nla_put(msg, VPMEM_A_DEV_NAME, 4, letters);
	info = parse(msg, &err);
	EXPECT_STREQ("aaaa", info.name);
	msg = make(1, FAMILY, VPMEM_CMD_DEV_GET, 0);
	nla_put_u32(msg, VPMEM_A_DEV_ID, 1);
	nla_put(msg, VPMEM_A_DEV_NAME, sizeof(letters), letters);
	info = parse(msg, &err);
	EXPECT_EQ(VPMEM_NAME_LEN - 1, strlen(info.name));
}

TEST(description_without_device_is_eproto)
{
	int err;

	parse(make(1, FAMILY, VPMEM_CMD_DEV_GET, 0), &err);
	EXPECT_EQ(-EPROTO, err);
}

static int reply_any(const struct nlmsghdr *nlh, void *arg)
{
	struct vpmem_dev_info info;

	return vpmem_msg_parse_dev(nlh, &info);
}

/* All that the receive path does with a datagram of @len bytes. */
static void feed(struct vpmem_sock *sock, const void *data, size_t len)
{
	static const struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
	} request = {
		.nlh = { .nlmsg_len = sizeof(request), .nlmsg_seq = 1 },
		.genl = { .cmd = VPMEM_CMD_DEV_ADD },
	};
	struct vpmem_call call = { .request = &request.nlh, .fn = reply_any };
	void *exact = malloc(len);

	memcpy(exact, data, len);
	vpmem_sock_input(sock, &call, exact, len);
	free(exact);
}

/* Every length, and every byte with some other values. */
static void distort(struct vpmem_sock *sock, struct nl_msg *msg)
{
	static const uint8_t values[] = { 0, 1, 2, 3, 4, 0x7f, 0x80, 0xff };
	struct nlmsghdr *nlh = copy(msg);
	size_t len = nlh->nlmsg_len;
	uint8_t *bytes = (uint8_t *)nlh;
	size_t i, j;
	uint8_t saved;

	for (i = 0; i <= len; i++) {
		feed(sock, bytes, i);
		nlh->nlmsg_len = i;
		feed(sock, bytes, i);
		nlh->nlmsg_len = len;
	}
	for (i = 0; i < len; i++) {
		saved = bytes[i];
		for (j = 0; j < sizeof(values); j++) {
			bytes[i] = values[j];
			feed(sock, bytes, len);
		}
		bytes[i] = saved;
	}
	free(nlh);
}

TEST_F(lib, distorted_messages_are_harmless)
{
	struct nlmsghdr request = { .nlmsg_seq = 1, .nlmsg_len = 20 };
	struct nl_msg *msg = make_error(&request, -EINVAL, NLM_F_ACK_TLVS);

	nla_put_string(msg, NLMSGERR_ATTR_MSG, "it is bad");
	nla_put_u32(msg, NLMSGERR_ATTR_OFFS, 20);
	distort(self->sock, msg);
	distort(self->sock, make_done(&request, -EIO));
	distort(self->sock, make_dev(1, VPMEM_CMD_DEV_GET, 1, 0));
	distort(self->sock, make_dev(0, VPMEM_CMD_DEV_ADDED, 1, 0));
	distort(self->sock, make_queue_event(VPMEM_CMD_QUEUE_STOPPED, 1, 1));
	/* The socket still works. */
	while (vpmem_event_next(self->sock, &self->event, 0) != -EAGAIN)
		;
	fake.answer = answer_ok;
	EXPECT_EQ(0, vpmem_dev_del(self->sock, 1));
}

/* Arithmetic and names */

TEST(percentiles)
{
	uint64_t hist[VPMEM_HIST_BUCKETS] = {};

	EXPECT_EQ(0, vpmem_hist_percentile(hist, 500));
	hist[0] = 1;
	EXPECT_EQ(1, vpmem_hist_percentile(hist, 1));
	EXPECT_EQ(1, vpmem_hist_percentile(hist, 1000));
	hist[0] = 0;
	hist[10] = 990;
	hist[20] = 10;
	EXPECT_EQ(2047, vpmem_hist_percentile(hist, 500));
	EXPECT_EQ(2047, vpmem_hist_percentile(hist, 990));
	EXPECT_EQ((2 << 20) - 1, vpmem_hist_percentile(hist, 991));
	hist[VPMEM_HIST_BUCKETS - 1] = UINT64_MAX;
	EXPECT_EQ((1ULL << VPMEM_HIST_BUCKETS) - 1,
		  vpmem_hist_percentile(hist, 500));
}

TEST(names)
{
	EXPECT_STREQ("sync-error", vpmem_event_name(VPMEM_EVENT_SYNC_ERROR));
	EXPECT_STREQ("unknown", vpmem_event_name(VPMEM_EVENT_SYNC_ERROR + 1));
	EXPECT_STREQ("broken",
		     vpmem_queue_state_name(VPMEM_QUEUE_STATE_BROKEN));
	EXPECT_STREQ("unknown", vpmem_queue_state_name(4));
	EXPECT_STREQ("worker", vpmem_exec_name(VPMEM_EXEC_WORKER));
	EXPECT_STREQ("unknown", vpmem_exec_name(-1));
	EXPECT_STREQ("report", vpmem_on_error_name(VPMEM_ON_ERROR_REPORT));
	EXPECT_STREQ("unknown", vpmem_on_error_name(2));
}

TEST_HARNESS_MAIN
