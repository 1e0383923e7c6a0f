// SPDX-License-Identifier: GPL-2.0-or-later
/* The boot loader: good kernels in each packing, and every wrong one refused. */
#include "config.h"
#include "layout.h"
#include "linux_boot.h"
#include "mem.h"
#include "vm.h"

#include <asm/bootparam.h>
#include <bzlib.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "kselftest_harness.h"

#define RAM_BYTES	(64 * MIB)
#define KERNEL_GPA	(16 * MIB)
#define CODE_BYTES	8192
#define BSS_BYTES	4096
#define IMAGE_MAX	65536
#define SETUP_SECTS	2
#define PAYLOAD_AT	0x40

/* An ELF kernel with one segment. */
struct elf {
	Elf64_Ehdr header;
	Elf64_Phdr phdr;
	uint8_t code[CODE_BYTES];
};

FIXTURE(boot) {
	struct config config;
	struct vm vm;
	struct boot_entry entry;
	struct elf elf;
	uint8_t image[IMAGE_MAX];
	size_t image_len;
	char kernel[32];
	char initrd[32];
	char message[1024];
};

static void make_elf(struct elf *elf)
{
	memset(elf, 0, sizeof(*elf));
	memcpy(elf->header.e_ident, ELFMAG, SELFMAG);
	elf->header.e_ident[EI_CLASS] = ELFCLASS64;
	elf->header.e_ident[EI_DATA] = ELFDATA2LSB;
	elf->header.e_type = ET_EXEC;
	elf->header.e_machine = EM_X86_64;
	elf->header.e_entry = KERNEL_GPA + 0x100;
	elf->header.e_phoff = offsetof(struct elf, phdr);
	elf->header.e_phentsize = sizeof(Elf64_Phdr);
	elf->header.e_phnum = 1;
	elf->phdr.p_type = PT_LOAD;
	elf->phdr.p_offset = offsetof(struct elf, code);
	elf->phdr.p_paddr = KERNEL_GPA;
	elf->phdr.p_filesz = CODE_BYTES;
	elf->phdr.p_memsz = CODE_BYTES + BSS_BYTES;
	for (size_t i = 0; i < CODE_BYTES; i++)
		elf->code[i] = i * 7 + i / 256;
}

static bool make_file(char *path, const char *template)
{
	int fd;

	strcpy(path, template);
	fd = mkstemp(path);
	close(fd);
	return fd >= 0;
}

static bool set_up(struct _test_data_boot *self)
{
	memset(&self->vm, 0, sizeof(self->vm));
	self->config = (struct config) {
		.kernel = self->kernel,
		.cmdline = (char *)"console=ttyS0 quiet",
		.memory_bytes = RAM_BYTES,
		.cpus = 1,
	};
	self->vm.config = &self->config;
	make_elf(&self->elf);
	self->image_len = sizeof(self->elf);
	memcpy(self->image, &self->elf, self->image_len);
	return make_file(self->kernel, "/tmp/vpmem-kernel-XXXXXX") &&
	       make_file(self->initrd, "/tmp/vpmem-initrd-XXXXXX") &&
	       !mem_init(&self->vm.mem, NULL, RAM_BYTES);
}

static void tear_down(struct _test_data_boot *self)
{
	mem_exit(&self->vm.mem);
	unlink(self->kernel);
	unlink(self->initrd);
}

FIXTURE_SETUP(boot)
{
	ASSERT_TRUE(set_up(self));
}

FIXTURE_TEARDOWN(boot)
{
	tear_down(self);
}

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (write(fd, data, len) != (ssize_t)len)
		perror(path);
	close(fd);
}

/* Loads with stderr in a file, so that its lines can be counted. */
static int load(struct _test_data_boot *self)
{
	FILE *capture = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t len;
	int err;

	dup2(fileno(capture), STDERR_FILENO);
	err = linux_boot_load(&self->vm, &self->entry);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(capture);
	len = fread(self->message, 1, sizeof(self->message) - 1, capture);
	self->message[len] = '\0';
	fclose(capture);
	return err;
}

