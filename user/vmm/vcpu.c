// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPUs: their registers, threads and exits. */
#include "bus.h"
#include "config.h"
#include "layout.h"
#include "log.h"
#include "loop.h"
#include "thread.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define CPUID_ENTRIES_MAX	256
#define STOP_SIGNAL		SIGRTMIN

/* Control registers in 64-bit mode. */
#define CR0_BOOT		0x80050033ull	/* PG AM WP NE ET MP PE */
#define CR4_PAE			0x20ull
#define EFER_LME_LMA		0x500ull
#define RFLAGS_FIXED		0x2ull

/* Page table entries: present, writable; large page. */
#define PTE_TABLE		0x3ull
#define PTE_LARGE		0x83ull

/* Segments as the 64-bit boot protocol wants them. */
#define BOOT_CS			0x10
#define BOOT_DS			0x18
#define GDT_CODE64		0x00af9b000000ffffull
#define GDT_DATA		0x00cf93000000ffffull

/**
 * struct vcpu - One vCPU.
 * @vm: its VM
 * @index: number and local APIC id
 * @fd: KVM descriptor
 * @run: shared with KVM
 * @thread: its thread, if @has_thread
 * @has_thread: vcpus_start() has made it
 * @is_down: nothing but a reset lets it go on; written by its thread, and by
 *	others while that waits
 * @exits: exits to user space; written by the thread alone
 */
struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool has_thread;
	bool is_down;
	struct vcpu_exits exits;
};

/**
 * struct vcpus - All of them.
 * @count: how many there are
 * @pause_fd: eventfd, readable while @is_paused: for who waits on a vCPU's thread
 * @lock: guards all that follows; the flags are also read without it
 * @changed: a flag was taken back, or the threads are to end
 * @nr_running: threads that are not in vcpu_park()
 * @parked_fd: eventfd to signal when that gets 0, or -1
 * @is_paused: threads are to leave the guest and wait, as they do at first
 * @is_stopping: they are to end
 * @vcpu: each
 */
struct vcpus {
	unsigned int count;
	int pause_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int nr_running;
	int parked_fd;
	bool is_paused;
	bool is_stopping;
	struct vcpu vcpu[];
};

struct cpuid {
	struct kvm_cpuid2 header;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

/* Performance counters, which kvm_init() leaves out: Intel's, then AMD's. */
static void hide_pmu(struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case 0x1:
		entry->ecx &= ~(1u << 15); /* MSR with their capabilities */
		break;
	case 0xa:
	case 0x80000022:
		entry->eax = 0;
		entry->ebx = 0;
		entry->ecx = 0;
		entry->edx = 0;
		break;
	case 0x80000001:
		entry->ecx &= ~(1u << 23 | 1u << 24 | 1u << 28);
		break;
	}
}

/* Virtualization, Intel's and AMD's: no state of a guest's guest is kept. */
static void hide_nested(struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case 0x1:
		entry->ecx &= ~(1u << 5);
		break;
	case 0x80000001:
		entry->ecx &= ~(1u << 2);
		break;
	case 0x8000000a:
		entry->eax = 0;
		entry->ebx = 0;
		entry->ecx = 0;
		entry->edx = 0;
		break;
	}
}

static void fix_cpuid_entry(const struct vcpu *vcpu,
			    struct kvm_cpuid_entry2 *entry)
{
	unsigned int count = vcpu->vm->config->cpus;

	switch (entry->function) {
	case 0x1:
		entry->ebx &= 0x0000ffff;
		entry->ebx |= vcpu->index << 24 | count << 16;
		entry->ecx |= 1u << 24 | 1u << 31; /* TSC deadline, hypervisor */
		if (count > 1)
			entry->edx |= 1u << 28;	/* the count above is valid */
		break;
	case 0xb:
	case 0x1f:
		entry->edx = vcpu->index;
		break;
	case 0x8000001e:
		entry->eax = vcpu->index;
		break;
	}
}

