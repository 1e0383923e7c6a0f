// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What devices of the module cost that do nothing, by their number. Time is
 * cycles of the time stamp counter, see bench.c.
 *
 * usage: attach DEVICES...
 *
 * For each number it prints, all devices together,
 *
 *	attach DEVICES ADD DELETE SLAB VMALLOC
 *
 * cycles to add the devices and start their queues, cycles to ask for their end,
 * and bytes of the kernel's memory.
 */
#include "fleet.h"
#include "meminfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

/* The kernel frees in its own time. */
#define SETTLE_US	200000

static int add_all(struct fleet *fleet)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < fleet->count; i++)
		err = fleet_add_one(fleet, i);
	return err;
}

static int delete_all(struct fleet *fleet)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < fleet->count; i++)
		err = vpmem_dev_del(fleet->drv.sock, fleet->ids[i]);
	return err;
}

static int measure(struct fleet *fleet)
{
	long vmalloc = meminfo_bytes("VmallocUsed");
	long slab = meminfo_bytes("Slab");
	uint64_t start = __rdtsc(), added, deleting;
	int err = add_all(fleet);

	added = __rdtsc() - start;
	slab = meminfo_bytes("Slab") - slab;
	vmalloc = meminfo_bytes("VmallocUsed") - vmalloc;
	start = __rdtsc();
	err = err ?: delete_all(fleet);
	deleting = __rdtsc() - start;
	usleep(SETTLE_US);
	if (!err)
		printf("attach %u %llu %llu %ld %ld\n", fleet->count,
		       (unsigned long long)added, (unsigned long long)deleting,
		       slab, vmalloc);
	return err;
}

int main(int argc, char **argv)
{
	static struct fleet fleet;
	int err = fleet_open(&fleet, FLEET_MAX);

	/* Caches of the kernel are filled, and lists have their length. */
	fleet.count = 1;
	err = err ?: add_all(&fleet) ?: delete_all(&fleet);
	usleep(SETTLE_US);
	for (int i = 1; !err && i < argc; i++) {
		fleet.count = atoi(argv[i]);
		err = fleet.count > FLEET_MAX ? -ERANGE : measure(&fleet);
	}
	if (err)
		fprintf(stderr, "attach: %s\n", strerror(-err));
	driver_close(&fleet.drv);
	return err != 0;
}
