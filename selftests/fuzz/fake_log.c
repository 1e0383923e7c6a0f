// SPDX-License-Identifier: GPL-2.0-or-later
/* The VMM's log, played by a fuzzer. */
#include "fake_log.h"

#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static unsigned int errors;

unsigned int fuzz_log_take(void)
{
	unsigned int count = errors;

	errors = 0;
	return count;
}

/* The guest's doing, and no error. */
void log_guest(const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	errors += level == LOG_LEVEL_ERROR;
}
