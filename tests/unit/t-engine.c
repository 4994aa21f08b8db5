/* SPDX-License-Identifier: MIT */
/* The ptrace executor, with tests/prog/engine-prog as the command; what its paths mean is in
 * enter() below. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/engine.h"

extern char **environ;

static char prog[PATH_MAX]; /* engine-prog */
static char dir[64];	    /* this test's own */

/* --- the policy --------------------------------------------------------------------------- */

/* What the callbacks saw; each is also a check of what they may rely on. */
static struct {
	struct engine *e;
	unsigned enters, exits, cancels, made, gone, execs, redirects, counted, retries;
	bool logs, passive;
} seen;

struct mark {
	pid_t tid;
};

static int on_task_new(struct tracee *child, struct tracee *parent, uint64_t flags, void *ctx)
{
	struct mark *m = malloc(sizeof(*m));

	(void)ctx;
	ck_assert_ptr_nonnull(m);
	ck_assert_ptr_null(child->data);
	if (parent) {
		ck_assert_ptr_nonnull(parent->data);
		ck_assert_int_eq(child->tgid, flags & CLONE_THREAD ? parent->tgid : child->tid);
	}
	m->tid = child->tid;
	child->data = m;
	seen.made++;
	return 0;
}

static void on_task_gone(struct tracee *t, void *ctx)
{
	(void)ctx;
	ck_assert_ptr_nonnull(t->data);
	free(t->data);
	t->data = NULL;
	seen.gone++;
}

static void on_task_exec(struct tracee *t, struct call *c, uint64_t sp, void *ctx)
{
	uint64_t argc;

	(void)ctx;
	ck_assert_ptr_nonnull(t->data);
	ck_assert_int_eq(t->tid, t->tgid);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->row->class, SYS_EXEC);
	ck_assert_int_eq(call_read(c, sp, &argc, sizeof(argc)), 0);
	ck_assert_uint_ge(argc, 1);
	ck_assert_uint_lt(argc, 1000);
	seen.execs++;
}

static bool is(const char *path, const char *prefix, const char **rest)
{
	size_t n = strlen(prefix);

	if (strncmp(path, prefix, n) != 0)
		return false;
	*rest = path + n;
	return true;
}

/* Two strings of len bytes have to arrive in scratch memory. */
static void put_big(struct call *c, size_t len)
{
	char *p = malloc(len), *q = malloc(len);
	uint64_t a, b;

	memset(p, 'x', len);
	if (call_put(c, p, len, &a) == 0 && call_put(c, p, len, &b) == 0) {
		call_return(c, call_read(c, a, q, len) < 0 || memcmp(p, q, len) != 0 ||
				       call_read(c, b, q, len) < 0 || memcmp(p, q, len) != 0);
	}
	free(p);
	free(q);
}

static void put_many(struct call *c, unsigned n)
{
	uint64_t addr;
	char buf[100] = "small";

	while (n-- > 0)
		if (call_put(c, buf, sizeof(buf), &addr) < 0)
			return;
	call_return(c, 0);
}

