// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keeps KVM from patching kernel code while tests run, which not every emulator
 * survives. Some of KVM's and the scheduler's code is there or not, by static
 * keys, for as long as there is a VM, a vCPU without a local APIC, or one whose
 * local APIC is off. So there is one of each, which never runs, until this ends.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define APIC_BASE_ENABLE	(1ull << 11)

/* Off by hardware; by software it is off until somebody turns it on. */
static int turn_apic_off(int vcpu)
{
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.apic_base &= ~APIC_BASE_ENABLE;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs);
}

static int hold(int kvm, bool has_apic)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	int vcpu;

	if (vm < 0 || (has_apic && ioctl(vm, KVM_CREATE_IRQCHIP, 0)))
		return -1;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return -1;
	return has_apic ? turn_apic_off(vcpu) : 0;
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0 || hold(kvm, true) || hold(kvm, false)) {
		perror("kvm_hold: cannot hold KVM's state");
		return 1;
	}
	while (true)
		pause();
}
