// SPDX-License-Identifier: GPL-2.0-or-later
/* All that KVM knows of a vCPU and of the machine's interrupt controllers. */
#include "vcpu_state.h"

#include "kvm.h"
#include "util.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include <asm/kvm_para.h>

#define MSR_TSC			0x10u
#define MSR_TSC_DEADLINE	0x6e0u

/**
 * struct part - What one pair of ioctls reads and writes.
 * @name: for messages
 * @get: request that reads it
 * @set: request that writes it
 * @offset: where it is in struct vcpu_state
 */
struct part {
	const char *name;
	unsigned long get;
	unsigned long set;
	size_t offset;
};

#define PART(field, name)						\
	{ #field, KVM_GET_##name, KVM_SET_##name,			\
	  offsetof(struct vcpu_state, field) }

/*
 * ORDER: of writing. The local APIC after its base, which is in the special
 * registers; its deadline timer, an MSR, after it; events last, as writing others
 * may drop them.
 */
static const struct part parts[] = {
	PART(mp_state, MP_STATE),
	PART(regs, REGS),
	PART(sregs, SREGS),
	PART(xsave, XSAVE),
	PART(xcrs, XCRS),
	PART(debugregs, DEBUGREGS),
	PART(lapic, LAPIC),
};

struct msrs {
	struct kvm_msrs header;
	struct kvm_msr_entry entries[VCPU_MSRS_MAX];
};

struct msr_list {
	struct kvm_msr_list header;
	uint32_t indices[VCPU_MSRS_MAX];
};

struct cpuid {
	struct kvm_cpuid2 header;
	struct kvm_cpuid_entry2 entries[VCPU_CPUID_MAX];
};

/* Reads or writes entries up to the first that KVM refuses; returns how many. */
static int transfer_msrs(int vcpu_fd, unsigned long request,
			 struct kvm_msr_entry *entries, uint32_t nr)
{
	struct msrs msrs = { .header.nmsrs = nr };
	int done;

	memcpy(msrs.entries, entries, nr * sizeof(entries[0]));
	done = ioctl(vcpu_fd, request, &msrs);
	if (done < 0)
		return -errno;
	if (request == KVM_GET_MSRS)
		memcpy(entries, msrs.entries, done * sizeof(entries[0]));
	return done;
}

/* Those in KVM's list that this machine does not have are left out. */
static int save_msrs(const struct kvm *kvm, int vcpu_fd,
		     struct vcpu_state *state)
{
	struct msr_list list = { .header.nmsrs = VCPU_MSRS_MAX };
	struct kvm_msr_entry *entries = state->msrs;
	uint32_t left, i;
	int done;

	if (ioctl(kvm->dev_fd, KVM_GET_MSR_INDEX_LIST, &list))
		return -errno;
	left = list.header.nmsrs;
	for (i = 0; i < left; i++)
		entries[i] = (struct kvm_msr_entry) { .index = list.indices[i] };
	for (i = 0; i < left; i += done) {
		done = transfer_msrs(vcpu_fd, KVM_GET_MSRS, entries + i, left - i);
		if (done < 0)
			return done;
		if (i + done == left)
			break;
		left--;
		memmove(entries + i + done, entries + i + done + 1,
			(left - i - done) * sizeof(entries[0]));
	}
	state->nr_msrs = left;
	return 0;
}

/*
 * Those that KVM shows but does not take are harmless while they are 0: this
 * machine would show the same.
 */
static int load_msr_run(int vcpu_fd, struct kvm_msr_entry *entries, uint32_t nr)
{
	uint32_t i;
	int done;

	for (i = 0; i < nr; i += done + 1) {
		done = transfer_msrs(vcpu_fd, KVM_SET_MSRS, entries + i, nr - i);
		if (done < 0)
			return done;
		if (i + done < nr && entries[i + done].data)
			return -EINVAL;
	}
	return 0;
}

/* ORDER: the time first, what is to happen at a time last. */
static int msr_rank(uint32_t index)
{
	return index == MSR_TSC ? 0 : index == MSR_TSC_DEADLINE ? 2 : 1;
}

static int load_msrs(int vcpu_fd, const struct vcpu_state *state)
{
	struct kvm_msr_entry entries[VCPU_MSRS_MAX];
	uint32_t nr = 0;

	for (int rank = 0; rank < 3; rank++) {
		for (uint32_t i = 0; i < state->nr_msrs; i++) {
			if (msr_rank(state->msrs[i].index) == rank)
				entries[nr++] = state->msrs[i];
		}
	}
	return load_msr_run(vcpu_fd, entries, nr);
}

static int save_cpuid(int vcpu_fd, struct vcpu_state *state)
{
	struct cpuid cpuid = { .header.nent = VCPU_CPUID_MAX };

	if (ioctl(vcpu_fd, KVM_GET_CPUID2, &cpuid))
		return -errno;
	state->nr_cpuid = cpuid.header.nent;
	memcpy(state->cpuid, cpuid.entries,
	       cpuid.header.nent * sizeof(cpuid.entries[0]));
	return 0;
}

int vcpu_state_save(const struct kvm *kvm, int vcpu_fd,
		    struct vcpu_state *state)
{
	int khz = ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);
	int err;

	/* KVM does not fill in all of every structure. */
	memset(state, 0, sizeof(*state));
	state->tsc_khz = khz > 0 ? khz : 0;
	/* ORDER: of reading; the first may change the others. */
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (ioctl(vcpu_fd, parts[i].get, (char *)state + parts[i].offset))
			return -errno;
	}
	if (ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, &state->events))
		return -errno;
	err = save_msrs(kvm, vcpu_fd, state);
	return err ? err : save_cpuid(vcpu_fd, state);
}

