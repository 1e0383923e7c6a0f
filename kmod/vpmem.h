/* SPDX-License-Identifier: GPL-2.0 */
/* The device object and what the files of the module offer each other. */
#ifndef VPMEM_PRIVATE_H
#define VPMEM_PRIVATE_H

#include <linux/atomic.h>
#include <linux/errseq.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/vpmem.h>

#include "limit.h"
#include "mem.h"
#include "request.h"
#include "ring.h"

struct eventfd_ctx;
struct mm_struct;
struct net;
struct pid;

/*
 * Requests that one sync answers at most. Guests have one or few under way, but
 * a disk that is slow to sync has to do it once for those that have more. It is
 * what fits into a device of 4 KiB, of which it is the larger part.
 */
#define VPMEM_BATCH_MAX		64

/**
 * struct vpmem_batch - Requests that are completed together.
 * @nr: how many
 * @nr_flushes: how many of them are VPMEM_VERDICT_FLUSH
 * @gen: vpmem_dev.queue_gen when they were taken
 * @is_last: what comes after them comes with a kick
 * @started_ns: when their flush latency begins, after it that of the next ones
 * @took_ns: their flush latency
 * @nr_bytes: what their sync had to write
 * @ring_error: why taking ended before the last available request, or 0
 * @reqs: the requests, in ring order
 */
struct vpmem_batch {
	u32 nr;
	u32 nr_flushes;
	u32 gen;
	bool is_last;
	u64 started_ns;
	u64 took_ns;
	u64 nr_bytes;
	int ring_error;
	struct vpmem_req reqs[VPMEM_BATCH_MAX];
};

/**
 * struct vpmem_stats - Counters; the netlink specification describes them.
 *
 * @kicks is written under the kick eventfd's lock, those of write-behind by
 * @behind_work, all others by the server.
 * Readers take them as they are.
 */
struct vpmem_stats {
	u64 kicks;
	u64 flushes;
	u64 flush_errors;
	u64 bad_requests;
	u64 no_status;
	u64 ring_errors;
	u64 batches;
	u64 syncs;
	u64 sync_errors;
	u64 inline_runs;
	u64 worker_runs;
	u64 signals;
	u64 suppressed;
	u64 sync_ns;
	u64 flush_ns;
	u64 bytes_written;
	u64 cpu_ns;
	u64 throttled;
	u64 throttled_ns;
	u64 write_behinds;
	u64 write_behind_bytes;
	u64 write_behind_cpu_ns;
	u64 sync_hist[VPMEM_HIST_BUCKETS];
	u64 flush_hist[VPMEM_HIST_BUCKETS];
};

/**
 * vpmem_stats_add() - Add to a counter that only the caller writes.
 * @counter: counter
 * @n: how much
 *
 * Context: any. Readers see the old or the new value.
 */
static inline void vpmem_stats_add(u64 *counter, u64 n)
{
	WRITE_ONCE(*counter, *counter + n);
}

/**
 * struct vpmem_dev_config - What a device is made of.
 * @name: name, NUL-terminated
 * @file: backing file
 * @offset: first byte of it that the guest sees
 * @length: bytes of it that the guest sees
 * @flags: enum vpmem_dev_flags
 * @mem: guest memory table
 * @kick: file of the kick eventfd
 * @call: call eventfd
 * @exec: enum vpmem_exec
 * @on_error: enum vpmem_on_error
 * @flush_limit: flushes per second
 * @bytes_limit: bytes that syncs write per second
 * @write_behind: dirty bytes from which on they are written, or 0
 * @net: network namespace of the owning socket
 * @portid: port of the owning socket
 * @uid: user who opened it
 */
struct vpmem_dev_config {
	char name[VPMEM_NAME_LEN];
	struct file *file;
	loff_t offset;
	u64 length;
	u32 flags;
	struct vpmem_mem *mem;
	struct file *kick;
	struct eventfd_ctx *call;
	u32 exec;
	u32 on_error;
	struct vpmem_limit flush_limit;
	struct vpmem_limit bytes_limit;
	u64 write_behind;
	struct net *net;
	u32 portid;
	kuid_t uid;
};

