// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's part of the tests: writes blocks that tell their number to pmem
 * devices, syncs each and says so, reads them back. A device is the number of
 * a pmem device or a path, so that the same program can look at a backing file.
 */
#include "pattern.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_SIZE	PATTERN_BYTES

struct writer {
	int device;
	int count;
	int result;
	pthread_t thread;
};

static int open_number_as(int device, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/pmem%d", device);
	return open(path, flags);
}

static int open_number(int device)
{
	return open_number_as(device, O_RDWR);
}

static int open_device_as(const char *device, int flags)
{
	return isdigit(*device) ? open_number_as(atoi(device), flags) :
				  open(device, flags);
}

static int open_device(const char *device)
{
	return open_device_as(device, O_RDWR);
}

/* The console is the tests' channel: what they read must not be cut in two. */
static void silence_kernel(void)
{
	int fd = open("/proc/sys/kernel/printk", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		perror("pmem: printk");
	close(fd);
}

static void fill(uint64_t *block, uint64_t number)
{
	for (size_t i = 0; i < BLOCK_SIZE / sizeof(*block); i++)
		block[i] = pattern_word(number, i);
}

/* Returns 0, or the errno of what failed. */
static int write_block_at(int fd, int number, int place)
{
	uint64_t block[BLOCK_SIZE / sizeof(uint64_t)];

	fill(block, number);
	if (pwrite(fd, block, BLOCK_SIZE, (off_t)place * BLOCK_SIZE) !=
	    BLOCK_SIZE)
		return errno;
	return fsync(fd) ? errno : 0;
}

static int write_block(int fd, int number)
{
	return write_block_at(fd, number, number);
}

static int has_block(int fd, int number)
{
	uint64_t want[BLOCK_SIZE / sizeof(uint64_t)];
	uint64_t have[BLOCK_SIZE / sizeof(uint64_t)];

	fill(want, number);
	return pread(fd, have, BLOCK_SIZE, (off_t)number * BLOCK_SIZE) ==
	       BLOCK_SIZE && !memcmp(want, have, BLOCK_SIZE);
}

/* pmem write DEVICE FIRST COUNT: says "ack N" after each synced block. */
static int cmd_write(const char *device, int first, int count)
{
	int fd = open_device(device);
	int err;

	if (fd < 0)
		return errno;
	for (int number = first; number < first + count; number++) {
		err = write_block(fd, number);
		if (err) {
			printf("block %d: %s\n", number, strerror(err));
			return err;
		}
		printf("ack %d\n", number);
		fflush(stdout);
	}
	return close(fd) ? errno : 0;
}

/*
 * pmem store DEVICE FIRST COUNT: writes blocks to the device itself, past the
 * page cache, syncs nothing, says "stored COUNT" and waits for ever.
 */
static int cmd_store(int device, int first, int count)
{
	static uint64_t block[BLOCK_SIZE / sizeof(uint64_t)]
		__attribute__((aligned(BLOCK_SIZE)));
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/pmem%d", device);
	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		return errno;
	for (int number = first; number < first + count; number++) {
		fill(block, number);
		if (pwrite(fd, block, BLOCK_SIZE, (off_t)number * BLOCK_SIZE) !=
		    BLOCK_SIZE)
			return errno;
	}
	printf("stored %d\n", count);
	fflush(stdout);
	while (true)
		pause();
}

#define CHURN_BLOCKS	1024

/* Of what is in the file, not in the page cache. */
static bool is_kept(int fd, int number)
{
	static uint64_t want[BLOCK_SIZE / sizeof(uint64_t)];
	static uint64_t have[BLOCK_SIZE / sizeof(uint64_t)]
		__attribute__((aligned(BLOCK_SIZE)));
	off_t offset = (off_t)(number % CHURN_BLOCKS) * BLOCK_SIZE;

	fill(want, number);
	return pread(fd, have, BLOCK_SIZE, offset) == BLOCK_SIZE &&
	       !memcmp(want, have, BLOCK_SIZE);
}

static int churn_block(int fd, int number)
{
	static uint64_t block[BLOCK_SIZE / sizeof(uint64_t)]
		__attribute__((aligned(BLOCK_SIZE)));
	off_t offset = (off_t)(number % CHURN_BLOCKS) * BLOCK_SIZE;

	fill(block, number);
	if (pwrite(fd, block, BLOCK_SIZE, offset) != BLOCK_SIZE)
		return errno;
	return fsync(fd) ? errno : 0;
}

/*
 * pmem churn DEVICE: writes and syncs blocks for ever, past the page cache, reads
 * back those of a while ago, and says "churned N" after each.
 */
static int cmd_churn(const char *device)
{
	int fd = open_device_as(device, O_RDWR | O_DIRECT);
	int err = fd < 0 ? errno : 0;

	for (int number = 0; !err; number++) {
		err = churn_block(fd, number);
		if (!err && !is_kept(fd, number > 100 ? number - 100 : 0))
			err = EIO;
		if (err)
			printf("block %d: %s\n", number, strerror(err));
		else
			printf("churned %d\n", number);
		fflush(stdout);
	}
	return err;
}

/* pmem verify DEVICE FIRST COUNT */
static int cmd_verify(const char *device, int first, int count)
{
	int fd = open_device(device);

	if (fd < 0)
		return errno;
	for (int number = first; number < first + count; number++) {
		if (!has_block(fd, number)) {
			printf("block %d is not as written\n", number);
			return 1;
		}
	}
	printf("verified %d\n", count);
	return 0;
}

static void *write_device(void *arg)
{
	struct writer *writer = arg;
	int fd = open_number(writer->device);

	writer->result = fd < 0 ? errno : 0;
	for (int number = 0; !writer->result && number < writer->count;
	     number++)
		writer->result = write_block(fd, number);
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* pmem parallel DEVICES COUNT: one thread for each device, all at once. */
static int cmd_parallel(int devices, int count)
{
	struct writer *writers = calloc(devices, sizeof(*writers));
	int bad = 0;

	if (!writers)
		return ENOMEM;
	for (int i = 0; i < devices; i++) {
		writers[i].device = i;
		writers[i].count = count;
		if (pthread_create(&writers[i].thread, NULL, write_device,
				   &writers[i]))
			return 1;
	}
	for (int i = 0; i < devices; i++) {
		pthread_join(writers[i].thread, NULL);
		if (writers[i].result)
			printf("device %d: %s\n", i,
			       strerror(writers[i].result));
		bad += writers[i].result != 0;
	}
	printf("parallel done, %d bad\n", bad);
	free(writers);
	return bad;
}

static void *write_for_ever(void *arg)
{
	int fd = open_number(*(int *)arg);

	while (!write_block(fd, 0))
		;
	return NULL;
}

/*
 * pmem pair FIRST SECOND: one thread writes and syncs FIRST for ever, this one
 * SECOND, and says how often.
 */
static int cmd_pair(int first, int second)
{
	int fd = open_number(second);
	pthread_t thread;

	if (fd < 0 || pthread_create(&thread, NULL, write_for_ever, &first))
		return 1;
	for (int count = 1; !write_block(fd, 0); count++) {
		printf("pair %d\n", count);
		fflush(stdout);
		usleep(20000);
	}
	return 1;
}

/* pmem devices get their numbers as they come, which is in any order. */
static int compare_sizes(const void *a, const void *b)
{
	off_t size_a = lseek(*(const int *)a, 0, SEEK_END);
	off_t size_b = lseek(*(const int *)b, 0, SEEK_END);

	return (size_a > size_b) - (size_a < size_b);
}

/*
 * pmem persist DEVICES PLACES: block after block to each of the devices, for ever
 * and whatever becomes of it. Says "devD ack N" or "devD ERRNO N", where dev0 is
 * the smallest device; its block N is at N modulo PLACES, and has the number
 * N + (D << 24).
 */
static int cmd_persist(int devices, int places)
{
	int *fds = calloc(devices, sizeof(*fds));

	if (!fds)
		return ENOMEM;
	silence_kernel();
	for (int i = 0; i < devices; i++)
		fds[i] = open_number(i);
	qsort(fds, devices, sizeof(*fds), compare_sizes);
	for (int number = 1; true; number++) {
		for (int i = 0; i < devices; i++) {
			int err = write_block_at(fds[i], number + (i << 24),
						 number % places);

			if (err)
				printf("dev%d %d %d\n", i, err, number);
			else
				printf("dev%d ack %d\n", i, number);
		}
		fflush(stdout);
		usleep(100000);
	}
}

/* pmem fsync DEVICE COUNT: syncs with nothing written. */
static int cmd_fsync(const char *device, int count)
{
	int fd = open_device(device);

	if (fd < 0)
		return errno;
	for (int i = 0; i < count; i++) {
		if (fsync(fd)) {
			printf("fsync %d: %s\n", i, strerror(errno));
			return errno;
		}
	}
	printf("fsyncs done\n");
	return close(fd) ? errno : 0;
}

/* Ticks of the guest's clock, on all CPUs, since it booted. */
static long count_ticks(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	char line[1024], *at, *end;
	long ticks = 0;

	while (file && fgets(line, sizeof(line), file)) {
		at = strstr(line, "LOC:");
		if (!at)
			continue;
		for (at += 4; *at; at = end) {
			ticks += strtol(at, &end, 10);
			if (end == at)
				break;
		}
	}
	if (file)
		fclose(file);
	return ticks;
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/*
 * pmem serve DEVICE: for each line with a number N syncs so often, with nothing
 * written, and says "synced N, T ticks, X ns", in columns of constant width.
 */
static int cmd_serve(const char *device)
{
	int fd = open_device(device);
	char line[32];

	if (fd < 0)
		return errno;
	printf("serving\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		long ticks = count_ticks();
		long long began = now_ns();
		int count = atoi(line);

		for (int i = 0; i < count; i++) {
			if (fsync(fd))
				return errno;
		}
		began = now_ns() - began;
		printf("synced %05d, %06ld ticks, %012lld ns\n", count,
		       count_ticks() - ticks, began);
		fflush(stdout);
	}
	return 0;
}

/* pmem size DEVICE */
static int cmd_size(const char *device)
{
	int fd = open_device(device);

	if (fd < 0)
		return errno;
	printf("size %lld\n", (long long)lseek(fd, 0, SEEK_END));
	return 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	const char *device = argc > 2 ? argv[2] : "";
	int first = argc > 3 ? atoi(argv[3]) : 0;
	int second = argc > 4 ? atoi(argv[4]) : 0;

	if (!strcmp(command, "write"))
		return cmd_write(device, first, second);
	if (!strcmp(command, "store"))
		return cmd_store(atoi(device), first, second);
	if (!strcmp(command, "churn"))
		return cmd_churn(device);
	if (!strcmp(command, "verify"))
		return cmd_verify(device, first, second);
	if (!strcmp(command, "parallel"))
		return cmd_parallel(atoi(device), first);
	if (!strcmp(command, "pair"))
		return cmd_pair(atoi(device), first);
	if (!strcmp(command, "persist"))
		return cmd_persist(atoi(device), first);
	if (!strcmp(command, "fsync"))
		return cmd_fsync(device, first);
	if (!strcmp(command, "serve"))
		return cmd_serve(device);
	if (!strcmp(command, "size"))
		return cmd_size(device);
	fprintf(stderr, "pmem: unknown command \"%s\"\n", command);
	return 2;
}
