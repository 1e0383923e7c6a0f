// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Write-behind: what is dirty is written before a flush asks for it, and only
 * then; its errors are the next flush's; nobody waits for it. The disk is a
 * device-mapper device, which counts what is written, fails and hangs.
 */
#include "driver.h"
#include "patience.h"
#include "writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <linux/loop.h>

#include "kselftest_harness.h"

#define STATUS_OK	0
#define STATUS_FAIL	0xffffffffll
#define STATUS_UNSET	0xa5a5a5a5u

#define NAME		"vpmem-behind"
#define DEVICE		"/dev/mapper/" NAME
#define SECTORS		"16384"
#define GOOD		"0 " SECTORS " linear /dev/ram1 0"
#define BAD		"0 " SECTORS " flakey /dev/ram1 0 0 60 1 error_writes"
#define SUSPEND		"dmsetup suspend --noflush --nolockfs " NAME
#define RESUME		"dmsetup resume " NAME

#define PAGE		4096
#define PAGES		(DRIVER_FILE_SIZE / PAGE)
/* What may be dirty, in pages. */
#define ENOUGH		64
/* In this time a file is looked at more than once. */
#define QUIET_MS	1500

struct behind {
	struct driver drv;
	struct vpmem_dev_config config;
	struct vpmem_region region;
	volatile char *data;
};

FIXTURE(behind) {
	struct behind b;
	struct vpmem_sock *watcher;
};

/* With a policy of ENOUGH pages, which a test may alter before it adds it. */
static int open_device(struct behind *b, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int err = fd < 0 ? -errno : driver_open_file(&b->drv, fd);

	if (err)
		return err;
	b->data = mmap(NULL, DRIVER_FILE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);
	if (b->data == MAP_FAILED)
		return -errno;
	/* A disk that is suspended later could not be read. */
	for (unsigned int i = 0; i < PAGES; i++)
		(void)b->data[i * PAGE];
	driver_config(&b->drv, &b->config, &b->region);
	b->config.exec = VPMEM_EXEC_WORKER;
	b->config.write_behind = ENOUGH * PAGE;
	return 0;
}

static void close_device(struct behind *b)
{
	munmap((void *)b->data, DRIVER_FILE_SIZE);
	driver_close(&b->drv);
}

FIXTURE_SETUP(behind)
{
	ASSERT_EQ(0, writeback_hourly());
	ASSERT_EQ(0, system("dmsetup create " NAME " --table '" GOOD "'"));
	ASSERT_EQ(0, open_device(&self->b, DEVICE));
	ASSERT_EQ(0, vpmem_sock_create(&self->watcher));
	ASSERT_EQ(0, vpmem_event_subscribe(self->watcher));
}

FIXTURE_TEARDOWN(behind)
{
	system(RESUME);
	close_device(&self->b);
	vpmem_sock_destroy(self->watcher);
	EXPECT_EQ(0, system("dmsetup remove --retry " NAME));
}

static int add_running(struct behind *b)
{
	return vpmem_dev_add(b->drv.sock, &b->config, &b->drv.id) ?:
	       driver_start(&b->drv);
}

static struct vpmem_dev_info info_of(struct behind *b)
{
	struct vpmem_dev_info info = { 0 };

	vpmem_dev_get(b->drv.sock, b->drv.id, &info);
	return info;
}

static int set(struct vpmem_sock *sock, uint32_t id, uint64_t bytes)
{
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_WRITE_BEHIND,
		.write_behind = bytes,
	};

	return vpmem_dev_set(sock, id, &change);
}

/* As a guest does: through a mapping. */
static void make_dirty(struct behind *b, unsigned int page_no,
		       unsigned int pages, unsigned int step)
{
	static char value;

	value++;
	for (unsigned int i = 0; i < pages; i++)
		b->data[(page_no + i * step) * PAGE] = value;
}

/* Times that it was written behind, once it is that often. */
static uint64_t wait_behind(struct behind *b, uint64_t times)
{
	for (unsigned int i = 0; i < 500 * patience() &&
	     info_of(b).stats.write_behinds < times; i++)
		usleep(10000);
	return info_of(b).stats.write_behinds;
}

