// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters written to a file, as lines of JSON. */
#include "config.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "util.h"
#include "vcpu.h"
#include "virtio_pmem.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

#include <vpmem/vpmem.h>

/**
 * struct metrics - The writer.
 * @vm: VM
 * @timer: each second
 * @file_fd: where lines go
 * @last: body of the line before, without its time
 */
struct metrics {
	struct vm *vm;
	struct loop_source timer;
	int file_fd;
	char *last;
};

#define COUNTER(field)	{ #field, offsetof(struct vpmem_stats, field) }

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	COUNTER(kicks), COUNTER(flushes), COUNTER(flush_errors),
	COUNTER(bad_requests), COUNTER(no_status), COUNTER(ring_errors),
	COUNTER(batches), COUNTER(syncs), COUNTER(sync_errors),
	COUNTER(inline_runs), COUNTER(worker_runs), COUNTER(signals),
	COUNTER(suppressed), COUNTER(sync_ns), COUNTER(flush_ns),
	COUNTER(bytes_written), COUNTER(cpu_ns), COUNTER(throttled),
	COUNTER(throttled_ns), COUNTER(write_behinds),
	COUNTER(write_behind_bytes), COUNTER(write_behind_cpu_ns),
};

static void add_number(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer(value));
}

static json_t *histogram(const uint64_t *hist)
{
	json_t *array = json_array();

	for (int i = 0; i < VPMEM_HIST_BUCKETS; i++)
		json_array_append_new(array, json_integer(hist[i]));
	return array;
}

static void add_percentiles(json_t *object, const char *name,
			    const uint64_t *hist)
{
	json_t *values = json_object();

	add_number(values, "p50", vpmem_hist_percentile(hist, 500));
	add_number(values, "p90", vpmem_hist_percentile(hist, 900));
	add_number(values, "p99", vpmem_hist_percentile(hist, 990));
	add_number(values, "max", vpmem_hist_percentile(hist, 1000));
	json_object_set_new(object, name, values);
}

/* Names that readers of Firecracker's metrics look for. */
static void add_familiar(json_t *object, const struct vpmem_stats *stats,
			 const struct virtio_pmem_info *info)
{
	add_number(object, "activate_fails", info->failed_starts);
	add_number(object, "cfg_fails", info->config_writes);
	add_number(object, "event_fails", stats->bad_requests +
		   stats->no_status + stats->ring_errors);
	add_number(object, "queue_event_count", stats->kicks);
	add_number(object, "rate_limiter_throttled_events", stats->throttled);
	add_number(object, "rate_limiter_event_count", stats->throttled);
}

static void add_counters(json_t *object, const struct vpmem_stats *stats,
			 const struct virtio_pmem_info *info)
{
	add_familiar(object, stats, info);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		add_number(object, counters[i].name, *(const uint64_t *)
			   ((const char *)stats + counters[i].offset));
	add_number(object, "lost_writes", info->lost_writes);
	add_number(object, "dropped_writes", info->dropped_writes);
	add_number(object, "needs_resets", info->needs_resets);
}

static void add_to_total(struct vpmem_stats *total,
			 const struct vpmem_stats *stats)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		*(uint64_t *)((char *)total + counters[i].offset) +=
			*(const uint64_t *)((const char *)stats +
					    counters[i].offset);
}

static void add_info_to_total(struct virtio_pmem_info *total,
			      const struct virtio_pmem_info *info)
{
	total->failed_starts += info->failed_starts;
	total->config_writes += info->config_writes;
	total->lost_writes += info->lost_writes;
	total->dropped_writes += info->dropped_writes;
	total->needs_resets += info->needs_resets;
}

static json_t *describe_device(const struct vpmem_stats *stats,
			       const struct virtio_pmem_info *info)
{
	json_t *object = json_object();

	add_counters(object, stats, info);
	json_object_set_new(object, "flush",
			    json_string(info->is_kernel ? "kernel" : "user"));
	json_object_set_new(object, "sync_hist", histogram(stats->sync_hist));
	json_object_set_new(object, "flush_hist", histogram(stats->flush_hist));
	add_percentiles(object, "sync_latency_ns", stats->sync_hist);
	add_percentiles(object, "flush_latency_ns", stats->flush_hist);
	json_object_set_new(object, "size_changed",
			    json_boolean(info->size_changed));
	return object;
}

