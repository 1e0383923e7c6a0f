// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state of a machine without its memory. Asks each part for its own, and
 * tells each its own; state_json.c owns the form.
 */
#include "state.h"

#include "config.h"
#include "pci.h"
#include "serial.h"
#include "state_json.h"
#include "util.h"
#include "vcpu.h"
#include "vcpu_state.h"
#include "virtio_pmem.h"
#include "vm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/**
 * struct machine_state - All of it.
 * @vcpus: config->cpus of them
 * @pmem: config->nr_pmem of them
 */
struct machine_state {
	struct chip_state chips;
	struct serial_state serial;
	struct bus_state bus;
	struct vcpu_state *vcpus;
	struct virtio_pmem_state *pmem;
};

__attribute__((format(printf, 3, 4)))
static int refuse(struct state_error *error, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	return err;
}

static void machine_state_free(struct machine_state *state)
{
	if (!state)
		return;
	free(state->vcpus);
	free(state->pmem);
	free(state);
}

static struct machine_state *machine_state_alloc(const struct vm *vm)
{
	struct machine_state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	state->vcpus = calloc(vm->config->cpus, sizeof(*state->vcpus));
	/* One more, as none is not an error. */
	state->pmem = calloc(vm->config->nr_pmem + 1, sizeof(*state->pmem));
	if (state->vcpus && state->pmem)
		return state;
	machine_state_free(state);
	return NULL;
}

/* From the machine */

static int take_vcpus(struct vm *vm, struct machine_state *state,
		      struct state_error *error)
{
	for (unsigned int i = 0; i < vm->config->cpus; i++) {
		int err = vcpu_state_save(&vm->kvm, vcpus_fd(vm, i),
					  &state->vcpus[i]);

		if (err)
			return refuse(error, err, "vCPU %u cannot be read: %s", i,
				      strerror(-err));
	}
	return 0;
}

static int take_pmem(struct vm *vm, struct machine_state *state,
		     struct state_error *error)
{
	for (size_t i = 0; i < vm->config->nr_pmem; i++) {
		int err = virtio_pmem_save(vm->pmem[i], &state->pmem[i]);

		if (err)
			return refuse(error, err, "pmem %s cannot be read: %s",
				      vm->config->pmem[i].id, strerror(-err));
	}
	return 0;
}

static int take_machine(struct vm *vm, struct machine_state *state,
			struct state_error *error)
{
	int err;

	err = take_vcpus(vm, state, error);
	if (err)
		return err;
	err = chip_state_save(&vm->kvm, &state->chips);
	if (err)
		return refuse(error, err, "the interrupt controllers cannot be read: %s",
			      strerror(-err));
	serial_save(vm, &state->serial);
	pci_save(pci_bridge(vm), &state->bus.bridge);
	state->bus.is_trapping = pci_is_trapping(vm);
	return take_pmem(vm, state, error);
}

static json_t *write_machine(const struct vm *vm,
			     const struct machine_state *state)
{
	json_t *vcpus = json_array(), *pmem = json_array();
	int err = 0;

	for (unsigned int i = 0; i < vm->config->cpus && !err; i++)
		err = json_array_append_new(vcpus,
					    state_json_vcpu(&state->vcpus[i]));
	for (size_t i = 0; i < vm->config->nr_pmem && !err; i++)
		err = json_array_append_new(pmem,
					    state_json_pmem(&state->pmem[i]));
	if (err) {
		json_decref(vcpus);
		json_decref(pmem);
		return NULL;
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o}",
			 "chips", state_json_chips(&state->chips),
			 "serial", state_json_serial(&state->serial),
			 "pci", state_json_bus(&state->bus),
			 "pmem", pmem, "vcpus", vcpus);
}

json_t *state_save(struct vm *vm, struct state_error *error)
{
	struct machine_state *state = machine_state_alloc(vm);
	json_t *object = NULL;

	refuse(error, 0, "out of memory");
	if (state && !take_machine(vm, state, error))
		object = write_machine(vm, state);
	machine_state_free(state);
	if (object)
		error->text[0] = '\0';
	return object;
}

/* To the machine */

