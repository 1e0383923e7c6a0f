// SPDX-License-Identifier: GPL-2.0-or-later
/* No user has more devices than the module's parameter says. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include "kselftest_harness.h"

#define PARAMETER	"/sys/module/vpmem/parameters/max_devices_per_user"
#define NOBODY		65534

FIXTURE(quota) {
	struct driver drv;
};

static int set_parameter(unsigned int value)
{
	FILE *file = fopen(PARAMETER, "w");

	if (!file)
		return -errno;
	fprintf(file, "%u\n", value);
	return fclose(file) ? -errno : 0;
}

FIXTURE_SETUP(quota)
{
	ASSERT_EQ(0, set_parameter(3));
	ASSERT_EQ(0, driver_open(&self->drv));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
}

FIXTURE_TEARDOWN(quota)
{
	driver_close(&self->drv);
	EXPECT_EQ(0, set_parameter(4096));
}

TEST(default_is_4096)
{
	char text[16] = "";
	FILE *file = fopen(PARAMETER, "r");

	ASSERT_NE(NULL, file);
	ASSERT_NE(NULL, fgets(text, sizeof(text), file));
	fclose(file);
	EXPECT_STREQ("4096\n", text);
}

TEST_F(quota, one_too_many_is_refused)
{
	EXPECT_EQ(-EDQUOT, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	EXPECT_NE(NULL, strstr(vpmem_sock_error(self->drv.sock),
			       "max_devices_per_user"));
}

TEST_F(quota, sockets_of_a_user_are_counted_together)
{
	struct driver other;

	ASSERT_EQ(0, driver_open(&other));
	EXPECT_EQ(-EDQUOT, driver_add(&other, VPMEM_EXEC_AUTO));
	driver_close(&other);
}

TEST_F(quota, deleted_device_makes_room)
{
	struct vpmem_event event;

	ASSERT_EQ(0, vpmem_dev_del(self->drv.sock, self->drv.id));
	ASSERT_EQ(0, driver_next_event(self->drv.sock, VPMEM_EVENT_DEV_DELETED,
				       &event, 5000));
	EXPECT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	EXPECT_EQ(-EDQUOT, driver_add(&self->drv, VPMEM_EXEC_AUTO));
}

TEST_F(quota, refused_devices_are_not_counted)
{
	struct vpmem_dev_config config;
	struct vpmem_region region;

	ASSERT_EQ(0, set_parameter(4));
	driver_config(&self->drv, &config, &region);
	config.nr_regions = 0;
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(-EINVAL, vpmem_dev_add(self->drv.sock, &config,
						 &self->drv.id));
	EXPECT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	EXPECT_EQ(-EDQUOT, driver_add(&self->drv, VPMEM_EXEC_AUTO));
}

TEST_F(quota, closed_socket_makes_room)
{
	struct driver other;
	int err = -EDQUOT;

	vpmem_sock_destroy(self->drv.sock);
	self->drv.sock = NULL;
	ASSERT_EQ(0, driver_open(&other));
	for (int i = 0; i < 500 && err == -EDQUOT; i++) {
		err = driver_add(&other, VPMEM_EXEC_AUTO);
		usleep(10000);
	}
	EXPECT_EQ(0, err);
	driver_close(&other);
}

/* Privileged in namespaces of its own, as any user can be. */
static int add_as_nobody(void)
{
	struct driver drv;
	int i;

	if (setgid(NOBODY) || setuid(NOBODY) ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 1;
	if (driver_open(&drv))
		return 2;
	for (i = 0; i < 3; i++)
		if (driver_add(&drv, VPMEM_EXEC_AUTO))
			return 3;
	return driver_add(&drv, VPMEM_EXEC_AUTO) == -EDQUOT ? 0 : 4;
}

TEST_F(quota, each_user_has_his_own)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(add_as_nobody());
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
