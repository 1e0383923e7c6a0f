// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unpacked kernels in a directory that the operator names. What is found there
 * runs as a kernel, so it has to be this user's or root's own.
 */
#include "kernel_cache.h"
#include "log.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lzma.h>

char *kernel_cache_path(const char *dir, const struct stat *packed,
			const void *data, size_t len)
{
	/* Of the sums at hand, by far the one with the fewest instructions. */
	uint64_t sum = lzma_crc64(data, len, 0);
	char *path;

	if (asprintf(&path, "%s/vmlinux-%llx-%llx-%llx-%llx.%lx-%016llx", dir,
		     (unsigned long long)packed->st_dev,
		     (unsigned long long)packed->st_ino,
		     (unsigned long long)packed->st_size,
		     (unsigned long long)packed->st_ctim.tv_sec,
		     packed->st_ctim.tv_nsec, (unsigned long long)sum) < 0)
		return NULL;
	return path;
}

static int warn(const char *what, const char *path, int err)
{
	log_warn("kernel cache: cannot %s %s: %s", what, path, strerror(err));
	return -err;
}

static int check_trust(const char *path, int fd, size_t len)
{
	struct stat st;

	if (fstat(fd, &st))
		return warn("look at", path, errno);
	if (S_ISREG(st.st_mode) && (size_t)st.st_size == len &&
	    (st.st_uid == geteuid() || !st.st_uid) &&
	    !(st.st_mode & 0022))
		return 0;
	log_warn("kernel cache: %s is not used: it has another owner or length, or others can write it; remove it",
		 path);
	return -EPERM;
}

int kernel_cache_open(const char *path, size_t len)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : warn("open", path, errno);
	err = check_trust(path, fd, len);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			data += done;
			len -= done;
		}
	}
	return fsync(fd) ? -errno : 0;
}

/* A file without a name in the directory of @path. */
static int open_unnamed(const char *path)
{
	char *copy AUTO_FREE = strdup(path);
	const char *dir = copy ? dirname(copy) : ".";
	int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0400);

	return fd < 0 ? warn("write to", dir, errno) : fd;
}

void kernel_cache_keep(const char *path, const void *data, size_t len)
{
	int fd AUTO_CLOSE = open_unnamed(path);
	char self[32];
	int err;

	if (fd < 0)
		return;
	err = write_all(fd, data, len);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	/* Another VM may have been faster, with the same. */
	if (!err && linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) &&
	    errno != EEXIST)
		err = -errno;
	if (err)
		warn("write", path, -err);
}
