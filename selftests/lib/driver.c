// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's side of a virtio-pmem device, in this process. */
#include "driver.h"
#include "patience.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>

#define VERSION_1	(1ull << 32)

/* A field that the device writes or reads at any time. */
#define SHARED(type, drv, offset) \
	((volatile type *)(void *)((drv)->memory + (offset)))

static int make_file(void)
{
	int fd = memfd_create("vpmem-test", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, DRIVER_FILE_SIZE)) {
		close(fd);
		return -errno;
	}
	return fd;
}

int driver_open(struct driver *drv)
{
	int fd = make_file();
	int err;

	if (fd < 0)
		return fd;
	err = driver_open_file(drv, fd);
	if (err)
		close(fd);
	return err;
}

int driver_open_file(struct driver *drv, int file_fd)
{
	int err;

	*drv = (struct driver) {
		.file_fd = file_fd,
		.ring_size = 64,
		.features = VERSION_1,
	};
	drv->memory = mmap(NULL, DRIVER_MEMORY_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	drv->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	drv->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (drv->memory == MAP_FAILED || drv->kick_fd < 0 || drv->call_fd < 0)
		return -errno;
	err = vpmem_sock_create(&drv->sock);
	if (err) {
		close(drv->kick_fd);
		close(drv->call_fd);
		munmap(drv->memory, DRIVER_MEMORY_SIZE);
	}
	return err;
}

void driver_close(struct driver *drv)
{
	vpmem_sock_destroy(drv->sock);
	close(drv->kick_fd);
	close(drv->call_fd);
	close(drv->file_fd);
	munmap(drv->memory, DRIVER_MEMORY_SIZE);
}

void driver_config(const struct driver *drv, struct vpmem_dev_config *config,
		   struct vpmem_region *region)
{
	*region = (struct vpmem_region) {
		.gpa = DRIVER_MEMORY_GPA,
		.size = DRIVER_MEMORY_SIZE,
		.hva = (uintptr_t)drv->memory,
	};
	*config = (struct vpmem_dev_config) {
		.name = "test",
		.backing_fd = drv->file_fd,
		.length = DRIVER_FILE_SIZE,
		.regions = region,
		.nr_regions = 1,
		.kick_fd = drv->kick_fd,
		.call_fd = drv->call_fd,
	};
}

int driver_add(struct driver *drv, enum vpmem_exec exec)
{
	struct vpmem_dev_config config;
	struct vpmem_region region;

	driver_config(drv, &config, &region);
	config.exec = exec;
	return vpmem_dev_add(drv->sock, &config, &drv->id);
}

void driver_begin_at(struct driver *drv, uint16_t index)
{
	drv->avail_idx = index;
	drv->used_idx = index;
	*SHARED(uint16_t, drv, DRIVER_AVAIL + 2) = index;
	*SHARED(uint16_t, drv, DRIVER_USED + 2) = index;
}

void driver_queue(const struct driver *drv, struct vpmem_queue_config *queue)
{
	*queue = (struct vpmem_queue_config) {
		.size = drv->ring_size,
		.desc = DRIVER_MEMORY_GPA + DRIVER_DESC,
		.avail = DRIVER_MEMORY_GPA + DRIVER_AVAIL,
		.used = DRIVER_MEMORY_GPA + DRIVER_USED,
		.features = drv->features,
		.next_avail = drv->used_idx,
		.next_used = drv->used_idx,
	};
}

int driver_start(struct driver *drv)
{
	struct vpmem_queue_config queue;

	driver_queue(drv, &queue);
	return vpmem_queue_start(drv->sock, drv->id, &queue);
}

int driver_stop(struct driver *drv, struct vpmem_event *event)
{
	int err = vpmem_queue_stop(drv->sock, drv->id);

	if (err)
		return err;
	return driver_next_event(drv->sock, VPMEM_EVENT_QUEUE_STOPPED, event,
				 10000);
}

struct vring_desc *driver_desc(struct driver *drv, uint16_t index)
{
	return (struct vring_desc *)(void *)(drv->memory + DRIVER_DESC) + index;
}

void driver_put(struct driver *drv, uint16_t head)
{
	uint32_t slot = drv->avail_idx % drv->ring_size;

	*SHARED(uint16_t, drv, DRIVER_AVAIL + 4 + 2 * slot) = head;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*SHARED(uint16_t, drv, DRIVER_AVAIL + 2) = ++drv->avail_idx;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint32_t request_offset(uint16_t slot)
{
	return DRIVER_REQUESTS + DRIVER_REQUEST_STRIDE * slot;
}

uint16_t driver_prepare(struct driver *drv, uint16_t slot, uint32_t type)
{
	uint64_t gpa = DRIVER_MEMORY_GPA + request_offset(slot);
	uint16_t head = 2 * slot;

	*driver_desc(drv, head) = (struct vring_desc) {
		.addr = gpa,
		.len = 4,
		.flags = VRING_DESC_F_NEXT,
		.next = head + 1,
	};
	*driver_desc(drv, head + 1) = (struct vring_desc) {
		.addr = gpa + 4,
		.len = 4,
		.flags = VRING_DESC_F_WRITE,
	};
	*SHARED(uint32_t, drv, request_offset(slot)) = type;
	*SHARED(uint32_t, drv, request_offset(slot) + 4) = 0xa5a5a5a5;
	return head;
}

void driver_flush(struct driver *drv, uint16_t slot)
{
	driver_put(drv, driver_prepare(drv, slot, 0));
}

uint32_t driver_status(const struct driver *drv, uint16_t slot)
{
	return *SHARED(uint32_t, drv, request_offset(slot) + 4);
}

void driver_kick(struct driver *drv)
{
	uint64_t one = 1;

	/* Only a counter near 2^64 could refuse it. */
	while (write(drv->kick_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static uint16_t used_index(const struct driver *drv)
{
	uint16_t idx = *SHARED(uint16_t, drv, DRIVER_USED + 2);

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return idx;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

int driver_wait(struct driver *drv, uint16_t count, int timeout_ms)
{
	struct pollfd pfd = { .fd = drv->call_fd, .events = POLLIN };
	int64_t deadline = now_ms() + (int64_t)timeout_ms * patience();
	uint64_t calls;

	while ((uint16_t)(used_index(drv) - drv->used_idx) < count) {
		int64_t left = deadline - now_ms();

		if (left <= 0)
			return -ETIME;
		if (poll(&pfd, 1, left) > 0 &&
		    read(drv->call_fd, &calls, sizeof(calls)) < 0 &&
		    errno != EAGAIN)
			return -errno;
	}
	return 0;
}

bool driver_used(struct driver *drv, uint32_t *head, uint32_t *len)
{
	uint32_t slot = drv->used_idx % drv->ring_size;
	uint32_t elem = DRIVER_USED + 4 + 8 * slot;

	if (used_index(drv) == drv->used_idx)
		return false;
	*head = *SHARED(uint32_t, drv, elem);
	*len = *SHARED(uint32_t, drv, elem + 4);
	drv->used_idx++;
	return true;
}

int64_t driver_sync_flush(struct driver *drv)
{
	uint32_t head, len;
	int err;

	driver_flush(drv, 0);
	driver_kick(drv);
	err = driver_wait(drv, 1, 10000);
	if (err)
		return err;
	if (!driver_used(drv, &head, &len) || head != 0 || len != 4)
		return -EPROTO;
	return driver_status(drv, 0);
}

int driver_next_event(struct vpmem_sock *sock, enum vpmem_event_type type,
		      struct vpmem_event *event, int timeout_ms)
{
	int64_t deadline = now_ms() + (int64_t)timeout_ms * patience();
	int64_t left;
	int err;

	while ((left = deadline - now_ms()) >= 0) {
		err = vpmem_event_next(sock, event, left);
		if (err || event->type == type)
			return err;
	}
	return -EAGAIN;
}
