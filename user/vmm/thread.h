/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads besides the main one. */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>

/**
 * thread_create() - Start a thread that takes no signals and has no rights.
 * @thread: receives it
 * @signal: a signal that it takes all the same, or 0
 * @fn: what it runs
 * @arg: handed to @fn
 *
 * Signals are the main thread's business. Capabilities and Landlock belong to
 * threads, so each gives up its own rights, and the one to open files, before
 * it does anything; it has when this returns.
 *
 * Return: 0, or -errno and @fn is not run.
 */
int thread_create(pthread_t *thread, int signal, void *(*fn)(void *arg),
		  void *arg);

#endif /* THREAD_H */
