// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the module refuses: each wrong form of each attribute, with the errno
 * and the words, and everything left as it was.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "kselftest_harness.h"

#define VERSION_1	(1ull << 32)

FIXTURE(refuse) {
	struct driver drv;
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct vpmem_queue_config queue;
};

static int count_one(const struct vpmem_dev_info *info, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static unsigned int count_devices(struct driver *drv)
{
	unsigned int count = 0;

	return vpmem_dev_dump(drv->sock, count_one, &count) ? 0 : count;
}

FIXTURE_SETUP(refuse)
{
	ASSERT_EQ(0, driver_open(&self->drv));
	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	driver_config(&self->drv, &self->config, &self->region);
	driver_queue(&self->drv, &self->queue);
}

/* A refusal made no device and did not spoil the one that was there. */
FIXTURE_TEARDOWN(refuse)
{
	EXPECT_EQ(1, count_devices(&self->drv));
	EXPECT_EQ(0, driver_start(&self->drv));
	EXPECT_EQ(0, driver_sync_flush(&self->drv));
	driver_close(&self->drv);
}

#define EXPECT_REFUSED(err, words, call) do {				\
	EXPECT_EQ(-(err), (call));					\
	EXPECT_NE(NULL, strstr(vpmem_sock_error(self->drv.sock), words)) \
		TH_LOG("said: %s", vpmem_sock_error(self->drv.sock));	\
} while (0)

#define EXPECT_ADD_REFUSED(err, words) do {				\
	uint32_t _id = 0;						\
	EXPECT_REFUSED(err, words,					\
		       vpmem_dev_add(self->drv.sock, &self->config, &_id)); \
	EXPECT_EQ(0, _id);						\
} while (0)

#define EXPECT_START_REFUSED(err, words)				\
	EXPECT_REFUSED(err, words,					\
		       vpmem_queue_start(self->drv.sock, self->drv.id,	\
					 &self->queue))

TEST_F(refuse, name_too_long)
{
	char name[VPMEM_NAME_LEN + 1];

	memset(name, 'x', sizeof(name));
	name[VPMEM_NAME_LEN] = '\0';
	self->config.name = name;
	EXPECT_ADD_REFUSED(EINVAL, "name");
}

TEST_F(refuse, backing_that_is_no_descriptor)
{
	self->config.backing_fd = 9999;
	EXPECT_ADD_REFUSED(EBADF, "no open descriptor");
}

TEST_F(refuse, backing_that_is_no_file)
{
	self->config.backing_fd = self->drv.kick_fd;
	EXPECT_ADD_REFUSED(EINVAL, "neither a regular file");
}

TEST_F(refuse, backing_that_is_a_directory)
{
	self->config.backing_fd = open("/", O_RDONLY | O_DIRECTORY);
	EXPECT_ADD_REFUSED(EINVAL, "neither a regular file");
	close(self->config.backing_fd);
}

TEST_F(refuse, backing_that_cannot_be_synced)
{
	self->config.backing_fd = open("/proc/version", O_RDONLY);
	ASSERT_LE(0, self->config.backing_fd);
	EXPECT_ADD_REFUSED(EINVAL, "cannot be synced");
	close(self->config.backing_fd);
}

TEST_F(refuse, backing_not_open_for_writing)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->drv.file_fd);
	self->config.backing_fd = open(path, O_RDONLY);
	ASSERT_LE(0, self->config.backing_fd);
	EXPECT_ADD_REFUSED(EACCES, "not open for");
	close(self->config.backing_fd);
}

TEST_F(refuse, length_of_zero)
{
	self->config.length = 0;
	EXPECT_ADD_REFUSED(EINVAL, "length is 0");
}

TEST_F(refuse, length_past_the_end)
{
	self->config.length = DRIVER_FILE_SIZE + 1;
	EXPECT_ADD_REFUSED(EINVAL, "past the end");
}

TEST_F(refuse, offset_past_the_end)
{
	self->config.offset = DRIVER_FILE_SIZE;
	EXPECT_ADD_REFUSED(EINVAL, "past the end");
}

