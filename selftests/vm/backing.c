// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a device may be backed by, all kinds in one guest: what the guest was told
 * is synced is in the file, and the module chooses where to sync as the backing
 * asks for. On a machine with persistent memory, as vm/dax starts it, there is
 * one kind more: files with DAX.
 */
#include "pattern.h"
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vpmem/vpmem.h>

#include "kselftest_harness.h"

#define BOOT_S		300
#define BLOCKS		20
#define SIZE		(4 << 20)
#define PERSISTENT	"grep -q memmap= /proc/cmdline"
#define KINDS_MAX	5
#define PMEM		"/dev/pmem0"
#define DIR(name)	"/tmp/backing-" name

struct kind {
	const char *set_up;
	const char *tear_down;
	/* Of the device that the module serves, and of the VMM's. */
	const char *paths[2];
	enum vpmem_exec exec;
};

static const struct kind kinds[] = {
	{
		.set_up = "mount -t tmpfs none " DIR("tmpfs"),
		.tear_down = "umount " DIR("tmpfs"),
		.paths = { DIR("tmpfs/kernel"), DIR("tmpfs/user") },
		.exec = VPMEM_EXEC_INLINE,
	}, {
		.set_up = "echo 4 >/proc/sys/vm/nr_hugepages &&"
			  " mount -t hugetlbfs none " DIR("huge"),
		.tear_down = "umount " DIR("huge") " &&"
			     " echo 0 >/proc/sys/vm/nr_hugepages",
		.paths = { DIR("huge/kernel"), DIR("huge/user") },
		.exec = VPMEM_EXEC_INLINE,
	}, {
		.set_up = "mkfs.ext4 -q -F /dev/ram1 &&"
			  " mount -t ext4 /dev/ram1 " DIR("ext4"),
		.tear_down = "umount " DIR("ext4"),
		.paths = { DIR("ext4/kernel"), DIR("ext4/user") },
		.exec = VPMEM_EXEC_WORKER,
	}, {
		.set_up = "dd if=/dev/zero of=/dev/ram2 bs=1M count=4 2>/dev/null &&"
			  " dd if=/dev/zero of=/dev/ram3 bs=1M count=4 2>/dev/null",
		.tear_down = "true",
		.paths = { "/dev/ram2", "/dev/ram3" },
		.exec = VPMEM_EXEC_WORKER,
	}, {
		.set_up = "mkfs.ext4 -q -F -b 4096 " PMEM " &&"
			  " mount -t ext4 -o dax=always " PMEM " " DIR("dax"),
		.tear_down = "umount " DIR("dax"),
		.paths = { DIR("dax/kernel"), DIR("dax/user") },
		.exec = VPMEM_EXEC_INLINE,
	},
};

FIXTURE(backing) {
	struct vm_test vm;
	struct vpmem_sock *sock;
	int count;
};

/* hugetlbfs allocates what is mapped, and cannot be written by calls. */
static int make_backing(const char *path)
{
	return strncmp(path, "/dev/", 5) ? vm_make_file(path, SIZE) : 0;
}

FIXTURE_SETUP(backing)
{
	self->count = 4 + !system(PERSISTENT);
	ASSERT_EQ(0, vpmem_sock_create(&self->sock));
	ASSERT_EQ(0, system("cd /tmp && for kind in tmpfs huge ext4 dax; do"
			    " mkdir -p backing-$kind; done"));
	for (int i = 0; i < self->count; i++) {
		ASSERT_EQ(0, system(kinds[i].set_up));
		ASSERT_EQ(0, make_backing(kinds[i].paths[0]));
		ASSERT_EQ(0, make_backing(kinds[i].paths[1]));
	}
}

/* The kernel closes the module's file in its own time. */
static bool is_torn_down(const char *command)
{
	for (int i = 0; i < 100; i++) {
		if (!system(command))
			return true;
		usleep(100000);
	}
	return false;
}

FIXTURE_TEARDOWN(backing)
{
	vm_end(&self->vm);
	vpmem_sock_destroy(self->sock);
	for (int i = 0; i < self->count; i++)
		EXPECT_TRUE(is_torn_down(kinds[i].tear_down));
}

/* Where the module syncs each of its devices, which are named by number. */
static int take_exec(const struct vpmem_dev_info *info, void *arg)
{
	enum vpmem_exec *execs = arg;

	if (info->stats.flushes >= BLOCKS)
		execs[atoi(info->name + strlen("kernel"))] = info->exec_effective;
	return 0;
}

TEST_F_TIMEOUT(backing, keeps_what_was_synced, 600)
{
	static char options[2 * KINDS_MAX][96];
	const char *args[VM_ARGS_MAX] = { "--memory", "256M", "--cpus", "2" };
	enum vpmem_exec execs[KINDS_MAX] = { 0 };
	char run[32];
	int next = 4;

	for (int i = 0; i < 2 * self->count; i++) {
		snprintf(options[i], sizeof(options[i]),
			 "path=%1$s,flush=%2$s,id=%2$s%3$d",
			 kinds[i / 2].paths[i % 2], i % 2 ? "user" : "kernel",
			 i / 2);
		args[next++] = "--pmem";
		args[next++] = options[i];
	}
	snprintf(run, sizeof(run), "pmem,parallel,%d,%d", 2 * self->count, BLOCKS);
	ASSERT_EQ(0, vm_start(&self->vm, run, 2 * self->count, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "parallel done, 0 bad", BOOT_S));
	ASSERT_EQ(0, vpmem_dev_dump(self->sock, take_exec, execs));
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	for (int i = 0; i < self->count; i++) {
		EXPECT_EQ(kinds[i].exec, execs[i]) {
			TH_LOG("%s", kinds[i].paths[0]);
		}
		EXPECT_EQ(BLOCKS, pattern_count(kinds[i].paths[0], 0));
		EXPECT_EQ(BLOCKS, pattern_count(kinds[i].paths[1], 0));
	}
}

TEST_HARNESS_MAIN
