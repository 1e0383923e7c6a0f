/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio-pmem request: what it asks for and how it is answered. Pure. */
#ifndef PMEM_REQ_H
#define PMEM_REQ_H

#include <stdbool.h>
#include <stdint.h>

struct mem;
struct virtq;
struct virtq_chain;

/** enum pmem_verdict - What a request turned out to be. */
enum pmem_verdict {
	PMEM_VERDICT_FLUSH,	/* a well-formed flush */
	PMEM_VERDICT_BAD,	/* something else, with room for a status */
	PMEM_VERDICT_NO_STATUS,	/* nowhere to put a status */
};

#define PMEM_STATUS_BYTES	4u

/**
 * struct pmem_req - A request that was taken.
 * @head: what identifies it in its completion
 * @verdict: what it is
 * @status_gpa: where the status goes; the guest may split it
 * @status_len: bytes of it that go there, each at least 1 and together 4
 */
struct pmem_req {
	uint16_t head;
	enum pmem_verdict verdict;
	uint64_t status_gpa[PMEM_STATUS_BYTES];
	uint8_t status_len[PMEM_STATUS_BYTES];
};

/**
 * pmem_req_decode() - Read a request, walking its chain to the end.
 * Return: 0; -errno if the ring cannot be trusted.
 */
int pmem_req_decode(struct virtq_chain *chain, struct pmem_req *req);

/**
 * pmem_req_answer() - Write the status of a request that has room for it.
 * @is_ok: 0 is written, else -1 (PMEM-D4)
 * Return: 0 or -EFAULT.
 */
int pmem_req_answer(const struct mem *mem, const struct pmem_req *req,
		    bool is_ok);

/**
 * pmem_req_refuse_all() - Answer all waiting requests with a failure.
 * @wants_signal: receives whether the driver asks for an interrupt
 * Return: 0; -errno if the ring cannot be trusted any further.
 */
int pmem_req_refuse_all(struct virtq *vq, bool *wants_signal);

#endif /* PMEM_REQ_H */
