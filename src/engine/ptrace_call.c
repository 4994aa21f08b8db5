/* SPDX-License-Identifier: MIT */
/*
 * The ptrace executor: one call from its entry stop to its end.
 *
 * An answered call takes one stop: its number becomes -1 (no call) and its result is set at
 * once.  A changed one takes two, because the argument registers must hold the program's values
 * again when it goes on: the kernel preserves them, and compilers count on it.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/mem.h"
#include "engine/private.h"

enum { CLONE3_MIN = 64, CLONE3_MAX = 4096 };

static ssize_t ptrace_read(struct call *c, uint64_t addr, void *buf, size_t len)
{
	return mem_read(c->t->tid, addr, buf, len);
}

static ssize_t ptrace_write(struct call *c, uint64_t addr, const void *buf, size_t len)
{
	return mem_write(c->t->tid, addr, buf, len);
}

static const struct engine_ops ptrace_ops = {
	.read = ptrace_read,
	.write = ptrace_write,
	.put = scratch_put,
};

static void cb_exit(struct task *t, int64_t result)
{
	struct active_call *a = &t->call;

	a->answered = false;
	a->c.again = false;
	a->c.result = result;
	if (!t->own && t->e->cb.exit)
		t->e->cb.exit(&a->c, t->e->cb.ctx);
}

static void cb_cancel(struct task *t)
{
	struct active_call *a = &t->call;

	if (!t->own && (a->want_exit || a->c.data) && t->e->cb.cancel)
		t->e->cb.cancel(&a->c, t->e->cb.ctx);
	a->c.data = NULL;
}

static void call_end(struct task *t)
{
	scratch_release(t);
	t->call_state = CALL_NONE;
	t->call.c.data = NULL;
}

void call_abandon(struct task *t)
{
	if (t->call_state == CALL_NONE)
		return;
	if (t->call_state == CALL_RUNNING)
		cb_cancel(t);
	call_end(t);
}

/* --- the engine's own business: clone must not make a task that is not traced ------------- */

static int enter_clone(struct call *c)
{
	return c->arg[0] & CLONE_UNTRACED
		       ? call_set_arg(c, 0, c->arg[0] & ~(uint64_t)CLONE_UNTRACED)
		       : 0;
}

/* struct clone_args begins with the flags.  What the kernel will refuse is left to it. */
static int enter_clone3(struct call *c)
{
	struct task *t = (struct task *)c->t;
	uint64_t args[CLONE3_MAX / sizeof(uint64_t)];
	size_t size = c->arg[1];

	t->clone3_flags = 0;
	if (size < CLONE3_MIN || size > CLONE3_MAX || call_read(c, c->arg[0], args, size) < 0)
		return 0;
	t->clone3_flags = args[0];
	if (!(args[0] & CLONE_UNTRACED))
		return 0;
	args[0] &= ~(uint64_t)CLONE_UNTRACED;
	return call_set_bytes(c, 0, args, size);
}

static void enter_own(struct call *c)
{
	int r = 0;

	switch (c->id) {
	case SYS_ID_clone:
		r = enter_clone(c);
		break;
	case SYS_ID_clone3:
		r = enter_clone3(c);
		break;
	default:
		break;
	}
	if (r < 0 && !c->again)
		call_return(c, r);
}

/* --- entry -------------------------------------------------------------------------------- */

/* Another ABI on the same kernel would slip past the table: 32-bit numbers mean other calls. */
static void refuse_foreign(struct task *t, uint32_t audit_arch)
{
	struct engine *e = t->e;

	if (!e->told_foreign) {
		char path[32], comm[32] = "?";
		FILE *f;

		e->told_foreign = true;
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)t->t.tid);
		f = fopen(path, "re");
		if (f) {
			if (fgets(comm, sizeof(comm), f))
				comm[strcspn(comm, "\n")] = '\0';
			fclose(f);
		}
		msg("32-bit (%s) system calls are not supported, pid %d (%s) gets ENOSYS",
		    arch_foreign_name(audit_arch), (int)t->t.tgid, comm);
	}
	arch_answer(t->t.tid, -ENOSYS);
	task_resume(t, 0);
}

/* Runs mmap in place of the call.  The call is entered anew when it is done, see mapping_done(). */
static int inject_mmap(struct task *t)
{
	uint64_t arg[6] = {
		0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0
	};
	struct arch_regs regs;
	int r = arch_get_regs(t->t.tid, &regs);

	if (r < 0)
		return r;
	t->map_size = scratch_map_size(t);
	arg[1] = t->map_size;
	for (unsigned i = 0; i < 6; i++)
		arch_set_arg(&regs, i, arg[i]);
	arch_set_nr(&regs, sys_nr(t->call.c.abi, SYS_ID_mmap));
	t->call_state = CALL_MAPPING;
	return arch_set_regs(t->t.tid, &regs);
}

static int set_changed(struct task *t)
{
	const struct active_call *a = &t->call;
	struct arch_regs regs;
	int r = arch_get_regs(t->t.tid, &regs);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < SYS_MAXARGS; i++)
		if (a->argmask & 1u << i)
			arch_set_arg(&regs, i, a->arg[i]);
	if (a->id != a->c.id)
		arch_set_nr(&regs, sys_nr(a->c.abi, a->id));
	return arch_set_regs(t->t.tid, &regs);
}

