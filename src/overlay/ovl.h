/* SPDX-License-Identifier: MIT */
/*
 * The overlay's own structures, shared by the files of this directory.
 *
 * Layer 0 is the upper, 1.. are the lowers, top-most first.  An object of the upper is always at
 * the upper's root + its virtual path, so it is found through its parent and name; an object of a
 * lower is at the path that the look-up found (a struct ref), whatever is renamed above it.
 *
 * Real objects are reached by a directory descriptor (O_PATH, opened below the layer's root without
 * following a symlink) and a name, never by a path string.
 */
#ifndef FUSS_OVERLAY_OVL_H
#define FUSS_OVERLAY_OVL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "overlay/overlay.h"
#include "vfs/vfs.h"

#define XATTR_PATH_MAX (sizeof("/proc/self/fd/") + 12 + 256)
#define WORK_NAME_MAX 16
#define PREFIX ".wh."
#define PREFIX_OPAQUE ".wh..wh..opq"

struct overlay;
struct listing;
struct wh_ops;

struct layer {
	char *path; /* absolute, without a slash at the end; "" for the host's root directory */
	int fd;	    /* O_PATH */
	dev_t dev;
	ino_t ino;
};

/* Where a lower layer holds a node. */
struct ref {
	unsigned layer;
	char *path; /* in the layer, "" for its root */
	dev_t dev;
	ino_t ino;
	signed char xwh; /* directory with xattr whiteouts: -1 not known, 0, 1 */
};

struct node {
	struct vnode vn; /* first */
	bool upper;	 /* layer 0 holds it */
	signed char upper_xwh;
	dev_t udev; /* if upper: the real object */
	ino_t uino;
	/* A directory: all that merge, top-most first.  Else: the one that is shown if it is not in
	 * the upper.  Immutable apart from the descriptors that are cached for it. */
	unsigned nlower;
	struct ref *lower;
	uint64_t ino; /* st_ino of the view */
	struct listing *list;
	struct node *all; /* the one that was made before it */
};

static inline struct node *node_of(const struct vnode *vn)
{
	return (struct node *)(uintptr_t)vn;
}

/* A real object: name in the directory fd.  own: fd is to be closed. */
struct loc {
	int fd;
	const char *name;
	bool own;
};

void loc_close(struct loc *l);
#define _cleanup_loc_ __attribute__((cleanup(loc_close)))
#define LOC_NONE { .fd = -1 }

/* --- dircache.c: a bounded number of directory descriptors ---------- */

struct dircache;
int dircache_new(struct dircache **ret);
void dircache_free(struct dircache *c);
int dircache_get(struct dircache *c, const struct node *n, unsigned layer); /* -1: none */
void dircache_put(struct dircache *c, const struct node *n, unsigned layer, int fd); /* takes fd */
void dircache_drop(struct dircache *c, const struct node *n, unsigned layer);

/* --- identity.c ---------- */

/* Device numbers of the layers, and origins: upper inode -> the number it had as a lower one. */
struct identity;
int identity_new(dev_t first, struct identity **ret);
void identity_free(struct identity *id);
dev_t identity_dev(const struct identity *id); /* st_dev of the view */
/* The number that the view shows for a real inode without an origin. */
uint64_t identity_ino(struct identity *id, dev_t dev, ino_t ino);
int identity_add(struct identity *id, const struct statx *upper, uint64_t ino);
/* The number for a real object (directory: not merged). */
uint64_t identity_find(struct identity *id, const struct statx *real);
bool identity_known(struct identity *id, dev_t dev, ino_t ino);
dev_t statx_dev(const struct statx *stx);

/* --- the file system ---------- */

#define NPIN 16

