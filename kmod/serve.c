// SPDX-License-Identifier: GPL-2.0
/*
 * Who serves a queue, where and when: the kick, inline or worker execution,
 * start and stop. Knows nothing of what a request means.
 *
 * At any time a device has at most one server. Whoever moves @serve_state away
 * from idle makes one; it goes on until it can move the state back to idle,
 * which it cannot when a kick arrived meanwhile. So no kick is lost and no two
 * servers meet.
 *
 * A server that has to wait for a limit is a delayed work, the server still:
 * it holds a reference and nothing else. Whoever takes its reason to wait away,
 * by stopping the queue or changing the limits, hurries it.
 */
#include "compat.h"
#include "cpu.h"
#include "trace.h"
#include "vpmem.h"

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>

/**
 * enum vpmem_serve_state - State of serving.
 * @VPMEM_SERVE_IDLE: no server
 * @VPMEM_SERVE_RUNNING: a server is looking at the ring
 * @VPMEM_SERVE_RERUN: a server is to look at the ring (again)
 */
enum vpmem_serve_state {
	VPMEM_SERVE_IDLE,
	VPMEM_SERVE_RUNNING,
	VPMEM_SERVE_RERUN,
};

/**
 * enum vpmem_turn - What became of a server's look at the ring.
 * @VPMEM_TURN_DONE: nothing is left to do until the next kick
 * @VPMEM_TURN_SERVED: a batch was served, and there may be another
 * @VPMEM_TURN_THROTTLED: there is something to do, and a limit is used up
 */
enum vpmem_turn {
	VPMEM_TURN_DONE,
	VPMEM_TURN_SERVED,
	VPMEM_TURN_THROTTLED,
};

/*
 * After so many looks at the ring a server makes room for the other work of its
 * CPU, whether they found something or only kicks.
 */
#define VPMEM_LOOKS_PER_RUN	16

/* How long a command waits for a server that uses guest memory. */
#define VPMEM_RING_LOCK_MS	100

/* A longer wait is cut into pieces of this length. */
#define VPMEM_WAIT_NS_MAX	(3600ull * NSEC_PER_SEC)

/*
 * Syncs can occupy all of the first for as long as disks take. Stopping and
 * teardown must not wait for them, hence the second.
 */
static struct workqueue_struct *vpmem_serve_wq;
static struct workqueue_struct *vpmem_ctl_wq;

int vpmem_serve_init(void)
{
	vpmem_serve_wq = alloc_workqueue("vpmem_serve", WQ_UNBOUND,
					 WQ_UNBOUND_MAX_ACTIVE);
	if (!vpmem_serve_wq)
		return -ENOMEM;
	vpmem_ctl_wq = alloc_workqueue("vpmem_ctl", WQ_UNBOUND,
				       WQ_UNBOUND_MAX_ACTIVE);
	if (!vpmem_ctl_wq) {
		destroy_workqueue(vpmem_serve_wq);
		return -ENOMEM;
	}
	return 0;
}

/**
 * vpmem_serve_exit() - Wait until no code of this module runs any more.
 *
 * Context: no device is left.
 */
void vpmem_serve_exit(void)
{
	destroy_workqueue(vpmem_ctl_wq);
	destroy_workqueue(vpmem_serve_wq);
	/* A task that served inline may have dropped the last reference and
	 * still be on its way out of our text; it does not sleep there, so a
	 * grace period that waits for every task to do so has seen it leave.
	 */
	synchronize_rcu_tasks();
}

/**
 * vpmem_serve_run_ctl() - Queue stop or teardown work, with a reference.
 * @dev: device, alive
 * @work: its stop_work or kill_work; the function drops the reference
 *
 * Context: any, also with the kick eventfd's lock held.
 */
void vpmem_serve_run_ctl(struct vpmem_dev *dev, struct work_struct *work)
{
	kref_get(&dev->refs);
	if (!queue_work(vpmem_ctl_wq, work))
		vpmem_dev_put(dev);
}

