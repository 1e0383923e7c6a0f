// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits: what passes at once, what waits and how long, and that nobody but
 * the guest waits with it.
 */
#include "driver.h"
#include "patience.h"
#include "writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/wait.h>

#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "kselftest_harness.h"

#define STATUS_OK	0
#define STATUS_UNSET	0xa5a5a5a5u
#define DISK		"/dev/ram3"
#define PAGE		4096
#define MEBIBYTE	(1u << 20)

FIXTURE(limit) {
	struct driver drv;
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct vpmem_sock *watcher;
};

FIXTURE_VARIANT(limit) {
	enum vpmem_exec exec;
};

FIXTURE_VARIANT_ADD(limit, on_worker) {
	.exec = VPMEM_EXEC_WORKER,
};

FIXTURE_VARIANT_ADD(limit, inline) {
	.exec = VPMEM_EXEC_INLINE,
};

static int open_on_disk(struct driver *drv)
{
	int fd = open(DISK, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fsync(fd))
		return -errno;
	return driver_open_file(drv, fd);
}

FIXTURE_SETUP(limit)
{
	/* What the kernel has written by itself is not charged. */
	ASSERT_EQ(0, writeback_hourly());
	ASSERT_EQ(0, open_on_disk(&self->drv));
	driver_config(&self->drv, &self->config, &self->region);
	self->config.exec = variant->exec;
	ASSERT_EQ(0, vpmem_sock_create(&self->watcher));
	ASSERT_EQ(0, vpmem_event_subscribe(self->watcher));
}

FIXTURE_TEARDOWN(limit)
{
	driver_close(&self->drv);
	vpmem_sock_destroy(self->watcher);
}

static int add_running(struct driver *drv,
		       const struct vpmem_dev_config *config)
{
	return vpmem_dev_add(drv->sock, config, &drv->id) ?: driver_start(drv);
}

static struct vpmem_dev_info info_of(struct driver *drv)
{
	struct vpmem_dev_info info = { 0 };

	vpmem_dev_get(drv->sock, drv->id, &info);
	return info;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static void make_dirty(struct driver *drv, size_t bytes)
{
	static char data[2 * MEBIBYTE];

	memset(data, 0x5a, bytes);
	if (pwrite(drv->file_fd, data, bytes, 0) != (ssize_t)bytes)
		perror("pwrite");
}

/* A page takes more than an hour, which no test sits out. */
static const struct vpmem_limit endless = { .rate = 1, .burst = 1 };

/* Uses up an endless limit, and leaves a flush in slot 31 that waits for it. */
static int throttle(struct driver *drv)
{
	make_dirty(drv, PAGE);
	if (driver_sync_flush(drv))
		return -EIO;
	driver_flush(drv, 31);
	driver_kick(drv);
	for (unsigned int i = 0; i < 500 * patience() &&
	     !info_of(drv).stats.throttled; i++)
		usleep(10000);
	return info_of(drv).stats.throttled ? 0 : -EIO;
}

TEST_F(limit, limits_are_shown_and_changed)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_FLUSH_LIMIT,
		.flush_limit = { .rate = UINT64_MAX, .burst = UINT64_MAX - 1 },
		.bytes_limit = { .rate = 1 },
	};
	struct vpmem_dev_info info;

	self->config.bytes_limit.rate = 1000;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	info = info_of(&self->drv);
	EXPECT_EQ(0, info.flush_limit.rate);
	EXPECT_EQ(0, info.flush_limit.burst);
	EXPECT_EQ(1000, info.bytes_limit.rate);
	EXPECT_EQ(1000, info.bytes_limit.burst);
	ASSERT_EQ(0, vpmem_dev_set(self->watcher, self->drv.id, &change));
	info = info_of(&self->drv);
	EXPECT_EQ(UINT64_MAX, info.flush_limit.rate);
	EXPECT_EQ(UINT64_MAX - 1, info.flush_limit.burst);
	EXPECT_EQ(1000, info.bytes_limit.rate);
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

TEST_F(limit, flushes_pass_at_the_rate_after_the_burst)
{
	uint64_t start = now_ms();
	struct vpmem_stats stats;

	self->config.flush_limit = (struct vpmem_limit){ 20, 10 };
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	EXPECT_EQ(0, info_of(&self->drv).stats.throttled);
	for (int i = 0; i < 30; i++)
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	EXPECT_LE(1500, now_ms() - start);
	stats = info_of(&self->drv).stats;
	/* Once for each flush, but for a timer that is early now and then. */
	EXPECT_LT(10, stats.throttled);
	EXPECT_GE(60, stats.throttled);
	EXPECT_LT(500000000, stats.throttled_ns);
	EXPECT_LE(stats.throttled_ns, stats.flush_ns);
}

