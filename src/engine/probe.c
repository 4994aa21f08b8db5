/* SPDX-License-Identifier: MIT */
/*
 * Can we trace here?  Tried on a child, from the attaching to an answered call: what forbids it
 * is spread over Yama, SELinux, containers' seccomp profiles, other tracers and the kernel's age,
 * and a trial asks them all.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "engine/private.h"

enum { ANSWER = 77 };

static long read_number(const char *path, const char *key)
{
	_cleanup_fd_ int fd = x_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	char buf[1024];
	ssize_t n = fd < 0 ? -1 : x_ret(read(fd, buf, sizeof(buf) - 1));
	const char *p;

	if (n <= 0)
		return -1;
	buf[n] = '\0';
	p = key ? strstr(buf, key) : buf;
	return p ? strtol(p + (key ? strlen(key) : 0), NULL, 10) : -1;
}

static void why_no_ptrace(int r, char *why, size_t size)
{
	long yama = read_number("/proc/sys/kernel/yama/ptrace_scope", NULL);
	long tracer = read_number("/proc/self/status", "TracerPid:");

	if (yama == 3)
		snprintf(why, size,
			 "ptrace is switched off: kernel.yama.ptrace_scope is 3, which only a "
			 "reboot changes; boot with 0 or 1");
	else if (yama == 2)
		snprintf(why, size,
			 "ptrace is for administrators: kernel.yama.ptrace_scope is 2; run "
			 "\"sysctl kernel.yama.ptrace_scope=1\" as root, or fuss with "
			 "CAP_SYS_PTRACE");
	else if (tracer > 0)
		snprintf(why, size,
			 "this process is traced itself (by process %ld: strace, a debugger, "
			 "or another fuss), and a process has one tracer; run fuss outside",
			 tracer);
	else if (read_number("/sys/fs/selinux/booleans/deny_ptrace", NULL) == 1)
		snprintf(why, size,
			 "SELinux forbids ptrace; run \"setsebool deny_ptrace 0\" as root");
	else
		snprintf(why, size,
			 "ptrace is not permitted here (%s); in a container, start it with "
			 "--cap-add=SYS_PTRACE or a seccomp profile that allows ptrace",
			 strerror(-r));
}

static void why_no_seccomp(int r, char *why, size_t size)
{
	snprintf(why, size, "seccomp filters are not available (%s); the kernel needs "
			    "CONFIG_SECCOMP_FILTER, and a container a profile that allows seccomp",
		 strerror(-r));
}

/* execve with a bad path: stops in any case, and does nothing if it should run. */
static void __attribute__((noreturn)) child(int fd, const struct filter_set *filter)
{
	char go;
	int r;

	if (x_ret(recv(fd, &go, 1, 0)) != 1)
		_exit(1);
	r = filter_install(filter);
	send(fd, &r, sizeof(r), MSG_NOSIGNAL);
	if (r == 0)
		syscall(SYS_execve, NULL, NULL, NULL);
	_exit(0);
}

static int next_stop(pid_t pid, int *status)
{
	long r;

	do {
		r = x_ret(waitpid(pid, status, __WALL));
	} while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

/* Before Linux 4.8 seccomp came first and ptrace's entry stop after it: a call could not be
 * answered. */
static int try_answer(pid_t pid, char *why, size_t size)
{
	struct arch_stop s;
	struct arch_regs regs;
	int status, r = next_stop(pid, &status);

	if (r == 0 && (!WIFSTOPPED(status) || status >> 16 != PTRACE_EVENT_SECCOMP))
		r = -ENOSYS;
	if (r == 0)
		r = arch_get_stop(pid, &s);
	if (r == 0)
		r = arch_answer(pid, ANSWER);
	if (r == 0)
		r = (int)x_ret(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	if (r == 0)
		r = next_stop(pid, &status);
	if (r == 0)
		r = WIFSTOPPED(status) ? arch_get_regs(pid, &regs) : -ESRCH;
	if (r == 0 && arch_result(&regs) != ANSWER)
		r = -ENOSYS;
	if (r < 0)
		snprintf(why, size,
			 "ptrace does not work together with seccomp on this kernel (%s); "
			 "Linux 4.8 or newer is needed",
			 strerror(-r));
	return r;
}

static int try_child(pid_t pid, int fd, char *why, size_t size)
{
	int err, r = (int)x_ret(ptrace(PTRACE_SEIZE, pid, 0, trace_options));

	if (r < 0) {
		why_no_ptrace(r, why, size);
		return r;
	}
	r = (int)x_ret(send(fd, "", 1, MSG_NOSIGNAL));
	if (r < 0 || x_ret(recv(fd, &err, sizeof(err), 0)) != sizeof(err))
		err = r < 0 ? r : -EPIPE;
	if (err < 0) {
		why_no_seccomp(err, why, size);
		return err;
	}
	return try_answer(pid, why, size);
}

int probe_tracing(const struct filter_set *filter, char *why, size_t size)
{
	int pair[2], r = (int)x_ret(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	pid_t pid = r < 0 ? r : (pid_t)x_ret(fork());

	if (pid == 0) {
		close(pair[0]);
		child(pair[1], filter);
	}
	if (r == 0)
		close(pair[1]);
	if (pid < 0) {
		snprintf(why, size, "no process can be started: %s", strerror(-pid));
		if (r == 0)
			close(pair[0]);
		return pid;
	}
	r = try_child(pid, pair[0], why, size);
	close(pair[0]);
	kill(pid, SIGKILL);
	while (x_ret(waitpid(pid, NULL, __WALL)) > 0)
		;
	return r;
}
