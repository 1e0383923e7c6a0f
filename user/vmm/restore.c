// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading a snapshot. What is read may be damaged, or hostile: it is refused
 * with one line, or is safe to load.
 */
#include "restore.h"

#include "config.h"
#include "log.h"
#include "snapshot.h"
#include "state.h"
#include "util.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* 64 vCPUs and 64 devices take less than 2 MiB. */
#define STATE_BYTES_MAX		(16u << 20)

static int refuse_damaged(const struct config *config, const char *what)
{
	log_error("snapshot %s: damaged: %s", config->restore_path, what);
	return -EINVAL;
}

static char *path_in(const struct config *config, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", config->restore_path, name) < 0)
		return NULL;
	return path;
}

char *restore_memory_path(const struct config *config)
{
	return path_in(config, SNAPSHOT_MEMORY_FILE);
}

/* All of a small file; the caller frees it. */
static char *read_file(const char *path, size_t *len)
{
	int fd AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t done;
	char *text;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	if (!S_ISREG(st.st_mode) || st.st_size > STATE_BYTES_MAX) {
		errno = EFBIG;
		return NULL;
	}
	text = malloc(st.st_size + 1);
	if (!text)
		return NULL;
	for (*len = 0; *len < (size_t)st.st_size; *len += done) {
		done = read(fd, text + *len, st.st_size - *len);
		if (done <= 0)
			break;
	}
	return text;
}

static json_t *parse_file(const struct config *config)
{
	char *path AUTO_FREE = path_in(config, SNAPSHOT_STATE_FILE);
	char *text AUTO_FREE = NULL;
	json_error_t error;
	json_t *root;
	size_t len;

	if (path)
		text = read_file(path, &len);
	if (!text) {
		log_error("cannot read snapshot %s/%s: %s", config->restore_path,
			  SNAPSHOT_STATE_FILE, strerror(errno));
		return NULL;
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		refuse_damaged(config, "its state is no JSON");
	return root;
}

static int check_header(const struct config *config, const json_t *root)
{
	const char *format = json_string_value(json_object_get(root, "format"));
	const json_t *version = json_object_get(root, "version");
	const json_t *sum = json_object_get(root, "checksum");
	const json_t *machine = json_object_get(root, "machine");

	if (!format || strcmp(format, SNAPSHOT_FORMAT) ||
	    !json_is_integer(version))
		return refuse_damaged(config, "its state is not one of this program");
	if (json_integer_value(version) != SNAPSHOT_VERSION) {
		log_error("snapshot %s: is of version %lld, this program reads version %d",
			  config->restore_path,
			  (long long)json_integer_value(version),
			  SNAPSHOT_VERSION);
		return -EPROTO;
	}
	if (!json_is_object(machine) || !json_is_integer(sum) ||
	    json_integer_value(sum) != snapshot_checksum(machine))
		return refuse_damaged(config, "the checksum of its state is wrong");
	return 0;
}

/* Keys of a device, as --pmem has them. */
static int take_device(struct config *config, json_t *device)
{
	static const struct {
		const char *name;
		const char *option;
		bool is_always;		/* also in older snapshots */
	} keys[] = {
		{ "path", "path", true },
		{ "id", "id", true },
		{ "flush", "flush", true },
		{ "exec", "exec", true },
		{ "on_error", "on-error", true },
		{ "flush_limit", "flush-limit", false },
		{ "bytes_limit", "bytes-limit", false },
		{ "write_behind", "write-behind", false },
	};
	const json_t *read_only = json_object_get(device, "read_only");
	struct config_pmem *pmem;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *value = json_object_get(device, keys[i].name);

		if (value ? !json_is_string(value) : keys[i].is_always)
			return refuse_damaged(config, "a device is not described");
	}
	pmem = config_pmem_add(config);
	if (!pmem)
		return -ENOSPC;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(device, keys[i].name);

		if (value && config_pmem_set(pmem, keys[i].option,
					     json_string_value(value)))
			return -EINVAL;
	}
	pmem->read_only = json_is_true(read_only);
	return 0;
}

static int take_devices(struct config *config, json_t *devices)
{
	json_t *device;
	size_t i;
	int err;

	if (!json_is_array(devices))
		return refuse_damaged(config, "its devices are not described");
	json_array_foreach(devices, i, device) {
		err = take_device(config, device);
		if (err)
			return err;
	}
	return 0;
}

static int take_config(struct config *config, const json_t *object)
{
	const json_t *memory = json_object_get(object, "memory_mib");
	const json_t *cpus = json_object_get(object, "cpus");
	struct config_overrides overrides;
	int err;

	if (!json_is_integer(memory) || !json_is_integer(cpus))
		return refuse_damaged(config, "its machine is not described");
	err = config_set_memory(config, json_integer_value(memory)) ?:
	      config_set_cpus(config, json_integer_value(cpus));
	if (err)
		return err;
	config_take_overrides(config, &overrides);
	err = take_devices(config, json_object_get(object, "pmem"));
	if (!err)
		err = config_override(config, &overrides);
	config_free_overrides(&overrides);
	return err;
}

int restore_read(struct config *config, json_t **state)
{
	json_t *root = parse_file(config);
	json_t *machine = json_object_get(root, "machine");
	int err;

	if (!root)
		return -ENOENT;
	err = check_header(config, root);
	if (!err)
		err = take_config(config, json_object_get(machine, "config"));
	if (!err)
		*state = json_incref(json_object_get(machine, "state"));
	json_decref(root);
	return err;
}

int restore_load(struct vm *vm, const json_t *state)
{
	struct state_error error;
	int err = state_load(vm, state, true, &error);

	if (err)
		log_error("snapshot %s: %s", vm->config->restore_path,
			  error.text);
	return err;
}
