// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host file behind a pmem device: is it fit to be one, is it ours alone,
 * where is it mapped, is it still as it was. Knows no guest and no virtio.
 */
#include "backing.h"

#include "layout.h"
#include "log.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

static const char *backing_open_advice(const struct backing_config *config,
				       int err)
{
	bool is_writing = !config->read_only && !config->discard_writes;

	switch (err) {
	case ENOENT:
		return "check path=, or create it with truncate -s SIZE";
	case EISDIR:
		return "give a regular file or a block device";
	case EBUSY:
		return "unmount it, or end the program that uses it";
	default:
		return is_writing ? "allow writing, or use read-only=on or discard-writes=on" :
				    "make it readable";
	}
}

static int backing_open_file(struct backing *backing)
{
	const struct backing_config *config = &backing->config;
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int err;

	/* O_EXCL without O_CREAT: refuse a block device that is mounted. */
	if (backing_writes_reach_file(backing))
		flags |= O_RDWR | O_EXCL;
	else
		flags |= O_RDONLY;
	backing->fd = open(config->path, flags);
	if (backing->fd >= 0)
		return 0;
	err = errno;
	log_error("pmem %s: cannot open: %s; %s", config->path, strerror(err),
		  backing_open_advice(config, err));
	return -err;
}

static int backing_read_size(const struct backing *backing,
			     unsigned long long *size)
{
	struct stat st;

	if (backing->is_block)
		return ioctl(backing->fd, BLKGETSIZE64, size) ? -errno : 0;
	if (fstat(backing->fd, &st))
		return -errno;
	*size = st.st_size;
	return 0;
}

static bool backing_check_memory(const struct backing *backing)
{
	struct statfs fs;

	return !backing->is_block && !fstatfs(backing->fd, &fs) &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ||
		fs.f_type == HUGETLBFS_MAGIC);
}

static int backing_check_kind(struct backing *backing)
{
	struct stat st;
	int err;

	if (fstat(backing->fd, &st)) {
		err = -errno;
		log_error("pmem %s: cannot stat: %s; check the file system",
			  backing->config.path, strerror(-err));
		return err;
	}
	if (S_ISDIR(st.st_mode)) {
		log_error("pmem %s: is a directory; give a regular file or a block device",
			  backing->config.path);
		return -EISDIR;
	}
	backing->is_block = S_ISBLK(st.st_mode);
	backing->is_in_memory = backing_check_memory(backing);
	if (backing->is_block || S_ISREG(st.st_mode))
		return 0;
	log_error("pmem %s: neither a regular file nor a block device; give one of these",
		  backing->config.path);
	return -EINVAL;
}

static int backing_check_length(struct backing *backing)
{
	const char *path = backing->config.path;
	unsigned long long size = 0;
	int err = backing_read_size(backing, &size);

	if (err) {
		log_error("pmem %s: cannot read its size: %s; check the device",
			  path, strerror(-err));
		return err;
	}
	if (!size) {
		log_error("pmem %s: is empty; give it a size with truncate -s SIZE %s",
			  path, path);
		return -EINVAL;
	}
	/* Writes to the rest of the last page would be lost at the end. */
	if (size % GUEST_PAGE_SIZE && backing_writes_reach_file(backing)) {
		log_error("pmem %s: size %llu is not a multiple of 4096; %s%llu %s",
			  path, size, "grow it with truncate -s ",
			  ALIGN_UP(size, GUEST_PAGE_SIZE), path);
		return -EINVAL;
	}
	backing->file_bytes = size;
	backing->seen_bytes = size;
	backing->map_bytes = ALIGN_UP(size, GUEST_PAGE_SIZE);
	backing->region_bytes = ALIGN_UP(size, LAYOUT_PMEM_ALIGN);
	return 0;
}

/*
 * The lock belongs to the open file, so it goes when the last process that
 * holds it ends, and not when some other descriptor of the file is closed.
 */
static int backing_lock(struct backing *backing)
{
	bool is_exclusive = backing_writes_reach_file(backing);
	struct flock lock = {
		.l_type = is_exclusive ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
	};
	int err;

	if (!fcntl(backing->fd, F_OFD_SETLK, &lock))
		return 0;
	err = errno;
	if (err == EAGAIN || err == EACCES)
		log_error("pmem %s: is in use by another VM or device; end that one%s",
			  backing->config.path, is_exclusive ?
			  ", or use read-only=on or discard-writes=on in both" :
			  ", which writes to it");
	else
		log_error("pmem %s: cannot lock: %s; put it on a file system with locks",
			  backing->config.path, strerror(err));
	return -err;
}

/* Huge pages need guest and host addresses that agree in their low bits. */
static uint64_t backing_alignment(const struct backing *backing)
{
	struct statfs fs;

	if (!fstatfs(backing->fd, &fs) && fs.f_type == HUGETLBFS_MAGIC &&
	    (uint64_t)fs.f_bsize > LAYOUT_PMEM_ALIGN)
		return fs.f_bsize;
	return LAYOUT_PMEM_ALIGN;
}