/*
 * Whoever stops or breaks a running queue does it with @ring_lock held, or with
 * it afterwards, so that it runs for as long as the caller holds that.
 */
static bool vpmem_queue_is_running(struct vpmem_dev *dev)
{
	lockdep_assert_held(&dev->ring_lock);
	/* State before ring; pairs with the release in vpmem_queue_start(). */
	return smp_load_acquire(&dev->queue_state) == VPMEM_QUEUE_STATE_RUNNING;
}

/*
 * Makes the owner's mm current. The vCPU thread has it already; a worker takes
 * it for as long as it touches guest memory and not across a sync, so that the
 * memory of a VMM that was killed is freed at once.
 */
static bool vpmem_mm_enter(struct vpmem_dev *dev)
{
	if (current->mm == dev->mm)
		return true;
	if (!mmget_not_zero(dev->mm))
		return false;
	kthread_use_mm(dev->mm);
	return true;
}

static void vpmem_mm_leave(struct vpmem_dev *dev)
{
	if (!(current->flags & PF_KTHREAD))
		return;
	kthread_unuse_mm(dev->mm);
	/* The last user of an address space waits for its I/O. */
	mmput_async(dev->mm);
}

static void vpmem_queue_break(struct vpmem_dev *dev)
{
	u16 next_avail = dev->ring.next_avail;
	u16 next_used = dev->ring.next_used;
	bool is_broken = false;

	lockdep_assert_held(&dev->ring_lock);
	spin_lock(&dev->state_lock);
	if (dev->queue_state == VPMEM_QUEUE_STATE_RUNNING) {
		WRITE_ONCE(dev->queue_state, VPMEM_QUEUE_STATE_BROKEN);
		dev->queue_gen++;
		is_broken = true;
	}
	spin_unlock(&dev->state_lock);
	if (!is_broken)
		return;
	vpmem_stats_add(&dev->stats.ring_errors, 1);
	trace_vpmem_ring_error(dev);
	vpmem_event_queue(dev, VPMEM_CMD_QUEUE_BROKEN, next_avail, next_used);
}

/* Takes a batch; where there is none, asks for the next kick. */
static int vpmem_serve_take(struct vpmem_dev *dev)
{
	int count, ret;

	if (dev->batch.gen != dev->queue_gen) {
		ret = vpmem_ring_begin(&dev->ring, dev->mem);
		if (ret) {
			dev->batch.ring_error = ret;
			return 0;
		}
		dev->batch.gen = dev->queue_gen;
	}
	count = vpmem_flush_take(dev);
	if (count || dev->batch.ring_error)
		return count;
	ret = vpmem_ring_rearm(&dev->ring, dev->mem);
	if (ret > 0)
		return vpmem_flush_take(dev);
	dev->batch.ring_error = ret;
	return 0;
}

/* Returns whether there is a batch to sync and complete. */
static bool vpmem_serve_begin(struct vpmem_dev *dev)
{
	int count = 0;

	mutex_lock(&dev->ring_lock);
	if (vpmem_queue_is_running(dev) && vpmem_mm_enter(dev)) {
		count = vpmem_serve_take(dev);
		vpmem_mm_leave(dev);
		if (!count && dev->batch.ring_error)
			vpmem_queue_break(dev);
	}
	mutex_unlock(&dev->ring_lock);
	return count;
}

static void vpmem_serve_signal(struct vpmem_dev *dev, int wanted)
{
	if (wanted > 0) {
		vpmem_eventfd_signal(dev->call);
		vpmem_stats_add(&dev->stats.signals, 1);
	} else if (!wanted) {
		vpmem_stats_add(&dev->stats.suppressed, 1);
	}
}

/*
 * The queue may have been stopped, and even started anew, during the sync:
 * then the requests are no longer ours and nothing may be written.
 */
