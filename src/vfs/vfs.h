/* SPDX-License-Identifier: MIT */
/*
 * The interface that a file system implements.
 *
 * A file system shows a tree of objects, each a struct vnode.  The core walks paths (path/), keeps
 * what it learnt in a cache, and calls the operations below; it never guesses a real path.  Data
 * does not pass through here: realpath() names the real object that a tracee opens itself.
 *
 * Rules
 * - int results are 0 or -errno; outputs go through the last pointers, and only on success.
 * - An unset operation means -EOPNOTSUPP.
 * - Nothing is changed before the call is known to be possible: checks first, in the order given at
 *   each operation (the order of the kernel's fs/namei.c), then the change, in one visible step.
 * - The caller has checked: search permission on the path, that dir is a directory, the name is a
 *   single component of 1..255 bytes, neither "." nor "..".
 * - A vnode lives until the file system is destroyed.  vfs.c keeps parent, name and dead.
 * - All calls come from one thread.
 */
#ifndef FUSS_VFS_VFS_H
#define FUSS_VFS_VFS_H

#include <linux/stat.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>

#include "vfs/cred.h"

struct vfs;

/*
 * An object of the tree.  One vnode per name: two hard links are two vnodes with one identity.
 * The file system embeds it as the first member of its own structure.
 */
struct vnode {
	struct vfs *fs;
	struct vnode *parent; /* NULL: the root, or removed */
	char *name;	      /* in parent; owned; "" for the root */
	mode_t type;	      /* S_IFMT bits; does not change */
	bool dead;	      /* unlinked or removed: no path leads here any more */
	bool lent;	      /* call/: a tracee was given its lower file to read */
	uint32_t cache_id;    /* the path module's handle, 0 = none */
	/* vfs.c: the live vnodes in this directory, and this one's place among its siblings. */
	struct vnode *child, *sibling, **link;
};

/* A new object; the kernel's mode, umask, set-gid and default-ACL rules apply to it. */
struct vfs_create {
	mode_t mode;	    /* S_IFMT | permissions, before the umask */
	dev_t rdev;	    /* S_IFCHR, S_IFBLK */
	const char *target; /* S_IFLNK */
};

enum {
	VFS_MODE = 1,
	VFS_UID = 2,
	VFS_GID = 4,
	VFS_SIZE = 8,
	VFS_ATIME = 16,
	VFS_MTIME = 32,
	VFS_CHOWN = 64, /* it is a chown(2): even one without new ids takes the set-id bits */
};

struct vfs_setattr {
	unsigned mask;		 /* VFS_* */
	mode_t mode;		 /* permission bits */
	uid_t uid;
	gid_t gid;
	off_t size;		 /* bytes */
	struct timespec time[2]; /* atime, mtime as for utimensat(2), UTIME_NOW allowed, no UTIME_OMIT */
};

/* One entry of a listing. */
struct vfs_dirent {
	const char *name;
	uint64_t ino;	    /* the identity that getattr() shows */
	uint64_t off;	    /* position after this entry: what d_off holds */
	unsigned char type; /* DT_* */
};
/* Returns false to stop: the entry did not fit and will be asked for again. */
typedef bool (*vfs_dirent_fn)(void *arg, const struct vfs_dirent *d);

/* How readers learn what happened to real objects; set by the path module. */
struct vfs_observer {
	/* (dev, ino) on the host now stands for vn: after a look-up, a copy-up, a creation. */
	void (*real)(void *arg, struct vnode *vn, dev_t dev, ino_t ino);
	/* vn's real location, permissions, place in the tree or dead flag changed: ask again. */
	void (*changed)(void *arg, struct vnode *vn);
	/* What dir holds under name changed or may have: forget it. */
	void (*name_changed)(void *arg, struct vnode *dir, const char *name);
	void *arg;
};

struct vfs_ops {
	unsigned version; /* VFS_VERSION */
	const char *name; /* as in --fs=NAME */

