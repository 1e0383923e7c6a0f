/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual machine: everything hangs off struct vm, so that one process can
 * hold two of them. Its parts are created in the order of the members and
 * destroyed in reverse; main.c is the ladder.
 */
#ifndef VM_H
#define VM_H

#include "bus.h"
#include "irq.h"
#include "kvm.h"
#include "loop.h"
#include "mem.h"

struct config;
struct pause;
struct pci;
struct reboot;
struct serial;
struct vcpus;
struct virtio_pmem;

/**
 * struct vm - A virtual machine.
 * @config: what the user asked for; outlives the VM
 * @loop: main thread's events
 * @kvm: KVM descriptors
 * @mem: guest-physical memory
 * @pio: ports
 * @mmio: memory-mapped registers
 * @irq: interrupt routing
 * @serial: COM1
 * @pci: PCI bus 0
 * @pmem: pmem devices, config->nr_pmem of them
 * @vcpus: vCPUs and their threads
 * @pause: stops all that for a while
 * @reset: the guest has reset itself; called on vCPU threads
 * @reboot: what a reset goes back to, or NULL: it ends the VM
 */
struct vm {
	const struct config *config;
	struct loop loop;
	struct kvm kvm;
	struct mem mem;
	struct bus pio;
	struct bus mmio;
	struct irq irq;
	struct serial *serial;
	struct pci *pci;
	struct virtio_pmem **pmem;
	struct vcpus *vcpus;
	struct pause *pause;
	void (*reset)(struct vm *vm);
	struct reboot *reboot;
};

#endif /* VM_H */