static int set_cpuid(const struct vcpu *vcpu)
{
	struct cpuid cpuid = { .header.nent = CPUID_ENTRIES_MAX };

	if (ioctl(vcpu->vm->kvm.dev_fd, KVM_GET_SUPPORTED_CPUID, &cpuid))
		return -errno;
	for (uint32_t i = 0; i < cpuid.header.nent; i++) {
		fix_cpuid_entry(vcpu, &cpuid.entries[i]);
		hide_pmu(&cpuid.entries[i]);
		hide_nested(&cpuid.entries[i]);
	}
	return ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid) ? -errno : 0;
}

/* Maps the first 4 GiB onto themselves in pages of 2 MiB. */
static int write_page_tables(struct vm *vm)
{
	uint64_t *table = mem_ptr_write(&vm->mem, LAYOUT_PAGE_TABLES,
					6 * GUEST_PAGE_SIZE);
	uint64_t next = LAYOUT_PAGE_TABLES + GUEST_PAGE_SIZE;

	if (!table)
		return -EFAULT;
	table[0] = next | PTE_TABLE;
	for (uint64_t i = 0; i < 4; i++)
		table[512 + i] = (next + (i + 1) * GUEST_PAGE_SIZE) | PTE_TABLE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		table[1024 + i] = i * 2 * MIB | PTE_LARGE;
	return 0;
}

static int write_gdt(struct vm *vm)
{
	static const uint64_t gdt[] = { 0, 0, GDT_CODE64, GDT_DATA };
	void *where = mem_ptr_write(&vm->mem, LAYOUT_GDT, sizeof(gdt));

	if (!where)
		return -EFAULT;
	memcpy(where, gdt, sizeof(gdt));
	return 0;
}

static struct kvm_segment flat_segment(uint16_t selector, bool is_code)
{
	return (struct kvm_segment) {
		.limit = 0xffffffff,
		.selector = selector,
		.type = is_code ? 11 : 3,
		.present = 1,
		.db = !is_code,
		.s = 1,
		.l = is_code,
		.g = 1,
	};
}

static int set_sregs(const struct vcpu *vcpu)
{
	struct kvm_segment data = flat_segment(BOOT_DS, false);
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs = flat_segment(BOOT_CS, true);
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.gdt.base = LAYOUT_GDT;
	sregs.gdt.limit = 4 * sizeof(uint64_t) - 1;
	sregs.cr0 = CR0_BOOT;
	sregs.cr3 = LAYOUT_PAGE_TABLES;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LME_LMA;
	return ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) ? -errno : 0;
}

/* The other vCPUs wait for the guest to start them, as KVM makes them. */
static int set_boot_state(struct vcpu *vcpu, const struct boot_entry *entry)
{
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rsi = entry->boot_params,
		.rflags = RFLAGS_FIXED,
	};
	int err;

	err = write_page_tables(vcpu->vm);
	if (!err)
		err = write_gdt(vcpu->vm);
	if (!err)
		err = set_sregs(vcpu);
	if (!err && ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		err = -errno;
	return err;
}

static int vcpu_init(struct vcpu *vcpu, bool has_cpuid)
{
	const struct kvm *kvm = &vcpu->vm->kvm;

	vcpu->fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, (long)vcpu->index);
	if (vcpu->fd < 0)
		return -errno;
	vcpu->run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return -errno;
	}
	return has_cpuid ? set_cpuid(vcpu) : 0;
}

static void vcpu_exit(struct vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->vm->kvm.run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
}

