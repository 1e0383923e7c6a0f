// SPDX-License-Identifier: GPL-2.0-or-later
/* The netlink family: devices come and go, are listed, and tell of it. */
#include "driver.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"

#define NOBODY	65534

FIXTURE(family) {
	struct driver drv;
	struct vpmem_sock *watcher;
};

FIXTURE_SETUP(family)
{
	ASSERT_EQ(0, driver_open(&self->drv));
	ASSERT_EQ(0, vpmem_sock_create(&self->watcher));
	ASSERT_EQ(0, vpmem_event_subscribe(self->watcher));
}

FIXTURE_TEARDOWN(family)
{
	driver_close(&self->drv);
	vpmem_sock_destroy(self->watcher);
}

TEST_F(family, added_device_is_as_configured)
{
	struct vpmem_dev_config config;
	struct vpmem_dev_info info;
	struct vpmem_region region;

	driver_config(&self->drv, &config, &region);
	config.name = "root disk";
	config.offset = 4096;
	config.length = 8192;
	config.exec = VPMEM_EXEC_WORKER;
	config.on_error = VPMEM_ON_ERROR_REPORT;
	ASSERT_EQ(0, vpmem_dev_add(self->drv.sock, &config, &self->drv.id));
	ASSERT_GT(self->drv.id, 0);
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(self->drv.id, info.id);
	EXPECT_STREQ("root disk", info.name);
	EXPECT_EQ(4096, info.offset);
	EXPECT_EQ(8192, info.length);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(VPMEM_EXEC_WORKER, info.exec);
	EXPECT_EQ(VPMEM_EXEC_WORKER, info.exec_effective);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, info.on_error);
	EXPECT_EQ(0, info.error);
	EXPECT_EQ((uint32_t)getpid(), info.owner_pid);
	EXPECT_EQ(VPMEM_QUEUE_STATE_STOPPED, info.queue_state);
	EXPECT_EQ(0, info.ring_size);
	EXPECT_EQ(0, info.stats.kicks);
}

TEST_F(family, auto_is_inline_on_tmpfs)
{
	struct vpmem_dev_info info;

	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(VPMEM_EXEC_AUTO, info.exec);
	EXPECT_EQ(VPMEM_EXEC_INLINE, info.exec_effective);
}

TEST_F(family, everybody_hears_of_add_and_del)
{
	struct vpmem_event event;

	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(0, driver_next_event(self->watcher, VPMEM_EVENT_DEV_ADDED,
				       &event, 5000));
	EXPECT_EQ(self->drv.id, event.id);
	EXPECT_STREQ("test", event.name);
	ASSERT_EQ(0, vpmem_dev_del(self->drv.sock, self->drv.id));
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_DEV_DELETED, &event, 5000));
	EXPECT_EQ(self->drv.id, event.id);
	ASSERT_EQ(0, driver_next_event(self->watcher, VPMEM_EVENT_DEV_DELETED,
				       &event, 5000));
	EXPECT_EQ(self->drv.id, event.id);
	EXPECT_STREQ("test", event.name);
}

TEST_F(family, owner_that_listens_hears_once)
{
	struct vpmem_event event;

	ASSERT_EQ(0, vpmem_event_subscribe(self->drv.sock));
	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(0, vpmem_event_next(self->drv.sock, &event, 5000));
	EXPECT_EQ(VPMEM_EVENT_DEV_ADDED, event.type);
	EXPECT_EQ(-EAGAIN, vpmem_event_next(self->drv.sock, &event, 300));
}

TEST_F(family, deleted_device_cannot_be_addressed)
{
	struct vpmem_dev_info info;

	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(0, vpmem_dev_del(self->drv.sock, self->drv.id));
	EXPECT_EQ(-ENODEV, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(-ENODEV, vpmem_dev_del(self->drv.sock, self->drv.id));
	EXPECT_NE(NULL, strstr(vpmem_sock_error(self->drv.sock),
			       "no such device"));
	EXPECT_EQ(-ENODEV, vpmem_queue_stop(self->drv.sock, self->drv.id));
	EXPECT_EQ(-ENODEV, driver_start(&self->drv));
}

/* What is done before the next request is sent. */
static void (*before_request)(void);

ssize_t __real_sendto(int fd, const void *data, size_t len, int flags,
		      const struct sockaddr *to, socklen_t to_len);
ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags,
		      const struct sockaddr *to, socklen_t to_len);

ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags,
		      const struct sockaddr *to, socklen_t to_len)
{
	void (*fn)(void) = before_request;

	before_request = NULL;
	if (fn)
		fn();
	return __real_sendto(fd, data, len, flags, to, to_len);
}

static struct driver noisy;

/* Events, more than a small buffer takes. */
static void make_noise(void)
{
	for (int i = 0; i < 32; i++)
		driver_add(&noisy, VPMEM_EXEC_AUTO);
}

TEST_F(family, device_whose_number_cannot_be_told_goes_again)
{
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct vpmem_event event;
	int bytes = 1;

	ASSERT_EQ(0, driver_open(&noisy));
	ASSERT_EQ(0, vpmem_event_subscribe(self->drv.sock));
	ASSERT_EQ(0, setsockopt(vpmem_sock_fd(self->drv.sock), SOL_SOCKET,
				SO_RCVBUF, &bytes, sizeof(bytes)));
	driver_config(&self->drv, &config, &region);
	config.name = "untold";
	before_request = make_noise;
	EXPECT_EQ(-ENOBUFS, vpmem_dev_add(self->drv.sock, &config,
					  &self->drv.id));
	ASSERT_EQ(0, driver_next_event(self->watcher, VPMEM_EVENT_DEV_DELETED,
				       &event, 5000));
	EXPECT_STREQ("untold", event.name);
	driver_close(&noisy);
}

