// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl as people and scripts use it: its output, statuses and errors. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define OUTPUT_BYTES	65536

FIXTURE(vpmemctl) {
	struct driver drv;
	char output[OUTPUT_BYTES];
};

FIXTURE_SETUP(vpmemctl)
{
	ASSERT_EQ(0, driver_open(&self->drv));
	ASSERT_EQ(0, driver_add(&self->drv, VPMEM_EXEC_AUTO));
	ASSERT_EQ(0, driver_start(&self->drv));
	ASSERT_EQ(0, driver_sync_flush(&self->drv));
}

FIXTURE_TEARDOWN(vpmemctl)
{
	driver_close(&self->drv);
}

/* Runs a command, keeps what it wrote to both channels; returns its status. */
static int run(char *output, const char *fmt, ...)
{
	char command[256] = "exec 2>&1; exec vpmemctl ";
	size_t used = strlen(command);
	va_list args;
	FILE *pipe;
	int status;

	va_start(args, fmt);
	vsnprintf(command + used, sizeof(command) - used, fmt, args);
	va_end(args);
	pipe = popen(command, "r");
	output[fread(output, 1, OUTPUT_BYTES - 1, pipe)] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define EXPECT_RUN(status, ...) do {					\
	EXPECT_EQ(status, run(self->output, __VA_ARGS__))		\
		TH_LOG("wrote: %s", self->output);			\
} while (0)

#define EXPECT_OUTPUT(text) do {					\
	EXPECT_NE(NULL, strstr(self->output, text))			\
		TH_LOG("wrote: %s", self->output);			\
} while (0)

static unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

TEST_F(vpmemctl, list_has_a_line_for_the_device)
{
	char line[256];

	EXPECT_RUN(0, "list");
	EXPECT_EQ(2, count_lines(self->output));
	EXPECT_EQ(0, strncmp(self->output, "ID  NAME  STATE", 15));
	snprintf(line, sizeof(line), "%2u  test  running  auto (inline)",
		 self->drv.id);
	EXPECT_OUTPUT(line);
	snprintf(line, sizeof(line), "2 MiB  %5u\n", getpid());
	EXPECT_OUTPUT(line);
}

TEST_F(vpmemctl, show_takes_number_and_name)
{
	EXPECT_RUN(0, "show %u", self->drv.id);
	EXPECT_OUTPUT("size:         2097152 bytes (2 MiB)");
	EXPECT_OUTPUT("error:        none\n");
	EXPECT_OUTPUT("flushes:      1 done, 0 failed");
	EXPECT_RUN(0, "show test");
	EXPECT_OUTPUT(": test\n");
}

TEST_F(vpmemctl, ambiguous_name_is_refused)
{
	struct driver other;

	ASSERT_EQ(0, driver_open(&other));
	ASSERT_EQ(0, driver_add(&other, VPMEM_EXEC_AUTO));
	EXPECT_RUN(1, "show test");
	EXPECT_OUTPUT("2 devices have this name; use the number");
	driver_close(&other);
}

TEST_F(vpmemctl, stats_show_counters_and_latencies)
{
	EXPECT_RUN(0, "stats %u", self->drv.id);
	EXPECT_OUTPUT("  flushes                               1\n");
	EXPECT_OUTPUT("  flush ");
	EXPECT_RUN(0, "--json stats");
	EXPECT_OUTPUT("\"flushes\": 1,");
	EXPECT_OUTPUT("\"p999_ns\": ");
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && !strcmp(text + len - strlen(end), end);
}

/* The format as such is unit/test_openmetrics's. */
TEST_F(vpmemctl, openmetrics_have_counters_and_an_end)
{
	EXPECT_RUN(0, "stats --openmetrics");
	EXPECT_OUTPUT("# TYPE vpmem_flushes counter\n");
	EXPECT_OUTPUT(",name=\"test\"} 1\n");
	EXPECT_TRUE(ends_in(self->output, "\n# EOF\n"));
	EXPECT_RUN(0, "stats -o test");
	EXPECT_OUTPUT("vpmem_flush_duration_seconds_count{device=\"");
	EXPECT_TRUE(ends_in(self->output, "\n# EOF\n"));
	EXPECT_RUN(2, "list --openmetrics");
	EXPECT_OUTPUT("list: --watch and --openmetrics are only for stats");
	EXPECT_RUN(2, "stats --openmetrics --json");
	EXPECT_OUTPUT("stats: --openmetrics excludes --json and --watch");
	EXPECT_RUN(2, "stats --openmetrics --watch");
}

