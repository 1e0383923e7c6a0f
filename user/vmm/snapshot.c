// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A paused VM written to two open files, by a thread of its own: syncs and
 * writes take long, and the main thread has other work.
 */
#include "snapshot.h"

#include "config.h"
#include "layout.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "thread.h"
#include "util.h"
#include "virtio_pmem.h"
#include "vm.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <zlib.h>

#define CHUNK_BYTES	(1 * MIB)

/**
 * struct snapshot - The thread and its work.
 * @vm: VM
 * @thread: writes; sleeps on @work_fd
 * @has_thread: it was started
 * @work_fd: eventfd: there is work, or an end to it
 * @ready: eventfd of the loop: the work is done
 * @is_ending: give up; atomic
 * @files: where to write, -1 if there is no work
 * @error: why it failed, "" if it did not
 * @done: whom to tell
 * @opaque: handed to @done
 */
struct snapshot {
	struct vm *vm;
	pthread_t thread;
	bool has_thread;
	int work_fd;
	struct loop_source ready;
	bool is_ending;
	struct snapshot_files files;
	struct state_error error;
	void (*done)(void *opaque, const char *why);
	void *opaque;
};

__attribute__((format(printf, 2, 3)))
static int refuse(struct snapshot *snapshot, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(snapshot->error.text, sizeof(snapshot->error.text), fmt, args);
	va_end(args);
	return -1;
}

/* The memory file */

static bool is_zero(const char *page)
{
	return !page[0] && !memcmp(page, page + 1, GUEST_PAGE_SIZE - 1);
}

static int write_at(int fd, const char *data, size_t len, off_t offset)
{
	while (len) {
		ssize_t done = pwrite(fd, data, len, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		data += done;
		len -= done;
		offset += done;
	}
	return 0;
}

/* Pages of zeros stay holes. */
static int write_chunk(int fd, const char *data, size_t len, off_t offset)
{
	size_t at = 0, end;
	int err = 0;

	while (at < len && !err) {
		if (is_zero(data + at)) {
			at += GUEST_PAGE_SIZE;
			continue;
		}
		for (end = at; end < len && !is_zero(data + end);
		     end += GUEST_PAGE_SIZE)
			;
		err = write_at(fd, data + at, end - at, offset + at);
		at = end;
	}
	return err;
}

/*
 * Where RAM has something from @offset on, without touching what it has not: a
 * memfd makes pages of holes that are read.
 */
static uint64_t next_data(const struct mem *mem, uint64_t offset, uint64_t end)
{
	off_t found;

	if (mem->is_private)
		return offset;
	found = lseek(mem->ram_fd, offset, SEEK_DATA);
	if (found < 0)
		return errno == ENXIO ? end : offset;
	return (uint64_t)found < end ? ALIGN_DOWN((uint64_t)found, GUEST_PAGE_SIZE) : end;
}

static int write_region(struct snapshot *snapshot,
			const struct mem_region *region, uint64_t file_offset)
{
	const struct mem *mem = &snapshot->vm->mem;
	uint64_t end = file_offset + region->size;
	uint64_t at = file_offset;
	int err = 0;

	while (!err && (at = next_data(mem, at, end)) < end) {
		uint64_t len = end - at < CHUNK_BYTES ? end - at : CHUNK_BYTES;

		if (__atomic_load_n(&snapshot->is_ending, __ATOMIC_RELAXED))
			return -ECANCELED;
		err = write_chunk(snapshot->files.memory_fd,
				  (const char *)region->hva + (at - file_offset),
				  len, at);
		at += len;
	}
	return err;
}

static int write_memory(struct snapshot *snapshot)
{
	const struct mem *mem = &snapshot->vm->mem;
	int fd = snapshot->files.memory_fd;
	uint64_t offset = 0;
	int err = 0;

	if (ftruncate(fd, 0) || ftruncate(fd, mem->ram_size))
		return -errno;
	for (size_t i = 0; i < mem->nr_regions && !err; i++) {
		const struct mem_region *region = &mem->regions[i];

		if (region->kind != MEM_RAM)
			continue;
		err = write_region(snapshot, region, offset);
		offset += region->size;
	}
	if (!err && fsync(fd))
		err = -errno;
	return err;
}

/* The state file */

/* As --pmem takes it; so is what follows. */
static json_t *describe_limit(const struct vpmem_limit *limit)
{
	return limit->rate ? json_sprintf("%" PRIu64 ",%" PRIu64, limit->rate,
					  limit->burst) : json_string("none");
}

static json_t *describe_write_behind(const struct config_pmem *pmem)
{
	return pmem->write_behind ? json_sprintf("%" PRIu64, pmem->write_behind) :
				    json_string("none");
}

static json_t *describe_pmem(const struct config_pmem *pmem)
{
	return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:o, s:o, s:o}",
			 "path", pmem->real_path ? pmem->real_path : pmem->path,
			 "id", pmem->id, "read_only", pmem->read_only,
			 "flush", config_flush_name(pmem->flush),
			 "exec", config_exec_name(pmem->exec),
			 "on_error", config_on_error_name(pmem->on_error),
			 "flush_limit", describe_limit(&pmem->flush_limit),
			 "bytes_limit", describe_limit(&pmem->bytes_limit),
			 "write_behind", describe_write_behind(pmem));
}

