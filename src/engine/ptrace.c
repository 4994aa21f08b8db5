/* SPDX-License-Identifier: MIT */
/*
 * The ptrace executor: events.
 *
 * A task stops for: the filter's verdict (entry of a call), the exit of a call that was changed,
 * fork, clone, exec, signals on their way to it, group stops.  All but the first two end here;
 * what is done with a call is in ptrace_call.c.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/private.h"

enum { SYSCALL_STOP = SIGTRAP | 0x80, BATCH = 64, DRAIN_EVERY = 16 };
enum { SPIN_NS = 40000, SPIN_MISSES = 8, SPIN_REST_MIN = 64, SPIN_REST_MAX = 8192 };

/* Exit stops only for calls that something is to be done with. */
void task_resume(struct task *t, int sig)
{
	ptrace(t->call_state == CALL_NONE ? PTRACE_CONT : PTRACE_SYSCALL, t->t.tid, 0, (long)sig);
}

static bool is_stop_signal(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* PTRACE_EVENT_STOP: a group stop, its end, or a new task's first stop. */
static void event_stop(struct task *t, int sig)
{
	if (!is_stop_signal(sig)) {
		task_resume(t, 0);
		return;
	}
	/* Stays stopped, yet reports when SIGCONT ends it. */
	ptrace(PTRACE_LISTEN, t->t.tid, 0, 0);
	signals_group_stop(t, sig);
}

/* A child of clone with arguments that were changed: they were copied with all registers. */
static void fix_registers(struct task *t)
{
	struct arch_regs regs;

	if (!t->fix_mask || arch_get_regs(t->t.tid, &regs) < 0)
		return;
	for (unsigned i = 0; i < SYS_MAXARGS; i++)
		if (t->fix_mask & 1u << i)
			arch_set_arg(&regs, i, t->fix_arg[i]);
	arch_set_regs(t->t.tid, &regs);
	t->fix_mask = 0;
}

/* Announced and stopped for the first time. */
void task_started(struct task *t, int status)
{
	if (t->state == TASK_EARLY)
		t->e->nearly--;
	t->state = TASK_LIVE;
	fix_registers(t);
	event_stop(t, WSTOPSIG(status));
}

static uint64_t clone_flags(struct task *t)
{
	struct arch_regs regs;

	if (arch_get_regs(t->t.tid, &regs) < 0)
		return 0;
	switch (sys_by_nr(abi_list[0], (uint64_t)arch_nr(&regs))) {
	case SYS_ID_clone:
		return arch_arg(&regs, 0);
	case SYS_ID_clone3:
		return t->clone3_flags;
	case SYS_ID_vfork:
		return CLONE_VM | CLONE_VFORK | SIGCHLD;
	default:
		return SIGCHLD;
	}
}

/* PTRACE_EVENT_FORK, VFORK, CLONE. */
static void event_child(struct engine *e, struct task *t)
{
	unsigned long msg;
	struct task *child;

	if (ptrace(PTRACE_GETEVENTMSG, t->t.tid, 0, &msg) < 0)
		return;
	child = task_find(e, (pid_t)msg);
	if (child && child->state == TASK_DEAD) {
		task_end(child);
	} else if (!child || child->state == TASK_EARLY) {
		if (!child)
			child = task_add(e, (pid_t)msg, TASK_ANNOUNCED);
		if (!child) {
			warn("task %d: %s, killed", (int)msg, strerror(ENOMEM));
			kill((pid_t)msg, SIGKILL);
		} else {
			if (t->call_state != CALL_NONE) {
				memcpy(child->fix_arg, t->call.c.arg, sizeof(child->fix_arg));
				child->fix_mask = t->call.argmask;
			}
			task_announce(child, t, clone_flags(t));
			if (child->state == TASK_EARLY)
				task_started(child, child->first_status);
		}
	}
	task_resume(t, 0);
}

/*
 * The task has the number of the process now, whichever thread it was before.  A leader that was
 * another thread is gone without a report; all others have reported their end.
 */
static void event_exec(struct engine *e, struct task *t)
{
	pid_t tgid = t->t.tid;
	unsigned long former;
	struct arch_regs regs;
	struct task *thread;

	if (ptrace(PTRACE_GETEVENTMSG, tgid, 0, &former) < 0)
		return;
	if ((pid_t)former != tgid) {
		thread = task_find(e, (pid_t)former);
		if (thread) {
			task_end(t);
			task_rename(thread, tgid);
			t = thread;
		}
	}
	call_exec_stop(t, arch_get_regs(tgid, &regs) < 0 ? 0 : arch_sp(&regs));
	task_resume(t, 0);
}

static void signal_stop(struct task *t, int sig)
{
	signals_seen(t, sig);
	task_resume(t, sig);
}

static void stopped(struct engine *e, struct task *t, int status)
{
	int sig = WSTOPSIG(status);

	switch (status >> 16) {
	case 0:
		if (sig == SYSCALL_STOP)
			call_exit_stop(t);
		else
			signal_stop(t, sig);
		break;
	case PTRACE_EVENT_SECCOMP:
		call_entry_stop(t);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		event_child(e, t);
		break;
	case PTRACE_EVENT_EXEC:
		event_exec(e, t);
		break;
	case PTRACE_EVENT_STOP:
		event_stop(t, sig);
		break;
	default:
		task_resume(t, 0);
	}
}

/* The first stop of a task that its creator's event has not named yet. */
static void first_stop(struct engine *e, struct task *t, pid_t pid, int status)
{
	if (t) /* DEAD: the number has been given out anew */
		t->state = TASK_EARLY;
	else
		t = task_add(e, pid, TASK_EARLY);
	if (!t) {
		kill(pid, SIGKILL);
		return;
	}
	t->first_status = status;
	e->nearly++;
}

static void ended(struct engine *e, struct task *t, pid_t pid, int status)
{
	if (pid == e->command) {
		e->status = status;
		e->command = 0;
		signals_command_gone();
	}
	if (!t) {
		task_add(e, pid, TASK_DEAD);
	} else if (t->state == TASK_EARLY) {
		e->nearly--;
		t->state = TASK_DEAD;
	} else if (t->state != TASK_DEAD) {
		task_end(t);
	}
}

static void event(struct engine *e, pid_t pid, int status)
{
	struct task *t = task_find(e, pid);

	if (!WIFSTOPPED(status))
		ended(e, t, pid, status);
	else if (!t || t->state == TASK_DEAD)
		first_stop(e, t, pid, status);
	else if (t->state == TASK_ANNOUNCED)
		task_started(t, status);
	else
		stopped(e, t, status);
}

/*
 * waitpid() offers the first task in its list that has something, so a busy one would starve
 * those behind it: from time to time all that are ready are collected first.
 */
static void drain(struct engine *e)
{
	struct {
		pid_t pid;
		int status;
	} ev[BATCH];
	unsigned n = 0;

	while (n < BATCH) {
		ev[n].pid = waitpid(-1, &ev[n].status, __WALL | WNOHANG);
		if (ev[n].pid <= 0)
			break;
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		event(e, ev[i].pid, ev[i].status);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/*
 * Waiting awake.  The scheduler likes to put a task that we resume on an idle CPU, and us on
 * another one when it stops: two wake-ups of sleeping CPUs a call, which cost more than all the
 * rest (in a virtual machine 50 us each).  While calls follow one another closely it is better
 * not to sleep.  Where it does not help, because the task runs long, or on this very CPU, it is
 * given up for a while, each time longer.
 */
static pid_t wait_awake(struct engine *e, int *status)
{
	struct spin *s = &e->spin;
	int64_t end;
	pid_t pid;

	if (s->rest) {
		s->rest--;
		return 0;
	}
	end = now_ns() + SPIN_NS;
	do {
		pid = (pid_t)x_ret(waitpid(-1, status, __WALL | WNOHANG));
		if (pid) {
			s->misses = 0;
			s->next_rest = SPIN_REST_MIN;
			return pid;
		}
	} while (now_ns() < end);
	if (++s->misses < SPIN_MISSES)
		return 0;
	s->rest = s->next_rest;
	s->misses = SPIN_MISSES - 2;
	if (s->next_rest < SPIN_REST_MAX)
		s->next_rest *= 2;
	return 0;
}

static pid_t next_event(struct engine *e, int *status)
{
	pid_t pid = wait_awake(e, status);

	if (!pid && e->nearly) {
		pid = (pid_t)x_ret(waitpid(-1, status, __WALL | WNOHANG));
		if (!pid)
			task_adopt_orphans(e);
	}
	return pid ? pid : (pid_t)x_ret(waitpid(-1, status, __WALL));
}

static int loop(struct engine *e)
{
	unsigned turn = 0;

	e->spin = (struct spin){ .next_rest = SPIN_REST_MIN };
	for (;;) {
		int status;
		pid_t pid = next_event(e, &status);

		if (pid == -EINTR)
			continue;
		if (pid == -ECHILD)
			return 0;
		if (pid < 0)
			return pid;
		event(e, pid, status);
		if (++turn % DRAIN_EVERY == 0)
			drain(e);
	}
}

int engine_new(const struct engine_cb *cb, const struct engine_options *opt, struct engine **ret,
	       char *why, size_t size)
{
	_cleanup_free_ struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e) {
		snprintf(why, size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	e->cb = *cb;
	if (opt)
		e->opt = *opt;
	r = x_ret(getrandom(&e->cookie, sizeof(e->cookie), 0)) == sizeof(e->cookie) ? 0 : -EIO;
	if (r == 0)
		r = filter_build(abi_list[0], e->cookie, e->opt.want_all_exits, &e->filter);
	if (r < 0) {
		snprintf(why, size, "the seccomp filter cannot be made: %s", strerror(-r));
		return r;
	}
	r = probe_tracing(&e->filter, why, size);
	if (r < 0) {
		filter_free(&e->filter);
		return r;
	}
	*ret = steal_ptr(&e);
	return 0;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	filter_free(&e->filter);
	free(e);
}

uint64_t engine_cookie(const struct engine *e)
{
	return e->cookie;
}

/*
 * The limits of the command are not for this process: it needs descriptors, and a file larger than
 * the limit can be copied up without growing.  Where the limit is a hard one a write fails (SIGXFSZ
 * is ignored).
 */
static void raise_limits(void)
{
	static const int which[] = { RLIMIT_NOFILE, RLIMIT_FSIZE };

	for (unsigned i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
		struct rlimit lim;

		if (getrlimit(which[i], &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
			lim.rlim_cur = lim.rlim_max;
			setrlimit(which[i], &lim);
		}
	}
}

int engine_run(struct engine *e, char *const argv[], char *const envp[], int (*setup)(void *),
	       void *setup_arg, int *ret_status, int *ret_exec_errno)
{
	struct spawn s;
	struct task *t;
	sigset_t all, old;
	int r, exec_errno = 0;

	/* A signal that comes before there is a command to send it to waits. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	r = spawn_start(&s, &e->filter, &old, argv, envp, setup, setup_arg);
	if (r == 0) {
		e->command = s.pid;
		t = task_add(e, s.pid, TASK_LIVE);
		if (t)
			task_announce(t, NULL, SIGCHLD);
		signals_start(s.pid);
		raise_limits();
		sigprocmask(SIG_SETMASK, &old, NULL);
		r = t ? spawn_go(&s) : -ENOMEM;
		if (r < 0)
			kill(s.pid, SIGKILL);
		int q = loop(e);

		signals_stop();
		task_end_all(e);
		if (r == 0)
			r = q;
		if (r == 0)
			r = spawn_result(&s, &exec_errno);
	} else {
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	if (r < 0)
		return r;
	*ret_status = e->status;
	*ret_exec_errno = exec_errno;
	return 0;
}
