// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every allocation and every copy from or to user space that a command makes is
 * made to fail, one after the other: a command that failed has changed nothing.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"

/* More than any command makes; a walk that gets there never came to an end. */
#define POINTS_MAX	1000

#define BACKING		"backing"

ssize_t __real_sendto(int fd, const void *buf, size_t len, int flags,
		      const struct sockaddr *addr, socklen_t addr_len);
int __real_setsockopt(int fd, int level, int name, const void *val,
		      socklen_t len);
ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags,
		      const struct sockaddr *addr, socklen_t addr_len);
int __wrap_setsockopt(int fd, int level, int name, const void *val,
		      socklen_t len);

static int knob = -1;
static unsigned int armed;
static bool was_injected;

static void arm(void)
{
	if (armed && dprintf(knob, "%u", armed) < 0)
		abort();
}

/* The reading is a copy to user space too, and may be what fails. */
static void disarm(void)
{
	int saved = errno;
	char text[16] = "";

	if (!armed)
		return;
	if (pread(knob, text, sizeof(text) - 1, 0) > 0)
		was_injected |= !atoi(text);
	while (dprintf(knob, "0") < 0)
		;
	errno = saved;
}

/* A command runs in the system call that sends it. */
ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags,
		      const struct sockaddr *addr, socklen_t addr_len)
{
	ssize_t ret;

	arm();
	ret = __real_sendto(fd, buf, len, flags, addr, addr_len);
	disarm();
	return ret;
}

int __wrap_setsockopt(int fd, int level, int name, const void *val,
		      socklen_t len)
{
	int ret;

	arm();
	ret = __real_setsockopt(fd, level, name, val, len);
	disarm();
	return ret;
}

FIXTURE(fail_nth) {
	struct driver drv;
	struct vpmem_sock *watcher;
};

static int write_knob(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = fd < 0 ? -1 : write(fd, text, strlen(text));

	close(fd);
	return len < 0 ? -errno : 0;
}

/* Allocations that may sleep fail too, and nothing is said about it. */
static int set_up_injection(void)
{
	static const char *const settings[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
		{ "fail_usercopy/verbose", "0" },
	};
	char path[64];
	int err = 0;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s",
			 settings[i][0]);
		err = err ?: write_knob(path, settings[i][1]);
	}
	return err;
}

FIXTURE_SETUP(fail_nth)
{
	int fd;

	ASSERT_EQ(0, set_up_injection());
	knob = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_LE(0, knob);
	ASSERT_EQ(0, vpmem_sock_create(&self->watcher));
	fd = open(BACKING, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, DRIVER_FILE_SIZE));
	ASSERT_EQ(0, driver_open_file(&self->drv, fd));
}

/* A write lease is only given where nobody else has the file open. */
static int take_lease(void)
{
	int fd = open(BACKING, O_RDWR);
	int err = 0;

	/* The last reference may be dropped by a worker. */
	for (int tries = 0; tries < 100; tries++) {
		err = fcntl(fd, F_SETLEASE, F_WRLCK) ? -errno : 0;
		if (err != -EAGAIN)
			break;
		usleep(50000);
	}
	close(fd);
	return err;
}

FIXTURE_TEARDOWN(fail_nth)
{
	close(knob);
	driver_close(&self->drv);
	EXPECT_EQ(0, take_lease());
	vpmem_sock_destroy(self->watcher);
}

/**
 * struct view - What the watcher, for whom nothing fails, sees.
 * @nr_devices: how many devices there are
 * @id: number of the last one; none is given twice
 * @info: what is known of it, without what changes by itself
 */
struct view {
	unsigned int nr_devices;
	uint32_t id;
	struct vpmem_dev_info info;
};

static int look_at(const struct vpmem_dev_info *info, void *arg)
{
	struct view *view = arg;

	view->nr_devices++;
	view->id = info->id;
	view->info = *info;
	view->info.id = 0;
	memset(&view->info.stats, 0, sizeof(view->info.stats));
	return 0;
}

static struct view look(struct vpmem_sock *watcher)
{
	unsigned int saved = armed;
	struct view view;
	int err;

