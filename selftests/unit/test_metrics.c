// SPDX-License-Identifier: GPL-2.0-or-later
/* The metrics file: its lines, their names and numbers, and when they come. */
#include "layout.h"
#include "machine.h"
#include "metrics.h"
#include "pmem_backend.h"
#include "vcpu.h"
#include "virtio_pmem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "kselftest_harness.h"

#define FIRST_DEVFN	8u
#define LINES_MAX	16

FIXTURE(metrics) {
	char dir[64];
	char disk[96];
	char path[96];
	struct machine m;
	struct driver d;
	struct metrics *metrics;
	pthread_t thread;
	char message[1024];
};

/* There are no vCPUs and no module. */

uint64_t vcpus_exits(const struct vm *vm)
{
	return 4711;
}

void vcpus_count_exits(const struct vm *vm, struct vcpu_exits *sum)
{
	*sum = (struct vcpu_exits) {
		.io_in = 1,
		.io_out = 2,
		.mmio_read = 3,
		.mmio_write = 4,
		.config_space = 5,
		.other = 6,
	};
}

int pmem_kernel_create(const struct pmem_host *host,
		       struct pmem_backend **backend, char *why, size_t why_len)
{
	return -ENOENT;
}

/* The sandbox does not allow it where it is a system call. */
time_t time(time_t *seconds)
{
	abort();
}

static void make(struct __test_metadata *_metadata, const char *path, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, size));
	close(fd);
}

