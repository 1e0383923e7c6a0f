// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Split virtqueue as the device sees it. Whatever is read from guest memory is
 * read once into a local and checked there, since the guest can change it at
 * any time. Knows nothing of what a request means.
 */
#include "virtq.h"

#include "mem.h"
#include "util.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_ring.h>

#define AVAIL_FLAGS	offsetof(struct vring_avail, flags)
#define AVAIL_IDX	offsetof(struct vring_avail, idx)
#define AVAIL_RING	offsetof(struct vring_avail, ring)
#define USED_IDX	offsetof(struct vring_used, idx)
#define USED_RING	offsetof(struct vring_used, ring)

static bool virtq_has(const struct virtq *vq, unsigned int feature)
{
	return vq->features & (1ull << feature);
}

static uint32_t virtq_slot(const struct virtq *vq, uint16_t index)
{
	return index & (vq->size - 1);
}

static uint64_t virtq_used_event(const struct virtq *vq)
{
	return vq->avail + AVAIL_RING + vq->size * sizeof(__virtio16);
}

static uint64_t virtq_avail_event(const struct virtq *vq)
{
	return vq->used + USED_RING + vq->size * sizeof(struct vring_used_elem);
}

/*
 * Only what devices may write counts, also where it is just read: a ring or a
 * request in read-only pages is no memory to the module either.
 */
static bool mem_covers(const struct mem *mem, uint64_t gpa, uint64_t len)
{
	uint64_t run;

	while (len) {
		if (!mem_span(mem, gpa, &run))
			return false;
		if (run >= len)
			return true;
		len -= run;
		if (__builtin_add_overflow(gpa, run, &gpa))
			return false;
	}
	return true;
}

/*
 * The sizes that rings and requests are made of need no call. Where there is none, the
 * compiler could read the guest's memory again instead of what was copied.
 */
static void copy(void *to, const void *from, uint32_t len)
{
	if (len == 4)
		memcpy(to, from, 4);
	else if (len == 8)
		memcpy(to, from, 8);
	else if (len == 16)
		memcpy(to, from, 16);
	else
		memcpy(to, from, len);
	asm volatile("" ::: "memory");
}

int virtq_read(const struct mem *mem, uint64_t gpa, void *data, uint32_t len)
{
	char *to = data;

	while (len) {
		uint64_t run;
		const void *from = mem_span(mem, gpa, &run);
		uint32_t part;

		if (!from)
			return -EFAULT;
		part = run < len ? run : len;
		copy(to, from, part);
		gpa += part;
		to += part;
		len -= part;
	}
	return 0;
}

int virtq_write(const struct mem *mem, uint64_t gpa, const void *data,
		uint32_t len)
{
	const char *from = data;

	while (len) {
		uint64_t run;
		void *to = mem_span(mem, gpa, &run);
		uint32_t part;

		if (!to)
			return -EFAULT;
		part = run < len ? run : len;
		copy(to, from, part);
		gpa += part;
		from += part;
		len -= part;
	}
	return 0;
}

/* Indices are aligned, and regions too: two bytes are never split. */
static int virtq_get16(const struct virtq *vq, uint64_t gpa, uint16_t *val)
{
	uint64_t run;
	const uint16_t *from = mem_span(vq->mem, gpa, &run);

	if (!from || run < sizeof(*from))
		return -EFAULT;
	*val = le16toh(__atomic_load_n(from, __ATOMIC_RELAXED));
	return 0;
}

static int virtq_put16(const struct virtq *vq, uint64_t gpa, uint16_t val)
{
	uint64_t run;
	uint16_t *to = mem_span(vq->mem, gpa, &run);

	if (!to || run < sizeof(*to))
		return -EFAULT;
	__atomic_store_n(to, htole16(val), __ATOMIC_RELAXED);
	return 0;
}

int virtq_check(const struct virtq *vq)
{
	uint64_t event = virtq_has(vq, VIRTIO_RING_F_EVENT_IDX) ? 2 : 0;

	if (!vq->size || vq->size > VIRTQ_SIZE_MAX ||
	    (vq->size & (vq->size - 1)))
		return -EINVAL;
	if (!IS_ALIGNED(vq->desc, VRING_DESC_ALIGN_SIZE) ||
	    !IS_ALIGNED(vq->avail, VRING_AVAIL_ALIGN_SIZE) ||
	    !IS_ALIGNED(vq->used, VRING_USED_ALIGN_SIZE))
		return -EINVAL;
	if (!mem_covers(vq->mem, vq->desc,
			vq->size * sizeof(struct vring_desc)) ||
	    !mem_covers(vq->mem, vq->avail,
			virtq_used_event(vq) + event - vq->avail) ||
	    !mem_covers(vq->mem, vq->used,
			virtq_avail_event(vq) + event - vq->used))
		return -EFAULT;
	return 0;
}

int virtq_available(const struct virtq *vq, uint16_t *count)
{
	uint16_t idx;
	int err = virtq_get16(vq, vq->avail + AVAIL_IDX, &idx);

	if (err)
		return err;
	*count = idx - vq->next_avail;
	if (*count > vq->size)
		return -EPROTO;
	/* Entries and descriptors are read after the index; pairs with the
	 * driver's write barrier before it publishes the index.
	 */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return 0;
}

