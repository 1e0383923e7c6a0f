// SPDX-License-Identifier: GPL-2.0-or-later
/* The VMM's ring walker and request decoder, over the common table. */
#include "mem.h"
#include "pmem_req.h"
#include "ring_vectors.h"
#include "virtq.h"

#include <errno.h>
#include <stdlib.h>

#include "kselftest_harness.h"

FIXTURE(virtqueue) {
	struct mem mem;
	uint8_t *low;
	uint8_t *high;
	struct virtq vq;
};

FIXTURE_SETUP(virtqueue)
{
	self->low = aligned_alloc(4096, RING_MEM_LOW);
	self->high = aligned_alloc(4096, RING_MEM_HIGH);
	ASSERT_NE(NULL, self->low);
	ASSERT_NE(NULL, self->high);
	memset(&self->mem, 0, sizeof(self->mem));
	ASSERT_EQ(0, mem_add(&self->mem, 0, RING_MEM_LOW, self->low, MEM_RAM));
	ASSERT_EQ(0, mem_add(&self->mem, RING_MEM_LOW, RING_MEM_HIGH,
			     self->high, MEM_PMEM));
	self->vq = (struct virtq) {
		.mem = &self->mem,
		.size = RING_SIZE,
		.desc = RING_DESC,
		.avail = RING_AVAIL,
		.used = RING_USED,
		.features = 1ull << VIRTIO_F_VERSION_1,
	};
}

FIXTURE_TEARDOWN(virtqueue)
{
	free(self->low);
	free(self->high);
}

/* Serves one batch as a device does; false if the ring cannot be trusted. */
static bool serve(struct virtq *vq, bool *signals)
{
	struct pmem_req reqs[RING_SIZE];
	struct virtq_chain chain;
	uint16_t count = 0, nr = 0, i;
	int err = virtq_available(vq, &count);

	while (!err && nr < count) {
		err = virtq_pop(vq, &chain);
		if (!err)
			err = pmem_req_decode(&chain, &reqs[nr]);
		nr += !err;
	}
	for (i = 0; i < nr; i++) {
		bool has_status = reqs[i].verdict != PMEM_VERDICT_NO_STATUS;

		if (has_status)
			pmem_req_answer(vq->mem, &reqs[i], reqs[i].verdict ==
					PMEM_VERDICT_FLUSH);
		virtq_push(vq, reqs[i].head, has_status ? 4 : 0);
	}
	if (nr && virtq_show(vq, signals))
		return false;
	return !err;
}

static size_t first_difference(const uint8_t *a, const uint8_t *b)
{
	size_t i = 0;

	while (i < RING_MEM_BYTES && a[i] == b[i])
		i++;
	return i;
}

TEST_F(virtqueue, vectors)
{
	static uint8_t before[RING_MEM_BYTES], after[RING_MEM_BYTES];
	size_t i;

	for (i = 0; i < RING_VECTORS; i++) {
		const struct ring_vector *v = &ring_vectors[i];
		struct virtq vq = self->vq;
		bool signals = false;

		vq.features = ring_vector_features(v);
		vq.next_avail = v->start;
		vq.next_used = v->start;
		vq.shown_used = v->start;
		ring_vector_build(v, before);
		memcpy(self->low, before, RING_MEM_LOW);
		memcpy(self->high, before + RING_MEM_LOW, RING_MEM_HIGH);
		EXPECT_EQ(ring_vector_breaks(v), !serve(&vq, &signals)) {
			TH_LOG("%s", v->name);
		}
		EXPECT_EQ(ring_vector_signals(v), signals) {
			TH_LOG("%s", v->name);
		}
		ring_vector_expect(v, before);
		memcpy(after, self->low, RING_MEM_LOW);
		memcpy(after + RING_MEM_LOW, self->high, RING_MEM_HIGH);
		EXPECT_EQ(RING_MEM_BYTES, first_difference(before, after)) {
			TH_LOG("%s: memory differs here", v->name);
		}
	}
}

