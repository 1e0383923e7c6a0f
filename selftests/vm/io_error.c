// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Disks that refuse writes, below guests: the guest's fsync fails, and goes on
 * to fail where errors stick, until an operator says otherwise; the owner is
 * told. At no time is a block acknowledged that is not on the disk: what the
 * guest says is compared with the disk at once, and nothing is written back
 * besides by flushes.
 *
 * One guest has four devices: both back ends with both error policies.
 */
#include "driver.h"
#include "pattern.h"
#include "vm.h"
#include "writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <linux/fs.h>

#include <vpmem/vpmem.h>

#include "kselftest_harness.h"

#define BOOT_S		200
#define LINE_S		60
#define SECTOR_SIZE	512
#define RAM		"/dev/ram1"
#define MOUNT		"/tmp/io_error"
#define GREP_ABORT	"dmesg | grep -q 'Aborting journal on device dm-0'"

/* Of a device; the guest writes to all of them in turn. */
#define PLACES		256
/* The guest knows the devices by their sizes: the first is the smallest. */
#define IMAGE_SECTORS(device)	(8192 + 4096 * (device))
#define DISK_SECTORS		131072

enum device {
	KERNEL_STICKY,
	KERNEL_REPORT,
	USER_STICKY,
	USER_REPORT,
	NR_DEVICES,
};

static const char *const options[NR_DEVICES] = {
	[KERNEL_STICKY] = "id=ks,flush=kernel",
	[KERNEL_REPORT] = "id=kr,flush=kernel,on-error=report",
	[USER_STICKY] = "id=us,flush=user",
	[USER_REPORT] = "id=ur,flush=user,on-error=report",
};

/* "dev0 ack 17": @error is 0 for what was acknowledged. */
struct result {
	int error;
	unsigned int number;
};

FIXTURE(io_error) {
	struct vm_test vm;
	struct vpmem_sock *sock;
	int ram_fd;
	off_t places[NR_DEVICES][PLACES];
};

FIXTURE_VARIANT(io_error) {
	const char *mkfs;
	bool has_journal;
};

FIXTURE_VARIANT_ADD(io_error, block_device) {
	.mkfs = NULL,
};

FIXTURE_VARIANT_ADD(io_error, ext4_without_journal) {
	.mkfs = "mkfs.ext4 -q -F -b 4096 -O ^has_journal",
};

FIXTURE_VARIANT_ADD(io_error, ext4_with_journal) {
	.mkfs = "mkfs.ext4 -q -F -b 4096",
	.has_journal = true,
};

static int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int run(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return system(command);
}

/* A disk for each device, or one for the file system that they are files of. */
static int nr_disks(const struct _fixture_variant_io_error *variant)
{
	return variant->mkfs ? 1 : NR_DEVICES;
}

static int disk_sectors(const struct _fixture_variant_io_error *variant, int i)
{
	return variant->mkfs ? DISK_SECTORS : IMAGE_SECTORS(i);
}

static int make_disks(const struct _fixture_variant_io_error *variant)
{
	int err = 0;

	for (int i = 0; i < nr_disks(variant); i++)
		err |= run("dmsetup create vpmem-io%d --table '0 %d linear " RAM
			   " %d'", i, disk_sectors(variant, i),
			   i * DISK_SECTORS);
	return err;
}

/* Lets writes fail, or succeed again. */
static int set_disks(const struct _fixture_variant_io_error *variant, bool is_good)
{
	int err = 0;

	for (int i = 0; i < nr_disks(variant); i++)
		err |= run("dmsetup suspend --noflush --nolockfs vpmem-io%d && "
			   "dmsetup load vpmem-io%d --table '0 %d %s " RAM
			   " %d %s' && dmsetup resume vpmem-io%d", i, i,
			   disk_sectors(variant, i),
			   is_good ? "linear" : "flakey", i * DISK_SECTORS,
			   is_good ? "" : "0 60 1 error_writes", i);
	return err;
}

static void path_of(const struct _fixture_variant_io_error *variant, int device,
		    char *path, size_t len)
{
	if (variant->mkfs)
		snprintf(path, len, MOUNT "/image%d", device);
	else
		snprintf(path, len, "/dev/mapper/vpmem-io%d", device);
}

/* Files of blocks that stay where they are. */
static int make_files(const struct _fixture_variant_io_error *variant)
{
	int err = run("%s /dev/mapper/vpmem-io0 && mkdir -p " MOUNT " && "
		      "mount -t ext4 /dev/mapper/vpmem-io0 " MOUNT,
		      variant->mkfs);

	for (int i = 0; !err && i < NR_DEVICES; i++)
		err = run("dd if=/dev/zero of=" MOUNT "/image%d bs=%d count=%d "
			  "conv=fsync 2>/dev/null", i, SECTOR_SIZE,
			  IMAGE_SECTORS(i));
	return err;
}

