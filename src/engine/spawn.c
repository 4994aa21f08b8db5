/* SPDX-License-Identifier: MIT */
/*
 * The new process.  It waits until it is traced, then puts itself under the filter and executes
 * the command; that execve is the first call which the callbacks see.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "engine/private.h"

/* What the child says on its socket. */
enum spawn_stage { SPAWN_READY, SPAWN_SETUP, SPAWN_FILTER, SPAWN_EXEC };

struct report {
	int stage;
	int err; /* -errno */
};

const unsigned long trace_options = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK |
				    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
				    PTRACE_O_TRACESYSGOOD;

static ssize_t say(int fd, int stage, int err)
{
	struct report rep = { stage, err };

	return x_ret(send(fd, &rep, sizeof(rep), MSG_NOSIGNAL));
}

static int hear(int fd, struct report *rep)
{
	ssize_t n;

	do {
		n = x_ret(recv(fd, rep, sizeof(*rep), 0));
	} while (n == -EINTR);
	if (n < 0)
		return (int)n;
	return n == sizeof(*rep) ? 0 : -ESRCH;
}

/* PATH is searched in the command's environment, through the view: by the child's own calls. */
static int execute(char *const argv[], char *const envp[])
{
	environ = (char **)(uintptr_t)envp;
	return (int)x_ret(execvp(argv[0], argv));
}

static void __attribute__((noreturn))
child(int fd, const struct filter_set *filter, const sigset_t *mask, char *const argv[],
      char *const envp[], int (*setup)(void *), void *setup_arg)
{
	char go;
	int r = setup ? setup(setup_arg) : 0;

	say(fd, r < 0 ? SPAWN_SETUP : SPAWN_READY, r);
	/* Ends at once if the tracer has gone away. */
	if (r < 0 || x_ret(recv(fd, &go, 1, 0)) != 1)
		_exit(127);
	r = filter_install(filter);
	if (r < 0) {
		say(fd, SPAWN_FILTER, r);
		_exit(127);
	}
	sigprocmask(SIG_SETMASK, mask, NULL);
	r = execute(argv, envp);
	say(fd, SPAWN_EXEC, r);
	_exit(r == -ENOENT || r == -ENOTDIR ? 127 : 126);
}

int spawn_start(struct spawn *s, const struct filter_set *filter, const sigset_t *mask,
		char *const argv[], char *const envp[], int (*setup)(void *), void *setup_arg)
{
	struct report rep;
	int pair[2];
	int r = (int)x_ret(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));

	if (r < 0)
		return r;
	s->pid = (pid_t)x_ret(fork());
	if (s->pid == 0) {
		close(pair[0]);
		child(pair[1], filter, mask, argv, envp, setup, setup_arg);
	}
	close(pair[1]);
	s->fd = pair[0];
	r = s->pid < 0 ? s->pid : hear(s->fd, &rep);
	if (r == 0 && rep.stage != SPAWN_READY)
		r = rep.err;
	if (r == 0)
		r = (int)x_ret(ptrace(PTRACE_SEIZE, s->pid, 0, trace_options));
	if (r < 0)
		spawn_kill(s);
	return r;
}

int spawn_go(struct spawn *s)
{
	ssize_t n = x_ret(send(s->fd, "", 1, MSG_NOSIGNAL));

	return n < 0 ? (int)n : 0;
}

/* A socket that was closed without a word: the command runs, or was killed on the way to it. */
int spawn_result(struct spawn *s, int *ret_exec)
{
	struct report rep;
	int r = hear(s->fd, &rep);

	close(s->fd);
	s->fd = -1;
	*ret_exec = 0;
	if (r < 0)
		return 0;
	if (rep.stage != SPAWN_EXEC)
		return rep.err;
	*ret_exec = -rep.err;
	return 0;
}

void spawn_kill(struct spawn *s)
{
	close(s->fd);
	s->fd = -1;
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	while (x_ret(waitpid(s->pid, NULL, __WALL)) == -EINTR)
		;
}
