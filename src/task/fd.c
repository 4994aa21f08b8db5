/* SPDX-License-Identifier: MIT */
/* Descriptors and directories of a task, seen through the kernel's own objects. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "task/task.h"

/* The kernel strips all but these from an O_PATH open, so FASYNC cannot mark it. */
int task_mark_oflags(int oflags)
{
	return oflags | O_NOFOLLOW | (oflags & O_PATH ? 0 : O_ASYNC);
}

int task_unmark_oflags(struct task *t, int fd, const struct task_fd *f)
{
	int flags = f->flags & ~O_ASYNC;

	if (!(flags & O_PATH))
		flags &= ~O_NOFOLLOW;
	/* Lower files are opened so by us, where it is allowed (call/open.c). */
	if ((flags & O_NOATIME) && !task_fd_in_upper(t, fd))
		flags &= ~O_NOATIME;
	return flags;
}

/* flags: of /proc/TID/fdinfo/N, O_CLOEXEC included. */
static int fdinfo_flags(pid_t tid, int fd, int *ret)
{
	char path[64], buf[512];
	_cleanup_fd_ int in = -1;
	ssize_t n;
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)tid, fd);
	in = x_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (in < 0)
		return in == -ENOENT ? -EBADF : in;
	n = x_ret(read(in, buf, sizeof(buf) - 1));
	if (n < 0)
		return (int)n;
	buf[n] = 0;
	p = strstr(buf, "flags:");
	if (!p)
		return -EIO;
	*ret = (int)strtol(p + 6 + strspn(p + 6, " \t"), NULL, 8);
	return 0;
}

bool task_fd_cloexec(struct task *t, int fd)
{
	int flags;

	return fdinfo_flags(t->tid, fd, &flags) == 0 && (flags & O_CLOEXEC);
}

static int task_dup(struct task *t, int fd, struct task_fd *ret)
{
	char path[64];
	int r = -ENOSYS;

	if (!t->all->no_getfd) {
		r = t->all->getfd(t->all->getfd_arg, t, fd);
		/* EPERM: a seccomp profile around us; then it stays so. */
		if (r == -ENOSYS || r == -EPERM)
			t->all->no_getfd = true;
		else if (r < 0)
			return r;
	}
	if (r >= 0) {
		ret->fd = r;
		ret->shared = true;
		ret->flags = fcntl(r, F_GETFL);
		return 0;
	}
	r = fdinfo_flags(t->tid, fd, &ret->flags);
	if (r < 0)
		return r;
	ret->flags &= ~O_CLOEXEC;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)t->tid, fd);
	r = x_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	if (r < 0)
		return r == -ENOENT ? -EBADF : r;
	ret->fd = r;
	return 0;
}

static int proc_readlink(pid_t tid, const char *what, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
	n = x_readlinkat(AT_FDCWD, path, buf, size);
	if (n < 0)
		return (int)n;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = 0;
	return 0;
}

static int fd_readlink(struct task *t, int fd, char *buf, size_t size)
{
	char what[32];

	snprintf(what, sizeof(what), "fd/%d", fd);
	return proc_readlink(t->tid, what, buf, size);
}

/*
 * Which object a marked descriptor is.  Directories have one inode each; a file may have several names
 * (lower hard links are several objects), then the name that the kernel keeps for the open file decides.
 */
static struct vnode *fd_vnode(struct task *t, int fd, const struct stat *st)
{
	struct vnode *vn = path_by_stat(t->all->space, st);
	_cleanup_free_ char *real = NULL;

	if (vn && (S_ISDIR(st->st_mode) || st->st_nlink <= 1))
		return vn;
	if (!vn && st->st_nlink == 0)
		return NULL;
	real = malloc(PATH_MAX);
	if (!real || fd_readlink(t, fd, real, PATH_MAX) < 0)
		return vn;
	struct vnode *exact = path_of_real(t->all->space, real);

	return exact ? exact : vn;
}

static bool fd_marked(const struct task_fd *f)
{
	if (S_ISSOCK(f->st.st_mode) && !(f->flags & O_PATH))
		return false; /* a socket, not its file */
	return f->flags & (f->flags & O_PATH ? O_NOFOLLOW : O_ASYNC);
}