static void vpmem_serve_end(struct vpmem_dev *dev, int error)
{
	int wanted;

	mutex_lock(&dev->ring_lock);
	if (vpmem_queue_is_running(dev) && dev->batch.gen == dev->queue_gen &&
	    vpmem_mm_enter(dev)) {
		wanted = vpmem_flush_complete(dev, error);
		vpmem_mm_leave(dev);
		vpmem_serve_signal(dev, wanted);
		if (wanted < 0 || dev->batch.ring_error)
			vpmem_queue_break(dev);
	} else {
		vpmem_flush_drop(dev, error);
	}
	mutex_unlock(&dev->ring_lock);
}

static bool vpmem_serve_is_limited(const struct vpmem_dev *dev)
{
	return READ_ONCE(dev->flush_bucket.limit.rate) ||
	       READ_ONCE(dev->bytes_bucket.limit.rate);
}

/* How long the limits do not let the device's server serve; 0 if they do. */
static u64 vpmem_serve_wait_ns(struct vpmem_dev *dev, u64 now_ns)
{
	lockdep_assert_held(&dev->state_lock);
	return max(vpmem_bucket_wait(&dev->flush_bucket, now_ns),
		   vpmem_bucket_wait(&dev->bytes_bucket, now_ns));
}

static bool vpmem_serve_must_wait(struct vpmem_dev *dev)
{
	u64 now_ns, wait_ns;

	if (!vpmem_serve_is_limited(dev))
		return false;
	now_ns = ktime_get_ns();
	spin_lock(&dev->state_lock);
	wait_ns = vpmem_serve_wait_ns(dev, now_ns);
	spin_unlock(&dev->state_lock);
	if (!wait_ns)
		return false;
	dev->waits_since_ns = now_ns;
	vpmem_stats_add(&dev->stats.throttled, 1);
	return true;
}

/* Also for a batch that failed, and for one that needed no sync. */
static void vpmem_serve_charge(struct vpmem_dev *dev)
{
	u64 now_ns;

	if (!vpmem_serve_is_limited(dev))
		return;
	now_ns = ktime_get_ns();
	spin_lock(&dev->state_lock);
	vpmem_bucket_charge(&dev->flush_bucket, dev->batch.nr, now_ns);
	vpmem_bucket_charge(&dev->bytes_bucket, dev->batch.nr_bytes, now_ns);
	spin_unlock(&dev->state_lock);
}

/*
 * A batch that may not be served yet is forgotten: nothing of it was written
 * to the ring, and it is taken again, with what came meanwhile, before the sync
 * that serves it.
 */
static enum vpmem_turn vpmem_serve_batch(struct vpmem_dev *dev)
{
	int error;

	if (!vpmem_serve_begin(dev))
		return VPMEM_TURN_DONE;
	if (vpmem_serve_must_wait(dev))
		return VPMEM_TURN_THROTTLED;
	trace_vpmem_flush_start(dev);
	error = vpmem_flush_sync(dev);
	vpmem_serve_charge(dev);
	vpmem_serve_end(dev, error);
	trace_vpmem_flush_done(dev, error);
	return dev->batch.is_last ? VPMEM_TURN_DONE : VPMEM_TURN_SERVED;
}

static void vpmem_serve_end_wait(struct vpmem_dev *dev)
{
	if (dev->is_delayed) {
		spin_lock(&dev->state_lock);
		dev->is_delayed = false;
		spin_unlock(&dev->state_lock);
	}
	if (!dev->waits_since_ns)
		return;
	vpmem_stats_add(&dev->stats.throttled_ns,
			ktime_get_ns() - dev->waits_since_ns);
	dev->waits_since_ns = 0;
}

/*
 * Whoever was woken by an answer may want this worker's CPU, and notify again at
 * once. That must find a server: another worker would be woken, for nothing, as
 * this one is not asleep yet. The price is that latency begins with the answer
 * then, see vpmem_flush_lap(), and has what they do meanwhile in it.
 */
