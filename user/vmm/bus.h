/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports and memory-mapped registers: ranges to handlers. */
#ifndef BUS_H
#define BUS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct bus_ops - Handlers of a range.
 * @read: fill @data with @len bytes (1, 2, 4, 8) read at @offset
 * @write: take @len bytes written at @offset
 *
 * @offset counts from the start of the range. Called on vCPU threads, several
 * at once; the handler locks its own state.
 */
struct bus_ops {
	void (*read)(void *opaque, uint64_t offset, void *data, uint32_t len);
	void (*write)(void *opaque, uint64_t offset, const void *data,
		      uint32_t len);
};

struct bus_range {
	uint64_t base;
	uint64_t size;
	const struct bus_ops *ops;
	void *opaque;
};

#define BUS_RANGES_MAX		256

/**
 * struct bus - Ranges, sorted by base, none overlapping.
 * @lock: held for reading while a handler is looked up, not while it runs
 *
 * Ranges may be moved while the guest runs (BARs), but the opaque pointer of a
 * range must stay valid until all vCPUs have ended.
 */
struct bus {
	pthread_rwlock_t lock;
	struct bus_range ranges[BUS_RANGES_MAX];
	size_t nr_ranges;
};

void bus_init(struct bus *bus);
void bus_exit(struct bus *bus);

/** bus_add() - 0; -EEXIST if it overlaps another range; -ENOSPC. */
int bus_add(struct bus *bus, uint64_t base, uint64_t size,
	    const struct bus_ops *ops, void *opaque);

/** bus_del() - Remove the range that starts at @base. */
void bus_del(struct bus *bus, uint64_t base);

/** bus_read() - Read through the handler; all ones where there is none. */
void bus_read(struct bus *bus, uint64_t addr, void *data, uint32_t len);

/** bus_write() - Write through the handler; ignored where there is none. */
void bus_write(struct bus *bus, uint64_t addr, const void *data, uint32_t len);

#endif /* BUS_H */
