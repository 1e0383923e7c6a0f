/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values as JSON, with the keys that vpmemctl(8) documents. */
#ifndef JSON_H
#define JSON_H

#include <jansson.h>

#include <vpmem/vpmem.h>

/**
 * json_text() - A name as Unicode, which it need not be.
 * @buf: at least VPMEM_NAME_LEN bytes, may be used for the result
 *
 * Return: @name, or @buf with question marks for all that is not ASCII.
 */
const char *json_text(char *buf, const char *name);

/** json_device() - Settings and state of a device; the caller owns it. */
json_t *json_device(const struct vpmem_dev_info *info);

/** json_stats() - Counters and latencies of a device; the caller owns it. */
json_t *json_stats(const struct vpmem_dev_info *info);

/**
 * json_devices() - An array with a value for each device.
 * @infos: devices
 * @count: their number
 * @make: makes the value, json_device() or json_stats()
 *
 * Return: the array, which the caller owns; NULL without memory.
 */
json_t *json_devices(const struct vpmem_dev_info *infos, size_t count,
		     json_t *(*make)(const struct vpmem_dev_info *info));

/** json_event() - An event, or lost ones if @event is NULL. */
json_t *json_event(const struct vpmem_event *event);

/**
 * json_print() - Write a value to stdout, indented, and drop it.
 * @value: what to write; NULL if memory was short for it
 *
 * Return: a CTL_* status; a failure has been reported.
 */
int json_print(json_t *value);

/** json_print_line() - The same on one line, written at once. */
int json_print_line(json_t *value);

#endif /* JSON_H */
