// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ACPI tables of a hardware-reduced machine (ACPI 6, chapters 4.1 and 5.2), and
 * its sleep registers. Knows the layout of the machine, no device.
 */
#include "acpi.h"
#include "bus.h"
#include "config.h"
#include "layout.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "util.h"
#include "vm.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PACKED		__attribute__((packed))

#define TABLE_ALIGN	16

/* FADT flags */
#define FADT_PWR_BUTTON		(1u << 4)	/* no fixed power button */
#define FADT_SLP_BUTTON		(1u << 5)	/* no fixed sleep button */
#define FADT_RESET_REG		(1u << 10)
#define FADT_HW_REDUCED		(1u << 20)

/*
 * IA-PC boot flags: no VGA, no ASPM, no CMOS clock. Bit 3 would forbid MSI.
 */
#define BOOT_NO_VGA		(1u << 2)
#define BOOT_NO_ASPM		(1u << 4)
#define BOOT_NO_CMOS		(1u << 5)

#define RESET_VALUE		1
#define SLEEP_ENABLE		(1u << 5)
#define SLEEP_TYPE(value)	(((value) >> 2) & 7)

#define GAS_IO			1
#define GAS_BYTE		1

#define MADT_LAPIC		0
#define MADT_IOAPIC		1
#define MADT_ENABLED		1

/* The DSDT, see dsdt.asl. */
extern const uint8_t dsdt_start[], dsdt_end[];

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} PACKED;

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;

struct gas {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} PACKED;

struct fadt {
	struct header header;
	uint8_t unused_before[109 - sizeof(struct header)];
	uint16_t boot_arch;
	uint8_t reserved;
	uint32_t flags;
	struct gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_revision;
	uint64_t x_firmware_ctrl;
	uint64_t x_dsdt;
	uint8_t unused_between[244 - 148];
	struct gas sleep_control;
	struct gas sleep_status;
	uint64_t hypervisor;
} PACKED;

_Static_assert(offsetof(struct fadt, flags) == 112, "FADT flags");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "FADT X_DSDT");
_Static_assert(sizeof(struct fadt) == 276, "FADT revision 6");

struct madt {
	struct header header;
	uint32_t lapic;
	uint32_t flags;
} PACKED;

struct madt_lapic {
	uint8_t type;
	uint8_t length;
	uint8_t processor;
	uint8_t apic_id;
	uint32_t flags;
} PACKED;

struct madt_ioapic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} PACKED;

struct mcfg {
	struct header header;
	uint64_t reserved;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus;
	uint8_t last_bus;
	uint32_t reserved_too;
} PACKED;

struct xsdt {
	struct header header;
	uint64_t tables[3];
} PACKED;

/**
 * struct builder - Tables while they are laid out in guest RAM.
 * @base: where LAYOUT_ACPI_START is mapped here
 * @used: bytes taken
 */
struct builder {
	uint8_t *base;
	uint64_t used;
};

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	while (len--)
		sum += *bytes++;
	return -sum;
}

static struct header make_header(const char *signature, uint8_t revision)
{
	struct header header = {
		.revision = revision,
		.oem_id = "VPMEM",
		.oem_table_id = "VPMEMVMM",
		.oem_revision = 1,
		.creator_id = "VPMM",
		.creator_revision = 1,
	};

	memcpy(header.signature, signature, sizeof(header.signature));
	return header;
}

/* Copies a table and completes its header; returns its address, 0 if full. */
static uint64_t place(struct builder *builder, const void *table, size_t len)
{
	uint64_t at = ALIGN_UP(builder->used, TABLE_ALIGN);
	struct header *header = (void *)(builder->base + at);

	if (at + len > LAYOUT_ACPI_END - LAYOUT_ACPI_START)
		return 0;
	memcpy(header, table, len);
	header->length = len;
	header->checksum = 0;
	header->checksum = checksum(header, len);
	builder->used = at + len;
	return LAYOUT_ACPI_START + at;
}

static struct gas io_byte(uint32_t reg)
{
	return (struct gas) {
		.space = GAS_IO,
		.bits = 8,
		.access = GAS_BYTE,
		.address = LAYOUT_ACPI_PORT + reg,
	};
}

