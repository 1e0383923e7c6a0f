// SPDX-License-Identifier: GPL-2.0-or-later
/* Files behind pmem devices: which are taken, how they are mapped and locked. */
#include "backing.h"
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "kselftest_harness.h"

FIXTURE(backing) {
	char dir[64];
	char path[96];
	struct backing b;
};

FIXTURE_SETUP(backing)
{
	snprintf(self->dir, sizeof(self->dir), "/tmp/backing-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/file", self->dir);
}

FIXTURE_TEARDOWN(backing)
{
	unlink(self->path);
	rmdir(self->dir);
}

static void make(struct __test_metadata *_metadata, const char *path, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, size));
	close(fd);
}

static int open_as(struct backing *b, const char *path, bool read_only,
		   bool discard_writes)
{
	const struct backing_config config = {
		.path = path,
		.read_only = read_only,
		.discard_writes = discard_writes,
	};

	return backing_open(b, &config);
}

static int open_rw(struct backing *b, const char *path)
{
	return open_as(b, path, false, false);
}

static bool is_on_tmpfs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == TMPFS_MAGIC;
}

static char *at(const struct backing *b, uint64_t offset)
{
	return (char *)b->hva + offset;
}

TEST_F(backing, missing_file_is_refused)
{
	EXPECT_EQ(-ENOENT, open_rw(&self->b, self->path));
	EXPECT_EQ(-1, self->b.fd);
	EXPECT_EQ(NULL, self->b.hva);
}

TEST_F(backing, empty_file_is_refused)
{
	make(_metadata, self->path, 0);
	EXPECT_EQ(-EINVAL, open_rw(&self->b, self->path));
}

TEST_F(backing, directory_is_refused)
{
	EXPECT_EQ(-EISDIR, open_rw(&self->b, self->dir));
	EXPECT_EQ(-EISDIR, open_as(&self->b, self->dir, true, false));
}

TEST_F(backing, other_kinds_are_refused)
{
	EXPECT_EQ(-EINVAL, open_as(&self->b, "/dev/zero", true, false));
	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_EQ(-EINVAL, open_rw(&self->b, self->path));
}

TEST_F(backing, odd_size_is_refused_for_writing_only)
{
	make(_metadata, self->path, 4097);
	EXPECT_EQ(-EINVAL, open_rw(&self->b, self->path));
	ASSERT_EQ(0, open_as(&self->b, self->path, true, false));
	EXPECT_EQ(4097, self->b.file_bytes);
	EXPECT_EQ(8192, self->b.map_bytes);
	backing_close(&self->b);
	ASSERT_EQ(0, open_as(&self->b, self->path, false, true));
	backing_close(&self->b);
}

TEST_F(backing, no_permission_is_refused)
{
	make(_metadata, self->path, 4096);
	ASSERT_EQ(0, chmod(self->path, 0400));
	if (geteuid() == 0)
		ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-EACCES, open_rw(&self->b, self->path));
	if (getuid() == 0)
		ASSERT_EQ(0, seteuid(0));
}

TEST_F(backing, aligned_file_has_no_tail)
{
	make(_metadata, self->path, 2 * MIB);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	EXPECT_EQ(2 * MIB, self->b.region_bytes);
	EXPECT_EQ(0, backing_tail_bytes(&self->b));
	EXPECT_EQ(0, (uintptr_t)self->b.hva % LAYOUT_PMEM_ALIGN);
	EXPECT_TRUE(backing_writes_reach_file(&self->b));
	backing_close(&self->b);
}

TEST_F(backing, tail_is_zeros_behind_the_file)
{
	uint64_t i;

	make(_metadata, self->path, 2 * MIB + 4096);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	EXPECT_EQ(4 * MIB, self->b.region_bytes);
	EXPECT_EQ(2 * MIB - 4096, backing_tail_bytes(&self->b));
	EXPECT_EQ(0, (uintptr_t)self->b.hva % LAYOUT_PMEM_ALIGN);
	for (i = self->b.map_bytes; i < self->b.region_bytes; i += 4096)
		EXPECT_EQ(0, *at(&self->b, i));
	backing_close(&self->b);
}

/* Without a signal: the kernel cannot store there either. */
static bool is_writable(const struct backing *b, uint64_t offset)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	bool is_ok = read(fd, at(b, offset), 1) == 1;

	close(fd);
	return is_ok;
}

TEST_F(backing, tail_cannot_be_written)
{
	make(_metadata, self->path, 4096);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	EXPECT_TRUE(is_writable(&self->b, 4095));
	EXPECT_FALSE(is_writable(&self->b, 4096));
	EXPECT_FALSE(is_writable(&self->b, self->b.region_bytes - 1));
	backing_close(&self->b);
}

TEST_F(backing, read_only_cannot_be_written)
{
	make(_metadata, self->path, 4096);
	ASSERT_EQ(0, open_as(&self->b, self->path, true, false));
	EXPECT_FALSE(is_writable(&self->b, 0));
	EXPECT_FALSE(is_writable(&self->b, 4096));
	EXPECT_EQ(0, backing_sync(&self->b));
	backing_close(&self->b);
}