static void enter(struct call *c, void *ctx)
{
	int argno = sys_arg(c->row, R_PATH);
	char path[PATH_MAX];
	const char *rest;
	ssize_t n;

	(void)ctx;
	seen.enters++;
	ck_assert_ptr_nonnull(c->t->data);
	ck_assert_ptr_null(c->data);
	if (seen.passive || argno < 0)
		return;
	n = call_read_str(c, c->arg[argno], path, sizeof(path));
	if (n < 0) {
		call_return(c, n);
		return;
	}
	ck_assert_uint_eq((size_t)n, strlen(path));
	if (is(path, "/fuss-answer/", &rest)) {
		call_return(c, atoi(rest));
	} else if (is(path, "/fuss-redirect", &rest)) {
		if (call_set_path(c, (unsigned)argno, rest) < 0)
			return;
		seen.redirects++;
		c->data = malloc(1);
	} else if (is(path, "/fuss-count/", &rest)) {
		call_return(c, c->arg[1] ? (int)seen.counted : 0);
		seen.counted += c->arg[1] == 0;
	} else if (is(path, "/fuss-cookie/", &rest)) {
		uint64_t v = engine_cookie(seen.e);

		/* Not a value that looks like an error. */
		call_return(
			c, (int64_t)(strcmp(rest, "low") == 0 ? (uint32_t)v : (uint32_t)(v >> 32)));
	} else if (is(path, "/fuss-retry/", &rest)) {
		if (seen.retries == (unsigned)atoi(rest))
			call_return(c, seen.retries);
		else if (call_set_path(c, (unsigned)argno, "/nonexistent") == 0)
			c->data = malloc(1);
	} else if (is(path, "/fuss-exit", &rest)) {
		if (call_set_path(c, (unsigned)argno, rest) == 0)
			c->data = strdup("exit");
	} else if (is(path, "/fuss-id", &rest)) {
		ck_assert_int_eq(call_set_id(c, SYS_ID_getppid), 0);
	} else if (is(path, "/fuss-big/", &rest)) {
		put_big(c, (size_t)atol(rest));
	} else if (is(path, "/fuss-getfd/", &rest)) {
		_cleanup_fd_ int fd = tracee_getfd(c->t, atoi(rest));
		struct stat st;

		call_return(c, fd < 0 ? fd : fstat(fd, &st) < 0 ? -EIO : (int)minor(st.st_rdev));
	} else if (is(path, "/fuss-where", &rest)) {
		uint64_t addr;

		if (call_put(c, "", 1, &addr) == 0)
			call_return(c, (int64_t)(addr >> 12));
	} else if (is(path, "/fuss-many/", &rest)) {
		put_many(c, (unsigned)atoi(rest));
	} else if (is(path, "/fuss-write/", &rest)) {
		const int word = 77;

		call_return(c, call_write(c, c->arg[1], &word, sizeof(word)));
	}
}

static void on_exit_call(struct call *c, void *ctx)
{
	(void)ctx;
	seen.exits++;
	ck_assert(seen.logs || c->data);
	/* Never the kernel's own business. */
	ck_assert(c->result < -516 || c->result > -512);
	if (c->data && strcmp(c->data, "exit") == 0) {
		ck_assert_int_eq(c->result, 0);
		call_return(c, 1000);
	} else if (c->data && seen.retries < 3 && c->result == -ENOENT) {
		seen.retries++;
		call_retry(c);
	}
	free(c->data);
	c->data = NULL;
}

static void cancel(struct call *c, void *ctx)
{
	(void)ctx;
	seen.cancels++;
	free(c->data);
	c->data = NULL;
}

/* --- running ------------------------------------------------------------------------------ */

static const struct engine_cb callbacks = {
	.enter = enter,
	.exit = on_exit_call,
	.cancel = cancel,
	.task_new = on_task_new,
	.task_exec = on_task_exec,
	.task_gone = on_task_gone,
};

static int run_argv(char *const argv[], int (*setup)(void *))
{
	struct engine_options opt = { .want_all_exits = seen.logs };
	char why[512] = "";
	int status = -1, exec_errno = -1;
	int r = engine_new(&callbacks, &opt, &seen.e, why, sizeof(why));

	ck_assert_msg(r == 0, "%s", why);
	r = engine_run(seen.e, argv, environ, setup, NULL, &status, &exec_errno);
	engine_free(seen.e);
	seen.e = NULL;
	ck_assert_uint_eq(seen.made, seen.gone);
	if (r < 0)
		return r;
	ck_assert_int_eq(exec_errno, 0);
	return status;
}

/* Wait status of engine-prog. */
static int run3(const char *act, const char *a, const char *b)
{
	char *argv[] = { prog, (char *)(uintptr_t)act, (char *)(uintptr_t)a, (char *)(uintptr_t)b,
			 NULL };

	return run_argv(argv, NULL);
}

static int run(const char *act)
{
	return run3(act, NULL, NULL);
}

