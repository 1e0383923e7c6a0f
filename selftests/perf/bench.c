// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times sync calls, in cycles of the time stamp counter. On a machine that counts
 * instructions as time, these are instructions, of guest and host together.
 *
 * usage: bench COUNT PATH:LOAD...
 *
 * LOAD is a system call with nothing written (fsync, fdatasync, msync), or
 * "write" for 4 KiB before each fsync, "store" for 4 KiB through a mapping
 * before each msync; "write@8" is the same from 8 threads at once, up to 64; or
 * before each fsync, past the page cache and over three seconds, "burst" for 64 MiB,
 * "rush" for the same and no pause before the fsync, "hot" for 4 MiB that are
 * written 16 times. Of each it prints
 *
 *	bench begin LOAD PATH
 *	bench end
 *	bench result LOAD COUNT MEAN MIN MEDIAN P99 MAX
 *
 * MEAN of several threads being the whole time by the number of calls. It waits
 * after the first two for a line, so that the reader can look at his counters,
 * with little said in between.
 * As the first process of a machine it says "bench up" and ends that.
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#include <sys/mman.h>
#include <sys/reboot.h>

#define BLOCK_SIZE	4096
#define BLOCKS		64
#define THREADS_MAX	64
#define PIECE_SIZE	(4 << 20)
#define PIECES		16
#define PIECE_PAUSE_US	200000

struct bench {
	int fd;
	char *map;
	char block[BLOCK_SIZE];
};

static int sync_fsync(struct bench *bench)
{
	return fsync(bench->fd);
}

static int sync_fdatasync(struct bench *bench)
{
	return fdatasync(bench->fd);
}

static int sync_msync(struct bench *bench)
{
	return msync(bench->map, BLOCKS * BLOCK_SIZE, MS_SYNC);
}

static int dirty_nothing(struct bench *bench, int number)
{
	(void)bench;
	(void)number;
	return 0;
}

static int dirty_by_write(struct bench *bench, int number)
{
	memset(bench->block, number, BLOCK_SIZE);
	return pwrite(bench->fd, bench->block, BLOCK_SIZE,
		      number % BLOCKS * BLOCK_SIZE) == BLOCK_SIZE ? 0 : -1;
}

static int dirty_by_store(struct bench *bench, int number)
{
	memset(bench->map + number % BLOCKS * BLOCK_SIZE, number, BLOCK_SIZE);
	return 0;
}

/* Past the guest's page cache, so that the host has it at once. */
static int write_pieces(struct bench *bench, int number, off_t step)
{
	static char piece[PIECE_SIZE] __attribute__((aligned(BLOCK_SIZE)));

	if (fcntl(bench->fd, F_SETFL, O_DIRECT))
		return -1;
	memset(piece, number, PIECE_SIZE);
	for (off_t i = 0; i < PIECES; i++) {
		if (i)
			usleep(PIECE_PAUSE_US);
		if (pwrite(bench->fd, piece, PIECE_SIZE, i * step) != PIECE_SIZE)
			return -1;
	}
	return 0;
}

static int dirty_in_a_rush(struct bench *bench, int number)
{
	return write_pieces(bench, number, PIECE_SIZE);
}

static int dirty_in_pieces(struct bench *bench, int number)
{
	return write_pieces(bench, number, PIECE_SIZE) ?:
	       usleep(PIECE_PAUSE_US);
}

static int dirty_again(struct bench *bench, int number)
{
	return write_pieces(bench, number, 0) ?: usleep(PIECE_PAUSE_US);
}

/* With turns before the first that counts, in which the machine gets warm. */
static const struct load {
	const char *name;
	int (*dirty)(struct bench *bench, int number);
	int (*sync)(struct bench *bench);
	int turns;
} loads[] = {
	{ "fsync", dirty_nothing, sync_fsync, BLOCKS },
	{ "fdatasync", dirty_nothing, sync_fdatasync, BLOCKS },
	{ "msync", dirty_nothing, sync_msync, BLOCKS },
	{ "write", dirty_by_write, sync_fsync, BLOCKS },
	{ "store", dirty_by_store, sync_msync, BLOCKS },
	{ "burst", dirty_in_pieces, sync_fsync, 1 },
	{ "rush", dirty_in_a_rush, sync_fsync, 1 },
	{ "hot", dirty_again, sync_fsync, 1 },
};

/* LOAD or LOAD@THREADS */
static const struct load *find_load(const char *text, int *threads)
{
	size_t len = strcspn(text, "@");

	*threads = text[len] ? atoi(text + len + 1) : 1;
	if (*threads < 1 || *threads > THREADS_MAX)
		return NULL;
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		if (strlen(loads[i].name) == len &&
		    !strncmp(loads[i].name, text, len))
			return &loads[i];
	}
	return NULL;
}

