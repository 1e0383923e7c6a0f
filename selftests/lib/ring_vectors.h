/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one table of good and bad descriptor chains. The VMM's ring walker and
 * the module's are both run over it, so that they give a guest the same answers.
 *
 * A vector says what a guest puts into its memory and, with one letter for each
 * completion, what is to come of it:
 *
 *	A  accepted: status 0, used length 4
 *	R  refused: status -1, used length 4
 *	Z  returned with used length 0: there is nowhere to put a status
 *	N  last letter: the queue stops, the ring cannot be trusted
 *
 * A test builds the memory image before, lets a walker serve one batch, and
 * compares all of memory with the expected image: so nothing else was written.
 */
#ifndef RING_VECTORS_H
#define RING_VECTORS_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

/* Guest memory: two regions that meet, and nothing behind them. */
#define RING_MEM_LOW		0x10000u
#define RING_MEM_HIGH		0x2000u
#define RING_MEM_BYTES		(RING_MEM_LOW + RING_MEM_HIGH)

#define RING_SIZE		8u
#define RING_DESC		0x1000u
#define RING_AVAIL		0x2000u
#define RING_USED		0x3000u
#define RING_TABLE		0x4000u		/* indirect table */
#define RING_REQ		0x5000u		/* request, ring_vector.type */
#define RING_REQ2		0x5100u		/* a second one, of type 0 */
#define RING_REQ_SPLIT		(RING_MEM_LOW - 2)	/* 0 over two regions */
#define RING_STATUS		0x6000u
#define RING_STATUS2		0x6100u
#define RING_HOLE		0xc0000000ull	/* where a BAR could be */

#define RING_FILL		0xa5u		/* what memory holds otherwise */

#define F_INDIRECT		(1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define F_EVENT_IDX		(1ull << VIRTIO_RING_F_EVENT_IDX)

#define D_NEXT			VRING_DESC_F_NEXT
#define D_WRITE			VRING_DESC_F_WRITE
#define D_INDIRECT		VRING_DESC_F_INDIRECT

struct ring_vector_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/**
 * struct ring_vector - What the guest does and what becomes of it.
 * @name: id of the case and what it is
 * @outcome: see above
 * @features: negotiated besides VERSION_1
 * @desc: descriptor table
 * @table: indirect table
 * @heads: available ring; its first strlen(@outcome) entries, N included
 * @idx: what the available index claims, if that is not the number of heads
 * @start: available and used index to begin with
 * @type: type of the request at RING_REQ
 * @status: where the status goes, if not to RING_STATUS
 * @status2: where its bytes from @status_split on go, if that is not 0
 * @status_split: see there
 * @avail_flags: flags of the available ring
 * @used_event: with EVENT_IDX, when the guest wants an interrupt
 * @is_quiet: no interrupt is to be asked for
 */
struct ring_vector {
	const char *name;
	const char *outcome;
	uint64_t features;
	struct ring_vector_desc desc[RING_SIZE];
	struct ring_vector_desc table[4];
	uint16_t heads[RING_SIZE];
	uint16_t idx;
	uint16_t start;
	uint32_t type;
	uint64_t status;
	uint64_t status2;
	uint32_t status_split;
	uint16_t avail_flags;
	uint16_t used_event;
	bool is_quiet;
};

/* Parts that most vectors share. */
#define D_REQ(n)		{ RING_REQ, 4, D_NEXT, n }
#define D_STATUS		{ RING_STATUS, 4, D_WRITE, 0 }
#define D_FLUSH			{ D_REQ(1), D_STATUS }
#define D_TABLE(count, fl)	{ RING_TABLE, 16 * (count), D_INDIRECT | (fl), 0 }

