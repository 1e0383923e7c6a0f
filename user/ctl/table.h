/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of text with aligned columns. */
#ifndef TABLE_H
#define TABLE_H

#include "util.h"

#include <stddef.h>

/**
 * struct table - Rows of cells.
 * @alignment: one letter for each column, l for left, r for right
 * @cells: rows of strlen(@alignment) strings
 * @count: number of cells
 */
struct table {
	const char *alignment;
	char **cells;
	size_t count;
};

/**
 * table_add() - Add the next cell, row by row.
 *
 * Without memory it exits with status 1, having said so.
 */
void table_add(struct table *table, const char *fmt, ...)
	__printf(2, 3);

/** table_print() - Write the table to stdout and empty it. */
void table_print(struct table *table);

#endif /* TABLE_H */
