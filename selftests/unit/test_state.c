// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine's state: what is written is read back, what is not right is refused
 * before anything changes, and a device goes on with it, also another one.
 */
#include "config.h"
#include "fake_kvm.h"
#include "layout.h"
#include "machine.h"
#include "pci.h"
#include "pmem_backend.h"
#include "restore.h"
#include "snapshot.h"
#include "state_json.h"
#include "vcpu.h"
#include "virtio_pmem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "kselftest_harness.h"

#define FIRST_DEVFN	8u

int pmem_kernel_create(const struct pmem_host *host,
		       struct pmem_backend **backend, char *why, size_t why_len)
{
	return -ENOENT;
}

/* There is no KVM: vCPUs are what a test puts there. */

static struct vcpu_state vcpu;

int vcpus_pause_fd(const struct vm *vm)
{
	return -1;
}

static unsigned int nr_edges;

void irq_set_line(struct irq *irq, uint32_t gsi, int level)
{
	nr_edges += gsi == LAYOUT_COM1_GSI && level;
}

int vcpus_fd(const struct vm *vm, unsigned int index)
{
	return -1;
}

int vcpu_state_save(const struct kvm *kvm, int vcpu_fd, struct vcpu_state *state)
{
	*state = vcpu;
	return 0;
}

int vcpu_state_set_cpuid(const struct kvm *kvm, int vcpu_fd,
			 const struct vcpu_state *state)
{
	return 0;
}

int vcpu_state_load(int vcpu_fd, const struct vcpu_state *state,
		    const char **what)
{
	vcpu = *state;
	return 0;
}

int chip_state_save(const struct kvm *kvm, struct chip_state *state)
{
	memset(state, 0, sizeof(*state));
	return 0;
}

int chip_state_load(const struct kvm *kvm, const struct chip_state *state)
{
	return 0;
}

static void scribble(void *data, size_t len, unsigned int seed)
{
	uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		bytes[i] = seed >> 16;
	}
}

/* Parts */

TEST(vcpu_is_read_as_written)
{
	static struct vcpu_state was, is;
	const char *where;
	json_t *object;

	scribble(&was, sizeof(was), 1);
	was.nr_msrs = VCPU_MSRS_MAX;
	was.nr_cpuid = VCPU_CPUID_MAX;
	for (uint32_t i = 0; i < VCPU_MSRS_MAX; i++) {
		was.msrs[i].index = 0xc0000000 + i;
		was.msrs[i].reserved = 0;
	}
	object = state_json_vcpu(&was);
	ASSERT_NE(NULL, object);
	ASSERT_EQ(0, state_json_read_vcpu(object, &is, &where));
	EXPECT_EQ(0, memcmp(&was.regs, &is.regs, sizeof(is.regs)));
	EXPECT_EQ(0, memcmp(&was.xsave, &is.xsave, sizeof(is.xsave)));
	EXPECT_EQ(0, memcmp(&was.lapic, &is.lapic, sizeof(is.lapic)));
	EXPECT_EQ(0, memcmp(&was.events, &is.events, sizeof(is.events)));
	EXPECT_EQ(was.tsc_khz, is.tsc_khz);
	EXPECT_EQ(was.nr_msrs, is.nr_msrs);
	EXPECT_EQ(0, memcmp(&was.msrs, &is.msrs, sizeof(is.msrs)));
	EXPECT_EQ(was.nr_cpuid, is.nr_cpuid);
	EXPECT_EQ(0, memcmp(&was.cpuid, &is.cpuid, sizeof(is.cpuid)));
	json_decref(object);
}

TEST(serial_is_read_as_written)
{
	static struct serial_state was, is;
	const char *where;
	json_t *object;

	scribble(&was, sizeof(was), 2);
	was.thr_pending = true;
	was.input_len = sizeof(was.input);
	object = state_json_serial(&was);
	ASSERT_EQ(0, state_json_read_serial(object, &is, &where));
	EXPECT_EQ(was.divisor, is.divisor);
	EXPECT_EQ(was.ier, is.ier);
	EXPECT_TRUE(is.thr_pending);
	EXPECT_EQ(was.input_len, is.input_len);
	EXPECT_EQ(0, memcmp(was.input, is.input, sizeof(is.input)));
	json_decref(object);
}

