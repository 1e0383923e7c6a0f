/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON file of --config. */
#ifndef CONFIG_JSON_H
#define CONFIG_JSON_H

struct config;

/**
 * config_json_read() - Read a file with Firecracker's field names.
 *
 * Fields that are unknown or not supported are an error that names them.
 *
 * Return: 0, or -errno after one line of error.
 */
int config_json_read(struct config *config, const char *path);

#endif /* CONFIG_JSON_H */
