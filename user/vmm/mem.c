// SPDX-License-Identifier: GPL-2.0-or-later
/* Guest-physical memory: regions, their memslots, the only translator. */
#include "kvm.h"
#include "layout.h"
#include "log.h"
#include "mem.h"
#include "util.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

/* Architectural default where the CPU does not tell. */
#define PHYS_BITS_DEFAULT	36

/* Index of the first region that ends above @gpa. */
static size_t find(const struct mem *mem, uint64_t gpa)
{
	size_t lo = 0, hi = mem->nr_regions;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct mem_region *region = &mem->regions[mid];

		if (region->gpa + (region->size - 1) >= gpa)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static bool slot_is_used(const struct mem *mem, uint32_t slot)
{
	for (size_t i = 0; i < mem->nr_regions; i++) {
		if (mem->regions[i].slot == slot)
			return true;
	}
	return false;
}

static uint32_t free_slot(const struct mem *mem)
{
	uint32_t slot = 0;

	while (slot_is_used(mem, slot))
		slot++;
	return slot;
}

static int set_slot(const struct mem *mem, const struct mem_region *region,
		    uint64_t size)
{
	bool is_ro = region->kind == MEM_PMEM_RO ||
		     region->kind == MEM_REGISTERS;
	int err;

	if (!mem->kvm)
		return 0;
	err = kvm_set_memslot(mem->kvm, region->slot, region->gpa, size,
			      region->hva, is_ro ? KVM_MEM_READONLY : 0);
	return err < 0 ? err : 0;
}

static bool is_free(const struct mem *mem, size_t at, uint64_t gpa,
		    uint64_t size)
{
	return at == mem->nr_regions ||
	       mem->regions[at].gpa > gpa + (size - 1);
}

int mem_add(struct mem *mem, uint64_t gpa, uint64_t size, void *hva,
	    enum mem_kind kind)
{
	struct mem_region region = {
		.gpa = gpa,
		.size = size,
		.hva = hva,
		.kind = kind,
	};
	size_t at = find(mem, gpa);
	int err;

	if (!size || gpa + (size - 1) < gpa ||
	    !IS_ALIGNED(gpa | size | (uintptr_t)hva, GUEST_PAGE_SIZE))
		return -EINVAL;
	if (!is_free(mem, at, gpa, size))
		return -EEXIST;
	if (mem->nr_regions == MEM_REGIONS_MAX)
		return -ENOSPC;
	region.slot = free_slot(mem);
	err = set_slot(mem, &region, size);
	if (err)
		return err;
	memmove(&mem->regions[at + 1], &mem->regions[at],
		(mem->nr_regions - at) * sizeof(region));
	mem->regions[at] = region;
	mem->nr_regions++;
	return 0;
}

static void del_at(struct mem *mem, size_t at)
{
	set_slot(mem, &mem->regions[at], 0);
	mem->nr_regions--;
	memmove(&mem->regions[at], &mem->regions[at + 1],
		(mem->nr_regions - at) * sizeof(mem->regions[0]));
}

void mem_del(struct mem *mem, uint64_t gpa)
{
	size_t at = find(mem, gpa);

	if (at < mem->nr_regions && mem->regions[at].gpa == gpa)
		del_at(mem, at);
}

static int map_ram_part(struct mem *mem, uint64_t gpa, uint64_t size,
			uint64_t offset)
{
	int sharing = mem->is_private ? MAP_PRIVATE : MAP_SHARED;
	void *hva = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 sharing | MAP_NORESERVE, mem->ram_fd, offset);
	int err;

	if (hva == MAP_FAILED)
		return -errno;
	/* Saves a guest's start half of its time, where the host allows it. */
	madvise(hva, size, MADV_HUGEPAGE);
	err = mem_add(mem, gpa, size, hva, MEM_RAM);
	if (err)
		munmap(hva, size);
	return err;
}

/* Memory is only taken when it is used; more than there is can never be. */
static bool host_has(uint64_t bytes)
{
	struct sysinfo info;

	return sysinfo(&info) || bytes / info.mem_unit <=
				 (uint64_t)info.totalram + info.totalswap;
}

static int map_ram(struct mem *mem)
{
	uint64_t low = mem->ram_size < LAYOUT_RAM_LOW_MAX ?
		       mem->ram_size : LAYOUT_RAM_LOW_MAX;
	int err;

	if (!host_has(mem->ram_size))
		return -ENOMEM;
	if (!mem->is_private && ftruncate(mem->ram_fd, mem->ram_size))
		return -errno;
	err = map_ram_part(mem, 0, low, 0);
	if (!err && low < mem->ram_size)
		err = map_ram_part(mem, LAYOUT_RAM_HIGH, mem->ram_size - low,
				   low);
	return err;
}

static void mem_clear(struct mem *mem, struct kvm *kvm, uint64_t ram_size)
{
	uint64_t high = ram_size > LAYOUT_RAM_LOW_MAX ?
			ram_size - LAYOUT_RAM_LOW_MAX : 0;

	memset(mem, 0, sizeof(*mem));
	mem->kvm = kvm;
	mem->ram_size = ram_size;
	mem->pmem_next = ALIGN_UP(LAYOUT_RAM_HIGH + high, LAYOUT_PMEM_ALIGN);
}

int mem_init(struct mem *mem, struct kvm *kvm, uint64_t ram_size)
{
	int err;

	mem_clear(mem, kvm, ram_size);
	mem->ram_fd = memfd_create("guest-ram", MFD_CLOEXEC);
	err = mem->ram_fd < 0 ? -errno : map_ram(mem);
	if (err) {
		log_error("cannot allocate %llu MiB of guest RAM: %s; try a smaller --memory",
			  (unsigned long long)(ram_size / MIB), strerror(-err));
		mem_exit(mem);
	}
	return err;
}

