// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line and the JSON configuration: what each value becomes, and the
 * one line that each wrong value gets.
 */
#include "config.h"
#include "firecracker.h"
#include "layout.h"
#include "log.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define ARGS_MAX	160

#define NO_KEY	" is none of: path, id, root, read-only, discard-writes, flush, " \
		"exec, on-error, flush-limit, bytes-limit, write-behind"
#define NO_LIMIT	" is neither RATE, RATE,BURST nor none"
#define NO_BEHIND	" is neither none nor from 64K on"

/* The longest id. */
#define ID63	"an-id-that-has-exactly-as-many-bytes-as-are-allowed----------63"

FIXTURE(config) {
	struct config config;
	char path[32];
	char out[4096];
	char err[4096];
};

FIXTURE_SETUP(config)
{
	int fd;

	strcpy(self->path, "/tmp/vpmem-config-XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	close(fd);
}

FIXTURE_TEARDOWN(config)
{
	config_exit(&self->config);
	unlink(self->path);
}

/* Sends a stream to a file; returns the descriptor that it had. */
static int redirect(int fd, FILE *to)
{
	int saved = dup(fd);

	dup2(fileno(to), fd);
	return saved;
}

static void restore(int fd, int saved, FILE *from, char *text, size_t room)
{
	size_t len;

	dup2(saved, fd);
	close(saved);
	rewind(from);
	len = fread(text, 1, room - 1, from);
	text[len] = '\0';
	fclose(from);
}

/* Parses a command line, with what is written kept in @out and @err. */
static enum options_result parse(struct _test_data_config *self,
				 const char *const args[])
{
	const char *argv[ARGS_MAX] = { "vpmem-vmm" };
	FILE *out = tmpfile(), *err = tmpfile();
	int saved_out, saved_err, argc = 1;
	enum options_result result;

	for (; *args && argc < ARGS_MAX - 1; args++)
		argv[argc++] = *args;
	config_exit(&self->config);
	fflush(stdout);
	saved_out = redirect(STDOUT_FILENO, out);
	saved_err = redirect(STDERR_FILENO, err);
	result = options_parse(&self->config, argc, (char **)argv);
	fflush(stdout);
	restore(STDOUT_FILENO, saved_out, out, self->out, sizeof(self->out));
	restore(STDERR_FILENO, saved_err, err, self->err, sizeof(self->err));
	return result;
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(text, 1, len, file) != len)
		perror(path);
	fclose(file);
}

static enum options_result parse_json(struct _test_data_config *self,
				      const char *text)
{
	const char *const args[] = { "--config", self->path, NULL };

	write_file(self->path, text, strlen(text));
	return parse(self, args);
}

/* The line that @said has to be, with the path of the JSON file for "%s". */
static bool is_line(struct _test_data_config *self, const char *line)
{
	const char *hole = strstr(line, "%s");
	char want[1024];

	if (hole)
		snprintf(want, sizeof(want), "vpmem-vmm: %.*s%s%s\n",
			 (int)(hole - line), line, self->path, hole + 2);
	else
		snprintf(want, sizeof(want), "vpmem-vmm: %s\n", line);
	return !strcmp(want, self->err);
}

#define EXPECT_OK(...) do {						\
	EXPECT_EQ(OPTIONS_OK, parse(self, (const char *const []) {	\
			__VA_ARGS__, NULL }));				\
	EXPECT_STREQ("", self->err);					\
	EXPECT_STREQ("", self->out);					\
} while (0)

#define EXPECT_USAGE(line, ...) do {					\
	EXPECT_EQ(OPTIONS_USAGE, parse(self, (const char *const []) {	\
			__VA_ARGS__, NULL }));				\
	EXPECT_TRUE(is_line(self, line))				\
		TH_LOG("want: %s, said: %s", line, self->err);		\
	EXPECT_STREQ("", self->out);					\
} while (0)

#define EXPECT_JSON_OK(text) do {					\
	EXPECT_EQ(OPTIONS_OK, parse_json(self, text));			\
	EXPECT_STREQ("", self->err);					\
} while (0)

#define EXPECT_JSON_USAGE(line, text) do {				\
	EXPECT_EQ(OPTIONS_USAGE, parse_json(self, text));		\
	EXPECT_TRUE(is_line(self, line))				\
		TH_LOG("%s: want: %s, said: %s", text, line, self->err);	\
} while (0)

/* The command line */

TEST_F(config, defaults)
{
	EXPECT_OK("--kernel", "bzImage");
	EXPECT_STREQ("bzImage", self->config.kernel);
	EXPECT_EQ(NULL, self->config.initrd);
	EXPECT_STREQ("", self->config.cmdline);
	EXPECT_EQ(512 * MIB, self->config.memory_bytes);
	EXPECT_EQ(1, self->config.cpus);
	EXPECT_EQ(0, self->config.nr_pmem);
	EXPECT_EQ(CONFIG_SERIAL_STDIO, self->config.serial);
	EXPECT_EQ(NULL, self->config.metrics_path);
	EXPECT_EQ(NULL, self->config.control_path);
	EXPECT_EQ(NULL, self->config.restore_path);
	EXPECT_EQ(CONFIG_REBOOT_EXIT, self->config.reboot);
	EXPECT_TRUE(self->config.sandbox);
	EXPECT_EQ(0, self->config.verbosity);
}

TEST_F(config, every_option)
{
	EXPECT_OK("--kernel", "vmlinux", "--initrd", "initrd.img", "--cmdline",
		  "console=ttyS0 quiet", "--memory", "96M", "--cpus", "3",
		  "--serial", "console.log", "--metrics", "metrics.json",
		  "--control", "vm.sock", "--reboot", "restart",
		  "--no-sandbox", "-v", "-vv");
	EXPECT_STREQ("vmlinux", self->config.kernel);
	EXPECT_STREQ("initrd.img", self->config.initrd);
	EXPECT_STREQ("console=ttyS0 quiet", self->config.cmdline);
	EXPECT_EQ(96 * MIB, self->config.memory_bytes);
	EXPECT_EQ(3, self->config.cpus);
	EXPECT_EQ(CONFIG_SERIAL_FILE, self->config.serial);
	EXPECT_STREQ("console.log", self->config.serial_path);
	EXPECT_STREQ("metrics.json", self->config.metrics_path);
	EXPECT_STREQ("vm.sock", self->config.control_path);
	EXPECT_EQ(CONFIG_REBOOT_RESTART, self->config.reboot);
	EXPECT_FALSE(self->config.sandbox);
	EXPECT_EQ(3, self->config.verbosity);
}

TEST_F(config, value_behind_an_equals_sign)
{
	EXPECT_OK("--kernel=bzImage", "--memory=64M", "--cmdline=a=b c=d");
	EXPECT_STREQ("bzImage", self->config.kernel);
	EXPECT_EQ(64 * MIB, self->config.memory_bytes);
	EXPECT_STREQ("a=b c=d", self->config.cmdline);
}

TEST_F(config, last_one_of_an_option_counts)
{
	EXPECT_OK("--kernel", "a", "--kernel", "b", "--cmdline", "c",
		  "--cmdline", "d", "--memory", "64M", "--memory", "128M",
		  "--serial", "file", "--serial", "none");
	EXPECT_STREQ("b", self->config.kernel);
	EXPECT_STREQ("d", self->config.cmdline);
	EXPECT_EQ(128 * MIB, self->config.memory_bytes);
	EXPECT_EQ(CONFIG_SERIAL_NONE, self->config.serial);
}

