/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a machine without its memory: from the devices and KVM to JSON,
 * and back.
 */
#ifndef STATE_H
#define STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct vm;

/** struct state_error - Why a state cannot be loaded, as a sentence. */
struct state_error {
	char text[256];
};

/**
 * state_save() - Describe a machine that is paused, or was never run.
 * @error: receives, on failure, why
 *
 * Return: an object that the caller owns; NULL on failure.
 */
json_t *state_save(struct vm *vm, struct state_error *error);

/**
 * state_load() - Bring a machine to a state; it is paused, or was never run.
 * @state: from state_save(), or from anywhere
 * @is_new: the machine was just made for it: its vCPUs can be given their CPUID,
 *	and its files must be as they were
 * @error: receives, on failure, why
 *
 * All of @state is read and checked before anything is changed.
 *
 * Return: 0; -EINVAL if the state cannot be one; -errno.
 */
int state_load(struct vm *vm, const json_t *state, bool is_new,
	       struct state_error *error);

#endif /* STATE_H */
