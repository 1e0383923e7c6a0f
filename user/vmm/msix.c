// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MSI-X. Decides for each event whether KVM delivers it, by an irqfd, or keeps
 * it until the guest unmasks it. Knows no virtio.
 */
#include "msix.h"

#include "irq.h"
#include "log.h"
#include "util.h"

#include <poll.h>
#include <string.h>

/* Entries that a guest may use. */
#ifdef VPMEM_MUTANT_WIDE_TABLE
#define MSIX_USABLE	(MSIX_VECTORS + 8)
#else
#define MSIX_USABLE	MSIX_VECTORS
#endif

static bool msix_is_open(const struct msix *msix, uint16_t vector)
{
	return vector < MSIX_USABLE && msix->is_enabled && !msix->is_masked &&
	       !(msix->table[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static uint64_t msix_addr(const struct msix_entry *entry)
{
	return (uint64_t)entry->addr_hi << 32 | entry->addr_lo;
}

bool msix_take(struct msix *msix, enum msix_event_id id)
{
	uint64_t count;

	return read(msix->events[id].fd, &count, sizeof(count)) ==
	       sizeof(count);
}

static void msix_detach(struct msix *msix, struct msix_event *event)
{
	if (!event->is_attached)
		return;
	irq_detach_fd(msix->irq, msix->gsi[event->vector], event->fd);
	event->is_attached = false;
}

static void msix_attach(struct msix *msix, enum msix_event_id id)
{
	struct msix_event *event = &msix->events[id];
	const struct msix_entry *entry = &msix->table[event->vector];
	uint32_t gsi = msix->gsi[event->vector];
	bool was_pending;
	int err;

	/* ORDER: take before attaching. What is signalled in between is still
	 * in the count, where KVM finds it when the irqfd is attached.
	 */
	was_pending = msix_take(msix, id);
	err = irq_route_msi(msix->irq, gsi, msix_addr(entry), entry->data);
	if (!err)
		err = irq_attach_fd(msix->irq, gsi, event->fd);
	if (err) {
		log_error("interrupt: cannot route GSI %u: %s; restart the VM",
			  gsi, strerror(-err));
		return;
	}
	event->is_attached = true;
	if (was_pending)
		irq_send_msi(msix->irq, msix_addr(entry), entry->data);
}

/* Brings one event in line with masks and mapping. */
static void msix_update_event(struct msix *msix, enum msix_event_id id)
{
	struct msix_event *event = &msix->events[id];

	if (!msix_is_open(msix, event->vector))
		msix_detach(msix, event);
	else if (!event->is_attached)
		msix_attach(msix, id);
}

static void msix_update(struct msix *msix)
{
	unsigned int id;

	for (id = 0; id < MSIX_EVENTS; id++)
		msix_update_event(msix, id);
}

int msix_init(struct msix *msix, struct irq *irq, void *table, int config_fd,
	      int queue_fd)
{
	unsigned int i;
	int err;

	*msix = (struct msix) { .irq = irq, .table = table };
	msix->events[MSIX_EVENT_CONFIG].fd = config_fd;
	msix->events[MSIX_EVENT_QUEUE].fd = queue_fd;
	for (i = 0; i < MSIX_EVENTS; i++)
		msix->events[i].vector = MSIX_NO_VECTOR;
	for (i = 0; i < MSIX_VECTORS; i++) {
		msix->table[i].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		err = irq_alloc_msi(irq, &msix->gsi[i]);
		if (err)
			return err;
	}
	return 0;
}

void msix_exit(struct msix *msix)
{
	unsigned int i;

	for (i = 0; i < MSIX_EVENTS; i++)
		msix_detach(msix, &msix->events[i]);
}

void msix_set_control(struct msix *msix, uint16_t control)
{
	msix->is_enabled = control & PCI_MSIX_FLAGS_ENABLE;
	msix->is_masked = control & PCI_MSIX_FLAGS_MASKALL;
	msix_update(msix);
}

void msix_map(struct msix *msix, enum msix_event_id id, uint16_t vector)
{
	struct msix_event *event = &msix->events[id];

	msix_detach(msix, event);
	if (event->vector == MSIX_NO_VECTOR && msix->is_enabled)
		msix_take(msix, id);
	event->vector = vector < MSIX_VECTORS ? vector : MSIX_NO_VECTOR;
	msix_update_event(msix, id);
}

void msix_unmap_all(struct msix *msix)
{
	unsigned int id;

	for (id = 0; id < MSIX_EVENTS; id++) {
		msix_map(msix, id, MSIX_NO_VECTOR);
		msix_take(msix, id);
	}
}

/* An entry that changes while it is unmasked takes effect at once. */
static void msix_entry_changed(struct msix *msix, uint16_t vector)
{
	const struct msix_entry *entry = &msix->table[vector];

	if (msix_is_open(msix, vector))
		irq_route_msi(msix->irq, msix->gsi[vector], msix_addr(entry),
			      entry->data);
	msix_update(msix);
}

void msix_table_write(struct msix *msix, uint32_t offset, const void *data,
		      uint32_t len)
{
	char *at = (char *)msix->table + offset;
	uint64_t val = 0;

	if ((len != 4 && len != 8) || !IS_ALIGNED(offset, len) ||
	    offset + len > MSIX_USABLE * PCI_MSIX_ENTRY_SIZE)
		return;
	memcpy(&val, data, len);
	/* Whole, as another vCPU may be reading it. */
	if (len == 4)
		__atomic_store_n((uint32_t *)at, val, __ATOMIC_RELAXED);
	else
		__atomic_store_n((uint64_t *)at, val, __ATOMIC_RELAXED);
	msix_entry_changed(msix, offset / PCI_MSIX_ENTRY_SIZE);
}

static bool msix_is_pending(const struct msix_event *event)
{
	struct pollfd pfd = { .fd = event->fd, .events = POLLIN };

	return !event->is_attached && poll(&pfd, 1, 0) == 1;
}

void msix_pba_read(const struct msix *msix, uint32_t offset, void *data,
		   uint32_t len)
{
	uint64_t bits = 0;
	unsigned int i;

	for (i = 0; i < MSIX_EVENTS; i++) {
		const struct msix_event *event = &msix->events[i];

		if (event->vector < MSIX_VECTORS && msix_is_pending(event))
			bits |= 1ull << event->vector;
	}
	memset(data, 0, len);
	if (offset + len <= sizeof(bits))
		memcpy(data, (const char *)&bits + offset, len);
}

void msix_save(const struct msix *msix, struct msix_state *state)
{
	unsigned int id;

	memcpy(state->table, msix->table, sizeof(state->table));
	for (id = 0; id < MSIX_EVENTS; id++) {
		state->vectors[id] = msix->events[id].vector;
		state->is_pending[id] = msix_is_pending(&msix->events[id]);
	}
}

void msix_load(struct msix *msix, const struct msix_state *state)
{
	uint64_t one = 1;
	unsigned int id;

	msix_set_control(msix, 0);
	memcpy(msix->table, state->table, sizeof(state->table));
	for (id = 0; id < MSIX_EVENTS; id++) {
		struct msix_event *event = &msix->events[id];

		event->vector = state->vectors[id] < MSIX_VECTORS ?
				state->vectors[id] : MSIX_NO_VECTOR;
		msix_take(msix, id);
		if (state->is_pending[id] &&
		    write(event->fd, &one, sizeof(one)) < 0)
			log_error("interrupt: cannot be kept pending; restart the VM");
	}
}