static int read_vcpus(const struct vm *vm, const json_t *array,
		      struct machine_state *state, const char **where)
{
	*where = "vcpus";
	if (json_array_size(array) != vm->config->cpus)
		return -EINVAL;
	for (unsigned int i = 0; i < vm->config->cpus; i++) {
		if (state_json_read_vcpu(json_array_get(array, i),
					 &state->vcpus[i], where))
			return -EINVAL;
	}
	return 0;
}

static int read_pmem(const struct vm *vm, const json_t *array,
		     struct machine_state *state, const char **where)
{
	*where = "pmem";
	if (json_array_size(array) != vm->config->nr_pmem)
		return -EINVAL;
	for (size_t i = 0; i < vm->config->nr_pmem; i++) {
		if (state_json_read_pmem(json_array_get(array, i),
					 &state->pmem[i], where))
			return -EINVAL;
	}
	return 0;
}

static int read_machine(const struct vm *vm, const json_t *object,
			struct machine_state *state, const char **where)
{
	int err;

	err = state_json_read_chips(json_object_get(object, "chips"),
				    &state->chips, where);
	if (!err)
		err = state_json_read_serial(json_object_get(object, "serial"),
					     &state->serial, where);
	if (!err)
		err = state_json_read_bus(json_object_get(object, "pci"),
					  &state->bus, where);
	if (!err)
		err = read_pmem(vm, json_object_get(object, "pmem"), state,
				where);
	if (!err)
		err = read_vcpus(vm, json_object_get(object, "vcpus"), state,
				 where);
	return err;
}

static int check_machine(struct vm *vm, const struct machine_state *state,
			 bool is_new, struct state_error *error)
{
	if (!pci_is_same(pci_bridge(vm), &state->bus.bridge))
		return refuse(error, -EINVAL, "its PCI bus is not as this program makes it");
	for (size_t i = 0; i < vm->config->nr_pmem; i++) {
		const char *why = virtio_pmem_check(vm->pmem[i],
						    &state->pmem[i], is_new);

		if (why)
			return refuse(error, -EINVAL, "pmem %s, %s: %s",
				      vm->config->pmem[i].id,
				      vm->config->pmem[i].path, why);
	}
	return 0;
}

static int load_vcpus(struct vm *vm, const struct machine_state *state,
		      bool is_new, struct state_error *error)
{
	for (unsigned int i = 0; i < vm->config->cpus; i++) {
		const char *what = "cpuid";
		int fd = vcpus_fd(vm, i);
		int err = 0;

		if (is_new)
			err = vcpu_state_set_cpuid(&vm->kvm, fd,
						   &state->vcpus[i]);
		if (!err)
			err = vcpu_state_load(fd, &state->vcpus[i], &what);
		if (err)
			return refuse(error, err,
				      "vCPU %u: this host's KVM does not take its %s: %s",
				      i, what, strerror(-err));
	}
	return 0;
}

/* ORDER: vCPUs before devices, which may interrupt them. */
static int load_machine(struct vm *vm, const struct machine_state *state,
			bool is_new, struct state_error *error)
{
	int err = chip_state_load(&vm->kvm, &state->chips);

	if (err)
		return refuse(error, err,
			      "this host's KVM does not take its interrupt controllers: %s",
			      strerror(-err));
	err = load_vcpus(vm, state, is_new, error);
	if (err)
		return err;
	serial_load(vm, &state->serial);
	pci_load(pci_bridge(vm), &state->bus.bridge);
	err = pci_set_trapping(vm, state->bus.is_trapping);
	if (err)
		return refuse(error, err, "PCI configuration space cannot be mapped: %s",
			      strerror(-err));
	for (size_t i = 0; i < vm->config->nr_pmem; i++)
		virtio_pmem_load(vm->pmem[i], &state->pmem[i]);
	return 0;
}

int state_load(struct vm *vm, const json_t *object, bool is_new,
	       struct state_error *error)
{
	struct machine_state *state = machine_state_alloc(vm);
	const char *where = "";
	int err;

	if (!state)
		return refuse(error, -ENOMEM, "out of memory");
	err = read_machine(vm, object, state, &where);
	if (err)
		refuse(error, err, "damaged: its '%s' is missing or wrong", where);
	else
		err = check_machine(vm, state, is_new, error);
	if (!err)
		err = load_machine(vm, state, is_new, error);
	machine_state_free(state);
	return err;
}