TEST_F(vpmemctl, watch_shows_the_rate)
{
	EXPECT_RUN(0, "stats --watch & sleep 3; kill $!; wait $!");
	EXPECT_OUTPUT("FLUSH/s");
}

TEST_F(vpmemctl, json_names_the_state)
{
	EXPECT_RUN(0, "list --json");
	EXPECT_OUTPUT("\"exec_effective\": \"inline\"");
	EXPECT_OUTPUT("\"state\": \"running\"");
	EXPECT_RUN(0, "--json show test");
	EXPECT_EQ('{', self->output[0]);
}

TEST_F(vpmemctl, set_changes_policies)
{
	struct vpmem_dev_info info;

	EXPECT_RUN(0, "set test exec=worker on-error=report");
	EXPECT_STREQ("", self->output);
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(VPMEM_EXEC_WORKER, info.exec);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, info.on_error);
	EXPECT_RUN(0, "--json set test exec=inline");
	EXPECT_OUTPUT("\"exec\": \"inline\"");
}

TEST_F(vpmemctl, set_changes_limits)
{
	struct vpmem_dev_info info;

	EXPECT_RUN(0, "show test");
	EXPECT_OUTPUT("flush-limit:  none\n");
	EXPECT_RUN(0, "set test flush-limit=100 bytes-limit=2M,1g");
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(100, info.flush_limit.rate);
	EXPECT_EQ(100, info.flush_limit.burst);
	EXPECT_EQ(2 << 20, info.bytes_limit.rate);
	EXPECT_EQ(1 << 30, info.bytes_limit.burst);
	EXPECT_RUN(0, "show test");
	EXPECT_OUTPUT("flush-limit:  100/s, burst 100\n");
	EXPECT_OUTPUT("bytes-limit:  2 MiB/s, burst 1 GiB\n");
	EXPECT_RUN(0, "--json set test flush-limit=none");
	EXPECT_OUTPUT("\"flush_limit\": null");
	EXPECT_OUTPUT("\"burst\": 1073741824");
	EXPECT_RUN(0, "stats test");
	EXPECT_OUTPUT("  throttled ");
}

TEST_F(vpmemctl, set_changes_write_behind)
{
	struct vpmem_dev_info info;

	EXPECT_RUN(0, "show test");
	EXPECT_OUTPUT("write-behind: none\n");
	EXPECT_RUN(0, "set test write-behind=4M");
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(4 << 20, info.write_behind);
	EXPECT_RUN(0, "show test");
	EXPECT_OUTPUT("write-behind: 4 MiB\n");
	EXPECT_RUN(0, "--json show test");
	EXPECT_OUTPUT("\"write_behind\": 4194304");
	EXPECT_RUN(0, "--json set test write-behind=none");
	EXPECT_OUTPUT("\"write_behind\": 0");
	EXPECT_RUN(0, "stats test");
	EXPECT_OUTPUT("  write-behind-bytes                    0\n");
	EXPECT_OUTPUT("  write-behind-cpu-ns                   0\n");
	EXPECT_RUN(2, "set test write-behind=63K");
	EXPECT_EQ(1, count_lines(self->output));
	EXPECT_RUN(2, "set test write-behind=1M,1M");
	EXPECT_RUN(2, "set test write-behind=");
}

TEST_F(vpmemctl, set_changes_all_at_once)
{
	struct vpmem_dev_info info;

	EXPECT_RUN(0, "set test exec=worker on-error=report flush-limit=100 %s",
		   "bytes-limit=2M write-behind=4M");
	EXPECT_STREQ("", self->output);
	ASSERT_EQ(0, vpmem_dev_get(self->drv.sock, self->drv.id, &info));
	EXPECT_EQ(VPMEM_EXEC_WORKER, info.exec);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, info.on_error);
	EXPECT_EQ(100, info.flush_limit.rate);
	EXPECT_EQ(2 << 20, info.bytes_limit.rate);
	EXPECT_EQ(4 << 20, info.write_behind);
}

TEST_F(vpmemctl, limits_that_make_no_sense_are_refused)
{
	static const char *const wrong[] = {
		"0", "-1", "1x", "1,", ",1", "1,0", "1,2,3", "K", "",
		"9223372036854775808", "8388608T", "99999999999999999999",
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		EXPECT_RUN(2, "set test flush-limit=%s", wrong[i]);
		EXPECT_EQ(1, count_lines(self->output));
		EXPECT_RUN(2, "set test bytes-limit=%s", wrong[i]);
	}
}

