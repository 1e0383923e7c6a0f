/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of a machine's state as JSON, and back. Pure: knows no VM. What is read
 * may be hostile; what was read is safe to load.
 */
#ifndef STATE_JSON_H
#define STATE_JSON_H

#include "serial.h"
#include "vcpu_state.h"
#include "virtio_pmem.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * Each writer returns a new object or NULL without memory; each reader 0, or
 * -EINVAL with @where naming what is wrong.
 */
json_t *state_json_vcpu(const struct vcpu_state *state);
int state_json_read_vcpu(const json_t *object, struct vcpu_state *state,
			 const char **where);

json_t *state_json_chips(const struct chip_state *state);
int state_json_read_chips(const json_t *object, struct chip_state *state,
			  const char **where);

json_t *state_json_serial(const struct serial_state *state);
int state_json_read_serial(const json_t *object, struct serial_state *state,
			   const char **where);

json_t *state_json_pmem(const struct virtio_pmem_state *state);
int state_json_read_pmem(const json_t *object, struct virtio_pmem_state *state,
			 const char **where);

/**
 * struct bus_state - What concerns all of PCI.
 * @bridge: host bridge
 * @is_trapping: see pci_trap_reads()
 */
struct bus_state {
	struct pci_state bridge;
	bool is_trapping;
};

json_t *state_json_bus(const struct bus_state *state);
int state_json_read_bus(const json_t *object, struct bus_state *state,
			const char **where);

#endif /* STATE_JSON_H */