int vcpus_create(struct vm *vm, const struct boot_entry *entry)
{
	unsigned int count = vm->config->cpus;
	int err = 0;

	vm->vcpus = calloc(1, sizeof(*vm->vcpus) +
			   count * sizeof(struct vcpu));
	if (!vm->vcpus) {
		log_error("cannot create vCPUs: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	pthread_mutex_init(&vm->vcpus->lock, NULL);
	pthread_cond_init(&vm->vcpus->changed, NULL);
	vm->vcpus->is_paused = true;
	vm->vcpus->parked_fd = -1;
	vm->vcpus->pause_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->vcpus->pause_fd < 0)
		err = -errno;
	while (!err && vm->vcpus->count < count) {
		struct vcpu *vcpu = &vm->vcpus->vcpu[vm->vcpus->count];

		vcpu->vm = vm;
		vcpu->index = vm->vcpus->count++;
		err = vcpu_init(vcpu, entry);
	}
	if (!err && entry)
		err = set_boot_state(&vm->vcpus->vcpu[0], entry);
	if (err) {
		log_error("cannot create vCPU %u of %u: %s",
			  vm->vcpus->count ? vm->vcpus->count - 1 : 0, count,
			  strerror(-err));
		vcpus_destroy(vm);
	}
	return err;
}

void vcpus_destroy(struct vm *vm)
{
	if (!vm->vcpus)
		return;
	while (vm->vcpus->count)
		vcpu_exit(&vm->vcpus->vcpu[--vm->vcpus->count]);
	cleanup_close(&vm->vcpus->pause_fd);
	pthread_cond_destroy(&vm->vcpus->changed);
	pthread_mutex_destroy(&vm->vcpus->lock);
	free(vm->vcpus);
	vm->vcpus = NULL;
}

static void count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static void count_exit(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	struct vcpu_exits *exits = &vcpu->exits;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		count(run->io.direction == KVM_EXIT_IO_OUT ? &exits->io_out :
							     &exits->io_in);
		break;
	case KVM_EXIT_MMIO:
		count(run->mmio.is_write ? &exits->mmio_write :
					   &exits->mmio_read);
		if (run->mmio.phys_addr - LAYOUT_ECAM < LAYOUT_ECAM_SIZE)
			count(&exits->config_space);
		break;
	default:
		count(&exits->other);
	}
}

static void do_pio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	char *data = (char *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(&vcpu->vm->pio, run->io.port, data,
				  run->io.size);
		else
			bus_read(&vcpu->vm->pio, run->io.port, data,
				 run->io.size);
	}
}

static void do_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->mmio.is_write)
		bus_write(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data,
			  run->mmio.len);
	else
		bus_read(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data,
			 run->mmio.len);
}

static void fail(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	struct kvm_regs regs = { 0 };

	ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	log_error("vCPU %u cannot go on: %s %#llx at RIP %#llx", vcpu->index,
		  what, (unsigned long long)detail,
		  (unsigned long long)regs.rip);
	loop_quit(&vcpu->vm->loop, 1);
}

/* Returns whether the vCPU may run on. */
static bool handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	count_exit(vcpu);
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		do_pio(vcpu);
		return true;
	case KVM_EXIT_MMIO:
		do_mmio(vcpu);
		return true;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return true;
	case KVM_EXIT_SHUTDOWN:
		/* Some kernels mean it, reboot=t; others have come to grief. */
		log_guest("vCPU %u: triple fault, taken as a reset",
			  vcpu->index);
		vcpu->is_down = true;
		vcpu->vm->reset(vcpu->vm);
		return true;
	case KVM_EXIT_FAIL_ENTRY:
		fail(vcpu, "entry failed, hardware reason",
		     run->fail_entry.hardware_entry_failure_reason);
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		fail(vcpu, "KVM internal error", run->internal.suberror);
		return false;
	default:
		fail(vcpu, "unknown exit", run->exit_reason);
		return false;
	}
}

/* A page of guest memory without anything behind it ends in EFAULT. */
static void fail_run(struct vcpu *vcpu, int err)
{
	if (err == EFAULT || err == EHWPOISON)
		log_error("guest memory has lost its backing: %s; %s",
			  strerror(err),
			  "was a pmem file truncated, or is its file system full?");
	else
		log_error("vCPU %u cannot run: %s", vcpu->index, strerror(err));
	loop_quit(&vcpu->vm->loop, 1);
}

