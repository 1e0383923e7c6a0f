/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-pmem devices: creation, end, counters. */
#ifndef VIRTIO_PMEM_H
#define VIRTIO_PMEM_H

#include "backing.h"
#include "pmem_backend.h"
#include "virtio_pci.h"

#include <stdbool.h>
#include <stdint.h>

struct virtio_pmem;
struct vm;
struct vpmem_stats;

/**
 * virtio_pmem_create() - Create all devices of the configuration, in order.
 *
 * After pci_create(). Files are opened, locked and mapped, the module is asked,
 * server threads are started: all that needs privileges is done here.
 *
 * Return: 0, or -errno after one line of error; then nothing is left.
 */
int virtio_pmem_create(struct vm *vm);

/** virtio_pmem_destroy_all() - Undo virtio_pmem_create(); no vCPU runs. */
void virtio_pmem_destroy_all(struct vm *vm);

/**
 * virtio_pmem_pause_all() - Stop all queues; no vCPU runs.
 * @stopped_fd: eventfd to signal when virtio_pmem_are_paused() may have changed
 *
 * Requests that are not answered stay in their rings. A sync that is under way is
 * not waited for; what it was for is not answered by it.
 */
void virtio_pmem_pause_all(struct vm *vm, int stopped_fd);

/** virtio_pmem_are_paused() - Whether no queue is served or being reset. */
bool virtio_pmem_are_paused(struct vm *vm);

/**
 * virtio_pmem_resume_all() - Go on where virtio_pmem_pause_all() has stopped.
 *
 * After virtio_pmem_are_paused(). What waits in the rings is served.
 */
void virtio_pmem_resume_all(struct vm *vm);

/**
 * virtio_pmem_sync_all() - Make durable what the guest wrote, at a clean end.
 *
 * No vCPU runs any more. Queues are stopped first.
 *
 * Return: 0; the first -errno, after one line of error for each file that could
 * not be synced: data may be lost, so the exit code must tell.
 */
int virtio_pmem_sync_all(struct vm *vm);

/**
 * virtio_pmem_stats() - Read a device's counters, whoever counts them.
 *
 * Context: main thread or any other; does not wait for a sync.
 * Return: 0 or -errno.
 */
int virtio_pmem_stats(struct virtio_pmem *dev, struct vpmem_stats *stats);

/**
 * struct virtio_pmem_info - What only the VMM knows of a device.
 * @id: name from the configuration
 * @is_kernel: flushes are served by the module
 * @lost_writes: writes between the end of the file and the region's end
 * @dropped_writes: writes to a read-only device
 * @failed_starts: times its queue could not be served
 * @config_writes: writes to its configuration structure, which has no effect
 * @needs_resets: times it gave up on its driver
 * @size_changed: the file's size is not what it was
 */
struct virtio_pmem_info {
	const char *id;
	bool is_kernel;
	uint64_t lost_writes;
	uint64_t dropped_writes;
	uint64_t failed_starts;
	uint64_t config_writes;
	uint64_t needs_resets;
	bool size_changed;
};

/** virtio_pmem_info() - Read them. Any thread. */
void virtio_pmem_info(struct virtio_pmem *dev, struct virtio_pmem_info *info);

/**
 * struct virtio_pmem_state - A device of a VM that is paused.
 * @gpa: where the guest sees the file
 * @region_bytes: how much of it
 * @file: which file it is
 * @position: how far the queue has come
 * @transport: registers
 */
struct virtio_pmem_state {
	uint64_t gpa;
	uint64_t region_bytes;
	struct backing_identity file;
	struct pmem_position position;
	struct virtio_pci_state transport;
};

/**
 * virtio_pmem_sync_paused() - Make durable what the guest wrote.
 *
 * Sleeps as long as the disk takes. If it fails, later flushes fail.
 *
 * Return: 0 or -errno.
 */
int virtio_pmem_sync_paused(struct virtio_pmem *dev);

/** virtio_pmem_save() - Read the state, paused. 0 or -errno. */
int virtio_pmem_save(struct virtio_pmem *dev, struct virtio_pmem_state *state);

/**
 * virtio_pmem_check() - Whether a device's state can be loaded into @dev.
 * @file_too: the file must not have been changed since
 *
 * Return: NULL, or why not.
 */
const char *virtio_pmem_check(struct virtio_pmem *dev,
			      const struct virtio_pmem_state *state,
			      bool file_too);

/**
 * virtio_pmem_load() - Write a state that was checked; no vCPU runs.
 *
 * virtio_pmem_resume_all() lets the queue be served.
 */
void virtio_pmem_load(struct virtio_pmem *dev,
		      const struct virtio_pmem_state *state);

#endif /* VIRTIO_PMEM_H */
