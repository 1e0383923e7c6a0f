// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Block I/O of a sync is charged to the owner's cgroup, wherever the flush is
 * served, and that of write-behind, too. The backing is a loop device: it has a
 * write cache, so that each sync sends it a flush of its own, which belongs to
 * who syncs.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <linux/loop.h>

#include "kselftest_harness.h"

#define CGROUPS		"/sys/fs/cgroup"
#define GROUP		CGROUPS "/vpmem-test"
#define MOUNT		"/mnt"
#define OTHER_GROUP	CGROUPS "/vpmem-other"
#define FLUSHES		20
/* Room for a file of DRIVER_FILE_SIZE in a file system. */
#define LOOP_SIZE	(8 << 20)

struct loop {
	char path[32];
	unsigned int minor;
};

FIXTURE(cgroup) {
	struct loop loop;
};

FIXTURE_VARIANT(cgroup) {
	enum vpmem_exec exec;
};

FIXTURE_VARIANT_ADD(cgroup, on_worker) {
	.exec = VPMEM_EXEC_WORKER,
};

FIXTURE_VARIANT_ADD(cgroup, inline) {
	.exec = VPMEM_EXEC_INLINE,
};

static int write_text(const char *path, const char *text)
{
	ssize_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = write(fd, text, len) == len ? 0 : -errno;
	close(fd);
	return err;
}

static int attach_loop(struct loop *loop)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file, fd, err;

	if (control < 0)
		return -errno;
	loop->minor = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(loop->path, sizeof(loop->path), "/dev/loop%u", loop->minor);
	file = open("/tmp/test/loop", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0 || ftruncate(file, LOOP_SIZE))
		return -errno;
	fd = open(loop->path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = ioctl(fd, LOOP_SET_FD, file) ? -errno : 0;
	close(file);
	close(fd);
	return err;
}

static int detach_loop(const struct loop *loop)
{
	int fd = open(loop->path, O_RDWR | O_CLOEXEC);
	int err = ioctl(fd, LOOP_CLR_FD, 0) ? -errno : 0;

	close(fd);
	return err;
}

static int make_groups(void)
{
	if (mkdir(GROUP, 0755) || mkdir(OTHER_GROUP, 0755))
		return -errno;
	return 0;
}

static int remove_groups(void)
{
	return rmdir(GROUP) || rmdir(OTHER_GROUP) ? -errno : 0;
}

FIXTURE_SETUP(cgroup)
{
	if (write_text(CGROUPS "/cgroup.subtree_control", "+io"))
		SKIP(return, "no cgroup v2 with an io controller");
	ASSERT_EQ(0, make_groups());
	ASSERT_EQ(0, attach_loop(&self->loop));
}

FIXTURE_TEARDOWN(cgroup)
{
	EXPECT_EQ(0, detach_loop(&self->loop));
	EXPECT_EQ(0, remove_groups());
}

/* Writes to the device as a cgroup's io.stat has them. */
static unsigned long writes_of(const char *group, unsigned int minor)
{
	unsigned long writes = 0;
	char path[PATH_MAX], line[256], device[32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/io.stat", group);
	snprintf(device, sizeof(device), "7:%u ", minor);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		const char *field = strstr(line, "wios=");

		if (field && !strncmp(line, device, strlen(device)))
			writes = strtoul(field + 5, NULL, 10);
	}
	if (file)
		fclose(file);
	return writes;
}

/* In a child, so that the test itself stays in the cgroup it was put into. */
struct owner {
	const char *loop;
	enum vpmem_exec exec;
	const char *moves_to;
};

static int join(const char *group)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return write_text(path, "0");
}

static int flush_as_owner(const struct owner *owner)
{
	struct driver drv;
	int i, fd;

	if (join(GROUP))
		return 1;
	fd = open(owner->loop, O_RDWR | O_CLOEXEC);
	if (fd < 0 || driver_open_file(&drv, fd))
		return 2;
	if (driver_add(&drv, owner->exec) || driver_start(&drv))
		return 3;
	if (owner->moves_to && join(owner->moves_to))
		return 4;
	for (i = 0; i < FLUSHES; i++)
		if (driver_sync_flush(&drv))
			return 5;
	return 0;
}

static int run_owner(const struct owner *owner)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(flush_as_owner(owner));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(cgroup, flush_is_charged_to_the_owner)
{
	const struct owner owner = { self->loop.path, variant->exec, NULL };

	ASSERT_EQ(0, run_owner(&owner));
	EXPECT_LE(FLUSHES, writes_of(GROUP, self->loop.minor));
	EXPECT_EQ(0, writes_of(OTHER_GROUP, self->loop.minor));
}

TEST_F(cgroup, owner_that_moves_takes_the_charge_along)
{
	const struct owner owner = { self->loop.path, variant->exec, OTHER_GROUP };

	ASSERT_EQ(0, run_owner(&owner));
	EXPECT_GT(FLUSHES, writes_of(GROUP, self->loop.minor));
	EXPECT_LE(FLUSHES, writes_of(OTHER_GROUP, self->loop.minor));
}

static bool wait_charged(unsigned int minor)
{
	for (int tries = 0; !writes_of(GROUP, minor); tries++) {
		if (tries == 200)
			return false;
		usleep(50000);
	}
	return true;
}

/* As a guest that never asks for a flush; until what it wrote is written. */
static int write_as_owner(const struct loop *loop)
{
	static char data[VPMEM_WRITE_BEHIND_MIN];
	struct vpmem_dev_info info = { 0 };
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct driver drv;
	int fd;

	if (join(GROUP))
		return 1;
	fd = open(MOUNT "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, DRIVER_FILE_SIZE) || driver_open_file(&drv, fd))
		return 2;
	driver_config(&drv, &config, &region);
	config.write_behind = sizeof(data);
	if (vpmem_dev_add(drv.sock, &config, &drv.id) || driver_start(&drv))
		return 3;
	if (write(fd, data, sizeof(data)) != sizeof(data))
		return 4;
	for (int tries = 0; !info.stats.write_behinds && tries < 600; tries++) {
		usleep(50000);
		if (vpmem_dev_get(drv.sock, drv.id, &info))
			return 5;
	}
	if (!info.stats.write_behinds)
		return 6;
	return wait_charged(loop->minor) ? 0 : 7;
}

FIXTURE(written_behind) {
	struct loop loop;
};

/*
 * Whose a page is says the memory controller, and its I/O is charged to that
 * one; to the one that was first to write a file, as long as that writes most of
 * it. So it is a new file.
 */
FIXTURE_SETUP(written_behind)
{
	char command[64];

	if (write_text(CGROUPS "/cgroup.subtree_control", "+io +memory"))
		SKIP(return, "no cgroup v2 with controllers of io and memory");
	ASSERT_EQ(0, make_groups());
	ASSERT_EQ(0, attach_loop(&self->loop));
	snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s", self->loop.path);
	ASSERT_EQ(0, system(command));
	ASSERT_EQ(0, mount(self->loop.path, MOUNT, "ext4", 0, NULL));
}

/* The kernel closes the module's file in its own time. */
FIXTURE_TEARDOWN(written_behind)
{
	int tries = 200;

	while (umount(MOUNT) && tries--)
		usleep(50000);
	EXPECT_EQ(0, detach_loop(&self->loop));
	EXPECT_EQ(0, remove_groups());
}

TEST_F(written_behind, is_charged_to_the_owner)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(write_as_owner(&self->loop));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