TEST_F(vpmemctl, clear_error_lets_flushes_succeed)
{
	const struct vpmem_dev_change change = {
		.present = VPMEM_SET_ERROR,
		.error = EIO,
	};

	ASSERT_EQ(0, vpmem_dev_set(self->drv.sock, self->drv.id, &change));
	EXPECT_NE(0, driver_sync_flush(&self->drv));
	EXPECT_RUN(0, "list");
	EXPECT_OUTPUT("running (EIO)");
	EXPECT_RUN(0, "clear-error %u", self->drv.id);
	EXPECT_EQ(0, driver_sync_flush(&self->drv));
}

TEST_F(vpmemctl, errors_are_one_line)
{
	EXPECT_RUN(1, "show 4000000");
	EXPECT_STREQ("vpmemctl: device 4000000: no such device; see vpmemctl list\n",
		     self->output);
	EXPECT_RUN(1, "clear-error nobody");
	EXPECT_EQ(1, count_lines(self->output));
	EXPECT_RUN(0, "--help");
	EXPECT_RUN(0, "--version");
}

TEST_F(vpmemctl, wrong_command_lines_are_told_from_each_other)
{
	static const struct {
		const char *args;
		const char *line;
	} cases[] = {
		{ "", "no command given; see vpmemctl --help" },
		{ "frobnicate", "frobnicate: no such command; see vpmemctl --help" },
		{ "--frob", "--frob: unknown option, or wrong use of it; see" },
		{ "--json=x list", "--json=x: unknown option, or wrong use of it; see" },
		{ "stats --watch=0",
		  "--watch=0: not a number of seconds from 1 to 86400; see" },
		{ "stats --watch=1s",
		  "--watch=1s: not a number of seconds from 1 to 86400; see" },
		{ "show", "show: an argument is missing; usage: vpmemctl show" },
		{ "list all", "list: all is one argument too many; usage: vpmemctl list" },
		{ "set test exec=fast", "set: exec=fast is no setting; usage: vpmemctl set" },
		{ "set test speed=1", "set: speed=1 is no setting; usage: vpmemctl set" },
		{ "vm /run/vm.sock snapshot",
		  "vm snapshot: a directory is missing; usage: vpmemctl vm" },
	};
	char line[128];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "vpmemctl: %s", cases[i].line);
		EXPECT_RUN(2, "%s", cases[i].args);
		EXPECT_EQ(0, strncmp(line, self->output, strlen(line)))
			TH_LOG("wrote: %s", self->output);
		EXPECT_EQ(1, count_lines(self->output));
	}
}

#define SOCKET	"/tmp/vpmemctl.vm"

/* Somebody who listens, hears the command and goes. */
static pid_t start_deaf_listener(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte;
	pid_t pid;

	unlink(SOCKET);
	if (bind(fd, (const void *)&addr, sizeof(addr)) || listen(fd, 1))
		return -1;
	pid = fork();
	if (!pid) {
		fd = accept(fd, NULL, NULL);
		_exit(read(fd, &byte, 1) != 1);
	}
	close(fd);
	return pid;
}

TEST_F(vpmemctl, vm_that_does_not_answer_is_told)
{
	pid_t listener;

	EXPECT_RUN(1, "vm /nowhere status");
	EXPECT_STREQ("vpmemctl: vm /nowhere: No such file or directory\n",
		     self->output);
	EXPECT_RUN(1, "vm /%0120d status", 0);
	EXPECT_OUTPUT(": the path is too long for a socket\n");
	EXPECT_EQ(1, count_lines(self->output));
	listener = start_deaf_listener();
	ASSERT_LT(0, listener);
	EXPECT_RUN(1, "vm " SOCKET " status");
	EXPECT_STREQ("vpmemctl: vm " SOCKET
		     ": no answer: the VM has ended, or no VM listens there\n",
		     self->output);
	waitpid(listener, NULL, 0);
	EXPECT_RUN(1, "vm " SOCKET " status");
	EXPECT_OUTPUT("; its VM has ended\n");
	unlink(SOCKET);
}

/* What cannot be written is not success. */
TEST_F(vpmemctl, full_disk_is_an_error)
{
	EXPECT_RUN(1, "list >/dev/full");
	EXPECT_RUN(1, "stats --json 2>&1 >/dev/full");
	EXPECT_STREQ("vpmemctl: cannot write the output: No space left on device\n",
		     self->output);
}

