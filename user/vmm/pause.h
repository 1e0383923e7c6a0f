/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stops the guest, its vCPUs and then its queues, and lets it go on. */
#ifndef PAUSE_H
#define PAUSE_H

#include <stdbool.h>

struct pause;
struct vm;

/**
 * struct pause_hold - Somebody who wants the guest stopped; embedded in it.
 * @done: called when nothing of the guest runs and no queue is served any more,
 *	once for each pause_begin(), on the main thread
 * @is_held: between pause_begin() and pause_end()
 * @is_told: @done was called
 * @next: the pause's own
 */
struct pause_hold {
	void (*done)(struct pause_hold *hold);
	bool is_held;
	bool is_told;
	struct pause_hold *next;
};

/**
 * pause_create() - Prepare to pause.
 * @pause: receives the object
 *
 * All functions: Context: main thread.
 *
 * Return: 0, or -errno after one line of error.
 */
int pause_create(struct pause **pause, struct vm *vm);

/** pause_destroy() - Release it; the VM has ended. @pause may be NULL. */
void pause_destroy(struct pause *pause);

/**
 * pause_begin() - Stop the guest for @hold, which does not hold it yet.
 *
 * @hold->done is called from here if the guest is stopped already. It takes as
 * long as a vCPU waits for a disk; nothing else waits for that.
 */
void pause_begin(struct pause *pause, struct pause_hold *hold);

/**
 * pause_end() - @hold does not need it any more, whether told or not.
 *
 * The guest goes on when nobody holds it.
 */
void pause_end(struct pause *pause, struct pause_hold *hold);

/** pause_is_reached() - Whether nothing of the guest runs. */
bool pause_is_reached(const struct pause *pause);

/** pause_is_pending() - Whether it is being stopped. */
bool pause_is_pending(const struct pause *pause);

#endif /* PAUSE_H */
