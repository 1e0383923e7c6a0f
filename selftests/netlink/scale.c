// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A thousand devices, of one process and of ten: all of them work, no thread
 * stands by for any, nothing of them is left when their owners are killed.
 * What they cost is told, and not judged.
 */
#include "driver.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kselftest_harness.h"

#define STATUS_OK	0
#define STATUS_UNSET	0xa5a5a5a5u
#define DEVICES		1000
#define PROCESSES	10

/* More threads than this may come and go for other reasons. */
#define THREADS_SLACK	50

/* What a device has of guest memory: a ring of two and a request. */
struct block {
	struct vring_desc desc[2];
	struct {
		uint16_t flags;
		uint16_t idx;
		uint16_t ring[2];
	} avail;
	struct {
		uint16_t flags;
		uint16_t idx;
		struct vring_used_elem ring[2];
	} used;
	uint32_t type;
	uint32_t status;
} __attribute__((aligned(64)));

struct fleet {
	struct driver drv;
	uint32_t ids[DEVICES];
	int kick_fds[DEVICES];
	int call_fds[DEVICES];
	unsigned int count;
};

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* A field of /proc/meminfo in bytes. */
static long memory_in(const char *field)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			kib = strtol(line + strlen(field) + 1, NULL, 10);
	if (file)
		fclose(file);
	return 1024 * kib;
}

/* Kernel threads have an empty command line. */
static bool is_kernel_thread(const char *pid)
{
	char path[288];
	FILE *file;
	bool is_empty;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	is_empty = fgetc(file) == EOF;
	fclose(file);
	return is_empty;
}

static int count_kernel_threads(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			count += is_kernel_thread(entry->d_name);
	if (dir)
		closedir(dir);
	return count;
}

/* All that the devices are made from; they share memory and file. */
static int fleet_open(struct fleet *fleet, unsigned int count)
{
	const struct rlimit limit = { 2 * DEVICES + 100, 2 * DEVICES + 100 };
	unsigned int i;
	int err;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	err = driver_open(&fleet->drv);
	if (err)
		return err;
	fleet->count = count;
	for (i = 0; i < count; i++) {
		fleet->kick_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fleet->call_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fleet->kick_fds[i] < 0 || fleet->call_fds[i] < 0)
			return -errno;
	}
	return 0;
}

static uint64_t block_gpa(unsigned int i)
{
	return DRIVER_MEMORY_GPA + i * sizeof(struct block);
}

static int start_queue(struct fleet *fleet, unsigned int i)
{
	struct vpmem_queue_config queue;

	driver_queue(&fleet->drv, &queue);
	queue.size = 2;
	queue.desc = block_gpa(i) + offsetof(struct block, desc);
	queue.avail = block_gpa(i) + offsetof(struct block, avail);
	queue.used = block_gpa(i) + offsetof(struct block, used);
	return vpmem_queue_start(fleet->drv.sock, fleet->ids[i], &queue);
}

static int fleet_add(struct fleet *fleet)
{
	struct vpmem_dev_config config;
	struct vpmem_region region;
	unsigned int i;
	int err = 0;

	driver_config(&fleet->drv, &config, &region);
	for (i = 0; !err && i < fleet->count; i++) {
		config.kick_fd = fleet->kick_fds[i];
		config.call_fd = fleet->call_fds[i];
		err = vpmem_dev_add(fleet->drv.sock, &config,
				    &fleet->ids[i]) ?: start_queue(fleet, i);
	}
	return err;
}

/* A flush on one device; its status or -errno. */
static int64_t flush_one(struct fleet *fleet, unsigned int i)
{
	struct block *block = (struct block *)(void *)fleet->drv.memory + i;
	struct pollfd pfd = { .fd = fleet->call_fds[i], .events = POLLIN };
	uint64_t one = 1;

	block->status = STATUS_UNSET;
	block->desc[0] = (struct vring_desc) {
		.addr = block_gpa(i) + offsetof(struct block, type),
		.len = 4,
		.flags = VRING_DESC_F_NEXT,
		.next = 1,
	};
	block->desc[1] = (struct vring_desc) {
		.addr = block_gpa(i) + offsetof(struct block, status),
		.len = 4,
		.flags = VRING_DESC_F_WRITE,
	};
	__atomic_store_n(&block->avail.idx, 1, __ATOMIC_SEQ_CST);
	if (write(fleet->kick_fds[i], &one, sizeof(one)) != sizeof(one))
		return -errno;
	if (poll(&pfd, 1, 10000) != 1)
		return -ETIME;
	return __atomic_load_n(&block->status, __ATOMIC_SEQ_CST);
}

