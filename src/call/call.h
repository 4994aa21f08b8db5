/* SPDX-License-Identifier: MIT */
/*
 * The calls of tracees, one handler a class: where a call meets a file system.
 *
 * A handler is written against the verbs of engine.h, the roles of sys.h and the operations of vfs.h.
 * It returns 0 when it has said by verbs what is to happen (nothing said: the call runs as it is), or
 * -errno, which the tracee then sees.  Checks come in the order of the kernel's.
 */
#ifndef FUSS_CALL_CALL_H
#define FUSS_CALL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "path/path.h"
#include "task/task.h"
#include "vfs/vfs.h"

struct calls {
	struct vfs *fs;
	struct path_space *space;
	struct tasks tasks;
	const char *mountpoint; /* canonical */
	uint64_t gen;		/* counts changes that a redirected call may race with */
	bool readonly;
	struct reopen *reopen; /* reopen.c: descriptors to be put on an upper file */
	bool warned_mount;
	bool warned_reach;
};

/* What is kept from enter to exit of a call. */
struct pending {
	/* May replace the result (call_return) or ask for a retry; NULL: nothing to do. */
	void (*finish)(struct calls *cs, struct call *c, struct pending *p);
	uint64_t gen;	     /* of calls, at enter */
	bool redirected;     /* a path of ours: failures may be races */
	struct vnode *dir;   /* where something may have been created */
	struct vnode *vn;    /* what the call is about */
	char name[NAME_MAX + 1];
	bool made;	     /* the supervisor created vn for this call */
	bool flag;
	char *text;	     /* owned: the path of a program as it was given */
	int64_t value;	     /* class specific: a mode, a length, flags */
};

/* --- dispatch.c --------------------------------------------------------------------------------- */

struct engine_cb calls_callbacks(struct calls *cs);
int calls_init(struct calls *cs, struct vfs *fs, struct path_space *space, const char *mountpoint);
void calls_fini(struct calls *cs);

void pending_free(struct pending *p);
/* Asks for the exit and gives the pending record for it; NULL: no memory. */
struct pending *call_pending(struct calls *cs, struct call *c);
static inline struct task *call_task(const struct call *c)
{
	return c->t->data;
}
/* Before a change that must not be made twice: what call_set_* will need is there now, or -EAGAIN. */
int call_reserve(struct call *c);
/* The value of the argument with that role; 0 if the call has none. */
uint64_t call_arg(const struct call *c, enum sys_role role);
static inline bool call_has(const struct call *c, enum sys_role role)
{
	return sys_arg(c->row, role) >= 0;
}

/* --- target.c ----------------------------------------------------------------------------------- */

/* The object that a call is about: by path, by directory descriptor and path, or by descriptor. */
struct target {
	bool inside;		/* ours; otherwise the call is not our business */
	bool by_fd;
	struct vnode *vn;	/* NULL: a missing last component; by_fd: no name or not known */
	struct task_fd fd;	/* by_fd */
	struct task *owner;	/* by_fd: whose descriptor, and */
	int num;		/* its number */
	bool magic;		/* by_fd: by its link in /proc */
	const struct cred *cred;
	struct path_result res; /* by path */
	char path[PATH_MAX];	/* by path, as given */
};
#define _cleanup_target_ __attribute__((cleanup(target_put)))

/*
 * which: 1 or 2 (R_PATH or R_PATH2).  flags: PATH_*; PATH_EMPTY and PATH_FOLLOW are also taken from the
 * call's AT_* flags where it has some.  -EFAULT, -ENAMETOOLONG, -ENOENT, -EBADF and those of path_lookup().
 */
int target_get(struct calls *cs, struct call *c, int which, unsigned flags, struct target *t);
/* The same for a name that is no path argument (a socket's, an interpreter's): from the cwd. */
int target_by_name(struct calls *cs, struct call *c, const char *path, unsigned flags,
		   struct target *t);
void target_put(struct target *t);
/* AT_* flags of the call: given and implied. */
unsigned call_atflags(const struct call *c);
/*
 * After target_get() with these flags: an outside path that is the /proc link of an open file of ours without
 * a name is that descriptor.
 */