/**
 * struct feature_word - A register of CPUID whose bits are features.
 * @function: leaf
 * @index: subleaf
 * @reg: offset of the register in the entry
 * @not_kvm: bits that come from the guest's own registers (APIC, OSXSAVE, OSPKE),
 *	or from fix_cpuid_entry() of vcpu.c
 */
struct feature_word {
	uint32_t function;
	uint32_t index;
	size_t reg;
	uint32_t not_kvm;
};

#define WORD(function, index, reg, not_kvm) \
	{ function, index, offsetof(struct kvm_cpuid_entry2, reg), not_kvm }

static const struct feature_word feature_words[] = {
	WORD(0x1, 0, ecx, 1u << 24 | 1u << 27 | 1u << 31),
	WORD(0x1, 0, edx, 1u << 9 | 1u << 28),
	WORD(0x7, 0, ebx, 0),
	WORD(0x7, 0, ecx, 1u << 4),
	WORD(0x7, 0, edx, 0),
	WORD(0x7, 1, eax, 0),
	WORD(0xd, 0, eax, 0),
	WORD(0xd, 1, eax, 0),
	WORD(0x80000001, 0, ecx, 0),
	WORD(0x80000001, 0, edx, 1u << 9),
	WORD(KVM_CPUID_FEATURES, 0, eax, 0),
};

static uint32_t features(const struct feature_word *word,
			 const struct kvm_cpuid_entry2 *entries, uint32_t nr)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < nr; i++) {
		if (entries[i].function == word->function &&
		    entries[i].index == word->index)
			memcpy(&bits, (const char *)&entries[i] + word->reg,
			       sizeof(bits));
	}
	return bits & ~word->not_kvm;
}

/* KVM takes any CPUID; a guest that uses what is not there dies of it. */
static int check_cpuid(const struct kvm *kvm, const struct vcpu_state *state)
{
	struct cpuid has = { .header.nent = VCPU_CPUID_MAX };

	if (ioctl(kvm->dev_fd, KVM_GET_SUPPORTED_CPUID, &has))
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *word = &feature_words[i];

		if (features(word, state->cpuid, state->nr_cpuid) &
		    ~features(word, has.entries, has.header.nent))
			return -EOPNOTSUPP;
	}
	return 0;
}

int vcpu_state_set_cpuid(const struct kvm *kvm, int vcpu_fd,
			 const struct vcpu_state *state)
{
	struct cpuid cpuid = { .header.nent = state->nr_cpuid };
	int err = check_cpuid(kvm, state);

	if (err)
		return err;
	memcpy(cpuid.entries, state->cpuid,
	       state->nr_cpuid * sizeof(cpuid.entries[0]));
	return ioctl(vcpu_fd, KVM_SET_CPUID2, &cpuid) ? -errno : 0;
}

static int load_tsc_khz(int vcpu_fd, uint32_t khz)
{
	int now = ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);

	if (!khz || now == (int)khz)
		return 0;
	return ioctl(vcpu_fd, KVM_SET_TSC_KHZ, (unsigned long)khz) ? -errno : 0;
}

int vcpu_state_load(int vcpu_fd, const struct vcpu_state *state,
		    const char **what)
{
	int err;

	*what = "tsc_khz";
	err = load_tsc_khz(vcpu_fd, state->tsc_khz);
	for (size_t i = 0; !err && i < ARRAY_SIZE(parts); i++) {
		*what = parts[i].name;
		if (ioctl(vcpu_fd, parts[i].set,
			  (const char *)state + parts[i].offset))
			err = -errno;
	}
	if (err)
		return err;
	*what = "msrs";
	err = load_msrs(vcpu_fd, state);
	if (err)
		return err;
	*what = "events";
	if (ioctl(vcpu_fd, KVM_SET_VCPU_EVENTS, &state->events))
		return -errno;
	/* As after a pause, which is why KVM may refuse: see vcpu_pause(). */
	ioctl(vcpu_fd, KVM_KVMCLOCK_CTRL, 0);
	return 0;
}

int chip_state_save(const struct kvm *kvm, struct chip_state *state)
{
	struct kvm_clock_data clock = { 0 };
	int err;

	memset(state, 0, sizeof(*state));
	for (uint32_t i = 0; i < CHIP_STATE_CHIPS; i++) {
		state->chips[i].chip_id = i;
		err = kvm_ioctl(kvm, KVM_GET_IRQCHIP, &state->chips[i]);
		if (err < 0)
			return err;
	}
	err = kvm_ioctl(kvm, KVM_GET_CLOCK, &clock);
	state->clock_ns = clock.clock;
	return err < 0 ? err : 0;
}

int chip_state_load(const struct kvm *kvm, const struct chip_state *state)
{
	struct kvm_clock_data clock = { .clock = state->clock_ns };
	int err;

	for (uint32_t i = 0; i < CHIP_STATE_CHIPS; i++) {
		err = kvm_ioctl(kvm, KVM_SET_IRQCHIP, (void *)&state->chips[i]);
		if (err < 0)
			return err;
	}
	err = kvm_ioctl(kvm, KVM_SET_CLOCK, &clock);
	return err < 0 ? err : 0;
}