static void setup(void)
{
	strcpy(dir, "/tmp/fuss-t-engine-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(&seen, 0, sizeof(seen));
}

static void teardown(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Acts that need nothing but to succeed. */
static const char *const plain[] = {
	"answers",   "redirect",
#if defined(__x86_64__)
	"registers",
#endif
	"cookie",    "tricks",	 "unmap",	"nomem",	"threads", "small-stacks", "vfork",
	"untraced",  "siginfo",	 "job-control", "stop-threads", "seccomp", "timer-unmap",
	"getfd",
};

START_TEST(act_sees_nothing_unusual)
{
	ck_assert_msg(run(plain[_i]) == 0, "%s", plain[_i]);
}
END_TEST

/* The same with the log's wishes: an exit for every call. */
START_TEST(act_with_all_exits)
{
	seen.logs = true;
	ck_assert_msg(run(plain[_i]) == 0, "%s", plain[_i]);
	ck_assert_uint_ge(seen.exits + seen.cancels, seen.enters - 1);
}
END_TEST

#if defined(__x86_64__)
START_TEST(other_abis_are_refused)
{
	ck_assert_int_eq(run("foreign"), 0);
}
END_TEST
#endif

/* A task whose state is made twice, or never, would run unseen: the race is between two reports. */
START_TEST(fork_storm_misses_nobody)
{
	ck_assert_int_eq(run3("storm", "8", "40"), 0);
	ck_assert_uint_eq(seen.made, 1 + 8 + 8 * 40);
	ck_assert_uint_eq(seen.redirects, 8 * 40);
}
END_TEST

START_TEST(killed_creators_leave_no_orphan)
{
	ck_assert_int_eq(run("killed-creators"), 0);
}
END_TEST

START_TEST(exec_from_a_thread)
{
	ck_assert_int_eq(run3("thread-exec", _i % 2 ? "leader-gone" : "leader-lives", NULL), 0);
	ck_assert_uint_eq(seen.execs, 2);
	ck_assert_uint_eq(seen.made, 1 + 7);
}
END_TEST

START_TEST(timer_doubles_and_loses_nothing)
{
	ck_assert_int_eq(run("timer"), 0);
	ck_assert_uint_gt(seen.counted, 100);
}
END_TEST

START_TEST(interrupted_calls_start_again)
{
	const char *fifo = in_dir("fifo");

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(run3("fifo", fifo, NULL), 0);
	ck_assert_uint_gt(seen.cancels, 5);
	ck_assert_uint_eq(seen.cancels + 2, seen.redirects);
}
END_TEST

START_TEST(exit_status_is_the_commands)
{
	static const int codes[] = { 0, 1, 77, 255 };
	static const int sigs[] = { SIGKILL, SIGTERM, SIGSEGV, SIGINT, SIGTRAP, SIGSYS };
	char n[16];

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		snprintf(n, sizeof(n), "%d", codes[i]);
		ck_assert_int_eq(run3("exit", n, NULL), codes[i] << 8);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		int st;

		snprintf(n, sizeof(n), "%d", sigs[i]);
		st = run3("die", n, NULL);
		ck_assert(WIFSIGNALED(st) && WTERMSIG(st) == sigs[i]);
	}
}
END_TEST

START_TEST(run_lasts_as_long_as_descendants)
{
	ck_assert_int_eq(run3("orphan", in_dir("proof"), NULL), 3 << 8);
	ck_assert_int_eq(access(in_dir("proof"), F_OK), 0);
}
END_TEST

static int refuse_setup(void *arg)
{
	(void)arg;
	return -EXDEV;
}

START_TEST(failed_starts_are_told)
{
	char *const none[] = { (char *)(uintptr_t)"/nonexistent/prog", NULL };
	char *const no_exec[] = { (char *)(uintptr_t)"/etc/passwd", NULL };
	char *const echo[] = { (char *)(uintptr_t)"true", NULL };
	char why[512];
	int st, err, r = engine_new(&callbacks, NULL, &seen.e, why, sizeof(why));

	ck_assert_int_eq(r, 0);
	r = engine_run(seen.e, none, environ, NULL, NULL, &st, &err);
	ck_assert(r == 0 && err == ENOENT && WEXITSTATUS(st) == 127);
	r = engine_run(seen.e, no_exec, environ, NULL, NULL, &st, &err);
	ck_assert(r == 0 && err == EACCES && WEXITSTATUS(st) == 126);
	r = engine_run(seen.e, echo, environ, refuse_setup, NULL, &st, &err);
	ck_assert_int_eq(r, -EXDEV);
	r = engine_run(seen.e, echo, environ, NULL, NULL, &st, &err);
	ck_assert(r == 0 && err == 0 && st == 0);
	engine_free(seen.e);
}
END_TEST

/* --- surroundings ------------------------------------------------------------------------- */

static void read_output(const char *path, char *buf, size_t size)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, size - 1);

	ck_assert_int_ge(n, 0);
	buf[n] = '\0';
}

