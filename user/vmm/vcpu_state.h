/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that KVM knows of a vCPU and of the machine's interrupt controllers. */
#ifndef VCPU_STATE_H
#define VCPU_STATE_H

#include <stdint.h>

#include <linux/kvm.h>

struct kvm;

#define VCPU_MSRS_MAX		512u
#define VCPU_CPUID_MAX		256u

/**
 * struct vcpu_state - A vCPU.
 * @msrs: model-specific registers, @nr_msrs of them
 * @cpuid: what it says it can do, @nr_cpuid entries
 */
struct vcpu_state {
	struct kvm_mp_state mp_state;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	uint32_t tsc_khz;
	uint32_t nr_msrs;
	struct kvm_msr_entry msrs[VCPU_MSRS_MAX];
	uint32_t nr_cpuid;
	struct kvm_cpuid_entry2 cpuid[VCPU_CPUID_MAX];
};

#define CHIP_STATE_CHIPS	3u

/**
 * struct chip_state - The interrupt controllers and the clock.
 * @chips: two PICs and the IOAPIC
 * @clock_ns: KVM's clock
 */
struct chip_state {
	struct kvm_irqchip chips[CHIP_STATE_CHIPS];
	uint64_t clock_ns;
};

/** vcpu_state_save() - Read a vCPU that does not run. 0 or -errno. */
int vcpu_state_save(const struct kvm *kvm, int vcpu_fd,
		    struct vcpu_state *state);

/**
 * vcpu_state_set_cpuid() - First step of loading: before it has ever run.
 * Return: 0; -EOPNOTSUPP if it can do what this host's KVM cannot; -errno.
 */
int vcpu_state_set_cpuid(const struct kvm *kvm, int vcpu_fd,
			 const struct vcpu_state *state);

/**
 * vcpu_state_load() - Write a vCPU that does not run.
 * @what: receives, on failure, what could not be written
 * Return: 0 or -errno.
 */
int vcpu_state_load(int vcpu_fd, const struct vcpu_state *state,
		    const char **what);

/** chip_state_save() - Read them; no vCPU runs. 0 or -errno. */
int chip_state_save(const struct kvm *kvm, struct chip_state *state);

/** chip_state_load() - Write them; no vCPU runs. 0 or -errno. */
int chip_state_load(const struct kvm *kvm, const struct chip_state *state);

#endif /* VCPU_STATE_H */
