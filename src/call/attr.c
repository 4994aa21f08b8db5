/* SPDX-License-Identifier: MIT */
/* chmod, chown, utimes, truncate: by path, by directory descriptor, by descriptor. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/resource.h>

#include "call/call.h"
#include "vfs/perm.h"

/* fchmod and friends do not take O_PATH descriptors: the kernel says EBADF. */
static bool attr_needs_open(const struct call *c, const struct target *t)
{
	return t->by_fd && !t->magic && (t->fd.flags & O_PATH) && !(call_atflags(c) & AT_EMPTY_PATH);
}

/*
 * The object is in t; makes the change and answers.  A descriptor of ours whose object has no name any
 * more: the call may run on what lies in the upper layer, never on a lower file.
 */
static int attr_change(struct calls *cs, struct call *c, const struct target *t,
		       const struct vfs_setattr *a)
{
	const struct vfs_ops *ops = cs->fs->ops;
	struct vfs_setattr copy = *a;
	int r;

	if (attr_needs_open(c, t))
		return 0;
	r = target_named(c, t);
	if (r <= 0)
		return r;
	if (cs->readonly)
		return -EROFS;
	r = ops->setattr ? ops->setattr(t->vn, &copy, t->cred) : -EOPNOTSUPP;
	cs->gen++;
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}

static int attr_call(struct calls *cs, struct call *c, const struct vfs_setattr *a)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	int r = target_object(cs, c, &t);

	if (r < 0)
		return r;
	return t.inside ? attr_change(cs, c, &t, a) : target_outside(cs, c, 1, &t);
}

int call_chmod(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	struct vfs_setattr a = { .mask = VFS_MODE, .mode = (mode_t)call_arg(c, R_MODE) & 07777 };
	int r;

	if (call_atflags(c) & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = target_object(cs, c, &t);
	if (r < 0)
		return r;
	if (!t.inside)
		return target_outside(cs, c, 1, &t);
	/* A symlink has no mode of its own: since 6.6 every file system answers so. */
	if (!attr_needs_open(c, &t) && t.vn && S_ISLNK(t.vn->type))
		return cs->readonly ? -EROFS : -EOPNOTSUPP;
	return attr_change(cs, c, &t, &a);
}

int call_chown(struct calls *cs, struct call *c)
{
	struct vfs_setattr a = {
		.mask = VFS_CHOWN,
		.uid = (uid_t)call_arg(c, R_UID),
		.gid = (gid_t)call_arg(c, R_GID),
	};

	if (call_atflags(c) & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (a.uid != (uid_t)-1)
		a.mask |= VFS_UID;
	if (a.gid != (gid_t)-1)
		a.mask |= VFS_GID;
	return attr_call(cs, c, &a);
}

/* The ABI's times as timespecs; 1: there were none (now). */
static int read_times(struct call *c, struct timespec ts[2])
{
	uint64_t addr = call_arg(c, R_TIMES);
	int64_t v[4];
	int32_t v32[4];
	unsigned n = c->row->form == F_UTIMBUF ? 2 : 4;
	int r;

	if (addr == 0)
		return 1;
	if (c->abi->word == 8) {
		r = call_read(c, addr, v, n * 8);
	} else {
		r = call_read(c, addr, v32, n * 4);
		for (unsigned i = 0; i < n && r >= 0; i++)
			v[i] = v32[i];
	}
	if (r < 0)
		return r;
	for (unsigned i = 0; i < 2; i++) {
		ts[i].tv_sec = c->row->form == F_UTIMBUF ? v[i] : v[2 * i];
		ts[i].tv_nsec = c->row->form == F_UTIMBUF ? 0 : v[2 * i + 1];
		if (c->row->form == F_TIMEVAL) {
			if (ts[i].tv_nsec < 0 || ts[i].tv_nsec >= 1000000)
				return -EINVAL;
			ts[i].tv_nsec *= 1000;
		}
	}
	return 0;
}

int call_utime(struct calls *cs, struct call *c)
{
	struct vfs_setattr a = { .mask = VFS_ATIME | VFS_MTIME };
	int r = read_times(c, a.time);

	if (r < 0)
		return r;
	if (r == 1)
		a.time[0].tv_nsec = a.time[1].tv_nsec = UTIME_NOW;
	if (r == 0 && c->row->form == F_TIMESPEC) {
		/* Nothing must be done: success, whatever the path is. */
		if (a.time[0].tv_nsec == UTIME_OMIT && a.time[1].tv_nsec == UTIME_OMIT)
			return 0;
		for (unsigned i = 0; i < 2; i++) {
			long ns = a.time[i].tv_nsec;

			if (ns == UTIME_OMIT)
				a.mask &= ~(unsigned)(i ? VFS_MTIME : VFS_ATIME);
			else if (ns != UTIME_NOW && (ns < 0 || ns > 999999999))
				return -EINVAL;
		}
	}
	if (call_atflags(c) & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return attr_call(cs, c, &a);
}

int call_truncate(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	struct vfs_setattr a = { .mask = VFS_SIZE, .size = (off_t)call_arg(c, R_SIZE) };
	struct rlimit lim;
	int r;

	if (a.size < 0)
		return -EINVAL;
	r = target_object(cs, c, &t);
	if (r < 0)
		return r;
	if (!t.inside)
		return target_outside(cs, c, 1, &t);
	r = target_named(c, &t);
	if (r <= 0)
		return r;
	if (S_ISDIR(t.vn->type))
		return -EISDIR;
	if (!S_ISREG(t.vn->type))
		return -EINVAL;
	if (cs->readonly)
		return -EROFS;
	r = perm_vnode(t.vn, PERM_W, t.cred);
	if (r < 0)
		return r;
	/* inode_newsize_ok(): the limit is the task's, and so is the signal. */
	if (prlimit(c->t->tid, RLIMIT_FSIZE, NULL, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY &&
	    (uint64_t)a.size > lim.rlim_cur) {
		struct statx stx;

		r = cs->fs->ops->getattr(t.vn, &stx);
		if (r == 0 && (uint64_t)a.size > stx.stx_size) {
			kill(c->t->tgid, SIGXFSZ);
			return -EFBIG;
		}
	}
	if (t.vn->lent) {
		r = cs->fs->ops->make_writable(t.vn, false);
		if (r < 0)
			return r;
		if (reopen_lent(cs, c, t.vn))
			return 0;
	}
	return attr_change(cs, c, &t, &a);
}