	armed = 0;
	do {
		memset(&view, 0, sizeof(view));
		err = vpmem_dev_dump(watcher, look_at, &view);
	} while (err == -EINTR);
	if (err)
		view.nr_devices = ~0;
	armed = saved;
	return view;
}

static bool is_same(const struct view *a, const struct view *b)
{
	return a->nr_devices == b->nr_devices &&
	       !memcmp(&a->info, &b->info, sizeof(a->info));
}

/* A command on the fixture; what makes undone what it did. */
typedef int (*command_fn)(struct _test_data_fail_nth *self);

static int nothing(struct _test_data_fail_nth *self)
{
	return 0;
}

/* What a command left: @before, @after, or for no excuse neither. */
static bool is_explained(int err, const struct view *now,
			 const struct view *before, const struct view *after)
{
	if (!err)
		return is_same(now, after);
	/* Not sent, or carried out without an answer. */
	if (err == -ENOBUFS && is_same(now, after))
		return true;
	return is_same(now, before);
}

/*
 * Runs @command with its first, second, third... point of failure failing,
 * until none is left. @undo makes what was before.
 */
static void walk(struct __test_metadata *_metadata,
		 struct _test_data_fail_nth *self, command_fn command,
		 command_fn undo)
{
	struct view before = look(self->watcher), after, now;
	unsigned int point, failures = 0;
	int err;

	ASSERT_EQ(0, command(self));
	after = look(self->watcher);
	ASSERT_EQ(0, undo(self));
	for (point = 1; point < POINTS_MAX; point++) {
		armed = point;
		was_injected = false;
		err = command(self);
		armed = 0;
		if (!was_injected)
			break;
		failures += !!err;
		now = look(self->watcher);
		ASSERT_TRUE(is_explained(err, &now, &before, &after)) {
			TH_LOG("point %u: error %d", point, err);
		}
		if (is_same(&now, &after))
			ASSERT_EQ(0, undo(self));
	}
	EXPECT_EQ(0, err);
	EXPECT_GT(POINTS_MAX, point);
	EXPECT_LT(0, failures);
	TH_LOG("%u points, %u of them fail the command", point - 1, failures);
}

static int add(struct _test_data_fail_nth *self)
{
	return driver_add(&self->drv, VPMEM_EXEC_AUTO);
}

/* The answer with the number may be lost: the watcher knows it. */
static int del(struct _test_data_fail_nth *self)
{
	struct view view = look(self->watcher);

	return vpmem_dev_del(self->drv.sock, view.id);
}

static int set_quota(unsigned int devices)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", devices);
	return write_knob("/sys/module/vpmem/parameters/max_devices_per_user",
			  text);
}

/* Until the device is no more counted, which is told last. */
static int del_and_wait(struct _test_data_fail_nth *self)
{
	struct vpmem_event event;
	int err = del(self);

	if (err)
		return err;
	do {
		err = driver_next_event(self->drv.sock, VPMEM_EVENT_DEV_DELETED,
					&event, 10000);
	} while (err == -ENOBUFS);
	return err;
}

/* One that is counted but does not exist would be one too many. */
TEST_F(fail_nth, dev_add)
{
	ASSERT_EQ(0, set_quota(1));
	walk(_metadata, self, add, del_and_wait);
	EXPECT_EQ(0, set_quota(4096));
}

static int get(struct _test_data_fail_nth *self)
{
	struct vpmem_dev_info info;

	return vpmem_dev_get(self->drv.sock, self->drv.id, &info);
}

TEST_F(fail_nth, dev_get)
{
	ASSERT_EQ(0, add(self));
	walk(_metadata, self, get, nothing);
}

static int count_one(const struct vpmem_dev_info *info, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static int dump(struct _test_data_fail_nth *self)
{
	unsigned int count = 0;
	int err = vpmem_dev_dump(self->drv.sock, count_one, &count);

	return err ?: count == 1 ? 0 : -EPROTO;
}

TEST_F(fail_nth, dev_dump)
{
	ASSERT_EQ(0, add(self));
	walk(_metadata, self, dump, nothing);
}

static int change(struct _test_data_fail_nth *self, enum vpmem_exec exec,
		  enum vpmem_on_error on_error)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_EXEC | VPMEM_SET_ON_ERROR,
		.exec = exec,
		.on_error = on_error,
	};

	return vpmem_dev_set(self->drv.sock, self->drv.id, &change);
}

