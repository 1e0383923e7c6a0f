// SPDX-License-Identifier: GPL-2.0-or-later
/* What guests write in tests. */
#include "pattern.h"

#include <fcntl.h>
#include <unistd.h>

bool pattern_is(const uint64_t *block, uint64_t number)
{
	for (size_t i = 0; i < PATTERN_WORDS; i++) {
		if (block[i] != pattern_word(number, i))
			return false;
	}
	return true;
}

int pattern_count(const char *path, int flags)
{
	static uint64_t block[PATTERN_WORDS]
		__attribute__((aligned(PATTERN_BYTES)));
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	int good = 0;

	while (read(fd, block, sizeof(block)) == sizeof(block) &&
	       pattern_is(block, good))
		good++;
	close(fd);
	return good;
}
