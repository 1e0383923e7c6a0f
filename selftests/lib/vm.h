/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest under test: runs vpmem-vmm, reads its console, waits for its end. */
#ifndef VM_TEST_H
#define VM_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define VM_KERNEL	"/lib/vpmem/l2/vmlinuz"
#define VM_INITRD	"/lib/vpmem/l2/initrd.img"

/* Unpacking Debian's 6.1 takes longer than its start. */
#define VM_CACHE	"/run/kernels"

/* Of tests with guests=all in settings: the same as ELF, the other series. */
#define VM_ELF		"/lib/vpmem/l2/vmlinux"
#define VM_OTHER_KERNEL	"/lib/vpmem/l2/other/vmlinuz"
#define VM_OTHER_INITRD	"/lib/vpmem/l2/other/initrd.img"

#define VM_ARGS_MAX	96

/**
 * struct vm_test - A running vpmem-vmm.
 * @pid: its process, 0 when it was waited for
 * @out_fd: pipe from its standard output and error
 * @in_fd: pipe to its standard input
 * @text: all that it wrote so far, NUL-terminated
 * @len: bytes of it
 * @seen: how far vm_expect() has looked
 */
struct vm_test {
	pid_t pid;
	int out_fd;
	int in_fd;
	char text[1 << 18];
	size_t len;
	size_t seen;
};

/**
 * vm_start() - Start vpmem-vmm with a guest that runs a command and ends.
 * @vm: filled in
 * @run: program in the guest with arguments separated by commas
 * @nr_pmem: number of devices that the guest waits for
 * @args: more arguments for vpmem-vmm, NULL-terminated
 *
 * Return: 0 or -errno.
 */
int vm_start(struct vm_test *vm, const char *run, int nr_pmem,
	     const char *const args[]);

/**
 * vm_start_as() - The same in changed circumstances.
 * @prepare: called in the new process, with its descriptors in place, before
 *	vpmem-vmm is executed; 0, or -1 and errno
 */
int vm_start_as(struct vm_test *vm, int (*prepare)(void), const char *run,
		int nr_pmem, const char *const args[]);

/**
 * vm_exec() - Start vpmem-vmm with these arguments only.
 */
int vm_exec(struct vm_test *vm, const char *const args[]);
int vm_exec_as(struct vm_test *vm, int (*prepare)(void),
	       const char *const args[]);

/**
 * vm_expect() - Wait for text that was not yet looked at.
 * @vm: guest
 * @text: what to wait for
 * @timeout_s: how long, times patience()
 *
 * Later calls look behind what was found.
 *
 * Return: 0; -ETIME; -EPIPE if the VMM ended without it.
 */
int vm_expect(struct vm_test *vm, const char *text, int timeout_s);

/** vm_has() - Whether the VMM ever wrote @text. */
bool vm_has(const struct vm_test *vm, const char *text);

/** vm_count() - How often the VMM wrote @text. */
int vm_count(const struct vm_test *vm, const char *text);

/**
 * vm_wait() - Wait for the end of the VMM, @timeout_s times patience() seconds.
 * Return: its exit status, 128 + n for signal n, or -ETIME.
 */
int vm_wait(struct vm_test *vm, int timeout_s);

/** vm_say() - Type @text on the guest's console; 0 or -errno. */
int vm_say(struct vm_test *vm, const char *text);

/**
 * vm_kvm_stat() - A counter that KVM has of the VM, from debugfs.
 * @name: as there: "exits", "mmio_exits", ...
 *
 * Return: it, or -errno.
 */
long long vm_kvm_stat(const struct vm_test *vm, const char *name);

/** vm_end() - Kill the VMM if it runs and release everything; once or more. */
void vm_end(struct vm_test *vm);

/** vm_make_file() - Create or empty a file of @size bytes; 0 or -errno. */
int vm_make_file(const char *path, off_t size);

#endif /* VM_TEST_H */
