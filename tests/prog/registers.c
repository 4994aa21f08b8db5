/* SPDX-License-Identifier: MIT */
/*
 * registers DIR: what a program may rely on around a system call: argument registers and everything below the
 * stack pointer are as they were.  The calls are those that a tracer has to redirect.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct regs {
	uint64_t arg[6];
};

/* Makes the call with all six argument registers set and gives back what is in them afterwards. */
static long call(long nr, struct regs *r)
{
	long ret;
#if defined(__x86_64__)
	register uint64_t r10 __asm__("r10") = r->arg[3];
	register uint64_t r8 __asm__("r8") = r->arg[4];
	register uint64_t r9 __asm__("r9") = r->arg[5];

	__asm__ volatile("syscall"
			 : "=a"(ret), "+D"(r->arg[0]), "+S"(r->arg[1]), "+d"(r->arg[2]), "+r"(r10), "+r"(r8), "+r"(r9)
			 : "a"(nr)
			 : "rcx", "r11", "memory");
	r->arg[3] = r10;
	r->arg[4] = r8;
	r->arg[5] = r9;
#elif defined(__aarch64__)
	register uint64_t x8 __asm__("x8") = (uint64_t)nr;
	register uint64_t x0 __asm__("x0") = r->arg[0];
	register uint64_t x1 __asm__("x1") = r->arg[1];
	register uint64_t x2 __asm__("x2") = r->arg[2];
	register uint64_t x3 __asm__("x3") = r->arg[3];
	register uint64_t x4 __asm__("x4") = r->arg[4];
	register uint64_t x5 __asm__("x5") = r->arg[5];

	__asm__ volatile("svc 0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5) : "r"(x8) : "memory");
	ret = (long)x0;
	r->arg[1] = x1;
	r->arg[2] = x2;
	r->arg[3] = x3;
	r->arg[4] = x4;
	r->arg[5] = x5;
#endif
	return ret;
}

static int failures;

static void check(const char *what, long nr, struct regs r, long (*good)(long))
{
	struct regs before = r;
	/* Memory below the frame of this call: anything written there by another shows. */
	volatile unsigned char *below = (unsigned char *)__builtin_frame_address(0) - 32768 - 512;
	long ret, changed = 0;

	for (int i = 0; i < 32768; i++)
		below[i] = (unsigned char)(i * 7);
	ret = call(nr, &r);
	for (int i = 0; i < 32768; i++)
		changed += below[i] != (unsigned char)(i * 7);
	if (!good(ret)) {
		printf("%s: result %ld\n", what, ret);
		failures++;
	}
	for (int i = 0; i < 6; i++)
		if (r.arg[i] != before.arg[i]) {
			printf("%s: argument %d is %#lx, was %#lx\n", what, i + 1, (unsigned long)r.arg[i],
			       (unsigned long)before.arg[i]);
			failures++;
		}
	if (changed) {
		printf("%s: %ld bytes below the stack pointer changed\n", what, changed);
		failures++;
	}
}

static long is_zero(long r)
{
	return r == 0;
}

static long is_fd(long r)
{
	return r >= 0;
}

static long is_noent(long r)
{
	return r == -ENOENT;
}

#define P(p) ((uint64_t)(uintptr_t)(p))

int main(int argc, char **argv)
{
	struct stat st;
	char buf[4096];
	int cwd = AT_FDCWD;

	if (argc != 2 || chdir(argv[1]) < 0)
		return 2;
	for (int i = 0; i < 50; i++) {
		check("openat", SYS_openat, (struct regs){ { (uint64_t)cwd, P("file"), O_RDONLY, 0, 5, 6 } }, is_fd);
		check("openat creating", SYS_openat,
		      (struct regs){ { (uint64_t)cwd, P("new"), O_WRONLY | O_CREAT, 0644, 5, 6 } }, is_fd);
		check("unlinkat", SYS_unlinkat, (struct regs){ { (uint64_t)cwd, P("new"), 0, 4, 5, 6 } }, is_zero);
		check("newfstatat", SYS_newfstatat, (struct regs){ { (uint64_t)cwd, P("file"), P(&st), 0, 5, 6 } },
		      is_zero);
		check("missing", SYS_openat, (struct regs){ { (uint64_t)cwd, P("nothing"), O_RDONLY, 4, 5, 6 } },
		      is_noent);
		check("faccessat", SYS_faccessat, (struct regs){ { (uint64_t)cwd, P("file"), R_OK, 4, 5, 6 } }, is_zero);
		check("getcwd", SYS_getcwd, (struct regs){ { P(buf), sizeof(buf), 3, 4, 5, 6 } }, is_fd);
		check("chdir", SYS_chdir, (struct regs){ { P("."), 2, 3, 4, 5, 6 } }, is_zero);
		check("mkdirat", SYS_mkdirat, (struct regs){ { (uint64_t)cwd, P("dir"), 0755, 4, 5, 6 } }, is_zero);
		check("rmdir", SYS_unlinkat, (struct regs){ { (uint64_t)cwd, P("dir"), AT_REMOVEDIR, 4, 5, 6 } }, is_zero);
		closefrom(3);
	}
	return failures != 0;
}
