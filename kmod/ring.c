// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueue as seen by the device. Knows descriptors and indices, not
 * what a request means. Everything read from guest memory is read once and
 * checked before use, since the guest can change it at any time.
 */
#include "ring.h"
#include "mem.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/minmax.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>
#endif

#include <linux/virtio_ring.h>

/* As struct vring_desc, but little-endian as VIRTIO 1 has it. */
struct vpmem_desc {
	__le64 addr;
	__le32 len;
	__le16 flags;
	__le16 next;
};

/* As struct vring_used_elem, likewise. */
struct vpmem_used_elem {
	__le32 id;
	__le32 len;
};

#define VPMEM_DESC_BYTES	sizeof(struct vpmem_desc)

/* What the length of an indirect table is a multiple of. */
#ifdef VPMEM_MUTANT_ODD_TABLE
#define VPMEM_TABLE_UNIT	(VPMEM_DESC_BYTES / 2)
#else
#define VPMEM_TABLE_UNIT	VPMEM_DESC_BYTES
#endif

#define VPMEM_USED_ELEM_BYTES	sizeof(struct vpmem_used_elem)

/* Both rings start with le16 flags, le16 idx. */
#define VPMEM_FLAGS_OFFSET	0
#define VPMEM_IDX_OFFSET	2
#define VPMEM_RING_OFFSET	4

/* More descriptors than this in an indirect table are not looked at. */
#define VPMEM_INDIRECT_MAX	1024

static bool vpmem_ring_has(const struct vpmem_ring *ring, u32 feature)
{
	return ring->features & (1ull << feature);
}

/* gpa of the field behind the available ring with which EVENT_IDX asks. */
static u64 vpmem_ring_used_event(const struct vpmem_ring *ring)
{
	return ring->avail + VPMEM_RING_OFFSET + 2ull * ring->size;
}

/* gpa of the field behind the used ring, likewise. */
static u64 vpmem_ring_avail_event(const struct vpmem_ring *ring)
{
	return ring->used + VPMEM_RING_OFFSET +
	       VPMEM_USED_ELEM_BYTES * ring->size;
}

static u64 vpmem_ring_event_bytes(const struct vpmem_ring *ring)
{
	return vpmem_ring_has(ring, VIRTIO_RING_F_EVENT_IDX) ? 2 : 0;
}

/**
 * vpmem_ring_desc_bytes() - Size of the descriptor table (RING-1).
 * @ring: ring whose size and features are set
 */
u64 vpmem_ring_desc_bytes(const struct vpmem_ring *ring)
{
	return VPMEM_DESC_BYTES * ring->size;
}

/**
 * vpmem_ring_avail_bytes() - Size of the available ring (RING-1).
 * @ring: ring whose size and features are set
 */
u64 vpmem_ring_avail_bytes(const struct vpmem_ring *ring)
{
	return vpmem_ring_used_event(ring) - ring->avail +
	       vpmem_ring_event_bytes(ring);
}

/**
 * vpmem_ring_used_bytes() - Size of the used ring (RING-1).
 * @ring: ring whose size and features are set
 */
u64 vpmem_ring_used_bytes(const struct vpmem_ring *ring)
{
	return vpmem_ring_avail_event(ring) - ring->used +
	       vpmem_ring_event_bytes(ring);
}

static u32 vpmem_ring_slot(const struct vpmem_ring *ring, u16 index)
{
	return index & (ring->size - 1);
}

/**
 * vpmem_ring_is_covered() - Whether a ring is all in guest memory.
 * @ring: ring
 * @mem: guest memory
 *
 * Context: any.
 */
bool vpmem_ring_is_covered(const struct vpmem_ring *ring,
			   const struct vpmem_mem *mem)
{
	return vpmem_mem_covers(mem, ring->desc, vpmem_ring_desc_bytes(ring)) &&
	       vpmem_mem_covers(mem, ring->avail,
				vpmem_ring_avail_bytes(ring)) &&
	       vpmem_mem_covers(mem, ring->used, vpmem_ring_used_bytes(ring));
}

/**
 * vpmem_ring_available() - Count the requests that wait.
 * @ring: ring
 * @mem: guest memory
 *
 * Reads the available index once; what the count covers was made available
 * before (RING-9).
 *
 * Return: number of requests from @ring->next_avail on; -EPROTO if the driver
 * claims more than fit; -EFAULT.
 */
