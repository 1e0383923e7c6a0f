// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Devices end with what they depend on: socket, process, eventfd, module. In
 * whatever order, nothing is left and nothing waits.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"

#define MODULE	"/lib/vpmem/vpmem.ko"

FIXTURE(lifetime) {
	struct vpmem_sock *watcher;
};

FIXTURE_SETUP(lifetime)
{
	ASSERT_EQ(0, system("insmod " MODULE));
	ASSERT_EQ(0, vpmem_sock_create(&self->watcher));
	ASSERT_EQ(0, vpmem_event_subscribe(self->watcher));
}

FIXTURE_TEARDOWN(lifetime)
{
	vpmem_sock_destroy(self->watcher);
	system("rmmod vpmem 2>/dev/null");
}

#define EXPECT_DELETED(dev_id) do {					\
	struct vpmem_event _event;					\
	ASSERT_EQ(0, driver_next_event(self->watcher,			\
				       VPMEM_EVENT_DEV_DELETED,		\
				       &_event, 10000));		\
	EXPECT_EQ(dev_id, _event.id);					\
} while (0)

static int add_running(struct driver *drv)
{
	return driver_open(drv) ?: driver_add(drv, VPMEM_EXEC_AUTO) ?:
	       driver_start(drv) ?: driver_sync_flush(drv);
}

TEST_F(lifetime, device_goes_with_its_socket)
{
	struct driver drv;

	ASSERT_EQ(0, add_running(&drv));
	vpmem_sock_destroy(drv.sock);
	EXPECT_DELETED(drv.id);
	drv.sock = NULL;
	/* The eventfds work on without anybody behind them. */
	driver_kick(&drv);
	driver_close(&drv);
}

TEST_F(lifetime, device_goes_with_its_kick_eventfd)
{
	struct driver drv;

	ASSERT_EQ(0, add_running(&drv));
	close(drv.kick_fd);
	EXPECT_DELETED(drv.id);
	EXPECT_EQ(-ENODEV, vpmem_dev_del(drv.sock, drv.id));
	driver_close(&drv);
}

TEST_F(lifetime, device_outlives_files_and_mappings)
{
	struct driver drv;

	ASSERT_EQ(0, add_running(&drv));
	close(drv.file_fd);
	EXPECT_EQ(0, driver_sync_flush(&drv));
	driver_close(&drv);
	EXPECT_DELETED(drv.id);
}

TEST_F(lifetime, unmapped_guest_memory_breaks_the_queue)
{
	struct vpmem_event event;
	struct driver drv;

	ASSERT_EQ(0, add_running(&drv));
	ASSERT_EQ(0, munmap(drv.memory, DRIVER_MEMORY_SIZE));
	driver_kick(&drv);
	EXPECT_EQ(0, driver_next_event(drv.sock, VPMEM_EVENT_QUEUE_BROKEN,
				       &event, 10000));
	driver_close(&drv);
}

TEST_F(lifetime, ring_that_is_unmapped_breaks_the_queue_at_its_start)
{
	struct vpmem_event event;
	struct driver drv;

	ASSERT_EQ(0, driver_open(&drv));
	ASSERT_EQ(0, driver_add(&drv, VPMEM_EXEC_WORKER));
	ASSERT_EQ(0, munmap(drv.memory, DRIVER_MEMORY_SIZE));
	ASSERT_EQ(0, driver_start(&drv));
	EXPECT_EQ(0, driver_next_event(drv.sock, VPMEM_EVENT_QUEUE_BROKEN,
				       &event, 10000));
	driver_close(&drv);
}

static pid_t start_killable(uint32_t *id)
{
	struct driver drv;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		if (add_running(&drv))
			_exit(1);
		if (write(fds[1], &drv.id, sizeof(drv.id)) < 0)
			_exit(1);
		while (true) {
			driver_flush(&drv, 0);
			driver_kick(&drv);
		}
	}
	close(fds[1]);
	if (read(fds[0], id, sizeof(*id)) != sizeof(*id))
		pid = -1;
	close(fds[0]);
	return pid;
}

TEST_F(lifetime, killed_owner_leaves_nothing)
{
	int status;

	for (int i = 0; i < 20; i++) {
		uint32_t id;
		pid_t pid = start_killable(&id);

		ASSERT_LT(0, pid);
		usleep(1000 * (i % 5));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_DELETED(id);
	}
}

TEST_F(lifetime, module_goes_under_live_devices)
{
	struct vpmem_dev_info info;
	struct vpmem_event event;
	struct driver drvs[8];
	int status;
	uint32_t id;
	pid_t pid;

	for (int i = 0; i < 8; i++)
		ASSERT_EQ(0, add_running(&drvs[i]));
	pid = start_killable(&id);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, system("rmmod vpmem"));
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(0, driver_next_event(drvs[i].sock,
					       VPMEM_EVENT_DEV_DELETED, &event,
					       5000));
		EXPECT_EQ(-ENOENT, vpmem_dev_get(drvs[i].sock, drvs[i].id,
						 &info));
		driver_kick(&drvs[i]);
		driver_close(&drvs[i]);
	}
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

TEST_F(lifetime, load_and_unload_many_times)
{
	struct driver drv;

	for (int i = 0; i < 30; i++) {
		ASSERT_EQ(0, system("rmmod vpmem"));
		ASSERT_EQ(0, system("insmod " MODULE));
		ASSERT_EQ(0, add_running(&drv));
		if (i % 2)
			driver_close(&drv);
		else
			ASSERT_EQ(0, system("rmmod vpmem; insmod " MODULE));
		if (!(i % 2))
			driver_close(&drv);
	}
}

TEST_F(lifetime, delete_and_stop_and_close_race)
{
	for (int i = 0; i < 200; i++) {
		struct driver drv;
		pid_t pid;

		ASSERT_EQ(0, add_running(&drv));
		pid = fork();
		if (!pid) {
			for (int k = 0; k < 50; k++)
				driver_kick(&drv);
			_exit(0);
		}
		EXPECT_EQ(0, vpmem_queue_stop(drv.sock, drv.id));
		if (i % 3 == 0)
			EXPECT_EQ(0, vpmem_dev_del(drv.sock, drv.id));
		if (i % 3 == 1)
			close(drv.kick_fd);
		driver_close(&drv);
		waitpid(pid, NULL, 0);
		EXPECT_DELETED(drv.id);
	}
}

TEST_HARNESS_MAIN