static int redirect_output(void *arg)
{
	int fd = open(in_dir("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	(void)arg;
	dup2(fd, 1);
	close(fd);
	return 0;
}

START_TEST(command_gets_what_was_inherited)
{
	char direct[2048], traced[2048];
	char *argv[] = { prog, (char *)(uintptr_t)"status", NULL };
	sigset_t set;
	struct rlimit lim;
	pid_t pid;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = 123;
	setrlimit(RLIMIT_NOFILE, &lim);
	pid = fork();
	if (pid == 0) {
		redirect_output(NULL);
		execv(prog, argv);
		_exit(1);
	}
	while (waitpid(pid, NULL, 0) == pid)
		;
	read_output(in_dir("out"), direct, sizeof(direct));
	ck_assert_int_eq(run_argv(argv, redirect_output), 0);
	read_output(in_dir("out"), traced, sizeof(traced));
	ck_assert_ptr_nonnull(strstr(direct, "nofile 123 "));
	ck_assert_str_eq(direct, traced);
	/* And this process has its own back. */
	ck_assert(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
	ck_assert(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
	ck_assert(signal(SIGTTOU, SIG_DFL) == SIG_IGN);
}
END_TEST

static pid_t spawn_run(const char *act, const char *a, int out, bool own_group)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int st;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (own_group)
			setpgid(0, 0);
		if (out >= 0)
			dup2(out, 1);
		st = run3(act, a, NULL);
		_exit(WIFEXITED(st) ? WEXITSTATUS(st) : 200 + WTERMSIG(st));
	}
	return pid;
}

static bool lives(pid_t pid)
{
	char path[32], buf[512] = "";
	_cleanup_fd_ int fd = -1;
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY);
	p = fd >= 0 && read(fd, buf, sizeof(buf) - 1) > 0 ? strrchr(buf, ')') : NULL;
	return p && p[1] == ' ' && p[2] != 'Z' && p[2] != 'X';
}

/* Every process of the tree dies with its tracer, even those in sessions of their own. */
START_TEST(nothing_survives_the_tracer)
{
	const char *path = in_dir("pids");
	pid_t pid = spawn_run("forever", path, -1, false);
	unsigned n = 0, alive = 1;
	char line[32];

	for (int i = 0; i < 500 && n < 14; i++) {
		FILE *f = fopen(path, "r");

		usleep(10000);
		for (n = 0; f && fgets(line, sizeof(line), f);)
			n++;
		if (f)
			fclose(f);
	}
	ck_assert_uint_ge(n, 14);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 500 && alive; i++) {
		FILE *f = fopen(path, "r");

		usleep(10000);
		for (alive = 0; fgets(line, sizeof(line), f);)
			alive += lives(atoi(line));
		fclose(f);
	}
	ck_assert_uint_eq(alive, 0);
}
END_TEST

static void wait_ready(int fd, const char *word)
{
	char buf[64];
	size_t n = 0;

	while (n < sizeof(buf) - 1 && read(fd, buf + n, 1) == 1 && buf[n] != '\n')
		n++;
	buf[n] = '\0';
	buf[strcspn(buf, "\r")] = '\0';
	ck_assert_str_eq(buf, word);
}

/* To the tracer alone: passed on.  To the group: the command has its copy and gets no second
 * one. */
