/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "arch/arch.h"
#include "base/err.h"

_Static_assert(sizeof(struct user_regs_struct) <= sizeof(((struct arch_regs *)0)->word),
	       "struct arch_regs");

enum { X32_BIT = 0x40000000, INSN_LEN = 2 /* syscall, sysenter, int $0x80 */ };

static struct user_regs_struct *user(struct arch_regs *r)
{
	return (struct user_regs_struct *)(void *)r->word;
}

static const struct user_regs_struct *cuser(const struct arch_regs *r)
{
	return (const struct user_regs_struct *)(const void *)r->word;
}

/* The kernel gives the 32-bit set (68 bytes) for a task that runs 32-bit code. */
int arch_get_regs(pid_t tid, struct arch_regs *r)
{
	struct iovec iov = { r->word, sizeof(r->word) };
	long ret = x_ret(ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov));

	if (ret < 0)
		return (int)ret;
	return iov.iov_len == sizeof(struct user_regs_struct) ? 0 : -ENOTSUP;
}

int arch_set_regs(pid_t tid, struct arch_regs *r)
{
	struct iovec iov = { r->word, sizeof(struct user_regs_struct) };

	return (int)x_ret(ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov));
}

int64_t arch_nr(const struct arch_regs *r)
{
	return (int64_t)cuser(r)->orig_rax;
}

uint64_t arch_arg(const struct arch_regs *r, unsigned i)
{
	const struct user_regs_struct *u = cuser(r);
	const uint64_t arg[6] = { u->rdi, u->rsi, u->rdx, u->r10, u->r8, u->r9 };

	return arg[i];
}

int64_t arch_result(const struct arch_regs *r)
{
	return (int64_t)cuser(r)->rax;
}

uint64_t arch_sp(const struct arch_regs *r)
{
	return cuser(r)->rsp;
}

void arch_set_nr(struct arch_regs *r, int64_t nr)
{
	user(r)->orig_rax = (uint64_t)nr;
}

void arch_set_arg(struct arch_regs *r, unsigned i, uint64_t value)
{
	struct user_regs_struct *u = user(r);

	switch (i) {
	case 0: u->rdi = value; break;
	case 1: u->rsi = value; break;
	case 2: u->rdx = value; break;
	case 3: u->r10 = value; break;
	case 4: u->r8 = value; break;
	case 5: u->r9 = value; break;
	default: break;
	}
}

void arch_set_result(struct arch_regs *r, int64_t value)
{
	user(r)->rax = (uint64_t)value;
}

void arch_rewind(struct arch_regs *r, uint64_t nr)
{
	user(r)->rip -= INSN_LEN;
	user(r)->rax = nr;
	user(r)->orig_rax = nr;
}

/*
 * The kernel makes no call whose number is negative and leaves rax alone then.  PTRACE_POKEUSER
 * takes 64-bit offsets for 32-bit tasks as well.
 */
int arch_answer(pid_t tid, int64_t value)
{
	long r = x_ret(ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, regs.orig_rax), -1L));

	if (r == 0)
		r = x_ret(ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, regs.rax), value));
	return (int)r;
}

const char *arch_foreign_name(uint32_t audit_arch)
{
	return audit_arch == AUDIT_ARCH_X86_64 ? "x32" : "i386";
}

bool arch_nr_is_foreign(uint64_t nr)
{
	return nr & X32_BIT;
}

static int stop_from_regs(pid_t tid, struct arch_stop *s)
{
	struct arch_regs regs;
	unsigned long data = 0;
	int r = arch_get_regs(tid, &regs);

	/* A 64-bit task that calls int $0x80 has 64-bit registers: only the filter knows. */
	if (r == 0)
		r = (int)x_ret(ptrace(PTRACE_GETEVENTMSG, tid, 0, &data));
	if (r == -ENOTSUP || data == ARCH_DATA_FOREIGN) {
		*s = (struct arch_stop){ .audit_arch = AUDIT_ARCH_I386 };
		return 0;
	}
	if (r < 0)
		return r;
	s->audit_arch = AUDIT_ARCH_X86_64;
	s->nr = (uint32_t)arch_nr(&regs);
	for (unsigned i = 0; i < 6; i++)
		s->arg[i] = arch_arg(&regs, i);
	return 0;
}

int arch_get_stop(pid_t tid, struct arch_stop *s)
{
	struct __ptrace_syscall_info info;
	long n = x_ret(ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info));

	if (n == -ESRCH)
		return -ESRCH;
	if (n < 0 || info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return stop_from_regs(tid, s);
	s->audit_arch = info.arch;
	s->nr = info.seccomp.nr;
	for (unsigned i = 0; i < 6; i++)
		s->arg[i] = info.seccomp.args[i];
	return 0;
}
