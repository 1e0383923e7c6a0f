// SPDX-License-Identifier: GPL-2.0-or-later
/* PCI bus, BARs, capabilities, the virtio registers and MSI-X. */
#include "fake_kvm.h"
#include "layout.h"
#include "machine.h"
#include "pci.h"
#include "util.h"
#include "virtio_pci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <poll.h>
#include <pthread.h>

#include "kselftest_harness.h"

#define FIRST_DEVFN	8u
#define STATUS_READY	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)

/* A device that records what it is told. */
struct thing {
	struct virtio_dev vdev;
	struct virtio_pci vp;
	unsigned int starts;
	unsigned int stops;
	int start_err;
	bool stops_late;
};

static const uint8_t thing_config[16] = { 1, 2, 3, 4, 5, 6, 7, 8,
					  9, 10, 11, 12, 13, 14, 15, 16 };

static int thing_start(struct virtio_dev *vdev)
{
	struct thing *thing = (struct thing *)vdev;

	thing->starts++;
	return thing->start_err;
}

static bool thing_stop(struct virtio_dev *vdev)
{
	struct thing *thing = (struct thing *)vdev;

	thing->stops++;
	return !thing->stops_late;
}

static const struct virtio_ops thing_ops = {
	.start = thing_start,
	.stop = thing_stop,
};

static int thing_create(struct thing *thing, struct machine *m)
{
	*thing = (struct thing) { .starts = 0 };
	virtio_init(&thing->vdev, &thing_ops, 1ull << VIRTIO_F_VERSION_1,
		    thing_config, sizeof(thing_config));
	return virtio_pci_init(&thing->vp, &m->vm, &thing->vdev,
			       VIRTIO_ID_PMEM, 0x058000);
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		abort();
}

static bool take_fd(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t count;

	return poll(&pfd, 1, 0) == 1 && read(fd, &count, sizeof(count)) > 0;
}

FIXTURE(pci) {
	struct machine m;
	struct thing thing;
	struct driver d;
};

FIXTURE_SETUP(pci)
{
	ASSERT_EQ(0, machine_create(&self->m));
	ASSERT_EQ(0, thing_create(&self->thing, &self->m));
	ASSERT_TRUE(driver_probe(&self->d, &self->m, FIRST_DEVFN));
}

FIXTURE_TEARDOWN(pci)
{
	virtio_pci_exit(&self->thing.vp);
	EXPECT_EQ(0, fake_kvm_ioeventfds());
	EXPECT_EQ(0, fake_kvm_irqfds());
	machine_destroy(&self->m);
}

TEST_F(pci, absent_functions_read_as_ones)
{
	EXPECT_EQ(0xffffffff, config_read(&self->m, 0xff, 0, 4));
	EXPECT_EQ(0xffff, config_read(&self->m, FIRST_DEVFN + 1, 0, 2));
	EXPECT_EQ(0xff, config_read(&self->m, 0x10, 0xfff, 1));
	config_write(&self->m, 0xff, 0, 0, 4);
	EXPECT_EQ(0xffffffff, config_read(&self->m, 0xff, 0, 4));
}

TEST_F(pci, host_bridge_is_there)
{
	EXPECT_NE(0xffff, config_read(&self->m, 0, PCI_VENDOR_ID, 2));
	EXPECT_EQ(0x0600, config_read(&self->m, 0, PCI_CLASS_DEVICE, 2));
	EXPECT_EQ(0, config_read(&self->m, 0, PCI_HEADER_TYPE, 1));
}

/* PCI-1 */
TEST_F(pci, ids)
{
	struct machine *m = &self->m;

	EXPECT_EQ(0x1af4, config_read(m, FIRST_DEVFN, PCI_VENDOR_ID, 2));
	EXPECT_EQ(0x105b, config_read(m, FIRST_DEVFN, PCI_DEVICE_ID, 2));
	EXPECT_LE(1, config_read(m, FIRST_DEVFN, PCI_REVISION_ID, 1));
	EXPECT_LE(0x40, config_read(m, FIRST_DEVFN, PCI_SUBSYSTEM_ID, 2));
	EXPECT_EQ(0, config_read(m, FIRST_DEVFN, PCI_INTERRUPT_PIN, 1));
	EXPECT_EQ(0, config_read(m, FIRST_DEVFN, 0x100, 4));
}

TEST_F(pci, read_only_fields_stay)
{
	struct machine *m = &self->m;

	config_write(m, FIRST_DEVFN, PCI_VENDOR_ID, 0, 4);
	config_write(m, FIRST_DEVFN, PCI_CAPABILITY_LIST, 0, 1);
	config_write(m, FIRST_DEVFN, 0x200, 0xffffffff, 4);
	EXPECT_EQ(0x105b1af4, config_read(m, FIRST_DEVFN, PCI_VENDOR_ID, 4));
	EXPECT_EQ(0x40, config_read(m, FIRST_DEVFN, PCI_CAPABILITY_LIST, 1));
	EXPECT_EQ(0, config_read(m, FIRST_DEVFN, 0x200, 4));
}

