// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random commands, led by coverage: a sequence of messages that makes the
 * module run code that none before it did is kept, and mutated further. What
 * must not happen is for the kernel's log to tell; here it is only asked that
 * the module was reached and still works.
 *
 * usage: fuzz [SECONDS [SEED]]
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/kcov.h>
#include <linux/netlink.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#define COVER_WORDS	(1u << 16)
#define EDGES		(1u << 16)
#define CORPUS_MAX	2048
#define MESSAGES_MAX	8
#define ATTRS_MAX	768

/* Descriptors with fixed numbers, so that a message means the same later. */
enum {
	FD_FILE = 100,
	FD_READ_ONLY,
	FD_KICK,
	FD_CALL,
	FD_DIRECTORY,
	FD_PIPE,
	FD_KCOV,
	FD_CLOSED,
};

/**
 * struct message - A command as it is sent, but for the device's number.
 * @cmd: command
 * @flags: netlink flags besides NLM_F_REQUEST
 * @len: bytes of @attrs
 * @is_id_true: an attribute 1 of four bytes gets the number of the last device
 * @kicks: kick the device before the next message
 * @attrs: attributes
 */
struct message {
	uint8_t cmd;
	uint16_t flags;
	uint16_t len;
	bool is_id_true;
	bool kicks;
	uint8_t attrs[ATTRS_MAX];
};

/** struct sequence - Messages on one socket. */
struct sequence {
	uint32_t nr;
	struct message messages[MESSAGES_MAX];
};

static struct {
	unsigned long *words;
	uint8_t seen[EDGES];
	unsigned int nr_seen;
} cover;

static struct {
	struct sequence entries[CORPUS_MAX];
	unsigned int nr;
} corpus;

static struct {
	unsigned long runs;
	unsigned long messages;
	unsigned long accepted;
	unsigned long devices;
	unsigned long flushes;
} stats;

static int family;
static uint32_t last_id;
static uint64_t random_state;

/* xorshift64*: the same seed gives the same messages. */
static uint32_t any(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dull >> 32) % below;
}

static bool one_in(uint32_t n)
{
	return !any(n);
}

/* Coverage */

static int cover_open(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR);

	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, COVER_WORDS))
		return -errno;
	cover.words = mmap(NULL, COVER_WORDS * sizeof(*cover.words),
			   PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cover.words == MAP_FAILED || dup2(fd, FD_KCOV) < 0)
		return -errno;
	close(fd);
	return ioctl(FD_KCOV, KCOV_ENABLE, KCOV_TRACE_PC) ? -errno : 0;
}

static void cover_begin(void)
{
	__atomic_store_n(&cover.words[0], 0, __ATOMIC_RELAXED);
}

/* Marks each step from one place to the next; true if one of them is new. */
static bool cover_end(void)
{
	unsigned long nr = __atomic_load_n(&cover.words[0], __ATOMIC_RELAXED);
	unsigned long last = 0, i;
	bool is_new = false;

	for (i = 1; i <= nr && i < COVER_WORDS; i++) {
		unsigned long pc = cover.words[i];
		uint32_t edge = (pc ^ last * 31) % EDGES;

		last = pc;
		if (cover.seen[edge])
			continue;
		cover.seen[edge] = 1;
		cover.nr_seen++;
		is_new = true;
	}
	return is_new;
}

/* Messages */

static void put_attr(struct message *msg, uint16_t type, const void *val,
		     uint16_t len)
{
	struct nlattr attr = { .nla_len = NLA_HDRLEN + len, .nla_type = type };
	uint16_t room = NLA_ALIGN(attr.nla_len);

	if (msg->len + room > ATTRS_MAX)
		return;
	memset(msg->attrs + msg->len, 0, room);
	memcpy(msg->attrs + msg->len, &attr, sizeof(attr));
	memcpy(msg->attrs + msg->len + NLA_HDRLEN, val, len);
	msg->len += room;
}

static void put_u32(struct message *msg, uint16_t type, uint32_t val)
{
	put_attr(msg, type, &val, sizeof(val));
}

static void put_u64(struct message *msg, uint16_t type, uint64_t val)
{
	put_attr(msg, type, &val, sizeof(val));
}

