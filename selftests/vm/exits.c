// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How often a guest leaves for the VMM, or for KVM: not at all for a register
 * that it only reads, not for the VMM when it flushes.
 */
#include "vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define DEVICES		32
#define FLUSHES		2000
#define WARM_UP		500
#define BOOT_S		200
#define METRICS		"/tmp/exits.json"

/**
 * struct exits - Counters at one moment.
 * @all: exits that the guest causes: without those for the host's interrupts
 * @io: port accesses, also those that KVM itself answers
 * @mmio: accesses to registers that the VMM answers
 */
struct exits {
	long long all;
	long long io;
	long long mmio;
};

static struct exits read_exits(const struct vm_test *vm)
{
	return (struct exits) {
		.all = vm_kvm_stat(vm, "exits") - vm_kvm_stat(vm, "irq_exits"),
		.io = vm_kvm_stat(vm, "io_exits"),
		.mmio = vm_kvm_stat(vm, "mmio_exits"),
	};
}

/* Counters of a guest that was told to flush and did; negative if it did not. */
static struct exits flush(struct vm_test *vm, int count, long *ticks)
{
	struct exits before = read_exits(vm), after;
	char line[32];

	*ticks = 0;
	snprintf(line, sizeof(line), "%05d\n", count);
	if (vm_say(vm, line))
		return (struct exits) { -1, -1, -1 };
	snprintf(line, sizeof(line), "synced %05d, ", count);
	if (vm_expect(vm, line, 120))
		return (struct exits) { -1, -1, -1 };
	*ticks = strtol(vm->text + vm->seen, NULL, 10);
	if (vm_expect(vm, " ns\r\n", 20))
		return (struct exits) { -1, -1, -1 };
	after = read_exits(vm);
	return (struct exits) {
		.all = after.all - before.all,
		.io = after.io - before.io,
		.mmio = after.mmio - before.mmio,
	};
}

/* A counter of the last complete line of the metrics. */
static long long metric(const char *name)
{
	char text[16384], *line = NULL, *at;
	FILE *file = fopen(METRICS, "r");
	char key[64];
	long long value = -1;

	snprintf(key, sizeof(key), "\"%s\":", name);
	while (file && (line = fgets(text, sizeof(text), file))) {
		at = strstr(line, key);
		if (at && strchr(line, '\n'))
			value = atoll(at + strlen(key));
	}
	if (file)
		fclose(file);
	return value;
}

FIXTURE(exits_of_flush) {
	struct vm_test vm;
	char option[96];
};

FIXTURE_VARIANT(exits_of_flush) {
	const char *backend;
	int limit;	/* exits for ten flushes */
};

/* The notification, and the window to interrupt a guest that is running. */
FIXTURE_VARIANT_ADD(exits_of_flush, kernel_inline) {
	.backend = "flush=kernel,exec=inline",
	.limit = 21,
};

/* A guest that is idle meanwhile also halts, and sets its timer before and after. */
FIXTURE_VARIANT_ADD(exits_of_flush, kernel_worker) {
	.backend = "flush=kernel,exec=worker",
	.limit = 51,
};

FIXTURE_VARIANT_ADD(exits_of_flush, user) {
	.backend = "flush=user",
	.limit = 51,
};

FIXTURE_SETUP(exits_of_flush)
{
	ASSERT_EQ(0, vm_make_file("/tmp/exits.img", 4 << 20));
	snprintf(self->option, sizeof(self->option), "path=/tmp/exits.img,%s",
		 variant->backend);
	unlink(METRICS);
}

FIXTURE_TEARDOWN(exits_of_flush)
{
	vm_end(&self->vm);
	unlink("/tmp/exits.img");
	unlink(METRICS);
}

/* The console has as many for one flush as for 2001, or nearly. */
#define CONSOLE_JITTER	100

/*
 * Nothing but the console is left to the VMM: no register, and of all accesses to
 * ports at least the notifications are answered by KVM. A tick of the guest's clock
 * costs up to three exits: its timer is set, it rings, and waits for the window.
 */
