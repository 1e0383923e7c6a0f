// SPDX-License-Identifier: GPL-2.0-or-later
/* GSIs, the routing table, MSI routes and irqfds. */
#include "irq.h"
#include "kvm.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

/* The PICs have eight pins each, as GSIs 0 to 15. */
#define PIC_PINS	8

struct routing {
	struct kvm_irq_routing header;
	struct kvm_irq_routing_entry entries[2 * PIC_PINS + LAYOUT_IOAPIC_PINS +
					     IRQ_MSI_MAX];
};

static void add_pin(struct routing *routing, uint32_t gsi, uint32_t chip,
		    uint32_t pin)
{
	routing->entries[routing->header.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

static void add_msi(struct routing *routing, uint32_t gsi,
		    const struct irq_msi *msi)
{
	routing->entries[routing->header.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = {
			.address_lo = msi->addr,
			.address_hi = msi->addr >> 32,
			.data = msi->data,
		},
	};
}

/* The table is always replaced as a whole, so all of it is written anew. */
static int update_table(struct irq *irq)
{
	struct routing routing = { .header.nr = 0 };
	int err;

	if (!irq->kvm)
		return 0;
	for (uint32_t pin = 0; pin < 2 * PIC_PINS; pin++)
		add_pin(&routing, pin, pin < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER :
			KVM_IRQCHIP_PIC_SLAVE, pin % PIC_PINS);
	for (uint32_t pin = 0; pin < LAYOUT_IOAPIC_PINS; pin++)
		add_pin(&routing, pin, KVM_IRQCHIP_IOAPIC, pin);
	for (unsigned int i = 0; i < irq->nr_msi; i++) {
		if (irq->msi[i].addr)
			add_msi(&routing, LAYOUT_MSI_GSI_FIRST + i,
				&irq->msi[i]);
	}
	err = kvm_ioctl(irq->kvm, KVM_SET_GSI_ROUTING, &routing.header);
	return err < 0 ? err : 0;
}

int irq_init(struct irq *irq, struct kvm *kvm)
{
	memset(irq, 0, sizeof(*irq));
	irq->kvm = kvm;
	pthread_mutex_init(&irq->lock, NULL);
	return update_table(irq);
}

void irq_exit(struct irq *irq)
{
	pthread_mutex_destroy(&irq->lock);
}

void irq_set_line(struct irq *irq, uint32_t gsi, int level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	if (irq->kvm)
		kvm_ioctl(irq->kvm, KVM_IRQ_LINE, &line);
}

int irq_alloc_msi(struct irq *irq, uint32_t *gsi)
{
	int err = 0;

	pthread_mutex_lock(&irq->lock);
	if (irq->nr_msi < IRQ_MSI_MAX)
		*gsi = LAYOUT_MSI_GSI_FIRST + irq->nr_msi++;
	else
		err = -ENOSPC;
	pthread_mutex_unlock(&irq->lock);
	return err;
}

int irq_route_msi(struct irq *irq, uint32_t gsi, uint64_t addr, uint32_t data)
{
	struct irq_msi *msi = &irq->msi[gsi - LAYOUT_MSI_GSI_FIRST];
	int err = 0;

	pthread_mutex_lock(&irq->lock);
	if (msi->addr != addr || msi->data != data) {
		msi->addr = addr;
		msi->data = data;
		err = update_table(irq);
	}
	pthread_mutex_unlock(&irq->lock);
	return err;
}

static int set_irqfd(struct irq *irq, uint32_t gsi, int fd, uint32_t flags)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi, .flags = flags };
	int err;

	if (!irq->kvm)
		return 0;
	err = kvm_ioctl(irq->kvm, KVM_IRQFD, &irqfd);
	return err < 0 ? err : 0;
}

int irq_attach_fd(struct irq *irq, uint32_t gsi, int fd)
{
	return set_irqfd(irq, gsi, fd, 0);
}

void irq_detach_fd(struct irq *irq, uint32_t gsi, int fd)
{
	set_irqfd(irq, gsi, fd, KVM_IRQFD_FLAG_DEASSIGN);
}

int irq_send_msi(struct irq *irq, uint64_t addr, uint32_t data)
{
	struct kvm_msi msi = {
		.address_lo = addr,
		.address_hi = addr >> 32,
		.data = data,
	};
	int ret;

	if (!irq->kvm)
		return 0;
	ret = kvm_ioctl(irq->kvm, KVM_SIGNAL_MSI, &msi);
	return ret < 0 ? ret : 0;
}