TEST_F(config, sizes_of_memory)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{ "32M", 32 * MIB }, { "32m", 32 * MIB }, { "1G", GIB },
		{ "2g", 2 * GIB }, { "0064M", 64 * MIB }, { "1024G", 1024 * GIB },
		{ "1048576M", 1024 * GIB },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_OK("--kernel", "k", "--memory", sizes[i].text);
		EXPECT_EQ(sizes[i].bytes, self->config.memory_bytes)
			TH_LOG("%s", sizes[i].text);
	}
}

TEST_F(config, wrong_memory)
{
	static const char *const not_numbers[] = {
		"", "M", "-64M", "+64M", " 64M", "many", "99999999999999999999M",
	};
	static const char *const not_sizes[] = {
		"512", "512K", "512T", "512MB", "512MiB", "512 M", "0x40M",
		"1.5G", "64M,", "512M ", "18446744073709551615G",
	};
	char line[128];

	for (size_t i = 0; i < ARRAY_SIZE(not_numbers); i++) {
		snprintf(line, sizeof(line), "--memory: '%s' is not a number",
			 not_numbers[i]);
		EXPECT_USAGE(line, "--kernel", "k", "--memory", not_numbers[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(not_sizes); i++) {
		snprintf(line, sizeof(line),
			 "--memory: '%s' is not a size such as 512M or 2G",
			 not_sizes[i]);
		EXPECT_USAGE(line, "--kernel", "k", "--memory", not_sizes[i]);
	}
	EXPECT_USAGE("memory: 31 MiB is not from 32 to 1048576 MiB",
		     "--kernel", "k", "--memory", "31M");
	EXPECT_USAGE("memory: 0 MiB is not from 32 to 1048576 MiB",
		     "--kernel", "k", "--memory", "0G");
	EXPECT_USAGE("memory: 1049600 MiB is not from 32 to 1048576 MiB",
		     "--kernel", "k", "--memory", "1025G");
	EXPECT_USAGE("memory: 1048577 MiB is not from 32 to 1048576 MiB",
		     "--kernel", "k", "--memory", "1048577M");
	EXPECT_USAGE("memory: 18446744073709550592 MiB is not from 32 to 1048576 MiB",
		     "--kernel", "k", "--memory", "18014398509481983G");
}

TEST_F(config, numbers_of_cpus)
{
	EXPECT_OK("--kernel", "k", "--cpus", "1");
	EXPECT_EQ(1, self->config.cpus);
	EXPECT_OK("--kernel", "k", "--cpus", "64");
	EXPECT_EQ(64, self->config.cpus);
	EXPECT_USAGE("cpus: 0 is not from 1 to 64",
		     "--kernel", "k", "--cpus", "0");
	EXPECT_USAGE("cpus: 65 is not from 1 to 64",
		     "--kernel", "k", "--cpus", "65");
	EXPECT_USAGE("cpus: 4294967297 is not from 1 to 64",
		     "--kernel", "k", "--cpus", "4294967297");
	EXPECT_USAGE("--cpus: 'two' is not a number",
		     "--kernel", "k", "--cpus", "two");
	EXPECT_USAGE("--cpus: '-1' is not a number",
		     "--kernel", "k", "--cpus", "-1");
	EXPECT_USAGE("--cpus: '2x' is not a number",
		     "--kernel", "k", "--cpus", "2x");
	EXPECT_USAGE("--cpus: '' is not a number",
		     "--kernel", "k", "--cpus", "");
}

TEST_F(config, places_for_the_console)
{
	EXPECT_OK("--kernel", "k", "--serial", "stdio");
	EXPECT_EQ(CONFIG_SERIAL_STDIO, self->config.serial);
	EXPECT_OK("--kernel", "k", "--serial", "none");
	EXPECT_EQ(CONFIG_SERIAL_NONE, self->config.serial);
	EXPECT_OK("--kernel", "k", "--serial", "./none");
	EXPECT_EQ(CONFIG_SERIAL_FILE, self->config.serial);
	EXPECT_STREQ("./none", self->config.serial_path);
	EXPECT_USAGE("--serial: use stdio, none or a file",
		     "--kernel", "k", "--serial", "");
}

TEST_F(config, kernel_is_needed)
{
	const char *const none[] = { NULL };

	EXPECT_EQ(OPTIONS_USAGE, parse(self, none));
	EXPECT_TRUE(is_line(self, "no kernel: --kernel FILE is needed; see --help"));
	EXPECT_USAGE("no kernel: --kernel FILE is needed; see --help",
		     "--memory", "64M");
}

TEST_F(config, wrong_reboot)
{
	EXPECT_USAGE("--reboot: 'never' is none of: exit, restart",
		     "--kernel", "k", "--reboot", "never");
}

TEST_F(config, restored_vm_needs_no_kernel)
{
	EXPECT_OK("--restore", "snap", "--pmem", "id=a,flush=user", "--serial",
		  "none", "--reboot", "exit");
	EXPECT_STREQ("snap", self->config.restore_path);
	EXPECT_EQ(1, self->config.nr_pmem);
}

TEST_F(config, what_a_restored_vm_has_already)
{
#define HAS	"--restore: a restored VM cannot be given "
	EXPECT_USAGE(HAS "--kernel", "--restore", "s", "--kernel", "k");
	EXPECT_USAGE(HAS "--kernel-cache", "--restore", "s", "--kernel-cache",
		     "c");
	EXPECT_USAGE(HAS "--initrd", "--restore", "s", "--initrd", "i");
	EXPECT_USAGE(HAS "--cmdline", "--restore", "s", "--cmdline", "c");
	EXPECT_USAGE(HAS "--memory", "--restore", "s", "--memory", "512M");
	EXPECT_USAGE(HAS "--cpus", "--restore", "s", "--cpus", "1");
	EXPECT_USAGE(HAS "--reboot restart", "--restore", "s", "--reboot",
		     "restart");
#undef HAS
	EXPECT_USAGE("--restore: --pmem needs the id= of a device of the snapshot",
		     "--restore", "s", "--pmem", "path=p");
}

TEST_F(config, options_that_are_none)
{
	EXPECT_USAGE("unknown option '--kernle'; see --help",
		     "--kernle", "k");
	EXPECT_USAGE("unknown option '--kernle=k'; see --help",
		     "--kernle=k");
	EXPECT_USAGE("unknown option '-k'; see --help", "-k", "k");
	EXPECT_USAGE("unknown option '-x'; see --help",
		     "--kernel", "k", "-vxv");
	EXPECT_USAGE("unknown option '--m'; see --help", "--m", "64M");
	EXPECT_USAGE("'--no-sandbox=on' takes no value; see --help",
		     "--kernel", "k", "--no-sandbox=on");
	EXPECT_USAGE("'--help=cpus' takes no value; see --help", "--help=cpus");
	EXPECT_USAGE("--kernel needs a value; see --help", "--kernel");
	EXPECT_USAGE("--pmem needs a value; see --help",
		     "--kernel", "k", "--pmem");
	EXPECT_USAGE("unexpected argument 'disk.img'; see --help",
		     "--kernel", "k", "disk.img");
	EXPECT_USAGE("unexpected argument '-'; see --help",
		     "--kernel", "k", "-");
	EXPECT_USAGE("unexpected argument 'x'; see --help",
		     "--kernel", "k", "--", "x");
	EXPECT_USAGE("unexpected argument ''; see --help", "", "--kernel", "k");
}

TEST_F(config, help_names_every_option)
{
	static const char *const words[] = {
		"--kernel", "--initrd", "--cmdline", "--memory", "--cpus",
		"--pmem", "path=", "id=", "root=", "read-only=",
		"discard-writes=", "flush=auto|kernel|user",
		"exec=auto|inline|worker", "on-error=sticky|report",
		"flush-limit=RATE[,,BURST]", "bytes-limit=RATE[,,BURST]",
		"write-behind=SIZE", "--serial",
		"stdio|none|FILE", "--metrics", "--config", "--control",
		"--reboot exit|restart", "--restore", "--no-sandbox",
		"-v", "--help", "--version", "Exit status: 0",
	};
	const char *const help[] = { "--help", NULL };
	const char *const version[] = { "--version", NULL };

	EXPECT_EQ(OPTIONS_EXIT_OK, parse(self, help));
	EXPECT_STREQ("", self->err);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		EXPECT_NE(NULL, strstr(self->out, words[i]))
			TH_LOG("%s", words[i]);
	}
	EXPECT_EQ(OPTIONS_EXIT_OK, parse(self, version));
	EXPECT_EQ(0, strncmp("vpmem-vmm ", self->out, 10));
	EXPECT_STREQ("", self->err);
}

/* --pmem */

TEST_F(config, pmem_defaults)
{
	const struct config_pmem *pmem = &self->config.pmem[0];

	EXPECT_OK("--kernel", "k", "--pmem", "path=a.img");
	ASSERT_EQ(1, self->config.nr_pmem);
	EXPECT_STREQ("a.img", pmem->path);
	EXPECT_STREQ("pmem0", pmem->id);
	EXPECT_FALSE(pmem->root);
	EXPECT_FALSE(pmem->read_only);
	EXPECT_FALSE(pmem->discard_writes);
	EXPECT_EQ(CONFIG_FLUSH_AUTO, pmem->flush);
	EXPECT_EQ(VPMEM_EXEC_AUTO, pmem->exec);
	EXPECT_EQ(VPMEM_ON_ERROR_STICKY, pmem->on_error);
	EXPECT_STREQ("", self->config.cmdline);
}

TEST_F(config, every_key_of_pmem)
{
	const struct config_pmem *pmem = self->config.pmem;

	EXPECT_OK("--kernel", "k", "--pmem",
		  "on-error=report,exec=worker,flush=kernel,read-only=on,root=on,id=disk,path=a.img",
		  "--pmem", "path=b.img,discard-writes=on,root=off,read-only=off",
		  "--pmem", "path=c.img,flush=user,exec=auto,on-error=sticky",
		  "--pmem", "path=d.img,flush=auto,exec=inline,discard-writes=off");
	ASSERT_EQ(4, self->config.nr_pmem);
	EXPECT_STREQ("disk", pmem[0].id);
	EXPECT_TRUE(pmem[0].root);
	EXPECT_TRUE(pmem[0].read_only);
	EXPECT_EQ(CONFIG_FLUSH_KERNEL, pmem[0].flush);
	EXPECT_EQ(VPMEM_EXEC_WORKER, pmem[0].exec);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, pmem[0].on_error);
	EXPECT_STREQ("pmem1", pmem[1].id);
	EXPECT_TRUE(pmem[1].discard_writes);
	EXPECT_FALSE(pmem[1].root);
	EXPECT_FALSE(pmem[1].read_only);
	EXPECT_EQ(CONFIG_FLUSH_USER, pmem[2].flush);
	EXPECT_EQ(VPMEM_EXEC_AUTO, pmem[2].exec);
	EXPECT_EQ(VPMEM_ON_ERROR_STICKY, pmem[2].on_error);
	EXPECT_EQ(CONFIG_FLUSH_AUTO, pmem[3].flush);
	EXPECT_EQ(VPMEM_EXEC_INLINE, pmem[3].exec);
	EXPECT_FALSE(pmem[3].discard_writes);
}

