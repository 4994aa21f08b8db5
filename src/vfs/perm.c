/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "vfs/perm.h"

/* Includes from the kernel's uapi that may be too old. */
#ifndef STATX_ATTR_IMMUTABLE
#define STATX_ATTR_IMMUTABLE 0x10
#define STATX_ATTR_APPEND 0x20
#endif

static bool is_immutable(const struct statx *st)
{
	return st->stx_attributes & STATX_ATTR_IMMUTABLE;
}

static bool is_append(const struct statx *st)
{
	return st->stx_attributes & STATX_ATTR_APPEND;
}

/* inode_owner_or_capable() */
static bool owner_or_capable(const struct statx *st, const struct cred *c)
{
	return c->fsuid == st->stx_uid || cred_has_cap(c, CAP_FOWNER);
}

/* --- POSIX ACLs: version 2 of the xattr form -------------------------------------------------- */

#define ACL_ACCESS "system.posix_acl_access"

enum {
	ACL_USER_OBJ = 1,
	ACL_USER = 2,
	ACL_GROUP_OBJ = 4,
	ACL_GROUP = 8,
	ACL_MASK = 16,
	ACL_OTHER = 32
};

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

/* posix_acl_permission(): 0, -EACCES, or 1 if there is no usable ACL. */
static int acl_check(const struct acl_entry *e, size_t n, const struct statx *st, unsigned want,
		     const struct cred *c)
{
	bool found = false;
	unsigned masked = 7, perm = 0;
	int decided = 1;

	for (size_t i = 0; i < n; i++) {
		if (le16toh(e[i].tag) == ACL_MASK)
			masked = le16toh(e[i].perm);
	}
	for (size_t i = 0; i < n && decided == 1; i++) {
		uint32_t id = le32toh(e[i].id);
		bool group = false;

		perm = le16toh(e[i].perm);
		switch (le16toh(e[i].tag)) {
		case ACL_USER_OBJ:
			if (c->fsuid == st->stx_uid)
				return (perm & want) == want ? 0 : -EACCES;
			break;
		case ACL_USER:
			if (c->fsuid == id)
				return (perm & masked & want) == want ? 0 : -EACCES;
			break;
		case ACL_GROUP_OBJ:
			group = cred_in_group(c, st->stx_gid);
			break;
		case ACL_GROUP:
			group = cred_in_group(c, id);
			break;
		case ACL_OTHER:
			if (found)
				return -EACCES;
			return (perm & want) == want ? 0 : -EACCES;
		}
		if (group) {
			found = true;
			if ((perm & want) == want)
				decided = (perm & masked & want) == want ? 0 : -EACCES;
		}
	}
	return decided;
}

static int acl_permission(struct vnode *vn, const struct statx *st, unsigned want,
			  const struct cred *c)
{
	struct {
		uint32_t version;
		struct acl_entry e[512];
	} acl;
	ssize_t len = vn->fs->ops->getxattr(vn, ACL_ACCESS, &acl, sizeof(acl), c);

	if (len < (ssize_t)sizeof(acl.version) || le32toh(acl.version) != 2)
		return 1;
	return acl_check(acl.e, (len - sizeof(acl.version)) / sizeof(acl.e[0]), st, want, c);
}

/* --- checks ----------------------------------------------------------------------------------- */

/* The second half of generic_permission(). */
static bool cap_permission(const struct statx *st, unsigned mask, const struct cred *c)
{
	if (S_ISDIR(st->stx_mode)) {
		if (!(mask & PERM_W) && cred_has_cap(c, CAP_DAC_READ_SEARCH))
			return true;
		return cred_has_cap(c, CAP_DAC_OVERRIDE);
	}
	if (mask == PERM_R && cred_has_cap(c, CAP_DAC_READ_SEARCH))
		return true;
	if (!(mask & PERM_X) || (st->stx_mode & 0111))
		return cred_has_cap(c, CAP_DAC_OVERRIDE);
	return false;
}

int perm_check(struct vnode *vn, const struct statx *st, unsigned mask, const struct cred *c)
{
	unsigned bits = st->stx_mode;

	if ((mask & PERM_W) && is_immutable(st))
		return -EPERM;
	/* Before the mode: then the ACL needs not be read.  The answer is the same. */
	if (cap_permission(st, mask, c))
		return 0;
	if (c->fsuid == st->stx_uid) {
		bits >>= 6;
	} else {
		/* With an ACL the group bits are its mask: nobody listed has more than they say. */
		if (bits & 070) {
			int r = acl_permission(vn, st, mask, c);

			if (r <= 0)
				return r;
		}
		if (cred_in_group(c, st->stx_gid))
			bits >>= 3;
	}
	return (bits & mask) == mask ? 0 : -EACCES;
}

int perm_vnode(struct vnode *vn, unsigned mask, const struct cred *c)
{
	struct statx st;
	int r = vn->fs->ops->getattr(vn, &st);

	return r < 0 ? r : perm_check(vn, &st, mask, c);
}

int perm_create(struct vnode *dir, const struct cred *c)
{
	if (dir->dead)
		return -ENOENT;
	return perm_vnode(dir, PERM_W | PERM_X, c);
}

int perm_delete(struct vnode *dir, struct vnode *victim, bool isdir, const struct cred *c)
{
	struct statx ds, vs;
	int r = dir->fs->ops->getattr(dir, &ds);

	if (r < 0)
		return r;
	r = perm_check(dir, &ds, PERM_W | PERM_X, c);
	if (r < 0)
		return r;
	if (is_append(&ds))
		return -EPERM;
	r = victim->fs->ops->getattr(victim, &vs);
	if (r < 0)
		return r;
	if ((ds.stx_mode & S_ISVTX) && c->fsuid != vs.stx_uid && c->fsuid != ds.stx_uid &&
	    !cred_has_cap(c, CAP_FOWNER))
		return -EPERM;
	if (is_append(&vs) || is_immutable(&vs))
		return -EPERM;
	if (isdir) {
		if (!S_ISDIR(victim->type))
			return -ENOTDIR;
		if (!victim->parent && !victim->dead)
			return -EBUSY;
	} else if (S_ISDIR(victim->type)) {
		return -EISDIR;
	}
	return dir->dead ? -ENOENT : 0;
}

