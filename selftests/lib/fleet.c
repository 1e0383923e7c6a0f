// SPDX-License-Identifier: GPL-2.0-or-later
/* Many devices of one process. */
#include "fleet.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/resource.h>

#define STATUS_UNSET	0xa5a5a5a5u
#define FLUSH_MS	10000

/* Descriptors besides the eventfds. */
#define SPARE_FDS	100

/* What a device has of guest memory: a ring of two and a request. */
struct block {
	struct vring_desc desc[2];
	struct {
		uint16_t flags;
		uint16_t idx;
		uint16_t ring[2];
	} avail;
	struct {
		uint16_t flags;
		uint16_t idx;
		struct vring_used_elem ring[2];
	} used;
	uint32_t type;
	uint32_t status;
} __attribute__((aligned(64)));

static uint64_t block_gpa(unsigned int i)
{
	return DRIVER_MEMORY_GPA + i * sizeof(struct block);
}

int fleet_open(struct fleet *fleet, unsigned int count)
{
	const struct rlimit limit = {
		2 * FLEET_MAX + SPARE_FDS, 2 * FLEET_MAX + SPARE_FDS
	};
	unsigned int i;
	int err;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	err = driver_open(&fleet->drv);
	if (err)
		return err;
	fleet->count = count;
	for (i = 0; i < count; i++) {
		fleet->kick_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fleet->call_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fleet->kick_fds[i] < 0 || fleet->call_fds[i] < 0)
			return -errno;
	}
	return 0;
}

int fleet_add_one(struct fleet *fleet, unsigned int i)
{
	struct vpmem_queue_config queue;
	struct vpmem_dev_config config;
	struct vpmem_region region;
	int err;

	driver_config(&fleet->drv, &config, &region);
	config.kick_fd = fleet->kick_fds[i];
	config.call_fd = fleet->call_fds[i];
	err = vpmem_dev_add(fleet->drv.sock, &config, &fleet->ids[i]);
	if (err)
		return err;
	driver_queue(&fleet->drv, &queue);
	queue.size = 2;
	queue.desc = block_gpa(i) + offsetof(struct block, desc);
	queue.avail = block_gpa(i) + offsetof(struct block, avail);
	queue.used = block_gpa(i) + offsetof(struct block, used);
	return vpmem_queue_start(fleet->drv.sock, fleet->ids[i], &queue);
}

int64_t fleet_flush_one(struct fleet *fleet, unsigned int i)
{
	struct block *block = (struct block *)(void *)fleet->drv.memory + i;
	struct pollfd pfd = { .fd = fleet->call_fds[i], .events = POLLIN };
	uint64_t one = 1;

	block->status = STATUS_UNSET;
	block->desc[0] = (struct vring_desc) {
		.addr = block_gpa(i) + offsetof(struct block, type),
		.len = 4,
		.flags = VRING_DESC_F_NEXT,
		.next = 1,
	};
	block->desc[1] = (struct vring_desc) {
		.addr = block_gpa(i) + offsetof(struct block, status),
		.len = 4,
		.flags = VRING_DESC_F_WRITE,
	};
	__atomic_store_n(&block->avail.idx, 1, __ATOMIC_SEQ_CST);
	if (write(fleet->kick_fds[i], &one, sizeof(one)) != sizeof(one))
		return -errno;
	if (poll(&pfd, 1, FLUSH_MS) != 1)
		return -ETIME;
	return __atomic_load_n(&block->status, __ATOMIC_SEQ_CST);
}
