// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk that does not answer: the guest's other devices go on, the VMM dies at
 * once when it is killed, and nothing of it stays.
 */
#include "vm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vpmem/vpmem.h>

#include "kselftest_harness.h"

#define BOOT_S		200
#define DEVICE		"/dev/mapper/vpmem-vm"
#define CREATE		"dmsetup create vpmem-vm --table '0 16384 linear /dev/ram2 0'"
#define SUSPEND		"dmsetup suspend --noflush --nolockfs vpmem-vm"
#define RESUME		"dmsetup resume vpmem-vm"

FIXTURE(slow) {
	struct vm_test vm;
	struct vpmem_sock *sock;
};

FIXTURE_VARIANT(slow) {
	const char *option;
	bool is_kernel;
};

FIXTURE_VARIANT_ADD(slow, kernel) {
	.option = "path=" DEVICE ",flush=kernel",
	.is_kernel = true,
};

FIXTURE_VARIANT_ADD(slow, user) {
	.option = "path=" DEVICE ",flush=user",
};

FIXTURE_SETUP(slow)
{
	ASSERT_EQ(0, system(CREATE));
	ASSERT_EQ(0, vm_make_file("/tmp/fast.img", 4 << 20));
	ASSERT_EQ(0, vpmem_sock_create(&self->sock));
}

FIXTURE_TEARDOWN(slow)
{
	system(RESUME);
	vm_end(&self->vm);
	vpmem_sock_destroy(self->sock);
	EXPECT_EQ(0, system("dmsetup remove --retry vpmem-vm"));
}

static int count_one(const struct vpmem_dev_info *info, void *arg)
{
	++*(int *)arg;
	return 0;
}

static int count_devices(struct vpmem_sock *sock)
{
	int count = 0;

	return vpmem_dev_dump(sock, count_one, &count) ?: count;
}

static bool devices_are_gone(struct vpmem_sock *sock)
{
	for (int i = 0; i < 100; i++) {
		if (!count_devices(sock))
			return true;
		usleep(100000);
	}
	return false;
}

TEST_F_TIMEOUT(slow, vmm_is_killed_while_a_flush_hangs, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--cpus", "2", "--pmem", variant->option,
		"--pmem", "path=/tmp/fast.img,flush=kernel", NULL,
	};

	ASSERT_EQ(0, vm_start(&self->vm, "pmem,pair,0,1", 2, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "pair 20", BOOT_S));
	ASSERT_EQ(0, system(SUSPEND));
	/* One thread of the guest hangs in its flush, the other goes on. */
	sleep(1);
	self->vm.seen = self->vm.len;
	ASSERT_EQ(0, vm_expect(&self->vm, "pair ", 20));
	ASSERT_EQ(0, vm_expect(&self->vm, "pair ", 20));
	ASSERT_EQ(0, kill(self->vm.pid, SIGKILL));
	if (variant->is_kernel)
		EXPECT_EQ(128 + SIGKILL, vm_wait(&self->vm, 20));
	ASSERT_EQ(0, system(RESUME));
	if (!variant->is_kernel)
		EXPECT_EQ(128 + SIGKILL, vm_wait(&self->vm, 20));
	EXPECT_TRUE(devices_are_gone(self->sock));
}

TEST_HARNESS_MAIN
