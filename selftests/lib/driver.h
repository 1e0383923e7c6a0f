/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver's side of a virtio-pmem device, in this process: guest memory, a
 * split ring in it and the two eventfds. What a guest would do, a test does
 * here, without a guest.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include <vpmem/vpmem.h>

#define DRIVER_MEMORY_SIZE	(1u << 20)
#define DRIVER_MEMORY_GPA	0x100000ull
#define DRIVER_FILE_SIZE	(2u << 20)

/* Offsets in guest memory; a ring of 1024 fits into each gap. */
#define DRIVER_DESC		0x00000
#define DRIVER_AVAIL		0x08000
#define DRIVER_USED		0x10000
#define DRIVER_INDIRECT		0x20000
#define DRIVER_REQUESTS		0x40000
#define DRIVER_REQUEST_STRIDE	64

/**
 * struct driver - A driver and the device that it drives.
 * @sock: owner of the device
 * @id: device, 0 if none was added
 * @memory: guest memory, DRIVER_MEMORY_SIZE bytes at DRIVER_MEMORY_GPA
 * @file_fd: backing file
 * @kick_fd: eventfd of the notifications
 * @call_fd: eventfd of the interrupts, non-blocking
 * @ring_size: descriptors
 * @features: negotiated feature bits
 * @avail_idx: requests made available so far
 * @used_idx: completions seen so far
 */
struct driver {
	struct vpmem_sock *sock;
	uint32_t id;
	uint8_t *memory;
	int file_fd;
	int kick_fd;
	int call_fd;
	uint32_t ring_size;
	uint64_t features;
	uint16_t avail_idx;
	uint16_t used_idx;
};

/** driver_open() - Connect, and make memory, eventfds and a file on tmpfs. */
int driver_open(struct driver *drv);

/** driver_open_file() - As driver_open(), with a backing file of the caller. */
int driver_open_file(struct driver *drv, int file_fd);

/** driver_close() - Release everything; the device goes with the socket. */
void driver_close(struct driver *drv);

/** driver_config() - What driver_add() would add; a test may alter it. */
void driver_config(const struct driver *drv, struct vpmem_dev_config *config,
		   struct vpmem_region *region);

/** driver_add() - Add the device with an execution policy. */
int driver_add(struct driver *drv, enum vpmem_exec exec);

/** driver_begin_at() - Let an empty ring begin with another index than 0. */
void driver_begin_at(struct driver *drv, uint16_t index);

/** driver_queue() - What driver_start() would start; a test may alter it. */
void driver_queue(const struct driver *drv, struct vpmem_queue_config *queue);

/** driver_start() - Start the queue from the driver's indices. */
int driver_start(struct driver *drv);

/** driver_stop() - Stop the queue and wait for the event. */
int driver_stop(struct driver *drv, struct vpmem_event *event);

struct vring_desc *driver_desc(struct driver *drv, uint16_t index);

/** driver_put() - Make the chain that starts at @head available. */
void driver_put(struct driver *drv, uint16_t head);

/** driver_prepare() - Write a request of @type to the descriptors of a slot.
 *
 * Slot n takes descriptors 2n and 2n + 1; its status is preset to 0xa5a5a5a5.
 * Return: the head.
 */
uint16_t driver_prepare(struct driver *drv, uint16_t slot, uint32_t type);

/** driver_flush() - Prepare a flush in a slot and make it available. */
void driver_flush(struct driver *drv, uint16_t slot);

uint32_t driver_status(const struct driver *drv, uint16_t slot);

/** driver_kick() - Notify the device. */
void driver_kick(struct driver *drv);

/** driver_wait() - Wait until @count more requests were used.
 *
 * Return: 0; -ETIME if that takes longer than @timeout_ms. What was used is
 * not consumed: driver_used() takes it.
 */
int driver_wait(struct driver *drv, uint16_t count, int timeout_ms);

/** driver_used() - Take the next completion; false if there is none. */
bool driver_used(struct driver *drv, uint32_t *head, uint32_t *len);

/** driver_sync_flush() - A flush from start to end; its status or -errno. */
int64_t driver_sync_flush(struct driver *drv);

/** driver_next_event() - Wait for an event of one kind; others are dropped. */
int driver_next_event(struct vpmem_sock *sock, enum vpmem_event_type type,
		      struct vpmem_event *event, int timeout_ms);

#endif /* DRIVER_H */