static const struct ring_vector ring_vectors[] = {
	{ "BAD-01 plain flush", "A", .desc = D_FLUSH },
	{ "BAD-01 several flushes", "AAA",
	  .desc = { D_REQ(1), D_STATUS, D_REQ(3), D_STATUS, D_REQ(5), D_STATUS },
	  .heads = { 0, 2, 4 } },
	{ "BAD-01 ring filled to its size", "AAAAAAAA", F_INDIRECT,
	  .desc = { D_TABLE(2, 0), D_TABLE(2, 0), D_TABLE(2, 0), D_TABLE(2, 0),
		    D_TABLE(2, 0), D_TABLE(2, 0), D_TABLE(2, 0), D_TABLE(2, 0) },
	  .table = D_FLUSH, .heads = { 7, 6, 5, 4, 3, 2, 1, 0 } },
	{ "BAD-01 indices wrap", "AAAA", .start = 0xfffe,
	  .desc = { D_REQ(1), D_STATUS, D_REQ(3), D_STATUS },
	  .heads = { 0, 2, 0, 2 } },
	{ "BAD-01 unknown descriptor flag", "A",
	  .desc = { { RING_REQ, 4, D_NEXT | 0x8000, 1 }, D_STATUS } },
	{ "BAD-02 type 1", "R", .desc = D_FLUSH, .type = 1 },
	{ "BAD-02 type of all ones", "R", .desc = D_FLUSH, .type = 0xffffffff },
	{ "BAD-02 type in the wrong byte order", "R", .desc = D_FLUSH,
	  .type = 0x01000000 },
	{ "BAD-03 no writable part", "Z", .desc = { { RING_REQ, 4, 0, 0 } } },
	{ "BAD-03 three writable bytes", "Z",
	  .desc = { D_REQ(1), { RING_STATUS, 3, D_WRITE, 0 } } },
	{ "BAD-03 writable part of no bytes", "Z",
	  .desc = { D_REQ(1), { RING_STATUS, 0, D_WRITE, 0 } } },
	{ "BAD-03 three writable bytes in two parts", "Z",
	  .desc = { D_REQ(1), { RING_STATUS, 2, D_WRITE | D_NEXT, 2 },
		    { RING_STATUS2, 1, D_WRITE, 0 } } },
	{ "BAD-04 longer response", "A",
	  .desc = { D_REQ(1), { RING_STATUS, 64, D_WRITE, 0 } } },
	{ "BAD-04 response up to the end of memory", "A",
	  .desc = { D_REQ(1), { RING_STATUS, RING_MEM_BYTES - RING_STATUS,
				D_WRITE, 0 } } },
	{ "BAD-05 response one byte past memory", "Z",
	  .desc = { D_REQ(1), { RING_STATUS, RING_MEM_BYTES - RING_STATUS + 1,
				D_WRITE, 0 } } },
	{ "BAD-05 response of the largest length", "Z",
	  .desc = { D_REQ(1), { RING_STATUS, 0xffffffff, D_WRITE, 0 } } },
	{ "BAD-05 response that wraps 64 bits into memory", "Z",
	  .desc = { D_REQ(1), { 0xfffffffffffffffc, 8, D_WRITE, 0 } } },
	{ "BAD-05 response that ends at 2^64", "Z",
	  .desc = { D_REQ(1), { 0xfffffffffffff000, 4096, D_WRITE, 0 } } },
	{ "BAD-05 response over the end of memory", "Z",
	  .desc = { D_REQ(1), { RING_MEM_BYTES - 2, 4, D_WRITE, 0 } } },
	{ "BAD-06 request in no region", "R",
	  .desc = { { RING_HOLE, 4, D_NEXT, 1 }, D_STATUS } },
	{ "BAD-06 request over the end of memory", "R",
	  .desc = { { RING_MEM_BYTES - 2, 4, D_NEXT, 1 }, D_STATUS } },
	{ "BAD-06 response in no region", "Z",
	  .desc = { D_REQ(1), { RING_HOLE, 4, D_WRITE, 0 } } },
	{ "BAD-06 second part of the response in no region", "Z",
	  .desc = { D_REQ(1), { RING_STATUS, 4, D_WRITE | D_NEXT, 2 },
		    { RING_HOLE, 4, D_WRITE, 0 } } },
	{ "BAD-07 request of three bytes", "R",
	  .desc = { { RING_REQ, 3, D_NEXT, 1 }, D_STATUS } },
	{ "BAD-07 request of no bytes", "R",
	  .desc = { { RING_REQ, 0, D_NEXT, 1 }, D_STATUS } },
	{ "BAD-08 request of eight bytes", "A",
	  .desc = { { RING_REQ, 8, D_NEXT, 1 }, D_STATUS } },
	{ "BAD-08 request in two parts", "A",
	  .desc = { { RING_REQ, 1, D_NEXT, 1 }, { RING_REQ + 1, 3, D_NEXT, 2 },
		    D_STATUS } },
	{ "BAD-08 type spoilt by its last part", "R", .type = 0x80000000,
	  .desc = { { RING_REQ, 3, D_NEXT, 1 }, { RING_REQ + 3, 1, D_NEXT, 2 },
		    D_STATUS } },
	{ "BAD-08 request in four parts, empty ones between", "A",
	  .desc = { { RING_REQ, 1, D_NEXT, 1 }, { RING_HOLE, 0, D_NEXT, 2 },
		    { RING_REQ + 1, 1, D_NEXT, 3 }, { RING_REQ + 2, 1, D_NEXT, 4 },
		    { RING_REQ + 3, 1, D_NEXT, 5 }, D_STATUS } },
	{ "BAD-08 request over two regions", "A",
	  .desc = { { RING_REQ_SPLIT, 4, D_NEXT, 1 }, D_STATUS } },
	{ "BAD-08 status over two regions", "A", .status = RING_MEM_LOW - 1,
	  .desc = { { RING_REQ, 4, D_NEXT, 1 },
		    { RING_MEM_LOW - 1, 4, D_WRITE, 0 } } },
	{ "BAD-08 status in two parts", "A",
	  .status2 = RING_STATUS2, .status_split = 1,
	  .desc = { D_REQ(1), { RING_STATUS, 1, D_WRITE | D_NEXT, 2 },
		    { RING_STATUS2, 7, D_WRITE, 0 } } },
	{ "BAD-08 refused status in two parts", "R", .type = 7,
	  .status2 = RING_STATUS2, .status_split = 2,
	  .desc = { D_REQ(1), { RING_STATUS, 2, D_WRITE | D_NEXT, 2 },
		    { RING_STATUS2, 2, D_WRITE, 0 } } },
	{ "BAD-08 status at an odd address", "A", .status = RING_STATUS + 1,
	  .desc = { D_REQ(1), { RING_STATUS + 1, 4, D_WRITE, 0 } } },
	{ "BAD-09 response not marked writable", "Z",
	  .desc = { D_REQ(1), { RING_STATUS, 4, 0, 0 } } },
	{ "BAD-10 response before the request", "R",
	  .desc = { { RING_STATUS, 4, D_WRITE | D_NEXT, 1 },
		    { RING_REQ, 4, 0, 0 } } },
	{ "BAD-10 response between two halves of the request", "R",
	  .desc = { { RING_REQ, 2, D_NEXT, 1 },
		    { RING_STATUS, 4, D_WRITE | D_NEXT, 2 },
		    { RING_REQ + 2, 2, 0, 0 } } },
	{ "BAD-11 one writable descriptor for both", "R",
	  .desc = { { RING_STATUS, 8, D_WRITE, 0 } } },
	{ "BAD-11 one readable descriptor for both", "Z",
	  .desc = { { RING_REQ, 8, 0, 0 } } },
	{ "BAD-12 two requests, one response, the first counts", "A",
	  .desc = { { RING_REQ2, 4, D_NEXT, 1 }, { RING_REQ, 4, D_NEXT, 2 },
		    D_STATUS }, .type = 9 },
	{ "BAD-12 two requests, one response, the first is bad", "R",
	  .desc = { { RING_REQ, 4, D_NEXT, 1 }, { RING_REQ2, 4, D_NEXT, 2 },
		    D_STATUS }, .type = 9 },
	{ "BAD-12 two responses, the first is used", "A",
	  .desc = { D_REQ(1), { RING_STATUS, 4, D_WRITE | D_NEXT, 2 },
		    { RING_STATUS2, 4, D_WRITE, 0 } } },
	{ "BAD-13 descriptor that links to itself", "N",
	  .desc = { { RING_REQ, 4, D_NEXT, 0 } } },
	{ "BAD-13 loop of two", "N",
	  .desc = { D_REQ(1), { RING_STATUS, 4, D_WRITE | D_NEXT, 0 } } },
	{ "BAD-13 loop over the whole table", "N",
	  .desc = { D_REQ(1), D_REQ(2), D_REQ(3), D_REQ(4), D_REQ(5), D_REQ(6),
		    D_REQ(7), D_REQ(0) } },
	{ "BAD-13 chain as long as the table", "A",
	  .desc = { D_REQ(1), D_REQ(2), D_REQ(3), D_REQ(4), D_REQ(5), D_REQ(6),
		    D_REQ(7), D_STATUS } },
	{ "BAD-13 loop behind a good request", "AN",
	  .desc = { D_REQ(1), D_STATUS, { RING_REQ, 4, D_NEXT, 2 } },
	  .heads = { 0, 2 } },
	{ "BAD-14 next just outside the table", "N",
	  .desc = { D_REQ(RING_SIZE) } },
	{ "BAD-14 next far outside the table", "N", .desc = { D_REQ(0xffff) } },
	{ "BAD-15 head just outside the table", "N", .desc = D_FLUSH,
	  .heads = { RING_SIZE } },
	{ "BAD-15 head far outside the table", "N", .desc = D_FLUSH,
	  .heads = { 0xffff } },
	{ "BAD-15 bad head behind two good requests", "ARN",
	  .desc = { D_REQ(1), D_STATUS, { RING_REQ, 1, D_NEXT, 3 },
		    { RING_STATUS2, 4, D_WRITE, 0 } },
	  .heads = { 0, 2, 8 }, .status2 = RING_STATUS2 },
	{ "BAD-15 available index one too far", "N", .desc = D_FLUSH,
	  .idx = RING_SIZE + 1 },
	{ "BAD-15 available index gone back", "N", .desc = D_FLUSH,
	  .start = 5, .idx = 0xffff },
	{ "BAD-16 indirect table", "A", F_INDIRECT,
	  .desc = { D_TABLE(2, 0) }, .table = D_FLUSH },
	{ "BAD-16 indirect table, referring descriptor writable", "A",
	  F_INDIRECT, .desc = { D_TABLE(2, D_WRITE) }, .table = D_FLUSH },
	{ "BAD-16 normal descriptor, then indirect table", "A", F_INDIRECT,
	  .desc = { D_REQ(1), D_TABLE(1, 0) }, .table = { D_STATUS } },
	{ "BAD-16 indirect table with a bad request", "R", F_INDIRECT,
	  .desc = { D_TABLE(2, 0) }, .table = D_FLUSH, .type = 3 },
	{ "BAD-16 indirect not negotiated", "N",
	  .desc = { D_TABLE(2, 0) }, .table = D_FLUSH },
	{ "BAD-16 empty indirect table", "N", F_INDIRECT,
	  .desc = { D_TABLE(0, 0) }, .table = D_FLUSH },
	{ "BAD-16 indirect table of an odd length", "N", F_INDIRECT,
	  .desc = { { RING_TABLE, 33, D_INDIRECT, 0 } }, .table = D_FLUSH },
	{ "BAD-16 nested indirect table", "N", F_INDIRECT,
	  .desc = { D_TABLE(2, 0) },
	  .table = { D_REQ(1), D_TABLE(2, 0) } },
	{ "BAD-16 nested indirect table at once", "N", F_INDIRECT,
	  .desc = { D_TABLE(1, 0) }, .table = { D_TABLE(1, 0) } },
	{ "BAD-16 indirect with NEXT", "N", F_INDIRECT,
	  .desc = { D_TABLE(2, D_NEXT), D_STATUS }, .table = D_FLUSH },
	{ "BAD-16 indirect table in no region", "N", F_INDIRECT,
	  .desc = { { RING_HOLE, 32, D_INDIRECT, 0 } } },
	{ "BAD-16 next outside the indirect table", "N", F_INDIRECT,
	  .desc = { D_TABLE(2, 0) }, .table = { D_REQ(2), D_STATUS } },
	{ "BAD-16 loop in the indirect table", "N", F_INDIRECT,
	  .desc = { D_TABLE(2, 0) }, .table = { D_REQ(1), D_REQ(0) } },
	{ "BAD-17 same head twice in one batch", "AA", .desc = D_FLUSH },
	{ "RING-6 no interrupt wanted", "A", .desc = D_FLUSH,
	  .avail_flags = VRING_AVAIL_F_NO_INTERRUPT, .is_quiet = true },
	{ "RING-6 used_event ignored without EVENT_IDX", "A", .desc = D_FLUSH,
	  .used_event = 5 },
	{ "RING-7 interrupt at the first completion", "A", F_EVENT_IDX,
	  .desc = D_FLUSH, .used_event = 0 },
	{ "RING-7 interrupt in the middle of a batch", "AAA", F_EVENT_IDX,
	  .desc = D_FLUSH, .used_event = 1 },
	{ "RING-7 interrupt wanted later", "AA", F_EVENT_IDX,
	  .desc = D_FLUSH, .used_event = 2, .is_quiet = true },
	{ "RING-7 interrupt wanted earlier", "A", F_EVENT_IDX, .start = 7,
	  .desc = D_FLUSH, .used_event = 6, .is_quiet = true },
	{ "RING-7 flags ignored with EVENT_IDX", "A", F_EVENT_IDX,
	  .desc = D_FLUSH, .avail_flags = VRING_AVAIL_F_NO_INTERRUPT },
};

