// SPDX-License-Identifier: GPL-2.0
/* Token buckets: the arithmetic. Who waits, and how, is serve.c's. */
#include "limit.h"

#ifdef __KERNEL__
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#endif

/*
 * Who waits for a bucket comes back late by up to two ticks of the slowest
 * clock. What flows in meanwhile has to find room, or the rate is not reached.
 */
#define VPMEM_BURST_NS_MIN	(20 * (NSEC_PER_SEC / 1000))

/**
 * vpmem_limit_ns() - How long a number of units takes at a rate.
 * @units: any number
 * @rate: units per second, not 0
 *
 * Rounds up, so that a limit is never exceeded for good.
 *
 * Return: nanoseconds, at most VPMEM_LIMIT_NS_MAX.
 */
u64 vpmem_limit_ns(u64 units, u64 rate)
{
	u64 seconds, rest, ns;

	seconds = div64_u64_rem(units, rate, &rest);
	if (seconds >= VPMEM_LIMIT_NS_MAX / NSEC_PER_SEC)
		return VPMEM_LIMIT_NS_MAX;
	/* Less than a second is left; digits that do not fit do not count. */
	while (rest > U64_MAX / NSEC_PER_SEC) {
		rest >>= 1;
		rate >>= 1;
	}
	ns = div64_u64_rem(rest * NSEC_PER_SEC, rate, &rest);
	return seconds * NSEC_PER_SEC + ns + !!rest;
}

/* Empty so long ago that it is full, if nothing was taken since. */
static s64 vpmem_bucket_full(const struct vpmem_bucket *bucket, u64 now_ns)
{
	u64 span = vpmem_limit_ns(bucket->limit.burst, bucket->limit.rate);

	return (s64)now_ns - (s64)max_t(u64, span, VPMEM_BURST_NS_MIN);
}

/**
 * vpmem_bucket_set() - Make a full bucket.
 * @bucket: bucket
 * @limit: its limit
 * @now_ns: the time
 */
void vpmem_bucket_set(struct vpmem_bucket *bucket,
		      const struct vpmem_limit *limit, u64 now_ns)
{
	bucket->limit = *limit;
	bucket->empty_ns = limit->rate ? vpmem_bucket_full(bucket, now_ns) : 0;
}

/**
 * vpmem_bucket_wait() - How long until there is a unit in a bucket.
 * @bucket: bucket
 * @now_ns: the time
 *
 * Return: nanoseconds; 0 if there is one now, or no limit.
 */
u64 vpmem_bucket_wait(const struct vpmem_bucket *bucket, u64 now_ns)
{
	s64 ready_ns;

	if (!bucket->limit.rate)
		return 0;
	ready_ns = bucket->empty_ns + (s64)vpmem_limit_ns(1, bucket->limit.rate);
	return ready_ns > (s64)now_ns ? ready_ns - (s64)now_ns : 0;
}

/**
 * vpmem_bucket_charge() - Take units out of a bucket, also more than there are.
 * @bucket: bucket
 * @units: how many
 * @now_ns: the time
 */
void vpmem_bucket_charge(struct vpmem_bucket *bucket, u64 units, u64 now_ns)
{
	s64 empty_ns;

	if (!bucket->limit.rate)
		return;
	empty_ns = max_t(s64, bucket->empty_ns,
			 vpmem_bucket_full(bucket, now_ns));
	empty_ns += vpmem_limit_ns(units, bucket->limit.rate);
	bucket->empty_ns = min_t(s64, empty_ns, now_ns + VPMEM_LIMIT_NS_MAX);
}
