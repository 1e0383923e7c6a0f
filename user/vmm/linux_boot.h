/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading a Linux kernel, its initrd and its boot parameters. */
#ifndef LINUX_BOOT_H
#define LINUX_BOOT_H

#include "vcpu.h"

struct vm;

/**
 * linux_boot_load() - Put kernel, initrd, command line and zero page into RAM.
 * @vm: VM with RAM and nothing in it
 * @entry: receives where the first vCPU begins
 *
 * The kernel is an ELF vmlinux or a bzImage. The latter is unpacked here, where
 * that is possible, or taken from where it was kept when it was unpacked before
 * (kernel_cache.h), and entered like an ELF kernel: the guest's own decompressor
 * is slower.
 *
 * Return: 0, or -errno after one line of error.
 */
int linux_boot_load(struct vm *vm, struct boot_entry *entry);

#endif /* LINUX_BOOT_H */
