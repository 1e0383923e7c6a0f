// SPDX-License-Identifier: GPL-2.0-or-later
/* The request queue: flushes are served, the queue stops and starts. */
#include "driver.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>

#include "kselftest_harness.h"

/* Requests that the module answers with one sync, at most. */
#define BATCH_MAX	64

#define STATUS_OK	0u
#define STATUS_FAIL	0xffffffffu
#define STATUS_UNSET	0xa5a5a5a5u

FIXTURE(queue) {
	struct driver drv;
};

FIXTURE_VARIANT(queue) {
	enum vpmem_exec exec;
};

FIXTURE_VARIANT_ADD(queue, on_worker) {
	.exec = VPMEM_EXEC_WORKER,
};

FIXTURE_VARIANT_ADD(queue, inline) {
	.exec = VPMEM_EXEC_INLINE,
};

FIXTURE_SETUP(queue)
{
	ASSERT_EQ(0, driver_open(&self->drv));
	ASSERT_EQ(0, driver_add(&self->drv, variant->exec));
}

FIXTURE_TEARDOWN(queue)
{
	driver_close(&self->drv);
}

static struct vpmem_stats stats_of(struct driver *drv)
{
	struct vpmem_dev_info info = { 0 };

	vpmem_dev_get(drv->sock, drv->id, &info);
	return info.stats;
}

static uint64_t hist_sum(const uint64_t *hist)
{
	uint64_t sum = 0;

	for (int i = 0; i < VPMEM_HIST_BUCKETS; i++)
		sum += hist[i];
	return sum;
}

/* A server counts its signal after it, so that the driver may be here first. */
static struct vpmem_stats stats_with_signals(struct driver *drv,
					     uint64_t signals)
{
	struct vpmem_stats stats;
	int tries = 0;

	do {
		usleep(tries ? 1000 : 0);
		stats = stats_of(drv);
	} while (stats.signals < signals && ++tries < 1000);
	return stats;
}

TEST_F(queue, flush_is_served_and_counted)
{
	struct vpmem_stats stats;

	ASSERT_EQ(0, driver_start(&self->drv));
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	stats = stats_with_signals(&self->drv, 100);
	EXPECT_EQ(100, stats.kicks);
	EXPECT_EQ(100, stats.flushes);
	EXPECT_EQ(100, stats.syncs);
	EXPECT_EQ(100, stats.batches);
	EXPECT_EQ(100, stats.signals);
	EXPECT_EQ(0, stats.flush_errors + stats.bad_requests +
		     stats.no_status + stats.ring_errors + stats.suppressed);
	EXPECT_EQ(100, hist_sum(stats.sync_hist));
	EXPECT_EQ(100, hist_sum(stats.flush_hist));
	EXPECT_GE(stats.flush_ns, stats.sync_ns);
	/* A kick that meets the worker of queue-start is served by it. */
	if (variant->exec == VPMEM_EXEC_INLINE) {
		EXPECT_LE(98, stats.inline_runs);
	} else {
		EXPECT_EQ(0, stats.inline_runs);
		EXPECT_LT(0, stats.worker_runs);
	}
}

TEST_F(queue, full_ring_is_served_by_one_kick)
{
	uint32_t head, len;

	ASSERT_EQ(0, driver_start(&self->drv));
	for (int round = 0; round < 3; round++) {
		for (uint16_t slot = 0; slot < 32; slot++)
			driver_flush(&self->drv, slot);
		driver_kick(&self->drv);
		ASSERT_EQ(0, driver_wait(&self->drv, 32, 10000));
		for (uint16_t slot = 0; slot < 32; slot++) {
			ASSERT_TRUE(driver_used(&self->drv, &head, &len));
			EXPECT_EQ(2 * slot, head);
			EXPECT_EQ(4, len);
			EXPECT_EQ(STATUS_OK, driver_status(&self->drv, slot));
		}
		EXPECT_FALSE(driver_used(&self->drv, &head, &len));
	}
}

