/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueue as seen by the device: validate, take, complete.
 *
 * Pure: no locks, no allocation, guest memory only through the accessors of
 * mem.h. It compiles in user space too, where a test supplies the accessors.
 */
#ifndef VPMEM_RING_H
#define VPMEM_RING_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "kernel_types.h"
#endif

struct vpmem_mem;

/**
 * struct vpmem_ring - A split virtqueue in guest memory.
 * @size: number of descriptors, a power of two
 * @desc: gpa of the descriptor table
 * @avail: gpa of the available ring
 * @used: gpa of the used ring
 * @features: negotiated feature bits
 * @next_avail: available index of the first request that is not completed
 * @next_used: used index of the next completion
 */
struct vpmem_ring {
	u32 size;
	u64 desc;
	u64 avail;
	u64 used;
	u64 features;
	u16 next_avail;
	u16 next_used;
};

/**
 * struct vpmem_chain - Cursor over the descriptors of one request.
 * @ring: ring that the request is from
 * @mem: guest memory
 * @table: gpa of the table that is being walked
 * @entries: number of descriptors in @table
 * @steps_left: descriptors that may still be visited; bounds a loop
 * @next: index of the next descriptor in @table
 * @head: index that the driver put into the available ring
 * @is_indirect: @table is an indirect table
 * @has_more: there is a next descriptor
 */
struct vpmem_chain {
	const struct vpmem_ring *ring;
	const struct vpmem_mem *mem;
	u64 table;
	u32 entries;
	u32 steps_left;
	u32 next;
	u16 head;
	bool is_indirect;
	bool has_more;
};

/**
 * struct vpmem_seg - One buffer of a request.
 * @gpa: guest-physical address, not checked
 * @len: bytes, may be 0
 * @is_write: the device writes it
 */
struct vpmem_seg {
	u64 gpa;
	u32 len;
	bool is_write;
};

u64 vpmem_ring_desc_bytes(const struct vpmem_ring *ring);
u64 vpmem_ring_avail_bytes(const struct vpmem_ring *ring);
u64 vpmem_ring_used_bytes(const struct vpmem_ring *ring);

bool vpmem_ring_is_covered(const struct vpmem_ring *ring,
			   const struct vpmem_mem *mem);

int vpmem_ring_available(const struct vpmem_ring *ring,
			 const struct vpmem_mem *mem);
int vpmem_ring_chain(const struct vpmem_ring *ring, const struct vpmem_mem *mem,
		     u16 index, struct vpmem_chain *chain);
int vpmem_chain_next(struct vpmem_chain *chain, struct vpmem_seg *seg);
int vpmem_ring_push(struct vpmem_ring *ring, const struct vpmem_mem *mem,
		    u16 head, u32 len);
int vpmem_ring_publish(struct vpmem_ring *ring, const struct vpmem_mem *mem,
		       u16 count);
bool vpmem_ring_is_kicked(const struct vpmem_ring *ring);
int vpmem_ring_begin(const struct vpmem_ring *ring, const struct vpmem_mem *mem);
int vpmem_ring_rearm(const struct vpmem_ring *ring,
		     const struct vpmem_mem *mem);

#endif /* VPMEM_RING_H */
