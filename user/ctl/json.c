// SPDX-License-Identifier: GPL-2.0-or-later
/* Owns the JSON keys. */
#include "json.h"
#include "ctl.h"
#include "fmt.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *json_text(char *buf, const char *name)
{
	json_t *value = json_string(name);
	size_t i;

	if (value) {
		json_decref(value);
		return name;
	}
	snprintf(buf, VPMEM_NAME_LEN, "%s", name);
	for (i = 0; buf[i]; i++)
		if (buf[i] & 0x80)
			buf[i] = '?';
	return buf;
}

static json_t *json_name(const char *name)
{
	char buf[VPMEM_NAME_LEN];

	return json_string(json_text(buf, name));
}

static json_t *json_flags(uint32_t flags)
{
	json_t *array = json_array();

	if (flags & VPMEM_DEV_FLAGS_READ_ONLY)
		json_array_append_new(array, json_string("read-only"));
	if (flags & VPMEM_DEV_FLAGS_DISCARD_WRITES)
		json_array_append_new(array, json_string("discard-writes"));
	return array;
}

static json_t *json_queue(const struct vpmem_dev_info *info)
{
	return json_pack("{s:s, s:I, s:I, s:i, s:i}",
			 "state", vpmem_queue_state_name(info->queue_state),
			 "size", (json_int_t)info->ring_size,
			 "features", (json_int_t)info->features,
			 "next_avail", info->next_avail,
			 "next_used", info->next_used);
}

static json_t *json_limit(const struct vpmem_limit *limit)
{
	if (!limit->rate)
		return json_null();
	return json_pack("{s:I, s:I}", "rate", (json_int_t)limit->rate,
			 "burst", (json_int_t)limit->burst);
}

json_t *json_device(const struct vpmem_dev_info *info)
{
	return json_pack("{s:I, s:o, s:I, s:I, s:o, s:s, s:s, s:s, s:I, s:I, s:I, "
			 "s:o, s:o, s:I, s:o, s:I, s:I}",
			 "id", (json_int_t)info->id,
			 "name", json_name(info->name),
			 "offset", (json_int_t)info->offset,
			 "length", (json_int_t)info->length,
			 "flags", json_flags(info->flags),
			 "exec", vpmem_exec_name(info->exec),
			 "exec_effective", vpmem_exec_name(info->exec_effective),
			 "on_error", vpmem_on_error_name(info->on_error),
			 "error", (json_int_t)info->error,
			 "owner_portid", (json_int_t)info->owner_portid,
			 "owner_pid", (json_int_t)info->owner_pid,
			 "flush_limit", json_limit(&info->flush_limit),
			 "bytes_limit", json_limit(&info->bytes_limit),
			 "write_behind", (json_int_t)info->write_behind,
			 "queue", json_queue(info),
			 "flushes", (json_int_t)info->stats.flushes,
			 "failed", (json_int_t)stats_failed(&info->stats));
}

static json_t *json_hist(const uint64_t *hist)
{
	size_t i, count = VPMEM_HIST_BUCKETS;
	json_t *array = json_array();

	while (count && !hist[count - 1])
		count--;
	for (i = 0; i < count; i++)
		json_array_append_new(array, json_integer(hist[i]));
	return array;
}

static json_t *json_latency(const uint64_t *hist, uint64_t sum_ns,
			    uint64_t count)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
			 "total_ns", (json_int_t)sum_ns,
			 "mean_ns", (json_int_t)mean_ns(sum_ns, count),
			 "p50_ns", (json_int_t)vpmem_hist_percentile(hist, 500),
			 "p90_ns", (json_int_t)vpmem_hist_percentile(hist, 900),
			 "p99_ns", (json_int_t)vpmem_hist_percentile(hist, 990),
			 "p999_ns", (json_int_t)vpmem_hist_percentile(hist, 999),
			 "max_ns", (json_int_t)vpmem_hist_percentile(hist, 1000),
			 "histogram", json_hist(hist));
}

static int json_counters(json_t *object, const struct vpmem_stats *stats)
{
	const struct {
		const char *key;
		uint64_t value;
	} counters[] = {
		{ "kicks", stats->kicks },
		{ "flushes", stats->flushes },
		{ "flush_errors", stats->flush_errors },
		{ "bad_requests", stats->bad_requests },
		{ "no_status", stats->no_status },
		{ "ring_errors", stats->ring_errors },
		{ "batches", stats->batches },
		{ "syncs", stats->syncs },
		{ "sync_errors", stats->sync_errors },
		{ "inline_runs", stats->inline_runs },
		{ "worker_runs", stats->worker_runs },
		{ "signals", stats->signals },
		{ "suppressed", stats->suppressed },
		{ "bytes_written", stats->bytes_written },
		{ "cpu_ns", stats->cpu_ns },
		{ "throttled", stats->throttled },
		{ "throttled_ns", stats->throttled_ns },
		{ "write_behinds", stats->write_behinds },
		{ "write_behind_bytes", stats->write_behind_bytes },
		{ "write_behind_cpu_ns", stats->write_behind_cpu_ns },
	};
	size_t i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(counters); i++)
		err = json_object_set_new(object, counters[i].key,
					  json_integer(counters[i].value));
	return err;
}

json_t *json_stats(const struct vpmem_dev_info *info)
{
	const struct vpmem_stats *stats = &info->stats;
	json_t *object;

	object = json_pack("{s:I, s:o}", "id", (json_int_t)info->id,
			   "name", json_name(info->name));
	if (json_counters(object, stats) ||
	    json_object_set_new(object, "sync",
				json_latency(stats->sync_hist, stats->sync_ns,
					     stats->syncs)) ||
	    json_object_set_new(object, "flush",
				json_latency(stats->flush_hist, stats->flush_ns,
					     stats->batches))) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *json_devices(const struct vpmem_dev_info *infos, size_t count,
		     json_t *(*make)(const struct vpmem_dev_info *info))
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < count; i++) {
		if (!json_array_append_new(array, make(&infos[i])))
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

static int json_event_details(json_t *object, const struct vpmem_event *event)
{
	switch (event->type) {
	case VPMEM_EVENT_QUEUE_STOPPED:
	case VPMEM_EVENT_QUEUE_BROKEN:
		return json_object_set_new(object, "next_avail",
					   json_integer(event->next_avail)) ||
		       json_object_set_new(object, "next_used",
					   json_integer(event->next_used));
	case VPMEM_EVENT_SYNC_ERROR:
		if (json_object_set_new(object, "error",
					json_integer(event->error)))
			return -1;
		fallthrough;
	default:
		return json_object_set_new(object, "name",
					   json_name(event->name));
	}
}

json_t *json_event(const struct vpmem_event *event)
{
	struct timespec now;
	json_t *object;

	clock_gettime(CLOCK_REALTIME, &now);
	object = json_pack("{s:f, s:s}",
			   "time", now.tv_sec + now.tv_nsec / 1e9, "event",
			   event ? vpmem_event_name(event->type) : "events-lost");
	if (!event || !object)
		return object;
	if (json_object_set_new(object, "id", json_integer(event->id)) ||
	    json_event_details(object, event)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int print(json_t *value, size_t flags)
{
	int err;

	if (!value)
		return ctl_error("out of memory");
	err = json_dumpf(value, stdout, flags);
	json_decref(value);
	if (err || putchar('\n') == EOF || fflush(stdout))
		return ctl_error("cannot write the output: %s", strerror(errno));
	return CTL_OK;
}

int json_print(json_t *value)
{
	return print(value, JSON_INDENT(2));
}

int json_print_line(json_t *value)
{
	return print(value, JSON_COMPACT);
}
