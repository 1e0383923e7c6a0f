// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What flushes cost, as the counters tell it: bytes that syncs wrote, and CPU
 * time. The backing is a RAM disk, whose pages the kernel writes back as those
 * of any disk.
 */
#include "driver.h"
#include "patience.h"
#include "writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/mount.h>

#include "kselftest_harness.h"

#define STATUS_OK	0
#define DISK		"/dev/ram3"
#define PAGE		4096
#define DAX_DISK	"/dev/pmem0"
#define DAX_FILE	"/mnt/file"
#define HUGE_PAGE	(2u << 20)

FIXTURE(account) {
	struct driver drv;
	struct vpmem_dev_config config;
	struct vpmem_region region;
};

FIXTURE_VARIANT(account) {
	enum vpmem_exec exec;
};

FIXTURE_VARIANT_ADD(account, on_worker) {
	.exec = VPMEM_EXEC_WORKER,
};

FIXTURE_VARIANT_ADD(account, inline) {
	.exec = VPMEM_EXEC_INLINE,
};

/* Of memory, from which on the kernel writes dirty pages back by itself. */
static int set_background_share(int percent)
{
	/* Half of the limit counts if that is less. */
	return writeback_sysctl("dirty_background_ratio", percent) ?:
	       writeback_sysctl("dirty_ratio", 2 * percent);
}

FIXTURE_SETUP(account)
{
	int fd = open(DISK, O_RDWR | O_CLOEXEC);

	ASSERT_EQ(0, set_background_share(50));
	ASSERT_EQ(0, writeback_hourly());
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, driver_open_file(&self->drv, fd));
	ASSERT_EQ(0, fsync(fd));
	driver_config(&self->drv, &self->config, &self->region);
	self->config.exec = variant->exec;
}

FIXTURE_TEARDOWN(account)
{
	driver_close(&self->drv);
	EXPECT_EQ(0, set_background_share(10));
}

static int add_running(struct driver *drv,
		       const struct vpmem_dev_config *config)
{
	return vpmem_dev_add(drv->sock, config, &drv->id) ?: driver_start(drv);
}

/* Whole pages, so that nothing has to be read first. */
static void make_dirty(struct driver *drv, off_t page_no, size_t pages)
{
	size_t bytes = pages * PAGE;
	char *data = malloc(bytes);

	memset(data, 0x5a, bytes);
	if (pwrite(drv->file_fd, data, bytes, PAGE * page_no) != (ssize_t)bytes)
		perror("pwrite");
	free(data);
}

/* Pages that a flush writes; or -1 if it fails. */
static long pages_of_a_flush(struct driver *drv)
{
	struct vpmem_dev_info before, after;

	if (vpmem_dev_get(drv->sock, drv->id, &before) ||
	    driver_sync_flush(drv) != STATUS_OK ||
	    vpmem_dev_get(drv->sock, drv->id, &after))
		return -1;
	return (after.stats.bytes_written - before.stats.bytes_written) / PAGE;
}

TEST_F(account, dirty_pages_are_counted_once)
{
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	EXPECT_EQ(0, pages_of_a_flush(&self->drv));
	make_dirty(&self->drv, 0, 1);
	EXPECT_EQ(1, pages_of_a_flush(&self->drv));
	EXPECT_EQ(0, pages_of_a_flush(&self->drv));
	make_dirty(&self->drv, 100, 300);
	make_dirty(&self->drv, 7, 1);
	EXPECT_EQ(301, pages_of_a_flush(&self->drv));
	EXPECT_EQ(0, pages_of_a_flush(&self->drv));
}

TEST_F(account, dirty_pages_of_others_are_not_counted)
{
	self->config.offset = 64 * PAGE;
	self->config.length = 64 * PAGE;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	make_dirty(&self->drv, 63, 1);
	make_dirty(&self->drv, 128, 1);
	EXPECT_EQ(0, pages_of_a_flush(&self->drv));
	make_dirty(&self->drv, 63, 66);
	EXPECT_EQ(64, pages_of_a_flush(&self->drv));
	ASSERT_EQ(0, fsync(self->drv.file_fd));
}

/* As a guest writes: through a mapping. */
TEST_F(account, pages_written_through_a_mapping_are_counted_each_time)
{
	volatile char *data = mmap(NULL, DRIVER_FILE_SIZE,
				   PROT_READ | PROT_WRITE, MAP_SHARED,
				   self->drv.file_fd, 0);

	ASSERT_NE(MAP_FAILED, (void *)data);
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	for (int round = 1; round <= 3; round++) {
		data[0] = round;
		data[5 * PAGE] = round;
		data[5 * PAGE + 1] = round;
		data[99 * PAGE] = round;
		EXPECT_EQ(3, pages_of_a_flush(&self->drv));
	}
	munmap((void *)data, DRIVER_FILE_SIZE);
}

