// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile guest: an input is a program of accesses to configuration space,
 * registers, ports, MSI-X tables, rings and the ends of two pmem devices, which
 * threads of the user back end serve meanwhile. KVM is played, by
 * selftests/unit/fake_kvm.c. Whatever the guest does, no error is logged, and
 * when the devices go nothing of them is left.
 */
#include "fake_kvm.h"
#include "fake_log.h"
#include "layout.h"
#include "machine.h"
#include "pmem_backend.h"
#include "util.h"
#include "virtio_pmem.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICES		2
#define FIRST_DEVFN	8u
#define OPS_MAX		200
#define IDLE_US		20
#define IDLE_TRIES	20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an operation is told, from the input. */
struct op {
	uint8_t what;
	uint8_t device;		/* bit 0: which, others: an odd one */
	uint8_t len;
	uint8_t spare;
	uint32_t offset;
	uint64_t value;
} __attribute__((packed));

static struct machine machine;
static struct driver drivers[DEVICES];
/* One ends where its region does, the other has a tail. */
static const off_t sizes[DEVICES] = { 2 * MIB, MIB + 4096 };
static char paths[DEVICES][32];

static struct driver *driver_of(const struct op *op)
{
	return &drivers[op->device % DEVICES];
}

static uint32_t len_of(const struct op *op)
{
	return 1u << op->len % 4;
}

static uint64_t bar_of(const struct op *op, unsigned int bar)
{
	return config_read(&machine, driver_of(op)->devfn,
			   PCI_BASE_ADDRESS_0 + 4 * bar, 4) & ~3u;
}

static unsigned int devfn_of(const struct op *op)
{
	return op->device < 128 ? driver_of(op)->devfn : op->device;
}

static void do_config_write(const struct op *op)
{
	config_write(&machine, devfn_of(op), op->offset % 4096, op->value,
		     1u << op->len % 3);
}

static void do_config_read(const struct op *op)
{
	config_read(&machine, devfn_of(op), op->offset % 4096, 1u << op->len % 3);
}

/* Registers at an offset in the memory BAR, wherever that is by now. */
static void do_register_write(const struct op *op)
{
	machine_write(&machine, bar_of(op, 0) + op->offset % 0x8000, op->value,
		      len_of(op));
}

static void do_register_read(const struct op *op)
{
	machine_read(&machine, bar_of(op, 0) + op->offset % 0x8000, len_of(op));
}

/* The common structure and the MSI-X table, without having to be found. */
static void do_common_write(const struct op *op)
{
	driver_set(driver_of(op), op->offset % 64, op->value, len_of(op));
}

static void do_table_write(const struct op *op)
{
	machine_write(&machine, driver_of(op)->msix_table +
		      (op->offset % 256 & ~3u), op->value, 4);
}

static void do_port_write(const struct op *op)
{
	uint64_t port = op->spare & 1 ? op->offset % 0x10000 :
			driver_of(op)->port + op->offset % 16;

	machine_out(&machine, port, op->value, 1u << op->len % 3);
}

static void do_port_read(const struct op *op)
{
	uint64_t val;

	bus_read(&machine.vm.pio, driver_of(op)->port + op->offset % 16, &val,
		 1u << op->len % 3);
}

static void do_anywhere(const struct op *op)
{
	uint64_t gpa = LAYOUT_PCI_MMIO + op->offset;

	if (op->spare & 1)
		machine_write(&machine, gpa, op->value, len_of(op));
	else
		machine_read(&machine, gpa, len_of(op));
}

/* Rings, requests, and what else is in RAM. */
static void do_ram_write(const struct op *op)
{
	machine_write(&machine, op->offset % (MACHINE_RAM - 8), op->value,
		      len_of(op));
}

/* The region of a device, its last page and what is behind it included. */
static void do_pmem_write(const struct op *op)
{
	uint64_t start = machine_read(&machine, driver_of(op)->device, 8);

	machine_write(&machine, start + op->offset % (2 * MIB + 4096), op->value,
		      len_of(op));
}

static void do_start(const struct op *op)
{
	driver_start(driver_of(op));
}

static void do_flush(const struct op *op)
{
	driver_post(driver_of(op), op->value % 4 ? 0 : op->offset);
	driver_kick(driver_of(op));
}

static void do_reset(const struct op *op)
{
	driver_set_status(driver_of(op), 0);
}

/* Lets the thread come to what waits for it. */
static void do_wait(const struct op *op)
{
	struct driver *d = driver_of(op);

	for (int i = 0; i < IDLE_TRIES && driver_used(d) != d->avail; i++)
		usleep(IDLE_US);
}

static void (*const ops[])(const struct op *op) = {
	do_config_write, do_config_read, do_register_write, do_register_read,
	do_common_write, do_table_write, do_port_write, do_port_read,
	do_anywhere, do_ram_write, do_pmem_write, do_start, do_flush, do_reset,
	do_wait,
};

static void make_files(void)
{
	for (int i = 0; i < DEVICES; i++) {
		int fd = memfd_create("pmem", MFD_CLOEXEC);

		if (fd < 0 || ftruncate(fd, sizes[i]))
			abort();
		snprintf(paths[i], sizeof(paths[i]), "/proc/self/fd/%d", fd);
	}
}

static void create(void)
{
	static const char *const ids[DEVICES] = { "pmem0", "pmem1" };

	if (machine_create(&machine))
		abort();
	machine.config.nr_pmem = DEVICES;
	for (int i = 0; i < DEVICES; i++)
		machine.config.pmem[i] = (struct config_pmem) {
			.path = paths[i],
			.id = (char *)ids[i],
			.flush = CONFIG_FLUSH_USER,
		};
	if (virtio_pmem_create(&machine.vm))
		abort();
	for (int i = 0; i < DEVICES; i++) {
		if (!driver_probe(&drivers[i], &machine, FIRST_DEVFN + i))
			abort();
		drivers[i].base = i * 0x20000;
	}
}

static void destroy(void)
{
	virtio_pmem_destroy_all(&machine.vm);
	if (fake_kvm_ioeventfds() || fake_kvm_irqfds())
		abort();
	machine_destroy(&machine);
}

/* The module is not there. */
int pmem_kernel_create(const struct pmem_host *host,
		       struct pmem_backend **backend, char *why, size_t why_len)
{
	return -ENOENT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct op op;

	if (!*paths[0])
		make_files();
	create();
	for (int i = 0; i < OPS_MAX && size >= sizeof(op); i++) {
		memcpy(&op, data, sizeof(op));
		data += sizeof(op);
		size -= sizeof(op);
		ops[op.what % ARRAY_SIZE(ops)](&op);
	}
	destroy();
	if (fuzz_log_take())
		abort();
	return 0;
}