/* Cycles of one sync, or 0 if it failed. */
static uint64_t run_once(struct bench *bench, const struct load *load,
			 int number)
{
	uint64_t start;

	if (load->dirty(bench, number))
		return 0;
	start = __rdtsc();
	return load->sync(bench) ? 0 : __rdtsc() - start;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_result(const char *name, uint64_t elapsed, uint64_t *cycles,
			 int count)
{
	qsort(cycles, count, sizeof(*cycles), compare);
	printf("bench result %s %d %llu %llu %llu %llu %llu\n", name, count,
	       (unsigned long long)(elapsed / count),
	       (unsigned long long)cycles[0],
	       (unsigned long long)cycles[count / 2],
	       (unsigned long long)cycles[(count - 1) * 99 / 100],
	       (unsigned long long)cycles[count - 1]);
}

/* One thread's share: every @threads-th call from @first on. */
struct share {
	pthread_t thread;
	struct bench bench;
	const struct load *load;
	uint64_t *cycles;
	int first;
	int threads;
	int count;
};

static void *run_share(void *arg)
{
	struct share *share = arg;

	for (int i = share->first; i < share->count; i += share->threads)
		share->cycles[i] = run_once(&share->bench, share->load, i);
	return NULL;
}

/* What the calls took altogether, threads being there before and after. */
static uint64_t run_threads(const struct bench *bench, const struct load *load,
			    int threads, uint64_t *cycles, int count)
{
	static struct share shares[THREADS_MAX];
	uint64_t start;

	for (int i = 0; i < threads; i++)
		shares[i] = (struct share) {
			.bench = *bench,
			.load = load,
			.cycles = cycles,
			.first = i,
			.threads = threads,
			.count = count,
		};
	start = __rdtsc();
	for (int i = 1; i < threads; i++) {
		if (pthread_create(&shares[i].thread, NULL, run_share, &shares[i]))
			abort();
	}
	run_share(&shares[0]);
	for (int i = 1; i < threads; i++)
		pthread_join(shares[i].thread, NULL);
	return __rdtsc() - start;
}

/* Without what dirtied the pages, where that can be told apart. */
static uint64_t time_of(uint64_t elapsed, int threads, const uint64_t *cycles,
			int count)
{
	uint64_t sum = 0;

	if (threads > 1)
		return elapsed;
	for (int i = 0; i < count; i++)
		sum += cycles[i];
	return sum;
}

static int run(struct bench *bench, const char *name, const char *path, int count)
{
	uint64_t *cycles = calloc(count, sizeof(*cycles)), elapsed;
	int bad = 0, threads;
	const struct load *load = find_load(name, &threads);

	if (!cycles)
		return ENOMEM;
	/* Every page has been written once, and the machine is warm. */
	for (int i = 0; i < BLOCKS; i++)
		bad += dirty_by_write(bench, i) || fsync(bench->fd);
	for (int i = 0; i < load->turns; i++)
		bad += !run_once(bench, load, i);
	printf("bench begin %s %s\n", name, path);
	console_wait_for_line();
	elapsed = run_threads(bench, load, threads, cycles, count);
	printf("bench end\n");
	console_wait_for_line();
	for (int i = 0; i < count; i++)
		bad += !cycles[i];
	print_result(name, time_of(elapsed, threads, cycles, count), cycles, count);
	free(cycles);
	return bad ? EIO : 0;
}

static int open_path(struct bench *bench, const char *path)
{
	bench->fd = open(path, O_RDWR);
	if (bench->fd < 0)
		return errno;
	bench->map = mmap(NULL, BLOCKS * BLOCK_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED, bench->fd, 0);
	return bench->map == MAP_FAILED ? errno : 0;
}

/* PATH:LOAD */
static int run_argument(char *argument, int count)
{
	static struct bench bench;
	char *colon = strrchr(argument, ':');
	int threads, err;

	if (!colon || !find_load(colon + 1, &threads))
		return EINVAL;
	*colon = '\0';
	err = open_path(&bench, argument);
	if (!err) {
		err = run(&bench, colon + 1, argument, count);
		munmap(bench.map, BLOCKS * BLOCK_SIZE);
	}
	if (bench.fd >= 0)
		close(bench.fd);
	return err;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[1]) : 0;
	int err;

	if (getpid() == 1) {
		printf("bench up\n");
		fflush(stdout);
		return reboot(RB_AUTOBOOT);
	}
	if (count < 1) {
		fprintf(stderr, "usage: bench COUNT PATH:LOAD...\n");
		return 2;
	}
	console_be_quiet();
	/* After its boot a machine still has much to do for a while. */
	sleep(1);
	for (int i = 2; i < argc; i++) {
		err = run_argument(argv[i], count);
		if (err) {
			fprintf(stderr, "bench: %s: %s\n", argv[i],
				strerror(err));
			return 1;
		}
	}
	return 0;
}