/* Until the look that wrote, or a later one, has given all to the disk. */
static void wait_look(struct behind *b)
{
	uint64_t cpu_ns = info_of(b).stats.write_behind_cpu_ns;

	for (unsigned int i = 0; i < 500 * patience() &&
	     info_of(b).stats.write_behind_cpu_ns == cpu_ns; i++)
		usleep(10000);
}

static uint64_t behind_after_a_while(struct behind *b)
{
	usleep(QUIET_MS * 1000);
	return info_of(b).stats.write_behinds;
}

/* Pages that the disk was given to write so far, as it says. */
static unsigned long pages_written(void)
{
	unsigned long sectors = 0;
	struct stat stat_buf;
	char path[64];
	FILE *file;

	if (stat(DEVICE, &stat_buf))
		return 0;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat",
		 major(stat_buf.st_rdev), minor(stat_buf.st_rdev));
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %*u %*u %*u %*u %*u %lu", &sectors) != 1)
		perror(path);
	fclose(file);
	return sectors / (PAGE / 512);
}

static bool wait_written(unsigned long pages)
{
	for (unsigned int i = 0; i < 500 * patience() &&
	     pages_written() < pages; i++)
		usleep(10000);
	return pages_written() == pages;
}

static int set_table(const char *table)
{
	char command[256];

	snprintf(command, sizeof(command),
		 SUSPEND " && dmsetup load " NAME " --table '%s' && " RESUME,
		 table);
	return system(command);
}

/* Attributes */

TEST_F(behind, is_shown_and_changed)
{
	struct vpmem_sock *sock = self->b.drv.sock;
	uint32_t id;

	self->b.config.write_behind = 0;
	ASSERT_EQ(0, vpmem_dev_add(sock, &self->b.config, &self->b.drv.id));
	id = self->b.drv.id;
	EXPECT_EQ(0, info_of(&self->b).write_behind);
	EXPECT_EQ(0, set(sock, id, VPMEM_WRITE_BEHIND_MIN));
	EXPECT_EQ(VPMEM_WRITE_BEHIND_MIN, info_of(&self->b).write_behind);
	EXPECT_EQ(0, set(self->watcher, id, UINT64_MAX));
	EXPECT_EQ(UINT64_MAX, info_of(&self->b).write_behind);
	EXPECT_EQ(0, set(sock, id, 0));
	EXPECT_EQ(0, info_of(&self->b).write_behind);
}

TEST_F(behind, too_little_is_refused_and_nothing_changed)
{
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_WRITE_BEHIND | VPMEM_SET_ON_ERROR,
		.write_behind = 1,
		.on_error = VPMEM_ON_ERROR_REPORT,
	};
	struct vpmem_sock *sock = self->b.drv.sock;

	self->b.config.write_behind = VPMEM_WRITE_BEHIND_MIN - 1;
	EXPECT_EQ(-ERANGE, vpmem_dev_add(sock, &self->b.config,
					 &self->b.drv.id));
	EXPECT_STREQ("a write-behind is 0 or at least 65536 bytes "
		     "(attribute write-behind)", vpmem_sock_error(sock));
	self->b.config.write_behind = 1 << 20;
	ASSERT_EQ(0, vpmem_dev_add(sock, &self->b.config, &self->b.drv.id));
	EXPECT_EQ(-ERANGE, vpmem_dev_set(sock, self->b.drv.id, &change));
	EXPECT_STREQ("a write-behind is 0 or at least 65536 bytes "
		     "(attribute write-behind)", vpmem_sock_error(sock));
	EXPECT_EQ(1 << 20, info_of(&self->b).write_behind);
	EXPECT_EQ(VPMEM_ON_ERROR_STICKY, info_of(&self->b).on_error);
}

