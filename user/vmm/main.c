// SPDX-License-Identifier: GPL-2.0-or-later
/* The ladder: create in visible order, run, destroy in reverse. */
#include "acpi.h"
#include "config.h"
#include "control.h"
#include "linux_boot.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "pause.h"
#include "pci.h"
#include "reboot.h"
#include "reset.h"
#include "restore.h"
#include "sandbox.h"
#include "serial.h"
#include "util.h"
#include "vcpu.h"
#include "virtio_pmem.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_USAGE	2

/**
 * struct signals - Those that end the VM in order, on the event loop.
 * @source: signalfd
 * @vm: VM to end
 */
struct signals {
	struct loop_source source;
	struct vm *vm;
};

static void take_signal(struct loop_source *source, uint32_t events)
{
	struct signals *signals = container_of(source, struct signals, source);
	struct signalfd_siginfo info;

	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_info("ending on signal %u", info.ssi_signo);
	loop_quit(&signals->vm->loop, 0);
}

/* What the caller has us ignore, as nohup does, stays so. */
static void add_unless_ignored(sigset_t *set, int number)
{
	struct sigaction action;

	if (!sigaction(number, NULL, &action) && action.sa_handler != SIG_IGN)
		sigaddset(set, number);
}

static int signals_init(struct signals *signals, struct vm *vm)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	add_unless_ignored(&set, SIGINT);
	add_unless_ignored(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	/* Where a file gets too large for a limit, the error is enough. */
	signal(SIGXFSZ, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signals->vm = vm;
	signals->source.fn = take_signal;
	signals->source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	err = signals->source.fd < 0 ? -errno :
	      loop_add(&vm->loop, &signals->source);
	if (err)
		log_error("cannot watch for signals: %s", strerror(-err));
	return err;
}

/* Who interrupts again while the VM is ending does not want to wait for it. */
static void allow_interrupt(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void signals_exit(struct signals *signals)
{
	if (signals->source.fd >= 0)
		close(signals->source.fd);
}

/* A guest that begins. */
static int machine_boot(struct vm *vm)
{
	struct boot_entry entry;
	int err = linux_boot_load(vm, &entry);

	if (!err)
		err = acpi_build(vm);
	if (!err)
		err = reset_build(vm);
	if (!err)
		err = vcpus_create(vm, &entry);
	return err ? err : reboot_create(vm);
}

/* A guest that goes on. */
static int machine_restore(struct vm *vm, const json_t *state)
{
	int err = vcpus_create(vm, NULL);

	return err ? err : restore_load(vm, state);
}

/* What the machine is made of; @state is that of a snapshot, or NULL. */
static int machine_create(struct vm *vm, const json_t *state)
{
	int err;

	err = serial_create(vm);
	if (err)
		return err;
	err = pci_create(vm);
	if (err)
		goto err_serial;
	err = virtio_pmem_create(vm);
	if (err)
		goto err_pci;
	err = acpi_create(vm);
	if (!err)
		err = reset_create(vm);
	if (!err)
		err = state ? machine_restore(vm, state) : machine_boot(vm);
	if (!err)
		return 0;
	reboot_destroy(vm);
	vcpus_destroy(vm);
	virtio_pmem_destroy_all(vm);
err_pci:
	pci_destroy(vm);
err_serial:
	serial_destroy(vm);
	return err;
}

static void machine_destroy(struct vm *vm)
{
	reboot_destroy(vm);
	vcpus_destroy(vm);
	virtio_pmem_destroy_all(vm);
	pci_destroy(vm);
	serial_destroy(vm);
}

/* Of each part of the program that is as it is in its file. */
static int unmap_pages(struct dl_phdr_info *program, size_t size, void *unused)
{
	uintptr_t page = sysconf(_SC_PAGESIZE);

	(void)size;
	(void)unused;
	for (int i = 0; i < program->dlpi_phnum; i++) {
		const Elf64_Phdr *part = &program->dlpi_phdr[i];
		uintptr_t start = program->dlpi_addr + part->p_vaddr;
		uintptr_t end = ALIGN_UP(start + part->p_memsz, page);

		start = ALIGN_DOWN(start, page);
		if (part->p_type == PT_LOAD && !(part->p_flags & PF_W))
			madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

/*
 * What it took to set up is not needed any more: neither its memory nor its
 * code. Pages of code that are needed after all are found in the page cache.
 */
static void shed_setup(void)
{
	malloc_trim(0);
	dl_iterate_phdr(unmap_pages, NULL);
}

/*
 * Runs the guest to its end. The exit code is that of the event loop, unless
 * data that the guest may believe safe could not be synced.
 */
static int machine_run(struct vm *vm)
{
	int code = 1;

	if (vcpus_start(vm))
		return 1;
	if (!sandbox_enter(vm->config)) {
		shed_setup();
		virtio_pmem_resume_all(vm);
		vcpus_resume(vm);
		code = loop_run(&vm->loop);
	}
	serial_release(vm);
	allow_interrupt();
	vcpus_stop(vm);
	if (virtio_pmem_sync_all(vm))
		code = 1;
	return code;
}

static int run_in_loop(struct vm *vm, const json_t *state)
{
	struct signals signals = { .source.fd = -1 };
	struct metrics *metrics = NULL;
	struct control *control = NULL;
	int code = 1;

	if (!signals_init(&signals, vm) && !pause_create(&vm->pause, vm) &&
	    !metrics_create(&metrics, vm) && !control_create(&control, vm) &&
	    !machine_create(vm, state)) {
		code = machine_run(vm);
		metrics_finish(metrics);
		/* ORDER: a snapshot may be looking at the machine. */
		control_destroy(control);
		control = NULL;
		machine_destroy(vm);
	}
	control_destroy(control);
	metrics_destroy(metrics);
	pause_destroy(vm->pause);
	signals_exit(&signals);
	return code;
}

/* The guest's RAM: empty, or that of a snapshot. */
static int memory_create(struct vm *vm)
{
	char *path AUTO_FREE = NULL;
	const struct config *config = vm->config;

	if (!config->restore_path)
		return mem_init(&vm->mem, &vm->kvm, config->memory_bytes);
	path = restore_memory_path(config);
	if (!path) {
		log_error("cannot restore: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	return mem_init_file(&vm->mem, &vm->kvm, config->memory_bytes, path);
}

static int vm_run(struct vm *vm, const json_t *state)
{
	int code = 1;

	if (kvm_init(&vm->kvm))
		return 1;
	if (memory_create(vm))
		goto out_kvm;
	bus_init(&vm->pio);
	bus_init(&vm->mmio);
	if (irq_init(&vm->irq, &vm->kvm)) {
		log_error("cannot set up interrupt routing");
		goto out_bus;
	}
	if (loop_init(&vm->loop)) {
		log_error("cannot create the event loop: %s", strerror(errno));
		goto out_irq;
	}
	code = run_in_loop(vm, state);
	loop_exit(&vm->loop);
out_irq:
	irq_exit(&vm->irq);
out_bus:
	bus_exit(&vm->mmio);
	bus_exit(&vm->pio);
	mem_exit(&vm->mem);
out_kvm:
	kvm_exit(&vm->kvm);
	return code;
}

/* The user's own mistakes first, before anything of the host's. */
static int check_files(const struct config *config)
{
	if (access(config->kernel, R_OK)) {
		log_error("cannot open kernel %s: %s", config->kernel,
			  strerror(errno));
		return -1;
	}
	if (config->initrd && access(config->initrd, R_OK)) {
		log_error("cannot open initrd %s: %s", config->initrd,
			  strerror(errno));
		return -1;
	}
	return 0;
}

static int run_restored(struct vm *vm, struct config *config)
{
	json_t *state = NULL;
	int code = 1;

	if (!restore_read(config, &state)) {
		config_resolve_paths(config);
		code = vm_run(vm, state);
	}
	json_decref(state);
	return code;
}

static int run(struct vm *vm, struct config *config)
{
	log_set_level(LOG_LEVEL_WARN + config->verbosity);
	if (config->log_path && log_open(config->log_path))
		return 1;
	if (config->restore_path)
		return run_restored(vm, config);
	config_warn(config);
	config_resolve_paths(config);
	return check_files(config) ? 1 : vm_run(vm, NULL);
}

/*
 * Who starts us may have closed standard descriptors. What we open next would take
 * their place, and messages would go into the guest's memory.
 */
static int open_standard(void)
{
	int fd, err;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* What is opened gets the lowest number that is free: this one. */
		if (fcntl(fd, F_GETFD) >= 0 || open("/dev/null", O_RDWR) == fd)
			continue;
		err = -errno;
		log_error("cannot open /dev/null for a closed standard descriptor: %s",
			  strerror(-err));
		return err;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct config config;
	static struct vm vm = { .config = &config, .reset = reboot_request };
	enum options_result result;
	int code;

	/* ORDER: before anything else is opened. */
	if (open_standard())
		return 1;
	result = options_parse(&config, argc, argv);
	/* ORDER: before there are threads. Heaps of their own would be shrunk by a
	 * look into /proc, which the sandbox forbids.
	 */
	mallopt(M_ARENA_MAX, 1);
	if (result == OPTIONS_OK)
		code = run(&vm, &config);
	else
		code = result == OPTIONS_EXIT_OK ? 0 : EXIT_USAGE;
	config_exit(&config);
	return code;
}
