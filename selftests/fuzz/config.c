// SPDX-License-Identifier: GPL-2.0-or-later
/* Hostile --config files: each is taken, or refused with one line of error. */
#include "config.h"
#include "config_json.h"
#include "fake_log.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_config(struct config *config, const uint8_t *data, size_t size)
{
	char path[32];
	int fd = memfd_create("config", MFD_CLOEXEC);
	int err;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = config_json_read(config, path) ?: config_complete(config);
	close(fd);
	return err;
}

static void check(const struct config *config)
{
	size_t i;

	if (!config->kernel || !config->cpus || !config->memory_bytes ||
	    config->nr_pmem > CONFIG_PMEM_MAX)
		abort();
	for (i = 0; i < config->nr_pmem; i++) {
		if (!config->pmem[i].path || !config->pmem[i].id)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	int err;

	if (config_init(&config))
		abort();
	err = read_config(&config, data, size);
	if (fuzz_log_take() != (err ? 1 : 0))
		abort();
	if (!err)
		check(&config);
	config_exit(&config);
	return 0;
}
