// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vCPU's state in KVM, which is played here: what is written, in which order,
 * and what is left out or refused.
 */
#include "kvm.h"
#include "util.h"
#include "vcpu_state.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"

#define MSR_TSC			0x10u
#define MSR_TSC_DEADLINE	0x6e0u
#define MSR_ODD			0x123u	/* KVM lists it and has it not */
#define MSR_OTHER		0x174u

#define WRITES_MAX		64

/* What was done to the vCPU: requests, and the MSRs in the order of writing. */
static unsigned long requests[WRITES_MAX];
static uint32_t written[WRITES_MAX];
static unsigned int nr_requests, nr_written;

static struct kvm_cpuid_entry2 supported[2];
static const uint32_t list[] = { MSR_TSC_DEADLINE, MSR_ODD, MSR_TSC, MSR_OTHER };

static void fake_list(struct kvm_msr_list *msrs)
{
	msrs->nmsrs = ARRAY_SIZE(list);
	memcpy(msrs->indices, list, sizeof(list));
}

static void fake_supported(struct kvm_cpuid2 *cpuid)
{
	cpuid->nent = ARRAY_SIZE(supported);
	memcpy(cpuid->entries, supported, sizeof(supported));
}

/* As KVM does: up to the first that it does not have. */
static int fake_msrs(struct kvm_msrs *msrs, bool is_write)
{
	uint32_t i;

	for (i = 0; i < msrs->nmsrs && msrs->entries[i].index != MSR_ODD; i++) {
		if (is_write)
			written[nr_written++] = msrs->entries[i].index;
		else
			msrs->entries[i].data = 7;
	}
	return i;
}

/* There is no KVM; its clock is refused, as if the guest had none. */
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	requests[nr_requests++ % WRITES_MAX] = request;
	switch (request) {
	case KVM_GET_MSR_INDEX_LIST:
		fake_list(arg);
		return 0;
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return fake_msrs(arg, request == KVM_SET_MSRS);
	case KVM_GET_SUPPORTED_CPUID:
		fake_supported(arg);
		return 0;
	case KVM_GET_TSC_KHZ:
		return 1000;
	case KVM_KVMCLOCK_CTRL:
		errno = EINVAL;
		return -1;
	default:
		return 0;
	}
}

int kvm_ioctl(const struct kvm *kvm, unsigned long request, void *arg)
{
	return 0;
}

FIXTURE(vcpu) {
	struct kvm kvm;
	struct vcpu_state state;
};

FIXTURE_SETUP(vcpu)
{
	nr_requests = 0;
	nr_written = 0;
	memset(supported, 0, sizeof(supported));
}

FIXTURE_TEARDOWN(vcpu)
{
}

/* When a request was made, from 1 on; 0 for never. */
static unsigned int when(unsigned long request)
{
	for (unsigned int i = 0; i < nr_requests; i++) {
		if (requests[i] == request)
			return i + 1;
	}
	return 0;
}

TEST_F(vcpu, parts_are_written_in_an_order_that_keeps_them)
{
	const char *what;

	ASSERT_EQ(0, vcpu_state_load(-1, &self->state, &what));
	EXPECT_LT(0, when(KVM_SET_REGS));
	EXPECT_LT(when(KVM_SET_MP_STATE), when(KVM_SET_SREGS));
	EXPECT_LT(when(KVM_SET_SREGS), when(KVM_SET_LAPIC));
	EXPECT_LT(when(KVM_SET_LAPIC), when(KVM_SET_VCPU_EVENTS));
	EXPECT_LT(when(KVM_SET_VCPU_EVENTS), when(KVM_KVMCLOCK_CTRL));
	/* The frequency is the right one already. */
	self->state.tsc_khz = 1000;
	ASSERT_EQ(0, vcpu_state_load(-1, &self->state, &what));
	EXPECT_EQ(0, when(KVM_SET_TSC_KHZ));
	self->state.tsc_khz = 999;
	ASSERT_EQ(0, vcpu_state_load(-1, &self->state, &what));
	EXPECT_LT(0, when(KVM_SET_TSC_KHZ));
}

TEST_F(vcpu, registers_that_kvm_has_not_are_left_out)
{
	ASSERT_EQ(0, vcpu_state_save(&self->kvm, -1, &self->state));
	ASSERT_EQ(3, self->state.nr_msrs);
	EXPECT_EQ(MSR_TSC_DEADLINE, self->state.msrs[0].index);
	EXPECT_EQ(MSR_TSC, self->state.msrs[1].index);
	EXPECT_EQ(MSR_OTHER, self->state.msrs[2].index);
	EXPECT_EQ(7, self->state.msrs[2].data);
	EXPECT_EQ(1000, self->state.tsc_khz);
}

TEST_F(vcpu, time_is_written_first_and_its_alarm_last)
{
	const char *what;

	ASSERT_EQ(0, vcpu_state_save(&self->kvm, -1, &self->state));
	ASSERT_EQ(0, vcpu_state_load(-1, &self->state, &what));
	ASSERT_EQ(3, nr_written);
	EXPECT_EQ(MSR_TSC, written[0]);
	EXPECT_EQ(MSR_OTHER, written[1]);
	EXPECT_EQ(MSR_TSC_DEADLINE, written[2]);
}

TEST_F(vcpu, refused_register_matters_if_it_says_something)
{
	const char *what = "";

	self->state.nr_msrs = 2;
	self->state.msrs[0].index = MSR_ODD;
	self->state.msrs[1].index = MSR_OTHER;
	ASSERT_EQ(0, vcpu_state_load(-1, &self->state, &what));
	EXPECT_EQ(1, nr_written);
	self->state.msrs[0].data = 1;
	EXPECT_EQ(-EINVAL, vcpu_state_load(-1, &self->state, &what));
	EXPECT_STREQ("msrs", what);
}

TEST_F(vcpu, features_that_the_host_has_not_are_refused)
{
	struct kvm_cpuid_entry2 *is = &self->state.cpuid[1];
	struct kvm_cpuid_entry2 *has = &supported[1];

	self->state.nr_cpuid = 2;
	is->function = 7;
	is->ebx = 0x20;
	EXPECT_EQ(-EOPNOTSUPP, vcpu_state_set_cpuid(&self->kvm, -1, &self->state));
	EXPECT_EQ(0, when(KVM_SET_CPUID2));
	has->function = 7;
	has->ebx = 0x121;
	EXPECT_EQ(0, vcpu_state_set_cpuid(&self->kvm, -1, &self->state));
	EXPECT_LT(0, when(KVM_SET_CPUID2));
	/* The same bit of another leaf is none. */
	is->index = 1;
	is->eax = 0x20;
	EXPECT_EQ(-EOPNOTSUPP, vcpu_state_set_cpuid(&self->kvm, -1, &self->state));
}

/* What depends on the guest's registers, or comes from this program. */
TEST_F(vcpu, bits_that_are_no_features_of_the_host_are_taken)
{
	self->state.nr_cpuid = 1;
	self->state.cpuid[0] = (struct kvm_cpuid_entry2) {
		.function = 1,
		.eax = 0x12345,
		.ecx = 1u << 24 | 1u << 27 | 1u << 31,
		.edx = 1u << 9 | 1u << 28,
	};
	EXPECT_EQ(0, vcpu_state_set_cpuid(&self->kvm, -1, &self->state));
	self->state.cpuid[0].edx |= 1u << 26;
	EXPECT_EQ(-EOPNOTSUPP, vcpu_state_set_cpuid(&self->kvm, -1, &self->state));
}

TEST_HARNESS_MAIN