TEST_F(refuse, offset_and_length_that_wrap)
{
	self->config.offset = 4096;
	self->config.length = UINT64_MAX - 4095;
	EXPECT_ADD_REFUSED(EINVAL, "past the end");
}

TEST_F(refuse, unknown_flag)
{
	self->config.flags = 4;
	EXPECT_ADD_REFUSED(EINVAL, "flags");
}

TEST_F(refuse, unknown_exec)
{
	self->config.exec = 3;
	EXPECT_ADD_REFUSED(ERANGE, "exec");
}

TEST_F(refuse, unknown_on_error)
{
	self->config.on_error = 2;
	EXPECT_ADD_REFUSED(ERANGE, "on-error");
}

TEST_F(refuse, no_region)
{
	self->config.nr_regions = 0;
	EXPECT_ADD_REFUSED(EINVAL, "guest memory is missing");
}

TEST_F(refuse, empty_region)
{
	self->region.size = 0;
	EXPECT_ADD_REFUSED(EINVAL, "empty, wraps");
}

TEST_F(refuse, misaligned_region)
{
	self->region.gpa += 1;
	EXPECT_ADD_REFUSED(EINVAL, "page aligned");
	self->region.gpa -= 1;
	self->region.hva += 8;
	EXPECT_ADD_REFUSED(EINVAL, "page aligned");
	self->region.hva -= 8;
	self->region.size -= 2;
	EXPECT_ADD_REFUSED(EINVAL, "page aligned");
}

TEST_F(refuse, region_that_wraps)
{
	self->region.gpa = UINT64_MAX - 4095;
	self->region.size = 8192;
	EXPECT_ADD_REFUSED(EINVAL, "wraps");
}

TEST_F(refuse, region_in_the_kernel)
{
	self->region.hva = 0xffff888000000000ull;
	EXPECT_ADD_REFUSED(EFAULT, "not in user space");
}

TEST_F(refuse, overlapping_regions)
{
	struct vpmem_region regions[3] = {
		self->region, self->region, self->region,
	};

	regions[1].gpa += DRIVER_MEMORY_SIZE;
	regions[2].gpa += DRIVER_MEMORY_SIZE / 2;
	self->config.regions = regions;
	self->config.nr_regions = 3;
	EXPECT_ADD_REFUSED(EEXIST, "overlaps");
}

TEST_F(refuse, too_many_regions)
{
	static struct vpmem_region regions[VPMEM_REGIONS_MAX + 1];

	for (int i = 0; i <= VPMEM_REGIONS_MAX; i++) {
		regions[i] = self->region;
		regions[i].gpa += (uint64_t)i * DRIVER_MEMORY_SIZE;
	}
	self->config.regions = regions;
	self->config.nr_regions = VPMEM_REGIONS_MAX + 1;
	EXPECT_ADD_REFUSED(E2BIG, "too many");
	self->config.nr_regions = VPMEM_REGIONS_MAX;
	ASSERT_EQ(0, vpmem_dev_add(self->drv.sock, &self->config,
				   &self->drv.id));
	EXPECT_EQ(0, vpmem_dev_del(self->drv.sock, self->drv.id - 1));
}

TEST_F(refuse, kick_that_is_no_eventfd)
{
	self->config.kick_fd = self->drv.file_fd;
	EXPECT_ADD_REFUSED(EINVAL, "kick descriptor");
	self->config.kick_fd = 9999;
	EXPECT_ADD_REFUSED(EBADF, "kick descriptor");
}

TEST_F(refuse, call_that_is_no_eventfd)
{
	self->config.call_fd = self->drv.file_fd;
	EXPECT_ADD_REFUSED(EINVAL, "call descriptor");
	self->config.call_fd = 9999;
	EXPECT_ADD_REFUSED(EBADF, "call descriptor");
}

TEST_F(refuse, call_that_is_the_kick)
{
	self->config.call_fd = self->drv.kick_fd;
	EXPECT_ADD_REFUSED(EINVAL, "same eventfd");
}

