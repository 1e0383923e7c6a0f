/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages, one line each, and the level that selects them. */
#ifndef LOG_H
#define LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/** log_set_level() - Show messages up to @level; WARN unless set. */
void log_set_level(enum log_level level);

/**
 * log_open() - Write messages to a file or FIFO from now on.
 *
 * Errors are written to stderr too: whoever started the program looks there.
 *
 * Return: 0, or -errno after one line of error.
 */
int log_open(const char *path);

/**
 * log_msg() - Write "vpmem-vmm: " and a message as one line, in one write().
 *
 * Context: any thread. Use the macros below.
 */
void log_msg(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * An error says what failed, on what, why, and what to do about it:
 *   log_error("pmem root.img: size 4097 is not a multiple of 4096; ...")
 */
#define log_error(...)	log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)	log_msg(LOG_LEVEL_WARN, __VA_ARGS__)
/* What a user left to us and wants to know; shown as warnings are. */
#define log_notice(...)	log_msg(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)	log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

/**
 * log_guest() - A warning that the guest can cause.
 *
 * Prefixed with "guest: " and limited in rate, so that a guest cannot flood
 * the log; suppressed messages are counted and the count is shown later.
 */
void log_guest(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* LOG_H */