#define RING_VECTORS	(sizeof(ring_vectors) / sizeof(ring_vectors[0]))

static inline uint64_t ring_vector_features(const struct ring_vector *v)
{
	return v->features | 1ull << VIRTIO_F_VERSION_1;
}

static inline bool ring_vector_breaks(const struct ring_vector *v)
{
	return strchr(v->outcome, 'N');
}

static inline void ring_put16(uint8_t *image, uint64_t gpa, uint16_t val)
{
	val = htole16(val);
	memcpy(image + gpa, &val, sizeof(val));
}

static inline void ring_put32(uint8_t *image, uint64_t gpa, uint32_t val)
{
	val = htole32(val);
	memcpy(image + gpa, &val, sizeof(val));
}

static inline void ring_put_desc(uint8_t *image, uint64_t gpa,
				 const struct ring_vector_desc *desc)
{
	ring_put32(image, gpa, desc->addr);
	ring_put32(image, gpa + 4, desc->addr >> 32);
	ring_put32(image, gpa + 8, desc->len);
	ring_put16(image, gpa + 12, desc->flags);
	ring_put16(image, gpa + 14, desc->next);
}

static inline uint16_t ring_slot(uint16_t index)
{
	return index % RING_SIZE;
}

/** ring_vector_build() - Memory as the guest leaves it to the device. */
static inline void ring_vector_build(const struct ring_vector *v,
				     uint8_t *image)
{
	uint16_t nr = strlen(v->outcome);
	uint16_t i;

	memset(image, RING_FILL, RING_MEM_BYTES);
	for (i = 0; i < RING_SIZE; i++)
		ring_put_desc(image, RING_DESC + 16 * i, &v->desc[i]);
	for (i = 0; i < sizeof(v->table) / sizeof(v->table[0]); i++)
		ring_put_desc(image, RING_TABLE + 16 * i, &v->table[i]);
	ring_put32(image, RING_REQ, v->type);
	ring_put32(image, RING_REQ2, 0);
	ring_put32(image, RING_REQ_SPLIT, 0);
	ring_put16(image, RING_AVAIL, v->avail_flags);
	ring_put16(image, RING_AVAIL + 2, v->idx ? v->idx : v->start + nr);
	for (i = 0; i < nr; i++)
		ring_put16(image, RING_AVAIL + 4 + 2 * ring_slot(v->start + i),
			   v->heads[i]);
	ring_put16(image, RING_AVAIL + 4 + 2 * RING_SIZE, v->used_event);
	ring_put16(image, RING_USED, 0);
	ring_put16(image, RING_USED + 2, v->start);
}

