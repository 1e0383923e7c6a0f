// SPDX-License-Identifier: GPL-2.0-or-later
/* Flushes served by the module, which the test plays: when it fails or goes. */
#include "backing.h"
#include "machine.h"
#include "pmem_backend.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "kselftest_harness.h"

/* The module, in the test's hands. */
static struct {
	int set_err;
	unsigned int sets;
	uint32_t error;
	bool has_deleted;
} module;

int vpmem_sock_create(struct vpmem_sock **sock)
{
	*sock = NULL;
	return 0;
}

void vpmem_sock_destroy(struct vpmem_sock *sock)
{
}

int vpmem_sock_fd(const struct vpmem_sock *sock)
{
	static int fd = -1;

	if (fd < 0)
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return fd;
}

const char *vpmem_sock_error(const struct vpmem_sock *sock)
{
	return strerror(-module.set_err);
}

int vpmem_dev_add(struct vpmem_sock *sock, const struct vpmem_dev_config *config,
		  uint32_t *id)
{
	*id = 7;
	return 0;
}

int vpmem_dev_get(struct vpmem_sock *sock, uint32_t id,
		  struct vpmem_dev_info *info)
{
	return -ENODEV;
}

int vpmem_dev_set(struct vpmem_sock *sock, uint32_t id,
		  const struct vpmem_dev_change *change)
{
	module.sets++;
	if (!module.set_err)
		module.error = change->error;
	return module.set_err;
}

int vpmem_queue_start(struct vpmem_sock *sock, uint32_t id,
		      const struct vpmem_queue_config *config)
{
	return 0;
}

int vpmem_queue_stop(struct vpmem_sock *sock, uint32_t id)
{
	return 0;
}

int vpmem_event_next(struct vpmem_sock *sock, struct vpmem_event *event,
		     int timeout_ms)
{
	if (!module.has_deleted)
		return -EAGAIN;
	module.has_deleted = false;
	*event = (struct vpmem_event) {
		.type = VPMEM_EVENT_DEV_DELETED,
		.id = 7,
	};
	return 0;
}

FIXTURE(kernel) {
	struct machine m;
	struct backing backing;
	struct pmem_backend *backend;
	unsigned int nr_broken;
	int kick_fd;
	int call_fd;
	char said[8192];
};

static void broken(void *opaque, uint64_t generation)
{
	struct _test_data_kernel *self = opaque;

	self->nr_broken++;
}

static void stopped(void *opaque)
{
}

FIXTURE_SETUP(kernel)
{
	struct pmem_host host = {
		.name = "disk",
		.backing = &self->backing,
		.broken = broken,
		.stopped = stopped,
		.opaque = self,
	};
	char why[256];

	memset(&module, 0, sizeof(module));
	ASSERT_EQ(0, machine_create(&self->m));
	self->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	host.mem = &self->m.vm.mem;
	host.loop = &self->m.vm.loop;
	host.kick_fd = self->kick_fd;
	host.call_fd = self->call_fd;
	ASSERT_EQ(0, pmem_kernel_create(&host, &self->backend, why, sizeof(why)));
}

FIXTURE_TEARDOWN(kernel)
{
	self->backend->ops->destroy(self->backend);
	close(self->call_fd);
	close(self->kick_fd);
	machine_destroy(&self->m);
}

/* As a guest does that writes beyond the end of its file, again and again. */
static void fail_often(struct _test_data_kernel *self)
{
	struct hearing hearing;

	hear_begin(&hearing);
	for (int i = 0; i < 100; i++)
		self->backend->ops->fail(self->backend);
	hear_end(&hearing, self->said, sizeof(self->said));
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int nr = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		nr++;
	}
	return nr;
}

TEST_F(kernel, flushes_are_made_to_fail)
{
	fail_often(self);
	EXPECT_EQ(100, module.sets);
	EXPECT_EQ(EIO, module.error);
	EXPECT_STREQ("", self->said);
}

TEST_F(kernel, module_that_is_gone_is_told_once)
{
	module.set_err = -ENOENT;
	module.has_deleted = true;
	fail_often(self);
	EXPECT_EQ(1, count(self->said, "\n"));
	EXPECT_EQ(1, count(self->said, "disk: no more served by the module"));
	EXPECT_EQ(1, self->nr_broken);
}

/* The guest makes these errors, so it may not have any number of lines. */
TEST_F(kernel, module_that_fails_is_told_with_restraint)
{
	module.set_err = -ENOMEM;
	fail_often(self);
	EXPECT_LE(1, count(self->said, "guest: pmem disk: cannot make its flushes fail: "));
	EXPECT_GE(20, count(self->said, "\n"));
	EXPECT_EQ(0, self->nr_broken);
}

TEST_HARNESS_MAIN
