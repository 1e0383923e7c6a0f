/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How programs that measure in a guest get on with who reads its console.
 */
#ifndef PERF_CONSOLE_H
#define PERF_CONSOLE_H

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* What a terminal echoes would mix with what is printed. */
static inline void console_be_quiet(void)
{
	struct termios mode;

	if (tcgetattr(STDIN_FILENO, &mode))
		return;
	mode.c_lflag &= ~ECHO;
	tcsetattr(STDIN_FILENO, TCSANOW, &mode);
}

/* The reader looks at his counters, and says when he has. */
static inline void console_wait_for_line(void)
{
	int c;

	fflush(stdout);
	do {
		c = getchar();
	} while (c != '\n' && c != EOF);
}

#endif /* PERF_CONSOLE_H */