/* Each member, in each wrong form, names itself. */
TEST(member_that_is_wrong_is_named)
{
	static const char *const wrong[] = {
		"null", "1", "-1", "[]", "{}", "\"\"", "\"0x\"", "\"0xg\"",
		"\"0x00000000000000001\"", "\"0x1ffffffffffffffff\"", "\"zz\"",
		"\"0\"", "\"AA\"", "\"\\u00e4\"",
	};
	static struct virtio_pmem_state state = { .transport.queue.size = 16 };
	json_t *object = state_json_pmem(&state), *copy, *value, *bad;
	const char *key, *where;

	ASSERT_NE(NULL, object);
	ASSERT_EQ(0, state_json_read_pmem(object, &state, &where));
	json_object_foreach(object, key, value) {
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			copy = json_copy(object);
			bad = json_loads(wrong[i], JSON_DECODE_ANY, NULL);
			json_object_set_new(copy, key, bad);
			EXPECT_EQ(-EINVAL, state_json_read_pmem(copy, &state, &where));
			EXPECT_STREQ(key, where);
			json_decref(copy);
		}
		copy = json_copy(object);
		json_object_del(copy, key);
		EXPECT_EQ(-EINVAL, state_json_read_pmem(copy, &state, &where));
		EXPECT_STREQ(key, where);
		json_decref(copy);
	}
	EXPECT_EQ(-EINVAL, state_json_read_pmem(NULL, &state, &where));
	json_decref(object);
}

TEST(queue_size_is_one)
{
	static const char *const sizes[] = { "0x0", "0x3", "0x200", "0xffff" };
	static struct virtio_pmem_state state = { .transport.queue.size = 16 };
	json_t *object = state_json_pmem(&state);
	const char *where;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		json_object_set_new(object, "queue_size", json_string(sizes[i]));
		EXPECT_EQ(-EINVAL, state_json_read_pmem(object, &state, &where));
		EXPECT_STREQ("queue_size", where);
	}
	json_decref(object);
}

TEST(more_than_there_is_room_for)
{
	static char text[2 * SERIAL_INPUT_BYTES + 3];
	static struct serial_state serial;
	static struct vcpu_state state;
	json_t *object = state_json_serial(&serial);
	json_t *cpu = state_json_vcpu(&state), *msrs = json_object();
	const char *where;

	memset(text, '0', sizeof(text) - 1);
	json_object_set_new(object, "input", json_string(text));
	EXPECT_EQ(-EINVAL, state_json_read_serial(object, &serial, &where));
	EXPECT_STREQ("input", where);
	json_decref(object);
	for (unsigned int i = 0; i <= VCPU_MSRS_MAX; i++) {
		snprintf(text, sizeof(text), "0x%x", i);
		json_object_set_new(msrs, text, json_string("0x0"));
	}
	json_object_set_new(cpu, "msrs", msrs);
	EXPECT_EQ(-EINVAL, state_json_read_vcpu(cpu, &state, &where));
	EXPECT_STREQ("msrs", where);
	json_decref(cpu);
}

/* A machine */

FIXTURE(state) {
	char dir[64];
	char path[96];
	struct machine m;
	struct driver d;
	struct state_error error;
};

FIXTURE_SETUP(state)
{
	int fd;

	memset(&vcpu, 0, sizeof(vcpu));
	snprintf(self->dir, sizeof(self->dir), "/tmp/state-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/disk", self->dir);
	fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(fd, 2 * MIB));
	close(fd);
}

static void begin(struct __test_metadata *_metadata,
		  struct _test_data_state *self)
{
	ASSERT_EQ(0, machine_create(&self->m));
	self->m.config.cpus = 1;
	self->m.config.serial = CONFIG_SERIAL_NONE;
	self->m.config.nr_pmem = 1;
	self->m.config.pmem[0] = (struct config_pmem) {
		.path = self->path,
		.id = (char *)"disk",
		.flush = CONFIG_FLUSH_USER,
	};
	ASSERT_EQ(0, serial_create(&self->m.vm));
	ASSERT_EQ(0, virtio_pmem_create(&self->m.vm));
	ASSERT_TRUE(driver_probe(&self->d, &self->m, FIRST_DEVFN));
}

static void end(struct _test_data_state *self)
{
	virtio_pmem_destroy_all(&self->m.vm);
	if (self->m.vm.serial)
		serial_destroy(&self->m.vm);
	machine_destroy(&self->m);
}

FIXTURE_TEARDOWN(state)
{
	end(self);
	unlink(self->path);
	rmdir(self->dir);
}