TEST_F(refuse, device_zero)
{
	struct vpmem_dev_info info;

	EXPECT_REFUSED(ERANGE, "id", vpmem_dev_get(self->drv.sock, 0, &info));
	EXPECT_REFUSED(ERANGE, "id", vpmem_dev_del(self->drv.sock, 0));
}

TEST_F(refuse, device_that_is_not_there)
{
	struct vpmem_dev_change change = { 0 };
	struct vpmem_dev_info info;
	uint32_t id = self->drv.id + 1000;

	EXPECT_REFUSED(ENODEV, "no such device",
		       vpmem_dev_get(self->drv.sock, id, &info));
	EXPECT_REFUSED(ENODEV, "no such device",
		       vpmem_dev_del(self->drv.sock, id));
	EXPECT_REFUSED(ENODEV, "no such device",
		       vpmem_dev_set(self->drv.sock, id, &change));
	EXPECT_REFUSED(ENODEV, "no such device",
		       vpmem_queue_stop(self->drv.sock, id));
	EXPECT_REFUSED(ENODEV, "no such device",
		       vpmem_queue_start(self->drv.sock, id, &self->queue));
}

TEST_F(refuse, wrong_policy_in_set)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_EXEC | VPMEM_SET_ON_ERROR,
		.exec = VPMEM_EXEC_WORKER,
		.on_error = 9,
	};
	struct vpmem_dev_info info;

	EXPECT_REFUSED(ERANGE, "on-error",
		       vpmem_dev_set(self->drv.sock, self->drv.id, &change));
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(VPMEM_EXEC_AUTO, info.exec);
}

TEST_F(refuse, ring_size)
{
	self->queue.size = 0;
	EXPECT_START_REFUSED(ERANGE, "size");
	self->queue.size = 48;
	EXPECT_START_REFUSED(EINVAL, "power of two");
	self->queue.size = 2 * VPMEM_RING_SIZE_MAX;
	EXPECT_START_REFUSED(ERANGE, "size");
}

TEST_F(refuse, ring_parts_misaligned)
{
	self->queue.desc += 8;
	EXPECT_START_REFUSED(EINVAL, "misaligned");
	self->queue.desc -= 8;
	self->queue.avail += 1;
	EXPECT_START_REFUSED(EINVAL, "misaligned");
	self->queue.avail -= 1;
	self->queue.used += 2;
	EXPECT_START_REFUSED(EINVAL, "misaligned");
	self->queue.used -= 2;
}

TEST_F(refuse, ring_parts_outside_of_memory)
{
	uint64_t end = DRIVER_MEMORY_GPA + DRIVER_MEMORY_SIZE;
	struct vpmem_queue_config good = self->queue;

	self->queue.desc = DRIVER_MEMORY_GPA - 16;
	EXPECT_START_REFUSED(EFAULT, "not in guest memory");
	self->queue.desc = end - 16 * good.size + 16;
	EXPECT_START_REFUSED(EFAULT, "not in guest memory");
	self->queue.desc = UINT64_MAX - 15;
	EXPECT_START_REFUSED(EFAULT, "not in guest memory");
	self->queue = good;
	self->queue.avail = end - 4 - 2 * good.size + 2;
	EXPECT_START_REFUSED(EFAULT, "not in guest memory");
	self->queue = good;
	self->queue.used = end - 4 - 8 * good.size + 4;
	EXPECT_START_REFUSED(EFAULT, "not in guest memory");
}

TEST_F(refuse, features)
{
	self->queue.features = 0;
	EXPECT_START_REFUSED(EINVAL, "VERSION_1");
	self->queue.features = VERSION_1 | 1ull << 34;
	EXPECT_START_REFUSED(EOPNOTSUPP, "not supported");
}

TEST_F(refuse, start_of_a_running_queue)
{
	struct vpmem_event event;

	ASSERT_EQ(0, driver_start(&self->drv));
	EXPECT_START_REFUSED(EBUSY, "not stopped");
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
}

TEST_HARNESS_MAIN
