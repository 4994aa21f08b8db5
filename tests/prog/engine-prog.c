/* SPDX-License-Identifier: MIT */
/*
 * engine-prog ACT [ARGUMENT ...]: what t-engine runs under the engine.  Every act exits 0 if it
 * saw what a program
 * without a tracer would have seen.  Paths under /fuss-... mean something to the test's callbacks:
 *   /fuss-answer/N     the call gives N and does not run
 *   /fuss-redirect/P   the call runs on /P
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER "/fuss-answer/"
#define REDIRECT "/fuss-redirect"
/* No host gives this number for access(2). */
#define PROBE ANSWER "4242"

#define CHECK(cond)                                                                          \
	do {                                                                                 \
		if (!(cond)) {                                                               \
			fprintf(stderr, "engine-prog: line %d: %s (errno %d)\n", __LINE__,   \
				#cond, errno);                                               \
			_exit(1);                                                            \
		}                                                                            \
	} while (0)

/* Is this task intercepted?  All arguments are given: syscall(3) fetches six, and the last one
 * means something. */
static bool intercepted(void)
{
	return syscall(SYS_access, PROBE, F_OK, 0, 0, 0, 0L) == 4242;
}

static void reap(pid_t pid)
{
	int st;

	CHECK(waitpid(pid, &st, __WALL) == pid);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

/* --- calls -------------------------------------------------------------------------------- */

static int act_answers(char **arg)
{
	char path[64];

	(void)arg;
	CHECK(intercepted());
	for (int i = 1; i < 100; i++) {
		snprintf(path, sizeof(path), ANSWER "%d", -i);
		CHECK(mkdir(path, 0777) == -1 && errno == i);
		snprintf(path, sizeof(path), ANSWER "%d", i);
		CHECK(syscall(SYS_mkdir, path, 0777) == i);
	}
	CHECK(access((char *)8, F_OK) == -1 && errno == EFAULT);
	CHECK(access("/nonexistent-engine", F_OK) == -1 && errno == ENOENT);
	return 0;
}

static int act_redirect(char **arg)
{
	char a[64], b[64];
	int fd = open(REDIRECT "/proc/self/comm", O_RDONLY);
	ssize_t n;

	(void)arg;
	CHECK(fd >= 0);
	n = read(fd, a, sizeof(a));
	CHECK(n > 0);
	close(fd);
	fd = open("/proc/self/comm", O_RDONLY);
	CHECK(read(fd, b, sizeof(b)) == n && memcmp(a, b, (size_t)n) == 0);
	return 0;
}

#if defined(__x86_64__)
/* All registers that the kernel preserves, and the 128 bytes below the stack pointer. */
static long raw(long nr, const uint64_t in[6], uint64_t out[6], bool *red_zone)
{
	register uint64_t r10 __asm__("r10") = in[3];
	register uint64_t r8 __asm__("r8") = in[4];
	register uint64_t r9 __asm__("r9") = in[5];
	uint64_t di = in[0], si = in[1], dx = in[2], ok;
	long ret;

	__asm__ volatile("movq $0x5a5a5a5a, -8(%%rsp)\n\t"
			 "movq $0x6b6b6b6b, -128(%%rsp)\n\t"
			 "syscall\n\t"
			 "xorl %%ecx, %%ecx\n\t"
			 "cmpq $0x5a5a5a5a, -8(%%rsp)\n\t"
			 "jne 1f\n\t"
			 "cmpq $0x6b6b6b6b, -128(%%rsp)\n\t"
			 "jne 1f\n\t"
			 "movl $1, %%ecx\n"
			 "1:"
			 : "=a"(ret), "+D"(di), "+S"(si), "+d"(dx), "+r"(r10), "+r"(r8), "+r"(r9),
			   "=&c"(ok)
			 : "0"(nr)
			 : "r11", "memory", "cc");
	out[0] = di;
	out[1] = si;
	out[2] = dx;
	out[3] = r10;
	out[4] = r8;
	out[5] = r9;
	*red_zone = ok;
	return ret;
}

static int act_registers(char **arg)
{
	static const char *const path[] = { REDIRECT "/proc/self/comm", REDIRECT "/nonexistent",
					    ANSWER "55", "/proc/self/comm" };

	(void)arg;
	for (int round = 0; round < 300; round++) {
		const char *p = path[round % 4];
		uint64_t in[6] = { (uint64_t)AT_FDCWD, (uintptr_t)p, O_RDONLY, 0x1111222233334444,
				   0x5555666677778888, 0x99990000aaaabbbb };
		uint64_t out[6];
		bool red_zone;
		long r = raw(SYS_openat, in, out, &red_zone);

		CHECK(red_zone);
		CHECK(memcmp(in, out, sizeof(in)) == 0);
		if (round % 4 == 1)
			CHECK(r == -ENOENT);
		else if (round % 4 == 2)
			CHECK(r == 55);
		else
			CHECK(r >= 0 && close((int)r) == 0);
	}
	return 0;
}

/* i386's getpid, and x32's. */
static int act_foreign(char **arg)
{
	long ret = 20;

	(void)arg;
	__asm__ volatile("int $0x80" : "+a"(ret) : : "memory", "r8", "r9", "r10", "r11");
	CHECK(ret == -ENOSYS);
	ret = 20;
	__asm__ volatile("int $0x80" : "+a"(ret) : : "memory", "r8", "r9", "r10", "r11");
	CHECK(ret == -ENOSYS);
	CHECK(syscall(0x40000000 | SYS_getpid) == -1 && errno == ENOSYS);
	CHECK(syscall(1000) == -1 && errno == ENOSYS);
	CHECK(syscall(-1) == -1 && errno == ENOSYS);
	CHECK(intercepted());
	return 0;
}
#endif

static int act_cookie(char **arg)
{
	uint64_t cookie;

	/* The callbacks answer the access below with the cookie's halves. */
	cookie = (uint64_t)(uint32_t)syscall(SYS_access, "/fuss-cookie/low", 0);
	cookie |= (uint64_t)(uint32_t)syscall(SYS_access, "/fuss-cookie/high", 0) << 32;
	(void)arg;
	CHECK(syscall(SYS_access, PROBE, 0, 0, 0, 0, cookie + 1) == 4242);
	CHECK(syscall(SYS_access, PROBE, 0, 0, 0, 0, cookie) == -1 && errno == ENOENT);
	CHECK(syscall(SYS_openat, AT_FDCWD, PROBE, 0, 0, 0, cookie) == -1 && errno == ENOENT);
	CHECK(intercepted());
	return 0;
}

/* What each path means is in the test. */
static int act_tricks(char **arg)
{
	int word = 0;

	(void)arg;
	CHECK(syscall(SYS_access, "/fuss-retry/3", F_OK) == 3);
	CHECK(syscall(SYS_access, "/fuss-exit/dev", F_OK) == 1000);
	CHECK(syscall(SYS_access, "/fuss-id", F_OK) == getppid());
	CHECK(syscall(SYS_access, "/fuss-big/300000", F_OK) == 0);
	CHECK(syscall(SYS_access, "/fuss-big/30000", F_OK) == 0);
	CHECK(syscall(SYS_access, "/fuss-big/8000", F_OK) == 0);
	CHECK(syscall(SYS_access, "/fuss-many/100", F_OK) == 0);
	CHECK(syscall(SYS_access, "/fuss-many/2000", F_OK) == 0);
	CHECK(syscall(SYS_access, "/fuss-write/", &word) == 0 && word == 77);
	CHECK(syscall(SYS_access, "/fuss-write/", ANSWER) == -1 && errno == EFAULT);
	return 0;
}

/* A program that unmaps what it does not know must not take us by surprise. */
static int act_unmap(char **arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		/* The callbacks answer with the address of what they mapped, in pages. */
		uint64_t page = (uint64_t)syscall(SYS_access, "/fuss-where", F_OK);

		CHECK(page > 0 && page < UINT64_C(1) << 51);
		CHECK(munmap((void *)(page << 12), 65536) == 0);
		CHECK(access(REDIRECT "/dev/null", F_OK) == 0);
	}
	return 0;
}

/* No address space left for scratch: the call fails, the program goes on. */
static int act_nomem(char **arg)
{
	struct rlimit lim = { 1 << 20, RLIM_INFINITY }, old;

	(void)arg;
	CHECK(getrlimit(RLIMIT_AS, &old) == 0);
	lim.rlim_max = old.rlim_max;
	CHECK(setrlimit(RLIMIT_AS, &lim) == 0);
	CHECK(access("/fuss-big/5000000", F_OK) == -1 && errno == ENOMEM);
	CHECK(setrlimit(RLIMIT_AS, &old) == 0);
	CHECK(access("/fuss-big/5000000", F_OK) == 0);
	return 0;
}

static int probe_fd(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/fuss-getfd/%d", fd);
	return (int)syscall(SYS_access, path, F_OK);
}

static void *other_table(void *arg)
{
	int fd = *(int *)arg, zero = open("/dev/zero", O_RDONLY);

	CHECK(unshare(CLONE_FILES) == 0);
	CHECK(dup2(zero, fd) == fd);
	CHECK(probe_fd(fd) == 5 || errno == ENOSYS);
	close(fd);
	CHECK(probe_fd(fd) == -1 && (errno == EBADF || errno == ENOSYS));
	return NULL;
}

/* The callbacks answer with the minor number of the device that a descriptor is. */
static int act_getfd(char **arg)
{
	int fd = open("/dev/null", O_RDONLY);
	pthread_t t;

	(void)arg;
	CHECK(probe_fd(fd) == 3 || errno == ENOSYS);
	CHECK(pthread_create(&t, NULL, other_table, &fd) == 0);
	pthread_join(t, NULL);
	CHECK(probe_fd(fd) == 3 || errno == ENOSYS);
	return 0;
}

/* --- tasks -------------------------------------------------------------------------------- */

static void *storm_thread(void *arg)
{
	int rounds = *(int *)arg;

	for (int i = 0; i < rounds; i++) {
		pid_t pid;

		CHECK(intercepted());
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			CHECK(intercepted());
			CHECK(access(REDIRECT "/dev/null", F_OK) == 0);
			_exit(0);
		}
		reap(pid);
	}
	return NULL;
}

