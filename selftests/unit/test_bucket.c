// SPDX-License-Identifier: GPL-2.0-or-later
/* The VMM's token buckets. */
#include "bucket.h"

#define BUCKET			bucket
#define BUCKET_NS		bucket_ns
#define BUCKET_SET		bucket_set
#define BUCKET_WAIT		bucket_wait
#define BUCKET_CHARGE		bucket_charge
#define BUCKET_NS_LONGEST	BUCKET_NS_MAX

#include "bucket_tests.h"
