// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loading a Linux kernel, its initrd and its boot parameters, by the 64-bit
 * boot protocol of the kernel's Documentation/arch/x86/boot.rst. Every number
 * in an image is a claim to be checked.
 */
#include "config.h"
#include "kernel_cache.h"
#include "layout.h"
#include "linux_boot.h"
#include "log.h"
#include "mem.h"
#include "unpack.h"
#include "util.h"
#include "vm.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SETUP_MAGIC		0x53726448	/* "HdrS" */
#define BOOT_FLAG		0xaa55
#define PROTOCOL_MIN		0x020c		/* with xloadflags */
#define SECTOR			512
#define SETUP_SECTS_DEFAULT	4
#define ENTRY64_OFFSET		0x200
#define LOADER_UNDEFINED	0xff

/* The longest that an unpacked kernel is believed to be; debug data apart. */
#define UNPACKED_MAX		(1 * GIB)
#define KERNEL_FILE_MAX		(4 * GIB)

/* In an image that was unpacked here, the field that a bzImage would have. */
#define INITRD_ADDR_MAX		0x7fffffffull

/**
 * struct image - A kernel or initrd in this process.
 * @path: its file, for messages
 * @st: attributes of its file
 * @data: contents, or a part of them
 * @len: bytes of it
 */
struct image {
	const char *path;
	struct stat st;
	const uint8_t *data;
	size_t len;
};

/**
 * struct loaded - What is known of a kernel that is in RAM.
 * @rip: where to enter it
 * @end: first address behind it
 */
struct loaded {
	uint64_t rip;
	uint64_t end;
};

/* @max: the longest that can be, so that no more is read than will be used. */
static int check_file(const char *what, const char *path, int fd,
		      uint64_t max, struct stat *st)
{
	if (fstat(fd, st)) {
		int err = errno;

		log_error("cannot read %s %s: %s", what, path, strerror(err));
		return -err;
	}
	if (!S_ISREG(st->st_mode)) {
		log_error("%s %s is not a regular file", what, path);
		return -EINVAL;
	}
	if (!st->st_size) {
		log_error("%s %s is empty", what, path);
		return -EINVAL;
	}
	if ((uint64_t)st->st_size > max) {
		log_error("%s %s does not fit: it has %lld bytes, there is room for %llu",
			  what, path, (long long)st->st_size,
			  (unsigned long long)max);
		return -EFBIG;
	}
	return 0;
}

static int image_map(struct image *image, const char *what, int fd)
{
	void *data;

	image->len = image->st.st_size;
	data = mmap(NULL, image->len, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
		    fd, 0);
	if (data == MAP_FAILED) {
		int err = errno;

		log_error("cannot map %s %s: %s", what, image->path,
			  strerror(err));
		return -err;
	}
	image->data = data;
	return 0;
}

static int image_open(struct image *image, const char *what, const char *path,
		      uint64_t max)
{
	/* Non-blocking, as a FIFO would wait for a writer. */
	int fd AUTO_CLOSE = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int err;

	image->path = path;
	image->data = NULL;
	if (fd < 0) {
		err = errno;
		log_error("cannot open %s %s: %s", what, path, strerror(err));
		return -err;
	}
	err = check_file(what, path, fd, max, &image->st);
	return err ?: image_map(image, what, fd);
}

static void image_close(struct image *image)
{
	if (image->data)
		munmap((void *)image->data, image->len);
	image->data = NULL;
}

static int refuse(const struct image *image, const char *why)
{
	log_error("kernel %s: %s", image->path, why);
	return -ENOEXEC;
}

static bool is_within(uint64_t offset, uint64_t len, uint64_t total)
{
	return offset <= total && len <= total - offset;
}

static uint64_t low_ram_end(const struct vm *vm)
{
	return vm->mem.ram_size < LAYOUT_RAM_LOW_MAX ? vm->mem.ram_size :
						      LAYOUT_RAM_LOW_MAX;
}

/* NULL unless it is RAM: devices may write to pmem, a kernel is not put there. */
static void *low_ram(const struct vm *vm, uint64_t gpa, uint64_t len)
{
	if (!is_within(gpa, len, low_ram_end(vm)))
		return NULL;
	return mem_ptr_write(&vm->mem, gpa, len);
}