int vpmem_ring_available(const struct vpmem_ring *ring,
			 const struct vpmem_mem *mem)
{
	__le16 idx;
	u16 count;
	int err;

	err = vpmem_mem_get16(mem, ring->avail + VPMEM_IDX_OFFSET, &idx);
	if (err)
		return err;
	count = le16_to_cpu(idx) - ring->next_avail;
	if (count > ring->size)
		return -EPROTO;
	/* Entries and descriptors after the index; pairs with the driver's
	 * write barrier before it publishes the index.
	 */
	smp_rmb();
	return count;
}

/**
 * vpmem_ring_chain() - Start to walk a request.
 * @ring: ring
 * @mem: guest memory
 * @index: available index of the request, below what
 *         vpmem_ring_available() counted
 * @chain: filled in
 *
 * Return: 0; -EPROTO if the head is no descriptor of the ring; -EFAULT.
 */
int vpmem_ring_chain(const struct vpmem_ring *ring, const struct vpmem_mem *mem,
		     u16 index, struct vpmem_chain *chain)
{
	u64 entry = ring->avail + VPMEM_RING_OFFSET +
		    2 * vpmem_ring_slot(ring, index);
	__le16 head;
	int err;

	err = vpmem_mem_get16(mem, entry, &head);
	if (err)
		return err;
	*chain = (struct vpmem_chain) {
		.ring = ring,
		.mem = mem,
		.table = ring->desc,
		.entries = ring->size,
		.steps_left = ring->size,
		.next = le16_to_cpu(head),
		.head = le16_to_cpu(head),
		.has_more = true,
	};
	return chain->head < ring->size ? 0 : -EPROTO;
}

static int vpmem_chain_enter_indirect(struct vpmem_chain *chain,
				      u64 gpa, u32 len, u16 flags)
{
	if (!vpmem_ring_has(chain->ring, VIRTIO_RING_F_INDIRECT_DESC) ||
	    chain->is_indirect || (flags & VRING_DESC_F_NEXT))
		return -EPROTO;
	if (!len || len % VPMEM_TABLE_UNIT)
		return -EPROTO;
	if (!vpmem_mem_covers(chain->mem, gpa, len))
		return -EFAULT;
	chain->table = gpa;
	chain->entries = len / VPMEM_DESC_BYTES;
	chain->steps_left = min_t(u32, chain->entries, VPMEM_INDIRECT_MAX);
	chain->next = 0;
	chain->is_indirect = true;
	return 0;
}

static int vpmem_chain_read_desc(struct vpmem_chain *chain,
				 struct vpmem_desc *desc)
{
	if (!chain->steps_left)
		return -ELOOP;
	if (chain->next >= chain->entries)
		return -EPROTO;
	chain->steps_left--;
	return vpmem_mem_read(chain->mem,
			      chain->table + VPMEM_DESC_BYTES * chain->next,
			      desc, sizeof(*desc));
}

/**
 * vpmem_chain_next() - Take the next buffer of a request.
 * @chain: cursor
 * @seg: receives the buffer; its address is not checked
 *
 * Any arrangement of descriptors is legal (RING-2), with one indirect table at
 * the end if that was negotiated (RING-10).
 *
 * Return: 1 with @seg filled in; 0 at the end; -ELOOP, -EPROTO or -EFAULT if
 * the chain cannot be trusted.
 */
int vpmem_chain_next(struct vpmem_chain *chain, struct vpmem_seg *seg)
{
	struct vpmem_desc desc;
	u16 flags;
	int err;

	if (!chain->has_more)
		return 0;
	err = vpmem_chain_read_desc(chain, &desc);
	if (err)
		return err;
	flags = le16_to_cpu(desc.flags);
	if (flags & VRING_DESC_F_INDIRECT) {
		err = vpmem_chain_enter_indirect(chain, le64_to_cpu(desc.addr),
						 le32_to_cpu(desc.len), flags);
		if (err)
			return err;
		err = vpmem_chain_read_desc(chain, &desc);
		if (err)
			return err;
		flags = le16_to_cpu(desc.flags);
		if (flags & VRING_DESC_F_INDIRECT)
			return -EPROTO;
	}
	seg->gpa = le64_to_cpu(desc.addr);
	seg->len = le32_to_cpu(desc.len);
	seg->is_write = flags & VRING_DESC_F_WRITE;
	chain->has_more = flags & VRING_DESC_F_NEXT;
	chain->next = le16_to_cpu(desc.next);
	return 1;
}

/**
 * vpmem_ring_push() - Write one completion, not yet visible to the driver.
 * @ring: ring; @ring->next_used advances
 * @mem: guest memory
 * @head: head of the request
 * @len: bytes written to its device-writable part, at most (RING-5)
 *
 * Return: 0 or -EFAULT.
 */
