// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Suspends a disk of the device mapper for a while, and times what a VMM's
 * control socket takes to answer before, during and after that.
 *
 * usage: stall DISK SOCKET COMMAND [GREETING]
 *
 * COMMAND is a line that is answered by a line, GREETING one that comes first, to a
 * server that has said hello. Prints, in nanoseconds,
 *
 *	isolation answer before|while|after COUNT MEDIAN MAX
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define UNDISTURBED_S	4
#define SUSPENDED_S	2
#define INTERVAL_US	100000
#define ANSWERS_MAX	1024

enum phase {
	BEFORE,
	WHILE,
	AFTER,
	NR_PHASES,
	OVER = NR_PHASES,
};

static const char *const names[NR_PHASES] = { "before", "while", "after" };

static _Atomic int phase;

static struct {
	int count;
	uint64_t times[ANSWERS_MAX];
} answers[NR_PHASES];

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* Holds writes back, and lets nobody know who could tell that. */
static void set_suspended(const char *disk, bool is_suspended)
{
	struct dm_ioctl control = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(control),
		.flags = is_suspended ? DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG |
					DM_SKIP_LOCKFS_FLAG : 0,
	};
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	snprintf(control.name, sizeof(control.name), "%s", disk);
	if (fd < 0 || ioctl(fd, DM_DEV_SUSPEND, &control)) {
		fprintf(stderr, "bench: stall: %s: %s\n", disk, strerror(errno));
		exit(1);
	}
	close(fd);
}

static void *run_phases(void *arg)
{
	const char *disk = arg;

	sleep(UNDISTURBED_S);
	set_suspended(disk, true);
	phase = WHILE;
	sleep(SUSPENDED_S);
	phase = AFTER;
	set_suspended(disk, false);
	sleep(UNDISTURBED_S);
	phase = OVER;
	return NULL;
}

static FILE *connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (const void *)&addr, sizeof(addr)))
		return NULL;
	return fdopen(fd, "r");
}

/* What is told without being asked is passed over. */
static int read_answer(FILE *server)
{
	static char *line;
	static size_t size;

	do {
		if (getline(&line, &size, server) < 0)
			return -1;
	} while (strstr(line, "\"event\""));
	return 0;
}

static int ask(FILE *server, const char *command)
{
	if (dprintf(fileno(server), "%s\n", command) < 0)
		return -1;
	return read_answer(server);
}

static int ask_until_over(FILE *server, const char *command)
{
	int asked_in, err = 0;
	uint64_t start;

	while (!err && (asked_in = phase) != OVER) {
		start = now();
		err = ask(server, command);
		if (answers[asked_in].count < ANSWERS_MAX)
			answers[asked_in].times[answers[asked_in].count++] =
				now() - start;
		usleep(INTERVAL_US);
	}
	return err;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_answers(void)
{
	for (int i = 0; i < NR_PHASES; i++) {
		uint64_t *times = answers[i].times;
		int count = answers[i].count;

		qsort(times, count, sizeof(*times), compare);
		printf("isolation answer %s %d", names[i], count);
		if (count)
			printf(" %llu %llu", (unsigned long long)times[count / 2],
			       (unsigned long long)times[count - 1]);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	pthread_t thread;
	FILE *server;
	int err;

	if (argc < 4) {
		fprintf(stderr, "usage: stall DISK SOCKET COMMAND [GREETING]\n");
		return 2;
	}
	server = connect_to(argv[2]);
	if (!server || (argc > 4 && (read_answer(server) || ask(server, argv[4])))) {
		fprintf(stderr, "bench: stall: %s: nobody answers\n", argv[2]);
		return 1;
	}
	if (pthread_create(&thread, NULL, run_phases, argv[1]))
		return 1;
	err = ask_until_over(server, argv[3]);
	/* The disk is not to stay suspended. */
	pthread_join(thread, NULL);
	if (err)
		fprintf(stderr, "bench: stall: %s: no more answers\n", argv[2]);
	print_answers();
	return err != 0;
}
