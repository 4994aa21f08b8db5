/* SPDX-License-Identifier: MIT */
/* From a call's arguments to the object that it is about. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "call/call.h"

unsigned call_atflags(const struct call *c)
{
	return (unsigned)call_arg(c, R_ATFLAGS) | c->row->at;
}

static int target_fd(struct task *task, int fd, struct target *t)
{
	int r = task_fd_get(task, fd, &t->fd);

	if (r < 0)
		return r;
	t->by_fd = true;
	t->owner = task;
	t->num = fd;
	t->inside = t->fd.ours;
	t->vn = t->fd.vn;
	return 0;
}

/* An empty path with AT_EMPTY_PATH is its descriptor; AT_FDCWD is the cwd, a directory. */
static int target_empty(struct task *task, int dirfd, struct target *t)
{
	struct path_where w;
	int r;

	if (dirfd != AT_FDCWD)
		return target_fd(task, dirfd, t);
	r = task_start(task, AT_FDCWD, true, &w);
	if (r < 0)
		return r;
	t->res = (struct path_result){ .inside = w.vn != NULL, .vn = w.vn, .as_given = true };
	t->res.last = LAST_DOT;
	t->inside = w.vn != NULL;
	t->vn = w.vn;
	return 0;
}

/*
 * filename_parentat(): who makes, removes or renames a name never walks a last "." or "..".  Cuts it off and
 * tells which it was.
 */
static int cut_last_dots(char *path, enum path_last *ret)
{
	size_t end = strlen(path), start;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/';)
		start--;
	if (end - start == 1 && path[start] == '.')
		*ret = LAST_DOT;
	else if (end - start == 2 && path[start] == '.' && path[start + 1] == '.')
		*ret = LAST_DOTDOT;
	else
		return 0;
	strcpy(path + start, start ? "" : ".");
	return 1;
}

static int target_parent(struct calls *cs, struct path_query *q, enum path_last last,
			 struct target *t)
{
	size_t n;
	int r;

	q->flags = PATH_FOLLOW | (q->flags & ~(unsigned)PATH_CREATE);
	r = path_lookup(cs->space, q, &t->res);
	if (r < 0)
		return r;
	t->inside = t->res.inside;
	if (t->inside) {
		if (!t->res.vn)
			return -ENOENT;
		if (!S_ISDIR(t->res.vn->type))
			return -ENOTDIR;
		t->vn = t->res.vn;
	} else if (t->res.host[0]) {
		n = strlen(t->res.host);
		if (n + 4 > sizeof(t->res.host))
			return -ENAMETOOLONG;
		strcpy(t->res.host + n, last == LAST_DOT ? "/." : "/..");
	}
	t->res.last = last;
	t->res.dir = NULL;
	return 0;
}

static int target_path(struct calls *cs, struct call *c, int dirfd, uint64_t addr, unsigned flags,
		       struct target *t)
{
	struct task *task = call_task(c);
	struct path_where start, *from = NULL;
	struct path_query q = { .path = t->path, .flags = flags, .cred = t->cred };
	ssize_t n = call_read_str(c, addr, t->path, sizeof(t->path));
	enum path_last last;
	int r;

	if (n < 0)
		return (int)n;
	if (n == 0 && !(flags & PATH_EMPTY))
		return -ENOENT;
	if (n == 0)
		return target_empty(task, dirfd, t);
	/* path_init(): only RESOLVE_IN_ROOT makes an absolute path start at dirfd. */
	if (t->path[0] != '/' || (flags & PATH_IN_ROOT)) {
		r = task_start(task, dirfd, true, &start);
		if (r < 0)
			return r;
		from = &start;
	}
	q.start = from;
	q.tid = task->tid;
	q.tgid = task->tgid;
	if ((flags & (PATH_CREATE | PATH_FOLLOW)) == PATH_CREATE && c->row->class != SYS_OPEN &&
	    cut_last_dots(t->path, &last))
		return target_parent(cs, &q, last, t);
	r = path_lookup(cs->space, &q, &t->res);
	if (r < 0)
		return r;
	t->inside = t->res.inside;
	t->vn = t->res.inside ? t->res.vn : NULL;
	return 0;
}

int target_get(struct calls *cs, struct call *c, int which, unsigned flags, struct target *t)
{
	int dirarg = sys_arg(c->row, which == 1 ? R_DIRFD : R_DIRFD2);
	int patharg = sys_arg(c->row, which == 1 ? R_PATH : R_PATH2);
	int r;

	t->fd.fd = -1;
	t->by_fd = t->inside = t->magic = false;
	t->vn = NULL;
	r = task_cred(call_task(c), &t->cred);
	if (r < 0)
		return r;
	if (patharg < 0)
		return target_fd(call_task(c), (int)call_arg(c, R_FD), t);
	if (which == 1 && call_atflags(c) & AT_EMPTY_PATH)
		flags |= PATH_EMPTY;
	/* utimensat(fd, NULL) and, since 6.11, statx(fd, NULL, AT_EMPTY_PATH) mean the descriptor. */
	if (c->arg[patharg] == 0 && dirarg >= 0 &&
	    (c->row->class == SYS_UTIME || (flags & PATH_EMPTY)))
		return target_empty(call_task(c), (int)c->arg[dirarg], t);
	return target_path(cs, c, dirarg < 0 ? AT_FDCWD : (int)c->arg[dirarg], c->arg[patharg], flags,
			   t);
}