TEST_F(behind, device_that_is_not_written_is_refused)
{
	static const uint32_t flags[] = { VPMEM_DEV_FLAGS_READ_ONLY,
					  VPMEM_DEV_FLAGS_DISCARD_WRITES };
	struct vpmem_sock *sock = self->b.drv.sock;

	for (int i = 0; i < 2; i++) {
		self->b.config.flags = flags[i];
		self->b.config.write_behind = ENOUGH * PAGE;
		EXPECT_EQ(-EINVAL, vpmem_dev_add(sock, &self->b.config,
						 &self->b.drv.id));
		EXPECT_STREQ("the guest's writes do not go to the file: nothing "
			     "to write behind (attribute write-behind)",
			     vpmem_sock_error(sock));
		self->b.config.write_behind = 0;
		ASSERT_EQ(0, vpmem_dev_add(sock, &self->b.config,
					   &self->b.drv.id));
		EXPECT_EQ(-EINVAL, set(sock, self->b.drv.id, ENOUGH * PAGE));
		EXPECT_EQ(0, set(sock, self->b.drv.id, 0));
	}
}

/* When it writes, and what */

TEST_F(behind, file_is_written_once_enough_is_dirty)
{
	unsigned long before = pages_written();
	struct vpmem_dev_info info;

	ASSERT_EQ(0, add_running(&self->b));
	make_dirty(&self->b, 0, ENOUGH - 1, 1);
	EXPECT_EQ(0, behind_after_a_while(&self->b));
	EXPECT_EQ(before, pages_written());
	make_dirty(&self->b, PAGES - 1, 1, 1);
	EXPECT_EQ(1, wait_behind(&self->b, 1));
	EXPECT_TRUE(wait_written(before + ENOUGH));
	EXPECT_EQ(1, behind_after_a_while(&self->b));
	info = info_of(&self->b);
	EXPECT_EQ(ENOUGH * PAGE, info.stats.write_behind_bytes);
	EXPECT_EQ(0, info.stats.bytes_written);
	EXPECT_EQ(0, info.stats.syncs);
	EXPECT_LT(0, info.stats.write_behind_cpu_ns);
	EXPECT_GT(60ull * 1000000000, info.stats.write_behind_cpu_ns);
	/* Nothing is left for the flush to write, and it syncs all the same. */
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->b.drv));
	info = info_of(&self->b);
	EXPECT_EQ(0, info.stats.bytes_written);
	EXPECT_EQ(1, info.stats.syncs);
	EXPECT_EQ(before + ENOUGH, pages_written());
}

TEST_F(behind, goes_on_as_long_as_the_guest_writes)
{
	unsigned long before = pages_written();

	ASSERT_EQ(0, add_running(&self->b));
	for (int i = 1; i <= 5; i++) {
		make_dirty(&self->b, i * ENOUGH, ENOUGH, 1);
		EXPECT_EQ(i, wait_behind(&self->b, i));
		/* What is dirtied meanwhile may be written along. */
		EXPECT_TRUE(wait_written(before + i * ENOUGH));
	}
}

TEST_F(behind, nothing_is_written_without_it)
{
	unsigned long before = pages_written();

	self->b.config.write_behind = 0;
	ASSERT_EQ(0, add_running(&self->b));
	make_dirty(&self->b, 0, PAGES, 1);
	EXPECT_EQ(0, behind_after_a_while(&self->b));
	EXPECT_EQ(before, pages_written());
	ASSERT_EQ(0, set(self->watcher, self->b.drv.id, PAGES * PAGE));
	EXPECT_EQ(1, wait_behind(&self->b, 1));
	EXPECT_TRUE(wait_written(before + PAGES));
	ASSERT_EQ(0, set(self->watcher, self->b.drv.id, 0));
	make_dirty(&self->b, 0, PAGES, 1);
	EXPECT_EQ(1, behind_after_a_while(&self->b));
	EXPECT_EQ(before + PAGES, pages_written());
}

TEST_F(behind, nothing_is_written_while_the_queue_is_stopped)
{
	unsigned long before = pages_written();
	struct vpmem_event event;

	ASSERT_EQ(0, vpmem_dev_add(self->b.drv.sock, &self->b.config,
				   &self->b.drv.id));
	make_dirty(&self->b, 0, ENOUGH, 1);
	EXPECT_EQ(0, behind_after_a_while(&self->b));
	EXPECT_EQ(before, pages_written());
	ASSERT_EQ(0, driver_start(&self->b.drv));
	EXPECT_EQ(1, wait_behind(&self->b, 1));
	wait_look(&self->b);
	ASSERT_EQ(0, driver_stop(&self->b.drv, &event));
	make_dirty(&self->b, 0, ENOUGH, 1);
	EXPECT_EQ(1, behind_after_a_while(&self->b));
	ASSERT_EQ(0, driver_start(&self->b.drv));
	EXPECT_EQ(2, wait_behind(&self->b, 2));
}