TEST_F(pci, reads_do_not_exit)
{
	unsigned int before = self->m.nr_exits;
	uint32_t reg;

	for (reg = 0; reg < PCI_CONFIG_SIZE; reg += 4)
		config_read(&self->m, FIRST_DEVFN, reg, 4);
	driver_status(&self->d);
	machine_read(&self->m, self->d.device, 8);
	machine_read(&self->m, self->d.msix_table + PCI_MSIX_ENTRY_DATA, 4);
	EXPECT_EQ(before, self->m.nr_exits);
}

#define BAR_A	0xc0100000u
#define BAR_B	0xdff04000u

/* What another vCPU sees of a register that has two values in turn. */
static void *count_torn_reads(void *arg)
{
	struct thing *thing = arg;
	const uint32_t *reg = (const uint32_t *)(thing->vp.pci.config +
						 PCI_BASE_ADDRESS_0);
	uintptr_t torn = 0;
	uint32_t val;

	do {
		val = __atomic_load_n(reg, __ATOMIC_RELAXED);
		torn += val && val != BAR_A && val != BAR_B;
	} while (val);
	return (void *)torn;
}

TEST_F(pci, config_words_change_whole)
{
	pthread_t thread;
	void *torn;
	int i;

	config_write(&self->m, FIRST_DEVFN, PCI_COMMAND, 0, 2);
	config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_0, BAR_A, 4);
	ASSERT_EQ(0, pthread_create(&thread, NULL, count_torn_reads,
				    &self->thing));
	for (i = 0; i < 2000000; i++)
		config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_0,
			     i % 2 ? BAR_A : BAR_B, 4);
	config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_0, 0, 4);
	ASSERT_EQ(0, pthread_join(thread, &torn));
	EXPECT_EQ(NULL, torn);
}

/* Bytes beside those that are written, and read-only ones, stay. */
TEST_F(pci, config_writes_of_any_width)
{
	struct machine *m = &self->m;

	config_write(m, FIRST_DEVFN, PCI_COMMAND, 0, 2);
	config_write(m, FIRST_DEVFN, PCI_BASE_ADDRESS_0, 0xc0100000, 4);
	config_write(m, FIRST_DEVFN, PCI_BASE_ADDRESS_0 + 2, 0xc123, 2);
	EXPECT_EQ(0xc1230000, config_read(m, FIRST_DEVFN, PCI_BASE_ADDRESS_0, 4));
	config_write(m, FIRST_DEVFN, PCI_BASE_ADDRESS_0 + 3, 0xd0, 1);
	EXPECT_EQ(0xd0230000, config_read(m, FIRST_DEVFN, PCI_BASE_ADDRESS_0, 4));
	/* Across a word: the end of one register, the start of the next. */
	config_write(m, FIRST_DEVFN, PCI_BASE_ADDRESS_0 + 2, 0x2340c456, 4);
	EXPECT_EQ(0xc4560000, config_read(m, FIRST_DEVFN, PCI_BASE_ADDRESS_0, 4));
	EXPECT_EQ(0x2341, config_read(m, FIRST_DEVFN, PCI_BASE_ADDRESS_1, 2));
	/* At the end of what can be written. */
	config_write(m, FIRST_DEVFN, 0xfe, 0xffffffff, 4);
	EXPECT_EQ(0, config_read(m, FIRST_DEVFN, 0xfe, 4));
}

/* The list starts with the cheap notification, PCI-2. */
TEST_F(pci, capabilities)
{
	struct machine *m = &self->m;
	unsigned int seen = 0;
	uint8_t cap = 0;

	cap = config_find_cap(m, FIRST_DEVFN, PCI_CAP_ID_VNDR, 0);
	EXPECT_EQ(VIRTIO_PCI_CAP_NOTIFY_CFG,
		  config_read(m, FIRST_DEVFN, cap + VIRTIO_PCI_CAP_CFG_TYPE, 1));
	EXPECT_EQ(1, config_read(m, FIRST_DEVFN, cap + VIRTIO_PCI_CAP_BAR, 1));
	EXPECT_EQ(0, config_read(m, FIRST_DEVFN,
				 cap + VIRTIO_PCI_NOTIFY_CAP_MULT, 4));
	for (; cap; cap = config_find_cap(m, FIRST_DEVFN, PCI_CAP_ID_VNDR, cap))
		seen |= 1 << config_read(m, FIRST_DEVFN,
					 cap + VIRTIO_PCI_CAP_CFG_TYPE, 1);
	EXPECT_EQ(0x3e, seen);
	EXPECT_EQ(MSIX_VECTORS - 1, PCI_MSIX_FLAGS_QSIZE &
		  config_read(m, FIRST_DEVFN, self->d.msix_cap +
			      PCI_MSIX_FLAGS, 2));
}

static uint32_t size_bar(struct machine *m, unsigned int bar)
{
	uint32_t reg = PCI_BASE_ADDRESS_0 + 4 * bar;
	uint32_t was = config_read(m, FIRST_DEVFN, reg, 4);
	uint32_t mask;

	config_write(m, FIRST_DEVFN, reg, 0xffffffff, 4);
	mask = config_read(m, FIRST_DEVFN, reg, 4);
	config_write(m, FIRST_DEVFN, reg, was, 4);
	return ~(mask & ~0xfu) + 1;
}

