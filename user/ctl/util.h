/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiler and language helpers; no functions. */
#ifndef UTIL_H
#define UTIL_H

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define fallthrough	__attribute__((fallthrough))

#endif /* UTIL_H */