/**
 * struct vpmem_dev - A virtio-pmem device.
 *
 * Constant from creation to release:
 * @id: number, key in the table of devices
 * @name: name for people
 * @flags: enum vpmem_dev_flags
 * @file: backing file
 * @offset: first byte of it that the guest sees
 * @length: bytes of it that the guest sees
 * @mm: owner's address space, by mmgrab()
 * @kick: eventfd that guest notifications signal; its file is not held, so
 *        that its last close is seen
 * @call: eventfd that interrupts the guest
 * @net: network namespace of the owning socket
 * @portid: port of the owning socket
 * @uid: user who opened it, whom the device is counted for
 * @owner: process that created the device
 *
 * References, see Documentation/lifetime:
 * @refs: one for the table of devices, one for each queued work or task work,
 *        one for each look-up
 * @is_dying: bit 0 set once, by whoever starts the teardown
 * @has_owner: false once the owning socket is gone
 *
 * Policies, single words, changed at any time:
 * @exec: enum vpmem_exec
 * @on_error: enum vpmem_on_error
 * @error: errno of the sticky sync error, positive, or 0
 * @untold: errno of a sync error that no request could be answered with,
 *          positive, or 0
 *
 * The queue:
 * @ring_lock: serialises use of guest memory. Never held across a sync, but as
 *             long as a page of guest memory takes to come.
 * @state_lock: guards @queue_state, @queue_gen, @flush_bucket, @bytes_bucket,
 *              @is_delayed and the queueing of a delayed @serve_work,
 *              @write_behind and the queueing of @behind_work, and, while
 *              @queue_state is stopped, @ring. Innermost.
 * @queue_state: enum vpmem_queue_state. Becomes stopped or broken only with
 *               @ring_lock held too, with which it is read without @state_lock.
 * @queue_gen: grows whenever the queue stops or breaks, so that a server that
 *             comes back from a sync sees that the ring is not the one it left
 * @ring: the ring; used with @ring_lock held and @queue_state running
 * @mem: guest memory table; read with @ring_lock or @state_lock held, replaced
 *       with both
 *
 * Limits:
 * @flush_bucket: requests that may be served
 * @bytes_bucket: bytes that syncs may write
 *
 * Write-behind:
 * @write_behind: dirty bytes from which on they are written, or 0
 * @behind_work: looks at the file, and writes
 *
 * Serving:
 * @serve_state: who serves, see serve.c
 * @is_delayed: the server is a delayed @serve_work; only the server writes it
 * @kicked_ns: time of the kick that made a server necessary
 * @waits_since_ns: since when the server waits for a bucket, or 0
 * @batch: requests in service; belongs to the server
 * @wb_err: write errors of the file that the server has seen
 * @serve_work: server on a worker, also one that waits for a bucket
 * @serve_task: server on the kicking task
 * @stop_work: queue-stop
 * @kill_work: teardown
 * @wait: entry in the wait queue of @kick
 * @stats: counters
 */
struct vpmem_dev {
	u32 id;
	char name[VPMEM_NAME_LEN];
	u32 flags;
	struct file *file;
	loff_t offset;
	u64 length;
	struct mm_struct *mm;
	struct eventfd_ctx *kick;
	struct eventfd_ctx *call;
	struct net *net;
	u32 portid;
	kuid_t uid;
	struct pid *owner;

	struct kref refs;
	unsigned long is_dying;
	bool has_owner;

	u32 exec;
	u32 on_error;
	u32 error;
	u32 untold;

	struct mutex ring_lock;	/* use of guest memory */
	spinlock_t state_lock;	/* see above */
	u32 queue_state;
	u32 queue_gen;
	struct vpmem_ring ring;
	struct vpmem_mem *mem;
	struct vpmem_bucket flush_bucket;
	struct vpmem_bucket bytes_bucket;

	u64 write_behind;
	struct delayed_work behind_work;

	atomic_t serve_state;
	bool is_delayed;
	u64 kicked_ns;
	u64 waits_since_ns;
	struct vpmem_batch batch;
	errseq_t wb_err;
	struct delayed_work serve_work;
	struct callback_head serve_task;
	struct work_struct stop_work;
	struct work_struct kill_work;
	wait_queue_entry_t wait;
	struct vpmem_stats stats;
};

