/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory for the module's ring walker, outside of the kernel: two regions
 * that meet, each an allocation with red zones. It implements mem.h of kmod.
 */
#ifndef RING_MEMORY_H
#define RING_MEMORY_H

#include "mem.h"

/** ring_memory() - The only one there is; made by the first call. */
struct vpmem_mem *ring_memory(void);

/** ring_memory_byte() - Where the byte at @gpa is, which has to be in it. */
u8 *ring_memory_byte(u64 gpa);

#endif /* RING_MEMORY_H */
