/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Token buckets. Pure: no lock, no clock. They do what the module's do, in code
 * of their own, as the rings do; one set of tests is run over both.
 */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdint.h>

#include <vpmem/vpmem.h>

/* No wait is longer; far enough from overflow to add a few of them. */
#define BUCKET_NS_MAX		(1ull << 60)

/**
 * struct bucket - A token bucket, kept as a point in time.
 * @limit: what flows in and what it holds; no limit if the rate is 0
 * @empty_ns: when it was empty: what has flowed in since is in it; or, if that
 *	is to come, until when it is in debt
 */
struct bucket {
	struct vpmem_limit limit;
	int64_t empty_ns;
};

/** bucket_ns() - Nanoseconds that @units take at @rate, rounded up. */
uint64_t bucket_ns(uint64_t units, uint64_t rate);

/** bucket_set() - Make a full bucket. */
void bucket_set(struct bucket *bucket, const struct vpmem_limit *limit,
		uint64_t now_ns);

/** bucket_wait() - Nanoseconds until there is a unit in it, 0 if now. */
uint64_t bucket_wait(const struct bucket *bucket, uint64_t now_ns);

/** bucket_charge() - Take units out, also more than there are. */
void bucket_charge(struct bucket *bucket, uint64_t units, uint64_t now_ns);

#endif /* BUCKET_H */