/* ELF */

static bool is_elf(const struct image *image)
{
	return image->len >= SELFMAG && !memcmp(image->data, ELFMAG, SELFMAG);
}

static int check_elf(const struct image *image, const Elf64_Ehdr *header)
{
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return refuse(image, "not an x86-64 kernel");
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return refuse(image, "an ELF file, but not an executable");
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
	    !is_within(header->e_phoff,
		       (uint64_t)header->e_phnum * sizeof(Elf64_Phdr),
		       image->len))
		return refuse(image, "truncated or damaged: no program headers");
	return 0;
}

static int load_segment(struct vm *vm, const struct image *image,
			const Elf64_Phdr *phdr, struct loaded *loaded)
{
	void *where;

	if (phdr->p_filesz > phdr->p_memsz ||
	    !is_within(phdr->p_offset, phdr->p_filesz, image->len))
		return refuse(image, "truncated or damaged: a segment is not in the file");
	if (phdr->p_paddr < LAYOUT_KERNEL_MIN)
		return refuse(image, "wants to be loaded below 1 MiB");
	where = low_ram(vm, phdr->p_paddr, phdr->p_memsz);
	if (!where)
		return refuse(image, "does not fit into guest RAM; give it more --memory");
	memcpy(where, image->data + phdr->p_offset, phdr->p_filesz);
	if (phdr->p_paddr + phdr->p_memsz > loaded->end)
		loaded->end = phdr->p_paddr + phdr->p_memsz;
	return 0;
}

static int load_elf(struct vm *vm, const struct image *image,
		    struct loaded *loaded)
{
	Elf64_Ehdr header;
	Elf64_Phdr phdr;
	int err;

	if (image->len < sizeof(header))
		return refuse(image, "truncated: shorter than an ELF header");
	memcpy(&header, image->data, sizeof(header));
	err = check_elf(image, &header);
	for (uint32_t i = 0; !err && i < header.e_phnum; i++) {
		memcpy(&phdr, image->data + header.e_phoff + i * sizeof(phdr),
		       sizeof(phdr));
		if (phdr.p_type == PT_LOAD && phdr.p_memsz)
			err = load_segment(vm, image, &phdr, loaded);
	}
	if (err)
		return err;
	loaded->rip = header.e_entry;
	if (!loaded->end || loaded->rip < LAYOUT_KERNEL_MIN ||
	    loaded->rip >= loaded->end)
		return refuse(image, "its entry point is not in it");
	return 0;
}

/* bzImage */

static int check_setup(const struct image *image,
		       const struct setup_header *setup)
{
	if (setup->boot_flag != BOOT_FLAG || setup->header != SETUP_MAGIC)
		return refuse(image, "neither a bzImage nor an ELF kernel");
	if (setup->version < PROTOCOL_MIN)
		return refuse(image, "too old a kernel: its boot protocol is below 2.12");
	if (!(setup->xloadflags & XLF_KERNEL_64))
		return refuse(image, "not a 64-bit kernel");
	return 0;
}

static size_t setup_bytes(const struct setup_header *setup)
{
	return ((setup->setup_sects ?: SETUP_SECTS_DEFAULT) + 1) * SECTOR;
}

/* The payload ends with its unpacked size, whatever the format. */
static int unpacked_size(const struct image *payload, size_t *size)
{
	uint32_t le;

	if (payload->len <= sizeof(le))
		return -EBADMSG;
	memcpy(&le, payload->data + payload->len - sizeof(le), sizeof(le));
	*size = le32toh(le);
	return *size && *size <= UNPACKED_MAX ? 0 : -EBADMSG;
}

/* Returns -ENOENT if there is none that could be used. */
static int load_kept(struct vm *vm, const char *path, size_t len,
		     struct loaded *loaded)
{
	int fd AUTO_CLOSE = kernel_cache_open(path, len);
	struct image kernel = { .path = path, .st.st_size = len };
	int err;

	if (fd < 0)
		return -ENOENT;
	err = image_map(&kernel, "kernel", fd);
	if (err)
		return err;
	log_info("kernel %s was unpacked before", path);
	err = load_elf(vm, &kernel, loaded);
	image_close(&kernel);
	return err;
}

