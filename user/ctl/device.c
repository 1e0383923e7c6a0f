// SPDX-License-Identifier: GPL-2.0-or-later
/* Owns finding devices and changing them; prints nothing but errors and JSON. */
#include "device.h"
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a listing is begun anew because devices came or went meanwhile. */
#define DUMP_TRIES	10

/* Return: 0 or -ENOMEM. */
static int append(const struct vpmem_dev_info *info, void *arg)
{
	struct device_list *list = arg;
	size_t capacity = list->capacity ? 2 * list->capacity : 16;
	struct vpmem_dev_info *infos;

	if (list->count == list->capacity) {
		infos = reallocarray(list->infos, capacity, sizeof(*infos));
		if (!infos)
			return -ENOMEM;
		list->infos = infos;
		list->capacity = capacity;
	}
	list->infos[list->count++] = *info;
	return 0;
}

/*
 * Without the capability a dump is empty and no error, as this process has no
 * devices of its own. Events need the same capability and say so.
 */
static int check_permission(struct ctl *ctl)
{
	int err = vpmem_event_subscribe(ctl->sock);

	return err == -EPERM ? ctl_failed(ctl, "list of devices", err) : CTL_OK;
}

int device_list_read(struct ctl *ctl, struct device_list *list)
{
	int tries = DUMP_TRIES;
	int err;

	do {
		list->count = 0;
		err = vpmem_dev_dump(ctl->sock, append, list);
	} while (err == -EINTR && --tries);
	if (err)
		return ctl_failed(ctl, "list of devices", err);
	return list->count ? CTL_OK : check_permission(ctl);
}

int device_list_add(struct device_list *list, const struct vpmem_dev_info *info)
{
	return append(info, list) ? ctl_error("out of memory") : CTL_OK;
}

void device_list_free(struct device_list *list)
{
	free(list->infos);
}

/* Return: whether @arg is a number; one that is out of range becomes 0. */
static bool parse_id(const char *arg, uint32_t *id)
{
	unsigned long long value;

	if (!*arg || strspn(arg, "0123456789") != strlen(arg))
		return false;
	value = strtoull(arg, NULL, 10);
	*id = value > UINT32_MAX ? 0 : value;
	return true;
}

static int find_by_name(struct ctl *ctl, const char *name,
			struct vpmem_dev_info *info)
{
	struct device_list list = {};
	size_t i, matches = 0;
	int status;

	status = device_list_read(ctl, &list);
	for (i = 0; !status && i < list.count; i++) {
		if (strcmp(list.infos[i].name, name))
			continue;
		*info = list.infos[i];
		matches++;
	}
	device_list_free(&list);
	if (!status && !matches)
		return ctl_error("device %s: no such device; see vpmemctl list",
				 name);
	if (!status && matches > 1)
		return ctl_error("device %s: %zu devices have this name; use the number",
				 name, matches);
	return status;
}

static int find_by_id(struct ctl *ctl, uint32_t id, const char *arg,
		      struct vpmem_dev_info *info)
{
	char what[64];
	int err;

	snprintf(what, sizeof(what), "device %s", arg);
	if (!id)
		return ctl_error("%s: no such device; see vpmemctl list", what);
	err = vpmem_dev_get(ctl->sock, id, info);
	return err ? ctl_failed(ctl, what, err) : CTL_OK;
}

int device_find(struct ctl *ctl, const char *arg, struct vpmem_dev_info *info)
{
	uint32_t id;

	if (parse_id(arg, &id))
		return find_by_id(ctl, id, arg, info);
	return find_by_name(ctl, arg, info);
}

static int show_result(struct ctl *ctl, uint32_t id, const char *what)
{
	struct vpmem_dev_info info;
	int err;

	err = vpmem_dev_get(ctl->sock, id, &info);
	return err ? ctl_failed(ctl, what, err) : json_print(json_device(&info));
}

int device_change(struct ctl *ctl, const struct vpmem_dev_change *change)
{
	struct vpmem_dev_info info;
	char what[32];
	int err;

	if (device_find(ctl, ctl->argv[0], &info))
		return CTL_FAILED;
	snprintf(what, sizeof(what), "device %u", info.id);
	err = vpmem_dev_set(ctl->sock, info.id, change);
	if (err)
		return ctl_failed(ctl, what, err);
	return ctl->is_json ? show_result(ctl, info.id, what) : CTL_OK;
}
