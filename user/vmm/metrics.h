/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters written to a file, as lines of JSON. */
#ifndef METRICS_H
#define METRICS_H

#include <jansson.h>

struct metrics;
struct vm;

/**
 * metrics_create() - Open the file that --metrics names, and begin.
 * @metrics: receives the writer; NULL if none is wanted
 * @vm: VM with a loop; its devices are there when that runs
 *
 * A line is written each second in which something changed.
 *
 * Return: 0, or -errno after one line of error.
 */
int metrics_create(struct metrics **metrics, struct vm *vm);

/** metrics_finish() - Write the last line. @metrics may be NULL. */
void metrics_finish(struct metrics *metrics);

/** metrics_destroy() - Close the file. @metrics may be NULL. */
void metrics_destroy(struct metrics *metrics);

/**
 * metrics_describe() - The counters of all devices.
 *
 * json_object_seed() was called before the sandbox was entered.
 *
 * Return: an object with a member for each device and their sum, as in a line of
 * the file, which the caller owns.
 */
json_t *metrics_describe(struct vm *vm);

#endif /* METRICS_H */