int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	uint16_t head;
	int err;

	err = virtq_get16(vq, vq->avail + AVAIL_RING + sizeof(head) *
			  virtq_slot(vq, vq->next_avail), &head);
	if (err)
		return err;
	if (head >= vq->size)
		return -EPROTO;
	*chain = (struct virtq_chain) {
		.vq = vq,
		.table = vq->desc,
		.entries = vq->size,
		.left = vq->size,
		.next = head,
		.head = head,
	};
	vq->next_avail++;
	return 0;
}

static int virtq_read_desc(struct virtq_chain *chain, struct vring_desc *desc)
{
	uint64_t gpa = chain->table + sizeof(*desc) * chain->next;
	int err;

	if (!chain->left)
		return -ELOOP;
	if (chain->next >= chain->entries)
		return -EPROTO;
	chain->left--;
	err = virtq_read(chain->vq->mem, gpa, desc, sizeof(*desc));
	if (err)
		return err;
	desc->addr = le64toh(desc->addr);
	desc->len = le32toh(desc->len);
	desc->flags = le16toh(desc->flags);
	desc->next = le16toh(desc->next);
	return 0;
}

/* RING-10: one table at the end of the chain; WRITE on @desc is ignored. */
static int virtq_enter_indirect(struct virtq_chain *chain,
				const struct vring_desc *desc)
{
	if (!virtq_has(chain->vq, VIRTIO_RING_F_INDIRECT_DESC) ||
	    chain->is_indirect || (desc->flags & VRING_DESC_F_NEXT))
		return -EPROTO;
	if (!desc->len || desc->len % sizeof(*desc))
		return -EPROTO;
	if (!mem_covers(chain->vq->mem, desc->addr, desc->len))
		return -EFAULT;
	chain->table = desc->addr;
	chain->entries = desc->len / sizeof(*desc);
	chain->left = chain->entries < VIRTQ_SIZE_MAX ? chain->entries :
							VIRTQ_SIZE_MAX;
	chain->next = 0;
	chain->is_indirect = true;
	return 0;
}

int virtq_next_buf(struct virtq_chain *chain, struct virtq_buf *buf)
{
	struct vring_desc desc;
	int err;

	if (chain->is_done)
		return -ENODATA;
	err = virtq_read_desc(chain, &desc);
	if (!err && (desc.flags & VRING_DESC_F_INDIRECT)) {
		err = virtq_enter_indirect(chain, &desc);
		if (!err)
			err = virtq_read_desc(chain, &desc);
		if (!err && (desc.flags & VRING_DESC_F_INDIRECT))
			err = -EPROTO;
	}
	if (err)
		return err;
	chain->is_done = !(desc.flags & VRING_DESC_F_NEXT);
	chain->next = desc.next;
	*buf = (struct virtq_buf) {
		.gpa = desc.addr,
		.len = desc.len,
		.is_writable = desc.flags & VRING_DESC_F_WRITE,
		.is_mapped = mem_covers(chain->vq->mem, desc.addr, desc.len),
	};
	return 0;
}

int virtq_push(struct virtq *vq, uint16_t head, uint32_t len)
{
	struct vring_used_elem elem = {
		.id = htole32(head),
		.len = htole32(len),
	};
	uint64_t gpa = vq->used + USED_RING +
		       sizeof(elem) * virtq_slot(vq, vq->next_used);
	int err = virtq_write(vq->mem, gpa, &elem, sizeof(elem));

	if (!err)
		vq->next_used++;
	return err;
}

static int virtq_wants_signal(const struct virtq *vq, uint16_t old, bool *wants)
{
	bool has_event_idx = virtq_has(vq, VIRTIO_RING_F_EVENT_IDX);
	uint16_t val;
	int err;

	err = virtq_get16(vq, has_event_idx ? virtq_used_event(vq) :
			  vq->avail + AVAIL_FLAGS, &val);
	if (err)
		return err;
	if (has_event_idx)
		*wants = vring_need_event(val, vq->next_used, old);
	else
		*wants = !(val & VRING_AVAIL_F_NO_INTERRUPT);
	return 0;
}

int virtq_show(struct virtq *vq, bool *wants_signal)
{
	uint16_t old = vq->shown_used;
	int err;

	/* Status and elements before the index; pairs with the driver's read
	 * barrier after it has seen the index.
	 */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	err = virtq_put16(vq, vq->used + USED_IDX, vq->next_used);
	if (err)
		return err;
	vq->shown_used = vq->next_used;
	/* Index before the driver's wish is read; pairs with the barrier
	 * between the driver's setting of the wish and its last look at the
	 * index. Without both, an interrupt that is needed could be left out.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return virtq_wants_signal(vq, old, wants_signal);
}

bool virtq_is_kicked(const struct virtq *vq)
{
	return !virtq_has(vq, VIRTIO_RING_F_EVENT_IDX);
}

int virtq_rearm(const struct virtq *vq, bool *look_again)
{
	int err;

	*look_again = !virtq_is_kicked(vq);
	if (!*look_again)
		return 0;
	err = virtq_put16(vq, virtq_avail_event(vq), vq->next_avail);
	/* Event index before the second look at the available index; pairs
	 * with the driver's barrier between publishing and reading it.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return err;
}
