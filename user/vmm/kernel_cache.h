/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels that were unpacked before. Unpacking takes longer than all the rest of
 * a start, and the result is the same each time.
 */
#ifndef KERNEL_CACHE_H
#define KERNEL_CACHE_H

#include <stddef.h>

struct stat;

/**
 * kernel_cache_path() - Where an unpacked kernel is kept.
 * @dir: directory of the cache
 * @packed: attributes of the packed kernel's file
 * @data: what is packed in it
 * @len: bytes of that
 *
 * The name tells the file, its time of change, and a checksum: no other kernel
 * has the same.
 *
 * Return: a path that the caller frees, or NULL if there is no memory.
 */
char *kernel_cache_path(const char *dir, const struct stat *packed,
			const void *data, size_t len);

/**
 * kernel_cache_open() - Open an unpacked kernel, if there is one to trust.
 * @path: from kernel_cache_path()
 * @len: bytes that it must have
 *
 * One that another user owns or can write is reported and left alone.
 *
 * Return: descriptor; -ENOENT; -EPERM or -errno, after a warning.
 */
int kernel_cache_open(const char *path, size_t len);

/**
 * kernel_cache_keep() - Keep an unpacked kernel for later.
 * @path: from kernel_cache_path()
 * @data: unpacked kernel
 * @len: bytes of it
 *
 * The file appears when it is whole and on the disk. Whether it could be kept
 * makes no difference to the VM that is being started: a failure is a warning.
 */
void kernel_cache_keep(const char *path, const void *data, size_t len);

#endif /* KERNEL_CACHE_H */