static uint64_t place_fadt(struct builder *builder, uint64_t dsdt)
{
	const struct fadt fadt = {
		.header = make_header("FACP", 6),
		.boot_arch = BOOT_NO_VGA | BOOT_NO_ASPM | BOOT_NO_CMOS,
		.flags = FADT_PWR_BUTTON | FADT_SLP_BUTTON | FADT_RESET_REG |
			 FADT_HW_REDUCED,
		.reset_reg = io_byte(LAYOUT_ACPI_RESET),
		.reset_value = RESET_VALUE,
		.x_dsdt = dsdt,
		.sleep_control = io_byte(LAYOUT_ACPI_SLEEP),
		.sleep_status = io_byte(LAYOUT_ACPI_STATUS),
	};

	return place(builder, &fadt, sizeof(fadt));
}

static uint64_t place_madt(struct builder *builder, unsigned int cpus)
{
	struct {
		struct madt madt;
		struct madt_ioapic ioapic;
		struct madt_lapic lapic[LAYOUT_CPUS_MAX];
	} PACKED table = {
		.madt.header = make_header("APIC", 5),
		.madt.lapic = LAYOUT_LAPIC,
		.ioapic.type = MADT_IOAPIC,
		.ioapic.length = sizeof(struct madt_ioapic),
		.ioapic.address = LAYOUT_IOAPIC,
	};

	for (unsigned int i = 0; i < cpus; i++)
		table.lapic[i] = (struct madt_lapic) {
			.type = MADT_LAPIC,
			.length = sizeof(struct madt_lapic),
			.processor = i,
			.apic_id = i,
			.flags = MADT_ENABLED,
		};
	return place(builder, &table, sizeof(table.madt) +
		     sizeof(table.ioapic) + cpus * sizeof(table.lapic[0]));
}

static uint64_t place_mcfg(struct builder *builder)
{
	const struct mcfg mcfg = {
		.header = make_header("MCFG", 1),
		.base = LAYOUT_ECAM,
	};

	return place(builder, &mcfg, sizeof(mcfg));
}

static void write_rsdp(struct builder *builder, uint64_t xsdt)
{
	struct rsdp *rsdp = (void *)builder->base;

	*rsdp = (struct rsdp) {
		.signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
		.oem_id = "VPMEM",
		.revision = 2,
		.length = sizeof(*rsdp),
		.xsdt = xsdt,
	};
	rsdp->checksum = checksum(rsdp, offsetof(struct rsdp, length));
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

/* Returns 0 if a table had no room: the last one tells of all. */
static uint64_t place_tables(struct builder *builder, unsigned int cpus)
{
	uint64_t dsdt = place(builder, dsdt_start, dsdt_end - dsdt_start);
	struct xsdt xsdt = {
		.header = make_header("XSDT", 1),
		.tables = {
			place_fadt(builder, dsdt),
			place_madt(builder, cpus),
			place_mcfg(builder),
		},
	};

	return place(builder, &xsdt, sizeof(xsdt));
}

static void sleep_write(void *opaque, uint64_t offset, const void *data,
			uint32_t len)
{
	uint8_t value = *(const uint8_t *)data;
	struct vm *vm = opaque;

	if (offset == LAYOUT_ACPI_RESET && value == RESET_VALUE)
		vm->reset(vm);
	if (offset == LAYOUT_ACPI_SLEEP && (value & SLEEP_ENABLE) &&
	    SLEEP_TYPE(value) == DSDT_S5)
		loop_quit(&vm->loop, 0);
}

static void sleep_read(void *opaque, uint64_t offset, void *data, uint32_t len)
{
	memset(data, 0, len);
}

static const struct bus_ops sleep_ops = {
	.read = sleep_read,
	.write = sleep_write,
};

int acpi_build(struct vm *vm)
{
	struct builder builder = {
		.base = mem_ptr_write(&vm->mem, LAYOUT_ACPI_START,
				      LAYOUT_ACPI_END - LAYOUT_ACPI_START),
		.used = sizeof(struct rsdp),
	};
	uint64_t xsdt = place_tables(&builder, vm->config->cpus);

	if (!xsdt) {
		log_error("cannot place the ACPI tables: %s", strerror(ENOSPC));
		return -ENOSPC;
	}
	write_rsdp(&builder, xsdt);
	return 0;
}

int acpi_create(struct vm *vm)
{
	int err = bus_add(&vm->pio, LAYOUT_ACPI_PORT, LAYOUT_ACPI_PORTS,
			  &sleep_ops, vm);

	if (err)
		log_error("cannot place the ACPI registers: %s", strerror(-err));
	return err;
}
