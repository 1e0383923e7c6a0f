// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory table: bounds-checked lookup and access under the owner's mm.
 * Knows nothing of rings. Guest memory is never pinned.
 */
#include "mem.h"

#include <linux/align.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

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

static const struct vpmem_region *vpmem_mem_search(const struct vpmem_mem *mem,
						   u64 gpa)
{
	u32 at = vpmem_mem_find(mem, gpa);

	if (at == mem->nr || gpa < mem->regions[at].gpa)
		return NULL;
	/* Constant but for this, see struct vpmem_mem. */
	WRITE_ONCE(((struct vpmem_mem *)mem)->hit, at);
	return &mem->regions[at];
}

/*
 * Where @gpa is mapped, and how many bytes follow it in its region; NULL if it
 * is not guest memory. A ring and its requests are mostly in one region, and a
 * flush looks ten times: searching was a quarter of the module's part of it.
 */
static inline void __user *vpmem_mem_hva(const struct vpmem_mem *mem, u64 gpa,
					 u64 *avail)
{
	const struct vpmem_region *region;

	/* The table of a device is never empty. */
	region = &mem->regions[READ_ONCE(mem->hit)];
	if (gpa - region->gpa >= region->size) {
		region = vpmem_mem_search(mem, gpa);
		if (!region)
			return NULL;
	}
	*avail = region->size - (gpa - region->gpa);
	return (void __user *)(uintptr_t)(region->hva + (gpa - region->gpa));
}

bool vpmem_mem_covers(const struct vpmem_mem *mem, u64 gpa, u64 len)
{
	u64 avail;

	while (len) {
		if (!vpmem_mem_hva(mem, gpa, &avail))
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

/*
 * Indices lie in the ring's parts, which are 2-byte aligned, and regions are
 * page aligned: two bytes are never split.
 */
int vpmem_mem_get16(const struct vpmem_mem *mem, u64 gpa, __le16 *val)
{
	u64 avail;
	__le16 __user *hva = vpmem_mem_hva(mem, gpa, &avail);

	if (!hva || avail < sizeof(*val))
		return -EFAULT;
	return get_user(*val, hva);
}

int vpmem_mem_put16(const struct vpmem_mem *mem, u64 gpa, __le16 val)
{
	u64 avail;
	__le16 __user *hva = vpmem_mem_hva(mem, gpa, &avail);

	if (!hva || avail < sizeof(val))
		return -EFAULT;
	return put_user(val, hva);
}

/*
 * The sizes that rings and requests are made of go without a call to the
 * string copy, which costs more than all the rest of an access.
 */
static int vpmem_copy_in(void *buf, const void __user *hva, u32 len)
{
	u64 *words = buf;

	switch (len) {
	case 4:
		return get_user(*(u32 *)buf, (const u32 __user *)hva);
	case 16:
		return get_user(words[0], (const u64 __user *)hva) ?:
		       get_user(words[1], (const u64 __user *)hva + 1);
	default:
		return copy_from_user(buf, hva, len) ? -EFAULT : 0;
	}
}

static int vpmem_copy_out(void __user *hva, const void *buf, u32 len)
{
	switch (len) {
	case 4:
		return put_user(*(const u32 *)buf, (u32 __user *)hva);
	case 8:
		return put_user(*(const u64 *)buf, (u64 __user *)hva);
	default:
		return copy_to_user(hva, buf, len) ? -EFAULT : 0;
	}
}

int vpmem_mem_read(const struct vpmem_mem *mem, u64 gpa, void *buf, u32 len)
{
	while (len) {
		u64 avail;
		const void __user *hva = vpmem_mem_hva(mem, gpa, &avail);
		u32 part = min_t(u64, len, avail);

		if (!hva || vpmem_copy_in(buf, hva, part))
			return -EFAULT;
		gpa += part;
		buf += part;
		len -= part;
	}
	return 0;
}

int vpmem_mem_write(const struct vpmem_mem *mem, u64 gpa, const void *buf,
		    u32 len)
{
	while (len) {
		u64 avail;
		void __user *hva = vpmem_mem_hva(mem, gpa, &avail);
		u32 part = min_t(u64, len, avail);

		if (!hva || vpmem_copy_out(hva, buf, part))
			return -EFAULT;
		gpa += part;
		buf += part;
		len -= part;
	}
	return 0;
}