static void signal_eventfd(int fd)
{
	uint64_t one = 1;

	/* Can only fail if the count is full, and then it is readable. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

/* A thread goes to wait, or ends: the last one tells. @lock held. */
static void leave_guest(struct vcpus *vcpus)
{
	if (!--vcpus->nr_running && vcpus->parked_fd >= 0)
		signal_eventfd(vcpus->parked_fd);
}

/* Waits as long as the VM is paused, or the vCPU has nothing to do but a reset. */
static void vcpu_park(struct vcpu *vcpu)
{
	struct vcpus *vcpus = vcpu->vm->vcpus;

	pthread_mutex_lock(&vcpus->lock);
	leave_guest(vcpus);
	while ((vcpus->is_paused || vcpu->is_down) && !vcpus->is_stopping)
		pthread_cond_wait(&vcpus->changed, &vcpus->lock);
	vcpus->nr_running++;
	pthread_mutex_unlock(&vcpus->lock);
}

/*
 * Time has gone on: the guest's watchdog is told why, if its clock is KVM's;
 * otherwise KVM refuses.
 */
static void vcpu_pause(struct vcpu *vcpu)
{
	vcpu_park(vcpu);
	if (!vcpus_are_pausing(vcpu->vm))
		ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

/*
 * A vCPU waits only where KVM has said that it was interrupted: what the exit
 * before that asked for has taken effect in the vCPU's registers by then.
 */
static bool run_once(struct vcpu *vcpu)
{
	if (vcpu->is_down) {
		vcpu_park(vcpu);
		return true;
	}
	if (!ioctl(vcpu->fd, KVM_RUN, 0))
		return handle_exit(vcpu);
	if (errno != EINTR && errno != EAGAIN) {
		fail_run(vcpu, errno);
		return false;
	}
	if (vcpus_are_pausing(vcpu->vm))
		vcpu_pause(vcpu);
	return true;
}

static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vcpus *vcpus = vcpu->vm->vcpus;

	vcpu_park(vcpu);
	while (!__atomic_load_n(&vcpus->is_stopping, __ATOMIC_ACQUIRE) &&
	       run_once(vcpu))
		;
	pthread_mutex_lock(&vcpus->lock);
	leave_guest(vcpus);
	pthread_mutex_unlock(&vcpus->lock);
	return NULL;
}

/* Only there to interrupt a system call. */
static void ignore_signal(int signal)
{
}

int vcpus_start(struct vm *vm)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	int err = 0;

	sigaction(STOP_SIGNAL, &action, NULL);
	vm->vcpus->nr_running = vm->vcpus->count;
	for (unsigned int i = 0; !err && i < vm->vcpus->count; i++) {
		struct vcpu *vcpu = &vm->vcpus->vcpu[i];

		err = thread_create(&vcpu->thread, STOP_SIGNAL, run_vcpu, vcpu);
		vcpu->has_thread = !err;
	}
	if (err) {
		log_error("cannot start the vCPU threads: %s", strerror(-err));
		vcpus_stop(vm);
	}
	return err;
}

/* Makes KVM_RUN return, also one that is yet to come. */
static void kick_vcpu(struct vcpu *vcpu)
{
	/* ORDER: before the signal, which may be taken before KVM_RUN. */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, STOP_SIGNAL);
}

void vcpus_pause(struct vm *vm, int parked_fd)
{
	struct vcpus *vcpus = vm->vcpus;

	pthread_mutex_lock(&vcpus->lock);
	vcpus->parked_fd = parked_fd;
	if (!vcpus->nr_running)
		signal_eventfd(parked_fd);
	/* ORDER: before immediate_exit, whose effect asks for it. */
	__atomic_store_n(&vcpus->is_paused, true, __ATOMIC_SEQ_CST);
	signal_eventfd(vcpus->pause_fd);
	for (unsigned int i = 0; i < vcpus->count; i++)
		kick_vcpu(&vcpus->vcpu[i]);
	pthread_mutex_unlock(&vcpus->lock);
}

bool vcpus_are_parked(const struct vm *vm)
{
	struct vcpus *vcpus = vm->vcpus;
	bool are_parked;

	pthread_mutex_lock(&vcpus->lock);
	are_parked = vcpus->is_paused && !vcpus->nr_running;
	pthread_mutex_unlock(&vcpus->lock);
	return are_parked;
}

