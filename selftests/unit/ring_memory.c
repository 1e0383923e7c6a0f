// SPDX-License-Identifier: GPL-2.0-or-later
/* Guest memory for the module's ring walker, outside of the kernel. */
#include "ring_memory.h"

#include "ring_vectors.h"

#include <stdlib.h>

struct vpmem_mem {
	u8 *low;
	u8 *high;
};

static struct vpmem_mem guest;

struct vpmem_mem *ring_memory(void)
{
	if (!guest.low) {
		guest.low = malloc(RING_MEM_LOW);
		guest.high = malloc(RING_MEM_HIGH);
		if (!guest.low || !guest.high)
			abort();
	}
	return &guest;
}

u8 *ring_memory_byte(u64 gpa)
{
	return gpa < RING_MEM_LOW ? &guest.low[gpa] :
				    &guest.high[gpa - RING_MEM_LOW];
}

bool vpmem_mem_covers(const struct vpmem_mem *mem, u64 gpa, u64 len)
{
	return !len || (gpa < RING_MEM_BYTES && len <= RING_MEM_BYTES - gpa);
}

int vpmem_mem_read(const struct vpmem_mem *mem, u64 gpa, void *buf, u32 len)
{
	u32 i;

	if (!vpmem_mem_covers(mem, gpa, len))
		return -EFAULT;
	for (i = 0; i < len; i++)
		((u8 *)buf)[i] = *ring_memory_byte(gpa + i);
	return 0;
}

int vpmem_mem_write(const struct vpmem_mem *mem, u64 gpa, const void *buf,
		    u32 len)
{
	u32 i;

	if (!vpmem_mem_covers(mem, gpa, len))
		return -EFAULT;
	for (i = 0; i < len; i++)
		*ring_memory_byte(gpa + i) = ((const u8 *)buf)[i];
	return 0;
}

int vpmem_mem_get16(const struct vpmem_mem *mem, u64 gpa, __le16 *val)
{
	return vpmem_mem_read(mem, gpa, val, sizeof(*val));
}

int vpmem_mem_put16(const struct vpmem_mem *mem, u64 gpa, __le16 val)
{
	return vpmem_mem_write(mem, gpa, &val, sizeof(val));
}
