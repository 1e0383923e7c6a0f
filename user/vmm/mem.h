/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest-physical memory: regions, their memslots, the only translator. */
#ifndef MEM_H
#define MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm;

/** Kinds of region: what a device may do with it. */
enum mem_kind {
	MEM_RAM,	/* guest RAM: devices read and write */
	MEM_PMEM,	/* pmem file pages: devices read and write (DAX + O_DIRECT) */
	MEM_PMEM_RO,	/* read-only pmem pages: devices only read */
	MEM_REGISTERS,	/* register or config page: reads are memory, writes exit */
};

/**
 * struct mem_region - One mapping.
 * @gpa: guest-physical address
 * @size: bytes, a multiple of 4096
 * @hva: where it is mapped here; whoever added the region owns the mapping
 * @kind: what it is; PMEM_RO and REGISTERS are KVM_MEM_READONLY slots
 * @slot: KVM memslot
 */
struct mem_region {
	uint64_t gpa;
	uint64_t size;
	void *hva;
	enum mem_kind kind;
	uint32_t slot;
};

/* Up to 64 pmem devices of three slots each, RAM and ECAM. */
#define MEM_REGIONS_MAX		256

/**
 * struct mem - The guest's physical address space.
 * @kvm: VM that the slots belong to; NULL in unit tests: then no slots are set
 * @regions: sorted by gpa, none overlapping
 * @nr_regions: how many
 * @hit: index of the region that mem_search() found last: a guess where to look
 *	first, and all that changes without regard to what is said below; atomic
 * @ram_size: guest RAM in bytes
 * @ram_fd: memfd behind RAM, or the file that it began as
 * @is_private: what the guest writes stays in this process, and not in @ram_fd
 * @pmem_next: where the next pmem region goes
 *
 * Regions change only while no vCPU runs guest code that could race with it, or
 * under the caller's own lock: MEM_REGISTERS regions, which mem_ptr() never
 * returns, may come and go while the guest runs.
 */
struct mem {
	struct kvm *kvm;
	struct mem_region regions[MEM_REGIONS_MAX];
	size_t nr_regions;
	size_t hit;
	uint64_t ram_size;
	int ram_fd;
	bool is_private;
	uint64_t pmem_next;
};

/**
 * mem_init() - Create guest RAM as a memfd and map it around the PCI hole.
 * Return: 0, or -errno after one line of error.
 */
int mem_init(struct mem *mem, struct kvm *kvm, uint64_t ram_size);

/**
 * mem_init_file() - Create guest RAM as a private copy of a file.
 * @path: file, exactly @ram_size bytes long; nothing is read yet
 * Return: 0, or -errno after one line of error.
 */
int mem_init_file(struct mem *mem, struct kvm *kvm, uint64_t ram_size,
		  const char *path);

/**
 * mem_keep_ram() - Let RAM be a private copy of what it is now.
 *
 * What is written later takes memory once, but twice where something is now.
 *
 * Return: 0 or -errno, and RAM is of no use any more.
 */
int mem_keep_ram(struct mem *mem);

/** mem_revert_ram() - Bring RAM back to what mem_keep_ram() has kept. 0 or -errno. */
int mem_revert_ram(struct mem *mem);

/** mem_exit() - Remove all regions and release RAM. */
void mem_exit(struct mem *mem);

/**
 * mem_add() - Map @size bytes at @hva at guest-physical @gpa.
 *
 * Return: 0; -EINVAL if misaligned; -EEXIST if it overlaps; -ENOSPC; -errno of
 * KVM. Nothing is changed on failure.
 */
int mem_add(struct mem *mem, uint64_t gpa, uint64_t size, void *hva,
	    enum mem_kind kind);

/** mem_del() - Undo mem_add(); the caller unmaps. */
void mem_del(struct mem *mem, uint64_t gpa);

/**
 * mem_alloc_pmem() - Reserve guest-physical space for a pmem region.
 * @size: a multiple of LAYOUT_PMEM_ALIGN
 * @gpa: receives the address, aligned to LAYOUT_PMEM_ALIGN, above all RAM
 *
 * Return: 0; -ENOSPC if it would pass the guest's physical address width.
 */
int mem_alloc_pmem(struct mem *mem, uint64_t size, uint64_t *gpa);

/**
 * mem_ptr() - Where guest memory is mapped here, for reading.
 *
 * Return: pointer to @len bytes at @gpa, or NULL unless all of them lie in one
 * region of RAM or pmem. A length of 0 gives NULL.
 */
void *mem_ptr(const struct mem *mem, uint64_t gpa, uint64_t len);

/** mem_ptr_write() - As mem_ptr(), but NULL for what devices may not write. */
void *mem_ptr_write(const struct mem *mem, uint64_t gpa, uint64_t len);

/**
 * mem_search() - The region that a guest-physical address is in, or NULL.
 */
const struct mem_region *mem_search(const struct mem *mem, uint64_t gpa);

/**
 * mem_span() - Where guest memory is mapped here that devices may write.
 * @bytes: receives how many there are from @gpa to the end of its region
 *
 * A flush looks eleven times, and finds ring and request in RAM: hence the guess,
 * and no call for it.
 *
 * Return: pointer to the first of them, or NULL if there are none.
 */
static inline void *mem_span(const struct mem *mem, uint64_t gpa,
			     uint64_t *bytes)
{
	size_t hit = __atomic_load_n(&mem->hit, __ATOMIC_RELAXED);
	const struct mem_region *region = &mem->regions[hit];

	if (hit >= mem->nr_regions || gpa - region->gpa >= region->size)
		region = mem_search(mem, gpa);
	if (!region || (region->kind != MEM_RAM && region->kind != MEM_PMEM))
		return NULL;
	*bytes = region->size - (gpa - region->gpa);
	return (char *)region->hva + (gpa - region->gpa);
}

/**
 * mem_copy() - Take a copy for translation alone, which nobody changes.
 * @to: zeroed; gets the regions that mem_ptr() knows
 */
void mem_copy(struct mem *to, const struct mem *from);

#endif /* MEM_H */