void vcpus_resume(struct vm *vm)
{
	struct vcpus *vcpus = vm->vcpus;
	uint64_t count;

	pthread_mutex_lock(&vcpus->lock);
	for (unsigned int i = 0; i < vcpus->count; i++)
		__atomic_store_n(&vcpus->vcpu[i].run->immediate_exit, 0,
				 __ATOMIC_SEQ_CST);
	vcpus->parked_fd = -1;
	__atomic_store_n(&vcpus->is_paused, false, __ATOMIC_SEQ_CST);
	if (read(vcpus->pause_fd, &count, sizeof(count)) < 0)
		log_debug("the vCPUs were not paused");
	pthread_cond_broadcast(&vcpus->changed);
	pthread_mutex_unlock(&vcpus->lock);
}

void vcpus_revive(struct vm *vm)
{
	struct vcpus *vcpus = vm->vcpus;

	pthread_mutex_lock(&vcpus->lock);
	for (unsigned int i = 0; i < vcpus->count; i++)
		vcpus->vcpu[i].is_down = false;
	pthread_mutex_unlock(&vcpus->lock);
}

bool vcpus_are_pausing(const struct vm *vm)
{
	return __atomic_load_n(&vm->vcpus->is_paused, __ATOMIC_SEQ_CST);
}

int vcpus_pause_fd(const struct vm *vm)
{
	return vm->vcpus->pause_fd;
}

/*
 * A signal that comes right before a system call that waits is lost on it, as
 * a write to a console that nobody reads is: so it is sent until it works.
 */
static void end_thread(struct vcpu *vcpu)
{
	struct timespec until;

	do {
		kick_vcpu(vcpu);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
	} while (pthread_clockjoin_np(vcpu->thread, NULL, CLOCK_MONOTONIC,
				      &until));
	vcpu->has_thread = false;
}

static void log_exits(const struct vm *vm)
{
	struct vcpu_exits sum;

	vcpus_count_exits(vm, &sum);
	log_info("exits to user space: ports %llu in, %llu out; registers %llu read, %llu written, %llu of these in PCI configuration space; other %llu",
		 (unsigned long long)sum.io_in, (unsigned long long)sum.io_out,
		 (unsigned long long)sum.mmio_read,
		 (unsigned long long)sum.mmio_write,
		 (unsigned long long)sum.config_space,
		 (unsigned long long)sum.other);
}

void vcpus_stop(struct vm *vm)
{
	struct vcpus *vcpus = vm->vcpus;

	pthread_mutex_lock(&vcpus->lock);
	__atomic_store_n(&vcpus->is_stopping, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&vcpus->changed);
	pthread_mutex_unlock(&vcpus->lock);
	for (unsigned int i = 0; i < vm->vcpus->count; i++) {
		if (vm->vcpus->vcpu[i].has_thread)
			end_thread(&vm->vcpus->vcpu[i]);
	}
	log_exits(vm);
}

static void add(uint64_t *sum, const uint64_t *counter)
{
	*sum += __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void vcpus_count_exits(const struct vm *vm, struct vcpu_exits *sum)
{
	*sum = (struct vcpu_exits) { 0 };
	for (unsigned int i = 0; vm->vcpus && i < vm->vcpus->count; i++) {
		const struct vcpu_exits *exits = &vm->vcpus->vcpu[i].exits;

		add(&sum->io_in, &exits->io_in);
		add(&sum->io_out, &exits->io_out);
		add(&sum->mmio_read, &exits->mmio_read);
		add(&sum->mmio_write, &exits->mmio_write);
		add(&sum->config_space, &exits->config_space);
		add(&sum->other, &exits->other);
	}
}

int vcpus_fd(const struct vm *vm, unsigned int index)
{
	return vm->vcpus->vcpu[index].fd;
}

uint64_t vcpus_exits(const struct vm *vm)
{
	struct vcpu_exits sum;

	vcpus_count_exits(vm, &sum);
	return sum.io_in + sum.io_out + sum.mmio_read + sum.mmio_write +
	       sum.other;
}
