/* SPDX-License-Identifier: MIT */
/* Reading what an object is: answered from the merged object, the call never runs. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "call/call.h"
#include "vfs/perm.h"

/* An ancestor of a mount point that the host does not have: an empty directory of root's. */
static void synthetic_stat(struct statx *stx)
{
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_mode = S_IFDIR | 0555,
		.stx_nlink = 2,
		.stx_ino = 1,
		.stx_blksize = 4096,
	};
}

static int answer_stat(struct call *c, const struct statx *stx)
{
	uint8_t buf[ABI_STRUCT_MAX];
	uint64_t addr = call_arg(c, R_OUT);
	int n;

	if (c->row->form == F_STATX) {
		n = call_write(c, addr, stx, sizeof(*stx));
	} else {
		n = (c->row->form == F_STAT64 ? c->abi->put_stat64 : c->abi->put_stat)(stx, buf);
		if (n >= 0)
			n = call_write(c, addr, buf, (size_t)n);
	}
	if (n < 0)
		return n;
	call_return(c, 0);
	return 0;
}

/* A descriptor of ours without a live name: the real object, with its identity in the view. */
static int stat_unnamed(struct calls *cs, int fd, struct statx *stx)
{
	int r = (int)x_ret(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, stx));

	if (r == 0 && cs->fs->ops->identify)
		cs->fs->ops->identify(cs->fs, stx);
	return r;
}

/* "." in a directory that was removed: the real one lives on as the cwd or descriptor that led here. */
static int stat_dead(struct calls *cs, struct call *c, struct statx *stx)
{
	int dirfd = call_has(c, R_DIRFD) ? (int)call_arg(c, R_DIRFD) : AT_FDCWD;
	char path[64];
	_cleanup_fd_ int fd = -1;
	int r;

	if (dirfd == AT_FDCWD)
		snprintf(path, sizeof(path), "/proc/%d/cwd", (int)c->t->tid);
	else
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)c->t->tid, dirfd);
	fd = x_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = stat_unnamed(cs, fd, stx);
	stx->stx_nlink = 0;
	return r;
}

#define STATX_AT_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)

int call_stat(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	struct statx stx;
	unsigned at = call_atflags(c);
	int r;

	if (c->row->form == F_STATX) {
		/* do_statx(): a reserved mask bit, then contradicting sync flags, come before the path. */
		if (call_arg(c, R_MASK) & STATX__RESERVED)
			return -EINVAL;
		if ((at & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
			return -EINVAL;
	}
	if (call_has(c, R_ATFLAGS) && (at & ~STATX_AT_FLAGS))
		return -EINVAL;
	r = target_object(cs, c, &t);
	if (r < 0)
		return r;
	if (!t.inside && !t.by_fd && t.res.synthetic) {
		synthetic_stat(&stx);
		return answer_stat(c, &stx);
	}
	if (!t.inside)
		return target_outside(cs, c, 1, &t);
	if (t.by_fd && (!t.vn || t.vn->dead)) {
		r = stat_unnamed(cs, t.fd.fd, &stx);
	} else if (!t.vn) {
		r = -ENOENT;
	} else if (t.vn->dead) {
		r = stat_dead(cs, c, &stx);
	} else {
		r = cs->fs->ops->getattr(t.vn, &stx);
		if (r == -ENOENT && !t.by_fd) /* removed behind our back: once more from the start */
			path_forget_all(cs->space);
	}
	return r < 0 ? r : answer_stat(c, &stx);
}

int call_access(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	unsigned at = call_atflags(c), mask = (unsigned)call_arg(c, R_MASK);
	struct cred real;
	int r;

	if (mask & ~(unsigned)(R_OK | W_OK | X_OK))
		return -EINVAL;
	if (at & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = target_object(cs, c, &t);
	if (r < 0)
		return r;
	if (!t.inside)
		return target_outside(cs, c, 1, &t);
	if (!t.vn || (t.by_fd && t.vn->dead))
		return t.by_fd ? 0 : -ENOENT;
	real = *t.cred;
	if (!(at & AT_EACCESS)) {
		/* access_override_creds(): real ids, and capabilities only for a real root. */
		real.fsuid = real.uid;
		real.fsgid = real.gid;
		if (real.uid != 0)
			real.caps = 0;
	}
	if ((mask & W_OK) && cs->readonly &&
	    (S_ISREG(t.vn->type) || S_ISDIR(t.vn->type) || S_ISLNK(t.vn->type)))
		return -EROFS;
	r = mask ? perm_vnode(t.vn, (mask & R_OK ? PERM_R : 0) | (mask & W_OK ? PERM_W : 0) |
					    (mask & X_OK ? PERM_X : 0), &real)
		 : 0;
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}

static int answer_link(struct call *c, const char *text, size_t len)
{
	size_t room = (size_t)call_arg(c, R_LEN);
	int r;

	if (len > room)
		len = room;
	r = call_write(c, call_arg(c, R_BUF), text, len);
	if (r < 0)
		return r;
	call_return(c, (int64_t)len);
	return 0;
}

int call_readlink(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	char text[PATH_MAX];
	ssize_t n;
	int r;

	if ((int)call_arg(c, R_LEN) <= 0)
		return -EINVAL;
	/* "" is allowed for a descriptor of a symlink, without a flag. */
	r = target_get(cs, c, 1, call_has(c, R_DIRFD) ? PATH_EMPTY : 0, &t);
	if (r < 0)
		return r;
	if (!t.inside && !t.by_fd) {
		n = proc_link_text(cs, t.res.host, text, sizeof(text));
		return n >= 0 ? answer_link(c, text, (size_t)n) : target_outside(cs, c, 1, &t);
	}
	if (!t.inside)
		return 0;
	if (!t.vn)
		return -ENOENT;
	if (!S_ISLNK(t.vn->type))
		return t.by_fd || t.path[0] == 0 ? -ENOENT : -EINVAL;
	r = cs->fs->ops->readlink(t.vn, text, sizeof(text));
	return r < 0 ? r : answer_link(c, text, (size_t)r);
}

int call_statfs(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	uint8_t buf[ABI_STRUCT_MAX];
	struct statfs sf;
	int r;

	r = target_get(cs, c, 1, PATH_FOLLOW, &t);
	if (r < 0)
		return r;
	if (!t.inside)
		return target_outside(cs, c, 1, &t);
	if (!t.vn && !t.by_fd)
		return -ENOENT;
	if (!t.vn) {
		struct vnode *root;

		r = cs->fs->ops->root(cs->fs, &root);
		t.vn = root;
	}
	if (r == 0)
		r = cs->fs->ops->statfs ? cs->fs->ops->statfs(t.vn, &sf) : -ENOSYS;
	if (r < 0)
		return r;
	r = (c->row->form == F_STATFS64 ? c->abi->put_statfs64 : c->abi->put_statfs)(&sf, buf);
	if (r >= 0)
		r = call_write(c, call_arg(c, R_OUT), buf, (size_t)r);
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}