TEST_F(limit, bytes_are_paid_for_afterwards)
{
	uint64_t start;

	self->config.bytes_limit = (struct vpmem_limit){ MEBIBYTE, PAGE };
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	make_dirty(&self->drv, 2 * MEBIBYTE);
	ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	EXPECT_EQ(0, info_of(&self->drv).stats.throttled);
	start = now_ms();
	ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	EXPECT_LE(1800, now_ms() - start);
	EXPECT_EQ(1, info_of(&self->drv).stats.throttled);
	/* What is clean costs nothing. */
	start = now_ms();
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	EXPECT_GT(2000, now_ms() - start);
	EXPECT_EQ(1, info_of(&self->drv).stats.throttled);
}

TEST_F(limit, requests_and_kicks_meanwhile_are_not_lost)
{
	uint32_t head, len;

	self->config.flush_limit = (struct vpmem_limit){ 10, 1 };
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	for (uint16_t slot = 0; slot < 8; slot++)
		driver_flush(&self->drv, slot);
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_wait(&self->drv, 8, 10000));
	for (uint16_t slot = 8; slot < 16; slot++) {
		driver_flush(&self->drv, slot);
		driver_kick(&self->drv);
		usleep(20000);
	}
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 8));
	ASSERT_EQ(0, driver_wait(&self->drv, 16, 10000));
	for (uint16_t slot = 0; slot < 16; slot++) {
		ASSERT_TRUE(driver_used(&self->drv, &head, &len));
		EXPECT_EQ(2 * slot, head);
		EXPECT_EQ(STATUS_OK, driver_status(&self->drv, slot));
	}
	EXPECT_EQ(16, info_of(&self->drv).stats.flushes);
}

TEST_F(limit, kicking_thread_does_not_wait)
{
	uint64_t start;

	self->config.bytes_limit = endless;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	ASSERT_EQ(0, throttle(&self->drv));
	start = now_ms();
	for (int i = 0; i < 1000; i++)
		driver_kick(&self->drv);
	EXPECT_GT(5000, now_ms() - start);
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 31));
}

TEST_F(limit, taken_away_lets_go_at_once)
{
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_BYTES_LIMIT,
	};

	self->config.bytes_limit = endless;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	ASSERT_EQ(0, throttle(&self->drv));
	ASSERT_EQ(0, vpmem_dev_set(self->watcher, self->drv.id, &change));
	EXPECT_EQ(0, driver_wait(&self->drv, 1, 5000));
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 31));
}

TEST_F(limit, queue_stops_at_once_and_goes_on_after_a_restart)
{
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_BYTES_LIMIT,
	};
	struct vpmem_event event;

	self->config.bytes_limit = endless;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	ASSERT_EQ(0, throttle(&self->drv));
	ASSERT_EQ(0, vpmem_queue_stop(self->drv.sock, self->drv.id));
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_QUEUE_STOPPED, &event,
				       5000));
	EXPECT_EQ(1, event.next_avail);
	/* A restart does not pay the debt. */
	ASSERT_EQ(0, driver_start(&self->drv));
	EXPECT_EQ(-ETIME, driver_wait(&self->drv, 1, 1000));
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 31));
	ASSERT_EQ(0, vpmem_dev_set(self->drv.sock, self->drv.id, &change));
	EXPECT_EQ(0, driver_wait(&self->drv, 1, 5000));
}

#define EXPECT_DELETED(dev_id) do {					\
	struct vpmem_event _event;					\
	ASSERT_EQ(0, driver_next_event(self->watcher,			\
				       VPMEM_EVENT_DEV_DELETED,		\
				       &_event, 5000));			\
	EXPECT_EQ(dev_id, _event.id);					\
} while (0)

TEST_F(limit, device_that_waits_is_deleted_at_once)
{
	self->config.bytes_limit = endless;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	ASSERT_EQ(0, throttle(&self->drv));
	ASSERT_EQ(0, vpmem_dev_del(self->drv.sock, self->drv.id));
	EXPECT_DELETED(self->drv.id);
}

TEST_F(limit, device_that_waits_goes_with_its_socket)
{
	self->config.bytes_limit = endless;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	ASSERT_EQ(0, throttle(&self->drv));
	vpmem_sock_destroy(self->drv.sock);
	self->drv.sock = NULL;
	EXPECT_DELETED(self->drv.id);
}

TEST_F(limit, device_that_waits_goes_with_its_owner)
{
	int fds[2], status;
	uint32_t id;
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		struct driver drv;

		if (open_on_disk(&drv))
			_exit(1);
		driver_config(&drv, &self->config, &self->region);
		self->config.exec = variant->exec;
		self->config.bytes_limit = endless;
		if (add_running(&drv, &self->config) || throttle(&drv))
			_exit(2);
		if (write(fds[1], &drv.id, sizeof(id)) == sizeof(id))
			pause();
		_exit(3);
	}
	close(fds[1]);
	ASSERT_EQ((ssize_t)sizeof(id), read(fds[0], &id, sizeof(id)));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_DELETED(id);
	close(fds[0]);
}

