/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GSIs, the routing table, MSI routes and irqfds. */
#ifndef IRQ_H
#define IRQ_H

#include <pthread.h>
#include <stdint.h>

struct kvm;

#define IRQ_MSI_MAX		256

/**
 * struct irq_msi - One MSI route.
 * @addr: message address, as the guest wrote it
 * @data: message data
 */
struct irq_msi {
	uint64_t addr;
	uint32_t data;
};

/**
 * struct irq - Interrupt routing of a VM.
 * @kvm: VM; NULL in unit tests: then nothing is sent to KVM
 * @lock: guards @msi and @nr_msi and serialises updates of KVM's whole table
 * @msi: routes of GSI LAYOUT_MSI_GSI_FIRST and following; addr 0: none yet
 * @nr_msi: how many GSIs are allocated
 */
struct irq {
	struct kvm *kvm;
	pthread_mutex_t lock;
	struct irq_msi msi[IRQ_MSI_MAX];
	unsigned int nr_msi;
};

/** irq_init() - Set the IOAPIC's and PIC's routes. 0 or -errno. */
int irq_init(struct irq *irq, struct kvm *kvm);
void irq_exit(struct irq *irq);

/** irq_set_line() - Drive an IOAPIC pin. */
void irq_set_line(struct irq *irq, uint32_t gsi, int level);

/** irq_alloc_msi() - Take a GSI for an MSI-X vector. 0 or -ENOSPC. */
int irq_alloc_msi(struct irq *irq, uint32_t *gsi);

/** irq_route_msi() - Route @gsi to a message; cheap if it is unchanged. */
int irq_route_msi(struct irq *irq, uint32_t gsi, uint64_t addr, uint32_t data);

/** irq_attach_fd() - Let eventfd @fd raise @gsi from now on. 0 or -errno. */
int irq_attach_fd(struct irq *irq, uint32_t gsi, int fd);

/** irq_detach_fd() - Undo irq_attach_fd(). */
void irq_detach_fd(struct irq *irq, uint32_t gsi, int fd);

/** irq_send_msi() - Send a message now (KVM_SIGNAL_MSI). 0 or -errno. */
int irq_send_msi(struct irq *irq, uint64_t addr, uint32_t data);

#endif /* IRQ_H */