static int act_storm(char **arg)
{
	int threads = atoi(arg[0]), rounds = atoi(arg[1]);
	pthread_t t[64];

	CHECK(threads <= 64);
	for (int i = 0; i < threads; i++)
		CHECK(pthread_create(&t[i], NULL, storm_thread, &rounds) == 0);
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static void *short_thread(void *arg)
{
	(void)arg;
	CHECK(intercepted());
	return NULL;
}

static void *make_threads(void *arg)
{
	for (int i = 0; i < 100; i++) {
		pthread_t t;

		CHECK(pthread_create(&t, NULL, short_thread, NULL) == 0);
		pthread_join(t, NULL);
	}
	return arg;
}

static int act_threads(char **arg)
{
	pthread_t t[8];

	(void)arg;
	for (int i = 0; i < 8; i++)
		CHECK(pthread_create(&t[i], NULL, make_threads, NULL) == 0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static pthread_barrier_t barrier;

static void *small_stack_thread(void *arg)
{
	unsigned char guard[256];
	int fd;

	memset(guard, 0x77, sizeof(guard));
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 20; i++) {
		fd = open(REDIRECT "/dev/null", O_RDONLY);
		CHECK(fd >= 0);
		close(fd);
	}
	for (size_t i = 0; i < sizeof(guard); i++)
		CHECK(guard[i] == 0x77);
	return arg;
}

static int act_small_stacks(char **arg)
{
	enum { N = 200 };
	pthread_t t[N];
	pthread_attr_t a;

	(void)arg;
	pthread_attr_init(&a);
	CHECK(pthread_attr_setstacksize(&a, 16384) == 0);
	pthread_barrier_init(&barrier, NULL, N);
	for (int i = 0; i < N; i++)
		CHECK(pthread_create(&t[i], &a, small_stack_thread, NULL) == 0);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static int act_vfork(char **arg)
{
	static int i;

	(void)arg;
	for (i = 0; i < 50; i++) {
		pid_t pid = vfork();

		CHECK(pid >= 0);
		if (pid == 0) {
			if (!intercepted() || access(REDIRECT "/dev/null", F_OK) < 0)
				_exit(3);
			if (i % 2)
				execl("/proc/self/exe", "engine-prog", "answers", (char *)NULL);
			_exit(0);
		}
		reap(pid);
		CHECK(access(REDIRECT "/dev/null", F_OK) == 0);
	}
	return 0;
}

static int untraced_child(void *arg)
{
	(void)arg;
	return intercepted() ? 0 : 1;
}

struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

/* Children that ask not to be traced are, all the same; and the caller's argument is as it was. */
static int act_untraced(char **arg)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct clone3_args a = { .flags = CLONE_UNTRACED, .exit_signal = SIGCHLD }, b = a;
	pid_t pid;

	(void)arg;
	pid = clone(untraced_child, stack + sizeof(stack), CLONE_UNTRACED | SIGCHLD, NULL);
	CHECK(pid > 0);
	reap(pid);
	pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(untraced_child(NULL) || memcmp(&a, &b, sizeof(a)) != 0);
	reap(pid);
	CHECK(memcmp(&a, &b, sizeof(a)) == 0);
#if defined(__x86_64__)
	{
		uint64_t in[6] = { CLONE_UNTRACED | SIGCHLD }, out[6];
		bool red_zone;
		pid_t self = getpid();
		long r = raw(SYS_clone, in, out, &red_zone);

		CHECK(r >= 0 && out[0] == in[0]);
		if (r == 0)
			_exit(getpid() == self || !intercepted());
		reap((pid_t)r);
		in[0] = (uintptr_t)&a;
		in[1] = sizeof(a);
		r = raw(SYS_clone3, in, out, &red_zone);
		CHECK(r >= 0 && out[0] == in[0]);
		if (r == 0)
			_exit(!intercepted());
		reap((pid_t)r);
	}
#endif
	CHECK(syscall(SYS_clone3, NULL, sizeof(a)) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_clone3, &a, 1) == -1 && errno == EINVAL);
	return 0;
}

static void *idle_thread(void *arg)
{
	/* Some are in calls, some in none. */
	if (arg)
		pause();
	while (access(REDIRECT "/dev/null", F_OK) == 0)
		;
	return arg;
}

static void *exec_thread(void *arg)
{
	char pid[16];

	usleep(20000);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	/* /proc/self leads nowhere when the leader is gone. */
	execl("/proc/thread-self/exe", "engine-prog", "after-exec", pid, (char *)NULL);
	return arg;
}

/* exec from a thread that is not the leader: the leader may be alive or gone. */
static int act_thread_exec(char **arg)
{
	pthread_t t;

	for (int i = 0; i < 6; i++)
		CHECK(pthread_create(&t, NULL, idle_thread, i % 2 ? &t : NULL) == 0);
	CHECK(pthread_create(&t, NULL, exec_thread, NULL) == 0);
	if (strcmp(arg[0], "leader-gone") == 0)
		syscall(SYS_exit, 0);
	idle_thread(NULL);
	return 1;
}

static int act_after_exec(char **arg)
{
	CHECK(getpid() == atoi(arg[0]));
	CHECK(syscall(SYS_gettid) == getpid());
	CHECK(intercepted());
	CHECK(access(REDIRECT "/dev/null", F_OK) == 0);
	return 0;
}

/* Creators that are killed while they create. */
static int act_killed_creators(char **arg)
{
	(void)arg;
	for (int i = 0; i < 150; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			for (;;) {
				pid_t p = fork();

				if (p == 0)
					_exit(intercepted() ? 0 : 9);
				waitpid(-1, NULL, WNOHANG);
			}
		}
		usleep((useconds_t)(300 + i * 37 % 2000));
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, NULL, 0) == pid);
	}
	return 0;
}