/* @keep: where the result is kept, or NULL */
static int load_anew(struct vm *vm, const struct image *payload, size_t len,
		     const char *keep, struct loaded *loaded)
{
	struct image kernel = { .path = payload->path, .len = len };
	void *out = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (out == MAP_FAILED)
		return refuse(payload, "no memory to unpack it");
	kernel.data = out;
	err = unpack(payload->data, payload->len, out, &kernel.len);
	if (err || kernel.len != len)
		err = refuse(payload, "damaged: it cannot be unpacked");
	else
		err = load_elf(vm, &kernel, loaded);
	if (!err && keep)
		kernel_cache_keep(keep, kernel.data, kernel.len);
	munmap(out, len);
	return err;
}

static int load_unpacked(struct vm *vm, const struct image *payload,
			 struct loaded *loaded)
{
	char *path AUTO_FREE = NULL;
	const char *cache = vm->config->kernel_cache;
	size_t len;
	int err;

	if (unpacked_size(payload, &len))
		return refuse(payload, "truncated or damaged: its unpacked size cannot be");
	if (!cache)
		return load_anew(vm, payload, len, NULL, loaded);
	path = kernel_cache_path(cache, &payload->st, payload->data,
				 payload->len);
	if (!path)
		return refuse(payload, "no memory to unpack it");
	err = load_kept(vm, path, len, loaded);
	if (err != -ENOENT)
		return err;
	return load_anew(vm, payload, len, path, loaded);
}

/* The kernel unpacks itself; needs room for that behind where it is put. */
static int load_packed(struct vm *vm, const struct image *image,
		       const struct setup_header *setup,
		       struct loaded *loaded)
{
	size_t skip = setup_bytes(setup);
	uint64_t gpa = setup->pref_address;
	uint64_t need = setup->init_size;
	void *where;

	if (need < image->len - skip)
		need = image->len - skip;
	where = gpa < LAYOUT_KERNEL_MIN ? NULL : low_ram(vm, gpa, need);
	if (!where)
		return refuse(image, "does not fit into guest RAM; give it more --memory");
	memcpy(where, image->data + skip, image->len - skip);
	loaded->rip = gpa + ENTRY64_OFFSET;
	loaded->end = gpa + need;
	return 0;
}

static int load_bzimage(struct vm *vm, const struct image *image,
			struct setup_header *setup, struct loaded *loaded)
{
	size_t offset = offsetof(struct boot_params, hdr);
	struct image payload = { .path = image->path, .st = image->st };
	int err;

	if (image->len < offset + sizeof(*setup))
		return refuse(image, "neither a bzImage nor an ELF kernel");
	memcpy(setup, image->data + offset, sizeof(*setup));
	err = check_setup(image, setup);
	if (err)
		return err;
	offset = setup_bytes(setup) + (size_t)setup->payload_offset;
	if (!is_within(offset, setup->payload_length, image->len) ||
	    !setup->payload_length)
		return refuse(image, "truncated: its payload is not in the file");
	payload.data = image->data + offset;
	payload.len = setup->payload_length;
	if (unpack_format(payload.data, payload.len))
		return load_unpacked(vm, &payload, loaded);
	log_info("kernel %s is packed in an unknown way and has to unpack itself",
		 image->path);
	return load_packed(vm, image, setup, loaded);
}

/* A kernel that comes without a setup header gets what it would look at. */
static void make_setup(struct setup_header *setup)
{
	*setup = (struct setup_header) {
		.boot_flag = BOOT_FLAG,
		.header = SETUP_MAGIC,
		.version = PROTOCOL_MIN,
		.initrd_addr_max = INITRD_ADDR_MAX,
		.cmdline_size = LAYOUT_CMDLINE_MAX - 1,
		.kernel_alignment = 2 * MIB,
		.loadflags = LOADED_HIGH,
	};
}

static int load_kernel(struct vm *vm, struct setup_header *setup,
		       struct loaded *loaded)
{
	struct image image;
	int err = image_open(&image, "kernel", vm->config->kernel,
			     KERNEL_FILE_MAX);

