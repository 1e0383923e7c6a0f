// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A sync that hangs: the ack rule, and that nobody has to wait for it who does
 * not want to. The disk is a suspended device-mapper device.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"

#define STATUS_OK	0
#define STATUS_FAIL	0xffffffffu
#define STATUS_UNSET	0xa5a5a5a5u

#define DEVICE		"/dev/mapper/vpmem-slow"
#define CREATE		"dmsetup create vpmem-slow --table '0 16384 linear /dev/ram1 0'"
#define SUSPEND		"dmsetup suspend --noflush --nolockfs vpmem-slow"
#define RESUME		"dmsetup resume vpmem-slow"
#define TABLE(target)	"dmsetup load vpmem-slow --table '0 16384 " target "'"
#define GOOD		"linear /dev/ram1 0"
#define BAD		"flakey /dev/ram1 0 0 60 1 error_writes"

FIXTURE(slow) {
	struct driver drv;
	struct vpmem_sock *watcher;
};

FIXTURE_SETUP(slow)
{
	int fd;

	ASSERT_EQ(0, system(CREATE));
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, driver_open_file(&self->drv, fd));
	ASSERT_EQ(0, vpmem_sock_create(&self->watcher));
	ASSERT_EQ(0, vpmem_event_subscribe(self->watcher));
	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_WORKER));
	ASSERT_EQ(0, driver_start(&self->drv));
}

FIXTURE_TEARDOWN(slow)
{
	system(RESUME);
	driver_close(&self->drv);
	vpmem_sock_destroy(self->watcher);
	EXPECT_EQ(0, system("dmsetup remove --retry vpmem-slow"));
}

static void make_dirty(struct driver *drv, off_t page_no)
{
	static char page[4096];

	memset(page, 0x5a, sizeof(page));
	if (pwrite(drv->file_fd, page, sizeof(page), 4096 * page_no) !=
	    sizeof(page))
		perror("pwrite");
}

static struct vpmem_stats stats_of(struct driver *drv)
{
	struct vpmem_dev_info info = { 0 };

	vpmem_dev_get(drv->sock, drv->id, &info);
	return info.stats;
}

/* Leaves a flush in a sync that does not end. */
static void hang_flush(struct driver *drv, uint16_t slot)
{
	system(SUSPEND);
	make_dirty(drv, slot);
	driver_flush(drv, slot);
	driver_kick(drv);
	usleep(300000);
}

TEST_F(slow, request_that_comes_during_a_sync_gets_its_own)
{
	uint32_t head, len;

	hang_flush(&self->drv, 0);
	make_dirty(&self->drv, 1);
	driver_flush(&self->drv, 1);
	driver_kick(&self->drv);
	usleep(300000);
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 0));
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 1));
	ASSERT_EQ(0, system(RESUME));
	ASSERT_EQ(0, driver_wait(&self->drv, 2, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 0));
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 1));
	EXPECT_EQ(2, stats_of(&self->drv).syncs);
	EXPECT_EQ(2, stats_of(&self->drv).batches);
}

TEST_F(slow, time_asleep_is_no_cpu_time)
{
	struct vpmem_stats stats;

	hang_flush(&self->drv, 0);
	ASSERT_EQ(0, system(RESUME));
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	/* Counted by the server before it leaves, after the completion. */
	for (int i = 0; i < 100 && !stats_of(&self->drv).cpu_ns; i++)
		usleep(10000);
	stats = stats_of(&self->drv);
	EXPECT_LT(200000000, stats.sync_ns);
	EXPECT_LT(0, stats.cpu_ns);
	EXPECT_GT(stats.sync_ns / 4, stats.cpu_ns);
}

TEST_F(slow, queue_stops_at_once_and_the_request_is_served_after_a_restart)
{
	struct vpmem_queue_config queue;
	struct vpmem_event event;
	uint32_t head, len;

	hang_flush(&self->drv, 0);
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	EXPECT_EQ(0, event.next_avail);
	EXPECT_EQ(0, event.next_used);
	memset(self->drv.memory + DRIVER_USED, 0xee, 64);
	ASSERT_EQ(0, system(RESUME));
	usleep(500000);
	/* The sync has ended, and nothing was written. */
	for (int i = 0; i < 64; i++)
		ASSERT_EQ(0xee, self->drv.memory[DRIVER_USED + i]);
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 0));
	memset(self->drv.memory + DRIVER_USED, 0, 64);
	driver_queue(&self->drv, &queue);
	ASSERT_EQ(0, vpmem_queue_start(self->drv.sock, self->drv.id, &queue));
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 0));
	EXPECT_EQ(1, stats_of(&self->drv).flushes);
}

/* Not even where errors do not stick. */
TEST_F(slow, error_of_a_sync_is_not_lost_with_its_queue)
{
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_ON_ERROR,
		.on_error = VPMEM_ON_ERROR_REPORT,
	};
	struct vpmem_event event;
	uint32_t head, len;

	ASSERT_EQ(0, vpmem_dev_set(self->drv.sock, self->drv.id, &change));
	hang_flush(&self->drv, 0);
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	ASSERT_EQ(0, system(TABLE(BAD) " && " RESUME));
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_SYNC_ERROR, &event, 5000));
	ASSERT_EQ(0, system(SUSPEND " && " TABLE(GOOD) " && " RESUME));
	/* The request is taken again, and its sync succeeds. */
	ASSERT_EQ(0, driver_start(&self->drv));
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(STATUS_FAIL, driver_status(&self->drv, 0));
	EXPECT_EQ(2, stats_of(&self->drv).syncs);
	EXPECT_EQ(1, stats_of(&self->drv).sync_errors);
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

