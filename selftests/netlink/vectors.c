// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The common table of good and bad chains, served by the module as it is: with
 * its own way to guest memory, and in each place where it serves.
 */
#include "driver.h"
#include "patience.h"
#include "ring_vectors.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define WAIT_MS		10000
#define AVAIL_EVENT	(RING_USED + 4 + 8 * RING_SIZE)

/* Where the upper region is in our memory: not behind the lower one. */
#define HIGH_OFFSET	0x80000

FIXTURE(vectors) {
	struct driver drv;
};

FIXTURE_VARIANT(vectors) {
	enum vpmem_exec exec;
};

FIXTURE_VARIANT_ADD(vectors, on_worker) {
	.exec = VPMEM_EXEC_WORKER,
};

FIXTURE_VARIANT_ADD(vectors, inline) {
	.exec = VPMEM_EXEC_INLINE,
};

FIXTURE_SETUP(vectors)
{
	struct vpmem_dev_config config;
	struct vpmem_region regions[2];

	ASSERT_EQ(0, driver_open(&self->drv));
	driver_config(&self->drv, &config, &regions[0]);
	regions[0] = (struct vpmem_region) {
		.gpa = 0,
		.size = RING_MEM_LOW,
		.hva = (uintptr_t)self->drv.memory,
	};
	regions[1] = (struct vpmem_region) {
		.gpa = RING_MEM_LOW,
		.size = RING_MEM_HIGH,
		.hva = (uintptr_t)self->drv.memory + HIGH_OFFSET,
	};
	config.exec = variant->exec;
	config.regions = regions;
	config.nr_regions = 2;
	ASSERT_EQ(0, vpmem_dev_add(self->drv.sock, &config, &self->drv.id));
}

FIXTURE_TEARDOWN(vectors)
{
	driver_close(&self->drv);
}

static void write_memory(struct driver *drv, const uint8_t *image)
{
	memcpy(drv->memory, image, RING_MEM_LOW);
	memcpy(drv->memory + HIGH_OFFSET, image + RING_MEM_LOW, RING_MEM_HIGH);
}

static void read_memory(const struct driver *drv, uint8_t *image)
{
	memcpy(image, drv->memory, RING_MEM_LOW);
	memcpy(image + RING_MEM_LOW, drv->memory + HIGH_OFFSET, RING_MEM_HIGH);
}

/* A field of the rings that either side writes while the other looks. */
static volatile uint16_t *shared16(struct driver *drv, uint32_t gpa)
{
	return (volatile uint16_t *)(void *)(drv->memory + gpa);
}

static int start(struct driver *drv, const struct ring_vector *v)
{
	const struct vpmem_queue_config queue = {
		.size = RING_SIZE,
		.desc = RING_DESC,
		.avail = RING_AVAIL,
		.used = RING_USED,
		.features = ring_vector_features(v),
		.next_avail = v->start,
		.next_used = v->start,
	};

	return vpmem_queue_start(drv->sock, drv->id, &queue);
}

/* The worker finds the requests there; a kick comes after they are. */
static int submit(struct driver *drv, const struct ring_vector *v, bool kicks)
{
	volatile uint16_t *idx = shared16(drv, RING_AVAIL + 2);
	uint16_t claimed = *idx;
	int err;

	if (kicks)
		*idx = v->start;
	err = start(drv, v);
	if (err || !kicks)
		return err;
	*idx = claimed;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	driver_kick(drv);
	return 0;
}

static int await16(volatile uint16_t *field, uint16_t value)
{
	for (unsigned int i = 0; i < WAIT_MS * patience(); i++) {
		if (*field == value)
			return 0;
		usleep(1000);
	}
	return -ETIME;
}

/* Until nothing of memory will change any more. */
static int await_end(struct driver *drv, const struct ring_vector *v)
{
	uint16_t end = v->start + strlen(v->outcome);
	struct vpmem_event event;
	int err;

	if (ring_vector_breaks(v))
		return driver_next_event(drv->sock, VPMEM_EVENT_QUEUE_BROKEN,
					 &event, WAIT_MS);
	err = await16(shared16(drv, RING_USED + 2), end);
	if (!err && v->features & F_EVENT_IDX)
		err = await16(shared16(drv, AVAIL_EVENT), end);
	return err;
}

static bool was_interrupted(struct driver *drv)
{
	uint64_t calls;

	return read(drv->call_fd, &calls, sizeof(calls)) == sizeof(calls);
}

/* Beyond what the table says, the queue asks for the next kick. */
static void expect(const struct ring_vector *v, uint8_t *image)
{
	ring_vector_expect(v, image);
	if (v->features & F_EVENT_IDX && !ring_vector_breaks(v))
		ring_put16(image, AVAIL_EVENT, v->start + strlen(v->outcome));
}

static size_t first_difference(const uint8_t *a, const uint8_t *b)
{
	size_t i = 0;

	while (i < RING_MEM_BYTES && a[i] == b[i])
		i++;
	return i;
}

TEST_F(vectors, all_are_answered_as_the_table_says)
{
	static uint8_t image[RING_MEM_BYTES], memory[RING_MEM_BYTES];
	bool kicks = variant->exec == VPMEM_EXEC_INLINE;
	struct vpmem_event event;

	for (size_t i = 0; i < RING_VECTORS; i++) {
		const struct ring_vector *v = &ring_vectors[i];

		ring_vector_build(v, image);
		write_memory(&self->drv, image);
		ASSERT_EQ(0, submit(&self->drv, v, kicks));
		EXPECT_EQ(0, await_end(&self->drv, v)) {
			TH_LOG("%s", v->name);
		}
		ASSERT_EQ(0, driver_stop(&self->drv, &event));
		EXPECT_EQ(ring_vector_signals(v), was_interrupted(&self->drv)) {
			TH_LOG("%s", v->name);
		}
		read_memory(&self->drv, memory);
		expect(v, image);
		EXPECT_EQ(RING_MEM_BYTES, first_difference(memory, image)) {
			TH_LOG("%s: memory differs here", v->name);
		}
	}
}

TEST_HARNESS_MAIN