/* --- signals ------------------------------------------------------------------------------ */

static volatile sig_atomic_t caught, ticks;
static siginfo_t caught_info;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	caught_info = *si;
	caught++;
}

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

static void handle(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static int act_siginfo(char **arg)
{
	union sigval v = { .sival_int = 12345 };

	(void)arg;
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33)
			continue;
		handle(sig);
		caught = 0;
		CHECK(sigqueue(getpid(), sig, v) == 0);
		CHECK(caught == 1 && caught_info.si_signo == sig);
		CHECK(caught_info.si_code == SI_QUEUE && caught_info.si_value.sival_int == 12345);
		CHECK(caught_info.si_pid == getpid());
		CHECK(raise(sig) == 0 && caught == 2);
	}
#if defined(__x86_64__)
	caught = 0;
	__asm__ volatile("int3");
	CHECK(caught == 1 && caught_info.si_signo == SIGTRAP && caught_info.si_code == SI_KERNEL);
#endif
	signal(SIGSEGV, SIG_DFL);
	return 0;
}

static int wait_for(pid_t pid, int flags)
{
	int st;

	CHECK(waitpid(pid, &st, flags) == pid);
	return st;
}

static int act_job_control(char **arg)
{
	static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

	(void)arg;
	for (int i = 0; i < 4; i++) {
		int go[2], st;
		char byte = 0;
		pid_t pid;

		CHECK(pipe(go) == 0);
		pid = fork();
		if (pid == 0) {
			/* A group of its own that is not orphaned: its parent is in the session. */
			setpgid(0, 0);
			CHECK(raise(stops[i]) == 0);
			CHECK(intercepted());
			/* An exit before the parent asks would hide that it was continued. */
			CHECK(read(go[0], &byte, 1) == 1);
			_exit(7);
		}
		st = wait_for(pid, WUNTRACED);
		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == stops[i]);
		CHECK(waitpid(pid, &st, WNOHANG | WUNTRACED) == 0);
		usleep(2000);
		CHECK(kill(pid, SIGCONT) == 0);
		st = wait_for(pid, WCONTINUED);
		CHECK(WIFCONTINUED(st));
		CHECK(write(go[1], &byte, 1) == 1);
		st = wait_for(pid, 0);
		CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 7);
		close(go[0]);
		close(go[1]);
	}
	return 0;
}

