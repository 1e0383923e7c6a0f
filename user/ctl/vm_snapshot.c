// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vpmemctl vm PATH snapshot DIR: makes the files with the rights of whoever calls
 * it; the VM only writes to what it is handed. They are in a directory of another
 * name until all is durable, so that DIR is a complete snapshot or not there.
 */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_FILE	"state.json"
#define MEMORY_FILE	"memory"

static int snapshot_failed(const char *path)
{
	return ctl_error("snapshot %s: %s", path, strerror(errno));
}

static int make_file(int dir, const char *name)
{
	return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* Makes a name durable: syncs the directory that it is in. */
static int sync_parent(const char *path)
{
	char *copy = strdup(path);
	char *slash = copy ? strrchr(copy, '/') : NULL;
	int fd, err;

	if (slash)
		slash[slash == copy] = '\0';
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	err = fd < 0 || fsync(fd);
	if (fd >= 0)
		close(fd);
	return err;
}

static int fill(struct ctl *ctl, int dir)
{
	struct vm_files files = {
		.state_fd = make_file(dir, STATE_FILE),
		.memory_fd = make_file(dir, MEMORY_FILE),
	};
	int status;

	if (files.state_fd < 0 || files.memory_fd < 0)
		status = snapshot_failed("its files");
	else
		status = vm_command(ctl, "snapshot", &files);
	if (files.state_fd >= 0)
		close(files.state_fd);
	if (files.memory_fd >= 0)
		close(files.memory_fd);
	return status;
}

static int fill_and_name(struct ctl *ctl, const char *temporary,
			 const char *path)
{
	int dir = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status;

	if (dir < 0)
		return snapshot_failed(temporary);
	status = fill(ctl, dir);
	if (!status && (fsync(dir) || rename(temporary, path) ||
			sync_parent(path)))
		status = snapshot_failed(path);
	if (status) {
		unlinkat(dir, STATE_FILE, 0);
		unlinkat(dir, MEMORY_FILE, 0);
		rmdir(temporary);
	}
	close(dir);
	return status;
}

/* A name beside @dir; the caller frees it. */
static char *make_temporary(const char *dir)
{
	char *path;

	if (asprintf(&path, "%s.XXXXXX", dir) < 0)
		return NULL;
	if (mkdtemp(path))
		return path;
	free(path);
	return NULL;
}

int vm_snapshot(struct ctl *ctl, const char *dir)
{
	size_t len = strlen(dir);
	char *path = strdup(dir);
	char *temporary;
	int status;

	if (!path)
		return snapshot_failed(dir);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	if (!access(path, F_OK)) {
		status = ctl_error("snapshot %s: it is there already; give another directory",
				   path);
		free(path);
		return status;
	}
	temporary = make_temporary(path);
	status = temporary ? fill_and_name(ctl, temporary, path) :
		 snapshot_failed(path);
	free(temporary);
	free(path);
	return status;
}