TEST_F(pci, bars_can_be_sized)
{
	EXPECT_EQ(VIRTIO_PCI_BAR0_SIZE, size_bar(&self->m, 0));
	EXPECT_EQ(VIRTIO_PCI_BAR1_SIZE, size_bar(&self->m, 1));
	EXPECT_EQ(0, config_read(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_2, 4));
	/* They work as before. */
	EXPECT_TRUE(driver_start(&self->d));
	driver_kick(&self->d);
	EXPECT_TRUE(take_fd(self->thing.vp.kick_fd));
}

TEST_F(pci, disabled_bars_do_not_decode)
{
	config_write(&self->m, FIRST_DEVFN, PCI_COMMAND, 0, 2);
	EXPECT_EQ(0, fake_kvm_ioeventfds());
	EXPECT_EQ(0xff, driver_status(&self->d));
	driver_set_status(&self->d, 1);
	driver_kick(&self->d);
	EXPECT_FALSE(take_fd(self->thing.vp.kick_fd));
	config_write(&self->m, FIRST_DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	EXPECT_EQ(0, driver_status(&self->d));
	EXPECT_EQ(1, fake_kvm_ioeventfds());
	config_write(&self->m, FIRST_DEVFN, PCI_COMMAND, PCI_COMMAND_IO, 2);
	EXPECT_EQ(1, fake_kvm_ioeventfds());
	driver_kick(&self->d);
	EXPECT_TRUE(take_fd(self->thing.vp.kick_fd));
}

TEST_F(pci, bars_can_move)
{
	struct driver moved;

	ASSERT_TRUE(driver_start(&self->d));
	config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_0,
		     LAYOUT_PCI_MMIO + 0x100000, 4);
	config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_1, 0x2000, 4);
	EXPECT_EQ(0xff, driver_status(&self->d));
	driver_kick(&self->d);
	EXPECT_FALSE(take_fd(self->thing.vp.kick_fd));
	ASSERT_TRUE(driver_probe(&moved, &self->m, FIRST_DEVFN));
	EXPECT_EQ(LAYOUT_PCI_MMIO + 0x100000, moved.common);
	EXPECT_EQ(0x2000, moved.port);
	EXPECT_EQ(STATUS_READY | VIRTIO_CONFIG_S_FEATURES_OK |
		  VIRTIO_CONFIG_S_DRIVER_OK, driver_status(&moved));
	driver_kick(&moved);
	EXPECT_TRUE(take_fd(self->thing.vp.kick_fd));
	machine_write(&self->m, moved.notify, 0, 2);
	EXPECT_TRUE(take_fd(self->thing.vp.kick_fd));
}

TEST_F(pci, bars_outside_the_window_do_not_decode)
{
	config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_0, 0, 4);
	config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_1, 0x3f0, 4);
	EXPECT_EQ(0, fake_kvm_ioeventfds());
	config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_0, 0xffffffff, 4);
	config_write(&self->m, FIRST_DEVFN, PCI_BASE_ADDRESS_1, 0xffffffff, 4);
	EXPECT_EQ(0, fake_kvm_ioeventfds());
}

TEST_F(pci, overlapping_bars_do_not_decode)
{
	struct thing other;

	ASSERT_EQ(0, thing_create(&other, &self->m));
	config_write(&self->m, FIRST_DEVFN + 1, PCI_BASE_ADDRESS_0,
		     LAYOUT_PCI_MMIO, 4);
	config_write(&self->m, FIRST_DEVFN + 1, PCI_COMMAND,
		     PCI_COMMAND_MEMORY, 2);
	EXPECT_EQ(2, fake_kvm_ioeventfds());
	driver_set_status(&self->d, 1);
	EXPECT_EQ(1, self->thing.vdev.status);
	EXPECT_EQ(0, other.vdev.status);
	virtio_pci_exit(&other.vp);
}

