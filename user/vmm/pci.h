/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0: configuration space behind ECAM, base address registers and
 * capabilities; knows no virtio.
 */
#ifndef PCI_H
#define PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pci_dev;
struct vm;

#define PCI_CONFIG_SIZE		4096u
#define PCI_BARS		2u

/**
 * struct pci_ops - What a function of the bus does.
 * @bar_map: @dev's BAR now decodes at @addr; 0 or -errno
 * @bar_unmap: undo @bar_map
 * @config_written: @len bytes at @offset of the configuration space, in the
 *	part behind the standard header, have been written
 * @config_read: bring @len bytes at @offset up to date before they are read;
 *	only called after pci_trap_reads()
 *
 * All with @dev->lock held. Any but the first two may be NULL.
 */
struct pci_ops {
	int (*bar_map)(struct pci_dev *dev, unsigned int bar, uint64_t addr);
	void (*bar_unmap)(struct pci_dev *dev, unsigned int bar, uint64_t addr);
	void (*config_written)(struct pci_dev *dev, uint32_t offset,
			       uint32_t len);
	void (*config_read)(struct pci_dev *dev, uint32_t offset, uint32_t len);
};

/**
 * struct pci_bar - A base address register.
 * @size: bytes, a power of two; 0 if there is none
 * @is_io: ports, not memory
 * @is_mapped: decoding at @addr
 * @addr: where it decodes
 */
struct pci_bar {
	uint32_t size;
	bool is_io;
	bool is_mapped;
	uint64_t addr;
};

/**
 * struct pci_dev - A function; embedded in its device.
 * @vm: machine
 * @ops: behaviour
 * @lock: guards all that the guest can change in the function and the device
 *	behind it; one for each function, so that devices do not meet
 * @config: configuration space, which the guest reads without an exit
 * @writable: bits of the first 256 bytes that the guest may write
 * @devfn: slot and function
 * @bars: base address registers
 * @last_cap: where the last capability starts
 * @cap_end: where the next capability goes
 */
struct pci_dev {
	struct vm *vm;
	const struct pci_ops *ops;
	pthread_mutex_t lock;
	uint8_t *config;
	uint8_t writable[256];
	uint8_t devfn;
	struct pci_bar bars[PCI_BARS];
	uint8_t last_cap;
	uint8_t cap_end;
};

/**
 * struct pci_id - What a function says it is.
 * @class_code: base class, subclass, programming interface
 */
struct pci_id {
	uint16_t vendor;
	uint16_t device;
	uint8_t revision;
	uint32_t class_code;
	uint16_t subsystem_vendor;
	uint16_t subsystem;
};

/**
 * pci_create() - Make the bus with its host bridge and map ECAM.
 * Return: 0, or -errno after one line of error.
 */
int pci_create(struct vm *vm);

/** pci_destroy() - Release the bus; its devices are gone. */
void pci_destroy(struct vm *vm);

/**
 * pci_dev_init() - Put a function into the next free place of the bus.
 * @dev: its bars' size and is_io are set, the rest is initialised here
 *
 * BARs get addresses; decoding is left to the guest to enable.
 *
 * Return: 0; -ENOSPC if the bus or its address space is full.
 */
int pci_dev_init(struct pci_dev *dev, struct vm *vm, const struct pci_ops *ops,
		 const struct pci_id *id);

/** pci_dev_exit() - Unmap the BARs and take the function from the bus. */
void pci_dev_exit(struct pci_dev *dev);

/**
 * pci_add_cap() - Append a capability.
 * @cap: its bytes; id first, the next pointer is filled in here
 * @len: how many
 *
 * Return: its offset in the configuration space.
 */
uint8_t pci_add_cap(struct pci_dev *dev, const void *cap, uint8_t len);

/**
 * pci_trap_reads() - From now on configuration reads exit, on the whole bus.
 *
 * For the one register whose reading is an action (PCI-10).
 */
void pci_trap_reads(struct pci_dev *dev);

#define PCI_STATE_BYTES		256u

/** struct pci_state - The part of configuration space that can change. */
struct pci_state {
	uint8_t config[PCI_STATE_BYTES];
};

/** pci_save() - Read the state. Context: @dev->lock held. */
void pci_save(const struct pci_dev *dev, struct pci_state *state);

/**
 * pci_is_same() - Whether @state is of such a function as @dev is.
 *
 * What the guest cannot write must not differ.
 */
bool pci_is_same(const struct pci_dev *dev, const struct pci_state *state);

/**
 * pci_load() - Write it, and map the BARs where it says.
 *
 * pci_ops.config_written is not called. Context: @dev->lock held.
 */
void pci_load(struct pci_dev *dev, const struct pci_state *state);

/** pci_is_trapping() - Whether pci_trap_reads() was called. No vCPU runs. */
bool pci_is_trapping(const struct vm *vm);

/**
 * pci_set_trapping() - Undo or repeat pci_trap_reads(). No vCPU runs.
 * Return: 0 or -errno.
 */
int pci_set_trapping(struct vm *vm, bool is_trapping);

/** pci_bridge() - The host bridge, whose state is the bus's. */
struct pci_dev *pci_bridge(struct vm *vm);

#endif /* PCI_H */