static int set(struct _test_data_fail_nth *self)
{
	return change(self, VPMEM_EXEC_WORKER, VPMEM_ON_ERROR_REPORT);
}

static int set_back(struct _test_data_fail_nth *self)
{
	return change(self, VPMEM_EXEC_AUTO, VPMEM_ON_ERROR_STICKY);
}

TEST_F(fail_nth, dev_set)
{
	ASSERT_EQ(0, add(self));
	walk(_metadata, self, set, set_back);
}

/* With a table of guest memory, so that there is something to fail in it. */
static int set_all(struct _test_data_fail_nth *self, enum vpmem_exec exec,
		   uint64_t rate)
{
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_EXEC | VPMEM_SET_REGIONS |
			   VPMEM_SET_FLUSH_LIMIT,
		.exec = exec,
		.flush_limit.rate = rate,
		.regions = &region,
		.nr_regions = 1,
	};

	driver_config(&self->drv, &config, &region);
	return vpmem_dev_set(self->drv.sock, self->drv.id, &change);
}

static int set_more(struct _test_data_fail_nth *self)
{
	return set_all(self, VPMEM_EXEC_WORKER, 100);
}

static int set_more_back(struct _test_data_fail_nth *self)
{
	return set_all(self, VPMEM_EXEC_AUTO, 0);
}

TEST_F(fail_nth, dev_set_with_memory)
{
	ASSERT_EQ(0, add(self));
	ASSERT_EQ(0, set_more_back(self));
	walk(_metadata, self, set_more, set_more_back);
}

static int start(struct _test_data_fail_nth *self)
{
	return driver_start(&self->drv);
}

/* The command is the first half, and a worker does the rest. */
static int finish_stop(struct _test_data_fail_nth *self)
{
	int tries = 10000;

	while (look(self->watcher).info.queue_state ==
	       VPMEM_QUEUE_STATE_STOPPING) {
		if (!tries--)
			return -ETIME;
		usleep(1000);
	}
	return 0;
}

static int stop(struct _test_data_fail_nth *self)
{
	int err = vpmem_queue_stop(self->drv.sock, self->drv.id);
	int late = finish_stop(self);

	return err ?: late;
}

/* What a queue last was is seen until it starts anew: so it starts once. */
TEST_F(fail_nth, queue_start)
{
	ASSERT_EQ(0, add(self));
	ASSERT_EQ(0, start(self));
	ASSERT_EQ(0, stop(self));
	walk(_metadata, self, start, stop);
	EXPECT_EQ(0, driver_sync_flush(&self->drv));
}

TEST_F(fail_nth, queue_stop)
{
	ASSERT_EQ(0, add(self));
	ASSERT_EQ(0, start(self));
	walk(_metadata, self, stop, start);
}

TEST_F(fail_nth, dev_del)
{
	ASSERT_EQ(0, add(self));
	walk(_metadata, self, del, add);
}

static int subscribe(struct _test_data_fail_nth *self)
{
	return vpmem_event_subscribe(self->watcher);
}

TEST_F(fail_nth, subscribe)
{
	walk(_metadata, self, subscribe, nothing);
}

#define DISK	"/dev/mapper/vpmem-nth"

/* A device that serves inline, on a disk that refuses writes. */
static int add_on_bad_disk(struct driver *drv)
{
	struct vpmem_dev_config config;
	struct vpmem_region region;
	int err, fd;

	if (system("dmsetup create vpmem-nth --table "
		   "'0 8192 flakey /dev/ram0 0 0 60 1 error_writes'"))
		return -EIO;
	fd = open(DISK, O_RDWR | O_CLOEXEC);
	err = fd < 0 ? -errno : driver_open_file(drv, fd);
	if (err)
		return err;
	driver_config(drv, &config, &region);
	config.exec = VPMEM_EXEC_INLINE;
	config.on_error = VPMEM_ON_ERROR_REPORT;
	return vpmem_dev_add(drv->sock, &config, &drv->id) ?: driver_start(drv);
}