static int load_image(struct _test_data_boot *self)
{
	write_file(self->kernel, self->image, self->image_len);
	return load(self);
}

static int load_elf(struct _test_data_boot *self)
{
	memcpy(self->image, &self->elf, sizeof(self->elf));
	return load_image(self);
}

static bool is_one_line(const char *message)
{
	const char *end = strchr(message, '\n');

	return end && !end[1] && !strncmp(message, "vpmem-vmm: ", 11);
}

#define EXPECT_REFUSED(words, call) do {				\
	EXPECT_GT(0, (call));						\
	EXPECT_TRUE(is_one_line(self->message))				\
		TH_LOG("said: %s", self->message);			\
	EXPECT_NE(NULL, strstr(self->message, words))			\
		TH_LOG("said: %s", self->message);			\
} while (0)

static bool is_loaded(struct _test_data_boot *self)
{
	const uint8_t *ram = mem_ptr(&self->vm.mem, KERNEL_GPA,
				     CODE_BYTES + BSS_BYTES);

	for (size_t i = 0; i < BSS_BYTES; i++) {
		if (ram[CODE_BYTES + i])
			return false;
	}
	return !memcmp(ram, self->elf.code, CODE_BYTES) &&
	       self->entry.rip == KERNEL_GPA + 0x100;
}

static const struct boot_params *params_of(struct _test_data_boot *self)
{
	return mem_ptr(&self->vm.mem, self->entry.boot_params,
		       sizeof(struct boot_params));
}

TEST_F(boot, elf_kernel)
{
	const struct boot_params *params;

	ASSERT_EQ(0, load_elf(self)) TH_LOG("%s", self->message);
	EXPECT_STREQ("", self->message);
	EXPECT_TRUE(is_loaded(self));
	params = params_of(self);
	EXPECT_EQ(0xff, params->hdr.type_of_loader);
	EXPECT_EQ(LAYOUT_ACPI_START, params->acpi_rsdp_addr);
	EXPECT_STREQ(self->config.cmdline,
		     mem_ptr(&self->vm.mem, params->hdr.cmd_line_ptr, 64));
	EXPECT_EQ(0, params->hdr.ramdisk_size);
}

TEST_F(boot, memory_map_leaves_out_what_is_no_ram)
{
	uint64_t ram = 0;

	ASSERT_EQ(0, load_elf(self));
	for (int i = 0; i < params_of(self)->e820_entries; i++) {
		const struct boot_e820_entry *entry =
			&params_of(self)->e820_table[i];

		if (entry->type != 1)
			continue;
		ram += entry->size;
		EXPECT_TRUE(entry->addr + entry->size <= LAYOUT_EBDA_START ||
			    entry->addr >= LAYOUT_KERNEL_MIN);
	}
	EXPECT_EQ(RAM_BYTES - (LAYOUT_KERNEL_MIN - LAYOUT_EBDA_START), ram);
}

TEST_F(boot, initrd_is_at_the_top_of_memory)
{
	static uint8_t data[10000];
	const struct boot_params *params;

	memset(data, 0x3c, sizeof(data));
	write_file(self->initrd, data, sizeof(data));
	self->config.initrd = self->initrd;
	ASSERT_EQ(0, load_elf(self));
	params = params_of(self);
	EXPECT_EQ(sizeof(data), params->hdr.ramdisk_size);
	EXPECT_EQ(0, params->hdr.ramdisk_image % 4096);
	EXPECT_LE(RAM_BYTES - 4 * 4096, params->hdr.ramdisk_image);
	EXPECT_EQ(0, memcmp(data, mem_ptr(&self->vm.mem,
					  params->hdr.ramdisk_image,
					  sizeof(data)), sizeof(data)));
}

