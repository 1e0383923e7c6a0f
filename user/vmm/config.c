// SPDX-License-Identifier: GPL-2.0-or-later
/* What the user asked for: the values and their rules, wherever they come from. */
#include "config.h"
#include "layout.h"
#include "log.h"
#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_DEFAULT		(512 * MIB)

int config_init(struct config *config)
{
	*config = (struct config) {
		.memory_bytes = MEMORY_DEFAULT,
		.cpus = 1,
		.sandbox = true,
	};
	return config_set_string(&config->cmdline, "");
}

int config_set_string(char **where, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return config_error("out of memory");
	free(*where);
	*where = copy;
	return 0;
}

int config_error(const char *fmt, ...)
{
	char message[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	log_error("%s", message);
	return -EINVAL;
}

int config_choose(const char *what, const char *value,
		  const char *const names[], unsigned int *choice)
{
	char allowed[128] = "";

	for (unsigned int i = 0; names[i]; i++) {
		if (!strcmp(value, names[i])) {
			*choice = i;
			return 0;
		}
		strncat(allowed, i ? ", " : "",
			sizeof(allowed) - strlen(allowed) - 1);
		strncat(allowed, names[i],
			sizeof(allowed) - strlen(allowed) - 1);
	}
	return config_error("%s: '%s' is none of: %s", what, value, allowed);
}

int config_set_memory(struct config *config, uint64_t mib)
{
	if (mib < LAYOUT_RAM_MIN / MIB || mib > CONFIG_MEMORY_MAX / MIB)
		return config_error("memory: %llu MiB is not from %llu to %llu MiB",
				    (unsigned long long)mib,
				    LAYOUT_RAM_MIN / MIB, CONFIG_MEMORY_MAX / MIB);
	config->memory_bytes = mib * MIB;
	config->has_memory = true;
	return 0;
}

int config_set_cpus(struct config *config, uint64_t cpus)
{
	if (cpus < 1 || cpus > LAYOUT_CPUS_MAX)
		return config_error("cpus: %llu is not from 1 to %u",
				    (unsigned long long)cpus, LAYOUT_CPUS_MAX);
	config->cpus = cpus;
	config->has_cpus = true;
	return 0;
}

int config_set_reboot(struct config *config, const char *value)
{
	static const char *const names[] = { "exit", "restart", NULL };

	return config_choose("--reboot", value, names, &config->reboot);
}

/* The keys of --pmem */

static const char *const flush_names[] = { "auto", "kernel", "user", NULL };
static const char *const exec_names[] = { "auto", "inline", "worker", NULL };
static const char *const error_names[] = { "sticky", "report", NULL };
static const char *const switch_names[] = { "off", "on", NULL };

static int set_switch(const char *key, const char *value, bool *where)
{
	unsigned int choice;
	int err = config_choose(key, value, switch_names, &choice);

	if (!err)
		*where = choice;
	return err;
}

static int set_path(struct config_pmem *pmem, const char *value)
{
	return config_set_string(&pmem->path, value);
}

/* Ids are shown in messages, traces and JSON. */
static bool is_printable(const char *text)
{
	while (isprint((unsigned char)*text))
		text++;
	return !*text;
}

static int set_id(struct config_pmem *pmem, const char *value)
{
	size_t len = strlen(value);

	if (!len || len >= VPMEM_NAME_LEN)
		return config_error("pmem id: '%s' has not from 1 to %d bytes",
				    value, VPMEM_NAME_LEN - 1);
	if (!is_printable(value))
		return config_error("pmem id: '%s' has characters other than printable ASCII",
				    value);
	return config_set_string(&pmem->id, value);
}

static int set_root(struct config_pmem *pmem, const char *value)
{
	return set_switch("pmem root", value, &pmem->root);
}

static int set_read_only(struct config_pmem *pmem, const char *value)
{
	return set_switch("pmem read-only", value, &pmem->read_only);
}

static int set_discard(struct config_pmem *pmem, const char *value)
{
	return set_switch("pmem discard-writes", value, &pmem->discard_writes);
}

static int set_flush(struct config_pmem *pmem, const char *value)
{
	return config_choose("pmem flush", value, flush_names, &pmem->flush);
}

static int set_exec(struct config_pmem *pmem, const char *value)
{
	return config_choose("pmem exec", value, exec_names, &pmem->exec);
}

static int set_on_error(struct config_pmem *pmem, const char *value)
{
	return config_choose("pmem on-error", value, error_names,
			     &pmem->on_error);
}

/*
 * A number with an optional suffix, K to T for powers of 1024, from 1 to what
 * JSON can tell again. *@text moves behind it.
 */
static bool parse_count(const char **text, uint64_t *count)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*count = strtoull(*text, &end, 10);
	suffix = *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
	if (suffix) {
		shift = 10 * (suffix - suffixes + 1);
		end++;
	}
	if (errno || !*count || *count > (uint64_t)INT64_MAX >> shift)
		return false;
	*count <<= shift;
	*text = end;
	return true;
}

