// SPDX-License-Identifier: GPL-2.0
/*
 * Batches of flushes: take, sync, answer. Called by the server of a queue, one
 * at a time for each device.
 */
#include "vpmem.h"

#include <linux/dax.h>
#include <linux/errseq.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/sched.h>

/**
 * vpmem_flush_take() - Take the requests that wait, as a batch.
 * @dev: device
 *
 * The available index is read once: what is made available later belongs to a
 * later batch, and so to a later sync. That is the rule by which no flush is
 * acknowledged by a sync that started before it.
 *
 * Context: process, @dev->ring_lock held, the owner's mm in use.
 * Return: number of requests in @dev->batch. @dev->batch.ring_error tells
 * whether the ring can be trusted any further.
 */
int vpmem_flush_take(struct vpmem_dev *dev)
{
	struct vpmem_batch *batch = &dev->batch;
	struct vpmem_ring *ring = &dev->ring;
	struct vpmem_chain chain;
	int available, count, err = 0;

	batch->nr = 0;
	batch->nr_flushes = 0;
	available = vpmem_ring_available(ring, dev->mem);
	if (available < 0)
		err = available;
	count = min(available, VPMEM_BATCH_MAX);
	while (!err && (int)batch->nr < count) {
		struct vpmem_req *req = &batch->reqs[batch->nr];

		err = vpmem_ring_chain(ring, dev->mem,
				       ring->next_avail + batch->nr, &chain);
		if (!err)
			err = vpmem_req_decode(&chain, req);
		if (err)
			break;
		batch->nr_flushes += req->verdict == VPMEM_VERDICT_FLUSH;
		batch->nr++;
		/* A request may be long, with many regions in each buffer. */
		cond_resched();
	}
	batch->is_last = (int)batch->nr == available &&
			 vpmem_ring_is_kicked(ring);
	batch->ring_error = err;
	return batch->nr;
}

static int vpmem_flush_fsync(struct vpmem_dev *dev)
{
#ifdef VPMEM_MUTANT_SKIP_SYNC
	return 0;
#else
	struct address_space *mapping = dev->file->f_mapping;
	int err, seen;

	vpmem_charge_begin(dev);
	err = vfs_fsync_range(dev->file, dev->offset,
			      dev->offset + dev->length - 1, 1);
	vpmem_charge_end();
	/* An open file tells an error of writing once, to whoever syncs first:
	 * the owner, or another device on it. So each device looks for itself.
	 */
	seen = errseq_check_and_advance(&mapping->wb_err, &dev->wb_err);
	return err ?: seen;
#endif
}

/* What takes no time is not worth a look at the clock. */
static u64 vpmem_flush_clock(const struct vpmem_dev *dev)
{
	return vpmem_dev_sync_is_noop(dev) ? 0 : ktime_get_ns();
}

static void vpmem_flush_failed(struct vpmem_dev *dev, int err)
{
	vpmem_stats_add(&dev->stats.sync_errors, 1);
	if (READ_ONCE(dev->on_error) == VPMEM_ON_ERROR_STICKY)
		WRITE_ONCE(dev->error, -err);
	vpmem_event_sync_error(dev, -err);
}

/**
 * vpmem_flush_sync() - Make durable what the batch's flushes ask for.
 * @dev: device with a batch that was taken
 *
 * Context: process, no lock held, any mm; sleeps as long as the disk takes.
 * Return: 0 if a success may be answered, else a negative errno.
 */
int vpmem_flush_sync(struct vpmem_dev *dev)
{
	struct vpmem_batch *batch = &dev->batch;
	u64 started;
	int err;

	batch->nr_bytes = 0;
	if (!batch->nr_flushes || !vpmem_dev_needs_sync(dev))
		return 0;
	/* After a failed sync the kernel may have dropped the pages that it
	 * could not write: a sync that succeeds now proves nothing.
	 */
	err = READ_ONCE(dev->error);
	if (err)
		return -err;
	batch->nr_bytes = vpmem_dirty_bytes(dev);
	started = vpmem_flush_clock(dev);
	err = vpmem_flush_fsync(dev);
	vpmem_stats_add(&dev->stats.syncs, 1);
	vpmem_stats_time(&dev->stats.sync_ns, dev->stats.sync_hist,
			 vpmem_flush_clock(dev) - started);
	if (err)
		vpmem_flush_failed(dev, err);
	else
		vpmem_stats_add(&dev->stats.bytes_written, batch->nr_bytes);
	/* The owner may have made an error stick meanwhile. */
	return err ?: -READ_ONCE(dev->error);
}

/* Of requests that come before the server is idle, latency begins here. */
static void vpmem_flush_lap(struct vpmem_batch *batch)
{
	u64 now_ns = ktime_get_ns();

	batch->took_ns = now_ns - batch->started_ns;
	batch->started_ns = now_ns;
}

/*
 * What was lost and could not be told: the next sync would call it durable, so
 * that it is told with the next flush.
 */