static inline void ring_expect_status(const struct ring_vector *v,
				      uint8_t *image, uint16_t nr, uint8_t byte)
{
	uint64_t first = v->status ? v->status : RING_STATUS;
	uint32_t i;

	/* Without a split, status2 is that of the second request. */
	if (v->status2 && !v->status_split && nr)
		first = v->status2;
	for (i = 0; i < 4; i++) {
		if (v->status_split && i >= v->status_split)
			image[v->status2 + i - v->status_split] = byte;
		else
			image[first + i] = byte;
	}
}

/** ring_vector_expect() - Turn memory before into memory after. */
static inline void ring_vector_expect(const struct ring_vector *v,
				      uint8_t *image)
{
	uint16_t i;

	for (i = 0; v->outcome[i] && v->outcome[i] != 'N'; i++) {
		uint64_t used = RING_USED + 4 + 8 * ring_slot(v->start + i);
		bool has_status = v->outcome[i] != 'Z';

		ring_put32(image, used, v->heads[i]);
		ring_put32(image, used + 4, has_status ? 4 : 0);
		if (has_status)
			ring_expect_status(v, image, i,
					   v->outcome[i] == 'A' ? 0 : 0xff);
	}
	ring_put16(image, RING_USED + 2, v->start + i);
}

/** ring_vector_signals() - Is the guest to be interrupted? */
static inline bool ring_vector_signals(const struct ring_vector *v)
{
	return !v->is_quiet && v->outcome[0] != 'N';
}

#endif /* RING_VECTORS_H */
