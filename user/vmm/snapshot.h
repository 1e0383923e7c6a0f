/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A paused VM written to two open files; see Documentation/control.rst. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "state.h"

#include <stdint.h>

struct snapshot;
struct vm;

#define SNAPSHOT_FORMAT		"vpmem-vmm snapshot"
#define SNAPSHOT_VERSION	1
#define SNAPSHOT_STATE_FILE	"state.json"
#define SNAPSHOT_MEMORY_FILE	"memory"

/**
 * struct snapshot_files - Where it goes; both open for writing, regular, and
 *	with nothing in them that is needed.
 */
struct snapshot_files {
	int state_fd;
	int memory_fd;
};

/**
 * snapshot_create() - Start the thread that writes snapshots.
 * @snapshot: receives the object
 *
 * Before the sandbox. All functions: Context: main thread.
 *
 * Return: 0, or -errno after one line of error.
 */
int snapshot_create(struct snapshot **snapshot, struct vm *vm);

/** snapshot_destroy() - Give up what is being written, soon. May be NULL. */
void snapshot_destroy(struct snapshot *snapshot);

/**
 * snapshot_begin() - Write the VM, which is paused until @done, to @files.
 * @files: closed before @done is called
 * @done: called on the main thread; @why is NULL if the snapshot is complete and
 *	durable, else a sentence
 * @opaque: handed to @done
 *
 * One at a time. The files behind the devices are synced first.
 */
void snapshot_begin(struct snapshot *snapshot,
		    const struct snapshot_files *files,
		    void (*done)(void *opaque, const char *why), void *opaque);

/** snapshot_checksum() - Of a machine's part of the state file, whatever its form. */
uint32_t snapshot_checksum(const json_t *machine);

#endif /* SNAPSHOT_H */
