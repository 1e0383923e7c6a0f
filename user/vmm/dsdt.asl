// SPDX-License-Identifier: GPL-2.0-or-later
// What the guest cannot find out by itself: the PCI host bridge, COM1, and
// how to switch the machine off.
#include "dsdt_layout.h"

DefinitionBlock ("", "DSDT", 2, "VPMEM", "VPMEMVMM", 1)
{
	Name (\_S5, Package () { DSDT_S5, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_UID, 0)
			Name (_CBA, DSDT_ECAM)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed,
					MaxFixed, PosDecode, 0, 0, 0, 0, 1)
				WordIO (ResourceProducer, MinFixed, MaxFixed,
					PosDecode, EntireRange, 0,
					DSDT_PCI_PIO, DSDT_PCI_PIO_LAST, 0,
					DSDT_PCI_PIO_SIZE)
				DWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, NonCacheable,
					ReadWrite, 0, DSDT_PCI_MMIO,
					DSDT_PCI_MMIO_LAST, 0,
					DSDT_PCI_MMIO_SIZE)
			})
		}

		// Reserves the configuration space; without it the guest
		// does not trust the MCFG table.
		Device (ECAM)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, DSDT_ECAM,
					DSDT_ECAM_SIZE)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, DSDT_COM1_PORT, DSDT_COM1_PORT,
					1, DSDT_COM1_PORTS)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { DSDT_COM1_GSI }
			})
		}
	}
}
