/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices as an operator means them: all that there are, or one by ID or name. */
#ifndef DEVICE_H
#define DEVICE_H

#include "ctl.h"

/**
 * struct device_list - Descriptions of devices.
 * @infos: array, ordered as the kernel gave them
 * @count: entries in use
 * @capacity: entries allocated
 */
struct device_list {
	struct vpmem_dev_info *infos;
	size_t count;
	size_t capacity;
};

/**
 * device_list_read() - Read all devices.
 * @ctl: context
 * @list: receives them; device_list_free() it in any case
 *
 * Return: a CTL_* status; a failure has been reported.
 */
int device_list_read(struct ctl *ctl, struct device_list *list);

/** device_list_add() - Append one. Return: a CTL_* status. */
int device_list_add(struct device_list *list, const struct vpmem_dev_info *info);

/** device_list_free() - Free what a list holds. */
void device_list_free(struct device_list *list);

/**
 * device_find() - Read the device that an argument names.
 * @ctl: context
 * @arg: number or name
 * @info: receives the description
 *
 * Return: a CTL_* status; a failure has been reported.
 */
int device_find(struct ctl *ctl, const char *arg, struct vpmem_dev_info *info);

/**
 * device_change() - Find a device and change it; with --json show the result.
 * @ctl: context; its first argument names the device
 * @change: what to change
 *
 * Return: a CTL_* status; a failure has been reported.
 */
int device_change(struct ctl *ctl, const struct vpmem_dev_change *change);

#endif /* DEVICE_H */
