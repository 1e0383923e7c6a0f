/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: commands for a running VM, one JSON object a line. */
#ifndef CONTROL_H
#define CONTROL_H

struct control;
struct vm;

/**
 * control_create() - Listen on the socket that --control names.
 * @control: receives the object; NULL if no socket is wanted
 * @vm: VM with a loop and a pause; it runs when the loop does
 *
 * The socket gets mode 0600. What a VMM that is gone has left in its place is
 * removed, nothing else is.
 *
 * Return: 0, or -errno after one line of error.
 */
int control_create(struct control **control, struct vm *vm);

/** control_destroy() - Close and remove the socket. @control may be NULL. */
void control_destroy(struct control *control);

#endif /* CONTROL_H */
