/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters as OpenMetrics text, with the names that vpmemctl(8) documents. */
#ifndef OPENMETRICS_H
#define OPENMETRICS_H

#include <stddef.h>
#include <stdio.h>

#include <vpmem/vpmem.h>

/**
 * openmetrics_print() - Write all that is known of devices.
 * @out: where to
 * @infos: devices, @count of them; there may be none
 */
void openmetrics_print(FILE *out, const struct vpmem_dev_info *infos,
		       size_t count);

#endif /* OPENMETRICS_H */
