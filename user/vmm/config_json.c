// SPDX-License-Identifier: GPL-2.0-or-later
/* The JSON file of --config, with Firecracker's field names. */
#include "config_json.h"

#include "config.h"
#include "layout.h"
#include "log.h"
#include "util.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MS_PER_SECOND	1000ull

/**
 * struct field - A field of an object.
 * @name: its name
 * @take: sets what it stands for; 0 or -errno after one line of error
 */
struct field {
	const char *name;
	int (*take)(void *target, const char *name, const json_t *value);
};

static int take_fields(void *target, const char *section,
		       const struct field fields[], json_t *object)
{
	const struct field *field;
	const char *name;
	json_t *value;
	int err;

	if (!json_is_object(object))
		return config_error("config: '%s' is not an object", section);
	json_object_foreach(object, name, value) {
		for (field = fields; field->name; field++) {
			if (!strcmp(field->name, name))
				break;
		}
		if (!field->name)
			return config_error("config: '%s' in '%s' is not supported",
					    name, section);
		err = field->take(target, name, value);
		if (err)
			return err;
	}
	return 0;
}

static int take_string(const char *name, const json_t *value, char **where)
{
	/* Firecracker's own examples leave out what is not wanted with null. */
	if (json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return config_error("config: '%s' is not a string", name);
	return config_set_string(where, json_string_value(value));
}

static int take_number(const char *name, const json_t *value, uint64_t *number)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return config_error("config: '%s' is not a positive number",
				    name);
	*number = json_integer_value(value);
	return 0;
}

/* A part of the file. Where Firecracker writes one, it is null if not used. */
static int take_section(void *target, const char *name,
			const struct field fields[], const json_t *value)
{
	if (json_is_null(value))
		return 0;
	return take_fields(target, name, fields, (json_t *)value);
}

/* For what is only there to be switched on, and cannot be. */
static int take_off(void *target, const char *name, const json_t *value)
{
	if (json_is_null(value) || json_is_false(value))
		return 0;
	return config_error("config: '%s' is not supported", name);
}

/* What of Firecracker's is often there and empty. */
static int take_empty(void *target, const char *name, const json_t *value)
{
	if (json_is_null(value) ||
	    (json_is_array(value) && !json_array_size(value)) ||
	    (json_is_object(value) && !json_object_size(value)))
		return 0;
	return config_error("config: '%s' is not supported", name);
}

/* boot-source */

static int take_kernel(void *target, const char *name, const json_t *value)
{
	return take_string(name, value, &((struct config *)target)->kernel);
}

static int take_initrd(void *target, const char *name, const json_t *value)
{
	return take_string(name, value, &((struct config *)target)->initrd);
}

static int take_boot_args(void *target, const char *name, const json_t *value)
{
	return take_string(name, value, &((struct config *)target)->cmdline);
}

static const struct field boot_fields[] = {
	{ "kernel_image_path", take_kernel },
	{ "initrd_path", take_initrd },
	{ "boot_args", take_boot_args },
	{ 0 },
};

/* machine-config */

static int take_cpus(void *target, const char *name, const json_t *value)
{
	uint64_t cpus = 0;

	return take_number(name, value, &cpus) ?:
	       config_set_cpus(target, cpus);
}

static int take_memory(void *target, const char *name, const json_t *value)
{
	uint64_t mib = 0;

	return take_number(name, value, &mib) ?:
	       config_set_memory(target, mib);
}

/* For a choice of which there is only one. */
static int take_none(void *target, const char *name, const json_t *value)
{
	if (json_is_null(value) || (json_is_string(value) &&
				    !strcmp(json_string_value(value), "None")))
		return 0;
	return config_error("config: '%s' is not supported", name);
}

static const struct field machine_fields[] = {
	{ "vcpu_count", take_cpus },
	{ "mem_size_mib", take_memory },
	{ "smt", take_off },
	{ "track_dirty_pages", take_off },
	{ "huge_pages", take_none },
	{ "cpu_template", take_none },
	{ "gdb_socket_path", take_off },
	{ 0 },
};

/* pmem */

static int take_pmem_text(struct config_pmem *pmem, const char *name,
			  const char *key, const json_t *value)
{
	if (!json_is_string(value))
		return config_error("config: '%s' is not a string", name);
	return config_pmem_set(pmem, key, json_string_value(value));
}

static int take_pmem_switch(struct config_pmem *pmem, const char *name,
			    const char *key, const json_t *value)
{
	if (!json_is_boolean(value))
		return config_error("config: '%s' is not true or false", name);
	return config_pmem_set(pmem, key, json_is_true(value) ? "on" : "off");
}

