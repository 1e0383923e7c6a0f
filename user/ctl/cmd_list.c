// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl list: one line for each device. */
#include "device.h"
#include "fmt.h"
#include "json.h"
#include "table.h"
#include "util.h"

#include <inttypes.h>

static void add_header(struct table *table)
{
	static const char *const titles[] = { "ID", "NAME", "STATE", "EXEC",
					      "FLUSHES", "ERRORS", "SIZE",
					      "OWNER" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(titles); i++)
		table_add(table, "%s", titles[i]);
}

static void add_owner(struct table *table, const struct vpmem_dev_info *info)
{
	if (info->owner_pid)
		table_add(table, "%u", info->owner_pid);
	else
		table_add(table, "-");
}

static void add_device(struct table *table, const struct vpmem_dev_info *info)
{
	char buf[FMT_BYTES];

	table_add(table, "%u", info->id);
	table_add(table, "%s", fmt_name(buf, info->name));
	table_add(table, "%s", fmt_state(buf, info));
	table_add(table, "%s", fmt_exec(buf, info));
	table_add(table, "%" PRIu64, info->stats.flushes);
	table_add(table, "%" PRIu64, stats_failed(&info->stats));
	table_add(table, "%s", fmt_size(buf, info->length));
	add_owner(table, info);
}

static int print_table(const struct device_list *list)
{
	struct table table = { .alignment = "rlllrrrr" };
	size_t i;

	add_header(&table);
	for (i = 0; i < list->count; i++)
		add_device(&table, &list->infos[i]);
	table_print(&table);
	return CTL_OK;
}

int cmd_list(struct ctl *ctl)
{
	struct device_list list = {};
	int status;

	status = device_list_read(ctl, &list);
	if (!status)
		status = ctl->is_json ?
			 json_print(json_devices(list.infos, list.count,
						 json_device)) :
			 print_table(&list);
	device_list_free(&list);
	return status;
}