static void answer(struct task *t)
{
	struct active_call *a = &t->call;
	int64_t value = a->value;

	if (a->c.data)
		cb_cancel(t);
	if (t->e->opt.want_all_exits) {
		cb_exit(t, value);
		if (a->answered)
			value = a->value;
	}
	arch_answer(t->t.tid, value);
	call_end(t);
}

/* Carries out what enter asked for. */
static void entered(struct task *t)
{
	struct active_call *a = &t->call;
	int r = 0;

	if (a->c.again) {
		cb_cancel(t);
		scratch_release(t);
		r = inject_mmap(t);
	} else if (a->answered) {
		answer(t);
	} else if (a->argmask || a->id != a->c.id || a->want_exit || a->c.data) {
		t->call_state = CALL_RUNNING;
		if (a->argmask || a->id != a->c.id)
			r = set_changed(t);
	} else {
		call_end(t);
	}
	/* -ESRCH: killed, its end is reported.  Anything else must not run with the wrong
	 * arguments. */
	if (r < 0 && r != -ESRCH) {
		call_abandon(t);
		arch_answer(t->t.tid, r);
	}
	task_resume(t, 0);
}

void call_entry_stop(struct task *t)
{
	struct engine *e = t->e;
	struct active_call *a = &t->call;
	struct arch_stop s;
	const struct abi *abi;
	unsigned id;

	if (arch_get_stop(t->t.tid, &s) < 0)
		return;
	abi = abi_find(s.audit_arch);
	if (!abi || arch_nr_is_foreign(s.nr)) {
		refuse_foreign(t, s.audit_arch);
		return;
	}
	call_abandon(t);
	id = sys_by_nr(abi, s.nr);
	active_call_init(a, &ptrace_ops, &t->t, abi, id, s.arg);
	t->nr = s.nr;
	t->own = a->c.row->class == SYS_PASS;
	if (t->own) {
		enter_own(&a->c);
	} else {
		a->want_exit = e->opt.want_all_exits;
		if (e->cb.enter)
			e->cb.enter(&a->c, e->cb.ctx);
		/* Refused whether a handler cares or not. */
		if (a->c.row->class == SYS_DENY && !a->answered)
			call_return(&a->c, -a->c.row->deny);
	}
	entered(t);
}

/* --- exit --------------------------------------------------------------------------------- */

static void restore(struct task *t, struct arch_regs *regs, unsigned mask)
{
	for (unsigned i = 0; i < SYS_MAXARGS; i++)
		if (mask & 1u << i)
			arch_set_arg(regs, i, t->call.c.arg[i]);
	/* A restart after a signal takes the number from here. */
	arch_set_nr(regs, (int64_t)t->nr);
}

/* The injected mmap has run; now the call itself, from the start. */
static void mapping_done(struct task *t, struct arch_regs *regs)
{
	int64_t addr = arch_result(regs);
	int r = addr < 0 && addr > -4096 ? (int)addr : scratch_mapped(t, (uint64_t)addr);

	restore(t, regs, (1u << SYS_MAXARGS) - 1);
	if (r < 0)
		arch_set_result(regs, -ENOMEM);
	else
		arch_rewind(regs, t->nr);
	arch_set_regs(t->t.tid, regs);
	call_end(t);
	task_resume(t, 0);
}

/* The call has a result, or the kernel will have it entered again. */
static void call_finish(struct task *t, struct arch_regs *regs)
{
	struct active_call *a = &t->call;
	bool changed = a->argmask || a->id != a->c.id;

	if (result_restarts(arch_result(regs))) {
		cb_cancel(t);
	} else if (a->want_exit || a->c.data) {
		cb_exit(t, arch_result(regs));
		if (a->retry || a->answered)
			changed = true;
	}
	if (!changed)
		return;
	restore(t, regs, a->argmask);
	if (a->retry)
		arch_rewind(regs, t->nr);
	else if (a->answered)
		arch_set_result(regs, a->value);
	arch_set_regs(t->t.tid, regs);
}

void call_exit_stop(struct task *t)
{
	struct arch_regs regs;

	if (arch_get_regs(t->t.tid, &regs) < 0)
		return;
	if (t->call_state == CALL_MAPPING) {
		mapping_done(t, &regs);
		return;
	}
	if (t->call_state == CALL_RUNNING) {
		call_finish(t, &regs);
		call_end(t);
	}
	task_resume(t, 0);
}

void call_exec_stop(struct task *t, uint64_t sp)
{
	struct engine *e = t->e;
	struct active_call *a = &t->call;
	bool known = a->c.row && a->c.row->class == SYS_EXEC;
	struct mm *mm;

	/* Scratch lies in the old address space, which others may go on using. */
	scratch_release(t);
	scratch_unreserve(t);
	mm = mm_new();
	if (!mm) {
		warn("task %d: %s, killed", (int)t->t.tid, strerror(ENOMEM));
		kill(t->t.tgid, SIGKILL);
		return;
	}
	mm_unref(t->mm);
	t->mm = mm;
	if (e->cb.task_exec)
		e->cb.task_exec(&t->t, known ? &a->c : NULL, sp, e->cb.ctx);
	if (known && (a->want_exit || a->c.data))
		cb_exit(t, 0);
	call_end(t);
	a->c.row = NULL;
}