/* Stopped with several threads, in calls of all kinds; killed while stopped. */
static int act_stop_threads(char **arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int st;

		if (pid == 0) {
			pthread_t t;

			for (int k = 0; k < 4; k++)
				pthread_create(&t, NULL, idle_thread, k % 2 ? &t : NULL);
			idle_thread(NULL);
		}
		usleep(3000);
		CHECK(kill(pid, SIGSTOP) == 0);
		st = wait_for(pid, WUNTRACED);
		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
		if (i % 2) {
			kill(pid, SIGCONT);
			st = wait_for(pid, WCONTINUED);
			CHECK(WIFCONTINUED(st));
		}
		kill(pid, SIGKILL);
		st = wait_for(pid, 0);
		CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	}
	return 0;
}

static void start_timer(int hz, int flags)
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = flags };
	struct itimerval it = { .it_interval.tv_usec = 1000000 / hz, .it_value.tv_usec = 1000 };

	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
}

static void stop_timer(void)
{
	struct itimerval none = { 0 };

	setitimer(ITIMER_REAL, &none, NULL);
}

/* Every call once, whatever interrupts it: the callbacks count /fuss-count calls, the last one
 * asks. */
static int act_timer(char **arg)
{
	int n = 0;

	(void)arg;
	start_timer(2000, SA_RESTART);
	while (ticks < 1000) {
		int fd = open(REDIRECT "/dev/null", O_RDONLY);

		CHECK(fd >= 0);
		CHECK(close(fd) == 0);
		CHECK(mkdir("/fuss-count/", 0) == 0);
		n++;
		CHECK(access("/nonexistent-engine", F_OK) == -1 && errno == ENOENT);
		CHECK(access("/fuss-exit/dev", F_OK) == 1000);
	}
	stop_timer();
	CHECK(syscall(SYS_mkdir, "/fuss-count/", 1) == n);
	return 0;
}

