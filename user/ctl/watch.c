// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl stats --watch: what happened in each interval. */
#include "device.h"
#include "fmt.h"
#include "json.h"
#include "stop.h"
#include "table.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* A device that was not there before has started from 0. */
static struct vpmem_stats stats_before(const struct device_list *before,
				       uint32_t id)
{
	size_t i;

	for (i = 0; i < before->count; i++)
		if (before->infos[i].id == id)
			return before->infos[i].stats;
	return (struct vpmem_stats){};
}

static void add_header(struct table *table)
{
	static const char *const titles[] = { "ID", "NAME", "STATE", "FLUSH/s",
					      "SYNC/s", "FAILED/s", "WRITE/s",
					      "CPU", "P50", "P99", "MAX" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(titles); i++)
		table_add(table, "%s", titles[i]);
}

static void add_latencies(struct table *table, const uint64_t *now,
			  const uint64_t *before)
{
	static const unsigned int permilles[] = { 500, 990, 1000 };
	uint64_t hist[VPMEM_HIST_BUCKETS];
	char buf[FMT_BYTES];
	size_t i;

	for (i = 0; i < VPMEM_HIST_BUCKETS; i++)
		hist[i] = now[i] - before[i];
	for (i = 0; i < ARRAY_SIZE(permilles); i++)
		table_add(table, "%s", fmt_percentile(buf, hist, permilles[i]));
}

static void add_rates(struct table *table, const struct vpmem_dev_info *info,
		      const struct device_list *before, double seconds)
{
	const struct vpmem_stats old = stats_before(before, info->id);
	const struct vpmem_stats *now = &info->stats;
	char buf[FMT_BYTES];

	table_add(table, "%u", info->id);
	table_add(table, "%s", fmt_name(buf, info->name));
	table_add(table, "%s", fmt_state(buf, info));
	table_add(table, "%.0f", (now->flushes - old.flushes) / seconds);
	table_add(table, "%.0f", (now->syncs - old.syncs) / seconds);
	table_add(table, "%.0f",
		  (stats_failed(now) - stats_failed(&old)) / seconds);
	table_add(table, "%s",
		  fmt_size(buf, (now->bytes_written - old.bytes_written) /
				seconds));
	table_add(table, "%.1f %%",
		  (now->cpu_ns - old.cpu_ns) / seconds / 1e7);
	add_latencies(table, now->flush_hist, old.flush_hist);
}

static int print_rates(const struct device_list *now,
		       const struct device_list *before, double seconds)
{
	struct table table = { .alignment = "rllrrrrrrrr" };
	size_t i;

	/* A terminal shows the newest table only; a file keeps them all. */
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", stdout);
	add_header(&table);
	for (i = 0; i < now->count; i++)
		add_rates(&table, &now->infos[i], before, seconds);
	table_print(&table);
	if (fflush(stdout))
		return ctl_error("cannot write the output: %s",
				 strerror(errno));
	return CTL_OK;
}

/* All devices, or the one that was asked for. */
static int read_devices(struct ctl *ctl, struct device_list *list)
{
	struct vpmem_dev_info info;
	int status;

	if (!ctl->argc)
		return device_list_read(ctl, list);
	status = device_find(ctl, ctl->argv[0], &info);
	return status ? status : device_list_add(list, &info);
}

/* Return: whether the interval passed without a signal. */
static bool wait_interval(const struct ctl *ctl, int stop_fd)
{
	struct pollfd pollfd = { .fd = stop_fd, .events = POLLIN };

	return poll(&pollfd, 1, ctl->watch_seconds * 1000) == 0;
}

static int watch_devices(struct ctl *ctl, int stop_fd)
{
	struct device_list before = {}, now = {};
	double start = now_seconds();
	int status;

	status = read_devices(ctl, &before);
	while (!status && wait_interval(ctl, stop_fd)) {
		status = read_devices(ctl, &now);
		if (!status)
			status = ctl->is_json ?
				 json_print_line(json_devices(now.infos,
							      now.count,
							      json_stats)) :
				 print_rates(&now, &before,
					     now_seconds() - start);
		start = now_seconds();
		device_list_free(&before);
		before = now;
		now = (struct device_list){};
	}
	device_list_free(&before);
	return status;
}

int watch_stats(struct ctl *ctl)
{
	int stop_fd = stop_open();
	int status;

	if (stop_fd < 0)
		return ctl_error("cannot handle signals: %s", strerror(errno));
	status = watch_devices(ctl, stop_fd);
	close(stop_fd);
	return status;
}
