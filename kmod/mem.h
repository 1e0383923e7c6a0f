/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory table: guest-physical addresses to the owner's address space.
 * The accessors are all that the ring and flush code know of memory.
 */
#ifndef VPMEM_MEM_H
#define VPMEM_MEM_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "kernel_types.h"
#endif

struct vpmem_mem;

/*
 * All of them: Context: process, may sleep, the owner's mm in use. Return 0,
 * or -EFAULT if the bytes are not all in guest memory or not mapped.
 */
int vpmem_mem_get16(const struct vpmem_mem *mem, u64 gpa, __le16 *val);
int vpmem_mem_put16(const struct vpmem_mem *mem, u64 gpa, __le16 val);
int vpmem_mem_read(const struct vpmem_mem *mem, u64 gpa, void *buf, u32 len);
int vpmem_mem_write(const struct vpmem_mem *mem, u64 gpa, const void *buf,
		    u32 len);

/* Are @len bytes at @gpa all guest memory? Any context. */
bool vpmem_mem_covers(const struct vpmem_mem *mem, u64 gpa, u64 len);

#ifdef __KERNEL__

/**
 * struct vpmem_region - One region of guest memory.
 * @gpa: guest-physical address, page aligned
 * @size: bytes, a multiple of the page size, not 0
 * @hva: address in the owner's address space, page aligned
 */
struct vpmem_region {
	u64 gpa;
	u64 size;
	u64 hva;
};

/**
 * struct vpmem_mem - Guest memory table; constant once it is built.
 * @nr: number of regions
 * @hit: index of the region that was found last; all that changes later, and
 *       no more than a guess, so that it does not matter who writes it when
 * @regions: sorted by gpa, none overlapping
 */
struct vpmem_mem {
	u32 nr;
	u32 hit;
	struct vpmem_region regions[];
};

struct vpmem_mem *vpmem_mem_create(u32 nr_max);
void vpmem_mem_destroy(struct vpmem_mem *mem);
int vpmem_mem_insert(struct vpmem_mem *mem, const struct vpmem_region *region);

#endif /* __KERNEL__ */
#endif /* VPMEM_MEM_H */