TEST_F(queue, one_sync_answers_as_many_as_fit_a_batch)
{
	struct vpmem_stats stats;

	self->drv.ring_size = 256;
	ASSERT_EQ(0, driver_start(&self->drv));
	for (uint16_t slot = 0; slot < 2 * BATCH_MAX; slot++)
		driver_flush(&self->drv, slot);
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_wait(&self->drv, 2 * BATCH_MAX, 10000));
	for (uint16_t slot = 0; slot < 2 * BATCH_MAX; slot++)
		EXPECT_EQ(STATUS_OK, driver_status(&self->drv, slot));
	stats = stats_of(&self->drv);
	EXPECT_EQ(2 * BATCH_MAX, stats.flushes);
	EXPECT_EQ(2, stats.batches);
	EXPECT_EQ(2, stats.syncs);
}

TEST_F(queue, index_wraps)
{
	driver_begin_at(&self->drv, 65000);
	ASSERT_EQ(0, driver_start(&self->drv));
	for (int i = 0; i < 2000; i++)
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	EXPECT_EQ(2000, stats_of(&self->drv).flushes);
	EXPECT_EQ((65000 + 2000) % 65536, self->drv.used_idx);
}

TEST_F(queue, ring_sizes_from_1_to_1024)
{
	struct vpmem_event event;

	for (uint32_t size = 1; size <= VPMEM_RING_SIZE_MAX; size *= 2) {
		self->drv.ring_size = size;
		self->drv.avail_idx = 0;
		self->drv.used_idx = 0;
		memset(self->drv.memory, 0, DRIVER_MEMORY_SIZE);
		/* A chain of two needs an indirect table in a ring of one. */
		if (size == 1)
			continue;
		ASSERT_EQ(0, driver_start(&self->drv));
		for (uint32_t i = 0; i < 2 * size; i++)
			ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
		ASSERT_EQ(0, driver_stop(&self->drv, &event));
		EXPECT_EQ(2 * size, event.next_avail);
		EXPECT_EQ(2 * size, event.next_used);
	}
}

TEST_F(queue, ring_of_one_with_indirect_table)
{
	struct vring_desc *table = (void *)(self->drv.memory + DRIVER_INDIRECT);
	uint32_t head, len;

	self->drv.ring_size = 1;
	self->drv.features |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
	ASSERT_EQ(0, driver_start(&self->drv));
	driver_prepare(&self->drv, 0, 0);
	table[0] = *driver_desc(&self->drv, 0);
	table[1] = *driver_desc(&self->drv, 1);
	*driver_desc(&self->drv, 0) = (struct vring_desc) {
		.addr = DRIVER_MEMORY_GPA + DRIVER_INDIRECT,
		.len = 2 * sizeof(*table),
		.flags = VRING_DESC_F_INDIRECT,
	};
	driver_put(&self->drv, 0);
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 0));
	EXPECT_EQ(4, len);
}

TEST_F(queue, unknown_type_fails_without_a_sync)
{
	uint32_t head, len;

	ASSERT_EQ(0, driver_start(&self->drv));
	driver_put(&self->drv, driver_prepare(&self->drv, 0, 0x69));
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(4, len);
	EXPECT_EQ(STATUS_FAIL, driver_status(&self->drv, 0));
	EXPECT_EQ(0, stats_of(&self->drv).syncs);
	EXPECT_EQ(1, stats_of(&self->drv).bad_requests);
}

TEST_F(queue, request_without_status_is_returned_empty)
{
	uint32_t head, len;

	ASSERT_EQ(0, driver_start(&self->drv));
	head = driver_prepare(&self->drv, 0, 0);
	driver_desc(&self->drv, head)->flags = 0;
	driver_put(&self->drv, head);
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(0, len);
	EXPECT_EQ(1, stats_of(&self->drv).no_status);
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

TEST_F(queue, broken_ring_stops_the_queue_after_what_was_good)
{
	struct vpmem_event event;
	struct vpmem_dev_info info;
	uint32_t head, len;

	ASSERT_EQ(0, driver_start(&self->drv));
	driver_flush(&self->drv, 0);
	driver_put(&self->drv, 64);
	driver_flush(&self->drv, 1);
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_QUEUE_BROKEN, &event,
				       10000));
	EXPECT_EQ(self->drv.id, event.id);
	EXPECT_EQ(1, event.next_avail);
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 0));
	EXPECT_FALSE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 1));
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(VPMEM_QUEUE_STATE_BROKEN, info.queue_state);
	EXPECT_EQ(1, info.stats.ring_errors);

	/* The way out is to stop it and to start a sound ring. */
	EXPECT_EQ(-EBUSY, driver_start(&self->drv));
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	self->drv.avail_idx = 0;
	self->drv.used_idx = 0;
	memset(self->drv.memory, 0, DRIVER_MEMORY_SIZE);
	ASSERT_EQ(0, driver_start(&self->drv));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

