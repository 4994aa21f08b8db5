/* SPDX-License-Identifier: MIT */
/* Names that go or move: unlink, rmdir, rename.  Done by the supervisor; the call never runs. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "call/call.h"

static int unlink_check(struct calls *cs, const struct target *t)
{
	if (t->res.last != LAST_NORM)
		return -EISDIR;
	if (!t->res.dir) /* the mount point itself */
		return t->vn ? -EISDIR : -ENOENT;
	if (cs->readonly)
		return -EROFS;
	if (!t->vn)
		return -ENOENT;
	if (t->res.slash)
		return S_ISDIR(t->vn->type) ? -EISDIR : -ENOTDIR;
	return 0;
}

static int rmdir_check(struct calls *cs, const struct target *t)
{
	switch (t->res.last) {
	case LAST_DOTDOT:
		return -ENOTEMPTY;
	case LAST_DOT:
		return -EINVAL;
	case LAST_ROOT:
		return -EBUSY;
	default:
		break;
	}
	if (!t->res.dir)
		return t->vn ? -EBUSY : -ENOENT;
	if (cs->readonly)
		return -EROFS;
	return t->vn ? 0 : -ENOENT;
}

int call_unlink(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	const struct vfs_ops *ops = cs->fs->ops;
	unsigned at = call_atflags(c);
	int r;

	if (at & ~(unsigned)AT_REMOVEDIR)
		return -EINVAL;
	r = target_get(cs, c, 1, PATH_CREATE, &t);
	if (r < 0)
		return r;
	if (!t.inside) {
		if (t.res.synthetic)
			return -EBUSY;
		return target_outside_changing(cs, c, 1, &t);
	}
	r = at & AT_REMOVEDIR ? rmdir_check(cs, &t) : unlink_check(cs, &t);
	if (r < 0)
		return r;
	if (at & AT_REMOVEDIR)
		r = ops->rmdir ? ops->rmdir(t.res.dir, t.res.name, t.vn, t.cred) : -EOPNOTSUPP;
	else
		r = ops->unlink ? ops->unlink(t.res.dir, t.res.name, t.vn, t.cred) : -EOPNOTSUPP;
	cs->gen++;
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}

/* do_renameat2() up to the ancestor checks, which need the tree: the file system makes those. */
static int rename_check(struct calls *cs, const struct target *old, const struct target *new,
			unsigned flags)
{
	if (old->res.last != LAST_NORM || !old->res.dir)
		return -EBUSY;
	if (new->res.last != LAST_NORM || !new->res.dir)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (cs->readonly)
		return -EROFS;
	if (!old->vn)
		return -ENOENT;
	if ((flags & RENAME_NOREPLACE) && new->vn)
		return -EEXIST;
	if (flags & RENAME_EXCHANGE) {
		if (!new->vn)
			return -ENOENT;
		if (!S_ISDIR(new->vn->type) && new->res.slash)
			return -ENOTDIR;
	}
	if (!S_ISDIR(old->vn->type)) {
		if (old->res.slash)
			return -ENOTDIR;
		if (!(flags & RENAME_EXCHANGE) && new->res.slash)
			return -ENOTDIR;
	}
	return 0;
}

int call_rename(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target old = { .fd = TASK_FD_NONE }, new = { .fd = TASK_FD_NONE };
	unsigned flags = (unsigned)call_arg(c, R_RFLAGS);
	int r;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) && (flags & RENAME_EXCHANGE))
		return -EINVAL;
	r = target_get(cs, c, 1, PATH_CREATE, &old);
	if (r < 0)
		return r;
	r = target_get(cs, c, 2, PATH_CREATE, &new);
	if (r < 0) {
		/* The old path is walked first, by the kernel only if the call runs. */
		int e = old.inside ? 0 : target_outside_error(&old, true, true);

		return e < 0 ? e : r;
	}
	if (!old.inside && !new.inside) {
		if (old.res.synthetic || new.res.synthetic)
			return -EBUSY;
		r = target_outside_changing(cs, c, 1, &old);
		return r < 0 ? r : target_outside_changing(cs, c, 2, &new);
	}
	if (old.inside != new.inside) {
		r = target_outside_error(old.inside ? &new : &old, true, true);
		return r < 0 ? r : -EXDEV;
	}
	r = rename_check(cs, &old, &new, flags);
	if (r < 0)
		return r;
	if (!cs->fs->ops->rename)
		return -EOPNOTSUPP;
	r = cs->fs->ops->rename(old.res.dir, old.res.name, old.vn, new.res.dir, new.res.name, new.vn,
				flags, new.cred);
	cs->gen++;
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}
