/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the guest's layout that the DSDT names. The ACPI compiler reads
 * it too, so there are only plain numbers here; layout.h checks and uses them.
 */
#ifndef DSDT_LAYOUT_H
#define DSDT_LAYOUT_H

#define DSDT_PCI_MMIO		0xc0000000
#define DSDT_PCI_MMIO_LAST	0xdfffffff
#define DSDT_PCI_MMIO_SIZE	0x20000000

#define DSDT_ECAM		0xe0000000
#define DSDT_ECAM_SIZE		0x00100000

#define DSDT_PCI_PIO		0x1000
#define DSDT_PCI_PIO_LAST	0xffff
#define DSDT_PCI_PIO_SIZE	0xf000

#define DSDT_COM1_PORT		0x03f8
#define DSDT_COM1_PORTS		8
#define DSDT_COM1_GSI		4

/* SLP_TYP of soft-off. */
#define DSDT_S5			5

#endif /* DSDT_LAYOUT_H */
