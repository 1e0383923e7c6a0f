// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine without vCPUs, and a minimal virtio-pmem driver for it. */
#include "machine.h"

#include "fake_kvm.h"
#include "layout.h"
#include "pci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int machine_create(struct machine *m)
{
	int err;

	fake_kvm_reset();
	memset(m, 0, sizeof(*m));
	m->ram = aligned_alloc(GUEST_PAGE_SIZE, MACHINE_RAM);
	if (!m->ram)
		return -ENOMEM;
	memset(m->ram, 0, MACHINE_RAM);
	m->vm.config = &m->config;
	m->vm.mem.pmem_next = LAYOUT_RAM_HIGH;
	bus_init(&m->vm.pio);
	bus_init(&m->vm.mmio);
	err = loop_init(&m->vm.loop);
	if (!err)
		err = irq_init(&m->vm.irq, NULL);
	if (!err)
		err = mem_add(&m->vm.mem, 0, MACHINE_RAM, m->ram, MEM_RAM);
	return err ? err : pci_create(&m->vm);
}

void machine_destroy(struct machine *m)
{
	pci_destroy(&m->vm);
	irq_exit(&m->vm.irq);
	loop_exit(&m->vm.loop);
	bus_exit(&m->vm.mmio);
	bus_exit(&m->vm.pio);
	free(m->ram);
}

static uint8_t *guest_memory(struct machine *m, uint64_t gpa, uint32_t len,
			     bool is_write)
{
	size_t i;

	for (i = 0; i < m->vm.mem.nr_regions; i++) {
		const struct mem_region *region = &m->vm.mem.regions[i];
		bool is_ro = region->kind == MEM_REGISTERS ||
			     region->kind == MEM_PMEM_RO;

		if (gpa - region->gpa < region->size &&
		    len <= region->size - (gpa - region->gpa))
			return is_write && is_ro ? NULL :
			       (uint8_t *)region->hva + (gpa - region->gpa);
	}
	return NULL;
}

uint64_t machine_read(struct machine *m, uint64_t gpa, uint32_t len)
{
	uint8_t *hva = guest_memory(m, gpa, len, false);
	uint64_t val = 0;

	if (hva) {
		memcpy(&val, hva, len);
		return val;
	}
	m->nr_exits++;
	bus_read(&m->vm.mmio, gpa, &val, len);
	return val;
}

void machine_write(struct machine *m, uint64_t gpa, uint64_t val, uint32_t len)
{
	uint8_t *hva = guest_memory(m, gpa, len, true);

	if (hva) {
		memcpy(hva, &val, len);
		return;
	}
	if (fake_kvm_kick(false, gpa, len))
		return;
	m->nr_exits++;
	bus_write(&m->vm.mmio, gpa, &val, len);
}

void machine_out(struct machine *m, uint64_t port, uint64_t val, uint32_t len)
{
	if (fake_kvm_kick(true, port, len))
		return;
	m->nr_exits++;
	bus_write(&m->vm.pio, port, &val, len);
}

static uint64_t config_gpa(unsigned int devfn, uint32_t reg)
{
	return LAYOUT_ECAM + devfn * PCI_CONFIG_SIZE + reg;
}

uint32_t config_read(struct machine *m, unsigned int devfn, uint32_t reg,
		     uint32_t len)
{
	return machine_read(m, config_gpa(devfn, reg), len);
}

void config_write(struct machine *m, unsigned int devfn, uint32_t reg,
		  uint32_t val, uint32_t len)
{
	machine_write(m, config_gpa(devfn, reg), val, len);
}

uint8_t config_find_cap(struct machine *m, unsigned int devfn, uint8_t id,
			uint8_t from)
{
	uint8_t at = config_read(m, devfn, from ? from + PCI_CAP_LIST_NEXT :
				 PCI_CAPABILITY_LIST, 1);

	while (at && config_read(m, devfn, at, 1) != id)
		at = config_read(m, devfn, at + PCI_CAP_LIST_NEXT, 1);
	return at;
}

