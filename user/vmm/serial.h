/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COM1, a 16550 UART, and the terminal, file or nothing behind it. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

#define SERIAL_INPUT_BYTES	4096u

/**
 * struct serial_state - What the guest can see of the UART.
 * @input: bytes for the guest, @input_len of them
 */
struct serial_state {
	uint8_t ier;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t scr;
	uint8_t fcr;
	uint16_t divisor;
	bool thr_pending;
	uint8_t input[SERIAL_INPUT_BYTES];
	size_t input_len;
};

/**
 * serial_create() - Put COM1 on the port bus, as the configuration wants it.
 *
 * With CONFIG_SERIAL_STDIO standard input goes to the guest and, if it is a
 * terminal, is in raw mode until serial_release(); Ctrl-a x ends the VM then.
 *
 * Return: 0, or -errno after one line of error.
 */
int serial_create(struct vm *vm);

/**
 * serial_release() - Take no more input and restore the terminal.
 *
 * Context: main thread.
 */
void serial_release(struct vm *vm);

/** serial_destroy() - The same, and write out what is left; no vCPU runs. */
void serial_destroy(struct vm *vm);

/** serial_save() - Read the state. */
void serial_save(struct vm *vm, struct serial_state *state);

/**
 * serial_load() - Write it; no vCPU runs.
 *
 * ORDER: after the IOAPIC's state, in which the interrupt line is. What the UART
 * has to tell is told again, as input may have come after that state was taken.
 */
void serial_load(struct vm *vm, const struct serial_state *state);

#endif /* SERIAL_H */
