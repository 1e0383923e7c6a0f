/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that can be opened no more, and ports that cannot be used. */
#ifndef LANDLOCK_H
#define LANDLOCK_H

/**
 * landlock_enter() - Let the calling thread, and its children, open nothing more.
 *
 * What is open stays open. Sets no_new_privs, without which the kernel does not
 * let an ordinary user do it. It holds for one thread: each has to call it.
 *
 * Return: 0; -EOPNOTSUPP if there is no Landlock, or it may not be used;
 * another -errno.
 */
int landlock_enter(void);

/** landlock_enter_but() - The same, but any file below @dir may be removed. */
int landlock_enter_but(const char *dir);

#endif /* LANDLOCK_H */