/* A bzImage around a payload that is in the fixture's image already. */
static void make_bzimage(struct _test_data_boot *self, const void *payload,
			 size_t len)
{
	size_t start = (SETUP_SECTS + 1) * 512 + PAYLOAD_AT;
	uint32_t size = sizeof(self->elf);
	struct setup_header setup = {
		.setup_sects = SETUP_SECTS,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x020f,
		.xloadflags = XLF_KERNEL_64,
		.initrd_addr_max = 0x7fffffff,
		.cmdline_size = 2047,
		.payload_offset = PAYLOAD_AT,
		.payload_length = len + sizeof(size),
		.pref_address = KERNEL_GPA,
		.init_size = 0x100000,
	};

	memset(self->image, 0, sizeof(self->image));
	memcpy(self->image + offsetof(struct boot_params, hdr), &setup,
	       sizeof(setup));
	memcpy(self->image + start, payload, len);
	memcpy(self->image + start + len, &size, sizeof(size));
	self->image_len = start + len + sizeof(size);
}

static size_t pack_gzip(const void *in, size_t len, uint8_t *out, size_t room)
{
	z_stream stream = { .next_in = (void *)in, .avail_in = len,
			    .next_out = out, .avail_out = room };

	deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	return stream.total_out;
}

static size_t pack_xz(const void *in, size_t len, uint8_t *out, size_t room)
{
	size_t used = 0;

	lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, in, len, out, &used,
				room);
	return used;
}

static size_t pack_lzma(const void *in, size_t len, uint8_t *out, size_t room)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	lzma_lzma_preset(&options, 6);
	if (lzma_alone_encoder(&stream, &options) != LZMA_OK)
		return 0;
	stream.next_in = in;
	stream.avail_in = len;
	stream.next_out = out;
	stream.avail_out = room;
	if (lzma_code(&stream, LZMA_FINISH) != LZMA_STREAM_END)
		stream.total_out = 0;
	lzma_end(&stream);
	return stream.total_out;
}

static size_t pack_bzip2(const void *in, size_t len, uint8_t *out, size_t room)
{
	unsigned int used = room;

	BZ2_bzBuffToBuffCompress((char *)out, &used, (char *)in, len, 9, 0, 0);
	return used;
}

static size_t pack_zstd(const void *in, size_t len, uint8_t *out, size_t room)
{
	return ZSTD_compress(out, room, in, len, 3);
}

static size_t pack_lz4(const void *in, size_t len, uint8_t *out, size_t room)
{
	uint32_t magic = 0x184c2102;
	uint32_t block = LZ4_compress_default(in, (char *)out + 8, len,
					      room - 8);

	memcpy(out, &magic, 4);
	memcpy(out + 4, &block, 4);
	return block + 8;
}

static uint8_t *put_number(uint8_t *at, uint32_t number, int bytes)
{
	while (bytes--)
		*at++ = number >> 8 * bytes;
	return at;
}

/* What lzop writes: a header, a block that shrank and one that did not. */
static size_t pack_lzo(const void *in, size_t len, uint8_t *out, size_t room)
{
	static uint8_t work[LZO1X_1_MEM_COMPRESS] __attribute__((aligned(16)));
	const size_t stored = 100, half = len - stored;
	const uint8_t *rest = (const uint8_t *)in + half;
	uint8_t *at = out;
	lzo_uint packed = room - 256;
	uint8_t *size_at;

	memcpy(at, "\x89LZO\0\r\n\x1a\n", 9);
	at = put_number(at + 9, 0x1030, 2);
	at = put_number(at, 0x2080, 2);
	at = put_number(at, 0x0940, 2);
	at = put_number(at, 0x0105, 2);
	at = put_number(at, 0x00000303, 4);	/* all checksums */
	memset(at, 0, 12);
	*(at + 12) = 3;
	memcpy(at + 13, "elf\0\0\0", 7);
	at = put_number(at + 20, half, 4);
	size_at = at;
	at = put_number(at + 4, adler32(1, in, half), 4);
	at = put_number(at, crc32(0, in, half), 4);
	at = put_number(at, 0, 4);
	at = put_number(at, 0, 4);
	if (lzo1x_1_compress(in, half, at, &packed, work) != LZO_E_OK)
		return 0;
	put_number(size_at, packed, 4);
	at = put_number(at + packed, stored, 4);
	at = put_number(at, stored, 4);
	at = put_number(at, adler32(1, rest, stored), 4);
	at = put_number(at, crc32(0, rest, stored), 4);
	memcpy(at, rest, stored);
	return put_number(at + stored, 0, 4) - out;
}