/* Signals between the mapping of scratch memory and the call that it is for. */
static int act_timer_unmap(char **arg)
{
	(void)arg;
	start_timer(2000, 0);
	for (int i = 0; ticks < 600; i++) {
		uint64_t page = (uint64_t)syscall(SYS_access, "/fuss-where", F_OK);

		CHECK(page > 0 && page < UINT64_C(1) << 51);
		CHECK(munmap((void *)(page << 12), 65536) == 0);
	}
	stop_timer();
	return 0;
}

/* Opening a FIFO blocks: with SA_RESTART it is entered again until a writer comes, without it
 * fails once. */
static int act_fifo(char **arg)
{
	char path[4096];
	struct timespec ts = { .tv_nsec = 50000000 };
	pid_t pid;
	int fd;

	snprintf(path, sizeof(path), REDIRECT "%s", arg[0]);
	pid = fork();
	if (pid == 0) {
		nanosleep(&ts, NULL);
		fd = open(path, O_WRONLY);
		_exit(fd < 0);
	}
	start_timer(1000, SA_RESTART);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK(ticks > 5);
	close(fd);
	stop_timer();
	reap(pid);
	ticks = 0;
	start_timer(100, 0);
	fd = open(path, O_RDONLY);
	CHECK(fd == -1 && errno == EINTR);
	stop_timer();
	return 0;
}

/* Prints how many of the signal came. */
static int act_count_signal(char **arg)
{
	struct timespec ts = { .tv_nsec = 300000000 };
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, atoi(arg[0]));
	sigprocmask(SIG_BLOCK, &set, &old);
	handle(atoi(arg[0]));
	CHECK(puts("ready") >= 0);
	fflush(stdout);
	while (!caught)
		sigsuspend(&old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	while (nanosleep(&ts, &ts) < 0)
		;
	return caught;
}

