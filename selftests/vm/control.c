// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A running VM is commanded by its control socket: the guest flushes all the
 * time, and what it was told is true, whatever is asked of the VM meanwhile.
 */
#include "pattern.h"
#include "vm.h"
#include "writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define BOOT_S		200
#define END_S		60
#define TEST_S		600
#define FILE_SIZE	(64 << 20)

#define DISK		"/tmp/control.img"
#define SOCKET		"/tmp/control.sock"
#define CTL		"vpmemctl vm " SOCKET " "
/* As long as the disk has room; longer than a test. */
#define FOR_EVER	"pmem,write,0,0,16384"

#define DEVICE		"/dev/mapper/vpmem-control"
#define DEVICE_RAM	"/dev/ram2"
#define CREATE		"dmsetup create vpmem-control --table '0 16384 linear " \
			DEVICE_RAM " 0'"
#define REMOVE		"dmsetup remove --retry vpmem-control"

/* What a command writes, as text. */
static const char *output_of(const char *command)
{
	static char text[1 << 16];
	FILE *pipe = popen(command, "r");
	size_t len = pipe ? fread(text, 1, sizeof(text) - 1, pipe) : 0;

	text[len] = '\0';
	if (pipe)
		pclose(pipe);
	return text;
}

static int connect_to_vm(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const void *)&addr, sizeof(addr))) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Acknowledgements so far; what is on its way comes in the meantime. */
static int count_acks(struct vm_test *vm)
{
	vm_expect(vm, "never written", 2);
	return vm_count(vm, "ack ");
}

/* How many more come in a few seconds. */
static int count_new_acks(struct vm_test *vm)
{
	int before = count_acks(vm);

	return count_acks(vm) - before;
}

static bool wait_for_socket(void)
{
	for (int i = 0; i < END_S * 10; i++) {
		if (!access(SOCKET, F_OK))
			return true;
		usleep(100000);
	}
	return false;
}

FIXTURE(control) {
	struct vm_test vm;
};

FIXTURE_VARIANT(control) {
	const char *option;
};

FIXTURE_VARIANT_ADD(control, kernel_worker) {
	.option = "path=" DISK ",flush=kernel,exec=worker",
};

FIXTURE_VARIANT_ADD(control, kernel_inline) {
	.option = "path=" DISK ",flush=kernel,exec=inline",
};

FIXTURE_VARIANT_ADD(control, user) {
	.option = "path=" DISK ",flush=user",
};

FIXTURE_SETUP(control)
{
	const char *const args[] = {
		"--memory", "256M", "--cpus", "2", "--pmem", variant->option,
		"--control", SOCKET, NULL
	};

	ASSERT_EQ(0, vm_make_file(DISK, FILE_SIZE));
	ASSERT_EQ(0, vm_start(&self->vm, FOR_EVER, 1, args));
	ASSERT_EQ(0, vm_expect(&self->vm, "ack 20", BOOT_S));
}

FIXTURE_TEARDOWN(control)
{
	vm_end(&self->vm);
	unlink(DISK);
	unlink(SOCKET);
}

TEST_F_TIMEOUT(control, paused_guest_is_not_answered_and_goes_on_later, TEST_S)
{
	const char *status;
	int acks;

	ASSERT_EQ(0, system(CTL "pause"));
	acks = count_acks(&self->vm);
	EXPECT_EQ(0, count_new_acks(&self->vm));
	status = output_of(CTL "status");
	EXPECT_EQ(status, strstr(status, "paused\n"));
	EXPECT_EQ(0, system(CTL "pause"));
	ASSERT_EQ(0, system(CTL "resume"));
	EXPECT_LT(0, count_new_acks(&self->vm));
	status = output_of(CTL "status");
	EXPECT_EQ(status, strstr(status, "running\n"));
	acks = vm_count(&self->vm, "ack ");
	ASSERT_EQ(0, system(CTL "quit"));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_LE(acks, pattern_count(DISK, 0));
	EXPECT_FALSE(vm_has(&self->vm, "block "));
	EXPECT_NE(0, access(SOCKET, F_OK));
}

