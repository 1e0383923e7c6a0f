/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSI-X: table, pending bits, masks, and which event goes to which vector. */
#ifndef MSIX_H
#define MSIX_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/pci_regs.h>

struct irq;

#define MSIX_VECTORS		2u
#define MSIX_NO_VECTOR		0xffffu
#define MSIX_TABLE_BYTES	(MSIX_VECTORS * PCI_MSIX_ENTRY_SIZE)
#define MSIX_PBA_BYTES		8u

/** enum msix_event_id - Reasons to interrupt the guest. */
enum msix_event_id {
	MSIX_EVENT_CONFIG,
	MSIX_EVENT_QUEUE,
	MSIX_EVENTS,
};

/**
 * struct msix_event - A reason to interrupt the guest.
 * @fd: non-blocking eventfd that is signalled when there is one; borrowed
 * @vector: table entry it is mapped to, or MSIX_NO_VECTOR
 * @is_attached: KVM delivers it; otherwise it stays in the eventfd's count
 */
struct msix_event {
	int fd;
	uint16_t vector;
	bool is_attached;
};

/** struct msix_entry - A table entry, as the guest wrote it. */
struct msix_entry {
	uint32_t addr_lo;
	uint32_t addr_hi;
	uint32_t data;
	uint32_t control;
};

/**
 * struct msix - MSI-X of one function.
 * @irq: interrupt routing
 * @table: entries, in memory that the guest may only read
 * @gsi: GSI of each
 * @events: reasons to interrupt
 * @is_enabled: MSI-X Enable bit
 * @is_masked: Function Mask bit
 *
 * An event that may not be delivered is not lost: nobody reads its eventfd, so
 * the count there is the pending bit. When it may be delivered again the count
 * is taken and the message sent. All functions: Context: the function's lock
 * held; signalling an event's fd needs no lock.
 */
struct msix {
	struct irq *irq;
	struct msix_entry *table;
	uint32_t gsi[MSIX_VECTORS];
	struct msix_event events[MSIX_EVENTS];
	bool is_enabled;
	bool is_masked;
};

/**
 * msix_init() - Take GSIs.
 * @table: zeros, MSIX_TABLE_BYTES of them, which msix_table_write() fills in
 *
 * Return: 0, or -ENOSPC if there are none left.
 */
int msix_init(struct msix *msix, struct irq *irq, void *table, int config_fd,
	      int queue_fd);

/** msix_exit() - Take all events from KVM. */
void msix_exit(struct msix *msix);

/** msix_set_control() - The guest wrote the message control word. */
void msix_set_control(struct msix *msix, uint16_t control);

/**
 * msix_map() - Map an event to a vector (MSIX-2).
 *
 * A vector that does not exist unmaps it. What happened while it was unmapped
 * is not delivered later (MSIX-5).
 */
void msix_map(struct msix *msix, enum msix_event_id id, uint16_t vector);

/** msix_unmap_all() - Virtio reset: unmap all events, forget what is pending. */
void msix_unmap_all(struct msix *msix);

/** msix_take() - Take what @id has pending; was there anything? */
bool msix_take(struct msix *msix, enum msix_event_id id);

/** msix_table_write() - The guest wrote to its table. */
void msix_table_write(struct msix *msix, uint32_t offset, const void *data,
		      uint32_t len);

/** msix_pba_read() - Read the pending bits. */
void msix_pba_read(const struct msix *msix, uint32_t offset, void *data,
		   uint32_t len);

/**
 * struct msix_state - What the guest has set up, and what is pending.
 * @table: entries
 * @vectors: table entry of each event, or MSIX_NO_VECTOR
 * @is_pending: events that wait until they may be delivered
 */
struct msix_state {
	struct msix_entry table[MSIX_VECTORS];
	uint16_t vectors[MSIX_EVENTS];
	bool is_pending[MSIX_EVENTS];
};

/** msix_save() - Read the state; the control word is in configuration space. */
void msix_save(const struct msix *msix, struct msix_state *state);

/**
 * msix_load() - Write it.
 *
 * Nothing is delivered before msix_set_control(), which is to follow.
 */
void msix_load(struct msix *msix, const struct msix_state *state);

#endif /* MSIX_H */
