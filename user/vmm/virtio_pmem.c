// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-pmem devices: file, region and back end put together. What the guest
 * writes where it cannot be kept is noticed here.
 */
#include "virtio_pmem.h"

#include "config.h"
#include "layout.h"
#include "log.h"
#include "util.h"
#include "vm.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pmem.h>

#define PMEM_CLASS_MEMORY	0x058000	/* memory controller, other */
#define PMEM_SIZE_CHECK_SECONDS	2

/**
 * struct virtio_pmem - A device.
 * @vm: machine
 * @config: what the user asked for
 * @backing: file
 * @gpa: where the guest sees it
 * @space: configuration structure
 * @vdev: virtio part; is_started and the like under @transport's lock
 * @transport: PCI part
 * @backend: who serves the flushes
 * @is_kernel: the module does
 * @position: where the back end begins or has left the queue, under
 *	@transport's lock
 * @is_loaded: @position was loaded, and the back end knows nothing of it, under
 *	@transport's lock
 * @is_stopping: for a pause; the back end has not said yet that it has stopped,
 *	under @transport's lock
 * @nr_regions: how many of the device's regions are mapped, for undoing it
 * @has_trap: writes that cannot be kept come to us, on the bus
 * @lost_writes: such writes beyond the end of the file; atomic
 * @dropped_writes: such writes to a read-only device; atomic
 * @failed_starts: times its queue could not be served, under @transport's lock
 */
struct virtio_pmem {
	struct vm *vm;
	const struct config_pmem *config;
	struct backing backing;
	uint64_t gpa;
	struct virtio_pmem_config space;
	struct virtio_dev vdev;
	struct virtio_pci transport;
	struct pmem_backend *backend;
	bool is_kernel;
	struct pmem_position position;
	bool is_loaded;
	bool is_stopping;
	unsigned int nr_regions;
	bool has_trap;
	uint64_t lost_writes;
	uint64_t dropped_writes;
	uint64_t failed_starts;
};

/**
 * struct pmem_set - All devices of a VM; vm->pmem is its @devs.
 * @vm: machine
 * @size_watch: readable when it is time to look at the files' sizes
 * @stopped_fd: eventfd to signal when a queue has stopped late, or -1; atomic
 * @nr: devices that are created
 */
struct pmem_set {
	struct vm *vm;
	struct loop_source size_watch;
	int stopped_fd;
	size_t nr;
	struct virtio_pmem *devs[CONFIG_PMEM_MAX];
};

static struct pmem_set *to_set(struct vm *vm)
{
	return container_of(vm->pmem, struct pmem_set, devs[0]);
}

static struct virtio_pmem *to_pmem(struct virtio_dev *vdev)
{
	return container_of(vdev, struct virtio_pmem, vdev);
}

/* Lets the back end go on from @position. */
static int virtio_pmem_serve(struct virtio_pmem *dev)
{
	const struct virtio_dev *vdev = &dev->vdev;
	const struct vpmem_queue_config queue = {
		.size = vdev->queue.size,
		.desc = vdev->queue.desc,
		.avail = vdev->queue.avail,
		.used = vdev->queue.used,
		.features = vdev->driver_features,
		.next_avail = dev->position.next_avail,
		.next_used = dev->position.next_used,
	};
	int err = dev->backend->ops->start(dev->backend, &queue,
					   vdev->generation);

	if (err) {
		dev->failed_starts++;
		log_guest("pmem %s: its queue cannot be served: %s",
			  dev->config->id, strerror(-err));
	}
	return err;
}

static int virtio_pmem_start(struct virtio_dev *vdev)
{
	struct virtio_pmem *dev = to_pmem(vdev);

	dev->position = (struct pmem_position) { 0 };
	dev->is_loaded = false;
	return virtio_pmem_serve(dev);
}

static bool virtio_pmem_stop(struct virtio_dev *vdev)
{
	struct pmem_backend *backend = to_pmem(vdev)->backend;

	return backend->ops->stop(backend);
}

static const struct virtio_ops virtio_pmem_ops = {
	.start = virtio_pmem_start,
	.stop = virtio_pmem_stop,
};

