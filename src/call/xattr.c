/* SPDX-License-Identifier: MIT */
/* Extended attributes: answered by the supervisor, marks of the format hidden by the file system. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "call/call.h"

/* struct xattr_args of the *xattrat calls (since 6.13). */
struct xattr_args {
	uint64_t value;
	uint32_t size;
	uint32_t flags;
};

/* Value, size and flags, wherever the call has them. */
static int read_args(struct call *c, struct xattr_args *ret)
{
	if (!call_has(c, R_XARGS)) {
		ret->value = call_arg(c, R_XVAL);
		ret->size = (uint32_t)call_arg(c, R_XSIZE);
		ret->flags = (uint32_t)call_arg(c, R_XFLAGS);
		/* size_t: too large is too large */
		if (call_arg(c, R_XSIZE) > UINT32_MAX)
			ret->size = UINT32_MAX;
		return 0;
	}
	if (call_arg(c, R_XSIZE) < sizeof(*ret))
		return -EINVAL;
	if (call_arg(c, R_XSIZE) > 4096)
		return -E2BIG;
	return call_read(c, call_arg(c, R_XARGS), ret, sizeof(*ret));
}

/* import_xattr_name() */
static int read_name(struct call *c, char name[XATTR_NAME_MAX + 1])
{
	ssize_t n = call_read_str(c, call_arg(c, R_XNAME), name, XATTR_NAME_MAX + 1);

	if (n == 0 || n == -ENAMETOOLONG)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static int xattr_flags_ok(const struct call *c)
{
	if (call_has(c, R_ATFLAGS) &&
	    (call_atflags(c) & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	return 0;
}

/* 1: t is an object of ours; 0: the call was let go; -errno. */
static int xattr_target(struct calls *cs, struct call *c, struct target *t)
{
	int r = target_object(cs, c, t);

	if (r < 0)
		return r;
	if (!t->inside)
		return target_outside(cs, c, 1, t);
	if (t->by_fd && !t->magic && (t->fd.flags & O_PATH) && !(call_atflags(c) & AT_EMPTY_PATH))
		return -EBADF;
	return target_named(c, t);
}

/* Answers with n bytes of buf, or only with n where no room was offered. */
static int xattr_answer(struct call *c, ssize_t n, const void *buf, uint64_t addr, size_t room)
{
	if (n > 0 && room > 0) {
		int r = call_write(c, addr, buf, (size_t)n);

		if (r < 0)
			return r;
	}
	call_return(c, n);
	return 0;
}

/* The names of an open object that has no name itself, without those of the format. */
static int list_unnamed(struct calls *cs, struct call *c, const struct target *t)
{
	_cleanup_free_ char *list = malloc(XATTR_LIST_MAX);
	size_t room = call_arg(c, R_LEN), len = 0;
	char path[64];
	ssize_t n;

	if (!list)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd.fd);
	n = listxattr(path, list, XATTR_LIST_MAX);
	if (n < 0)
		return -errno;
	for (char *s = list; s < list + n;) {
		size_t all = strlen(s) + 1;
		char *next = s + all;

		if (!cs->fs->ops->xattr_hidden(s)) {
			memmove(list + len, s, all);
			len += all;
		}
		s = next;
	}
	if (room && len > room)
		return -ERANGE;
	return xattr_answer(c, (ssize_t)len, list, call_arg(c, R_BUF), room);
}

int call_getxattr(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	_cleanup_free_ char *buf = NULL;
	char name[XATTR_NAME_MAX + 1];
	struct xattr_args a;
	ssize_t n;
	int r = xattr_flags_ok(c);

	if (r == 0)
		r = read_args(c, &a);
	if (r == 0 && call_has(c, R_XARGS) && a.flags)
		r = -EINVAL;
	if (r == 0)
		r = read_name(c, name);
	if (r < 0)
		return r;
	r = xattr_target(cs, c, &t);
	if (r <= 0 && t.inside && t.by_fd && t.fd.fd >= 0 && cs->fs->ops->xattr_hidden(name))
		return r == -EBADF ? r : -ENODATA;
	if (r <= 0)
		return r == -ESTALE ? 0 : r; /* reading harms nobody */
	if (a.size > XATTR_SIZE_MAX)
		a.size = XATTR_SIZE_MAX;
	buf = malloc(a.size ? a.size : 1);
	if (!buf)
		return -ENOMEM;
	n = cs->fs->ops->getxattr ? cs->fs->ops->getxattr(t.vn, name, buf, a.size, t.cred) : -EOPNOTSUPP;
	return n < 0 ? (int)n : xattr_answer(c, n, buf, a.value, a.size);
}

int call_listxattr(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	_cleanup_free_ char *buf = NULL;
	size_t room = call_arg(c, R_LEN);
	ssize_t n;
	int r = xattr_flags_ok(c);

	if (r < 0)
		return r;
	r = xattr_target(cs, c, &t);
	if ((r == 0 || r == -ESTALE) && t.inside && t.by_fd && t.fd.fd >= 0)
		return list_unnamed(cs, c, &t);
	if (r <= 0)
		return r == -ESTALE ? 0 : r; /* reading harms nobody */
	if (room > XATTR_LIST_MAX)
		room = XATTR_LIST_MAX;
	buf = malloc(room ? room : 1);
	if (!buf)
		return -ENOMEM;
	n = cs->fs->ops->listxattr ? cs->fs->ops->listxattr(t.vn, buf, room, t.cred) : -EOPNOTSUPP;
	return n < 0 ? (int)n : xattr_answer(c, n, buf, call_arg(c, R_BUF), room);
}

int call_setxattr(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	_cleanup_free_ char *val = NULL;
	char name[XATTR_NAME_MAX + 1];
	struct xattr_args a;
	int r = xattr_flags_ok(c);

	if (r == 0)
		r = read_args(c, &a);
	if (r < 0)
		return r;
	/* setxattr_copy() */
	if (a.flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	r = read_name(c, name);
	if (r < 0)
		return r;
	if (a.size > XATTR_SIZE_MAX)
		return -E2BIG;
	val = malloc(a.size ? a.size : 1);
	if (!val)
		return -ENOMEM;
	r = a.size ? call_read(c, a.value, val, a.size) : 0;
	if (r < 0)
		return r;
	r = xattr_target(cs, c, &t);
	if (r <= 0)
		return r;
	if (cs->readonly)
		return -EROFS;
	r = cs->fs->ops->setxattr ? cs->fs->ops->setxattr(t.vn, name, val, a.size, (int)a.flags, t.cred)
				  : -EOPNOTSUPP;
	cs->gen++;
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}

int call_removexattr(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	char name[XATTR_NAME_MAX + 1];
	int r = xattr_flags_ok(c);

	if (r == 0)
		r = read_name(c, name);
	if (r < 0)
		return r;
	r = xattr_target(cs, c, &t);
	if (r <= 0)
		return r;
	if (cs->readonly)
		return -EROFS;
	r = cs->fs->ops->removexattr ? cs->fs->ops->removexattr(t.vn, name, t.cred) : -EOPNOTSUPP;
	cs->gen++;
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}
