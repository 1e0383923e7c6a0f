// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's ring walker and request decoder, over the common table. */
#include "mem.h"
#include "request.h"
#include "ring.h"
#include "ring_memory.h"
#include "ring_vectors.h"

#include <errno.h>

#include "kselftest_harness.h"

static void fill_memory(void)
{
	u64 gpa;

	ring_memory();
	for (gpa = 0; gpa < RING_MEM_BYTES; gpa++)
		*ring_memory_byte(gpa) = RING_FILL;
}

static struct vpmem_ring ring_at(u16 start, u64 features)
{
	return (struct vpmem_ring) {
		.size = RING_SIZE,
		.desc = RING_DESC,
		.avail = RING_AVAIL,
		.used = RING_USED,
		.features = features,
		.next_avail = start,
		.next_used = start,
	};
}

/* Serves one batch as flush.c does; false if the ring cannot be trusted. */
static bool serve(struct vpmem_ring *ring, bool *signals)
{
	struct vpmem_req reqs[RING_SIZE];
	struct vpmem_chain chain;
	int count = vpmem_ring_available(ring, ring_memory());
	int err = count < 0 ? count : 0;
	int nr = 0, i;

	while (!err && nr < count) {
		err = vpmem_ring_chain(ring, ring_memory(), ring->next_avail + nr,
				       &chain);
		if (!err)
			err = vpmem_req_decode(&chain, &reqs[nr]);
		nr += !err;
	}
	for (i = 0; i < nr; i++) {
		bool has_status = reqs[i].verdict != VPMEM_VERDICT_NO_STATUS;

		if (has_status)
			vpmem_req_answer(ring_memory(), &reqs[i], reqs[i].verdict ==
					 VPMEM_VERDICT_FLUSH);
		vpmem_ring_push(ring, ring_memory(), reqs[i].head, has_status ? 4 : 0);
	}
	if (nr)
		*signals = vpmem_ring_publish(ring, ring_memory(), nr) == 1;
	return !err;
}

static size_t first_difference(const u8 *expected)
{
	size_t i = 0;

	while (i < RING_MEM_BYTES && expected[i] == *ring_memory_byte(i))
		i++;
	return i;
}

TEST(vectors)
{
	static u8 image[RING_MEM_BYTES];
	size_t i;

	for (i = 0; i < RING_VECTORS; i++) {
		const struct ring_vector *v = &ring_vectors[i];
		struct vpmem_ring ring = ring_at(v->start,
						 ring_vector_features(v));
		bool signals = false;

		ring_vector_build(v, image);
		ASSERT_EQ(0, vpmem_mem_write(ring_memory(), 0, image, sizeof(image)));
		EXPECT_EQ(ring_vector_breaks(v), !serve(&ring, &signals)) {
			TH_LOG("%s", v->name);
		}
		EXPECT_EQ(ring_vector_signals(v), signals) {
			TH_LOG("%s", v->name);
		}
		ring_vector_expect(v, image);
		EXPECT_EQ(RING_MEM_BYTES, first_difference(image)) {
			TH_LOG("%s: memory differs here", v->name);
		}
	}
}

TEST(sizes_of_the_parts)
{
	struct vpmem_ring ring = ring_at(0, 0);

	EXPECT_EQ(16 * RING_SIZE, vpmem_ring_desc_bytes(&ring));
	EXPECT_EQ(4 + 2 * RING_SIZE, vpmem_ring_avail_bytes(&ring));
	EXPECT_EQ(4 + 8 * RING_SIZE, vpmem_ring_used_bytes(&ring));
	ring.features = F_EVENT_IDX;
	EXPECT_EQ(6 + 2 * RING_SIZE, vpmem_ring_avail_bytes(&ring));
	EXPECT_EQ(6 + 8 * RING_SIZE, vpmem_ring_used_bytes(&ring));
}

TEST(rearm_without_event_idx_does_nothing)
{
	struct vpmem_ring ring = ring_at(0, 0);

	fill_memory();
	EXPECT_EQ(0, vpmem_ring_rearm(&ring, ring_memory()));
	EXPECT_EQ(RING_FILL, *ring_memory_byte(RING_USED + 4 + 8 * RING_SIZE));
}

TEST(rearm_with_event_idx)
{
	struct vpmem_ring ring = ring_at(0x1234, F_EVENT_IDX);

	fill_memory();
	EXPECT_EQ(1, vpmem_ring_rearm(&ring, ring_memory()));
	EXPECT_EQ(0x34, *ring_memory_byte(RING_USED + 4 + 8 * RING_SIZE));
	EXPECT_EQ(0x12, *ring_memory_byte(RING_USED + 5 + 8 * RING_SIZE));
}

TEST_HARNESS_MAIN