static void virtio_pmem_broken(void *opaque, uint64_t generation)
{
	struct virtio_pmem *dev = opaque;

	log_guest("pmem %s: its ring cannot be trusted; the device needs a reset",
		  dev->config->id);
	virtio_pci_queue_broken(&dev->transport, generation);
}

static void virtio_pmem_stopped(void *opaque)
{
	struct virtio_pmem *dev = opaque;
	uint64_t one = 1;
	int fd = __atomic_load_n(&to_set(dev->vm)->stopped_fd, __ATOMIC_SEQ_CST);

	virtio_pci_queue_stopped(&dev->transport);
	pthread_mutex_lock(&dev->transport.pci.lock);
	dev->is_stopping = false;
	pthread_mutex_unlock(&dev->transport.pci.lock);
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		log_error("pmem %s: cannot tell that its queue has stopped: %s",
			  dev->config->id, strerror(errno));
}

/* Reads of the region are memory; this is for an access across its border. */
static void virtio_pmem_trap_read(void *opaque, uint64_t offset, void *data,
				  uint32_t len)
{
	memset(data, 0, len);
}

static void virtio_pmem_trap_write(void *opaque, uint64_t offset,
				   const void *data, uint32_t len)
{
	struct virtio_pmem *dev = opaque;

	if (dev->config->read_only) {
		__atomic_fetch_add(&dev->dropped_writes, 1, __ATOMIC_RELAXED);
		log_guest("pmem %s: write at 0x%llx dropped: the device is read-only",
			  dev->config->id, (unsigned long long)offset);
		return;
	}
	log_guest("pmem %s: write at 0x%llx lost: beyond the end of %s; flushes fail now",
		  dev->config->id,
		  (unsigned long long)(dev->backing.map_bytes + offset),
		  dev->config->path);
	__atomic_fetch_add(&dev->lost_writes, 1, __ATOMIC_RELAXED);
	/* ORDER: the flushes fail before the vCPU that made the write goes on
	 * to ask for one. Each time: an operator may have cleared the error.
	 */
	dev->backend->ops->fail(dev->backend);
}

static const struct bus_ops virtio_pmem_trap_ops = {
	.read = virtio_pmem_trap_read,
	.write = virtio_pmem_trap_write,
};

static int virtio_pmem_add_region(struct virtio_pmem *dev, uint64_t offset,
				  uint64_t size, enum mem_kind kind)
{
	int err;

	if (!size)
		return 0;
	err = mem_add(&dev->vm->mem, dev->gpa + offset, size,
		      (char *)dev->backing.hva + offset, kind);
	if (!err)
		dev->nr_regions++;
	return err;
}

/* Where the guest's writes cannot be kept, from @offset to the region's end. */
static int virtio_pmem_add_trap(struct virtio_pmem *dev, uint64_t offset)
{
	uint64_t size = dev->backing.region_bytes - offset;
	int err;

	if (!size)
		return 0;
	err = bus_add(&dev->vm->mmio, dev->gpa + offset, size,
		      &virtio_pmem_trap_ops, dev);
	dev->has_trap = !err;
	return err;
}

static uint64_t virtio_pmem_trap_offset(const struct virtio_pmem *dev)
{
	if (dev->config->read_only)
		return 0;
	if (dev->config->discard_writes)
		return dev->backing.region_bytes;
	return dev->backing.map_bytes;
}

static int virtio_pmem_map_regions(struct virtio_pmem *dev)
{
	uint64_t writable = virtio_pmem_trap_offset(dev);
	int err;

	err = mem_alloc_pmem(&dev->vm->mem, dev->backing.region_bytes,
			     &dev->gpa);
	if (!err)
		err = virtio_pmem_add_region(dev, 0, writable, MEM_PMEM);
	if (!err)
		err = virtio_pmem_add_region(dev, writable,
					     dev->backing.region_bytes -
					     writable, MEM_PMEM_RO);
	if (!err)
		err = virtio_pmem_add_trap(dev, writable);
	if (err)
		log_error("pmem %s: no room in the guest: %s; use fewer or smaller devices",
			  dev->config->id, strerror(-err));
	return err;
}

