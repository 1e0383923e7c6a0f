/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a snapshot: its configuration first, then the machine's state. */
#ifndef RESTORE_H
#define RESTORE_H

#include <jansson.h>

struct config;
struct vm;

/**
 * restore_read() - Read DIR/state.json of config->restore_path.
 * @config: receives memory, vCPUs and devices of the snapshot; devices that it
 *	has already say what is to be different
 * @state: receives the machine's state; the caller owns it
 *
 * Return: 0, or -errno after one line of error.
 */
int restore_read(struct config *config, json_t **state);

/** restore_memory_path() - Where the snapshot's RAM is; the caller frees it. */
char *restore_memory_path(const struct config *config);

/**
 * restore_load() - Bring the machine to the state that was read.
 * Return: 0, or -errno after one line of error.
 */
int restore_load(struct vm *vm, const json_t *state);

#endif /* RESTORE_H */
