// SPDX-License-Identifier: GPL-2.0-or-later
/* The tracepoints: each fires where it should, with what its fields promise. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "kselftest_harness.h"

#define TRACEFS		"/sys/kernel/tracing/"

FIXTURE(trace) {
	struct driver drv;
	char text[1 << 16];
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	ssize_t len = fd < 0 ? -1 : write(fd, text, strlen(text));

	close(fd);
	return len < 0 ? -errno : 0;
}

/*
 * To switch an event on or off the kernel changes code in place. Emulators
 * whose CPUs are threads do not all stand that while another CPU runs it.
 */
static void set_other_cpus(const char *online)
{
	char path[64];

	for (int cpu = 1; cpu < 64; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		if (write_file(path, online))
			return;
	}
}

FIXTURE_SETUP(trace)
{
	set_other_cpus("0");
	ASSERT_EQ(0, write_file(TRACEFS "trace", ""));
	ASSERT_EQ(0, write_file(TRACEFS "events/vpmem/enable", "1"));
	ASSERT_EQ(0, driver_open(&self->drv));
	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(0, driver_start(&self->drv));
}

FIXTURE_TEARDOWN(trace)
{
	EXPECT_EQ(0, write_file(TRACEFS "events/vpmem/enable", "0"));
	set_other_cpus("1");
	driver_close(&self->drv);
}

static void read_trace(struct _test_data_trace *self)
{
	int fd = open(TRACEFS "trace", O_RDONLY);
	size_t len = 0;
	ssize_t ret;

	while ((ret = read(fd, self->text + len,
			   sizeof(self->text) - 1 - len)) > 0)
		len += ret;
	self->text[len] = '\0';
	close(fd);
}

/*
 * Where in the trace an event stands, by the words between its name and what
 * cannot be known before. A server may still be about to write it.
 */
static const char *find(struct _test_data_trace *self, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static const char *find(struct _test_data_trace *self, const char *fmt, ...)
{
	const char *found = NULL;
	char words[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	for (int tries = 0; !found && tries < 200; tries++) {
		if (tries)
			usleep(20000);
		read_trace(self);
		found = strstr(self->text, words);
	}
	return found;
}

#define EXPECT_TRACED(...) do {						\
	EXPECT_NE(NULL, find(self, __VA_ARGS__))			\
		TH_LOG("not in this trace:\n%s", self->text);		\
} while (0)

TEST_F(trace, device)
{
	struct vpmem_dev_info info;
	struct vpmem_event event;

	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_TRACED("vpmem_dev_add: id=%u name=test length=%u flags=0x0 portid=%u\n",
		      self->drv.id, DRIVER_FILE_SIZE, info.owner_portid);
	ASSERT_EQ(0, vpmem_dev_del(self->drv.sock, self->drv.id));
	ASSERT_EQ(0, driver_next_event(self->drv.sock, VPMEM_EVENT_DEV_DELETED,
				       &event, 10000));
	EXPECT_TRACED("vpmem_dev_del: id=%u name=test length=%u flags=0x0 portid=%u\n",
		      self->drv.id, DRIVER_FILE_SIZE, info.owner_portid);
}

TEST_F(trace, flush)
{
	const char *kick, *start, *done;
	unsigned long long latency_ns;

	ASSERT_EQ(0, driver_sync_flush(&self->drv));
	done = find(self, "vpmem_flush_done: id=%u requests=1 error=0 latency_ns=",
		    self->drv.id);
	ASSERT_NE(NULL, done);
	kick = find(self, "vpmem_kick: id=%u\n", self->drv.id);
	start = find(self, "vpmem_flush_start: id=%u requests=1 flushes=1 bytes=%u\n",
		     self->drv.id, DRIVER_FILE_SIZE);
	ASSERT_NE(NULL, kick);
	ASSERT_NE(NULL, start);
	EXPECT_LT(kick, start);
	EXPECT_LT(start, done);
	latency_ns = strtoull(strstr(done, "latency_ns=") + 11, NULL, 10);
	EXPECT_LT(0, latency_ns);
	EXPECT_GT(60ull * 1000000000, latency_ns);
}

TEST_F(trace, batch)
{
	for (uint16_t slot = 0; slot < 3; slot++)
		driver_flush(&self->drv, slot);
	driver_put(&self->drv, driver_prepare(&self->drv, 3, 1));
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_wait(&self->drv, 4, 10000));
	EXPECT_TRACED("vpmem_flush_start: id=%u requests=4 flushes=3 ",
		      self->drv.id);
	EXPECT_TRACED("vpmem_flush_done: id=%u requests=4 error=0 ",
		      self->drv.id);
}

TEST_F(trace, failed_sync)
{
	struct vpmem_dev_change change = {
		.present = VPMEM_SET_ERROR,
		.error = EIO,
	};

	ASSERT_EQ(0, vpmem_dev_set(self->drv.sock, self->drv.id, &change));
	EXPECT_EQ(0xffffffff, driver_sync_flush(&self->drv));
	EXPECT_TRACED("vpmem_flush_done: id=%u requests=1 error=%d ",
		      self->drv.id, -EIO);
}

TEST_F(trace, ring_error)
{
	ASSERT_EQ(0, driver_sync_flush(&self->drv));
	driver_put(&self->drv, self->drv.ring_size);
	driver_kick(&self->drv);
	EXPECT_TRACED("vpmem_ring_error: id=%u error=%d next_avail=1 next_used=1\n",
		      self->drv.id, -EPROTO);
}

TEST_F(trace, ring_that_is_gone)
{
	ASSERT_EQ(0, munmap(self->drv.memory, DRIVER_MEMORY_SIZE));
	driver_kick(&self->drv);
	EXPECT_TRACED("vpmem_ring_error: id=%u error=%d next_avail=0 next_used=0\n",
		      self->drv.id, -EFAULT);
}

TEST_F(trace, disabled_events_are_silent)
{
	ASSERT_EQ(0, write_file(TRACEFS "events/vpmem/enable", "0"));
	ASSERT_EQ(0, write_file(TRACEFS "trace", ""));
	ASSERT_EQ(0, driver_sync_flush(&self->drv));
	read_trace(self);
	EXPECT_EQ(NULL, strstr(self->text, "vpmem_"));
}

/* On a disk, as there is nothing to write elsewhere. */
TEST_F(trace, write_behind)
{
	static char data[VPMEM_WRITE_BEHIND_MIN];
	struct vpmem_dev_config config;
	struct vpmem_region region;
	struct driver drv;
	int fd = open("/dev/ram3", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, driver_open_file(&drv, fd));
	driver_config(&drv, &config, &region);
	config.write_behind = sizeof(data);
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, vpmem_dev_add(drv.sock, &config, &drv.id));
	ASSERT_EQ(0, driver_start(&drv));
	ASSERT_EQ((ssize_t)sizeof(data), write(fd, data, sizeof(data)));
	EXPECT_TRACED("vpmem_write_behind: id=%u bytes=%zu\n", drv.id,
		      sizeof(data));
	driver_close(&drv);
}

TEST_HARNESS_MAIN
