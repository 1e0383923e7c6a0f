// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of guest memory is replaced under a device: all of it or not at
 * all, at once, and never under a ring that is in use.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/userfaultfd.h>

#include "kselftest_harness.h"

#define STATUS_OK	0
#define STATUS_UNSET	0xa5a5a5a5u
#define PAGE		4096

FIXTURE(memory) {
	struct driver drv;
	struct vpmem_region regions[3];
	struct vpmem_dev_change change;
};

FIXTURE_VARIANT(memory) {
	enum vpmem_exec exec;
};

FIXTURE_VARIANT_ADD(memory, on_worker) {
	.exec = VPMEM_EXEC_WORKER,
};

FIXTURE_VARIANT_ADD(memory, inline) {
	.exec = VPMEM_EXEC_INLINE,
};

FIXTURE_SETUP(memory)
{
	struct vpmem_dev_config config;

	ASSERT_EQ(0, driver_open(&self->drv));
	ASSERT_EQ(0, driver_add(&self->drv, variant->exec));
	ASSERT_EQ(0, driver_start(&self->drv));
	driver_config(&self->drv, &config, &self->regions[0]);
	self->change = (struct vpmem_dev_change) {
		.present = VPMEM_SET_REGIONS,
		.regions = self->regions,
		.nr_regions = 1,
	};
}

FIXTURE_TEARDOWN(memory)
{
	driver_close(&self->drv);
}

static int set_regions(struct driver *drv, const struct vpmem_dev_change *change)
{
	return vpmem_dev_set(drv->sock, drv->id, change);
}

/* Refused with these words, and all is as it was. */
#define EXPECT_REFUSED(err, words, call) do {				\
	EXPECT_EQ(-(err), (call));					\
	EXPECT_NE(NULL, strstr(vpmem_sock_error(self->drv.sock), words)) \
		TH_LOG("said: %s", vpmem_sock_error(self->drv.sock));	\
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));		\
} while (0)

#define EXPECT_SET_REFUSED(err, words) \
	EXPECT_REFUSED(err, words, set_regions(&self->drv, &self->change))

/* A flush whose status lies in a page that is not in the first region. */
static void flush_elsewhere(struct driver *drv, uint64_t status_gpa)
{
	uint16_t head = driver_prepare(drv, 1, 0);

	driver_desc(drv, head + 1)->addr = status_gpa;
	driver_put(drv, head);
	driver_kick(drv);
}

TEST_F(memory, added_region_can_be_used)
{
	uint64_t gpa = DRIVER_MEMORY_GPA + 8ull * DRIVER_MEMORY_SIZE;
	volatile uint32_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t head, len;

	ASSERT_NE(MAP_FAILED, (void *)page);
	*page = STATUS_UNSET;
	flush_elsewhere(&self->drv, gpa);
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(0, len);
	self->regions[1] = (struct vpmem_region) {
		.gpa = gpa,
		.size = PAGE,
		.hva = (uintptr_t)page,
	};
	self->change.nr_regions = 2;
	ASSERT_EQ(0, set_regions(&self->drv, &self->change));
	flush_elsewhere(&self->drv, gpa);
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	ASSERT_TRUE(driver_used(&self->drv, &head, &len));
	EXPECT_EQ(4, len);
	EXPECT_EQ(STATUS_OK, *page);
	/* And taken away again. */
	*page = STATUS_UNSET;
	self->change.nr_regions = 1;
	ASSERT_EQ(0, set_regions(&self->drv, &self->change));
	flush_elsewhere(&self->drv, gpa);
	ASSERT_EQ(0, driver_wait(&self->drv, 1, 10000));
	EXPECT_EQ(STATUS_UNSET, *page);
	munmap((void *)page, PAGE);
}