static void virtio_pmem_unmap_regions(struct virtio_pmem *dev)
{
	uint64_t writable = virtio_pmem_trap_offset(dev);

	if (dev->has_trap)
		bus_del(&dev->vm->mmio, dev->gpa + writable);
	if (dev->nr_regions == 2 || (dev->nr_regions && !writable))
		mem_del(&dev->vm->mem, dev->gpa + writable);
	if (dev->nr_regions && writable)
		mem_del(&dev->vm->mem, dev->gpa);
}

/* First half of creation: file and region, which all back ends need to know. */
static struct virtio_pmem *virtio_pmem_map(struct vm *vm,
					   const struct config_pmem *config,
					   int *err)
{
	const struct backing_config file = {
		.path = config->path,
		.read_only = config->read_only,
		.discard_writes = config->discard_writes,
	};
	struct virtio_pmem *dev = calloc(1, sizeof(*dev));

	*err = -ENOMEM;
	if (!dev) {
		log_error("pmem %s: out of memory; free some", config->id);
		return NULL;
	}
	dev->vm = vm;
	dev->config = config;
	*err = backing_open(&dev->backing, &file);
	if (!*err) {
		*err = virtio_pmem_map_regions(dev);
		if (!*err)
			return dev;
		virtio_pmem_unmap_regions(dev);
		backing_close(&dev->backing);
	}
	free(dev);
	return NULL;
}

static int virtio_pmem_use_kernel(struct virtio_pmem *dev,
				  const struct pmem_host *host)
{
	char why[256];
	int err = pmem_kernel_create(host, &dev->backend, why, sizeof(why));

	dev->is_kernel = !err;
	if (err)
		log_error("pmem %s: no flush=kernel: %s; fix it or use flush=user",
			  dev->config->id, why);
	return err;
}

/* It makes a difference which one it is, so it is told in any case. */
static int virtio_pmem_use_best(struct virtio_pmem *dev,
				const struct pmem_host *host)
{
	char why[256];
	int err = pmem_kernel_create(host, &dev->backend, why, sizeof(why));

	dev->is_kernel = !err;
	if (!err) {
		log_notice("pmem %s: flush=auto: served by the kernel",
			   dev->config->id);
		return 0;
	}
	err = pmem_user_create(host, &dev->backend);
	if (err)
		return err;
	log_notice("pmem %s: flush=auto: served by a thread: %s",
		   dev->config->id, why);
	if (host->write_behind)
		log_warn("pmem %s: no write-behind: only the module does that",
			 dev->config->id);
	return 0;
}

static int virtio_pmem_choose(struct virtio_pmem *dev,
			      const struct pmem_host *host)
{
	switch (dev->config->flush) {
	case CONFIG_FLUSH_AUTO:
		return virtio_pmem_use_best(dev, host);
	case CONFIG_FLUSH_KERNEL:
		return virtio_pmem_use_kernel(dev, host);
	case CONFIG_FLUSH_USER:
		break;
	}
	return pmem_user_create(host, &dev->backend);
}

/* Second half: back end and place on the bus. */
static int virtio_pmem_attach(struct virtio_pmem *dev)
{
	struct pmem_host host = {
		.name = dev->config->id,
		.backing = &dev->backing,
		.mem = &dev->vm->mem,
		.loop = &dev->vm->loop,
		.exec = dev->config->exec,
		.on_error = dev->config->on_error,
		.flush_limit = dev->config->flush_limit,
		.bytes_limit = dev->config->bytes_limit,
		.write_behind = dev->config->write_behind,
		.broken = virtio_pmem_broken,
		.stopped = virtio_pmem_stopped,
		.opaque = dev,
	};
	int err;

	dev->space.start = htole64(dev->gpa);
	dev->space.size = htole64(dev->backing.region_bytes);
	virtio_init(&dev->vdev, &virtio_pmem_ops, 1ull << VIRTIO_F_VERSION_1,
		    &dev->space, sizeof(dev->space));
	err = virtio_pci_init(&dev->transport, dev->vm, &dev->vdev,
			      VIRTIO_ID_PMEM, PMEM_CLASS_MEMORY);
	if (err) {
		log_error("pmem %s: no place on the PCI bus: %s; use fewer devices",
			  dev->config->id, strerror(-err));
		return err;
	}
	host.kick_fd = dev->transport.kick_fd;
	host.call_fd = dev->transport.call_fd;
	err = virtio_pmem_choose(dev, &host);
	if (err)
		virtio_pci_exit(&dev->transport);
	return err;
}