TEST_F(queue, available_index_too_far_ahead_breaks_the_queue)
{
	struct vpmem_event event;

	ASSERT_EQ(0, driver_start(&self->drv));
	self->drv.avail_idx = self->drv.ring_size;
	driver_put(&self->drv, 0);
	driver_kick(&self->drv);
	ASSERT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_QUEUE_BROKEN, &event,
				       10000));
	EXPECT_EQ(0, event.next_used);
}

TEST_F(queue, kick_on_an_empty_ring_is_harmless)
{
	ASSERT_EQ(0, driver_start(&self->drv));
	for (int i = 0; i < 10; i++)
		driver_kick(&self->drv);
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	EXPECT_EQ(1, stats_of(&self->drv).flushes);
	EXPECT_EQ(0, stats_of(&self->drv).ring_errors);
}

/* Whoever had the ring before may have wanted none. */
TEST_F(queue, kicks_are_asked_for_from_the_start)
{
	volatile uint16_t *flags = (void *)(self->drv.memory + DRIVER_USED);

	*flags = VRING_USED_F_NO_NOTIFY;
	driver_flush(&self->drv, 0);
	ASSERT_EQ(0, driver_start(&self->drv));
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 0));
	EXPECT_EQ(0, *flags);
}

TEST_F(queue, kick_before_start_is_served_at_start)
{
	driver_flush(&self->drv, 0);
	driver_kick(&self->drv);
	EXPECT_EQ(-ETIME, driver_wait(&self->drv, 1, 200));
	ASSERT_EQ(0, driver_start(&self->drv));
	EXPECT_EQ(0, driver_wait(&self->drv, 1, 10000));
}

TEST_F(queue, kick_before_the_device_was_added_is_harmless)
{
	struct driver drv;

	ASSERT_EQ(0, driver_open(&drv));
	driver_kick(&drv);
	ASSERT_EQ(0, driver_add(&drv, variant->exec));
	ASSERT_EQ(0, driver_start(&drv));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&drv));
	driver_close(&drv);
}

TEST_F(queue, nothing_is_served_after_stop_and_all_of_it_after_restart)
{
	struct vpmem_event event;
	uint32_t head, len;

	ASSERT_EQ(0, driver_start(&self->drv));
	ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	EXPECT_EQ(1, event.next_avail);
	EXPECT_EQ(1, event.next_used);
	driver_flush(&self->drv, 3);
	driver_kick(&self->drv);
	EXPECT_EQ(-ETIME, driver_wait(&self->drv, 1, 200));
	EXPECT_EQ(STATUS_UNSET, driver_status(&self->drv, 3));
	ASSERT_EQ(0, driver_start(&self->drv));
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(6, head);
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 3));
}

