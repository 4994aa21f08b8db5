/* SPDX-License-Identifier: MIT */
/*
 * How system calls are caught.  An executor runs a command, stops it at the calls that
 * sys/table.def does not pass, and hands each to the callbacks below.  What is done with a call
 * is said by the verbs; nothing here knows what a file system is.
 *
 * Executors: ptrace.c (a command under ptrace and seccomp), local.c (unit tests: the call is made
 * in this process).
 */
#ifndef FUSS_ENGINE_ENGINE_H
#define FUSS_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/abi.h"
#include "sys/sys.h"

struct engine;

/* One task (thread) of the command as everybody may see it.  Owned by the engine; gone after the
 * gone callback.  An exec from a thread keeps the struct of the thread that called it and changes
 * tid. */
struct tracee {
	pid_t tid;
	pid_t tgid;
	void *data;	 /* the callbacks' */
	unsigned pidfd1; /* private to tracee_getfd(): a pidfd + 1, 0 is none */
};

/* One intercepted call, valid from enter to the end of its exit (or of enter, if no exit was
 * asked). */
struct call {
	struct tracee *t;
	const struct abi *abi;
	const struct sys_row *row;
	unsigned id;	  /* enum sys_id */
	uint64_t arg[6];  /* as the tracee passed them (32-bit: zero-extended), never changed */
	int64_t result;	  /* in exit: value or -errno */
	void *data;	  /* the handler's, enter to exit; the handler frees it in exit or cancel */
	bool again;	  /* a verb returned -EAGAIN: see below */
	const struct engine_ops *exec; /* the executor's memory verbs (private) */
};

/*
 * Verbs.  Memory: addresses are the tracee's.  Each returns 0 (or a length) or -errno; a bad
 * address is -EFAULT.
 *
 * Enter may ask for several things; an answer (call_return) outweighs a redirection.  A call that
 * a signal interrupts and the kernel will restart is entered again from the start with the
 * tracee's arguments: its first execution ends with cancel, not with exit.
 *
 * The call_set_* and call_put verbs may need memory in the tracee that is not mapped yet.  They
 * then return -EAGAIN with call->again set: the handler must return at once; the engine maps it
 * and enters the call anew (after cancel, if c->data is set).  Work done before must therefore be
 * harmless when it is done twice.
 */
int call_read(struct call *c, uint64_t addr, void *buf, size_t len);
/* Reads up to len bytes, up to the first unmapped page: length, or -EFAULT if there is none. */
ssize_t call_read_some(struct call *c, uint64_t addr, void *buf, size_t len);
/* A terminated string: its length; -ENAMETOOLONG if no NUL within size bytes; -EFAULT. */
ssize_t call_read_str(struct call *c, uint64_t addr, char *buf, size_t size);
int call_write(struct call *c, uint64_t addr, const void *buf, size_t len);

/* Argument argno becomes a pointer to these bytes (put into the tracee), for this execution. */
int call_set_bytes(struct call *c, unsigned argno, const void *p, size_t len);
int call_set_path(struct call *c, unsigned argno, const char *path);
/* Bytes in the tracee's scratch memory for this execution, their address returned: for what an
 * argument points to indirectly (argv arrays, msghdr). */
int call_put(struct call *c, const void *p, size_t len, uint64_t *ret_addr);
int call_set_arg(struct call *c, unsigned argno, uint64_t value);
/* Another call runs in its place, with the arguments as set. id: enum sys_id. */
int call_set_id(struct call *c, unsigned id);

/* In enter: the call does not run, the tracee sees value.  In exit: the result is replaced. */
void call_return(struct call *c, int64_t value);
/* In enter: exit will be called with the kernel's result.  Setting c->data asks for it too.
 * Arguments are restored in any case. */
void call_want_exit(struct call *c);
/* In exit: the call is entered again from the start, with the arguments of the tracee.  c->data
 * is not carried over. */
void call_retry(struct call *c);

/* Duplicates a descriptor of the tracee into this process (CLOEXEC): same open file description
 * where the kernel can (pidfd_getfd, since 5.6), else -ENOSYS.  -EBADF. */
int tracee_getfd(struct tracee *t, int fd);

/* What the core does with events.  All run in one thread. */
struct engine_cb {
	void (*enter)(struct call *c, void *ctx);
	void (*exit)(struct call *c, void *ctx);
	/* The call will never exit (killed, exec took the thread, interrupted and restarted,
	 * answered after all): free c->data.  Called if it is set or exit was asked for. */
	void (*cancel)(struct call *c, void *ctx);
	/* A task exists; called exactly once a task, before any of its calls.  parent NULL: the
	 * command (or a child whose creator was killed before it could be named).  An error kills
	 * the child.  flags: those of clone; CLONE_THREAD, CLONE_VM, CLONE_FS, CLONE_FILES tell
	 * what is shared. */
	int (*task_new)(struct tracee *child, struct tracee *parent, uint64_t flags, void *ctx);
	/* execve succeeded; other threads of the process are gone already.  c is the call (NULL
	 * if its entry was not seen).  The new image has not run yet; call_read/call_write act on
	 * its memory.  Then exit follows with result 0, if enter asked for it or left data. */
	void (*task_exec)(struct tracee *t, struct call *c, uint64_t sp, void *ctx);
	void (*task_gone)(struct tracee *t, void *ctx);
	void *ctx;
};

struct engine_options {
	/* The log wants every result: exit follows every enter, at once if enter answered the
	 * call, and calls that the filter would refuse by itself (SYS_DENY) are entered too. */
	bool want_all_exits;
};

/*
 * Prepares: checks that tracing is possible, generates the filter.  On failure returns -errno and
 * one sentence with reason and remedy in why.
 */
int engine_new(const struct engine_cb *cb, const struct engine_options *opt, struct engine **ret,
	       char *why, size_t size);
/*
 * Starts the command and runs until it and all its descendants are gone.  setup runs in the new
 * process before it is traced (chdir into a real directory, resource limits); its -errno ends the
 * run.  The first execve goes through the callbacks as any other.  On success *ret_status is the
 * wait status of the command.  If execve failed *ret_exec_errno is its errno (else 0).
 */
int engine_run(struct engine *e, char *const argv[], char *const envp[], int (*setup)(void *),
	       void *setup_arg, int *ret_status, int *ret_exec_errno);
void engine_free(struct engine *e);

/* A path call whose sixth argument is not used otherwise and holds this value is not
 * intercepted. */
uint64_t engine_cookie(const struct engine *e);

#endif
