// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The virtio-pmem request. Its two halves are streams of bytes (RING-2): each
 * may be split over buffers or be followed by bytes that nobody looks at.
 */
#include "pmem_req.h"

#include "virtq.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_pmem.h>

#define TYPE_BYTES	sizeof(((struct virtio_pmem_req *)NULL)->type)

/**
 * struct pmem_parse - A request while its buffers are walked.
 * @type: bytes of the type, @type_len of them so far
 * @status_len: bytes of room for the status
 * @status_parts: buffers that they are in
 * @is_bad: cannot be a flush
 * @is_lost: its status has no trustworthy place
 */
struct pmem_parse {
	uint8_t type[TYPE_BYTES];
	uint32_t type_len;
	uint32_t status_len;
	uint32_t status_parts;
	bool is_bad;
	bool is_lost;
};

static void pmem_parse_writable(struct pmem_parse *parse, struct pmem_req *req,
				const struct virtq_buf *buf)
{
	uint32_t len = PMEM_STATUS_BYTES - parse->status_len;

	if (!buf->is_mapped) {
		parse->is_lost = true;
		return;
	}
	if (len > buf->len)
		len = buf->len;
	if (!len)
		return;
	req->status_gpa[parse->status_parts] = buf->gpa;
	req->status_len[parse->status_parts++] = len;
	parse->status_len += len;
}

static void pmem_parse_readable(struct pmem_parse *parse,
				const struct mem *mem,
				const struct virtq_buf *buf)
{
	uint32_t len = TYPE_BYTES - parse->type_len;

	if (len > buf->len)
		len = buf->len;
	/* RING-3: what the device reads comes before what it writes. */
	if (parse->status_len || !buf->is_mapped ||
	    virtq_read(mem, buf->gpa, parse->type + parse->type_len, len)) {
		parse->is_bad = true;
		return;
	}
	parse->type_len += len;
}

static enum pmem_verdict pmem_parse_verdict(const struct pmem_parse *parse)
{
	uint32_t type;

	if (parse->is_lost || parse->status_len < PMEM_STATUS_BYTES)
		return PMEM_VERDICT_NO_STATUS;
	if (parse->is_bad || parse->type_len < TYPE_BYTES)
		return PMEM_VERDICT_BAD;
	memcpy(&type, parse->type, sizeof(type));
	return le32toh(type) == VIRTIO_PMEM_REQ_TYPE_FLUSH ?
	       PMEM_VERDICT_FLUSH : PMEM_VERDICT_BAD;
}

int pmem_req_decode(struct virtq_chain *chain, struct pmem_req *req)
{
	struct pmem_parse parse = { .type_len = 0 };
	struct virtq_buf buf;
	int err;

	while (!(err = virtq_next_buf(chain, &buf))) {
		if (buf.is_writable)
			pmem_parse_writable(&parse, req, &buf);
		else
			pmem_parse_readable(&parse, chain->vq->mem, &buf);
	}
	if (err != -ENODATA)
		return err;
	req->head = chain->head;
	req->verdict = pmem_parse_verdict(&parse);
	return 0;
}

int pmem_req_answer(const struct mem *mem, const struct pmem_req *req,
		    bool is_ok)
{
	uint32_t status = htole32(is_ok ? 0 : -1);
	uint32_t i, done = 0;
	int err = 0;

	for (i = 0; done < sizeof(status) && !err; i++) {
		err = virtq_write(mem, req->status_gpa[i],
				  (uint8_t *)&status + done, req->status_len[i]);
		done += req->status_len[i];
	}
	return err;
}

static int pmem_req_refuse(struct virtq *vq)
{
	struct virtq_chain chain;
	struct pmem_req req;
	uint32_t len = 0;
	int err;

	err = virtq_pop(vq, &chain);
	if (!err)
		err = pmem_req_decode(&chain, &req);
	if (err)
		return err;
	if (req.verdict != PMEM_VERDICT_NO_STATUS &&
	    !pmem_req_answer(vq->mem, &req, false))
		len = PMEM_STATUS_BYTES;
	return virtq_push(vq, req.head, len);
}

int pmem_req_refuse_all(struct virtq *vq, bool *wants_signal)
{
	uint16_t first = vq->next_used;
	uint16_t count = 0;
	int err, show_err;

	*wants_signal = false;
	err = virtq_available(vq, &count);
	while (!err && count--)
		err = pmem_req_refuse(vq);
	if (vq->next_used == first)
		return err;
	show_err = virtq_show(vq, wants_signal);
	return err ? err : show_err;
}
