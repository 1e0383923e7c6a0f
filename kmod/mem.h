/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory table: guest-physical addresses to the owner's address space.
 * The accessors are all that the ring and flush code know of memory.
 */
#ifndef VPMEM_MEM_H
#define VPMEM_MEM_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#else
#include "kernel_types.h"
#endif

/*
 * The accessors: vpmem_mem_get16(), vpmem_mem_put16(), vpmem_mem_read(),
 * vpmem_mem_write() and vpmem_mem_covers(). Of the first four, Context: process,
 * may sleep, the owner's mm in use. They return 0, or -EFAULT if the bytes are
 * not all in guest memory or not mapped. What is to be read or written with 16
 * bits lies at an even address. The last tells whether @len bytes at @gpa are
 * all guest memory, in any context.
 */
#ifndef __KERNEL__

struct vpmem_mem;

int vpmem_mem_get16(const struct vpmem_mem *mem, u64 gpa, __le16 *val);
int vpmem_mem_put16(const struct vpmem_mem *mem, u64 gpa, __le16 val);
int vpmem_mem_read(const struct vpmem_mem *mem, u64 gpa, void *buf, u32 len);
int vpmem_mem_write(const struct vpmem_mem *mem, u64 gpa, const void *buf,
		    u32 len);
bool vpmem_mem_covers(const struct vpmem_mem *mem, u64 gpa, u64 len);

#else

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

void __user *vpmem_mem_search(const struct vpmem_mem *mem, u64 gpa, u64 len);
int vpmem_mem_read_parts(const struct vpmem_mem *mem, u64 gpa, void *buf,
			 u32 len);
int vpmem_mem_write_parts(const struct vpmem_mem *mem, u64 gpa, const void *buf,
			  u32 len);
bool vpmem_mem_covers_parts(const struct vpmem_mem *mem, u64 gpa, u64 len);

/*
 * Where bytes are mapped that are all in one region, or NULL. A ring and its
 * requests mostly are in the region that was found last, and a flush looks nine
 * times: with a search and a function call for each this was half of what the
 * module does for it. Hence this guess, and the accessors inline.
 */
static inline void __user *vpmem_mem_hva(const struct vpmem_mem *mem, u64 gpa,
					 u64 len)
{
	const struct vpmem_region *region;
	u64 offset;

	/* The table of a device is never empty. */
	region = &mem->regions[READ_ONCE(mem->hit)];
	offset = gpa - region->gpa;
	if (offset >= region->size || region->size - offset < len)
		return vpmem_mem_search(mem, gpa, len);
	return (void __user *)(uintptr_t)(region->hva + offset);
}

/* Regions are page aligned, so two bytes at an even address are never split. */
static inline int vpmem_mem_get16(const struct vpmem_mem *mem, u64 gpa,
				  __le16 *val)
{
	__le16 __user *hva = vpmem_mem_hva(mem, gpa, sizeof(*val));

	return hva ? get_user(*val, hva) : -EFAULT;
}

static inline int vpmem_mem_put16(const struct vpmem_mem *mem, u64 gpa,
				  __le16 val)
{
	__le16 __user *hva = vpmem_mem_hva(mem, gpa, sizeof(val));

	return hva ? put_user(val, hva) : -EFAULT;
}

/* Two words for the price of one: of all there is to read, descriptors are most. */
static inline int vpmem_mem_get128(const void __user *hva, u64 *words)
{
	const u64 __user *from = hva;

	if (!user_read_access_begin(from, 2 * sizeof(*words)))
		return -EFAULT;
	unsafe_get_user(words[0], &from[0], fault);
	unsafe_get_user(words[1], &from[1], fault);
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/* The sizes that rings and requests are made of are copied in place. */
static inline int vpmem_mem_read(const struct vpmem_mem *mem, u64 gpa,
				 void *buf, u32 len)
{
	const void __user *hva = vpmem_mem_hva(mem, gpa, len);

	if (hva && len == 16)
		return vpmem_mem_get128(hva, buf);
	if (hva && len == 4)
		return get_user(*(u32 *)buf, (const u32 __user *)hva);
	return vpmem_mem_read_parts(mem, gpa, buf, len);
}

static inline int vpmem_mem_write(const struct vpmem_mem *mem, u64 gpa,
				  const void *buf, u32 len)
{
	void __user *hva = vpmem_mem_hva(mem, gpa, len);

	if (hva && len == 8)
		return put_user(*(const u64 *)buf, (u64 __user *)hva);
	if (hva && len == 4)
		return put_user(*(const u32 *)buf, (u32 __user *)hva);
	return vpmem_mem_write_parts(mem, gpa, buf, len);
}

static inline bool vpmem_mem_covers(const struct vpmem_mem *mem, u64 gpa,
				    u64 len)
{
	return vpmem_mem_hva(mem, gpa, len) ||
	       vpmem_mem_covers_parts(mem, gpa, len);
}

#endif /* __KERNEL__ */
#endif /* VPMEM_MEM_H */