	/* The root directory. */
	int (*root)(struct vfs *fs, struct vnode **ret);
	/* -ENOENT: no such name, or hidden.  The same vnode for the same name every time (vfs_child()
	 * finds a live one).  -EIO, -ENOMEM … as the host gave them. */
	int (*lookup)(struct vnode *dir, const char *name, struct vnode **ret);
	/* Attributes as the mount would show them: identity, merged link count. */
	int (*getattr)(struct vnode *vn, struct statx *ret);
	/* Target length (not terminated, cut at size).  -EINVAL: not a symlink. */
	int (*readlink)(struct vnode *vn, char *buf, size_t size);
	/*
	 * An absolute host path (terminated) that reaches the real object now, with no symlink to
	 * follow below the layer; for a directory its top-most real directory.  Where the plain path
	 * would be too long it goes through a descriptor of this process.
	 */
	int (*realpath)(struct vnode *vn, char *buf, size_t size);
	/* The number of the layer that realpath() is in: 0 upper, 1.. lowers; for the log. */
	int (*layer)(struct vnode *vn);

	/*
	 * Makes vn openable for writing by a tracee: copy-up (parents first).  trunc: the data will be
	 * thrown away (O_TRUNC), none is copied.  -EROFS, -EPERM (immutable), -ENOSPC ...
	 * For anything but regular files and directories: a no-op.
	 */
	int (*make_writable)(struct vnode *vn, bool trunc);
	/*
	 * May a tracee itself create a regular file under this (negative) name by a plain
	 * open(O_CREAT)?  If so parents are copied up and the host path is returned.  -EEXIST: something
	 * of ours (a whiteout) is in the way, use create().  Else as create().
	 */
	int (*create_path)(struct vnode *dir, const char *name, const struct cred *c, char *buf,
			   size_t size);
	/* An unnamed file in dir: the host path of a directory for O_TMPFILE; parents copied up. */
	int (*tmpfile_path)(struct vnode *dir, const struct cred *c, char *buf, size_t size);

	/* -EEXIST, -EROFS, -EACCES (write and search on dir), -EPERM, -ENOSPC, -EDQUOT ... */
	int (*create)(struct vnode *dir, const char *name, const struct vfs_create *how,
		      const struct cred *c, struct vnode **ret);
	/* -EEXIST, -EROFS, -EACCES, -EPERM (directory, immutable, protected), -EMLINK. */
	int (*link)(struct vnode *vn, struct vnode *dir, const char *name, const struct cred *c);
	/* Gives an unnamed file, open as fd of this process (O_PATH will do), a name. */
	int (*link_fd)(struct vfs *fs, int fd, struct vnode *dir, const char *name,
		       const struct cred *c);
	/* vn is what lookup() gave for (dir, name).  -EROFS, -EACCES, -EPERM (sticky), -EISDIR. */
	int (*unlink)(struct vnode *dir, const char *name, struct vnode *vn, const struct cred *c);
	/* -EROFS, -EACCES, -EPERM, -ENOTDIR, -EBUSY (root), -ENOTEMPTY (merged view). */
	int (*rmdir)(struct vnode *dir, const char *name, struct vnode *vn, const struct cred *c);
	/*
	 * rename(2) with RENAME_NOREPLACE and RENAME_EXCHANGE; target is NULL where the new name is
	 * negative.  In order: -EROFS, -ENOENT, -EEXIST (NOREPLACE), -EINVAL (into itself),
	 * -ENOTEMPTY (new is an ancestor of old), may-delete and may-create checks (-EACCES, -EPERM,
	 * -ENOTDIR, -EISDIR), -EBUSY (root), -ENOTEMPTY.  Same inode on both sides: 0, nothing done.
	 */
	int (*rename)(struct vnode *odir, const char *oname, struct vnode *vn, struct vnode *ndir,
		      const char *nname, struct vnode *target, unsigned flags, const struct cred *c);
	/* inode_change_ok() of the kernel: -EROFS, -EPERM, -EACCES, then the change.  set-id bits are
	 * cleared by chown and truncate as the kernel does. */
	int (*setattr)(struct vnode *vn, const struct vfs_setattr *a, const struct cred *c);