struct overlay {
	struct vfs vfs; /* first */
	struct node *root, *all; /* all: the newest of all nodes, dead ones included */
	struct layer *layer; /* [0] is the upper; its path is NULL if there is none */
	unsigned nlayer;
	bool rw;		/* there is an upper */
	bool chown;		/* CAP_CHOWN: new objects get the caller as owner */
	bool dac;		/* CAP_DAC_OVERRIDE */
	bool userxattr;		/* marks are written under user.overlay. */
	bool userxattr_auto;	/* … if trusted. is refused */
	bool prefix;		/* the upper's dialect is .wh.NAME */
	const struct wh_ops *wh;
	uid_t uid; /* fuss's own */
	gid_t gid;
	int lock;	 /* the upper's root, flock()ed */
	int worklock;	 /* the same for a given work directory */
	int workparent;	 /* O_PATH: where the work directory is made */
	char *workname;	 /* its name there */
	bool workprivate; /* ours alone: removed at the end */
	int work;	 /* -1: not made yet */
	unsigned workseq;
	bool no_share;	  /* marks cannot be links of one */
	/* Directories that must not show up in a lower (the host's root): the upper and work. */
	bool told_mark; /* mark_refused() has said so */
	bool nested;
	struct identity *id;
	struct dircache *dirs;
	int pin[NPIN]; /* descriptors in paths that were given out, oldest first to go */
	unsigned npin;
};

static inline struct overlay *ovl_of(const struct vnode *vn)
{
	return (struct overlay *)vn->fs;
}

/* layer.c */
/* Opens directory path ("" for root) below root as O_PATH; never follows a symlink, any length. */
int open_beneath(int root, const char *path);
int layer_init(struct layer *l, const char *path);
void layer_fini(struct layer *l);
/* "/proc/self/fd/FD/NAME", for the calls that have no *at form. */
void fd_path(char buf[XATTR_PATH_MAX], int fd, const char *name);
int x_statx(int fd, const char *name, struct statx *ret); /* never follows */
/* A descriptor for reading the directory; no access time is left. */
int open_dir(int fd, const char *name);
char *path_join(const char *dir, const char *name);

/* node.c */
int node_new(struct overlay *ov, struct node *dir, const char *name, mode_t type,
	     struct node **ret);
void node_free(struct node *n);
void node_clear_lower(struct node *n);
int node_dirfd(struct node *n, unsigned layer); /* borrowed */
int node_loc(struct node *n, struct loc *ret);	/* the top-most real object */
int node_loc_lower(struct node *n, unsigned i, struct loc *ret);
int node_statx(struct node *n, struct statx *ret); /* the real object's */
char *node_path(const struct node *n);		   /* virtual; NULL: dead or no memory */
int node_realpath(struct vnode *vn, char *buf, size_t size);
int node_upper_path(struct node *dir, const char *name, char *buf, size_t size);
/* n is in the upper now; its lowers are dropped unless it is a merged directory. */
int node_set_upper(struct node *n, const struct statx *real, uint64_t ino);

/* marks.c: reading marks in every dialect */
bool mark_is_prefixed(const char *name); /* begins with .wh. */
int mark_prefix_exists(int fd, const char *name);	 /* .wh.NAME: 0, 1 or -errno */
int mark_is_whiteout(int fd, const char *name, mode_t mode, dev_t rdev, off_t size, bool xwh);
enum { OPAQUE_NO, OPAQUE_YES, OPAQUE_X }; /* X: may hold xattr whiteouts */
int mark_opaque(int fd, const char *name, bool files);
/* 0, or -EIO for a mark that is not understood: redirect, metacopy. */
int mark_refused(struct overlay *ov, int fd, const char *name, const struct stat *st);
bool node_xwh(struct node *n, unsigned layer, int fd);
/* What hides name in the upper directory: */
enum { WAY_FREE, WAY_NODE, WAY_PREFIX, WAY_OBJECT };
int mark_in_way(struct node *dir, int fd, const char *name);
/* Holds the upper directory nothing but marks? */
int marks_only(struct overlay *ov, int fd, const char *name, bool xwh);
int marks_clear(struct overlay *ov, int fd, const char *name, bool xwh);

/* merge.c */
int ovl_lookup(struct vnode *dir, const char *name, struct vnode **ret);
/* Would name show up if the upper did not hold it?  0, 1 or -errno; *isdir tells what. */
int merge_lower_has(struct node *dir, const char *name, bool *isdir);

/* readdir.c */
int ovl_readdir(struct vnode *dir, uint64_t off, vfs_dirent_fn fn, void *arg);
int listing_empty(struct node *dir); /* 0, 1 or -errno */
void listing_forget(struct node *dir, const char *name);
void listing_free(struct listing *l);

