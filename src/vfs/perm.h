/* SPDX-License-Identifier: MIT */
/*
 * Permission checks on merged objects, as the kernel does them on an overlay inode: with the caller's
 * credentials against the merged attributes.  The work below then runs with fuss's own.
 */
#ifndef FUSS_VFS_PERM_H
#define FUSS_VFS_PERM_H

#include "vfs/vfs.h"

enum { PERM_X = 1, PERM_W = 2, PERM_R = 4 };

/* generic_permission(): owner, ACL (read through the getxattr operation), group, other, then
 * CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.  0 or -EACCES; immutable and W: -EPERM. */
int perm_check(struct vnode *vn, const struct statx *st, unsigned mask, const struct cred *c);
/* The same, fetching the attributes. */
int perm_vnode(struct vnode *vn, unsigned mask, const struct cred *c);
/* may_create(): -ENOENT (dead directory), then W and X on dir. */
int perm_create(struct vnode *dir, const struct cred *c);
/* may_delete(): W and X on dir, append-only, sticky (-EPERM), then -ENOTDIR/-EISDIR, -EBUSY (root). */
int perm_delete(struct vnode *dir, struct vnode *victim, bool isdir, const struct cred *c);
/* setattr_prepare(): owner rules of chmod, chown, utimes; a->mode loses S_ISGID where the kernel
 * drops it.  UTIME_NOW needs write permission only. */
int perm_setattr(struct vnode *vn, const struct statx *st, struct vfs_setattr *a,
		 const struct cred *c);
/* xattr_permission(): mask is PERM_R or PERM_W. */
int perm_xattr(struct vnode *vn, const char *name, unsigned mask, const struct cred *c);
/* may_linkat() and /proc/sys/fs/protected_hardlinks. */
int perm_link(struct vnode *vn, const struct cred *c);

#endif
