// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times flushes of one device while those of another hang, in a guest with two
 * CPUs and two pmem devices. The smaller device, whose disk its host is going to
 * suspend, is written to and synced now and then on CPU 0; the larger one is
 * synced on CPU 1 without a pause.
 *
 * usage: isolation SECONDS
 *
 * Says "isolation begin" when it does so, and ends SECONDS after the first sync
 * of the smaller device that hung. Then it writes to the start of the larger
 * device, as a serial port may lose some of what it is sent at a time, in nanoseconds
 * how long that one took, and of the larger device's syncs before, during and after it
 *
 *	isolation hang TIME
 *	isolation phase before|while|after COUNT MEDIAN P99 MAX
 *
 * What only overlaps the hang belongs to it. What came before by little is left
 * out: the disk is suspended some time before a sync finds that out.
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SYNCS_MAX	(1 << 20)
#define WARM_UP		500
#define PAUSE_US	20000
#define SECOND		1000000000ull
/* Only a disk that does not answer takes so long. */
#define HANG		(SECOND * 3 / 2)
/* Before a hang. */
#define MARGIN		(SECOND / 5)
#define GIVE_UP		(60 * SECOND)

struct span {
	uint64_t start;
	uint64_t end;
};

/* Its end is set last, and says that there was one. */
static struct {
	uint64_t start;
	atomic_uint_fast64_t end;
} hang;

static char block[4096];
static struct span syncs[SYNCS_MAX];
static uint64_t times[SYNCS_MAX];

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static int stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static int time_sync(int fd, struct span *span)
{
	int bad;

	span->start = now();
	bad = fsync(fd);
	span->end = now();
	return bad;
}

static void *sync_slow(void *arg)
{
	static char filled[sizeof(block)];
	int fd = *(const int *)arg;
	bool is_good = !stay_on(0);
	struct span span = { 0 };

	while (is_good) {
		filled[0]++;
		is_good = pwrite(fd, filled, sizeof(filled), 0) == sizeof(filled) &&
			  !time_sync(fd, &span);
		if (!hang.end && span.end - span.start >= HANG) {
			hang.start = span.start;
			hang.end = span.end;
		}
		usleep(PAUSE_US);
	}
	return NULL;
}

static int warm_up(int fd)
{
	int bad = 0;

	for (int i = 0; i < WARM_UP; i++)
		bad |= fsync(fd);
	return bad;
}

/* Returns the number of syncs; 0 if one failed or none of the others hung. */
static int sync_fast(int fd, int seconds)
{
	uint64_t begin = now();
	int count = 0;

	while (count < SYNCS_MAX) {
		struct span *span = &syncs[count++];

		if (time_sync(fd, span))
			return 0;
		if (hang.end && span->end > hang.end + seconds * SECOND)
			return count;
		if (!hang.end && span->end > begin + GIVE_UP)
			return 0;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_phase(FILE *out, const char *name, int first, int end)
{
	int count = end - first;

	for (int i = 0; i < count; i++)
		times[i] = syncs[first + i].end - syncs[first + i].start;
	qsort(times, count, sizeof(*times), compare);
	fprintf(out, "isolation phase %s %d", name, count);
	if (count > 0)
		fprintf(out, " %llu %llu %llu",
			(unsigned long long)times[count / 2],
			(unsigned long long)times[(count - 1) * 99ll / 100],
			(unsigned long long)times[count - 1]);
	fputc('\n', out);
}

/* The first sync that was not over then. */
static int first_after(uint64_t time, int count)
{
	int i = 0;

	while (i < count && syncs[i].end <= time)
		i++;
	return i;
}

static void print_result(FILE *out, int count)
{
	int end = first_after(hang.end, count);

	/* One that overlaps the end of the hang. */
	if (end < count && syncs[end].start < hang.end)
		end++;
	fprintf(out, "isolation hang %llu\n",
		(unsigned long long)(hang.end - hang.start));
	print_phase(out, "before", 0, first_after(hang.start - MARGIN, count));
	print_phase(out, "while", first_after(hang.start, count), end);
	print_phase(out, "after", end, count);
}

static int write_result(int fd, int count)
{
	FILE *out = fmemopen(block, sizeof(block), "w");

	if (!out)
		return -1;
	print_result(out, count);
	fclose(out);
	return pwrite(fd, block, sizeof(block), 0) == sizeof(block) ? fsync(fd) : -1;
}

/* Devices get their numbers as they come, which is in any order. */
static int open_devices(int *fds)
{
	int fd;

	fds[0] = open("/dev/pmem0", O_RDWR);
	fds[1] = open("/dev/pmem1", O_RDWR);
	if (fds[0] < 0 || fds[1] < 0)
		return errno;
	if (lseek(fds[0], 0, SEEK_END) > lseek(fds[1], 0, SEEK_END)) {
		fd = fds[0];
		fds[0] = fds[1];
		fds[1] = fd;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int seconds = argc == 2 ? atoi(argv[1]) : 0;
	pthread_t thread;
	int fds[2], count;

	if (seconds < 1) {
		fprintf(stderr, "usage: isolation SECONDS\n");
		return 2;
	}
	console_be_quiet();
	/* After its boot a machine still has much to do for a while. */
	sleep(1);
	if (open_devices(fds) || stay_on(1) || warm_up(fds[1]) ||
	    pthread_create(&thread, NULL, sync_slow, &fds[0])) {
		perror("isolation");
		return 1;
	}
	printf("isolation begin\n");
	fflush(stdout);
	count = sync_fast(fds[1], seconds);
	if (!count) {
		fprintf(stderr, "isolation: nothing hung, or a sync failed\n");
		return 1;
	}
	return write_result(fds[1], count) ? 1 : 0;
}
