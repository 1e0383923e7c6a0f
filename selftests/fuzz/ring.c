// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile rings for both ring walkers: neither may touch what is not guest
 * memory, both must end, and what they do to the guest must be the same.
 */
#include "ring_input.h"
#include "walker.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ring_walker *const walkers[] = { &ring_kmod, &ring_vmm };

struct input {
	const uint8_t *data;
	size_t left;
};

static void put(uint64_t gpa, uint8_t val)
{
	*ring_kmod.byte(gpa) = val;
	*ring_vmm.byte(gpa) = val;
}

/* What input is missing stays as it is. */
static void put_place(struct input *input, size_t place)
{
	uint32_t i;

	for (i = 0; i < input_places[place].len && input->left; i++) {
		put(input_places[place].gpa + i, *input->data++);
		input->left--;
	}
}

static void begin(struct input *input)
{
	struct ring_setup setup = {
		.size = 1u << input->data[1] % 4,
		.features = 1ull << VIRTIO_F_VERSION_1,
		.start = input->data[2] | input->data[3] << 8,
	};
	size_t i;

	if (input->data[0] & INPUT_F_INDIRECT)
		setup.features |= F_INDIRECT;
	if (input->data[0] & INPUT_F_EVENT_IDX)
		setup.features |= F_EVENT_IDX;
	for (i = 0; i < 2; i++) {
		walkers[i]->start(&setup);
		memset(walkers[i]->byte(0), RING_FILL, RING_MEM_LOW);
		memset(walkers[i]->byte(RING_MEM_LOW), RING_FILL, RING_MEM_HIGH);
	}
	input->data += INPUT_HEADER;
	input->left -= INPUT_HEADER;
	for (i = 0; i < INPUT_PLACES; i++)
		put_place(input, i);
}

static void show(const struct ring_walker *walker,
		 const struct ring_answer *answer)
{
	fprintf(stderr, "%s: broken %d, signals %d, looks again %d, avail %u, used %u\n",
		walker->name, answer->is_broken, answer->signals,
		answer->looks_again, answer->next_avail, answer->next_used);
}

static void compare_memory(uint64_t gpa, size_t len)
{
	const uint8_t *a = ring_kmod.byte(gpa), *b = ring_vmm.byte(gpa);
	size_t i;

	if (!memcmp(a, b, len))
		return;
	for (i = 0; a[i] == b[i]; i++)
		;
	fprintf(stderr, "guest memory differs at %#llx\n",
		(unsigned long long)gpa + i);
	abort();
}

static void compare(const struct ring_answer answers[2])
{
	const struct ring_answer *a = &answers[0], *b = &answers[1];

	if (a->is_broken != b->is_broken || a->signals != b->signals ||
	    a->looks_again != b->looks_again ||
	    a->next_avail != b->next_avail || a->next_used != b->next_used) {
		show(walkers[0], a);
		show(walkers[1], b);
		abort();
	}
	compare_memory(0, RING_MEM_LOW);
	compare_memory(RING_MEM_LOW, RING_MEM_HIGH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct ring_answer answers[2];

	if (size < INPUT_HEADER)
		return 0;
	begin(&input);
	while (true) {
		ring_kmod.serve(&answers[0]);
		ring_vmm.serve(&answers[1]);
		compare(answers);
		if (answers[0].is_broken || !input.left)
			return 0;
		put_place(&input, 0);
	}
}