static void put_region(struct message *msg, uint64_t gpa, uint64_t size,
		       uint64_t hva)
{
	struct message nest = { .len = 0 };

	put_u64(&nest, VPMEM_A_REGION_GPA, gpa);
	put_u64(&nest, VPMEM_A_REGION_SIZE, size);
	put_u64(&nest, VPMEM_A_REGION_HVA, hva);
	put_attr(msg, NLA_F_NESTED | VPMEM_A_DEV_REGION, nest.attrs, nest.len);
}

static struct driver drv;

static void make_add(struct message *msg)
{
	put_attr(msg, VPMEM_A_DEV_NAME, "fuzz", 5);
	put_u32(msg, VPMEM_A_DEV_BACKING_FD, FD_FILE);
	put_u64(msg, VPMEM_A_DEV_OFFSET, 0);
	put_u64(msg, VPMEM_A_DEV_LENGTH, DRIVER_FILE_SIZE);
	put_u32(msg, VPMEM_A_DEV_FLAGS, 0);
	put_region(msg, DRIVER_MEMORY_GPA, DRIVER_MEMORY_SIZE,
		   (uintptr_t)drv.memory);
	put_u32(msg, VPMEM_A_DEV_KICK_FD, FD_KICK);
	put_u32(msg, VPMEM_A_DEV_CALL_FD, FD_CALL);
	put_u32(msg, VPMEM_A_DEV_EXEC, any(3));
	put_u32(msg, VPMEM_A_DEV_ON_ERROR, any(2));
}

static void make_start(struct message *msg)
{
	put_u32(msg, VPMEM_A_QUEUE_DEV_ID, 1);
	put_u32(msg, VPMEM_A_QUEUE_SIZE, 64);
	put_u64(msg, VPMEM_A_QUEUE_DESC, DRIVER_MEMORY_GPA + DRIVER_DESC);
	put_u64(msg, VPMEM_A_QUEUE_AVAIL, DRIVER_MEMORY_GPA + DRIVER_AVAIL);
	put_u64(msg, VPMEM_A_QUEUE_USED, DRIVER_MEMORY_GPA + DRIVER_USED);
	put_u64(msg, VPMEM_A_QUEUE_FEATURES, 1ull << 32 | any(2) << 29);
}

static void make_set(struct message *msg)
{
	put_u32(msg, VPMEM_A_DEV_ID, 1);
	put_u32(msg, VPMEM_A_DEV_EXEC, any(3));
	if (one_in(2))
		put_u32(msg, VPMEM_A_DEV_ERROR, 1 + any(200));
	if (one_in(2))
		put_attr(msg, VPMEM_A_DEV_CLEAR_ERROR, "", 0);
}

static void make_message(struct message *msg, uint8_t cmd)
{
	*msg = (struct message) {
		.cmd = cmd,
		.flags = NLM_F_ACK,
		.is_id_true = true,
		.kicks = one_in(2),
	};
	switch (cmd) {
	case VPMEM_CMD_DEV_ADD:
		make_add(msg);
		break;
	case VPMEM_CMD_QUEUE_START:
		make_start(msg);
		break;
	case VPMEM_CMD_DEV_SET:
		make_set(msg);
		break;
	case VPMEM_CMD_DEV_GET:
		if (one_in(2))
			msg->flags |= NLM_F_DUMP;
		else
			put_u32(msg, VPMEM_A_DEV_ID, 1);
		break;
	default:
		put_u32(msg, VPMEM_A_DEV_ID, 1);
	}
}

/* Mutation */

static uint64_t any_value(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 63, 64, 1023, 1024, 1025, 4095, 4096, 4097,
		FD_FILE, FD_READ_ONLY, FD_KICK, FD_CALL, FD_DIRECTORY, FD_PIPE,
		FD_KCOV, FD_CLOSED, DRIVER_MEMORY_GPA, DRIVER_MEMORY_SIZE,
		DRIVER_FILE_SIZE, 0x7fffffff, 0x80000000, 0xffffffff,
		1ull << 32, 0x7ffffffff000, 0x7fffffffffffffff,
		0x8000000000000000, 0xfffffffffffff000, 0xffffffffffffffff,
	};
	uint64_t val = values[any(sizeof(values) / sizeof(values[0]))];

	if (one_in(4))
		val += any(3) - 1;
	return one_in(8) ? val << any(64) : val;
}

