// SPDX-License-Identifier: GPL-2.0
/*
 * Write-behind: starts to write what a guest has made dirty before it asks for
 * a flush. Nobody is told of that and nobody waits for it: the flush that comes
 * finds less to do, and the errors.
 *
 * Nothing tells when a guest writes, so a device's file is looked at, by a
 * delayed work that queues itself again for as long as the queue runs. Its timer
 * is no deferrable one: that waits for its own CPU to be busy, while the guest
 * may write on another. Instead it comes less often while nothing is dirty.
 */
#include "compat.h"
#include "cpu.h"
#include "trace.h"
#include "vpmem.h"

#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/pagemap.h>

/* Between two looks at a file with dirty pages and at one without. */
#define VPMEM_BEHIND_DIRTY_MS	100
#define VPMEM_BEHIND_CLEAN_MS	500

/*
 * Looking, which takes longer the more is dirty, may take this part of the CPU's
 * time, unless that would mean to look less often than this.
 */
#define VPMEM_BEHIND_SHARE	100
#define VPMEM_BEHIND_MAX_MS	10000

/*
 * A slow disk holds up who starts to write to it. That must not keep a flush of
 * another device from its worker, hence a workqueue of its own.
 */
static struct workqueue_struct *vpmem_behind_wq;

/**
 * vpmem_behind_init() - Prepare for write-behind.
 *
 * Return: 0 or -ENOMEM.
 */
int vpmem_behind_init(void)
{
	vpmem_behind_wq = alloc_workqueue("vpmem_behind", WQ_UNBOUND,
					  WQ_UNBOUND_MAX_ACTIVE);
	return vpmem_behind_wq ? 0 : -ENOMEM;
}

/**
 * vpmem_behind_exit() - Undo vpmem_behind_init().
 *
 * Context: no device is left.
 */
void vpmem_behind_exit(void)
{
	destroy_workqueue(vpmem_behind_wq);
}

static bool vpmem_behind_is_on(const struct vpmem_dev *dev)
{
	lockdep_assert_held(&dev->state_lock);
	return dev->write_behind && vpmem_flush_may_block(dev) &&
	       dev->queue_state == VPMEM_QUEUE_STATE_RUNNING;
}

/* With a reference for the work. A stopped queue is not armed again. */
static void vpmem_behind_queue(struct vpmem_dev *dev, unsigned long delay)
{
	bool is_queued = false;

	kref_get(&dev->refs);
	spin_lock(&dev->state_lock);
	if (vpmem_behind_is_on(dev))
		is_queued = queue_delayed_work(vpmem_behind_wq,
					       &dev->behind_work, delay);
	spin_unlock(&dev->state_lock);
	if (!is_queued)
		vpmem_dev_put(dev);
}

/* From how many dirty bytes on to write; 0 if nothing may be written now. */
static u64 vpmem_behind_threshold(struct vpmem_dev *dev)
{
	u64 bytes = 0;

	/* What an error has lost is not to be followed by more. */
	if (READ_ONCE(dev->error))
		return 0;
	spin_lock(&dev->state_lock);
	if (vpmem_behind_is_on(dev) &&
	    !vpmem_bucket_wait(&dev->bytes_bucket, ktime_get_ns()))
		bytes = dev->write_behind;
	spin_unlock(&dev->state_lock);
	return bytes;
}

static void vpmem_behind_charge(struct vpmem_dev *dev, u64 bytes)
{
	spin_lock(&dev->state_lock);
	vpmem_bucket_charge(&dev->bytes_bucket, bytes, ktime_get_ns());
	spin_unlock(&dev->state_lock);
	vpmem_stats_add(&dev->stats.write_behinds, 1);
	vpmem_stats_add(&dev->stats.write_behind_bytes, bytes);
}

/*
 * What fails later is kept in the mapping until the next sync asks for it. What
 * fails at once some file systems tell only the caller, and may have dropped
 * pages: so it is kept there too.
 */
static void vpmem_behind_write(struct vpmem_dev *dev, u64 bytes)
{
	struct address_space *mapping = dev->file->f_mapping;
	loff_t last = dev->offset + dev->length - 1;
	int err;

	trace_vpmem_write_behind(dev, bytes);
	vpmem_behind_charge(dev, bytes);
	vpmem_charge_begin(dev);
#ifdef VPMEM_MUTANT_LOSE_ERROR
	err = file_write_and_wait_range(dev->file, dev->offset, last) > 0;
	errseq_check_and_advance(&mapping->wb_err, &dev->wb_err);
#else
	err = vpmem_filemap_flush_range(mapping, dev->offset, last);
#endif
	vpmem_charge_end();
	mapping_set_error(mapping, err);
}

static unsigned long vpmem_behind_delay(bool is_dirty, u64 look_ns)
{
	unsigned int ms = is_dirty ? VPMEM_BEHIND_DIRTY_MS :
				     VPMEM_BEHIND_CLEAN_MS;

	return clamp(nsecs_to_jiffies(look_ns * VPMEM_BEHIND_SHARE),
		     msecs_to_jiffies(ms), msecs_to_jiffies(VPMEM_BEHIND_MAX_MS));
}

static void vpmem_behind_work(struct work_struct *work)
{
	struct vpmem_dev *dev = container_of(to_delayed_work(work),
					     struct vpmem_dev, behind_work);
	struct vpmem_cpu_timer timer;
	u64 threshold, bytes = 0, look_ns;
	bool is_dirty;

	vpmem_cpu_start(&timer);
	is_dirty = vpmem_dirty_any(dev);
	threshold = is_dirty ? vpmem_behind_threshold(dev) : 0;
	if (threshold)
		bytes = vpmem_dirty_idle_bytes(dev);
	look_ns = vpmem_cpu_lap(&timer);
	if (threshold && bytes >= threshold)
		vpmem_behind_write(dev, bytes);
	vpmem_stats_add(&dev->stats.write_behind_cpu_ns,
			look_ns + vpmem_cpu_lap(&timer));
	vpmem_behind_queue(dev, vpmem_behind_delay(is_dirty, look_ns));
	vpmem_dev_put(dev);
}

/**
 * vpmem_behind_setup() - Prepare a device for write-behind.
 * @dev: device that nobody else knows
 */
void vpmem_behind_setup(struct vpmem_dev *dev)
{
	INIT_DELAYED_WORK(&dev->behind_work, vpmem_behind_work);
}

/**
 * vpmem_behind_start() - Look at a device's file from now on.
 * @dev: device whose queue was started
 *
 * Context: process; does not wait.
 */
void vpmem_behind_start(struct vpmem_dev *dev)
{
	vpmem_behind_queue(dev, msecs_to_jiffies(VPMEM_BEHIND_DIRTY_MS));
}

/**
 * vpmem_behind_set() - Set how much may be dirty.
 * @dev: device
 * @bytes: dirty bytes from which on writing starts, 0 for never
 *
 * Context: process; does not wait.
 */
void vpmem_behind_set(struct vpmem_dev *dev, u64 bytes)
{
	spin_lock(&dev->state_lock);
	dev->write_behind = bytes;
	spin_unlock(&dev->state_lock);
	vpmem_behind_start(dev);
}

/**
 * vpmem_behind_cancel() - Take back the next look at a dying device's file.
 * @dev: device whose queue was stopped for good
 *
 * Context: process; does not wait for writing that is under way, which ends
 * with the reference that it has.
 */
void vpmem_behind_cancel(struct vpmem_dev *dev)
{
	if (cancel_delayed_work(&dev->behind_work))
		vpmem_dev_put(dev);
}
