// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A thousand devices, of one process and of ten: all of them work, no thread
 * stands by for any, nothing of them is left when their owners are killed.
 * What they cost is told, and not judged.
 */
#include "fleet.h"
#include "meminfo.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/wait.h>

#include "kselftest_harness.h"

#define STATUS_OK	0
#define DEVICES		FLEET_MAX
#define PROCESSES	10

/* More threads than this may come and go for other reasons. */
#define THREADS_SLACK	50

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
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

static int fleet_add(struct fleet *fleet)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < fleet->count; i++)
		err = fleet_add_one(fleet, i);
	return err;
}

static int fleet_flush(struct fleet *fleet)
{
	unsigned int i;

	for (i = 0; i < fleet->count; i++)
		if (fleet_flush_one(fleet, i) != STATUS_OK)
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
	slab = meminfo_bytes("Slab");
	vmalloc = meminfo_bytes("VmallocUsed");
	start = now_seconds();
	ASSERT_EQ(0, fleet_add(self->fleet));
	TH_LOG("%.0f us to add and start a device",
	       (now_seconds() - start) / DEVICES * 1e6);
	TH_LOG("%ld bytes of slab, %ld of vmalloc for a device",
	       (meminfo_bytes("Slab") - slab) / DEVICES,
	       (meminfo_bytes("VmallocUsed") - vmalloc) / DEVICES);
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
	long slab = meminfo_bytes("Slab");
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
	       meminfo_bytes("Slab") - slab);
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
