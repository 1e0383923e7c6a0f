// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest that resets itself: the VM ends, or is as before its first
 * instruction. The latter needs nothing that the sandbox forbids: registers and
 * devices are loaded from a state that was saved then, and RAM, a private copy of
 * what the boot loader put there, forgets what was written to it.
 */
#include "reboot.h"

#include "config.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "pause.h"
#include "state.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

/**
 * struct reboot - What a reset goes back to.
 * @vm: VM
 * @source: eventfd that a vCPU signals
 * @is_wanted: a vCPU has asked for it; atomic
 * @state: of the machine before its first instruction
 * @hold: keeps the VM paused meanwhile
 */
struct reboot {
	struct vm *vm;
	struct loop_source source;
	bool is_wanted;
	json_t *state;
	struct pause_hold hold;
};

void reboot_request(struct vm *vm)
{
	struct reboot *reboot = vm->reboot;
	uint64_t one = 1;

	if (!reboot) {
		log_info("the guest has reset itself");
		loop_quit(&vm->loop, 0);
		return;
	}
	/* ORDER: before the event, which may be handled at once. */
	__atomic_store_n(&reboot->is_wanted, true, __ATOMIC_SEQ_CST);
	if (write(reboot->source.fd, &one, sizeof(one)) < 0)
		log_debug("a reset is under way");
}

static int reboot_load(struct reboot *reboot)
{
	struct vm *vm = reboot->vm;
	struct state_error error;
	int err = state_load(vm, reboot->state, false, &error);

	if (err) {
		log_error("cannot reset the guest: %s", error.text);
		return err;
	}
	err = mem_revert_ram(&vm->mem);
	if (err)
		log_error("cannot reset the guest's RAM: %s", strerror(-err));
	return err;
}

void reboot_settle(struct vm *vm)
{
	struct reboot *reboot = vm->reboot;

	if (!reboot || !__atomic_exchange_n(&reboot->is_wanted, false,
					    __ATOMIC_SEQ_CST))
		return;
	if (reboot_load(reboot)) {
		loop_quit(&vm->loop, 1);
		return;
	}
	vcpus_revive(vm);
	log_info("the guest has reset itself, it starts again");
}

static void reboot_paused(struct pause_hold *hold)
{
	struct reboot *reboot = container_of(hold, struct reboot, hold);

	reboot_settle(reboot->vm);
	pause_end(reboot->vm->pause, hold);
}

static void reboot_wanted(struct loop_source *source, uint32_t events)
{
	struct reboot *reboot = container_of(source, struct reboot, source);
	uint64_t count;

	if (read(source->fd, &count, sizeof(count)) == sizeof(count) &&
	    !reboot->hold.is_held)
		pause_begin(reboot->vm->pause, &reboot->hold);
}

static int reboot_keep(struct reboot *reboot)
{
	struct state_error error;
	int err = mem_keep_ram(&reboot->vm->mem);

	if (err) {
		log_error("cannot keep the guest's RAM for --reboot restart: %s",
			  strerror(-err));
		return err;
	}
	reboot->state = state_save(reboot->vm, &error);
	if (reboot->state)
		return 0;
	log_error("cannot keep the machine's state for --reboot restart: %s",
		  error.text);
	return -EIO;
}

static int reboot_watch(struct reboot *reboot)
{
	int err;

	reboot->source.fn = reboot_wanted;
	reboot->source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = reboot->source.fd < 0 ? -errno :
	      loop_add(&reboot->vm->loop, &reboot->source);
	if (err)
		log_error("cannot watch for a reset: %s; see the limits (ulimit -a)",
			  strerror(-err));
	return err;
}

int reboot_create(struct vm *vm)
{
	struct reboot *reboot;
	int err;

	if (vm->config->reboot != CONFIG_REBOOT_RESTART)
		return 0;
	reboot = calloc(1, sizeof(*reboot));
	if (!reboot) {
		log_error("cannot watch for a reset: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	reboot->vm = vm;
	reboot->hold.done = reboot_paused;
	reboot->source.fd = -1;
	vm->reboot = reboot;
	err = reboot_watch(reboot);
	if (!err)
		err = reboot_keep(reboot);
	if (err)
		reboot_destroy(vm);
	return err;
}

void reboot_destroy(struct vm *vm)
{
	struct reboot *reboot = vm->reboot;

	if (!reboot)
		return;
	json_decref(reboot->state);
	if (reboot->source.fd >= 0)
		loop_del(&vm->loop, &reboot->source);
	cleanup_close(&reboot->source.fd);
	free(reboot);
	vm->reboot = NULL;
}