/* At every moment of a flush; none may be lost, for which a guest would hang. */
TEST_F_TIMEOUT(control, no_flush_is_lost_by_many_pauses, TEST_S)
{
	for (int i = 0; i < 100; i++) {
		int fd = connect_to_vm();
		char answer[64];

		ASSERT_LE(0, fd);
		ASSERT_EQ(20, send(fd, "{\"command\":\"pause\"}\n", 20, 0));
		ASSERT_LT(0, read(fd, answer, sizeof(answer)));
		ASSERT_EQ(0, strncmp(answer, "{\"ok\":true}\n", 12));
		ASSERT_EQ(21, send(fd, "{\"command\":\"resume\"}\n", 21, 0));
		ASSERT_LT(0, read(fd, answer, sizeof(answer)));
		ASSERT_EQ(0, strncmp(answer, "{\"ok\":true}\n", 12));
		close(fd);
		usleep(1000 * (i % 30));
	}
	EXPECT_LT(0, count_new_acks(&self->vm));
	EXPECT_FALSE(vm_has(&self->vm, "block "));
	ASSERT_EQ(0, system(CTL "pause"));
	ASSERT_EQ(0, system(CTL "quit"));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
}

/* VMs that need no disk, or not so soon. */

FIXTURE(other) {
	struct vm_test vm;
};

FIXTURE_SETUP(other)
{
}

FIXTURE_TEARDOWN(other)
{
	vm_end(&self->vm);
	system("rm -rf " SOCKET);
}

static const char *const talking[] = {
	"--kernel", VM_KERNEL, "--memory", "256M", "--cmdline",
	"console=ttyS0 panic=0", "--control", SOCKET, NULL
};

TEST_F_TIMEOUT(other, pause_does_not_wait_for_who_reads_the_console, TEST_S)
{
	const char *status;

	ASSERT_EQ(0, vm_exec(&self->vm, talking));
	/* A pipe of one page has no room for more once there is anything. */
	ASSERT_LT(0, fcntl(self->vm.out_fd, F_SETPIPE_SZ, 4096));
	ASSERT_TRUE(wait_for_socket());
	sleep(8);
	ASSERT_EQ(0, system("timeout 10 " CTL "pause"));
	status = output_of(CTL "status");
	EXPECT_EQ(status, strstr(status, "paused\n"));
	ASSERT_EQ(0, system(CTL "resume"));
	/* Nothing of it is lost: the boot's messages are in one piece. */
	EXPECT_EQ(0, vm_expect(&self->vm, "Linux version", BOOT_S));
	EXPECT_EQ(0, vm_expect(&self->vm, "Kernel panic", BOOT_S));
	ASSERT_EQ(0, system(CTL "quit"));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
}

#define EXPECT_REFUSED(line) do {					\
	ASSERT_EQ(0, vm_exec(&self->vm, talking));			\
	EXPECT_EQ(1, vm_wait(&self->vm, END_S));			\
	EXPECT_STREQ("vpmem-vmm: " line "\n", self->vm.text);		\
	vm_end(&self->vm);						\
} while (0)

TEST_F_TIMEOUT(other, what_is_no_socket_stays, TEST_S)
{
	struct stat st;

	ASSERT_EQ(0, vm_make_file(SOCKET, 5));
	EXPECT_REFUSED("cannot listen on " SOCKET
		       ": it is there and no socket; give another path");
	ASSERT_EQ(0, stat(SOCKET, &st));
	EXPECT_EQ(5, st.st_size);
	ASSERT_EQ(0, unlink(SOCKET));
	ASSERT_EQ(0, mkdir(SOCKET, 0700));
	EXPECT_REFUSED("cannot listen on " SOCKET
		       ": it is there and no socket; give another path");
	EXPECT_EQ(0, rmdir(SOCKET));
}

