// SPDX-License-Identifier: GPL-2.0-or-later
/* Token buckets: the arithmetic. Who waits is the server's matter. */
#include "bucket.h"

#define NS_PER_SECOND		1000000000ull

/* As the module's: what flows in while somebody comes back late finds room. */
#define BURST_NS_MIN		(NS_PER_SECOND / 50)

uint64_t bucket_ns(uint64_t units, uint64_t rate)
{
	unsigned __int128 ns = (unsigned __int128)units * NS_PER_SECOND;

	ns = (ns + rate - 1) / rate;
	return ns < BUCKET_NS_MAX ? ns : BUCKET_NS_MAX;
}

/* Empty so long ago that it is full, if nothing was taken since. */
static int64_t bucket_full(const struct bucket *bucket, uint64_t now_ns)
{
	uint64_t span = bucket_ns(bucket->limit.burst, bucket->limit.rate);

	if (span < BURST_NS_MIN)
		span = BURST_NS_MIN;
	return (int64_t)now_ns - (int64_t)span;
}

void bucket_set(struct bucket *bucket, const struct vpmem_limit *limit,
		uint64_t now_ns)
{
	bucket->limit = *limit;
	bucket->empty_ns = limit->rate ? bucket_full(bucket, now_ns) : 0;
}

uint64_t bucket_wait(const struct bucket *bucket, uint64_t now_ns)
{
	int64_t ready_ns;

	if (!bucket->limit.rate)
		return 0;
	ready_ns = bucket->empty_ns + (int64_t)bucket_ns(1, bucket->limit.rate);
	return ready_ns > (int64_t)now_ns ? ready_ns - (int64_t)now_ns : 0;
}

void bucket_charge(struct bucket *bucket, uint64_t units, uint64_t now_ns)
{
	int64_t full_ns, latest_ns = now_ns + BUCKET_NS_MAX;

	if (!bucket->limit.rate)
		return;
	full_ns = bucket_full(bucket, now_ns);
	if (bucket->empty_ns < full_ns)
		bucket->empty_ns = full_ns;
	bucket->empty_ns += bucket_ns(units, bucket->limit.rate);
	if (bucket->empty_ns > latest_ns)
		bucket->empty_ns = latest_ns;
}
