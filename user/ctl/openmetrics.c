// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Owns the names of the metrics. All samples of a metric have to stand together,
 * so that devices are walked once for each.
 */
#include "openmetrics.h"
#include "json.h"
#include "util.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#define PREFIX		"vpmem_"
#define NS_PER_SECOND	1000000000

/**
 * struct counter - A counter of struct vpmem_stats.
 * @name: without prefix and suffix, with the unit at its end
 * @unit: base unit, "" for a plain number
 * @help: what it counts
 * @offset: in the struct
 */
struct counter {
	const char *name;
	const char *unit;
	const char *help;
	size_t offset;
};

#define FIELD(field)	offsetof(struct vpmem_stats, field)

static const struct counter counters[] = {
	{ "kicks", "", "Notifications by the guest.", FIELD(kicks) },
	{ "flushes", "", "Flush requests completed with success.", FIELD(flushes) },
	{ "flush_errors", "", "Flush requests failed because of a sync error.",
	  FIELD(flush_errors) },
	{ "bad_requests", "", "Requests that are no flush.", FIELD(bad_requests) },
	{ "no_status", "", "Requests without room for a status.", FIELD(no_status) },
	{ "ring_errors", "", "Times the queue broke.", FIELD(ring_errors) },
	{ "batches", "", "Groups of requests completed together.", FIELD(batches) },
	{ "syncs", "", "Syncs of the file.", FIELD(syncs) },
	{ "sync_errors", "", "Syncs that failed.", FIELD(sync_errors) },
	{ "inline_runs", "", "Times the queue was served on the virtual CPU that asked.",
	  FIELD(inline_runs) },
	{ "worker_runs", "", "Times the queue was served on a kernel worker.",
	  FIELD(worker_runs) },
	{ "signals", "", "Interrupts sent to the guest.", FIELD(signals) },
	{ "suppressed", "", "Interrupts that the guest did not want.", FIELD(suppressed) },
	{ "written_bytes", "bytes", "Bytes that syncs wrote back.", FIELD(bytes_written) },
	{ "cpu_seconds", "seconds", "CPU time that serving took.", FIELD(cpu_ns) },
	{ "throttles", "", "Times that flushes had to wait for a limit.", FIELD(throttled) },
	{ "throttled_seconds", "seconds", "Time that flushes waited for a limit.",
	  FIELD(throttled_ns) },
	{ "write_behinds", "", "Times that write-behind started to write.",
	  FIELD(write_behinds) },
	{ "write_behind_bytes", "bytes", "Bytes that write-behind had to write.",
	  FIELD(write_behind_bytes) },
	{ "write_behind_cpu_seconds", "seconds", "CPU time that write-behind took.",
	  FIELD(write_behind_cpu_ns) },
};

static uint64_t counter_of(const struct vpmem_dev_info *info, size_t offset)
{
	return *(const uint64_t *)((const char *)&info->stats + offset);
}

static void print_family(FILE *out, const char *name, const char *type,
			 const char *unit, const char *help)
{
	fprintf(out, "# TYPE " PREFIX "%s %s\n", name, type);
	if (*unit)
		fprintf(out, "# UNIT " PREFIX "%s %s\n", name, unit);
	fprintf(out, "# HELP " PREFIX "%s %s\n", name, help);
}

/* A label's value, whose quotes, backslashes and line breaks are escaped. */
static void print_value(FILE *out, const char *value)
{
	char text[VPMEM_NAME_LEN];
	const char *at;

	for (at = json_text(text, value); *at; at++) {
		if (*at == '\n')
			fputs("\\n", out);
		else if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else
			fputc(*at, out);
	}
}

/* The beginning of a sample; more labels may follow, and '}'. */
static void print_sample(FILE *out, const char *name, const char *suffix,
			 const struct vpmem_dev_info *info)
{
	fprintf(out, PREFIX "%s%s{device=\"%u\",name=\"", name, suffix, info->id);
	print_value(out, info->name);
	fputc('"', out);
}

/* Nanoseconds as seconds, of which no digit is lost. */
static void print_seconds(FILE *out, uint64_t ns)
{
	fprintf(out, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_SECOND,
		ns % NS_PER_SECOND);
}

static void print_number(FILE *out, const char *name, const char *suffix,
			 const struct vpmem_dev_info *info, uint64_t number)
{
	print_sample(out, name, suffix, info);
	fprintf(out, "} %" PRIu64 "\n", number);
}