TEST_F_TIMEOUT(other, socket_that_a_killed_vm_has_left_is_replaced, TEST_S)
{
	struct vm_test second;
	struct stat st;

	ASSERT_EQ(0, vm_exec(&self->vm, talking));
	ASSERT_EQ(0, vm_expect(&self->vm, "Linux version", BOOT_S));
	ASSERT_EQ(0, stat(SOCKET, &st));
	EXPECT_EQ(S_IFSOCK | 0600, st.st_mode);
	ASSERT_EQ(0, vm_exec(&second, talking));
	EXPECT_EQ(1, vm_wait(&second, END_S));
	EXPECT_STREQ("vpmem-vmm: cannot listen on " SOCKET
		     ": it is in use; give another path\n", second.text);
	vm_end(&second);
	ASSERT_EQ(0, kill(self->vm.pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, vm_wait(&self->vm, END_S));
	vm_end(&self->vm);
	EXPECT_EQ(0, access(SOCKET, F_OK));
	EXPECT_NE(0, system(CTL "status 2>/dev/null"));
	ASSERT_EQ(0, vm_exec(&self->vm, talking));
	ASSERT_EQ(0, vm_expect(&self->vm, "Linux version", BOOT_S));
	EXPECT_EQ(0, system(CTL "status >/dev/null"));
	ASSERT_EQ(0, kill(self->vm.pid, SIGTERM));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_NE(0, access(SOCKET, F_OK));
}

TEST_F_TIMEOUT(other, quit_syncs_what_the_guest_did_not, TEST_S)
{
	const char *const args[] = {
		"--memory", "256M", "--pmem", "path=" DEVICE ",flush=user",
		"--control", SOCKET, NULL
	};
	int device;

	/* Nothing is written back for its age, nor by the last close. */
	ASSERT_EQ(0, writeback_hourly());
	ASSERT_EQ(0, system("dd if=/dev/zero of=" DEVICE_RAM
			    " bs=1M count=8 conv=fsync 2>/dev/null"));
	ASSERT_EQ(0, system(CREATE));
	device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, device);
	ASSERT_EQ(0, vm_start(&self->vm, "pmem,store,0,0,8", 1, args));
	EXPECT_EQ(0, vm_expect(&self->vm, "stored 8", BOOT_S));
	EXPECT_EQ(0, pattern_count(DEVICE_RAM, O_DIRECT));
	EXPECT_EQ(0, system(CTL "pause"));
	EXPECT_EQ(0, system(CTL "quit"));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_EQ(8, pattern_count(DEVICE_RAM, O_DIRECT));
	close(device);
	EXPECT_EQ(0, system(REMOVE));
	EXPECT_EQ(0, writeback_usual());
}

/* A guest that reboots, again and again. */

FIXTURE(reboot) {
	struct vm_test vm;
};

FIXTURE_VARIANT(reboot) {
	const char *option;
};

FIXTURE_VARIANT_ADD(reboot, kernel) {
	.option = "path=" DISK ",flush=kernel",
};

FIXTURE_VARIANT_ADD(reboot, user) {
	.option = "path=" DISK ",flush=user",
};

FIXTURE_SETUP(reboot)
{
	const char *const args[] = {
		"--memory", "256M", "--cpus", "2", "--pmem", variant->option,
		"--control", SOCKET, "--reboot", "restart", "-v", NULL
	};

	ASSERT_EQ(0, vm_make_file(DISK, FILE_SIZE));
	ASSERT_EQ(0, vm_start(&self->vm, "again", 1, args));
}

FIXTURE_TEARDOWN(reboot)
{
	vm_end(&self->vm);
	unlink(DISK);
	unlink(SOCKET);
}