TEST_F(behind, dirty_pages_of_others_stay)
{
	unsigned long before = pages_written();

	self->b.config.offset = 100 * PAGE;
	self->b.config.length = 200 * PAGE;
	ASSERT_EQ(0, add_running(&self->b));
	make_dirty(&self->b, 0, 100, 1);
	make_dirty(&self->b, 300, 100, 1);
	EXPECT_EQ(0, behind_after_a_while(&self->b));
	make_dirty(&self->b, 200, ENOUGH, 1);
	EXPECT_EQ(1, wait_behind(&self->b, 1));
	EXPECT_TRUE(wait_written(before + ENOUGH));
	EXPECT_EQ(1, behind_after_a_while(&self->b));
	EXPECT_EQ(before + ENOUGH, pages_written());
	ASSERT_EQ(0, fsync(self->b.drv.file_fd));
}

/* To start that again and again would write nothing, and be counted. */
TEST_F(behind, pages_that_are_being_written_do_not_count)
{
	unsigned long before = pages_written();

	ASSERT_EQ(0, add_running(&self->b));
	ASSERT_EQ(0, system(SUSPEND));
	make_dirty(&self->b, 0, ENOUGH, 1);
	EXPECT_EQ(1, wait_behind(&self->b, 1));
	wait_look(&self->b);
	make_dirty(&self->b, 0, ENOUGH, 1);
	EXPECT_EQ(1, behind_after_a_while(&self->b));
	ASSERT_EQ(0, system(RESUME));
	EXPECT_EQ(2, wait_behind(&self->b, 2));
	EXPECT_TRUE(wait_written(before + 2 * ENOUGH));
}

TEST_F(behind, counts_against_the_limit)
{
	self->b.config.bytes_limit = (struct vpmem_limit){ 1, 1 };
	ASSERT_EQ(0, add_running(&self->b));
	make_dirty(&self->b, 0, ENOUGH, 1);
	EXPECT_EQ(1, wait_behind(&self->b, 1));
	wait_look(&self->b);
	make_dirty(&self->b, 0, 2 * ENOUGH, 1);
	EXPECT_EQ(1, behind_after_a_while(&self->b));
	driver_flush(&self->b.drv, 0);
	driver_kick(&self->b.drv);
	usleep(QUIET_MS * 1000);
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->b.drv, 0));
	EXPECT_EQ(1, info_of(&self->b).stats.throttled);
}

TEST_F(behind, has_no_effect_without_a_disk)
{
	struct vpmem_dev_info info = { 0 };
	struct driver drv;
	struct vpmem_dev_config config;
	struct vpmem_region region;
	char *data;

	ASSERT_EQ(0, driver_open(&drv));
	driver_config(&drv, &config, &region);
	config.write_behind = ENOUGH * PAGE;
	ASSERT_EQ(0, vpmem_dev_add(drv.sock, &config, &drv.id));
	ASSERT_EQ(0, driver_start(&drv));
	data = mmap(NULL, DRIVER_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    drv.file_fd, 0);
	memset(data, 1, DRIVER_FILE_SIZE);
	usleep(QUIET_MS * 1000);
	ASSERT_EQ(0, vpmem_dev_get(drv.sock, drv.id, &info));
	EXPECT_EQ(ENOUGH * PAGE, info.write_behind);
	EXPECT_EQ(0, info.stats.write_behinds);
	munmap(data, DRIVER_FILE_SIZE);
	driver_close(&drv);
}

/* The kernel closes the module's file in its own time. */
static bool unmount_soon(const char *path)
{
	for (unsigned int i = 0; i < 100 * patience(); i++) {
		if (!umount(path))
			return true;
		usleep(100000);
	}
	return false;
}

