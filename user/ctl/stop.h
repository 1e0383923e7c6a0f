/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SIGINT and SIGTERM as a descriptor, so that none is missed before a wait. */
#ifndef STOP_H
#define STOP_H

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

/** stop_open() - Block both signals. Return: descriptor that tells of one, or -1. */
static inline int stop_open(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

#endif /* STOP_H */