/* Where the rings are, and not the requests. */
TEST_F(slow, memory_that_is_taken_away_during_a_sync_is_not_written)
{
	const struct vpmem_region rings = {
		.gpa = DRIVER_MEMORY_GPA,
		.size = DRIVER_REQUESTS,
		.hva = (uintptr_t)self->drv.memory,
	};
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_REGIONS,
		.regions = &rings,
		.nr_regions = 1,
	};
	uint32_t head, len;

	hang_flush(&self->drv, 0);
	ASSERT_EQ(0, vpmem_dev_set(self->drv.sock, self->drv.id, &change));
	ASSERT_EQ(0, system(RESUME));
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(0, len);
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 0));
	EXPECT_EQ(1, stats_of(&self->drv).no_status);
}

/* What is there instead could be success to a driver, so nothing is shown. */
TEST_F(slow, error_that_has_no_place_breaks_the_queue)
{
	struct vpmem_region regions = {
		.gpa = DRIVER_MEMORY_GPA,
		.size = DRIVER_REQUESTS,
		.hva = (uintptr_t)self->drv.memory,
	};
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_REGIONS | VPMEM_SET_ON_ERROR,
		.regions = &regions,
		.nr_regions = 1,
		.on_error = VPMEM_ON_ERROR_REPORT,
	};
	struct vpmem_event event;
	uint32_t head, len;

	hang_flush(&self->drv, 0);
	ASSERT_EQ(0, vpmem_dev_set(self->drv.sock, self->drv.id, &change));
	ASSERT_EQ(0, system(TABLE(BAD) " && " RESUME));
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_QUEUE_BROKEN, &event,
				       10000));
	EXPECT_EQ(0, event.next_avail);
	EXPECT_EQ(0, event.next_used);
	EXPECT_FALSE(driver_used(&self->drv, &head, &len));
	ASSERT_EQ(0, system(SUSPEND " && " TABLE(GOOD) " && " RESUME));
	/* From there it is answered with the error, though its sync succeeds. */
	regions.size = DRIVER_MEMORY_SIZE;
	ASSERT_EQ(0, vpmem_dev_set(self->drv.sock, self->drv.id, &change));
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	EXPECT_EQ(0, event.next_avail);
	EXPECT_EQ(0, event.next_used);
	ASSERT_EQ(0, driver_start(&self->drv));
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	EXPECT_EQ(STATUS_FAIL, driver_status(&self->drv, 0));
	EXPECT_EQ(1, stats_of(&self->drv).sync_errors);
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

TEST_F(slow, ring_that_is_gone_when_a_sync_ends_breaks_the_queue)
{
	struct vpmem_event event;

	hang_flush(&self->drv, 0);
	ASSERT_EQ(0, munmap(self->drv.memory, DRIVER_MEMORY_SIZE));
	ASSERT_EQ(0, system(RESUME));
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_QUEUE_BROKEN, &event,
				       10000));
	EXPECT_EQ(0, event.next_avail);
	EXPECT_EQ(1, stats_of(&self->drv).ring_errors);
}

/* An unload waits for the sync, but lets nobody in meanwhile. */
TEST_F(slow, module_that_goes_takes_no_more_devices)
{
	struct driver other;
	pid_t pid;
	int err;

	ASSERT_EQ(0, driver_open(&other));
	hang_flush(&self->drv, 0);
	pid = fork();
	if (!pid)
		_exit(system("rmmod vpmem"));
	do {
		err = driver_add(&other, VPMEM_EXEC_WORKER);
	} while (!err);
	EXPECT_EQ(-ESHUTDOWN, err);
	ASSERT_EQ(0, system(RESUME));
	ASSERT_EQ(pid, waitpid(pid, &err, 0));
	EXPECT_EQ(0, err);
	driver_close(&other);
	ASSERT_EQ(0, system("insmod /lib/vpmem/vpmem.ko"));
}

TEST_F(slow, commands_of_others_go_on)
{
	struct driver other;

	hang_flush(&self->drv, 0);
	ASSERT_EQ(0, vpmem_dev_del(self->drv.sock, self->drv.id));
	ASSERT_EQ(0, driver_open(&other));
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, driver_add(&other, VPMEM_EXEC_WORKER));
	ASSERT_EQ(0, driver_start(&other));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&other));
	driver_close(&other);
}

static void own_a_hanging_flush(int ready_fd)
{
	struct driver drv;
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 || driver_open_file(&drv, fd) ||
	    driver_add(&drv, VPMEM_EXEC_WORKER) || driver_start(&drv))
		_exit(1);
	hang_flush(&drv, 2);
	if (write(ready_fd, &drv.id, sizeof(drv.id)) != sizeof(drv.id))
		_exit(1);
	pause();
	_exit(0);
}

TEST_F(slow, killed_owner_is_gone_before_its_sync_is)
{
	struct vpmem_event event;
	int fds[2];
	int status;
	uint32_t id;
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	if (!pid)
		own_a_hanging_flush(fds[1]);
	ASSERT_EQ((ssize_t)sizeof(id), read(fds[0], &id, sizeof(id)));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	/* The sync hangs still: this returns all the same. */
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(-EAGAIN, driver_next_event(self->watcher,
					     VPMEM_EVENT_DEV_DELETED, &event,
					     300));
	ASSERT_EQ(0, system(RESUME));
	ASSERT_EQ(0, driver_next_event(self->watcher, VPMEM_EVENT_DEV_DELETED,
				       &event, 10000));
	EXPECT_EQ(id, event.id);
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