static int check_ram_file(int fd, const char *path, uint64_t ram_size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == ram_size)
		return 0;
	log_error("memory %s: not a file of %llu bytes; the snapshot is damaged",
		  path, (unsigned long long)ram_size);
	return -EUCLEAN;
}

int mem_init_file(struct mem *mem, struct kvm *kvm, uint64_t ram_size,
		  const char *path)
{
	int err;

	mem_clear(mem, kvm, ram_size);
	mem->is_private = true;
	mem->ram_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	err = mem->ram_fd < 0 ? -errno :
	      check_ram_file(mem->ram_fd, path, ram_size);
	if (!err)
		err = map_ram(mem);
	if (err && err != -EUCLEAN)
		log_error("memory %s: %s", path, strerror(-err));
	if (err)
		mem_exit(mem);
	return err;
}

/* Where data or a hole of the memfd begins, at @offset or behind it; or @end. */
static uint64_t seek_ram(const struct mem *mem, uint64_t offset, uint64_t end,
			 int whence)
{
	off_t found = lseek(mem->ram_fd, offset, whence);

	if (found < 0 && whence == SEEK_DATA && errno != ENXIO)
		return offset;
	return found < 0 || (uint64_t)found > end ? end : (uint64_t)found;
}

static int map_private(void *hva, uint64_t size, int flags, int fd,
		       uint64_t offset)
{
	return mmap(hva, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED | flags, fd,
		    offset) == MAP_FAILED ? -errno : 0;
}

/*
 * A write to a hole of a memfd, through a private mapping, makes a page of the
 * memfd besides the private one. Most of RAM are holes: these are anonymous.
 */
static int keep_region(const struct mem *mem, const struct mem_region *region,
		       uint64_t offset)
{
	uint64_t end = offset + region->size;
	uint64_t at = offset;
	int err;

	err = map_private(region->hva, region->size, MAP_ANONYMOUS, -1, 0);
	while (!err && (at = seek_ram(mem, at, end, SEEK_DATA)) < end) {
		uint64_t hole = seek_ram(mem, at, end, SEEK_HOLE);

		err = map_private((char *)region->hva + (at - offset),
				  hole - at, 0, mem->ram_fd, at);
		at = hole;
	}
	/* What was advised of the former mapping has gone with it. */
	madvise(region->hva, region->size, MADV_HUGEPAGE);
	return err;
}

int mem_keep_ram(struct mem *mem)
{
	uint64_t offset = 0;
	int err = 0;

	for (size_t i = 0; !err && i < mem->nr_regions; i++) {
		const struct mem_region *region = &mem->regions[i];

		if (region->kind != MEM_RAM)
			continue;
		err = keep_region(mem, region, offset);
		offset += region->size;
	}
	mem->is_private = true;
	return err;
}

int mem_revert_ram(struct mem *mem)
{
	for (size_t i = 0; i < mem->nr_regions; i++) {
		const struct mem_region *region = &mem->regions[i];

		if (region->kind == MEM_RAM &&
		    madvise(region->hva, region->size, MADV_DONTNEED))
			return -errno;
	}
	return 0;
}

void mem_exit(struct mem *mem)
{
	while (mem->nr_regions) {
		struct mem_region region = mem->regions[mem->nr_regions - 1];

		del_at(mem, mem->nr_regions - 1);
		if (region.kind == MEM_RAM)
			munmap(region.hva, region.size);
	}
	if (mem->ram_fd >= 0)
		close(mem->ram_fd);
	mem->ram_fd = -1;
}

static uint64_t phys_limit(void)
{
	uint32_t eax, ebx, ecx, edx;

	if (!__get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx))
		return 1ull << PHYS_BITS_DEFAULT;
	return 1ull << (eax & 0xff);
}

int mem_alloc_pmem(struct mem *mem, uint64_t size, uint64_t *gpa)
{
	uint64_t limit = phys_limit();

	if (size > limit || mem->pmem_next > limit - size)
		return -ENOSPC;
	*gpa = mem->pmem_next;
	mem->pmem_next += size;
	return 0;
}

const struct mem_region *mem_search(const struct mem *mem, uint64_t gpa)
{
	size_t at = find(mem, gpa);

	if (at == mem->nr_regions || gpa < mem->regions[at].gpa)
		return NULL;
	__atomic_store_n((size_t *)&mem->hit, at, __ATOMIC_RELAXED);
	return &mem->regions[at];
}

void *mem_ptr(const struct mem *mem, uint64_t gpa, uint64_t len)
{
	const struct mem_region *region = mem_search(mem, gpa);

	if (!region || region->kind == MEM_REGISTERS || !len ||
	    len > region->size - (gpa - region->gpa))
		return NULL;
	return (char *)region->hva + (gpa - region->gpa);
}

void *mem_ptr_write(const struct mem *mem, uint64_t gpa, uint64_t len)
{
	uint64_t bytes;
	void *hva = mem_span(mem, gpa, &bytes);

	return hva && len && len <= bytes ? hva : NULL;
}

void mem_copy(struct mem *to, const struct mem *from)
{
	for (size_t i = 0; i < from->nr_regions; i++) {
		if (from->regions[i].kind != MEM_REGISTERS)
			to->regions[to->nr_regions++] = from->regions[i];
	}
}
