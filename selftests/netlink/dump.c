// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A list of devices that is cut into messages wherever a reader's buffer wants
 * it: no device is left out, told twice or told by halves. The library's buffer
 * has one size only, so that netlink is spoken here without it.
 */
#include "driver.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/vpmem.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "kselftest_harness.h"

#define DEVICES		12

/* The kernel's first message takes no notice of the buffer, and is less. */
#define BUFFER_MIN	4096

/* More than a device takes in a message. */
#define BUFFER_RANGE	2048

FIXTURE(dump) {
	struct driver drv;
	uint32_t ids[DEVICES];
	int family;
};

static int resolve_family(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	int family = genl_connect(sock);

	if (!family)
		family = genl_ctrl_resolve(sock, VPMEM_GENL_NAME);
	nl_socket_free(sock);
	return family;
}

FIXTURE_SETUP(dump)
{
	self->family = resolve_family();
	ASSERT_LT(0, self->family);
	ASSERT_EQ(0, driver_open(&self->drv));
	for (int i = 0; i < DEVICES; i++) {
		ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
		self->ids[i] = self->drv.id;
	}
}

FIXTURE_TEARDOWN(dump)
{
	driver_close(&self->drv);
}

static int send_dump(int fd, int family)
{
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
	} request = {
		.nlh = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = family,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.genl = { .cmd = VPMEM_CMD_DEV_GET, .version = 1 },
	};

	return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

/**
 * struct listing - What a dump has told.
 * @count: devices
 * @ids: their numbers, the first ones
 * @len: bytes of the first device's message
 * @nr_short: messages that lack what comes last in a device's
 * @is_done: it came to its end
 */
struct listing {
	unsigned int count;
	uint32_t ids[DEVICES];
	uint32_t len;
	unsigned int nr_short;
	bool is_done;
};

static void take_device(struct nlmsghdr *nlh, struct listing *listing)
{
	struct nlattr *id = nlmsg_find_attr(nlh, GENL_HDRLEN, VPMEM_A_DEV_ID);
	struct nlattr *stats = nlmsg_find_attr(nlh, GENL_HDRLEN,
					       VPMEM_A_DEV_STATS);

	if (!listing->count)
		listing->len = nlh->nlmsg_len;
	listing->nr_short += nlh->nlmsg_len != listing->len || !id || !stats;
	if (id && listing->count < DEVICES)
		listing->ids[listing->count] = nla_get_u32(id);
	listing->count++;
}

static int read_dump(int fd, size_t size, struct listing *listing)
{
	static char buffer[BUFFER_MIN + BUFFER_RANGE]
		__attribute__((aligned(NLMSG_ALIGNTO)));

	while (!listing->is_done) {
		int len = recv(fd, buffer, size, MSG_TRUNC);
		struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)buffer;

		if (len < 0 || (size_t)len > size)
			return len < 0 ? -errno : -EMSGSIZE;
		for (; nlmsg_ok(nlh, len); nlh = nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return -EPROTO;
			if (nlh->nlmsg_type == NLMSG_DONE)
				listing->is_done = true;
			else
				take_device(nlh, listing);
		}
	}
	return 0;
}

/* A new socket: the kernel remembers the largest buffer that one had. */
static int dump(int family, size_t size, struct listing *listing)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int err = send_dump(fd, family);

	*listing = (struct listing) { 0 };
	err = err ?: read_dump(fd, size, listing);
	close(fd);
	return err;
}

TEST_F(dump, every_device_is_told_once_and_whole)
{
	struct listing listing;

	for (size_t more = 0; more < BUFFER_RANGE; more += 8) {
		ASSERT_EQ(0, dump(self->family, BUFFER_MIN + more, &listing));
		ASSERT_EQ(DEVICES, listing.count);
		ASSERT_EQ(0, listing.nr_short);
		ASSERT_GT(BUFFER_RANGE, listing.len);
		for (int i = 0; i < DEVICES; i++)
			ASSERT_EQ(self->ids[i], listing.ids[i]);
	}
}

TEST_HARNESS_MAIN