START_TEST(signals_to_the_tracer_reach_the_command_once)
{
	static const int sigs[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM };
	int sig = sigs[_i / 2], out[2], st;
	char n[16];
	pid_t pid;

	snprintf(n, sizeof(n), "%d", sig);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	pid = spawn_run("count-signal", n, out[1], true);
	wait_ready(out[0], "ready");
	kill(_i % 2 ? pid : -pid, sig);
	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	ck_assert(WIFEXITED(st));
	ck_assert_int_eq(WEXITSTATUS(st), 1);
}
END_TEST

/* --- a terminal --------------------------------------------------------------------------- */

/* Runs on a terminal as its session's leader: starts the tracer as a foreground job, as a shell
 * would, and says what becomes of it by its exit status. */
static void shell(const char *act, int expect_stop)
{
	pid_t job;
	int st;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	job = spawn_run(act, NULL, -1, true);
	signal(SIGTTOU, SIG_IGN);
	setpgid(job, job);
	tcsetpgrp(0, job);
	if (waitpid(job, &st, WUNTRACED) != job)
		_exit(101);
	if (expect_stop) {
		if (!WIFSTOPPED(st) || WSTOPSIG(st) != expect_stop)
			_exit(102);
		tcsetpgrp(0, getpgrp());
		dprintf(1, "stopped\n");
		usleep(50000);
		tcsetpgrp(0, job);
		kill(-job, SIGCONT);
		if (waitpid(job, &st, WUNTRACED) != job)
			_exit(103);
	}
	_exit(WIFEXITED(st) ? WEXITSTATUS(st) : 104);
}

static pid_t start_shell(const char *act, int expect_stop, int *master)
{
	pid_t pid = forkpty(master, NULL, NULL, NULL);

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		shell(act, expect_stop);
	return pid;
}

/* Some programs let the kernel stop them, some do what they have to do first and stop
 * themselves. */
START_TEST(suspend_and_foreground)
{
	int master, st;
	pid_t pid = _i % 2 ? start_shell("read-line-self", SIGSTOP, &master)
			   : start_shell("read-line", SIGTSTP, &master);

	wait_ready(master, "reading");
	ck_assert_int_eq(write(master, "\x1a", 1), 1); /* ^Z */
	wait_ready(master, "^Zstopped");
	usleep(100000);
	ck_assert_int_eq(write(master, "line\n", 5), 5);
	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	ck_assert_msg(WIFEXITED(st) && WEXITSTATUS(st) == 9, "%x", st);
}
END_TEST

/* The command dies of ^C, the tracer does not, and tells. */
START_TEST(interrupt_from_the_terminal)
{
	int master, st;
	pid_t pid = start_shell("read-line", 0, &master);

	wait_ready(master, "reading");
	ck_assert_int_eq(write(master, "\x03", 1), 1);
	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	ck_assert_msg(WIFEXITED(st) && WEXITSTATUS(st) == 200 + SIGINT, "%x", st);
}
END_TEST

/* --- unusual conditions ------------------------------------------------------------------- */

static void drop_privileges(void)
{
	ck_assert_int_eq(setgid(65534), 0);
	ck_assert_int_eq(setuid(65534), 0);
	prctl(PR_SET_DUMPABLE, 1);
}

