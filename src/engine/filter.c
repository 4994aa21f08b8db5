/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "engine/filter.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "arch/arch.h"
#include "base/caps.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "sys/sys.h"

enum { DATA_CALL = 0 };

#define ACT_TRACE SCMP_ACT_TRACE(DATA_CALL)
/* Both programs say so: an ABI that is not in the table stops, is named to the user, and gets
 * ENOSYS. */
#define ACT_FOREIGN SCMP_ACT_TRACE(ARCH_DATA_FOREIGN)
#define MASK32 UINT64_C(0xffffffff)

static void cleanup_ctx(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}
#define _cleanup_ctx_ __attribute__((cleanup(cleanup_ctx)))

static int filter_new(uint32_t default_action, scmp_filter_ctx *ret)
{
	_cleanup_ctx_ scmp_filter_ctx ctx = seccomp_init(default_action);
	int r;

	if (!ctx)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, ACT_FOREIGN);
	if (r < 0)
		return r;
#if SCMP_VER_MAJOR > 2 || (SCMP_VER_MAJOR == 2 && SCMP_VER_MINOR >= 5)
	/* A binary tree over the numbers; without it the program is longer, nothing else. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
#endif
	*ret = steal_ptr(&ctx);
	return 0;
}

/* libseccomp hands out a program only through a descriptor. */
static int filter_export(scmp_filter_ctx ctx, struct filter *ret)
{
	_cleanup_fd_ int fd = (int)x_ret(memfd_create("fuss-filter", MFD_CLOEXEC));
	_cleanup_free_ struct sock_filter *insn = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return r;
	r = x_fstat(fd, &st);
	if (r < 0)
		return r;
	insn = malloc((size_t)st.st_size);
	if (!insn)
		return -ENOMEM;
	if (x_ret(pread(fd, insn, (size_t)st.st_size, 0)) != st.st_size)
		return -EIO;
	ret->len = (unsigned)((size_t)st.st_size / sizeof(*insn));
	ret->insn = steal_ptr(&insn);
	return 0;
}

static int add_commands(scmp_filter_ctx ctx, int nr, const uint32_t *cmd)
{
	int r = 0;

	/* The kernel takes the command as an unsigned int: the upper half may hold anything. */
	for (; r == 0 && *cmd; cmd++)
		r = seccomp_rule_add(ctx, ACT_TRACE, nr, 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, MASK32, *cmd));
	return r;
}

/*
 * Without CAP_SYS_PTRACE nobody may read the memory of a task that is not dumpable, its tracer
 * neither: no path of it could be read any more.  ssh-agent and others ask for that; they are told
 * that it is so.
 */
static int add_dumpable(scmp_filter_ctx ctx, const struct abi *abi)
{
	int nr = sys_nr(abi, SYS_ID_prctl);

	if (nr < 0 || caps_effective(CAP_SYS_PTRACE))
		return 0;
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0), nr, 2,
				SCMP_A0(SCMP_CMP_MASKED_EQ, MASK32, PR_SET_DUMPABLE),
				SCMP_A1(SCMP_CMP_EQ, 0, 0));
}

/* Calls that have nothing to do with paths, and yet: */
static int add_special(scmp_filter_ctx ctx, const struct abi *abi)
{
	int nr = sys_nr(abi, SYS_ID_clone);
	int r = 0;

	/* CLONE_UNTRACED would make a task that nobody follows; of clone3 only its memory tells. */
	if (nr >= 0)
		r = seccomp_rule_add(ctx, ACT_TRACE, nr, 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_UNTRACED, CLONE_UNTRACED));
	nr = sys_nr(abi, SYS_ID_clone3);
	if (r == 0 && nr >= 0)
		r = seccomp_rule_add(ctx, ACT_TRACE, nr, 0);
	/* USER_NOTIF is stronger than TRACE: what a listener lets continue would pass us by.
	 * EBUSY is what the kernel says if there is a listener already. */
	nr = sys_nr(abi, SYS_ID_seccomp);
	if (r == 0 && nr >= 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EBUSY), nr, 2,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, MASK32, SECCOMP_SET_MODE_FILTER),
				     SCMP_A1(SCMP_CMP_MASKED_EQ, SECCOMP_FILTER_FLAG_NEW_LISTENER,
					     SECCOMP_FILTER_FLAG_NEW_LISTENER));
	return r;
}

static int add_row(scmp_filter_ctx ctx, int nr, const struct sys_row *row, uint64_t cookie,
		   bool trace_denied)
{
	switch ((enum sys_class)row->class) {
	case SYS_PASS:
	case SYS_SOCKNAME:
		return 0;
	case SYS_DENY:
		return seccomp_rule_add(
			ctx, trace_denied ? ACT_TRACE : SCMP_ACT_ERRNO((uint16_t)row->deny), nr, 0);
	case SYS_FCNTL:
		return add_commands(ctx, nr, sys_fcntl_cmd);
	case SYS_IOCTL:
		return add_commands(ctx, nr, sys_ioctl_cmd);
	default:
		break;
	}
	/* sendto without an address is send(2). */
	if (sys_arg(row, R_ADDR) == 4)
		return seccomp_rule_add(ctx, ACT_TRACE, nr, 1, SCMP_A4(SCMP_CMP_NE, 0, 0));
	if (row->role[SYS_MAXARGS - 1] == R_NONE)
		return seccomp_rule_add(ctx, ACT_TRACE, nr, 1, SCMP_A5(SCMP_CMP_NE, cookie, 0));
	return seccomp_rule_add(ctx, ACT_TRACE, nr, 0);
}

static int build_known(const struct abi *abi, struct filter *ret)
{
	_cleanup_ctx_ scmp_filter_ctx ctx = NULL;
	int r = filter_new(SCMP_ACT_ERRNO(ENOSYS), &ctx);

	for (unsigned id = 1; r == 0 && id < SYS_NID; id++) {
		int nr = sys_nr(abi, id);

		if (nr >= 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
	}
	return r < 0 ? r : filter_export(ctx, ret);
}

static int build_trace(const struct abi *abi, uint64_t cookie, bool trace_denied,
		       struct filter *ret)
{
	_cleanup_ctx_ scmp_filter_ctx ctx = NULL;
	int r = filter_new(SCMP_ACT_ALLOW, &ctx);

	for (unsigned id = 1; r == 0 && id < SYS_NID; id++) {
		int nr = sys_nr(abi, id);

		if (nr >= 0)
			r = add_row(ctx, nr, &sys_table[id], cookie, trace_denied);
	}
	if (r == 0)
		r = add_special(ctx, abi);
	if (r == 0)
		r = add_dumpable(ctx, abi);
	return r < 0 ? r : filter_export(ctx, ret);
}

int filter_build(const struct abi *abi, uint64_t cookie, bool trace_denied, struct filter_set *ret)
{
	struct filter_set f = { 0 };
	int r = build_known(abi, &f.known);

	if (r == 0)
		r = build_trace(abi, cookie, trace_denied, &f.trace);
	if (r < 0) {
		filter_free(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void filter_free(struct filter_set *f)
{
	free(f->known.insn);
	free(f->trace.insn);
	*f = (struct filter_set){ 0 };
}

static int install(const struct filter *f)
{
	struct sock_fprog prog = { .len = (unsigned short)f->len, .filter = f->insn };
	int r = (int)x_ret(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));

	if (r == -EACCES) {
		r = (int)x_ret(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		if (r == 0)
			r = (int)x_ret(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));
	}
	return r;
}

int filter_install(const struct filter_set *f)
{
	int r = install(&f->known);

	return r < 0 ? r : install(&f->trace);
}
