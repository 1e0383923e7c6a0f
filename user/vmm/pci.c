// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PCI bus 0. The guest reads configuration space from memory: each function has
 * a page of ECAM, all absent ones share one. Only writes come here.
 */
#include "pci.h"

#include "layout.h"
#include "log.h"
#include "util.h"
#include "vm.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>

#define PCI_FUNCTIONS	(LAYOUT_PCI_SLOTS * LAYOUT_PCI_FUNCTIONS)
#define PCI_DEVFN_FIRST	LAYOUT_PCI_FUNCTIONS	/* slot 0 is the bridge's */

static_assert(PCI_FUNCTIONS * PCI_CONFIG_SIZE == LAYOUT_ECAM_SIZE,
	      "ECAM does not fit the bus");

/**
 * struct pci - Bus 0.
 * @vm: machine
 * @map_lock: serialises changes of where things are mapped; taken inside the
 *	functions' own locks
 * @ecam: configuration space of all functions, as the guest sees it
 * @absent_fd: memfd with the page of an absent function
 * @is_trapping: reads exit too
 * @devs: functions by slot and function number; constant while vCPUs run
 * @next_devfn: where the next one goes
 * @next_mmio: where its memory BAR goes
 * @next_pio: where its I/O BAR goes
 * @bridge: host bridge
 */
struct pci {
	struct vm *vm;
	pthread_mutex_t map_lock;
	uint8_t *ecam;
	int absent_fd;
	bool is_trapping;
	struct pci_dev *devs[PCI_FUNCTIONS];
	unsigned int next_devfn;
	uint64_t next_mmio;
	uint64_t next_pio;
	struct pci_dev bridge;
};

static void pci_put16(struct pci_dev *dev, uint8_t offset, uint16_t val)
{
	memcpy(dev->config + offset, &val, sizeof(val));
}

static void pci_put32(struct pci_dev *dev, uint8_t offset, uint32_t val)
{
	memcpy(dev->config + offset, &val, sizeof(val));
}

static uint16_t pci_get16(const struct pci_dev *dev, uint8_t offset)
{
	uint16_t val;

	memcpy(&val, dev->config + offset, sizeof(val));
	return val;
}

static uint32_t pci_get32(const struct pci_dev *dev, uint8_t offset)
{
	uint32_t val;

	memcpy(&val, dev->config + offset, sizeof(val));
	return val;
}