/* What cannot be registered completely leaves nothing behind. */
TEST_F(pci, failed_registration_is_undone)
{
	size_t regions = self->m.vm.mem.nr_regions;

	config_write(&self->m, FIRST_DEVFN, PCI_COMMAND, 0, 2);
	EXPECT_EQ(regions - 1, self->m.vm.mem.nr_regions);
	fake_kvm_refuse(-ENOSPC);
	config_write(&self->m, FIRST_DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	EXPECT_EQ(regions - 1, self->m.vm.mem.nr_regions);
	EXPECT_EQ(0xff, driver_status(&self->d));
	config_write(&self->m, FIRST_DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	EXPECT_EQ(0, driver_status(&self->d));
}

TEST_F(pci, many_devices_fit)
{
	static struct thing things[63];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(things); i++) {
		ASSERT_EQ(0, thing_create(&things[i], &self->m));
		EXPECT_EQ(FIRST_DEVFN + 1 + i, things[i].vp.pci.devfn);
		config_write(&self->m, FIRST_DEVFN + 1 + i, PCI_COMMAND, 3, 2);
	}
	EXPECT_EQ(2 * 64, fake_kvm_ioeventfds());
	/* A guest looks at the other functions of a slot only if told. */
	for (i = 1; i <= 8; i++)
		EXPECT_EQ(0x80, config_read(&self->m, 8 * i, PCI_HEADER_TYPE,
					    1));
	for (i = 0; i < ARRAY_SIZE(things); i++)
		virtio_pci_exit(&things[i].vp);
}

/* BAD-20: any width, any offset, beyond the end, writes. */
TEST_F(pci, device_config)
{
	struct machine *m = &self->m;
	uint64_t at = self->d.device;
	uint64_t expected;
	uint32_t len, i;

	for (len = 1; len <= 8; len *= 2) {
		for (i = 0; i + len <= sizeof(thing_config); i++) {
			expected = 0;
			memcpy(&expected, thing_config + i, len);
			EXPECT_EQ(expected, machine_read(m, at + i, len));
		}
	}
	EXPECT_EQ(0, machine_read(m, at + 16, 8));
	EXPECT_EQ(0x100f, machine_read(m, at + 14, 4));
	machine_write(m, at, 0xffffffff, 4);
	machine_write(m, at + 8, 0, 8);
	EXPECT_EQ(0x04030201, machine_read(m, at, 4));
	EXPECT_EQ(2, self->thing.vp.config_writes);
	machine_write(m, at + 16, 0, 4);
	EXPECT_EQ(2, self->thing.vp.config_writes);
}

TEST_F(pci, virtio_read_config_any_width)
{
	uint8_t out[16], zeros[16] = { 0 };

	virtio_read_config(&self->thing.vdev, 0, out, 16);
	EXPECT_EQ(0, memcmp(out, thing_config, 16));
	virtio_read_config(&self->thing.vdev, 12, out, 8);
	EXPECT_EQ(0, memcmp(out, thing_config + 12, 4));
	EXPECT_EQ(0, memcmp(out + 4, zeros, 4));
	virtio_read_config(&self->thing.vdev, 16, out, 4);
	EXPECT_EQ(0, memcmp(out, zeros, 4));
	virtio_read_config(&self->thing.vdev, ~0ull, out, 4);
	EXPECT_EQ(0, memcmp(out, zeros, 4));
}

/* PCI-5, VIO-1 */
TEST_F(pci, features_offered)
{
	driver_set(&self->d, VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	EXPECT_EQ(0, driver_get(&self->d, VIRTIO_PCI_COMMON_DF, 4));
	driver_set(&self->d, VIRTIO_PCI_COMMON_DFSELECT, 1, 4);
	EXPECT_EQ(1, driver_get(&self->d, VIRTIO_PCI_COMMON_DF, 4));
	driver_set(&self->d, VIRTIO_PCI_COMMON_DFSELECT, 2, 4);
	EXPECT_EQ(0, driver_get(&self->d, VIRTIO_PCI_COMMON_DF, 4));
	EXPECT_EQ(2, driver_get(&self->d, VIRTIO_PCI_COMMON_DFSELECT, 4));
	driver_set(&self->d, VIRTIO_PCI_COMMON_DFSELECT, 0xffffffff, 4);
	EXPECT_EQ(0, driver_get(&self->d, VIRTIO_PCI_COMMON_DF, 4));
}

static bool negotiate(struct driver *d, uint64_t features)
{
	driver_set_status(d, 0);
	driver_set_status(d, STATUS_READY);
	driver_set(d, VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	driver_set(d, VIRTIO_PCI_COMMON_GF, features, 4);
	driver_set(d, VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	driver_set(d, VIRTIO_PCI_COMMON_GF, features >> 32, 4);
	driver_set_status(d, STATUS_READY | VIRTIO_CONFIG_S_FEATURES_OK);
	return driver_status(d) & VIRTIO_CONFIG_S_FEATURES_OK;
}

/* VIO-2 */
TEST_F(pci, features_negotiated)
{
	uint64_t v1 = 1ull << VIRTIO_F_VERSION_1;

	EXPECT_FALSE(negotiate(&self->d, 0));
	EXPECT_FALSE(negotiate(&self->d, v1 | 1));
	EXPECT_FALSE(negotiate(&self->d, v1 | 1ull << 33));
	EXPECT_TRUE(negotiate(&self->d, v1));
	EXPECT_EQ(1, driver_get(&self->d, VIRTIO_PCI_COMMON_GF, 4));
	/* Too late to change. */
	driver_set(&self->d, VIRTIO_PCI_COMMON_GF, 0, 4);
	EXPECT_EQ(1, driver_get(&self->d, VIRTIO_PCI_COMMON_GF, 4));
	driver_set(&self->d, VIRTIO_PCI_COMMON_GFSELECT, 2, 4);
	EXPECT_EQ(0, driver_get(&self->d, VIRTIO_PCI_COMMON_GF, 4));
	EXPECT_TRUE(negotiate(&self->d, v1));
}

TEST_F(pci, driver_ok_needs_features_ok)
{
	driver_set_status(&self->d, STATUS_READY | VIRTIO_CONFIG_S_DRIVER_OK);
	EXPECT_EQ(STATUS_READY, driver_status(&self->d));
	EXPECT_EQ(0, self->thing.starts);
}

TEST_F(pci, status_bits_are_not_cleared_one_by_one)
{
	driver_set_status(&self->d, STATUS_READY);
	driver_set_status(&self->d, VIRTIO_CONFIG_S_FAILED);
	EXPECT_EQ(STATUS_READY | VIRTIO_CONFIG_S_FAILED,
		  driver_status(&self->d));
	driver_set_status(&self->d, VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(STATUS_READY | VIRTIO_CONFIG_S_FAILED,
		  driver_status(&self->d));
}

/* VIO-3: started when driver and queue are both ready. */
TEST_F(pci, starts_once_at_driver_ok)
{
	EXPECT_TRUE(driver_start(&self->d));
	EXPECT_EQ(1, self->thing.starts);
	driver_set_status(&self->d, driver_status(&self->d));
	driver_set(&self->d, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	EXPECT_EQ(1, self->thing.starts);
	EXPECT_EQ(0, self->thing.stops);
}

TEST_F(pci, starts_when_the_queue_comes_late)
{
	ASSERT_TRUE(negotiate(&self->d, 1ull << VIRTIO_F_VERSION_1));
	driver_set_status(&self->d, driver_status(&self->d) |
			  VIRTIO_CONFIG_S_DRIVER_OK);
	EXPECT_EQ(0, self->thing.starts);
	driver_setup_queue(&self->d);
	EXPECT_EQ(1, self->thing.starts);
}

/* VIO-5, PCI-7, PCI-8, MSIX-4 */
TEST_F(pci, reset_brings_everything_back)
{
	ASSERT_TRUE(driver_start(&self->d));
	driver_set_status(&self->d, 0);
	EXPECT_EQ(1, self->thing.stops);
	EXPECT_EQ(0, driver_status(&self->d));
	EXPECT_EQ(0, driver_get(&self->d, VIRTIO_PCI_COMMON_Q_ENABLE, 2));
	EXPECT_EQ(VIRTIO_QUEUE_SIZE_MAX,
		  driver_get(&self->d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	EXPECT_EQ(0, driver_get(&self->d, VIRTIO_PCI_COMMON_Q_DESCLO, 4));
	EXPECT_EQ(0xffff, driver_get(&self->d, VIRTIO_PCI_COMMON_MSIX, 2));
	EXPECT_EQ(0xffff, driver_get(&self->d, VIRTIO_PCI_COMMON_Q_MSIX, 2));
	EXPECT_EQ(0, fake_kvm_irqfds());
	driver_set_status(&self->d, 0);
	EXPECT_EQ(1, self->thing.stops);
	EXPECT_TRUE(driver_start(&self->d));
	EXPECT_EQ(2, self->thing.starts);
}

/* DRV-14: the status reads 0 only when the queue has stopped. */
TEST_F(pci, reset_that_takes_time)
{
	ASSERT_TRUE(driver_start(&self->d));
	self->thing.stops_late = true;
	driver_set_status(&self->d, 0);
	EXPECT_NE(0, driver_status(&self->d));
	driver_set_status(&self->d, 0);
	driver_set_status(&self->d, STATUS_READY);
	driver_set(&self->d, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	EXPECT_EQ(1, self->thing.stops);
	EXPECT_EQ(1, self->thing.starts);
	virtio_pci_queue_broken(&self->thing.vp, self->thing.vdev.generation);
	EXPECT_EQ(0, driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	virtio_pci_queue_stopped(&self->thing.vp);
	EXPECT_EQ(0, driver_status(&self->d));
	self->thing.stops_late = false;
	EXPECT_TRUE(driver_start(&self->d));
}

/* VIO-4, PEER-26 */
TEST_F(pci, broken_queue_needs_reset)
{
	uint8_t generation;

	ASSERT_TRUE(driver_start(&self->d));
	generation = driver_get(&self->d, VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	virtio_pci_queue_broken(&self->thing.vp, self->thing.vdev.generation);
	EXPECT_TRUE(driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(1, driver_take_irqs(0));
	EXPECT_EQ(0, driver_take_irqs(1));
	EXPECT_NE(generation, driver_get(&self->d,
					 VIRTIO_PCI_COMMON_CFGGENERATION, 1));
	EXPECT_EQ(2, machine_read(&self->m, self->d.isr, 1));
	EXPECT_EQ(0, machine_read(&self->m, self->d.isr, 1));
	EXPECT_TRUE(driver_start(&self->d));
}

/* A descriptor whose next write waits until @pipe is read. */
static void fill_pipe(int pipe[2])
{
	char page[4096] = { 0 };

	fcntl(pipe[1], F_SETFL, O_NONBLOCK);
	while (write(pipe[1], page, sizeof(page)) > 0)
		;
	fcntl(pipe[1], F_SETFL, 0);
}

static void *break_queue(void *arg)
{
	struct thing *thing = arg;

	virtio_pci_queue_broken(&thing->vp, thing->vdev.generation);
	return NULL;
}

/* VIO-4: whoever is interrupted finds the reason, while the interrupt is sent. */
TEST_F(pci, status_is_there_before_the_interrupt)
{
	pthread_t thread;
	int pipe_fds[2];
	char page[4096];

	ASSERT_TRUE(driver_start(&self->d));
	ASSERT_EQ(0, pipe(pipe_fds));
	fill_pipe(pipe_fds);
	ASSERT_LE(0, dup2(pipe_fds[1], self->thing.vp.config_fd));
	close(pipe_fds[1]);
	ASSERT_EQ(0, pthread_create(&thread, NULL, break_queue, &self->thing));
	for (int i = 0; i < 5000; i++) {
		if (driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET)
			break;
		usleep(1000);
	}
	EXPECT_TRUE(driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(1, driver_get(&self->d, VIRTIO_PCI_COMMON_CFGGENERATION, 1));
	EXPECT_LT(0, read(pipe_fds[0], page, sizeof(page)));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	close(pipe_fds[0]);
}

TEST_F(pci, news_of_an_old_queue_are_ignored)
{
	uint64_t old;

	ASSERT_TRUE(driver_start(&self->d));
	old = self->thing.vdev.generation;
	ASSERT_TRUE(driver_start(&self->d));
	virtio_pci_queue_broken(&self->thing.vp, old);
	EXPECT_FALSE(driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(0, driver_take_irqs(0));
	virtio_pci_queue_stopped(&self->thing.vp);
	EXPECT_NE(0, driver_status(&self->d));
}

TEST_F(pci, start_that_fails_needs_reset)
{
	self->thing.start_err = -EFAULT;
	EXPECT_FALSE(driver_start(&self->d));
	EXPECT_TRUE(driver_status(&self->d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(1, driver_take_irqs(0));
	driver_set_status(&self->d, 0);
	EXPECT_EQ(0, driver_status(&self->d));
	EXPECT_EQ(0, self->thing.stops);
}

TEST_F(pci, queue_registers)
{
	struct driver *d = &self->d;

	EXPECT_EQ(1, driver_get(d, VIRTIO_PCI_COMMON_NUMQ, 2));
	EXPECT_EQ(VIRTIO_QUEUE_SIZE_MAX,
		  driver_get(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	driver_set(d, VIRTIO_PCI_COMMON_Q_SIZE, 0, 2);
	driver_set(d, VIRTIO_PCI_COMMON_Q_SIZE, 3, 2);
	driver_set(d, VIRTIO_PCI_COMMON_Q_SIZE, 512, 2);
	EXPECT_EQ(VIRTIO_QUEUE_SIZE_MAX,
		  driver_get(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	driver_set(d, VIRTIO_PCI_COMMON_Q_SIZE, 64, 2);
	EXPECT_EQ(64, driver_get(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	/* PCI-4: halves and the whole. */
	driver_set(d, VIRTIO_PCI_COMMON_Q_DESCHI, 0x12, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_DESCLO, 0x3450, 4);
	EXPECT_EQ(0x1200003450, self->thing.vdev.queue.desc);
	EXPECT_EQ(0x12, driver_get(d, VIRTIO_PCI_COMMON_Q_DESCHI, 4));
	driver_set(d, VIRTIO_PCI_COMMON_Q_USEDLO, 0x9876543210, 8);
	EXPECT_EQ(0x9876543210, self->thing.vdev.queue.used);
	/* Other widths are ignored. */
	driver_set(d, VIRTIO_PCI_COMMON_Q_SIZE, 32, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_DESCLO, 1, 2);
	EXPECT_EQ(64, driver_get(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	EXPECT_EQ(0x1200003450, self->thing.vdev.queue.desc);
}

TEST_F(pci, queue_that_does_not_exist)
{
	struct driver *d = &self->d;

	driver_set(d, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
	EXPECT_EQ(0, driver_get(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	EXPECT_EQ(0xffff, driver_get(d, VIRTIO_PCI_COMMON_Q_MSIX, 2));
	driver_set(d, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	driver_set(d, VIRTIO_PCI_COMMON_Q_DESCLO, 0x1000, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_MSIX, 0, 2);
	EXPECT_EQ(0, driver_get(d, VIRTIO_PCI_COMMON_Q_ENABLE, 2));
	EXPECT_EQ(0xffff, driver_get(d, VIRTIO_PCI_COMMON_Q_MSIX, 2));
	driver_set(d, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	EXPECT_EQ(0, driver_get(d, VIRTIO_PCI_COMMON_Q_ENABLE, 2));
	EXPECT_EQ(0, driver_get(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4));
}

/* BAD-21 */
TEST_F(pci, enabled_queue_does_not_change)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	driver_set(d, VIRTIO_PCI_COMMON_Q_SIZE, 8, 2);
	driver_set(d, VIRTIO_PCI_COMMON_Q_DESCLO, 0x9000, 4);
	driver_set(d, VIRTIO_PCI_COMMON_Q_ENABLE, 0, 2);
	EXPECT_EQ(DRIVER_RING, driver_get(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	EXPECT_EQ(DRIVER_DESC, driver_get(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4));
	EXPECT_EQ(1, driver_get(d, VIRTIO_PCI_COMMON_Q_ENABLE, 2));
}

TEST_F(pci, notifications)
{
	struct machine *m = &self->m;
	int kick = self->thing.vp.kick_fd;
	unsigned int before = m->nr_exits;

	machine_out(m, self->d.port, 0, 2);
	EXPECT_TRUE(take_fd(kick));
	machine_write(m, self->d.notify, 0, 2);
	EXPECT_TRUE(take_fd(kick));
	EXPECT_EQ(before, m->nr_exits);
	/* Other widths exit, but work; other queues do not exist. */
	machine_out(m, self->d.port, 0, 4);
	EXPECT_TRUE(take_fd(kick));
	machine_out(m, self->d.port, 1, 4);
	EXPECT_FALSE(take_fd(kick));
}

/* MSIX-2, MSIX-3 */
TEST_F(pci, vectors_map_and_unmap)
{
	struct driver *d = &self->d;

	driver_set(d, VIRTIO_PCI_COMMON_Q_MSIX, 1, 2);
	EXPECT_EQ(1, driver_get(d, VIRTIO_PCI_COMMON_Q_MSIX, 2));
	driver_set(d, VIRTIO_PCI_COMMON_Q_MSIX, 0, 2);
	EXPECT_EQ(0, driver_get(d, VIRTIO_PCI_COMMON_Q_MSIX, 2));
	driver_set(d, VIRTIO_PCI_COMMON_Q_MSIX, MSIX_VECTORS, 2);
	EXPECT_EQ(0xffff, driver_get(d, VIRTIO_PCI_COMMON_Q_MSIX, 2));
	driver_set(d, VIRTIO_PCI_COMMON_MSIX, 1, 2);
	EXPECT_EQ(1, driver_get(d, VIRTIO_PCI_COMMON_MSIX, 2));
	driver_set(d, VIRTIO_PCI_COMMON_MSIX, 0xffff, 2);
	EXPECT_EQ(0xffff, driver_get(d, VIRTIO_PCI_COMMON_MSIX, 2));
}

TEST_F(pci, interrupt_comes_through_kvm)
{
	ASSERT_TRUE(driver_start(&self->d));
	EXPECT_EQ(2, fake_kvm_irqfds());
	signal_fd(self->thing.vp.call_fd);
	EXPECT_EQ(1, driver_take_irqs(1));
	EXPECT_EQ(0, driver_take_irqs(1));
}

TEST_F(pci, both_events_on_one_vector)
{
	ASSERT_TRUE(driver_start(&self->d));
	driver_set(&self->d, VIRTIO_PCI_COMMON_MSIX, 1, 2);
	signal_fd(self->thing.vp.call_fd);
	virtio_pci_queue_broken(&self->thing.vp, self->thing.vdev.generation);
	EXPECT_EQ(2, driver_take_irqs(1));
}

static uint64_t pending_bits(struct driver *d)
{
	return machine_read(d->m, d->msix_pba, 8);
}

/* MSIX-6 */
TEST_F(pci, masked_vector_is_delivered_on_unmask)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	driver_set_vector(d, 1, true);
	EXPECT_EQ(0, pending_bits(d));
	signal_fd(self->thing.vp.call_fd);
	signal_fd(self->thing.vp.call_fd);
	EXPECT_EQ(0, driver_take_irqs(1));
	EXPECT_EQ(2, pending_bits(d));
	EXPECT_EQ(2, pending_bits(d));
	driver_set_vector(d, 1, false);
	EXPECT_EQ(1, driver_take_irqs(1));
	EXPECT_EQ(0, pending_bits(d));
	driver_set_vector(d, 1, true);
	EXPECT_EQ(0, pending_bits(d));
	driver_set_vector(d, 1, false);
	EXPECT_EQ(0, driver_take_irqs(1));
}

TEST_F(pci, masked_function_is_delivered_on_unmask)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	driver_enable_msix(d, true);
	EXPECT_EQ(0, fake_kvm_irqfds());
	signal_fd(self->thing.vp.call_fd);
	virtio_pci_queue_broken(&self->thing.vp, self->thing.vdev.generation);
	EXPECT_EQ(3, pending_bits(d));
	driver_enable_msix(d, false);
	EXPECT_EQ(1, driver_take_irqs(0));
	EXPECT_EQ(1, driver_take_irqs(1));
	EXPECT_EQ(0, pending_bits(d));
}

/* A pending interrupt goes where its entry points when it is unmasked. */
TEST_F(pci, masked_vector_can_be_moved)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	driver_set_vector(d, 1, true);
	signal_fd(self->thing.vp.call_fd);
	machine_write(d->m, d->msix_table + 16 + PCI_MSIX_ENTRY_DATA, 0x99, 4);
	machine_write(d->m, d->msix_table + 16 + PCI_MSIX_ENTRY_VECTOR_CTRL, 0,
		      4);
	EXPECT_EQ(0, driver_take_irqs(1));
	EXPECT_EQ(1, fake_irq_take(MACHINE_MSI_ADDR, 0x99));
	signal_fd(self->thing.vp.call_fd);
	EXPECT_EQ(1, fake_irq_take(MACHINE_MSI_ADDR, 0x99));
}

TEST_F(pci, unmasked_entry_changes_at_once)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	machine_write(d->m, d->msix_table + 16 + PCI_MSIX_ENTRY_DATA, 0x77, 4);
	signal_fd(self->thing.vp.call_fd);
	EXPECT_EQ(1, fake_irq_take(MACHINE_MSI_ADDR, 0x77));
}

/* MSIX-5 */
TEST_F(pci, unmapped_event_never_interrupts)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	driver_set(d, VIRTIO_PCI_COMMON_Q_MSIX, 0xffff, 2);
	signal_fd(self->thing.vp.call_fd);
	EXPECT_EQ(0, pending_bits(d));
	driver_set(d, VIRTIO_PCI_COMMON_Q_MSIX, 1, 2);
	EXPECT_EQ(0, driver_take_irqs(1));
	signal_fd(self->thing.vp.call_fd);
	EXPECT_EQ(1, driver_take_irqs(1));
}

TEST_F(pci, reset_forgets_pending_interrupts)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	driver_set_vector(d, 1, true);
	signal_fd(self->thing.vp.call_fd);
	driver_set_status(d, 0);
	EXPECT_EQ(0, pending_bits(d));
	ASSERT_TRUE(driver_start(d));
	EXPECT_EQ(0, driver_take_irqs(1));
}

/* PCI-11: without MSI-X a driver has the ISR. */
TEST_F(pci, isr_shows_the_queue_only_without_msix)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	signal_fd(self->thing.vp.call_fd);
	EXPECT_EQ(0, machine_read(d->m, d->isr, 1));
	EXPECT_EQ(1, driver_take_irqs(1));
	config_write(d->m, d->devfn, d->msix_cap + PCI_MSIX_FLAGS, 0, 2);
	signal_fd(self->thing.vp.call_fd);
	virtio_pci_queue_broken(&self->thing.vp, self->thing.vdev.generation);
	EXPECT_EQ(3, machine_read(d->m, d->isr, 1));
	EXPECT_EQ(0, machine_read(d->m, d->isr, 1));
}

TEST_F(pci, msix_table_reads_back)
{
	struct driver *d = &self->d;

	EXPECT_EQ(1, machine_read(d->m, d->msix_table +
				  PCI_MSIX_ENTRY_VECTOR_CTRL, 4));
	driver_set_vector(d, 1, false);
	EXPECT_EQ(0x41, machine_read(d->m, d->msix_table + 16 +
				     PCI_MSIX_ENTRY_DATA, 4));
	EXPECT_EQ(MACHINE_MSI_ADDR, machine_read(d->m, d->msix_table + 16, 8));
	machine_write(d->m, d->msix_table, 0x1122334455667788, 8);
	EXPECT_EQ(0x11223344, machine_read(d->m, d->msix_table + 4, 4));
	machine_write(d->m, d->msix_table, 0, 2);
	EXPECT_EQ(0x55667788, machine_read(d->m, d->msix_table, 4));
	machine_write(d->m, d->msix_table + 32, 0xffffffff, 4);
	EXPECT_EQ(0, machine_read(d->m, d->msix_table + 32, 4));
}

static void window_set(struct driver *d, uint8_t bar, uint32_t offset,
		       uint32_t len)
{
	config_write(d->m, d->devfn, d->window_cap + VIRTIO_PCI_CAP_BAR, bar, 1);
	config_write(d->m, d->devfn, d->window_cap + VIRTIO_PCI_CAP_OFFSET,
		     offset, 4);
	config_write(d->m, d->devfn, d->window_cap + VIRTIO_PCI_CAP_LENGTH,
		     len, 4);
}

static uint32_t window_get(struct driver *d, uint32_t offset, uint32_t len)
{
	window_set(d, 0, offset, len);
	return config_read(d->m, d->devfn, d->window_cap + 16, len);
}

static void window_put(struct driver *d, uint8_t bar, uint32_t offset,
		       uint32_t val, uint32_t len)
{
	window_set(d, bar, offset, len);
	config_write(d->m, d->devfn, d->window_cap + 16, val, len);
}

/* PCI-10 */
TEST_F(pci, window)
{
	struct driver *d = &self->d;

	ASSERT_TRUE(driver_start(d));
	EXPECT_EQ(driver_status(d), window_get(d, VIRTIO_PCI_COMMON_STATUS, 1));
	EXPECT_EQ(0x04030201, window_get(d, VIRTIO_PCI_AT_DEVICE, 4));
	virtio_pci_queue_broken(&self->thing.vp, self->thing.vdev.generation);
	/* Reading the ISR through it is an action each time. */
	EXPECT_EQ(2, window_get(d, VIRTIO_PCI_AT_ISR, 1));
	EXPECT_EQ(0, config_read(d->m, d->devfn, d->window_cap + 16, 1));
	window_put(d, 1, 0, 0, 2);
	EXPECT_TRUE(take_fd(self->thing.vp.kick_fd));
	window_put(d, 0, VIRTIO_PCI_AT_NOTIFY, 0, 2);
	EXPECT_TRUE(take_fd(self->thing.vp.kick_fd));
	window_put(d, 0, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	EXPECT_EQ(0, driver_status(d));
}

TEST_F(pci, window_to_nowhere)
{
	struct driver *d = &self->d;

	window_put(d, 2, 0, 1, 1);
	window_put(d, 0, VIRTIO_PCI_BAR0_SIZE, 1, 4);
	window_put(d, 0, 0xfffffffc, 1, 4);
	window_put(d, 1, VIRTIO_PCI_BAR1_SIZE, 0, 2);
	window_put(d, 0, VIRTIO_PCI_COMMON_STATUS, 1, 3);
	window_put(d, 0, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	EXPECT_EQ(0, driver_status(d));
	EXPECT_FALSE(take_fd(self->thing.vp.kick_fd));
}

TEST_HARNESS_MAIN
