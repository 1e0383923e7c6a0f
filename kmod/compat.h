/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place for differences between kernel versions. Empty on the newest
 * kernel; the oldest that is supported is 6.1.
 */
#ifndef VPMEM_COMPAT_H
#define VPMEM_COMPAT_H

#include <linux/eventfd.h>
#include <linux/limits.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/version.h>
#include <linux/writeback.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "vpmem needs Linux 6.1 or newer"
#endif

/* Since 6.4 there are user threads that never return to user space: vhost's. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define PF_USER_WORKER	0
#endif

/* Since 6.8 a signal always adds one. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define vpmem_eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#else
#define vpmem_eventfd_signal(ctx)	eventfd_signal(ctx)
#endif

/* Since 6.19 there is a function for what had to be described before. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
static inline int vpmem_filemap_flush_range(struct address_space *mapping,
					    loff_t first, loff_t last)
{
	struct writeback_control wbc = {
		.sync_mode = WB_SYNC_NONE,
		.nr_to_write = LONG_MAX,
		.range_start = first,
		.range_end = last,
	};

	return filemap_fdatawrite_wbc(mapping, &wbc);
}
#else
#define vpmem_filemap_flush_range(mapping, first, last)			\
	filemap_flush_range(mapping, first, last)
#endif

#endif /* VPMEM_COMPAT_H */
