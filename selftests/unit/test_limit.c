// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's token buckets. */
#include "limit.h"

#define BUCKET			vpmem_bucket
#define BUCKET_NS		vpmem_limit_ns
#define BUCKET_SET		vpmem_bucket_set
#define BUCKET_WAIT		vpmem_bucket_wait
#define BUCKET_CHARGE		vpmem_bucket_charge
#define BUCKET_NS_LONGEST	VPMEM_LIMIT_NS_MAX

#include "bucket_tests.h"
