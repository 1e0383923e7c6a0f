// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages to stderr or a file. Where they go and up to which level are the
 * only globals of the program.
 */
#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES		1024
#define GUEST_BURST		10
#define GUEST_INTERVAL_S	5

static enum log_level shown_level = LOG_LEVEL_WARN;
static int log_fd = STDERR_FILENO;

void log_set_level(enum log_level level)
{
	shown_level = level;
}

int log_open(const char *path)
{
	/* Read-write, so that a FIFO needs no reader yet. */
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC |
		      O_NONBLOCK | O_NOCTTY, 0600);
	int err = errno;

	if (fd < 0) {
		log_error("cannot open log %s: %s", path, strerror(err));
		return -err;
	}
	log_fd = fd;
	return 0;
}

/* A name with a line break, or a terminal's escape, must not pass for more. */
static void defuse(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (iscntrl((unsigned char)text[i]))
			text[i] = '?';
	}
}

static void write_line(enum log_level level, const char *prefix,
		       const char *fmt, va_list args)
{
	char line[LINE_MAX_BYTES];
	size_t room = sizeof(line) - 1;
	size_t len;
	int ret;

	len = snprintf(line, room, "vpmem-vmm: %s", prefix);
	ret = vsnprintf(line + len, room - len, fmt, args);
	if (ret > 0)
		len += (size_t)ret < room - len ? (size_t)ret : room - len - 1;
	defuse(line, len);
	line[len++] = '\n';
	/* There is nowhere to tell that telling failed. */
	if (write(log_fd, line, len) < 0)
		return;
	if (level == LOG_LEVEL_ERROR && log_fd != STDERR_FILENO &&
	    write(STDERR_FILENO, line, len) < 0)
		return;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list args;

	if (level > shown_level)
		return;
	va_start(args, fmt);
	write_line(level, "", fmt, args);
	va_end(args);
}

/* Returns whether one more may be shown, and how many were not before it. */
static int guest_may_log(unsigned long *suppressed)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned long hidden;
	static time_t window;
	static int shown;
	struct timespec now;
	int may_log;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	if (!shown || now.tv_sec - window >= GUEST_INTERVAL_S) {
		window = now.tv_sec;
		shown = 0;
	}
	may_log = shown < GUEST_BURST;
	if (may_log) {
		shown++;
		*suppressed = hidden;
		hidden = 0;
	} else {
		hidden++;
	}
	pthread_mutex_unlock(&lock);
	return may_log;
}

void log_guest(const char *fmt, ...)
{
	unsigned long suppressed = 0;
	char prefix[64] = "guest: ";
	va_list args;

	if (!guest_may_log(&suppressed))
		return;
	if (suppressed)
		snprintf(prefix, sizeof(prefix),
			 "guest: (%lu messages suppressed) ", suppressed);
	va_start(args, fmt);
	write_line(LOG_LEVEL_WARN, prefix, fmt, args);
	va_end(args);
}
