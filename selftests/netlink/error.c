// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Syncs that fail: the guest learns it, the device remembers it, the owner is
 * told, an operator clears it. The errors are real ones, from a device-mapper
 * target that refuses writes.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define STATUS_OK	0
#define STATUS_FAIL	0xffffffffll

#define SECTORS		"16384"
#define GOOD		"0 " SECTORS " linear /dev/ram0 0"
#define BAD		"0 " SECTORS " flakey /dev/ram0 0 0 60 1 error_writes"
#define DEVICE		"/dev/mapper/vpmem-error"

FIXTURE(error) {
	struct driver drv;
	struct vpmem_sock *operator;
};

FIXTURE_VARIANT(error) {
	enum vpmem_exec exec;
};

FIXTURE_VARIANT_ADD(error, on_worker) {
	.exec = VPMEM_EXEC_WORKER,
};

FIXTURE_VARIANT_ADD(error, inline) {
	.exec = VPMEM_EXEC_INLINE,
};

static int set_table(const char *table)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "dmsetup suspend --noflush --nolockfs vpmem-error && "
		 "dmsetup load vpmem-error --table '%s' && "
		 "dmsetup resume vpmem-error", table);
	return system(command);
}

FIXTURE_SETUP(error)
{
	int fd;

	ASSERT_EQ(0, system("dmsetup create vpmem-error --table '" GOOD "'"));
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, driver_open_file(&self->drv, fd));
	ASSERT_EQ(0, vpmem_sock_create(&self->operator));
}

FIXTURE_TEARDOWN(error)
{
	driver_close(&self->drv);
	vpmem_sock_destroy(self->operator);
	EXPECT_EQ(0, system("dmsetup remove --retry vpmem-error"));
}

static int add_running(struct driver *drv, enum vpmem_exec exec,
		       enum vpmem_on_error on_error)
{
	struct vpmem_dev_config config;
	struct vpmem_region region;

	driver_config(drv, &config, &region);
	config.exec = exec;
	config.on_error = on_error;
	return vpmem_dev_add(drv->sock, &config, &drv->id) ?:
	       driver_start(drv);
}

/* A whole page, so that nothing has to be read first. */
static void make_dirty(struct driver *drv)
{
	static char page[4096];

	memset(page, 0x5a, sizeof(page));
	if (pwrite(drv->file_fd, page, sizeof(page), 0) != sizeof(page))
		perror("pwrite");
}

static struct vpmem_dev_info info_of(struct driver *drv)
{
	struct vpmem_dev_info info = { 0 };

	vpmem_dev_get(drv->sock, drv->id, &info);
	return info;
}

TEST_F(error, sticks_until_it_is_cleared)
{
	struct vpmem_dev_change change = { .present = VPMEM_SET_CLEAR_ERROR };
	struct vpmem_event event;

	ASSERT_EQ(0, add_running(&self->drv, variant->exec,
				 VPMEM_ON_ERROR_STICKY));
	make_dirty(&self->drv);
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	ASSERT_EQ(0, set_table(BAD));
	make_dirty(&self->drv);
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->drv));
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_SYNC_ERROR, &event, 5000));
	EXPECT_EQ(self->drv.id, event.id);
	EXPECT_EQ(EIO, event.error);
	EXPECT_STREQ("test", event.name);
	EXPECT_EQ(EIO, info_of(&self->drv).error);

	/* The disk is well again, but what it lost stays lost. */
	ASSERT_EQ(0, set_table(GOOD));
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->drv));
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->drv));
	EXPECT_EQ(2, info_of(&self->drv).stats.syncs);
	EXPECT_EQ(1, info_of(&self->drv).stats.sync_errors);
	EXPECT_EQ(3, info_of(&self->drv).stats.flush_errors);
	EXPECT_EQ(1, info_of(&self->drv).stats.flushes);
	EXPECT_EQ(-EAGAIN, driver_next_event(self->drv.sock,
					     VPMEM_EVENT_SYNC_ERROR, &event,
					     200));

	ASSERT_EQ(0, vpmem_dev_set(self->operator, self->drv.id, &change));
	EXPECT_EQ(0, info_of(&self->drv).error);
	make_dirty(&self->drv);
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

TEST_F(error, sticks_across_a_restart_of_the_queue)
{
	struct vpmem_event event;

	ASSERT_EQ(0, add_running(&self->drv, variant->exec,
				 VPMEM_ON_ERROR_STICKY));
	ASSERT_EQ(0, set_table(BAD));
	make_dirty(&self->drv);
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->drv));
	ASSERT_EQ(0, set_table(GOOD));
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	ASSERT_EQ(0, driver_start(&self->drv));
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->drv));
}

TEST_F(error, reported_to_its_batch_alone_if_so_wished)
{
	struct vpmem_event event;

	ASSERT_EQ(0, add_running(&self->drv, variant->exec,
				 VPMEM_ON_ERROR_REPORT));
	ASSERT_EQ(0, set_table(BAD));
	make_dirty(&self->drv);
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->drv));
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_SYNC_ERROR, &event, 5000));
	EXPECT_EQ(0, info_of(&self->drv).error);
	ASSERT_EQ(0, set_table(GOOD));
	make_dirty(&self->drv);
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

/* An open file tells its error once, and it was not the guest who heard. */
TEST_F(error, that_the_owner_was_told_is_told_to_the_guest)
{
	ASSERT_EQ(0, add_running(&self->drv, variant->exec,
				 VPMEM_ON_ERROR_REPORT));
	ASSERT_EQ(0, set_table(BAD));
	make_dirty(&self->drv);
	EXPECT_EQ(-1, fsync(self->drv.file_fd));
	ASSERT_EQ(0, set_table(GOOD));
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->drv));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

TEST_F(error, is_told_by_each_device_of_an_open_file)
{
	struct driver other;

	ASSERT_EQ(0, driver_open_file(&other, dup(self->drv.file_fd)));
	ASSERT_EQ(0, add_running(&self->drv, variant->exec,
				 VPMEM_ON_ERROR_REPORT));
	ASSERT_EQ(0, add_running(&other, variant->exec, VPMEM_ON_ERROR_REPORT));
	ASSERT_EQ(0, set_table(BAD));
	make_dirty(&self->drv);
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->drv));
	ASSERT_EQ(0, set_table(GOOD));
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&other));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&other));
	driver_close(&other);
}

TEST_F(error, fails_every_request_of_its_batch)
{
	uint32_t head, len;

	ASSERT_EQ(0, add_running(&self->drv, variant->exec,
				 VPMEM_ON_ERROR_STICKY));
	ASSERT_EQ(0, set_table(BAD));
	make_dirty(&self->drv);
	for (uint16_t slot = 0; slot < 8; slot++)
		driver_flush(&self->drv, slot);
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_wait(&self->drv, 8, 10000));
	for (uint16_t slot = 0; slot < 8; slot++) {
		ASSERT_TRUE(driver_used(&self->drv, &head, &len));
		EXPECT_EQ(4, len);
		EXPECT_EQ(STATUS_FAIL, driver_status(&self->drv, slot));
	}
	ASSERT_EQ(0, set_table(GOOD));
}

TEST_HARNESS_MAIN
