// SPDX-License-Identifier: GPL-2.0-or-later
/* What a VM costs the host beyond its guest's memory: pages, and wake-ups. */
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define DISK		"/tmp/footprint.img"
#define BOOT_S		200
#define LIMIT_KIB	1536
#define IDLE_S		6

FIXTURE(footprint) {
	struct vm_test vm;
};

FIXTURE_VARIANT(footprint) {
	const char *option;
};

FIXTURE_VARIANT_ADD(footprint, kernel) {
	.option = "path=" DISK ",flush=kernel",
};

FIXTURE_VARIANT_ADD(footprint, user) {
	.option = "path=" DISK ",flush=user",
};

FIXTURE_SETUP(footprint)
{
	const char *const args[] = { "--memory", "256M", "--pmem",
				     variant->option, NULL };

	ASSERT_EQ(0, vm_make_file(DISK, 4 << 20));
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,store,0,0,64", 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "stored 64", BOOT_S));
}

FIXTURE_TEARDOWN(footprint)
{
	vm_end(&self->vm);
	unlink(DISK);
}

static bool is_guests(const char *mapping)
{
	return strstr(mapping, "guest-ram") || strstr(mapping, DISK);
}

static bool is_own(const char *mapping)
{
	return !is_guests(mapping);
}

static bool is_ram(const char *mapping)
{
	return strstr(mapping, "guest-ram");
}

/* Sum of a detail, "Pss:", of the process's mappings that are meant. */
static long mapped_kib(pid_t pid, const char *detail,
		       bool (*is_meant)(const char *mapping))
{
	char path[64], line[512];
	bool counts = false;
	long sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		/* A mapping begins with its addresses, a detail with a name. */
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", line[0]))
			counts = is_meant(line);
		else if (counts && !strncmp(line, detail, strlen(detail)))
			sum += strtol(line + strlen(detail), NULL, 10);
	}
	if (file)
		fclose(file);
	return sum;
}

/* How often the process's first thread, the event loop, has slept. */
static long count_sleeps(pid_t pid)
{
	char path[64], line[256];
	long count = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "voluntary_ctxt_switches: %ld", &count);
	if (file)
		fclose(file);
	return count;
}

TEST_F_TIMEOUT(footprint, memory_of_its_own_is_small, 600)
{
	long kib = mapped_kib(self->vm.pid, "Pss:", is_own);

	TH_LOG("%ld KiB", kib);
	EXPECT_LT(100, kib);
	EXPECT_GE(LIMIT_KIB, kib);
}

/* L1 is set up so that who asks for them gets them. */
TEST_F_TIMEOUT(footprint, guests_memory_is_in_huge_pages, 600)
{
	long all = mapped_kib(self->vm.pid, "Rss:", is_ram);
	long huge = mapped_kib(self->vm.pid, "ShmemPmdMapped:", is_ram);

	TH_LOG("%ld of %ld KiB", huge, all);
	EXPECT_LT(16 << 10, all);
	EXPECT_LT(all / 2, huge);
}

TEST_F_TIMEOUT(footprint, event_loop_sleeps_while_nothing_happens, 600)
{
	long before = count_sleeps(self->vm.pid);

	ASSERT_LT(0, before);
	sleep(IDLE_S);
	EXPECT_EQ(before, count_sleeps(self->vm.pid));
}

TEST_HARNESS_MAIN
