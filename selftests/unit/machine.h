/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine without vCPUs: the test is the guest. Reads go to memory where the
 * guest's would, everything else to the bus. On top of it a minimal driver of a
 * virtio-pmem device.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "config.h"
#include "vm.h"

#include <stdio.h>

#include <vpmem/vpmem.h>

#define MACHINE_RAM		0x40000u
#define MACHINE_MSI_ADDR	0xfee00000ull

struct machine {
	struct vm vm;
	struct config config;
	uint8_t *ram;
	unsigned int nr_exits;
};

/** machine_create() - RAM, buses, PCI; no devices yet. 0 or -errno. */
int machine_create(struct machine *m);
void machine_destroy(struct machine *m);

/** machine_read() - A guest read; counts an exit if there is one. */
uint64_t machine_read(struct machine *m, uint64_t gpa, uint32_t len);
void machine_write(struct machine *m, uint64_t gpa, uint64_t val, uint32_t len);
void machine_out(struct machine *m, uint64_t port, uint64_t val, uint32_t len);

uint32_t config_read(struct machine *m, unsigned int devfn, uint32_t reg,
		     uint32_t len);
void config_write(struct machine *m, unsigned int devfn, uint32_t reg,
		  uint32_t val, uint32_t len);

/** config_find_cap() - Next capability @id behind @from (0: first), or 0. */
uint8_t config_find_cap(struct machine *m, unsigned int devfn, uint8_t id,
			uint8_t from);

#define DRIVER_DESC	0x1000u
#define DRIVER_AVAIL	0x2000u
#define DRIVER_USED	0x3000u
#define DRIVER_REQ	0x4000u		/* 4 bytes for each request */
#define DRIVER_STATUS	0x5000u		/* likewise */
#define DRIVER_RING	16u

/** struct driver - The driver of one device; structures where it found them. */
struct driver {
	struct machine *m;
	unsigned int devfn;
	uint64_t common;
	uint64_t isr;
	uint64_t device;
	uint64_t port;		/* notification as a port */
	uint64_t notify;	/* and as memory */
	uint64_t msix_table;
	uint64_t msix_pba;
	uint8_t msix_cap;
	uint8_t window_cap;
	uint16_t avail;
	uint64_t base;		/* added to the addresses above */
};

/** driver_probe() - Find the structures and enable the BARs; false if lacking. */
bool driver_probe(struct driver *d, struct machine *m, unsigned int devfn);

uint64_t driver_get(struct driver *d, uint32_t offset, uint32_t len);
void driver_set(struct driver *d, uint32_t offset, uint64_t val, uint32_t len);
uint8_t driver_status(struct driver *d);
void driver_set_status(struct driver *d, uint8_t status);

/** driver_set_vector() - Fill a table entry; data is 0x40 + vector. */
void driver_set_vector(struct driver *d, unsigned int vector, bool is_masked);
void driver_enable_msix(struct driver *d, bool is_masked);

/** driver_take_irqs() - Interrupts that came by this vector. */
unsigned int driver_take_irqs(unsigned int vector);

/** driver_setup_queue() - Addresses and size, and enable. */
void driver_setup_queue(struct driver *d);

/** driver_negotiate() - Reset, empty ring, FEATURES_OK; false if refused. */
bool driver_negotiate(struct driver *d);

/** driver_start() - All of the above: vector 0 config, 1 queue, DRIVER_OK. */
bool driver_start(struct driver *d);

/** driver_post() - Make a request of this type available; no kick. */
void driver_post(struct driver *d, uint32_t type);
void driver_kick(struct driver *d);

/** driver_wait() - Wait until @used completions are there; false: not in 5 s. */
bool driver_wait(struct driver *d, uint16_t used);
uint16_t driver_used(struct driver *d);

/** driver_answer() - Status of the request that was posted @index-th. */
uint32_t driver_answer(struct driver *d, uint16_t index);

/**
 * struct hearing - Standard error, kept instead of shown.
 * @file: where it goes
 * @saved: where it went
 */
struct hearing {
	FILE *file;
	int saved;
};

/** hear_begin() - Begin to keep it. */
void hear_begin(struct hearing *hearing);

/** hear_end() - Show it again, and have in @text what was said meanwhile. */
void hear_end(struct hearing *hearing, char *text, size_t room);

#endif /* MACHINE_H */