static char first_byte(const char *path)
{
	char byte = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (read(fd, &byte, 1) != 1)
		byte = -1;
	close(fd);
	return byte;
}

TEST_F(backing, writes_reach_the_file)
{
	make(_metadata, self->path, 4096);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	*at(&self->b, 0) = 42;
	EXPECT_EQ(0, backing_sync(&self->b));
	backing_close(&self->b);
	EXPECT_EQ(42, first_byte(self->path));
}

TEST_F(backing, discarded_writes_do_not)
{
	make(_metadata, self->path, 5000);
	ASSERT_EQ(0, open_as(&self->b, self->path, false, true));
	EXPECT_FALSE(backing_writes_reach_file(&self->b));
	*at(&self->b, 0) = 42;
	*at(&self->b, self->b.region_bytes - 1) = 43;
	EXPECT_EQ(42, *at(&self->b, 0));
	EXPECT_EQ(0, backing_sync(&self->b));
	backing_close(&self->b);
	EXPECT_EQ(0, first_byte(self->path));
}

TEST_F(backing, second_writer_is_refused)
{
	struct backing other;

	make(_metadata, self->path, 4096);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	EXPECT_EQ(-EAGAIN, open_rw(&other, self->path));
	EXPECT_EQ(-EAGAIN, open_as(&other, self->path, true, false));
	EXPECT_EQ(-EAGAIN, open_as(&other, self->path, false, true));
	backing_close(&self->b);
	ASSERT_EQ(0, open_rw(&other, self->path));
	backing_close(&other);
}

TEST_F(backing, readers_share)
{
	struct backing other, writer;

	make(_metadata, self->path, 4096);
	ASSERT_EQ(0, open_as(&self->b, self->path, true, false));
	ASSERT_EQ(0, open_as(&other, self->path, false, true));
	EXPECT_EQ(-EAGAIN, open_rw(&writer, self->path));
	backing_close(&self->b);
	backing_close(&other);
}

TEST_F(backing, size_changes_are_noticed)
{
	make(_metadata, self->path, 8192);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	EXPECT_EQ(BACKING_SIZE_SAME, backing_check_size(&self->b));
	ASSERT_EQ(0, truncate(self->path, 16384));
	EXPECT_EQ(BACKING_SIZE_CHANGED, backing_check_size(&self->b));
	EXPECT_EQ(16384, self->b.seen_bytes);
	ASSERT_EQ(0, truncate(self->path, 4096));
	EXPECT_EQ(BACKING_SIZE_SHRUNK, backing_check_size(&self->b));
	ASSERT_EQ(0, truncate(self->path, 8192));
	EXPECT_EQ(BACKING_SIZE_SAME, backing_check_size(&self->b));
	backing_close(&self->b);
}

TEST_F(backing, files_in_memory_are_known)
{
	make(_metadata, self->path, 1 << 20);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	EXPECT_EQ(is_on_tmpfs(self->path), self->b.is_in_memory);
	backing_close(&self->b);
	unlink(self->path);
	snprintf(self->path, sizeof(self->path), "/dev/shm/%s",
		 strrchr(self->dir, '/') + 1);
	ASSERT_TRUE(is_on_tmpfs("/dev/shm"));
	make(_metadata, self->path, 1 << 20);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	EXPECT_TRUE(self->b.is_in_memory);
	backing_close(&self->b);
}

TEST_F(backing, bytes_that_a_sync_would_write)
{
	uint64_t bytes;
	int err;

	make(_metadata, self->path, 1 << 20);
	ASSERT_EQ(0, open_rw(&self->b, self->path));
	ASSERT_EQ(0, backing_sync(&self->b));
	err = backing_dirty_bytes(&self->b, &bytes);
	if (err == -ENODATA) {
		backing_close(&self->b);
		SKIP(return, "this kernel has no cachestat");
	}
	ASSERT_EQ(0, err);
	EXPECT_EQ(0, bytes);
	memset(at(&self->b, 8192), 1, 8192);
	ASSERT_EQ(0, backing_dirty_bytes(&self->b, &bytes));
	/* Nothing is ever dirty on tmpfs. */
	EXPECT_EQ(is_on_tmpfs(self->path) ? 0 : 8192, bytes);
	ASSERT_EQ(0, backing_sync(&self->b));
	ASSERT_EQ(0, backing_dirty_bytes(&self->b, &bytes));
	EXPECT_EQ(0, bytes);
	backing_close(&self->b);
	ASSERT_EQ(0, open_as(&self->b, self->path, false, true));
	memset(at(&self->b, 0), 1, 4096);
	EXPECT_EQ(0, backing_dirty_bytes(&self->b, &bytes));
	EXPECT_EQ(0, bytes);
	backing_close(&self->b);
}

TEST_HARNESS_MAIN