static void vpmem_serve_yield(void)
{
	if (current->flags & PF_KTHREAD)
		cond_resched();
}

/*
 * Serves until the ring is empty and no kick came meanwhile. Returns false if
 * it stopped before, to let others run or for a limit; the caller is the server
 * still.
 */
static bool vpmem_serve(struct vpmem_dev *dev, struct vpmem_cpu_timer *timer)
{
	enum vpmem_turn turn;
	int looks = 0;

	vpmem_serve_end_wait(dev);
	dev->batch.started_ns = dev->kicked_ns;
	do {
		/* Full barrier: the look at the ring below comes after it, so
		 * a kick that finds this state has its request seen, or finds
		 * the state again and makes us look again. Pairs with the
		 * exchange in vpmem_serve_kick().
		 */
		atomic_xchg(&dev->serve_state, VPMEM_SERVE_RUNNING);
		do {
			turn = vpmem_serve_batch(dev);
		} while (turn == VPMEM_TURN_SERVED &&
			 ++looks < VPMEM_LOOKS_PER_RUN);
		vpmem_serve_yield();
		vpmem_stats_add(&dev->stats.cpu_ns, vpmem_cpu_lap(timer));
		if (turn == VPMEM_TURN_DONE &&
		    atomic_cmpxchg(&dev->serve_state, VPMEM_SERVE_RUNNING,
				   VPMEM_SERVE_IDLE) == VPMEM_SERVE_RUNNING)
			return true;
	} while (turn == VPMEM_TURN_DONE && ++looks < VPMEM_LOOKS_PER_RUN);
	dev->kicked_ns = dev->batch.started_ns;
	return false;
}

/*
 * Hands serving on to a worker, after the wait that the limits ask for. The
 * worker gets the server's reference and may be done with it at once.
 *
 * ORDER: state and limits are looked at and the work is queued in one go, so
 * that who changes them afterwards finds it pending, see vpmem_serve_hurry().
 */
static void vpmem_serve_later(struct vpmem_dev *dev)
{
	unsigned long delay = 0;
	u64 wait_ns;

	kref_get(&dev->refs);
	spin_lock(&dev->state_lock);
	if (dev->queue_state == VPMEM_QUEUE_STATE_RUNNING) {
		wait_ns = vpmem_serve_wait_ns(dev, ktime_get_ns());
		/* Up to two ticks late rather than early and in vain. */
		if (wait_ns)
			delay = 2 + nsecs_to_jiffies(min(wait_ns,
							 VPMEM_WAIT_NS_MAX));
	}
	dev->is_delayed = delay;
	queue_delayed_work(vpmem_serve_wq, &dev->serve_work, delay);
	spin_unlock(&dev->state_lock);
	vpmem_dev_put(dev);
}

/*
 * Lets a server that waits look again now; it keeps its reference.
 *
 * To cancel a work that is idle looks for a moment as if it were queued, and
 * who queues it in that moment does so in vain. So it is only done while the
 * server is known to wait: then nobody else queues it, and a server that has
 * just woken up has to pass @state_lock before it can.
 */
static void vpmem_serve_hurry(struct vpmem_dev *dev)
{
	spin_lock(&dev->state_lock);
	if (dev->is_delayed && cancel_delayed_work(&dev->serve_work))
		queue_delayed_work(vpmem_serve_wq, &dev->serve_work, 0);
	spin_unlock(&dev->state_lock);
}

static void vpmem_serve_finish(struct vpmem_dev *dev)
{
	struct vpmem_cpu_timer timer;
	bool is_done;

	vpmem_cpu_start(&timer);
	is_done = vpmem_serve(dev, &timer);
	if (is_done)
		vpmem_dev_put(dev);
	else
		vpmem_serve_later(dev);
}

