/* SPDX-License-Identifier: MIT */
/*
 * open, openat, openat2, creat: the task itself opens the real object, so that data never passes
 * through us; what must happen before (copy-up, a whiteout in the way) is done here.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "call/call.h"
#include "vfs/perm.h"

/* The kernel's __O_TMPFILE: the C library's O_TMPFILE has O_DIRECTORY in it. */
#define TMPFILE_BIT ((unsigned)(O_TMPFILE & ~O_DIRECTORY))

#define OPEN_VALID                                                                                  \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |       \
	 O_ASYNC | O_DIRECT | 0100000 /* O_LARGEFILE */ | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |    \
	 O_CLOEXEC | O_PATH | TMPFILE_BIT)
#define PATH_VALID (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)

struct open_args {
	unsigned flags;
	mode_t mode;
	unsigned path_flags; /* PATH_* from RESOLVE_* */
	uint64_t resolve;
	int how;	     /* argument with struct open_how, or -1 */
};

static unsigned resolve_flags(uint64_t resolve)
{
	return (resolve & RESOLVE_NO_XDEV ? PATH_NO_XDEV : 0) |
	       (resolve & RESOLVE_NO_MAGICLINKS ? PATH_NO_MAGICLINKS : 0) |
	       (resolve & RESOLVE_NO_SYMLINKS ? PATH_NO_SYMLINKS | PATH_NO_MAGICLINKS : 0) |
	       (resolve & RESOLVE_BENEATH ? PATH_BENEATH : 0) |
	       (resolve & RESOLVE_IN_ROOT ? PATH_IN_ROOT : 0);
}