/* A flush that fails, served in the system call that kicks. */
static int flush_bad_disk(struct driver *drv, unsigned int point)
{
	static const char page[4096];
	uint32_t head, len;
	int err;

	if (pwrite(drv->file_fd, page, sizeof(page), 0) != sizeof(page))
		return -errno;
	driver_flush(drv, 0);
	armed = point;
	was_injected = false;
	arm();
	driver_kick(drv);
	disarm();
	armed = 0;
	/* It may be the kick that failed. */
	driver_kick(drv);
	err = driver_wait(drv, 1, 10000);
	if (!err && !driver_used(drv, &head, &len))
		err = -EPROTO;
	return err;
}

static unsigned int count_lost(struct vpmem_sock *sock)
{
	struct vpmem_event event;
	unsigned int lost = 0;
	int err;

	do {
		err = vpmem_event_next(sock, &event, 0);
		lost += err == -ENOBUFS;
	} while (!err || err == -ENOBUFS);
	return lost;
}

TEST(event_without_memory_is_seen_as_lost)
{
	struct vpmem_sock *watcher;
	unsigned int lost = 0, point;
	struct driver drv;

	ASSERT_EQ(0, set_up_injection());
	knob = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_LE(0, knob);
	ASSERT_EQ(0, vpmem_sock_create(&watcher));
	ASSERT_EQ(0, add_on_bad_disk(&drv));
	ASSERT_EQ(0, vpmem_event_subscribe(watcher));
	was_injected = true;
	for (point = 1; was_injected; point++) {
		ASSERT_GT(POINTS_MAX, point);
		ASSERT_EQ(0, flush_bad_disk(&drv, point));
		lost += count_lost(watcher);
	}
	EXPECT_LT(0, lost);
	TH_LOG("%u points, %u of them lose an event", point - 1, lost);
	close(knob);
	vpmem_sock_destroy(watcher);
	driver_close(&drv);
	EXPECT_EQ(0, system("dmsetup remove --retry vpmem-nth"));
}

static int load(unsigned int point)
{
	int fd = open("/lib/vpmem/vpmem.ko", O_RDONLY);
	int err;

	armed = point;
	was_injected = false;
	arm();
	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	disarm();
	armed = 0;
	close(fd);
	return err;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "vpmem", 0) ? -errno : 0;
}

/* How many points a load has, most of them before the module is asked. */
static int count_points(void)
{
	const int more = 1000000;
	char text[16] = "";
	int fd = open("/lib/vpmem/vpmem.ko", O_RDONLY);
	int err;

	if (dprintf(knob, "%d", more) < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	if (pread(knob, text, sizeof(text) - 1, 0) <= 0)
		err = -errno;
	dprintf(knob, "0");
	close(fd);
	return err ?: more - atoi(text);
}

/*
 * A slab cache that cannot be made brings a call trace, which says nothing
 * against the module. It is taken out of the log if that has nothing worse.
 */
static bool log_is_harmless(void)
{
	return system("dmesg | grep -qE 'WARNING:|BUG:|Oops|KASAN|corruption'") &&
	       !system("dmesg -c >/dev/null");
}

/*
 * A module that could not be initialised has left nothing that would be in the
 * way of the next. Its own points are the last ones.
 */
TEST(module_load)
{
	const int own_points = 150;
	unsigned int failures = 0;
	int points, point, err;

	ASSERT_EQ(0, set_up_injection());
	knob = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_LE(0, knob);
	ASSERT_EQ(0, unload());
	points = count_points();
	ASSERT_LT(own_points, points);
	ASSERT_EQ(0, unload());
	was_injected = true;
	for (point = points - own_points; was_injected; point++) {
		ASSERT_GT(2 * points, point);
		err = load(point);
		failures += !!err;
		if (!err)
			ASSERT_EQ(0, unload());
	}
	EXPECT_EQ(0, err);
	EXPECT_LT(0, failures);
	EXPECT_EQ(0, load(0));
	EXPECT_TRUE(log_is_harmless());
	TH_LOG("%d points, %u of the last %d fail the load", points, failures,
	       own_points);
	close(knob);
}

TEST_HARNESS_MAIN