FIXTURE_SETUP(metrics)
{
	snprintf(self->dir, sizeof(self->dir), "/tmp/metrics-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->disk, sizeof(self->disk), "%s/disk", self->dir);
	snprintf(self->path, sizeof(self->path), "%s/metrics", self->dir);
	make(_metadata, self->disk, 2 * MIB);
	ASSERT_EQ(0, machine_create(&self->m));
	self->m.config.metrics_path = self->path;
	self->m.config.nr_pmem = 1;
	self->m.config.pmem[0] = (struct config_pmem) {
		.path = self->disk,
		.id = (char *)"root \"disk\"",
		.flush = CONFIG_FLUSH_USER,
	};
	ASSERT_EQ(0, virtio_pmem_create(&self->m.vm));
	ASSERT_TRUE(driver_probe(&self->d, &self->m, FIRST_DEVFN));
}

FIXTURE_TEARDOWN(metrics)
{
	metrics_destroy(self->metrics);
	virtio_pmem_destroy_all(&self->m.vm);
	machine_destroy(&self->m);
	unlink(self->path);
	unlink(self->disk);
	rmdir(self->dir);
}

/* Creates with stderr in a file, so that its lines can be counted. */
static int create(struct _test_data_metrics *self)
{
	struct hearing hearing;
	int err;

	hear_begin(&hearing);
	err = metrics_create(&self->metrics, &self->m.vm);
	hear_end(&hearing, self->message, sizeof(self->message));
	return err;
}

static void destroy(struct _test_data_metrics *self)
{
	metrics_finish(self->metrics);
	metrics_destroy(self->metrics);
	self->metrics = NULL;
}

static bool flush(struct driver *d)
{
	driver_post(d, 0);
	driver_kick(d);
	return driver_wait(d, d->avail) && !driver_answer(d, d->avail - 1);
}

/* All lines of the file, parsed; how many there are, or -1 if one is no JSON. */
static int read_lines(const char *path, json_t *lines[])
{
	FILE *file = fopen(path, "r");
	char text[16384];
	int count = 0;

	while (file && count >= 0 && count < LINES_MAX &&
	       fgets(text, sizeof(text), file)) {
		lines[count] = strchr(text, '\n') ?
			       json_loads(text, JSON_REJECT_DUPLICATES, NULL) :
			       NULL;
		count = lines[count] ? count + 1 : -1;
	}
	if (file)
		fclose(file);
	return count;
}

static json_t *device_of(json_t *line)
{
	return json_object_get(line, "pmem_root \"disk\"");
}

static long long number(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static int wait_lines(const char *path, int wanted, json_t *lines[])
{
	int count = read_lines(path, lines);

	for (int i = 0; i < 50 && count < wanted; i++) {
		usleep(100000);
		count = read_lines(path, lines);
	}
	return count;
}

static const char *const numbers[] = {
	/* Firecracker's */
	"activate_fails", "cfg_fails", "event_fails", "queue_event_count",
	"rate_limiter_throttled_events", "rate_limiter_event_count",
	/* ours */
	"kicks", "flushes", "flush_errors", "bad_requests", "no_status",
	"ring_errors", "batches", "syncs", "sync_errors", "inline_runs",
	"worker_runs", "signals", "suppressed", "sync_ns", "flush_ns",
	"bytes_written", "throttled", "throttled_ns", "write_behinds",
	"write_behind_bytes", "write_behind_cpu_ns", "lost_writes",
	"dropped_writes", "needs_resets",
};

TEST_F(metrics, last_line_has_every_name)
{
	json_t *lines[LINES_MAX], *device, *vcpu;

	ASSERT_EQ(0, create(self));
	EXPECT_STREQ("", self->message);
	destroy(self);
	ASSERT_EQ(1, read_lines(self->path, lines));
	EXPECT_LT(1600000000000, number(lines[0], "utc_timestamp_ms"));
	EXPECT_EQ(4711, number(lines[0], "exits"));
	EXPECT_EQ(5, json_object_size(lines[0]));
	vcpu = json_object_get(lines[0], "vcpu");
	EXPECT_EQ(1, number(vcpu, "exit_io_in"));
	EXPECT_EQ(2, number(vcpu, "exit_io_out"));
	EXPECT_EQ(3, number(vcpu, "exit_mmio_read"));
	EXPECT_EQ(4, number(vcpu, "exit_mmio_write"));
	EXPECT_EQ(5, number(vcpu, "exit_config_space"));
	EXPECT_EQ(6, number(vcpu, "exit_other"));
	device = device_of(lines[0]);
	ASSERT_NE(NULL, device);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		EXPECT_EQ(0, number(device, numbers[i]))
			TH_LOG("%s", numbers[i]);
		EXPECT_EQ(0, number(json_object_get(lines[0], "pmem"),
				    numbers[i]))
			TH_LOG("pmem: %s", numbers[i]);
	}
	EXPECT_STREQ("user",
		     json_string_value(json_object_get(device, "flush")));
	EXPECT_TRUE(json_is_false(json_object_get(device, "size_changed")));
	EXPECT_EQ(VPMEM_HIST_BUCKETS,
		  json_array_size(json_object_get(device, "sync_hist")));
	EXPECT_EQ(VPMEM_HIST_BUCKETS,
		  json_array_size(json_object_get(device, "flush_hist")));
	EXPECT_EQ(0, number(json_object_get(device, "sync_latency_ns"), "p50"));
}

TEST_F(metrics, flushes_are_counted)
{
	static const char *const percentiles[] = { "p50", "p90", "p99", "max" };
	json_t *lines[LINES_MAX], *device, *latency, *first;
	long long last = 0;

	ASSERT_EQ(0, create(self));
	ASSERT_TRUE(driver_start(&self->d));
	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(flush(&self->d));
	driver_post(&self->d, 1);
	driver_kick(&self->d);
	ASSERT_TRUE(driver_wait(&self->d, 4));
	machine_write(&self->m, self->d.device, 0, 8);
	destroy(self);
	ASSERT_EQ(1, read_lines(self->path, lines));
	device = device_of(lines[0]);
	EXPECT_EQ(3, number(device, "flushes"));
	EXPECT_EQ(3, number(device, "syncs"));
	EXPECT_EQ(4, number(device, "batches"));
	EXPECT_EQ(1, number(device, "bad_requests"));
	EXPECT_EQ(1, number(device, "event_fails"));
	EXPECT_EQ(1, number(device, "cfg_fails"));
	EXPECT_EQ(number(device, "kicks"), number(device, "queue_event_count"));
	EXPECT_LE(4, number(device, "queue_event_count"));
	EXPECT_LT(0, number(device, "cpu_ns"));
	/* Syncs of a file in memory are not timed, all others are. */
	first = json_array_get(json_object_get(device, "sync_hist"), 0);
	EXPECT_EQ(json_integer_value(first) == 3, !number(device, "sync_ns"));
	EXPECT_LE(number(device, "sync_ns"), number(device, "flush_ns"));
	latency = json_object_get(device, "flush_latency_ns");
	for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++) {
		EXPECT_LE(last, number(latency, percentiles[i]));
		last = number(latency, percentiles[i]);
	}
	EXPECT_LT(0, last);
}