TEST_F_TIMEOUT(reboot, guest_starts_again, TEST_S)
{
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, vm_expect(&self->vm, "L2: ready", BOOT_S));
		ASSERT_EQ(0, vm_expect(&self->vm, "ack 3", BOOT_S));
		ASSERT_EQ(0, vm_expect(&self->vm, "the guest has reset itself, it starts again",
				       END_S));
	}
	EXPECT_FALSE(vm_has(&self->vm, "block "));
	EXPECT_FALSE(vm_has(&self->vm, "L2: exit status"));
	/* Its counters have survived. */
	EXPECT_NE(NULL, strstr(output_of(CTL "status"), "flush_errors 0"));
	EXPECT_EQ(NULL, strstr(output_of(CTL "status"), "flushes 0"));
	ASSERT_EQ(0, system(CTL "quit"));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_LE(4, pattern_count(DISK, 0));
}

/* A panic is a reset, and a triple fault one without a word. */
TEST_F_TIMEOUT(other, guest_that_faults_starts_again, TEST_S)
{
	const char *const args[] = {
		"--kernel", VM_KERNEL, "--memory", "256M", "--reboot", "restart",
		"--cmdline", "console=ttyS0 quiet panic=-1 reboot=t", "-v", NULL
	};

	ASSERT_EQ(0, vm_exec(&self->vm, args));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, vm_expect(&self->vm, "Kernel panic", BOOT_S));
		ASSERT_EQ(0, vm_expect(&self->vm, "vCPU 0: triple fault, taken as a reset",
				       END_S));
		ASSERT_EQ(0, vm_expect(&self->vm, "it starts again", END_S));
	}
	ASSERT_EQ(0, kill(self->vm.pid, SIGTERM));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
}

/* Snapshots */

#define SNAPSHOT	"/tmp/control.snap"
#define SECOND		"/tmp/control.snap2"

FIXTURE(snapshot) {
	struct vm_test vm;
};

FIXTURE_VARIANT(snapshot) {
	const char *from;
	const char *to;
};

FIXTURE_VARIANT_ADD(snapshot, kernel_to_kernel) {
	.from = "path=" DISK ",flush=kernel",
	.to = "id=pmem0",
};

FIXTURE_VARIANT_ADD(snapshot, user_to_user) {
	.from = "path=" DISK ",flush=user",
	.to = "id=pmem0",
};

FIXTURE_VARIANT_ADD(snapshot, kernel_to_user) {
	.from = "path=" DISK ",flush=kernel,exec=worker",
	.to = "id=pmem0,flush=user",
};

FIXTURE_VARIANT_ADD(snapshot, user_to_kernel) {
	.from = "path=" DISK ",flush=user",
	.to = "id=pmem0,flush=kernel,exec=inline",
};

static void remove_files(void)
{
	system("rm -rf " DISK " " SOCKET " " SNAPSHOT "* " SECOND "*");
}

static int start_churning(struct vm_test *vm, const char *option)
{
	const char *const args[] = {
		"--memory", "256M", "--cpus", "2", "--pmem", option,
		"--control", SOCKET, NULL
	};

	remove_files();
	return vm_make_file(DISK, FILE_SIZE) ?:
	       vm_start(vm, "pmem,churn,0", 1, args) ?:
	       vm_expect(vm, "churned 20", BOOT_S);
}

FIXTURE_SETUP(snapshot)
{
	ASSERT_EQ(0, start_churning(&self->vm, variant->from));
}

FIXTURE_TEARDOWN(snapshot)
{
	vm_end(&self->vm);
	remove_files();
}

/* The number in the last whole line of a VM that has ended. */
static int last_churned(const struct vm_test *vm)
{
	int last = -1, number, len;

	for (const char *at = vm->text; (at = strstr(at, "churned ")); at++) {
		len = 0;
		if (sscanf(at, "churned %d%n", &number, &len) == 1 &&
		    at[len] == '\r')
			last = number;
	}
	return last;
}

/* Those that the VM has served, in its present life. */
static int count_flushes(void)
{
	const char *at = strstr(output_of(CTL "status"), "flushes ");

	return at ? atoi(at + strlen("flushes ")) : 1000000;
}

