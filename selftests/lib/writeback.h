/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own writing of dirty pages, which tests that count pages cannot use. */
#ifndef WRITEBACK_H
#define WRITEBACK_H

/**
 * writeback_sysctl() - Set one of the kernel's parameters of it.
 * @name: file in /proc/sys/vm
 * @value: number
 * Return: 0 or -1.
 */
int writeback_sysctl(const char *name, int value);

/**
 * writeback_hourly() - Have the kernel look for pages to write once in an hour.
 *
 * It looks some time after the first page got dirty. It begins a new interval by
 * writing all that is dirty, at some time after it was told, so that is waited
 * for, and the interval stays as it is when the test ends.
 *
 * Return: 0 or -1.
 */
int writeback_hourly(void);

/**
 * writeback_usual() - Undo writeback_hourly().
 *
 * For tests whose program goes on with others that should find a usual kernel.
 *
 * Return: 0 or -1.
 */
int writeback_usual(void);

#endif /* WRITEBACK_H */
