// SPDX-License-Identifier: GPL-2.0-or-later
/* What a running VM is not allowed to do. */
#include "backing.h"
#include "config.h"
#include "landlock.h"
#include "log.h"
#include "sandbox.h"
#include "util.h"

#include <errno.h>
#include <libgen.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <asm/termbits.h>
#include <linux/fs.h>
#include <linux/kvm.h>

/* Whatever the arguments are. */
static const int calls[] = {
	/* descriptors that are open already */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(lseek), SCMP_SYS(close),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(fcntl),
	/* the event loop */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(timerfd_settime),
	/* the user back end */
	SCMP_SYS(msync), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	BACKING_NR_CACHESTAT,
	/* the kernel back end: a netlink socket that is open */
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	/* threads, memory and time, as the C library needs them */
	SCMP_SYS(futex), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(brk), SCMP_SYS(tgkill), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(getrandom), SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/*
 * ioctl requests: KVM's, the restored terminal, by old and by new C libraries, the
 * size of a block device.
 */
static const unsigned long ioctls[] = {
	KVM_RUN, KVM_GET_REGS, KVM_SET_USER_MEMORY_REGION, KVM_IOEVENTFD,
	KVM_IRQFD, KVM_SET_GSI_ROUTING, KVM_SIGNAL_MSI, KVM_IRQ_LINE,
	TCGETS, TCSETS, TCGETS2, TCSETS2, BLKGETSIZE64,
};

/*
 * For who may be asked to pause, or for a snapshot, and has a socket to remove at
 * the end. The files of a snapshot come open.
 */
static const int control_calls[] = {
	SCMP_SYS(accept4), SCMP_SYS(unlink), SCMP_SYS(ftruncate),
	SCMP_SYS(pwrite64),
};

static const unsigned long control_ioctls[] = {
	KVM_KVMCLOCK_CTRL, KVM_GET_IRQCHIP, KVM_GET_CLOCK, KVM_GET_TSC_KHZ,
	KVM_GET_MP_STATE, KVM_GET_SREGS, KVM_GET_XSAVE, KVM_GET_XCRS,
	KVM_GET_DEBUGREGS, KVM_GET_LAPIC, KVM_GET_MSR_INDEX_LIST, KVM_GET_MSRS,
	KVM_GET_VCPU_EVENTS, KVM_GET_CPUID2,
};

/* For who starts the guest again. */
static const unsigned long reboot_ioctls[] = {
	KVM_KVMCLOCK_CTRL, KVM_SET_IRQCHIP, KVM_SET_CLOCK, KVM_GET_TSC_KHZ,
	KVM_SET_MP_STATE, KVM_SET_REGS, KVM_SET_SREGS, KVM_SET_XSAVE,
	KVM_SET_XCRS, KVM_SET_DEBUGREGS, KVM_SET_LAPIC, KVM_SET_MSRS,
	KVM_SET_VCPU_EVENTS,
};

static int drop_capabilities(void)
{
	cap_t none = cap_init();
	int err = 0;

	if (!none)
		return -errno;
	/* Without the right to, the set that exec could grant stays; it does
	 * not matter once no exec grants anything.
	 */
	for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
		cap_drop_bound(cap);
	if (cap_set_proc(none))
		err = -errno;
	cap_free(none);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	return err;
}

/* Memory may be mapped, but not to be executed. */
static int allow_mapping(scmp_filter_ctx filter, int call)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int allow_ioctl(scmp_filter_ctx filter, unsigned long request)
{
	const struct scmp_arg_cmp is_request = {
		.arg = 1,
		.op = SCMP_CMP_EQ,
		.datum_a = request,
	};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl),
				      1, &is_request);
}

static int allow_all(scmp_filter_ctx filter, const int *numbers, size_t nr,
		     const unsigned long *requests, size_t nr_requests)
{
	int err = 0;

	for (size_t i = 0; !err && i < nr; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, numbers[i], 0);
	for (size_t i = 0; !err && i < nr_requests; i++)
		err = allow_ioctl(filter, requests[i]);
	return err;
}

static int fill_filter(scmp_filter_ctx filter, const struct config *config)
{
	int err = allow_all(filter, calls, ARRAY_SIZE(calls), ioctls,
			    ARRAY_SIZE(ioctls));

	if (!err && config->control_path)
		err = allow_all(filter, control_calls,
				ARRAY_SIZE(control_calls), control_ioctls,
				ARRAY_SIZE(control_ioctls));
	if (!err && config->reboot == CONFIG_REBOOT_RESTART)
		err = allow_all(filter, NULL, 0, reboot_ioctls,
				ARRAY_SIZE(reboot_ioctls));
	if (!err)
		err = allow_mapping(filter, SCMP_SYS(mmap));
	if (!err)
		err = allow_mapping(filter, SCMP_SYS(mprotect));
	return err;
}

static int load_filter(const struct config *config)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!filter)
		return -ENOMEM;
	/* Threads that exist already are held to it too. */
	err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = fill_filter(filter, config);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

/* A second wall behind the filter, where the kernel has it. */
static int open_nothing_more(const struct config *config)
{
	char *path AUTO_FREE = NULL;
	int err;

	/* The control socket is removed at the end. Its directory is the least
	 * that a rule can be for.
	 */
	if (config->control_path) {
		path = strdup(config->control_path);
		if (!path)
			return -ENOMEM;
	}
	err = landlock_enter_but(path ? dirname(path) : NULL);
	if (err != -EOPNOTSUPP)
		return err;
	log_info("this kernel has no Landlock; the filter of system calls does without it");
	return 0;
}

int sandbox_enter(const struct config *config)
{
	int err;

	if (!config->sandbox)
		return 0;
	err = drop_capabilities();
	if (!err)
		err = open_nothing_more(config);
	if (!err)
		err = load_filter(config);
	if (err)
		log_error("cannot enter the sandbox: %s; --no-sandbox does without it",
			  strerror(-err));
	return err;
}