int vpmem_ring_push(struct vpmem_ring *ring, const struct vpmem_mem *mem,
		    u16 head, u32 len)
{
	struct vpmem_used_elem elem = {
		.id = cpu_to_le32(head),
		.len = cpu_to_le32(len),
	};
	u64 entry = ring->used + VPMEM_RING_OFFSET +
		    VPMEM_USED_ELEM_BYTES *
		    vpmem_ring_slot(ring, ring->next_used);
	int err;

	err = vpmem_mem_write(mem, entry, &elem, sizeof(elem));
	if (!err)
		ring->next_used++;
	return err;
}

static int vpmem_ring_wants_signal(const struct vpmem_ring *ring,
				   const struct vpmem_mem *mem, u16 count)
{
	bool has_event_idx = vpmem_ring_has(ring, VIRTIO_RING_F_EVENT_IDX);
	__le16 val;
	int err;

	err = vpmem_mem_get16(mem, has_event_idx ? vpmem_ring_used_event(ring) :
			      ring->avail + VPMEM_FLAGS_OFFSET, &val);
	if (err)
		return err;
	if (has_event_idx)
		return vring_need_event(le16_to_cpu(val), ring->next_used,
					ring->next_used - count);
	return !(le16_to_cpu(val) & VRING_AVAIL_F_NO_INTERRUPT);
}

/**
 * vpmem_ring_publish() - Show pushed completions to the driver.
 * @ring: ring
 * @mem: guest memory
 * @count: completions pushed since the last call
 *
 * Return: 1 if the driver wants an interrupt for them (RING-6, RING-7), 0 if
 * not, -EFAULT.
 */
int vpmem_ring_publish(struct vpmem_ring *ring, const struct vpmem_mem *mem,
		       u16 count)
{
	int err;

	/* Status and elements before the index; pairs with the driver's read
	 * barrier after it has seen the index.
	 */
	smp_wmb();
	err = vpmem_mem_put16(mem, ring->used + VPMEM_IDX_OFFSET,
			      cpu_to_le16(ring->next_used));
	if (err)
		return err;
	/* Index before the driver's wish is read; pairs with the barrier
	 * between the driver's setting of it and its last look at the index.
	 * Without both an interrupt that is needed could be left out.
	 */
	smp_mb();
	return vpmem_ring_wants_signal(ring, mem, count);
}

/**
 * vpmem_ring_begin() - Ask for a kick with each request from now on.
 * @ring: ring that was started
 * @mem: guest memory
 *
 * Whoever served the ring before may have asked for none.
 *
 * Return: 0 or -EFAULT. The caller has to call vpmem_ring_available() then, as
 * a request that was made available before came without a kick.
 */
int vpmem_ring_begin(const struct vpmem_ring *ring, const struct vpmem_mem *mem)
{
	int err;

	err = vpmem_mem_put16(mem, ring->used + VPMEM_FLAGS_OFFSET, 0);
	/* Flags before the look at the available index; pairs with the driver's
	 * barrier between publishing it and reading them.
	 */
	smp_mb();
	return err;
}

/**
 * vpmem_ring_is_kicked() - Whether each request comes with a kick.
 * @ring: ring
 *
 * Without EVENT_IDX the driver always kicks, as nobody asks it not to in the
 * used ring's flags.
 */
bool vpmem_ring_is_kicked(const struct vpmem_ring *ring)
{
	return !vpmem_ring_has(ring, VIRTIO_RING_F_EVENT_IDX);
}

/**
 * vpmem_ring_rearm() - Ask for a kick at the next request.
 * @ring: ring without waiting requests
 * @mem: guest memory
 *
 * With EVENT_IDX, a request that was made available before the driver saw this
 * comes without a kick, so the caller has to look once more.
 *
 * Return: 1 if the caller has to call vpmem_ring_available() once more; 0 if
 * not; -EFAULT.
 */
int vpmem_ring_rearm(const struct vpmem_ring *ring,
		     const struct vpmem_mem *mem)
{
	int err;

	if (vpmem_ring_is_kicked(ring))
		return 0;
	err = vpmem_mem_put16(mem, vpmem_ring_avail_event(ring),
			      cpu_to_le16(ring->next_avail));
	/* Event index before the second look at the available index; pairs
	 * with the driver's barrier between publishing and reading it.
	 */
	smp_mb();
	return err ?: 1;
}