static void add_attr(struct message *msg)
{
	uint16_t type = any(VPMEM_A_DEV_MAX + 3);
	uint64_t vals[8] = { any_value(), any_value(), any_value() };
	static const uint8_t lens[] = { 0, 1, 2, 4, 4, 8, 8, 16, 64 };

	if (one_in(8))
		type |= one_in(2) ? NLA_F_NESTED : NLA_F_NET_BYTEORDER;
	if (one_in(6))
		put_region(msg, vals[0], vals[1], vals[2]);
	else
		put_attr(msg, type, vals, lens[any(sizeof(lens))]);
}

/* Offset of an attribute, or -1; @next receives where it ends. */
static int any_attr(const struct message *msg, int *next)
{
	int offsets[64], nr = 0, at = 0, len = 0;

	while (at + NLA_HDRLEN <= msg->len && nr < 64) {
		struct nlattr attr;

		memcpy(&attr, msg->attrs + at, sizeof(attr));
		offsets[nr++] = at;
		len = NLA_ALIGN(attr.nla_len);
		if (len < NLA_HDRLEN || at + len > msg->len)
			break;
		at += len;
	}
	if (!nr)
		return -1;
	at = offsets[any(nr)];
	memcpy(&len, msg->attrs + at, sizeof(uint16_t));
	len = NLA_ALIGN(len & 0xffff);
	*next = at + (len < NLA_HDRLEN ? NLA_HDRLEN : len);
	if (*next > msg->len)
		*next = msg->len;
	return at;
}

static void drop_attr(struct message *msg)
{
	int next, at = any_attr(msg, &next);

	if (at < 0)
		return;
	memmove(msg->attrs + at, msg->attrs + next, msg->len - next);
	msg->len -= next - at;
}

static void repeat_attr(struct message *msg)
{
	int next, at = any_attr(msg, &next);

	if (at < 0 || msg->len + (next - at) > ATTRS_MAX)
		return;
	memmove(msg->attrs + msg->len, msg->attrs + at, next - at);
	msg->len += next - at;
}

/* Another value of the length that it has, or at the end of a nest. */
static void change_value(struct message *msg)
{
	int next, at = any_attr(msg, &next);
	uint64_t val = any_value();
	int len = next - at - NLA_HDRLEN;

	if (at < 0 || len <= 0)
		return;
	at = len > 8 ? next - 8 * (1 + any(len / 8)) : at + NLA_HDRLEN;
	memcpy(msg->attrs + at, &val, len > 8 ? 8 : len);
}

static void change_header(struct message *msg)
{
	int next, at = any_attr(msg, &next);
	struct nlattr attr;

	if (at < 0)
		return;
	memcpy(&attr, msg->attrs + at, sizeof(attr));
	if (one_in(2))
		attr.nla_len += any(9) - 4;
	else
		attr.nla_type ^= one_in(3) ? NLA_F_NESTED : 1u << any(5);
	memcpy(msg->attrs + at, &attr, sizeof(attr));
}

static void change_byte(struct message *msg)
{
	if (msg->len)
		msg->attrs[any(msg->len)] ^= 1u << any(8);
}

static void change_command(struct message *msg)
{
	switch (any(4)) {
	case 0:
		msg->cmd = any(VPMEM_CMD_MAX + 2);
		break;
	case 1:
		msg->flags ^= 1u << any(12);
		break;
	case 2:
		msg->is_id_true = !msg->is_id_true;
		break;
	default:
		msg->kicks = !msg->kicks;
	}
}

static void mutate_message(struct message *msg)
{
	static void (*const mutations[])(struct message *msg) = {
		add_attr, drop_attr, repeat_attr, change_value, change_value,
		change_header, change_byte, change_command,
	};

	mutations[any(sizeof(mutations) / sizeof(mutations[0]))](msg);
}

static const uint8_t commands[] = {
	VPMEM_CMD_DEV_ADD, VPMEM_CMD_DEV_ADD, VPMEM_CMD_QUEUE_START,
	VPMEM_CMD_DEV_GET, VPMEM_CMD_DEV_SET, VPMEM_CMD_QUEUE_STOP,
	VPMEM_CMD_DEV_DEL,
};