static int backing_reserve(struct backing *backing)
{
	uint64_t align = backing_alignment(backing);
	void *addr;

	backing->reserved_bytes = backing->region_bytes + align;
	addr = mmap(NULL, backing->reserved_bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (addr == MAP_FAILED)
		return -errno;
	backing->reserved = addr;
	backing->hva = (void *)ALIGN_UP((uintptr_t)addr, align);
	return 0;
}

static int backing_map_file(struct backing *backing)
{
	int flags = MAP_FIXED;
	int prot = PROT_READ;
	void *addr;

	if (backing->config.discard_writes)
		flags |= MAP_PRIVATE | MAP_NORESERVE;
	else
		flags |= MAP_SHARED;
	if (!backing->config.read_only)
		prot |= PROT_WRITE;
	addr = mmap(backing->hva, backing->map_bytes, prot, flags, backing->fd, 0);
	return addr == MAP_FAILED ? -errno : 0;
}

/* Zeros that only a guest whose writes are thrown away anyway may write. */
static int backing_map_tail(struct backing *backing)
{
	int prot = PROT_READ;
	void *addr;

	if (!backing_tail_bytes(backing))
		return 0;
	if (backing->config.discard_writes && !backing->config.read_only)
		prot |= PROT_WRITE;
	addr = mmap((char *)backing->hva + backing->map_bytes,
		    backing_tail_bytes(backing), prot,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		    -1, 0);
	return addr == MAP_FAILED ? -errno : 0;
}

static int backing_map(struct backing *backing)
{
	int err = backing_reserve(backing);

	if (!err)
		err = backing_map_file(backing);
	if (!err)
		err = backing_map_tail(backing);
	if (err)
		log_error("pmem %s: cannot map it: %s; see ulimit -v and the file system",
			  backing->config.path, strerror(-err));
	return err;
}

int backing_open(struct backing *backing, const struct backing_config *config)
{
	int err;

	*backing = (struct backing) { .config = *config, .fd = -1 };
	err = backing_open_file(backing);
	if (!err)
		err = backing_check_kind(backing);
	if (!err)
		err = backing_check_length(backing);
	if (!err)
		err = backing_lock(backing);
	if (!err)
		err = backing_map(backing);
	if (err)
		backing_close(backing);
	return err;
}

void backing_close(struct backing *backing)
{
	if (backing->reserved)
		munmap(backing->reserved, backing->reserved_bytes);
	if (backing->fd >= 0)
		close(backing->fd);
	backing->reserved = NULL;
	backing->hva = NULL;
	backing->fd = -1;
}

int backing_sync(const struct backing *backing)
{
	if (!backing_writes_reach_file(backing))
		return 0;
	/* A range sync of data alone: no commit of a mere change of times. */
	return msync(backing->hva, backing->map_bytes, MS_SYNC) ? -errno : 0;
}

static bool backing_is_local(const struct backing *backing)
{
	static const unsigned long local[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
		F2FS_SUPER_MAGIC, TMPFS_MAGIC, HUGETLBFS_MAGIC,
	};
	struct statfs fs;

	if (backing->is_block || fstatfs(backing->fd, &fs))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
		if ((unsigned long)fs.f_type == local[i])
			return true;
	}
	return false;
}

int backing_watch(const struct backing *backing, int inotify_fd)
{
	char path[32];

	if (!backing_is_local(backing))
		return -EOPNOTSUPP;
	/* The file that is open, whatever has its name by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", backing->fd);
	return inotify_add_watch(inotify_fd, path, IN_MODIFY) < 0 ? -errno : 0;
}

/* What cachestat(2) takes and gives; the headers may not know it yet. */

struct cachestat_bytes {
	uint64_t off;
	uint64_t len;
};

struct cachestat_pages {
	uint64_t cached;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

int backing_dirty_bytes(const struct backing *backing, uint64_t *bytes)
{
	struct cachestat_bytes range = { .len = backing->map_bytes };
	struct cachestat_pages pages = { .dirty = 0 };

	*bytes = 0;
	if (!backing_writes_reach_file(backing))
		return 0;
	if (!syscall(BACKING_NR_CACHESTAT, backing->fd, &range, &pages, 0))
		*bytes = pages.dirty * sysconf(_SC_PAGESIZE);
	else if (errno != EOPNOTSUPP)
		return -ENODATA;
	/* hugetlbfs does not tell: there is nothing that a sync would write. */
	return 0;
}

enum backing_size backing_check_size(struct backing *backing)
{
	unsigned long long size = 0;

	if (backing_read_size(backing, &size))
		size = 0;
	if (size != backing->seen_bytes)
		log_warn("pmem %s: size is now %llu, was %llu; restart the VM to use it",
			 backing->config.path, size,
			 (unsigned long long)backing->file_bytes);
	backing->seen_bytes = size;
	if (size == backing->file_bytes)
		return BACKING_SIZE_SAME;
	return size < backing->file_bytes ? BACKING_SIZE_SHRUNK :
					    BACKING_SIZE_CHANGED;
}

int backing_identify(const struct backing *backing,
		     struct backing_identity *identity)
{
	unsigned long long size;
	struct stat st;
	int err = backing_read_size(backing, &size);

	if (err)
		return err;
	if (fstat(backing->fd, &st))
		return -errno;
	*identity = (struct backing_identity) { .size_bytes = size };
	/* A device's node may be made anew, and its times are not the data's. */
	if (backing->is_block) {
		identity->device = st.st_rdev;
		return 0;
	}
	identity->device = st.st_dev;
	identity->inode = st.st_ino;
	identity->mtime_ns = st.st_mtim.tv_sec * 1000000000ull +
			     st.st_mtim.tv_nsec;
	return 0;
}