TEST_F(queue, no_interrupt_where_none_is_wanted)
{
	uint16_t *flags = (void *)(self->drv.memory + DRIVER_AVAIL);
	uint64_t calls;

	ASSERT_EQ(0, driver_start(&self->drv));
	*flags = VRING_AVAIL_F_NO_INTERRUPT;
	driver_flush(&self->drv, 0);
	driver_kick(&self->drv);
	for (int i = 0; i < 1000 && driver_wait(&self->drv, 1, 1); i++)
		usleep(10000);
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 1));
	EXPECT_EQ(-1, read(self->drv.call_fd, &calls, sizeof(calls)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(1, stats_of(&self->drv).suppressed);
	EXPECT_EQ(0, stats_of(&self->drv).signals);
}

TEST_F(queue, event_idx_says_when_to_interrupt)
{
	uint16_t *used_event = (void *)(self->drv.memory + DRIVER_AVAIL + 4 +
					2 * self->drv.ring_size);
	uint32_t head, len;

	self->drv.features |= 1ull << VIRTIO_RING_F_EVENT_IDX;
	*used_event = 2;
	ASSERT_EQ(0, driver_start(&self->drv));
	for (uint16_t slot = 0; slot < 3; slot++) {
		driver_flush(&self->drv, slot);
		driver_kick(&self->drv);
		/* Without an interrupt it is seen only by looking. */
		for (int i = 0; i < 1000; i++) {
			if (!driver_wait(&self->drv, 1, 10))
				break;
		}
		ASSERT_TRUE(driver_used(&self->drv, &head, &len));
		EXPECT_EQ(slot == 2, stats_of(&self->drv).signals);
	}
}

TEST_F(queue, read_only_and_discarding_devices_need_no_sync)
{
	static const uint32_t kinds[] = {
		VPMEM_DEV_FLAGS_READ_ONLY,
		VPMEM_DEV_FLAGS_DISCARD_WRITES,
	};

	for (int i = 0; i < 2; i++) {
		struct vpmem_dev_config config;
		struct vpmem_region region;
		struct driver drv;

		ASSERT_EQ(0, driver_open(&drv));
		driver_config(&drv, &config, &region);
		config.flags = kinds[i];
		ASSERT_EQ(0, vpmem_dev_add(drv.sock, &config, &drv.id));
		ASSERT_EQ(0, driver_start(&drv));
		EXPECT_EQ(STATUS_OK, driver_sync_flush(&drv));
		EXPECT_EQ(1, stats_of(&drv).flushes);
		EXPECT_EQ(0, stats_of(&drv).syncs);
		driver_close(&drv);
	}
}

static struct rusage usage_of_thread(void)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_THREAD, &usage);
	return usage;
}

/* The thread plays the vCPU: its kick is a system call, as an exit is. */
TEST_F(queue, flush_sleeps_nowhere_if_it_is_inline)
{
	const int flushes = 1000;
	struct rusage before, after;
	uint64_t runs;
	long sleeps;

	ASSERT_EQ(0, driver_start(&self->drv));
	/* Until the worker of queue-start has gone. */
	do {
		runs = stats_of(&self->drv).inline_runs;
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	} while (variant->exec == VPMEM_EXEC_INLINE && !runs);
	runs = stats_of(&self->drv).inline_runs;
	before = usage_of_thread();
	for (int i = 0; i < flushes; i++)
		ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	after = usage_of_thread();
	sleeps = after.ru_nvcsw - before.ru_nvcsw;
	runs = stats_of(&self->drv).inline_runs - runs;
	TH_LOG("%d flushes: context switches of the kicking thread: %ld voluntary, %ld not",
	       flushes, sleeps, after.ru_nivcsw - before.ru_nivcsw);
	if (variant->exec == VPMEM_EXEC_INLINE) {
		EXPECT_EQ(0, sleeps);
		EXPECT_EQ(flushes, runs);
	} else {
		EXPECT_EQ(0, runs);
	}
}

struct storm {
	struct driver *drv;
	volatile bool is_over;
};

static void *kick_all_the_time(void *arg)
{
	struct storm *storm = arg;

	while (!storm->is_over)
		driver_kick(storm->drv);
	return NULL;
}

TEST_F(queue, no_request_is_lost_in_a_storm_of_kicks_and_restarts)
{
	struct storm storm = { .drv = &self->drv };
	struct vpmem_event event;
	pthread_t threads[2];
	uint32_t head, len;

	ASSERT_EQ(0, driver_start(&self->drv));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    kick_all_the_time, &storm));
	for (int i = 0; i < 300; i++) {
		driver_flush(&self->drv, i % 32);
		driver_kick(&self->drv);
		if (i % 8 == 0) {
			ASSERT_EQ(0, driver_stop(&self->drv, &event));
			struct vpmem_queue_config queue;

			driver_queue(&self->drv, &queue);
			queue.next_avail = event.next_avail;
			queue.next_used = event.next_used;
			ASSERT_EQ(0, vpmem_queue_start(self->drv.sock,
						       self->drv.id, &queue));
		}
		ASSERT_EQ(0, driver_wait(&self->drv, 1, 20000));
		ASSERT_TRUE(driver_used(&self->drv, &head, &len));
		ASSERT_EQ(2 * (i % 32), head);
		ASSERT_EQ(STATUS_OK, driver_status(&self->drv, i % 32));
	}
	storm.is_over = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(300, stats_of(&self->drv).flushes);
}

TEST_HARNESS_MAIN
