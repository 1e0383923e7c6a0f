/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many devices of one process, each with a ring of two descriptors. They share
 * guest memory and the backing file of one driver.
 */
#ifndef FLEET_H
#define FLEET_H

#include "driver.h"

#define FLEET_MAX	1000

/**
 * struct fleet - The devices and what they were made from.
 * @drv: their guest memory and file, and the socket that owns them
 * @ids: devices
 * @kick_fds: their eventfds of notifications
 * @call_fds: and of interrupts
 * @count: how many there are to be, at most FLEET_MAX
 */
struct fleet {
	struct driver drv;
	uint32_t ids[FLEET_MAX];
	int kick_fds[FLEET_MAX];
	int call_fds[FLEET_MAX];
	unsigned int count;
};

/**
 * fleet_open() - Make all that @count devices need; driver_close() on its @drv
 * undoes it but for the eventfds.
 *
 * Return: 0 or -errno.
 */
int fleet_open(struct fleet *fleet, unsigned int count);

/** fleet_add_one() - Add device @i and start its queue; 0 or -errno. */
int fleet_add_one(struct fleet *fleet, unsigned int i);

/** fleet_flush_one() - One flush on device @i; its status or -errno. */
int64_t fleet_flush_one(struct fleet *fleet, unsigned int i);

#endif /* FLEET_H */
