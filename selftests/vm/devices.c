// SPDX-License-Identifier: GPL-2.0-or-later
/* Many devices, many vCPUs, devices that cannot be written. */
#include "vm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vpmem/vpmem.h>

#include "kselftest_harness.h"

#define BOOT_S		200
#define DEVICES		32

FIXTURE(devices) {
	struct vm_test vm;
	struct vpmem_sock *sock;
};

FIXTURE_SETUP(devices)
{
	ASSERT_EQ(0, vpmem_sock_create(&self->sock));
}

FIXTURE_TEARDOWN(devices)
{
	vm_end(&self->vm);
	vpmem_sock_destroy(self->sock);
}

struct tally {
	int devices;
	int without_flush;
	uint64_t flushes;
};

static int tally_one(const struct vpmem_dev_info *info, void *arg)
{
	struct tally *tally = arg;

	tally->devices++;
	tally->flushes += info->stats.flushes;
	tally->without_flush += !info->stats.flushes;
	return 0;
}

TEST_F_TIMEOUT(devices, thirty_two_in_one_guest_with_two_vcpus, 500)
{
	static char options[DEVICES][96];
	const char *args[VM_ARGS_MAX] = { "--memory", "512M", "--cpus", "2" };
	struct tally tally = { 0 };
	char path[32];
	int count = 4;

	for (int i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/tmp/dev%d.img", i);
		ASSERT_EQ(0, vm_make_file(path, 2 << 20));
		snprintf(options[i], sizeof(options[i]),
			 "path=%s,id=disk%d,flush=kernel", path, i);
		args[count++] = "--pmem";
		args[count++] = options[i];
	}
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,parallel,32,20", DEVICES, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "parallel done, 0 bad", BOOT_S));
	ASSERT_EQ(0, vpmem_dev_dump(self->sock, tally_one, &tally));
	EXPECT_EQ(DEVICES, tally.devices);
	EXPECT_EQ(0, tally.without_flush);
	EXPECT_LE(DEVICES * 20, tally.flushes);
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	for (int i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/tmp/dev%d.img", i);
		unlink(path);
	}
}

TEST_F_TIMEOUT(devices, kernel_and_user_side_by_side_on_four_vcpus, 500)
{
	const char *const args[] = {
		"--memory", "256M", "--cpus", "4",
		"--pmem", "path=/tmp/a.img,flush=kernel,exec=inline",
		"--pmem", "path=/tmp/b.img,flush=user",
		"--pmem", "path=/tmp/c.img,flush=kernel,exec=worker",
		"--pmem", "path=/tmp/d.img,flush=user",
		NULL,
	};

	for (char name = 'a'; name <= 'd'; name++) {
		char path[] = { '/', 't', 'm', 'p', '/', name, '.', 'i', 'm',
				'g', '\0' };

		ASSERT_EQ(0, vm_make_file(path, 4 << 20));
	}
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,parallel,4,200", 4, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "parallel done, 0 bad", BOOT_S));
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	EXPECT_EQ(0, system("cmp /tmp/a.img /tmp/b.img && "
			    "cmp /tmp/a.img /tmp/c.img && "
			    "cmp /tmp/a.img /tmp/d.img"));
	EXPECT_NE(0, system("cmp -s /tmp/a.img /dev/zero"));
}

static int take_only(const struct vpmem_dev_info *info, void *arg)
{
	*(struct vpmem_dev_info *)arg = *info;
	return 0;
}

/* More flushes at once than the limits let pass, by the module and by a thread. */
TEST_F_TIMEOUT(devices, limits_hold_on_both_sides, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--metrics", "/tmp/limits.json",
		"--pmem", "path=/tmp/a.img,flush=kernel,flush-limit=5,,1",
		"--pmem", "path=/tmp/b.img,flush=user,flush-limit=5,,1,bytes-limit=1M",
		NULL,
	};
	struct vpmem_dev_info info = { .id = 0 };

	ASSERT_EQ(0, vm_make_file("/tmp/a.img", 2 << 20));
	ASSERT_EQ(0, vm_make_file("/tmp/b.img", 2 << 20));
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,parallel,2,10", 2, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "parallel done, 0 bad", BOOT_S));
	ASSERT_EQ(0, vpmem_dev_dump(self->sock, take_only, &info));
	EXPECT_EQ(5, info.flush_limit.rate);
	EXPECT_EQ(1, info.flush_limit.burst);
	EXPECT_EQ(0, info.bytes_limit.rate);
	EXPECT_LT(0, info.stats.throttled);
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	/* Each device, and the sum. */
	EXPECT_EQ(3, system("exit $(tail -n1 /tmp/limits.json |"
			    " grep -o '\"throttled\":[1-9]' | wc -l)") >> 8);
	unlink("/tmp/limits.json");
}

TEST_F_TIMEOUT(devices, read_only_device_keeps_its_file, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--pmem",
		"path=/tmp/ro.img,read-only=on,flush=kernel", NULL,
	};

	ASSERT_EQ(0, vm_make_file("/tmp/ro.img", 4 << 20));
	ASSERT_EQ(0, system("md5sum /tmp/ro.img >/tmp/ro.md5"));
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,write,0,0,2", 1, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_EQ(0, system("md5sum -c /tmp/ro.md5 >/dev/null"));
	/* The guest cannot be told, but the operator is. */
	EXPECT_TRUE(vm_has(&self->vm, "guest: "));
}

TEST_F_TIMEOUT(devices, discarded_writes_are_seen_by_the_guest_alone, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--pmem",
		"path=/tmp/dw.img,discard-writes=on,flush=kernel", NULL,
	};

	ASSERT_EQ(0, vm_make_file("/tmp/dw.img", 4 << 20));
	ASSERT_EQ(0, system("md5sum /tmp/dw.img >/tmp/dw.md5"));
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,write,0,0,16", 1, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_TRUE(vm_has(&self->vm, "ack 15"));
	EXPECT_EQ(0, system("md5sum -c /tmp/dw.md5 >/dev/null"));
}

TEST_F_TIMEOUT(devices, size_is_rounded_up_and_the_tail_is_zero, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--pmem", "path=/tmp/odd.img,flush=kernel",
		NULL,
	};

	ASSERT_EQ(0, vm_make_file("/tmp/odd.img", (2 << 20) + 8192));
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,size,0", 1, args));
	EXPECT_EQ(0, vm_wait(&self->vm, BOOT_S));
	EXPECT_TRUE(vm_has(&self->vm, "size 4194304"));
}

TEST_F_TIMEOUT(devices, file_that_shrinks_ends_the_vm, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--pmem", "path=/tmp/shrinks.img", NULL,
	};

	ASSERT_EQ(0, vm_make_file("/tmp/shrinks.img", 4 << 20));
	ASSERT_EQ(0, vm_start(&self->vm, "sleep,1000", 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "L2: ready", BOOT_S));
	ASSERT_EQ(0, truncate("/tmp/shrinks.img", 8 << 20));
	ASSERT_EQ(0, vm_expect(&self->vm, "size is now 8388608", 20));
	ASSERT_EQ(0, truncate("/tmp/shrinks.img", 1 << 20));
	EXPECT_EQ(1, vm_wait(&self->vm, 20));
	EXPECT_TRUE(vm_has(&self->vm, "shrank under the guest"));
	unlink("/tmp/shrinks.img");
}

TEST_HARNESS_MAIN
