/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM and interrupt routing, played by the test: what is registered is kept,
 * and acts as it would in the kernel.
 */
#ifndef FAKE_KVM_H
#define FAKE_KVM_H

#include <stdbool.h>
#include <stdint.h>

/** fake_kvm_reset() - Forget everything. */
void fake_kvm_reset(void);

/** fake_kvm_kick() - A guest write; true if an ioeventfd took it. */
bool fake_kvm_kick(bool is_pio, uint64_t addr, uint32_t len);

/** fake_kvm_ioeventfds() - How many are registered. */
unsigned int fake_kvm_ioeventfds(void);

/** fake_kvm_irqfds() - How many are attached. */
unsigned int fake_kvm_irqfds(void);

/** fake_kvm_refuse() - Let the next registration of an ioeventfd fail. */
void fake_kvm_refuse(int err);

/**
 * fake_irq_take() - Messages with this address and data that were delivered.
 *
 * Signals of an attached eventfd that came together count as one.
 */
unsigned int fake_irq_take(uint64_t addr, uint32_t data);

#endif /* FAKE_KVM_H */