static json_t *describe_config(const struct config *config)
{
	json_t *devices = json_array();
	int err = 0;

	for (size_t i = 0; i < config->nr_pmem && !err; i++)
		err = json_array_append_new(devices,
					    describe_pmem(&config->pmem[i]));
	if (err) {
		json_decref(devices);
		return NULL;
	}
	return json_pack("{s:I, s:I, s:o}",
			 "memory_mib", (json_int_t)(config->memory_bytes / MIB),
			 "cpus", (json_int_t)config->cpus, "pmem", devices);
}

uint32_t snapshot_checksum(const json_t *machine)
{
	char *text = json_dumps(machine, JSON_COMPACT);
	uint32_t sum = text ? crc32(0, (const void *)text, strlen(text)) : 0;

	free(text);
	return sum;
}

/* Takes @state over. */
static json_t *describe(struct snapshot *snapshot, json_t *state)
{
	json_t *machine = json_pack("{s:o, s:o}", "config",
				    describe_config(snapshot->vm->config),
				    "state", state);

	return json_pack("{s:s, s:i, s:I, s:o}", "format", SNAPSHOT_FORMAT,
			 "version", SNAPSHOT_VERSION, "checksum",
			 (json_int_t)(machine ? snapshot_checksum(machine) : 0),
			 "machine", machine);
}

static int write_state(struct snapshot *snapshot)
{
	int fd = snapshot->files.state_fd;
	json_t *state = state_save(snapshot->vm, &snapshot->error);
	json_t *object;
	char *text;
	int err;

	if (!state)
		return -1;
	object = describe(snapshot, state);
	text = object ? json_dumps(object, JSON_INDENT(1) | JSON_PRESERVE_ORDER) :
	       NULL;
	json_decref(object);
	if (!text)
		return refuse(snapshot,
			      "the state is no JSON: a path is not UTF-8, or no memory");
	err = ftruncate(fd, 0) ? -errno : write_at(fd, text, strlen(text), 0);
	free(text);
	if (!err && fsync(fd))
		err = -errno;
	return err ? refuse(snapshot, "the state cannot be written: %s",
			    strerror(-err)) : 0;
}

/* All of it */

static int check_files(struct snapshot *snapshot)
{
	const int fds[] = { snapshot->files.state_fd, snapshot->files.memory_fd };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fstat(fds[i], &st) || !S_ISREG(st.st_mode))
			return refuse(snapshot, "a snapshot goes to two regular files");
	}
	return 0;
}

static int check_devices(struct snapshot *snapshot)
{
	const struct config *config = snapshot->vm->config;

	for (size_t i = 0; i < config->nr_pmem; i++) {
		if (config->pmem[i].discard_writes)
			return refuse(snapshot,
				      "pmem %s: has discard-writes=on, its data is in no file",
				      config->pmem[i].id);
	}
	return 0;
}

