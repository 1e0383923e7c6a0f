/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio over PCI, modern, with MSI-X: the only transport. */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include "msix.h"
#include "pci.h"
#include "virtio.h"

/*
 * BAR 0. The first two pages are memory to the guest's reads; reads of the others
 * have to be answered. PCI wants the MSI-X structures on pages of their own.
 */
#define VIRTIO_PCI_AT_COMMON		0x0000u
#define VIRTIO_PCI_AT_DEVICE		0x0100u
#define VIRTIO_PCI_AT_MSIX_TABLE	0x1000u
#define VIRTIO_PCI_REGS_SIZE		0x2000u
#define VIRTIO_PCI_AT_MSIX_PBA		0x2000u
#define VIRTIO_PCI_AT_ISR		0x3000u
#define VIRTIO_PCI_AT_NOTIFY		0x3800u
#define VIRTIO_PCI_BAR0_SIZE		0x4000u

/* BAR 1: the notification as a port. */
#define VIRTIO_PCI_BAR1_SIZE	16u

/**
 * struct virtio_pci - Transport of one device; embedded in the device.
 * @pci: function; its lock is the device's lock
 * @vdev: device
 * @msix: interrupts
 * @regs: common and device configuration and MSI-X table, kept as the guest is to
 *	read them
 * @kick_fd: eventfd that the guest's notifications signal
 * @call_fd: eventfd that interrupts the guest for the queue
 * @config_fd: the same for configuration changes
 * @isr: ISR status, but for the queue bit, which @call_fd's count holds
 * @device_select: which half of the offered features shows
 * @driver_select: which half of the driver's features shows
 * @queue_select: which queue shows
 * @msix_cap: where the MSI-X capability is
 * @window_cap: where the PCI_CFG capability is
 * @config_writes: writes to the device configuration, which change nothing
 */
struct virtio_pci {
	struct pci_dev pci;
	struct virtio_dev *vdev;
	struct msix msix;
	uint8_t *regs;
	int kick_fd;
	int call_fd;
	int config_fd;
	uint8_t isr;
	uint32_t device_select;
	uint32_t driver_select;
	uint16_t queue_select;
	uint8_t msix_cap;
	uint8_t window_cap;
	uint64_t config_writes;
};

/**
 * virtio_pci_init() - Put a device on the bus.
 * @vdev: initialised; its transport members are set here
 * @virtio_id: VIRTIO_ID_*
 * @class_code: PCI class
 *
 * Return: 0 or -errno; nothing is left on failure.
 */
int virtio_pci_init(struct virtio_pci *vp, struct vm *vm,
		    struct virtio_dev *vdev, uint16_t virtio_id,
		    uint32_t class_code);

/** virtio_pci_exit() - Undo virtio_pci_init(); no vCPU runs. */
void virtio_pci_exit(struct virtio_pci *vp);

/**
 * virtio_pci_queue_broken() - The queue that was started as @generation broke.
 *
 * Context: any thread, the device's lock not held.
 */
void virtio_pci_queue_broken(struct virtio_pci *vp, uint64_t generation);

/**
 * virtio_pci_queue_stopped() - A stop that was left under way is done.
 *
 * Context: as virtio_pci_queue_broken().
 */
void virtio_pci_queue_stopped(struct virtio_pci *vp);

/**
 * virtio_pci_need_reset() - The queue cannot be served any more (VIO-4).
 *
 * Context: the device's lock held.
 */
void virtio_pci_need_reset(struct virtio_pci *vp);

/**
 * struct virtio_pci_state - What the guest can see and has set up of a device.
 * @pci: configuration space
 * @msix: interrupts
 * @status: device status
 * @config_generation: of the configuration structure
 * @isr: ISR status, see struct virtio_pci
 * @features: that the driver wrote
 * @queue: the queue
 */
struct virtio_pci_state {
	struct pci_state pci;
	struct msix_state msix;
	uint8_t status;
	uint8_t config_generation;
	uint8_t isr;
	uint64_t features;
	struct virtio_queue queue;
	uint32_t device_select;
	uint32_t driver_select;
	uint16_t queue_select;
};

/** virtio_pci_save() - Read the state. Context: the device's lock held. */
void virtio_pci_save(const struct virtio_pci *vp,
		     struct virtio_pci_state *state);

/**
 * virtio_pci_load() - Write it; the queue is not served.
 *
 * Whether it is to be served is in vp->vdev->is_started then. Context: the
 * device's lock held.
 */
void virtio_pci_load(struct virtio_pci *vp,
		     const struct virtio_pci_state *state);

#endif /* VIRTIO_PCI_H */
