// SPDX-License-Identifier: GPL-2.0-or-later
/* Ports and memory-mapped registers: ranges to handlers. */
#include "bus.h"

#include <errno.h>
#include <string.h>

void bus_init(struct bus *bus)
{
	pthread_rwlock_init(&bus->lock, NULL);
	bus->nr_ranges = 0;
}

void bus_exit(struct bus *bus)
{
	pthread_rwlock_destroy(&bus->lock);
}

/* Index of the first range that ends above @addr. */
static size_t find(const struct bus *bus, uint64_t addr)
{
	size_t lo = 0, hi = bus->nr_ranges;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct bus_range *range = &bus->ranges[mid];

		if (range->base + range->size - 1 >= addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static int insert(struct bus *bus, const struct bus_range *range)
{
	size_t at = find(bus, range->base);
	struct bus_range *slot = &bus->ranges[at];

	if (bus->nr_ranges == BUS_RANGES_MAX)
		return -ENOSPC;
	if (at < bus->nr_ranges &&
	    slot->base <= range->base + (range->size - 1))
		return -EEXIST;
	memmove(slot + 1, slot, (bus->nr_ranges - at) * sizeof(*slot));
	*slot = *range;
	bus->nr_ranges++;
	return 0;
}

int bus_add(struct bus *bus, uint64_t base, uint64_t size,
	    const struct bus_ops *ops, void *opaque)
{
	const struct bus_range range = {
		.base = base,
		.size = size,
		.ops = ops,
		.opaque = opaque,
	};
	int err;

	pthread_rwlock_wrlock(&bus->lock);
	err = insert(bus, &range);
	pthread_rwlock_unlock(&bus->lock);
	return err;
}

void bus_del(struct bus *bus, uint64_t base)
{
	struct bus_range *slot;
	size_t at;

	pthread_rwlock_wrlock(&bus->lock);
	at = find(bus, base);
	slot = &bus->ranges[at];
	if (at < bus->nr_ranges && slot->base == base) {
		bus->nr_ranges--;
		memmove(slot, slot + 1, (bus->nr_ranges - at) * sizeof(*slot));
	}
	pthread_rwlock_unlock(&bus->lock);
}

/* An access that crosses the end of a range belongs to nobody. */
static int lookup(struct bus *bus, uint64_t addr, uint32_t len,
		  struct bus_range *range)
{
	size_t at;
	int found;

	pthread_rwlock_rdlock(&bus->lock);
	at = find(bus, addr);
	found = at < bus->nr_ranges && bus->ranges[at].base <= addr &&
		len <= bus->ranges[at].size - (addr - bus->ranges[at].base);
	if (found)
		*range = bus->ranges[at];
	pthread_rwlock_unlock(&bus->lock);
	return found;
}

void bus_read(struct bus *bus, uint64_t addr, void *data, uint32_t len)
{
	struct bus_range range;

	if (lookup(bus, addr, len, &range) && range.ops->read)
		range.ops->read(range.opaque, addr - range.base, data, len);
	else
		memset(data, 0xff, len);
}

void bus_write(struct bus *bus, uint64_t addr, const void *data, uint32_t len)
{
	struct bus_range range;

	if (lookup(bus, addr, len, &range) && range.ops->write)
		range.ops->write(range.opaque, addr - range.base, data, len);
}
