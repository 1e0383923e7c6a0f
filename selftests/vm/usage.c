// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a user can get wrong: for each mistake exactly one line that names the
 * object and the reason, an exit status, and nothing that stays behind.
 */
#include "vm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include <vpmem/vpmem.h>

#include "kselftest_harness.h"

#define NOBODY		65534
/* Some mistakes are only found once the kernel is unpacked. */
#define REFUSE_S	30
#define START_S		30
#define TEST_S		300

#define GOOD		"/tmp/usage.good"
#define BAD		"/tmp/usage.bad"

#define KERNEL		"--kernel", VM_KERNEL, "--memory", "128M"
#define DISK		"--pmem", "path=" GOOD ",flush=kernel"

FIXTURE(usage) {
	struct vm_test vm;
	struct vpmem_sock *sock;
	int entries;
};

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int count_all_entries(void)
{
	return count_entries("/tmp") + count_entries("/dev/shm") +
	       count_entries("/run") + count_entries(".");
}

FIXTURE_SETUP(usage)
{
	/* A test that took too long was ended without more ado. */
	system("rmmod vpmem 2>/dev/null");
	ASSERT_EQ(0, system("insmod /lib/vpmem/vpmem.ko"));
	ASSERT_EQ(0, vpmem_sock_create(&self->sock));
	ASSERT_EQ(0, vm_make_file(GOOD, 2 << 20));
	ASSERT_EQ(0, vm_make_file(BAD, 0));
	self->entries = count_all_entries();
}

FIXTURE_TEARDOWN(usage)
{
	vm_end(&self->vm);
	vpmem_sock_destroy(self->sock);
	unlink(GOOD);
	unlink(BAD);
	system("rmmod vpmem 2>/dev/null");
}

static int count_one(const struct vpmem_dev_info *info, void *arg)
{
	++*(int *)arg;
	return 0;
}

/* The module takes a device away soon after its owner is gone. */
static bool has_no_device(struct vpmem_sock *sock)
{
	int count = 1;

	for (int i = 0; count && i < 50; i++) {
		usleep(i ? 100000 : 0);
		count = 0;
		if (vpmem_dev_dump(sock, count_one, &count))
			return false;
	}
	return !count;
}

static bool is_unlocked(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int err = fcntl(fd, F_OFD_GETLK, &lock);

	close(fd);
	return !err && lock.l_type == F_UNLCK;
}

#define EXPECT_CLEAN() do {						\
	EXPECT_TRUE(has_no_device(self->sock));				\
	EXPECT_TRUE(is_unlocked(GOOD));					\
	EXPECT_EQ(self->entries, count_all_entries());			\
} while (0)

/* Runs vpmem-vmm; it has to end with this line alone and this status. */
#define EXPECT_REFUSED_AS(prepare, status, line, ...) do {		\
	const char *const args[] = { __VA_ARGS__, NULL };		\
									\
	ASSERT_EQ(0, vm_exec_as(&self->vm, prepare, args));		\
	EXPECT_EQ(status, vm_wait(&self->vm, REFUSE_S));		\
	EXPECT_STREQ("vpmem-vmm: " line "\n", self->vm.text);		\
	vm_end(&self->vm);						\
	EXPECT_CLEAN();							\
} while (0)

#define EXPECT_REFUSED(line, ...)					\
	EXPECT_REFUSED_AS(NULL, 1, line, __VA_ARGS__)

/* The command line */

TEST_F_TIMEOUT(usage, command_line, TEST_S)
{
	EXPECT_REFUSED_AS(NULL, 2, "no kernel: --kernel FILE is needed; see --help",
			  DISK);
	EXPECT_REFUSED_AS(NULL, 2, "unknown option '--disk'; see --help",
			  KERNEL, "--disk", GOOD);
	EXPECT_REFUSED_AS(NULL, 2, "cpus: 65 is not from 1 to 64", KERNEL, DISK,
			  "--cpus", "65");
	EXPECT_REFUSED_AS(NULL, 2, "--memory: 'lots' is not a number", KERNEL,
			  "--memory", "lots");
	EXPECT_REFUSED_AS(NULL, 2,
			  "config: unable to open /does/not/exist: No such file or "
			  "directory",
			  "--config", "/does/not/exist");
}

/* Kernels and initrds */

TEST_F_TIMEOUT(usage, kernel_that_cannot_be_read, TEST_S)
{
	EXPECT_REFUSED("cannot open kernel /does/not/exist: No such file or directory",
		       "--kernel", "/does/not/exist", DISK);
	EXPECT_REFUSED("kernel /tmp is not a regular file", "--kernel", "/tmp",
		       DISK);
	EXPECT_REFUSED("kernel " BAD " is empty", "--kernel", BAD, DISK);
}