/* In a child, as capabilities do not come back. */
static int run_unprivileged(char *output, const char *args)
{
	int fds[2], status;
	ssize_t len;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		if (setgid(65534) || setuid(65534))
			_exit(99);
		status = run(output, "%s", args);
		if (write(STDOUT_FILENO, output, strlen(output)) < 0)
			_exit(99);
		_exit(status);
	}
	close(fds[1]);
	waitpid(pid, &status, 0);
	len = read(fds[0], output, OUTPUT_BYTES - 1);
	output[len > 0 ? len : 0] = '\0';
	close(fds[0]);
	return WEXITSTATUS(status);
}

TEST_F(vpmemctl, users_are_told_that_they_may_not)
{
	static const char *const commands[] = { "list", "show test", "monitor",
						"show 1", "stats" };
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		EXPECT_EQ(1, run_unprivileged(self->output, commands[i]));
		if (strcmp(commands[i], "show 1") || self->drv.id == 1)
			EXPECT_OUTPUT("); run as root, or with CAP_NET_ADMIN\n");
		EXPECT_EQ(1, count_lines(self->output));
	}
}

/* A monitor in the background, on a pipe. */
struct monitor {
	pid_t pid;
	FILE *out;
};

static int monitor_start(struct monitor *monitor, const char *option)
{
	int fds[2];

	if (pipe(fds))
		return -errno;
	monitor->pid = fork();
	if (!monitor->pid) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execlp("vpmemctl", "vpmemctl", "monitor", option, NULL);
		_exit(127);
	}
	close(fds[1]);
	monitor->out = fdopen(fds[0], "r");
	return 0;
}

/* Return: the exit status. */
static int monitor_stop(struct monitor *monitor, int signal)
{
	int status;

	kill(monitor->pid, signal);
	waitpid(monitor->pid, &status, 0);
	fclose(monitor->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * Nothing tells that a monitor listens, so devices are made until it has
 * shown one.
 */
static int monitor_await(struct monitor *monitor, char *line)
{
	struct driver other;
	int tries;

	for (tries = 0; tries < 50; tries++) {
		struct pollfd pollfd = { .fd = fileno(monitor->out),
					 .events = POLLIN };

		if (driver_open(&other) || driver_add(&other, VPMEM_EXEC_AUTO))
			return -EIO;
		driver_close(&other);
		if (poll(&pollfd, 1, 200) > 0)
			return fgets(line, OUTPUT_BYTES, monitor->out) ? 0 :
			       -EPIPE;
	}
	return -ETIME;
}

TEST_F(vpmemctl, monitor_writes_a_line_for_each_event)
{
	struct monitor monitor;

	ASSERT_EQ(0, monitor_start(&monitor, NULL));
	ASSERT_EQ(0, monitor_await(&monitor, self->output));
	EXPECT_OUTPUT(" dev-");
	EXPECT_OUTPUT(" test\n");
	EXPECT_EQ(0, monitor_stop(&monitor, SIGTERM));
}

TEST_F(vpmemctl, monitor_writes_json_and_ends_on_sigint)
{
	struct monitor monitor;

	ASSERT_EQ(0, monitor_start(&monitor, "--json"));
	ASSERT_EQ(0, monitor_await(&monitor, self->output));
	EXPECT_EQ('{', self->output[0]);
	EXPECT_OUTPUT("\"event\":\"dev-");
	EXPECT_EQ('\n', self->output[strlen(self->output) - 1]);
	EXPECT_EQ(0, monitor_stop(&monitor, SIGINT));
}

TEST_F(vpmemctl, monitor_fails_when_the_module_goes)
{
	struct monitor monitor;
	int status;

	ASSERT_EQ(0, monitor_start(&monitor, NULL));
	ASSERT_EQ(0, monitor_await(&monitor, self->output));
	EXPECT_EQ(0, system("rmmod vpmem"));
	waitpid(monitor.pid, &status, 0);
	EXPECT_EQ(1, WEXITSTATUS(status));
	self->output[fread(self->output, 1, OUTPUT_BYTES - 1, monitor.out)] = '\0';
	EXPECT_OUTPUT(": the vpmem module was unloaded\n");
	fclose(monitor.out);
	EXPECT_RUN(1, "list");
	EXPECT_STREQ("vpmemctl: the vpmem module is not loaded; load it with: modprobe vpmem\n",
		     self->output);
	EXPECT_EQ(0, system("insmod /lib/vpmem/vpmem.ko"));
}

TEST_HARNESS_MAIN
