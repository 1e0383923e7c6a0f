// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flushes served by the kernel module. Each device has a socket of its own, so
 * that no lock is shared between devices. Once the module is gone, what the
 * guest still asks for is refused here.
 */
#include "pmem_backend.h"

#include "backing.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "pmem_req.h"
#include "util.h"
#include "virtq.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <linux/virtio_ring.h>

/* Stopping does not wait for a sync; longer than this it is left to an event. */
#define STOP_TIMEOUT_MS		500

/**
 * struct pmem_kernel - A device of the module.
 * @common: common part
 * @source: the socket in the main loop
 * @kick: the kick eventfd in the main loop, once the module is gone
 * @mem: the guest's memory as it was at creation
 * @lock: guards all that follows
 * @sock: owns the device
 * @id: device
 * @generation: of the queue that was started last
 * @queue: the ring of that queue
 * @left: how far it had come when it stopped, if @has_left
 * @is_started: it was started, and not stopped since
 * @is_stopping: queue-stop was asked for
 * @has_left: the module has said where it stopped
 * @is_gone: the module was unloaded
 * @has_kick: @kick is in the loop
 * @reported: errno of the last sync error that was logged
 */
struct pmem_kernel {
	struct pmem_backend common;
	struct loop_source source;
	struct loop_source kick;
	struct mem mem;
	pthread_mutex_t lock;
	struct vpmem_sock *sock;
	uint32_t id;
	uint64_t generation;
	struct vpmem_queue_config queue;
	struct pmem_position left;
	bool is_started;
	bool is_stopping;
	bool has_left;
	bool is_gone;
	bool has_kick;
	uint32_t reported;
};

/**
 * struct pmem_news - What events said; told after the lock is released.
 * @is_broken: the queue that was started as @generation broke
 * @is_stopped: the queue has stopped
 */
struct pmem_news {
	bool is_broken;
	bool is_stopped;
	uint64_t generation;
};

static struct pmem_kernel *to_kernel(struct pmem_backend *backend)
{
	return container_of(backend, struct pmem_kernel, common);
}

static void pmem_kernel_log_sync_error(struct pmem_kernel *kernel,
				       uint32_t error)
{
	const struct pmem_host *host = &kernel->common.host;

	if (kernel->reported != error)
		log_warn("pmem %s: sync of %s failed: %s; %s", host->name,
			 host->backing->config.path, strerror(error),
			 host->on_error == VPMEM_ON_ERROR_STICKY ?
			 "all later flushes fail until vpmemctl clear-error" :
			 "the guest is told");
	kernel->reported = error;
}

/* @lock held. */
static void pmem_kernel_gone(struct pmem_kernel *kernel, const char *why)
{
	if (!kernel->is_gone)
		log_warn("pmem %s: no more served by the module: %s; restart the VM",
			 kernel->common.host.name, why);
	kernel->is_gone = true;
}

/* @lock held. */
static void pmem_kernel_note_left(struct pmem_kernel *kernel,
				  uint16_t next_avail, uint16_t next_used)
{
	kernel->left = (struct pmem_position) {
		.next_avail = next_avail,
		.next_used = next_used,
	};
	kernel->has_left = true;
}

/* @lock held. */
static void pmem_kernel_note(struct pmem_kernel *kernel,
			     const struct vpmem_event *event,
			     struct pmem_news *news)
{
	if (event->id != kernel->id)
		return;
	switch (event->type) {
	case VPMEM_EVENT_DEV_DELETED:
		pmem_kernel_gone(kernel, "its device was deleted");
		news->is_broken = true;
		news->is_stopped = true;
		break;
	case VPMEM_EVENT_QUEUE_STOPPED:
		pmem_kernel_note_left(kernel, event->next_avail,
				      event->next_used);
		news->is_stopped = true;
		break;
	case VPMEM_EVENT_QUEUE_BROKEN:
		news->is_broken = true;
		break;
	case VPMEM_EVENT_SYNC_ERROR:
		pmem_kernel_log_sync_error(kernel, event->error);
		break;
	case VPMEM_EVENT_DEV_ADDED:
		break;
	}
}

/* Events were lost: the state itself tells what they would have. @lock held. */
static void pmem_kernel_reread(struct pmem_kernel *kernel,
			       struct pmem_news *news)
{
	struct vpmem_dev_info info;
	int err = vpmem_dev_get(kernel->sock, kernel->id, &info);

