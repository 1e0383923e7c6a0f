/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pmem request: what it asks for and how it is answered. Pure, as ring.h.
 */
#ifndef VPMEM_REQUEST_H
#define VPMEM_REQUEST_H

#include "ring.h"

/**
 * enum vpmem_verdict - What a request turned out to be.
 * @VPMEM_VERDICT_FLUSH: a well-formed flush
 * @VPMEM_VERDICT_BAD: something else, with room for a status
 * @VPMEM_VERDICT_NO_STATUS: nowhere to put a status
 */
enum vpmem_verdict {
	VPMEM_VERDICT_FLUSH,
	VPMEM_VERDICT_BAD,
	VPMEM_VERDICT_NO_STATUS,
};

/**
 * struct vpmem_req - A request that was taken.
 * @status_gpa: where the status goes; the guest may split it
 * @status_len: bytes of it that go there, each at least 1 and together 4
 * @head: head of its descriptor chain
 * @verdict: enum vpmem_verdict
 */
struct vpmem_req {
	u64 status_gpa[4];
	u8 status_len[4];
	u16 head;
	u8 verdict;
};

int vpmem_req_decode(struct vpmem_chain *chain, struct vpmem_req *req);
int vpmem_req_answer(const struct vpmem_mem *mem, const struct vpmem_req *req,
		     bool is_ok);

#endif /* VPMEM_REQUEST_H */