static void vpmem_serve_work(struct work_struct *work)
{
	struct vpmem_dev *dev = container_of(to_delayed_work(work),
					     struct vpmem_dev, serve_work);

	vpmem_stats_add(&dev->stats.worker_runs, 1);
	vpmem_serve_finish(dev);
}

/* The task may have begun to exit since the kick, and have no mm any more. */
static void vpmem_serve_task(struct callback_head *head)
{
	struct vpmem_dev *dev = container_of(head, struct vpmem_dev,
					     serve_task);

	if (current->mm != dev->mm) {
		queue_delayed_work(vpmem_serve_wq, &dev->serve_work, 0);
		return;
	}
	vpmem_stats_add(&dev->stats.inline_runs, 1);
	vpmem_serve_finish(dev);
}

static bool vpmem_serve_can_inline(const struct vpmem_dev *dev)
{
	return in_task() && current->mm == dev->mm &&
	       !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING)) &&
	       vpmem_flush_exec(dev) == VPMEM_EXEC_INLINE;
}

/*
 * Sees to it that the ring is looked at after now. The caller makes sure that
 * the device has a reference.
 */
static void vpmem_serve_kick(struct vpmem_dev *dev, bool may_inline)
{
#ifdef VPMEM_MUTANT_RACE
	if (dev->serve_state.counter == VPMEM_SERVE_RERUN)
		return;
#endif
	/* Full barrier, pairs with the exchange in vpmem_serve(). */
	if (atomic_xchg(&dev->serve_state, VPMEM_SERVE_RERUN) !=
	    VPMEM_SERVE_IDLE)
		return;
	kref_get(&dev->refs);
	dev->kicked_ns = ktime_get_ns();
	if (may_inline && vpmem_serve_can_inline(dev) &&
	    !task_work_add(current, &dev->serve_task, TWA_RESUME))
		return;
	queue_delayed_work(vpmem_serve_wq, &dev->serve_work, 0);
}

/*
 * Runs with the kick eventfd's lock held and interrupts off. An eventfd cannot
 * be signalled from here, so completion always comes from work or task work.
 */
static int vpmem_serve_wake(wait_queue_entry_t *wait, unsigned int mode,
			    int sync, void *key)
{
	struct vpmem_dev *dev = container_of(wait, struct vpmem_dev, wait);
	__poll_t flags = key_to_poll(key);
	u64 count;

	if (flags & EPOLLIN) {
		eventfd_ctx_do_read(dev->kick, &count);
		vpmem_stats_add(&dev->stats.kicks, 1);
#ifdef VPMEM_MUTANT_SIGNAL_IN_WAKE
		vpmem_eventfd_signal(dev->call);
#endif
		trace_vpmem_kick(dev);
		vpmem_serve_kick(dev, true);
	}
	if (flags & EPOLLHUP)
		vpmem_dev_kill(dev);
	return 0;
}

static void vpmem_stop_work(struct work_struct *work)
{
	struct vpmem_dev *dev = container_of(work, struct vpmem_dev,
					     stop_work);
	u16 next_avail, next_used;
	bool is_stopped = false;

	mutex_lock(&dev->ring_lock);
	spin_lock(&dev->state_lock);
	if (dev->queue_state == VPMEM_QUEUE_STATE_STOPPING) {
		WRITE_ONCE(dev->queue_state, VPMEM_QUEUE_STATE_STOPPED);
		dev->queue_gen++;
		is_stopped = true;
	}
	/* ORDER: before a start can change them, which needs no @ring_lock. */
	next_avail = dev->ring.next_avail;
	next_used = dev->ring.next_used;
	spin_unlock(&dev->state_lock);
	mutex_unlock(&dev->ring_lock);
	vpmem_serve_hurry(dev);
	if (is_stopped)
		vpmem_event_queue(dev, VPMEM_CMD_QUEUE_STOPPED, next_avail,
				  next_used);
	vpmem_dev_put(dev);
}