static bool is_touch(const struct vfs_setattr *a)
{
	return (a->mask & (VFS_ATIME | VFS_MTIME)) == (VFS_ATIME | VFS_MTIME) &&
	       a->time[0].tv_nsec == UTIME_NOW && a->time[1].tv_nsec == UTIME_NOW;
}

static int perm_truncate(struct vnode *vn, const struct statx *st, const struct cred *c)
{
	if (S_ISDIR(vn->type))
		return -EISDIR;
	if (!S_ISREG(vn->type))
		return -EINVAL;
	int r = perm_check(vn, st, PERM_W, c);
	if (r < 0)
		return r;
	return is_append(st) ? -EPERM : 0;
}

/* notify_change(): what comes before setattr_prepare(). */
static int perm_flags(struct vnode *vn, const struct statx *st, const struct vfs_setattr *a,
		      const struct cred *c)
{
	bool times = a->mask & (VFS_ATIME | VFS_MTIME);

	if ((a->mask & (VFS_MODE | VFS_UID | VFS_GID)) || (times && !is_touch(a))) {
		if (is_immutable(st) || is_append(st))
			return -EPERM;
	}
	if (times && is_touch(a)) {
		if (is_immutable(st))
			return -EPERM;
		if (!owner_or_capable(st, c))
			return perm_check(vn, st, PERM_W, c);
	}
	return 0;
}

int perm_setattr(struct vnode *vn, const struct statx *st, struct vfs_setattr *a,
		 const struct cred *c)
{
	bool owner = c->fsuid == st->stx_uid;
	int r = 0;

	if (a->mask & VFS_SIZE)
		r = perm_truncate(vn, st, c);
	if (r == 0)
		r = perm_flags(vn, st, a, c);
	if (r < 0)
		return r;
	if ((a->mask & VFS_UID) && !(owner && a->uid == st->stx_uid) && !cred_has_cap(c, CAP_CHOWN))
		return -EPERM;
	if ((a->mask & VFS_GID) && !cred_has_cap(c, CAP_CHOWN) &&
	    !(owner && (a->gid == st->stx_gid || cred_in_group(c, a->gid))))
		return -EPERM;
	/* ATTR_KILL_SUID and ATTR_KILL_SGID become a change of the mode. */
	if ((a->mask & (VFS_UID | VFS_GID | VFS_CHOWN)) == VFS_CHOWN && !S_ISDIR(st->stx_mode) &&
	    (st->stx_mode & (S_ISUID | S_ISGID)) && !owner_or_capable(st, c))
		return -EPERM;
	if (a->mask & VFS_MODE) {
		if (!owner_or_capable(st, c))
			return -EPERM;
		if (!cred_in_group(c, a->mask & VFS_GID ? a->gid : st->stx_gid) &&
		    !cred_has_cap(c, CAP_FSETID))
			a->mode &= ~(mode_t)S_ISGID;
	}
	if ((a->mask & (VFS_ATIME | VFS_MTIME)) && !is_touch(a) && !owner_or_capable(st, c))
		return -EPERM;
	return 0;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* xattr_permission() plus what the handlers and the security modules of the kernel ask for. */
int perm_xattr(struct vnode *vn, const char *name, unsigned mask, const struct cred *c)
{
	bool write = mask & PERM_W;
	struct statx st;

	if (!write && has_prefix(name, "security."))
		return 0;
	if (!write && has_prefix(name, "system."))
		return 0;
	int r = vn->fs->ops->getattr(vn, &st);
	if (r < 0)
		return r;
	if (write && (is_immutable(&st) || is_append(&st)))
		return -EPERM;
	if (has_prefix(name, "security.")) {
		bool filecap = !strcmp(name, "security.capability");

		return cred_has_cap(c, filecap ? CAP_SETFCAP : CAP_SYS_ADMIN) ? 0 : -EPERM;
	}
	if (has_prefix(name, "system."))
		return owner_or_capable(&st, c) ? 0 : -EPERM;
	if (has_prefix(name, "trusted.")) {
		if (cred_has_cap(c, CAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (has_prefix(name, "user.")) {
		if (!S_ISREG(vn->type) && !S_ISDIR(vn->type))
			return write ? -EPERM : -ENODATA;
		if (S_ISDIR(vn->type) && (st.stx_mode & S_ISVTX) && write &&
		    !owner_or_capable(&st, c))
			return -EPERM;
	}
	return perm_check(vn, &st, mask, c);
}

static bool protected_hardlinks(void)
{
	static int known = -1;

	if (known < 0) {
		FILE *f = fopen("/proc/sys/fs/protected_hardlinks", "re");

		known = !f || fgetc(f) != '0';
		if (f)
			fclose(f);
	}
	return known;
}

int perm_link(struct vnode *vn, const struct cred *c)
{
	struct statx st;

	if (!protected_hardlinks())
		return 0;
	int r = vn->fs->ops->getattr(vn, &st);
	if (r < 0)
		return r;
	if (owner_or_capable(&st, c))
		return 0;
	/* safe_hardlink_source() */
	if (!S_ISREG(vn->type) || (st.stx_mode & S_ISUID) ||
	    (st.stx_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return perm_check(vn, &st, PERM_R | PERM_W, c) < 0 ? -EPERM : 0;
}
