// SPDX-License-Identifier: GPL-2.0-or-later
/* COM1, a 16550 UART, and the terminal, file or nothing behind it. */
#include "bus.h"
#include "config.h"
#include "irq.h"
#include "layout.h"
#include "log.h"
#include "loop.h"
#include "serial.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>

#include <linux/serial_reg.h>

/* Written from so many on; there is room for what comes until a pause. */
#define OUT_ENOUGH	256
#define OUT_BYTES	1024
#define INPUT_BYTES	SERIAL_INPUT_BYTES
#define CHUNK_BYTES	256

/* How long a reader of the console gets when the VM ends. */
#define LAST_WAIT_MS	200

#define ESCAPE		0x01	/* Ctrl-a */

/**
 * struct serial - The UART.
 * @vm: its VM
 * @lock: guards the registers and the input, that is all up to @is_full
 * @ier: interrupts enabled
 * @lcr: line control
 * @mcr: modem control
 * @scr: scratch
 * @fcr: FIFO control
 * @divisor: baud rate divisor, without effect
 * @thr_pending: "transmitter empty" is to be told
 * @input: bytes for the guest, a ring
 * @input_head: next one to take
 * @input_len: how many there are
 * @has_input: @in is of use
 * @is_full: it is not watched, until the guest has read from @input
 * @out_lock: guards the output, that is all up to @out_fd; held while a reader
 *	is waited for, and so never by the main thread while the guest runs
 * @out: bytes from the guest that are not written yet
 * @out_len: how many there are
 * @out_fd: where they go, -1 for nowhere
 * @in: where input comes from
 * @is_raw: the terminal's mode was changed
 * @saved: the mode to restore
 * @was_escape: the last byte typed was Ctrl-a
 */
struct serial {
	struct vm *vm;
	pthread_mutex_t lock;
	uint8_t ier;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t scr;
	uint8_t fcr;
	uint16_t divisor;
	bool thr_pending;
	uint8_t input[INPUT_BYTES];
	size_t input_head;
	size_t input_len;
	bool has_input;
	bool is_full;
	pthread_mutex_t out_lock;
	uint8_t out[OUT_BYTES];
	size_t out_len;
	int out_fd;
	struct loop_source in;
	bool is_raw;
	struct termios saved;
	bool was_escape;
};

/* What a wait for room ended with. */
enum room {
	ROOM_THERE,
	ROOM_NEVER,	/* nobody reads in time */
	ROOM_LATER,	/* the VM pauses first */
};

/*
 * Waits until there is room for output. That may take as long as the reader
 * likes, until the VM ends or pauses.
 */
static enum room wait_room(const struct serial *serial)
{
	struct pollfd fds[] = {
		{ .fd = serial->out_fd, .events = POLLOUT },
		{ .events = POLLIN },
	};
	const struct vm *vm = serial->vm;
	bool is_ending;
	int ret;

	do {
		is_ending = loop_is_ending(&vm->loop);
		fds[1].fd = vm->vcpus && !is_ending ? vcpus_pause_fd(vm) : -1;
		ret = poll(fds, ARRAY_SIZE(fds), is_ending ? LAST_WAIT_MS : -1);
	} while (ret < 0 && errno == EINTR);
	if (ret > 0 && fds[0].revents)
		return ROOM_THERE;
	return ret > 0 ? ROOM_LATER : ROOM_NEVER;
}

/* Without a reader the guest runs on. @out_lock held. */
static void give_up_output(struct serial *serial, int err)
{
	const struct config *config = serial->vm->config;

	log_warn("cannot write the guest's console to %s: %s; what it prints is lost from here on",
		 config->serial == CONFIG_SERIAL_FILE ? config->serial_path :
		 "standard output", strerror(err));
	serial->out_fd = -1;
}

/* Returns whether to go on. */
static bool write_some(struct serial *serial, size_t *done)
{
	enum room room = wait_room(serial);
	ssize_t len;

	if (room == ROOM_LATER)
		return false;
	if (room == ROOM_NEVER) {
		serial->out_fd = -1;
		return false;
	}
	len = write(serial->out_fd, serial->out + *done, serial->out_len - *done);
	if (len > 0)
		*done += len;
	else if (!len || (errno != EAGAIN && errno != EINTR))
		give_up_output(serial, len ? errno : EIO);
	return serial->out_fd >= 0;
}

