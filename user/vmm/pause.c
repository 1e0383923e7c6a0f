// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stops the guest, its vCPUs and then its queues, and lets it go on. Nothing
 * here waits: who has stopped says so with an eventfd.
 */
#include "pause.h"

#include "log.h"
#include "loop.h"
#include "util.h"
#include "vcpu.h"
#include "virtio_pmem.h"
#include "vm.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

/* What the VM does, in the order in which a pause passes through. */
enum pause_state {
	PAUSE_NONE,
	PAUSE_VCPUS,	/* vCPUs are on their way out */
	PAUSE_QUEUES,	/* no vCPU runs, queues are being stopped */
	PAUSE_REACHED,
};

/**
 * struct pause - Pause of a VM.
 * @vm: VM
 * @source: eventfd by which vCPUs and queues say that they have stopped
 * @state: how far it is
 * @holds: who wants it, in the order in which they came
 */
struct pause {
	struct vm *vm;
	struct loop_source source;
	enum pause_state state;
	struct pause_hold *holds;
};

/* Each may end the hold of any, itself included: so it begins anew. */
static void pause_tell(struct pause *pause)
{
	struct pause_hold *hold = pause->holds;

	while (hold && pause->state == PAUSE_REACHED) {
		if (hold->is_told) {
			hold = hold->next;
			continue;
		}
		hold->is_told = true;
		hold->done(hold);
		hold = pause->holds;
	}
}

static void pause_go_on(struct pause *pause)
{
	if (pause->state == PAUSE_REACHED)
		virtio_pmem_resume_all(pause->vm);
	vcpus_resume(pause->vm);
	pause->state = PAUSE_NONE;
}

/*
 * ORDER: queues after vCPUs, so that no kick is left that nobody looks at. A
 * queue that is still being stopped cannot be started: a pause that nobody wants
 * any more ends when all have stopped, which never waits for a sync.
 */
static void pause_advance(struct pause *pause)
{
	if (pause->state == PAUSE_VCPUS && vcpus_are_parked(pause->vm)) {
		pause->state = PAUSE_QUEUES;
		virtio_pmem_pause_all(pause->vm, pause->source.fd);
	}
	if (pause->state == PAUSE_QUEUES && virtio_pmem_are_paused(pause->vm)) {
		pause->state = PAUSE_REACHED;
		if (!pause->holds)
			pause_go_on(pause);
	}
	pause_tell(pause);
}

static void pause_look(struct loop_source *source, uint32_t events)
{
	struct pause *pause = container_of(source, struct pause, source);
	uint64_t count;

	if (read(source->fd, &count, sizeof(count)) == sizeof(count))
		pause_advance(pause);
}

int pause_create(struct pause **pause, struct vm *vm)
{
	struct pause *new = calloc(1, sizeof(*new));
	int err = -ENOMEM;

	if (new) {
		new->vm = vm;
		new->source.fn = pause_look;
		new->source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = new->source.fd < 0 ? -errno :
		      loop_add(&vm->loop, &new->source);
	}
	if (err) {
		log_error("cannot watch for the end of vCPUs: %s; see the limits (ulimit -a)",
			  strerror(-err));
		pause_destroy(new);
		return err;
	}
	*pause = new;
	return 0;
}

void pause_destroy(struct pause *pause)
{
	if (!pause)
		return;
	if (pause->source.fd >= 0)
		loop_del(&pause->vm->loop, &pause->source);
	cleanup_close(&pause->source.fd);
	free(pause);
}

void pause_begin(struct pause *pause, struct pause_hold *hold)
{
	struct pause_hold **at = &pause->holds;

	while (*at)
		at = &(*at)->next;
	*at = hold;
	hold->next = NULL;
	hold->is_held = true;
	hold->is_told = false;
	if (pause->state == PAUSE_NONE) {
		pause->state = PAUSE_VCPUS;
		vcpus_pause(pause->vm, pause->source.fd);
	}
	pause_advance(pause);
}

void pause_end(struct pause *pause, struct pause_hold *hold)
{
	struct pause_hold **at = &pause->holds;

	if (!hold->is_held)
		return;
	while (*at != hold)
		at = &(*at)->next;
	*at = hold->next;
	hold->is_held = false;
	if (!pause->holds && pause->state != PAUSE_QUEUES)
		pause_go_on(pause);
}

bool pause_is_reached(const struct pause *pause)
{
	return pause->state == PAUSE_REACHED;
}

bool pause_is_pending(const struct pause *pause)
{
	return pause->state == PAUSE_VCPUS || pause->state == PAUSE_QUEUES;
}