static uint8_t pci_bar_offset(unsigned int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

static uint64_t pci_bar_wanted(const struct pci_dev *dev, unsigned int bar)
{
	return pci_get32(dev, pci_bar_offset(bar)) &
	       ~(uint64_t)(dev->bars[bar].size - 1);
}

/* Does the guest want the BAR to decode, at a place where one can be? */
static bool pci_bar_is_wanted(const struct pci_dev *dev, unsigned int bar)
{
	const struct pci_bar *b = &dev->bars[bar];
	uint16_t enable = b->is_io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	uint64_t start = b->is_io ? LAYOUT_PCI_PIO : LAYOUT_PCI_MMIO;
	uint64_t size = b->is_io ? LAYOUT_PCI_PIO_SIZE : LAYOUT_PCI_MMIO_SIZE;
	uint64_t addr = pci_bar_wanted(dev, bar);

	return b->size && (pci_get16(dev, PCI_COMMAND) & enable) &&
	       addr >= start && addr - start <= size - b->size;
}

static void pci_unmap_bar(struct pci_dev *dev, unsigned int bar)
{
	struct pci_bar *b = &dev->bars[bar];
	struct pci *pci = dev->vm->pci;

	pthread_mutex_lock(&pci->map_lock);
	dev->ops->bar_unmap(dev, bar, b->addr);
	pthread_mutex_unlock(&pci->map_lock);
	b->is_mapped = false;
}

static void pci_map_bar(struct pci_dev *dev, unsigned int bar)
{
	struct pci_bar *b = &dev->bars[bar];
	struct pci *pci = dev->vm->pci;
	int err;

	b->addr = pci_bar_wanted(dev, bar);
	pthread_mutex_lock(&pci->map_lock);
	err = dev->ops->bar_map(dev, bar, b->addr);
	pthread_mutex_unlock(&pci->map_lock);
	b->is_mapped = !err;
	if (err)
		log_guest("PCI function %02x.%x: cannot map BAR %u at 0x%llx: %s",
			  dev->devfn / LAYOUT_PCI_FUNCTIONS,
			  dev->devfn % LAYOUT_PCI_FUNCTIONS, bar,
			  (unsigned long long)b->addr, strerror(-err));
}

/* Unmaps before it maps, so that two BARs may change places. */
static void pci_update_bars(struct pci_dev *dev)
{
	unsigned int bar;

	for (bar = 0; bar < PCI_BARS; bar++) {
		if (dev->bars[bar].is_mapped &&
		    (!pci_bar_is_wanted(dev, bar) ||
		     dev->bars[bar].addr != pci_bar_wanted(dev, bar)))
			pci_unmap_bar(dev, bar);
	}
	for (bar = 0; bar < PCI_BARS; bar++) {
		if (!dev->bars[bar].is_mapped && pci_bar_is_wanted(dev, bar))
			pci_map_bar(dev, bar);
	}
}

static int pci_place_bar(struct pci_dev *dev, unsigned int bar)
{
	struct pci_bar *b = &dev->bars[bar];
	struct pci *pci = dev->vm->pci;
	uint64_t *next = b->is_io ? &pci->next_pio : &pci->next_mmio;
	uint64_t end = b->is_io ? LAYOUT_PCI_PIO + LAYOUT_PCI_PIO_SIZE :
				  LAYOUT_PCI_MMIO + LAYOUT_PCI_MMIO_SIZE;
	uint64_t addr = ALIGN_UP(*next, (uint64_t)b->size);
	uint32_t writable = ~(b->size - 1);

	if (!b->size)
		return 0;
	if (addr + b->size > end)
		return -ENOSPC;
	*next = addr + b->size;
	pci_put32(dev, pci_bar_offset(bar), addr | (b->is_io ?
		  PCI_BASE_ADDRESS_SPACE_IO : PCI_BASE_ADDRESS_SPACE_MEMORY));
	memcpy(dev->writable + pci_bar_offset(bar), &writable, 4);
	return 0;
}

static bool ranges_meet(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Merges a write into the word @at, which other vCPUs may be reading. */
static void pci_write_word(struct pci_dev *dev, uint32_t at, uint32_t offset,
			   const uint8_t *data, uint32_t len)
{
	uint8_t bytes[4];
	uint32_t i, word;

	memcpy(bytes, dev->config + at, sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++) {
		uint8_t mask = dev->writable[at + i];

		if (at + i >= offset && at + i < offset + len)
			bytes[i] = (bytes[i] & ~mask) |
				   (data[at + i - offset] & mask);
	}
	memcpy(&word, bytes, sizeof(word));
	__atomic_store_n((uint32_t *)(dev->config + at), word, __ATOMIC_RELAXED);
}

static void pci_config_write(struct pci_dev *dev, uint32_t offset,
			     const uint8_t *data, uint32_t len)
{
	uint32_t at = ALIGN_DOWN(offset, 4u);

	for (; at < offset + len && at < sizeof(dev->writable); at += 4)
		pci_write_word(dev, at, offset, data, len);
	if (ranges_meet(offset, len, PCI_COMMAND, 2) ||
	    ranges_meet(offset, len, PCI_BASE_ADDRESS_0, 4 * PCI_BARS))
		pci_update_bars(dev);
	if (offset >= PCI_STD_HEADER_SIZEOF && dev->ops->config_written)
		dev->ops->config_written(dev, offset, len);
}

/* The function that an access to ECAM is for, or NULL if there is none. */
static struct pci_dev *pci_target(struct pci *pci, uint64_t offset,
				  uint32_t len)
{
	if (offset / PCI_CONFIG_SIZE >= PCI_FUNCTIONS ||
	    offset % PCI_CONFIG_SIZE + len > PCI_CONFIG_SIZE)
		return NULL;
	return pci->devs[offset / PCI_CONFIG_SIZE];
}

static void pci_ecam_write(void *opaque, uint64_t offset, const void *data,
			   uint32_t len)
{
	struct pci_dev *dev = pci_target(opaque, offset, len);

	if (!dev)
		return;
	pthread_mutex_lock(&dev->lock);
	pci_config_write(dev, offset % PCI_CONFIG_SIZE, data, len);
	pthread_mutex_unlock(&dev->lock);
}

/* Only while ECAM is not mapped for reading, see pci_trap_reads(). */
static void pci_ecam_read(void *opaque, uint64_t offset, void *data,
			  uint32_t len)
{
	struct pci_dev *dev = pci_target(opaque, offset, len);
	uint32_t reg = offset % PCI_CONFIG_SIZE;

	if (!dev) {
		memset(data, 0xff, len);
		return;
	}
	pthread_mutex_lock(&dev->lock);
	if (dev->ops->config_read)
		dev->ops->config_read(dev, reg, len);
	memcpy(data, dev->config + reg, len);
	pthread_mutex_unlock(&dev->lock);
}

static const struct bus_ops pci_ecam_ops = {
	.read = pci_ecam_read,
	.write = pci_ecam_write,
};

void pci_trap_reads(struct pci_dev *dev)
{
	struct pci *pci = dev->vm->pci;

	pthread_mutex_lock(&pci->map_lock);
	if (!pci->is_trapping)
		mem_del(&dev->vm->mem, LAYOUT_ECAM);
	pci->is_trapping = true;
	pthread_mutex_unlock(&pci->map_lock);
}

static int pci_map_page(struct pci *pci, unsigned int devfn, int fd)
{
	void *at = pci->ecam + devfn * PCI_CONFIG_SIZE;
	bool is_absent = fd >= 0;
	void *addr = mmap(at, PCI_CONFIG_SIZE,
			  is_absent ? PROT_READ : PROT_READ | PROT_WRITE,
			  MAP_FIXED | (is_absent ? MAP_SHARED :
				       MAP_PRIVATE | MAP_ANONYMOUS), fd, 0);

	return addr == MAP_FAILED ? -errno : 0;
}

static void pci_put_header(struct pci_dev *dev, const struct pci_id *id)
{
	pci_put16(dev, PCI_VENDOR_ID, id->vendor);
	pci_put16(dev, PCI_DEVICE_ID, id->device);
	pci_put32(dev, PCI_CLASS_REVISION,
		  id->class_code << 8 | id->revision);
	pci_put16(dev, PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor);
	pci_put16(dev, PCI_SUBSYSTEM_ID, id->subsystem);
	dev->writable[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
				     PCI_COMMAND_MASTER;
	dev->writable[PCI_COMMAND + 1] = PCI_COMMAND_INTX_DISABLE >> 8;
	dev->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	dev->writable[PCI_INTERRUPT_LINE] = 0xff;
}

static void pci_mark_multifunction(struct pci *pci, unsigned int devfn)
{
	struct pci_dev *first = pci->devs[devfn - devfn % LAYOUT_PCI_FUNCTIONS];

	if (first != pci->devs[devfn])
		first->config[PCI_HEADER_TYPE] |= 0x80;
}

static int pci_place(struct pci_dev *dev, struct vm *vm, unsigned int devfn,
		     const struct pci_ops *ops, const struct pci_id *id)
{
	struct pci *pci = vm->pci;
	unsigned int bar;
	int err = pci_map_page(pci, devfn, -1);

	if (err)
		return err;
	dev->vm = vm;
	dev->ops = ops;
	dev->devfn = devfn;
	dev->config = pci->ecam + devfn * PCI_CONFIG_SIZE;
	dev->last_cap = 0;
	dev->cap_end = PCI_STD_HEADER_SIZEOF;
	memset(dev->writable, 0, sizeof(dev->writable));
	pci_put_header(dev, id);
	for (bar = 0; bar < PCI_BARS && !err; bar++)
		err = pci_place_bar(dev, bar);
	if (err) {
		pci_map_page(pci, devfn, pci->absent_fd);
		return err;
	}
	pthread_mutex_init(&dev->lock, NULL);
	pci->devs[devfn] = dev;
	pci_mark_multifunction(pci, devfn);
	return 0;
}

/*
 * Places are filled function by function, then slot by slot: the order in which
 * a guest looks, so that devices keep the order of the configuration.
 */
int pci_dev_init(struct pci_dev *dev, struct vm *vm, const struct pci_ops *ops,
		 const struct pci_id *id)
{
	struct pci *pci = vm->pci;
	int err;

	if (pci->next_devfn == PCI_FUNCTIONS)
		return -ENOSPC;
	err = pci_place(dev, vm, pci->next_devfn, ops, id);
	if (!err)
		pci->next_devfn++;
	return err;
}

void pci_dev_exit(struct pci_dev *dev)
{
	struct pci *pci = dev->vm->pci;
	unsigned int bar;

	for (bar = 0; bar < PCI_BARS; bar++) {
		if (dev->bars[bar].is_mapped)
			pci_unmap_bar(dev, bar);
	}
	pci->devs[dev->devfn] = NULL;
	pci_map_page(pci, dev->devfn, pci->absent_fd);
	pthread_mutex_destroy(&dev->lock);
}

uint8_t pci_add_cap(struct pci_dev *dev, const void *cap, uint8_t len)
{
	uint8_t at = dev->cap_end;

	memcpy(dev->config + at, cap, len);
	dev->config[at + PCI_CAP_LIST_NEXT] = 0;
	if (dev->last_cap)
		dev->config[dev->last_cap + PCI_CAP_LIST_NEXT] = at;
	else
		dev->config[PCI_CAPABILITY_LIST] = at;
	dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	dev->last_cap = at;
	dev->cap_end = at + ALIGN_UP(len, 4);
	return at;
}

static int pci_create_absent(struct pci *pci)
{
	uint8_t page[PCI_CONFIG_SIZE];
	unsigned int devfn;
	int err = 0;

	memset(page, 0xff, sizeof(page));
	pci->absent_fd = memfd_create("pci-absent", MFD_CLOEXEC);
	if (pci->absent_fd < 0)
		return -errno;
	if (write(pci->absent_fd, page, sizeof(page)) != sizeof(page))
		return -EIO;
	for (devfn = 0; devfn < PCI_FUNCTIONS && !err; devfn++)
		err = pci_map_page(pci, devfn, pci->absent_fd);
	return err;
}

static int pci_create_ecam(struct pci *pci)
{
	void *addr = mmap(NULL, LAYOUT_ECAM_SIZE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (addr == MAP_FAILED)
		return -errno;
	pci->ecam = addr;
	return pci_create_absent(pci);
}

static const struct pci_ops pci_bridge_ops = { .bar_map = NULL };

static int pci_create_bridge(struct pci *pci)
{
	static const struct pci_id id = {
		.vendor = 0x1b36,	/* generic PCI Express host bridge */
		.device = 0x0008,
		.class_code = 0x060000,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
	};

	return pci_place(&pci->bridge, pci->vm, 0, &pci_bridge_ops, &id);
}

static int pci_publish(struct pci *pci)
{
	struct vm *vm = pci->vm;
	int err = bus_add(&vm->mmio, LAYOUT_ECAM, LAYOUT_ECAM_SIZE,
			  &pci_ecam_ops, pci);

	if (err)
		return err;
	err = mem_add(&vm->mem, LAYOUT_ECAM, LAYOUT_ECAM_SIZE, pci->ecam,
		      MEM_REGISTERS);
	if (err)
		bus_del(&vm->mmio, LAYOUT_ECAM);
	return err;
}

static void pci_free(struct vm *vm)
{
	struct pci *pci = vm->pci;

	if (pci->ecam)
		munmap(pci->ecam, LAYOUT_ECAM_SIZE);
	if (pci->absent_fd >= 0)
		close(pci->absent_fd);
	pthread_mutex_destroy(&pci->map_lock);
	free(pci);
	vm->pci = NULL;
}

int pci_create(struct vm *vm)
{
	struct pci *pci = calloc(1, sizeof(*pci));
	int err;

	if (!pci) {
		log_error("PCI bus: out of memory; free some");
		return -ENOMEM;
	}
	vm->pci = pci;
	pci->vm = vm;
	pci->absent_fd = -1;
	pci->next_devfn = PCI_DEVFN_FIRST;
	pci->next_mmio = LAYOUT_PCI_MMIO;
	pci->next_pio = LAYOUT_PCI_PIO;
	pthread_mutex_init(&pci->map_lock, NULL);
	err = pci_create_ecam(pci);
	if (!err)
		err = pci_create_bridge(pci);
	if (!err)
		err = pci_publish(pci);
	if (err) {
		log_error("PCI bus: cannot be made: %s; see the limits (ulimit -a)",
			  strerror(-err));
		pci_free(vm);
	}
	return err;
}

void pci_destroy(struct vm *vm)
{
	struct pci *pci = vm->pci;

	if (!pci)
		return;
	if (!pci->is_trapping)
		mem_del(&vm->mem, LAYOUT_ECAM);
	bus_del(&vm->mmio, LAYOUT_ECAM);
	pci_free(vm);
}

void pci_save(const struct pci_dev *dev, struct pci_state *state)
{
	memcpy(state->config, dev->config, sizeof(state->config));
}

bool pci_is_same(const struct pci_dev *dev, const struct pci_state *state)
{
	uint8_t differ = 0;
	uint32_t i;

	for (i = 0; i < sizeof(state->config); i++)
		differ |= (state->config[i] ^ dev->config[i]) &
			  ~dev->writable[i];
	return !differ;
}

void pci_load(struct pci_dev *dev, const struct pci_state *state)
{
	uint32_t i;

	for (i = 0; i < sizeof(state->config); i++)
		dev->config[i] = (dev->config[i] & ~dev->writable[i]) |
				 (state->config[i] & dev->writable[i]);
	pci_update_bars(dev);
}

bool pci_is_trapping(const struct vm *vm)
{
	return vm->pci->is_trapping;
}

int pci_set_trapping(struct vm *vm, bool is_trapping)
{
	struct pci *pci = vm->pci;
	int err = 0;

	if (is_trapping)
		pci_trap_reads(&pci->bridge);
	else if (pci->is_trapping)
		err = mem_add(&vm->mem, LAYOUT_ECAM, LAYOUT_ECAM_SIZE,
			      pci->ecam, MEM_REGISTERS);
	if (!err)
		pci->is_trapping = is_trapping;
	return err;
}

struct pci_dev *pci_bridge(struct vm *vm)
{
	return &vm->pci->bridge;
}
