// SPDX-License-Identifier: GPL-2.0-or-later
/* /dev/kvm, the VM descriptor and typed ioctls. */
#include "kvm.h"
#include "layout.h"
#include "log.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#define CAP(name)	{ KVM_CAP_##name, #name }

/* What the VMM cannot do without. */
static const struct {
	int number;
	const char *name;
} needed_caps[] = {
	CAP(IRQCHIP),
	CAP(USER_MEMORY),
	CAP(SET_TSS_ADDR),
	CAP(EXT_CPUID),
	CAP(IRQ_ROUTING),
	CAP(IRQFD),
	CAP(IOEVENTFD),
	CAP(SIGNAL_MSI),
	CAP(READONLY_MEM),
	CAP(IMMEDIATE_EXIT),
};

int kvm_ioctl(const struct kvm *kvm, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(kvm->vm_fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

static const char *open_hint(int err)
{
	switch (err) {
	case ENOENT:
		return "load kvm-intel or kvm-amd, and enable virtualization in the firmware";
	case EACCES:
		return "join the group that owns it, usually kvm";
	default:
		return "is it a KVM device?";
	}
}

static int open_device(struct kvm *kvm)
{
	int version;

	kvm->dev_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->dev_fd < 0) {
		int err = errno;

		log_error("cannot open /dev/kvm: %s; %s", strerror(err),
			  open_hint(err));
		return -err;
	}
	version = ioctl(kvm->dev_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		log_error("/dev/kvm has API version %d, this program needs %d",
			  version, KVM_API_VERSION);
		return -EPROTO;
	}
	return 0;
}

static int check_caps(const struct kvm *kvm)
{
	for (size_t i = 0; i < ARRAY_SIZE(needed_caps); i++) {
		if (ioctl(kvm->dev_fd, KVM_CHECK_EXTENSION,
			  needed_caps[i].number) > 0)
			continue;
		log_error("the host's KVM lacks KVM_CAP_%s; a newer kernel may have it",
			  needed_caps[i].name);
		return -EOPNOTSUPP;
	}
	return 0;
}

/*
 * Without performance counters KVM need not bring them up to date for each
 * instruction that it emulates, of which each flush has one. Before the first
 * vCPU; a KVM that cannot do this only costs more.
 */
static void leave_out_pmu(const struct kvm *kvm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_PMU_CAPABILITY,
		.args[0] = KVM_PMU_CAP_DISABLE,
	};

	kvm_ioctl(kvm, KVM_ENABLE_CAP, &cap);
}

static int create_vm(struct kvm *kvm)
{
	uint64_t identity_map = LAYOUT_KVM_IDENTITY_MAP;
	int err;

	kvm->vm_fd = ioctl(kvm->dev_fd, KVM_CREATE_VM, 0);
	if (kvm->vm_fd < 0) {
		err = errno;
		log_error("cannot create a VM: %s", strerror(err));
		return -err;
	}
	err = kvm_ioctl(kvm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
	if (err >= 0)
		err = kvm_ioctl(kvm, KVM_SET_TSS_ADDR, (void *)LAYOUT_KVM_TSS);
	if (err >= 0)
		err = kvm_ioctl(kvm, KVM_CREATE_IRQCHIP, NULL);
	if (err < 0)
		log_error("cannot set up a VM with interrupt controllers: %s",
			  strerror(-err));
	else
		leave_out_pmu(kvm);
	return err < 0 ? err : 0;
}

int kvm_init(struct kvm *kvm)
{
	int err;

	kvm->dev_fd = -1;
	kvm->vm_fd = -1;
	err = open_device(kvm);
	if (!err)
		err = check_caps(kvm);
	if (!err)
		err = create_vm(kvm);
	if (err) {
		kvm_exit(kvm);
		return err;
	}
	kvm->run_size = ioctl(kvm->dev_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	kvm->slots_max = ioctl(kvm->dev_fd, KVM_CHECK_EXTENSION,
			       KVM_CAP_NR_MEMSLOTS);
	return 0;
}

void kvm_exit(struct kvm *kvm)
{
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	if (kvm->dev_fd >= 0)
		close(kvm->dev_fd);
	kvm->vm_fd = -1;
	kvm->dev_fd = -1;
}

int kvm_set_memslot(const struct kvm *kvm, uint32_t slot, uint64_t gpa,
		    uint64_t size, void *hva, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return kvm_ioctl(kvm, KVM_SET_USER_MEMORY_REGION, &region);
}

static int set_ioeventfd(const struct kvm *kvm,
			 const struct kvm_ioeventfd_at *at, int fd,
			 uint32_t flags)
{
	struct kvm_ioeventfd ioeventfd = {
		.addr = at->addr,
		.len = at->len,
		.fd = fd,
		.datamatch = at->value,
		.flags = flags,
	};

	if (at->is_pio)
		ioeventfd.flags |= KVM_IOEVENTFD_FLAG_PIO;
	if (at->match)
		ioeventfd.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
	return kvm_ioctl(kvm, KVM_IOEVENTFD, &ioeventfd);
}

int kvm_ioeventfd_add(const struct kvm *kvm, const struct kvm_ioeventfd_at *at,
		      int fd)
{
	return set_ioeventfd(kvm, at, fd, 0);
}

int kvm_ioeventfd_del(const struct kvm *kvm, const struct kvm_ioeventfd_at *at,
		      int fd)
{
	return set_ioeventfd(kvm, at, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