TEST_F(behind, file_of_a_file_system)
{
	unsigned long before;
	struct behind b;
	int fd;

	ASSERT_EQ(0, system("mkfs.ext4 -q -F -b 4096 " DEVICE));
	ASSERT_EQ(0, mount(DEVICE, "/mnt", "ext4", MS_NOATIME, NULL));
	fd = open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, DRIVER_FILE_SIZE));
	close(fd);
	ASSERT_EQ(0, open_device(&b, "/mnt/file"));
	ASSERT_EQ(0, add_running(&b));
	sync();
	before = pages_written();
	make_dirty(&b, 0, ENOUGH, 4);
	EXPECT_EQ(1, wait_behind(&b, 1));
	EXPECT_EQ(ENOUGH * PAGE, info_of(&b).stats.write_behind_bytes);
	wait_look(&b);
	/* The journal may come on top. */
	wait_written(before + ENOUGH);
	EXPECT_LE(before + ENOUGH, pages_written());
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&b.drv));
	EXPECT_EQ(0, info_of(&b).stats.bytes_written);
	close_device(&b);
	EXPECT_TRUE(unmount_soon("/mnt"));
}

/* Errors */

TEST_F(behind, error_is_told_by_the_next_flush)
{
	struct vpmem_event event;

	ASSERT_EQ(0, add_running(&self->b));
	ASSERT_EQ(0, set_table(BAD));
	make_dirty(&self->b, 0, ENOUGH, 1);
	EXPECT_EQ(1, wait_behind(&self->b, 1));
	/* The pages are clean then, and the disk is well again. */
	EXPECT_EQ(1, behind_after_a_while(&self->b));
	ASSERT_EQ(0, set_table(GOOD));
	EXPECT_EQ(0, info_of(&self->b).error);
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->b.drv));
	ASSERT_EQ(0, driver_next_event(self->watcher, VPMEM_EVENT_SYNC_ERROR,
				       &event, 5000));
	EXPECT_EQ(EIO, event.error);
	EXPECT_EQ(EIO, info_of(&self->b).error);
	EXPECT_EQ(STATUS_FAIL, driver_sync_flush(&self->b.drv));
	EXPECT_EQ(1, info_of(&self->b).stats.sync_errors);
}

TEST_F(behind, nothing_is_written_while_an_error_sticks)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_ERROR,
		.error = EIO,
	};
	unsigned long before = pages_written();

	ASSERT_EQ(0, add_running(&self->b));
	ASSERT_EQ(0, vpmem_dev_set(self->watcher, self->b.drv.id, &change));
	make_dirty(&self->b, 0, ENOUGH, 1);
	EXPECT_EQ(0, behind_after_a_while(&self->b));
	EXPECT_EQ(before, pages_written());
	change.present = VPMEM_SET_CLEAR_ERROR;
	ASSERT_EQ(0, vpmem_dev_set(self->watcher, self->b.drv.id, &change));
	EXPECT_EQ(1, wait_behind(&self->b, 1));
}

/* The end */

static int wait_deleted(struct vpmem_sock *watcher, int timeout_ms)
{
	struct vpmem_event event;

	return driver_next_event(watcher, VPMEM_EVENT_DEV_DELETED, &event,
				 timeout_ms);
}

/* Timing them all, so that looks at the file and the end meet. */
TEST_F(behind, stops_and_deletions_race_with_looks)
{
	struct vpmem_event event;

	for (int i = 0; i < 60; i++) {
		ASSERT_EQ(0, add_running(&self->b));
		make_dirty(&self->b, 0, ENOUGH, 1);
		usleep(90000 + 1000 * (i % 20));
		ASSERT_EQ(0, set(self->b.drv.sock, self->b.drv.id,
				 i % 3 ? ENOUGH * PAGE : 0));
		if (i % 2)
			ASSERT_EQ(0, driver_stop(&self->b.drv, &event));
		ASSERT_EQ(0, vpmem_dev_del(self->b.drv.sock, self->b.drv.id));
		ASSERT_EQ(0, wait_deleted(self->watcher, 10000));
	}
}

TEST_F(behind, module_goes_while_it_looks)
{
	ASSERT_EQ(0, add_running(&self->b));
	make_dirty(&self->b, 0, ENOUGH - 1, 1);
	usleep(300000);
	EXPECT_EQ(0, system("rmmod vpmem"));
	EXPECT_EQ(0, system("insmod /lib/vpmem/vpmem.ko"));
}

