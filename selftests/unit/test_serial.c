// SPDX-License-Identifier: GPL-2.0-or-later
/* The console: input that comes faster than it is read, output that fails. */
#include "bus.h"
#include "layout.h"
#include "machine.h"
#include "serial.h"
#include "vcpu.h"

#include <fcntl.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define TEXT_BYTES	(3 * SERIAL_INPUT_BYTES)

int vcpus_pause_fd(const struct vm *vm)
{
	return -1;
}

void irq_set_line(struct irq *irq, uint32_t gsi, int level)
{
}

FIXTURE(serial) {
	struct machine m;
	pthread_t thread;
	bool has_thread;
	int exit_code;
	char said[1024];
};

static void *run_loop(void *arg)
{
	struct _test_data_serial *self = arg;

	self->exit_code = loop_run(&self->m.vm.loop);
	return NULL;
}

FIXTURE_SETUP(serial)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, machine_create(&self->m));
}

/* The console as it is with --serial stdio. */
static void start(struct __test_metadata *_metadata,
		  struct _test_data_serial *self, int in, int out)
{
	ASSERT_LE(0, dup2(in, STDIN_FILENO));
	ASSERT_LE(0, dup2(out, STDOUT_FILENO));
	self->m.config.serial = CONFIG_SERIAL_STDIO;
	ASSERT_EQ(0, serial_create(&self->m.vm));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, run_loop, self));
	self->has_thread = true;
}

static void end_loop(struct _test_data_serial *self)
{
	loop_quit(&self->m.vm.loop, 0);
	if (self->has_thread)
		pthread_join(self->thread, NULL);
	self->has_thread = false;
}

FIXTURE_TEARDOWN(serial)
{
	end_loop(self);
	serial_destroy(&self->m.vm);
	machine_destroy(&self->m);
}

static uint8_t get(struct _test_data_serial *self, uint64_t reg)
{
	uint8_t value = 0;

	bus_read(&self->m.vm.pio, LAYOUT_COM1_PORT + reg, &value, 1);
	return value;
}

static void put(struct _test_data_serial *self, uint64_t reg, uint8_t value)
{
	machine_out(&self->m, LAYOUT_COM1_PORT + reg, value, 1);
}

static bool wait_input(struct _test_data_serial *self)
{
	for (int i = 0; i < 5000 && !(get(self, UART_LSR) & UART_LSR_DR); i++)
		usleep(1000);
	return get(self, UART_LSR) & UART_LSR_DR;
}

/* Byte @at of a text without end. */
static uint8_t byte_at(unsigned int at)
{
	return at * 7 + at / 256;
}

static void write_text(int fd, unsigned int len)
{
	uint8_t text[TEXT_BYTES];

	for (unsigned int i = 0; i < len; i++)
		text[i] = byte_at(i);
	if (write(fd, text, len) != len)
		abort();
}

/* What the console has not taken yet comes down to @len, and stays there. */
static bool wait_left(int fd, int len)
{
	int left = -1;

	for (int i = 0; i < 5000 && left != len; i++) {
		usleep(1000);
		ioctl(fd, FIONREAD, &left);
	}
	usleep(20000);
	ioctl(fd, FIONREAD, &left);
	return left == len;
}

/* How far the text is right, from @from to before @to. */
static unsigned int read_text(struct _test_data_serial *self, unsigned int from,
			      unsigned int to)
{
	while (from < to && wait_input(self) &&
	       get(self, UART_RX) == byte_at(from))
		from++;
	return from;
}

TEST_F(serial, piped_input_waits_for_the_guest)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	start(_metadata, self, fds[0], STDERR_FILENO);
	write_text(fds[1], TEXT_BYTES);
	ASSERT_TRUE(wait_left(fds[0], TEXT_BYTES - SERIAL_INPUT_BYTES));
	EXPECT_EQ(1000, read_text(self, 0, 1000));
	EXPECT_EQ(TEXT_BYTES, read_text(self, 1000, TEXT_BYTES));
	EXPECT_FALSE(get(self, UART_LSR) & UART_LSR_DR);
	/* Nor is it forgotten that there may be more. */
	write_text(fds[1], 100);
	close(fds[1]);
	EXPECT_EQ(100, read_text(self, 0, 100));
}

