// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a flush costs where a driver has several under way, which Linux's driver
 * never has: without a guest, by the driver of the tests. It asks the module, or
 * the thread that vpmem-vmm would have, and waits until all are answered. Time
 * is cycles of the time stamp counter, see bench.c, with the driver's own.
 *
 * usage: batch inline|worker|user ROUNDS PATH:LOAD...
 *
 * LOAD is "fsync" where nothing is written, or "store" for a byte in a page of
 * its own before each request. For 1, 8 and 64 requests at once it prints
 *
 *	batch PEER PATH LOAD DEPTH ROUNDS CYCLES SYNCS
 */
#include "backing.h"
#include "driver.h"
#include "mem.h"
#include "pmem_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#include <sys/mman.h>

#define PAGE_SIZE	4096
#define DEPTH_MAX	64
#define WARM_ROUNDS	16
#define WAIT_MS		10000

/**
 * struct batch - A driver, and who answers it.
 * @drv: driver; its device is the module's, if there is one
 * @map: file, DRIVER_FILE_SIZE bytes of it
 * @backing: the same file for @backend
 * @mem: guest memory for @backend
 * @backend: vpmem-vmm's thread, or NULL
 * @stores: requests have something to sync
 */
struct batch {
	struct driver drv;
	volatile char *map;
	struct backing backing;
	struct mem mem;
	struct pmem_backend *backend;
	bool stores;
};

static void on_broken(void *opaque, uint64_t generation)
{
	(void)opaque;
	(void)generation;
	fprintf(stderr, "batch: the ring broke\n");
}

static int start_user(struct batch *batch, const char *path)
{
	const struct backing_config config = { .path = path };
	const struct pmem_host host = {
		.name = "batch",
		.backing = &batch->backing,
		.mem = &batch->mem,
		.kick_fd = batch->drv.kick_fd,
		.call_fd = batch->drv.call_fd,
		.broken = on_broken,
	};
	struct vpmem_queue_config queue;
	int err = backing_open(&batch->backing, &config);

	if (err)
		return err;
	/* The thread sleeps there. */
	if (fcntl(batch->drv.kick_fd, F_SETFL, 0))
		return -errno;
	driver_queue(&batch->drv, &queue);
	return mem_add(&batch->mem, DRIVER_MEMORY_GPA, DRIVER_MEMORY_SIZE,
		       batch->drv.memory, MEM_RAM) ?:
	       pmem_user_create(&host, &batch->backend) ?:
	       batch->backend->ops->start(batch->backend, &queue, 1);
}

static int start_kernel(struct batch *batch, const char *peer)
{
	enum vpmem_exec exec = strcmp(peer, "inline") ? VPMEM_EXEC_WORKER :
							VPMEM_EXEC_INLINE;

	return driver_add(&batch->drv, exec) ?: driver_start(&batch->drv);
}

static int batch_open(struct batch *batch, const char *peer, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int err;

	*batch = (struct batch) { .backend = NULL };
	if (fd < 0)
		return -errno;
	err = driver_open_file(&batch->drv, fd);
	if (err)
		return err;
	batch->drv.ring_size = 2 * DEPTH_MAX;
	batch->map = mmap(NULL, DRIVER_FILE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);
	if (batch->map == MAP_FAILED)
		return -errno;
	return strcmp(peer, "user") ? start_kernel(batch, peer) :
				      start_user(batch, path);
}

static void batch_close(struct batch *batch)
{
	if (batch->backend) {
		batch->backend->ops->destroy(batch->backend);
		backing_close(&batch->backing);
	}
	munmap((void *)batch->map, DRIVER_FILE_SIZE);
	driver_close(&batch->drv);
}

static uint64_t syncs(struct batch *batch)
{
	struct vpmem_dev_info info = { 0 };

	if (batch->backend)
		batch->backend->ops->stats(batch->backend, &info.stats);
	else
		vpmem_dev_get(batch->drv.sock, batch->drv.id, &info);
	return info.stats.syncs;
}

/* All requests of a round; their answers have to be success. */
static int run_round(struct batch *batch, unsigned int depth)
{
	struct driver *drv = &batch->drv;
	uint32_t head, len;
	int err;

	for (unsigned int i = 0; i < depth; i++) {
		if (batch->stores)
			batch->map[i * PAGE_SIZE]++;
		driver_flush(drv, i);
	}
	driver_kick(drv);
	err = driver_wait(drv, depth, WAIT_MS);
	while (!err && driver_used(drv, &head, &len)) {
		if (driver_status(drv, head / 2))
			err = -EIO;
	}
	return err;
}

static int run_rounds(struct batch *batch, unsigned int depth, int rounds)
{
	int err = 0;

	for (int i = 0; !err && i < rounds; i++)
		err = run_round(batch, depth);
	return err;
}

static int measure(struct batch *batch, unsigned int depth, int rounds)
{
	uint64_t start, cycles, before;
	int err = run_rounds(batch, depth, WARM_ROUNDS);

	if (err)
		return err;
	before = syncs(batch);
	start = __rdtsc();
	err = run_rounds(batch, depth, rounds);
	cycles = __rdtsc() - start;
	if (!err)
		printf(" %u %d %llu %llu\n", depth, rounds,
		       (unsigned long long)cycles,
		       (unsigned long long)(syncs(batch) - before));
	return err;
}

/* PATH:LOAD */
static int run_argument(const char *peer, char *argument, int rounds)
{
	static const unsigned int depths[] = { 1, 8, DEPTH_MAX };
	static struct batch batch;
	char *colon = strrchr(argument, ':');
	int err;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	err = batch_open(&batch, peer, argument);
	batch.stores = !strcmp(colon + 1, "store");
	for (size_t i = 0; !err && i < sizeof(depths) / sizeof(*depths); i++) {
		printf("batch %s %s %s", peer, argument, colon + 1);
		err = measure(&batch, depths[i], rounds);
	}
	if (!err)
		batch_close(&batch);
	return err;
}

int main(int argc, char **argv)
{
	int rounds = argc > 3 ? atoi(argv[2]) : 0;

	if (rounds < 1) {
		fprintf(stderr, "usage: batch inline|worker|user ROUNDS PATH:LOAD...\n");
		return 2;
	}
	for (int i = 3; i < argc; i++) {
		int err = run_argument(argv[1], argv[i], rounds);

		if (err) {
			fprintf(stderr, "batch: %s: %s\n", argv[i],
				strerror(-err));
			return 1;
		}
	}
	return 0;
}