/* A disk that holds up who submits: a loop device has room for 128 requests. */
FIXTURE(hang) {
	char loop[32];
	struct behind b;
	struct vpmem_sock *watcher;
};

static int attach_loop(char *path, size_t size)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int disk = open(DEVICE, O_RDWR | O_CLOEXEC);
	int loop, err;

	snprintf(path, size, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	loop = open(path, O_RDWR | O_CLOEXEC);
	err = ioctl(loop, LOOP_SET_FD, disk) ||
	      ioctl(loop, LOOP_SET_DIRECT_IO, 1) ? -errno : 0;
	close(loop);
	close(disk);
	close(control);
	return err;
}

FIXTURE_SETUP(hang)
{
	ASSERT_EQ(0, system("dmsetup create " NAME " --table '" GOOD "'"));
	ASSERT_EQ(0, attach_loop(self->loop, sizeof(self->loop)));
	ASSERT_EQ(0, open_device(&self->b, self->loop));
	ASSERT_EQ(0, vpmem_sock_create(&self->watcher));
	ASSERT_EQ(0, vpmem_event_subscribe(self->watcher));
}

FIXTURE_TEARDOWN(hang)
{
	int fd;

	system(RESUME);
	close_device(&self->b);
	vpmem_sock_destroy(self->watcher);
	fd = open(self->loop, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, ioctl(fd, LOOP_CLR_FD, 0));
	close(fd);
	EXPECT_EQ(0, system("dmsetup remove --retry " NAME));
}

/* Leaves the module in the midst of submitting more than there is room for. */
static int hang_writing(struct behind *b)
{
	if (add_running(b) || system(SUSPEND))
		return -1;
	make_dirty(b, 0, PAGES / 2, 2);
	if (wait_behind(b, 1) != 1)
		return -1;
	usleep(300000);
	return 0;
}

TEST_F(hang, writing_that_hangs_holds_up_nothing)
{
	struct vpmem_event event;
	struct driver other;

	ASSERT_EQ(0, hang_writing(&self->b));
	ASSERT_EQ(0, driver_open(&other));
	ASSERT_EQ(0, driver_add(&other, VPMEM_EXEC_WORKER));
	ASSERT_EQ(0, driver_start(&other));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&other));
	driver_close(&other);
	EXPECT_EQ(0, wait_deleted(self->watcher, 5000));
	EXPECT_EQ(0, set(self->b.drv.sock, self->b.drv.id, 1 << 20));
	EXPECT_EQ(0, driver_stop(&self->b.drv, &event));
	EXPECT_EQ(0, driver_start(&self->b.drv));
	ASSERT_EQ(0, vpmem_dev_del(self->b.drv.sock, self->b.drv.id));
	/* It hangs still, or this would come. */
	EXPECT_EQ(-EAGAIN, wait_deleted(self->watcher, 1000));
	ASSERT_EQ(0, system(RESUME));
	EXPECT_EQ(0, wait_deleted(self->watcher, 10000));
}

static void own_writing_that_hangs(const char *path, int ready_fd)
{
	struct behind b;

	if (open_device(&b, path) || hang_writing(&b))
		_exit(1);
	if (write(ready_fd, &b.drv.id, sizeof(b.drv.id)) != sizeof(b.drv.id))
		_exit(1);
	pause();
	_exit(0);
}

TEST_F(hang, killed_owner_is_gone_before_its_writing_is)
{
	int fds[2];
	int status;
	uint32_t id;
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	if (!pid)
		own_writing_that_hangs(self->loop, fds[1]);
	close(fds[1]);
	ASSERT_EQ((ssize_t)sizeof(id), read(fds[0], &id, sizeof(id)));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(-EAGAIN, wait_deleted(self->watcher, 300));
	ASSERT_EQ(0, system(RESUME));
	EXPECT_EQ(0, wait_deleted(self->watcher, 10000));
	close(fds[0]);
}

TEST_F(hang, unload_waits_for_the_writing_and_no_longer)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, hang_writing(&self->b));
	pid = fork();
	if (!pid)
		_exit(system("rmmod vpmem"));
	usleep(500000);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	ASSERT_EQ(0, system(RESUME));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, system("insmod /lib/vpmem/vpmem.ko"));
}

TEST_HARNESS_MAIN
