// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Owns the arithmetic on latency histograms. */
#include <vpmem/vpmem.h>

uint64_t vpmem_hist_percentile(const uint64_t *hist, unsigned int permille)
{
	__uint128_t total = 0, seen = 0;
	unsigned int i;

	for (i = 0; i < VPMEM_HIST_BUCKETS; i++)
		total += hist[i];
	if (!total)
		return 0;
	for (i = 0; i < VPMEM_HIST_BUCKETS; i++) {
		seen += hist[i];
		if (seen && seen * 1000 >= total * permille)
			break;
	}
	return (UINT64_C(2) << i) - 1;
}