struct listing {
	unsigned int count;
	uint32_t last;
	bool is_sorted;
};

static int list_one(const struct vpmem_dev_info *info, void *arg)
{
	struct listing *listing = arg;

	if (info->id <= listing->last)
		listing->is_sorted = false;
	listing->last = info->id;
	listing->count++;
	return 0;
}

TEST_F(family, dump_has_more_devices_than_fit_one_message)
{
	struct listing listing = { .is_sorted = true };
	unsigned int before;

	ASSERT_EQ(0, vpmem_dev_dump(self->watcher, list_one, &listing));
	before = listing.count;
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	listing = (struct listing) { .is_sorted = true };
	ASSERT_EQ(0, vpmem_dev_dump(self->watcher, list_one, &listing));
	EXPECT_EQ(before + 100, listing.count);
	EXPECT_TRUE(listing.is_sorted);
}

static int stop_at_once(const struct vpmem_dev_info *info, void *arg)
{
	return 7;
}

TEST_F(family, dump_ends_when_asked_to)
{
	struct vpmem_dev_info info;

	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(7, vpmem_dev_dump(self->drv.sock, stop_at_once, NULL));
	/* What was left of the dump does not disturb the next command. */
	EXPECT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(self->drv.id, info.id);
}

TEST_F(family, another_socket_may_look_but_not_touch)
{
	struct vpmem_queue_config queue;
	struct vpmem_dev_info info;

	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	EXPECT_EQ(0, vpmem_dev_get(self->watcher, self->drv.id, &info));
	EXPECT_EQ(-EPERM, vpmem_dev_del(self->watcher, self->drv.id));
	EXPECT_NE(NULL, strstr(vpmem_sock_error(self->watcher),
			       "another socket"));
	EXPECT_EQ(-EPERM, vpmem_queue_stop(self->watcher, self->drv.id));
	driver_queue(&self->drv, &queue);
	EXPECT_EQ(-EPERM, vpmem_queue_start(self->watcher, self->drv.id,
					    &queue));
}

TEST_F(family, policies_can_be_changed_by_an_operator)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_EXEC | VPMEM_SET_ON_ERROR,
		.exec = VPMEM_EXEC_WORKER,
		.on_error = VPMEM_ON_ERROR_REPORT,
	};
	struct vpmem_dev_info info;

	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(0, vpmem_dev_set(self->watcher, self->drv.id, &change));
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(VPMEM_EXEC_WORKER, info.exec);
	EXPECT_EQ(VPMEM_EXEC_WORKER, info.exec_effective);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, info.on_error);
}

/* Runs in a child without privileges; returns the number of the first fault. */
static int try_without_privileges(struct driver *drv)
{
	struct listing listing = { 0 };
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct vpmem_dev_info info;
	struct vpmem_sock *sock;
	uint32_t id;

	if (setgid(NOBODY) || setuid(NOBODY) || vpmem_sock_create(&sock))
		return 1;
	driver_config(drv, &config, &region);
	if (vpmem_dev_add(sock, &config, &id) != -EPERM)
		return 2;
	if (vpmem_event_subscribe(sock) != -EPERM)
		return 3;
	if (vpmem_dev_get(sock, drv->id, &info) != -EPERM)
		return 4;
	if (vpmem_dev_dump(sock, list_one, &listing) || listing.count)
		return 5;
	return 0;
}

TEST_F(family, without_privileges_nothing_is_seen_or_made)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	pid = fork();
	if (!pid)
		_exit(try_without_privileges(&self->drv));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* The socket was opened with privileges; they are dropped before the guest. */
static int serve_without_privileges(struct driver *drv)
{
	struct vpmem_event event;
	struct vpmem_dev_info info;

	if (driver_open(drv) || driver_add(drv, VPMEM_EXEC_AUTO))
		return 1;
	if (setgid(NOBODY) || setuid(NOBODY))
		return 2;
	if (driver_start(drv) || driver_sync_flush(drv))
		return 3;
	if (driver_stop(drv, &event) || driver_start(drv))
		return 4;
	if (vpmem_dev_get(drv->sock, drv->id, &info) ||
	    info.stats.flushes != 1)
		return 5;
	return vpmem_dev_del(drv->sock, drv->id) ? 6 : 0;
}

TEST_F(family, owner_goes_on_after_dropping_privileges)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(serve_without_privileges(&self->drv));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

static int look_from_another_namespace(uint32_t id)
{
	struct listing listing = { 0 };
	struct vpmem_dev_info info;
	struct vpmem_sock *sock;

	if (unshare(CLONE_NEWNET) || vpmem_sock_create(&sock))
		return 1;
	if (vpmem_dev_get(sock, id, &info) != -ENODEV)
		return 2;
	if (vpmem_dev_dump(sock, list_one, &listing) || listing.count)
		return 3;
	return 0;
}

TEST_F(family, devices_stay_in_their_network_namespace)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	pid = fork();
	if (!pid)
		_exit(look_from_another_namespace(self->drv.id));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
