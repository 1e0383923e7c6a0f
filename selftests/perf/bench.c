// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times the sync calls of one thread, in cycles of the time stamp counter. On a
 * machine that counts instructions as time, these are instructions, of guest and
 * host together.
 *
 * usage: bench COUNT PATH:LOAD...
 *
 * LOAD is a system call with nothing written (fsync, fdatasync, msync), or
 * "write" for 4 KiB before each fsync, "store" for 4 KiB through a mapping
 * before each msync. Of each it prints
 *
 *	bench begin LOAD PATH
 *	bench end
 *	bench result LOAD COUNT MEAN MIN MEDIAN P99 MAX
 *
 * and waits after the first two for a line, so that the reader can look at his
 * counters, with little said in between.
 * As the first process of a machine it says "bench up" and ends that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <x86intrin.h>

#include <sys/mman.h>
#include <sys/reboot.h>

#define BLOCK_SIZE	4096
#define BLOCKS		64

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

static const struct load {
	const char *name;
	int (*dirty)(struct bench *bench, int number);
	int (*sync)(struct bench *bench);
} loads[] = {
	{ "fsync", dirty_nothing, sync_fsync },
	{ "fdatasync", dirty_nothing, sync_fdatasync },
	{ "msync", dirty_nothing, sync_msync },
	{ "write", dirty_by_write, sync_fsync },
	{ "store", dirty_by_store, sync_msync },
};

static const struct load *find_load(const char *name)
{
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		if (!strcmp(loads[i].name, name))
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

static void print_result(const char *name, uint64_t *cycles, int count)
{
	uint64_t sum = 0;

	qsort(cycles, count, sizeof(*cycles), compare);
	for (int i = 0; i < count; i++)
		sum += cycles[i];
	printf("bench result %s %d %llu %llu %llu %llu %llu\n", name, count,
	       (unsigned long long)(sum / count),
	       (unsigned long long)cycles[0],
	       (unsigned long long)cycles[count / 2],
	       (unsigned long long)cycles[(count - 1) * 99 / 100],
	       (unsigned long long)cycles[count - 1]);
}

static void wait_for_line(void)
{
	int c;

	fflush(stdout);
	do {
		c = getchar();
	} while (c != '\n' && c != EOF);
}

static int run(struct bench *bench, const struct load *load, const char *path,
	       int count)
{
	uint64_t *cycles = calloc(count, sizeof(*cycles));
	int bad = 0;

	if (!cycles)
		return ENOMEM;
	/* Every page has been written once, and the machine is warm. */
	for (int i = 0; i < BLOCKS; i++)
		bad += dirty_by_write(bench, i) || fsync(bench->fd);
	for (int i = 0; i < BLOCKS; i++)
		bad += !run_once(bench, load, i);
	printf("bench begin %s %s\n", load->name, path);
	wait_for_line();
	for (int i = 0; i < count; i++) {
		cycles[i] = run_once(bench, load, i);
		bad += !cycles[i];
	}
	printf("bench end\n");
	wait_for_line();
	print_result(load->name, cycles, count);
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
	const struct load *load = colon ? find_load(colon + 1) : NULL;
	int err;

	if (!load)
		return EINVAL;
	*colon = '\0';
	err = open_path(&bench, argument);
	if (!err) {
		err = run(&bench, load, argument, count);
		munmap(bench.map, BLOCKS * BLOCK_SIZE);
	}
	if (bench.fd >= 0)
		close(bench.fd);
	return err;
}

/* What a terminal echoes would mix with what this prints. */
static void be_quiet(void)
{
	struct termios mode;

	if (tcgetattr(STDIN_FILENO, &mode))
		return;
	mode.c_lflag &= ~ECHO;
	tcsetattr(STDIN_FILENO, TCSANOW, &mode);
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
	be_quiet();
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
