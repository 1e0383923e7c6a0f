// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vCPUs in a KVM that is played here: what their guest is told it can do, and
 * how they end.
 */
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

/* How KVM_RUN ends: by an error, or else a reason that nobody knows. */
static int run_error;

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
	case KVM_RUN:
		errno = run_error;
		return run_error ? -1 : 0;
	default:
		return 0;
	}
}

FIXTURE(vcpu) {
	struct machine m;
	char message[512];
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

/* Starts the guest, which does not get far; returns the VM's exit code. */
static int run(struct _test_data_vcpu *self, int error)
{
	struct hearing hearing;
	int code = -1;

	run_error = error;
	hear_begin(&hearing);
	if (!vcpus_start(&self->m.vm)) {
		vcpus_resume(&self->m.vm);
		code = loop_run(&self->m.vm.loop);
		vcpus_stop(&self->m.vm);
	}
	hear_end(&hearing, self->message, sizeof(self->message));
	return code;
}

TEST_F(vcpu, memory_without_backing_ends_the_vm)
{
	EXPECT_EQ(1, run(self, EFAULT));
	EXPECT_STREQ("vpmem-vmm: guest memory has lost its backing: Bad address; "
		     "was a pmem file truncated, or is its file system full?\n",
		     self->message);
}

TEST_F(vcpu, memory_that_the_hardware_has_lost_ends_the_vm)
{
	EXPECT_EQ(1, run(self, EHWPOISON));
	EXPECT_NE(NULL, strstr(self->message, "guest memory has lost its backing"));
}

TEST_F(vcpu, error_of_kvm_ends_the_vm)
{
	EXPECT_EQ(1, run(self, EINVAL));
	EXPECT_STREQ("vpmem-vmm: vCPU 0 cannot run: Invalid argument\n",
		     self->message);
}

TEST_F(vcpu, exit_that_is_not_known_ends_the_vm)
{
	EXPECT_EQ(1, run(self, 0));
	EXPECT_STREQ("vpmem-vmm: vCPU 0 cannot go on: unknown exit 0 at RIP 0\n",
		     self->message);
}

TEST_HARNESS_MAIN
