# SPDX-License-Identifier: GPL-2.0-or-later
# The fuzzers and the objects, relative to the top, that each is made of.

fuzzers		:= ring ring-odd-table config boot device device-wide-table

# Both ring walkers in one program; each has a mem.h.
ring-objs	:= $(addprefix selftests/fuzz/,ring.o ring_kmod.o ring_vmm.o \
		     fake_log.o) selftests/unit/fake_kvm.o \
		   selftests/unit/ring_memory.o kmod/ring.o kmod/request.o \
		   $(addprefix user/vmm/,virtq.o pmem_req.o mem.o)
FUZZ_CFLAGS_kmod/ring.o			:= -I$(TOP)/kmod
FUZZ_CFLAGS_kmod/request.o		:= -I$(TOP)/kmod
FUZZ_CFLAGS_selftests/fuzz/ring_kmod.o	:= -I$(TOP)/kmod -I$(TOP)/selftests/unit
FUZZ_CFLAGS_selftests/unit/ring_memory.o := -I$(TOP)/kmod
vmm-side	:= selftests/unit/fake_kvm selftests/fuzz/ring_vmm \
		   selftests/fuzz/fake_log selftests/fuzz/config \
		   selftests/fuzz/boot selftests/unit/machine
$(foreach obj,$(vmm-side),$(eval FUZZ_CFLAGS_$(obj).o := -iquote $(TOP)/user/vmm))

# Takes an indirect table of any multiple of eight bytes: the fuzzer must see it.
ring-odd-table-objs	:= $(ring-objs)
ring-odd-table-cflags	:= -DVPMEM_MUTANT_ODD_TABLE

config-objs	:= $(addprefix selftests/fuzz/,config.o fake_log.o) \
		   $(addprefix user/vmm/,config.o config_json.o)
config-libs	:= $(shell $(PKG_CONFIG) --libs jansson)

boot-objs	:= $(addprefix selftests/fuzz/,boot.o fake_log.o) \
		   selftests/unit/fake_kvm.o \
		   $(addprefix user/vmm/,linux_boot.o kernel_cache.o unpack.o mem.o)
boot-libs	:= -llzma -lzstd -llz4 -lz -lbz2 -llzo2 -Wl,--wrap=mmap,--wrap=munmap

device-objs	:= $(addprefix selftests/fuzz/,device.o fake_log.o) \
		   $(addprefix selftests/unit/,fake_kvm.o machine.o) \
		   $(addprefix user/vmm/,backing.o bucket.o bus.o landlock.o \
		     loop.o mem.o msix.o pci.o pmem_req.o pmem_user.o thread.o \
		     virtio.o virtio_pci.o virtio_pmem.o virtq.o)
device-libs	:= -lcap -lpthread
FUZZ_CFLAGS_selftests/fuzz/device.o	:= -iquote $(TOP)/user/vmm \
					   -iquote $(TOP)/selftests/unit

# Lets the guest write behind the MSI-X table: the fuzzer must see it.
device-wide-table-objs		:= $(device-objs)
device-wide-table-libs		:= $(device-libs)
device-wide-table-cflags	:= -DVPMEM_MUTANT_WIDE_TABLE
