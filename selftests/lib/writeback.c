// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's own writing of dirty pages, which tests that count pages cannot use. */
#include "writeback.h"

#include <stdio.h>
#include <unistd.h>

#define INTERVAL	"dirty_writeback_centisecs"

int writeback_sysctl(const char *name, int value)
{
	char path[64];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	file = fopen(path, "w");
	if (!file)
		return -1;
	err = fprintf(file, "%d", value) < 0;
	return fclose(file) || err ? -1 : 0;
}

int writeback_hourly(void)
{
	int err = writeback_sysctl(INTERVAL, 360000);

	sync();
	usleep(200000);
	return err;
}

int writeback_usual(void)
{
	return writeback_sysctl(INTERVAL, 500);
}
