/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPUs: their registers, threads and exits. */
#ifndef VCPU_H
#define VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct vm;

/**
 * struct boot_entry - Where the first vCPU begins, in 64-bit mode.
 * @rip: guest-physical address of the first instruction
 * @boot_params: guest-physical address of the zero page, for RSI
 */
struct boot_entry {
	uint64_t rip;
	uint64_t boot_params;
};

/**
 * struct vcpu_exits - Exits to user space, by what the guest did.
 * @io_in: reads of ports
 * @io_out: writes to ports that no ioeventfd takes
 * @mmio_read: reads of registers that are no memory to the guest
 * @mmio_write: writes to registers that no ioeventfd takes
 * @config_space: those of the two before that were to PCI configuration space
 * @other: all else
 */
struct vcpu_exits {
	uint64_t io_in;
	uint64_t io_out;
	uint64_t mmio_read;
	uint64_t mmio_write;
	uint64_t config_space;
	uint64_t other;
};

/**
 * vcpus_create() - Create config->cpus vCPUs, the first one set up to boot.
 * @vm: VM whose memory holds what @entry points to
 * @entry: where to begin; NULL: all their state is to be loaded
 *
 * Return: 0, or -errno after one line of error.
 */
int vcpus_create(struct vm *vm, const struct boot_entry *entry);

/**
 * vcpus_start() - Start the vCPUs' threads, which wait for vcpus_resume().
 *
 * So that no thread has to be started once the sandbox is entered.
 *
 * Return: 0, or -errno after one line of error.
 */
int vcpus_start(struct vm *vm);

/** vcpus_resume() - Let the guest run, for the first time or after a pause. */
void vcpus_resume(struct vm *vm);

/**
 * vcpus_pause() - Bring all vCPUs out of the guest; does not wait for it.
 * @parked_fd: eventfd to signal when all are out
 *
 * A vCPU that waits for a disk, for an inline sync or a page of a file, is out
 * when the disk has answered.
 */
void vcpus_pause(struct vm *vm, int parked_fd);

/** vcpus_revive() - Paused: those that have shut down have been reset. */
void vcpus_revive(struct vm *vm);

/** vcpus_are_parked() - Whether a pause has brought all vCPUs out. */
bool vcpus_are_parked(const struct vm *vm);

/**
 * vcpus_are_pausing() - Whether vCPUs are to leave the guest, or have.
 *
 * For a vCPU's thread that would wait for something else: it can wait for
 * vcpus_pause_fd(), which is readable as long as this is true.
 */
bool vcpus_are_pausing(const struct vm *vm);
int vcpus_pause_fd(const struct vm *vm);

/** vcpus_stop() - After vcpus_start(): bring all vCPUs out and end their threads. */
void vcpus_stop(struct vm *vm);

/** vcpus_destroy() - Undo vcpus_create(); after vcpus_stop(). */
void vcpus_destroy(struct vm *vm);

/** vcpus_fd() - KVM's descriptor of a vCPU, for reading and writing its state. */
int vcpus_fd(const struct vm *vm, unsigned int index);

/** vcpus_exits() - Exits to user space so far, of all vCPUs. Any thread. */
uint64_t vcpus_exits(const struct vm *vm);

/** vcpus_count_exits() - The same in detail. */
void vcpus_count_exits(const struct vm *vm, struct vcpu_exits *sum);

#endif /* VCPU_H */