#define PMEM_FIELD(fn, kind, key)					\
static int fn(void *target, const char *name, const json_t *value)	\
{									\
	return take_pmem_##kind(target, name, key, value);		\
}

PMEM_FIELD(take_pmem_path, text, "path")
PMEM_FIELD(take_pmem_id, text, "id")
PMEM_FIELD(take_pmem_root, switch, "root")
PMEM_FIELD(take_pmem_read_only, switch, "read-only")
PMEM_FIELD(take_pmem_discard, switch, "discard-writes")
PMEM_FIELD(take_pmem_flush, text, "flush")
PMEM_FIELD(take_pmem_exec, text, "exec")
PMEM_FIELD(take_pmem_on_error, text, "on-error")
PMEM_FIELD(take_pmem_write_behind, text, "write-behind")

/**
 * struct token_bucket - One of Firecracker's.
 * @size: tokens that it holds
 * @refill_ms: time that it takes to fill
 */
struct token_bucket {
	uint64_t size;
	uint64_t refill_ms;
};

static int take_bucket_size(void *target, const char *name, const json_t *value)
{
	return take_number(name, value, &((struct token_bucket *)target)->size);
}

static int take_bucket_time(void *target, const char *name, const json_t *value)
{
	return take_number(name, value,
			   &((struct token_bucket *)target)->refill_ms);
}

/* What is spent once and never comes back has no place in a limit of ours. */
static int take_bucket_once(void *target, const char *name, const json_t *value)
{
	uint64_t burst = 0;

	if (json_is_null(value))
		return 0;
	if (take_number(name, value, &burst))
		return -EINVAL;
	if (burst)
		return config_error("config: '%s' is not supported, but as 0",
				    name);
	return 0;
}

static const struct field bucket_fields[] = {
	{ "size", take_bucket_size },
	{ "one_time_burst", take_bucket_once },
	{ "refill_time", take_bucket_time },
	{ 0 },
};

/* Tokens in a second have to be a whole number, and one that fits, as a limit is. */
static int set_bucket(struct config_pmem *pmem, const char *name,
		      const char *key, const struct token_bucket *bucket)
{
	char limit[64];

	if (bucket->size > INT64_MAX / MS_PER_SECOND ||
	    bucket->size * MS_PER_SECOND % bucket->refill_ms)
		return config_error("config: 'refill_time' in '%s': %llu in %llu ms is "
				    "not a whole number per second",
				    name, (unsigned long long)bucket->size,
				    (unsigned long long)bucket->refill_ms);
	snprintf(limit, sizeof(limit), "%llu,%llu",
		 (unsigned long long)bucket->size * MS_PER_SECOND /
		 bucket->refill_ms,
		 (unsigned long long)bucket->size);
	return config_pmem_set(pmem, key, limit);
}

static int take_bucket(struct config_pmem *pmem, const char *name,
		       const char *key, const json_t *value)
{
	struct token_bucket bucket = { .size = 0 };
	int err = take_section(&bucket, name, bucket_fields, value);

	/* For Firecracker, and for us, a bucket without either is no limit. */
	if (err || !bucket.size || !bucket.refill_ms)
		return err;
	return set_bucket(pmem, name, key, &bucket);
}

static int take_bandwidth(void *target, const char *name, const json_t *value)
{
	return take_bucket(target, name, "bytes-limit", value);
}

static int take_ops(void *target, const char *name, const json_t *value)
{
	return take_bucket(target, name, "flush-limit", value);
}

static const struct field limiter_fields[] = {
	{ "bandwidth", take_bandwidth },
	{ "ops", take_ops },
	{ 0 },
};

static int take_limiter(void *target, const char *name, const json_t *value)
{
	return take_section(target, name, limiter_fields, value);
}

static const struct field pmem_fields[] = {
	{ "path_on_host", take_pmem_path },
	{ "id", take_pmem_id },
	{ "root_device", take_pmem_root },
	{ "read_only", take_pmem_read_only },
	{ "rate_limiter", take_limiter },
	{ "discard_writes", take_pmem_discard },
	{ "flush", take_pmem_flush },
	{ "exec", take_pmem_exec },
	{ "on_error", take_pmem_on_error },
	{ "write_behind", take_pmem_write_behind },
	{ 0 },
};

/* metrics and logger */

static int take_metrics_path(void *target, const char *name,
			     const json_t *value)
{
	return take_string(name, value,
			   &((struct config *)target)->metrics_path);
}

static const struct field metrics_fields[] = {
	{ "metrics_path", take_metrics_path },
	{ "emit_id", take_off },
	{ "properties", take_empty },
	{ 0 },
};

