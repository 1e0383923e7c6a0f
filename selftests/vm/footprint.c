// SPDX-License-Identifier: GPL-2.0-or-later
/* What a VM costs the host beyond its guest's memory: pages, and wake-ups. */
#include "vm.h"

#include <stdio.h>
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

/* Resident pages of all mappings but the guest's RAM and pmem, each counted once. */
static long own_kib(pid_t pid)
{
	char path[64], line[512];
	bool is_own = false;
	long sum = 0, kib;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		/* A mapping begins with its addresses, a detail with a name. */
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", line[0]))
			is_own = !is_guests(line);
		else if (is_own && sscanf(line, "Pss: %ld kB", &kib) == 1)
			sum += kib;
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
	long kib = own_kib(self->vm.pid);

	TH_LOG("%ld KiB", kib);
	EXPECT_LT(100, kib);
	EXPECT_GE(LIMIT_KIB, kib);
}

TEST_F_TIMEOUT(footprint, event_loop_sleeps_while_nothing_happens, 600)
{
	long before = count_sleeps(self->vm.pid);

	ASSERT_LT(0, before);
	sleep(IDLE_S);
	EXPECT_EQ(before, count_sleeps(self->vm.pid));
}

TEST_HARNESS_MAIN
