/* SPDX-License-Identifier: MIT */
/*
 * The reference implementation of vfs.h: one directory, shown as it is.
 *
 * Read it to write your own.  The pattern of every operation that changes something: permission
 * checks with the caller's credentials, one system call on a directory descriptor and a name,
 * bookkeeping (a vnode made, killed or moved, which tells the observers).
 */
#include "config.h"

#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <dirent.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "vfs/passthrough.h"
#include "vfs/perm.h"

struct pass {
	struct vfs vfs; /* first */
	int fd;		/* O_PATH: the directory */
	char *path;
	struct entry *root, *all;
};

/* The vnode is all there is to know of an object; the list is for the end. */
struct entry {
	struct vnode vn; /* first */
	struct entry *before;
};

static struct pass *pass_of(const struct vnode *vn)
{
	return (struct pass *)vn->fs;
}

static int entry_new(struct pass *p, struct vnode *dir, const char *name, mode_t type,
		     struct entry **ret)
{
	_cleanup_free_ struct entry *e = calloc(1, sizeof(*e));
	int r = e ? vnode_init(&e->vn, &p->vfs, dir, name, type) : -ENOMEM;

	if (r < 0)
		return r;
	e->before = p->all;
	p->all = *ret = e;
	e = NULL; /* the list owns it now */
	return 0;
}

/* --- reaching objects ------------------------------------------------------------------------- */

