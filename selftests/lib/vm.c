// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest under test. */
#include "patience.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/wait.h>

/* Of a console, where something did not come. */
#define SHOWN_BYTES	2048

/* What does not come for so long will not come. */
#define LOST_S		20

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static void run_vmm(int in_fd, int out_fd, int (*prepare)(void),
		    const char *const args[])
{
	const char *argv[VM_ARGS_MAX] = { "vpmem-vmm" };
	int count = 1;

	for (; args[count - 1] && count < VM_ARGS_MAX - 1; count++)
		argv[count] = args[count - 1];
	dup2(in_fd, STDIN_FILENO);
	dup2(out_fd, STDOUT_FILENO);
	dup2(out_fd, STDERR_FILENO);
	if (prepare && prepare()) {
		perror("cannot prepare vpmem-vmm");
		_exit(127);
	}
	execvp(argv[0], (char **)argv);
	perror("vpmem-vmm");
	_exit(127);
}

int vm_exec_as(struct vm_test *vm, int (*prepare)(void),
	       const char *const args[])
{
	int in[2], out[2];

	memset(vm, 0, sizeof(*vm));
	if (pipe2(in, O_CLOEXEC))
		return -errno;
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		return -errno;
	}
	vm->pid = fork();
	if (!vm->pid)
		run_vmm(in[0], out[1], prepare, args);
	close(in[0]);
	close(out[1]);
	vm->in_fd = in[1];
	vm->out_fd = out[0];
	return vm->pid < 0 ? -errno : 0;
}

int vm_exec(struct vm_test *vm, const char *const args[])
{
	return vm_exec_as(vm, NULL, args);
}

int vm_start_as(struct vm_test *vm, int (*prepare)(void), const char *run,
		int nr_pmem, const char *const args[])
{
	const char *argv[VM_ARGS_MAX] = {
		"--kernel", VM_KERNEL, "--kernel-cache", VM_CACHE,
		"--initrd", VM_INITRD, "--cmdline",
	};
	char cmdline[512];
	int count = 7;

	if (mkdir(VM_CACHE, 0700) && errno != EEXIST)
		return -errno;
	snprintf(cmdline, sizeof(cmdline),
		 "console=ttyS0 quiet panic=-1 highres=off pci=noearly pmem=%d run=%s",
		 nr_pmem, run);
	argv[count++] = cmdline;
	for (; args && *args && count < VM_ARGS_MAX - 1; args++)
		argv[count++] = *args;
	return vm_exec_as(vm, prepare, argv);
}

int vm_start(struct vm_test *vm, const char *run, int nr_pmem,
	     const char *const args[])
{
	return vm_start_as(vm, NULL, run, nr_pmem, args);
}

/* Reads what there is; 0 at the end of it, -ETIME if there is none in time. */
static int vm_read(struct vm_test *vm, int64_t deadline)
{
	struct pollfd pfd = { .fd = vm->out_fd, .events = POLLIN };
	int64_t left = deadline - now_ms();
	ssize_t len;

	if (left <= 0 || poll(&pfd, 1, left) <= 0)
		return -ETIME;
	/* Old output makes room for new. */
	if (vm->len > sizeof(vm->text) - 4096) {
		vm->len = 0;
		vm->seen = 0;
	}
	len = read(vm->out_fd, vm->text + vm->len,
		   sizeof(vm->text) - vm->len - 1);
	if (len < 0)
		return -errno;
	vm->len += len;
	vm->text[vm->len] = '\0';
	return len;
}

bool vm_has(const struct vm_test *vm, const char *text)
{
	return strstr(vm->text, text);
}

/* l1-init looks for it, if the test fails: an emulator may let guests die. */
static void tell_if_lost(const struct vm_test *vm, bool is_late, int timeout_s)
{
	if ((is_late && timeout_s >= LOST_S) || vm_has(vm, "Kernel panic - ") ||
	    vm_has(vm, "Oops: ") || vm_has(vm, ": triple fault, "))
		fprintf(stderr, "# the guest was lost\n");
}

int vm_expect(struct vm_test *vm, const char *text, int timeout_s)
{
	int64_t deadline = now_ms() + timeout_s * 1000ll * patience();
	int ret;

	while (true) {
		const char *at = strstr(vm->text + vm->seen, text);

		if (at) {
			vm->seen = at - vm->text + strlen(text);
			return 0;
		}
		ret = vm_read(vm, deadline);
		if (ret <= 0) {
			fprintf(stderr, "# waiting for \"%s\", got: %s\n", text,
				vm->text + vm->seen);
			tell_if_lost(vm, ret == -ETIME, timeout_s);
			return ret ?: -EPIPE;
		}
	}
}

int vm_count(const struct vm_test *vm, const char *text)
{
	const char *at = vm->text;
	int count = 0;

	while ((at = strstr(at, text))) {
		at += strlen(text);
		count++;
	}
	return count;
}

/* The end of what the VMM wrote. */
static void show_end(const struct vm_test *vm)
{
	size_t shown = vm->len < SHOWN_BYTES ? vm->len : SHOWN_BYTES;

	fprintf(stderr, "# waiting for the end, got: %s\n",
		vm->text + vm->len - shown);
}

int vm_wait(struct vm_test *vm, int timeout_s)
{
	int64_t deadline = now_ms() + timeout_s * 1000ll * patience();
	int status;

	while (vm_read(vm, deadline) > 0)
		;
	while (!waitpid(vm->pid, &status, WNOHANG)) {
		if (now_ms() >= deadline) {
			show_end(vm);
			tell_if_lost(vm, true, timeout_s);
			return -ETIME;
		}
		usleep(10000);
	}
	vm->pid = 0;
	if (vm_has(vm, ": triple fault, "))
		show_end(vm);
	tell_if_lost(vm, false, timeout_s);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

int vm_say(struct vm_test *vm, const char *text)
{
	size_t len = strlen(text);

	return write(vm->in_fd, text, len) == (ssize_t)len ? 0 : -errno;
}

/* The directory is PID-FD of the process that made the VM. */
long long vm_kvm_stat(const struct vm_test *vm, const char *name)
{
	long long value = -ENOENT;
	char pattern[128];
	glob_t found;
	FILE *file;

	snprintf(pattern, sizeof(pattern), "/sys/kernel/debug/kvm/%d-*/%s",
		 vm->pid, name);
	if (glob(pattern, 0, NULL, &found))
		return -ENOENT;
	file = fopen(found.gl_pathv[0], "r");
	if (file) {
		if (fscanf(file, "%lld", &value) != 1)
			value = -EIO;
		fclose(file);
	}
	globfree(&found);
	return value;
}

void vm_end(struct vm_test *vm)
{
	if (vm->pid > 0) {
		kill(vm->pid, SIGKILL);
		waitpid(vm->pid, NULL, 0);
	}
	close(vm->in_fd);
	close(vm->out_fd);
	vm->pid = 0;
	vm->in_fd = -1;
	vm->out_fd = -1;
}

int vm_make_file(const char *path, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size)) {
		close(fd);
		return -errno;
	}
	return close(fd) ? -errno : 0;
}
