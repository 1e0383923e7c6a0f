// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stock guest flushes: what it wrote is in the file, with either back end,
 * and the flushes are counted where they were served.
 */
#include "pattern.h"
#include "vm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vpmem/vpmem.h>

#include "kselftest_harness.h"

#define BLOCKS		64
#define FILE_SIZE	(16 << 20)
#define BOOT_S		200

FIXTURE(flush) {
	struct vm_test vm;
	struct vpmem_sock *sock;
	char path[32];
	char option[128];
};

FIXTURE_VARIANT(flush) {
	const char *backend;
	bool is_kernel;
};

FIXTURE_VARIANT_ADD(flush, kernel_worker) {
	.backend = "flush=kernel,exec=worker",
	.is_kernel = true,
};

FIXTURE_VARIANT_ADD(flush, kernel_inline) {
	.backend = "flush=kernel,exec=inline",
	.is_kernel = true,
};

FIXTURE_VARIANT_ADD(flush, user) {
	.backend = "flush=user",
};

FIXTURE_SETUP(flush)
{
	strcpy(self->path, "/tmp/flush.img");
	ASSERT_EQ(0, vm_make_file(self->path, FILE_SIZE));
	snprintf(self->option, sizeof(self->option), "path=%s,%s", self->path,
		 variant->backend);
	ASSERT_EQ(0, vpmem_sock_create(&self->sock));
}

FIXTURE_TEARDOWN(flush)
{
	vm_end(&self->vm);
	vpmem_sock_destroy(self->sock);
	unlink(self->path);
}

static int take_info(const struct vpmem_dev_info *info, void *arg)
{
	*(struct vpmem_dev_info *)arg = *info;
	return 0;
}

TEST_F_TIMEOUT(flush, guest_data_is_in_the_file, 600)
{
	const char *const args[] = { "--memory", "256M", "--pmem",
				     self->option, NULL };
	struct vpmem_dev_info info = { 0 };

	ASSERT_EQ(0, vm_start(&self->vm, "pmem,write,0,0,64", 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "ack 63", BOOT_S));
	if (variant->is_kernel) {
		ASSERT_EQ(0, vpmem_dev_dump(self->sock, take_info, &info));
		EXPECT_LE(BLOCKS, info.stats.flushes);
		EXPECT_EQ(info.stats.flushes, info.stats.syncs);
		EXPECT_EQ(info.stats.flushes, info.stats.kicks);
		EXPECT_EQ(0, info.stats.flush_errors + info.stats.bad_requests);
	}
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	EXPECT_TRUE(vm_has(&self->vm, "L2: exit status 0"));
	EXPECT_EQ(BLOCKS, pattern_count(self->path, 0));
}

TEST_F_TIMEOUT(flush, guest_reads_back_what_an_earlier_one_wrote, 600)
{
	const char *const args[] = { "--memory", "256M", "--pmem",
				     self->option, NULL };

	ASSERT_EQ(0, vm_start(&self->vm, "pmem,write,0,0,8", 1, args));
	ASSERT_EQ(0, vm_wait(&self->vm, BOOT_S));
	vm_end(&self->vm);
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,verify,0,0,8", 1, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_TRUE(vm_has(&self->vm, "verified 8"));
}

TEST_F_TIMEOUT(flush, killed_vmm_leaves_nothing_and_its_file_is_free, 600)
{
	const char *const args[] = { "--memory", "256M", "--pmem",
				     self->option, NULL };
	struct vpmem_dev_info info = { 0 };

	ASSERT_EQ(0, vm_start(&self->vm, "pmem,write,0,0,100000", 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "ack 20", BOOT_S));
	ASSERT_EQ(0, kill(self->vm.pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, vm_wait(&self->vm, 20));
	vm_end(&self->vm);
	for (int i = 0; i < 50; i++) {
		info.id = 0;
		ASSERT_EQ(0, vpmem_dev_dump(self->sock, take_info, &info));
		if (!info.id)
			break;
		usleep(100000);
	}
	EXPECT_EQ(0, info.id);
	EXPECT_LE(20, pattern_count(self->path, 0));
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,verify,0,0,20", 1, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_TRUE(vm_has(&self->vm, "verified 20"));
}

TEST_HARNESS_MAIN
