// SPDX-License-Identifier: GPL-2.0
/* Counters and latency histograms. */
#include "vpmem.h"

#include <linux/log2.h>
#include <linux/minmax.h>

/**
 * vpmem_stats_time() - Record a duration.
 * @sum: sum of all of them
 * @hist: histogram of VPMEM_HIST_BUCKETS buckets
 * @ns: duration in nanoseconds
 *
 * Context: as vpmem_stats_add().
 */
void vpmem_stats_time(u64 *sum, u64 *hist, u64 ns)
{
	u32 bucket = ns ? ilog2(ns) : 0;

	vpmem_stats_add(sum, ns);
	vpmem_stats_add(&hist[min_t(u32, bucket, VPMEM_HIST_BUCKETS - 1)], 1);
}
