// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-pmem devices from the guest's side: regions, flushes, the ack rule,
 * errors, reset. Syncs are held and failed by the test, the module is played.
 */
#include "backing.h"
#include "fake_kvm.h"
#include "layout.h"
#include "machine.h"
#include "pmem_backend.h"
#include "virtio_pmem.h"
#include "virtq.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "kselftest_harness.h"

#define FIRST_DEVFN	8u
#define TYPE_FLUSH	0u

/* The sync, in the test's hands. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int started;
	unsigned int may_end;
	int err;
} sync_ctl;

int __real_backing_sync(const struct backing *backing);
int __wrap_backing_sync(const struct backing *backing);

int __wrap_backing_sync(const struct backing *backing)
{
	unsigned int nr;
	int err;

	pthread_mutex_lock(&sync_ctl.lock);
	nr = sync_ctl.started++;
	pthread_cond_broadcast(&sync_ctl.changed);
	while (nr >= sync_ctl.may_end)
		pthread_cond_wait(&sync_ctl.changed, &sync_ctl.lock);
	err = sync_ctl.err;
	pthread_mutex_unlock(&sync_ctl.lock);
	return err ? err : __real_backing_sync(backing);
}

static void sync_allow(unsigned int may_end, int err)
{
	pthread_mutex_lock(&sync_ctl.lock);
	sync_ctl.may_end = may_end;
	sync_ctl.err = err;
	pthread_cond_broadcast(&sync_ctl.changed);
	pthread_mutex_unlock(&sync_ctl.lock);
}

static unsigned int sync_started(void)
{
	unsigned int started;

	pthread_mutex_lock(&sync_ctl.lock);
	started = sync_ctl.started;
	pthread_mutex_unlock(&sync_ctl.lock);
	return started;
}

static bool sync_wait_started(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < 5000 && sync_started() < nr; i++)
		usleep(1000);
	return sync_started() == nr;
}

/* What a sync would write, in the test's hands. */
static struct {
	uint64_t bytes;
	int err;
} dirty;

int __wrap_backing_dirty_bytes(const struct backing *backing, uint64_t *bytes);

int __wrap_backing_dirty_bytes(const struct backing *backing, uint64_t *bytes)
{
	*bytes = dirty.bytes;
	return dirty.err;
}

/* The module, in the test's hands. */
static struct {
	struct pmem_backend backend;
	bool is_loaded;
	size_t pmem_regions;
	struct vpmem_queue_config queue;
	uint64_t generation;
	unsigned int starts, stops, fails;
	bool stops_late;
	bool is_destroyed;
	struct pmem_position position;
	int position_err;
} module;

static void module_destroy(struct pmem_backend *backend)
{
	module.is_destroyed = true;
}

static int module_start(struct pmem_backend *backend,
			const struct vpmem_queue_config *queue,
			uint64_t generation)
{
	module.queue = *queue;
	module.generation = generation;
	module.starts++;
	return 0;
}

static bool module_stop(struct pmem_backend *backend)
{
	module.stops++;
	return !module.stops_late;
}

static int module_position(struct pmem_backend *backend,
			   struct pmem_position *position)
{
	*position = module.position;
	return module.position_err;
}

static void module_fail(struct pmem_backend *backend)
{
	module.fails++;
}

static int module_stats(struct pmem_backend *backend, struct vpmem_stats *stats)
{
	*stats = (struct vpmem_stats) { .flushes = 4711 };
	return 0;
}

static const struct pmem_backend_ops module_ops = {
	.destroy = module_destroy,
	.start = module_start,
	.stop = module_stop,
	.position = module_position,
	.fail = module_fail,
	.stats = module_stats,
};

int pmem_kernel_create(const struct pmem_host *host,
		       struct pmem_backend **backend, char *why, size_t why_len)
{
	size_t i;

	if (!module.is_loaded) {
		snprintf(why, why_len, "the test has unloaded it");
		return -ENOENT;
	}
	module.pmem_regions = 0;
	for (i = 0; i < host->mem->nr_regions; i++)
		module.pmem_regions += host->mem->regions[i].kind == MEM_PMEM;
	module.backend.ops = &module_ops;
	module.backend.host = *host;
	*backend = &module.backend;
	return 0;
}

FIXTURE(pmem) {
	char dir[64];
	char path[96];
	struct machine m;
	struct driver d;
	struct hearing hearing;
	char said[1024];
};

static bool has_inotify = true;

int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);

int __wrap_inotify_init1(int flags)
{
	if (has_inotify)
		return __real_inotify_init1(flags);
	errno = EMFILE;
	return -1;
}

static void make(struct __test_metadata *_metadata, const char *path, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, size));
	close(fd);
}

FIXTURE_SETUP(pmem)
{
	pthread_mutex_init(&sync_ctl.lock, NULL);
	pthread_cond_init(&sync_ctl.changed, NULL);
	sync_ctl.started = 0;
	sync_allow(~0u, 0);
	memset(&module, 0, sizeof(module));
	memset(&dirty, 0, sizeof(dirty));
	snprintf(self->dir, sizeof(self->dir), "/tmp/pmem-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/file", self->dir);
	ASSERT_EQ(0, machine_create(&self->m));
	self->m.config.nr_pmem = 1;
	self->m.config.pmem[0] = (struct config_pmem) {
		.path = self->path,
		.id = (char *)"pmem0",
		.flush = CONFIG_FLUSH_USER,
	};
}

FIXTURE_TEARDOWN(pmem)
{
	sync_allow(~0u, 0);
	virtio_pmem_destroy_all(&self->m.vm);
	EXPECT_EQ(0, fake_kvm_ioeventfds());
	EXPECT_EQ(0, fake_kvm_irqfds());
	machine_destroy(&self->m);
	unlink(self->path);
	rmdir(self->dir);
}

/* Keeps in @said what is written to stderr between the two, by any thread. */
static void listen_begin(struct _test_data_pmem *self)
{
	hear_begin(&self->hearing);
}

static void listen_end(struct _test_data_pmem *self)
{
	hear_end(&self->hearing, self->said, sizeof(self->said));
}