/* Where on the disk below each block of a device is. */
static int find_places(const struct _fixture_variant_io_error *variant, int device,
		       off_t *places)
{
	off_t start = (off_t)device * DISK_SECTORS * SECTOR_SIZE;
	int err = 0;
	char path[64];
	int fd, block;

	path_of(variant, device, path, sizeof(path));
	fd = open(path, O_RDONLY);
	for (int i = 0; i < PLACES; i++) {
		block = i;
		if (variant->mkfs)
			err |= ioctl(fd, FIBMAP, &block);
		places[i] = (variant->mkfs ? 0 : start) +
			    (off_t)block * PATTERN_BYTES;
	}
	close(fd);
	return err;
}

static int boot(struct _test_data_io_error *self,
		const struct _fixture_variant_io_error *variant)
{
	const char *args[2 * NR_DEVICES + 3] = { "--memory", "256M" };
	char pmem[NR_DEVICES][128];
	char command[32];

	for (int i = 0; i < NR_DEVICES; i++) {
		char path[64];

		path_of(variant, i, path, sizeof(path));
		snprintf(pmem[i], sizeof(pmem[i]), "path=%s,%s", path,
			 options[i]);
		args[2 * i + 2] = "--pmem";
		args[2 * i + 3] = pmem[i];
	}
	snprintf(command, sizeof(command), "pmem,persist,%d,%d", NR_DEVICES,
		 PLACES);
	return vm_start(&self->vm, command, NR_DEVICES, args);
}

FIXTURE_SETUP(io_error)
{
	/*
	 * Not 0: that means at once, for a disk that has written little so far.
	 * What is written behind the test's back fails behind its back, too.
	 */
	ASSERT_EQ(0, writeback_hourly());
	ASSERT_EQ(0, make_disks(variant));
	if (variant->mkfs)
		ASSERT_EQ(0, make_files(variant));
	self->ram_fd = open(RAM, O_RDONLY | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->ram_fd);
	for (int i = 0; i < NR_DEVICES; i++)
		ASSERT_EQ(0, find_places(variant, i, self->places[i]));
	ASSERT_EQ(0, vpmem_sock_create(&self->sock));
	ASSERT_EQ(0, vpmem_event_subscribe(self->sock));
	ASSERT_EQ(0, boot(self, variant));
	ASSERT_EQ(0, vm_expect(&self->vm, "L2: ready", BOOT_S));
}

FIXTURE_TEARDOWN(io_error)
{
	vm_end(&self->vm);
	vpmem_sock_destroy(self->sock);
	close(self->ram_fd);
	if (variant->mkfs)
		EXPECT_EQ(0, run("umount " MOUNT));
	for (int i = 0; i < nr_disks(variant); i++)
		EXPECT_EQ(0, run("dmsetup remove --retry vpmem-io%d", i));
	EXPECT_EQ(0, writeback_usual());
}

/* Since the guest has said so, it may have overwritten it with a later one. */
static bool is_on_disk(struct _test_data_io_error *self, int device,
		       unsigned int number)
{
	uint64_t block[PATTERN_WORDS] __attribute__((aligned(PATTERN_BYTES)));

	if (pread(self->ram_fd, block, sizeof(block),
		  self->places[device][number % PLACES]) != sizeof(block))
		return false;
	for (int round = 0; round < 4; round++)
		if (pattern_is(block, (device << 24) + number + round * PLACES))
			return true;
	return false;
}

/* A line that the VMM's own messages have cut in two is passed over. */
static bool next_result(struct _test_data_io_error *self, int device,
			struct result *result)
{
	char word[8], text[16];
	size_t start;

	snprintf(text, sizeof(text), "dev%d ", device);
	do {
		if (vm_expect(&self->vm, text, LINE_S))
			return false;
		start = self->vm.seen;
		if (vm_expect(&self->vm, "\n", LINE_S))
			return false;
	} while (sscanf(self->vm.text + start, "%7s %u", word,
			&result->number) != 2);
	result->error = strcmp(word, "ack") ? atoi(word) : 0;
	return true;
}

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/*
 * Waits until a device's blocks are acknowledged, or fail. Returns the number
 * of the first for which that is so; 0 if none is, or if one was acknowledged
 * without being on the disk.
 */
static unsigned int await(struct _test_data_io_error *self, int device, int error)
{
	time_t end = now_s() + LINE_S;
	struct result result;

	while (now_s() < end && next_result(self, device, &result)) {
		if (!result.error && !is_on_disk(self, device, result.number)) {
			fprintf(stderr, "# dev%d: block %u is not on the disk\n",
				device, result.number);
			return 0;
		}
		if (result.error == error)
			return result.number;
	}
	return 0;
}

