/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small arithmetic and scope helpers; no state, no I/O. */
#ifndef UTIL_H
#define UTIL_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)		(((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Closes or frees the variable at the end of its scope. */
#define AUTO_CLOSE		__attribute__((cleanup(cleanup_close)))
#define AUTO_FREE		__attribute__((cleanup(cleanup_free)))

#endif /* UTIL_H */
