/* SPDX-License-Identifier: MIT */
/*
 * From a path as a tracee spells it to an object: component by component over the host's tree, the
 * mount point and the merged tree, as the kernel walks.
 *
 * resolve() (resolve.h) is a pure function over the arena (arena.h, cache.h); path_lookup() calls
 * it, fills what it missed from the host or the file system, and asks again.
 */
#ifndef FUSS_PATH_PATH_H
#define FUSS_PATH_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vfs/vfs.h"

struct path_space;

/* A directory (or, for AT_EMPTY_PATH and magic links, any object) that a path starts from. */
struct path_where {
	struct vnode *vn;	/* ours, or NULL: the host's, then */
	char host[PATH_MAX];	/* its absolute path ("" if it has none: deleted, not a file) */
	dev_t dev;		/* of the real directory: the key of the cache; 0,0 if not known */
	ino_t ino;
};

enum path_magic { MAGIC_CWD, MAGIC_ROOT, MAGIC_EXE, MAGIC_FD };

/* What /proc/PID/... links of tracees lead to; implemented by task/.  Return 0 and *ret, or
 * -ENOENT: not a task of ours, leave the link to the kernel. */
struct path_hooks {
	int (*magic)(void *arg, pid_t tid, enum path_magic what, int fd, struct path_where *ret);
	void *arg;
};

enum {
	PATH_FOLLOW = 1, /* a symlink as last component is followed */
	PATH_EMPTY = 2,	 /* "" means start itself (AT_EMPTY_PATH) */
	PATH_CREATE = 4, /* O_CREAT, mkdir, unlink, rename etc.: a trailing slash is the caller's
			  * business, it does not make the last symlink followed */
	/* openat2(2): */
	PATH_NO_XDEV = 16,	 /* -EXDEV when the mount point is crossed */
	PATH_NO_MAGICLINKS = 32, /* -ELOOP */
	PATH_NO_SYMLINKS = 64,	 /* -ELOOP */
	PATH_BENEATH = 128,	 /* -EXDEV */
	PATH_IN_ROOT = 256,
};

struct path_query {
	const char *path;	/* as given, at most PATH_MAX-1 bytes */
	unsigned flags;		/* PATH_* */
	const struct path_where *start; /* for a relative path; may be NULL for an absolute one */
	const struct cred *cred;
	pid_t tid, tgid;	/* what /proc/self and /proc/thread-self mean */
};

enum path_last { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT, LAST_MAGIC };

struct path_result {
	bool inside;		/* below (or at) the mount point */
	/* inside: */
	struct vnode *vn;	/* the object, NULL: there is none */
	struct vnode *dir;	/* of the last component; NULL if this was ".", "..", "/" or a magic
				 * link, or the path is the mount point itself */
	char name[NAME_MAX + 1]; /* the last component */
	bool slash;		/* the path ended in '/' (or "/."): must be a directory */
	enum path_last last;	/* kind of last component as spelled, after following symlinks: the
				 * errno of rmdir, rename, mkdir depend on it */
	/* outside: */
	char host[PATH_MAX];	/* absolute host path that reaches the same place; ends in "/" or
				 * "/." where the path did; "" (as_given) where there is none, or it
				 * would be too long */
	bool as_given;		/* the kernel, given the tracee's own spelling, reaches it too */
	bool synthetic;		/* an ancestor of a mount point that does not exist on the host */
	bool layer;		/* host lies in the upper or a lower layer: raw access */
};

/* fs: what is shown at mountpoint (absolute, canonical where it exists).  layer_paths: absolute
 * paths of the layers for path_result.layer, NULL-terminated. */
int path_space_new(struct vfs *fs, const char *mountpoint, const char *const *layer_paths,
		   const struct path_hooks *hooks, struct path_space **ret);
void path_space_free(struct path_space *s);

/*
 * 0, or in the order of the walk: -ENOENT ("" or a missing component before the last, a dead
 * start), -ENOTDIR, -EACCES (search), -ELOOP, -ENAMETOOLONG, -EXDEV.  A missing last component is
 * no error: inside with vn NULL.  A last component that is no directory but has a trailing slash is
 * -ENOTDIR unless PATH_CREATE.
 */
int path_lookup(struct path_space *s, const struct path_query *q, struct path_result *ret);

/* The object that a real (dev, ino) stands for, NULL if none is known.  For directories exact; for
 * files the one that was seen last. */
struct vnode *path_by_inode(struct path_space *s, dev_t dev, ino_t ino);
/* The same for what fstat(2) says of something that anybody may have opened.  What was removed from
 * the upper layer is found only while it has no link: else its number belongs to a new file of the
 * host. */
struct vnode *path_by_stat(struct path_space *s, const struct stat *st);
/* The path that programs see: mount point + path below it; for dead objects the last one + "
 * (deleted)". Length or -ENAMETOOLONG. */
ssize_t path_virtual(struct path_space *s, const struct vnode *vn, char *buf, size_t size);
/* Does this absolute host path lie at or below a layer directory? */
bool path_in_layer(struct path_space *s, const char *host);
bool path_in_upper(struct path_space *s, const char *host);
/* The object whose real location a host path (a layer's file, as /proc/PID/fd/N shows it) is in the
 * view now, NULL if it is not (any more) or if host is in no layer.  May look up. */
struct vnode *path_of_real(struct path_space *s, const char *host);
/* A call on the host's side (symlink, rename, mount …) may have changed what host components are.
 */
void path_host_changed(struct path_space *s);
/* An answer turned out to be wrong: dir (or every directory) is asked again for name. */
void path_forget(struct path_space *s, struct vnode *dir, const char *name);
void path_forget_all(struct path_space *s);

struct path_stats { uint64_t hits, misses, nodes, bytes; };
void path_get_stats(struct path_space *s, struct path_stats *ret);

#endif