static int set_limit(const char *what, const char *value,
		     struct vpmem_limit *limit)
{
	const char *at = value;
	bool is_good;

	*limit = (struct vpmem_limit) { .rate = 0 };
	if (!strcmp(value, "none"))
		return 0;
	is_good = parse_count(&at, &limit->rate);
	limit->burst = limit->rate;
	if (is_good && *at == ',') {
		at++;
		is_good = parse_count(&at, &limit->burst);
	}
	if (!is_good || *at)
		return config_error("%s: '%s' is neither RATE, RATE,BURST nor none",
				    what, value);
	return 0;
}

static int set_flush_limit(struct config_pmem *pmem, const char *value)
{
	return set_limit("pmem flush-limit", value, &pmem->flush_limit);
}

static int set_bytes_limit(struct config_pmem *pmem, const char *value)
{
	return set_limit("pmem bytes-limit", value, &pmem->bytes_limit);
}

static int set_write_behind(struct config_pmem *pmem, const char *value)
{
	const char *at = value;

	pmem->write_behind = 0;
	if (!strcmp(value, "none"))
		return 0;
	if (!parse_count(&at, &pmem->write_behind) || *at ||
	    pmem->write_behind < VPMEM_WRITE_BEHIND_MIN)
		return config_error("pmem write-behind: '%s' is neither none nor from %dK on",
				    value, VPMEM_WRITE_BEHIND_MIN >> 10);
	return 0;
}

static const struct pmem_key {
	const char *name;
	int (*set)(struct config_pmem *pmem, const char *value);
} pmem_keys[] = {
	{ "path", set_path },
	{ "id", set_id },
	{ "root", set_root },
	{ "read-only", set_read_only },
	{ "discard-writes", set_discard },
	{ "flush", set_flush },
	{ "exec", set_exec },
	{ "on-error", set_on_error },
	{ "flush-limit", set_flush_limit },
	{ "bytes-limit", set_bytes_limit },
	{ "write-behind", set_write_behind },
};

int config_pmem_set(struct config_pmem *pmem, const char *key,
		    const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(pmem_keys); i++) {
		if (strcmp(key, pmem_keys[i].name))
			continue;
		if (pmem->keys_seen & 1u << i)
			return config_error("pmem: '%s' is given twice", key);
		pmem->keys_seen |= 1u << i;
		return pmem_keys[i].set(pmem, value);
	}
	return config_error("pmem: '%s' is none of: path, id, root, read-only, "
			    "discard-writes, flush, exec, on-error, flush-limit, "
			    "bytes-limit, write-behind", key);
}

struct config_pmem *config_pmem_add(struct config *config)
{
	if (config->nr_pmem == CONFIG_PMEM_MAX) {
		config_error("pmem: more than %d devices", CONFIG_PMEM_MAX);
		return NULL;
	}
	return &config->pmem[config->nr_pmem++];
}

/* Rules about more than one value */

static int check_id(const struct config *config, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (!strcmp(config->pmem[i].id, config->pmem[index].id))
			return config_error("pmem id: '%s' is given to two devices",
					    config->pmem[i].id);
	}
	return 0;
}

static int check_write_behind(const struct config_pmem *pmem)
{
	if (!pmem->write_behind)
		return 0;
	if (pmem->read_only || pmem->discard_writes)
		return config_error("pmem %s: write-behind has nothing to write with %s",
				    pmem->path, pmem->read_only ?
				    "read-only" : "discard-writes");
	if (pmem->flush == CONFIG_FLUSH_USER)
		return config_error("pmem %s: write-behind is for the module, not for flush=user",
				    pmem->path);
	return 0;
}

