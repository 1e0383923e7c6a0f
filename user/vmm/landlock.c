// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Landlock, which the C library has no functions for. A ruleset without rules
 * denies all that it handles.
 */
#include "landlock.h"

#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/landlock.h>

/**
 * struct ruleset - What the kernel takes; older ones take the beginning of it.
 * @fs: what is done with files, one bit for each right
 * @net: TCP ports, bind and connect, from version 4 on
 */
struct ruleset {
	uint64_t fs;
	uint64_t net;
};

/* Numbers of rights that each version of the interface knows, the last one on. */
static const struct {
	unsigned int fs;
	unsigned int net;
} rights[] = {
	{ 13, 0 },	/* 5.13 */
	{ 14, 0 },	/* 5.19: links to other directories */
	{ 15, 0 },	/* 6.2: truncation */
	{ 15, 2 },	/* 6.7: TCP */
	{ 16, 2 },	/* 6.10: ioctl of devices */
};

static int create_ruleset(const struct ruleset *rules, size_t size,
			  uint32_t flags)
{
	int ret = syscall(SYS_landlock_create_ruleset, rules, size, flags);

	return ret < 0 ? -errno : ret;
}

/* Everything that this kernel can deny. */
static int create_empty(void)
{
	int version = create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset rules;
	size_t i;

	/* Not built in, switched off, or hidden by a container's filter. */
	if (version < 1)
		return -EOPNOTSUPP;
	i = version - 1;
	if (i >= ARRAY_SIZE(rights))
		i = ARRAY_SIZE(rights) - 1;
	rules.fs = (1ull << rights[i].fs) - 1;
	rules.net = (1ull << rights[i].net) - 1;
	return create_ruleset(&rules, rules.net ? sizeof(rules) :
						  sizeof(rules.fs), 0);
}

static int allow_removal(int ruleset, const char *dir)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_REMOVE_FILE,
		.parent_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	int err = 0;

	if (rule.parent_fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		    &rule, 0))
		err = -errno;
	close(rule.parent_fd);
	return err;
}

int landlock_enter(void)
{
	return landlock_enter_but(NULL);
}

int landlock_enter_but(const char *dir)
{
	int fd = create_empty();
	int err = 0;

	if (fd < 0)
		return fd;
	if (dir)
		err = allow_removal(fd, dir);
	if (err) {
		close(fd);
		return err;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	return err;
}
