/* SPDX-License-Identifier: MIT */
/*
 * New objects.
 *
 * Where nothing is in the way and the owner comes out right the object is made in its place, under
 * the caller's umask: mode, set-gid group and ACLs are the kernel's own doing.  Else it is made in
 * the work directory, given what it needs, and placed in one step.
 */
#include "config.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "overlay/whiteout.h"
#include "vfs/perm.h"

#define ACL_DEFAULT "system.posix_acl_default"

/* What a create operation knows. */
struct making {
	struct overlay *ov;
	struct node *dir;
	int fd; /* dir in the upper */
	const char *name;
	const struct vfs_create *how;
	const struct cred *cred;
	struct stat parent;
	int way;
	bool opaque, must_opaque;
};

int create_check(struct node *dir, const char *name, const struct cred *c)
{
	struct overlay *ov = ovl_of(&dir->vn);

	if (!ov->rw)
		return -EROFS;
	int r = perm_create(&dir->vn, c);
	if (r < 0)
		return r;
	/* It would be taken for a mark. */
	return ov->prefix && mark_is_prefixed(name) ? -EINVAL : 0;
}

static int check_device(const struct vfs_create *how, const struct cred *c)
{
	mode_t type = how->mode & S_IFMT;

	if (type != S_IFCHR && type != S_IFBLK)
		return 0;
	/* A whiteout cannot be made through the view (ovl_mknod()). */
	if (type == S_IFCHR && how->rdev == makedev(0, 0))
		return -EPERM;
	return cred_has_cap(c, CAP_MKNOD) ? 0 : -EPERM;
}

static int make_object(int fd, const char *name, const struct vfs_create *how, mode_t mask)
{
	mode_t old = umask(mask);
	int r;

	if (S_ISDIR(how->mode))
		r = x_mkdirat(fd, name, how->mode & 01777);
	else if (S_ISLNK(how->mode))
		r = x_symlinkat(how->target, fd, name);
	else
		r = x_mknodat(fd, name, how->mode, how->rdev);
	umask(old);
	return r;
}

/* inode_init_owner() */
static void new_owner(const struct making *m, uid_t *uid, gid_t *gid)
{
	*uid = m->cred->fsuid;
	*gid = m->parent.st_mode & S_ISGID ? m->parent.st_gid : m->cred->fsgid;
}

static bool owner_differs(const struct making *m)
{
	uid_t uid;
	gid_t gid;

	new_owner(m, &uid, &gid);
	if (!m->ov->chown)
		return false; /* cannot be helped */
	return uid != m->ov->uid || (gid != m->ov->gid && !(m->parent.st_mode & S_ISGID));
}

static int make_in_place(const struct making *m)
{
	int r = make_object(m->fd, m->name, m->how, m->cred->umask);

	/* As the kernel: spares later look-ups below; may fail. */
	if (r == 0 && m->opaque)
		m->ov->wh->set_opaque(m->ov, m->fd, m->name);
	return r;
}

/* What the kernel would have done, had the caller made it in the directory itself. */
static int set_owner(const struct making *m, int fd, const char *name)
{
	bool sgid = m->parent.st_mode & S_ISGID;
	struct stat st;
	uid_t uid;
	gid_t gid;
	int r = x_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW);

	if (r < 0)
		return r;
	mode_t mode = st.st_mode & 07777;
	new_owner(m, &uid, &gid);
	if ((st.st_uid != uid || st.st_gid != gid) &&
	    x_ret(fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW)) < 0 && m->ov->chown)
		return -EPERM;
	if (S_ISLNK(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode) && sgid)
		mode |= S_ISGID;
	/* mode_strip_sgid() */
	else if (sgid && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		 !cred_in_group(m->cred, gid) && !cred_has_cap(m->cred, CAP_FSETID))
		mode &= ~(mode_t)S_ISGID;
	/* chown took the set-id bits away. */
	if (!(mode & (S_ISUID | S_ISGID)) && mode == (st.st_mode & 07777))
		return 0;
	return chmod_at(fd, name, mode);
}

static int finish_and_place(const struct making *m, int fd, const char *tmp)
{
	int r = set_owner(m, fd, tmp);

	if (r == 0 && m->opaque) {
		r = m->ov->wh->set_opaque(m->ov, fd, tmp);
		if (r < 0 && !m->must_opaque)
			r = 0;
	}
	if (r == 0)
		r = place(m->dir, fd, tmp, m->fd, m->name, m->how->mode & S_IFMT, m->way);
	return r;
}