TEST_F(config, doubled_comma_is_a_comma)
{
	EXPECT_OK("--kernel", "k", "--pmem", "path=a,,b=c,,,id=x,,,,y");
	EXPECT_STREQ("a,b=c,", self->config.pmem[0].path);
	EXPECT_STREQ("x,,y", self->config.pmem[0].id);
	EXPECT_OK("--kernel", "k", "--pmem", "id=x,path=end,,");
	EXPECT_STREQ("end,", self->config.pmem[0].path);
}

TEST_F(config, wrong_pmem)
{
	static const struct {
		const char *option;
		const char *line;
	} cases[] = {
		{ "", "--pmem: '' is not KEY=VALUE" },
		{ "a.img", "--pmem: 'a.img' is not KEY=VALUE" },
		{ "path=a,", "--pmem: '' is not KEY=VALUE" },
		{ ",path=a", "--pmem: '' is not KEY=VALUE" },
		{ "path=a,root", "--pmem: 'root' is not KEY=VALUE" },
		{ "id=x", "pmem: device 0 has no path" },
		{ "path=", "pmem: device 0 has no path" },
		{ "path=a,path=b", "pmem: 'path' is given twice" },
		{ "path=a,root=on,root=on", "pmem: 'root' is given twice" },
		{ "path=a,Id=x", "pmem: 'Id'" NO_KEY },
		{ "path=a,=x", "pmem: ''" NO_KEY },
		{ "path=a,id=", "pmem id: '' has not from 1 to 63 bytes" },
		{ "path=a,id=" ID63 "x", "pmem id: '" ID63 "x' has not from 1 to 63 bytes" },
		{ "path=a,id=a\nb",
		  "pmem id: 'a?b' has characters other than printable ASCII" },
		{ "path=a,id=\xff",
		  "pmem id: '\xff' has characters other than printable ASCII" },
		{ "path=a,root=yes", "pmem root: 'yes' is none of: off, on" },
		{ "path=a,root=", "pmem root: '' is none of: off, on" },
		{ "path=a,read-only=ON", "pmem read-only: 'ON' is none of: off, on" },
		{ "path=a,discard-writes=1", "pmem discard-writes: '1' is none of: off, on" },
		{ "path=a,flush=no", "pmem flush: 'no' is none of: auto, kernel, user" },
		{ "path=a,exec=thread", "pmem exec: 'thread' is none of: auto, inline, worker" },
		{ "path=a,on-error=ignore", "pmem on-error: 'ignore' is none of: sticky, report" },
		{ "path=a,flush-limit=", "pmem flush-limit: ''" NO_LIMIT },
		{ "path=a,flush-limit=0", "pmem flush-limit: '0'" NO_LIMIT },
		{ "path=a,flush-limit=-1", "pmem flush-limit: '-1'" NO_LIMIT },
		{ "path=a,flush-limit=1x", "pmem flush-limit: '1x'" NO_LIMIT },
		{ "path=a,flush-limit=1,,", "pmem flush-limit: '1,'" NO_LIMIT },
		{ "path=a,flush-limit=1,,0", "pmem flush-limit: '1,0'" NO_LIMIT },
		{ "path=a,flush-limit=1,,2,,3", "pmem flush-limit: '1,2,3'" NO_LIMIT },
		{ "path=a,flush-limit=1,2", "--pmem: '2' is not KEY=VALUE" },
		{ "path=a,bytes-limit=fast", "pmem bytes-limit: 'fast'" NO_LIMIT },
		{ "path=a,bytes-limit=9223372036854775808",
		  "pmem bytes-limit: '9223372036854775808'" NO_LIMIT },
		{ "path=a,bytes-limit=8388608T", "pmem bytes-limit: '8388608T'" NO_LIMIT },
		{ "path=a,bytes-limit=99999999999999999999",
		  "pmem bytes-limit: '99999999999999999999'" NO_LIMIT },
		{ "path=a,bytes-limit=1M,bytes-limit=none",
		  "pmem: 'bytes-limit' is given twice" },
		{ "path=a,write-behind=", "pmem write-behind: ''" NO_BEHIND },
		{ "path=a,write-behind=0", "pmem write-behind: '0'" NO_BEHIND },
		{ "path=a,write-behind=65535", "pmem write-behind: '65535'" NO_BEHIND },
		{ "path=a,write-behind=1M,,1M", "pmem write-behind: '1M,1M'" NO_BEHIND },
		{ "path=a,write-behind=8388608T",
		  "pmem write-behind: '8388608T'" NO_BEHIND },
		{ "path=a,flush=user,write-behind=1M",
		  "pmem a: write-behind is for the module, not for flush=user" },
		{ "path=a,read-only=on,write-behind=1M",
		  "pmem a: write-behind has nothing to write with read-only" },
		{ "path=a,discard-writes=on,write-behind=1M",
		  "pmem a: write-behind has nothing to write with discard-writes" },
		{ "path=a,read-only=on,discard-writes=on",
		  "pmem a: read-only and discard-writes exclude each other" },
		{ "path=a,flush=user,exec=inline",
		  "pmem a: exec is for the module, flush=user does without it" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_USAGE(cases[i].line, "--kernel", "k", "--pmem",
			     cases[i].option);
}

TEST_F(config, longest_id)
{
	EXPECT_OK("--kernel", "k", "--pmem", "path=a,id=" ID63);
	EXPECT_STREQ(ID63, self->config.pmem[0].id);
}

TEST_F(config, ids_are_unique)
{
	EXPECT_USAGE("pmem id: 'x' is given to two devices", "--kernel", "k",
		     "--pmem", "path=a,id=x", "--pmem", "path=b,id=x");
	EXPECT_USAGE("pmem id: 'pmem1' is given to two devices", "--kernel",
		     "k", "--pmem", "path=a,id=pmem1", "--pmem", "path=b");
}

TEST_F(config, number_of_devices_is_limited)
{
	const char *args[ARGS_MAX] = { "--kernel", "k" };
	int count = 2;

	for (int i = 0; i < CONFIG_PMEM_MAX; i++) {
		args[count++] = "--pmem";
		args[count++] = "path=a";
	}
	EXPECT_EQ(OPTIONS_OK, parse(self, args));
	EXPECT_EQ(CONFIG_PMEM_MAX, self->config.nr_pmem);
	EXPECT_STREQ("pmem63", self->config.pmem[63].id);
	args[count++] = "--pmem";
	args[count++] = "path=a";
	EXPECT_EQ(OPTIONS_USAGE, parse(self, args));
	EXPECT_TRUE(is_line(self, "pmem: more than 64 devices"));
}

TEST_F(config, limits)
{
	static const struct {
		const char *value;
		uint64_t rate;
		uint64_t burst;
	} limits[] = {
		{ "none", 0, 0 }, { "1", 1, 1 }, { "100,,5", 100, 5 },
		{ "2M,,1g", 2 << 20, 1 << 30 }, { "1K", 1024, 1024 },
		{ "7T", 7ull << 40, 7ull << 40 },
		{ "9223372036854775807", INT64_MAX, INT64_MAX },
	};
	const struct config_pmem *pmem = self->config.pmem;
	char option[128];

	EXPECT_OK("--kernel", "k", "--pmem", "path=a");
	EXPECT_EQ(0, pmem->flush_limit.rate);
	EXPECT_EQ(0, pmem->bytes_limit.rate);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		snprintf(option, sizeof(option),
			 "path=a,flush-limit=%s,bytes-limit=12,,34",
			 limits[i].value);
		EXPECT_OK("--kernel", "k", "--pmem", option);
		EXPECT_EQ(limits[i].rate, pmem->flush_limit.rate);
		EXPECT_EQ(limits[i].burst, pmem->flush_limit.burst);
		EXPECT_EQ(12, pmem->bytes_limit.rate);
		EXPECT_EQ(34, pmem->bytes_limit.burst);
	}
}

TEST_F(config, write_behind)
{
	const struct config_pmem *pmem = self->config.pmem;

	EXPECT_OK("--kernel", "k", "--pmem", "path=a");
	EXPECT_EQ(0, pmem->write_behind);
	EXPECT_OK("--kernel", "k", "--pmem", "path=a,write-behind=64K");
	EXPECT_EQ(VPMEM_WRITE_BEHIND_MIN, pmem->write_behind);
	EXPECT_OK("--kernel", "k", "--pmem", "path=a,write-behind=3g,flush=kernel");
	EXPECT_EQ(3ull << 30, pmem->write_behind);
	EXPECT_OK("--kernel", "k", "--pmem",
		  "path=a,write-behind=none,flush=user,read-only=on");
	EXPECT_EQ(0, pmem->write_behind);
}

/* root= on the kernel command line */

TEST_F(config, root_device_is_told_to_the_kernel)
{
	EXPECT_OK("--kernel", "k", "--pmem", "path=a,root=on");
	EXPECT_STREQ("root=/dev/pmem0 rw", self->config.cmdline);
	EXPECT_OK("--kernel", "k", "--pmem", "path=a", "--pmem",
		  "path=b,root=on,read-only=on", "--cmdline", "quiet");
	EXPECT_STREQ("quiet root=/dev/pmem1 ro", self->config.cmdline);
	EXPECT_OK("--kernel", "k", "--pmem",
		  "path=a,root=on,discard-writes=on");
	EXPECT_STREQ("root=/dev/pmem0 rw", self->config.cmdline);
}

TEST_F(config, root_that_is_given_stays)
{
	static const char *const given[] = {
		"root=/dev/vda", "quiet root=UUID=1234 rw", "a root=",
	};
	static const char *const not_given[] = {
		"rootwait", "noroot=1", "rootflags=dax", "x=root=1",
	};
	char want[64];

	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		EXPECT_OK("--kernel", "k", "--cmdline", given[i], "--pmem",
			  "path=a,root=on");
		EXPECT_STREQ(given[i], self->config.cmdline);
	}
	for (size_t i = 0; i < ARRAY_SIZE(not_given); i++) {
		EXPECT_OK("--kernel", "k", "--cmdline", not_given[i], "--pmem",
			  "path=a,root=on");
		snprintf(want, sizeof(want), "%s root=/dev/pmem0 rw",
			 not_given[i]);
		EXPECT_STREQ(want, self->config.cmdline);
	}
}