/* In a child, which may fail as it likes: the fixture needs its rights back. */
START_TEST(without_privileges)
{
	static const char *const acts[] = { "answers", "redirect", "cookie",
					    "tricks",  "untraced", "vfork" };
	char copy[128], cmd[PATH_MAX + 512];
	pid_t pid;
	int st;

	if (getuid() != 0)
		return;
	/* A copy that others may run: the build directory may be closed to them. */
	snprintf(copy, sizeof(copy), "%s/engine-prog", dir);
	snprintf(cmd, sizeof(cmd), "cp %s %s && chmod 755 %s %s", prog, copy, copy, dir);
	ck_assert_int_eq(system(cmd), 0);
	strcpy(prog, copy);
	pid = fork();
	if (pid == 0) {
		drop_privileges();
		for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
			if (run(acts[i]) != 0)
				_exit((int)i + 1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	ck_assert_msg(st == 0, "%s",
		      acts[(WEXITSTATUS(st) + ARRAY_SIZE(acts) - 1) % ARRAY_SIZE(acts)]);
}
END_TEST

/* --- whole programs ----------------------------------------------------------------------- */

static int shell_command(const char *cmd, bool traced)
{
	char *argv[] = { (char *)(uintptr_t)"bash", (char *)(uintptr_t)"-c",
			 (char *)(uintptr_t)cmd, NULL };
	pid_t pid;
	int st;

	if (traced)
		return run_argv(argv, redirect_output);
	pid = fork();
	if (pid == 0) {
		redirect_output(NULL);
		execvp(argv[0], argv);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	return st;
}

static const char *const scripts[] = {
	"for i in $(seq 20); do (echo $i | cat) & done | sort; wait; exit 4",
	"echo a b c | awk '{print $2}' | sed s/b/B/; kill -TERM $$",
	"type make >/dev/null || exit 0; printf 'all: 1 2 3 4\\n%%:\\n\\t@sleep 0.01; echo $@\\n' "
	"| make -s -j4 -f - | sort",
	"type python3 >/dev/null || exit 0; python3 -c 'import subprocess as s, threading as t\n"
	"l = [t.Thread(target=lambda: s.check_output([\"true\"])) for i in range(8)]\n"
	"[x.start() for x in l]; [x.join() for x in l]; print(1)'",
	"type git >/dev/null || exit 0; d=$(mktemp -d); cd $d && git init -q a && cd a && "
	"touch x && git add x && git -c user.name=n -c user.email=e commit -qm m && cd .. && "
	"git clone -q a b && ls b; rm -rf $d",
};

START_TEST(programs_run_as_without_us)
{
	char direct[4096], traced[4096];
	int st;

	seen.passive = true;
	st = shell_command(scripts[_i], false);
	read_output(in_dir("out"), direct, sizeof(direct));
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(shell_command(scripts[_i], true), st);
		read_output(in_dir("out"), traced, sizeof(traced));
		ck_assert_str_eq(direct, traced);
	}
}
END_TEST

static const char go_source[] =
	"package main\nimport (\"os\"; \"sync\")\nfunc main() {\n var w sync.WaitGroup\n"
	" for i := 0; i < 100; i++ {\n  w.Add(1)\n  go func() {\n   defer w.Done()\n"
	"   for j := 0; j < 50; j++ {\n    f, e := os.Open(\"/fuss-redirect/etc/passwd\")\n"
	"    if e != nil { panic(e) }\n    b := make([]byte, 64)\n    f.Read(b)\n"
	"    f.Close()\n    if _, e := os.Stat(\"/nonexistent-engine\"); e == nil { panic(e) }\n"
	"   }\n  }()\n }\n w.Wait()\n}\n";

/* Small stacks that move, and signals of the runtime's own at any moment. */
START_TEST(go_program)
{
	char cmd[256], bin[128], *argv[] = { bin, NULL };
	FILE *f;

	snprintf(bin, sizeof(bin), "%s", in_dir("prog"));
	if (system("command -v go >/dev/null") != 0)
		return;
	f = fopen(in_dir("m.go"), "w");
	fputs(go_source, f);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "cd %s && go build -o prog m.go 2>/dev/null", dir);
	if (system(cmd) != 0)
		return;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(run_argv(argv, NULL), 0);
	ck_assert_uint_eq(seen.redirects, 3 * 100 * 50);
}
END_TEST

/* --- refusals ----------------------------------------------------------------------------- */

/* engine_new() in a child that prepare() has put into a bad place: errno and words that the
 * reason must contain. */
static void expect_refusal(void (*prepare)(void), int err, const char *word)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		struct engine *e;
		char why[512] = "";
		int r;

		prepare();
		r = engine_new(&callbacks, NULL, &e, why, sizeof(why));
		if (r != -err || !strstr(why, word))
			dprintf(2, "%d: %s\n", r, why);
		_exit(r != -err ? 1 : strstr(why, word) ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	ck_assert_int_eq(st, 0);
}

static void forbid(int nr, int err)
{
	struct sock_filter insn[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(insn), insn };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void forbid_ptrace(void)
{
	forbid(SYS_ptrace, EPERM);
}

static void forbid_seccomp(void)
{
	forbid(SYS_seccomp, EINVAL);
}

START_TEST(refusals_say_why)
{
	expect_refusal(forbid_ptrace, EPERM, "--cap-add=SYS_PTRACE");
	expect_refusal(forbid_seccomp, EINVAL, "CONFIG_SECCOMP_FILTER");
}
END_TEST

/* A tracer that follows forks, as strace -f: it has our children before us. */
START_TEST(inside_another_tracer)
{
	int go[2], st;
	pid_t pid, tracer;

	ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
	tracer = fork();
	if (tracer == 0) {
		pid = fork();
		if (pid == 0) {
			struct engine *e;
			char why[512] = "", c;

			_exit(read(go[0], &c, 1) != 1 ||
			      engine_new(&callbacks, NULL, &e, why, sizeof(why)) != -EPERM ||
			      !strstr(why, "traced itself"));
		}
		ptrace(PTRACE_SEIZE, pid, 0,
		       PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
		(void)!write(go[1], "", 1);
		for (;;) {
			pid_t p = waitpid(-1, &st, __WALL);

			if (WIFSTOPPED(st))
				ptrace(PTRACE_CONT, p, 0, st >> 16 ? 0 : WSTOPSIG(st));
			else if (p == pid)
				_exit(WIFEXITED(st) ? WEXITSTATUS(st) : 99);
		}
	}
	ck_assert_int_eq(waitpid(tracer, &st, 0), tracer);
	ck_assert_int_eq(st, 0);
}
END_TEST

static int find_prog(void)
{
	const char *build = getenv("FUSS_TEST_BUILD");
	char self[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (build) {
		snprintf(prog, sizeof(prog), "%s/tests/prog/engine-prog", build);
		if (access(prog, X_OK) == 0)
			return 0;
	}
	if (n < 0)
		return -1;
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	snprintf(prog, sizeof(prog), "%s/engine-prog", self);
	if (access(prog, X_OK) == 0)
		return 0;
	snprintf(prog, sizeof(prog), "%s/../prog/engine-prog", self);
	return access(prog, X_OK);
}

static TCase *new_case(Suite *s, const char *name)
{
	TCase *c = tcase_create(name);

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return c;
}

int main(void)
{
	Suite *s = suite_create("engine");
	TCase *c;
	SRunner *r;
	int failed;

	if (find_prog() < 0) {
		printf("1..0 # SKIP engine-prog is not built\n");
		return 0; /* TAP: a skip is a success */
	}
	c = new_case(s, "calls");
	tcase_add_loop_test(c, act_sees_nothing_unusual, 0, ARRAY_SIZE(plain));
	tcase_add_loop_test(c, act_with_all_exits, 0, ARRAY_SIZE(plain));
#if defined(__x86_64__)
	tcase_add_test(c, other_abis_are_refused);
#endif
	tcase_add_test(c, timer_doubles_and_loses_nothing);
	tcase_add_test(c, interrupted_calls_start_again);
	c = new_case(s, "tasks");
	tcase_add_loop_test(c, fork_storm_misses_nobody, 0, 15);
	tcase_add_test(c, killed_creators_leave_no_orphan);
	tcase_add_loop_test(c, exec_from_a_thread, 0, 20);
	c = new_case(s, "run");
	tcase_add_test(c, exit_status_is_the_commands);
	tcase_add_test(c, run_lasts_as_long_as_descendants);
	tcase_add_test(c, failed_starts_are_told);
	tcase_add_test(c, command_gets_what_was_inherited);
	tcase_add_test(c, nothing_survives_the_tracer);
	tcase_add_test(c, without_privileges);
	tcase_add_test(c, refusals_say_why);
	tcase_add_test(c, inside_another_tracer);
	c = new_case(s, "programs");
	tcase_add_loop_test(c, programs_run_as_without_us, 0, ARRAY_SIZE(scripts));
	tcase_add_test(c, go_program);
	c = new_case(s, "signals");
	tcase_add_loop_test(c, signals_to_the_tracer_reach_the_command_once, 0, 14);
	tcase_add_loop_test(c, suspend_and_foreground, 0, 4);
	tcase_add_test(c, interrupt_from_the_terminal);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
