// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile kernel images: each is loaded into guest RAM, or refused with one
 * line of error. mmap() is replaced, so that an image has red zones.
 */
#include "config.h"
#include "fake_log.h"
#include "layout.h"
#include "linux_boot.h"
#include "mem.h"
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_BYTES	(32 * MIB)
/* Room for one unpacked kernel; with more, damaged sizes only cost time. */
#define UNPACKED_BYTES	(8 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *addr, size_t len);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __wrap_munmap(void *addr, size_t len);

static struct vm vm;

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	void *copy;

	if (flags & MAP_SHARED)
		return __real_mmap(addr, len, prot, flags, fd, offset);
	if (len > UNPACKED_BYTES)
		return MAP_FAILED;
	copy = calloc(1, len);
	if (!copy || (fd >= 0 && pread(fd, copy, len, offset) != (ssize_t)len))
		abort();
	return copy;
}

/* Guest RAM stays for ever: nothing else is unmapped. */
int __wrap_munmap(void *addr, size_t len)
{
	free(addr);
	return 0;
}

static void check(const struct boot_entry *entry)
{
	if (!mem_ptr(&vm.mem, entry->rip, 1) ||
	    !mem_ptr(&vm.mem, entry->boot_params, 4096))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	struct config config = {
		.kernel = path,
		.cmdline = (char *)"quiet",
		.memory_bytes = RAM_BYTES,
	};
	struct boot_entry entry;
	int fd = memfd_create("kernel", MFD_CLOEXEC);
	int err;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	vm.config = &config;
	if (!vm.mem.nr_regions && mem_init(&vm.mem, NULL, RAM_BYTES))
		abort();
	err = linux_boot_load(&vm, &entry);
	close(fd);
	if (fuzz_log_take() != (err ? 1 : 0))
		abort();
	if (!err)
		check(&entry);
	return 0;
}
