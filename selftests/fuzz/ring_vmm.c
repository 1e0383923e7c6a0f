// SPDX-License-Identifier: GPL-2.0-or-later
/* The VMM's ring walker and request decoder, for the fuzzer. */
#include "mem.h"
#include "pmem_req.h"
#include "ring_vectors.h"
#include "virtq.h"
#include "walker.h"

#include <stdlib.h>

static struct mem guest;
static struct virtq vq;

static uint8_t *guest_byte(uint64_t gpa)
{
	return mem_ptr(&guest, gpa, 1);
}

/* Two regions that meet, each an allocation with red zones. */
static void make_guest(void)
{
	void *low = aligned_alloc(4096, RING_MEM_LOW);
	void *high = aligned_alloc(4096, RING_MEM_HIGH);

	if (!low || !high ||
	    mem_add(&guest, 0, RING_MEM_LOW, low, MEM_RAM) ||
	    mem_add(&guest, RING_MEM_LOW, RING_MEM_HIGH, high, MEM_PMEM))
		abort();
}

static void start(const struct ring_setup *setup)
{
	if (!guest.nr_regions)
		make_guest();
	vq = (struct virtq) {
		.mem = &guest,
		.size = setup->size,
		.desc = RING_DESC,
		.avail = RING_AVAIL,
		.used = RING_USED,
		.features = setup->features,
		.next_avail = setup->start,
		.next_used = setup->start,
		.shown_used = setup->start,
	};
}

static int take(struct pmem_req *reqs, uint16_t *nr)
{
	struct virtq_chain chain;
	uint16_t count = 0;
	int err = virtq_available(&vq, &count);

	while (!err && *nr < count) {
		err = virtq_pop(&vq, &chain);
		if (!err)
			err = pmem_req_decode(&chain, &reqs[*nr]);
		*nr += !err;
	}
	return err;
}

static void complete(const struct pmem_req *reqs, uint16_t nr, bool *signals)
{
	uint16_t i;

	for (i = 0; i < nr; i++) {
		uint32_t len = 0;

		if (reqs[i].verdict != PMEM_VERDICT_NO_STATUS &&
		    !pmem_req_answer(vq.mem, &reqs[i], reqs[i].verdict ==
				     PMEM_VERDICT_FLUSH))
			len = 4;
		if (virtq_push(&vq, reqs[i].head, len))
			abort();
	}
	if (virtq_show(&vq, signals))
		abort();
}

static void serve(struct ring_answer *answer)
{
	struct pmem_req reqs[RING_SIZE];
	uint16_t first = vq.next_avail;
	uint16_t nr = 0;

	*answer = (struct ring_answer) { .is_broken = take(reqs, &nr) };
	/* A request that could not be read was popped all the same. */
	vq.next_avail = first + nr;
	if (nr)
		complete(reqs, nr, &answer->signals);
	if (!answer->is_broken && virtq_rearm(&vq, &answer->looks_again))
		abort();
	answer->next_avail = vq.next_avail;
	answer->next_used = vq.next_used;
}

const struct ring_walker ring_vmm = {
	.name = "user/vmm/virtq.c",
	.start = start,
	.serve = serve,
	.byte = guest_byte,
};