/* What is behind "--" is init's, and not read by the kernel. */
TEST_F(config, root_comes_before_the_arguments_of_init)
{
	static const struct {
		const char *given;
		const char *want;
	} cases[] = {
		{ "quiet -- single", "quiet root=/dev/pmem0 rw -- single" },
		{ "quiet\t--\tsingle", "quiet\troot=/dev/pmem0 rw --\tsingle" },
		{ "-- single -- x", "root=/dev/pmem0 rw -- single -- x" },
		{ "quiet --", "quiet root=/dev/pmem0 rw --" },
		{ "a -- root=/dev/vda", "a root=/dev/pmem0 rw -- root=/dev/vda" },
		{ "root=/dev/vda -- single", "root=/dev/vda -- single" },
		{ "quiet --x x-- ---", "quiet --x x-- --- root=/dev/pmem0 rw" },
		{ "a=\"b -- c\" -- d", "a=\"b -- c\" root=/dev/pmem0 rw -- d" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_OK("--kernel", "k", "--cmdline", cases[i].given,
			  "--pmem", "path=a,root=on");
		EXPECT_STREQ(cases[i].want, self->config.cmdline);
	}
}

TEST_F(config, one_root_device)
{
	EXPECT_USAGE("pmem b: another device has root=on already", "--kernel",
		     "k", "--pmem", "path=a,root=on", "--pmem",
		     "path=b,root=on");
}

static int __count_warnings(struct _test_data_config *self,
			    const char *const args[])
{
	int saved, count = parse(self, args);
	FILE *err = tmpfile();

	saved = redirect(STDERR_FILENO, err);
	config_warn(&self->config);
	restore(STDERR_FILENO, saved, err, self->err, sizeof(self->err));
	for (const char *at = self->err; (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

/* Lines that config_warn() writes for this kernel command line and options. */
#define count_warnings(self, cmdline, ...)				\
	__count_warnings(self, (const char *const []) {			\
			 "--kernel", "k", "--cmdline", cmdline,		\
			 ## __VA_ARGS__, NULL })

/* The JSON file */

TEST_F(config, every_json_field)
{
	const struct config_pmem *pmem = self->config.pmem;

	EXPECT_JSON_OK("{ \"boot-source\": { \"kernel_image_path\": \"vmlinux\","
		       " \"initrd_path\": \"initrd.img\","
		       " \"boot_args\": \"console=ttyS0\" },"
		       "\"machine-config\": { \"vcpu_count\": 4,"
		       " \"mem_size_mib\": 256, \"smt\": false,"
		       " \"track_dirty_pages\": false,"
		       " \"huge_pages\": \"None\" },"
		       "\"pmem\": [ { \"id\": \"rootfs\","
		       " \"path_on_host\": \"a,b.img\", \"root_device\": true,"
		       " \"read_only\": true, \"rate_limiter\": null,"
		       " \"discard_writes\": false, \"flush\": \"kernel\","
		       " \"exec\": \"inline\", \"on_error\": \"report\" },"
		       " { \"path_on_host\": \"c.img\","
		       " \"discard_writes\": true },"
		       " { \"path_on_host\": \"d.img\","
		       " \"write_behind\": \"8M\" } ],"
		       "\"metrics\": { \"metrics_path\": \"metrics.json\" },"
		       "\"logger\": { \"level\": \"Debug\" } }");
	EXPECT_STREQ("vmlinux", self->config.kernel);
	EXPECT_STREQ("initrd.img", self->config.initrd);
	EXPECT_STREQ("console=ttyS0 root=/dev/pmem0 ro", self->config.cmdline);
	EXPECT_EQ(4, self->config.cpus);
	EXPECT_EQ(256 * MIB, self->config.memory_bytes);
	ASSERT_EQ(3, self->config.nr_pmem);
	EXPECT_EQ(8 * MIB, pmem[2].write_behind);
	EXPECT_STREQ("rootfs", pmem[0].id);
	EXPECT_STREQ("a,b.img", pmem[0].path);
	EXPECT_TRUE(pmem[0].root);
	EXPECT_TRUE(pmem[0].read_only);
	EXPECT_EQ(CONFIG_FLUSH_KERNEL, pmem[0].flush);
	EXPECT_EQ(VPMEM_EXEC_INLINE, pmem[0].exec);
	EXPECT_EQ(VPMEM_ON_ERROR_REPORT, pmem[0].on_error);
	EXPECT_STREQ("pmem1", pmem[1].id);
	EXPECT_TRUE(pmem[1].discard_writes);
	EXPECT_STREQ("metrics.json", self->config.metrics_path);
	EXPECT_EQ(2, self->config.verbosity);
}

#define BOOT_SOURCE	"\"boot-source\": { \"kernel_image_path\": \"k\" }"

TEST_F(config, options_behind_the_file_override_it)
{
	static const char text[] = "{ " BOOT_SOURCE ", \"machine-config\": {"
		" \"mem_size_mib\": 64, \"vcpu_count\": 2 }, \"pmem\": ["
		" { \"path_on_host\": \"a\" } ],"
		" \"metrics\": { \"metrics_path\": \"m\" } }";

	write_file(self->path, text, strlen(text));
	EXPECT_OK("--kernel", "early", "--memory", "32M", "--config",
		  self->path, "--cpus", "8", "--cmdline", "late", "--metrics",
		  "n", "--pmem", "path=b,root=on");
	EXPECT_STREQ("k", self->config.kernel);
	EXPECT_EQ(64 * MIB, self->config.memory_bytes);
	EXPECT_EQ(8, self->config.cpus);
	EXPECT_STREQ("late root=/dev/pmem1 rw", self->config.cmdline);
	EXPECT_STREQ("n", self->config.metrics_path);
	ASSERT_EQ(2, self->config.nr_pmem);
	EXPECT_STREQ("a", self->config.pmem[0].path);
	EXPECT_STREQ("b", self->config.pmem[1].path);
}

/* Files written for Firecracker, by hand and by itself, work as they are. */

TEST_F(config, firecracker_example)
{
	EXPECT_JSON_OK("{\n"
"  \"boot-source\": {\n"
"    \"kernel_image_path\": \"images/vmlinux-6.1\",\n"
"    \"boot_args\": \"console=ttyS0 reboot=k panic=1\"\n"
"  },\n"
"  \"drives\": [],\n"
"  \"machine-config\": {\n"
"    \"vcpu_count\": 2,\n"
"    \"mem_size_mib\": 1024\n"
"  },\n"
"  \"pmem\": [\n"
"    {\n"
"      \"id\": \"rootfs\",\n"
"      \"path_on_host\": \"images/debian.ext4\",\n"
"      \"root_device\": true,\n"
"      \"read_only\": true\n"
"    },\n"
"    {\n"
"      \"id\": \"data\",\n"
"      \"path_on_host\": \"images/data.ext4\"\n"
"    }\n"
"  ],\n"
"  \"logger\": {\n"
"    \"log_path\": \"vm.log\",\n"
"    \"level\": \"Info\",\n"
"    \"show_level\": true,\n"
"    \"show_log_origin\": false\n"
"  },\n"
"  \"metrics\": {\n"
"    \"metrics_path\": \"vm.metrics\"\n"
"  }\n"
"}\n");
	EXPECT_STREQ("images/vmlinux-6.1", self->config.kernel);
	EXPECT_STREQ("console=ttyS0 reboot=k panic=1 root=/dev/pmem0 ro",
		     self->config.cmdline);
	EXPECT_EQ(2, self->config.cpus);
	EXPECT_EQ(GIB, self->config.memory_bytes);
	ASSERT_EQ(2, self->config.nr_pmem);
	EXPECT_STREQ("rootfs", self->config.pmem[0].id);
	EXPECT_TRUE(self->config.pmem[0].read_only);
	EXPECT_STREQ("images/data.ext4", self->config.pmem[1].path);
	EXPECT_FALSE(self->config.pmem[1].root);
	EXPECT_STREQ("vm.log", self->config.log_path);
	EXPECT_EQ(1, self->config.verbosity);
	EXPECT_STREQ("vm.metrics", self->config.metrics_path);
}

#define PCI_OFF	"vpmem-vmm: config: 'boot_args': pci=off is left out, as pmem " \
		"devices are on PCI\n"

TEST_F(config, firecracker_dump)
{
	static const char dump[] =
		FIRECRACKER_CONFIG("vmlinux", "null", "quiet", "rootfs.ext4",
				   "vm.log", "vm.metrics");
	const struct config_pmem *pmem = self->config.pmem;

	EXPECT_EQ(OPTIONS_OK, parse_json(self, dump));
	EXPECT_STREQ(PCI_OFF, self->err);
	EXPECT_STREQ("vmlinux", self->config.kernel);
	EXPECT_EQ(NULL, self->config.initrd);
	EXPECT_STREQ("console=ttyS0 reboot=k panic=1  quiet root=/dev/pmem0 rw",
		     self->config.cmdline);
	EXPECT_EQ(2, self->config.cpus);
	EXPECT_EQ(256 * MIB, self->config.memory_bytes);
	ASSERT_EQ(1, self->config.nr_pmem);
	EXPECT_STREQ("rootfs", pmem->id);
	EXPECT_STREQ("rootfs.ext4", pmem->path);
	EXPECT_EQ(CONFIG_FLUSH_AUTO, pmem->flush);
	EXPECT_EQ(1000, pmem->flush_limit.rate);
	EXPECT_EQ(256 * MIB, pmem->bytes_limit.rate);
	EXPECT_STREQ("vm.log", self->config.log_path);
	EXPECT_STREQ("vm.metrics", self->config.metrics_path);
	EXPECT_EQ(1, self->config.verbosity);
}

TEST_F(config, firecrackers_pci_off)
{
	static const struct {
		const char *args;
		const char *cmdline;
		const char *said;
	} cases[] = {
		{ "pci=off", "", PCI_OFF },
		{ "a pci=off", "a ", PCI_OFF },
		{ "pci=off a", " a", PCI_OFF },
		{ "pci=off pci=off", " ", PCI_OFF PCI_OFF },
		{ "pci=offx nopci=off", "pci=offx nopci=off", "" },
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "{ \"boot-source\": {"
			 " \"kernel_image_path\": \"k\", \"boot_args\": \"%s\" },"
			 " \"pmem\": [ { \"path_on_host\": \"a\" } ] }",
			 cases[i].args);
		EXPECT_EQ(OPTIONS_OK, parse_json(self, text));
		EXPECT_STREQ(cases[i].cmdline, self->config.cmdline);
		EXPECT_STREQ(cases[i].said, self->err);
	}
	EXPECT_JSON_OK("{ \"boot-source\": { \"kernel_image_path\": \"k\","
		       " \"boot_args\": \"pci=off\" } }");
	EXPECT_STREQ("pci=off", self->config.cmdline);
}

TEST_F(config, firecracker_with_all_its_nulls)
{
	EXPECT_JSON_OK("{ \"balloon\": null, \"drives\": [],"
		       " \"boot-source\": { \"kernel_image_path\": \"k\","
		       " \"initrd_path\": null, \"boot_args\": null },"
		       " \"cpu-config\": null, \"logger\": null,"
		       " \"machine-config\": { \"vcpu_count\": 1,"
		       " \"mem_size_mib\": 128, \"smt\": false,"
		       " \"cpu_template\": \"None\","
		       " \"track_dirty_pages\": false,"
		       " \"huge_pages\": \"None\" }, \"metrics\": null,"
		       " \"mmds-config\": null, \"network-interfaces\": [],"
		       " \"vsock\": null, \"entropy\": null, \"pmem\": [],"
		       " \"memory-hotplug\": null, \"serial\": null }");
	EXPECT_EQ(128 * MIB, self->config.memory_bytes);
	EXPECT_STREQ("", self->config.cmdline);
	EXPECT_EQ(CONFIG_SERIAL_STDIO, self->config.serial);
	EXPECT_JSON_OK("{ " BOOT_SOURCE ", \"machine-config\": null,"
		       " \"pmem\": null, \"logger\": { \"log_path\": null,"
		       " \"level\": null, \"show_level\": null,"
		       " \"show_log_origin\": null, \"module\": null },"
		       " \"serial\": { \"serial_out_path\": null,"
		       " \"rate_limiter\": null } }");
	EXPECT_EQ(NULL, self->config.log_path);
	EXPECT_EQ(0, self->config.verbosity);
	EXPECT_EQ(CONFIG_SERIAL_STDIO, self->config.serial);
}

/* The text of a file with one device and this rate_limiter. */
#define LIMITER(text)	"{ " BOOT_SOURCE ", \"pmem\": [ {"		\
			" \"path_on_host\": \"a\", \"rate_limiter\": "	\
			text " } ] }"

TEST_F(config, rate_limiter)
{
	const struct config_pmem *pmem = self->config.pmem;

	EXPECT_JSON_OK(LIMITER("{ \"bandwidth\": { \"size\": 268435456,"
			       " \"refill_time\": 1000 },"
			       " \"ops\": { \"size\": 10, \"refill_time\": 100,"
			       " \"one_time_burst\": 0 } }"));
	EXPECT_EQ(256 * MIB, pmem->bytes_limit.rate);
	EXPECT_EQ(256 * MIB, pmem->bytes_limit.burst);
	EXPECT_EQ(100, pmem->flush_limit.rate);
	EXPECT_EQ(10, pmem->flush_limit.burst);
	EXPECT_JSON_OK(LIMITER("{ \"bandwidth\": null,"
			       " \"ops\": { \"size\": 3, \"refill_time\": 3000,"
			       " \"one_time_burst\": null } }"));
	EXPECT_EQ(0, pmem->bytes_limit.rate);
	EXPECT_EQ(1, pmem->flush_limit.rate);
	EXPECT_EQ(3, pmem->flush_limit.burst);
}

/* As Firecracker does, for which such a bucket does not exist. */
TEST_F(config, rate_limiter_that_limits_nothing)
{
	static const char *const texts[] = {
		LIMITER("null"), LIMITER("{}"), LIMITER("{ \"ops\": {} }"),
		LIMITER("{ \"ops\": { \"size\": 0, \"refill_time\": 1 } }"),
		LIMITER("{ \"ops\": { \"size\": 1, \"refill_time\": 0 } }"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		EXPECT_JSON_OK(texts[i]);
		EXPECT_EQ(0, self->config.pmem[0].flush_limit.rate);
		EXPECT_EQ(0, self->config.pmem[0].bytes_limit.rate);
	}
}

TEST_F(config, rate_limiter_that_cannot_be_kept)
{
	static const struct {
		const char *text;
		const char *line;
	} cases[] = {
		{ LIMITER("false"), "config: 'rate_limiter' is not an object" },
		{ LIMITER("{ \"iops\": {} }"),
		  "config: 'iops' in 'rate_limiter' is not supported" },
		{ LIMITER("{ \"ops\": 5 }"), "config: 'ops' is not an object" },
		{ LIMITER("{ \"ops\": { \"rate\": 5 } }"),
		  "config: 'rate' in 'ops' is not supported" },
		{ LIMITER("{ \"ops\": { \"size\": -5 } }"),
		  "config: 'size' is not a positive number" },
		{ LIMITER("{ \"ops\": { \"refill_time\": 1.5 } }"),
		  "config: 'refill_time' is not a positive number" },
		{ LIMITER("{ \"ops\": { \"one_time_burst\": \"5\" } }"),
		  "config: 'one_time_burst' is not a positive number" },
		{ LIMITER("{ \"ops\": { \"one_time_burst\": 5 } }"),
		  "config: 'one_time_burst' is not supported, but as 0" },
		{ LIMITER("{ \"ops\": { \"size\": 1, \"refill_time\": 3 } }"),
		  "config: 'refill_time' in 'ops': 1 in 3 ms is "
		  "not a whole number per second" },
		{ LIMITER("{ \"bandwidth\": { \"size\": 1, \"refill_time\": 1001 } }"),
		  "config: 'refill_time' in 'bandwidth': 1 in 1001 ms is "
		  "not a whole number per second" },
		{ LIMITER("{ \"ops\": { \"size\": 9223372036854775807,"
			  " \"refill_time\": 1000 } }"),
		  "config: 'refill_time' in 'ops': 9223372036854775807 in 1000 ms is "
		  "not a whole number per second" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_JSON_USAGE(cases[i].line, cases[i].text);
}

TEST_F(config, console_in_a_file)
{
	EXPECT_JSON_OK("{ " BOOT_SOURCE ", \"serial\": {"
		       " \"serial_out_path\": \"none\" } }");
	EXPECT_EQ(CONFIG_SERIAL_FILE, self->config.serial);
	EXPECT_STREQ("none", self->config.serial_path);
}

TEST_F(config, levels_of_messages)
{
	static const struct {
		const char *name;
		int verbosity;
	} levels[] = {
		{ "Off", -1 }, { "Error", -1 }, { "ERROR", -1 }, { "Warn", 0 },
		{ "Warning", 0 }, { "info", 1 }, { "Debug", 2 }, { "Trace", 2 },
	};
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		snprintf(text, sizeof(text), "{ " BOOT_SOURCE
			 ", \"logger\": { \"level\": \"%s\" } }",
			 levels[i].name);
		EXPECT_JSON_OK(text);
		EXPECT_EQ(levels[i].verbosity, self->config.verbosity)
			TH_LOG("%s", levels[i].name);
	}
}

/* Firecracker's usual boot_args are for devices that are not on PCI. */
TEST_F(config, pci_off_gets_a_warning)
{
	EXPECT_EQ(0, count_warnings(self, "pci=off"));
	EXPECT_EQ(1, count_warnings(self, "quiet pci=off", "--pmem", "path=a"));
	EXPECT_STREQ("vpmem-vmm: the kernel command line has pci=off: the guest "
		     "will not find its pmem devices; leave it out\n", self->err);
	EXPECT_EQ(1, count_warnings(self, "pci=off", "--pmem", "path=a"));
	EXPECT_EQ(0, count_warnings(self, "pci=noearly", "--pmem", "path=a"));
	EXPECT_EQ(0, count_warnings(self, "nopci=off", "--pmem", "path=a"));
}

TEST_F(config, fields_that_are_none)
{
	static const struct {
		const char *text;
		const char *line;
	} cases[] = {
		{ "{ \"boot\": {} }", "config: 'boot' in '%s' is not supported" },
		{ "{ \"boot-source\": { \"kernel\": \"k\" } }",
		  "config: 'kernel' in 'boot-source' is not supported" },
		{ "{ \"machine-config\": { \"cpus\": 1 } }",
		  "config: 'cpus' in 'machine-config' is not supported" },
		{ "{ \"pmem\": [ { \"path_on_host\": \"a\" }, { \"path\": \"b\" } ] }",
		  "config: 'path' in 'pmem' is not supported" },
		{ "{ \"metrics\": { \"path\": \"m\" } }",
		  "config: 'path' in 'metrics' is not supported" },
		{ "{ \"logger\": { \"file\": \"l\" } }",
		  "config: 'file' in 'logger' is not supported" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_JSON_USAGE(cases[i].line, cases[i].text);
}

TEST_F(config, what_cannot_be_had)
{
	static const char *const sections[] = {
		"drives", "network-interfaces", "vsock", "balloon",
		"mmds-config", "entropy", "cpu-config", "memory-hotplug",
	};
	char text[256], line[128];

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		snprintf(text, sizeof(text), "{ " BOOT_SOURCE ", \"%s\": null }",
			 sections[i]);
		EXPECT_JSON_OK(text);
		snprintf(text, sizeof(text), "{ " BOOT_SOURCE ", \"%s\": [] }",
			 sections[i]);
		EXPECT_JSON_OK(text);
		snprintf(text, sizeof(text), "{ " BOOT_SOURCE ", \"%s\": [ {} ] }",
			 sections[i]);
		snprintf(line, sizeof(line), "config: '%s' is not supported",
			 sections[i]);
		EXPECT_JSON_USAGE(line, text);
	}
	EXPECT_JSON_USAGE("config: 'smt' is not supported",
			  "{ \"machine-config\": { \"smt\": true } }");
	EXPECT_JSON_USAGE("config: 'track_dirty_pages' is not supported",
			  "{ \"machine-config\": { \"track_dirty_pages\": true } }");
	EXPECT_JSON_USAGE("config: 'huge_pages' is not supported",
			  "{ \"machine-config\": { \"huge_pages\": \"2M\" } }");
	EXPECT_JSON_USAGE("config: 'cpu_template' is not supported",
			  "{ \"machine-config\": { \"cpu_template\": \"T2\" } }");
	EXPECT_JSON_USAGE("config: 'gdb_socket_path' is not supported",
			  "{ \"machine-config\": { \"gdb_socket_path\": \"g\" } }");
	EXPECT_JSON_USAGE("config: 'emit_id' is not supported",
			  "{ \"metrics\": { \"emit_id\": true } }");
	EXPECT_JSON_USAGE("config: 'properties' is not supported",
			  "{ \"metrics\": { \"properties\": { \"a\": \"b\" } } }");
	EXPECT_JSON_USAGE("config: 'module' is not supported",
			  "{ \"logger\": { \"module\": \"vmm\" } }");
	EXPECT_JSON_USAGE("config: 'rate_limiter' is not supported",
			  "{ \"serial\": { \"rate_limiter\": {} } }");
}

TEST_F(config, wrong_json_values)
{
	static const struct {
		const char *text;
		const char *line;
	} cases[] = {
		{ "[]", "config: '%s' is not an object" },
		{ "{ \"boot-source\": [] }", "config: 'boot-source' is not an object" },
		{ "{ \"boot-source\": \"k\" }", "config: 'boot-source' is not an object" },
		{ "{ \"boot-source\": { \"kernel_image_path\": 1 } }",
		  "config: 'kernel_image_path' is not a string" },
		{ "{ \"boot-source\": { \"initrd_path\": {} } }",
		  "config: 'initrd_path' is not a string" },
		{ "{ \"boot-source\": { \"boot_args\": [ \"quiet\" ] } }",
		  "config: 'boot_args' is not a string" },
		{ "{ \"boot-source\": { \"kernel_image_path\": null } }",
		  "no kernel: --kernel FILE is needed; see --help" },
		{ "{ \"machine-config\": { \"vcpu_count\": \"2\" } }",
		  "config: 'vcpu_count' is not a positive number" },
		{ "{ \"machine-config\": { \"vcpu_count\": 2.0 } }",
		  "config: 'vcpu_count' is not a positive number" },
		{ "{ \"machine-config\": { \"vcpu_count\": -2 } }",
		  "config: 'vcpu_count' is not a positive number" },
		{ "{ \"machine-config\": { \"vcpu_count\": 65 } }",
		  "cpus: 65 is not from 1 to 64" },
		{ "{ \"machine-config\": { \"mem_size_mib\": true } }",
		  "config: 'mem_size_mib' is not a positive number" },
		{ "{ \"machine-config\": { \"mem_size_mib\": 16 } }",
		  "memory: 16 MiB is not from 32 to 1048576 MiB" },
		{ "{ \"machine-config\": { \"mem_size_mib\": 9223372036854775807 } }",
		  "memory: 9223372036854775807 MiB is not from 32 to 1048576 MiB" },
		{ "{ \"machine-config\": { \"smt\": 0 } }",
		  "config: 'smt' is not supported" },
		{ "{ \"pmem\": {} }", "config: 'pmem' is not an array" },
		{ "{ \"pmem\": [ \"a.img\" ] }", "config: 'pmem' is not an object" },
		{ "{ \"pmem\": [ null ] }", "config: 'pmem' is not an object" },
		{ "{ \"pmem\": [ { \"path_on_host\": null } ] }",
		  "config: 'path_on_host' is not a string" },
		{ "{ \"pmem\": [ { \"id\": 5 } ] }", "config: 'id' is not a string" },
		{ "{ \"pmem\": [ { \"root_device\": \"on\" } ] }",
		  "config: 'root_device' is not true or false" },
		{ "{ \"pmem\": [ { \"read_only\": 1 } ] }",
		  "config: 'read_only' is not true or false" },
		{ "{ \"pmem\": [ { \"flush\": \"never\" } ] }",
		  "pmem flush: 'never' is none of: auto, kernel, user" },
		{ "{ \"pmem\": [ { \"id\": \"\" } ] }",
		  "pmem id: '' has not from 1 to 63 bytes" },
		{ "{ " BOOT_SOURCE ", \"pmem\": [ {} ] }", "pmem: device 0 has no path" },
		{ "{ \"metrics\": { \"metrics_path\": false } }",
		  "config: 'metrics_path' is not a string" },
		{ "{ \"logger\": { \"level\": 3 } }", "config: 'level' is not a string" },
		{ "{ \"logger\": { \"level\": \"loud\" } }",
		  "config: level: 'loud' is none of: Off, Error, Warning, Info, Debug, Trace" },
		{ "{ \"logger\": { \"log_path\": 1 } }", "config: 'log_path' is not a string" },
		{ "{ \"logger\": { \"show_level\": \"no\" } }",
		  "config: 'show_level' is not true or false" },
		{ "{ \"serial\": { \"serial_out_path\": 1 } }",
		  "config: 'serial_out_path' is not a string" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_JSON_USAGE(cases[i].line, cases[i].text);
}

TEST_F(config, what_is_no_json)
{
	static const char *const texts[] = {
		"", " ", "{", "{ \"pmem\": [ }", "nonsense", "{} {}", "{ 'a': 1 }",
		"{ \"a\": 1, \"a\": 2 }", "\"text\"", "{ \"a\": \"b\\\nc\" }",
		"{ \"a\": \"b\nc\" }", "{ \"a\": 1e999 }",
		"{ \"a\": 99999999999999999999 }", "{ \"a\": \"\\ud800\" }",
		"{ \"a\": \"\\u0000\" }", "{ \"\xff\": 1 }",
	};
	char begin[64];

	snprintf(begin, sizeof(begin), "vpmem-vmm: config %s: line ", self->path);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		EXPECT_EQ(OPTIONS_USAGE, parse_json(self, texts[i]));
		EXPECT_EQ(0, strncmp(begin, self->err, strlen(begin)))
			TH_LOG("%s: %s", texts[i], self->err);
		EXPECT_EQ(self->err + strlen(self->err) - 1,
			  strchr(self->err, '\n'))
			TH_LOG("%s: %s", texts[i], self->err);
	}
}

TEST_F(config, file_that_cannot_be_read)
{
	EXPECT_USAGE("config: unable to open /does/not/exist: No such file or directory",
		     "--config", "/does/not/exist");
}

/* Where messages go */

static void log_two(void)
{
	log_warn("first");
	log_error("second");
}

TEST_F(config, log_file_gets_all_and_stderr_the_errors)
{
	FILE *err = tmpfile();
	int saved, fd;

	ASSERT_EQ(0, log_open(self->path));
	saved = redirect(STDERR_FILENO, err);
	log_two();
	restore(STDERR_FILENO, saved, err, self->err, sizeof(self->err));
	EXPECT_STREQ("vpmem-vmm: second\n", self->err);
	fd = open(self->path, O_RDONLY | O_CLOEXEC);
	EXPECT_LT(0, read(fd, self->out, sizeof(self->out) - 1));
	EXPECT_STREQ("vpmem-vmm: first\nvpmem-vmm: second\n", self->out);
	close(fd);
}

TEST_F(config, log_file_that_cannot_be_opened)
{
	FILE *err = tmpfile();
	int saved;

	saved = redirect(STDERR_FILENO, err);
	EXPECT_EQ(-EISDIR, log_open("/tmp"));
	log_two();
	restore(STDERR_FILENO, saved, err, self->err, sizeof(self->err));
	EXPECT_STREQ("vpmem-vmm: cannot open log /tmp: Is a directory\n"
		     "vpmem-vmm: first\nvpmem-vmm: second\n", self->err);
}

/* Damaged input: an answer, or one line, and nothing read that is not there. */

static bool is_sound(struct _test_data_config *self, enum options_result result)
{
	const char *end = strchr(self->err, '\n');

	if (result != OPTIONS_USAGE)
		return !*self->err;
	return end && !end[1] && !strncmp(self->err, "vpmem-vmm: ", 11);
}

static const char damaged[] =
"{ \"boot-source\": { \"kernel_image_path\": \"k\", \"boot_args\": \"a\\u00e4\" },"
" \"machine-config\": { \"vcpu_count\": 2, \"mem_size_mib\": 64 },"
" \"pmem\": [ { \"path_on_host\": \"a\", \"root_device\": true,"
" \"rate_limiter\": null, \"flush\": \"user\" } ], \"drives\": [],"
" \"metrics\": { \"metrics_path\": \"m\" }, \"logger\": { \"level\": \"Info\" } }";

TEST_F(config, truncated_json)
{
	const char *const args[] = { "--config", self->path, NULL };

	EXPECT_JSON_OK(damaged);
	for (size_t len = 0; len < sizeof(damaged) - 1; len++) {
		write_file(self->path, damaged, len);
		EXPECT_EQ(OPTIONS_USAGE, parse(self, args));
		EXPECT_TRUE(is_sound(self, OPTIONS_USAGE))
			TH_LOG("%zu bytes: %s", len, self->err);
	}
}

TEST_F(config, json_with_wrong_bytes)
{
	const char *const args[] = { "--config", self->path, NULL };
	char text[sizeof(damaged)];
	enum options_result result;

	srandom(1);
	for (int i = 0; i < 2000; i++) {
		memcpy(text, damaged, sizeof(damaged));
		for (int n = random() % 3; n >= 0; n--)
			text[random() % (sizeof(damaged) - 1)] = random();
		write_file(self->path, text, sizeof(damaged) - 1);
		result = parse(self, args);
		EXPECT_TRUE(is_sound(self, result))
			TH_LOG("%s: %s", text, self->err);
	}
}

TEST_F(config, pmem_of_random_pieces)
{
	static const char *const pieces[] = {
		"path=a", "id=", "x", ",", ",,", "=", "root=on", "flush=user",
		"exec=", "inline", "read-only=off", "\n", "\x1b[2J", "\xff",
	};
	char option[256];
	enum options_result result;

	srandom(1);
	for (int i = 0; i < 2000; i++) {
		const char *const args[] = {
			"--kernel", "k", "--pmem", option, NULL
		};

		option[0] = '\0';
		for (int n = random() % 12; n > 0; n--)
			strcat(option, pieces[random() % ARRAY_SIZE(pieces)]);
		result = parse(self, args);
		EXPECT_TRUE(is_sound(self, result))
			TH_LOG("%s: %s", option, self->err);
	}
}

TEST_HARNESS_MAIN
