/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two ring walkers offer the fuzzer that compares them. */
#ifndef FUZZ_WALKER_H
#define FUZZ_WALKER_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct ring_setup - How a ring begins.
 * @size: descriptors, a power of two, at most RING_SIZE
 * @features: negotiated feature bits
 * @start: available and used index
 */
struct ring_setup {
	uint32_t size;
	uint64_t features;
	uint16_t start;
};

/**
 * struct ring_answer - What a walker did, besides what it wrote to memory.
 * @is_broken: the ring cannot be trusted
 * @signals: the guest wants an interrupt
 * @looks_again: the ring is to be looked at once more
 * @next_avail: first request that is not completed
 * @next_used: next completion
 */
struct ring_answer {
	bool is_broken;
	bool signals;
	bool looks_again;
	uint16_t next_avail;
	uint16_t next_used;
};

/**
 * struct ring_walker - A walker with guest memory of its own.
 * @name: for messages
 * @start: begin with a new ring
 * @serve: serve one batch, then ask for the next kick
 * @byte: where a byte of guest memory is, and behind it the rest of its region
 */
struct ring_walker {
	const char *name;
	void (*start)(const struct ring_setup *setup);
	void (*serve)(struct ring_answer *answer);
	uint8_t *(*byte)(uint64_t gpa);
};

extern const struct ring_walker ring_kmod;
extern const struct ring_walker ring_vmm;

#endif /* FUZZ_WALKER_H */
