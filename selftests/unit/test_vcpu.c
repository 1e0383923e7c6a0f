// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPUs in a KVM that is played here: what their guest is told it can do. */
#include "layout.h"
#include "machine.h"
#include "util.h"
#include "vcpu.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"

/* What KVM can do, and what a vCPU was given of it. */
static const struct kvm_cpuid_entry2 supported[] = {
	{ .function = 0x1, .ecx = 1u << 5 | 1u << 6 },
	{ .function = 0x80000001, .ecx = 1u << 2 | 1u << 5 },
	{ .function = 0x8000000a, .eax = 1, .ebx = 8, .ecx = 2, .edx = 0xff },
};

static struct kvm_cpuid_entry2 given[ARRAY_SIZE(supported)];

static int make_vcpu(void)
{
	int fd = memfd_create("vcpu", MFD_CLOEXEC);

	return ftruncate(fd, GUEST_PAGE_SIZE) ? -1 : fd;
}

int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct kvm_cpuid2 *cpuid;
	va_list args;

	va_start(args, request);
	cpuid = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVM_CREATE_VCPU:
		return make_vcpu();
	case KVM_GET_SUPPORTED_CPUID:
		cpuid->nent = ARRAY_SIZE(supported);
		memcpy(cpuid->entries, supported, sizeof(supported));
		return 0;
	case KVM_SET_CPUID2:
		memcpy(given, cpuid->entries, sizeof(given));
		return cpuid->nent == ARRAY_SIZE(given) ? 0 : -1;
	default:
		return 0;
	}
}

FIXTURE(vcpu) {
	struct machine m;
};

FIXTURE_SETUP(vcpu)
{
	const struct boot_entry entry = { .rip = 1 * MIB };

	ASSERT_EQ(0, machine_create(&self->m));
	self->m.config.cpus = 1;
	self->m.vm.kvm.run_size = GUEST_PAGE_SIZE;
	ASSERT_EQ(0, vcpus_create(&self->m.vm, &entry));
}

FIXTURE_TEARDOWN(vcpu)
{
	vcpus_destroy(&self->m.vm);
	machine_destroy(&self->m);
}

TEST_F(vcpu, guest_cannot_have_guests)
{
	EXPECT_EQ(0, given[0].ecx & 1u << 5);
	EXPECT_EQ(1u << 5, given[1].ecx);
	EXPECT_EQ(0x8000000a, given[2].function);
	EXPECT_EQ(0, given[2].eax | given[2].ebx | given[2].ecx | given[2].edx);
	/* The bit beside it stays. */
	EXPECT_EQ(1u << 6, given[0].ecx & 1u << 6);
}

TEST_HARNESS_MAIN
