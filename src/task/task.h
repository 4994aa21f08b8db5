/* SPDX-License-Identifier: MIT */
/*
 * What is known of a tracee beyond the kernel's own objects, grouped by what shares it.
 *
 * Everything that the kernel can be asked for is asked for (cwd, descriptors); kept are only the
 * credentials (until a call changes some), the raw bit of the cwd and the program that runs.
 */
#ifndef FUSS_TASK_TASK_H
#define FUSS_TASK_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "path/path.h"
#include "vfs/cred.h"

/* Shared by CLONE_FS. */
struct task_fs {
	unsigned refs;
	bool cwd_raw; /* the cwd was reached by a layer's own path, not through the view */
};

/* Shared by CLONE_VM; a new one at execve. */
struct task_image {
	unsigned refs;
	struct vnode *exe; /* the program, NULL if it is not ours */
};

struct tasks;

struct task {
	struct tasks *all;
	struct task *next; /* in its bucket */
	pid_t tid;
	pid_t tgid;
	struct task_fs *fs;
	struct task_image *image;
	struct cred cred; /* valid if cred_gen equals all->cred_gen */
	uint64_t cred_gen;
	gid_t *groups;
	void *handle; /* the engine's tracee */
	char comm[16]; /* the name that it has to be given, "" if it has it */
};

/* How a descriptor is duplicated into this process: the engine's tracee_getfd() for t->handle. */
typedef int (*task_getfd_fn)(void *arg, struct task *t, int fd);

#define TASK_BUCKETS 1024

struct tasks {
	struct path_space *space; /* set before the first path call */
	struct vfs *vfs;
	task_getfd_fn getfd;
	void *getfd_arg;
	uint64_t cred_gen; /* starts at 1 */
	bool no_getfd;	   /* the kernel has no pidfd_getfd: /proc/PID/fd is used */
	struct task *bucket[TASK_BUCKETS];
};

void tasks_init(struct tasks *all);
void tasks_fini(struct tasks *all);
struct task *tasks_find(struct tasks *all, pid_t tid);
/* flags as those of clone(2): CLONE_FS, CLONE_VM.  parent NULL: the first one. -ENOMEM. */
int task_new(struct tasks *all, pid_t tid, pid_t tgid, struct task *parent, uint64_t flags,
	     struct task **ret);
void task_free(struct task *t);
/* execve succeeded: a new image; after an exec from a thread the task is known under tid. */
int task_exec(struct task *t, pid_t tid, pid_t tgid, struct vnode *exe);
/* unshare(CLONE_FS) succeeded. */
int task_unshare_fs(struct task *t);

/* The credentials now.  -ESRCH: the task is gone. */
int task_cred(struct task *t, const struct cred **ret);
/* Somebody changed credentials or a umask: everything cached is stale. */
void task_creds_changed(struct tasks *all);

/* A descriptor of a task as the supervisor sees it. */
struct task_fd {
	int fd;		  /* our duplicate (owned), shares the offset where shared is true */
	bool shared;
	int flags;	  /* F_GETFL of the tracee's descriptor, marks included */
	struct stat st;	  /* of the real object */
	bool ours;	  /* opened through the view */
	struct vnode *vn; /* ours: the object, NULL if it has no name (O_TMPFILE) or is not known */
};

/* -EBADF.  task_fd_put() releases it; safe on a struct that task_fd_get() failed for. */
int task_fd_get(struct task *t, int fd, struct task_fd *ret);
void task_fd_put(struct task_fd *f);
#define _cleanup_task_fd_ __attribute__((cleanup(task_fd_put)))
#define TASK_FD_NONE { .fd = -1 }

/* A descriptor of ours whose object has no name (any more): may the task change it directly?  True if it lies
 * in the upper layer; a lower file must never be reached that way. */
bool task_fd_in_upper(struct task *t, int fd);

/* FD_CLOEXEC of a task's descriptor. */
bool task_fd_cloexec(struct task *t, int fd);

/* File flags that mark a descriptor as opened through the view, see src/README. */
int task_mark_oflags(int oflags);
/* What F_GETFL shows of a descriptor of ours. */
int task_unmark_oflags(struct task *t, int fd, const struct task_fd *f);

/* Where a path starts: AT_FDCWD or a descriptor.  -EBADF, -ENOTDIR (only if dir is asked for),
 * -ESRCH. */
int task_start(struct task *t, int dirfd, bool dir, struct path_where *ret);

/* struct path_hooks.magic */
int task_magic(void *arg, pid_t tid, enum path_magic what, int fd, struct path_where *ret);

/* The text of /proc/TID/fd/N for a descriptor of ours: length or -errno. */
ssize_t task_fd_path(struct task *t, const struct task_fd *f, int fd, char *buf, size_t size);

#endif
