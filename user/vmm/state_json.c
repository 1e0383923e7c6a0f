// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parts of a machine's state as JSON, and back. Tables of fields say what is
 * where, so that writing and reading cannot differ.
 */
#include "state_json.h"

#include "util.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* How a field is written. */
enum field_kind {
	FIELD_NUMBER,	/* unsigned, of @bytes: a string in hexadecimal */
	FIELD_BOOL,	/* true or false */
	FIELD_BYTES,	/* exactly @bytes: pairs of hexadecimal digits */
};

/**
 * struct field - A member of a struct.
 * @name: key in the object
 * @kind: how it is written
 * @offset: where it is in the struct
 * @bytes: its size
 */
struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
	size_t bytes;
};

#define FIELD(kind, type, key, member)					\
	{ key, kind, offsetof(type, member),				\
	  sizeof(((type *)NULL)->member) }

/* Hexadecimal */

static char *to_hex(const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	char *text = malloc(2 * len + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * len] = '\0';
	return text;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads up to @max bytes; how many, or -1 if @text is something else. */
static ssize_t from_hex(const json_t *value, void *data, size_t max)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	uint8_t *bytes = data;

	if (!text || len % 2 || len / 2 > max)
		return -1;
	for (size_t i = 0; i < len / 2; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = high << 4 | low;
	}
	return len / 2;
}

static json_t *json_bytes(const void *data, size_t len)
{
	char *text = to_hex(data, len);
	json_t *value = text ? json_string(text) : NULL;

	free(text);
	return value;
}

/* JSON's own numbers do not hold 64 bits without a sign. */
static json_t *json_number(uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)number);
	return json_string(text);
}

static int read_number(const json_t *value, size_t bytes, uint64_t *number)
{
	const char *text = json_string_value(value);
	uint64_t sum = 0;

	if (!text || strncmp(text, "0x", 2) || !text[2] || strlen(text) > 18)
		return -EINVAL;
	for (text += 2; *text; text++) {
		if (digit(*text) < 0)
			return -EINVAL;
		sum = sum << 4 | digit(*text);
	}
	if (bytes < sizeof(sum) && sum >> (8 * bytes))
		return -EINVAL;
	*number = sum;
	return 0;
}

/* Fields; the machine is little-endian, so a number's low bytes come first. */

static json_t *write_field(const struct field *field, const void *data)
{
	const char *at = (const char *)data + field->offset;
	uint64_t number = 0;

	switch (field->kind) {
	case FIELD_NUMBER:
		memcpy(&number, at, field->bytes);
		return json_number(number);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	default:
		return json_bytes(at, field->bytes);
	}
}

static int write_fields(json_t *object, const struct field *fields, size_t nr,
			const void *data)
{
	int err = 0;

	for (size_t i = 0; i < nr && !err; i++)
		err = json_object_set_new(object, fields[i].name,
					  write_field(&fields[i], data));
	return err;
}

static int read_field(const json_t *value, const struct field *field, void *data)
{
	char *at = (char *)data + field->offset;
	uint64_t number;

	switch (field->kind) {
	case FIELD_NUMBER:
		if (read_number(value, field->bytes, &number))
			return -EINVAL;
		memcpy(at, &number, field->bytes);
		return 0;
	case FIELD_BOOL:
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value) ? 0 : -EINVAL;
	default:
		return from_hex(value, at, field->bytes) ==
		       (ssize_t)field->bytes ? 0 : -EINVAL;
	}
}

static int read_fields(const json_t *object, const struct field *fields,
		       size_t nr, void *data, const char **where)
{
	for (size_t i = 0; i < nr; i++) {
		*where = fields[i].name;
		if (read_field(json_object_get(object, fields[i].name),
			       &fields[i], data))
			return -EINVAL;
	}
	return 0;
}