static int sync_devices(struct snapshot *snapshot)
{
	struct vm *vm = snapshot->vm;

	for (size_t i = 0; i < vm->config->nr_pmem; i++) {
		int err = virtio_pmem_sync_paused(vm->pmem[i]);

		if (err)
			return refuse(snapshot,
				      "pmem %s: sync of %s failed: %s; its flushes fail now",
				      vm->config->pmem[i].id,
				      vm->config->pmem[i].path, strerror(-err));
	}
	return 0;
}

/*
 * ORDER: the files' identities are in the state, and a sync may change them. The
 * state, without which a snapshot is none, comes last.
 */
static void snapshot_write(struct snapshot *snapshot)
{
	int err;

	snapshot->error.text[0] = '\0';
	if (check_files(snapshot) || check_devices(snapshot) ||
	    sync_devices(snapshot))
		return;
	err = write_memory(snapshot);
	if (err)
		refuse(snapshot, "the memory cannot be written: %s",
		       strerror(-err));
	else
		write_state(snapshot);
}

static void *snapshot_main(void *arg)
{
	struct snapshot *snapshot = arg;
	uint64_t count = 1;

	while (read(snapshot->work_fd, &count, sizeof(count)) == sizeof(count) &&
	       !__atomic_load_n(&snapshot->is_ending, __ATOMIC_ACQUIRE)) {
		snapshot_write(snapshot);
		if (write(snapshot->ready.fd, &count, sizeof(count)) < 0)
			break;
	}
	return NULL;
}

static void close_files(struct snapshot *snapshot)
{
	cleanup_close(&snapshot->files.state_fd);
	cleanup_close(&snapshot->files.memory_fd);
	snapshot->files = (struct snapshot_files) { -1, -1 };
}

static void snapshot_ready(struct loop_source *source, uint32_t events)
{
	struct snapshot *snapshot = container_of(source, struct snapshot, ready);
	const char *why = snapshot->error.text;
	uint64_t count;

	if (read(source->fd, &count, sizeof(count)) != sizeof(count))
		return;
	close_files(snapshot);
	snapshot->done(snapshot->opaque, *why ? why : NULL);
}

void snapshot_begin(struct snapshot *snapshot,
		    const struct snapshot_files *files,
		    void (*done)(void *opaque, const char *why), void *opaque)
{
	uint64_t one = 1;

	snapshot->files = *files;
	snapshot->done = done;
	snapshot->opaque = opaque;
	if (write(snapshot->work_fd, &one, sizeof(one)) < 0)
		log_error("snapshot: cannot wake its thread: %s; restart the VM",
			  strerror(errno));
}

static int snapshot_start(struct snapshot *snapshot)
{
	int err;

	snapshot->work_fd = eventfd(0, EFD_CLOEXEC);
	snapshot->ready.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (snapshot->work_fd < 0 || snapshot->ready.fd < 0)
		return -errno;
	err = loop_add(&snapshot->vm->loop, &snapshot->ready);
	if (!err)
		err = thread_create(&snapshot->thread, 0, snapshot_main,
				    snapshot);
	snapshot->has_thread = !err;
	return err;
}

int snapshot_create(struct snapshot **snapshot, struct vm *vm)
{
	struct snapshot *new = calloc(1, sizeof(*new));
	int err = -ENOMEM;

	if (new) {
		new->vm = vm;
		new->work_fd = -1;
		new->ready.fd = -1;
		new->ready.fn = snapshot_ready;
		new->files = (struct snapshot_files) { -1, -1 };
		err = snapshot_start(new);
	}
	if (err) {
		log_error("cannot prepare for snapshots: %s; see the limits (ulimit -a)",
			  strerror(-err));
		snapshot_destroy(new);
		return err;
	}
	*snapshot = new;
	return 0;
}

void snapshot_destroy(struct snapshot *snapshot)
{
	uint64_t one = 1;

	if (!snapshot)
		return;
	__atomic_store_n(&snapshot->is_ending, true, __ATOMIC_RELEASE);
	if (snapshot->has_thread &&
	    write(snapshot->work_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(snapshot->thread, NULL);
	if (snapshot->ready.fd >= 0)
		loop_del(&snapshot->vm->loop, &snapshot->ready);
	cleanup_close(&snapshot->ready.fd);
	cleanup_close(&snapshot->work_fd);
	close_files(snapshot);
	free(snapshot);
}