/* --- surroundings ------------------------------------------------------------------------- */

/* What a program inherits. */
static int act_status(char **arg)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	struct rlimit lim;

	(void)arg;
	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0 ||
		    strncmp(line, "SigCgt", 6) == 0)
			fputs(line, stdout);
	fclose(f);
	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0);
	for (int fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			printf("fd %d\n", fd);
	printf("nofile %lu %lu\n", (unsigned long)lim.rlim_cur, (unsigned long)lim.rlim_max);
	return fflush(stdout);
}

/* A filter with a listener would pass us by; a plain one is the program's right. */
static int act_seccomp(char **arg)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { 1, allow };

	(void)arg;
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		      &prog) == -1 &&
	      errno == EBUSY);
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0);
	CHECK(intercepted());
	return 0;
}

/* A tree of processes that would live for ever; the file gets their numbers. */
static int act_forever(char **arg)
{
	int fd = open(arg[0], O_WRONLY | O_CREAT | O_APPEND, 0666);

	CHECK(fd >= 0);
	for (int i = 0; i < 3; i++) {
		if (fork() == 0)
			setsid();
		dprintf(fd, "%d\n", (int)getpid());
	}
	for (;;)
		access("/nonexistent-engine", F_OK);
}

static int act_read_line(char **arg)
{
	char c = 0;

	(void)arg;
	CHECK(puts("reading") >= 0);
	fflush(stdout);
	while (read(0, &c, 1) == 1 && c != '\n')
		;
	return c == '\n' ? 9 : 1;
}

static void stop_self(int sig)
{
	(void)sig;
	raise(SIGSTOP);
}

static int act_read_line_self(char **arg)
{
	struct sigaction sa = { .sa_handler = stop_self, .sa_flags = SA_RESTART };

	sigaction(SIGTSTP, &sa, NULL);
	return act_read_line(arg);
}

static int act_exit(char **arg)
{
	return atoi(arg[0]);
}

static int act_die(char **arg)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(atoi(arg[0]), SIG_DFL);
	kill(getpid(), atoi(arg[0]));
	return 1;
}

/* The command ends at once, a descendant later. */
static int act_orphan(char **arg)
{
	if (fork() == 0) {
		setsid();
		usleep(100000);
		CHECK(intercepted());
		close(open(arg[0], O_WRONLY | O_CREAT, 0666));
		_exit(0);
	}
	return 3;
}

static int act_bench(char **arg)
{
	const char *path = arg[0];

	for (int i = atoi(arg[1]); i > 0; i--)
		syscall(SYS_access, path, F_OK);
	return 0;
}

static const struct {
	const char *name;
	int nargs;
	int (*act)(char **arg);
} acts[] = {
	{ "answers", 0, act_answers },
	{ "redirect", 0, act_redirect },
#if defined(__x86_64__)
	{ "registers", 0, act_registers },
	{ "foreign", 0, act_foreign },
#endif
	{ "cookie", 0, act_cookie },
	{ "tricks", 0, act_tricks },
	{ "unmap", 0, act_unmap },
	{ "nomem", 0, act_nomem },
	{ "getfd", 0, act_getfd },
	{ "storm", 2, act_storm },
	{ "threads", 0, act_threads },
	{ "small-stacks", 0, act_small_stacks },
	{ "vfork", 0, act_vfork },
	{ "untraced", 0, act_untraced },
	{ "thread-exec", 1, act_thread_exec },
	{ "after-exec", 1, act_after_exec },
	{ "killed-creators", 0, act_killed_creators },
	{ "siginfo", 0, act_siginfo },
	{ "job-control", 0, act_job_control },
	{ "stop-threads", 0, act_stop_threads },
	{ "timer", 0, act_timer },
	{ "timer-unmap", 0, act_timer_unmap },
	{ "fifo", 1, act_fifo },
	{ "count-signal", 1, act_count_signal },
	{ "status", 0, act_status },
	{ "seccomp", 0, act_seccomp },
	{ "forever", 1, act_forever },
	{ "read-line", 0, act_read_line },
	{ "read-line-self", 0, act_read_line_self },
	{ "exit", 1, act_exit },
	{ "die", 1, act_die },
	{ "orphan", 1, act_orphan },
	{ "bench", 2, act_bench },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(argv[1], acts[i].name) == 0 && argc - 2 == acts[i].nargs)
			return acts[i].act(argv + 2);
	fprintf(stderr, "engine-prog: unknown act\n");
	return 2;
}
