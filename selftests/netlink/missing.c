// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that lack an attribute, which the library would not send: each is
 * refused, and the answer says what is missing.
 */
#include "driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/vpmem.h>

#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "kselftest_harness.h"

#define FIELDS_MAX	8
#define NONE		(-1)

/* Attributes of a region, in the same numbers as those of the command. */
#define REGION(attr)	(0x1000 + (attr))

/** struct field - An attribute; @bytes of @value. */
struct field {
	int attr;
	int bytes;
	uint64_t value;
};

FIXTURE(missing) {
	struct driver drv;
	struct nl_sock *sock;
	int family;
};

FIXTURE_SETUP(missing)
{
	const int one = 1;

	ASSERT_EQ(0, driver_open(&self->drv));
	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	self->sock = nl_socket_alloc();
	ASSERT_EQ(0, genl_connect(self->sock));
	self->family = genl_ctrl_resolve(self->sock, VPMEM_GENL_NAME);
	ASSERT_LT(0, self->family);
	ASSERT_EQ(0, setsockopt(nl_socket_get_fd(self->sock), SOL_NETLINK,
				NETLINK_EXT_ACK, &one, sizeof(one)));
}

FIXTURE_TEARDOWN(missing)
{
	nl_socket_free(self->sock);
	driver_close(&self->drv);
}

/* Region fields come last, and go into a nest of their own. */
static void put_fields(struct nl_msg *msg, const struct field *fields, int nr,
		       int left_out)
{
	struct nlattr *nest = NULL;

	for (int i = 0; i < nr; i++) {
		int attr = fields[i].attr;

		if (attr == left_out)
			continue;
		if (attr >= REGION(0) && !nest)
			nest = nla_nest_start(msg, VPMEM_A_DEV_REGION |
						   NLA_F_NESTED);
		nla_put(msg, attr & ~REGION(0), fields[i].bytes,
			&fields[i].value);
	}
	if (nest)
		nla_nest_end(msg, nest);
}

/* The kernel's answer: its errno, and whether it says @text. */
static int take_answer(int fd, const char *text, bool *says)
{
	char buf[8192];
	int len;

	do {
		struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)buf;

		len = recv(fd, buf, sizeof(buf), 0);
		if (len >= (int)NLMSG_LENGTH(sizeof(struct nlmsgerr)) &&
		    nlh->nlmsg_type == NLMSG_ERROR) {
			*says = memmem(buf, len, text, strlen(text));
			return ((struct nlmsgerr *)NLMSG_DATA(nlh))->error;
		}
	} while (len > 0);
	return -EPROTO;
}

static int call(struct _test_data_missing *self, int cmd,
		const struct field *fields, int nr, int left_out,
		const char *text, bool *says)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, self->family, 0,
		    NLM_F_ACK, cmd, VPMEM_GENL_VERSION);
	put_fields(msg, fields, nr, left_out);
	nl_send_auto(self->sock, msg);
	nlmsg_free(msg);
	return take_answer(nl_socket_get_fd(self->sock), text, says);
}

static int dev_add_fields(const struct driver *drv, struct field *fields)
{
	const struct field all[] = {
		{ VPMEM_A_DEV_BACKING_FD, 4, drv->file_fd },
		{ VPMEM_A_DEV_LENGTH, 8, DRIVER_FILE_SIZE },
		{ VPMEM_A_DEV_KICK_FD, 4, drv->kick_fd },
		{ VPMEM_A_DEV_CALL_FD, 4, drv->call_fd },
		{ REGION(VPMEM_A_REGION_GPA), 8, DRIVER_MEMORY_GPA },
		{ REGION(VPMEM_A_REGION_SIZE), 8, DRIVER_MEMORY_SIZE },
		{ REGION(VPMEM_A_REGION_HVA), 8, (uintptr_t)drv->memory },
	};

	memcpy(fields, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}

static int queue_start_fields(uint32_t id, struct field *fields)
{
	const struct field all[] = {
		{ VPMEM_A_QUEUE_DEV_ID, 4, id },
		{ VPMEM_A_QUEUE_SIZE, 4, 64 },
		{ VPMEM_A_QUEUE_DESC, 8, DRIVER_MEMORY_GPA + DRIVER_DESC },
		{ VPMEM_A_QUEUE_AVAIL, 8, DRIVER_MEMORY_GPA + DRIVER_AVAIL },
		{ VPMEM_A_QUEUE_USED, 8, DRIVER_MEMORY_GPA + DRIVER_USED },
		{ VPMEM_A_QUEUE_FEATURES, 8, 1ull << 32 },
	};

	memcpy(fields, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}

TEST_F(missing, in_dev_add)
{
	struct field fields[FIELDS_MAX];
	int nr = dev_add_fields(&self->drv, fields);
	bool says;

	for (int i = 0; i < nr; i++) {
		bool is_region = fields[i].attr >= REGION(0);

		EXPECT_EQ(-EINVAL, call(self, VPMEM_CMD_DEV_ADD, fields, nr,
					fields[i].attr, is_region ?
					"needs gpa, size and hva" : "is missing",
					&says));
		EXPECT_TRUE(says) {
			TH_LOG("attribute %d", fields[i].attr);
		}
	}
	EXPECT_EQ(-EINVAL, call(self, VPMEM_CMD_DEV_ADD, fields, nr - 3, NONE,
				"the guest memory is missing", &says));
	EXPECT_TRUE(says);
	EXPECT_EQ(0, call(self, VPMEM_CMD_DEV_ADD, fields, nr, NONE, "", &says));
}

TEST_F(missing, in_queue_start)
{
	struct field fields[FIELDS_MAX];
	uint32_t id;
	int nr;
	bool says;

	/* A device of this socket: there is no other on it. */
	nr = dev_add_fields(&self->drv, fields);
	ASSERT_EQ(0, call(self, VPMEM_CMD_DEV_ADD, fields, nr, NONE, "", &says));
	id = self->drv.id + 1;
	nr = queue_start_fields(id, fields);
	for (int i = 0; i < nr; i++) {
		EXPECT_EQ(-EINVAL, call(self, VPMEM_CMD_QUEUE_START, fields, nr,
					fields[i].attr, "is missing", &says));
		EXPECT_TRUE(says) {
			TH_LOG("attribute %d", fields[i].attr);
		}
	}
	EXPECT_EQ(0, call(self, VPMEM_CMD_QUEUE_START, fields, nr, NONE, "",
			  &says));
}

TEST_F(missing, number_of_the_device)
{
	static const int cmds[] = {
		VPMEM_CMD_DEV_DEL, VPMEM_CMD_DEV_GET, VPMEM_CMD_DEV_SET,
		VPMEM_CMD_QUEUE_STOP,
	};
	bool says;

	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		EXPECT_EQ(-EINVAL, call(self, cmds[i], NULL, 0, NONE,
					"the device number is missing", &says));
		EXPECT_TRUE(says) {
			TH_LOG("command %d", cmds[i]);
		}
	}
}

TEST_F(missing, half_of_an_attribute_of_a_region)
{
	struct field fields[FIELDS_MAX];
	int nr = dev_add_fields(&self->drv, fields);
	bool says;

	fields[nr - 1].bytes = 4;
	EXPECT_GT(0, call(self, VPMEM_CMD_DEV_ADD, fields, nr, NONE, "", &says));
}

TEST_HARNESS_MAIN
