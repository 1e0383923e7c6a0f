/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the user asked for; knows no KVM. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vpmem/vpmem.h>

#define CONFIG_PMEM_MAX		64
#define CONFIG_MEMORY_MAX	(1024ull << 30)

enum config_flush {
	CONFIG_FLUSH_AUTO,
	CONFIG_FLUSH_KERNEL,
	CONFIG_FLUSH_USER,
};

/**
 * struct config_pmem - One --pmem option.
 * @path: backing file
 * @real_path: the same for whoever reads it later, or NULL
 * @id: name in metrics and messages; unique; "pmemN" unless given
 * @root: the guest's root file system is on it
 * @read_only: the guest cannot write
 * @discard_writes: the guest's writes go to a private copy
 * @flush: who serves the flushes
 * @exec: where the module serves them
 * @on_error: what a failed sync means for later requests
 * @flush_limit: flushes that are served; the burst is never 0 if the rate is not
 * @bytes_limit: bytes that syncs write back, likewise
 * @write_behind: dirty bytes from which on the module writes them back, or 0
 * @keys_seen: which keys were given, to find those that are given twice
 */
struct config_pmem {
	char *path;
	char *real_path;
	char *id;
	bool root;
	bool read_only;
	bool discard_writes;
	enum config_flush flush;
	enum vpmem_exec exec;
	enum vpmem_on_error on_error;
	struct vpmem_limit flush_limit;
	struct vpmem_limit bytes_limit;
	uint64_t write_behind;
	unsigned int keys_seen;
};

enum config_serial {
	CONFIG_SERIAL_STDIO,
	CONFIG_SERIAL_NONE,
	CONFIG_SERIAL_FILE,
};

enum config_reboot {
	CONFIG_REBOOT_EXIT,
	CONFIG_REBOOT_RESTART,
};

/**
 * struct config - The whole configuration; strings are owned by it.
 * @kernel: bzImage or ELF vmlinux
 * @kernel_cache: directory for unpacked kernels, or NULL
 * @initrd: initial RAM disk, or NULL
 * @cmdline: guest kernel command line as given, never NULL
 * @memory_bytes: guest RAM, a multiple of 1 MiB
 * @cpus: number of vCPUs
 * @pmem: devices, @nr_pmem of them, in the order given: /dev/pmem0 and so on
 * @reboot: what a guest's reset does
 * @serial: where COM1 goes
 * @serial_path: file for CONFIG_SERIAL_FILE
 * @metrics_path: file for metrics, or NULL
 * @control_path: where the control socket is, or NULL
 * @restore_path: directory of a snapshot, or NULL: boot
 * @has_memory: @memory_bytes was given
 * @has_cpus: @cpus was given
 * @log_path: file for messages, or NULL for stderr
 * @sandbox: drop capabilities and filter system calls before the guest runs
 * @verbosity: number of -v
 */
struct config {
	char *kernel;
	char *kernel_cache;
	char *initrd;
	char *cmdline;
	uint64_t memory_bytes;
	unsigned int cpus;
	struct config_pmem pmem[CONFIG_PMEM_MAX];
	size_t nr_pmem;
	enum config_reboot reboot;
	enum config_serial serial;
	char *serial_path;
	char *metrics_path;
	char *control_path;
	char *restore_path;
	bool has_memory;
	bool has_cpus;
	char *log_path;
	bool sandbox;
	int verbosity;
};

/**
 * config_init() - Set the defaults.
 *
 * Return: 0, or -errno after one line of error; config_exit() is due anyway.
 */
int config_init(struct config *config);

/** config_exit() - Release what the configuration owns. */
void config_exit(struct config *config);

/*
 * What sources of values, the command line and the JSON file, set them with.
 * All return 0, or -errno after one line of error.
 */

/** config_error() - Write the line; always -EINVAL. */
int config_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** config_set_string() - Replace @where's string by a copy. */
int config_set_string(char **where, const char *value);

int config_set_memory(struct config *config, uint64_t mib);
int config_set_cpus(struct config *config, uint64_t cpus);
int config_set_reboot(struct config *config, const char *value);

/**
 * config_choose() - Look a word up.
 * @what: what it is for, begins the line of error
 * @value: the word
 * @names: those allowed, NULL-terminated
 * @choice: receives the index
 */
int config_choose(const char *what, const char *value,
		  const char *const names[], unsigned int *choice);

/** config_pmem_add() - A new device, or NULL after one line of error. */
struct config_pmem *config_pmem_add(struct config *config);

/** config_pmem_set() - Set a key of --pmem, once. */
int config_pmem_set(struct config_pmem *pmem, const char *key,
		    const char *value);

/**
 * config_complete() - Check what concerns more than one value; fill in names.
 *
 * After the last value was set.
 */
int config_complete(struct config *config);

/* The words of --pmem for these values. */
const char *config_flush_name(enum config_flush flush);
const char *config_exec_name(enum vpmem_exec exec);
const char *config_on_error_name(enum vpmem_on_error on_error);

/** config_resolve_paths() - Fill in each device's real_path, where there is one. */
void config_resolve_paths(struct config *config);

/** struct config_overrides - Devices of the command line, before those of a snapshot. */
struct config_overrides {
	struct config_pmem pmem[CONFIG_PMEM_MAX];
	size_t nr_pmem;
};

/** config_take_overrides() - Move all devices out of @config. */
void config_take_overrides(struct config *config,
			   struct config_overrides *overrides);

/** config_free_overrides() - Release them. */
void config_free_overrides(struct config_overrides *overrides);

/**
 * config_override() - Change the devices of a snapshot as @overrides say.
 *
 * Then all devices are checked as by config_complete().
 *
 * Return: 0, or -errno after one line of error.
 */
int config_override(struct config *config,
		    const struct config_overrides *overrides);

/** config_warn() - Tell of what is allowed, but will not do what is wanted. */
void config_warn(const struct config *config);

#endif /* CONFIG_H */