TEST_F(limit, module_is_unloaded_at_once)
{
	uint64_t start;

	self->config.bytes_limit = endless;
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	ASSERT_EQ(0, throttle(&self->drv));
	start = now_ms();
	EXPECT_EQ(0, system("rmmod vpmem"));
	EXPECT_GT(5000, now_ms() - start);
	EXPECT_EQ(0, system("insmod /lib/vpmem/vpmem.ko"));
}

/* Timing them all, so that stop and expiry meet. */
TEST_F(limit, stops_and_deletions_race_with_the_end_of_the_wait)
{
	self->config.flush_limit = (struct vpmem_limit){ 100, 1 };
	for (int i = 0; i < 60; i++) {
		struct vpmem_event event;
		uint32_t head, len;

		ASSERT_EQ(0, add_running(&self->drv, &self->config));
		for (int k = 0; k < 4; k++) {
			driver_flush(&self->drv, k);
			driver_kick(&self->drv);
		}
		usleep(1000 * (i % 40));
		if (i % 2)
			ASSERT_EQ(0, driver_stop(&self->drv, &event));
		ASSERT_EQ(0, vpmem_dev_del(self->drv.sock, self->drv.id));
		EXPECT_DELETED(self->drv.id);
		/* Not all of them may have been served. */
		while (driver_used(&self->drv, &head, &len))
			;
		memset(self->drv.memory, 0, DRIVER_MEMORY_SIZE);
		self->drv.avail_idx = 0;
		self->drv.used_idx = 0;
	}
}

/* For tests that take longer than others may. */
FIXTURE(many) {
};

FIXTURE_SETUP(many)
{
	ASSERT_EQ(0, writeback_hourly());
}

FIXTURE_TEARDOWN(many)
{
}

/* More than there can be workers at once. */
TEST_F_TIMEOUT(many, waiting_devices_hold_no_workers, 180)
{
	const struct rlimit limit = { 8192, 8192 };
	const int count = 600;
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct driver *drvs, other;
	int i;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	drvs = calloc(count, sizeof(*drvs));
	for (i = 0; i < count; i++) {
		ASSERT_EQ(0, open_on_disk(&drvs[i]));
		driver_config(&drvs[i], &config, &region);
		config.exec = VPMEM_EXEC_WORKER;
		config.bytes_limit = endless;
		ASSERT_EQ(0, add_running(&drvs[i], &config));
		ASSERT_EQ(0, throttle(&drvs[i]));
	}
	ASSERT_EQ(0, driver_open(&other));
	ASSERT_EQ(0, driver_add(&other, VPMEM_EXEC_WORKER));
	ASSERT_EQ(0, driver_start(&other));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&other));
	for (i = 0; i < count; i++) {
		EXPECT_EQ(STATUS_UNSET, driver_status(&drvs[i], 31));
		driver_close(&drvs[i]);
	}
	driver_close(&other);
	free(drvs);
}

/* What libvpmem would not send. Return: the kernel's -errno. */
static int set_raw(uint32_t id, int attr, uint64_t value)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_msg *msg = nlmsg_alloc();
	int err, family, len;
	struct nlmsghdr *nlh;
	char buf[4096];

	genl_connect(sock);
	family = genl_ctrl_resolve(sock, VPMEM_GENL_NAME);
	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, NLM_F_ACK,
		    VPMEM_CMD_DEV_SET, VPMEM_GENL_VERSION);
	nla_put_u32(msg, VPMEM_A_DEV_ID, id);
	nla_put_u64(msg, attr, value);
	nl_send_auto(sock, msg);
	len = recv(nl_socket_get_fd(sock), buf, sizeof(buf), 0);
	nlh = (struct nlmsghdr *)(void *)buf;
	err = len >= (int)NLMSG_LENGTH(sizeof(struct nlmsgerr)) &&
	      nlh->nlmsg_type == NLMSG_ERROR ?
	      ((struct nlmsgerr *)NLMSG_DATA(nlh))->error : 1;
	nlmsg_free(msg);
	nl_socket_free(sock);
	return err;
}

TEST_F(limit, burst_without_its_limit_is_refused)
{
	self->config.flush_limit = (struct vpmem_limit){ 10, 20 };
	ASSERT_EQ(0, add_running(&self->drv, &self->config));
	EXPECT_EQ(-EINVAL, set_raw(self->drv.id, VPMEM_A_DEV_FLUSH_BURST, 5));
	EXPECT_EQ(-EINVAL, set_raw(self->drv.id, VPMEM_A_DEV_BYTES_BURST, 5));
	EXPECT_EQ(-ERANGE, set_raw(self->drv.id, VPMEM_A_DEV_FLUSH_BURST, 0));
	EXPECT_EQ(0, set_raw(self->drv.id, VPMEM_A_DEV_BYTES_LIMIT, 7));
	EXPECT_EQ(20, info_of(&self->drv).flush_limit.burst);
	EXPECT_EQ(7, info_of(&self->drv).bytes_limit.burst);
}

TEST_HARNESS_MAIN
