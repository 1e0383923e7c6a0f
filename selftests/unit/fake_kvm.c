// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM and interrupt routing, played by the test. */
#include "fake_kvm.h"

#include "irq.h"
#include "kvm.h"
#include "layout.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define FAKES_MAX	512

static struct {
	struct kvm_ioeventfd_at at;
	int fd;
} ioeventfds[FAKES_MAX];

static struct {
	uint32_t gsi;
	int fd;
} irqfds[FAKES_MAX];

static struct irq_msi sent[FAKES_MAX];
static struct irq *routing;
static unsigned int nr_ioeventfds, nr_irqfds, nr_sent;
static pthread_mutex_t sent_lock = PTHREAD_MUTEX_INITIALIZER;
static int refusal;

void fake_kvm_reset(void)
{
	nr_ioeventfds = 0;
	nr_irqfds = 0;
	nr_sent = 0;
	refusal = 0;
}

unsigned int fake_kvm_ioeventfds(void)
{
	return nr_ioeventfds;
}

unsigned int fake_kvm_irqfds(void)
{
	return nr_irqfds;
}

void fake_kvm_refuse(int err)
{
	refusal = err;
}

bool fake_kvm_kick(bool is_pio, uint64_t addr, uint32_t len)
{
	uint64_t one = 1;
	unsigned int i;

	for (i = 0; i < nr_ioeventfds; i++) {
		if (ioeventfds[i].at.is_pio != is_pio ||
		    ioeventfds[i].at.addr != addr ||
		    (ioeventfds[i].at.len && ioeventfds[i].at.len != len))
			continue;
		return write(ioeventfds[i].fd, &one, sizeof(one)) ==
		       sizeof(one);
	}
	return false;
}

int kvm_set_memslot(const struct kvm *kvm, uint32_t slot, uint64_t gpa,
		    uint64_t size, void *hva, uint32_t flags)
{
	return 0;
}

int kvm_ioeventfd_add(const struct kvm *kvm, const struct kvm_ioeventfd_at *at,
		      int fd)
{
	int err = refusal;

	refusal = 0;
	if (err)
		return err;
	ioeventfds[nr_ioeventfds].at = *at;
	ioeventfds[nr_ioeventfds++].fd = fd;
	return 0;
}

int kvm_ioeventfd_del(const struct kvm *kvm, const struct kvm_ioeventfd_at *at,
		      int fd)
{
	unsigned int i;

	for (i = 0; i < nr_ioeventfds; i++) {
		if (ioeventfds[i].at.addr != at->addr ||
		    ioeventfds[i].at.len != at->len ||
		    ioeventfds[i].at.is_pio != at->is_pio ||
		    ioeventfds[i].fd != fd)
			continue;
		ioeventfds[i] = ioeventfds[--nr_ioeventfds];
		return 0;
	}
	return -ENOENT;
}

int irq_init(struct irq *irq, struct kvm *kvm)
{
	memset(irq, 0, sizeof(*irq));
	return 0;
}

void irq_exit(struct irq *irq)
{
}

int irq_alloc_msi(struct irq *irq, uint32_t *gsi)
{
	if (irq->nr_msi == IRQ_MSI_MAX)
		return -ENOSPC;
	*gsi = LAYOUT_MSI_GSI_FIRST + irq->nr_msi++;
	return 0;
}

int irq_route_msi(struct irq *irq, uint32_t gsi, uint64_t addr, uint32_t data)
{
	routing = irq;
	irq->msi[gsi - LAYOUT_MSI_GSI_FIRST] = (struct irq_msi) { addr, data };
	return 0;
}

int irq_attach_fd(struct irq *irq, uint32_t gsi, int fd)
{
	irqfds[nr_irqfds].gsi = gsi;
	irqfds[nr_irqfds++].fd = fd;
	return 0;
}

void irq_detach_fd(struct irq *irq, uint32_t gsi, int fd)
{
	unsigned int i;

	for (i = 0; i < nr_irqfds; i++) {
		if (irqfds[i].gsi == gsi && irqfds[i].fd == fd) {
			irqfds[i] = irqfds[--nr_irqfds];
			return;
		}
	}
}

int irq_send_msi(struct irq *irq, uint64_t addr, uint32_t data)
{
	/* From threads of back ends, too. Nobody need take what there is. */
	pthread_mutex_lock(&sent_lock);
	if (nr_sent < FAKES_MAX)
		sent[nr_sent++] = (struct irq_msi) { addr, data };
	pthread_mutex_unlock(&sent_lock);
	return 0;
}

static bool is_message(const struct irq_msi *msi, uint64_t addr, uint32_t data)
{
	return msi->addr == addr && msi->data == data;
}

unsigned int fake_irq_take(uint64_t addr, uint32_t data)
{
	unsigned int i, nr = 0;
	uint64_t count;

	for (i = 0; i < nr_irqfds; i++) {
		uint32_t msi = irqfds[i].gsi - LAYOUT_MSI_GSI_FIRST;

		if (is_message(&routing->msi[msi], addr, data))
			nr += read(irqfds[i].fd, &count, sizeof(count)) > 0;
	}
	for (i = 0; i < nr_sent; i++) {
		if (is_message(&sent[i], addr, data)) {
			sent[i] = (struct irq_msi) { .addr = 0 };
			nr++;
		}
	}
	return nr;
}