TEST_F_TIMEOUT(exits_of_flush, user_space_has_no_part, 600)
{
	const char *const args[] = {
		"--memory", "256M", "--metrics", METRICS, "--pmem",
		self->option, NULL
	};
	struct exits few, many;
	long few_ticks, many_ticks;
	long long io;

	ASSERT_EQ(0, vm_start(&self->vm, "pmem,serve,0", 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "serving", BOOT_S));
	flush(&self->vm, WARM_UP, &few_ticks);
	few = flush(&self->vm, 1, &few_ticks);
	many = flush(&self->vm, 1 + FLUSHES, &many_ticks);
	TH_LOG("%d flushes: %lld exits, %lld port accesses, %ld ticks; one flush: %lld, %lld, %ld",
	       1 + FLUSHES, many.all, many.io, many_ticks, few.all, few.io,
	       few_ticks);
	ASSERT_LT(0, few.io);
	ASSERT_LT(0, vm_kvm_stat(&self->vm, "mmio_exits"));
	EXPECT_EQ(0, few.mmio);
	EXPECT_EQ(0, many.mmio);
	EXPECT_LE(FLUSHES - CONSOLE_JITTER, many.io - few.io);
	EXPECT_GE(FLUSHES + CONSOLE_JITTER, many.io - few.io);
	EXPECT_GE(FLUSHES * variant->limit / 10 + 3 * many_ticks,
		  many.all - few.all);

	io = vm_kvm_stat(&self->vm, "io_exits");
	vm_say(&self->vm, "\x04");
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	EXPECT_LE(FLUSHES + WARM_UP, metric("flushes"));
	ASSERT_LE(0, metric("exit_io_in"));
	/* More than the console's share are the warm-up's notifications. */
	EXPECT_LE(FLUSHES, io - metric("exit_io_in") - metric("exit_io_out"));
}

FIXTURE(exits) {
	struct vm_test vm;
};

FIXTURE_SETUP(exits)
{
	unlink(METRICS);
}

FIXTURE_TEARDOWN(exits)
{
	vm_end(&self->vm);
	unlink(METRICS);
}

/*
 * What 32 devices cost, all their life: only writes, and of these fewer than 1000 to
 * configuration space. The other registers are written when a driver comes and goes.
 */
TEST_F_TIMEOUT(exits, reads_of_registers_make_none, 500)
{
	static char options[DEVICES][64];
	const char *args[VM_ARGS_MAX] = { "--memory", "512M", "--metrics",
					  METRICS };
	long long until_init;
	char path[32];
	int count = 4;

	for (int i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/tmp/dev%d.img", i);
		ASSERT_EQ(0, vm_make_file(path, 2 << 20));
		snprintf(options[i], sizeof(options[i]), "path=%s", path);
		args[count++] = "--pmem";
		args[count++] = options[i];
	}
	ASSERT_EQ(0, vm_start(&self->vm, "true", DEVICES, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "L2: ready", BOOT_S));
	until_init = vm_kvm_stat(&self->vm, "mmio_exits");
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	TH_LOG("until init %lld; in all %lld reads, %lld writes, %lld in configuration space",
	       until_init, metric("exit_mmio_read"), metric("exit_mmio_write"),
	       metric("exit_config_space"));
	EXPECT_EQ(0, metric("exit_mmio_read"));
	EXPECT_LT(DEVICES, metric("exit_config_space"));
	EXPECT_GT(1000, metric("exit_config_space"));
	EXPECT_LT(metric("exit_config_space"), until_init);
	EXPECT_GE(metric("exit_mmio_write"), until_init);
	for (int i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/tmp/dev%d.img", i);
		unlink(path);
	}
}

/* Whatever the guest does to its device: it works, and still no register exits. */
TEST_F_TIMEOUT(exits, registers_stay_memory_when_they_move, 600)
{
	static const char *const steps[] = {
		"pci: rebound", "pci: switched off and on", "pci: rescanned",
		"c8000000 00002001", "pci: moved",
	};
	const char *const args[] = {
		"--memory", "256M", "--pmem", "path=/tmp/exits.img,flush=kernel",
		NULL
	};
	struct exits exits;
	long ticks;

	ASSERT_EQ(0, vm_make_file("/tmp/exits.img", 4 << 20));
	ASSERT_EQ(0, vm_start(&self->vm, "pci", 1, args));
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		EXPECT_EQ(0, vm_expect(&self->vm, steps[i], BOOT_S))
			TH_LOG("%s", steps[i]);
	}
	ASSERT_EQ(0, vm_expect(&self->vm, "serving", BOOT_S));
	exits = flush(&self->vm, 100, &ticks);
	EXPECT_LE(100, exits.io);
	EXPECT_EQ(0, exits.mmio);
	EXPECT_LT(0, vm_kvm_stat(&self->vm, "mmio_exits"));
	vm_say(&self->vm, "\x04");
	EXPECT_EQ(0, vm_wait(&self->vm, 60));
	unlink("/tmp/exits.img");
}

TEST_HARNESS_MAIN
