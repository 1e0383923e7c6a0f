/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of token buckets, for the module's and the VMM's. Who includes
 * this has said what they are called: struct BUCKET, BUCKET_NS(), BUCKET_SET(),
 * BUCKET_WAIT(), BUCKET_CHARGE() and BUCKET_NS_LONGEST.
 */
#include <stdint.h>

#include "kselftest_harness.h"

#define SECOND	1000000000ull
#define NOW	(5 * SECOND)

static struct BUCKET bucket_of(uint64_t rate, uint64_t burst)
{
	const struct vpmem_limit limit = { .rate = rate, .burst = burst };
	struct BUCKET bucket;

	BUCKET_SET(&bucket, &limit, NOW);
	return bucket;
}

TEST(time_of_units)
{
	EXPECT_EQ(0, BUCKET_NS(0, 7));
	EXPECT_EQ(SECOND, BUCKET_NS(1, 1));
	EXPECT_EQ(1000, BUCKET_NS(1, 1000000));
	EXPECT_EQ(3 * SECOND + SECOND / 2, BUCKET_NS(7, 2));
	EXPECT_EQ(1, BUCKET_NS(1, SECOND));
}

TEST(time_of_units_is_rounded_up)
{
	EXPECT_EQ(333333334, BUCKET_NS(1, 3));
	EXPECT_EQ(666666667, BUCKET_NS(2, 3));
	EXPECT_EQ(SECOND, BUCKET_NS(3, 3));
	EXPECT_EQ(1, BUCKET_NS(1, UINT64_MAX));
}

/* Against arithmetic with twice as many bits. */
TEST(no_number_overflows)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 999, SECOND - 1, SECOND, SECOND + 1,
		UINT64_MAX / SECOND - 1, UINT64_MAX / SECOND,
		UINT64_MAX / SECOND + 1, 1ull << 32, 1ull << 62, 1ull << 63,
		UINT64_MAX - 1, UINT64_MAX,
	};
	const size_t count = sizeof(values) / sizeof(values[0]);
	size_t i, j;

	for (i = 0; i < count; i++) {
		for (j = 1; j < count; j++) {
			uint64_t units = values[i], rate = values[j];
			__uint128_t exact = (__uint128_t)units * SECOND;
			uint64_t ns = BUCKET_NS(units, rate);

			exact = (exact + rate - 1) / rate;
			if (exact > BUCKET_NS_LONGEST)
				exact = BUCKET_NS_LONGEST;
			EXPECT_GE(ns + 1, (uint64_t)exact) {
				TH_LOG("%lu at %lu/s", units, rate);
			}
			EXPECT_LE(ns, (uint64_t)exact + 1 + (uint64_t)exact / 1000000) {
				TH_LOG("%lu at %lu/s", units, rate);
			}
		}
	}
}

TEST(no_limit_never_waits)
{
	struct BUCKET bucket = bucket_of(0, 0);

	BUCKET_CHARGE(&bucket, UINT64_MAX, NOW);
	EXPECT_EQ(0, BUCKET_WAIT(&bucket, NOW));
}

TEST(burst_passes_at_once_and_no_more)
{
	struct BUCKET bucket = bucket_of(10, 5);

	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(0, BUCKET_WAIT(&bucket, NOW));
		BUCKET_CHARGE(&bucket, 1, NOW);
	}
	EXPECT_EQ(SECOND / 10, BUCKET_WAIT(&bucket, NOW));
	EXPECT_EQ(1, BUCKET_WAIT(&bucket, NOW + SECOND / 10 - 1));
	EXPECT_EQ(0, BUCKET_WAIT(&bucket, NOW + SECOND / 10));
}

TEST(rest_saves_up_no_more_than_the_burst)
{
	struct BUCKET bucket = bucket_of(10, 5);

	BUCKET_CHARGE(&bucket, 5, NOW);
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(0, BUCKET_WAIT(&bucket, NOW + 1000 * SECOND));
		BUCKET_CHARGE(&bucket, 1, NOW + 1000 * SECOND);
	}
	EXPECT_EQ(SECOND / 10, BUCKET_WAIT(&bucket, NOW + 1000 * SECOND));
}

TEST(debt_is_paid_at_the_rate)
{
	struct BUCKET bucket = bucket_of(1000, 1000);

	BUCKET_CHARGE(&bucket, 11000, NOW);
	EXPECT_EQ(10 * SECOND + SECOND / 1000,
		  BUCKET_WAIT(&bucket, NOW));
	EXPECT_EQ(4 * SECOND + SECOND / 1000,
		  BUCKET_WAIT(&bucket, NOW + 6 * SECOND));
	/* Debt on debt. */
	BUCKET_CHARGE(&bucket, 1000, NOW + 6 * SECOND);
	EXPECT_EQ(5 * SECOND + SECOND / 1000,
		  BUCKET_WAIT(&bucket, NOW + 6 * SECOND));
}

/* Whoever comes back late by a tick finds what flowed in meanwhile. */
TEST(small_burst_does_not_lower_the_rate)
{
	struct BUCKET bucket = bucket_of(10000, 1);
	uint64_t now = NOW, served = 0;

	while (now < NOW + 10 * SECOND) {
		while (!BUCKET_WAIT(&bucket, now)) {
			BUCKET_CHARGE(&bucket, 1, now);
			served++;
		}
		now += SECOND / 100;
	}
	EXPECT_LE(99000, served);
	EXPECT_GE(101000, served);
}

/* One at a time, however unevenly looked at: the long run is exact. */
TEST(odd_rates_lose_nothing_to_rounding)
{
	struct BUCKET bucket = bucket_of(7, 1);
	uint64_t now = NOW, served = 0;

	while (now < NOW + 100 * SECOND) {
		uint64_t wait = BUCKET_WAIT(&bucket, now);

		if (!wait) {
			BUCKET_CHARGE(&bucket, 1, now);
			served++;
		}
		now += wait ? wait / 2 + 1 : 0;
	}
	EXPECT_LE(699, served);
	EXPECT_GE(701, served);
}

TEST(extremes_neither_overflow_nor_block_for_ever)
{
	struct BUCKET bucket = bucket_of(1, UINT64_MAX);
	int i;

	EXPECT_EQ(0, BUCKET_WAIT(&bucket, NOW));
	for (i = 0; i < 20; i++)
		BUCKET_CHARGE(&bucket, UINT64_MAX, NOW);
	EXPECT_GE(BUCKET_NS_LONGEST + SECOND, BUCKET_WAIT(&bucket, NOW));
	bucket = bucket_of(UINT64_MAX, UINT64_MAX);
	for (i = 0; i < 100; i++)
		BUCKET_CHARGE(&bucket, UINT64_MAX, NOW);
	EXPECT_GE(100 * SECOND, BUCKET_WAIT(&bucket, NOW));
	bucket = bucket_of(UINT64_MAX, 1);
	EXPECT_EQ(0, BUCKET_WAIT(&bucket, NOW));
}

TEST_HARNESS_MAIN
