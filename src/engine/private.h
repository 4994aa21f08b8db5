/* SPDX-License-Identifier: MIT */
/* The ptrace executor's own structures; shared by ptrace*.c, tasks.c, scratch.c, spawn.c,
 * signals.c. */
#ifndef FUSS_ENGINE_PRIVATE_H
#define FUSS_ENGINE_PRIVATE_H

#include <signal.h>

#include "arch/arch.h"
#include "engine/filter.h"
#include "engine/ops.h"

/* --- scratch memory ----------------------------------------------------------------------- */

enum { SCRATCH_SLOT = 8192, SCRATCH_CHUNKS = 12 };

/* A mapping in a tracee: n slots of slot bytes each. */
struct region {
	uint64_t addr;
	uint64_t slot;
	unsigned n; /* 0: gone */
	uint64_t used; /* a bit per slot */
};

/* What is known of an address space.  Shared by tasks after CLONE_VM; copied by fork; dropped by
 * exec. */
struct mm {
	unsigned users;
	bool threads; /* has had several at the same time: see mm_fork() */
	struct region *region;
	unsigned nregion;
};

struct chunk {
	unsigned region, slot; /* the slot taken */
	size_t fill;	       /* bytes used */
};

/* --- tasks -------------------------------------------------------------------------------- */

enum task_state {
	TASK_EARLY,	/* has stopped; its creator's event has not come yet: held */
	TASK_DEAD,	/* ended before its creator's event came: kept to be recognised then */
	TASK_ANNOUNCED, /* its creator's event has come, its first stop has not */
	TASK_LIVE,
};

enum call_state {
	CALL_NONE,
	CALL_RUNNING, /* between the entry and the exit stop */
	CALL_MAPPING, /* an injected mmap runs in its place */
};

struct task {
	struct tracee t; /* first member */
	struct engine *e;
	struct task *next; /* in its hash chain */
	enum task_state state;
	int first_status; /* EARLY: its wait status */
	struct mm *mm;

	/* The call in progress (or the last one). */
	struct active_call call;
	enum call_state call_state;
	uint64_t nr;
	bool own; /* the engine's business: no callbacks */
	struct chunk chunk[SCRATCH_CHUNKS];
	unsigned nchunk;
	size_t want;	   /* bytes of scratch that the call asked for before -EAGAIN */
	size_t map_size;   /* of the mmap that runs */
	unsigned reserved; /* region + 1 that was mapped for this task and not used yet */

	uint64_t clone3_flags;
	/* A child made by a call whose arguments were changed: its registers are copies, to be
	 * set right before it runs. */
	uint64_t fix_arg[6];
	unsigned fix_mask;
};

enum { TASK_HASH = 1024 };

/* Does it pay to wait for the next event awake? */
struct spin {
	unsigned misses;
	unsigned rest; /* events for which it is not tried */
	unsigned next_rest;
};

struct engine {
	struct engine_cb cb;
	struct engine_options opt;
	uint64_t cookie;
	struct filter_set filter;

	struct task *hash[TASK_HASH];
	unsigned nearly;  /* EARLY tasks */
	pid_t command;	  /* the command's process, 0 when it is gone */
	int status;	  /* its wait status */
	bool told_foreign;
	struct spin spin;
};

/* tasks.c */
struct task *task_find(struct engine *e, pid_t tid);
struct task *task_add(struct engine *e, pid_t tid, enum task_state state);
/* The task is known by both sides: callbacks learn of it. */
void task_announce(struct task *t, struct task *parent, uint64_t flags);
/* An exec from a thread that is not the leader: it takes the leader's number. */
void task_rename(struct task *t, pid_t tid);
/* Ended: callbacks learn of it, the struct is gone.  DEAD and EARLY ones leave silently. */
void task_end(struct task *t);
/* EARLY tasks whose creator died before it could name them.  True if there were some. */
bool task_adopt_orphans(struct engine *e);
void task_end_all(struct engine *e);

/* scratch.c */
int scratch_put(struct call *c, const void *p, size_t len, uint64_t *ret_addr);
void scratch_release(struct task *t);
void scratch_unreserve(struct task *t);
/* How much to map for a call that got -EAGAIN, and where it is now. */
size_t scratch_map_size(const struct task *t);
int scratch_mapped(struct task *t, uint64_t addr);
struct mm *mm_new(void);
struct mm *mm_share(struct mm *mm, bool suspended);
/* For a child that has a copy of the address space; NULL: no memory. */
struct mm *mm_fork(const struct mm *mm);
void mm_unref(struct mm *mm);

/* ptrace.c */
void task_resume(struct task *t, int sig);
void task_started(struct task *t, int status);

/* ptrace_call.c */
void call_entry_stop(struct task *t);
void call_exit_stop(struct task *t);
/* execve succeeded; sp is the new image's. */
void call_exec_stop(struct task *t, uint64_t sp);
/* The call in progress will never exit. */
void call_abandon(struct task *t);

/* spawn.c */
struct spawn {
	pid_t pid;
	int fd; /* the child's reports, or -1 */
};
int spawn_start(struct spawn *s, const struct filter_set *filter, const sigset_t *mask,
		char *const argv[], char *const envp[], int (*setup)(void *), void *setup_arg);
/* Lets a child that is traced by now run. */
int spawn_go(struct spawn *s);
/* 0, or what went wrong on the way to the new program: *ret_exec for execve, the return value
 * before it. */
int spawn_result(struct spawn *s, int *ret_exec);
void spawn_kill(struct spawn *s);

/* probe.c */
int probe_tracing(const struct filter_set *filter, char *why, size_t size);
extern const unsigned long trace_options;

/* signals.c: this process's own signals and stops. */
void signals_start(pid_t command);
void signals_stop(void);
void signals_command_gone(void);
/* The command is about to get sig. */
void signals_seen(struct task *t, int sig);
/* A task of the command is in a group stop by sig. */
void signals_group_stop(struct task *t, int sig);

#endif