/* Passes over what the guest said before; returns the last block's number. */
static unsigned int catch_up(struct _test_data_io_error *self)
{
	struct result result = { 0 };
	time_t end = now_s() + 3;

	while (now_s() < end && next_result(self, NR_DEVICES - 1, &result))
		;
	return result.number;
}

/* Whether of some more blocks those that are acknowledged are on the disk. */
static bool is_honest(struct _test_data_io_error *self, int device)
{
	struct result result;

	for (int i = 0; i < 10; i++)
		if (!next_result(self, device, &result) ||
		    (!result.error &&
		     !is_on_disk(self, device, result.number)))
			return false;
	return true;
}

/* Whether some more blocks with greater numbers all fail. */
static bool goes_on_to_fail(struct _test_data_io_error *self, int device,
			    unsigned int number)
{
	struct result result;
	int failed = 0;

	while (failed < 5 && next_result(self, device, &result)) {
		if (result.number <= number)
			continue;
		if (!result.error)
			return false;
		failed++;
	}
	return failed == 5;
}

struct search {
	const char *name;
	struct vpmem_dev_info info;
};

static int find_name(const struct vpmem_dev_info *info, void *arg)
{
	struct search *search = arg;

	if (!strcmp(info->name, search->name))
		search->info = *info;
	return 0;
}

static struct vpmem_dev_info info_of(struct _test_data_io_error *self,
				     const char *name)
{
	struct search search = { .name = name };

	vpmem_dev_dump(self->sock, find_name, &search);
	return search.info;
}

/* Waits for the event that a device's sync has failed; returns its errno. */
static int next_sync_error(struct _test_data_io_error *self, const char *name)
{
	struct vpmem_event event;

	while (!driver_next_event(self->sock, VPMEM_EVENT_SYNC_ERROR, &event,
				  LINE_S * 1000))
		if (!strcmp(event.name, name))
			return event.error;
	return 0;
}

static int clear_error(struct _test_data_io_error *self, const char *name)
{
	return run("vpmemctl clear-error %u", info_of(self, name).id);
}

TEST_F_TIMEOUT(io_error, no_block_is_acknowledged_that_is_not_on_the_disk, 600)
{
	unsigned int number;
	int i;

	for (i = 0; i < NR_DEVICES; i++)
		ASSERT_NE(0, await(self, i, 0));
	ASSERT_EQ(0, set_disks(variant, false));
	for (i = 0; i < NR_DEVICES; i++)
		ASSERT_NE(0, await(self, i, EIO));
	EXPECT_NE(0, next_sync_error(self, "ks"));
	EXPECT_TRUE(vm_has(&self->vm, "pmem us: sync of "));
	/*
	 * A file system that has lost its journal may write data or refuse to,
	 * as its version likes: the guest only has to hear what is true.
	 */
	if (variant->has_journal) {
		ASSERT_EQ(0, run("mkdir " MOUNT "/lost && sync; "
				 "mkdir " MOUNT "/no; " GREP_ABORT));
		ASSERT_EQ(0, set_disks(variant, true));
		number = catch_up(self);
		EXPECT_TRUE(goes_on_to_fail(self, KERNEL_STICKY, number));
		EXPECT_TRUE(goes_on_to_fail(self, USER_STICKY, number));
		ASSERT_EQ(0, clear_error(self, "ks"));
		catch_up(self);
		for (i = 0; i < NR_DEVICES; i++)
			EXPECT_TRUE(is_honest(self, i));
		return;
	}

	/* The disks are well again, as those show that may. */
	ASSERT_EQ(0, set_disks(variant, true));
	number = await(self, KERNEL_REPORT, 0);
	ASSERT_NE(0, number);
	ASSERT_NE(0, await(self, USER_REPORT, 0));
	EXPECT_TRUE(goes_on_to_fail(self, KERNEL_STICKY, number));
	EXPECT_TRUE(goes_on_to_fail(self, USER_STICKY, number));
	EXPECT_EQ(EIO, info_of(self, "ks").error);
	EXPECT_EQ(1, info_of(self, "ks").stats.sync_errors);
	EXPECT_EQ(0, info_of(self, "kr").error);

	ASSERT_EQ(0, clear_error(self, "ks"));
	number = await(self, KERNEL_STICKY, 0);
	ASSERT_NE(0, number);
	EXPECT_EQ(0, info_of(self, "ks").error);
	EXPECT_TRUE(goes_on_to_fail(self, USER_STICKY, number));
	ASSERT_NE(0, await(self, KERNEL_STICKY, 0));
}

TEST_HARNESS_MAIN