/* @out_lock held. */
static void flush_locked(struct serial *serial)
{
	size_t done = 0;

	while (serial->out_fd >= 0 && done < serial->out_len &&
	       write_some(serial, &done))
		;
	serial->out_len = serial->out_fd >= 0 ? serial->out_len - done : 0;
	memmove(serial->out, serial->out + done, serial->out_len);
}

static void flush_out(struct serial *serial)
{
	pthread_mutex_lock(&serial->out_lock);
	flush_locked(serial);
	pthread_mutex_unlock(&serial->out_lock);
}

static void put_out(struct serial *serial, uint8_t byte)
{
	pthread_mutex_lock(&serial->out_lock);
	if (serial->out_len < OUT_BYTES)
		serial->out[serial->out_len++] = byte;
	if (byte == '\n' || serial->out_len >= OUT_ENOUGH)
		flush_locked(serial);
	pthread_mutex_unlock(&serial->out_lock);
}

static uint8_t pending_interrupt(const struct serial *serial)
{
	if ((serial->ier & UART_IER_RDI) && serial->input_len)
		return UART_IIR_RDI;
	if ((serial->ier & UART_IER_THRI) && serial->thr_pending)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

/* The pin is edge triggered: each cause that is new or left needs an edge. */
static void update_irq(struct serial *serial)
{
	irq_set_line(&serial->vm->irq, LAYOUT_COM1_GSI, 0);
	if (pending_interrupt(serial) != UART_IIR_NO_INT)
		irq_set_line(&serial->vm->irq, LAYOUT_COM1_GSI, 1);
}

static void feed_locked(struct serial *serial, uint8_t byte)
{
	size_t at = (serial->input_head + serial->input_len) % INPUT_BYTES;

	if (serial->input_len == INPUT_BYTES)
		return;
	serial->input[at] = byte;
	serial->input_len++;
}

/* There was no room for more, and now there is. @lock held. */
static void watch_again(struct serial *serial)
{
	if (serial->is_full && serial->input_len <= INPUT_BYTES / 2)
		serial->is_full = loop_add(&serial->vm->loop, &serial->in);
}

static uint8_t take_input(struct serial *serial)
{
	uint8_t byte;

	if (!serial->input_len)
		return 0;
	byte = serial->input[serial->input_head];
	serial->input_head = (serial->input_head + 1) % INPUT_BYTES;
	serial->input_len--;
	watch_again(serial);
	update_irq(serial);
	return byte;
}

/*
 * Returns whether the byte is to go out. In loopback mode what goes out comes
 * in, by which the guest's kernel sees that a UART is there.
 */
static bool transmit(struct serial *serial, uint8_t byte)
{
	bool is_loop = serial->mcr & UART_MCR_LOOP;

	if (is_loop)
		feed_locked(serial, byte);
	serial->thr_pending = true;
	update_irq(serial);
	return !is_loop;
}

static uint8_t read_iir(struct serial *serial)
{
	uint8_t iir = pending_interrupt(serial);

	if (iir == UART_IIR_THRI) {
		serial->thr_pending = false;
		update_irq(serial);
	}
	if (serial->fcr & UART_FCR_ENABLE_FIFO)
		iir |= 0xc0;
	return iir;
}

static uint8_t read_msr(const struct serial *serial)
{
	uint8_t msr = UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;

	if (!(serial->mcr & UART_MCR_LOOP))
		return msr;
	msr = 0;
	if (serial->mcr & UART_MCR_RTS)
		msr |= UART_MSR_CTS;
	if (serial->mcr & UART_MCR_DTR)
		msr |= UART_MSR_DSR;
	if (serial->mcr & UART_MCR_OUT1)
		msr |= UART_MSR_RI;
	if (serial->mcr & UART_MCR_OUT2)
		msr |= UART_MSR_DCD;
	return msr;
}

static uint8_t read_reg(struct serial *serial, uint64_t reg)
{
	bool is_dlab = serial->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_RX:
		return is_dlab ? serial->divisor & 0xff : take_input(serial);
	case UART_IER:
		return is_dlab ? serial->divisor >> 8 : serial->ier;
	case UART_IIR:
		return read_iir(serial);
	case UART_LCR:
		return serial->lcr;
	case UART_MCR:
		return serial->mcr;
	case UART_LSR:
		return UART_LSR_TEMT | UART_LSR_THRE |
		       (serial->input_len ? UART_LSR_DR : 0);
	case UART_MSR:
		return read_msr(serial);
	default:
		return serial->scr;
	}
}

