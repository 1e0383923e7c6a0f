// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ways to reset a PC that are older than ACPI's: the keyboard controller's
 * command port, and the entry of a BIOS. Linux takes the latter by default on a
 * hardware-reduced machine without EFI.
 */
#include "bus.h"
#include "layout.h"
#include "log.h"
#include "mem.h"
#include "reset.h"
#include "vm.h"

#include <errno.h>
#include <string.h>

#define PULSE_RESET	0xfe

/* In real mode: mov al, PULSE_RESET; out LAYOUT_KEYBOARD_PORT, al; hlt. */
static const uint8_t bios_entry[] = {
	0xb0, PULSE_RESET, 0xe6, LAYOUT_KEYBOARD_PORT, 0xf4
};

/* Status: ready for a command, nothing to read. */
static void read_status(void *opaque, uint64_t offset, void *data,
			uint32_t len)
{
	memset(data, 0, len);
}

static void write_command(void *opaque, uint64_t offset, const void *data,
			  uint32_t len)
{
	struct vm *vm = opaque;

	if (*(const uint8_t *)data != PULSE_RESET)
		return;
	vm->reset(vm);
}

static const struct bus_ops keyboard_ops = {
	.read = read_status,
	.write = write_command,
};

int reset_create(struct vm *vm)
{
	int err = bus_add(&vm->pio, LAYOUT_KEYBOARD_PORT, 1, &keyboard_ops, vm);

	if (err)
		log_error("cannot place the reset port: %s", strerror(-err));
	return err;
}

int reset_build(struct vm *vm)
{
	memcpy(mem_ptr_write(&vm->mem, LAYOUT_BIOS_ENTRY, sizeof(bios_entry)),
	       bios_entry, sizeof(bios_entry));
	return 0;
}