static int start_restored(struct vm_test *vm, const char *dir, const char *option)
{
	const char *const args[] = {
		"--restore", dir, "--pmem", option, "--control", SOCKET, NULL
	};

	vm_end(vm);
	return vm_exec(vm, args);
}

/*
 * Takes a snapshot, ends the VM, restores it and sees it go on. The line that it
 * was at may be cut in two: the VM that ends writes its beginning.
 */
#define EXPECT_GOES_ON(dir, option, more) do {				\
	char last[32], next[32];					\
	int number;							\
									\
	ASSERT_EQ(0, system(CTL "pause"));				\
	ASSERT_EQ(0, system(CTL "snapshot " dir));			\
	ASSERT_EQ(0, system(CTL "quit"));				\
	ASSERT_EQ(0, vm_wait(&self->vm, END_S));			\
	number = last_churned(&self->vm);				\
	ASSERT_LE(0, number);						\
	snprintf(last, sizeof(last), "churned %d\r\n", number);		\
	snprintf(next, sizeof(next), "churned %d\r\n", number + 2);	\
	ASSERT_EQ(0, start_restored(&self->vm, dir, option));		\
	ASSERT_EQ(0, vm_expect(&self->vm, next, END_S));		\
	EXPECT_FALSE(vm_has(&self->vm, last));				\
	for (int left = (more); left > 0; left--)			\
		ASSERT_EQ(0, vm_expect(&self->vm, "churned ", END_S));	\
	EXPECT_FALSE(vm_has(&self->vm, "block "));			\
} while (0)

/* More blocks than the guest looks back, so that it reads from before, too. */
TEST_F_TIMEOUT(snapshot, restored_guest_goes_on, TEST_S)
{
	EXPECT_GOES_ON(SNAPSHOT, variant->to, 110);
	/* A restored VM can be saved and restored as well. */
	EXPECT_GOES_ON(SECOND, variant->to, 3);
	/* What was answered before, more than that, is not served again. */
	EXPECT_GT(100, count_flushes());
	EXPECT_NE(NULL, strstr(output_of(CTL "status"), "flush_errors 0"));
	ASSERT_EQ(0, system(CTL "quit"));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
}

/* What can be wrong with one. */

FIXTURE(saved) {
	struct vm_test vm;
};

FIXTURE_SETUP(saved)
{
	ASSERT_EQ(0, start_churning(&self->vm, "path=" DISK ",flush=user"));
}

FIXTURE_TEARDOWN(saved)
{
	vm_end(&self->vm);
	remove_files();
}

#define EXPECT_NOT_RESTORED(line, ...) do {				\
	const char *const args[] = { "--restore", SECOND, ##__VA_ARGS__, NULL };	\
									\
	vm_end(&self->vm);						\
	ASSERT_EQ(0, vm_exec(&self->vm, args));				\
	EXPECT_EQ(1, vm_wait(&self->vm, END_S));			\
	EXPECT_STREQ("vpmem-vmm: " line "\n", self->vm.text);		\
	ASSERT_EQ(0, system("rm -rf " SECOND " && cp -a " SNAPSHOT " " SECOND)); \
} while (0)

