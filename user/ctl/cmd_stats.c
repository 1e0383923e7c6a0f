// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl stats: counters and latencies, of one device or of all. */
#include "device.h"
#include "fmt.h"
#include "json.h"
#include "openmetrics.h"
#include "table.h"
#include "util.h"

#include <inttypes.h>
#include <stdio.h>

static void print_counters(const struct vpmem_stats *stats)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "kicks", stats->kicks },
		{ "flushes", stats->flushes },
		{ "flush-errors", stats->flush_errors },
		{ "bad-requests", stats->bad_requests },
		{ "no-status", stats->no_status },
		{ "ring-errors", stats->ring_errors },
		{ "batches", stats->batches },
		{ "syncs", stats->syncs },
		{ "sync-errors", stats->sync_errors },
		{ "inline-runs", stats->inline_runs },
		{ "worker-runs", stats->worker_runs },
		{ "signals", stats->signals },
		{ "suppressed", stats->suppressed },
		{ "bytes-written", stats->bytes_written },
		{ "cpu-ns", stats->cpu_ns },
		{ "throttled", stats->throttled },
		{ "throttled-ns", stats->throttled_ns },
		{ "write-behinds", stats->write_behinds },
		{ "write-behind-bytes", stats->write_behind_bytes },
		{ "write-behind-cpu-ns", stats->write_behind_cpu_ns },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		printf("  %-19s %19" PRIu64 "\n", counters[i].name,
		       counters[i].value);
}

static void add_latency(struct table *table, const char *name,
			const uint64_t *hist, uint64_t mean)
{
	static const unsigned int permilles[] = { 500, 900, 990, 999, 1000 };
	char buf[FMT_BYTES];
	size_t i;

	table_add(table, "  %s", name);
	table_add(table, "%s", fmt_duration(buf, mean));
	for (i = 0; i < ARRAY_SIZE(permilles); i++)
		table_add(table, "%s", fmt_percentile(buf, hist, permilles[i]));
}

static void print_latencies(const struct vpmem_stats *stats)
{
	static const char *const titles[] = { "  latency", "mean", "p50", "p90",
					      "p99", "p99.9", "max" };
	struct table table = { .alignment = "lrrrrrr" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(titles); i++)
		table_add(&table, "%s", titles[i]);
	add_latency(&table, "sync", stats->sync_hist,
		    mean_ns(stats->sync_ns, stats->syncs));
	add_latency(&table, "flush", stats->flush_hist,
		    mean_ns(stats->flush_ns, stats->batches));
	table_print(&table);
}

static void print_stats(const struct vpmem_dev_info *info)
{
	char buf[FMT_BYTES];

	printf("device %u: %s\n", info->id, fmt_name(buf, info->name));
	print_counters(&info->stats);
	print_latencies(&info->stats);
}

static int stats_one(struct ctl *ctl)
{
	struct vpmem_dev_info info;
	int status;

	status = device_find(ctl, ctl->argv[0], &info);
	if (status)
		return status;
	if (ctl->is_json)
		return json_print(json_stats(&info));
	if (ctl->is_openmetrics)
		openmetrics_print(stdout, &info, 1);
	else
		print_stats(&info);
	return CTL_OK;
}

static int print_all(const struct ctl *ctl, const struct device_list *list)
{
	size_t i;

	if (ctl->is_json)
		return json_print(json_devices(list->infos, list->count,
					       json_stats));
	if (ctl->is_openmetrics) {
		openmetrics_print(stdout, list->infos, list->count);
		return CTL_OK;
	}
	for (i = 0; i < list->count; i++) {
		if (i)
			putchar('\n');
		print_stats(&list->infos[i]);
	}
	return CTL_OK;
}

static int stats_all(struct ctl *ctl)
{
	struct device_list list = {};
	int status;

	status = device_list_read(ctl, &list);
	if (!status)
		status = print_all(ctl, &list);
	device_list_free(&list);
	return status;
}

int cmd_stats(struct ctl *ctl)
{
	if (ctl->watch_seconds)
		return watch_stats(ctl);
	return ctl->argc ? stats_one(ctl) : stats_all(ctl);
}