/* Whether a flush of the device means a sync of its file. */
static inline bool vpmem_dev_needs_sync(const struct vpmem_dev *dev)
{
	return !(dev->flags & (VPMEM_DEV_FLAGS_READ_ONLY |
			       VPMEM_DEV_FLAGS_DISCARD_WRITES));
}

/* Whether there is nothing that a sync of the device's file does: it is in RAM. */
static inline bool vpmem_dev_sync_is_noop(const struct vpmem_dev *dev)
{
	return dev->file->f_op->fsync == noop_fsync;
}

/* device.c */
int vpmem_devices_init(void);
void vpmem_devices_exit(void);
void vpmem_devices_close(void);
int vpmem_dev_create(const struct vpmem_dev_config *config, u32 *id);
struct vpmem_dev *vpmem_dev_get(u32 id);
struct vpmem_dev *vpmem_dev_get_next(u32 *id);
void vpmem_dev_put(struct vpmem_dev *dev);
void vpmem_dev_kill(struct vpmem_dev *dev);
void vpmem_dev_orphan(const struct net *net, u32 portid);
u32 vpmem_devices_seq(void);

/* serve.c */
int vpmem_serve_init(void);
void vpmem_serve_exit(void);
void vpmem_serve_setup(struct vpmem_dev *dev);
void vpmem_serve_hook(struct vpmem_dev *dev, struct file *kick);
void vpmem_serve_unhook(struct vpmem_dev *dev);
void vpmem_serve_quiesce(struct vpmem_dev *dev);
void vpmem_serve_run_ctl(struct vpmem_dev *dev, struct work_struct *work);
int vpmem_queue_start(struct vpmem_dev *dev, const struct vpmem_ring *ring);
int vpmem_queue_stop(struct vpmem_dev *dev);
int vpmem_queue_set_mem(struct vpmem_dev *dev, struct vpmem_mem **mem);
void vpmem_queue_set_limits(struct vpmem_dev *dev,
			    const struct vpmem_limit *flush_limit,
			    const struct vpmem_limit *bytes_limit);

/* flush.c */
u32 vpmem_flush_exec(const struct vpmem_dev *dev);
int vpmem_flush_take(struct vpmem_dev *dev);
int vpmem_flush_sync(struct vpmem_dev *dev);
int vpmem_flush_complete(struct vpmem_dev *dev, int error);
void vpmem_flush_drop(struct vpmem_dev *dev, int error);
bool vpmem_flush_may_block(const struct vpmem_dev *dev);

/* behind.c */
int vpmem_behind_init(void);
void vpmem_behind_exit(void);
void vpmem_behind_setup(struct vpmem_dev *dev);
void vpmem_behind_start(struct vpmem_dev *dev);
void vpmem_behind_set(struct vpmem_dev *dev, u64 bytes);
void vpmem_behind_cancel(struct vpmem_dev *dev);

/* dirty.c */
bool vpmem_dirty_any(const struct vpmem_dev *dev);
u64 vpmem_dirty_bytes(const struct vpmem_dev *dev);
u64 vpmem_dirty_idle_bytes(const struct vpmem_dev *dev);

/* charge.c */
void vpmem_charge_begin(const struct vpmem_dev *dev);
void vpmem_charge_end(void);

/* user.c */
int vpmem_user_charge(kuid_t uid);
void vpmem_user_uncharge(kuid_t uid);

/* stats.c */
void vpmem_stats_time(u64 *sum, u64 *hist, u64 ns);

/* netlink.c */
int vpmem_netlink_init(void);
void vpmem_netlink_exit(void);
void vpmem_event_dev_added(struct vpmem_dev *dev);
void vpmem_event_dev_deleted(struct vpmem_dev *dev);
void vpmem_event_queue(struct vpmem_dev *dev, u8 cmd, u16 next_avail,
		       u16 next_used);
void vpmem_event_sync_error(struct vpmem_dev *dev, u32 error);

#endif /* VPMEM_PRIVATE_H */