static void virtio_pmem_destroy(struct virtio_pmem *dev)
{
	if (dev->backend) {
		dev->backend->ops->destroy(dev->backend);
		virtio_pci_exit(&dev->transport);
	}
	virtio_pmem_unmap_regions(dev);
	backing_close(&dev->backing);
	free(dev);
}

static void virtio_pmem_check_sizes(struct pmem_set *set)
{
	size_t i;

	for (i = 0; i < set->nr; i++) {
		struct virtio_pmem *dev = set->devs[i];

		if (backing_check_size(&dev->backing) != BACKING_SIZE_SHRUNK)
			continue;
		log_error("pmem %s: %s shrank under the guest; restore it and start again",
			  dev->config->id, dev->config->path);
		loop_quit(&set->vm->loop, 1);
	}
}

static void virtio_pmem_sizes_due(struct loop_source *source, uint32_t events)
{
	struct pmem_set *set = container_of(source, struct pmem_set,
					    size_watch);
	char what[4096];

	/* Which file it was does not matter, nor how often. */
	if (read(source->fd, what, sizeof(what)) > 0)
		virtio_pmem_check_sizes(set);
}

/* Descriptor that tells of changes, or -errno if it could not of each file. */
static int virtio_pmem_open_watch(const struct pmem_set *set)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int err = fd < 0 ? -errno : 0;
	size_t i;

	for (i = 0; i < set->nr && !err; i++)
		err = backing_watch(&set->devs[i]->backing, fd);
	if (!err)
		return fd;
	cleanup_close(&fd);
	return err;
}

