// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tells whether /dev/kvm can run 64-bit code: a KVM that exists and answers
 * may still lack it. Exit status 0 if so.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEM_SIZE	0x10000
#define PML4		0x1000
#define PDPT		0x2000
#define PD		0x3000
#define CODE		0x4000

#define PTE_PRESENT	0x3
#define PTE_LARGE	0x80
#define CR0_LONG	0x80000011	/* PG, ET, PE */
#define CR4_PAE		0x20
#define EFER_LONG	0x500		/* LMA, LME */

/* mov $0x123456789abcdef0, %rax; hlt */
static const uint8_t code[] = {
	0x48, 0xb8, 0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12, 0xf4
};

static void put64(uint8_t *mem, uint32_t at, uint64_t value)
{
	memcpy(mem + at, &value, sizeof(value));
}

static int add_memory(int vm)
{
	uint8_t *mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = MEM_SIZE,
		.userspace_addr = (uintptr_t)mem,
	};

	if (mem == MAP_FAILED)
		return -1;
	put64(mem, PML4, PDPT | PTE_PRESENT);
	put64(mem, PDPT, PD | PTE_PRESENT);
	put64(mem, PD, PTE_LARGE | PTE_PRESENT);
	memcpy(mem + CODE, code, sizeof(code));
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

/* A vCPU has 64-bit mode only if its CPUID says so. */
static int set_cpuid(int kvm, int vcpu)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 256 };

	return ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) ||
	       ioctl(vcpu, KVM_SET_CPUID2, &cpuid);
}

static int enter_long_mode(int vcpu)
{
	struct kvm_segment flat = {
		.limit = 0xffffffff, .present = 1, .type = 3, .s = 1, .g = 1,
		.selector = 0x18, .db = 1,
	};
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cr0 = CR0_LONG;
	sregs.cr3 = PML4;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LONG;
	sregs.ds = flat;
	sregs.es = flat;
	sregs.ss = flat;
	sregs.cs = flat;
	sregs.cs.selector = 0x10;
	sregs.cs.type = 11;
	sregs.cs.l = 1;
	sregs.cs.db = 0;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) ||
	       ioctl(vcpu, KVM_SET_REGS, &regs);
}

static int run(int kvm, int vcpu)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_SHARED, vcpu, 0);
	struct kvm_regs regs;

	if (run == MAP_FAILED || ioctl(vcpu, KVM_RUN, 0) ||
	    run->exit_reason != KVM_EXIT_HLT ||
	    ioctl(vcpu, KVM_GET_REGS, &regs))
		return -1;
	return regs.rax == 0x123456789abcdef0 ? 0 : -1;
}

static int fail(const char *what)
{
	fprintf(stderr, "kvm_probe: /dev/kvm is no use: cannot %s\n", what);
	return 1;
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm, vcpu;

	if (kvm < 0)
		return fail("open it");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return fail("create a VM");
	if (add_memory(vm))
		return fail("give it memory");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return fail("create a vCPU");
	if (set_cpuid(kvm, vcpu))
		return fail("set CPUID");
	if (enter_long_mode(vcpu))
		return fail("set 64-bit mode");
	if (run(kvm, vcpu))
		return fail("run 64-bit code");
	printf("ok 1 long_mode\n");
	return 0;
}
