/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says of its memory. */
#ifndef MEMINFO_H
#define MEMINFO_H

/** meminfo_bytes() - A field of /proc/meminfo, as "Slab"; 0 if it is not there. */
long meminfo_bytes(const char *field);

#endif /* MEMINFO_H */
