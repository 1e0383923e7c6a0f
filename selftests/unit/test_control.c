// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket: its commands, and clients that are slow, wrong or gone. */
#include "backing.h"
#include "control.h"
#include "layout.h"
#include "machine.h"
#include "pause.h"
#include "pmem_backend.h"
#include "serial.h"
#include "snapshot.h"
#include "vcpu.h"
#include "vcpu_state.h"
#include "virtio_pmem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "kselftest_harness.h"

#define OK		"{\"ok\":true}\n"
#define PAUSE		"{\"command\":\"pause\"}\n"
#define RESUME		"{\"command\":\"resume\"}\n"
#define STATUS		"{\"command\":\"status\"}\n"
#define QUIT		"{\"command\":\"quit\"}\n"

/* vCPUs, in the test's hands. */
static struct {
	bool is_paused;
	bool is_late;
	int parked_fd;
} vcpus;

static void park_vcpus(void)
{
	uint64_t one = 1;

	__atomic_store_n(&vcpus.is_late, false, __ATOMIC_SEQ_CST);
	if (write(vcpus.parked_fd, &one, sizeof(one)) < 0)
		abort();
}

void vcpus_pause(struct vm *vm, int parked_fd)
{
	__atomic_store_n(&vcpus.parked_fd, parked_fd, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpus.is_paused, true, __ATOMIC_SEQ_CST);
}

bool vcpus_are_parked(const struct vm *vm)
{
	return __atomic_load_n(&vcpus.is_paused, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&vcpus.is_late, __ATOMIC_SEQ_CST);
}

void vcpus_resume(struct vm *vm)
{
	__atomic_store_n(&vcpus.is_paused, false, __ATOMIC_SEQ_CST);
}

int vcpus_pause_fd(const struct vm *vm)
{
	return -1;
}

void irq_set_line(struct irq *irq, uint32_t gsi, int level)
{
}

void vcpus_count_exits(const struct vm *vm, struct vcpu_exits *sum)
{
	*sum = (struct vcpu_exits) { 0 };
}

uint64_t vcpus_exits(const struct vm *vm)
{
	return 4711;
}

int vcpus_fd(const struct vm *vm, unsigned int index)
{
	return -1;
}

void vcpus_revive(struct vm *vm)
{
}

int vcpu_state_save(const struct kvm *kvm, int vcpu_fd, struct vcpu_state *state)
{
	memset(state, 0, sizeof(*state));
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

int pmem_kernel_create(const struct pmem_host *host,
		       struct pmem_backend **backend, char *why, size_t why_len)
{
	return -ENOENT;
}

/* What the next syncs of the devices' files end with. */
static int sync_error;

int __real_backing_sync(const struct backing *backing);
int __wrap_backing_sync(const struct backing *backing);

int __wrap_backing_sync(const struct backing *backing)
{
	return sync_error ? sync_error : __real_backing_sync(backing);
}

FIXTURE(control) {
	char dir[64];
	char disk[96];
	char path[96];
	struct machine m;
	struct control *control;
	pthread_t thread;
	bool has_thread;
	int exit_code;
	char message[1024];
};

static void *run_loop(void *arg)
{
	struct _test_data_control *self = arg;

	self->exit_code = loop_run(&self->m.vm.loop);
	return NULL;
}

static int create(struct _test_data_control *self)
{
	struct hearing hearing;
	int err;

	hear_begin(&hearing);
	err = control_create(&self->control, &self->m.vm);
	hear_end(&hearing, self->message, sizeof(self->message));
	return err;
}

FIXTURE_SETUP(control)
{
	int fd;

	memset(&vcpus, 0, sizeof(vcpus));
	sync_error = 0;
	snprintf(self->dir, sizeof(self->dir), "/tmp/control-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->disk, sizeof(self->disk), "%s/disk", self->dir);
	snprintf(self->path, sizeof(self->path), "%s/socket", self->dir);
	fd = open(self->disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(fd, 2 * MIB));
	close(fd);
	ASSERT_EQ(0, machine_create(&self->m));
	self->m.config.control_path = self->path;
	self->m.config.nr_pmem = 1;
	self->m.config.pmem[0] = (struct config_pmem) {
		.path = self->disk,
		.id = (char *)"disk",
		.flush = CONFIG_FLUSH_USER,
	};
	self->m.config.cpus = 2;
	self->m.config.serial = CONFIG_SERIAL_NONE;
	self->m.vm.mem.ram_fd = -1;
	self->m.vm.mem.ram_size = MACHINE_RAM;
	self->m.vm.mem.is_private = true;
	ASSERT_EQ(0, serial_create(&self->m.vm));
	ASSERT_EQ(0, pause_create(&self->m.vm.pause, &self->m.vm));
	ASSERT_EQ(0, virtio_pmem_create(&self->m.vm));
}

static void start(struct __test_metadata *_metadata,
		  struct _test_data_control *self)
{
	ASSERT_EQ(0, create(self));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, run_loop, self));
	self->has_thread = true;
}