/**
 * vpmem_queue_start() - Start to serve a stopped queue.
 * @dev: device
 * @ring: the ring, checked
 *
 * Context: process; does not wait for I/O or for the server.
 * Return: 0; -EBUSY if the queue is not stopped; -EFAULT if the ring is not in
 * guest memory; -ENODEV if the device is dying.
 */
int vpmem_queue_start(struct vpmem_dev *dev, const struct vpmem_ring *ring)
{
	int err = 0;

	spin_lock(&dev->state_lock);
	if (test_bit(0, &dev->is_dying)) {
		err = -ENODEV;
	} else if (dev->queue_state != VPMEM_QUEUE_STATE_STOPPED) {
		err = -EBUSY;
	} else if (!vpmem_ring_is_covered(ring, dev->mem)) {
		err = -EFAULT;
	} else {
		dev->ring = *ring;
		/* Pairs with the acquire in vpmem_queue_is_running(). */
		smp_store_release(&dev->queue_state, VPMEM_QUEUE_STATE_RUNNING);
	}
	spin_unlock(&dev->state_lock);
	if (err)
		return err;
	vpmem_behind_start(dev);
	/* Requests may wait since before the last stop. */
	vpmem_serve_kick(dev, false);
	return 0;
}

/**
 * vpmem_queue_stop() - Ask for the queue to stop.
 * @dev: device
 *
 * Context: process; does not wait. The queue-stopped event follows.
 * Return: 0; -ENODEV if the device is dying.
 */
int vpmem_queue_stop(struct vpmem_dev *dev)
{
	int err = 0;

	spin_lock(&dev->state_lock);
	if (test_bit(0, &dev->is_dying))
		err = -ENODEV;
	else
		WRITE_ONCE(dev->queue_state, VPMEM_QUEUE_STATE_STOPPING);
	spin_unlock(&dev->state_lock);
	if (!err)
		vpmem_serve_run_ctl(dev, &dev->stop_work);
	return err;
}

/*
 * A server holds the lock for a moment, unless a page that it needs comes late
 * or, as the owner decides that, never. Commands must not wait for ever.
 */
static bool vpmem_ring_lock_timeout(struct vpmem_dev *dev)
{
	unsigned long end = jiffies + msecs_to_jiffies(VPMEM_RING_LOCK_MS);

	while (!mutex_trylock(&dev->ring_lock)) {
		if (time_after(jiffies, end))
			return false;
		usleep_range(50, 100);
	}
	return true;
}

/**
 * vpmem_queue_set_mem() - Replace the guest memory table.
 * @dev: device
 * @mem: new table; on success receives the old one, which nobody uses any more
 *
 * A batch in service whose requests are not in the new table is returned to
 * the guest without a status, or breaks the queue if that would have to be told
 * of a failure.
 *
 * Context: process; waits for a short time only.
 * Return: 0, and the device owns the new table; -EFAULT if a running ring would
 * not be in guest memory any more; -EBUSY if the server uses guest memory all
 * the time; -ENODEV if the device is dying.
 */
int vpmem_queue_set_mem(struct vpmem_dev *dev, struct vpmem_mem **mem)
{
	int err = 0;

	if (!vpmem_ring_lock_timeout(dev))
		return -EBUSY;
	spin_lock(&dev->state_lock);
	if (test_bit(0, &dev->is_dying))
		err = -ENODEV;
	else if (dev->queue_state == VPMEM_QUEUE_STATE_RUNNING &&
		 !vpmem_ring_is_covered(&dev->ring, *mem))
		err = -EFAULT;
	else
		swap(dev->mem, *mem);
	spin_unlock(&dev->state_lock);
	mutex_unlock(&dev->ring_lock);
	return err;
}

/**
 * vpmem_queue_set_limits() - Set what a queue may use.
 * @dev: device
 * @flush_limit: flushes per second, or NULL to leave it
 * @bytes_limit: bytes that syncs write per second, or NULL to leave it
 *
 * A limit that is set starts with a full bucket.
 *
 * Context: process; does not wait.
 */