static const struct packing {
	const char *name;
	size_t (*pack)(const void *in, size_t len, uint8_t *out, size_t room);
	bool has_checksum;
} packings[] = {
	{ "gzip", pack_gzip, true },
	{ "xz", pack_xz, true },
	{ "lzma", pack_lzma, false },
	{ "bzip2", pack_bzip2, true },
	{ "zstd", pack_zstd, false },
	{ "lz4", pack_lz4, false },
	{ "lzo", pack_lzo, true },
};

#define NR_PACKINGS	(sizeof(packings) / sizeof(packings[0]))

TEST_F(boot, bzimage_in_each_packing)
{
	static uint8_t packed[IMAGE_MAX / 2];

	for (size_t i = 0; i < NR_PACKINGS; i++) {
		size_t len = packings[i].pack(&self->elf, sizeof(self->elf),
					      packed, sizeof(packed));

		ASSERT_LT(0, len);
		make_bzimage(self, packed, len);
		memset(mem_ptr(&self->vm.mem, KERNEL_GPA, CODE_BYTES), 0xee,
		       CODE_BYTES);
		EXPECT_EQ(0, load_image(self))
			TH_LOG("%s: %s", packings[i].name, self->message);
		EXPECT_TRUE(is_loaded(self)) TH_LOG("%s", packings[i].name);
	}
}

TEST_F(boot, damaged_payload_in_each_packing)
{
	static uint8_t packed[IMAGE_MAX / 2];

	for (size_t i = 0; i < NR_PACKINGS; i++) {
		size_t len = packings[i].pack(&self->elf, sizeof(self->elf),
					      packed, sizeof(packed));

		/* Cut in the middle: the stream has no end. */
		make_bzimage(self, packed, len / 2);
		EXPECT_REFUSED("damaged", load_image(self));
		if (!packings[i].has_checksum)
			continue;
		memset(packed + len / 3, 0xff, len / 3);
		make_bzimage(self, packed, len);
		EXPECT_REFUSED("damaged", load_image(self));
	}
}

TEST_F(boot, bzimage_of_unknown_packing_unpacks_itself)
{
	static const uint8_t payload[64] = { 0x89, 0x4c, 0x5a };

	make_bzimage(self, payload, sizeof(payload));
	ASSERT_EQ(0, load_image(self)) TH_LOG("%s", self->message);
	EXPECT_EQ(KERNEL_GPA + 0x200, self->entry.rip);
	EXPECT_EQ(0, memcmp(payload, mem_ptr(&self->vm.mem,
					     KERNEL_GPA + PAYLOAD_AT,
					     sizeof(payload)),
			    sizeof(payload)));
}

/* Kernels that were unpacked before */

FIXTURE(kept) {
	struct _test_data_boot boot;
	char dir[32];
	char path[PATH_MAX];
};

/* The one that there is in the directory; how many there are. */
static int find_kept(struct _test_data_kept *self)
{
	glob_t found;
	int count;
	char pattern[64];

	snprintf(pattern, sizeof(pattern), "%s/vmlinux-*", self->dir);
	if (glob(pattern, 0, NULL, &found))
		return 0;
	count = found.gl_pathc;
	snprintf(self->path, sizeof(self->path), "%s", found.gl_pathv[0]);
	globfree(&found);
	return count;
}

static void write_bzimage(struct _test_data_boot *boot)
{
	static uint8_t packed[IMAGE_MAX / 2];
	size_t len = pack_gzip(&boot->elf, sizeof(boot->elf), packed,
			       sizeof(packed));

	make_bzimage(boot, packed, len);
	write_file(boot->kernel, boot->image, boot->image_len);
}