static json_t *save(struct _test_data_state *self)
{
	virtio_pmem_pause_all(&self->m.vm, -1);
	return state_save(&self->m.vm, &self->error);
}

static int load(struct _test_data_state *self, const json_t *state, bool is_new)
{
	return state_load(&self->m.vm, state, is_new, &self->error);
}

static bool flush(struct driver *d)
{
	driver_post(d, 0);
	driver_kick(d);
	return driver_wait(d, d->avail) && !driver_answer(d, d->avail - 1);
}

/* The guest's RAM and its driver go over into another machine. */
TEST_F(state, device_goes_on_in_another_machine)
{
	static uint8_t ram[MACHINE_RAM];
	struct vpmem_stats stats;
	struct driver driver;
	json_t *state;

	begin(_metadata, self);
	ASSERT_TRUE(driver_start(&self->d));
	ASSERT_TRUE(flush(&self->d));
	ASSERT_TRUE(flush(&self->d));
	state = save(self);
	ASSERT_NE(NULL, state);
	/* This one is in the ring when the snapshot is taken. */
	driver_post(&self->d, 0);
	memcpy(ram, self->m.ram, sizeof(ram));
	driver = self->d;
	end(self);

	begin(_metadata, self);
	memcpy(self->m.ram, ram, sizeof(ram));
	self->d = driver;
	ASSERT_EQ(0, load(self, state, true)) {
		TH_LOG("%s", self->error.text);
	}
	virtio_pmem_resume_all(&self->m.vm);
	ASSERT_TRUE(driver_wait(&self->d, 3));
	EXPECT_EQ(0, driver_answer(&self->d, 2));
	EXPECT_TRUE(flush(&self->d));
	/* What was answered before is not served again. */
	ASSERT_EQ(0, virtio_pmem_stats(self->m.vm.pmem[0], &stats));
	EXPECT_EQ(2, stats.flushes);
	EXPECT_LE(1, driver_take_irqs(1));
	EXPECT_EQ(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		  VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK,
		  driver_status(&self->d));
	EXPECT_EQ(DRIVER_RING, driver_get(&self->d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	EXPECT_EQ(1, driver_get(&self->d, VIRTIO_PCI_COMMON_Q_MSIX, 2));
	json_decref(state);
}

/* As a reset does: back to how it was before the driver. */
TEST_F(state, machine_is_as_it_was)
{
	uint32_t command;
	json_t *state;

	ASSERT_EQ(0, machine_create(&self->m));
	end(self);
	begin(_metadata, self);
	config_write(&self->m, FIRST_DEVFN, PCI_COMMAND, 0, 2);
	state = save(self);
	ASSERT_NE(NULL, state);
	virtio_pmem_resume_all(&self->m.vm);
	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(driver_probe(&self->d, &self->m, FIRST_DEVFN));
		ASSERT_TRUE(driver_start(&self->d));
		ASSERT_TRUE(flush(&self->d));
		config_write(&self->m, FIRST_DEVFN, self->d.window_cap +
			     VIRTIO_PCI_CAP_BAR, 0, 1);
		virtio_pmem_pause_all(&self->m.vm, -1);
		ASSERT_EQ(0, load(self, state, false));
		virtio_pmem_resume_all(&self->m.vm);
		command = config_read(&self->m, FIRST_DEVFN, PCI_COMMAND, 2);
		EXPECT_EQ(0, command);
		EXPECT_EQ(0, fake_kvm_ioeventfds());
		EXPECT_EQ(0, fake_kvm_irqfds());
		EXPECT_FALSE(pci_is_trapping(&self->m.vm));
	}
	json_decref(state);
}

TEST_F(state, pending_interrupt_is_not_lost)
{
	json_t *state;

	begin(_metadata, self);
	ASSERT_TRUE(driver_start(&self->d));
	driver_set_vector(&self->d, 1, true);
	ASSERT_TRUE(flush(&self->d));
	state = save(self);
	ASSERT_EQ(0, load(self, state, false));
	EXPECT_EQ(0, driver_take_irqs(1));
	driver_set_vector(&self->d, 1, false);
	EXPECT_EQ(1, driver_take_irqs(1));
	json_decref(state);
}

/* It was typed when the interrupt controllers had been saved already. */
TEST_F(state, input_that_came_late_is_told)
{
	json_t *state, *serial;

	begin(_metadata, self);
	state = save(self);
	serial = json_object_get(state, "serial");
	json_object_set_new(serial, "ier", json_string("0x1"));
	nr_edges = 0;
	ASSERT_EQ(0, load(self, state, true));
	EXPECT_EQ(0, nr_edges);
	json_object_set_new(serial, "input", json_string("61"));
	ASSERT_EQ(0, load(self, state, true));
	EXPECT_EQ(1, nr_edges);
	json_decref(state);
}

/* A sync error that sticks does so in the next life, too. */
TEST_F(state, error_sticks)
{
	json_t *state, *device;

	begin(_metadata, self);
	ASSERT_TRUE(driver_start(&self->d));
	state = save(self);
	device = json_array_get(json_object_get(state, "pmem"), 0);
	json_object_set_new(device, "error", json_string("0x5"));
	ASSERT_EQ(0, load(self, state, true));
	virtio_pmem_resume_all(&self->m.vm);
	EXPECT_FALSE(flush(&self->d));
	json_decref(state);
}

#define EXPECT_REFUSED(want) do {					\
	EXPECT_EQ(-EINVAL, load(self, state, true));			\
	EXPECT_NE(NULL, strstr(self->error.text, want)) {		\
		TH_LOG("%s", self->error.text);				\
	}								\
} while (0)