/* What stands under "pmem" is the sum of what stands under "pmem_ID". */
TEST_F(metrics, devices_are_summed_up)
{
	json_t *lines[LINES_MAX], *sum;
	struct driver second;
	char other[128];

	virtio_pmem_destroy_all(&self->m.vm);
	machine_destroy(&self->m);
	ASSERT_EQ(0, machine_create(&self->m));
	snprintf(other, sizeof(other), "%s.2", self->disk);
	make(_metadata, other, 2 * MIB);
	self->m.config.metrics_path = self->path;
	self->m.config.nr_pmem = 2;
	self->m.config.pmem[0] = (struct config_pmem) {
		.path = self->disk,
		.id = (char *)"first",
		.flush = CONFIG_FLUSH_USER,
	};
	self->m.config.pmem[1] = self->m.config.pmem[0];
	self->m.config.pmem[1].path = other;
	self->m.config.pmem[1].id = (char *)"second";
	ASSERT_EQ(0, virtio_pmem_create(&self->m.vm));
	ASSERT_TRUE(driver_probe(&self->d, &self->m, FIRST_DEVFN));
	ASSERT_TRUE(driver_probe(&second, &self->m, FIRST_DEVFN + 1));
	second.base = 0x20000;
	ASSERT_EQ(0, create(self));
	ASSERT_TRUE(driver_start(&self->d));
	ASSERT_TRUE(driver_start(&second));
	ASSERT_TRUE(flush(&self->d));
	ASSERT_TRUE(flush(&second));
	ASSERT_TRUE(flush(&second));
	machine_write(&self->m, second.device, 0, 8);
	destroy(self);
	unlink(other);
	ASSERT_EQ(1, read_lines(self->path, lines));
	sum = json_object_get(lines[0], "pmem");
	EXPECT_EQ(1, number(json_object_get(lines[0], "pmem_first"), "flushes"));
	EXPECT_EQ(2, number(json_object_get(lines[0], "pmem_second"), "flushes"));
	EXPECT_EQ(3, number(sum, "flushes"));
	EXPECT_EQ(1, number(sum, "cfg_fails"));
	EXPECT_EQ(number(json_object_get(lines[0], "pmem_first"), "kicks") +
		  number(json_object_get(lines[0], "pmem_second"), "kicks"),
		  number(sum, "queue_event_count"));
	EXPECT_EQ(NULL, json_object_get(sum, "flush_hist"));
}

TEST_F(metrics, throttled_flushes_are_counted)
{
	json_t *lines[LINES_MAX], *device;

	virtio_pmem_destroy_all(&self->m.vm);
	machine_destroy(&self->m);
	ASSERT_EQ(0, machine_create(&self->m));
	self->m.config.metrics_path = self->path;
	self->m.config.nr_pmem = 1;
	self->m.config.pmem[0] = (struct config_pmem) {
		.path = self->disk,
		.id = (char *)"root \"disk\"",
		.flush = CONFIG_FLUSH_USER,
		.flush_limit = { 5, 1 },
	};
	ASSERT_EQ(0, virtio_pmem_create(&self->m.vm));
	ASSERT_TRUE(driver_probe(&self->d, &self->m, FIRST_DEVFN));
	ASSERT_EQ(0, create(self));
	ASSERT_TRUE(driver_start(&self->d));
	ASSERT_TRUE(flush(&self->d));
	ASSERT_TRUE(flush(&self->d));
	destroy(self);
	ASSERT_EQ(1, read_lines(self->path, lines));
	device = device_of(lines[0]);
	EXPECT_EQ(1, number(device, "throttled"));
	EXPECT_EQ(1, number(device, "rate_limiter_throttled_events"));
	EXPECT_LT(0, number(device, "throttled_ns"));
}