	if (err) {
		struct vpmem_event gone = {
			.type = VPMEM_EVENT_DEV_DELETED,
			.id = kernel->id,
		};

		pmem_kernel_note(kernel, &gone, news);
		return;
	}
	news->is_broken |= info.queue_state == VPMEM_QUEUE_STATE_BROKEN;
	news->is_stopped |= info.queue_state == VPMEM_QUEUE_STATE_STOPPED;
	if (news->is_stopped)
		pmem_kernel_note_left(kernel, info.next_avail, info.next_used);
	if (info.error)
		pmem_kernel_log_sync_error(kernel, info.error);
}

/*
 * Takes the events that are there, after waiting @timeout_ms for a first one.
 * @lock held.
 */
static void pmem_kernel_drain(struct pmem_kernel *kernel,
			      struct pmem_news *news, int timeout_ms)
{
	struct vpmem_event event;
	int err;

	for (;;) {
		err = vpmem_event_next(kernel->sock, &event, timeout_ms);
		if (err == -ENOBUFS)
			pmem_kernel_reread(kernel, news);
		else if (!err)
			pmem_kernel_note(kernel, &event, news);
		else if (err != -EINTR)
			break;
		timeout_ms = 0;
	}
	news->is_stopped &= kernel->is_stopping;
	if (news->is_stopped)
		kernel->is_stopping = false;
	news->generation = kernel->generation;
}

/*
 * The ring as the module has left it: it completes in the order in which it
 * takes, so that the used index tells both. @lock held.
 */
static int pmem_kernel_ring(const struct pmem_kernel *kernel, struct virtq *vq)
{
	const struct vpmem_queue_config *queue = &kernel->queue;
	struct vring_used used;
	int err;

	err = virtq_read(&kernel->mem, queue->used, &used, sizeof(used));
	if (err)
		return err;
	*vq = (struct virtq) {
		.mem = &kernel->mem,
		.size = queue->size,
		.desc = queue->desc,
		.avail = queue->avail,
		.used = queue->used,
		.features = queue->features,
		.next_used = le16toh(used.idx),
	};
	vq->next_avail = queue->next_avail + vq->next_used - queue->next_used;
	vq->shown_used = vq->next_used;
	return virtq_check(vq);
}

/* A driver without an answer waits for ever. @lock held. */
static void pmem_kernel_refuse(struct pmem_kernel *kernel)
{
	bool wants_signal = false;
	uint64_t one = 1;
	struct virtq vq;

	if (!kernel->is_started || pmem_kernel_ring(kernel, &vq))
		return;
	pmem_req_refuse_all(&vq, &wants_signal);
	if (wants_signal &&
	    write(kernel->common.host.call_fd, &one, sizeof(one)) < 0)
		log_error("pmem %s: cannot interrupt the guest: %s",
			  kernel->common.host.name, strerror(errno));
}