static int complete_pmem(struct config *config, size_t index)
{
	struct config_pmem *pmem = &config->pmem[index];
	char id[32];

	if (!pmem->path || !*pmem->path)
		return config_error("pmem: device %zu has no path", index);
	if (pmem->read_only && pmem->discard_writes)
		return config_error("pmem %s: read-only and discard-writes exclude each other",
				    pmem->path);
	if (pmem->flush == CONFIG_FLUSH_USER && pmem->exec != VPMEM_EXEC_AUTO)
		return config_error("pmem %s: exec is for the module, flush=user does without it",
				    pmem->path);
	if (check_write_behind(pmem))
		return -EINVAL;
	snprintf(id, sizeof(id), "pmem%zu", index);
	if (!pmem->id && config_set_string(&pmem->id, id))
		return -ENOMEM;
	return check_id(config, index);
}

/* Bytes before the word "--": what is behind it is init's, not the kernel's. */
static size_t kernel_part(const char *cmdline)
{
	bool is_quoted = false;
	size_t word = 0;

	for (size_t i = 0;; i++) {
		if (cmdline[i] == '"')
			is_quoted = !is_quoted;
		if (cmdline[i] && (is_quoted || !isspace((unsigned char)cmdline[i])))
			continue;
		if (i - word == 2 && !strncmp(cmdline + word, "--", 2))
			return word;
		if (!cmdline[i])
			return i;
		word = i + 1;
	}
}

/* Whether a word of the kernel command line begins with @option. */
static bool has_option(const char *cmdline, const char *option)
{
	const char *end = cmdline + kernel_part(cmdline);
	const char *at = cmdline;

	while ((at = strstr(at, option)) && at < end) {
		if (at == cmdline || at[-1] == ' ')
			return true;
		at++;
	}
	return false;
}

static int append_root(struct config *config, size_t index)
{
	const struct config_pmem *pmem = &config->pmem[index];
	size_t len = kernel_part(config->cmdline);
	const char *rest = config->cmdline + len;
	char *cmdline;

	if (has_option(config->cmdline, "root="))
		return 0;
	if (asprintf(&cmdline, "%.*s%sroot=/dev/pmem%zu %s%s%s", (int)len,
		     config->cmdline, len && !*rest ? " " : "", index,
		     pmem->read_only ? "ro" : "rw", *rest ? " " : "", rest) < 0)
		return config_error("out of memory");
	free(config->cmdline);
	config->cmdline = cmdline;
	return 0;
}

static int complete_root(struct config *config)
{
	ssize_t root = -1;

	for (size_t i = 0; i < config->nr_pmem; i++) {
		if (!config->pmem[i].root)
			continue;
		if (root >= 0)
			return config_error("pmem %s: another device has root=on already",
					    config->pmem[i].path);
		root = i;
	}
	return root < 0 ? 0 : append_root(config, root);
}

/* What a snapshot has itself cannot be chosen anew. */
static int complete_restore(const struct config *config)
{
	const struct {
		const char *name;
		bool is_given;
	} parts[] = {
		{ "--kernel", config->kernel },
		{ "--kernel-cache", config->kernel_cache },
		{ "--initrd", config->initrd },
		{ "--cmdline", *config->cmdline },
		{ "--memory", config->has_memory },
		{ "--cpus", config->has_cpus },
		{ "--reboot restart", config->reboot == CONFIG_REBOOT_RESTART },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].is_given)
			return config_error("--restore: a restored VM cannot be given %s",
					    parts[i].name);
	}
	for (size_t i = 0; i < config->nr_pmem; i++) {
		if (!config->pmem[i].id)
			return config_error("--restore: --pmem needs the id= of %s",
					    "a device of the snapshot");
	}
	return 0;
}

int config_complete(struct config *config)
{
	int err = 0;

	if (config->restore_path)
		return complete_restore(config);
	if (!config->kernel)
		return config_error("no kernel: --kernel FILE is needed; see --help");
	for (size_t i = 0; !err && i < config->nr_pmem; i++)
		err = complete_pmem(config, i);
	return err ?: complete_root(config);
}

