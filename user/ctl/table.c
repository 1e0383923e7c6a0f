// SPDX-License-Identifier: GPL-2.0-or-later
/* Owns the alignment of columns. */
#include "table.h"
#include "ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void table_add(struct table *table, const char *fmt, ...)
{
	char **cells, *cell;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&cell, fmt, args);
	va_end(args);
	cells = reallocarray(table->cells, table->count + 1, sizeof(*cells));
	if (len < 0 || !cells)
		exit(ctl_error("out of memory"));
	cells[table->count++] = cell;
	table->cells = cells;
}

static int column_width(const struct table *table, size_t columns, size_t column)
{
	size_t i, width = 0;

	for (i = column; i < table->count; i += columns)
		if (strlen(table->cells[i]) > width)
			width = strlen(table->cells[i]);
	return width;
}

static void print_cell(const struct table *table, size_t columns, size_t i)
{
	size_t column = i % columns;
	bool is_last = column == columns - 1;
	int width = column_width(table, columns, column);

	if (table->alignment[column] == 'r')
		printf("%*s", width, table->cells[i]);
	else
		printf("%-*s", is_last ? 0 : width, table->cells[i]);
	fputs(is_last ? "\n" : "  ", stdout);
}

void table_print(struct table *table)
{
	size_t columns = strlen(table->alignment);
	size_t i;

	for (i = 0; i < table->count; i++)
		print_cell(table, columns, i);
	for (i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->count = 0;
}