static void print_time(FILE *out, const char *name, const char *suffix,
		       const struct vpmem_dev_info *info, uint64_t ns)
{
	print_sample(out, name, suffix, info);
	fputs("} ", out);
	print_seconds(out, ns);
	fputc('\n', out);
}

static void print_counter(FILE *out, const struct counter *counter,
			  const struct vpmem_dev_info *infos, size_t count)
{
	bool is_time = counter->unit[0] == 's';
	size_t i;

	print_family(out, counter->name, "counter", counter->unit,
		     counter->help);
	for (i = 0; i < count; i++)
		(is_time ? print_time : print_number)(out, counter->name,
			"_total", &infos[i],
			counter_of(&infos[i], counter->offset));
}

static void print_bucket(FILE *out, const char *name,
			 const struct vpmem_dev_info *info, int bucket,
			 uint64_t count)
{
	print_sample(out, name, "_bucket", info);
	fputs(",le=\"", out);
	/* The last bucket has all that is longer. */
	if (bucket < VPMEM_HIST_BUCKETS - 1)
		print_seconds(out, (2ull << bucket) - 1);
	else
		fputs("+Inf", out);
	fprintf(out, "\"} %" PRIu64 "\n", count);
}

static void print_histogram_of(FILE *out, const char *name,
			       const struct vpmem_dev_info *info,
			       const uint64_t *hist, uint64_t sum_ns)
{
	uint64_t count = 0;
	int i;

	for (i = 0; i < VPMEM_HIST_BUCKETS; i++) {
		count += hist[i];
		print_bucket(out, name, info, i, count);
	}
	print_number(out, name, "_count", info, count);
	print_time(out, name, "_sum", info, sum_ns);
}

static void print_histograms(FILE *out, const struct vpmem_dev_info *infos,
			     size_t count)
{
	size_t i;

	print_family(out, "sync_duration_seconds", "histogram", "seconds",
		     "Duration of a sync of the file.");
	for (i = 0; i < count; i++)
		print_histogram_of(out, "sync_duration_seconds", &infos[i],
				   infos[i].stats.sync_hist,
				   infos[i].stats.sync_ns);
	print_family(out, "flush_duration_seconds", "histogram", "seconds",
		     "From the guest's notification to the completion of a batch.");
	for (i = 0; i < count; i++)
		print_histogram_of(out, "flush_duration_seconds", &infos[i],
				   infos[i].stats.flush_hist,
				   infos[i].stats.flush_ns);
}

static void print_policies(FILE *out, const struct vpmem_dev_info *infos,
			   size_t count)
{
	size_t i;

	print_family(out, "device", "info", "", "Policies of a device.");
	for (i = 0; i < count; i++) {
		print_sample(out, "device", "_info", &infos[i]);
		fprintf(out, ",exec=\"%s\",exec_effective=\"%s\",on_error=\"%s\"} 1\n",
			vpmem_exec_name(infos[i].exec),
			vpmem_exec_name(infos[i].exec_effective),
			vpmem_on_error_name(infos[i].on_error));
	}
}

static void print_states(FILE *out, const struct vpmem_dev_info *infos,
			 size_t count)
{
	size_t i;
	int state;

	print_family(out, "queue_state", "stateset", "", "State of the queue.");
	for (i = 0; i < count; i++) {
		for (state = 0; state <= VPMEM_QUEUE_STATE_BROKEN; state++) {
			print_sample(out, "queue_state", "", &infos[i]);
			fprintf(out, "," PREFIX "queue_state=\"%s\"} %d\n",
				vpmem_queue_state_name(state),
				infos[i].queue_state == (unsigned int)state);
		}
	}
}

static void print_gauges(FILE *out, const struct vpmem_dev_info *infos,
			 size_t count)
{
	size_t i;

	print_family(out, "size_bytes", "gauge", "bytes",
		     "Bytes of the file that the guest sees.");
	for (i = 0; i < count; i++)
		print_number(out, "size_bytes", "", &infos[i], infos[i].length);
	print_family(out, "sticky_errno", "gauge", "",
		     "Number of the sync error that sticks, or 0.");
	for (i = 0; i < count; i++)
		print_number(out, "sticky_errno", "", &infos[i], infos[i].error);
}

void openmetrics_print(FILE *out, const struct vpmem_dev_info *infos,
		       size_t count)
{
	size_t i;

	print_policies(out, infos, count);
	print_states(out, infos, count);
	print_gauges(out, infos, count);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		print_counter(out, &counters[i], infos, count);
	print_histograms(out, infos, count);
	fputs("# EOF\n", out);
}
