// SPDX-License-Identifier: GPL-2.0-or-later
/* Owns how values read as text. */
#include "fmt.h"
#include "util.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Three digits where the unit leaves a fraction, all of them where it does not. */
static const char *fmt_unit(char *buf, double value, const char *unit)
{
	int digits = value < 9.95 ? 1 : 0;

	if (value == (uint64_t)value)
		digits = 0;
	snprintf(buf, FMT_BYTES, "%.*f %s", digits, value, unit);
	return buf;
}

const char *fmt_size(char *buf, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
					     "PiB" };
	double value = bytes;
	size_t i = 0;

	while (value >= 1024 && i < ARRAY_SIZE(units) - 1) {
		value /= 1024;
		i++;
	}
	return fmt_unit(buf, value, units[i]);
}

const char *fmt_duration(char *buf, uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = ns;
	size_t i = 0;

	if (!ns) {
		snprintf(buf, FMT_BYTES, "-");
		return buf;
	}

	while (value >= 1000 && i < ARRAY_SIZE(units) - 1) {
		value /= 1000;
		i++;
	}
	return fmt_unit(buf, value, units[i]);
}

const char *fmt_percentile(char *buf, const uint64_t *hist,
			   unsigned int permille)
{
	return fmt_duration(buf, vpmem_hist_percentile(hist, permille));
}

const char *fmt_name(char *buf, const char *name)
{
	char *c;

	snprintf(buf, FMT_BYTES, "%s", *name ? name : "-");
	for (c = buf; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return buf;
}

const char *fmt_errno(char *buf, uint32_t error)
{
	const char *name = error ? strerrorname_np(error) : "none";

	if (name)
		snprintf(buf, FMT_BYTES, "%s", name);
	else
		snprintf(buf, FMT_BYTES, "errno %u", error);
	return buf;
}

const char *fmt_exec(char *buf, const struct vpmem_dev_info *info)
{
	const char *exec = vpmem_exec_name(info->exec);

	if (info->exec == info->exec_effective)
		snprintf(buf, FMT_BYTES, "%s", exec);
	else
		snprintf(buf, FMT_BYTES, "%s (%s)", exec,
			 vpmem_exec_name(info->exec_effective));
	return buf;
}

const char *fmt_state(char *buf, const struct vpmem_dev_info *info)
{
	const char *state = vpmem_queue_state_name(info->queue_state);
	char error[FMT_BYTES];

	if (info->error)
		snprintf(buf, FMT_BYTES, "%s (%.32s)", state,
			 fmt_errno(error, info->error));
	else
		snprintf(buf, FMT_BYTES, "%s", state);
	return buf;
}

const char *fmt_flags(char *buf, uint32_t flags)
{
	bool is_read_only = flags & VPMEM_DEV_FLAGS_READ_ONLY;
	bool is_discarding = flags & VPMEM_DEV_FLAGS_DISCARD_WRITES;

	snprintf(buf, FMT_BYTES, "%s%s%s", is_read_only ? "read-only" : "",
		 is_read_only && is_discarding ? ", " : "",
		 is_discarding ? "discard-writes" : "");
	if (!is_read_only && !is_discarding)
		snprintf(buf, FMT_BYTES, "none");
	return buf;
}

const char *fmt_flush_limit(char *buf, const struct vpmem_limit *limit)
{
	if (limit->rate)
		snprintf(buf, FMT_BYTES, "%" PRIu64 "/s, burst %" PRIu64,
			 limit->rate, limit->burst);
	else
		snprintf(buf, FMT_BYTES, "none");
	return buf;
}

const char *fmt_bytes_limit(char *buf, const struct vpmem_limit *limit)
{
	char rate[FMT_BYTES], burst[FMT_BYTES];

	if (limit->rate)
		snprintf(buf, FMT_BYTES, "%.32s/s, burst %.32s",
			 fmt_size(rate, limit->rate),
			 fmt_size(burst, limit->burst));
	else
		snprintf(buf, FMT_BYTES, "none");
	return buf;
}

const char *fmt_time(char *buf)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	len = strftime(buf, FMT_BYTES, "%F %T", &tm);
	snprintf(buf + len, FMT_BYTES - len, ".%06ld", now.tv_nsec / 1000);
	return buf;
}

uint64_t stats_failed(const struct vpmem_stats *stats)
{
	return stats->flush_errors + stats->bad_requests + stats->no_status;
}

uint64_t mean_ns(uint64_t sum_ns, uint64_t count)
{
	return count ? sum_ns / count : 0;
}