static int virtio_pmem_open_timer(void)
{
	const struct itimerspec spec = {
		.it_value.tv_sec = PMEM_SIZE_CHECK_SECONDS,
		.it_interval.tv_sec = PMEM_SIZE_CHECK_SECONDS,
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (fd >= 0 && !timerfd_settime(fd, 0, &spec, NULL))
		return fd;
	err = -errno;
	cleanup_close(&fd);
	return err;
}

/* A timer only where nobody tells: an idle VM is to sleep. */
static int virtio_pmem_watch_sizes(struct pmem_set *set)
{
	struct loop_source *watch = &set->size_watch;
	int err;

	watch->fn = virtio_pmem_sizes_due;
	watch->fd = virtio_pmem_open_watch(set);
	if (watch->fd < 0)
		watch->fd = virtio_pmem_open_timer();
	err = watch->fd < 0 ? watch->fd : loop_add(&set->vm->loop, watch);
	if (err) {
		log_error("pmem: cannot start a timer: %s; see the limits (ulimit -a)",
			  strerror(-err));
		cleanup_close(&watch->fd);
		watch->fd = -1;
		return err;
	}
	/* What changed before it was watched. */
	virtio_pmem_check_sizes(set);
	return 0;
}

int virtio_pmem_create(struct vm *vm)
{
	const struct config *config = vm->config;
	struct pmem_set *set = calloc(1, sizeof(*set));
	size_t i;
	int err = 0;

	if (!set) {
		log_error("pmem: out of memory; free some");
		return -ENOMEM;
	}
	set->vm = vm;
	set->size_watch.fd = -1;
	set->stopped_fd = -1;
	vm->pmem = set->devs;
	for (i = 0; i < config->nr_pmem && !err; i++) {
		set->devs[i] = virtio_pmem_map(vm, &config->pmem[i], &err);
		set->nr += !err;
	}
	/* ORDER: a back end is told of all memory, that of later devices too. */
	for (i = 0; i < set->nr && !err; i++)
		err = virtio_pmem_attach(set->devs[i]);
	if (!err && set->nr)
		err = virtio_pmem_watch_sizes(set);
	if (err)
		virtio_pmem_destroy_all(vm);
	return err;
}

void virtio_pmem_destroy_all(struct vm *vm)
{
	struct pmem_set *set;

	if (!vm->pmem)
		return;
	set = to_set(vm);
	if (set->size_watch.fd >= 0) {
		loop_del(&vm->loop, &set->size_watch);
		close(set->size_watch.fd);
	}
	while (set->nr)
		virtio_pmem_destroy(set->devs[--set->nr]);
	free(set);
	vm->pmem = NULL;
}

/* A queue that the device or its driver has given up is not served anyway. */
static bool virtio_pmem_is_served(const struct virtio_pmem *dev)
{
	return dev->vdev.is_started && !dev->vdev.is_resetting &&
	       !(dev->vdev.status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

void virtio_pmem_pause_all(struct vm *vm, int stopped_fd)
{
	struct pmem_set *set = to_set(vm);
	size_t i;

	__atomic_store_n(&set->stopped_fd, stopped_fd, __ATOMIC_SEQ_CST);
	for (i = 0; i < set->nr; i++) {
		struct virtio_pmem *dev = set->devs[i];

		pthread_mutex_lock(&dev->transport.pci.lock);
		if (virtio_pmem_is_served(dev))
			dev->is_stopping =
				!dev->backend->ops->stop(dev->backend);
		pthread_mutex_unlock(&dev->transport.pci.lock);
	}
}

bool virtio_pmem_are_paused(struct vm *vm)
{
	struct pmem_set *set = to_set(vm);
	bool are_paused = true;
	size_t i;

	for (i = 0; i < set->nr; i++) {
		struct virtio_pmem *dev = set->devs[i];

		pthread_mutex_lock(&dev->transport.pci.lock);
		are_paused &= !dev->is_stopping && !dev->vdev.is_resetting;
		pthread_mutex_unlock(&dev->transport.pci.lock);
	}
	return are_paused;
}

/* @transport's lock held. */
static void virtio_pmem_resume(struct virtio_pmem *dev)
{
	int err = 0;

	if (!virtio_pmem_is_served(dev))
		return;
	dev->vdev.generation++;
	if (!dev->is_loaded)
		err = dev->backend->ops->position(dev->backend, &dev->position);
	dev->is_loaded = false;
	if (!err)
		err = virtio_pmem_serve(dev);
	if (err)
		virtio_pci_need_reset(&dev->transport);
}

void virtio_pmem_resume_all(struct vm *vm)
{
	struct pmem_set *set = to_set(vm);
	size_t i;

	__atomic_store_n(&set->stopped_fd, -1, __ATOMIC_SEQ_CST);
	for (i = 0; i < set->nr; i++) {
		pthread_mutex_lock(&set->devs[i]->transport.pci.lock);
		virtio_pmem_resume(set->devs[i]);
		pthread_mutex_unlock(&set->devs[i]->transport.pci.lock);
	}
}

/* What a sync at the end cannot bring back. */
static bool virtio_pmem_has_lost(struct virtio_pmem *dev)
{
	struct vpmem_stats stats = { 0 };

	dev->backend->ops->stats(dev->backend, &stats);
	return stats.sync_errors ||
	       __atomic_load_n(&dev->lost_writes, __ATOMIC_RELAXED);
}

static int virtio_pmem_sync(struct virtio_pmem *dev)
{
	int err;

	if (dev->vdev.is_started)
		dev->backend->ops->stop(dev->backend);
	err = backing_sync(&dev->backing);
	if (err)
		log_error("pmem %s: last sync of %s failed: %s; data may be lost, check the disk",
			  dev->config->id, dev->config->path, strerror(-err));
	backing_check_size(&dev->backing);
	if (!err && virtio_pmem_has_lost(dev)) {
		log_error("pmem %s: %s lacks writes that could not be kept, see above; check it",
			  dev->config->id, dev->config->path);
		err = -EIO;
	}
	return err;
}

int virtio_pmem_sync_all(struct vm *vm)
{
	struct pmem_set *set = to_set(vm);
	int first_err = 0;
	size_t i;

	for (i = 0; i < set->nr; i++) {
		int err = virtio_pmem_sync(set->devs[i]);

		if (!first_err)
			first_err = err;
	}
	return first_err;
}

int virtio_pmem_stats(struct virtio_pmem *dev, struct vpmem_stats *stats)
{
	return dev->backend->ops->stats(dev->backend, stats);
}

void virtio_pmem_info(struct virtio_pmem *dev, struct virtio_pmem_info *info)
{
	*info = (struct virtio_pmem_info) {
		.id = dev->config->id,
		.is_kernel = dev->is_kernel,
		.lost_writes = __atomic_load_n(&dev->lost_writes,
					       __ATOMIC_RELAXED),
		.dropped_writes = __atomic_load_n(&dev->dropped_writes,
						  __ATOMIC_RELAXED),
	};
	pthread_mutex_lock(&dev->transport.pci.lock);
	info->failed_starts = dev->failed_starts;
	info->config_writes = dev->transport.config_writes;
	info->needs_resets = dev->vdev.needs_resets;
	pthread_mutex_unlock(&dev->transport.pci.lock);
	info->size_changed = dev->backing.seen_bytes != dev->backing.file_bytes;
}

int virtio_pmem_sync_paused(struct virtio_pmem *dev)
{
	int err = backing_sync(&dev->backing);

	/* The kernel may have dropped what it could not write, and this told it. */
	if (err)
		dev->backend->ops->fail(dev->backend);
	return err;
}

int virtio_pmem_save(struct virtio_pmem *dev, struct virtio_pmem_state *state)
{
	int err;

	*state = (struct virtio_pmem_state) {
		.gpa = dev->gpa,
		.region_bytes = dev->backing.region_bytes,
	};
	err = backing_identify(&dev->backing, &state->file);
	if (err)
		return err;
	pthread_mutex_lock(&dev->transport.pci.lock);
	virtio_pci_save(&dev->transport, &state->transport);
	err = dev->backend->ops->position(dev->backend, &state->position);
	/* Without a queue to go on with only its error counts. */
	if (!virtio_pmem_is_served(dev)) {
		state->position.next_avail = 0;
		state->position.next_used = 0;
		err = 0;
	}
	pthread_mutex_unlock(&dev->transport.pci.lock);
	return err;
}

const char *virtio_pmem_check(struct virtio_pmem *dev,
			      const struct virtio_pmem_state *state,
			      bool file_too)
{
	const struct backing_identity *was = &state->file;
	struct backing_identity is;

	if (state->gpa != dev->gpa ||
	    state->region_bytes != dev->backing.region_bytes ||
	    !pci_is_same(&dev->transport.pci, &state->transport.pci))
		return "its device is not as this program makes it";
	if ((state->transport.status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    (state->transport.features & ~dev->vdev.offered))
		return "its driver has features that this program has not";
	if (!file_too)
		return NULL;
	if (backing_identify(&dev->backing, &is))
		return "its file cannot be looked at";
	if (is.device != was->device || is.inode != was->inode)
		return "its file is another one";
	if (is.size_bytes != was->size_bytes || is.mtime_ns != was->mtime_ns)
		return "its file was changed since";
	return NULL;
}

void virtio_pmem_load(struct virtio_pmem *dev,
		      const struct virtio_pmem_state *state)
{
	pthread_mutex_lock(&dev->transport.pci.lock);
	/* Also a queue that broke is only started again after a stop. */
	if (dev->vdev.is_started && !dev->is_stopping)
		dev->is_stopping = !dev->backend->ops->stop(dev->backend);
	virtio_pci_load(&dev->transport, &state->transport);
	dev->position = state->position;
	dev->is_loaded = true;
	pthread_mutex_unlock(&dev->transport.pci.lock);
	if (state->position.error)
		dev->backend->ops->fail(dev->backend);
}
