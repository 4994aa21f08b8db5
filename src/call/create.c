/* SPDX-License-Identifier: MIT */
/* New names: mkdir, mknod, symlink, link.  Made by the supervisor; the call never runs. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "call/call.h"
#include "vfs/perm.h"

/* filename_create(): what is wrong with the last component, in the kernel's order. */
static int create_check(struct calls *cs, const struct target *t, bool directory)
{
	if (t->res.last != LAST_NORM || !t->res.dir || t->vn)
		return -EEXIST;
	if (t->res.slash && !directory)
		return -ENOENT;
	if (cs->readonly)
		return -EROFS;
	return 0;
}

static int create_answer(struct calls *cs, struct call *c, const struct target *t,
			 const struct vfs_create *how)
{
	struct vnode *vn;
	int r;

	if (!cs->fs->ops->create)
		return -EOPNOTSUPP;
	r = cs->fs->ops->create(t->res.dir, t->res.name, how, t->cred, &vn);
	cs->gen++;
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}

/* may_mknod() */
static int mknod_mode(mode_t *mode)
{
	switch (*mode & S_IFMT) {
	case 0:
		*mode |= S_IFREG;
		return 0;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

/* The kernel's 32-bit encoding of a device number, as mknod(2) takes it. */
static dev_t decode_dev(uint32_t dev)
{
	return makedev((dev & 0xfff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

int call_mknod(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	bool directory = c->row->form == F_MKDIR;
	struct vfs_create how = { .mode = (mode_t)call_arg(c, R_MODE) & (S_IFMT | 07777) };
	int r = 0;

	if (directory)
		how.mode = S_IFDIR | (how.mode & 01777); /* vfs_mkdir() keeps the sticky bit, not set-id */
	else
		r = mknod_mode(&how.mode);
	if (r < 0)
		return r;
	how.rdev = decode_dev((uint32_t)call_arg(c, R_DEV));
	r = target_get(cs, c, 1, PATH_CREATE, &t);
	if (r < 0)
		return r;
	if (!t.inside) {
		if (t.res.synthetic)
			return -EEXIST;
		return target_outside(cs, c, 1, &t);
	}
	r = create_check(cs, &t, directory);
	if (r < 0)
		return r;
	if (S_ISCHR(how.mode) || S_ISBLK(how.mode)) {
		r = perm_create(t.res.dir, t.cred);
		if (r < 0)
			return r;
		/* vfs_mknod(): the capability, but for whiteouts; ovl_mknod() refuses those. */
		if (how.rdev == 0 && S_ISCHR(how.mode))
			return -EPERM;
		if (!cred_has_cap(t.cred, CAP_MKNOD))
			return -EPERM;
	}
	return create_answer(cs, c, &t, &how);
}

int call_symlink(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	char text[PATH_MAX];
	struct vfs_create how = { .mode = S_IFLNK | 0777, .target = text };
	ssize_t n = call_read_str(c, call_arg(c, R_TARGET), text, sizeof(text));
	int r;

	if (n < 0)
		return (int)n;
	if (n == 0)
		return -ENOENT;
	r = target_get(cs, c, 1, PATH_CREATE, &t);
	if (r < 0)
		return r;
	if (!t.inside)
		return target_outside_changing(cs, c, 1, &t);
	r = create_check(cs, &t, false);
	return r < 0 ? r : create_answer(cs, c, &t, &how);
}

/* An open file as the source: by AT_EMPTY_PATH, or by its /proc link. */
static int link_fd(struct calls *cs, const struct target *old, const struct target *new)
{
	const struct task_fd *f = &old->fd;

	if (!old->by_fd || !f->ours)
		return -EXDEV;
	if (f->vn && !f->vn->dead)
		return cs->fs->ops->link(f->vn, new->res.dir, new->res.name, new->cred);
	if (f->vn)
		return -ENOENT; /* it had names, all are gone: vfs_link() */
	if (!cs->fs->ops->link_fd)
		return -EOPNOTSUPP;
	return cs->fs->ops->link_fd(cs->fs, f->fd, new->res.dir, new->res.name, new->cred);
}

/* filename_create() outside, before the two mounts are compared. */
static int link_to_outside(const struct target *new)
{
	int r = target_outside_error(new, true, true);

	if (r < 0)
		return r;
	if (target_outside_error(new, false, false) == 0)
		return -EEXIST;
	/* What is not in /proc cannot be made there: its lookup says so. */
	return new->res.slash || strncmp(new->res.host, "/proc/", 6) == 0 ? -ENOENT : -EXDEV;
}

int call_link(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target old = { .fd = TASK_FD_NONE }, new = { .fd = TASK_FD_NONE };
	unsigned at = call_atflags(c);
	int r;

	if (at & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = target_get(cs, c, 1, at & AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0, &old);
	if (r < 0)
		return r;
	target_magic(cs, at & AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0, &old);
	if (old.inside && !old.vn && !old.by_fd)
		return -ENOENT;
	r = target_get(cs, c, 2, PATH_CREATE, &new);
	if (r == 0 || !old.inside) {
		/* The old path is walked first, by the kernel only if the call runs. */
		int e = old.inside || (r == 0 && !new.inside)
				? 0
				: target_outside_error(&old, false, at & AT_SYMLINK_FOLLOW);

		r = e < 0 ? e : r;
	}
	if (r < 0)
		return r;
	if (!new.inside && !old.inside) {
		r = target_outside_changing(cs, c, 1, &old);
		return r < 0 ? r : target_outside(cs, c, 2, &new);
	}
	if (!new.inside)
		return link_to_outside(&new);
	r = create_check(cs, &new, false);
	if (r < 0)
		return r;
	if (!cs->fs->ops->link)
		return -EOPNOTSUPP;
	/* A removed directory; the file system knows of one that is there. */
	if (old.vn && old.vn->dead && S_ISDIR(old.vn->type))
		r = perm_create(new.res.dir, new.cred) < 0 ? -EACCES : -EPERM;
	else if (!old.vn || old.by_fd)
		r = link_fd(cs, &old, &new);
	else
		r = cs->fs->ops->link(old.vn, new.res.dir, new.res.name, new.cred);
	cs->gen++;
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}