#define EXPECT_TOLD(text) do {						\
	EXPECT_NE(NULL, strstr(self->said, text))			\
		TH_LOG("said: %s", self->said);				\
} while (0)

static struct config_pmem *config0(struct machine *m)
{
	return &m->config.pmem[0];
}

/* Creates device 0 over a file of @size bytes and starts its driver. */
#define start_device(size) do {						\
	make(_metadata, self->path, size);				\
	ASSERT_EQ(0, virtio_pmem_create(&self->m.vm));			\
	ASSERT_TRUE(driver_probe(&self->d, &self->m, FIRST_DEVFN));	\
	ASSERT_TRUE(driver_start(&self->d));				\
} while (0)

static struct vpmem_stats stats_of(struct machine *m)
{
	struct vpmem_stats stats = { .kicks = ~0ull };

	virtio_pmem_stats(m->vm.pmem[0], &stats);
	return stats;
}

static struct virtio_pmem_info info_of(struct machine *m)
{
	struct virtio_pmem_info info;

	virtio_pmem_info(m->vm.pmem[0], &info);
	return info;
}

static uint32_t flush(struct driver *d, uint32_t type)
{
	driver_post(d, type);
	driver_kick(d);
	if (!driver_wait(d, d->avail))
		return 0xdead;
	return driver_answer(d, d->avail - 1);
}

static bool wait_status(struct driver *d, uint8_t bit)
{
	unsigned int i;

	for (i = 0; i < 5000 && !(driver_status(d) & bit); i++)
		usleep(1000);
	return driver_status(d) & bit;
}

TEST_F(pmem, missing_file_leaves_nothing)
{
	size_t regions = self->m.vm.mem.nr_regions;

	EXPECT_EQ(-ENOENT, virtio_pmem_create(&self->m.vm));
	EXPECT_EQ(NULL, self->m.vm.pmem);
	EXPECT_EQ(regions, self->m.vm.mem.nr_regions);
}

TEST_F(pmem, empty_file_is_refused)
{
	make(_metadata, self->path, 0);
	EXPECT_EQ(-EINVAL, virtio_pmem_create(&self->m.vm));
}

TEST_F(pmem, failure_of_a_later_device_undoes_all)
{
	size_t regions = self->m.vm.mem.nr_regions;

	make(_metadata, self->path, 2 * MIB + 4096);
	self->m.config.pmem[1] = *config0(&self->m);
	self->m.config.pmem[1].path = (char *)"/does/not/exist";
	self->m.config.nr_pmem = 2;
	EXPECT_EQ(-ENOENT, virtio_pmem_create(&self->m.vm));
	EXPECT_EQ(regions, self->m.vm.mem.nr_regions);
	self->m.config.nr_pmem = 1;
	EXPECT_EQ(0, virtio_pmem_create(&self->m.vm));
}

TEST_F(pmem, no_device_at_all)
{
	self->m.config.nr_pmem = 0;
	EXPECT_EQ(0, virtio_pmem_create(&self->m.vm));
	EXPECT_EQ(0, virtio_pmem_sync_all(&self->m.vm));
}

/* PMEM-D2, DRV-09 */
TEST_F(pmem, region_is_aligned_and_told)
{
	uint64_t start, size;

	start_device(3 * MIB);
	start = machine_read(&self->m, self->d.device, 8);
	size = machine_read(&self->m, self->d.device + 8, 8);
	EXPECT_EQ(0, start % LAYOUT_PMEM_ALIGN);
	EXPECT_LE(LAYOUT_RAM_HIGH, start);
	EXPECT_EQ(4 * MIB, size);
	machine_write(&self->m, start + 5, 0x5a, 1);
	EXPECT_EQ(0x5a, machine_read(&self->m, start + 5, 1));
	EXPECT_EQ(0, machine_read(&self->m, start + 3 * MIB, 8));
	EXPECT_EQ(0, machine_read(&self->m, start + size - 1, 1));
	/* Its structures are not writable. */
	machine_write(&self->m, self->d.device, 0, 8);
	EXPECT_EQ(start, machine_read(&self->m, self->d.device, 8));
	EXPECT_EQ(1, info_of(&self->m).config_writes);
}

