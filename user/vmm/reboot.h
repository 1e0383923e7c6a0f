/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that resets itself: the VM ends, or is as before its first instruction. */
#ifndef REBOOT_H
#define REBOOT_H

struct reboot;
struct vm;

/**
 * reboot_create() - Keep the machine as it is now, if it is to be started again.
 * @vm: machine, complete; nothing of the guest has run
 *
 * With CONFIG_REBOOT_RESTART all RAM is a private copy from here on.
 *
 * Return: 0, or -errno after one line of error.
 */
int reboot_create(struct vm *vm);

/** reboot_destroy() - Undo reboot_create(). */
void reboot_destroy(struct vm *vm);

/** reboot_request() - The guest has reset itself. Any thread. */
void reboot_request(struct vm *vm);

/**
 * reboot_settle() - If the guest has reset itself, do that; the VM is paused.
 *
 * Context: main thread. A failure ends the VM.
 */
void reboot_settle(struct vm *vm);

#endif /* REBOOT_H */
