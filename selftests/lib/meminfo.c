// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel says of its memory. */
#include "meminfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

long meminfo_bytes(const char *field)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			kib = strtol(line + strlen(field) + 1, NULL, 10);
	if (file)
		fclose(file);
	return 1024 * kib;
}