static void insert_message(struct sequence *seq, uint32_t at,
			   const struct message *msg)
{
	if (seq->nr == MESSAGES_MAX)
		return;
	memmove(&seq->messages[at + 1], &seq->messages[at],
		(seq->nr++ - at) * sizeof(*msg));
	seq->messages[at] = *msg;
}

static void mutate_sequence(struct sequence *seq)
{
	const struct sequence *other = &corpus.entries[any(corpus.nr)];
	struct message msg;
	uint32_t at = any(seq->nr);

	switch (any(6)) {
	case 0:
		make_message(&msg, commands[any(sizeof(commands))]);
		insert_message(seq, any(seq->nr + 1), &msg);
		break;
	case 1:
		insert_message(seq, any(seq->nr + 1),
			       &other->messages[any(other->nr)]);
		break;
	case 2:
		if (seq->nr > 1)
			memmove(&seq->messages[at], &seq->messages[at + 1],
				(--seq->nr - at) * sizeof(msg));
		break;
	default:
		mutate_message(&seq->messages[at]);
	}
}

/* Running */

static void fix_id(struct message *msg)
{
	struct nlattr attr;
	int at = 0;

	while (at + NLA_HDRLEN + 4 <= msg->len) {
		memcpy(&attr, msg->attrs + at, sizeof(attr));
		if (attr.nla_len == NLA_HDRLEN + 4 && attr.nla_type == 1)
			memcpy(msg->attrs + at + NLA_HDRLEN, &last_id, 4);
		if (attr.nla_len < NLA_HDRLEN)
			return;
		at += NLA_ALIGN(attr.nla_len);
	}
}

