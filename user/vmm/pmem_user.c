// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flushes served by a thread of the device's own.
 *
 * The ack rule: a request is completed with success only by a sync that started
 * after the request was read from the ring. So the available index is read
 * once, that batch is taken, synced once and completed, and only then is the
 * ring looked at again.
 */
#include "pmem_backend.h"

#include "backing.h"
#include "bucket.h"
#include "log.h"
#include "mem.h"
#include "pmem_req.h"
#include "thread.h"
#include "util.h"
#include "virtq.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND	1000000000ull

/**
 * struct pmem_user - Thread, ring and counters of one device.
 * @common: common part
 * @thread: server; sleeps on the kick eventfd
 * @mem: the guest's memory as it was at creation, without register pages, so
 *	that nobody changes it under the thread
 * @nr_waiters: threads other than @thread that want @lock; atomic, less only
 *	under @lock
 * @lock: guards all that follows; not held across a sync
 * @vq: ring, while @is_running
 * @is_running: the queue is served
 * @is_ending: the thread is to end
 * @generation: of the queue; tells after a sync whether it is still the same
 * @in_flight: requests that were taken from it and not completed yet
 * @error: errno of the sync error that sticks, or 0
 * @untold: errno of a sync error that no request could be answered with, since
 *	the queue had been stopped, or 0
 * @reported: errno of the last sync error that was logged, or 0
 * @flush_bucket: requests that may be served
 * @bytes_bucket: bytes that syncs may write
 * @changed: ends the thread's wait for a bucket or for those who want @lock;
 *	waited for with @lock
 * @stats: counters
 * @timed_activity: what had been done when the CPU time in @stats was taken
 * @reqs: batch, the thread's own
 */
struct pmem_user {
	struct pmem_backend common;
	pthread_t thread;
	struct mem mem;
	unsigned int nr_waiters;
	pthread_mutex_t lock;
	struct virtq vq;
	bool is_running;
	bool is_ending;
	uint64_t generation;
	unsigned int in_flight;
	int error;
	int untold;
	int reported;
	struct bucket flush_bucket;
	struct bucket bytes_bucket;
	pthread_cond_t changed;
	struct vpmem_stats stats;
	uint64_t timed_activity;
	struct pmem_req reqs[VIRTQ_SIZE_MAX];
};

/**
 * struct pmem_batch - Requests that are served together.
 * @generation: of the queue that they are from
 * @nr: how many
 * @nr_flushes: how many of them are flushes
 * @is_last: what comes after them comes with a kick
 * @ring_error: why the ring cannot be trusted any further, or 0
 * @started_ns: when they were noticed
 * @nr_bytes: what their sync had to write, if that is limited
 */
struct pmem_batch {
	uint64_t generation;
	unsigned int nr;
	unsigned int nr_flushes;
	bool is_last;
	int ring_error;
	uint64_t started_ns;
	uint64_t nr_bytes;
};

static struct pmem_user *to_user(struct pmem_backend *backend)
{
	return container_of(backend, struct pmem_user, common);
}

/*
 * For all threads but the device's own. That one takes the lock anew as soon as it
 * has released it, for as long as the guest has requests that need no sync, and a
 * mutex is not fair: who was woken for it would find it taken, over and over.
 */
static void pmem_user_lock(struct pmem_user *user)
{
	__atomic_fetch_add(&user->nr_waiters, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&user->lock);
	if (!__atomic_sub_fetch(&user->nr_waiters, 1, __ATOMIC_RELAXED))
		pthread_cond_signal(&user->changed);
}

static void pmem_user_unlock(struct pmem_user *user)
{
	pthread_mutex_unlock(&user->lock);
}

/*
 * The counterpart: the device's thread lets in who waits. Relaxed, as one who is
 * seen only a batch later has not waited for long. Nobody is missed: the count
 * falls, and @changed is signalled, only with @lock. @lock held, but given up.
 */