/* work.c */
int work_prepare(struct overlay *ov, const char *work, char *why, size_t size);
int work_fd(struct overlay *ov); /* borrowed; made when needed */
void work_name(struct overlay *ov, char buf[WORK_NAME_MAX]);
void work_remove(struct overlay *ov, const char *name); /* with all that is below */
void work_close(struct overlay *ov);

/* copyup.c */
int copyup(struct node *n, bool trunc);
/* For directories: the upper directory's descriptor, copied up if need be. */
int copyup_dirfd(struct node *dir);
/* Builds a copy of the real object src in ddir under dname (not yet in the view). */
int copyup_build(struct overlay *ov, const struct loc *src, const struct statx *st, bool trunc,
		 bool sync, int ddir, const char *dname);

/* copydata.c */
int copy_data(int in, int out, off_t size, const char *what);
/* copyattr.c */
int copy_attrs(struct overlay *ov, const struct loc *src, int in, int ddir, const char *dname,
	       int out, const struct statx *st);
int copy_times(int fd, const char *name, const struct statx *st);
int chmod_at(int fd, const char *name, mode_t mode);

/* tree.c: makes the whole of a directory upper; the view stays as it is */
int tree_complete(struct node *n);

/* place.c: from the work directory into the view */
int place(struct node *dir, int fromfd, const char *from, int fd, const char *name, mode_t type,
	  int way);
/* Owner's write permission on a directory of ours for a moment, where fuss needs it: the mode to
 * give back. */
#define LEND_NONE ((mode_t)-1)
mode_t lend_write(struct overlay *ov, int fd, const char *name);
void lend_end(int fd, const char *name, mode_t lent);
/* name is there now: looks it up, tells the observers. */
int place_new(struct node *dir, const char *name, struct vnode **ret);

/* check.c: what is wrong with the layers, before anything is touched */
int check_layers(struct overlay *ov, const struct overlay_config *cfg, char *why, size_t size);
bool check_prefix_dialect(struct overlay *ov, enum overlay_dialect want);

/* create.c */
int ovl_create(struct vnode *dir, const char *name, const struct vfs_create *how,
	       const struct cred *c, struct vnode **ret);
int ovl_create_path(struct vnode *dir, const char *name, const struct cred *c, char *buf,
		    size_t size);
int ovl_tmpfile_path(struct vnode *dir, const struct cred *c, char *buf, size_t size);
int create_check(struct node *dir, const char *name, const struct cred *c);

/* link.c */
int ovl_link(struct vnode *vn, struct vnode *dir, const char *name, const struct cred *c);
int ovl_link_fd(struct vfs *fs, int fd, struct vnode *dir, const char *name, const struct cred *c);

/* remove.c */
int ovl_unlink(struct vnode *dir, const char *name, struct vnode *vn, const struct cred *c);
int ovl_rmdir(struct vnode *dir, const char *name, struct vnode *vn, const struct cred *c);
/* An upper directory that is empty in the view leaves fd/name for good, whatever marks it holds. */
int remove_upper_dir(struct node *n, int fd, const char *name);

/* rename.c */
int ovl_rename(struct vnode *odir, const char *oname, struct vnode *vn, struct vnode *ndir,
	       const char *nname, struct vnode *target, unsigned flags, const struct cred *c);

/* attr.c */
int ovl_getattr(struct vnode *vn, struct statx *ret);
int ovl_setattr(struct vnode *vn, const struct vfs_setattr *a, const struct cred *c);
int ovl_readlink(struct vnode *vn, char *buf, size_t size);
int ovl_statfs(struct vnode *vn, struct statfs *ret);
void ovl_identify(struct vfs *fs, struct statx *st);

/* xattr.c */
ssize_t ovl_getxattr(struct vnode *vn, const char *name, void *buf, size_t size,
		     const struct cred *c);
ssize_t ovl_listxattr(struct vnode *vn, char *buf, size_t size, const struct cred *c);
int ovl_setxattr(struct vnode *vn, const char *name, const void *val, size_t size, int flags,
		 const struct cred *c);
int ovl_removexattr(struct vnode *vn, const char *name, const struct cred *c);
bool xattr_is_mark(const char *name); /* never copied up */

#endif
