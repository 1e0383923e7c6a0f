// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RAM that goes back to what it was, as a reset wants it: what that costs, and
 * that nothing is lost.
 */
#include "layout.h"
#include "mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define LOW_BYTES	(8 * MIB)
#define HIGH_BYTES	(4 * MIB)

FIXTURE(kept) {
	struct mem mem;
	uint8_t *low;
	uint8_t *high;
	blkcnt_t blocks;
};

static blkcnt_t blocks_of(const struct mem *mem)
{
	struct stat st;

	return fstat(mem->ram_fd, &st) ? -1 : st.st_blocks;
}

static void fill(uint8_t *ram, uint64_t page, uint64_t nr, int byte)
{
	memset(ram + page * GUEST_PAGE_SIZE, byte, nr * GUEST_PAGE_SIZE);
}

static bool is_filled(const uint8_t *ram, uint64_t page, uint64_t nr, int byte)
{
	const uint8_t *at = ram + page * GUEST_PAGE_SIZE;

	return at[0] == byte &&
	       !memcmp(at, at + 1, nr * GUEST_PAGE_SIZE - 1);
}

/* RAM on both sides of the PCI hole, without taking 3 GiB for it. */
static uint8_t *add_high(struct mem *mem)
{
	void *hva;

	if (ftruncate(mem->ram_fd, LOW_BYTES + HIGH_BYTES))
		return NULL;
	hva = mmap(NULL, HIGH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		   mem->ram_fd, LOW_BYTES);
	if (hva == MAP_FAILED ||
	    mem_add(mem, LAYOUT_RAM_HIGH, HIGH_BYTES, hva, MEM_RAM))
		return NULL;
	mem->ram_size += HIGH_BYTES;
	return hva;
}

/* What a boot loader leaves: a page, then some more, up to where the hole is. */
static void load(struct _test_data_kept *self)
{
	fill(self->low, 1, 1, 1);
	fill(self->low, 100, 50, 2);
	fill(self->low, LOW_BYTES / GUEST_PAGE_SIZE - 1, 1, 3);
	fill(self->high, 0, 1, 4);
	fill(self->high, 7, 2, 5);
}

static bool is_as_loaded(struct _test_data_kept *self)
{
	uint64_t last = LOW_BYTES / GUEST_PAGE_SIZE - 1;

	return is_filled(self->low, 0, 1, 0) && is_filled(self->low, 1, 1, 1) &&
	       is_filled(self->low, 2, 98, 0) &&
	       is_filled(self->low, 100, 50, 2) &&
	       is_filled(self->low, 150, last - 150, 0) &&
	       is_filled(self->low, last, 1, 3) &&
	       is_filled(self->high, 0, 1, 4) &&
	       is_filled(self->high, 1, 6, 0) &&
	       is_filled(self->high, 7, 2, 5) &&
	       is_filled(self->high, 9, HIGH_BYTES / GUEST_PAGE_SIZE - 9, 0);
}

FIXTURE_SETUP(kept)
{
	ASSERT_EQ(0, mem_init(&self->mem, NULL, LOW_BYTES));
	self->low = mem_ptr_write(&self->mem, 0, LOW_BYTES);
	self->high = add_high(&self->mem);
	ASSERT_NE(NULL, self->high);
	load(self);
	self->blocks = blocks_of(&self->mem);
	ASSERT_EQ(0, mem_keep_ram(&self->mem));
}

FIXTURE_TEARDOWN(kept)
{
	mem_exit(&self->mem);
}

TEST_F(kept, ram_comes_back_as_it_was)
{
	EXPECT_TRUE(is_as_loaded(self));
	for (int byte = 6; byte < 8; byte++) {
		memset(self->low, byte, LOW_BYTES);
		memset(self->high, byte, HIGH_BYTES);
		ASSERT_EQ(0, mem_revert_ram(&self->mem));
		EXPECT_TRUE(is_as_loaded(self));
	}
}

TEST_F(kept, ram_that_was_empty_is_not_taken_twice)
{
	ASSERT_TRUE(is_as_loaded(self));
	EXPECT_EQ(self->blocks, blocks_of(&self->mem));
	memset(self->low, 6, LOW_BYTES);
	memset(self->high, 6, HIGH_BYTES);
	EXPECT_EQ(self->blocks, blocks_of(&self->mem));
	ASSERT_EQ(0, mem_revert_ram(&self->mem));
	ASSERT_TRUE(is_as_loaded(self));
	EXPECT_EQ(self->blocks, blocks_of(&self->mem));
}

/* Bytes of a region for which huge pages are asked. */
static uint64_t advised(const void *hva, uint64_t len)
{
	uint64_t start = (uintptr_t)hva, end = start + len, sum = 0;
	uint64_t from, to, part_from = 0, part_to = 0;
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		/* The kernel may have joined it with what is beside it. */
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			part_from = from > start ? from : start;
			part_to = to < end ? to : end;
		}
		if (!strncmp(line, "VmFlags:", 8) && strstr(line, " hg") &&
		    part_to > part_from)
			sum += part_to - part_from;
	}
	if (file)
		fclose(file);
	return sum;
}

TEST_F(kept, huge_pages_are_still_asked_for)
{
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "this kernel has no huge pages");
	EXPECT_EQ(LOW_BYTES, advised(self->low, LOW_BYTES));
	EXPECT_EQ(HIGH_BYTES, advised(self->high, HIGH_BYTES));
}

TEST_HARNESS_MAIN