TEST_F_TIMEOUT(usage, kernel_that_is_none, TEST_S)
{
	ASSERT_EQ(0, system("dd if=/dev/urandom of=" BAD
			    " bs=64k count=1 2>/dev/null"));
	EXPECT_REFUSED("kernel " BAD ": neither a bzImage nor an ELF kernel",
		       "--kernel", BAD, DISK);
}

TEST_F_TIMEOUT(usage, kernel_that_is_cut_off, TEST_S)
{
	ASSERT_EQ(0, system("head -c 1000000 " VM_KERNEL " >" BAD));
	EXPECT_REFUSED("kernel " BAD ": truncated: its payload is not in the file",
		       "--kernel", BAD, DISK);
	ASSERT_EQ(0, system("head -c 100000 /bin/busybox >" BAD));
	EXPECT_REFUSED("kernel " BAD ": truncated or damaged: a segment is not in the file",
		       "--kernel", BAD, DISK);
	ASSERT_EQ(0, system("head -c 20 /bin/busybox >" BAD));
	EXPECT_REFUSED("kernel " BAD ": truncated: shorter than an ELF header",
		       "--kernel", BAD, DISK);
}

TEST_F_TIMEOUT(usage, kernel_that_is_damaged, TEST_S)
{
	ASSERT_EQ(0, system("cp " VM_KERNEL " " BAD " && "
			    "dd if=/dev/zero of=" BAD
			    " bs=1k seek=60 count=4 conv=notrunc 2>/dev/null"));
	EXPECT_REFUSED("kernel " BAD ": damaged: it cannot be unpacked",
		       "--kernel", BAD, DISK);
}

TEST_F_TIMEOUT(usage, initrd, TEST_S)
{
	EXPECT_REFUSED("cannot open initrd /does/not/exist: No such file or directory",
		       KERNEL, DISK, "--initrd", "/does/not/exist");
	ASSERT_EQ(0, truncate(BAD, 200 << 20));
	EXPECT_REFUSED("initrd " BAD " does not fit: it has 209715200 bytes, "
		       "there is room for 134217728",
		       KERNEL, DISK, "--initrd", BAD);
}

/* Files behind devices */

TEST_F_TIMEOUT(usage, pmem_that_is_not_fit, TEST_S)
{
	EXPECT_REFUSED("pmem /does/not/exist: cannot open: No such file or directory; "
		       "check path=, or create it with truncate -s SIZE",
		       KERNEL, DISK, "--pmem", "path=/does/not/exist");
	EXPECT_REFUSED("pmem " BAD ": is empty; give it a size with truncate -s SIZE " BAD,
		       KERNEL, DISK, "--pmem", "path=" BAD);
	EXPECT_REFUSED("pmem /tmp: cannot open: Is a directory; give a regular file "
		       "or a block device",
		       KERNEL, DISK, "--pmem", "path=/tmp");
	EXPECT_REFUSED("pmem /tmp: is a directory; give a regular file or a block device",
		       KERNEL, DISK, "--pmem", "path=/tmp,read-only=on");
	EXPECT_REFUSED("pmem /dev/null: neither a regular file nor a block device; "
		       "give one of these",
		       KERNEL, DISK, "--pmem", "path=/dev/null");
	ASSERT_EQ(0, truncate(BAD, 5000));
	EXPECT_REFUSED("pmem " BAD ": size 5000 is not a multiple of 4096; "
		       "grow it with truncate -s 8192 " BAD,
		       KERNEL, DISK, "--pmem", "path=" BAD);
	ASSERT_EQ(0, truncate(BAD, 4ll << 40));
	EXPECT_REFUSED("pmem pmem1: no room in the guest: No space left on device; "
		       "use fewer or smaller devices",
		       KERNEL, DISK, "--pmem", "path=" BAD);
}

TEST_F_TIMEOUT(usage, pmem_that_is_mounted, TEST_S)
{
	ASSERT_EQ(0, system("mkfs.ext4 -q -F /dev/ram3 8M && "
			    "mount -t ext4 /dev/ram3 /mnt"));
	EXPECT_REFUSED("pmem /dev/ram3: cannot open: Device or resource busy; unmount "
		       "it, or end the program that uses it",
		       KERNEL, DISK, "--pmem", "path=/dev/ram3");
	EXPECT_EQ(0, system("umount /mnt"));
}

#define IN_USE	": is in use by another VM or device; end that one"
#define SHARE	", or use read-only=on or discard-writes=on in both"

