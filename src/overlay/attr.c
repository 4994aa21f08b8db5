/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <linux/capability.h>

#include "base/cleanup.h"
#include "overlay/ovl.h"
#include "vfs/perm.h"

#define OVERLAYFS_MAGIC 0x794c7630
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif
#ifndef ST_RDONLY
#define ST_RDONLY 1
#endif

static void set_dev(struct overlay *ov, struct statx *st)
{
	st->stx_dev_major = major(identity_dev(ov->id));
	st->stx_dev_minor = minor(identity_dev(ov->id));
}

int ovl_getattr(struct vnode *vn, struct statx *ret)
{
	struct overlay *ov = ovl_of(vn);
	struct node *n = node_of(vn);
	struct statx st;
	int r = node_statx(n, &st);

	if (r < 0)
		return r;
	if ((st.stx_mode & S_IFMT) != vn->type)
		return -ESTALE; /* replaced underneath */
	if (n->upper && !S_ISDIR(vn->type) && st.stx_ino != n->uino)
		st.stx_ino = identity_find(ov->id, &st);
	else
		st.stx_ino = n->ino;
	set_dev(ov, &st);
	/* The kernel counts no subdirectories of a merged directory either. */
	if (S_ISDIR(vn->type) && n->nlower + n->upper > 1)
		st.stx_nlink = 1;
	st.stx_attributes &= ~(uint64_t)STATX_ATTR_MOUNT_ROOT;
	if (n == ov->root)
		st.stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	*ret = st;
	return 0;
}

void ovl_identify(struct vfs *fs, struct statx *st)
{
	struct overlay *ov = (struct overlay *)fs;

	st->stx_ino = identity_find(ov->id, st);
	set_dev(ov, st);
}

int ovl_readlink(struct vnode *vn, char *buf, size_t size)
{
	_cleanup_loc_ struct loc l = LOC_NONE;

	if (!S_ISLNK(vn->type))
		return -EINVAL;
	int r = node_loc(node_of(vn), &l);
	return r < 0 ? r : (int)x_readlinkat(l.fd, l.name, buf, size);
}

int ovl_statfs(struct vnode *vn, struct statfs *ret)
{
	struct overlay *ov = ovl_of(vn);
	int r = (int)x_ret(fstatfs(ov->layer[ov->rw ? 0 : 1].fd, ret));

	if (r < 0)
		return r;
	ret->f_type = OVERLAYFS_MAGIC;
	if (!ov->rw)
		ret->f_flags |= ST_RDONLY;
	return 0;
}

static int truncate_at(const struct loc *l, off_t size)
{
	int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	_cleanup_fd_ int fd = x_openat(l->fd, l->name, flags, 0);

	return fd < 0 ? fd : (int)x_ret(ftruncate(fd, size));
}

/* file_remove_privs(): fuss may keep set-id bits where the caller may not. */
static int drop_setid(const struct loc *l, const struct statx *st, const struct cred *c)
{
	mode_t mode = st->stx_mode & 07777, drop = mode & S_ISUID;

	if ((mode & S_IXGRP) || !cred_in_group(c, st->stx_gid))
		drop |= mode & S_ISGID;
	if (!drop || cred_has_cap(c, CAP_FSETID))
		return 0;
	return chmod_at(l->fd, l->name, mode & ~drop);
}

/* The kernel drops set-id bits at chown, but fuss may keep a bit that the caller may not
 * (setattr_should_drop_sgid()). */
static int change_owner(const struct loc *l, const struct vfs_setattr *a, const struct statx *st,
			const struct cred *c)
{
	int r = (int)x_ret(fchownat(l->fd, l->name, a->mask & VFS_UID ? a->uid : (uid_t)-1,
				    a->mask & VFS_GID ? a->gid : (gid_t)-1, AT_SYMLINK_NOFOLLOW));

	if (r == 0 && !S_ISDIR(st->stx_mode) && !S_ISLNK(st->stx_mode) &&
	    (st->stx_mode & (S_ISGID | S_IXGRP)) == S_ISGID && !cred_in_group(c, st->stx_gid) &&
	    !cred_has_cap(c, CAP_FSETID))
		r = chmod_at(l->fd, l->name, st->stx_mode & 07777 & ~(mode_t)(S_ISUID | S_ISGID));
	return r;
}

static int set_times(const struct loc *l, const struct vfs_setattr *a)
{
	static const struct timespec omit = { .tv_nsec = UTIME_OMIT };
	struct timespec t[2] = {
		a->mask & VFS_ATIME ? a->time[0] : omit,
		a->mask & VFS_MTIME ? a->time[1] : omit,
	};

	return (int)x_ret(utimensat(l->fd, l->name, t, AT_SYMLINK_NOFOLLOW));
}

static int apply(const struct loc *l, const struct vfs_setattr *a, const struct statx *st,
		 const struct cred *c)
{
	int r = 0;

	if (a->mask & VFS_SIZE) {
		r = truncate_at(l, a->size);
		if (r == 0)
			r = drop_setid(l, st, c);
	}
	if (r == 0 && (a->mask & (VFS_UID | VFS_GID | VFS_CHOWN)))
		r = change_owner(l, a, st, c);
	if (r == 0 && (a->mask & VFS_MODE))
		r = chmod_at(l->fd, l->name, a->mode);
	if (r == 0 && (a->mask & (VFS_ATIME | VFS_MTIME)))
		r = set_times(l, a);
	return r;
}

int ovl_setattr(struct vnode *vn, const struct vfs_setattr *a, const struct cred *c)
{
	_cleanup_loc_ struct loc l = LOC_NONE;
	struct node *n = node_of(vn);
	struct vfs_setattr copy = *a;
	struct statx st;

	/* vfs_truncate() looks at the type first. */
	if ((a->mask & VFS_SIZE) && !S_ISREG(vn->type))
		return S_ISDIR(vn->type) ? -EISDIR : -EINVAL;
	if (!ovl_of(vn)->rw)
		return -EROFS;
	int r = ovl_getattr(vn, &st);
	if (r == 0)
		r = perm_setattr(vn, &st, &copy, c);
	if (r == 0)
		r = copyup(n, (a->mask & VFS_SIZE) && a->size == 0);
	if (r == 0)
		r = node_loc(n, &l);
	if (r == 0)
		r = apply(&l, &copy, &st, c);
	vfs_changed(vn);
	return r;
}