TEST_F_TIMEOUT(saved, bad_snapshots_are_refused, TEST_S)
{
	ASSERT_EQ(0, system(CTL "pause"));
	ASSERT_EQ(0, system(CTL "snapshot " SNAPSHOT));
	ASSERT_EQ(0, system(CTL "quit"));
	ASSERT_EQ(0, vm_wait(&self->vm, END_S));
	EXPECT_NOT_RESTORED("cannot read snapshot " SECOND
			    "/state.json: No such file or directory");
	ASSERT_EQ(0, system("truncate -s 268431360 " SECOND "/memory"));
	EXPECT_NOT_RESTORED("memory " SECOND "/memory: not a file of 268435456 bytes; "
			    "the snapshot is damaged");
	ASSERT_EQ(0, system("rm " SECOND "/memory"));
	EXPECT_NOT_RESTORED("memory " SECOND "/memory: No such file or directory");
	ASSERT_EQ(0, system("sed -i 's/\"version\": 1/\"version\": 2/' " SECOND "/state.json"));
	EXPECT_NOT_RESTORED("snapshot " SECOND ": is of version 2, this program reads version 1");
	ASSERT_EQ(0, system("sed -i 's/\"cpus\": 2/\"cpus\": 1/' " SECOND "/state.json"));
	EXPECT_NOT_RESTORED("snapshot " SECOND ": damaged: the checksum of its state is wrong");
	ASSERT_EQ(0, system("truncate -s 1000 " SECOND "/state.json"));
	EXPECT_NOT_RESTORED("snapshot " SECOND ": damaged: its state is no JSON");
	EXPECT_NOT_RESTORED("pmem other: the snapshot has no such device",
			    "--pmem", "id=other,flush=user");
	ASSERT_EQ(0, system("cp -a " DISK " " SECOND "/disk"));
	EXPECT_NOT_RESTORED("snapshot " SECOND ": pmem pmem0, " SECOND
			    "/disk: its file is another one",
			    "--pmem", "id=pmem0,path=" SECOND "/disk");
	ASSERT_EQ(0, system("printf x | dd of=" DISK
			    " bs=1 seek=60000000 conv=notrunc 2>/dev/null"));
	EXPECT_NOT_RESTORED("snapshot " SECOND ": pmem pmem0, " DISK
			    ": its file was changed since");
	ASSERT_EQ(0, system("rm " DISK));
	EXPECT_NOT_RESTORED("pmem " DISK ": cannot open: No such file or directory; "
			    "check path=, or create it with truncate -s SIZE");
}

/* Wherever the guest, its flush and its interrupt are just then. */
TEST_F_TIMEOUT(saved, guest_goes_on_from_many_places, TEST_S)
{
	for (int i = 0; i < 6; i++) {
		EXPECT_GOES_ON(SNAPSHOT, "id=pmem0,flush=kernel,exec=worker", i);
		EXPECT_GOES_ON(SECOND, "id=pmem0,flush=user", i);
		ASSERT_EQ(0, system("rm -r " SNAPSHOT " " SECOND));
	}
	ASSERT_EQ(0, system(CTL "quit"));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
}

static int count_entries(void)
{
	return atoi(output_of("ls -d /tmp/control.snap* 2>/dev/null | wc -l"));
}

/* One that cannot be taken leaves nothing, and a guest that runs goes on. */
TEST_F_TIMEOUT(saved, snapshot_of_a_running_guest, TEST_S)
{
	int fd;

	ASSERT_EQ(0, system(CTL "snapshot " SNAPSHOT));
	EXPECT_EQ(1, count_entries());
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, vm_expect(&self->vm, "churned ", END_S));
	EXPECT_STREQ("vpmemctl: snapshot " SNAPSHOT
		     ": it is there already; give another directory\n",
		     output_of(CTL "snapshot " SNAPSHOT " 2>&1"));
	EXPECT_NE(0, system(CTL "snapshot /does/not/exist 2>/dev/null"));
	EXPECT_NE(0, system("cd /sys && " CTL "snapshot here 2>/dev/null"));
	EXPECT_EQ(1, count_entries());
	/* Without files, and with some that are none. */
	fd = connect_to_vm();
	ASSERT_LE(0, fd);
	ASSERT_EQ(23, send(fd, "{\"command\":\"snapshot\"}\n", 23, 0));
	close(fd);
	self->vm.seen = self->vm.len;
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, vm_expect(&self->vm, "churned ", END_S));
	EXPECT_FALSE(vm_has(&self->vm, "block "));
	ASSERT_EQ(0, system(CTL "quit"));
	EXPECT_EQ(0, vm_wait(&self->vm, END_S));
}

TEST_HARNESS_MAIN