static int fleet_flush(struct fleet *fleet)
{
	unsigned int i;

	for (i = 0; i < fleet->count; i++)
		if (flush_one(fleet, i) != STATUS_OK)
			return -EIO;
	return 0;
}

static int count_one(const struct vpmem_dev_info *info, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

/* Devices of all processes; ever so many if they cannot be told. */
static unsigned int count_devices(struct vpmem_sock *sock)
{
	unsigned int count;
	int err;

	do {
		count = 0;
		err = vpmem_dev_dump(sock, count_one, &count);
	} while (err == -EINTR);
	return err ? ~0u : count;
}

static bool are_gone(struct vpmem_sock *sock)
{
	for (int i = 0; i < 1000; i++) {
		if (!count_devices(sock))
			return true;
		usleep(10000);
	}
	return false;
}

FIXTURE(scale) {
	struct vpmem_sock *watcher;
	struct fleet *fleet;
};

FIXTURE_SETUP(scale)
{
	self->fleet = calloc(1, sizeof(*self->fleet));
	ASSERT_NE(NULL, self->fleet);
	ASSERT_EQ(0, vpmem_sock_create(&self->watcher));
}

FIXTURE_TEARDOWN(scale)
{
	vpmem_sock_destroy(self->watcher);
	free(self->fleet);
}

TEST_F_TIMEOUT(scale, thousand_devices_of_one_process, 120)
{
	long slab, vmalloc;
	double start;
	int threads;

	ASSERT_EQ(0, fleet_open(self->fleet, DEVICES));
	threads = count_kernel_threads();
	ASSERT_LT(0, threads);
	slab = memory_in("Slab");
	vmalloc = memory_in("VmallocUsed");
	start = now_seconds();
	ASSERT_EQ(0, fleet_add(self->fleet));
	TH_LOG("%.0f us to add and start a device",
	       (now_seconds() - start) / DEVICES * 1e6);
	TH_LOG("%ld bytes of slab, %ld of vmalloc for a device",
	       (memory_in("Slab") - slab) / DEVICES,
	       (memory_in("VmallocUsed") - vmalloc) / DEVICES);
	EXPECT_EQ(DEVICES, count_devices(self->watcher));
	EXPECT_GT(threads + THREADS_SLACK, count_kernel_threads());
	EXPECT_EQ(0, fleet_flush(self->fleet));
	EXPECT_GT(threads + THREADS_SLACK, count_kernel_threads());
	start = now_seconds();
	driver_close(&self->fleet->drv);
	EXPECT_TRUE(are_gone(self->watcher));
	TH_LOG("%.0f us to delete a device",
	       (now_seconds() - start) / DEVICES * 1e6);
}

static void own_a_share(struct fleet *fleet, int ready_fd)
{
	int err = fleet_open(fleet, DEVICES / PROCESSES) ?: fleet_add(fleet) ?:
		  fleet_flush(fleet);

	if (write(ready_fd, &err, sizeof(err)) == sizeof(err))
		pause();
	_exit(0);
}

TEST_F_TIMEOUT(scale, thousand_devices_of_killed_processes, 120)
{
	int threads = count_kernel_threads();
	long slab = memory_in("Slab");
	pid_t pids[PROCESSES];
	int fds[2], err, i;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (!pids[i])
			own_a_share(self->fleet, fds[1]);
	}
	for (i = 0; i < PROCESSES; i++) {
		ASSERT_EQ((ssize_t)sizeof(err), read(fds[0], &err,
						     sizeof(err)));
		EXPECT_EQ(0, err);
	}
	EXPECT_EQ(DEVICES, count_devices(self->watcher));
	EXPECT_GT(threads + THREADS_SLACK, count_kernel_threads());
	for (i = 0; i < PROCESSES; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < PROCESSES; i++)
		ASSERT_EQ(pids[i], waitpid(pids[i], NULL, 0));
	EXPECT_TRUE(are_gone(self->watcher));
	TH_LOG("%ld bytes of slab more than before",
	       memory_in("Slab") - slab);
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
