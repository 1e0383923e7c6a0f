// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory table: bounds-checked lookup and access under the owner's mm.
 * Knows nothing of rings. Guest memory is never pinned.
 */
#include "mem.h"

#include <linux/align.h>
#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

/**
 * vpmem_mem_create() - Make an empty table.
 * @nr_max: most regions that will be inserted
 *
 * Return: the table, which the caller owns, or NULL.
 */
struct vpmem_mem *vpmem_mem_create(u32 nr_max)
{
	struct vpmem_mem *mem;

	return kvzalloc(struct_size(mem, regions, nr_max), GFP_KERNEL_ACCOUNT);
}

/**
 * vpmem_mem_destroy() - Free a table.
 * @mem: table or NULL
 */
void vpmem_mem_destroy(struct vpmem_mem *mem)
{
	kvfree(mem);
}

/* Index of the first region that ends above @gpa, or @mem->nr. */
static u32 vpmem_mem_find(const struct vpmem_mem *mem, u64 gpa)
{
	u32 lo = 0, hi = mem->nr;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;
		const struct vpmem_region *region = &mem->regions[mid];

		if (gpa - region->gpa < region->size || gpa < region->gpa)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/**
 * vpmem_mem_insert() - Add a region to a table that nobody uses yet.
 * @mem: table with room for it
 * @region: region, copied
 *
 * Return: 0; -EINVAL if it is empty, misaligned or wraps; -EFAULT if it is
 * not in user space; -EEXIST if it overlaps another. The table is unchanged
 * on failure.
 */
int vpmem_mem_insert(struct vpmem_mem *mem, const struct vpmem_region *region)
{
	u64 last;
	u32 at;

	if (!region->size ||
	    !PAGE_ALIGNED(region->gpa | region->size | region->hva) ||
	    check_add_overflow(region->gpa, region->size - 1, &last))
		return -EINVAL;
	if (!access_ok((void __user *)(uintptr_t)region->hva, region->size))
		return -EFAULT;
	at = vpmem_mem_find(mem, region->gpa);
	if (at < mem->nr && mem->regions[at].gpa <= last)
		return -EEXIST;
	memmove(&mem->regions[at + 1], &mem->regions[at],
		(mem->nr - at) * sizeof(*region));
	mem->regions[at] = *region;
	mem->nr++;
	return 0;
}

/* The region that @gpa is in, and how many bytes of it follow; or NULL. */
static const struct vpmem_region *vpmem_mem_region(const struct vpmem_mem *mem,
						   u64 gpa, u64 *avail)
{
	u32 at = vpmem_mem_find(mem, gpa);
	const struct vpmem_region *region = &mem->regions[at];

	if (at == mem->nr || gpa < region->gpa)
		return NULL;
	/* Constant but for this, see struct vpmem_mem. */
	WRITE_ONCE(((struct vpmem_mem *)mem)->hit, at);
	*avail = region->size - (gpa - region->gpa);
	return region;
}

static void __user *vpmem_region_hva(const struct vpmem_region *region, u64 gpa)
{
	return (void __user *)(uintptr_t)(region->hva + (gpa - region->gpa));
}

/* vpmem_mem_hva(), where its guess was wrong. */
void __user *vpmem_mem_search(const struct vpmem_mem *mem, u64 gpa, u64 len)
{
	const struct vpmem_region *region;
	u64 avail;

	region = vpmem_mem_region(mem, gpa, &avail);
	return region && avail >= len ? vpmem_region_hva(region, gpa) : NULL;
}

/* The accessors, where bytes may be in more than one region, or too many. */
bool vpmem_mem_covers_parts(const struct vpmem_mem *mem, u64 gpa, u64 len)
{
	u64 avail;

	while (len) {
		if (!vpmem_mem_region(mem, gpa, &avail))
			return false;
		if (avail >= len)
			return true;
		len -= avail;
		/* The region ends at 2^64 if this wraps, and so does memory. */
		if (check_add_overflow(gpa, avail, &gpa))
			return false;
	}
	return true;
}

int vpmem_mem_read_parts(const struct vpmem_mem *mem, u64 gpa, void *buf,
			 u32 len)
{
	while (len) {
		const struct vpmem_region *region;
		u64 avail;
		u32 part;

		region = vpmem_mem_region(mem, gpa, &avail);
		if (!region)
			return -EFAULT;
		part = min_t(u64, len, avail);
		if (copy_from_user(buf, vpmem_region_hva(region, gpa), part))
			return -EFAULT;
		gpa += part;
		buf += part;
		len -= part;
	}
	return 0;
}

int vpmem_mem_write_parts(const struct vpmem_mem *mem, u64 gpa, const void *buf,
			  u32 len)
{
	while (len) {
		const struct vpmem_region *region;
		u64 avail;
		u32 part;

		region = vpmem_mem_region(mem, gpa, &avail);
		if (!region)
			return -EFAULT;
		part = min_t(u64, len, avail);
		if (copy_to_user(vpmem_region_hva(region, gpa), buf, part))
			return -EFAULT;
		gpa += part;
		buf += part;
		len -= part;
	}
	return 0;
}