static void stop(struct _test_data_control *self)
{
	if (self->has_thread) {
		loop_quit(&self->m.vm.loop, 0);
		pthread_join(self->thread, NULL);
	}
	self->has_thread = false;
	control_destroy(self->control);
	self->control = NULL;
}

FIXTURE_TEARDOWN(control)
{
	stop(self);
	virtio_pmem_destroy_all(&self->m.vm);
	serial_destroy(&self->m.vm);
	pause_destroy(self->m.vm.pause);
	machine_destroy(&self->m);
	unlink(self->path);
	unlink(self->disk);
	rmdir(self->dir);
}

static int connect_to(struct _test_data_control *self)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, self->path);
	if (fd < 0 || connect(fd, (const void *)&addr, sizeof(addr)))
		return -1;
	return fd;
}

static void say(int fd, const char *text)
{
	send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* One line; "" at the end of the connection; "(silence)" if none comes. */
static const char *hear(int fd, int timeout_ms)
{
	static char line[1 << 16];
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	while (len < sizeof(line) - 1) {
		if (poll(&pfd, 1, timeout_ms) <= 0)
			return "(silence)";
		if (read(fd, line + len, 1) <= 0)
			break;
		if (line[len++] == '\n')
			break;
	}
	line[len] = '\0';
	return line;
}

static const char *ask(int fd, const char *text)
{
	say(fd, text);
	return hear(fd, 5000);
}

static const char *state_of(struct _test_data_control *self)
{
	static char state[32];
	int fd = connect_to(self);
	json_t *answer = json_loads(ask(fd, STATUS), 0, NULL);
	const char *text = json_string_value(json_object_get(answer, "state"));

	snprintf(state, sizeof(state), "%s", text ? text : "none");
	json_decref(answer);
	close(fd);
	return state;
}

TEST_F(control, pause_and_resume)
{
	int fd;

	start(_metadata, self);
	fd = connect_to(self);
	ASSERT_LE(0, fd);
	EXPECT_STREQ("running", state_of(self));
	EXPECT_STREQ(OK, ask(fd, PAUSE));
	EXPECT_TRUE(vcpus.is_paused);
	EXPECT_STREQ("paused", state_of(self));
	EXPECT_STREQ(OK, ask(fd, PAUSE));
	EXPECT_STREQ(OK, ask(fd, RESUME));
	EXPECT_FALSE(vcpus.is_paused);
	EXPECT_STREQ("running", state_of(self));
	EXPECT_STREQ(OK, ask(fd, RESUME));
	close(fd);
}

TEST_F(control, status_has_the_metrics)
{
	json_t *answer, *disk;
	int fd;

	start(_metadata, self);
	fd = connect_to(self);
	answer = json_loads(ask(fd, STATUS), 0, NULL);
	ASSERT_NE(NULL, answer);
	EXPECT_TRUE(json_is_true(json_object_get(answer, "ok")));
	EXPECT_EQ(4711, json_integer_value(json_object_get(answer, "exits")));
	disk = json_object_get(json_object_get(answer, "metrics"), "pmem_disk");
	EXPECT_STREQ("user", json_string_value(json_object_get(disk, "flush")));
	EXPECT_TRUE(json_is_integer(json_object_get(disk, "flushes")));
	json_decref(answer);
	close(fd);
}

TEST_F(control, quit_ends_the_vm)
{
	int fd;

	start(_metadata, self);
	fd = connect_to(self);
	EXPECT_STREQ(OK, ask(fd, QUIT));
	pthread_join(self->thread, NULL);
	self->has_thread = false;
	EXPECT_EQ(0, self->exit_code);
	stop(self);
	EXPECT_STREQ("", hear(fd, 5000));
	EXPECT_NE(0, access(self->path, F_OK));
	close(fd);
}

/* Snapshots */

#define SNAPSHOT	"{\"command\":\"snapshot\"}\n"

/* Says @text and hands over @nr descriptors. */
static void say_with(int fd, const char *text, const int *fds, size_t nr)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr header;
	} rights = { .header = {
		.cmsg_len = CMSG_LEN(nr * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov = { .iov_base = (char *)text, .iov_len = strlen(text) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = rights.bytes,
		.msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};

	memcpy(CMSG_DATA(&rights.header), fds, nr * sizeof(int));
	sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static int count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 1000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

TEST_F(control, snapshot_is_written)
{
	static uint8_t memory[MACHINE_RAM];
	const int fds[] = { memfd_create("state", 0), memfd_create("memory", 0) };
	json_t *root, *device;
	int fd;

	self->m.config.pmem[0].flush_limit = (struct vpmem_limit){ 1000, 2000 };
	start(_metadata, self);
	memset(self->m.ram + 0x3000, 0x5a, 0x1000);
	fd = connect_to(self);
	say_with(fd, SNAPSHOT, fds, 2);
	EXPECT_STREQ(OK, hear(fd, 5000));
	EXPECT_STREQ("running", state_of(self));
	EXPECT_EQ(MACHINE_RAM, lseek(fds[1], 0, SEEK_END));
	EXPECT_EQ(MACHINE_RAM, pread(fds[1], memory, MACHINE_RAM, 0));
	EXPECT_EQ(0, memcmp(memory, self->m.ram, MACHINE_RAM));
	/* Zeros are holes. */
	EXPECT_EQ(0x3000, lseek(fds[1], 0, SEEK_DATA));
	EXPECT_EQ(0x4000, lseek(fds[1], 0x3000, SEEK_HOLE));
	lseek(fds[0], 0, SEEK_SET);
	root = json_loadfd(fds[0], 0, NULL);
	EXPECT_EQ(SNAPSHOT_VERSION,
		  json_integer_value(json_object_get(root, "version")));
	EXPECT_EQ(snapshot_checksum(json_object_get(root, "machine")),
		  json_integer_value(json_object_get(root, "checksum")));
	EXPECT_EQ(0, json_unpack(root, "{s:{s:{s:[o]}}}", "machine", "config",
				 "pmem", &device));
	EXPECT_STREQ("1000,2000", text_of(device, "flush_limit"));
	EXPECT_STREQ("none", text_of(device, "bytes_limit"));
	EXPECT_STREQ("none", text_of(device, "write_behind"));
	json_decref(root);
	/* Of a VM that is paused it stays so. */
	EXPECT_STREQ(OK, ask(fd, PAUSE));
	say_with(fd, SNAPSHOT, fds, 2);
	EXPECT_STREQ(OK, hear(fd, 5000));
	EXPECT_STREQ("paused", state_of(self));
	close(fds[0]);
	close(fds[1]);
	close(fd);
}

TEST_F(control, snapshot_that_cannot_be_written)
{
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	int dir = open(self->dir, O_RDONLY | O_CLOEXEC);
	int read_only = open(self->disk, O_RDONLY | O_CLOEXEC);
	int memory = memfd_create("memory", MFD_CLOEXEC);
	int fd, before;

	start(_metadata, self);
	before = count_fds();
	fd = connect_to(self);
	EXPECT_NE(NULL, strstr(ask(fd, SNAPSHOT), "needs two open files"));
	say_with(fd, SNAPSHOT, (int []) { full }, 1);
	EXPECT_NE(NULL, strstr(hear(fd, 5000), "needs two open files"));
	/* The one that came before counts. */
	say_with(fd, SNAPSHOT, (int []) { full }, 1);
	EXPECT_NE(NULL, strstr(hear(fd, 5000), "a snapshot goes to two regular files"));
	say_with(fd, SNAPSHOT, (int []) { dir, dir }, 2);
	EXPECT_NE(NULL, strstr(hear(fd, 5000), "a snapshot goes to two regular files"));
	say_with(fd, SNAPSHOT, (int []) { read_only, read_only }, 2);
	EXPECT_NE(NULL, strstr(hear(fd, 5000), "the memory cannot be written: "));
	say_with(fd, SNAPSHOT, (int []) { read_only, memory }, 2);
	EXPECT_NE(NULL, strstr(hear(fd, 5000), "the state cannot be written: "));
	EXPECT_STREQ("running", state_of(self));
	/* Descriptors that nobody wants do not pile up. */
	for (int i = 0; i < 100; i++)
		say_with(fd, " ", (int []) { full, dir, full, dir, full, dir }, 6);
	EXPECT_NE(NULL, strstr(ask(fd, "\n"), "not JSON"));
	EXPECT_GE(before + 4, count_fds());
	close(fd);
	EXPECT_STREQ("running", state_of(self));
	/* The other side closes when it sees that we have. */
	for (int i = 0; i < 500 && count_fds() != before; i++)
		usleep(10000);
	EXPECT_EQ(before, count_fds());
	close(full);
	close(dir);
	close(read_only);
	close(memory);
}

/* What is said to a snapshot that goes to good files. */
static const char *ask_for_snapshot(struct _test_data_control *self)
{
	const int fds[] = { memfd_create("state", 0), memfd_create("memory", 0) };
	int fd = connect_to(self);
	const char *answer;

	say_with(fd, SNAPSHOT, fds, 2);
	answer = hear(fd, 5000);
	close(fds[0]);
	close(fds[1]);
	close(fd);
	return answer;
}

TEST_F(control, snapshot_of_what_is_in_no_file)
{
	self->m.config.pmem[0].discard_writes = true;
	start(_metadata, self);
	EXPECT_STREQ("{\"error\":\"pmem disk: has discard-writes=on, its data is in no file\"}\n",
		     ask_for_snapshot(self));
}

TEST_F(control, snapshot_with_a_path_that_is_no_text)
{
	self->m.config.pmem[0].real_path = (char *)"/disk\xff";
	start(_metadata, self);
	EXPECT_STREQ("{\"error\":\"the state is no JSON: a path is not UTF-8, or no memory\"}\n",
		     ask_for_snapshot(self));
	EXPECT_STREQ("running", state_of(self));
}

/* The next sync might succeed, of what the kernel has dropped meanwhile. */
TEST_F(control, snapshot_whose_sync_fails_is_none_and_flushes_fail)
{
	struct virtio_pmem_state state;

	start(_metadata, self);
	sync_error = -EIO;
	EXPECT_NE(NULL, strstr(ask_for_snapshot(self),
			       "failed: Input/output error; its flushes fail now"));
	sync_error = 0;
	ASSERT_EQ(0, virtio_pmem_save(self->m.vm.pmem[0], &state));
	EXPECT_EQ(EIO, state.position.error);
}

/* A vCPU waits for a disk: nobody else does. */
TEST_F(control, pause_that_takes_time)
{
	int fd, other;

	vcpus.is_late = true;
	start(_metadata, self);
	fd = connect_to(self);
	other = connect_to(self);
	say(fd, PAUSE STATUS);
	EXPECT_STREQ("(silence)", hear(fd, 100));
	EXPECT_STREQ("pausing", state_of(self));
	EXPECT_STREQ("{\"error\":\"another command is under way\"}\n",
		     ask(other, PAUSE));
	park_vcpus();
	EXPECT_STREQ(OK, hear(fd, 5000));
	/* The command behind it was not forgotten. */
	EXPECT_NE(NULL, strstr(hear(fd, 5000), "\"state\":\"paused\""));
	close(fd);
	close(other);
}

TEST_F(control, pause_is_taken_back)
{
	int fd, other;

	vcpus.is_late = true;
	start(_metadata, self);
	fd = connect_to(self);
	other = connect_to(self);
	say(fd, PAUSE STATUS);
	EXPECT_STREQ("(silence)", hear(fd, 100));
	EXPECT_STREQ(OK, ask(other, RESUME));
	EXPECT_STREQ("{\"error\":\"the VM was resumed meanwhile\"}\n",
		     hear(fd, 5000));
	EXPECT_NE(NULL, strstr(hear(fd, 5000), "\"state\":\"running\""));
	vcpus.is_late = false;
	EXPECT_STREQ(OK, ask(fd, PAUSE));
	close(fd);
	close(other);
}

TEST_F(control, client_goes_before_its_answer)
{
	int fd;

	vcpus.is_late = true;
	start(_metadata, self);
	fd = connect_to(self);
	say(fd, PAUSE);
	EXPECT_STREQ("(silence)", hear(fd, 100));
	close(fd);
	park_vcpus();
	for (int i = 0; i < 100 && strcmp(state_of(self), "paused"); i++)
		usleep(10000);
	EXPECT_STREQ("paused", state_of(self));
}

/* Nor are those that it was too early to read. */
TEST_F(control, commands_of_who_is_gone_are_run)
{
	static char text[1 << 15] = PAUSE RESUME PAUSE;
	int fd;

	vcpus.is_late = true;
	start(_metadata, self);
	fd = connect_to(self);
	for (int i = 0; i < 1000; i++)
		strcat(text, STATUS);
	say(fd, strcat(text, RESUME QUIT));
	EXPECT_STREQ("(silence)", hear(fd, 100));
	close(fd);
	EXPECT_STREQ("pausing", state_of(self));
	park_vcpus();
	pthread_join(self->thread, NULL);
	self->has_thread = false;
	EXPECT_FALSE(vcpus.is_paused);
}

TEST_F(control, lines_come_as_they_like)
{
	int fd;

	start(_metadata, self);
	fd = connect_to(self);
	for (const char *at = PAUSE; *at; at++) {
		ASSERT_EQ(1, send(fd, at, 1, 0));
		usleep(1000);
	}
	EXPECT_STREQ(OK, hear(fd, 5000));
	say(fd, RESUME PAUSE RESUME "{\"command\":\"pa");
	EXPECT_STREQ(OK, hear(fd, 5000));
	EXPECT_STREQ(OK, hear(fd, 5000));
	EXPECT_STREQ(OK, hear(fd, 5000));
	EXPECT_STREQ("(silence)", hear(fd, 50));
	EXPECT_STREQ("running", state_of(self));
	EXPECT_STREQ(OK, ask(fd, "use\"}\n"));
	EXPECT_STREQ("paused", state_of(self));
	say(fd, "{\"command\":\"resume\"}");
	close(fd);
	/* Half a line is no command. */
	EXPECT_STREQ("paused", state_of(self));
}

TEST_F(control, nonsense_is_answered)
{
	static const char *const lines[][2] = {
		{ "\n", "not JSON: " },
		{ "pause\n", "not JSON: " },
		{ "{\n", "not JSON: " },
		{ "{\"command\":\"\xff\"}\n", "not JSON: " },
		{ "\"pause\"\n", "not JSON: " },
		{ "[]\n", "not an object with " },
		{ "{}\n", "not an object with " },
		{ "{\"command\":1}\n", "not an object with " },
		{ "{\"command\":\"pause\",\"force\":true}\n", "not an object with " },
		{ "{\"command\":\"pause\",\"command\":\"quit\"}\n", "not JSON: " },
		{ "{\"command\":\"Pause\"}\n", "'Pause' is none of: " },
		{ "{\"command\":\"\"}\n", "'' is none of: " },
		{ "{\"command\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4\"}\n",
		  "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?' is none of: " },
	};
	char want[128];
	int fd;

	start(_metadata, self);
	fd = connect_to(self);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *answer = ask(fd, lines[i][0]);

		snprintf(want, sizeof(want), "{\"error\":\"%s", lines[i][1]);
		EXPECT_EQ(0, strncmp(want, answer, strlen(want))) {
			TH_LOG("%s gave %s", lines[i][0], answer);
		}
	}
	ASSERT_EQ(3, send(fd, "\0\0\n", 3, 0));
	EXPECT_NE(NULL, strstr(hear(fd, 5000), "not JSON"));
	EXPECT_STREQ("running", state_of(self));
	EXPECT_STREQ(OK, ask(fd, PAUSE));
	close(fd);
}

TEST_F(control, line_without_end)
{
	char longest[4097];
	int fd;

	start(_metadata, self);
	fd = connect_to(self);
	memset(longest, ' ', sizeof(longest));
	memcpy(longest + 4095 - 19, PAUSE, 19);
	longest[4095] = '\n';
	ASSERT_EQ(4096, send(fd, longest, 4096, 0));
	EXPECT_STREQ(OK, hear(fd, 5000));
	memset(longest, ' ', sizeof(longest));
	ASSERT_EQ(4096, send(fd, longest, 4096, 0));
	EXPECT_STREQ("{\"error\":\"the line is longer than 4095 bytes\"}\n",
		     hear(fd, 5000));
	EXPECT_STREQ("", hear(fd, 5000));
	close(fd);
	EXPECT_STREQ("paused", state_of(self));
}

/* Who came last is served; those that say nothing make room. */
TEST_F(control, many_clients)
{
	int fds[100];

	start(_metadata, self);
	for (int i = 0; i < 100; i++) {
		fds[i] = connect_to(self);
		ASSERT_LE(0, fds[i]);
		EXPECT_NE(NULL, strstr(ask(fds[i], "{}\n"), "error"));
		if (i == 50 || i > 95)
			EXPECT_STREQ(OK, ask(fds[i], PAUSE));
		if (i > 50 && i % 10 == 0)
			EXPECT_STREQ(OK, ask(fds[50], RESUME));
	}
	EXPECT_STREQ("{\"error\":\"too many clients\"}\n", hear(fds[0], 5000));
	EXPECT_STREQ("", hear(fds[0], 5000));
	EXPECT_STREQ(OK, ask(fds[50], RESUME));
	EXPECT_STREQ(OK, ask(fds[99], PAUSE));
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	EXPECT_STREQ("paused", state_of(self));
}

/* Nobody waits for one that does not read. */
TEST_F(control, client_that_does_not_read)
{
	struct timeval limit = { .tv_sec = 5 };
	int fd;

	start(_metadata, self);
	fd = connect_to(self);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	for (int i = 0; i < 100000; i++) {
		if (send(fd, STATUS, strlen(STATUS), MSG_NOSIGNAL) < 0)
			break;
	}
	EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET);
	close(fd);
	EXPECT_STREQ("running", state_of(self));
}

TEST_F(control, clients_that_come_and_go)
{
	start(_metadata, self);
	for (int i = 0; i < 500; i++) {
		int fd = connect_to(self);

		ASSERT_LE(0, fd);
		if (i % 3)
			say(fd, i % 2 ? PAUSE STATUS RESUME : "{\"comm");
		close(fd);
	}
	EXPECT_NE(0, strcmp("none", state_of(self)));
}

TEST_F(control, file_is_private_and_goes)
{
	struct stat st;

	start(_metadata, self);
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(S_IFSOCK | 0600, st.st_mode);
	stop(self);
	EXPECT_NE(0, access(self->path, F_OK));
}

/* What has taken its place is another's. */
TEST_F(control, file_of_another_stays)
{
	int fd;

	start(_metadata, self);
	ASSERT_EQ(0, unlink(self->path));
	fd = open(self->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	stop(self);
	EXPECT_EQ(0, access(self->path, F_OK));
	EXPECT_EQ(-EADDRINUSE, create(self));
	EXPECT_NE(NULL, strstr(self->message, ": it is there and no socket; "));
	EXPECT_EQ(0, access(self->path, F_OK));
}

TEST_F(control, place_in_use)
{
	struct control *first;

	ASSERT_EQ(0, create(self));
	first = self->control;
	EXPECT_EQ(-EADDRINUSE, create(self));
	EXPECT_NE(NULL, strstr(self->message, ": it is in use; "));
	self->control = first;
	EXPECT_EQ(0, access(self->path, F_OK));
}

TEST_F(control, stale_socket_is_replaced)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, self->path);
	ASSERT_EQ(0, bind(fd, (const void *)&addr, sizeof(addr)));
	close(fd);
	start(_metadata, self);
	EXPECT_STREQ("running", state_of(self));
}

TEST_F(control, bad_paths)
{
	char path[256] = "/tmp/";

	memset(path + 5, 'x', 200);
	self->m.config.control_path = path;
	EXPECT_EQ(-ENAMETOOLONG, create(self));
	EXPECT_NE(NULL, strstr(self->message, "a socket's path has from 1 to 107 bytes"));
	path[0] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, create(self));
	self->m.config.control_path = (char *)"/does/not/exist";
	EXPECT_EQ(-ENOENT, create(self));
	EXPECT_STREQ("vpmem-vmm: cannot listen on /does/not/exist: No such file or directory\n",
		     self->message);
	self->m.config.control_path = NULL;
	EXPECT_EQ(0, create(self));
	EXPECT_EQ(NULL, self->control);
}

TEST_HARNESS_MAIN
