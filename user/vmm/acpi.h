/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI tables of a hardware-reduced machine, and its sleep registers. */
#ifndef ACPI_H
#define ACPI_H

struct vm;

/**
 * acpi_create() - Place the registers.
 *
 * A guest that switches itself off through them ends the VM with exit code 0; one
 * that resets itself calls vm->reset().
 *
 * Return: 0, or -errno after one line of error.
 */
int acpi_create(struct vm *vm);

/**
 * acpi_build() - Write the tables into guest RAM.
 *
 * RSDP, XSDT, FADT, MADT and MCFG are made here, the DSDT was compiled from
 * dsdt.asl.
 *
 * Return: 0, or -errno after one line of error.
 */
int acpi_build(struct vm *vm);

#endif /* ACPI_H */
