// SPDX-License-Identifier: GPL-2.0-or-later
/* What a thread cannot do any more once it has entered Landlock. */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"

FIXTURE(landlock) {
	char dir[64];
	char path[96];
	char other[96];
	int fd;
};

/* In the test's own process, which does not come out again. */
FIXTURE_SETUP(landlock)
{
	int err;

	snprintf(self->dir, sizeof(self->dir), "/tmp/landlock-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/file", self->dir);
	snprintf(self->other, sizeof(self->other), "%s/other", self->dir);
	self->fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->fd);
	err = landlock_enter();
	if (err == -EOPNOTSUPP)
		SKIP(return, "this kernel has no Landlock");
	ASSERT_EQ(0, err);
}

/* In the parent, which has entered nothing. */
FIXTURE_TEARDOWN_PARENT(landlock)
{
	unlink(self->path);
	rmdir(self->dir);
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST_F(landlock, nothing_can_be_opened)
{
	EXPECT_EQ(-EACCES, try_open(self->path, O_RDONLY));
	EXPECT_EQ(-EACCES, try_open(self->path, O_WRONLY));
	EXPECT_EQ(-EACCES, try_open(self->dir, O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(-EACCES, try_open("/dev/null", O_RDWR));
	EXPECT_EQ(-EACCES, try_open("/proc/self/mem", O_RDWR));
}

TEST_F(landlock, nothing_can_be_made_or_removed)
{
	EXPECT_EQ(-EACCES, try_open(self->other, O_WRONLY | O_CREAT));
	EXPECT_EQ(-1, mkdir(self->other, 0700));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, unlink(self->path));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(landlock, what_is_open_stays_open)
{
	char text[4] = "";

	EXPECT_EQ(4, pwrite(self->fd, "abc", 4, 0));
	EXPECT_EQ(4, pread(self->fd, text, 4, 0));
	EXPECT_STREQ("abc", text);
	EXPECT_EQ(0, ftruncate(self->fd, 100));
	EXPECT_EQ(0, fdatasync(self->fd));
}

static void *open_in_thread(void *path)
{
	return (void *)(intptr_t)try_open(path, O_RDONLY);
}

TEST_F(landlock, threads_inherit_it)
{
	pthread_t thread;
	void *err;

	ASSERT_EQ(0, pthread_create(&thread, NULL, open_in_thread, self->path));
	ASSERT_EQ(0, pthread_join(thread, &err));
	EXPECT_EQ(-EACCES, (intptr_t)err);
}

TEST_F(landlock, twice_is_once)
{
	EXPECT_EQ(0, landlock_enter());
	EXPECT_EQ(-EACCES, try_open(self->path, O_RDONLY));
}

TEST_HARNESS_MAIN
