// SPDX-License-Identifier: GPL-2.0
/*
 * The pmem request: decode and answer. The only file that knows how a flush
 * looks; what it does is flush.c's.
 */
#include "mem.h"
#include "request.h"

#ifdef __KERNEL__
#include <linux/minmax.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#endif

#include <linux/virtio_pmem.h>

/**
 * struct vpmem_parse - A request while its buffers are walked.
 * @req: what is known
 * @type: request type, as far as it was read
 * @type_len: bytes of it
 * @status_len: bytes of room for the status
 * @status_parts: buffers that they are in
 * @is_bad: cannot be a flush
 * @is_unwritable: its status cannot be trusted to have a place
 */
struct vpmem_parse {
	struct vpmem_req *req;
	u8 type[4];
	u32 type_len;
	u32 status_len;
	u32 status_parts;
	bool is_bad;
	bool is_unwritable;
};

static void vpmem_parse_writable(struct vpmem_parse *parse,
				 const struct vpmem_mem *mem,
				 const struct vpmem_seg *seg)
{
	u32 len = min(seg->len, 4 - parse->status_len);

	if (!vpmem_mem_covers(mem, seg->gpa, seg->len)) {
		parse->is_unwritable = true;
		return;
	}
	if (!len)
		return;
	parse->req->status_gpa[parse->status_parts] = seg->gpa;
	parse->req->status_len[parse->status_parts++] = len;
	parse->status_len += len;
}

static void vpmem_parse_readable(struct vpmem_parse *parse,
				 const struct vpmem_mem *mem,
				 const struct vpmem_seg *seg)
{
	u32 len = min(seg->len, 4 - parse->type_len);

	/* RING-3: what the device reads comes before what it writes. What is
	 * read needs no look of its own at whether it is there.
	 */
	if (parse->status_len ||
	    (seg->len > len &&
	     !vpmem_mem_covers(mem, seg->gpa, seg->len)) ||
	    vpmem_mem_read(mem, seg->gpa, parse->type + parse->type_len, len)) {
		parse->is_bad = true;
		return;
	}
	parse->type_len += len;
}

static enum vpmem_verdict vpmem_parse_verdict(const struct vpmem_parse *parse)
{
	__le32 type;

	if (parse->is_unwritable || parse->status_len < 4)
		return VPMEM_VERDICT_NO_STATUS;
	if (parse->is_bad || parse->type_len < 4)
		return VPMEM_VERDICT_BAD;
	memcpy(&type, parse->type, sizeof(type));
	if (le32_to_cpu(type) != VIRTIO_PMEM_REQ_TYPE_FLUSH)
		return VPMEM_VERDICT_BAD;
	return VPMEM_VERDICT_FLUSH;
}

/**
 * vpmem_req_decode() - Read a request.
 * @chain: cursor at the start of its chain
 * @req: filled in
 *
 * Request and status are streams of bytes (RING-2): either may be split over
 * buffers or be followed by more bytes, which are ignored. The chain is walked
 * to its end, so that a broken one is found before anything counts.
 *
 * Context: process, the owner's mm in use.
 * Return: 0; a negative errno if the ring cannot be trusted.
 */
int vpmem_req_decode(struct vpmem_chain *chain, struct vpmem_req *req)
{
	struct vpmem_parse parse = { .req = req };
	struct vpmem_seg seg;
	int ret;

	while ((ret = vpmem_chain_next(chain, &seg)) > 0) {
		if (seg.is_write)
			vpmem_parse_writable(&parse, chain->mem, &seg);
		else
			vpmem_parse_readable(&parse, chain->mem, &seg);
	}
	if (ret)
		return ret;
	req->head = chain->head;
	req->verdict = vpmem_parse_verdict(&parse);
	return 0;
}

/**
 * vpmem_req_answer() - Write a request's status (PMEM-D4).
 * @mem: guest memory
 * @req: request whose verdict is not VPMEM_VERDICT_NO_STATUS
 * @is_ok: the flush was done
 *
 * Context: process, the owner's mm in use.
 * Return: 0 or -EFAULT.
 */
int vpmem_req_answer(const struct vpmem_mem *mem, const struct vpmem_req *req,
		     bool is_ok)
{
	__le32 status = cpu_to_le32(is_ok ? 0 : -1);
	u32 i, done = 0;
	int err;

	for (i = 0; done < sizeof(status); i++) {
		err = vpmem_mem_write(mem, req->status_gpa[i],
				      (u8 *)&status + done, req->status_len[i]);
		if (err)
			return err;
		done += req->status_len[i];
	}
	return 0;
}