static void write_ier(struct serial *serial, uint8_t value)
{
	/* Enabling the transmitter's interrupt raises it: it is empty. */
	if (!(serial->ier & UART_IER_THRI) && (value & UART_IER_THRI))
		serial->thr_pending = true;
	serial->ier = value & 0x0f;
	update_irq(serial);
}

/* Returns whether the byte is to go out. */
static bool write_reg(struct serial *serial, uint64_t reg, uint8_t value)
{
	bool is_dlab = serial->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (!is_dlab)
			return transmit(serial, value);
		serial->divisor = (serial->divisor & 0xff00) | value;
		break;
	case UART_IER:
		if (is_dlab)
			serial->divisor = (serial->divisor & 0xff) |
					  value << 8;
		else
			write_ier(serial, value);
		break;
	case UART_FCR:
		serial->fcr = value;
		if (value & UART_FCR_CLEAR_RCVR)
			serial->input_len = 0;
		watch_again(serial);
		break;
	case UART_LCR:
		serial->lcr = value;
		break;
	case UART_MCR:
		serial->mcr = value & 0x1f;
		break;
	case UART_SCR:
		serial->scr = value;
		break;
	}
	return false;
}

static void serial_read(void *opaque, uint64_t offset, void *data,
			uint32_t len)
{
	struct serial *serial = opaque;
	uint8_t value;

	pthread_mutex_lock(&serial->lock);
	value = read_reg(serial, offset);
	pthread_mutex_unlock(&serial->lock);
	/* A guest that looks for work to do has no more to write just now. */
	if (offset == UART_IIR && (value & UART_IIR_NO_INT))
		flush_out(serial);
	memset(data, 0, len);
	*(uint8_t *)data = value;
}

static void serial_write(void *opaque, uint64_t offset, const void *data,
			 uint32_t len)
{
	struct serial *serial = opaque;
	uint8_t value = *(const uint8_t *)data;
	bool is_out;

	pthread_mutex_lock(&serial->lock);
	is_out = write_reg(serial, offset, value);
	pthread_mutex_unlock(&serial->lock);
	if (is_out)
		put_out(serial, value);
}

static const struct bus_ops serial_ops = {
	.read = serial_read,
	.write = serial_write,
};

/* Ctrl-a x ends the VM, Ctrl-a Ctrl-a is Ctrl-a. Only on a terminal. */
static bool is_for_guest(struct serial *serial, uint8_t byte)
{
	if (!serial->is_raw)
		return true;
	if (!serial->was_escape && byte == ESCAPE) {
		serial->was_escape = true;
		return false;
	}
	if (serial->was_escape && byte == 'x') {
		loop_quit(&serial->vm->loop, 0);
		return false;
	}
	serial->was_escape = false;
	return true;
}

/*
 * How much to read. What is piped waits in the pipe for the guest; a terminal is
 * read in any case, so that Ctrl-a x is seen, and what is too much is lost.
 * @lock held.
 */
static size_t room_for_input(const struct serial *serial)
{
	size_t room = INPUT_BYTES - serial->input_len;

	return serial->is_raw || room > CHUNK_BYTES ? CHUNK_BYTES : room;
}

/* @lock held. */
static void stop_watching(struct serial *serial)
{
	if (serial->has_input && !serial->is_full)
		loop_del(&serial->vm->loop, &serial->in);
	serial->has_input = false;
	serial->is_full = false;
}

/* @lock held. */
static void feed_all(struct serial *serial, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_for_guest(serial, bytes[i]))
			feed_locked(serial, bytes[i]);
	}
	update_irq(serial);
}

