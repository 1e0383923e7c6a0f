# SPDX-License-Identifier: GPL-2.0-or-later
# Builds, installs and tests everything; all output goes to $(O).

TOP		:= $(CURDIR)
O		?= $(TOP)/build
override O	:= $(abspath $(O))
V		?= 0
export O V

PREFIX		?= /usr/local
SETUP		:= $(TOP)/selftests/qemu/setup.sh
# The kernels that the tests run on.
KVERS		:= 6.1 6.12

ifeq ($(V),1)
Q		:=
else
Q		:= @
MAKEFLAGS	+= --no-print-directory
endif

.PHONY: help
help:
	@echo 'Build:'
	@echo '  all           module for the running kernel if its headers are here, and user'
	@echo '  module        vpmem.ko; for the running kernel, for the headers in KDIR=, or'
	@echo '                for KVER=6.1|6.12 from Debian packages that are fetched, or'
	@echo '                for KVER=6.1-kasan|6.1-kcsan, which are built first'
	@echo '  user          libvpmem, vpmemctl, vpmem-vmm'
	@echo '  spec          regenerate the netlink code from Documentation/netlink/specs'
	@echo '  install       header, library, programs, manual pages, and the module if it'
	@echo '                was built (PREFIX=, DESTDIR=); uninstall takes them away again'
	@echo '  clean         remove $$(O); distclean also the fetched kernels and sources'
	@echo 'Run:'
	@echo '  setup         install the Debian packages that all of this needs'
	@echo '  demo          see it work, end to end, in a virtual machine'
	@echo '  check         all tests but the longest;'
	@echo '                check-static, check-unit, check-fuzz, check-vm: a part'
	@echo '                (KVER=6.1|6.12 for one kernel, TESTS="name ..." for some tests)'
	@echo '  check-newest  build the module for the newest kernel in Debian; needs root'
	@echo '  coverage      what the netlink tests reach of the module'
	@echo '  check-long    tests on debug kernels, fuzzers for minutes; hours'
	@echo '                (KVER=6.1-kasan|6.1-kcsan, TESTS=, FUZZ_SECONDS=)'
	@echo '  bench         what a flush costs, beside other ways to serve it; an hour'
	@echo '                (KVER=, ROWS="name ..." for some rows, RUNS=, COUNT=)'
	@echo 'Variables:'
	@echo '  O=DIR         output directory, default build/'
	@echo '  V=1           show commands and all test output'
	@echo '  W=1, C=2, LLVM=1, KCFLAGS=  as in the kernel, for the module'
	@echo '  SANITIZE=1    build user with address and undefined-behaviour checks'
	@echo '  STATIC=0      link vpmem-vmm with shared libraries'
	@echo '  LTO=0         optimize each file of vpmem-vmm by itself'

.PHONY: all
all: user
ifneq ($(wildcard /lib/modules/$(shell uname -r)/build),)
all: module
endif

.PHONY: setup
setup:
	$(Q)$(SETUP) host

# -- the module

# Kernel headers: KDIR, else those of series KVER, else the running kernel's.
ifneq ($(filter module module_% modules_% mutants,$(MAKECMDGOALS)),)
ifneq ($(KVER),)
KDIR		:= $(shell $(SETUP) kernel $(KVER))/build
endif
endif
KDIR		?= /lib/modules/$(shell uname -r)/build

# kbuild writes next to the sources. A tree of links for each kernel, compiler
# and mutant keeps objects out of ours and lets all of them be built at once.
UTSRELEASE	:= include/generated/utsrelease.h
KRELEASE	= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/$(UTSRELEASE) 2>/dev/null)
MODULE		= $(O)/module/$(KRELEASE)$(if $(LLVM),-llvm)$(if $(MUTANT),-$(MUTANT))$(if $(COVERAGE),-gcov)

# A mutant is the module with one rule broken on purpose, to see that a test
# notices: MUTANT=skip-sync defines VPMEM_MUTANT_SKIP_SYNC.
#	skip-sync	flushes are acknowledged without a sync
#	late-batch	a sync also acknowledges what came while it ran
#	signal-in-wake	an eventfd is signalled from another's wake callback
#	lock-order	guest memory's lock is taken inside of the address space's
#	use-after-free	a device is written to after it was freed
#	leak		a device's memory table is never freed
#	lose-error	write-behind takes a write error for itself
#	keep-charge	a device that cannot be made counts against its user
#	race		a kick reads who serves as if nobody else wrote it
ifneq ($(MUTANT),)
mutant-flag	:= -DVPMEM_MUTANT_$(shell echo '$(MUTANT)' | tr a-z- A-Z_)
endif
ALL_MUTANTS	= $(shell grep -rhoE 'VPMEM_MUTANT_[A-Z0-9_]+' kmod | sort -u | \
			sed 's/VPMEM_MUTANT_//' | tr A-Z_ a-z-)

