// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's ring walker and request decoder, for the fuzzer. */
#include "mem.h"
#include "request.h"
#include "ring.h"
#include "ring_memory.h"
#include "ring_vectors.h"
#include "walker.h"

#include <stdlib.h>

static struct vpmem_mem *guest;
static struct vpmem_ring ring;

static void start(const struct ring_setup *setup)
{
	guest = ring_memory();
	ring = (struct vpmem_ring) {
		.size = setup->size,
		.desc = RING_DESC,
		.avail = RING_AVAIL,
		.used = RING_USED,
		.features = setup->features,
		.next_avail = setup->start,
		.next_used = setup->start,
	};
}

/* As flush.c takes a batch. */
static int take(struct vpmem_req *reqs, u32 *nr)
{
	struct vpmem_chain chain;
	int count = vpmem_ring_available(&ring, guest);
	int err = count < 0 ? count : 0;

	while (!err && (int)*nr < count) {
		err = vpmem_ring_chain(&ring, guest, ring.next_avail + *nr,
				       &chain);
		if (!err)
			err = vpmem_req_decode(&chain, &reqs[*nr]);
		*nr += !err;
	}
	return err;
}

/* As flush.c completes one. */
static int complete(const struct vpmem_req *reqs, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 len = 0;

		if (reqs[i].verdict != VPMEM_VERDICT_NO_STATUS &&
		    !vpmem_req_answer(guest, &reqs[i], reqs[i].verdict ==
				      VPMEM_VERDICT_FLUSH))
			len = 4;
		if (vpmem_ring_push(&ring, guest, reqs[i].head, len))
			abort();
	}
	ring.next_avail += nr;
	return vpmem_ring_publish(&ring, guest, nr);
}

static void serve(struct ring_answer *answer)
{
	struct vpmem_req reqs[RING_SIZE];
	u32 nr = 0;
	int err = take(reqs, &nr);

	*answer = (struct ring_answer) {
		.signals = nr && complete(reqs, nr) == 1,
		.is_broken = err,
	};
	if (!err)
		answer->looks_again = vpmem_ring_rearm(&ring, guest) == 1;
	answer->next_avail = ring.next_avail;
	answer->next_used = ring.next_used;
}

const struct ring_walker ring_kmod = {
	.name = "kmod/ring.c",
	.start = start,
	.serve = serve,
	.byte = ring_memory_byte,
};
