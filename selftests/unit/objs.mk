# SPDX-License-Identifier: GPL-2.0-or-later
# The sources, as objects relative to the top, that each unit test is built
# with; libraries go into test_NAME-libs, flags of one object into
# CFLAGS_PATH.o.

# libvpmem, with a kernel that the test plays.
libvpmem-objs		:= cmd event extack hist msg name sock
test_libvpmem-objs	:= $(libvpmem-objs:%=user/lib/%.o)
test_libvpmem-libs	:= $(shell $(PKG_CONFIG) --libs libnl-genl-3.0) \
			   -Wl,--wrap=socket,--wrap=bind,--wrap=setsockopt \
			   -Wl,--wrap=sendto,--wrap=recvfrom
$(foreach obj,$(test_libvpmem-objs) selftests/unit/test_libvpmem.o,\
	$(eval CFLAGS_$(obj) := $(shell $(PKG_CONFIG) --cflags libnl-genl-3.0)))

# The ring walkers, both over lib/ring_vectors.h.
test_ring-objs		:= kmod/ring.o kmod/request.o \
			   selftests/unit/ring_memory.o
test_virtq-objs		:= $(addprefix user/vmm/,virtq.o pmem_req.o mem.o log.o) \
			   selftests/unit/fake_kvm.o

# Guest memory.
test_mem-objs		:= $(addprefix user/vmm/,mem.o log.o) \
			   selftests/unit/fake_kvm.o

# The token buckets, both over lib/bucket_tests.h.
test_limit-objs		:= kmod/limit.o
test_bucket-objs	:= user/vmm/bucket.o

# The VMM's devices, in a machine whose KVM the test plays.
machine-objs		:= $(addprefix selftests/unit/,machine.o fake_kvm.o) \
			   $(addprefix user/vmm/,bus.o log.o loop.o mem.o pci.o \
			     msix.o virtio.o virtio_pci.o)
test_backing-objs	:= user/vmm/backing.o user/vmm/log.o
test_pci-objs		:= $(machine-objs)
test_serial-objs	:= $(machine-objs) user/vmm/serial.o
test_virtio_pmem-objs	:= $(machine-objs) $(addprefix user/vmm/,backing.o \
			     bucket.o landlock.o pmem_req.o pmem_user.o thread.o virtio_pmem.o \
			     virtq.o)

# The back end that asks the module, which the test plays.
test_pmem_kernel-objs	:= $(machine-objs) $(addprefix user/vmm/,pmem_kernel.o \
			     pmem_req.o virtq.o)

test_metrics-objs	:= $(test_virtio_pmem-objs) user/vmm/metrics.o \
			   user/lib/hist.o
test_metrics-libs	:= -lcap -lpthread $(shell $(PKG_CONFIG) --libs jansson)

# The control socket.
test_control-objs	:= $(test_metrics-objs) $(addprefix user/vmm/,control.o \
			     pause.o reboot.o serial.o snapshot.o state.o \
			     state_json.o config.o)
test_control-libs	:= $(test_metrics-libs) -lz -Wl,--wrap=backing_sync

# A machine's vCPUs and state, and where that is read from.
test_state-objs		:= $(test_virtio_pmem-objs) $(addprefix user/vmm/,config.o \
			     restore.o serial.o snapshot.o state.o state_json.o)
test_state-libs		:= $(test_metrics-libs) -lz
test_vcpu-objs		:= $(machine-objs) $(addprefix user/vmm/,landlock.o \
			     thread.o vcpu.o)
test_vcpu-libs		:= -lcap -lpthread -Wl,--wrap=ioctl
test_vcpu_state-objs	:= user/vmm/vcpu_state.o
test_vcpu_state-libs	:= -Wl,--wrap=ioctl

# kmod and user/vmm both have a mem.h; whose is meant depends on who is tested.
$(foreach obj,test_virtq test_mem test_backing test_pci test_virtio_pmem test_metrics \
	      test_pmem_kernel test_serial test_control test_state test_vcpu \
	      test_vcpu_state \
	      machine fake_kvm,\
	$(eval CFLAGS_selftests/unit/$(obj).o := -iquote $(TOP)/user/vmm))
test_virtio_pmem-libs	:= -lcap -lpthread -Wl,--wrap=inotify_init1 \
			   -Wl,--wrap=backing_sync,--wrap=backing_dirty_bytes \
			   -Wl,--wrap=virtq_show

# The boot loader.
test_boot-objs		:= $(addprefix user/vmm/,linux_boot.o kernel_cache.o \
			     unpack.o mem.o log.o) selftests/unit/fake_kvm.o
test_boot-libs		:= -llzma -lzstd -llz4 -lz -lbz2 -llzo2
CFLAGS_selftests/unit/test_boot.o := -iquote $(TOP)/user/vmm

# The command line and the JSON file.
test_config-objs	:= $(addprefix user/vmm/,config.o config_json.o options.o \
			     log.o)
test_config-libs	:= $(shell $(PKG_CONFIG) --libs jansson)

# What vpmemctl tells others than people.
test_openmetrics-objs	:= $(addprefix user/ctl/,openmetrics.o json.o fmt.o) \
			   $(addprefix user/lib/,name.o hist.o)
test_openmetrics-libs	:= $(shell $(PKG_CONFIG) --libs jansson)

test_landlock-libs	:= -lpthread
test_landlock-objs	:= user/vmm/landlock.o

test_sandbox-objs	:= $(addprefix user/vmm/,sandbox.o landlock.o log.o)
test_sandbox-libs	:= -lcap $(shell $(PKG_CONFIG) --libs libseccomp)

# Threads; when they give up their rights is in the test's hands.
test_thread-objs	:= user/vmm/thread.o user/vmm/landlock.o
test_thread-libs	:= -lcap -lpthread -Wl,--wrap=cap_set_proc