/* As nobody would: so that it can be told from what is packed. */
static void change_kept(struct _test_data_kept *self, mode_t mode)
{
	struct elf elf = self->boot.elf;

	elf.code[0] ^= 0xff;
	chmod(self->path, 0600);
	write_file(self->path, &elf, sizeof(elf));
	chmod(self->path, mode);
}

static bool is_kept_loaded(struct _test_data_kept *self)
{
	bool is_it;

	self->boot.elf.code[0] ^= 0xff;
	is_it = is_loaded(&self->boot);
	self->boot.elf.code[0] ^= 0xff;
	return is_it;
}

FIXTURE_SETUP(kept)
{
	ASSERT_TRUE(set_up(&self->boot));
	strcpy(self->dir, "/tmp/vpmem-cache-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	self->boot.config.kernel_cache = self->dir;
	write_bzimage(&self->boot);
	ASSERT_EQ(0, load(&self->boot));
	ASSERT_TRUE(is_loaded(&self->boot));
	ASSERT_STREQ("", self->boot.message);
	ASSERT_EQ(1, find_kept(self));
}

FIXTURE_TEARDOWN(kept)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
	tear_down(&self->boot);
}

TEST_F(kept, kernel_is_loaded_the_next_time)
{
	struct stat st;

	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0400, st.st_mode & 07777);
	EXPECT_EQ(sizeof(self->boot.elf), st.st_size);
	change_kept(self, 0400);
	ASSERT_EQ(0, load(&self->boot));
	EXPECT_TRUE(is_kept_loaded(self));
	EXPECT_STREQ("", self->boot.message);
}

TEST_F(kept, kernel_of_another_file_is_another)
{
	change_kept(self, 0400);
	usleep(20000);	/* a tick, so that the time of change differs */
	self->boot.elf.code[1] ^= 0xff;
	write_bzimage(&self->boot);
	ASSERT_EQ(0, load(&self->boot));
	EXPECT_TRUE(is_loaded(&self->boot));
	EXPECT_EQ(2, find_kept(self));
}

#define UNTRUSTED \
	" is not used: it has another owner or length, or others can write it; remove it"

/* Not used, said so, and the VM starts all the same. */
#define EXPECT_IGNORED(words) do {					\
	EXPECT_EQ(0, load(&self->boot));				\
	EXPECT_TRUE(is_loaded(&self->boot));				\
	EXPECT_TRUE(is_one_line(self->boot.message));			\
	EXPECT_NE(NULL, strstr(self->boot.message, words))		\
		TH_LOG("said: %s", self->boot.message);			\
} while (0)

TEST_F(kept, kernel_that_others_can_write_is_ignored)
{
	change_kept(self, 0420);
	EXPECT_IGNORED(UNTRUSTED);
	change_kept(self, 0402);
	EXPECT_IGNORED(UNTRUSTED);
}

TEST_F(kept, kernel_of_another_owner_is_ignored)
{
	if (geteuid())
		SKIP(return, "needs to be root");
	change_kept(self, 0400);
	ASSERT_EQ(0, chown(self->path, 65534, 65534));
	EXPECT_IGNORED(UNTRUSTED);
}

TEST_F(kept, what_is_no_kernel_of_that_length_is_ignored)
{
	ASSERT_EQ(0, truncate(self->path, sizeof(self->boot.elf) - 1));
	EXPECT_IGNORED(UNTRUSTED);
	ASSERT_EQ(0, unlink(self->path));
	ASSERT_EQ(0, symlink(self->boot.kernel, self->path));
	EXPECT_IGNORED("cannot open");
	ASSERT_EQ(0, unlink(self->path));
	ASSERT_EQ(0, mkfifo(self->path, 0400));
	EXPECT_IGNORED(UNTRUSTED);
}