static void pmem_kernel_kicked(struct loop_source *source, uint32_t events)
{
	struct pmem_kernel *kernel = container_of(source, struct pmem_kernel,
						  kick);
	uint64_t count;

	if (read(source->fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&kernel->lock);
	pmem_kernel_refuse(kernel);
	pthread_mutex_unlock(&kernel->lock);
}

/*
 * ORDER: after the device has said that it needs a reset. A driver that did not
 * see that yet kicks later, and is refused then.
 */
static void pmem_kernel_orphaned(struct pmem_kernel *kernel)
{
	pthread_mutex_lock(&kernel->lock);
	if (kernel->is_gone && !kernel->has_kick)
		kernel->has_kick = !loop_add(kernel->common.host.loop,
					     &kernel->kick);
	if (kernel->is_gone)
		pmem_kernel_refuse(kernel);
	pthread_mutex_unlock(&kernel->lock);
}

static void pmem_kernel_tell(struct pmem_kernel *kernel,
			     const struct pmem_news *news)
{
	const struct pmem_host *host = &kernel->common.host;

	if (news->is_broken) {
		host->broken(host->opaque, news->generation);
		pmem_kernel_orphaned(kernel);
	}
	if (news->is_stopped)
		host->stopped(host->opaque);
}

static void pmem_kernel_ready(struct loop_source *source, uint32_t events)
{
	struct pmem_kernel *kernel = container_of(source, struct pmem_kernel,
						  source);
	struct pmem_news news = { .is_broken = false };

	pthread_mutex_lock(&kernel->lock);
	pmem_kernel_drain(kernel, &news, 0);
	pthread_mutex_unlock(&kernel->lock);
	pmem_kernel_tell(kernel, &news);
}

static int pmem_kernel_start(struct pmem_backend *backend,
			     const struct vpmem_queue_config *queue,
			     uint64_t generation)
{
	struct pmem_kernel *kernel = to_kernel(backend);
	struct pmem_news news = { .is_broken = false };
	int err;

	pthread_mutex_lock(&kernel->lock);
	kernel->generation = generation;
	kernel->queue = *queue;
	kernel->has_left = false;
	err = vpmem_queue_start(kernel->sock, kernel->id, queue);
	if (err)
		log_guest("pmem %s: cannot start its queue: %s", backend->host.name,
			  vpmem_sock_error(kernel->sock));
	/* A queue may have been paused when the module went. */
	kernel->is_started = !err || kernel->is_gone;
	if (kernel->is_gone)
		pmem_kernel_refuse(kernel);
	/* The command may have put events aside, which no poll() will show. */
	pmem_kernel_drain(kernel, &news, 0);
	pthread_mutex_unlock(&kernel->lock);
	if (!err && news.is_broken)
		err = -EPROTO;
	return err;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* @lock held. */
static bool pmem_kernel_wait_stopped(struct pmem_kernel *kernel)
{
	int64_t deadline = now_ms() + STOP_TIMEOUT_MS;
	struct pmem_news news = { .is_broken = false };
	int64_t left;

	for (left = STOP_TIMEOUT_MS; left > 0; left = deadline - now_ms()) {
		pmem_kernel_drain(kernel, &news, left);
		if (news.is_stopped)
			return true;
	}
	return false;
}

static bool pmem_kernel_stop(struct pmem_backend *backend)
{
	struct pmem_kernel *kernel = to_kernel(backend);
	bool is_stopped = true;
	int err = -ENODEV;

	pthread_mutex_lock(&kernel->lock);
	kernel->is_started = false;
	if (!kernel->is_gone)
		err = vpmem_queue_stop(kernel->sock, kernel->id);
	if (!err) {
		kernel->is_stopping = true;
		is_stopped = pmem_kernel_wait_stopped(kernel);
	} else {
		pmem_kernel_gone(kernel, vpmem_sock_error(kernel->sock));
	}
	pthread_mutex_unlock(&kernel->lock);
	return is_stopped;
}

static int pmem_kernel_position(struct pmem_backend *backend,
				struct pmem_position *position)
{
	struct pmem_kernel *kernel = to_kernel(backend);
	struct vpmem_dev_info info;
	struct virtq vq;
	int err = 0;

	pthread_mutex_lock(&kernel->lock);
	if (!kernel->has_left)
		err = pmem_kernel_ring(kernel, &vq);
	if (!kernel->has_left && !err)
		pmem_kernel_note_left(kernel, vq.next_avail, vq.next_used);
	*position = kernel->left;
	position->error = vpmem_dev_get(kernel->sock, kernel->id, &info) ? EIO :
			  (int)info.error;
	pthread_mutex_unlock(&kernel->lock);
	return err;
}

static void pmem_kernel_fail(struct pmem_backend *backend)
{
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_ERROR,
		.error = EIO,
	};
	struct pmem_kernel *kernel = to_kernel(backend);
	struct pmem_news news = { .is_broken = false };
	char why[256];
	int err;

	pthread_mutex_lock(&kernel->lock);
	err = vpmem_dev_set(kernel->sock, kernel->id, &change);
	if (err)
		snprintf(why, sizeof(why), "%s", vpmem_sock_error(kernel->sock));
	/* ORDER: it may tell that the module is gone, and then all flushes fail. */
	pmem_kernel_drain(kernel, &news, 0);
	if (err && !kernel->is_gone)
		log_guest("pmem %s: cannot make its flushes fail: %s; restart the VM",
			  backend->host.name, why);
	pthread_mutex_unlock(&kernel->lock);
	pmem_kernel_tell(kernel, &news);
}

static int pmem_kernel_stats(struct pmem_backend *backend,
			     struct vpmem_stats *stats)
{
	struct pmem_kernel *kernel = to_kernel(backend);
	struct pmem_news news = { .is_broken = false };
	struct vpmem_dev_info info;
	int err;

	pthread_mutex_lock(&kernel->lock);
	err = vpmem_dev_get(kernel->sock, kernel->id, &info);
	pmem_kernel_drain(kernel, &news, 0);
	pthread_mutex_unlock(&kernel->lock);
	pmem_kernel_tell(kernel, &news);
	if (!err)
		*stats = info.stats;
	return err;
}

static void pmem_kernel_destroy(struct pmem_backend *backend)
{
	struct pmem_kernel *kernel = to_kernel(backend);

	loop_del(backend->host.loop, &kernel->source);
	if (kernel->has_kick)
		loop_del(backend->host.loop, &kernel->kick);
	vpmem_sock_destroy(kernel->sock);
	pthread_mutex_destroy(&kernel->lock);
	free(kernel);
}

static const struct pmem_backend_ops pmem_kernel_ops = {
	.destroy = pmem_kernel_destroy,
	.start = pmem_kernel_start,
	.stop = pmem_kernel_stop,
	.position = pmem_kernel_position,
	.fail = pmem_kernel_fail,
	.stats = pmem_kernel_stats,
};

/* All memory that devices may write: PEER-20, other devices' pmem included. */
static size_t pmem_kernel_regions(const struct mem *mem,
				  struct vpmem_region *regions)
{
	size_t i, nr = 0;

	for (i = 0; i < mem->nr_regions; i++) {
		const struct mem_region *region = &mem->regions[i];

		if (region->kind != MEM_RAM && region->kind != MEM_PMEM)
			continue;
		regions[nr++] = (struct vpmem_region) {
			.gpa = region->gpa,
			.size = region->size,
			.hva = (uintptr_t)region->hva,
		};
	}
	return nr;
}

static int pmem_kernel_add(struct pmem_kernel *kernel)
{
	const struct pmem_host *host = &kernel->common.host;
	const struct backing *backing = host->backing;
	struct vpmem_region regions[MEM_REGIONS_MAX];
	struct vpmem_dev_config config = {
		.name = host->name,
		.backing_fd = backing->fd,
		.length = backing->file_bytes,
		.regions = regions,
		.nr_regions = pmem_kernel_regions(host->mem, regions),
		.kick_fd = host->kick_fd,
		.call_fd = host->call_fd,
		.exec = host->exec,
		.on_error = host->on_error,
		.flush_limit = host->flush_limit,
		.bytes_limit = host->bytes_limit,
		.write_behind = host->write_behind,
	};

	if (backing->config.read_only)
		config.flags |= VPMEM_DEV_FLAGS_READ_ONLY;
	else if (backing->config.discard_writes)
		config.flags |= VPMEM_DEV_FLAGS_DISCARD_WRITES;
	return vpmem_dev_add(kernel->sock, &config, &kernel->id);
}

static int pmem_kernel_connect(struct pmem_kernel *kernel, char *why,
			       size_t why_len)
{
	int err = vpmem_sock_create(&kernel->sock);

	if (err == -ENOENT)
		snprintf(why, why_len, "the vpmem module is not loaded");
	else if (err)
		snprintf(why, why_len, "%s", strerror(-err));
	if (err)
		return err;
	err = pmem_kernel_add(kernel);
	if (err == -EPERM)
		snprintf(why, why_len, "CAP_NET_ADMIN is missing");
	else if (err)
		snprintf(why, why_len, "%s", vpmem_sock_error(kernel->sock));
	return err;
}

int pmem_kernel_create(const struct pmem_host *host,
		       struct pmem_backend **backend, char *why, size_t why_len)
{
	struct pmem_kernel *kernel = calloc(1, sizeof(*kernel));
	int err;

	if (!kernel) {
		snprintf(why, why_len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	kernel->common.ops = &pmem_kernel_ops;
	kernel->common.host = *host;
	kernel->kick.fd = host->kick_fd;
	kernel->kick.fn = pmem_kernel_kicked;
	mem_copy(&kernel->mem, host->mem);
	pthread_mutex_init(&kernel->lock, NULL);
	err = pmem_kernel_connect(kernel, why, why_len);
	if (!err) {
		kernel->source.fd = vpmem_sock_fd(kernel->sock);
		kernel->source.fn = pmem_kernel_ready;
		err = loop_add(host->loop, &kernel->source);
		if (err)
			snprintf(why, why_len, "%s", strerror(-err));
	}
	if (err) {
		vpmem_sock_destroy(kernel->sock);
		pthread_mutex_destroy(&kernel->lock);
		free(kernel);
		return err;
	}
	*backend = &kernel->common;
	return 0;
}