int task_fd_get(struct task *t, int fd, struct task_fd *ret)
{
	int r;

	*ret = (struct task_fd)TASK_FD_NONE;
	if (fd < 0)
		return -EBADF;
	r = task_dup(t, fd, ret);
	if (r < 0)
		return r;
	r = x_fstat(ret->fd, &ret->st);
	if (r < 0) {
		task_fd_put(ret);
		return r;
	}
	if (!fd_marked(ret))
		return 0;
	ret->vn = fd_vnode(t, fd, &ret->st);
	ret->ours = ret->vn != NULL;
	if (!ret->ours && S_ISREG(ret->st.st_mode) && !ret->st.st_nlink && !(ret->flags & O_PATH))
		ret->ours = true; /* unnamed: its directory may be gone from the layer, too */
	if (!ret->ours) { /* unnamed or not in the cache: the kernel's name tells whether it is a layer's */
		_cleanup_free_ char *real = malloc(PATH_MAX);

		ret->ours = real && fd_readlink(t, fd, real, PATH_MAX) == 0 &&
			    path_in_layer(t->all->space, real);
	}
	return 0;
}

void task_fd_put(struct task_fd *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

bool task_fd_in_upper(struct task *t, int fd)
{
	_cleanup_free_ char *real = malloc(PATH_MAX);

	if (!real || fd_readlink(t, fd, real, PATH_MAX) < 0)
		return false;
	/* What was removed with its directory had its end in the work directory. */
	return path_in_upper(t->all->space, real) || !path_in_layer(t->all->space, real);
}

static int task_cwd(struct task *t, struct path_where *ret)
{
	char path[64];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)t->tid);
	r = x_fstatat(AT_FDCWD, path, &st, 0);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	ret->host[0] = 0;
	ret->vn = t->fs->cwd_raw ? NULL : path_by_stat(t->all->space, &st);
	if (ret->vn && S_ISDIR(ret->vn->type) && !ret->vn->dead)
		return 0;
	/* A path that is too long or that is gone leaves "": the kernel alone can use such a start. */
	if (proc_readlink(t->tid, "cwd", ret->host, sizeof(ret->host)) < 0)
		ret->host[0] = 0;
	/* The inode number of something of ours that was removed may be a host directory's by now. */
	if (ret->vn && (!S_ISDIR(ret->vn->type) || !path_in_layer(t->all->space, ret->host)))
		ret->vn = NULL;
	return 0;
}

/* The object of a descriptor as the start of a path. */
static int fd_where(struct task *t, int fd, const struct task_fd *f, struct path_where *ret)
{
	ret->dev = f->st.st_dev;
	ret->ino = f->st.st_ino;
	ret->host[0] = 0;
	ret->vn = f->ours ? f->vn : NULL;
	if (!ret->vn && (fd_readlink(t, fd, ret->host, sizeof(ret->host)) < 0 || ret->host[0] != '/'))
		ret->host[0] = 0;
	return 0;
}

int task_start(struct task *t, int dirfd, bool dir, struct path_where *ret)
{
	_cleanup_task_fd_ struct task_fd f = TASK_FD_NONE;
	int r;

	if (dirfd == AT_FDCWD)
		return task_cwd(t, ret);
	r = task_fd_get(t, dirfd, &f);
	if (r < 0)
		return r;
	if (dir && !S_ISDIR(f.st.st_mode))
		return -ENOTDIR;
	return fd_where(t, dirfd, &f, ret);
}

int task_magic(void *arg, pid_t tid, enum path_magic what, int fd, struct path_where *ret)
{
	struct task *t = tasks_find(arg, tid);
	int r;

	if (!t)
		return -ENOENT;
	*ret = (struct path_where){ .host = "" };
	switch (what) {
	case MAGIC_CWD:
		return task_cwd(t, ret);
	case MAGIC_EXE:
		ret->vn = t->image->exe;
		return ret->vn ? 0 : -ENOENT;
	case MAGIC_ROOT:
		return -ENOENT;
	case MAGIC_FD:
		break;
	}
	_cleanup_task_fd_ struct task_fd f = TASK_FD_NONE;

	r = task_fd_get(t, fd, &f);
	if (r < 0)
		return -ENOENT;
	/* What is not a directory and not a named file of ours the kernel opens by its own link. */
	if (!S_ISDIR(f.st.st_mode) && (!f.vn || f.vn->dead))
		return -ENOENT;
	return fd_where(t, fd, &f, ret);
}

ssize_t task_fd_path(struct task *t, const struct task_fd *f, int fd, char *buf, size_t size)
{
	_cleanup_free_ char *real = NULL;
	struct vnode *vn = f->vn;
	int r;

	if (!f->ours)
		return -ENOENT;
	if (vn && !S_ISDIR(vn->type) && vn->dead) {
		real = malloc(PATH_MAX);
		r = real ? fd_readlink(t, fd, real, PATH_MAX) : -ENOMEM;
		if (r < 0)
			return r;
		struct vnode *named = path_of_real(t->all->space, real);

		if (named && !named->dead && f->st.st_nlink)
			vn = named;
	}
	if (!vn)
		return -ENOENT;
	return path_virtual(t->all->space, vn, buf, size);
}