void target_magic(struct calls *cs, unsigned flags, struct target *t);
/* target_get() of which 1, following unless AT_SYMLINK_NOFOLLOW, and target_magic(). */
int target_object(struct calls *cs, struct call *c, struct target *t);
/* 1: t is an object with a name; 0: a nameless file in the upper layer, the task's own, on which the call may
 * run; -ENOENT: a missing last component; -ESTALE: nameless and in a lower layer. */
int target_named(const struct call *c, const struct target *t);
/* The call does not concern us: let it run, with the host's path where its own spelling would not do. */
int target_outside(struct calls *cs, struct call *c, int which, const struct target *t);
/* The same for a call that changes the host's tree. */
int target_outside_changing(struct calls *cs, struct call *c, int which, const struct target *t);
/*
 * For calls with one path of ours and one that is not, which never run: what the kernel finds wrong with
 * the latter before it sees that they are on two mounts.  parent: only with the way to its last component.
 */
int target_outside_error(const struct target *t, bool parent, bool follow);
/* The argument with the path becomes vn's real path. */
int target_redirect(struct calls *cs, struct call *c, int which, struct vnode *vn);
int call_set_real(struct calls *cs, struct call *c, unsigned argno, const char *real);

/* --- proc.c ------------------------------------------------------------------------------------- */

/* The text of a /proc link (host path, numeric) that leads to something of ours; -ENOENT: the kernel's. */
ssize_t proc_link_text(struct calls *cs, const char *host, char *buf, size_t size);
/* If host is /proc/PID/fd/N of a task: that task and N. */
struct task *proc_fd_of(struct calls *cs, const char *host, int *ret_fd);

/* --- reopen.c ----------------------------------------------------------------------------------- */

/*
 * vn was copied up and is about to be written to: descriptors on its lower file are to follow.  True if one
 * is this process's own: the call runs a step of that now and is entered again.  Before any change.
 */
bool reopen_lent(struct calls *cs, struct call *c, struct vnode *vn);
/* True if the call was used for such a step. */
bool reopen_step(struct calls *cs, struct call *c);
void reopen_forget(struct calls *cs, pid_t tgid);

/* --- the handlers ------------------------------------------------------------------------------- */

typedef int (*call_handler)(struct calls *cs, struct call *c);
int call_open(struct calls *cs, struct call *c);
int call_stat(struct calls *cs, struct call *c);
int call_access(struct calls *cs, struct call *c);
int call_readlink(struct calls *cs, struct call *c);
int call_statfs(struct calls *cs, struct call *c);
int call_getdents(struct calls *cs, struct call *c);
int call_mknod(struct calls *cs, struct call *c);
int call_symlink(struct calls *cs, struct call *c);
int call_link(struct calls *cs, struct call *c);
int call_unlink(struct calls *cs, struct call *c);
int call_rename(struct calls *cs, struct call *c);
int call_chmod(struct calls *cs, struct call *c);
int call_chown(struct calls *cs, struct call *c);
int call_utime(struct calls *cs, struct call *c);
int call_truncate(struct calls *cs, struct call *c);
int call_getxattr(struct calls *cs, struct call *c);
int call_setxattr(struct calls *cs, struct call *c);
int call_listxattr(struct calls *cs, struct call *c);
int call_removexattr(struct calls *cs, struct call *c);
int call_chdir(struct calls *cs, struct call *c);
int call_getcwd(struct calls *cs, struct call *c);
int call_exec(struct calls *cs, struct call *c);
int call_sock(struct calls *cs, struct call *c);
int call_redirect(struct calls *cs, struct call *c);
int call_mount(struct calls *cs, struct call *c);
int call_fcntl(struct calls *cs, struct call *c);
int call_ioctl(struct calls *cs, struct call *c);
int call_fileattr(struct calls *cs, struct call *c);
int call_cred(struct calls *cs, struct call *c);

/* --- exec.c ------------------------------------------------------------------------------------- */

/* execve succeeded: what the new image sees of its own path is made virtual. */
void exec_done(struct calls *cs, struct task *t, struct call *c, uint64_t sp);
/*
 * The kernel named the process after the real file; programs are named as they were called.  The task
 * runs prctl(PR_SET_NAME) in place of its first call, which then is entered again.
 */
int exec_comm(struct calls *cs, struct call *c);

#endif
