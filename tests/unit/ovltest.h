/* SPDX-License-Identifier: MIT */
/* What the tests of the overlay share: scratch layers, operations by path, a dump of a tree. */
#ifndef FUSS_TESTS_UNIT_OVLTEST_H
#define FUSS_TESTS_UNIT_OVLTEST_H

#include <stdbool.h>
#include <sys/types.h>

#include "overlay/overlay.h"

/* A scratch directory under TMPDIR, current directory of the test; removed at the end. */
void scratch_enter(void);
void scratch_leave(void);
/* Runs a shell command in it; the test fails if it does. */
void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int sh_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Absolute form of a name in the scratch directory (static storage, a few are kept). */
const char *at(const char *name);

/* Opens upper (NULL: none) and lowers "l1:l2" of the scratch directory. */
struct vfs *ovl_open(const char *upper, const char *lowers, enum overlay_dialect dialect);
int ovl_try(const char *upper, const char *lowers, const char *work, enum overlay_dialect dialect,
	    struct vfs **ret, char *why, size_t size);
void ovl_close(struct vfs *fs);

extern struct cred cred_root;  /* all capabilities, umask 022 */
void cred_user(struct cred *c, uid_t uid, gid_t gid); /* none */
void cred_self(struct cred *c);

/* Operations by path below the root; symlinks are not followed.  0 or -errno. */
int v_find(struct vfs *fs, const char *path, struct vnode **ret);
int v_dir(struct vfs *fs, const char *path, struct vnode **dir, const char **name);
int v_stat(struct vfs *fs, const char *path, struct statx *st);
int v_make(struct vfs *fs, const char *path, mode_t mode, const char *target, const struct cred *c);
int v_mkdir(struct vfs *fs, const char *path, mode_t mode, const struct cred *c);
int v_unlink(struct vfs *fs, const char *path, const struct cred *c);
int v_rmdir(struct vfs *fs, const char *path, const struct cred *c);
int v_rename(struct vfs *fs, const char *from, const char *to, unsigned flags, const struct cred *c);
int v_link(struct vfs *fs, const char *from, const char *to, const struct cred *c);
int v_chmod(struct vfs *fs, const char *path, mode_t mode, const struct cred *c);
int v_chown(struct vfs *fs, const char *path, uid_t uid, gid_t gid, const struct cred *c);
int v_truncate(struct vfs *fs, const char *path, off_t size, const struct cred *c);
int v_utimes(struct vfs *fs, const char *path, time_t when, const struct cred *c);
int v_setxattr(struct vfs *fs, const char *path, const char *name, const char *val,
	       const struct cred *c);
int v_rmxattr(struct vfs *fs, const char *path, const char *name, const struct cred *c);
/* Replaces (or, append, extends) the contents as open(O_CREAT), write, close would. */
int v_write(struct vfs *fs, const char *path, const char *text, bool append, const struct cred *c);
/* Contents of a regular file, static storage. */
const char *v_read(struct vfs *fs, const char *path);
/* Names of a directory, sorted, separated by blanks; static storage. */
const char *v_ls(struct vfs *fs, const char *path);

/*
 * A line for every object: path, type, mode, owner, links, size, contents, xattrs; times if they are
 * older than 2001.  Malloc'ed.  The first dumps a directory of the host.
 */
enum { DUMP_NO_LINKS = 1, DUMP_NO_DIRTIMES = 2, DUMP_INO = 4 };
char *dump_host(const char *dir, unsigned flags);
char *dump_vfs(struct vfs *fs, unsigned flags);
/* Fails the test with the first differing line. */
void same_text(const char *what, const char *a, const char *b);

#endif