TEST_F(metrics, queue_that_cannot_be_served_is_counted)
{
	json_t *lines[LINES_MAX];

	ASSERT_EQ(0, create(self));
	ASSERT_TRUE(driver_negotiate(&self->d));
	/* Rings where there is no memory. */
	self->d.base = 1 << 30;
	driver_setup_queue(&self->d);
	driver_set_status(&self->d, driver_status(&self->d) |
			  VIRTIO_CONFIG_S_DRIVER_OK);
	destroy(self);
	ASSERT_EQ(1, read_lines(self->path, lines));
	EXPECT_EQ(1, number(device_of(lines[0]), "activate_fails"));
	EXPECT_EQ(1, number(device_of(lines[0]), "needs_resets"));
}

static void *run_loop(void *vm)
{
	loop_run(&((struct vm *)vm)->loop);
	return NULL;
}

/* A line a second, but none for what has not changed. */
TEST_F(metrics, lines_come_with_changes)
{
	json_t *lines[LINES_MAX];

	ASSERT_EQ(0, create(self));
	ASSERT_TRUE(driver_start(&self->d));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, run_loop, &self->m.vm));
	ASSERT_EQ(1, wait_lines(self->path, 1, lines));
	EXPECT_EQ(0, number(device_of(lines[0]), "flushes"));
	usleep(2200000);
	EXPECT_EQ(1, read_lines(self->path, lines));
	ASSERT_TRUE(flush(&self->d));
	ASSERT_EQ(2, wait_lines(self->path, 2, lines));
	EXPECT_EQ(1, number(device_of(lines[1]), "flushes"));
	loop_quit(&self->m.vm.loop, 0);
	pthread_join(self->thread, NULL);
	destroy(self);
	EXPECT_EQ(2, read_lines(self->path, lines));
}

TEST_F(metrics, file_is_appended_to)
{
	json_t *lines[LINES_MAX];

	ASSERT_EQ(0, create(self));
	destroy(self);
	ASSERT_EQ(0, create(self));
	destroy(self);
	EXPECT_EQ(2, read_lines(self->path, lines));
}

/* Nobody reads, and nobody waits for that. */
TEST_F(metrics, fifo_without_a_reader)
{
	int fd;

	ASSERT_EQ(0, mkfifo(self->path, 0600));
	ASSERT_EQ(0, create(self));
	destroy(self);
	/* Now what is written stays in it, until it is full. */
	fd = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, create(self));
		destroy(self);
	}
	close(fd);
}

TEST_F(metrics, none_wanted)
{
	self->m.config.metrics_path = NULL;
	EXPECT_EQ(0, create(self));
	EXPECT_EQ(NULL, self->metrics);
	EXPECT_STREQ("", self->message);
}

TEST_F(metrics, file_that_cannot_be_written)
{
	char want[256];

	self->m.config.metrics_path = self->dir;
	EXPECT_EQ(-EISDIR, create(self));
	EXPECT_EQ(NULL, self->metrics);
	snprintf(want, sizeof(want),
		 "vpmem-vmm: cannot write metrics to %s: Is a directory\n",
		 self->dir);
	EXPECT_STREQ(want, self->message);
	self->m.config.metrics_path = (char *)"/does/not/exist";
	EXPECT_EQ(-ENOENT, create(self));
	EXPECT_STREQ("vpmem-vmm: cannot write metrics to /does/not/exist: "
		     "No such file or directory\n", self->message);
}

TEST_HARNESS_MAIN
