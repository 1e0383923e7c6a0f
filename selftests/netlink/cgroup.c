// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Block I/O of a sync is charged to the owner's cgroup, wherever the flush is
 * served. The backing is a loop device: it has a write cache, so that each
 * sync sends it a flush of its own, which belongs to who syncs.
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
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <linux/loop.h>

#include "kselftest_harness.h"

#define CGROUPS		"/sys/fs/cgroup"
#define GROUP		CGROUPS "/vpmem-test"
#define OTHER_GROUP	CGROUPS "/vpmem-other"
#define FLUSHES		20

FIXTURE(cgroup) {
	char loop[32];
	unsigned int loop_minor;
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

static int attach_loop(char *path, size_t size, unsigned int *minor)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file, loop, err;

	if (control < 0)
		return -errno;
	*minor = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, size, "/dev/loop%u", *minor);
	file = open("/tmp/test/loop", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0 || ftruncate(file, DRIVER_FILE_SIZE))
		return -errno;
	loop = open(path, O_RDWR | O_CLOEXEC);
	if (loop < 0)
		return -errno;
	err = ioctl(loop, LOOP_SET_FD, file) ? -errno : 0;
	close(file);
	close(loop);
	return err;
}

FIXTURE_SETUP(cgroup)
{
	if (write_text(CGROUPS "/cgroup.subtree_control", "+io"))
		SKIP(return, "no cgroup v2 with an io controller");
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	ASSERT_EQ(0, mkdir(OTHER_GROUP, 0755));
	ASSERT_EQ(0, attach_loop(self->loop, sizeof(self->loop),
				 &self->loop_minor));
}

FIXTURE_TEARDOWN(cgroup)
{
	int fd = open(self->loop, O_RDWR | O_CLOEXEC);

	EXPECT_EQ(0, ioctl(fd, LOOP_CLR_FD, 0));
	close(fd);
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, rmdir(OTHER_GROUP));
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
	const struct owner owner = { self->loop, variant->exec, NULL };

	ASSERT_EQ(0, run_owner(&owner));
	EXPECT_LE(FLUSHES, writes_of(GROUP, self->loop_minor));
	EXPECT_EQ(0, writes_of(OTHER_GROUP, self->loop_minor));
}

TEST_F(cgroup, owner_that_moves_takes_the_charge_along)
{
	const struct owner owner = { self->loop, variant->exec, OTHER_GROUP };

	ASSERT_EQ(0, run_owner(&owner));
	EXPECT_GT(FLUSHES, writes_of(GROUP, self->loop_minor));
	EXPECT_LE(FLUSHES, writes_of(OTHER_GROUP, self->loop_minor));
}

TEST_HARNESS_MAIN