TEST_F(state, what_does_not_fit_is_refused)
{
	char config[2 * PCI_STATE_BYTES + 1];
	json_t *state, *device, *bus;
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	begin(_metadata, self);
	state = save(self);
	device = json_array_get(json_object_get(state, "pmem"), 0);
	bus = json_object_get(state, "pci");
	strcpy(config, json_string_value(json_object_get(device, "config")));
	config[1] ^= 1;
	json_object_set_new(device, "config", json_string(config));
	EXPECT_REFUSED("its device is not as this program makes it");
	config[1] ^= 1;
	json_object_set_new(device, "config", json_string(config));
	json_object_set_new(device, "gpa", json_string("0x1000"));
	EXPECT_REFUSED("its device is not as this program makes it");
	json_decref(state);
	state = save(self);
	device = json_array_get(json_object_get(state, "pmem"), 0);
	json_object_set_new(device, "status", json_string("0xf"));
	json_object_set_new(device, "features", json_string("0xffffffffffffffff"));
	EXPECT_REFUSED("its driver has features that this program has not");
	json_decref(state);
	state = save(self);
	bus = json_object_get(state, "pci");
	memset(config, '0', sizeof(config) - 1);
	json_object_set_new(bus, "bridge", json_string(config));
	EXPECT_REFUSED("its PCI bus is not as this program makes it");
	json_decref(state);
	state = save(self);
	json_array_clear(json_object_get(state, "vcpus"));
	EXPECT_REFUSED("'vcpus' is missing or wrong");
	json_decref(state);
	state = save(self);
	ASSERT_EQ(0, utimensat(AT_FDCWD, self->path, times, 0));
	EXPECT_REFUSED("its file was changed since");
	/* A reset does not ask for that. */
	EXPECT_EQ(0, load(self, state, false));
	json_decref(state);
	state = json_object();
	EXPECT_REFUSED("is missing or wrong");
	json_decref(state);
}

/* Whatever is changed in the text: refused, or loaded, but survived. */
TEST_F(state, damaged_text)
{
	json_t *state, *damaged;
	unsigned int seed = 7;
	size_t len, loaded = 0;
	char *text, *copy;

	begin(_metadata, self);
	ASSERT_TRUE(driver_start(&self->d));
	state = save(self);
	text = json_dumps(state, JSON_COMPACT);
	len = strlen(text);
	copy = malloc(len + 1);
	for (int i = 0; i < 3000; i++) {
		memcpy(copy, text, len + 1);
		for (int j = 0; j <= i % 4; j++) {
			seed = seed * 1103515245 + 12345;
			copy[(seed >> 8) % (i % 2 ? len : 3000)] =
				"0123456789abcdefx\"{}[],:"[seed % 24];
		}
		damaged = json_loads(copy, 0, NULL);
		if (damaged)
			loaded += !load(self, damaged, false);
		json_decref(damaged);
	}
	EXPECT_LT(0, loaded);
	free(copy);
	free(text);
	json_decref(state);
}

/* The file */

FIXTURE(file) {
	char dir[64];
	char path[96];
	struct config config;
	char message[512];
};