TEST_F(serial, guest_that_forgets_its_input_gets_more)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	start(_metadata, self, fds[0], STDERR_FILENO);
	write_text(fds[1], SERIAL_INPUT_BYTES + 100);
	ASSERT_TRUE(wait_left(fds[0], 100));
	put(self, UART_FCR, UART_FCR_CLEAR_RCVR);
	ASSERT_TRUE(wait_left(fds[0], 0));
	EXPECT_EQ(SERIAL_INPUT_BYTES + 100,
		  read_text(self, SERIAL_INPUT_BYTES, SERIAL_INPUT_BYTES + 100));
	close(fds[1]);
}

/* What was put back may leave room, or not. */
TEST_F(serial, loaded_state_gets_more)
{
	static struct serial_state empty, full;
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	start(_metadata, self, fds[0], STDERR_FILENO);
	serial_save(&self->m.vm, &empty);
	write_text(fds[1], SERIAL_INPUT_BYTES + 100);
	ASSERT_TRUE(wait_left(fds[0], 100));
	serial_save(&self->m.vm, &full);
	serial_load(&self->m.vm, &full);
	ASSERT_TRUE(wait_left(fds[0], 100));
	serial_load(&self->m.vm, &empty);
	EXPECT_TRUE(wait_left(fds[0], 0));
	serial_load(&self->m.vm, &full);
	write_text(fds[1], 100);
	EXPECT_TRUE(wait_left(fds[0], 100));
	EXPECT_EQ(SERIAL_INPUT_BYTES, read_text(self, 0, SERIAL_INPUT_BYTES));
	EXPECT_EQ(100, read_text(self, 0, 100));
	close(fds[1]);
}

/* With a guest that reads nothing, too. */
TEST_F(serial, terminal_can_always_end_the_vm)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char text[512];
	int slave;

	ASSERT_LE(0, master);
	ASSERT_EQ(0, grantpt(master));
	ASSERT_EQ(0, unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, slave);
	start(_metadata, self, slave, STDERR_FILENO);
	memset(text, 'a', sizeof(text));
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(sizeof(text), write(master, text, sizeof(text)));
	ASSERT_EQ(2, write(master, "\1x", 2));
	pthread_join(self->thread, NULL);
	self->has_thread = false;
	EXPECT_EQ(0, self->exit_code);
	close(master);
	close(slave);
}

static void print(struct _test_data_serial *self, const char *text)
{
	while (*text)
		put(self, UART_TX, *text++);
}

#define LOST(where)							\
	"vpmem-vmm: cannot write the guest's console to " where		\
	": No space left on device; what it prints is lost from here on\n"

/* Once, and not for each line. */
TEST_F(serial, output_that_cannot_be_written_is_told)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct hearing hearing;

	ASSERT_LE(0, out);
	start(_metadata, self, in, out);
	hear_begin(&hearing);
	print(self, "one\ntwo\nthree\n");
	hear_end(&hearing, self->said, sizeof(self->said));
	EXPECT_STREQ(LOST("standard output"), self->said);
	close(in);
	close(out);
}

TEST_F(serial, file_that_cannot_be_written_is_told)
{
	struct hearing hearing;

	self->m.config.serial = CONFIG_SERIAL_FILE;
	self->m.config.serial_path = (char *)"/dev/full";
	ASSERT_EQ(0, serial_create(&self->m.vm));
	hear_begin(&hearing);
	print(self, "one\ntwo\n");
	hear_end(&hearing, self->said, sizeof(self->said));
	EXPECT_STREQ(LOST("/dev/full"), self->said);
}

TEST_F(serial, output_is_written_by_line)
{
	char text[64] = "";
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	start(_metadata, self, open("/dev/null", O_RDONLY | O_CLOEXEC), fds[1]);
	print(self, "one\ntwo");
	EXPECT_EQ(4, read(fds[0], text, sizeof(text)));
	EXPECT_STREQ("one\n", text);
}

TEST_HARNESS_MAIN