static uint64_t driver_bar(struct driver *d, unsigned int bar)
{
	return config_read(d->m, d->devfn, PCI_BASE_ADDRESS_0 + 4 * bar, 4) &
	       ~15u;
}

static void driver_note_cap(struct driver *d, uint8_t cap)
{
	uint8_t bar = config_read(d->m, d->devfn, cap + VIRTIO_PCI_CAP_BAR, 1);
	uint64_t addr = config_read(d->m, d->devfn,
				    cap + VIRTIO_PCI_CAP_OFFSET, 4) +
			driver_bar(d, bar);

	switch (config_read(d->m, d->devfn, cap + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		d->common = addr;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		if (config_read(d->m, d->devfn, PCI_BASE_ADDRESS_0 + 4 * bar, 1) & 1)
			d->port = addr;
		else
			d->notify = addr;
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		d->isr = addr;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		d->device = addr;
		break;
	case VIRTIO_PCI_CAP_PCI_CFG:
		d->window_cap = cap;
		break;
	}
}

bool driver_probe(struct driver *d, struct machine *m, unsigned int devfn)
{
	uint8_t cap = 0;

	*d = (struct driver) { .m = m, .devfn = devfn };
	while ((cap = config_find_cap(m, devfn, PCI_CAP_ID_VNDR, cap)))
		driver_note_cap(d, cap);
	d->msix_cap = config_find_cap(m, devfn, PCI_CAP_ID_MSIX, 0);
	if (!d->msix_cap)
		return false;
	d->msix_table = driver_bar(d, 0) +
			(config_read(m, devfn, d->msix_cap + PCI_MSIX_TABLE, 4) & ~7u);
	d->msix_pba = driver_bar(d, 0) +
		      (config_read(m, devfn, d->msix_cap + PCI_MSIX_PBA, 4) & ~7u);
	config_write(m, devfn, PCI_COMMAND, PCI_COMMAND_IO |
		     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	return d->common && d->port && d->notify && d->isr && d->device &&
	       d->window_cap;
}

uint64_t driver_get(struct driver *d, uint32_t offset, uint32_t len)
{
	return machine_read(d->m, d->common + offset, len);
}

void driver_set(struct driver *d, uint32_t offset, uint64_t val, uint32_t len)
{
	machine_write(d->m, d->common + offset, val, len);
}

uint8_t driver_status(struct driver *d)
{
	return driver_get(d, VIRTIO_PCI_COMMON_STATUS, 1);
}

void driver_set_status(struct driver *d, uint8_t status)
{
	driver_set(d, VIRTIO_PCI_COMMON_STATUS, status, 1);
}

void driver_set_vector(struct driver *d, unsigned int vector, bool is_masked)
{
	uint64_t entry = d->msix_table + vector * PCI_MSIX_ENTRY_SIZE;

	machine_write(d->m, entry + PCI_MSIX_ENTRY_LOWER_ADDR,
		      MACHINE_MSI_ADDR, 4);
	machine_write(d->m, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0, 4);
	machine_write(d->m, entry + PCI_MSIX_ENTRY_DATA, 0x40 + vector, 4);
	machine_write(d->m, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, is_masked, 4);
}

void driver_enable_msix(struct driver *d, bool is_masked)
{
	config_write(d->m, d->devfn, d->msix_cap + PCI_MSIX_FLAGS,
		     PCI_MSIX_FLAGS_ENABLE |
		     (is_masked ? PCI_MSIX_FLAGS_MASKALL : 0), 2);
}

unsigned int driver_take_irqs(unsigned int vector)
{
	return fake_irq_take(MACHINE_MSI_ADDR, 0x40 + vector);
}

void driver_setup_queue(struct driver *d)
{
	driver_set(d, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	driver_set(d, VIRTIO_PCI_COMMON_Q_SIZE, DRIVER_RING, 2);
	driver_set(d, VIRTIO_PCI_COMMON_Q_DESCLO, d->base + DRIVER_DESC, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_DESCHI, 0, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_AVAILLO, d->base + DRIVER_AVAIL, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_AVAILHI, 0, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_USEDLO, d->base + DRIVER_USED, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_USEDHI, 0, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

bool driver_negotiate(struct driver *d)
{
	memset(d->m->ram + d->base + DRIVER_DESC, 0, 0x3000);
	d->avail = 0;
	driver_set_status(d, 0);
	driver_set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE |
			  VIRTIO_CONFIG_S_DRIVER);
	driver_set(d, VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	driver_set(d, VIRTIO_PCI_COMMON_GF, 1u << (VIRTIO_F_VERSION_1 - 32), 4);
	driver_set_status(d, driver_status(d) | VIRTIO_CONFIG_S_FEATURES_OK);
	return driver_status(d) & VIRTIO_CONFIG_S_FEATURES_OK;
}

bool driver_start(struct driver *d)
{
	if (!driver_negotiate(d))
		return false;
	driver_set_vector(d, 0, false);
	driver_set_vector(d, 1, false);
	driver_enable_msix(d, false);
	driver_set(d, VIRTIO_PCI_COMMON_MSIX, 0, 2);
	driver_set(d, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	driver_set(d, VIRTIO_PCI_COMMON_Q_MSIX, 1, 2);
	driver_setup_queue(d);
	driver_set_status(d, driver_status(d) | VIRTIO_CONFIG_S_DRIVER_OK);
	return driver_status(d) == (VIRTIO_CONFIG_S_ACKNOWLEDGE |
				    VIRTIO_CONFIG_S_DRIVER |
				    VIRTIO_CONFIG_S_FEATURES_OK |
				    VIRTIO_CONFIG_S_DRIVER_OK);
}

static void *driver_ram(struct driver *d, uint64_t offset)
{
	return d->m->ram + d->base + offset;
}

void driver_post(struct driver *d, uint32_t type)
{
	struct vring_desc *desc = driver_ram(d, DRIVER_DESC);
	struct vring_avail *avail = driver_ram(d, DRIVER_AVAIL);
	uint16_t slot = d->avail % (DRIVER_RING / 2);
	uint16_t head = 2 * slot;

	memcpy(driver_ram(d, DRIVER_REQ + 4 * slot), &type, sizeof(type));
	memset(driver_ram(d, DRIVER_STATUS + 4 * slot), 0xa5, 4);
	desc[head] = (struct vring_desc) {
		.addr = d->base + DRIVER_REQ + 4 * slot,
		.len = 4,
		.flags = VRING_DESC_F_NEXT,
		.next = head + 1,
	};
	desc[head + 1] = (struct vring_desc) {
		.addr = d->base + DRIVER_STATUS + 4 * slot,
		.len = 4,
		.flags = VRING_DESC_F_WRITE,
	};
	avail->ring[d->avail % DRIVER_RING] = head;
	__atomic_store_n(&avail->idx, ++d->avail, __ATOMIC_RELEASE);
}

void driver_kick(struct driver *d)
{
	machine_out(d->m, d->port, 0, 2);
}

uint16_t driver_used(struct driver *d)
{
	struct vring_used *used = driver_ram(d, DRIVER_USED);

	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

bool driver_wait(struct driver *d, uint16_t used)
{
	unsigned int i;

	for (i = 0; i < 5000 && driver_used(d) != used; i++)
		usleep(1000);
	return driver_used(d) == used;
}

uint32_t driver_answer(struct driver *d, uint16_t index)
{
	uint32_t status;

	memcpy(&status, driver_ram(d, DRIVER_STATUS +
				   4 * (index % (DRIVER_RING / 2))), 4);
	return status;
}

void hear_begin(struct hearing *hearing)
{
	hearing->file = tmpfile();
	hearing->saved = dup(STDERR_FILENO);
	dup2(fileno(hearing->file), STDERR_FILENO);
}

void hear_end(struct hearing *hearing, char *text, size_t room)
{
	size_t len;

	dup2(hearing->saved, STDERR_FILENO);
	close(hearing->saved);
	rewind(hearing->file);
	len = fread(text, 1, room - 1, hearing->file);
	text[len] = '\0';
	fclose(hearing->file);
}
