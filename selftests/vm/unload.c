// SPDX-License-Identifier: GPL-2.0-or-later
/* The module is unloaded, and loaded again, under a running guest. */
#include "vm.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define BOOT_S	200
#define DEVICE	"/dev/mapper/vpmem-unload"
#define CREATE	"dmsetup create vpmem-unload --table '0 16384 linear /dev/ram2 0'"
#define SUSPEND	"dmsetup suspend --noflush --nolockfs vpmem-unload"
#define RESUME	"dmsetup resume vpmem-unload"

FIXTURE(unload) {
	struct vm_test vm;
};

FIXTURE_SETUP(unload)
{
	ASSERT_EQ(0, system("insmod /lib/vpmem/vpmem.ko"));
	ASSERT_EQ(0, vm_make_file("/tmp/unload.img", 64 << 20));
}

FIXTURE_TEARDOWN(unload)
{
	vm_end(&self->vm);
	system("rmmod vpmem 2>/dev/null");
}

TEST_F_TIMEOUT(unload, guest_is_told_and_nothing_is_acknowledged_any_more, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--pmem",
		"path=/tmp/unload.img,flush=kernel", NULL,
	};

	ASSERT_EQ(0, vm_start(&self->vm, "pmem,write,0,0,16000", 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "ack 20", BOOT_S));
	ASSERT_EQ(0, system("rmmod vpmem"));
	ASSERT_EQ(0, vm_expect(&self->vm, "Input/output error", 60));
	EXPECT_TRUE(vm_has(&self->vm, "vpmem-vmm: pmem pmem0: no more served by "
			   "the module: "));
	/* A module loaded again knows nothing of the old devices. */
	EXPECT_EQ(0, system("insmod /lib/vpmem/vpmem.ko"));
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
}

/* The module goes while a sync is under way: nobody of it answers any more. */
TEST_F_TIMEOUT(unload, request_in_service_is_refused, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--pmem",
		"path=" DEVICE ",flush=kernel", NULL,
	};

	ASSERT_EQ(0, system(CREATE));
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,write,0,0,2000", 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "ack 20", BOOT_S));
	EXPECT_EQ(0, system(SUSPEND));
	sleep(1);
	EXPECT_EQ(0, system("rmmod vpmem &"));
	sleep(2);
	EXPECT_EQ(0, system(RESUME));
	EXPECT_EQ(0, vm_expect(&self->vm, "Input/output error", 60));
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	EXPECT_EQ(0, system("dmsetup remove --retry vpmem-unload"));
}

TEST_HARNESS_MAIN