static int take_log_path(void *target, const char *name, const json_t *value)
{
	return take_string(name, value, &((struct config *)target)->log_path);
}

/* Errors are always shown. */
static const struct {
	const char *name;
	int level;
} levels[] = {
	{ "off", LOG_LEVEL_ERROR },
	{ "error", LOG_LEVEL_ERROR },
	{ "warn", LOG_LEVEL_WARN },
	{ "warning", LOG_LEVEL_WARN },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ "trace", LOG_LEVEL_DEBUG },
};

static int take_level(void *target, const char *name, const json_t *value)
{
	struct config *config = target;

	if (json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return config_error("config: '%s' is not a string", name);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcasecmp(json_string_value(value), levels[i].name))
			continue;
		config->verbosity = levels[i].level - LOG_LEVEL_WARN;
		return 0;
	}
	return config_error("config: level: '%s' is none of: %s",
			    json_string_value(value),
			    "Off, Error, Warning, Info, Debug, Trace");
}

/* How a line looks; ours look one way only. */
static int take_look(void *target, const char *name, const json_t *value)
{
	if (json_is_null(value) || json_is_boolean(value))
		return 0;
	return config_error("config: '%s' is not true or false", name);
}

static const struct field logger_fields[] = {
	{ "log_path", take_log_path },
	{ "level", take_level },
	{ "show_level", take_look },
	{ "show_log_origin", take_look },
	{ "module", take_off },
	{ 0 },
};

/* serial */

static int take_serial_path(void *target, const char *name, const json_t *value)
{
	struct config *config = target;

	if (!json_is_null(value))
		config->serial = CONFIG_SERIAL_FILE;
	return take_string(name, value, &config->serial_path);
}

static const struct field serial_fields[] = {
	{ "serial_out_path", take_serial_path },
	{ "rate_limiter", take_off },
	{ 0 },
};

/* The whole file */

static int take_boot(void *target, const char *name, const json_t *value)
{
	return take_section(target, name, boot_fields, value);
}

static int take_machine(void *target, const char *name, const json_t *value)
{
	return take_section(target, name, machine_fields, value);
}

static int take_metrics(void *target, const char *name, const json_t *value)
{
	return take_section(target, name, metrics_fields, value);
}

static int take_logger(void *target, const char *name, const json_t *value)
{
	return take_section(target, name, logger_fields, value);
}

static int take_serial(void *target, const char *name, const json_t *value)
{
	return take_section(target, name, serial_fields, value);
}

static int take_pmem(void *target, const char *name, const json_t *value)
{
	json_t *object;
	size_t i;

	if (json_is_null(value))
		return 0;
	if (!json_is_array(value))
		return config_error("config: '%s' is not an array", name);
	json_array_foreach(value, i, object) {
		struct config_pmem *pmem = config_pmem_add(target);
		int err;

		if (!pmem)
			return -ENOSPC;
		err = take_fields(pmem, name, pmem_fields, object);
		if (err)
			return err;
	}
	return 0;
}

static const struct field file_fields[] = {
	{ "boot-source", take_boot },
	{ "machine-config", take_machine },
	{ "pmem", take_pmem },
	{ "metrics", take_metrics },
	{ "logger", take_logger },
	{ "serial", take_serial },
	{ "drives", take_empty },
	{ "network-interfaces", take_empty },
	{ "vsock", take_empty },
	{ "balloon", take_empty },
	{ "mmds-config", take_empty },
	{ "entropy", take_empty },
	{ "cpu-config", take_empty },
	{ "memory-hotplug", take_empty },
	{ 0 },
};

/*
 * Many files say that there is no PCI, where for Firecracker that only saves
 * time. Here it would hide the devices.
 */
static void allow_pci(struct config *config)
{
	static const char off[] = "pci=off";
	const size_t len = strlen(off);
	char *at = config->cmdline;

	while (config->nr_pmem && (at = strstr(at, off))) {
		bool is_word = (at == config->cmdline || at[-1] == ' ') &&
			       (!at[len] || at[len] == ' ');

		if (!is_word) {
			at += len;
			continue;
		}
		memmove(at, at + len, strlen(at + len) + 1);
		log_notice("config: 'boot_args': pci=off is left out, as pmem devices are on PCI");
	}
}

int config_json_read(struct config *config, const char *path)
{
	json_error_t error;
	json_t *root;
	int err;

	root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root && error.line < 1)
		return config_error("config: %s", error.text);
	if (!root)
		return config_error("config %s: line %d: %s", path, error.line,
				    error.text);
	err = take_fields(config, path, file_fields, root);
	if (!err)
		allow_pci(config);
	json_decref(root);
	return err;
}
