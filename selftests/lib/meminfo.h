/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says of its memory. */
#ifndef MEMINFO_H
#define MEMINFO_H

/** meminfo() - A field of /proc/meminfo, as "Slab", in bytes; 0 if not there. */
long meminfo(const char *field);

#endif /* MEMINFO_H */
