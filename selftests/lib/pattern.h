/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guests write in tests: blocks that tell which they are. */
#ifndef PATTERN_H
#define PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_BYTES	4096
#define PATTERN_WORDS	(PATTERN_BYTES / sizeof(uint64_t))

/** pattern_word() - Word @i of block @number. */
static inline uint64_t pattern_word(uint64_t number, size_t i)
{
	return number * 0x9e3779b97f4a7c15ull + i;
}

/** pattern_is() - Whether @block holds all of block @number. */
bool pattern_is(const uint64_t *block, uint64_t number);

/**
 * pattern_count() - Count the good blocks that a file begins with.
 * @path: file or block device, block n at n times PATTERN_BYTES
 * @flags: more flags to open it with: O_DIRECT for what is on the medium
 *	itself, past every cache
 *
 * Return: blocks up to the first one that is not as it was written.
 */
int pattern_count(const char *path, int flags);

#endif /* PATTERN_H */
