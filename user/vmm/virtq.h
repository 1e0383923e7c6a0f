/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split virtqueue as the device sees it, in user space. Pure over mem.h: no
 * locks, no allocation, no system calls.
 */
#ifndef VIRTQ_H
#define VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

struct mem;

#define VIRTQ_SIZE_MAX		1024u

/**
 * struct virtq - A ring.
 * @mem: guest memory; regions must not change while it is in use
 * @size: descriptors, a power of two
 * @desc: guest-physical address of the descriptor table
 * @avail: of the available ring
 * @used: of the used ring
 * @features: negotiated feature bits
 * @next_avail: available index of the next request to take
 * @next_used: used index of the next completion to write
 * @shown_used: used index that the driver has been shown
 */
struct virtq {
	const struct mem *mem;
	uint32_t size;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	uint64_t features;
	uint16_t next_avail;
	uint16_t next_used;
	uint16_t shown_used;
};

/**
 * struct virtq_chain - Cursor over the buffers of one request.
 * @vq: ring it is from
 * @table: guest-physical address of the table that is being walked
 * @entries: descriptors in it
 * @left: descriptors that may still be visited; what bounds a loop
 * @next: index of the next one
 * @head: what identifies the request in its completion
 * @is_indirect: @table is an indirect table
 * @is_done: no descriptor follows
 */
struct virtq_chain {
	const struct virtq *vq;
	uint64_t table;
	uint32_t entries;
	uint32_t left;
	uint16_t next;
	uint16_t head;
	bool is_indirect;
	bool is_done;
};

/**
 * struct virtq_buf - One buffer.
 * @gpa: guest-physical address, as the guest gave it
 * @len: bytes, may be 0
 * @is_writable: for the device to write
 * @is_mapped: all of it is memory that a device may use
 */
struct virtq_buf {
	uint64_t gpa;
	uint32_t len;
	bool is_writable;
	bool is_mapped;
};

/**
 * virtq_check() - Can the ring be used?
 * Return: 0; -EINVAL for a bad size or alignment; -EFAULT if a part of it is
 * not in memory that a device may use.
 */
int virtq_check(const struct virtq *vq);

/**
 * virtq_available() - Count waiting requests; reads the available index once.
 * @count: receives it
 * Return: 0; -EPROTO if the driver claims more than fit; -EFAULT.
 */
int virtq_available(const struct virtq *vq, uint16_t *count);

/**
 * virtq_pop() - Take the next request.
 *
 * To be called no more often than virtq_available() counted.
 *
 * Return: 0; -EPROTO if its head is no descriptor; -EFAULT.
 */
int virtq_pop(struct virtq *vq, struct virtq_chain *chain);

/**
 * virtq_next_buf() - Take the next buffer of a request.
 *
 * Any arrangement of descriptors is legal (RING-2).
 *
 * Return: 0 with @buf filled in; -ENODATA at the end; -ELOOP, -EPROTO or
 * -EFAULT if the ring cannot be trusted.
 */
int virtq_next_buf(struct virtq_chain *chain, struct virtq_buf *buf);

/**
 * virtq_push() - Write a completion, which virtq_show() makes visible.
 * @len: bytes written to the request's writable part (RING-5)
 * Return: 0 or -EFAULT.
 */
int virtq_push(struct virtq *vq, uint16_t head, uint32_t len);

/**
 * virtq_show() - Show the pushed completions to the driver.
 * @wants_signal: receives whether it asks for an interrupt (RING-6, RING-7)
 * Return: 0 or -EFAULT.
 */
int virtq_show(struct virtq *vq, bool *wants_signal);

/**
 * virtq_is_kicked() - Whether each request comes with a kick.
 *
 * Without EVENT_IDX the driver always kicks, as nobody asks it not to in the used
 * ring's flags.
 */
bool virtq_is_kicked(const struct virtq *vq);

/**
 * virtq_rearm() - Ask for a kick at the next request.
 * @look_again: receives whether requests may have come without one
 * Return: 0 or -EFAULT.
 */
int virtq_rearm(const struct virtq *vq, bool *look_again);

/** virtq_read() - Copy from guest memory, across regions. 0 or -EFAULT. */
int virtq_read(const struct mem *mem, uint64_t gpa, void *data, uint32_t len);

/** virtq_write() - Copy to guest memory, across regions. 0 or -EFAULT. */
int virtq_write(const struct mem *mem, uint64_t gpa, const void *data,
		uint32_t len);

#endif /* VIRTQ_H */