TEST_F(kept, damaged_kernel_is_named)
{
	static const struct elf zeros;

	chmod(self->path, 0600);
	write_file(self->path, &zeros, sizeof(zeros));
	EXPECT_GT(0, load(&self->boot));
	EXPECT_TRUE(is_one_line(self->boot.message));
	EXPECT_NE(NULL, strstr(self->boot.message, self->path));
}

TEST_F(kept, kernel_that_cannot_be_kept_starts_all_the_same)
{
	self->boot.config.kernel_cache = (char *)"/nonexistent/cache";
	EXPECT_IGNORED("kernel cache: cannot write to /nonexistent/cache: ");
}

TEST_F(boot, bzimage_truncated_at_every_length)
{
	static uint8_t packed[IMAGE_MAX / 2];
	size_t len = pack_gzip(&self->elf, sizeof(self->elf), packed,
			       sizeof(packed));
	size_t whole;

	make_bzimage(self, packed, len);
	whole = self->image_len;
	for (size_t cut = 1; cut < whole; cut += cut < 2000 ? 1 : 97) {
		self->image_len = cut;
		EXPECT_REFUSED("kernel ", load_image(self));
	}
}

TEST_F(boot, elf_truncated_at_every_length)
{
	for (size_t cut = 1; cut < sizeof(self->elf);
	     cut += cut < 200 ? 1 : 97) {
		self->image_len = cut;
		EXPECT_REFUSED("kernel ", load_image(self));
	}
}

TEST_F(boot, files_that_are_no_kernel)
{
	self->image_len = 0;
	EXPECT_REFUSED("is empty", load_image(self));
	self->image_len = 5000;
	memset(self->image, 'x', self->image_len);
	EXPECT_REFUSED("neither a bzImage nor an ELF", load_image(self));
	self->config.kernel = (char *)"/tmp";
	EXPECT_REFUSED("not a regular file", load(self));
	self->config.kernel = (char *)"/nonexistent/kernel";
	EXPECT_REFUSED("No such file", load(self));
}

TEST_F(boot, elf_headers_that_lie)
{
	self->elf.header.e_machine = EM_AARCH64;
	EXPECT_REFUSED("not an x86-64 kernel", load_elf(self));
	make_elf(&self->elf);
	self->elf.header.e_ident[EI_CLASS] = ELFCLASS32;
	EXPECT_REFUSED("not an x86-64 kernel", load_elf(self));
	make_elf(&self->elf);
	self->elf.header.e_type = ET_REL;
	EXPECT_REFUSED("an ELF file, but not an executable", load_elf(self));
	make_elf(&self->elf);
	self->elf.header.e_phoff = UINT64_MAX - 8;
	EXPECT_REFUSED("truncated or damaged: no program headers",
		       load_elf(self));
	make_elf(&self->elf);
	self->elf.header.e_phnum = 0xffff;
	EXPECT_REFUSED("truncated or damaged: no program headers",
		       load_elf(self));
	make_elf(&self->elf);
	self->elf.header.e_entry = KERNEL_GPA - 1;
	self->elf.header.e_entry = RAM_BYTES;
	EXPECT_REFUSED("its entry point is not in it", load_elf(self));
}

TEST_F(boot, elf_segments_that_lie)
{
	self->elf.phdr.p_offset = UINT64_MAX;
	EXPECT_REFUSED("segment", load_elf(self));
	make_elf(&self->elf);
	self->elf.phdr.p_filesz = sizeof(self->elf);
	self->elf.phdr.p_memsz = sizeof(self->elf);
	EXPECT_REFUSED("segment", load_elf(self));
	make_elf(&self->elf);
	self->elf.phdr.p_memsz = CODE_BYTES - 1;
	EXPECT_REFUSED("segment", load_elf(self));
	make_elf(&self->elf);
	self->elf.phdr.p_paddr = 0x1000;
	EXPECT_REFUSED("wants to be loaded below 1 MiB", load_elf(self));
	make_elf(&self->elf);
	self->elf.phdr.p_paddr = RAM_BYTES - 4096;
	EXPECT_REFUSED("more --memory", load_elf(self));
	make_elf(&self->elf);
	self->elf.phdr.p_paddr = UINT64_MAX - 4095;
	EXPECT_REFUSED("more --memory", load_elf(self));
	make_elf(&self->elf);
	self->elf.phdr.p_memsz = UINT64_MAX;
	EXPECT_REFUSED("more --memory", load_elf(self));
}