/* More than are looked at in one go; a debug kernel takes long for each. */
TEST_F_TIMEOUT(account, many_pages_are_counted_to_the_last, 150)
{
	const size_t pages = patience() > 1 ? 6000 : 20000;

	self->config.length = pages * PAGE;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	make_dirty(&self->drv, 0, pages);
	EXPECT_EQ(pages, pages_of_a_flush(&self->drv));
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Flushes served inline are part of what this process is charged for. */
TEST(cpu_time_is_that_of_the_serving_thread)
{
	const int flushes = 5000;
	struct vpmem_dev_info info;
	struct driver drv;
	uint64_t cpu_ns;

	ASSERT_EQ(0, driver_open(&drv));
	ASSERT_EQ(0, driver_add(&drv, VPMEM_EXEC_INLINE));
	ASSERT_EQ(0, driver_start(&drv));
	cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < flushes; i++)
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&drv));
	cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	ASSERT_EQ(0, vpmem_dev_get(drv.sock, drv.id, &info));
	TH_LOG("%llu of %llu us", info.stats.cpu_ns / 1000ull, cpu_ns / 1000ull);
	EXPECT_LT(info.stats.cpu_ns, cpu_ns);
	EXPECT_GT(info.stats.cpu_ns, cpu_ns / 20);
	driver_close(&drv);
}

TEST_F(account, cpu_time_is_at_most_the_time_of_the_clock)
{
	struct vpmem_dev_info info;
	struct vpmem_event event;
	uint64_t wall_ns;

	wall_ns = now_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	for (int i = 0; i < 300; i++) {
		make_dirty(&self->drv, i % 64, 1);
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	}
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	wall_ns = now_ns(CLOCK_MONOTONIC) - wall_ns;
	TH_LOG("%llu of %llu us", info.stats.cpu_ns / 1000ull,
	       wall_ns / 1000ull);
	EXPECT_LT(info.stats.cpu_ns, wall_ns);
	EXPECT_GT(info.stats.cpu_ns, wall_ns / 50);
}

TEST(nothing_is_written_on_tmpfs)
{
	struct driver drv;

	ASSERT_EQ(0, driver_open(&drv));
	ASSERT_EQ(0, driver_add(&drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(0, driver_start(&drv));
	make_dirty(&drv, 0, 8);
	EXPECT_EQ(0, pages_of_a_flush(&drv));
	driver_close(&drv);
}

static int open_on_dax(void)
{
	int fd;

	if (system("mkfs.ext4 -q -F -b 4096 " DAX_DISK) ||
	    system("mount -t ext4 -o dax=always " DAX_DISK " /mnt"))
		return -1;
	fd = open(DAX_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* Large enough to have an aligned piece on the disk. */
	if (fd < 0 || posix_fallocate(fd, 0, 8 * HUGE_PAGE))
		return -1;
	return fd;
}

/* The kernel closes the module's file in its own time. */
static bool unmount_soon(const char *path)
{
	for (int i = 0; i < 100; i++) {
		if (!umount(path))
			return true;
		usleep(100000);
	}
	return false;
}

/* Huge pages are single entries, of which a device may have a part only. */
TEST(huge_entries_of_dax_count_in_full)
{
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct driver drv;
	char *data;
	int fd;

	if (access(DAX_DISK, F_OK))
		SKIP(return, "no " DAX_DISK);
	fd = open_on_dax();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, driver_open_file(&drv, fd));
	driver_config(&drv, &config, &region);
	config.offset = 4 * HUGE_PAGE + PAGE;
	config.length = 3 * HUGE_PAGE;
	ASSERT_EQ(0, add_running(&drv, &config));
	data = mmap(NULL, 8 * HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)data);
	ASSERT_EQ(0, fsync(fd));
	data[4 * HUGE_PAGE] = 1;
	EXPECT_EQ(511, pages_of_a_flush(&drv)) {
		TH_LOG("no huge page was mapped, or it was counted wrongly");
	}
	data[5 * HUGE_PAGE + 12345] = 1;
	EXPECT_EQ(512, pages_of_a_flush(&drv));
	data[7 * HUGE_PAGE] = 1;
	EXPECT_EQ(1, pages_of_a_flush(&drv));
	data[3 * HUGE_PAGE] = 1;
	EXPECT_EQ(0, pages_of_a_flush(&drv));
	munmap(data, 8 * HUGE_PAGE);
	driver_close(&drv);
	EXPECT_TRUE(unmount_soon("/mnt"));
}

TEST_HARNESS_MAIN
