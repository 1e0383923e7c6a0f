/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Token buckets. Pure: no lock, no clock, no memory; compiles in user space
 * too.
 */
#ifndef VPMEM_LIMIT_H
#define VPMEM_LIMIT_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "kernel_types.h"
#endif

/* No wait is longer; far enough from overflow to add a few of them. */
#define VPMEM_LIMIT_NS_MAX	(1ull << 60)

/**
 * struct vpmem_limit - What somebody may use.
 * @rate: units per second, 0 for no limit
 * @burst: units that may be saved up
 */
struct vpmem_limit {
	u64 rate;
	u64 burst;
};

/**
 * struct vpmem_bucket - A token bucket, kept as a point in time.
 * @limit: what flows in and what it holds
 * @empty_ns: when it was empty: what has flowed in since is in it; or, if that
 *            is to come, until when it is in debt
 */
struct vpmem_bucket {
	struct vpmem_limit limit;
	s64 empty_ns;
};

u64 vpmem_limit_ns(u64 units, u64 rate);
void vpmem_bucket_set(struct vpmem_bucket *bucket,
		      const struct vpmem_limit *limit, u64 now_ns);
u64 vpmem_bucket_wait(const struct vpmem_bucket *bucket, u64 now_ns);
void vpmem_bucket_charge(struct vpmem_bucket *bucket, u64 units, u64 now_ns);

#endif /* VPMEM_LIMIT_H */