	if (err)
		return err;
	if (is_elf(&image)) {
		make_setup(setup);
		err = load_elf(vm, &image, loaded);
	} else {
		err = load_bzimage(vm, &image, setup, loaded);
	}
	image_close(&image);
	return err;
}

/* As high as the kernel allows, out of the way of its own allocations. */
static int load_initrd(struct vm *vm, struct setup_header *setup,
		       uint64_t kernel_end)
{
	uint64_t top = low_ram_end(vm);
	struct image image;
	uint64_t gpa;
	int err;

	if (!vm->config->initrd)
		return 0;
	err = image_open(&image, "initrd", vm->config->initrd, top);
	if (err)
		return err;
	if (top > (uint64_t)setup->initrd_addr_max + 1)
		top = (uint64_t)setup->initrd_addr_max + 1;
	gpa = image.len < top ? ALIGN_DOWN(top - image.len, GUEST_PAGE_SIZE) :
				0;
	if (gpa < kernel_end) {
		log_error("initrd %s does not fit into guest RAM; give it more --memory",
			  image.path);
		err = -ENOSPC;
	} else {
		memcpy(low_ram(vm, gpa, image.len), image.data, image.len);
		setup->ramdisk_image = gpa;
		setup->ramdisk_size = image.len;
	}
	image_close(&image);
	return err;
}

static int load_cmdline(struct vm *vm, struct setup_header *setup)
{
	const char *cmdline = vm->config->cmdline;
	size_t max = LAYOUT_CMDLINE_MAX - 1;
	size_t len = strlen(cmdline);

	if (setup->cmdline_size && setup->cmdline_size < max)
		max = setup->cmdline_size;
	if (len > max) {
		log_error("the kernel command line has %zu bytes, this kernel takes %zu",
			  len, max);
		return -E2BIG;
	}
	memcpy(mem_ptr_write(&vm->mem, LAYOUT_CMDLINE, len + 1), cmdline,
	       len + 1);
	setup->cmd_line_ptr = LAYOUT_CMDLINE;
	return 0;
}

static void add_e820(struct boot_params *params, uint64_t start, uint64_t end,
		     uint32_t type)
{
	struct boot_e820_entry *entry;

	if (start >= end)
		return;
	entry = &params->e820_table[params->e820_entries++];
	entry->addr = start;
	entry->size = end - start;
	entry->type = type;
}

#define E820_RAM	1
#define E820_RESERVED	2

static void fill_e820(const struct vm *vm, struct boot_params *params)
{
	uint64_t low = low_ram_end(vm);

	add_e820(params, 0, LAYOUT_EBDA_START, E820_RAM);
	add_e820(params, LAYOUT_ACPI_START, LAYOUT_KERNEL_MIN, E820_RESERVED);
	add_e820(params, LAYOUT_KERNEL_MIN, low, E820_RAM);
	add_e820(params, LAYOUT_ECAM, LAYOUT_ECAM + LAYOUT_ECAM_SIZE,
		 E820_RESERVED);
	add_e820(params, LAYOUT_RAM_HIGH,
		 LAYOUT_RAM_HIGH + (vm->mem.ram_size - low), E820_RAM);
}

static void write_params(struct vm *vm, const struct setup_header *setup)
{
	struct boot_params *params = mem_ptr_write(&vm->mem, LAYOUT_BOOT_PARAMS,
						   sizeof(*params));

	memset(params, 0, sizeof(*params));
	params->hdr = *setup;
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->acpi_rsdp_addr = LAYOUT_ACPI_START;
	fill_e820(vm, params);
}

int linux_boot_load(struct vm *vm, struct boot_entry *entry)
{
	struct loaded loaded = { 0 };
	struct setup_header setup;
	int err;

	err = load_kernel(vm, &setup, &loaded);
	if (!err)
		err = load_initrd(vm, &setup, loaded.end);
	if (!err)
		err = load_cmdline(vm, &setup);
	if (err)
		return err;
	write_params(vm, &setup);
	entry->rip = loaded.rip;
	entry->boot_params = LAYOUT_BOOT_PARAMS;
	return 0;
}