static void read_stdin(struct loop_source *source, uint32_t events)
{
	struct serial *serial = container_of(source, struct serial, in);
	uint8_t bytes[CHUNK_BYTES];
	ssize_t len;
	size_t room;

	pthread_mutex_lock(&serial->lock);
	room = room_for_input(serial);
	if (!room) {
		loop_del(&serial->vm->loop, source);
		serial->is_full = true;
	}
	pthread_mutex_unlock(&serial->lock);
	if (!room)
		return;
	len = read(source->fd, bytes, room);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	pthread_mutex_lock(&serial->lock);
	if (len > 0)
		feed_all(serial, bytes, len);
	else
		stop_watching(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void set_raw_mode(struct serial *serial)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) ||
	    tcgetattr(STDIN_FILENO, &serial->saved))
		return;
	raw = serial->saved;
	cfmakeraw(&raw);
	/* Messages of this program go to the same terminal. */
	raw.c_oflag |= OPOST;
	serial->is_raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void open_stdio(struct serial *serial)
{
	serial->out_fd = STDOUT_FILENO;
	serial->in.fd = STDIN_FILENO;
	serial->in.fn = read_stdin;
	/* A regular file cannot be watched, and is no console. */
	serial->has_input = !loop_add(&serial->vm->loop, &serial->in);
	if (serial->has_input)
		set_raw_mode(serial);
}

static int open_output(struct serial *serial)
{
	const struct config *config = serial->vm->config;

	serial->out_fd = -1;
	if (config->serial == CONFIG_SERIAL_STDIO)
		open_stdio(serial);
	if (config->serial != CONFIG_SERIAL_FILE)
		return 0;
	serial->out_fd = open(config->serial_path, O_WRONLY | O_CREAT |
			      O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (serial->out_fd < 0) {
		int err = errno;

		log_error("cannot open serial output %s: %s",
			  config->serial_path, strerror(err));
		return -err;
	}
	return 0;
}

int serial_create(struct vm *vm)
{
	struct serial *serial = calloc(1, sizeof(*serial));
	int err;

	if (!serial) {
		log_error("cannot create the serial port: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	serial->vm = vm;
	pthread_mutex_init(&serial->lock, NULL);
	pthread_mutex_init(&serial->out_lock, NULL);
	err = open_output(serial);
	if (!err) {
		vm->serial = serial;
		err = bus_add(&vm->pio, LAYOUT_COM1_PORT, LAYOUT_COM1_PORTS,
			      &serial_ops, serial);
		if (err)
			log_error("cannot place the serial port: %s",
				  strerror(-err));
	}
	if (err) {
		vm->serial = serial;
		serial_destroy(vm);
	}
	return err;
}

void serial_release(struct vm *vm)
{
	struct serial *serial = vm->serial;

	pthread_mutex_lock(&serial->lock);
	stop_watching(serial);
	pthread_mutex_unlock(&serial->lock);
	if (serial->is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &serial->saved);
	serial->is_raw = false;
}

void serial_destroy(struct vm *vm)
{
	struct serial *serial = vm->serial;

	if (!serial)
		return;
	bus_del(&vm->pio, LAYOUT_COM1_PORT);
	serial_release(vm);
	flush_out(serial);
	if (vm->config->serial == CONFIG_SERIAL_FILE && serial->out_fd >= 0)
		close(serial->out_fd);
	pthread_mutex_destroy(&serial->out_lock);
	pthread_mutex_destroy(&serial->lock);
	free(serial);
	vm->serial = NULL;
}

void serial_save(struct vm *vm, struct serial_state *state)
{
	struct serial *serial = vm->serial;

	pthread_mutex_lock(&serial->lock);
	*state = (struct serial_state) {
		.ier = serial->ier,
		.lcr = serial->lcr,
		.mcr = serial->mcr,
		.scr = serial->scr,
		.fcr = serial->fcr,
		.divisor = serial->divisor,
		.thr_pending = serial->thr_pending,
		.input_len = serial->input_len,
	};
	for (size_t i = 0; i < serial->input_len; i++)
		state->input[i] = serial->input[(serial->input_head + i) %
						INPUT_BYTES];
	pthread_mutex_unlock(&serial->lock);
}

void serial_load(struct vm *vm, const struct serial_state *state)
{
	struct serial *serial = vm->serial;

	pthread_mutex_lock(&serial->lock);
	serial->ier = state->ier & 0x0f;
	serial->lcr = state->lcr;
	serial->mcr = state->mcr & 0x1f;
	serial->scr = state->scr;
	serial->fcr = state->fcr;
	serial->divisor = state->divisor;
	serial->thr_pending = state->thr_pending;
	serial->input_head = 0;
	serial->input_len = state->input_len;
	memcpy(serial->input, state->input, state->input_len);
	watch_again(serial);
	/* The saved line may be older than the saved input. */
	update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}
