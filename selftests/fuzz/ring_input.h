/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the fuzzer's input becomes a guest: a header of four bytes, then what
 * goes to the places of ring_vectors.h one after the other, then available
 * rings for further rounds. Short input is legal anywhere.
 */
#ifndef FUZZ_RING_INPUT_H
#define FUZZ_RING_INPUT_H

#include "ring_vectors.h"

/* Header: feature bits, logarithm of the ring size, le16 first index. */
#define INPUT_HEADER		4u
#define INPUT_F_INDIRECT	1u
#define INPUT_F_EVENT_IDX	2u

#define INPUT_AVAIL_BYTES	(4 + 2 * RING_SIZE + 2)

/* The available ring comes first in each round, alone in all but the first. */
static const struct {
	uint32_t gpa;
	uint32_t len;
} input_places[] = {
	{ RING_AVAIL, INPUT_AVAIL_BYTES },
	{ RING_DESC, 16 * RING_SIZE },
	{ RING_TABLE, 16 * 4 },
	{ RING_REQ, 8 },
	{ RING_REQ2, 8 },
	{ RING_REQ_SPLIT, 4 },
};

#define INPUT_PLACES	(sizeof(input_places) / sizeof(input_places[0]))

#endif /* FUZZ_RING_INPUT_H */