	/* xattrs: names that belong to the format are hidden.  Values as xattr(7); get and list return
	 * a length, size 0 asks for it; -ERANGE, -ENODATA, -EOPNOTSUPP, -EPERM, -EACCES. */
	ssize_t (*getxattr)(struct vnode *vn, const char *name, void *buf, size_t size,
			    const struct cred *c);
	ssize_t (*listxattr)(struct vnode *vn, char *buf, size_t size, const struct cred *c);
	int (*setxattr)(struct vnode *vn, const char *name, const void *val, size_t size, int flags,
			const struct cred *c);
	int (*removexattr)(struct vnode *vn, const char *name, const struct cred *c);

	/*
	 * Entries after position off (0: from the start, which re-reads the directory), "." and ".."
	 * first.  Positions are stable: an entry keeps its off while the directory changes.
	 */
	int (*readdir)(struct vnode *dir, uint64_t off, vfs_dirent_fn fn, void *arg);
	/*
	 * Calls fn with a descriptor (O_PATH will do, the file system's own) of each real directory of dir
	 * that others may change while we run.  Optional: then what was looked up is believed for ever.
	 */
	int (*parts)(struct vnode *dir, int (*fn)(void *arg, int dirfd), void *arg);
	int (*statfs)(struct vnode *vn, struct statfs *ret);
	/* Lets an attribute of a real object that a tracee holds open become the merged one: identity of
	 * st (st_dev, st_ino) for a file that no vnode is known for.  Optional. */
	void (*identify)(struct vfs *fs, struct statx *st);
	/* Is this name one of real objects that the view never shows?  For what has no vnode any more. */
	bool (*xattr_hidden)(const char *name);
	void (*destroy)(struct vfs *fs);
};

#define VFS_VERSION 1

struct vfs {
	const struct vfs_ops *ops;
	struct vfs_observer obs;
	const char *mountpoint; /* absolute, for messages */
	struct vfs_children *children; /* vfs.c: (parent, name) -> live vnode */
};

/* --- vfs.c: bookkeeping shared by file systems ------------------------------------------------ */

/* Takes a copy of ops with the unset ones filled in; -EINVAL for another version. */
int vfs_init(struct vfs *fs, const struct vfs_ops *ops);
void vfs_fini(struct vfs *fs);
/* Initialises an embedded vnode and enters it under (parent, name); parent NULL for the root. */
int vnode_init(struct vnode *vn, struct vfs *fs, struct vnode *parent, const char *name, mode_t type);
/* The live vnode under (dir, name), or NULL. */
struct vnode *vfs_child(struct vnode *dir, const char *name);
/* vn is gone: dead, out of the table, observers told (name_changed of its place, changed).  So are the
 * objects that were known below it. */
void vnode_kill(struct vnode *vn);
/* vn moved: re-entered under the new place, observers told of both names, of vn and of what is known
 * below it. */
int vnode_move(struct vnode *vn, struct vnode *dir, const char *name);
/* Exchanges the places of two live vnodes. */
int vnode_swap(struct vnode *a, struct vnode *b);
/* Path below the root without a leading slash, "" for the root; -ENAMETOOLONG, -ENOENT (dead). */
int vnode_path(const struct vnode *vn, char *buf, size_t size);
/* The next live vnode below top after vn, parents before their children; NULL at the end. */
struct vnode *vnode_next(const struct vnode *top, struct vnode *vn);
bool vnode_is_ancestor(const struct vnode *anc, const struct vnode *vn); /* or the same */

static inline void vfs_real(struct vnode *vn, dev_t dev, ino_t ino)
{
	if (vn->fs->obs.real)
		vn->fs->obs.real(vn->fs->obs.arg, vn, dev, ino);
}

static inline void vfs_changed(struct vnode *vn)
{
	if (vn->fs->obs.changed)
		vn->fs->obs.changed(vn->fs->obs.arg, vn);
}

static inline void vfs_name_changed(struct vnode *dir, const char *name)
{
	if (dir->fs->obs.name_changed)
		dir->fs->obs.name_changed(dir->fs->obs.arg, dir, name);
}

#endif
