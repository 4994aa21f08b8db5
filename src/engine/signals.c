/* SPDX-License-Identifier: MIT */
/*
 * Signals to this process.  Whoever started it takes it for the command:
 *   - what the terminal sends goes to the whole process group, so the command has its own copy:
 *   ignored;
 *   - what is sent by kill(2) to this process alone is passed on.  If it was sent to the group
 *     the command gets a copy as well, which is seen on its way to it: one signal is not made
 *     two;
 *   - when the command is stopped by job control this process stops too, so that the shell learns
 *   of it.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "engine/private.h"

enum { WINDOW_MS = 20, MS = 1000000 };

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
				 SIGWINCH, SIGCONT, SIGTSTP, SIGPWR };
static const int ignored[] = { SIGPIPE, SIGTTIN, SIGTTOU, SIGXFSZ };

/* Of the handler; the main program changes it only with these signals blocked. */
static struct {
	pid_t command;
	timer_t timer;
	bool have_timer;
	pid_t pending[NSIG]; /* sender of a signal that is not passed on yet; 0: none */
	pid_t seen[NSIG];    /* sender of the command's copy that came first */
	struct timespec seen_at[NSIG];
} sig_state;

static struct sigaction saved[NSIG];
static bool changed[NSIG];
static sigset_t handled;

static int timer_signal(void)
{
	return SIGRTMAX;
}

static bool recent(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / MS <
	       WINDOW_MS * 2;
}

static void flush(void)
{
	for (int sig = 1; sig < NSIG; sig++) {
		if (sig_state.pending[sig] && sig_state.command)
			kill(sig_state.command, sig);
		sig_state.pending[sig] = 0;
	}
}

static void queue(int sig, pid_t sender)
{
	const struct itimerspec in = { .it_value.tv_nsec = WINDOW_MS * MS };

	if (sig_state.seen[sig] == sender && recent(&sig_state.seen_at[sig])) {
		sig_state.seen[sig] = 0;
		return;
	}
	sig_state.pending[sig] = sender ? sender : -1;
	if (!sig_state.have_timer || getpgid(sig_state.command) != getpgrp() ||
	    timer_settime(sig_state.timer, 0, &in, NULL) < 0)
		flush();
}

static void handler(int sig, siginfo_t *si, void *uc)
{
	int saved_errno = errno;

	(void)uc;
	if (sig == timer_signal() && si->si_code == SI_TIMER)
		flush();
	else if (si->si_code <= 0)
		queue(sig, si->si_pid);
	else if (sig_state.command && (sig == SIGALRM || (sig == SIGHUP && getsid(0) == getpid())))
		/* alarm(2) before exec; the terminal tells only the session's leader that it hung
		 * up */
		kill(sig_state.command, sig);
	errno = saved_errno;
}

static void set(int sig, struct sigaction sa)
{
	sa.sa_mask = handled;
	changed[sig] = sigaction(sig, &sa, &saved[sig]) == 0;
}

void signals_start(pid_t command)
{
	const struct sigaction handle = { .sa_flags = SA_SIGINFO | SA_RESTART,
					  .sa_sigaction = handler };
	const struct sigaction ignore = { .sa_handler = SIG_IGN }, dfl = { .sa_handler = SIG_DFL };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = timer_signal() };

	memset(&sig_state, 0, sizeof(sig_state));
	sig_state.command = command;
	sig_state.have_timer = timer_create(CLOCK_MONOTONIC, &ev, &sig_state.timer) == 0;
	sigemptyset(&handled);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(&handled, passed_on[i]);
	sigaddset(&handled, timer_signal());
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&handled, sig) == 1)
			set(sig, handle);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		set(ignored[i], ignore);
	/* An inherited SIG_IGN would let the kernel reap tracees in our stead. */
	set(SIGCHLD, dfl);
}

void signals_command_gone(void)
{
	sigset_t old;

	sigprocmask(SIG_BLOCK, &handled, &old);
	sig_state.command = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void signals_stop(void)
{
	if (sig_state.have_timer)
		timer_delete(sig_state.timer);
	sig_state.have_timer = false;
	for (int sig = 1; sig < NSIG; sig++) {
		if (changed[sig])
			sigaction(sig, &saved[sig], NULL);
		changed[sig] = false;
	}
}

void signals_seen(struct task *t, int sig)
{
	siginfo_t si;
	sigset_t old;

	if (t->t.tgid != t->e->command || sig >= NSIG || sigismember(&handled, sig) != 1)
		return;
	if (ptrace(PTRACE_GETSIGINFO, t->t.tid, 0, &si) < 0 || si.si_code > 0)
		return;
	sigprocmask(SIG_BLOCK, &handled, &old);
	if (sig_state.pending[sig] == si.si_pid) {
		sig_state.pending[sig] = 0;
	} else {
		sig_state.seen[sig] = si.si_pid;
		clock_gettime(CLOCK_MONOTONIC, &sig_state.seen_at[sig]);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* Is this process group the one that the terminal talks to? */
static bool in_foreground(void)
{
	_cleanup_fd_ int fd = x_openat(AT_FDCWD, "/dev/tty", O_RDONLY | O_CLOEXEC, 0);

	return fd >= 0 && tcgetpgrp(fd) == getpgrp();
}

/* The stop may be over by now, if this process was stopped with it and has only been continued. */
static bool has_news(pid_t pid)
{
	siginfo_t si = { 0 };

	for (int i = 0; i < 3; i++) {
		const struct timespec ms = { .tv_nsec = MS };

		if (waitid(P_PID, (id_t)pid, &si,
			   WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
		    si.si_pid == pid)
			return true;
		nanosleep(&ms, NULL);
	}
	return false;
}

/*
 * Only the command itself and only in our process group: a shell inside the session makes groups
 * of its own for what it runs.  SIGSTOP is no terminal's signal; some programs send it to
 * themselves when the user presses ^Z, and then they are in the foreground.  Elsewhere somebody
 * inside may mean to send SIGCONT, who needs us awake.
 */
void signals_group_stop(struct task *t, int sig)
{
	struct sigaction sa = { .sa_handler = SIG_DFL }, old;

	if (t->t.tid != t->e->command || getpgid(t->t.tid) != getpgrp())
		return;
	if ((sig == SIGSTOP && !in_foreground()) || has_news(t->t.tid))
		return;
	if (sig != SIGSTOP)
		sigaction(sig, &sa, &old);
	raise(sig);
	if (sig != SIGSTOP)
		sigaction(sig, &old, NULL);
}
