/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every guest address, port and interrupt number of the machine, with the
 * arithmetic that keeps them apart.
 *
 *   0                    RAM, up to 3 GiB
 *   3 GiB                PCI memory BARs, 512 MiB
 *   3.5 GiB              PCI configuration space (ECAM), bus 0
 *   0xfec00000           IOAPIC; local APICs at 0xfee00000; KVM's TSS pages
 *   4 GiB                the rest of RAM
 *   next 2 MiB boundary  pmem regions
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <assert.h>
#include <stdint.h>

#include "dsdt_layout.h"

#define KIB			1024ull
#define MIB			(1024 * KIB)
#define GIB			(1024 * MIB)
#define GUEST_PAGE_SIZE		4096ull

/* RAM */
#define LAYOUT_RAM_LOW_MAX	(3 * GIB)
#define LAYOUT_RAM_HIGH		(4 * GIB)
#define LAYOUT_RAM_MIN		(32 * MIB)

/* Low memory that the boot code fills in; what is above EBDA_START is no RAM. */
#define LAYOUT_GDT		0x500ull
#define LAYOUT_BOOT_PARAMS	0x7000ull
#define LAYOUT_PAGE_TABLES	0x9000ull	/* 6 pages: PML4, PDPT, 4 PDs */
#define LAYOUT_CMDLINE		0x20000ull
#define LAYOUT_CMDLINE_MAX	0x10000ull
#define LAYOUT_EBDA_START	0x9fc00ull
#define LAYOUT_ACPI_START	0xe0000ull	/* RSDP first, then the tables */
#define LAYOUT_ACPI_END		0xf0000ull
#define LAYOUT_BIOS_ENTRY	0xffff0ull	/* where a PC begins */
#define LAYOUT_KERNEL_MIN	0x100000ull

/* PCI: one segment, bus 0 only, no bridges. */
#define LAYOUT_PCI_MMIO		((uint64_t)DSDT_PCI_MMIO)
#define LAYOUT_PCI_MMIO_SIZE	((uint64_t)DSDT_PCI_MMIO_SIZE)
#define LAYOUT_ECAM		((uint64_t)DSDT_ECAM)
#define LAYOUT_ECAM_SIZE	((uint64_t)DSDT_ECAM_SIZE)
#define LAYOUT_PCI_PIO		((uint32_t)DSDT_PCI_PIO)
#define LAYOUT_PCI_PIO_SIZE	((uint32_t)DSDT_PCI_PIO_SIZE)
#define LAYOUT_PCI_SLOTS	32u
#define LAYOUT_PCI_FUNCTIONS	8u

/* Interrupt controllers and KVM's own pages. */
#define LAYOUT_IOAPIC		0xfec00000ull
#define LAYOUT_LAPIC		0xfee00000ull
#define LAYOUT_KVM_IDENTITY_MAP	0xfffbc000ull
#define LAYOUT_KVM_TSS		0xfffbd000ull

/* 16550 UART, as COM1. */
#define LAYOUT_COM1_PORT	((uint32_t)DSDT_COM1_PORT)
#define LAYOUT_COM1_PORTS	((uint32_t)DSDT_COM1_PORTS)
#define LAYOUT_COM1_GSI		((uint32_t)DSDT_COM1_GSI)

/* Command port of a keyboard controller, for reset only. */
#define LAYOUT_KEYBOARD_PORT	0x64u

/* ACPI: sleep control, sleep status and reset registers, a byte each. */
#define LAYOUT_ACPI_PORT	0x600u
#define LAYOUT_ACPI_PORTS	3u
#define LAYOUT_ACPI_SLEEP	0u
#define LAYOUT_ACPI_STATUS	1u
#define LAYOUT_ACPI_RESET	2u

/* GSIs 0 to 23 are IOAPIC pins; MSI routes follow. */
#define LAYOUT_IOAPIC_PINS	24u
#define LAYOUT_MSI_GSI_FIRST	LAYOUT_IOAPIC_PINS

#define LAYOUT_CPUS_MAX		64u

/* Start and size of a pmem region: what Linux's x86 memory hotplug needs. */
#define LAYOUT_PMEM_ALIGN	(2 * MIB)

static_assert(LAYOUT_CMDLINE + LAYOUT_CMDLINE_MAX <= LAYOUT_EBDA_START,
	      "command line overlaps the EBDA");
static_assert(LAYOUT_PAGE_TABLES + 6 * GUEST_PAGE_SIZE <= LAYOUT_CMDLINE,
	      "page tables overlap the command line");
static_assert(LAYOUT_RAM_LOW_MAX <= LAYOUT_PCI_MMIO, "RAM overlaps PCI");
static_assert(DSDT_PCI_MMIO + DSDT_PCI_MMIO_SIZE - 1 == DSDT_PCI_MMIO_LAST,
	      "PCI memory window is inconsistent");
static_assert(DSDT_PCI_PIO + DSDT_PCI_PIO_SIZE - 1 == DSDT_PCI_PIO_LAST,
	      "PCI port window is inconsistent");
static_assert(LAYOUT_PCI_MMIO + LAYOUT_PCI_MMIO_SIZE <= LAYOUT_ECAM,
	      "PCI memory window overlaps ECAM");
static_assert(LAYOUT_ECAM + LAYOUT_ECAM_SIZE <= LAYOUT_IOAPIC,
	      "ECAM overlaps the IOAPIC");
static_assert(LAYOUT_ECAM % (256 * MIB) == 0, "ECAM base must be 256 MiB aligned");

#endif /* LAYOUT_H */