TEST_F(pmem, flush_reaches_the_file)
{
	uint64_t start;
	char byte = 0;
	int fd;

	start_device(2 * MIB);
	start = machine_read(&self->m, self->d.device, 8);
	machine_write(&self->m, start + 4096, 0x77, 1);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(1, sync_started());
	/* The counters are the thread's last act, so it has signalled by now. */
	EXPECT_EQ(1, stats_of(&self->m).signals);
	EXPECT_EQ(1, driver_take_irqs(1));
	fd = open(self->path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(1, pread(fd, &byte, 1, 4096));
	EXPECT_EQ(0x77, byte);
	close(fd);
}

/* PEER-04 */
TEST_F(pmem, unknown_type_fails_without_a_sync)
{
	start_device(2 * MIB);
	EXPECT_EQ(0xffffffff, flush(&self->d, 1));
	EXPECT_EQ(0, sync_started());
	EXPECT_EQ(1, stats_of(&self->m).bad_requests);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
}

TEST_F(pmem, one_kick_serves_all)
{
	unsigned int i;

	start_device(2 * MIB);
	for (i = 0; i < 5; i++)
		driver_post(&self->d, i == 2 ? 99 : TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(driver_wait(&self->d, 5));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(i == 2 ? 0xffffffff : 0, driver_answer(&self->d, i));
	EXPECT_EQ(1, sync_started());
}

/* PEER-10, BAD-18 */
TEST_F(pmem, kick_without_work)
{
	start_device(2 * MIB);
	driver_kick(&self->d);
	driver_kick(&self->d);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(1, driver_used(&self->d));
}

/* PEER-01: a flush that comes during a sync gets a sync of its own. */
TEST_F(pmem, ack_rule)
{
	start_device(2 * MIB);
	sync_allow(0, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(1));
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	sync_allow(1, 0);
	ASSERT_TRUE(sync_wait_started(2));
	/* The second sync runs: only the first request is answered. */
	EXPECT_EQ(1, driver_used(&self->d));
	EXPECT_EQ(0, driver_answer(&self->d, 0));
	EXPECT_EQ(0xa5a5a5a5, driver_answer(&self->d, 1));
	sync_allow(2, 0);
	ASSERT_TRUE(driver_wait(&self->d, 2));
	EXPECT_EQ(0, driver_answer(&self->d, 1));
	EXPECT_EQ(2, sync_started());
}

TEST_F(pmem, sync_error_sticks)
{
	struct vpmem_stats stats;

	start_device(2 * MIB);
	sync_allow(~0u, -EIO);
	EXPECT_EQ(0xffffffff, flush(&self->d, TYPE_FLUSH));
	sync_allow(~0u, 0);
	EXPECT_EQ(0xffffffff, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(1, sync_started());
	/* A reset of the device does not bring the data back. */
	ASSERT_TRUE(driver_start(&self->d));
	EXPECT_EQ(0xffffffff, flush(&self->d, TYPE_FLUSH));
	stats = stats_of(&self->m);
	EXPECT_EQ(1, stats.sync_errors);
	EXPECT_EQ(3, stats.flush_errors);
	EXPECT_EQ(0, stats.flushes);
}

TEST_F(pmem, sync_error_is_only_reported)
{
	config0(&self->m)->on_error = VPMEM_ON_ERROR_REPORT;
	start_device(2 * MIB);
	sync_allow(~0u, -ENOSPC);
	EXPECT_EQ(0xffffffff, flush(&self->d, TYPE_FLUSH));
	sync_allow(~0u, 0);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(2, sync_started());
}

TEST_F(pmem, sync_error_fails_the_whole_batch)
{
	start_device(2 * MIB);
	sync_allow(~0u, -EIO);
	driver_post(&self->d, TYPE_FLUSH);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(driver_wait(&self->d, 2));
	EXPECT_EQ(0xffffffff, driver_answer(&self->d, 0));
	EXPECT_EQ(0xffffffff, driver_answer(&self->d, 1));
}

/* PEER-16 */
TEST_F(pmem, write_behind_the_file_fails_later_flushes)
{
	uint64_t start;

	start_device(2 * MIB + 4096);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	start = machine_read(&self->m, self->d.device, 8);
	machine_write(&self->m, start + 2 * MIB + 4096, 1, 4);
	machine_write(&self->m, start + 4 * MIB - 8, 1, 8);
	EXPECT_EQ(0, machine_read(&self->m, start + 2 * MIB + 4096, 4));
	EXPECT_EQ(0xffffffff, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(1, sync_started());
	EXPECT_EQ(2, info_of(&self->m).lost_writes);
}

/* A write that is lost while a sync runs: that sync does not cover it. */
TEST_F(pmem, write_behind_the_file_during_a_sync)
{
	uint64_t start;

	start_device(4096);
	start = machine_read(&self->m, self->d.device, 8);
	sync_allow(0, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(1));
	machine_write(&self->m, start + 4096, 1, 1);
	sync_allow(~0u, 0);
	ASSERT_TRUE(driver_wait(&self->d, 1));
	EXPECT_EQ(0xffffffff, flush(&self->d, TYPE_FLUSH));
}

TEST_F(pmem, read_only)
{
	uint64_t start;

	config0(&self->m)->read_only = true;
	start_device(2 * MIB + 100);
	start = machine_read(&self->m, self->d.device, 8);
	EXPECT_EQ(4 * MIB, machine_read(&self->m, self->d.device + 8, 8));
	machine_write(&self->m, start, 0x11, 1);
	machine_write(&self->m, start + 4 * MIB - 1, 0x11, 1);
	EXPECT_EQ(0, machine_read(&self->m, start, 1));
	EXPECT_EQ(2, info_of(&self->m).dropped_writes);
	EXPECT_EQ(0, info_of(&self->m).lost_writes);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(0, sync_started());
	EXPECT_EQ(1, stats_of(&self->m).flushes);
}

TEST_F(pmem, discarded_writes)
{
	struct stat before, after;
	uint64_t start;

	config0(&self->m)->discard_writes = true;
	start_device(5000);
	ASSERT_EQ(0, stat(self->path, &before));
	start = machine_read(&self->m, self->d.device, 8);
	machine_write(&self->m, start, 0x11, 1);
	machine_write(&self->m, start + 2 * MIB - 1, 0x22, 1);
	EXPECT_EQ(0x11, machine_read(&self->m, start, 1));
	EXPECT_EQ(0x22, machine_read(&self->m, start + 2 * MIB - 1, 1));
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(0, sync_started());
	EXPECT_EQ(0, info_of(&self->m).lost_writes);
	ASSERT_EQ(0, stat(self->path, &after));
	EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

/* VIO-3 */
TEST_F(pmem, requests_wait_for_driver_ok)
{
	start_device(2 * MIB);
	driver_set_status(&self->d, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	usleep(20000);
	EXPECT_EQ(0, driver_used(&self->d));
	EXPECT_EQ(0, sync_started());
}

/* Requests that are there before the queue starts need no kick. */
TEST_F(pmem, queued_requests_are_served_at_start)
{
	struct driver *d = &self->d;

	start_device(2 * MIB);
	ASSERT_TRUE(driver_negotiate(d));
	driver_post(d, TYPE_FLUSH);
	driver_setup_queue(d);
	driver_set_status(d, driver_status(d) | VIRTIO_CONFIG_S_DRIVER_OK);
	ASSERT_TRUE(driver_wait(d, 1));
	EXPECT_EQ(0, driver_answer(d, 0));
}

TEST_F(pmem, restarts)
{
	unsigned int i;

	start_device(2 * MIB);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
		ASSERT_TRUE(driver_start(&self->d));
	}
	EXPECT_EQ(20, stats_of(&self->m).flushes);
}

/* BAD-19, DRV-14 */
TEST_F(pmem, reset_does_not_wait_for_a_sync)
{
	uint8_t before[0x3000];

	start_device(2 * MIB);
	sync_allow(0, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(1));
	driver_set_status(&self->d, 0);
	EXPECT_EQ(0, driver_status(&self->d));
	memcpy(before, self->m.ram + DRIVER_USED, sizeof(before));
	sync_allow(~0u, 0);
	usleep(20000);
	EXPECT_EQ(0, memcmp(before, self->m.ram + DRIVER_USED, sizeof(before)));
	EXPECT_EQ(0, driver_take_irqs(1));
}

/* The old sync still runs when the new queue's first request comes. */
TEST_F(pmem, restart_during_a_sync)
{
	start_device(2 * MIB);
	sync_allow(0, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(1));
	ASSERT_TRUE(driver_start(&self->d));
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	usleep(20000);
	EXPECT_EQ(0, driver_used(&self->d));
	sync_allow(1, 0);
	ASSERT_TRUE(sync_wait_started(2));
	EXPECT_EQ(0, driver_used(&self->d));
	sync_allow(2, 0);
	ASSERT_TRUE(driver_wait(&self->d, 1));
	EXPECT_EQ(0, driver_answer(&self->d, 0));
}

static bool sync_wait_failed(struct virtio_pmem *dev)
{
	struct vpmem_stats stats = { 0 };

	for (int i = 0; i < 5000 && !stats.sync_errors; i++) {
		usleep(1000);
		virtio_pmem_stats(dev, &stats);
	}
	return stats.sync_errors;
}

/* Not even where errors do not stick. */
TEST_F(pmem, error_of_a_sync_is_not_lost_with_its_queue)
{
	config0(&self->m)->on_error = VPMEM_ON_ERROR_REPORT;
	start_device(2 * MIB);
	sync_allow(0, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(1));
	ASSERT_TRUE(driver_start(&self->d));
	sync_allow(1, -EIO);
	ASSERT_TRUE(sync_wait_failed(self->m.vm.pmem[0]));
	sync_allow(~0u, 0);
	EXPECT_EQ(0xffffffff, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
}

/* PEER-07, PEER-08 */
TEST_F(pmem, broken_ring_needs_reset_after_what_is_good)
{
	struct vring_avail *avail;

	start_device(2 * MIB);
	driver_post(&self->d, TYPE_FLUSH);
	avail = (struct vring_avail *)(self->m.ram + DRIVER_AVAIL);
	avail->ring[1] = DRIVER_RING;
	avail->idx = 2;
	driver_kick(&self->d);
	ASSERT_TRUE(wait_status(&self->d, VIRTIO_CONFIG_S_NEEDS_RESET));
	EXPECT_EQ(1, driver_used(&self->d));
	EXPECT_EQ(0, driver_answer(&self->d, 0));
	EXPECT_EQ(1, driver_take_irqs(0));
	EXPECT_EQ(1, driver_take_irqs(1));
	EXPECT_EQ(1, stats_of(&self->m).ring_errors);
	EXPECT_EQ(1, info_of(&self->m).needs_resets);
	/* Not served any more, until a reset. */
	avail->ring[1] = 0;
	driver_kick(&self->d);
	usleep(20000);
	EXPECT_EQ(1, driver_used(&self->d));
	ASSERT_TRUE(driver_start(&self->d));
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
}

TEST_F(pmem, ring_outside_memory_needs_reset)
{
	start_device(2 * MIB);
	ASSERT_TRUE(driver_negotiate(&self->d));
	driver_set(&self->d, VIRTIO_PCI_COMMON_Q_DESCLO, 0x10000000, 4);
	driver_set(&self->d, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	driver_set_status(&self->d, driver_status(&self->d) |
			  VIRTIO_CONFIG_S_DRIVER_OK);
	EXPECT_TRUE(driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

TEST_F(pmem, interrupt_is_left_out_if_not_wanted)
{
	struct vring_avail *avail;

	start_device(2 * MIB);
	avail = (struct vring_avail *)(self->m.ram + DRIVER_AVAIL);
	avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(1, stats_of(&self->m).suppressed);
	EXPECT_EQ(0, stats_of(&self->m).signals);
	EXPECT_EQ(0, driver_take_irqs(1));
}

TEST_F(pmem, statistics)
{
	struct vpmem_stats stats;
	uint64_t syncs = 0, batches = 0;
	unsigned int i;

	start_device(2 * MIB);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	stats = stats_of(&self->m);
	EXPECT_EQ(3, stats.flushes);
	EXPECT_EQ(3, stats.syncs);
	EXPECT_EQ(3, stats.batches);
	EXPECT_EQ(3, stats.signals);
	EXPECT_LE(3, stats.kicks);
	EXPECT_EQ(stats.kicks, stats.worker_runs);
	EXPECT_EQ(0, stats.inline_runs);
	for (i = 0; i < VPMEM_HIST_BUCKETS; i++) {
		syncs += stats.sync_hist[i];
		batches += stats.flush_hist[i];
	}
	EXPECT_EQ(3, syncs);
	EXPECT_EQ(3, batches);
	/* Syncs of a file in memory are not timed, all others are. */
	EXPECT_EQ(stats.sync_hist[0] == 3, !stats.sync_ns);
	EXPECT_LE(stats.sync_ns, stats.flush_ns);
	EXPECT_FALSE(info_of(&self->m).is_kernel);
	EXPECT_STREQ("pmem0", info_of(&self->m).id);
}

TEST_F(pmem, syncs_of_a_file_in_memory_take_no_time)
{
	struct vpmem_stats stats;

	snprintf(self->path, sizeof(self->path), "/dev/shm/%s",
		 strrchr(self->dir, '/') + 1);
	start_device(2 * MIB);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	stats = stats_of(&self->m);
	EXPECT_EQ(1, stats.syncs);
	EXPECT_EQ(1, stats.sync_hist[0]);
	EXPECT_EQ(0, stats.sync_ns);
	EXPECT_LT(0, stats.flush_ns);
}

/* PEER-12: counters and registers while a sync hangs. */
TEST_F(pmem, nothing_waits_for_a_sync)
{
	start_device(2 * MIB);
	sync_allow(0, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(1));
	EXPECT_EQ(0, stats_of(&self->m).flushes);
	EXPECT_EQ(15, driver_status(&self->d));
	driver_set_vector(&self->d, 1, true);
	driver_set_vector(&self->d, 1, false);
	sync_allow(1, 0);
	EXPECT_TRUE(driver_wait(&self->d, 1));
}

TEST_F(pmem, last_sync)
{
	start_device(2 * MIB);
	EXPECT_EQ(0, virtio_pmem_sync_all(&self->m.vm));
	EXPECT_EQ(1, sync_started());
	sync_allow(~0u, -EIO);
	EXPECT_EQ(-EIO, virtio_pmem_sync_all(&self->m.vm));
}

TEST_F(pmem, file_that_shrinks_ends_the_vm)
{
	start_device(2 * MIB);
	EXPECT_FALSE(info_of(&self->m).size_changed);
	ASSERT_EQ(0, truncate(self->path, MIB));
	EXPECT_EQ(1, loop_run(&self->m.vm.loop));
	EXPECT_TRUE(info_of(&self->m).size_changed);
}

TEST_F(pmem, file_that_shrinks_where_nobody_tells_ends_the_vm)
{
	has_inotify = false;
	start_device(2 * MIB);
	ASSERT_EQ(0, truncate(self->path, MIB));
	EXPECT_EQ(1, loop_run(&self->m.vm.loop));
	EXPECT_TRUE(info_of(&self->m).size_changed);
}

static void *count_sleeps(void *loop)
{
	struct rusage usage;

	loop_run(loop);
	getrusage(RUSAGE_THREAD, &usage);
	return (void *)usage.ru_nvcsw;
}

/* One sleep until the end, and perhaps one for a lock, but none by the clock. */
TEST_F(pmem, idle_vm_sleeps)
{
	pthread_t thread;
	void *sleeps;

	/* Where the kernel tells of changes for sure. */
	snprintf(self->path, sizeof(self->path), "/dev/shm/%s",
		 strrchr(self->dir, '/') + 1);
	start_device(2 * MIB);
	ASSERT_EQ(0, pthread_create(&thread, NULL, count_sleeps,
				    &self->m.vm.loop));
	usleep(4500000);
	loop_quit(&self->m.vm.loop, 0);
	ASSERT_EQ(0, pthread_join(thread, &sleeps));
	EXPECT_GE(2, (uintptr_t)sleeps);
}

/* Creates the device over a file of 2 MiB, with what is said kept in @said. */
static int create_and_listen(struct _test_data_pmem *self)
{
	int err;

	listen_begin(self);
	err = virtio_pmem_create(&self->m.vm);
	listen_end(self);
	return err;
}

/* It says this, without -v. */
#define EXPECT_SAID(how, line) do {					\
	make(_metadata, self->path, 2 * MIB);				\
	config0(&self->m)->flush = how;					\
	EXPECT_EQ(0, create_and_listen(self));				\
	EXPECT_STREQ(line, self->said);					\
} while (0)

/* Messages that a user, or a guest, can cause while the VM runs */

TEST_F(pmem, guest_is_named_in_what_it_does_wrong)
{
	uint64_t start;

	start_device(2 * MIB + 4096);
	start = machine_read(&self->m, self->d.device, 8);
	listen_begin(self);
	machine_write(&self->m, start + 2 * MIB + 4096, 1, 4);
	/* An available index that is too far. */
	machine_write(&self->m, DRIVER_AVAIL + 2, 1000, 2);
	driver_kick(&self->d);
	wait_status(&self->d, VIRTIO_CONFIG_S_NEEDS_RESET);
	driver_set_status(&self->d, 0);
	/* Rings where there is no memory. */
	driver_negotiate(&self->d);
	self->d.base = 1 << 30;
	driver_setup_queue(&self->d);
	driver_set_status(&self->d, driver_status(&self->d) |
			  VIRTIO_CONFIG_S_DRIVER_OK);
	listen_end(self);
	EXPECT_TOLD("vpmem-vmm: guest: pmem pmem0: write at 0x201000 lost: "
		    "beyond the end of ");
	EXPECT_TOLD("; flushes fail now\n");
	EXPECT_TOLD("guest: pmem pmem0: its ring cannot be trusted; the device "
		    "needs a reset\n");
	EXPECT_TOLD("guest: pmem pmem0: its queue cannot be served: ");
}

TEST_F(pmem, guest_is_named_in_what_is_dropped)
{
	config0(&self->m)->read_only = true;
	start_device(2 * MIB);
	listen_begin(self);
	machine_write(&self->m, machine_read(&self->m, self->d.device, 8), 1, 1);
	listen_end(self);
	EXPECT_STREQ("vpmem-vmm: guest: pmem pmem0: write at 0x0 dropped: the "
		     "device is read-only\n", self->said);
}

TEST_F(pmem, bytes_that_are_unknown_are_told)
{
	config0(&self->m)->bytes_limit = (struct vpmem_limit) { MIB, MIB };
	dirty.err = -ENODATA;
	EXPECT_SAID(CONFIG_FLUSH_USER, "vpmem-vmm: pmem pmem0: bytes-limit counts "
		    "the whole file for each sync: this kernel does not tell what "
		    "one writes (Linux 6.5 does)\n");
}

TEST_F(pmem, file_that_shrinks_is_told)
{
	start_device(2 * MIB);
	ASSERT_EQ(0, truncate(self->path, MIB));
	listen_begin(self);
	EXPECT_EQ(1, loop_run(&self->m.vm.loop));
	listen_end(self);
	EXPECT_TOLD(": size is now 1048576, was 2097152; restart the VM to use it\n");
	EXPECT_TOLD(" shrank under the guest; restore it and start again\n");
}

TEST_F(pmem, last_sync_that_fails_is_told)
{
	start_device(2 * MIB);
	sync_allow(~0u, -EIO);
	listen_begin(self);
	EXPECT_EQ(-EIO, virtio_pmem_sync_all(&self->m.vm));
	listen_end(self);
	EXPECT_TOLD("vpmem-vmm: pmem pmem0: last sync of ");
	EXPECT_TOLD(" failed: Input/output error; data may be lost, check the disk\n");
}

TEST_F(pmem, writes_that_were_lost_are_told_at_the_end)
{
	uint64_t start;

	start_device(4096);
	start = machine_read(&self->m, self->d.device, 8);
	machine_write(&self->m, start + 4096, 1, 1);
	listen_begin(self);
	EXPECT_EQ(-EIO, virtio_pmem_sync_all(&self->m.vm));
	listen_end(self);
	EXPECT_TOLD(" lacks writes that could not be kept, see above; check it\n");
}

TEST_F(pmem, auto_tells_of_the_module)
{
	module.is_loaded = true;
	EXPECT_SAID(CONFIG_FLUSH_AUTO, "vpmem-vmm: pmem pmem0: flush=auto: "
		    "served by the kernel\n");
}

TEST_F(pmem, auto_tells_of_a_thread_and_why)
{
	EXPECT_SAID(CONFIG_FLUSH_AUTO, "vpmem-vmm: pmem pmem0: flush=auto: "
		    "served by a thread: the test has unloaded it\n");
}

TEST_F(pmem, thread_tells_that_there_is_no_write_behind)
{
	config0(&self->m)->write_behind = MIB;
	EXPECT_SAID(CONFIG_FLUSH_AUTO, "vpmem-vmm: pmem pmem0: flush=auto: "
		    "served by a thread: the test has unloaded it\n"
		    "vpmem-vmm: pmem pmem0: no write-behind: only the module does that\n");
}

TEST_F(pmem, kernel_that_was_asked_for_is_not_told)
{
	module.is_loaded = true;
	EXPECT_SAID(CONFIG_FLUSH_KERNEL, "");
}

TEST_F(pmem, thread_that_was_asked_for_is_not_told)
{
	EXPECT_SAID(CONFIG_FLUSH_USER, "");
}

TEST_F(pmem, auto_takes_the_module)
{
	config0(&self->m)->flush = CONFIG_FLUSH_AUTO;
	module.is_loaded = true;
	start_device(2 * MIB);
	EXPECT_TRUE(info_of(&self->m).is_kernel);
	EXPECT_EQ(1, module.starts);
	EXPECT_EQ(DRIVER_RING, module.queue.size);
	EXPECT_EQ(DRIVER_DESC, module.queue.desc);
	EXPECT_EQ(DRIVER_AVAIL, module.queue.avail);
	EXPECT_EQ(DRIVER_USED, module.queue.used);
	EXPECT_EQ(1ull << VIRTIO_F_VERSION_1, module.queue.features);
	EXPECT_EQ(0, module.queue.next_avail);
	EXPECT_EQ(4711, stats_of(&self->m).flushes);
}

TEST_F(pmem, auto_falls_back_to_a_thread)
{
	config0(&self->m)->flush = CONFIG_FLUSH_AUTO;
	start_device(2 * MIB);
	EXPECT_FALSE(info_of(&self->m).is_kernel);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
}

TEST_F(pmem, kernel_is_refused_without_the_module)
{
	make(_metadata, self->path, 2 * MIB);
	config0(&self->m)->flush = CONFIG_FLUSH_KERNEL;
	EXPECT_EQ(-ENOENT, virtio_pmem_create(&self->m.vm));
	EXPECT_EQ(NULL, self->m.vm.pmem);
}

TEST_F(pmem, module_breaks_and_stops_late)
{
	config0(&self->m)->flush = CONFIG_FLUSH_KERNEL;
	module.is_loaded = true;
	start_device(2 * MIB);
	module.backend.host.broken(module.backend.host.opaque,
				   module.generation);
	EXPECT_TRUE(driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(1, driver_take_irqs(0));
	module.stops_late = true;
	driver_set_status(&self->d, 0);
	EXPECT_NE(0, driver_status(&self->d));
	module.backend.host.stopped(module.backend.host.opaque);
	EXPECT_EQ(0, driver_status(&self->d));
	EXPECT_EQ(1, module.stops);
}

/* A ring that is never empty: its guest is always in time. */

static struct {
	struct driver *driver;
	unsigned int batches;
} refill;

int __real_virtq_show(struct virtq *vq, bool *wants_signal);
int __wrap_virtq_show(struct virtq *vq, bool *wants_signal);

int __wrap_virtq_show(struct virtq *vq, bool *wants_signal)
{
	int err = __real_virtq_show(vq, wants_signal);
	struct driver *d = __atomic_load_n(&refill.driver, __ATOMIC_ACQUIRE);
	struct vring_avail *avail;

	if (d) {
		avail = (struct vring_avail *)(d->m->ram + DRIVER_AVAIL);
		avail->idx = driver_used(d) + DRIVER_RING;
		driver_kick(d);
		__atomic_fetch_add(&refill.batches, 1, __ATOMIC_RELAXED);
	}
	return err;
}

/* Requests that take as long to read as they can, and need no sync. */
static void refill_begin(struct driver *d)
{
	struct vring_desc *desc = (struct vring_desc *)(d->m->ram + DRIVER_DESC);

	driver_post(d, 1);
	for (unsigned int i = 1; i < DRIVER_RING - 1; i++) {
		desc[i].flags |= VRING_DESC_F_NEXT;
		desc[i].next = i + 1;
		desc[i + 1] = desc[1];
		desc[i + 1].flags = VRING_DESC_F_WRITE;
	}
	refill.batches = 0;
	__atomic_store_n(&refill.driver, d, __ATOMIC_RELEASE);
	driver_kick(d);
}

static void refill_end(struct driver *d)
{
	driver_set_status(d, 0);
	__atomic_store_n(&refill.driver, NULL, __ATOMIC_RELEASE);
}

static unsigned int refilled(void)
{
	return __atomic_load_n(&refill.batches, __ATOMIC_RELAXED);
}

/* Batches that are served while somebody waits to read their number. */
static unsigned int served_meanwhile(struct machine *m)
{
	unsigned int before = refilled();

	while (refilled() == before)
		;
	before = refilled();
	return stats_of(m).batches - before;
}

/* Threads on one CPU, where who is woken does not run at once. */
static void share_cpu(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

static void do_not_preempt(void)
{
	const struct sched_param param = { .sched_priority = 0 };

	sched_setscheduler(0, SCHED_BATCH, &param);
}

/* Who has other business gets in between two batches. */
TEST_F(pmem, ring_that_is_never_empty_keeps_nobody_out)
{
	unsigned int nr_prompt = 0;

	share_cpu();
	start_device(2 * MIB);
	do_not_preempt();
	refill_begin(&self->d);
	/* The kernel may take the CPU away before any. */
	for (unsigned int i = 0; i < 30; i++)
		nr_prompt += served_meanwhile(&self->m) <= 2;
	EXPECT_LT(15, nr_prompt);
	refill_end(&self->d);
	EXPECT_EQ(0, driver_status(&self->d));
}

/* A pause */

static void pause_all(struct machine *m)
{
	virtio_pmem_pause_all(&m->vm, -1);
}

TEST_F(pmem, paused_queue_is_served_after_the_pause)
{
	start_device(2 * MIB);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	pause_all(&self->m);
	EXPECT_TRUE(virtio_pmem_are_paused(&self->m.vm));
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	usleep(20000);
	EXPECT_EQ(1, driver_used(&self->d));
	EXPECT_EQ(1, sync_started());
	virtio_pmem_resume_all(&self->m.vm);
	ASSERT_TRUE(driver_wait(&self->d, 2));
	EXPECT_EQ(0, driver_answer(&self->d, 1));
	EXPECT_EQ(2, sync_started());
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(3, stats_of(&self->m).flushes);
}

/* A sync that began before the pause answers nothing, nor is it waited for. */
TEST_F(pmem, pause_during_a_sync)
{
	start_device(2 * MIB);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	sync_allow(1, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(2));
	pause_all(&self->m);
	EXPECT_TRUE(virtio_pmem_are_paused(&self->m.vm));
	virtio_pmem_resume_all(&self->m.vm);
	sync_allow(2, 0);
	ASSERT_TRUE(sync_wait_started(3));
	EXPECT_EQ(1, driver_used(&self->d));
	sync_allow(3, 0);
	ASSERT_TRUE(driver_wait(&self->d, 3));
	EXPECT_EQ(0, driver_answer(&self->d, 1));
	EXPECT_EQ(0, driver_answer(&self->d, 2));
}

/* What is good before a chain that is not has to be found again. */
TEST_F(pmem, pause_during_a_sync_before_a_bad_chain)
{
	struct vring_desc *desc;

	start_device(2 * MIB);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	sync_allow(1, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_post(&self->d, TYPE_FLUSH);
	desc = (struct vring_desc *)(self->m.ram + DRIVER_DESC);
	desc[4].next = DRIVER_RING;
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(2));
	pause_all(&self->m);
	virtio_pmem_resume_all(&self->m.vm);
	sync_allow(~0u, 0);
	ASSERT_TRUE(wait_status(&self->d, VIRTIO_CONFIG_S_NEEDS_RESET));
	EXPECT_EQ(2, driver_used(&self->d));
	EXPECT_EQ(0, driver_answer(&self->d, 1));
	EXPECT_EQ(0xa5a5a5a5, driver_answer(&self->d, 2));
}

TEST_F(pmem, pause_before_the_driver_and_after_a_reset)
{
	start_device(2 * MIB);
	driver_set_status(&self->d, 0);
	pause_all(&self->m);
	EXPECT_TRUE(virtio_pmem_are_paused(&self->m.vm));
	virtio_pmem_resume_all(&self->m.vm);
	ASSERT_TRUE(driver_start(&self->d));
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
}

TEST_F(pmem, module_goes_on_where_it_was_paused)
{
	config0(&self->m)->flush = CONFIG_FLUSH_KERNEL;
	module.is_loaded = true;
	start_device(2 * MIB);
	module.stops_late = true;
	pause_all(&self->m);
	EXPECT_FALSE(virtio_pmem_are_paused(&self->m.vm));
	module.backend.host.stopped(module.backend.host.opaque);
	EXPECT_TRUE(virtio_pmem_are_paused(&self->m.vm));
	module.position = (struct pmem_position) {
		.next_avail = 7,
		.next_used = 5,
	};
	virtio_pmem_resume_all(&self->m.vm);
	EXPECT_EQ(2, module.starts);
	EXPECT_EQ(7, module.queue.next_avail);
	EXPECT_EQ(5, module.queue.next_used);
	EXPECT_EQ(2, module.generation);
	/* A new driver begins anew. */
	module.stops_late = false;
	ASSERT_TRUE(driver_start(&self->d));
	EXPECT_EQ(0, module.queue.next_avail);
}

TEST_F(pmem, paused_queue_that_is_lost_needs_reset)
{
	config0(&self->m)->flush = CONFIG_FLUSH_KERNEL;
	module.is_loaded = true;
	start_device(2 * MIB);
	pause_all(&self->m);
	module.position_err = -ENODEV;
	virtio_pmem_resume_all(&self->m.vm);
	EXPECT_TRUE(driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(1, driver_take_irqs(0));
	/* It is not served, so there is nothing to stop and to start. */
	pause_all(&self->m);
	virtio_pmem_resume_all(&self->m.vm);
	EXPECT_EQ(1, module.stops);
	EXPECT_EQ(1, module.starts);
}

TEST_F(pmem, module_is_told_of_each_lost_write)
{
	uint64_t start;

	config0(&self->m)->flush = CONFIG_FLUSH_KERNEL;
	module.is_loaded = true;
	start_device(4096);
	start = machine_read(&self->m, self->d.device, 8);
	EXPECT_EQ(0, module.fails);
	machine_write(&self->m, start + 4096, 1, 1);
	EXPECT_EQ(1, module.fails);
	machine_write(&self->m, start + 8192, 1, 1);
	EXPECT_EQ(2, module.fails);
	EXPECT_EQ(2, info_of(&self->m).lost_writes);
}

/* PEER-20: a back end knows the regions of all devices. */
TEST_F(pmem, back_ends_know_all_memory)
{
	char other[sizeof(self->path) + 2];

	snprintf(other, sizeof(other), "%s.2", self->path);
	make(_metadata, self->path, 2 * MIB);
	make(_metadata, other, 2 * MIB);
	self->m.config.pmem[1] = *config0(&self->m);
	self->m.config.pmem[1].path = other;
	self->m.config.nr_pmem = 2;
	config0(&self->m)->flush = CONFIG_FLUSH_KERNEL;
	module.is_loaded = true;
	EXPECT_EQ(0, virtio_pmem_create(&self->m.vm));
	EXPECT_EQ(2, module.pmem_regions);
	unlink(other);
}

/* Limits */

static bool wait_throttled(struct machine *m, uint64_t nr)
{
	unsigned int i;

	for (i = 0; i < 5000 && stats_of(m).throttled < nr; i++)
		usleep(1000);
	return stats_of(m).throttled == nr;
}

TEST_F(pmem, flushes_wait_for_their_limit)
{
	config0(&self->m)->flush_limit = (struct vpmem_limit) { 1, 2 };
	start_device(2 * MIB);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(0, stats_of(&self->m).throttled);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(wait_throttled(&self->m, 1));
	/* What comes meanwhile is served by the same sync. */
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	EXPECT_EQ(2, driver_used(&self->d));
	EXPECT_EQ(2, sync_started());
	ASSERT_TRUE(driver_wait(&self->d, 4));
	EXPECT_EQ(0, driver_answer(&self->d, 3));
	EXPECT_EQ(3, sync_started());
	EXPECT_EQ(1, stats_of(&self->m).throttled);
	EXPECT_LT(500000000, stats_of(&self->m).throttled_ns);
	EXPECT_GT(5000000000, stats_of(&self->m).throttled_ns);
}

TEST_F(pmem, bytes_that_were_written_are_a_debt)
{
	config0(&self->m)->bytes_limit = (struct vpmem_limit) { 8192, 4096 };
	start_device(2 * MIB);
	dirty.bytes = 12288;
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(12288, stats_of(&self->m).bytes_written);
	dirty.bytes = 0;
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(1, stats_of(&self->m).throttled);
	EXPECT_LT(500000000, stats_of(&self->m).throttled_ns);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(1, stats_of(&self->m).throttled);
}

/* Where nobody knows what a sync writes, it counts as the whole file. */
TEST_F(pmem, bytes_that_are_unknown_are_all)
{
	config0(&self->m)->bytes_limit = (struct vpmem_limit) { 4 * MIB, 1 };
	dirty.err = -ENODATA;
	start_device(2 * MIB);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(2 * MIB, stats_of(&self->m).bytes_written);
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	EXPECT_EQ(1, stats_of(&self->m).throttled);
	EXPECT_LT(300000000, stats_of(&self->m).throttled_ns);
}

/* Nobody waits for one who waits for a limit: teardown would, for an hour. */
TEST_F(pmem, reset_does_not_wait_for_a_limit)
{
	uint8_t before[0x3000];

	config0(&self->m)->bytes_limit = (struct vpmem_limit) { 1, 1 };
	start_device(2 * MIB);
	dirty.bytes = 4096;
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(wait_throttled(&self->m, 1));
	driver_set_status(&self->d, 0);
	EXPECT_EQ(0, driver_status(&self->d));
	memcpy(before, self->m.ram + DRIVER_USED, sizeof(before));
	usleep(20000);
	EXPECT_EQ(0, memcmp(before, self->m.ram + DRIVER_USED, sizeof(before)));
	/* A reset forgives no debt. */
	ASSERT_TRUE(driver_start(&self->d));
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	usleep(20000);
	EXPECT_EQ(0, driver_used(&self->d));
	EXPECT_EQ(1, sync_started());
}

/* One device's limit is not another one's. */
TEST_F(pmem, limit_holds_up_no_other_device)
{
	char other[sizeof(self->path) + 2];
	struct driver d2;

	snprintf(other, sizeof(other), "%s.2", self->path);
	make(_metadata, other, 2 * MIB);
	self->m.config.pmem[1] = *config0(&self->m);
	self->m.config.pmem[1].path = other;
	self->m.config.nr_pmem = 2;
	config0(&self->m)->bytes_limit = (struct vpmem_limit) { 1, 1 };
	start_device(2 * MIB);
	ASSERT_TRUE(driver_probe(&d2, &self->m, FIRST_DEVFN + 1));
	d2.base = 0x20000;
	ASSERT_TRUE(driver_start(&d2));
	dirty.bytes = 4096;
	EXPECT_EQ(0, flush(&self->d, TYPE_FLUSH));
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(wait_throttled(&self->m, 1));
	EXPECT_EQ(0, flush(&d2, TYPE_FLUSH));
	EXPECT_EQ(1, driver_used(&self->d));
	unlink(other);
}

TEST_F(pmem, module_is_told_of_limits_and_write_behind)
{
	config0(&self->m)->flush = CONFIG_FLUSH_KERNEL;
	config0(&self->m)->flush_limit = (struct vpmem_limit) { 5, 6 };
	config0(&self->m)->bytes_limit = (struct vpmem_limit) { 7, 8 };
	config0(&self->m)->write_behind = 9 * MIB;
	module.is_loaded = true;
	start_device(2 * MIB);
	EXPECT_EQ(5, module.backend.host.flush_limit.rate);
	EXPECT_EQ(6, module.backend.host.flush_limit.burst);
	EXPECT_EQ(7, module.backend.host.bytes_limit.rate);
	EXPECT_EQ(8, module.backend.host.bytes_limit.burst);
	EXPECT_EQ(9 * MIB, module.backend.host.write_behind);
}

/* A slow device does not hold up another one. */
TEST_F(pmem, devices_do_not_wait_for_each_other)
{
	char other[sizeof(self->path) + 2];
	struct driver d2;

	snprintf(other, sizeof(other), "%s.2", self->path);
	make(_metadata, other, 2 * MIB);
	self->m.config.pmem[1] = *config0(&self->m);
	self->m.config.pmem[1].path = other;
	self->m.config.pmem[1].read_only = true;
	self->m.config.nr_pmem = 2;
	start_device(2 * MIB);
	ASSERT_TRUE(driver_probe(&d2, &self->m, FIRST_DEVFN + 1));
	d2.base = 0x20000;
	ASSERT_TRUE(driver_start(&d2));
	sync_allow(0, 0);
	driver_post(&self->d, TYPE_FLUSH);
	driver_kick(&self->d);
	ASSERT_TRUE(sync_wait_started(1));
	EXPECT_EQ(0, flush(&d2, TYPE_FLUSH));
	EXPECT_EQ(0, driver_used(&self->d));
	sync_allow(~0u, 0);
	EXPECT_TRUE(driver_wait(&self->d, 1));
	unlink(other);
}

TEST_HARNESS_MAIN
