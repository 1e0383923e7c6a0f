/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who serves a device's flushes: the kernel module or a thread of our own. Both
 * do the same with the same requests and count it in the same way.
 */
#ifndef PMEM_BACKEND_H
#define PMEM_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vpmem/vpmem.h>

struct backing;
struct loop;
struct mem;
struct pmem_backend;

/**
 * struct pmem_host - What a back end is told, and whom it tells.
 * @name: device's name
 * @backing: file
 * @mem: guest memory, complete; not looked at after creation
 * @loop: main thread's events
 * @kick_fd: eventfd that the guest's notifications signal
 * @call_fd: eventfd that interrupts the guest
 * @exec: where the module is to serve
 * @on_error: what a failed sync means for later requests
 * @flush_limit: flushes that are served
 * @bytes_limit: bytes that syncs write back
 * @write_behind: dirty bytes from which on the module writes them back, or 0
 * @broken: the ring of the queue started as @generation cannot be trusted; it
 *	is not served any more
 * @stopped: a stop that pmem_backend_ops.stop left under way is done
 * @opaque: handed to both, which are called without a lock of the back end
 */
struct pmem_host {
	const char *name;
	const struct backing *backing;
	const struct mem *mem;
	struct loop *loop;
	int kick_fd;
	int call_fd;
	enum vpmem_exec exec;
	enum vpmem_on_error on_error;
	struct vpmem_limit flush_limit;
	struct vpmem_limit bytes_limit;
	uint64_t write_behind;
	void (*broken)(void *opaque, uint64_t generation);
	void (*stopped)(void *opaque);
	void *opaque;
};

/**
 * struct pmem_position - Where a back end has left a queue.
 * @next_avail: available index of the next request to take
 * @next_used: used index of the next completion to write
 * @error: errno that later flushes fail with, or 0
 */
struct pmem_position {
	uint16_t next_avail;
	uint16_t next_used;
	int error;
};

/**
 * struct pmem_backend_ops - What a back end does.
 * @destroy: give up; nobody calls any more
 * @start: serve this ring; 0, or -errno if it cannot be served
 * @stop: as virtio_ops.stop; never waits for a sync
 * @position: how far the queue has come that was stopped last; 0, or -errno if
 *	it cannot be told. A request whose sync was under way when the queue was
 *	stopped has not been taken.
 * @fail: from now on every flush fails
 * @stats: read the counters; 0 or -errno
 */
struct pmem_backend_ops {
	void (*destroy)(struct pmem_backend *backend);
	int (*start)(struct pmem_backend *backend,
		     const struct vpmem_queue_config *queue,
		     uint64_t generation);
	bool (*stop)(struct pmem_backend *backend);
	int (*position)(struct pmem_backend *backend,
			struct pmem_position *position);
	void (*fail)(struct pmem_backend *backend);
	int (*stats)(struct pmem_backend *backend, struct vpmem_stats *stats);
};

/** struct pmem_backend - Common part. */
struct pmem_backend {
	const struct pmem_backend_ops *ops;
	struct pmem_host host;
};

/**
 * pmem_user_create() - Serve with a thread.
 * Return: 0 or -errno after one line of error.
 */
int pmem_user_create(const struct pmem_host *host,
		     struct pmem_backend **backend);

/**
 * pmem_kernel_create() - Serve with the module.
 * @why: receives, on failure, why not, as a sentence
 * Return: 0; -ENOENT if the module is not loaded; -errno. Nothing is logged.
 */
int pmem_kernel_create(const struct pmem_host *host,
		       struct pmem_backend **backend, char *why,
		       size_t why_len);

#endif /* PMEM_BACKEND_H */
