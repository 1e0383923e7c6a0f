/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to reset a PC that are older than ACPI's. */
#ifndef RESET_H
#define RESET_H

struct vm;

/**
 * reset_create() - Put the keyboard controller's port.
 *
 * Return: 0, or -errno after one line of error.
 */
int reset_create(struct vm *vm);

/** reset_build() - Put the BIOS's entry into RAM; always 0. */
int reset_build(struct vm *vm);

#endif /* RESET_H */