static int open_dir(struct vnode *dir, int flags)
{
	char path[PATH_MAX];
	int r = vnode_path(dir, path, sizeof(path));

	if (r < 0)
		return r;
	return x_openat(pass_of(dir)->fd, *path ? path : ".",
			flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

/* The directory that holds vn, and its name there. */
static int open_parent(struct vnode *vn, const char **name)
{
	if (vn->dead)
		return -ESTALE;
	*name = vn->parent ? vn->name : ".";
	return open_dir(vn->parent ? vn->parent : vn, O_PATH);
}

static int pass_realpath(struct vnode *vn, char *buf, size_t size)
{
	const char *top = pass_of(vn)->path;
	char path[PATH_MAX];
	int r = vnode_path(vn, path, sizeof(path));

	if (r < 0)
		return r;
	int n = snprintf(buf, size, "%s%s%s", top, *path || !*top ? "/" : "", path);
	return n >= 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static int pass_root(struct vfs *fs, struct vnode **ret)
{
	*ret = &((struct pass *)fs)->root->vn;
	return 0;
}

static int pass_lookup(struct vnode *dir, const char *name, struct vnode **ret)
{
	_cleanup_fd_ int fd = open_dir(dir, O_PATH);
	struct vnode *vn = vfs_child(dir, name);
	struct entry *e;
	struct stat st;
	int r = fd < 0 ? fd : x_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW);

	/* The directory may have changed without our doing: another type is another object. */
	if (vn && (r == -ENOENT || (r == 0 && (st.st_mode & S_IFMT) != vn->type))) {
		vnode_kill(vn);
		vn = NULL;
	}
	if (r < 0)
		return r;
	if (!vn) {
		r = entry_new(pass_of(dir), dir, name, st.st_mode, &e);
		if (r < 0)
			return r;
		vn = &e->vn;
	}
	vfs_real(vn, st.st_dev, st.st_ino);
	*ret = vn;
	return 0;
}

static int pass_getattr(struct vnode *vn, struct statx *ret)
{
	const char *name;
	_cleanup_fd_ int fd = open_parent(vn, &name);

	if (fd < 0)
		return fd;
	return (int)x_ret(
		statx(fd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, ret));
}

static int pass_readlink(struct vnode *vn, char *buf, size_t size)
{
	const char *name;
	_cleanup_fd_ int fd = open_parent(vn, &name);

	return fd < 0 ? fd : (int)x_readlinkat(fd, name, buf, size);
}

static int pass_statfs(struct vnode *vn, struct statfs *ret)
{
	return (int)x_ret(fstatfs(pass_of(vn)->fd, ret));
}

/* --- what tasks do themselves ----------------------------------------------------------------- */

static int pass_make_writable(struct vnode *vn, bool trunc)
{
	(void)vn;
	(void)trunc;
	return 0;
}

static int pass_create_path(struct vnode *dir, const char *name, const struct cred *c, char *buf,
			    size_t size)
{
	int r = perm_create(dir, c);

	if (r == 0)
		r = pass_realpath(dir, buf, size);
	size_t len = r == 0 ? strlen(buf) : 0;
	if (r == 0 && len + strlen(name) + 2 > size)
		r = -ENAMETOOLONG;
	if (r == 0)
		sprintf(buf + len, "/%s", name);
	return r;
}

static int pass_tmpfile_path(struct vnode *dir, const struct cred *c, char *buf, size_t size)
{
	int r = perm_create(dir, c);

	return r < 0 ? r : pass_realpath(dir, buf, size);
}

/* --- changes ---------------------------------------------------------------------------------- */

static int pass_create(struct vnode *dir, const char *name, const struct vfs_create *how,
		       const struct cred *c, struct vnode **ret)
{
	mode_t type = how->mode & S_IFMT;
	struct vnode *vn;
	int r = pass_lookup(dir, name, &vn);

	if (r != -ENOENT)
		return r < 0 ? r : -EEXIST;
	r = perm_create(dir, c);
	if (r == 0 && (type == S_IFCHR || type == S_IFBLK) && !cred_has_cap(c, CAP_MKNOD))
		r = -EPERM;
	if (r < 0)
		return r;
	_cleanup_fd_ int fd = open_dir(dir, O_PATH);
	if (fd < 0)
		return fd;
	mode_t mask = umask(c->umask);
	if (type == S_IFDIR)
		r = x_mkdirat(fd, name, how->mode & 01777);
	else if (type == S_IFLNK)
		r = x_symlinkat(how->target, fd, name);
	else
		r = x_mknodat(fd, name, how->mode, how->rdev);
	umask(mask);
	if (r == 0 && (c->fsuid != geteuid() || c->fsgid != getegid()))
		r = (int)x_ret(fchownat(fd, name, c->fsuid, (gid_t)-1, AT_SYMLINK_NOFOLLOW));
	if (r == 0)
		r = pass_lookup(dir, name, ret);
	vfs_name_changed(dir, name);
	return r;
}

static int link_at(int ofd, const char *old, struct vnode *dir, const char *name, int flags)
{
	_cleanup_fd_ int fd = open_dir(dir, O_PATH);
	int r = fd < 0 ? fd : x_linkat(ofd, old, fd, name, flags);

	vfs_name_changed(dir, name);
	return r;
}

static int pass_link(struct vnode *vn, struct vnode *dir, const char *name, const struct cred *c)
{
	const char *old;
	_cleanup_fd_ int fd = open_parent(vn, &old);
	int r = fd < 0 ? fd : perm_link(vn, c);

	if (r == 0)
		r = perm_create(dir, c);
	return r < 0 ? r : link_at(fd, old, dir, name, 0);
}

static int pass_link_fd(struct vfs *fs, int fd, struct vnode *dir, const char *name,
			const struct cred *c)
{
	char path[32];
	int r = perm_create(dir, c);

	(void)fs;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return r < 0 ? r : link_at(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

static int remove_at(struct vnode *dir, const char *name, struct vnode *vn, int flags,
		     const struct cred *c)
{
	int r = perm_delete(dir, vn, flags & AT_REMOVEDIR, c);
	_cleanup_fd_ int fd = r < 0 ? r : open_dir(dir, O_PATH);

	if (fd < 0)
		return fd;
	r = x_unlinkat(fd, name, flags);
	if (r == 0)
		vnode_kill(vn);
	return r;
}

static int pass_unlink(struct vnode *dir, const char *name, struct vnode *vn, const struct cred *c)
{
	return remove_at(dir, name, vn, 0, c);
}

static int pass_rmdir(struct vnode *dir, const char *name, struct vnode *vn, const struct cred *c)
{
	return remove_at(dir, name, vn, AT_REMOVEDIR, c);
}

static int rename_check(struct vnode *odir, struct vnode *vn, struct vnode *ndir,
			struct vnode *target, unsigned flags, const struct cred *c)
{
	bool isdir = S_ISDIR(vn->type), exchange = flags & RENAME_EXCHANGE;

	if (target && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!target && exchange)
		return -ENOENT;
	if (isdir && vnode_is_ancestor(vn, ndir))
		return -EINVAL;
	if (target && vnode_is_ancestor(target, odir))
		return exchange ? -EINVAL : -ENOTEMPTY;
	int r = perm_delete(odir, vn, isdir, c);
	if (r < 0)
		return r;
	if (!target)
		return perm_create(ndir, c);
	return perm_delete(ndir, target, exchange ? S_ISDIR(target->type) : isdir, c);
}

static int pass_rename(struct vnode *odir, const char *oname, struct vnode *vn, struct vnode *ndir,
		       const char *nname, struct vnode *target, unsigned flags,
		       const struct cred *c)
{
	struct statx a, b;
	int r = rename_check(odir, vn, ndir, target, flags, c);

	if (r < 0)
		return r;
	/* Two names of one file: nothing happens, and nothing must be forgotten. */
	if (target && pass_getattr(vn, &a) == 0 && pass_getattr(target, &b) == 0 &&
	    a.stx_ino == b.stx_ino)
		return 0;
	_cleanup_fd_ int ofd = open_dir(odir, O_PATH);
	_cleanup_fd_ int nfd = open_dir(ndir, O_PATH);
	if (ofd < 0 || nfd < 0)
		return ofd < 0 ? ofd : nfd;
	r = x_renameat2(ofd, oname, nfd, nname, flags);
	if (r < 0)
		return r;
	if (flags & RENAME_EXCHANGE)
		return vnode_swap(vn, target);
	if (target)
		vnode_kill(target);
	return vnode_move(vn, ndir, nname);
}

/* Through a descriptor, because chmod(2) and truncate(2) would follow a symlink that came
 * meanwhile. */
static int set_mode_size(int dirfd, const char *name, const struct vfs_setattr *a)
{
	char path[32];
	int r = 0;

	if (!(a->mask & (VFS_MODE | VFS_SIZE)))
		return 0;
	_cleanup_fd_ int fd = x_openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (a->mask & VFS_SIZE)
		r = (int)x_ret(truncate(path, a->size));
	if (r == 0 && (a->mask & VFS_MODE))
		r = (int)x_ret(chmod(path, a->mode));
	return r;
}

static int pass_setattr(struct vnode *vn, const struct vfs_setattr *a, const struct cred *c)
{
	const char *name;
	_cleanup_fd_ int fd = open_parent(vn, &name);
	struct vfs_setattr copy = *a;
	struct statx st;
	int r = fd < 0 ? fd : pass_getattr(vn, &st);

	if (r == 0)
		r = perm_setattr(vn, &st, &copy, c);
	if (r == 0 && (a->mask & (VFS_UID | VFS_GID | VFS_CHOWN)))
		r = (int)x_ret(fchownat(fd, name, a->mask & VFS_UID ? a->uid : (uid_t)-1,
					a->mask & VFS_GID ? a->gid : (gid_t)-1,
					AT_SYMLINK_NOFOLLOW));
	if (r == 0)
		r = set_mode_size(fd, name, &copy);
	if (r == 0 && (a->mask & (VFS_ATIME | VFS_MTIME))) {
		static const struct timespec omit = { .tv_nsec = UTIME_OMIT };
		struct timespec t[2] = { a->mask & VFS_ATIME ? a->time[0] : omit,
					 a->mask & VFS_MTIME ? a->time[1] : omit };

		r = (int)x_ret(utimensat(fd, name, t, AT_SYMLINK_NOFOLLOW));
	}
	vfs_changed(vn);
	return r;
}

/* --- extended attributes ---------------------------------------------------------------------- */

/* There are no *at calls for them everywhere yet; /proc leads to the directory. */
static int xattr_path(struct vnode *vn, int *fd, char *path, size_t size)
{
	const char *name;

	*fd = open_parent(vn, &name);
	if (*fd < 0)
		return *fd;
	snprintf(path, size, "/proc/self/fd/%d/%s", *fd, name);
	return 0;
}

static ssize_t pass_getxattr(struct vnode *vn, const char *name, void *buf, size_t size,
			     const struct cred *c)
{
	_cleanup_fd_ int fd = -1;
	char path[NAME_MAX + 32];
	int r = perm_xattr(vn, name, PERM_R, c);

	if (r == 0)
		r = xattr_path(vn, &fd, path, sizeof(path));
	return r < 0 ? r : x_ret(lgetxattr(path, name, buf, size));
}

static ssize_t pass_listxattr(struct vnode *vn, char *buf, size_t size, const struct cred *c)
{
	_cleanup_fd_ int fd = -1;
	char path[NAME_MAX + 32];
	int r = xattr_path(vn, &fd, path, sizeof(path));

	(void)c;
	return r < 0 ? r : x_ret(llistxattr(path, buf, size));
}

static int pass_setxattr(struct vnode *vn, const char *name, const void *val, size_t size,
			 int flags, const struct cred *c)
{
	_cleanup_fd_ int fd = -1;
	char path[NAME_MAX + 32];
	int r = perm_xattr(vn, name, PERM_W, c);

	if (r == 0)
		r = xattr_path(vn, &fd, path, sizeof(path));
	if (r == 0)
		r = (int)x_ret(lsetxattr(path, name, val, size, flags));
	vfs_changed(vn);
	return r;
}

static int pass_removexattr(struct vnode *vn, const char *name, const struct cred *c)
{
	_cleanup_fd_ int fd = -1;
	char path[NAME_MAX + 32];
	int r = perm_xattr(vn, name, PERM_W, c);

	if (r == 0)
		r = xattr_path(vn, &fd, path, sizeof(path));
	if (r == 0)
		r = (int)x_ret(lremovexattr(path, name));
	vfs_changed(vn);
	return r;
}

/* --- listings --------------------------------------------------------------------------------- */

/* The directory's own positions serve: they are as stable as those of its file system. */
static int pass_readdir(struct vnode *dir, uint64_t off, vfs_dirent_fn fn, void *arg)
{
	int fd = open_dir(dir, O_RDONLY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	if (off)
		seekdir(d, (long)off);
	while ((e = readdir(d))) {
		struct vfs_dirent v = { e->d_name, e->d_ino, (uint64_t)e->d_off, e->d_type };

		if (!fn(arg, &v))
			break;
	}
	closedir(d);
	return 0;
}

/* --- start and end ---------------------------------------------------------------------------- */

static void pass_destroy(struct vfs *fs)
{
	struct pass *p = (struct pass *)fs;

	for (struct entry *e = p->all, *before; e; e = before) {
		before = e->before;
		free(e->vn.name);
		free(e);
	}
	vfs_fini(fs);
	cleanup_fd(&p->fd);
	free(p->path);
	free(p);
}

static int pass_parts(struct vnode *dir, int (*fn)(void *arg, int dirfd), void *arg)
{
	_cleanup_fd_ int fd = open_dir(dir, O_PATH);

	return fd < 0 ? fd : fn(arg, fd);
}

static const struct vfs_ops ops = {
	.version = VFS_VERSION,
	.name = "passthrough",
	.root = pass_root,
	.lookup = pass_lookup,
	.getattr = pass_getattr,
	.readlink = pass_readlink,
	.realpath = pass_realpath,
	.make_writable = pass_make_writable,
	.create_path = pass_create_path,
	.tmpfile_path = pass_tmpfile_path,
	.create = pass_create,
	.link = pass_link,
	.link_fd = pass_link_fd,
	.unlink = pass_unlink,
	.rmdir = pass_rmdir,
	.rename = pass_rename,
	.setattr = pass_setattr,
	.getxattr = pass_getxattr,
	.listxattr = pass_listxattr,
	.setxattr = pass_setxattr,
	.removexattr = pass_removexattr,
	.readdir = pass_readdir,
	.parts = pass_parts,
	.statfs = pass_statfs,
	.destroy = pass_destroy,
};

int passthrough_new(const char *root, struct vfs **ret)
{
	struct pass *p = calloc(1, sizeof(*p));
	size_t len = strlen(root);

	while (len && root[len - 1] == '/')
		len--;
	int r = p ? vfs_init(&p->vfs, &ops) : -ENOMEM;
	if (r < 0) {
		free(p);
		return r;
	}
	p->path = strndup(root, len);
	p->fd = x_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	r = !p->path ? -ENOMEM : p->fd < 0 ? p->fd : entry_new(p, NULL, "", S_IFDIR, &p->root);
	if (r < 0) {
		pass_destroy(&p->vfs);
		return r;
	}
	*ret = &p->vfs;
	return 0;
}