/* copy_struct_from_user() and build_open_flags() for struct open_how. */
static int open_how(struct call *c, struct open_args *a)
{
	struct open_how how = { 0 };
	uint64_t addr = call_arg(c, R_HOW), size = call_arg(c, R_HOWSIZE);
	const uint64_t known = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
			       RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
	int r;

	a->how = sys_arg(c->row, R_HOW);
	if (size < sizeof(how))
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	r = call_read(c, addr, &how, sizeof(how));
	if (r < 0)
		return r;
	for (uint64_t i = sizeof(how); i < size; i += 8) {
		uint64_t rest = 0;

		r = call_read(c, addr + i, &rest, size - i < 8 ? size - i : 8);
		if (r < 0)
			return r;
		if (rest)
			return -E2BIG;
	}
	if ((how.flags & ~(uint64_t)OPEN_VALID) || (how.resolve & ~known))
		return -EINVAL;
	if ((how.resolve & RESOLVE_BENEATH) && (how.resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how.flags & (O_CREAT | TMPFILE_BIT) ? how.mode & ~(uint64_t)07777 : how.mode != 0)
		return -EINVAL;
	if ((how.flags & O_PATH) && (how.flags & ~(uint64_t)PATH_VALID))
		return -EINVAL;
	a->flags = (unsigned)how.flags;
	a->mode = (mode_t)how.mode;
	a->resolve = how.resolve;
	a->path_flags = resolve_flags(how.resolve);
	return 0;
}

static int open_args(struct call *c, struct open_args *a)
{
	int r;

	*a = (struct open_args){ .how = -1 };
	if (call_has(c, R_HOW)) {
		r = open_how(c, a);
		if (r < 0)
			return r;
	} else {
		a->flags = ((unsigned)call_arg(c, R_OFLAGS) | c->row->oflags) & OPEN_VALID;
		a->mode = (mode_t)call_arg(c, R_MODE) & 07777;
		if (a->flags & O_PATH)
			a->flags &= PATH_VALID;
	}
	/* build_open_flags() */
	if (a->flags & TMPFILE_BIT) {
		if ((a->flags & (unsigned)(O_TMPFILE | O_CREAT)) != (unsigned)O_TMPFILE)
			return -EINVAL;
		if ((a->flags & O_ACCMODE) == O_RDONLY)
			return -EINVAL;
	}
	if ((a->flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT))
		return -EINVAL; /* since 6.4; before, a bug */
	if (!(a->flags & O_NOFOLLOW) && (a->flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		a->path_flags |= PATH_FOLLOW;
	if (a->flags & O_CREAT)
		a->path_flags |= PATH_CREATE;
	return 0;
}

/* The call will open real with these flags. */
static int open_redirect(struct calls *cs, struct call *c, const struct open_args *a,
			 const char *real, unsigned flags)
{
	struct open_how how = { .flags = flags, .mode = flags & (O_CREAT | TMPFILE_BIT) ? a->mode : 0 };
	int r;

	if (a->how >= 0) {
		r = call_set_bytes(c, (unsigned)a->how, &how, sizeof(how));
		if (r == 0)
			r = call_set_arg(c, (unsigned)sys_arg(c->row, R_HOWSIZE), sizeof(how));
	} else if (!call_has(c, R_OFLAGS)) {
		/* creat(2) has no flags to mark: it runs as open(2), whose arguments are path, flags, mode. */
		r = call_set_id(c, SYS_ID_open);
		if (r == 0)
			r = call_set_arg(c, 1, flags);
		if (r == 0)
			r = call_set_arg(c, 2, a->mode);
	} else {
		r = call_set_arg(c, (unsigned)sys_arg(c->row, R_OFLAGS), flags);
	}
	return r < 0 ? r : call_set_real(cs, c, (unsigned)sys_arg(c->row, R_PATH), real);
}

/* After an open that may have created: whatever there is now is looked up anew. */
static void opened_new(struct calls *cs, struct call *c, struct pending *p)
{
	(void)c;
	path_forget(cs->space, p->dir, p->name);
	cs->gen++;
}

/* After an open of a file that the supervisor made: its real mode, or nothing left behind. */
static void opened_made(struct calls *cs, struct call *c, struct pending *p)
{
	const struct cred *cred;

	if (task_cred(call_task(c), &cred) < 0)
		return;
	if (c->result < 0) {
		cs->fs->ops->unlink(p->dir, p->name, p->vn, cred);
	} else if (p->value >= 0) {
		struct vfs_setattr a = { .mask = VFS_MODE, .mode = (mode_t)p->value };

		cs->fs->ops->setattr(p->vn, &a, cred);
	}
	cs->gen++;
}

/*
 * A whiteout is in the way: the supervisor makes the file, so that the name never shows what lies below,
 * and the task opens it.  open(O_CREAT|O_WRONLY, 0444) must succeed: the mode comes afterwards.
 */
static int open_made(struct calls *cs, struct call *c, const struct open_args *a,
		     const struct target *t)
{
	struct vfs_create how = { .mode = S_IFREG | a->mode };
	mode_t need = (a->flags & O_ACCMODE) == O_RDONLY   ? 0400
		      : (a->flags & O_ACCMODE) == O_WRONLY ? 0200
							   : 0600;
	char real[PATH_MAX];
	struct pending *p;
	struct statx stx;
	struct vnode *vn;
	int r = call_reserve(c);

	if (r < 0)
		return r;
	r = cs->fs->ops->create(t->res.dir, t->res.name, &how, t->cred, &vn);
	cs->gen++;
	if (r < 0)
		return r;
	p = call_pending(cs, c);
	if (!p)
		return -ENOMEM;
	p->finish = opened_made;
	p->made = true;
	p->value = -1;
	p->dir = t->res.dir;
	p->vn = vn;
	strcpy(p->name, t->res.name);
	r = cs->fs->ops->getattr(vn, &stx);
	if (r == 0 && (stx.stx_mode & need) != need) {
		struct vfs_setattr open_up = { .mask = VFS_MODE, .mode = (stx.stx_mode & 07777) | need };

		p->value = stx.stx_mode & 07777;
		r = cs->fs->ops->setattr(vn, &open_up, t->cred);
	}
	if (r == 0)
		r = cs->fs->ops->realpath(vn, real, sizeof(real));
	if (r < 0)
		return r;
	return open_redirect(cs, c, a, real,
			     (unsigned)task_mark_oflags((int)(a->flags & ~(unsigned)(O_CREAT | O_EXCL))));
}

static int open_create(struct calls *cs, struct call *c, const struct open_args *a,
		       const struct target *t)
{
	char real[PATH_MAX];
	struct pending *p;
	int r;

	if (t->res.slash || t->res.last != LAST_NORM || !t->res.dir)
		return -EISDIR;
	if (cs->readonly)
		return -EROFS;
	if (!cs->fs->ops->create || !cs->fs->ops->create_path)
		return -EOPNOTSUPP;
	r = perm_create(t->res.dir, t->cred);
	if (r < 0)
		return r;
	r = cs->fs->ops->create_path(t->res.dir, t->res.name, t->cred, real, sizeof(real));
	if (r == -EEXIST)
		return open_made(cs, c, a, t);
	if (r < 0)
		return r;
	p = call_pending(cs, c);
	if (!p)
		return -ENOMEM;
	p->finish = opened_new;
	p->dir = t->res.dir;
	strcpy(p->name, t->res.name);
	path_forget(cs->space, p->dir, p->name);
	return open_redirect(cs, c, a, real, (unsigned)task_mark_oflags((int)a->flags));
}

/*
 * The kernel takes a descriptor before it truncates: a task that has none left must not lose the data.
 * Asked only before a copy-up without data, which is dear anyway.
 */
static int open_room(const struct call *c)
{
	struct rlimit lim;
	struct dirent *e;
	char path[32];
	rlim_t n = 0;
	DIR *d;

	if (prlimit(c->t->tid, RLIMIT_NOFILE, NULL, &lim) < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)c->t->tid);
	d = opendir(path);
	if (!d)
		return 0;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n < lim.rlim_cur ? 0 : -EMFILE;
}

/* may_open(), for an object that is there. */
static int open_check(struct calls *cs, const struct open_args *a, const struct target *t, bool write)
{
	const struct vnode *vn = t->vn;

	(void)cs;
	if ((a->flags & O_DIRECTORY) && !S_ISDIR(vn->type))
		return -ENOTDIR;
	if (a->flags & O_PATH)
		return 0;
	if (S_ISLNK(vn->type))
		return -ELOOP;
	if (S_ISDIR(vn->type) && (write || (a->flags & O_CREAT)))
		return -EISDIR;
	return 0;
}

/*
 * A directory that was removed, from where the call starts: it has no path any more, but the
 * descriptor or cwd still is it, and the kernel opens it once more.
 */
static int open_dead(struct calls *cs, struct call *c, const struct open_args *a,
		     const struct target *t)
{
	if (t->by_fd || t->path[strspn(t->path, "./")])
		return -ENOENT;
	if (a->flags & O_CREAT)
		return -EISDIR;
	return open_redirect(cs, c, a, ".", (unsigned)task_mark_oflags((int)a->flags));
}

static int open_existing(struct calls *cs, struct call *c, const struct open_args *a,
			 const struct target *t)
{
	bool write = (a->flags & O_ACCMODE) != O_RDONLY || (a->flags & O_TRUNC);
	unsigned flags = a->flags & ~(unsigned)(O_CREAT | O_EXCL);
	char real[PATH_MAX];
	struct statx stx;
	int r;

	if (t->res.slash && (a->flags & O_CREAT) && !t->by_fd)
		return -EISDIR;
	r = open_check(cs, a, t, write);
	if (r < 0)
		return r;
	if (S_ISDIR(t->vn->type) && t->vn->dead)
		return open_dead(cs, c, a, t);
	if (!(a->flags & O_PATH) && S_ISREG(t->vn->type)) {
		if (write && cs->readonly)
			return -EROFS;
		r = cs->fs->ops->getattr(t->vn, &stx);
		if (r < 0)
			return r;
		r = perm_check(t->vn, &stx,
			       ((a->flags & O_ACCMODE) != O_WRONLY ? PERM_R : 0) | (write ? PERM_W : 0),
			       t->cred);
		if (r < 0)
			return r;
		if (write && cs->fs->ops->make_writable) {
			if ((a->flags & O_TRUNC) && cs->fs->ops->layer && cs->fs->ops->layer(t->vn) > 0)
				r = open_room(c);
			if (r < 0)
				return r;
			r = cs->fs->ops->make_writable(t->vn, a->flags & O_TRUNC);
			cs->gen++;
			if (r < 0)
				return r;
			if (reopen_lent(cs, c, t->vn))
				return 0;
		} else if (!write && cs->fs->ops->layer(t->vn) > 0) {
			t->vn->lent = true;
			/* ovl_open_realfile(): reading leaves no trace in a lower layer. */
			if (stx.stx_uid == t->cred->fsuid || cred_has_cap(t->cred, CAP_FOWNER))
				flags |= O_NOATIME;
		}
	}
	r = cs->fs->ops->realpath(t->vn, real, sizeof(real));
	if (r < 0)
		return r;
	return open_redirect(cs, c, a, real, (unsigned)task_mark_oflags((int)flags));
}

static int open_tmpfile(struct calls *cs, struct call *c, const struct open_args *a,
			const struct target *t)
{
	char real[PATH_MAX];
	int r;

	if (!t->vn)
		return -ENOENT;
	if (!S_ISDIR(t->vn->type))
		return -ENOTDIR;
	if (cs->readonly)
		return -EROFS;
	r = perm_vnode(t->vn, PERM_W | PERM_X, t->cred);
	if (r < 0)
		return r;
	if (!cs->fs->ops->tmpfile_path)
		return -EOPNOTSUPP;
	r = cs->fs->ops->tmpfile_path(t->vn, t->cred, real, sizeof(real));
	if (r < 0)
		return r;
	return open_redirect(cs, c, a, real, (unsigned)task_mark_oflags((int)a->flags));
}

/* A path outside.  Raw opens in a layer must not look as if they came through the view. */
static int open_outside(struct calls *cs, struct call *c, const struct open_args *a,
			const struct target *t)
{
	unsigned mark = a->flags & O_PATH ? O_NOFOLLOW : O_ASYNC;

	if (!t->by_fd && t->res.layer && (a->flags & mark) && !call_has(c, R_HOW) &&
	    call_has(c, R_OFLAGS)) {
		int r = call_set_arg(c, (unsigned)sys_arg(c->row, R_OFLAGS), a->flags & ~mark);

		if (r < 0)
			return r;
	}
	if (!t->by_fd && t->res.layer && (a->flags & (O_CREAT | O_TRUNC)))
		return target_outside_changing(cs, c, 1, t);
	return target_outside(cs, c, 1, t);
}

/*
 * The /proc link of an open file of ours that has no name: the kernel follows it.  A file that lies in the
 * upper layer it may open for writing, a lower one never.
 */
static int open_magic(struct call *c, const struct open_args *a, const struct target *t)
{
	struct open_how how = { .flags = a->flags | O_ASYNC, .mode = a->mode, .resolve = a->resolve };
	bool write = (a->flags & O_ACCMODE) != O_RDONLY || (a->flags & O_TRUNC);
	int r = target_named(c, t);

	if (a->flags & O_PATH)
		return 0;
	if (r < 0 && write && S_ISREG(t->fd.st.st_mode))
		return r;
	if (a->how >= 0) {
		r = call_set_bytes(c, (unsigned)a->how, &how, sizeof(how));
		return r < 0 ? r : call_set_arg(c, (unsigned)sys_arg(c->row, R_HOWSIZE), sizeof(how));
	}
	if (!call_has(c, R_OFLAGS))
		return 0;
	return call_set_arg(c, (unsigned)sys_arg(c->row, R_OFLAGS), a->flags | O_ASYNC);
}

int call_open(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	struct open_args a;
	int r = open_args(c, &a);

	if (r < 0)
		return r;
	r = target_get(cs, c, 1, a.path_flags, &t);
	if (r < 0)
		return r;
	target_magic(cs, a.path_flags, &t);
	if (t.magic)
		return open_magic(c, &a, &t);
	if (!t.inside)
		return open_outside(cs, c, &a, &t);
	if (a.flags & TMPFILE_BIT)
		return open_tmpfile(cs, c, &a, &t);
	if (!t.vn)
		return a.flags & O_CREAT ? open_create(cs, c, &a, &t) : -ENOENT;
	if ((a.flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return t.res.slash && t.res.last == LAST_NORM ? -EISDIR : -EEXIST;
	return open_existing(cs, c, &a, &t);
}