TEST_F_TIMEOUT(usage, pmem_that_is_in_use, TEST_S)
{
	const char *const args[] = { KERNEL, "--serial", "none", "--pmem",
				     "path=" BAD ",flush=user", NULL };
	struct vm_test other;

	EXPECT_REFUSED("pmem " GOOD IN_USE SHARE, KERNEL, DISK, "--pmem",
		       "path=" GOOD);
	ASSERT_EQ(0, truncate(BAD, 2 << 20));
	ASSERT_EQ(0, vm_exec(&other, args));
	for (int i = 0; i < START_S * 10 && is_unlocked(BAD); i++)
		usleep(100000);
	EXPECT_REFUSED("pmem " BAD IN_USE SHARE, KERNEL, DISK, "--pmem",
		       "path=" BAD);
	EXPECT_REFUSED("pmem " BAD IN_USE ", which writes to it", KERNEL, DISK,
		       "--pmem", "path=" BAD ",read-only=on");
	vm_end(&other);
	EXPECT_TRUE(is_unlocked(BAD));
}

/* The host */

static int hide_devices(void)
{
	return unshare(CLONE_NEWNS) || mount("none", "/dev", "tmpfs", 0, NULL);
}

static int become_nobody(void)
{
	return setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	       setresuid(NOBODY, NOBODY, NOBODY);
}

TEST_F_TIMEOUT(usage, kvm, TEST_S)
{
	EXPECT_REFUSED_AS(hide_devices, 1,
			  "cannot open /dev/kvm: No such file or directory; load "
			  "kvm-intel or kvm-amd, and enable virtualization in the firmware",
			  KERNEL, DISK);
	EXPECT_REFUSED_AS(become_nobody, 1,
			  "cannot open /dev/kvm: Permission denied; join the group that "
			  "owns it, usually kvm",
			  KERNEL, DISK);
}

TEST_F_TIMEOUT(usage, more_memory_than_the_host_has, TEST_S)
{
	EXPECT_REFUSED("cannot allocate 1024000 MiB of guest RAM: Cannot allocate "
		       "memory; try a smaller --memory",
		       KERNEL, DISK, "--memory", "1000G");
}

static int give_up_net_admin(void)
{
	return prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN);
}

TEST_F_TIMEOUT(usage, no_right_to_use_the_module, TEST_S)
{
	EXPECT_REFUSED_AS(give_up_net_admin, 1,
			  "pmem pmem0: no flush=kernel: CAP_NET_ADMIN is missing; fix it "
			  "or use flush=user",
			  KERNEL, DISK);
}

/* Files that are written */

TEST_F_TIMEOUT(usage, files_that_cannot_be_written, TEST_S)
{
	static const char json[] = "{ \"logger\": { \"log_path\": \"/tmp\" } }";
	FILE *file = fopen(BAD, "w");

	ASSERT_NE(NULL, file);
	fputs(json, file);
	fclose(file);
	EXPECT_REFUSED("cannot write metrics to /does/not/exist: No such file or "
		       "directory",
		       KERNEL, DISK, "--metrics", "/does/not/exist");
	EXPECT_REFUSED("cannot open serial output /tmp: Is a directory",
		       KERNEL, DISK, "--serial", "/tmp");
	EXPECT_REFUSED("cannot open log /tmp: Is a directory", KERNEL, DISK,
		       "--config", BAD);
}

/* The module */

FIXTURE(no_module) {
	struct vm_test vm;
};

FIXTURE_SETUP(no_module)
{
	system("rmmod vpmem 2>/dev/null");
	ASSERT_EQ(0, vm_make_file(GOOD, 2 << 20));
}

FIXTURE_TEARDOWN(no_module)
{
	vm_end(&self->vm);
	unlink(GOOD);
}

TEST_F_TIMEOUT(no_module, is_an_error_for_who_wants_it, TEST_S)
{
	const char *const args[] = { KERNEL, DISK, NULL };

	ASSERT_EQ(0, vm_exec(&self->vm, args));
	EXPECT_EQ(1, vm_wait(&self->vm, REFUSE_S));
	EXPECT_STREQ("vpmem-vmm: pmem pmem0: no flush=kernel: the vpmem module is "
		     "not loaded; fix it or use flush=user\n",
		     self->vm.text);
	EXPECT_TRUE(is_unlocked(GOOD));
}

TEST_F_TIMEOUT(no_module, is_told_to_who_does_not_mind, TEST_S)
{
	const char *const args[] = { KERNEL, "--serial", "none", "--pmem",
				     "path=" GOOD, NULL };

	ASSERT_EQ(0, vm_exec(&self->vm, args));
	EXPECT_EQ(0, vm_expect(&self->vm,
			       "vpmem-vmm: pmem pmem0: flush=auto: served by a thread: "
			       "the vpmem module is not loaded\n",
			       START_S));
	EXPECT_FALSE(is_unlocked(GOOD));
	ASSERT_EQ(0, kill(self->vm.pid, SIGTERM));
	EXPECT_EQ(0, vm_wait(&self->vm, START_S));
	EXPECT_TRUE(is_unlocked(GOOD));
}

TEST_HARNESS_MAIN