const char *config_flush_name(enum config_flush flush)
{
	return flush_names[flush];
}

const char *config_exec_name(enum vpmem_exec exec)
{
	return exec_names[exec];
}

const char *config_on_error_name(enum vpmem_on_error on_error)
{
	return error_names[on_error];
}

void config_resolve_paths(struct config *config)
{
	for (size_t i = 0; i < config->nr_pmem; i++) {
		free(config->pmem[i].real_path);
		config->pmem[i].real_path = realpath(config->pmem[i].path, NULL);
	}
}

/* Devices of a snapshot */

static void free_pmem(struct config_pmem *pmem)
{
	free(pmem->path);
	free(pmem->real_path);
	free(pmem->id);
}

void config_take_overrides(struct config *config,
			   struct config_overrides *overrides)
{
	memcpy(overrides->pmem, config->pmem, sizeof(config->pmem));
	overrides->nr_pmem = config->nr_pmem;
	memset(config->pmem, 0, sizeof(config->pmem));
	config->nr_pmem = 0;
}

void config_free_overrides(struct config_overrides *overrides)
{
	for (size_t i = 0; i < overrides->nr_pmem; i++)
		free_pmem(&overrides->pmem[i]);
	overrides->nr_pmem = 0;
}

static bool is_seen(const struct config_pmem *pmem, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(pmem_keys); i++) {
		if (!strcmp(key, pmem_keys[i].name))
			return pmem->keys_seen & 1u << i;
	}
	return false;
}

/* Of a key that is fixed in the snapshot, or NULL. */
static const char *fixed_key(const struct config_pmem *over)
{
	static const char *const keys[] = { "root", "read-only", "discard-writes" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (is_seen(over, keys[i]))
			return keys[i];
	}
	return NULL;
}

static int override_pmem(struct config_pmem *pmem,
			 const struct config_pmem *over)
{
	if (fixed_key(over))
		return config_error("pmem %s: %s is fixed in the snapshot",
				    over->id, fixed_key(over));
	/* A choice for the module, as write-behind is too, does not concern a
	 * thread.
	 */
	if (is_seen(over, "exec") || over->flush == CONFIG_FLUSH_USER)
		pmem->exec = over->exec;
	if (is_seen(over, "flush"))
		pmem->flush = over->flush;
	if (is_seen(over, "on-error"))
		pmem->on_error = over->on_error;
	if (is_seen(over, "flush-limit"))
		pmem->flush_limit = over->flush_limit;
	if (is_seen(over, "bytes-limit"))
		pmem->bytes_limit = over->bytes_limit;
	if (is_seen(over, "write-behind") || over->flush == CONFIG_FLUSH_USER)
		pmem->write_behind = over->write_behind;
	return is_seen(over, "path") ?
	       config_set_string(&pmem->path, over->path) : 0;
}

static struct config_pmem *find_pmem(struct config *config, const char *id)
{
	for (size_t i = 0; i < config->nr_pmem; i++) {
		if (!strcmp(config->pmem[i].id, id))
			return &config->pmem[i];
	}
	config_error("pmem %s: the snapshot has no such device", id);
	return NULL;
}

int config_override(struct config *config,
		    const struct config_overrides *overrides)
{
	int err = 0;

	for (size_t i = 0; !err && i < overrides->nr_pmem; i++) {
		const struct config_pmem *over = &overrides->pmem[i];
		struct config_pmem *pmem = find_pmem(config, over->id);

		err = pmem ? override_pmem(pmem, over) : -EINVAL;
	}
	for (size_t i = 0; !err && i < config->nr_pmem; i++)
		err = complete_pmem(config, i);
	return err;
}

void config_warn(const struct config *config)
{
	if (config->nr_pmem && has_option(config->cmdline, "pci=off"))
		log_warn("the kernel command line has pci=off: the guest will not find its pmem devices; leave it out");
}

void config_exit(struct config *config)
{
	for (size_t i = 0; i < config->nr_pmem; i++)
		free_pmem(&config->pmem[i]);
	free(config->kernel);
	free(config->kernel_cache);
	free(config->initrd);
	free(config->cmdline);
	free(config->serial_path);
	free(config->metrics_path);
	free(config->control_path);
	free(config->restore_path);
	free(config->log_path);
	*config = (struct config) { 0 };
}