static void take_answers(int sock)
{
	union {
		struct nlmsghdr nlh;
		uint8_t bytes[16384];
	} buf;
	ssize_t len;

	while ((len = recv(sock, &buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		struct genlmsghdr *genl = NLMSG_DATA(&buf.nlh);
		int err;

		if (buf.nlh.nlmsg_type == NLMSG_ERROR) {
			memcpy(&err, NLMSG_DATA(&buf.nlh), sizeof(err));
			stats.accepted += !err;
		} else if (buf.nlh.nlmsg_type == family &&
			   genl->cmd == VPMEM_CMD_DEV_ADD &&
			   len >= NLMSG_HDRLEN + GENL_HDRLEN + NLA_HDRLEN + 4) {
			memcpy(&last_id, (uint8_t *)genl + GENL_HDRLEN +
			       NLA_HDRLEN, 4);
			stats.devices++;
		}
	}
}

static void send_message(int sock, const struct message *template)
{
	struct message msg = *template;
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
		uint8_t attrs[ATTRS_MAX];
	} buf = {
		.nlh.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + msg.len,
		.nlh.nlmsg_type = family,
		.nlh.nlmsg_flags = NLM_F_REQUEST | msg.flags,
		.genl.cmd = msg.cmd,
		.genl.version = VPMEM_GENL_VERSION,
	};

	if (msg.is_id_true)
		fix_id(&msg);
	memcpy(buf.attrs, msg.attrs, msg.len);
	stats.messages++;
	if (send(sock, &buf, buf.nlh.nlmsg_len, 0) > 0)
		take_answers(sock);
}

/* A flush, and now and then a ring that is no ring any more. */
static void kick(void)
{
	uint64_t one = 1;

	drv.ring_size = 64;
	driver_flush(&drv, any(16));
	if (one_in(4))
		drv.memory[any(0x400)] = any(256);
	if (one_in(8))
		drv.memory[DRIVER_AVAIL + any(64)] = any(256);
	if (write(FD_KICK, &one, sizeof(one)) == sizeof(one))
		stats.flushes++;
}

static int open_socket(void)
{
	const struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	const int on = 1;
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (sock < 0 || bind(sock, (const void *)&addr, sizeof(addr)))
		abort();
	setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	return sock;
}

/* Each sequence has a socket, and a ring that begins anew. */
static bool run(const struct sequence *seq)
{
	int sock = open_socket();

	memset(drv.memory, 0, 0x20000);
	drv.avail_idx = 0;
	cover_begin();
	for (uint32_t i = 0; i < seq->nr; i++) {
		send_message(sock, &seq->messages[i]);
		if (seq->messages[i].kicks)
			kick();
	}
	stats.runs++;
	close(sock);
	return cover_end();
}

static void keep(const struct sequence *seq)
{
	uint32_t at = corpus.nr < CORPUS_MAX ? corpus.nr++ : any(CORPUS_MAX);

	corpus.entries[at] = *seq;
}

/* The ordinary life of a device, and each command alone. */
static void make_corpus(void)
{
	static const uint8_t life[] = {
		VPMEM_CMD_DEV_ADD, VPMEM_CMD_QUEUE_START, VPMEM_CMD_DEV_GET,
		VPMEM_CMD_DEV_SET, VPMEM_CMD_QUEUE_STOP, VPMEM_CMD_DEV_DEL,
	};
	struct sequence seq = { .nr = sizeof(life) };

	for (size_t i = 0; i < sizeof(life); i++)
		make_message(&seq.messages[i], life[i]);
	seq.messages[1].kicks = true;
	run(&seq);
	keep(&seq);
	for (size_t i = 0; i < sizeof(life); i++) {
		seq.nr = 1;
		make_message(&seq.messages[0], life[i]);
		run(&seq);
		keep(&seq);
	}
}

static int set_up(void)
{
	struct nl_sock *nl = nl_socket_alloc();
	int pipe_fds[2], err;

	if (!nl || genl_connect(nl))
		return -ENOTCONN;
	family = genl_ctrl_resolve(nl, VPMEM_GENL_NAME);
	nl_socket_free(nl);
	err = family < 0 ? -ENOENT : driver_open(&drv);
	if (err)
		return err;
	if (pipe(pipe_fds) || dup2(pipe_fds[0], FD_PIPE) < 0 ||
	    dup2(drv.file_fd, FD_FILE) < 0 || dup2(drv.kick_fd, FD_KICK) < 0 ||
	    dup2(drv.call_fd, FD_CALL) < 0 ||
	    dup2(open("/proc/self/exe", O_RDONLY), FD_READ_ONLY) < 0 ||
	    dup2(open("/", O_RDONLY), FD_DIRECTORY) < 0)
		return -errno;
	return cover_open();
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void fuzz(time_t seconds)
{
	time_t start = now(), shown = start;
	struct sequence seq;

	while (now() - start < seconds) {
		seq = corpus.entries[any(corpus.nr)];
		do {
			mutate_sequence(&seq);
		} while (!one_in(3));
		if (run(&seq))
			keep(&seq);
		if (now() - shown < 10)
			continue;
		shown = now();
		printf("# %ld s: %lu runs, %u steps seen, %u sequences kept\n",
		       shown - start, stats.runs, cover.nr_seen, corpus.nr);
		fflush(stdout);
	}
}

static void result(bool good, int number, const char *name)
{
	printf("%sok %d %s\n", good ? "" : "not ", number, name);
}

int main(int argc, char **argv)
{
	time_t seconds = argc > 1 ? atoi(argv[1]) : 20;
	unsigned int first;
	struct driver after;
	int err;

	random_state = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	random_state |= 1;
	printf("1..3\n# seed %llu\n", (unsigned long long)random_state);
	err = set_up();
	if (err) {
		printf("Bail out! cannot set up: %s\n", strerror(-err));
		return 1;
	}
	make_corpus();
	first = cover.nr_seen;
	fuzz(seconds);
	ioctl(FD_KCOV, KCOV_DISABLE, 0);
	printf("# %lu runs, %lu messages, %lu accepted, %lu devices, %lu kicks\n",
	       stats.runs, stats.messages, stats.accepted, stats.devices,
	       stats.flushes);
	printf("# %u steps seen, %u of them at first\n", cover.nr_seen, first);
	result(first > 100 && stats.devices, 1, "module is reached");
	result(cover.nr_seen > first, 2, "mutations reach more of it");
	err = driver_open(&after) ?: driver_add(&after, VPMEM_EXEC_AUTO) ?:
	      driver_start(&after) ?: driver_sync_flush(&after);
	result(!err, 3, "module works afterwards");
	return 0;
}