void vpmem_queue_set_limits(struct vpmem_dev *dev,
			    const struct vpmem_limit *flush_limit,
			    const struct vpmem_limit *bytes_limit)
{
	u64 now_ns = ktime_get_ns();

	spin_lock(&dev->state_lock);
	if (flush_limit)
		vpmem_bucket_set(&dev->flush_bucket, flush_limit, now_ns);
	if (bytes_limit)
		vpmem_bucket_set(&dev->bytes_bucket, bytes_limit, now_ns);
	spin_unlock(&dev->state_lock);
	vpmem_serve_hurry(dev);
}

/**
 * vpmem_serve_quiesce() - Stop the queue of a dying device.
 * @dev: device
 *
 * Context: process; waits for accesses to guest memory, not for a sync. When
 * it returns nothing is written to guest memory any more.
 */
void vpmem_serve_quiesce(struct vpmem_dev *dev)
{
#ifdef VPMEM_MUTANT_LOCK_ORDER
	mmap_read_lock(dev->mm);
	mutex_lock(&dev->ring_lock);
	mutex_unlock(&dev->ring_lock);
	mmap_read_unlock(dev->mm);
#endif
	mutex_lock(&dev->ring_lock);
	spin_lock(&dev->state_lock);
	WRITE_ONCE(dev->queue_state, VPMEM_QUEUE_STATE_STOPPED);
	dev->queue_gen++;
	spin_unlock(&dev->state_lock);
	mutex_unlock(&dev->ring_lock);
	vpmem_serve_hurry(dev);
	/* ORDER: once nobody queues it any more. */
	vpmem_behind_cancel(dev);
}

/**
 * vpmem_serve_setup() - Prepare a device for serving.
 * @dev: device that nobody else knows
 */
void vpmem_serve_setup(struct vpmem_dev *dev)
{
	mutex_init(&dev->ring_lock);
	spin_lock_init(&dev->state_lock);
	atomic_set(&dev->serve_state, VPMEM_SERVE_IDLE);
	/* Of no queue so far. */
	dev->batch.gen = dev->queue_gen - 1;
	INIT_DELAYED_WORK(&dev->serve_work, vpmem_serve_work);
	INIT_WORK(&dev->stop_work, vpmem_stop_work);
	init_task_work(&dev->serve_task, vpmem_serve_task);
	init_waitqueue_func_entry(&dev->wait, vpmem_serve_wake);
}

struct vpmem_hook {
	poll_table table;
	struct vpmem_dev *dev;
};

static void vpmem_serve_queue_wait(struct file *file, wait_queue_head_t *head,
				   poll_table *table)
{
	struct vpmem_hook *hook = container_of(table, struct vpmem_hook, table);

	add_wait_queue(head, &hook->dev->wait);
}

/**
 * vpmem_serve_hook() - Listen to the kick eventfd.
 * @dev: device
 * @kick: file of @dev->kick
 *
 * A kick that is pending already is served. From now on the device can be
 * served or begin to die.
 */
void vpmem_serve_hook(struct vpmem_dev *dev, struct file *kick)
{
	struct vpmem_hook hook = { .dev = dev };
	__poll_t events;

	init_poll_funcptr(&hook.table, vpmem_serve_queue_wait);
	events = vfs_poll(kick, &hook.table);
	if (events & EPOLLIN)
		vpmem_serve_kick(dev, false);
}

/**
 * vpmem_serve_unhook() - Undo vpmem_serve_hook().
 * @dev: device
 *
 * Context: process. When it returns no wake callback runs or will run.
 */
void vpmem_serve_unhook(struct vpmem_dev *dev)
{
	u64 count;

	eventfd_ctx_remove_wait_queue(dev->kick, &dev->wait, &count);
}