static const struct {
	uint32_t size;
	uint64_t desc, avail, used, features;
	int err;
} bad_rings[] = {
	{ 0, RING_DESC, RING_AVAIL, RING_USED, 0, -EINVAL },
	{ 3, RING_DESC, RING_AVAIL, RING_USED, 0, -EINVAL },
	{ 2048, RING_DESC, RING_AVAIL, RING_USED, 0, -EINVAL },
	{ 8, RING_DESC + 8, RING_AVAIL, RING_USED, 0, -EINVAL },
	{ 8, RING_DESC, RING_AVAIL + 1, RING_USED, 0, -EINVAL },
	{ 8, RING_DESC, RING_AVAIL, RING_USED + 2, 0, -EINVAL },
	{ 8, RING_HOLE, RING_AVAIL, RING_USED, 0, -EFAULT },
	{ 8, RING_DESC, RING_HOLE, RING_USED, 0, -EFAULT },
	{ 8, RING_DESC, RING_AVAIL, RING_HOLE, 0, -EFAULT },
	{ 8, RING_MEM_BYTES - 16 * 8 + 16, RING_AVAIL, RING_USED, 0, -EFAULT },
	{ 8, 0xfffffffffffffff0, RING_AVAIL, RING_USED, 0, -EFAULT },
	/* The event fields count: the last two bytes are outside. */
	{ 8, RING_DESC, RING_MEM_BYTES - 4 - 16, RING_USED, F_EVENT_IDX,
	  -EFAULT },
	{ 8, RING_DESC, RING_AVAIL, RING_MEM_BYTES - 4 - 64, F_EVENT_IDX,
	  -EFAULT },
	{ 8, RING_DESC, RING_MEM_BYTES - 4 - 16, RING_USED, 0, 0 },
	{ 8, RING_DESC, RING_AVAIL, RING_MEM_BYTES - 4 - 64, 0, 0 },
	{ 8, RING_MEM_LOW - 16, RING_AVAIL, RING_USED, 0, 0 },
};

/* BAD-14, BAD-21: where a ring may be. */
TEST_F(virtqueue, check)
{
	size_t i;

	for (i = 0; i < sizeof(bad_rings) / sizeof(bad_rings[0]); i++) {
		struct virtq vq = {
			.mem = &self->mem,
			.size = bad_rings[i].size,
			.desc = bad_rings[i].desc,
			.avail = bad_rings[i].avail,
			.used = bad_rings[i].used,
			.features = bad_rings[i].features,
		};

		EXPECT_EQ(bad_rings[i].err, virtq_check(&vq)) {
			TH_LOG("ring %zu", i);
		}
	}
}

TEST_F(virtqueue, rearm_without_event_idx_does_nothing)
{
	bool look_again = true;

	memset(self->low, RING_FILL, RING_MEM_LOW);
	ASSERT_EQ(0, virtq_rearm(&self->vq, &look_again));
	EXPECT_FALSE(look_again);
	EXPECT_EQ(RING_FILL, self->low[RING_USED + 4 + 8 * RING_SIZE]);
}

TEST_F(virtqueue, rearm_with_event_idx)
{
	bool look_again = false;
	uint16_t event;

	self->vq.features |= F_EVENT_IDX;
	self->vq.next_avail = 0x1234;
	ASSERT_EQ(0, virtq_rearm(&self->vq, &look_again));
	EXPECT_TRUE(look_again);
	memcpy(&event, self->low + RING_USED + 4 + 8 * RING_SIZE, 2);
	EXPECT_EQ(0x1234, event);
}

/* What a device may not write is no memory for rings and requests. */
TEST_F(virtqueue, read_only_pages_are_refused)
{
	struct virtq vq = self->vq;
	char byte;

	ASSERT_EQ(0, mem_add(&self->mem, 0x100000, 4096, self->high,
			     MEM_PMEM_RO));
	vq.desc = 0x100000;
	EXPECT_EQ(-EFAULT, virtq_check(&vq));
	EXPECT_EQ(-EFAULT, virtq_read(&self->mem, 0x100000, &byte, 1));
	EXPECT_EQ(-EFAULT, virtq_write(&self->mem, 0x100000, "x", 1));
}

TEST_HARNESS_MAIN