static void pmem_user_let_in(struct pmem_user *user)
{
	while (__atomic_load_n(&user->nr_waiters, __ATOMIC_RELAXED))
		pthread_cond_wait(&user->changed, &user->lock);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

/* What takes no time is not worth a look at the clock. */
static uint64_t sync_clock_ns(const struct backing *backing)
{
	return backing->is_in_memory ? 0 : now_ns();
}

/*
 * Asked for when it is read: a flush does not pay for it. But only after there
 * was something to do, as the way back to sleep would be news otherwise.
 */
static uint64_t cpu_ns(pthread_t thread)
{
	struct timespec ts = { .tv_sec = 0 };
	clockid_t clock;

	if (!pthread_getcpuclockid(thread, &clock))
		clock_gettime(clock, &ts);
	return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

static void record_time(uint64_t *sum, uint64_t *hist, uint64_t ns)
{
	unsigned int bucket = ns ? 63 - __builtin_clzll(ns) : 0;

	if (bucket >= VPMEM_HIST_BUCKETS)
		bucket = VPMEM_HIST_BUCKETS - 1;
	*sum += ns;
	hist[bucket]++;
}

/* @lock held. */
static int pmem_user_take_one(struct pmem_user *user, struct pmem_batch *batch)
{
	struct virtq_chain chain;
	struct pmem_req *req = &user->reqs[batch->nr];
	int err = virtq_pop(&user->vq, &chain);

	if (err)
		return err;
	err = pmem_req_decode(&chain, req);
	if (err) {
		/* The position is behind what was taken, and this was not. */
		user->vq.next_avail--;
		return err;
	}
	batch->nr++;
	batch->nr_flushes += req->verdict == PMEM_VERDICT_FLUSH;
	return 0;
}

/* Takes what waits; where nothing does, asks for the next kick. @lock held. */
static void pmem_user_take(struct pmem_user *user, struct pmem_batch *batch)
{
	bool look_again = false;
	uint16_t count;
	int err;

	batch->generation = user->generation;
	err = virtq_available(&user->vq, &count);
	if (!err && !count) {
		err = virtq_rearm(&user->vq, &look_again);
		if (!err && look_again)
			err = virtq_available(&user->vq, &count);
	}
	while (!err && batch->nr < count)
		err = pmem_user_take_one(user, batch);
	batch->is_last = virtq_is_kicked(&user->vq);
	batch->ring_error = err;
}

/* @lock held. */
static void pmem_user_sync_failed(struct pmem_user *user, int err)
{
	const struct pmem_host *host = &user->common.host;

	user->stats.sync_errors++;
	if (host->on_error == VPMEM_ON_ERROR_STICKY)
		user->error = -err;
	if (user->reported != -err)
		log_warn("pmem %s: sync of %s failed: %s; %s", host->name,
			 host->backing->config.path, strerror(-err),
			 host->on_error == VPMEM_ON_ERROR_STICKY ?
			 "all later flushes fail, restart the VM after repair" :
			 "the guest is told");
	user->reported = -err;
}

static bool pmem_user_is_limited(const struct pmem_user *user)
{
	return user->flush_bucket.limit.rate || user->bytes_bucket.limit.rate;
}

static bool pmem_user_has_work(const struct pmem_user *user)
{
	uint16_t count;

	/* What is wrong with the ring is told when it is taken from. */
	return user->is_running && (virtq_available(&user->vq, &count) || count);
}

/* How long the limits do not let a batch pass; 0 if they do. @lock held. */
static uint64_t pmem_user_wait_ns(const struct pmem_user *user, uint64_t at_ns)
{
	uint64_t flushes_ns = bucket_wait(&user->flush_bucket, at_ns);
	uint64_t bytes_ns = bucket_wait(&user->bytes_bucket, at_ns);

	return flushes_ns > bytes_ns ? flushes_ns : bytes_ns;
}

/*
 * Waits until the limits let a batch pass. Nothing is taken before, so that
 * one sync serves what comes meanwhile. @lock held, but given up: the queue
 * that is there afterwards may be another, or none.
 */
static void pmem_user_throttle(struct pmem_user *user)
{
	uint64_t started_ns, at_ns, wait_ns;
	struct timespec until;

	if (!pmem_user_is_limited(user) || !pmem_user_has_work(user))
		return;
	started_ns = now_ns();
	for (at_ns = started_ns; user->is_running; at_ns = now_ns()) {
		wait_ns = pmem_user_wait_ns(user, at_ns);
		if (!wait_ns)
			break;
		if (at_ns == started_ns)
			user->stats.throttled++;
		until.tv_sec = (at_ns + wait_ns) / NS_PER_SECOND;
		until.tv_nsec = (at_ns + wait_ns) % NS_PER_SECOND;
		pthread_cond_timedwait(&user->changed, &user->lock, &until);
	}
	user->stats.throttled_ns += at_ns - started_ns;
}

/* Also for a batch that failed, and for one that needed no sync. @lock held. */
static void pmem_user_charge(struct pmem_user *user,
			     const struct pmem_batch *batch)
{
	uint64_t at_ns;

	if (!pmem_user_is_limited(user))
		return;
	at_ns = now_ns();
	bucket_charge(&user->flush_bucket, batch->nr, at_ns);
	bucket_charge(&user->bytes_bucket, batch->nr_bytes, at_ns);
}

/* To ask takes as long as the file is large, so only who is limited does. */
static uint64_t pmem_user_dirty_bytes(const struct pmem_user *user)
{
	const struct backing *backing = user->common.host.backing;
	uint64_t bytes;

	if (!user->bytes_bucket.limit.rate)
		return 0;
	return backing_dirty_bytes(backing, &bytes) ? backing->map_bytes : bytes;
}

/* @lock held, but given up during the sync. Returns 0 or -errno. */
static int pmem_user_sync(struct pmem_user *user, struct pmem_batch *batch)
{
	const struct backing *backing = user->common.host.backing;
	uint64_t ns;
	int err;

	if (!batch->nr_flushes || !backing_writes_reach_file(backing))
		return 0;
	/* After a failed sync the kernel may have dropped the pages that it
	 * could not write: a sync that succeeds now proves nothing.
	 */
	if (user->error)
		return -user->error;
	pthread_mutex_unlock(&user->lock);
	batch->nr_bytes = pmem_user_dirty_bytes(user);
	ns = sync_clock_ns(backing);
	err = backing_sync(backing);
	ns = sync_clock_ns(backing) - ns;
	pthread_mutex_lock(&user->lock);
	user->stats.syncs++;
	record_time(&user->stats.sync_ns, user->stats.sync_hist, ns);
	if (err)
		pmem_user_sync_failed(user, err);
	else
		user->stats.bytes_written += batch->nr_bytes;
	/* pmem_user_fail() may have been called meanwhile. */
	return err ? err : -user->error;
}

/* Answers one request; returns the bytes written to it. @lock held. */
static uint32_t pmem_user_answer(struct pmem_user *user,
				 const struct pmem_req *req, int error)
{
	bool is_ok = req->verdict == PMEM_VERDICT_FLUSH && !error;

	if (req->verdict == PMEM_VERDICT_NO_STATUS ||
	    pmem_req_answer(&user->mem, req, is_ok)) {
		user->stats.no_status++;
		return 0;
	}
	if (req->verdict == PMEM_VERDICT_BAD)
		user->stats.bad_requests++;
	else if (error)
		user->stats.flush_errors++;
	else
		user->stats.flushes++;
	return PMEM_STATUS_BYTES;
}

static void pmem_user_signal(struct pmem_user *user, bool wants_signal)
{
	uint64_t one = 1;

	if (!wants_signal)
		user->stats.suppressed++;
	else if (write(user->common.host.call_fd, &one, sizeof(one)) > 0)
		user->stats.signals++;
}

/*
 * A sync failed while the queue was stopped: the requests are asked again or
 * others follow, and the next sync would call durable what is lost. @lock held.
 */
static int pmem_user_tell(struct pmem_user *user,
			  const struct pmem_batch *batch, int error)
{
	if (!batch->nr_flushes)
		return error;
	if (!error)
		error = -user->untold;
	user->untold = 0;
	return error;
}

/* @lock held, on the queue that the batch is from. */
static int pmem_user_complete(struct pmem_user *user,
			      const struct pmem_batch *batch, int error)
{
	bool wants_signal;
	unsigned int i;
	int err = 0;

	if (!batch->nr)
		return 0;
	for (i = 0; i < batch->nr && !err; i++)
		err = virtq_push(&user->vq, user->reqs[i].head,
				 pmem_user_answer(user, &user->reqs[i], error));
	if (!err)
		err = virtq_show(&user->vq, &wants_signal);
	if (err)
		return err;
	user->stats.batches++;
	record_time(&user->stats.flush_ns, user->stats.flush_hist,
		    now_ns() - batch->started_ns);
	pmem_user_signal(user, wants_signal);
	return 0;
}

/*
 * Serves one batch; true if there may be more. What was taken before the ring
 * went bad is completed first (PEER-08).
 */
static bool pmem_user_serve_batch(struct pmem_user *user, uint64_t started_ns)
{
	const struct pmem_host *host = &user->common.host;
	struct pmem_batch batch = { .started_ns = started_ns };
	bool is_broken = false;
	int error, ring_error;

	pthread_mutex_lock(&user->lock);
	pmem_user_let_in(user);
	pmem_user_throttle(user);
	if (user->is_running) {
		pmem_user_take(user, &batch);
		user->in_flight = batch.nr;
		error = pmem_user_sync(user, &batch);
		pmem_user_charge(user, &batch);
		ring_error = batch.ring_error;
		/* Stopped meanwhile: not a byte is written any more (VIO-5). */
		if (user->is_running && user->generation == batch.generation) {
			user->in_flight = 0;
			error = pmem_user_tell(user, &batch, error);
			if (pmem_user_complete(user, &batch, error))
				ring_error = -EFAULT;
			is_broken = ring_error;
		} else if (error) {
			user->untold = -error;
		}
	}
	if (is_broken) {
		user->is_running = false;
		user->stats.ring_errors++;
	}
	pthread_mutex_unlock(&user->lock);
	if (is_broken)
		host->broken(host->opaque, batch.generation);
	return batch.nr && !batch.is_last && !is_broken;
}

static void pmem_user_serve(struct pmem_user *user)
{
	uint64_t started_ns = now_ns();

	while (pmem_user_serve_batch(user, started_ns))
		started_ns = now_ns();
}

static bool pmem_user_woken(struct pmem_user *user)
{
	bool is_ending;

	pthread_mutex_lock(&user->lock);
	is_ending = user->is_ending;
	user->stats.kicks++;
	user->stats.worker_runs++;
	pthread_mutex_unlock(&user->lock);
	return !is_ending;
}

static void *pmem_user_main(void *arg)
{
	struct pmem_user *user = arg;
	uint64_t count;

	while (read(user->common.host.kick_fd, &count, sizeof(count)) > 0 &&
	       pmem_user_woken(user))
		pmem_user_serve(user);
	return NULL;
}

static void pmem_user_wake(struct pmem_user *user)
{
	uint64_t one = 1;

	if (write(user->common.host.kick_fd, &one, sizeof(one)) < 0)
		log_error("pmem %s: cannot wake its thread: %s; restart the VM",
			  user->common.host.name, strerror(errno));
}

static int pmem_user_start(struct pmem_backend *backend,
			   const struct vpmem_queue_config *queue,
			   uint64_t generation)
{
	struct pmem_user *user = to_user(backend);
	struct virtq vq = {
		.mem = &user->mem,
		.size = queue->size,
		.desc = queue->desc,
		.avail = queue->avail,
		.used = queue->used,
		.features = queue->features,
		.next_avail = queue->next_avail,
		.next_used = queue->next_used,
		.shown_used = queue->next_used,
	};
	int err = virtq_check(&vq);

	if (err)
		return err;
	pmem_user_lock(user);
	user->vq = vq;
	user->generation = generation;
	user->in_flight = 0;
	user->is_running = true;
	pmem_user_unlock(user);
	/* Requests may be waiting already, and their kick may be gone. */
	pmem_user_wake(user);
	return 0;
}

static bool pmem_user_stop(struct pmem_backend *backend)
{
	struct pmem_user *user = to_user(backend);

	pmem_user_lock(user);
	user->is_running = false;
	pthread_cond_signal(&user->changed);
	pmem_user_unlock(user);
	return true;
}

static int pmem_user_position(struct pmem_backend *backend,
			      struct pmem_position *position)
{
	struct pmem_user *user = to_user(backend);

	pmem_user_lock(user);
	position->next_avail = user->vq.next_avail - user->in_flight;
	position->next_used = user->vq.next_used;
	position->error = user->error ? user->error : user->untold;
	pmem_user_unlock(user);
	return 0;
}

static void pmem_user_fail(struct pmem_backend *backend)
{
	struct pmem_user *user = to_user(backend);

	pmem_user_lock(user);
	user->error = EIO;
	pmem_user_unlock(user);
}

static int pmem_user_stats(struct pmem_backend *backend,
			   struct vpmem_stats *stats)
{
	struct pmem_user *user = to_user(backend);
	uint64_t activity;

	pmem_user_lock(user);
	activity = user->stats.kicks + user->stats.batches;
	if (activity != user->timed_activity)
		user->stats.cpu_ns = cpu_ns(user->thread);
	user->timed_activity = activity;
	*stats = user->stats;
	pmem_user_unlock(user);
	return 0;
}

static void pmem_user_free(struct pmem_user *user)
{
	pthread_cond_destroy(&user->changed);
	pthread_mutex_destroy(&user->lock);
	free(user);
}

static void pmem_user_destroy(struct pmem_backend *backend)
{
	struct pmem_user *user = to_user(backend);

	pmem_user_lock(user);
	user->is_running = false;
	user->is_ending = true;
	pthread_cond_signal(&user->changed);
	pmem_user_unlock(user);
	pmem_user_wake(user);
	pthread_join(user->thread, NULL);
	pmem_user_free(user);
}

static const struct pmem_backend_ops pmem_user_ops = {
	.destroy = pmem_user_destroy,
	.start = pmem_user_start,
	.stop = pmem_user_stop,
	.position = pmem_user_position,
	.fail = pmem_user_fail,
	.stats = pmem_user_stats,
};

static void pmem_user_set_limits(struct pmem_user *user)
{
	const struct pmem_host *host = &user->common.host;
	uint64_t at_ns = now_ns();
	uint64_t bytes;

	bucket_set(&user->flush_bucket, &host->flush_limit, at_ns);
	bucket_set(&user->bytes_bucket, &host->bytes_limit, at_ns);
	if (host->bytes_limit.rate &&
	    backing_dirty_bytes(host->backing, &bytes))
		log_warn("pmem %s: bytes-limit counts the whole file for each sync: this kernel does not tell what one writes (Linux 6.5 does)",
			 host->name);
}

static struct pmem_user *pmem_user_alloc(const struct pmem_host *host)
{
	struct pmem_user *user = calloc(1, sizeof(*user));
	pthread_condattr_t attr;

	if (!user)
		return NULL;
	user->common.ops = &pmem_user_ops;
	user->common.host = *host;
	mem_copy(&user->mem, host->mem);
	pthread_mutex_init(&user->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&user->changed, &attr);
	pthread_condattr_destroy(&attr);
	return user;
}

int pmem_user_create(const struct pmem_host *host,
		     struct pmem_backend **backend)
{
	struct pmem_user *user = pmem_user_alloc(host);
	int err = ENOMEM;

	if (user) {
		pmem_user_set_limits(user);
		err = -thread_create(&user->thread, 0, pmem_user_main, user);
	}
	if (err) {
		log_error("pmem %s: cannot start a thread: %s; see ulimit -u and -v",
			  host->name, strerror(err));
		if (user)
			pmem_user_free(user);
		return -err;
	}
	*backend = &user->common;
	return 0;
}