/* A default ACL is applied by the kernel: in a directory of the work directory with the same. */
static int make_with_acl(const struct making *m, const char *tmp, const void *acl, size_t len)
{
	char path[XATTR_PATH_MAX];
	int r = x_mkdirat(m->ov->work, tmp, 0700);

	if (r < 0)
		return r;
	fd_path(path, m->ov->work, tmp);
	r = (int)x_ret(lsetxattr(path, ACL_DEFAULT, acl, len, 0));
	if (r < 0)
		return r;
	_cleanup_fd_ int fd = open_beneath(m->ov->work, tmp);
	if (fd < 0)
		return fd;
	r = make_object(fd, "new", m->how, m->cred->umask);
	return r < 0 ? r : finish_and_place(m, fd, "new");
}

static int make_aside(const struct making *m)
{
	char tmp[WORK_NAME_MAX], path[XATTR_PATH_MAX], acl[4096];
	int r, work = work_fd(m->ov);

	if (work < 0)
		return work;
	work_name(m->ov, tmp);
	fd_path(path, m->fd, ".");
	ssize_t len = S_ISLNK(m->how->mode) ? 0 : lgetxattr(path, ACL_DEFAULT, acl, sizeof(acl));
	if (len > 0) {
		r = make_with_acl(m, tmp, acl, (size_t)len);
		work_remove(m->ov, tmp);
		return r;
	}
	r = make_object(work, tmp, m->how, m->cred->umask);
	if (r < 0)
		return r;
	r = finish_and_place(m, work, tmp);
	if (r < 0)
		work_remove(m->ov, tmp);
	return r;
}

static int making_init(struct making *m)
{
	bool lower_dir = false;

	m->fd = copyup_dirfd(m->dir);
	if (m->fd < 0)
		return m->fd;
	int r = x_fstat(m->fd, &m->parent);
	if (r < 0)
		return r;
	m->way = mark_in_way(m->dir, m->fd, m->name);
	if (m->way < 0 || m->way == WAY_OBJECT)
		return m->way < 0 ? m->way : -EEXIST;
	if (!S_ISDIR(m->how->mode))
		return 0;
	if (m->way != WAY_FREE) {
		r = merge_lower_has(m->dir, m->name, &lower_dir);
		if (r < 0)
			return r;
	}
	m->must_opaque = lower_dir;
	/* The kernel marks any directory that could merge; in the other dialect that is clutter. */
	m->opaque = lower_dir || (!m->ov->prefix && (m->dir->nlower || m->way != WAY_FREE));
	return 0;
}

int ovl_create(struct vnode *dir, const char *name, const struct vfs_create *how,
	       const struct cred *c, struct vnode **ret)
{
	struct making m = {
		.ov = ovl_of(dir), .dir = node_of(dir), .name = name, .how = how, .cred = c
	};
	struct vnode *vn;
	int r = ovl_lookup(dir, name, &vn);

	if (r != -ENOENT)
		return r < 0 ? r : -EEXIST;
	r = create_check(m.dir, name, c);
	if (r == 0)
		r = check_device(how, c);
	if (r == 0)
		r = making_init(&m);
	if (r < 0)
		return r;
	if (m.way == WAY_FREE && !m.must_opaque && !owner_differs(&m))
		r = make_in_place(&m);
	else
		r = make_aside(&m);
	return r < 0 ? r : place_new(m.dir, name, ret);
}

int ovl_create_path(struct vnode *dir, const char *name, const struct cred *c, char *buf,
		    size_t size)
{
	struct node *d = node_of(dir);
	int r = create_check(d, name, c);

	if (r < 0)
		return r;
	int fd = copyup_dirfd(d);
	if (fd < 0)
		return fd;
	r = mark_in_way(d, fd, name);
	if (r == WAY_NODE || r == WAY_PREFIX)
		return -EEXIST;
	return r < 0 ? r : node_upper_path(d, name, buf, size);
}

int ovl_tmpfile_path(struct vnode *dir, const struct cred *c, char *buf, size_t size)
{
	if (!ovl_of(dir)->rw)
		return -EROFS;
	int r = perm_create(dir, c);
	if (r == 0)
		r = copyup(node_of(dir), false);
	return r < 0 ? r : node_realpath(dir, buf, size);
}