# Those that only a debug kernel finds out are built for such alone.
MUTANTS-every	:= late-batch lose-error
MUTANTS-kasan	:= lock-order use-after-free leak keep-charge
MUTANTS-kcsan	:= race
MUTANTS-	= $(filter-out $(MUTANTS-every) $(MUTANTS-kasan) $(MUTANTS-kcsan),$(ALL_MUTANTS))
MUTANTS		= $(MUTANTS-every) $(MUTANTS-$(word 2,$(subst -, ,$(KVER))))

# O= would mean the kernel's own output directory to kbuild. Kernels with KCOV
# tell a fuzzer what it reached of the module; COVERAGE=1 counts it with gcov, and
# leaves out what sanitizers would add: branches that are not in the source.
kbuild		= $(MAKE) -C $(KDIR) M=$(MODULE) O= KCOV_INSTRUMENT=y \
		  $(if $(COVERAGE),GCOV_PROFILE=y KASAN_SANITIZE=n UBSAN_SANITIZE=n) \
		  KCFLAGS='$(strip $(KCFLAGS) $(mutant-flag))'

.PHONY: module
module:
	$(Q)test -e $(KDIR)/$(UTSRELEASE) || \
		{ echo 'no kernel headers in $(KDIR): install them, or use KVER=6.1' >&2; exit 1; }
	$(Q)mkdir -p $(MODULE)
	$(Q)cp -asf $(TOP)/Kbuild $(TOP)/kmod $(MODULE)/
	$(Q)find $(MODULE) -xtype l -delete
	$(Q)+$(kbuild) modules
	$(Q)ln -sf kmod/vpmem.ko $(MODULE)/vpmem.ko

.PHONY: mutants
mutants:
	$(Q)for mutant in $(MUTANTS); do \
		$(MAKE) module MUTANT=$$mutant || exit 1; done

.PHONY: modules_install
modules_install: module
	$(Q)+$(kbuild) INSTALL_MOD_PATH=$(DESTDIR) modules_install

# -- user space

USER_DIRS	:= user/lib user/ctl user/vmm
INSTALL_DIRS	:= $(USER_DIRS) $(patsubst %/Makefile,%,$(wildcard Documentation/man/Makefile))

.PHONY: user
user:
	$(Q)for dir in $(USER_DIRS); do $(MAKE) -C $$dir all || exit 1; done

.PHONY: install
install: user
	$(Q)for dir in $(INSTALL_DIRS); do \
		$(MAKE) -C $$dir install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) || exit 1; done
	$(Q)if [ -e $(MODULE)/vpmem.ko ]; then \
		$(MAKE) modules_install DESTDIR=$(DESTDIR); fi

.PHONY: uninstall
uninstall:
	$(Q)for dir in $(INSTALL_DIRS); do \
		$(MAKE) -C $$dir uninstall PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) || exit 1; done
	$(Q)rm -f $(DESTDIR)/lib/modules/$(KRELEASE)/*/kmod/vpmem.ko*

# -- generated code

.PHONY: spec
spec:
	$(Q)source=$$($(SETUP) source) && \
		Documentation/netlink/regen.sh "$$source" $(TOP)/kmod

# -- tests

.PHONY: check check-static check-unit check-fuzz check-vm check-long
check:
	$(Q)selftests/run.sh static unit fuzz vm
check-static check-unit check-fuzz check-vm check-long: check-%:
	$(Q)selftests/run.sh $*

# The kernel is newer than this machine's compiler and C library.
.PHONY: check-newest
check-newest:
	$(Q)selftests/static/newest.sh

.PHONY: coverage
coverage:
	$(Q)selftests/coverage.sh

.PHONY: bench
bench:
	$(Q)selftests/perf/run.sh

.PHONY: demo
demo:
	$(Q)selftests/demo/run.sh

.PHONY: clean distclean
clean:
	$(Q)rm -rf $(O)
distclean: clean
	$(Q)$(SETUP) clean