static struct setup_header *setup_of(struct _test_data_boot *self)
{
	return (void *)(self->image + offsetof(struct boot_params, hdr));
}

TEST_F(boot, setup_headers_that_lie)
{
	static uint8_t packed[IMAGE_MAX / 2];
	size_t len = pack_gzip(&self->elf, sizeof(self->elf), packed,
			       sizeof(packed));

	make_bzimage(self, packed, len);
	setup_of(self)->version = 0x0204;
	EXPECT_REFUSED("too old a kernel: its boot protocol is below 2.12",
		       load_image(self));
	make_bzimage(self, packed, len);
	setup_of(self)->xloadflags = 0;
	EXPECT_REFUSED("not a 64-bit kernel", load_image(self));
	make_bzimage(self, packed, len);
	setup_of(self)->payload_offset = 0xffffffff;
	EXPECT_REFUSED("payload", load_image(self));
	make_bzimage(self, packed, len);
	setup_of(self)->payload_length = 0xffffffff;
	EXPECT_REFUSED("payload", load_image(self));
	make_bzimage(self, packed, len);
	setup_of(self)->payload_length = 0;
	EXPECT_REFUSED("payload", load_image(self));
	make_bzimage(self, packed, len);
	memset(self->image + self->image_len - 4, 0xff, 4);
	EXPECT_REFUSED("truncated or damaged: its unpacked size cannot be",
		       load_image(self));
}

#define DISK_BYTES	(2 * MIB)

/* What would be loaded to a device would be in the user's file. */
TEST_F(boot, kernel_is_not_loaded_to_a_disk)
{
	static uint8_t disk[DISK_BYTES] __attribute__((aligned(4096)));
	static const uint8_t zeros[DISK_BYTES], payload[64] = { 0x89, 0x4c, 0x5a };

	ASSERT_EQ(0, mem_add(&self->vm.mem, LAYOUT_RAM_HIGH, DISK_BYTES, disk,
			     MEM_PMEM));
	self->elf.phdr.p_paddr = LAYOUT_RAM_HIGH;
	self->elf.header.e_entry = LAYOUT_RAM_HIGH + 0x100;
	EXPECT_REFUSED("more --memory", load_elf(self));
	make_bzimage(self, payload, sizeof(payload));
	setup_of(self)->pref_address = LAYOUT_RAM_HIGH;
	EXPECT_REFUSED("more --memory", load_image(self));
	EXPECT_EQ(0, memcmp(disk, zeros, sizeof(disk)));
	mem_del(&self->vm.mem, LAYOUT_RAM_HIGH);
}

TEST_F(boot, initrd_that_cannot_be)
{
	self->config.initrd = self->initrd;
	EXPECT_REFUSED("is empty", load_elf(self));
	ASSERT_EQ(0, truncate(self->initrd, RAM_BYTES));
	EXPECT_REFUSED("more --memory", load_elf(self));
	ASSERT_EQ(0, truncate(self->initrd, RAM_BYTES - KERNEL_GPA));
	EXPECT_REFUSED(" does not fit into guest RAM; give it more --memory",
		       load_elf(self));
	self->config.initrd = (char *)"/nonexistent/initrd";
	EXPECT_REFUSED("No such file", load_elf(self));
}

TEST_F(boot, command_line_too_long)
{
	static char cmdline[LAYOUT_CMDLINE_MAX + 1];

	memset(cmdline, 'x', sizeof(cmdline) - 1);
	self->config.cmdline = cmdline;
	EXPECT_REFUSED("the kernel command line has 65536 bytes, this kernel takes ",
		       load_elf(self));
}

TEST_HARNESS_MAIN