TEST_F(memory, ring_goes_on_where_its_memory_has_moved_to)
{
	uint8_t *copy = mmap(NULL, DRIVER_MEMORY_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint8_t *old = self->drv.memory;

	ASSERT_NE(MAP_FAILED, copy);
	ASSERT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
	memcpy(copy, old, DRIVER_MEMORY_SIZE);
	self->regions[0].hva = (uintptr_t)copy;
	ASSERT_EQ(0, set_regions(&self->drv, &self->change));
	ASSERT_EQ(0, munmap(old, DRIVER_MEMORY_SIZE));
	self->drv.memory = copy;
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

TEST_F(memory, running_ring_must_stay_covered)
{
	static const uint32_t parts[] = {
		DRIVER_DESC, DRIVER_AVAIL, DRIVER_USED,
	};

	for (int i = 0; i < 3; i++) {
		uint32_t end = parts[i] + PAGE;

		/* All but the page that the part begins in. */
		self->regions[0].size = parts[i];
		self->regions[1] = (struct vpmem_region) {
			.gpa = DRIVER_MEMORY_GPA + end,
			.size = DRIVER_MEMORY_SIZE - end,
			.hva = (uintptr_t)self->drv.memory + end,
		};
		self->change.regions = &self->regions[parts[i] ? 0 : 1];
		self->change.nr_regions = parts[i] ? 2 : 1;
		EXPECT_SET_REFUSED(EFAULT, "the ring in use");
	}
}

TEST_F(memory, stopped_ring_need_not_be_covered_until_it_starts)
{
	struct vpmem_event event;

	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	self->regions[0].size = DRIVER_USED;
	ASSERT_EQ(0, set_regions(&self->drv, &self->change));
	EXPECT_EQ(-EFAULT, driver_start(&self->drv));
	EXPECT_NE(NULL, strstr(vpmem_sock_error(self->drv.sock),
			       "not in guest memory (attribute used)"));
	self->regions[0].size = DRIVER_MEMORY_SIZE;
	ASSERT_EQ(0, set_regions(&self->drv, &self->change));
	ASSERT_EQ(0, driver_start(&self->drv));
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

TEST_F(memory, region_that_is_wrong)
{
	struct vpmem_region good = self->regions[0];

	self->regions[0].size = 0;
	EXPECT_SET_REFUSED(EINVAL, "empty, wraps");
	self->regions[0] = good;
	self->regions[0].hva += 8;
	EXPECT_SET_REFUSED(EINVAL, "page aligned");
	self->regions[0] = good;
	self->regions[0].hva = 0xffff888000000000ull;
	EXPECT_SET_REFUSED(EFAULT, "not in user space");
	self->regions[0] = good;
	self->regions[1] = good;
	self->change.nr_regions = 2;
	EXPECT_SET_REFUSED(EEXIST, "overlaps");
}

TEST_F(memory, too_many_regions)
{
	static struct vpmem_region regions[VPMEM_REGIONS_MAX + 1];

	for (int i = 0; i <= VPMEM_REGIONS_MAX; i++) {
		regions[i] = self->regions[0];
		regions[i].gpa += (uint64_t)i * DRIVER_MEMORY_SIZE;
	}
	self->change.regions = regions;
	self->change.nr_regions = VPMEM_REGIONS_MAX + 1;
	EXPECT_SET_REFUSED(E2BIG, "too many");
	self->change.nr_regions = VPMEM_REGIONS_MAX;
	EXPECT_EQ(0, set_regions(&self->drv, &self->change));
}

TEST_F(memory, refusal_changes_nothing_else)
{
	struct vpmem_dev_info info;

	self->regions[0].size = 0;
	self->change.present |= VPMEM_SET_ON_ERROR | VPMEM_SET_FLUSH_LIMIT;
	self->change.on_error = VPMEM_ON_ERROR_REPORT;
	self->change.flush_limit.rate = 1000;
	EXPECT_SET_REFUSED(EINVAL, "empty, wraps");
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(VPMEM_ON_ERROR_STICKY, info.on_error);
	EXPECT_EQ(0, info.flush_limit.rate);
}

TEST_F(memory, operator_may_not)
{
	struct vpmem_sock *watcher;

	ASSERT_EQ(0, vpmem_sock_create(&watcher));
	EXPECT_EQ(-EPERM, vpmem_dev_set(watcher, self->drv.id, &self->change));
	EXPECT_NE(NULL, strstr(vpmem_sock_error(watcher), "another socket"));
	vpmem_sock_destroy(watcher);
}

/* With the owner's socket, but addresses of its own. */
TEST_F(memory, another_process_may_not)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(set_regions(&self->drv, &self->change) != -EPERM ||
		      !strstr(vpmem_sock_error(self->drv.sock),
			      "another process"));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(STATUS_OK, driver_sync_flush(&self->drv));
}

struct storm {
	struct driver *drv;
	struct vpmem_dev_change *change;
	volatile bool is_over;
	unsigned int sets;
	int err;
};

static void *kick_all_the_time(void *arg)
{
	struct storm *storm = arg;

	while (!storm->is_over) {
		driver_flush(storm->drv, 0);
		driver_kick(storm->drv);
		storm->err = driver_wait(storm->drv, 1, 10000);
		if (storm->err || driver_status(storm->drv, 0))
			break;
		storm->drv->used_idx++;
	}
	return NULL;
}

/*
 * A server that its CPU left in the middle holds the ring for as long: the
 * command is refused then, and means to be sent again.
 */
static int set_regions_again(struct driver *drv,
			     const struct vpmem_dev_change *change)
{
	int err = -EBUSY;

	for (int tries = 0; err == -EBUSY && tries < 50; tries++)
		err = set_regions(drv, change);
	return err;
}

TEST_F_TIMEOUT(memory, flushes_go_on_while_tables_come_and_go, 150)
{
	struct storm storm = { .drv = &self->drv };
	struct vpmem_dev_info info;
	pthread_t thread;

	self->regions[1] = self->regions[0];
	self->regions[1].gpa += DRIVER_MEMORY_SIZE;
	ASSERT_EQ(0, pthread_create(&thread, NULL, kick_all_the_time, &storm));
	for (int i = 0; i < 2000; i++) {
		self->change.nr_regions = 1 + i % 2;
		ASSERT_EQ(0, set_regions_again(&self->drv, &self->change));
	}
	storm.is_over = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, storm.err);
	EXPECT_EQ(STATUS_OK, driver_status(&self->drv, 0));
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(0, info.stats.no_status);
	EXPECT_EQ(VPMEM_QUEUE_STATE_RUNNING, info.queue_state);
}

/* Makes a page of memory one that comes when this process says so. */
static int hold_back(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (madvise(page, PAGE, MADV_REMOVE) || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &area)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static int let_come(int fd, void *page)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
	};

	return ioctl(fd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

/* Kept off this thread, which may have to serve the queue inline. */
static void *kick_once(void *arg)
{
	driver_kick(arg);
	return NULL;
}

TEST_F(memory, page_that_does_not_come_holds_up_no_command)
{
	void *page = self->drv.memory + DRIVER_AVAIL;
	struct vpmem_dev_info info;
	struct vpmem_event event;
	pthread_t thread;
	int fd;

	if (access("/proc/sys/vm/unprivileged_userfaultfd", F_OK))
		SKIP(return, "no userfaultfd");
	/* The first kick may meet the server of the start. */
	ASSERT_EQ(0, driver_stop(&self->drv, &event));
	fd = hold_back(page);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, driver_start(&self->drv));
	ASSERT_EQ(0, pthread_create(&thread, NULL, kick_once, &self->drv));
	usleep(300000);
	EXPECT_EQ(-EBUSY, set_regions(&self->drv, &self->change));
	EXPECT_NE(NULL, strstr(vpmem_sock_error(self->drv.sock), "waits for"));
	EXPECT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(0, vpmem_queue_stop(self->drv.sock, self->drv.id));
	ASSERT_EQ(0, let_come(fd, page));
	EXPECT_EQ(0, driver_next_event(self->drv.sock,
				       VPMEM_EVENT_QUEUE_STOPPED, &event,
				       10000));
	EXPECT_EQ(0, set_regions(&self->drv, &self->change));
	pthread_join(thread, NULL);
	close(fd);
}

TEST_HARNESS_MAIN
