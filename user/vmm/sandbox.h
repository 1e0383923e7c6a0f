/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a running VM is not allowed to do. */
#ifndef SANDBOX_H
#define SANDBOX_H

struct config;

/**
 * sandbox_enter() - Give up all rights that a running VM does not need.
 * @config: says whether to
 *
 * Capabilities, the right to gain any by exec, the one to open a file (where the
 * kernel has Landlock), and all system calls but those
 * of the run loop and the back ends. Call it when everything is open, all
 * threads exist and no guest code has run; a call that is not allowed kills the
 * process with SIGSYS.
 *
 * Return: 0, or -errno after one line of error.
 */
int sandbox_enter(const struct config *config);

#endif /* SANDBOX_H */
