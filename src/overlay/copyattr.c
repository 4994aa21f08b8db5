/* SPDX-License-Identifier: MIT */
/* Owner, xattrs, mode and times, in an order in which none undoes another. */
#include "config.h"

#include <attr/error_context.h>
#include <attr/libattr.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "overlay/ovl.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

int chmod_at(int fd, const char *name, mode_t mode)
{
	char path[XATTR_PATH_MAX];
	struct stat st;
	int r = (int)x_ret(syscall(SYS_fchmodat2, fd, name, mode & 07777, AT_SYMLINK_NOFOLLOW));

	if (r != -ENOSYS && r != -EPERM)
		return r;
	/* Before 6.6 (or EPERM from an old container's filter): through a descriptor that cannot be
	 * a symlink's target. */
	_cleanup_fd_ int o = x_openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (o < 0)
		return o;
	r = x_fstat(o, &st);
	if (r < 0)
		return r;
	if (S_ISLNK(st.st_mode))
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", o);
	return (int)x_ret(chmod(path, mode & 07777));
}

static struct timespec from_statx_time(struct statx_timestamp t)
{
	return (struct timespec){ .tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec };
}

int copy_times(int fd, const char *name, const struct statx *st)
{
	struct timespec t[2] = { from_statx_time(st->stx_atime), from_statx_time(st->stx_mtime) };

	if (!name)
		return (int)x_ret(futimens(fd, t));
	return (int)x_ret(utimensat(fd, name, t, AT_SYMLINK_NOFOLLOW));
}

/* --- xattrs by libattr ------------------------------------------------------------------------ */

struct attr_ctx {
	struct error_context ec; /* first */
	const char *name;	 /* the attribute under way; libattr's */
	int hard;		 /* the first error that matters */
};

static struct attr_ctx *attr_ctx_of(struct error_context *ec)
{
	return (struct attr_ctx *)(void *)((char *)ec - offsetof(struct attr_ctx, ec));
}

static int attr_check(const char *name, struct error_context *ec)
{
	attr_ctx_of(ec)->name = name;
	return !xattr_is_mark(name);
}

/* The kernel's ovl_must_copy_xattr(). */
static bool must_copy(const char *name)
{
	return !strcmp(name, "system.posix_acl_access") ||
	       !strcmp(name, "system.posix_acl_default") || !strncmp(name, "security.", 9);
}

static void attr_error(struct error_context *ec, const char *fmt, ...)
{
	struct attr_ctx *a = attr_ctx_of(ec);
	int e = errno;

	(void)fmt;
	/* EPERM: a name that takes a privilege, as the owner does. */
	if (e == EPERM || (e == EOPNOTSUPP && !(a->name && must_copy(a->name)))) {
		debug("copy-up: attribute %s is not copied: %s", a->name ? a->name : "?",
		      strerror(e));
		return;
	}
	if (!a->hard)
		a->hard = e ? -e : -EIO;
}

static int copy_xattrs(const struct loc *src, int in, int ddir, const char *dname, int out)
{
	struct attr_ctx a = { .ec = { .error = attr_error } };
	char from[XATTR_PATH_MAX], to[XATTR_PATH_MAX];

	if (in >= 0 && out >= 0) {
		attr_copy_fd("", in, "", out, attr_check, &a.ec);
		return a.hard;
	}
	fd_path(from, src->fd, src->name);
	fd_path(to, ddir, dname);
	attr_copy_file(from, to, attr_check, &a.ec);
	return a.hard;
}

/* --- all -------------------------------------------------------------------------------------- */

static int chown_any(int ddir, const char *dname, int out, uid_t uid, gid_t gid)
{
	if (out >= 0)
		return (int)x_ret(fchown(out, uid, gid));
	return (int)x_ret(fchownat(ddir, dname, uid, gid, AT_SYMLINK_NOFOLLOW));
}

/*
 * Where fuss may not give files away they stay its own; that is no error, but then a set-id bit
 * would lend somebody else's identity and goes, as with cp -p.
 */
static mode_t copy_owner(struct overlay *ov, int ddir, const char *dname, int out,
			 const struct statx *st)
{
	mode_t mode = st->stx_mode & 07777;

	if (st->stx_uid == ov->uid && st->stx_gid == ov->gid)
		return mode;
	if (chown_any(ddir, dname, out, st->stx_uid, st->stx_gid) == 0)
		return mode;
	if (st->stx_uid != ov->uid)
		mode &= ~(mode_t)S_ISUID;
	if (st->stx_gid != ov->gid && chown_any(ddir, dname, out, (uid_t)-1, st->stx_gid) < 0 &&
	    !S_ISDIR(st->stx_mode))
		mode &= ~(mode_t)S_ISGID;
	return mode;
}

/* out is a descriptor of the new object or -1: then ddir/dname names it.  in the same for src. */
int copy_attrs(struct overlay *ov, const struct loc *src, int in, int ddir, const char *dname,
	       int out, const struct statx *st)
{
	/* chown drops set-id bits and file capabilities: first. */
	mode_t mode = copy_owner(ov, ddir, dname, out, st);
	int r = copy_xattrs(src, in, ddir, dname, out);

	if (r < 0)
		return r;
	/* After the ACL: chmod sets its mask to the group's bits, which are the same. */
	if (!S_ISLNK(st->stx_mode)) {
		r = out >= 0 ? (int)x_ret(fchmod(out, mode)) : chmod_at(ddir, dname, mode);
		if (r < 0)
			return r;
	}
	return out >= 0 ? copy_times(out, NULL, st) : copy_times(ddir, dname, st);
}