/* An object with these fields; @err tells of those that are there already. */
static json_t *finish(json_t *object, int err)
{
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

/* vCPUs */

#define VCPU_BYTES(member)	FIELD(FIELD_BYTES, struct vcpu_state, #member, member)

static const struct field vcpu_fields[] = {
	VCPU_BYTES(mp_state), VCPU_BYTES(regs), VCPU_BYTES(sregs),
	VCPU_BYTES(xsave), VCPU_BYTES(xcrs), VCPU_BYTES(debugregs),
	VCPU_BYTES(lapic), VCPU_BYTES(events),
	FIELD(FIELD_NUMBER, struct vcpu_state, "tsc_khz", tsc_khz),
};

static json_t *json_msrs(const struct vcpu_state *state)
{
	json_t *msrs = json_object();
	char index[16];
	int err = 0;

	for (uint32_t i = 0; i < state->nr_msrs && !err; i++) {
		snprintf(index, sizeof(index), "0x%x", state->msrs[i].index);
		err = json_object_set_new(msrs, index,
					  json_number(state->msrs[i].data));
	}
	return finish(msrs, err);
}

json_t *state_json_vcpu(const struct vcpu_state *state)
{
	json_t *object = json_object();
	int err = write_fields(object, vcpu_fields, ARRAY_SIZE(vcpu_fields),
			       state);

	if (!err)
		err = json_object_set_new(object, "msrs", json_msrs(state));
	if (!err)
		err = json_object_set_new(object, "cpuid",
					  json_bytes(state->cpuid,
						     state->nr_cpuid *
						     sizeof(state->cpuid[0])));
	return finish(object, err);
}

static int read_msrs(const json_t *msrs, struct vcpu_state *state)
{
	const char *index;
	json_t *value;

	if (!json_is_object(msrs) || json_object_size(msrs) > VCPU_MSRS_MAX)
		return -EINVAL;
	state->nr_msrs = 0;
	json_object_foreach((json_t *)msrs, index, value) {
		struct kvm_msr_entry *msr = &state->msrs[state->nr_msrs];
		json_t *key = json_string(index);
		uint64_t number = 0, data = 0;
		int err = read_number(key, sizeof(msr->index), &number);

		json_decref(key);
		if (err || read_number(value, sizeof(msr->data), &data))
			return -EINVAL;
		*msr = (struct kvm_msr_entry) { .index = number, .data = data };
		state->nr_msrs++;
	}
	return 0;
}

static int read_cpuid(const json_t *value, struct vcpu_state *state)
{
	ssize_t len = from_hex(value, state->cpuid, sizeof(state->cpuid));

	if (len < 0 || len % sizeof(state->cpuid[0]))
		return -EINVAL;
	state->nr_cpuid = len / sizeof(state->cpuid[0]);
	return 0;
}

int state_json_read_vcpu(const json_t *object, struct vcpu_state *state,
			 const char **where)
{
	int err;

	memset(state, 0, sizeof(*state));
	err = read_fields(object, vcpu_fields, ARRAY_SIZE(vcpu_fields), state,
			  where);
	if (err)
		return err;
	*where = "msrs";
	err = read_msrs(json_object_get(object, "msrs"), state);
	if (err)
		return err;
	*where = "cpuid";
	return read_cpuid(json_object_get(object, "cpuid"), state);
}

/* Interrupt controllers and clock */

#define CHIP(name, index)						\
	FIELD(FIELD_BYTES, struct chip_state, name, chips[index].chip)

static const struct field chip_fields[] = {
	CHIP("pic_master", 0),
	CHIP("pic_slave", 1),
	CHIP("ioapic", 2),
	FIELD(FIELD_NUMBER, struct chip_state, "clock_ns", clock_ns),
};

json_t *state_json_chips(const struct chip_state *state)
{
	json_t *object = json_object();

	return finish(object, write_fields(object, chip_fields,
					   ARRAY_SIZE(chip_fields), state));
}

int state_json_read_chips(const json_t *object, struct chip_state *state,
			  const char **where)
{
	memset(state, 0, sizeof(*state));
	for (uint32_t i = 0; i < CHIP_STATE_CHIPS; i++)
		state->chips[i].chip_id = i;
	return read_fields(object, chip_fields, ARRAY_SIZE(chip_fields), state,
			   where);
}

/* Serial port */

#define SERIAL_NUMBER(member)						\
	FIELD(FIELD_NUMBER, struct serial_state, #member, member)

static const struct field serial_fields[] = {
	SERIAL_NUMBER(ier), SERIAL_NUMBER(lcr), SERIAL_NUMBER(mcr),
	SERIAL_NUMBER(scr), SERIAL_NUMBER(fcr), SERIAL_NUMBER(divisor),
	FIELD(FIELD_BOOL, struct serial_state, "thr_pending", thr_pending),
};

json_t *state_json_serial(const struct serial_state *state)
{
	json_t *object = json_object();
	int err = write_fields(object, serial_fields, ARRAY_SIZE(serial_fields),
			       state);

	if (!err)
		err = json_object_set_new(object, "input",
					  json_bytes(state->input,
						     state->input_len));
	return finish(object, err);
}

int state_json_read_serial(const json_t *object, struct serial_state *state,
			   const char **where)
{
	ssize_t len;
	int err;

	memset(state, 0, sizeof(*state));
	err = read_fields(object, serial_fields, ARRAY_SIZE(serial_fields),
			  state, where);
	if (err)
		return err;
	*where = "input";
	len = from_hex(json_object_get(object, "input"), state->input,
		       sizeof(state->input));
	if (len < 0)
		return -EINVAL;
	state->input_len = len;
	return 0;
}

/* pmem devices */

#define PMEM_FIELD(kind, key, member)					\
	FIELD(kind, struct virtio_pmem_state, key, member)
#define PMEM_NUMBER(key, member)	PMEM_FIELD(FIELD_NUMBER, key, member)

static const struct field pmem_fields[] = {
	PMEM_NUMBER("gpa", gpa),
	PMEM_NUMBER("region_bytes", region_bytes),
	PMEM_NUMBER("file_device", file.device),
	PMEM_NUMBER("file_inode", file.inode),
	PMEM_NUMBER("file_bytes", file.size_bytes),
	PMEM_NUMBER("file_mtime_ns", file.mtime_ns),
	PMEM_NUMBER("next_avail", position.next_avail),
	PMEM_NUMBER("next_used", position.next_used),
	PMEM_NUMBER("error", position.error),
	PMEM_FIELD(FIELD_BYTES, "config", transport.pci.config),
	PMEM_FIELD(FIELD_BYTES, "msix_table", transport.msix.table),
	PMEM_NUMBER("config_vector", transport.msix.vectors[MSIX_EVENT_CONFIG]),
	PMEM_NUMBER("queue_vector", transport.msix.vectors[MSIX_EVENT_QUEUE]),
	PMEM_FIELD(FIELD_BOOL, "config_pending",
		   transport.msix.is_pending[MSIX_EVENT_CONFIG]),
	PMEM_FIELD(FIELD_BOOL, "queue_pending",
		   transport.msix.is_pending[MSIX_EVENT_QUEUE]),
	PMEM_NUMBER("status", transport.status),
	PMEM_NUMBER("config_generation", transport.config_generation),
	PMEM_NUMBER("isr", transport.isr),
	PMEM_NUMBER("features", transport.features),
	PMEM_NUMBER("queue_size", transport.queue.size),
	PMEM_FIELD(FIELD_BOOL, "queue_enabled", transport.queue.is_enabled),
	PMEM_NUMBER("queue_desc", transport.queue.desc),
	PMEM_NUMBER("queue_avail", transport.queue.avail),
	PMEM_NUMBER("queue_used", transport.queue.used),
	PMEM_NUMBER("device_select", transport.device_select),
	PMEM_NUMBER("driver_select", transport.driver_select),
	PMEM_NUMBER("queue_select", transport.queue_select),
};

json_t *state_json_pmem(const struct virtio_pmem_state *state)
{
	json_t *object = json_object();

	return finish(object, write_fields(object, pmem_fields,
					   ARRAY_SIZE(pmem_fields), state));
}

int state_json_read_pmem(const json_t *object, struct virtio_pmem_state *state,
			 const char **where)
{
	uint16_t size;
	int err;

	memset(state, 0, sizeof(*state));
	err = read_fields(object, pmem_fields, ARRAY_SIZE(pmem_fields), state,
			  where);
	if (err)
		return err;
	*where = "queue_size";
	size = state->transport.queue.size;
	return size && size <= VIRTIO_QUEUE_SIZE_MAX && !(size & (size - 1)) ?
	       0 : -EINVAL;
}

/* PCI bus */

static const struct field bus_fields[] = {
	FIELD(FIELD_BYTES, struct bus_state, "bridge", bridge.config),
	FIELD(FIELD_BOOL, struct bus_state, "traps_reads", is_trapping),
};

json_t *state_json_bus(const struct bus_state *state)
{
	json_t *object = json_object();

	return finish(object, write_fields(object, bus_fields,
					   ARRAY_SIZE(bus_fields), state));
}

int state_json_read_bus(const json_t *object, struct bus_state *state,
			const char **where)
{
	memset(state, 0, sizeof(*state));
	return read_fields(object, bus_fields, ARRAY_SIZE(bus_fields), state,
			   where);
}