FIXTURE_SETUP(file)
{
	snprintf(self->dir, sizeof(self->dir), "/tmp/restore-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/state.json", self->dir);
	ASSERT_EQ(0, config_init(&self->config));
	ASSERT_EQ(0, config_set_string(&self->config.restore_path, self->dir));
}

FIXTURE_TEARDOWN(file)
{
	config_exit(&self->config);
	unlink(self->path);
	rmdir(self->dir);
}

static json_t *good_machine(void)
{
	return json_loads("{ \"config\": { \"memory_mib\": 256, \"cpus\": 2, \"pmem\": ["
			  "{ \"path\": \"/disk\", \"id\": \"disk\", \"read_only\": true,"
			  "  \"flush\": \"kernel\", \"exec\": \"worker\", \"on_error\": \"report\" } ] },"
			  "\"state\": { \"some\": \"thing\" } }", 0, NULL);
}

static void write_text(struct _test_data_file *self, const char *text)
{
	FILE *file = fopen(self->path, "w");

	fputs(text, file);
	fclose(file);
}

/* Takes @machine over. */
static void write_machine(struct _test_data_file *self, json_t *machine)
{
	json_t *root = json_pack("{s:s, s:i, s:I, s:o}", "format",
				 SNAPSHOT_FORMAT, "version", SNAPSHOT_VERSION,
				 "checksum",
				 (json_int_t)snapshot_checksum(machine),
				 "machine", machine);
	char *text = json_dumps(root, JSON_INDENT(3));

	write_text(self, text);
	free(text);
	json_decref(root);
}

static int read_state(struct _test_data_file *self, json_t **state)
{
	struct hearing hearing;
	int err;

	*state = NULL;
	hear_begin(&hearing);
	err = restore_read(&self->config, state);
	hear_end(&hearing, self->message, sizeof(self->message));
	return err;
}

#define EXPECT_UNREADABLE(want) do {					\
	json_t *state;							\
									\
	EXPECT_GT(0, read_state(self, &state));				\
	EXPECT_EQ(NULL, state);						\
	EXPECT_NE(NULL, strstr(self->message, want)) {			\
		TH_LOG("%s", self->message);				\
	}								\
	EXPECT_EQ(strlen(self->message) - 1,				\
		  strcspn(self->message, "\n"));			\
} while (0)

TEST_F(file, configuration_is_that_of_the_snapshot)
{
	json_t *state;

	write_machine(self, good_machine());
	ASSERT_EQ(0, read_state(self, &state));
	EXPECT_STREQ("", self->message);
	EXPECT_STREQ("thing", json_string_value(json_object_get(state, "some")));
	EXPECT_EQ(256 * MIB, self->config.memory_bytes);
	EXPECT_EQ(2, self->config.cpus);
	ASSERT_EQ(1, self->config.nr_pmem);
	EXPECT_STREQ("/disk", self->config.pmem[0].path);
	EXPECT_STREQ("disk", self->config.pmem[0].id);
	EXPECT_TRUE(self->config.pmem[0].read_only);
	EXPECT_EQ(CONFIG_FLUSH_KERNEL, self->config.pmem[0].flush);
	EXPECT_EQ(VPMEM_EXEC_WORKER, self->config.pmem[0].exec);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, self->config.pmem[0].on_error);
	json_decref(state);
}

/* A machine whose device is writable and has all that it can have. */
static json_t *limited_machine(void)
{
	json_t *machine = good_machine(), *device;

	device = json_array_get(json_object_get(json_object_get(machine, "config"),
						"pmem"), 0);
	json_object_set_new(device, "read_only", json_false());
	json_object_set_new(device, "flush_limit", json_string("50,7"));
	json_object_set_new(device, "bytes_limit", json_string("1000,2000"));
	json_object_set_new(device, "write_behind", json_string("1048576"));
	return machine;
}

TEST_F(file, limits_are_those_of_the_snapshot)
{
	json_t *state;

	write_machine(self, limited_machine());
	ASSERT_EQ(0, read_state(self, &state));
	EXPECT_EQ(50, self->config.pmem[0].flush_limit.rate);
	EXPECT_EQ(7, self->config.pmem[0].flush_limit.burst);
	EXPECT_EQ(1000, self->config.pmem[0].bytes_limit.rate);
	EXPECT_EQ(2000, self->config.pmem[0].bytes_limit.burst);
	EXPECT_EQ(1 << 20, self->config.pmem[0].write_behind);
	json_decref(state);
}