static void vpmem_flush_keep_error(struct vpmem_dev *dev, int error)
{
	if (error)
		WRITE_ONCE(dev->untold, -error);
}

/**
 * vpmem_flush_drop() - Forget a batch that cannot be answered any more.
 * @dev: device with a batch that was taken
 * @error: what vpmem_flush_sync() returned
 *
 * Its requests are asked again, or others follow on a new ring.
 *
 * Context: process, @dev->ring_lock held.
 */
void vpmem_flush_drop(struct vpmem_dev *dev, int error)
{
	lockdep_assert_held(&dev->ring_lock);
	vpmem_flush_keep_error(dev, error);
	vpmem_flush_lap(&dev->batch);
}

/* What to answer the batch's flushes. */
static int vpmem_flush_verdict(struct vpmem_dev *dev, int error)
{
	if (!dev->batch.nr_flushes)
		return error;
	return -xchg(&dev->untold, 0) ?: error;
}

/*
 * Answers one request; returns the number of bytes written to it, or -EFAULT if
 * it would have to be told of a failure and cannot: what is in the place of its
 * status may look like success, and drivers do not look at the length.
 */
static int vpmem_flush_answer(struct vpmem_dev *dev,
			      const struct vpmem_req *req, int error)
{
	struct vpmem_stats *stats = &dev->stats;
	bool is_ok = req->verdict == VPMEM_VERDICT_FLUSH && !error;
	bool has_status = req->verdict != VPMEM_VERDICT_NO_STATUS;

	if (!has_status || vpmem_req_answer(dev->mem, req, is_ok)) {
		vpmem_stats_add(&stats->no_status, 1);
		return is_ok || !has_status ? 0 : -EFAULT;
	}
	if (req->verdict == VPMEM_VERDICT_BAD)
		vpmem_stats_add(&stats->bad_requests, 1);
	else if (error)
		vpmem_stats_add(&stats->flush_errors, 1);
	else
		vpmem_stats_add(&stats->flushes, 1);
	return 4;
}

static int vpmem_flush_push(struct vpmem_dev *dev, int error)
{
	const struct vpmem_batch *batch = &dev->batch;
	u16 next_used = dev->ring.next_used;
	int len, err = 0;
	u32 i;

	for (i = 0; i < batch->nr && !err; i++) {
		const struct vpmem_req *req = &batch->reqs[i];

		len = vpmem_flush_answer(dev, req, error);
		err = len < 0 ? len : vpmem_ring_push(&dev->ring, dev->mem,
						      req->head, len);
	}
	/* Who restarts the queue gets the indices of what was shown. */
	if (err)
		dev->ring.next_used = next_used;
	return err;
}

/**
 * vpmem_flush_complete() - Answer the batch and show the answers to the guest.
 * @dev: device with a batch that was taken
 * @error: what vpmem_flush_sync() returned
 *
 * Context: as vpmem_flush_take(), on the ring that the batch was taken from.
 * Return: 1 if the guest wants an interrupt, 0 if not, -EFAULT if the ring, or
 * the place of an error, is not in memory any more.
 */
int vpmem_flush_complete(struct vpmem_dev *dev, int error)
{
	struct vpmem_batch *batch = &dev->batch;
	struct vpmem_ring *ring = &dev->ring;
	int err;

#ifdef VPMEM_MUTANT_LATE_BATCH
	vpmem_flush_take(dev);
#endif
	error = vpmem_flush_verdict(dev, error);
	err = vpmem_flush_push(dev, error);
	vpmem_flush_lap(batch);
	if (err) {
		vpmem_flush_keep_error(dev, error);
		return err;
	}
	WRITE_ONCE(ring->next_avail, ring->next_avail + batch->nr);
	vpmem_stats_add(&dev->stats.batches, 1);
	vpmem_stats_time(&dev->stats.flush_ns, dev->stats.flush_hist,
			 batch->took_ns);
	return vpmem_ring_publish(ring, dev->mem, batch->nr);
}

/**
 * vpmem_flush_may_block() - Whether a flush of the device can wait for a disk.
 * @dev: device
 *
 * Context: any.
 */
bool vpmem_flush_may_block(const struct vpmem_dev *dev)
{
	return vpmem_dev_needs_sync(dev) &&
	       !vpmem_dev_sync_is_noop(dev) &&
	       !IS_DAX(file_inode(dev->file));
}

/**
 * vpmem_flush_exec() - Where the device's flushes are to be served.
 * @dev: device
 *
 * Context: any.
 * Return: VPMEM_EXEC_INLINE or VPMEM_EXEC_WORKER.
 */
u32 vpmem_flush_exec(const struct vpmem_dev *dev)
{
	u32 exec = READ_ONCE(dev->exec);

	if (exec != VPMEM_EXEC_AUTO)
		return exec;
	return vpmem_flush_may_block(dev) ? VPMEM_EXEC_WORKER :
					    VPMEM_EXEC_INLINE;
}