/* Devices and their sum, named and placed as Firecracker does. */
json_t *metrics_describe(struct vm *vm)
{
	struct virtio_pmem_info info, total_info = { .id = NULL };
	struct vpmem_stats total = { .kicks = 0 };
	json_t *object = json_object();
	json_t *sum = json_object();

	for (size_t i = 0; i < vm->config->nr_pmem; i++) {
		struct vpmem_stats stats = { .kicks = 0 };
		char name[sizeof("pmem_") + VPMEM_NAME_LEN];

		virtio_pmem_info(vm->pmem[i], &info);
		virtio_pmem_stats(vm->pmem[i], &stats);
		add_to_total(&total, &stats);
		add_info_to_total(&total_info, &info);
		snprintf(name, sizeof(name), "pmem_%s", info.id);
		json_object_set_new(object, name,
				    describe_device(&stats, &info));
	}
	add_counters(sum, &total, &total_info);
	json_object_set_new(object, "pmem", sum);
	return object;
}

static void write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t done = write(fd, text, len);

		if (done < 0 && errno == EINTR)
			continue;
		/* A reader that does not read, or a full disk: lines are lost,
		 * the VM goes on.
		 */
		if (done <= 0)
			return;
		text += done;
		len -= done;
	}
}

/* The first four by the names that Firecracker has for them. */
static json_t *describe_exits(const struct vm *vm)
{
	struct vcpu_exits exits;
	json_t *object = json_object();

	vcpus_count_exits(vm, &exits);
	add_number(object, "exit_io_in", exits.io_in);
	add_number(object, "exit_io_out", exits.io_out);
	add_number(object, "exit_mmio_read", exits.mmio_read);
	add_number(object, "exit_mmio_write", exits.mmio_write);
	add_number(object, "exit_config_space", exits.config_space);
	add_number(object, "exit_other", exits.other);
	return object;
}

/* Not time(): where there is no vDSO, the sandbox kills who calls that. */
static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* Exits are left out of the comparison: an idle guest makes some too. */
static void write_line(struct metrics *metrics, json_t *object, char *body)
{
	char *line;

	free(metrics->last);
	metrics->last = body;
	add_number(object, "utc_timestamp_ms", now_ms());
	add_number(object, "exits", vcpus_exits(metrics->vm));
	json_object_set_new(object, "vcpu", describe_exits(metrics->vm));
	line = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
	if (!line)
		return;
	write_all(metrics->file_fd, line);
	write_all(metrics->file_fd, "\n");
	free(line);
}

static void update(struct metrics *metrics)
{
	json_t *object = metrics_describe(metrics->vm);
	char *body = json_dumps(object, JSON_COMPACT);

	if (body && (!metrics->last || strcmp(body, metrics->last)))
		write_line(metrics, object, body);
	else
		free(body);
	json_decref(object);
}

static void tick(struct loop_source *source, uint32_t events)
{
	struct metrics *metrics = container_of(source, struct metrics, timer);
	uint64_t times;

	if (read(source->fd, &times, sizeof(times)) == sizeof(times))
		update(metrics);
}

static int start_timer(struct metrics *metrics)
{
	const struct itimerspec second = {
		.it_interval.tv_sec = 1,
		.it_value.tv_sec = 1,
	};

	metrics->timer.fn = tick;
	metrics->timer.fd = timerfd_create(CLOCK_MONOTONIC,
					   TFD_CLOEXEC | TFD_NONBLOCK);
	if (metrics->timer.fd < 0 ||
	    timerfd_settime(metrics->timer.fd, 0, &second, NULL))
		return -errno;
	return loop_add(&metrics->vm->loop, &metrics->timer);
}

static int open_file(struct metrics *metrics, const char *path)
{
	/* Read-write, so that a FIFO needs no reader yet. */
	metrics->file_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC |
				O_NONBLOCK | O_NOCTTY, 0600);
	return metrics->file_fd < 0 ? -errno : 0;
}

static void release(struct metrics *metrics)
{
	if (metrics->timer.fd >= 0)
		close(metrics->timer.fd);
	if (metrics->file_fd >= 0)
		close(metrics->file_fd);
	free(metrics->last);
	free(metrics);
}

int metrics_create(struct metrics **metrics, struct vm *vm)
{
	const char *path = vm->config->metrics_path;
	struct metrics *new;
	int err;

	*metrics = NULL;
	if (!path)
		return 0;
	new = calloc(1, sizeof(*new));
	if (!new) {
		log_error("cannot write metrics to %s: %s", path,
			  strerror(ENOMEM));
		return -ENOMEM;
	}
	new->vm = vm;
	new->timer.fd = -1;
	/* ORDER: before the sandbox, in which the seed's file cannot be opened. */
	json_object_seed(0);
	err = open_file(new, path);
	if (!err)
		err = start_timer(new);
	if (err) {
		log_error("cannot write metrics to %s: %s", path,
			  strerror(-err));
		release(new);
		return err;
	}
	*metrics = new;
	return 0;
}

void metrics_finish(struct metrics *metrics)
{
	if (metrics)
		update(metrics);
}

void metrics_destroy(struct metrics *metrics)
{
	if (!metrics)
		return;
	loop_del(&metrics->vm->loop, &metrics->timer);
	release(metrics);
}