static void override(struct _test_data_file *self, const char *key,
		     const char *value)
{
	struct config_pmem *pmem = config_pmem_add(&self->config);

	config_pmem_set(pmem, "id", "disk");
	config_pmem_set(pmem, key, value);
}

TEST_F(file, device_is_overridden)
{
	json_t *state;

	write_machine(self, good_machine());
	override(self, "flush", "user");
	override(self, "path", "/other");
	override(self, "flush-limit", "100,5");
	override(self, "bytes-limit", "1M");
	ASSERT_EQ(0, read_state(self, &state));
	ASSERT_EQ(1, self->config.nr_pmem);
	EXPECT_STREQ("/other", self->config.pmem[0].path);
	EXPECT_EQ(CONFIG_FLUSH_USER, self->config.pmem[0].flush);
	EXPECT_EQ(VPMEM_EXEC_AUTO, self->config.pmem[0].exec);
	EXPECT_EQ(100, self->config.pmem[0].flush_limit.rate);
	EXPECT_EQ(5, self->config.pmem[0].flush_limit.burst);
	EXPECT_EQ(1 << 20, self->config.pmem[0].bytes_limit.rate);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, self->config.pmem[0].on_error);
	json_decref(state);
}

TEST_F(file, limits_are_overridden)
{
	json_t *state;

	write_machine(self, limited_machine());
	override(self, "flush", "user");
	override(self, "bytes-limit", "none");
	ASSERT_EQ(0, read_state(self, &state));
	EXPECT_EQ(50, self->config.pmem[0].flush_limit.rate);
	EXPECT_EQ(0, self->config.pmem[0].bytes_limit.rate);
	/* Not for a thread. */
	EXPECT_EQ(0, self->config.pmem[0].write_behind);
	json_decref(state);
}

TEST_F(file, override_that_is_refused)
{
	write_machine(self, good_machine());
	override(self, "read-only", "off");
	EXPECT_UNREADABLE("pmem disk: read-only is fixed in the snapshot");
	override(self, "write-behind", "1M");
	EXPECT_UNREADABLE("pmem /disk: write-behind has nothing to write with read-only");
}

TEST_F(file, unreadable_files)
{
	json_t *machine, *devices;

	EXPECT_UNREADABLE("cannot read snapshot ");
	ASSERT_EQ(0, mkdir(self->path, 0700));
	EXPECT_UNREADABLE("cannot read snapshot ");
	ASSERT_EQ(0, rmdir(self->path));
	write_text(self, "");
	EXPECT_UNREADABLE("damaged: its state is no JSON");
	ASSERT_EQ(0, truncate(self->path, 1ll << 40));
	EXPECT_UNREADABLE("File too large");
	write_text(self, "[]");
	EXPECT_UNREADABLE("damaged: its state is not one of this program");
	write_text(self, "{ \"format\": \"vpmem-vmm snapshot\", \"version\": 2 }");
	EXPECT_UNREADABLE("is of version 2, this program reads version 1");
	write_text(self, "{ \"format\": \"vpmem-vmm snapshot\", \"version\": 1 }");
	EXPECT_UNREADABLE("damaged: the checksum of its state is wrong");
	write_text(self, "{ \"format\": \"vpmem-vmm snapshot\", \"version\": 1,"
		   "\"checksum\": 1, \"machine\": {} }");
	EXPECT_UNREADABLE("damaged: the checksum of its state is wrong");
	write_machine(self, json_object());
	EXPECT_UNREADABLE("damaged: its machine is not described");
	machine = good_machine();
	json_object_set_new(json_object_get(machine, "config"), "cpus",
			    json_integer(1000));
	write_machine(self, machine);
	EXPECT_UNREADABLE("cpus: 1000 is not from 1 to 64");
	machine = good_machine();
	json_object_set_new(json_object_get(machine, "config"), "memory_mib",
			    json_integer(-1));
	write_machine(self, machine);
	EXPECT_UNREADABLE("memory: ");
	machine = good_machine();
	json_object_del(json_object_get(machine, "config"), "pmem");
	write_machine(self, machine);
	EXPECT_UNREADABLE("damaged: its devices are not described");
	machine = good_machine();
	devices = json_object_get(json_object_get(machine, "config"), "pmem");
	json_object_del(json_array_get(devices, 0), "path");
	write_machine(self, machine);
	EXPECT_UNREADABLE("damaged: a device is not described");
}

TEST_HARNESS_MAIN
