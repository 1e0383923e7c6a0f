/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev/kvm, the VM descriptor and typed ioctls; knows no machine. */
#ifndef KVM_H
#define KVM_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/kvm.h>

/**
 * struct kvm - An open VM.
 * @dev_fd: /dev/kvm
 * @vm_fd: the VM, with in-kernel irqchip and no PIT
 * @run_size: bytes to mmap of a vCPU's descriptor
 * @slots_max: number of memslots
 */
struct kvm {
	int dev_fd;
	int vm_fd;
	int run_size;
	uint32_t slots_max;
};

/**
 * kvm_init() - Open /dev/kvm, check what is needed of it, create the VM.
 *
 * Return: 0, or -errno after one line of error that says what is missing.
 */
int kvm_init(struct kvm *kvm);

/** kvm_exit() - Close the VM. */
void kvm_exit(struct kvm *kvm);

/** kvm_ioctl() - ioctl on the VM; 0 or more, or -errno. EINTR is retried. */
int kvm_ioctl(const struct kvm *kvm, unsigned long request, void *arg);

/** kvm_set_memslot() - KVM_SET_USER_MEMORY_REGION; size 0 removes the slot. */
int kvm_set_memslot(const struct kvm *kvm, uint32_t slot, uint64_t gpa,
		    uint64_t size, void *hva, uint32_t flags);

/**
 * struct kvm_ioeventfd_at - Guest write that signals an eventfd.
 * @addr: guest-physical address or port
 * @len: width of the write in bytes: 1, 2, 4, 8
 * @is_pio: @addr is a port
 * @match: only writes of @value
 */
struct kvm_ioeventfd_at {
	uint64_t addr;
	uint32_t len;
	bool is_pio;
	bool match;
	uint64_t value;
};

/** kvm_ioeventfd_add() - Signal @fd at a guest write. 0 or -errno. */
int kvm_ioeventfd_add(const struct kvm *kvm, const struct kvm_ioeventfd_at *at,
		      int fd);

/** kvm_ioeventfd_del() - Undo kvm_ioeventfd_add() with the same arguments. */
int kvm_ioeventfd_del(const struct kvm *kvm, const struct kvm_ioeventfd_at *at,
		      int fd);

#endif /* KVM_H */
