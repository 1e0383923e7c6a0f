/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values as text for people, each into a buffer of FMT_BYTES that it returns. */
#ifndef FMT_H
#define FMT_H

#include <stdbool.h>

#include <vpmem/vpmem.h>

#define FMT_BYTES	96

/** fmt_size() - Bytes in binary units: "64 MiB", "1.5 GiB". */
const char *fmt_size(char *buf, uint64_t bytes);

/** fmt_duration() - Nanoseconds as "850 ns", "1.2 ms"; "-" for 0, no value. */
const char *fmt_duration(char *buf, uint64_t ns);

/** fmt_percentile() - Percentile of a histogram, as a duration. */
const char *fmt_percentile(char *buf, const uint64_t *hist,
			   unsigned int permille);

/** fmt_name() - A name without what could confuse a terminal; "-" if empty. */
const char *fmt_name(char *buf, const char *name);

/** fmt_errno() - An errno as "EIO", "none" for 0. */
const char *fmt_errno(char *buf, uint32_t error);

/** fmt_exec() - Execution policy: "inline", or "auto (worker)". */
const char *fmt_exec(char *buf, const struct vpmem_dev_info *info);

/** fmt_state() - State of the queue, with the sticky error: "running (EIO)". */
const char *fmt_state(char *buf, const struct vpmem_dev_info *info);

/** fmt_flags() - "read-only", "discard-writes", both, or "none". */
const char *fmt_flags(char *buf, uint32_t flags);

/** fmt_flush_limit() - "100/s, burst 200", or "none". */
const char *fmt_flush_limit(char *buf, const struct vpmem_limit *limit);

/** fmt_bytes_limit() - "10 MiB/s, burst 1 MiB", or "none". */
const char *fmt_bytes_limit(char *buf, const struct vpmem_limit *limit);

/** fmt_time() - The time now, local: "2026-01-31 12:00:00.123456". */
const char *fmt_time(char *buf);

/** stats_failed() - Requests that were not completed with success. */
uint64_t stats_failed(const struct vpmem_stats *stats);

/** mean_ns() - Mean of @count durations that add up to @sum_ns. */
uint64_t mean_ns(uint64_t sum_ns, uint64_t count);

#endif /* FMT_H */
