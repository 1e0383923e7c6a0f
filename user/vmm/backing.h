/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host file behind a pmem device: checks, lock, mapping, size. */
#ifndef BACKING_H
#define BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct backing_config - What is to be opened.
 * @path: regular file or block device
 * @read_only: the guest cannot write
 * @discard_writes: the guest writes to a private copy
 */
struct backing_config {
	const char *path;
	bool read_only;
	bool discard_writes;
};

/**
 * struct backing - An open, locked and mapped file.
 * @config: as given; the path is borrowed
 * @fd: open for writing only if the guest's writes reach the file
 * @is_block: a block device
 * @is_in_memory: on a file system in memory, where a sync has nothing to do
 * @file_bytes: its size when it was opened
 * @map_bytes: bytes from @hva on that are pages of the file
 * @region_bytes: bytes from @hva on that the guest sees, a multiple of
 *	LAYOUT_PMEM_ALIGN; beyond @map_bytes they are zeros
 * @hva: start of the mapping, aligned so that huge pages can be used
 * @reserved: address space that was reserved around it
 * @reserved_bytes: how much
 * @seen_bytes: size at the last check
 */
struct backing {
	struct backing_config config;
	int fd;
	bool is_block;
	bool is_in_memory;
	uint64_t file_bytes;
	uint64_t map_bytes;
	uint64_t region_bytes;
	void *hva;
	void *reserved;
	size_t reserved_bytes;
	uint64_t seen_bytes;
};

/**
 * backing_open() - Open, check, lock and map a file.
 *
 * Return: 0; -errno after one line of error, nothing is left open then.
 */
int backing_open(struct backing *backing, const struct backing_config *config);

/** backing_close() - Unmap, unlock, close. */
void backing_close(struct backing *backing);

/** backing_writes_reach_file() - Are the guest's writes to be kept? */
static inline bool backing_writes_reach_file(const struct backing *backing)
{
	return !backing->config.read_only && !backing->config.discard_writes;
}

/** backing_tail_bytes() - Zeros between the file's end and the region's. */
static inline uint64_t backing_tail_bytes(const struct backing *backing)
{
	return backing->region_bytes - backing->map_bytes;
}

/**
 * backing_sync() - Make durable what the guest wrote.
 *
 * Sleeps as long as the disk takes. Any thread.
 *
 * Return: 0 or -errno; 0 at once if there is nothing to keep.
 */
int backing_sync(const struct backing *backing);

/**
 * backing_watch() - Be told of changes of the file's size.
 * @inotify_fd: becomes readable after one
 *
 * Return: 0; -EOPNOTSUPP where the kernel cannot tell: with block devices, and
 * with file systems that others than this machine may change; another -errno.
 */
int backing_watch(const struct backing *backing, int inotify_fd);

#define BACKING_NR_CACHESTAT	451	/* of x86-64 */

/**
 * backing_dirty_bytes() - What a sync would write now.
 * @bytes: receives it, in whole pages
 *
 * Looks at each page of the file that is in memory.
 *
 * Return: 0; -ENODATA if the kernel does not tell, as before Linux 6.5.
 */
int backing_dirty_bytes(const struct backing *backing, uint64_t *bytes);

/**
 * struct backing_identity - Which file it is, and that nobody has changed it.
 * @device: of the file system, or the block device itself
 * @inode: in that file system, 0 for a block device
 * @size_bytes: size
 * @mtime_ns: when it was modified, 0 for a block device
 */
struct backing_identity {
	uint64_t device;
	uint64_t inode;
	uint64_t size_bytes;
	uint64_t mtime_ns;
};

/** backing_identify() - Read them, after a sync. 0 or -errno. */
int backing_identify(const struct backing *backing,
		     struct backing_identity *identity);

/** enum backing_size - What became of the file's size. */
enum backing_size {
	BACKING_SIZE_SAME,
	BACKING_SIZE_CHANGED,	/* what is mapped is still there */
	BACKING_SIZE_SHRUNK,	/* access beyond the end would kill the VM */
};

/**
 * backing_check_size() - Compare the file's size with that at opening.
 *
 * A change is written to the log once. One thread at a time.
 */
enum backing_size backing_check_size(struct backing *backing);

#endif /* BACKING_H */
