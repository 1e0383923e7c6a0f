/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place for differences between kernel versions. Empty on the newest
 * kernel; the oldest that is supported is 6.1.
 */
#ifndef VPMEM_COMPAT_H
#define VPMEM_COMPAT_H

#include <linux/eventfd.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "vpmem needs Linux 6.1 or newer"
#endif

/* Since 6.8 a signal always adds one. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define vpmem_eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#else
#define vpmem_eventfd_signal(ctx)	eventfd_signal(ctx)
#endif

#endif /* VPMEM_COMPAT_H */