void target_magic(struct calls *cs, unsigned flags, struct target *t)
{
	struct task *owner;

	if (t->by_fd || t->inside || !(flags & PATH_FOLLOW) || t->res.slash)
		return;
	owner = proc_fd_of(cs, t->res.host, &t->num);
	if (!owner || task_fd_get(owner, t->num, &t->fd) < 0)
		return;
	if (!t->fd.ours || S_ISDIR(t->fd.st.st_mode)) {
		task_fd_put(&t->fd);
		return;
	}
	t->by_fd = t->inside = t->magic = true;
	t->owner = owner;
	t->vn = t->fd.vn;
}

int target_by_name(struct calls *cs, struct call *c, const char *path, unsigned flags,
		   struct target *t)
{
	struct task *task = call_task(c);
	struct path_where start;
	struct path_query q = {
		.path = path, .flags = flags, .tid = task->tid, .tgid = task->tgid,
	};
	int r = task_cred(task, &t->cred);

	if (r == 0 && path[0] != '/') {
		r = task_start(task, AT_FDCWD, true, &start);
		q.start = &start;
	}
	q.cred = t->cred;
	if (r == 0)
		r = path_lookup(cs->space, &q, &t->res);
	if (r < 0)
		return r;
	t->inside = t->res.inside;
	t->vn = t->inside ? t->res.vn : NULL;
	return 0;
}

int target_object(struct calls *cs, struct call *c, struct target *t)
{
	unsigned flags = call_atflags(c) & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW;
	int r = target_get(cs, c, 1, flags, t);

	if (r == 0)
		target_magic(cs, flags, t);
	return r;
}

int target_named(const struct call *c, const struct target *t)
{
	(void)c;
	if (t->vn && !(t->by_fd && t->vn->dead))
		return 1;
	if (!t->by_fd)
		return -ENOENT;
	return task_fd_in_upper(t->owner, t->num) ? 0 : -ESTALE;
}

void target_put(struct target *t)
{
	task_fd_put(&t->fd);
}

int call_set_real(struct calls *cs, struct call *c, unsigned argno, const char *real)
{
	struct pending *p = call_pending(cs, c);

	if (!p)
		return -ENOMEM;
	p->redirected = true;
	return call_set_path(c, argno, real);
}

int target_outside(struct calls *cs, struct call *c, int which, const struct target *t)
{
	(void)cs;
	if (t->by_fd || t->res.as_given)
		return 0;
	return call_set_path(c, (unsigned)sys_arg(c->row, which == 1 ? R_PATH : R_PATH2),
			     t->res.host);
}

int target_outside_error(const struct target *t, bool parent, bool follow)
{
	_cleanup_free_ char *path = t->by_fd ? NULL : strdup(t->res.host);
	size_t end = path ? strlen(path) : 0;
	struct stat st;
	int r;

	if (!end) /* an open file, or a place that only the task can name: it is there */
		return 0;
	if (parent) {
		while (end > 1 && path[end - 1] == '/')
			end--;
		while (end > 0 && path[end - 1] != '/')
			end--;
		path[end ? end : 1] = 0;
		follow = true;
	}
	r = x_fstatat(AT_FDCWD, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW);
	return r == 0 && parent && !S_ISDIR(st.st_mode) ? -ENOTDIR : r;
}

static void host_changed(struct calls *cs, struct call *c, struct pending *p)
{
	(void)c;
	path_host_changed(cs->space);
	if (p->flag) /* raw, in a layer of ours */
		path_forget_all(cs->space);
}

int target_outside_changing(struct calls *cs, struct call *c, int which, const struct target *t)
{
	struct pending *p = call_pending(cs, c);

	if (!p)
		return -ENOMEM;
	p->finish = host_changed;
	p->flag |= !t->by_fd && t->res.layer;
	return target_outside(cs, c, which, t);
}

int target_redirect(struct calls *cs, struct call *c, int which, struct vnode *vn)
{
	char real[PATH_MAX];
	int r = cs->fs->ops->realpath(vn, real, sizeof(real));

	if (r < 0)
		return r;
	return call_set_real(cs, c, (unsigned)sys_arg(c->row, which == 1 ? R_PATH : R_PATH2), real);
}
