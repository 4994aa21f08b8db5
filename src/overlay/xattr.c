/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes of the view.  Names of the format are hidden in both namespaces, because
 * marks are read in both.  As with the kernel they can be used all the same, so that overlay tools
 * work inside: overlay.X is stored as overlay.overlay.X.
 */
#include "config.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "overlay/ovl.h"
#include "vfs/perm.h"

#define ESCAPE "overlay."
#define REAL_NAME_MAX (255 + sizeof(ESCAPE))

static const char *const spaces[] = { "trusted.overlay.", "user.overlay." };

/* Length of the namespace that name is in, 0: none of ours. */
static size_t space_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
		if (!strncmp(name, spaces[i], strlen(spaces[i])))
			return strlen(spaces[i]);
	}
	return 0;
}

static bool is_fuse_mark(const char *name)
{
	return !strncmp(name, "user.fuseoverlayfs.", 19);
}

bool xattr_is_mark(const char *name)
{
	size_t n = space_of(name);

	return is_fuse_mark(name) || (n && strncmp(name + n, ESCAPE, sizeof(ESCAPE) - 1));
}

/* How a name of the view is stored.  -ERANGE as for any name that is too long; -EPERM: never. */
static int real_name(const char *name, char *buf)
{
	size_t n = space_of(name);

	if (is_fuse_mark(name))
		return -EPERM;
	int len = snprintf(buf, REAL_NAME_MAX, "%.*s%s%s", (int)n, name, n ? ESCAPE : "", name + n);
	return len >= (int)REAL_NAME_MAX ? -ERANGE : 0;
}

static int xattr_path(struct node *n, struct loc *l, char path[XATTR_PATH_MAX])
{
	int r = node_loc(n, l);

	if (r == 0)
		fd_path(path, l->fd, l->name);
	return r;
}

ssize_t ovl_getxattr(struct vnode *vn, const char *name, void *buf, size_t size,
		     const struct cred *c)
{
	_cleanup_loc_ struct loc l = LOC_NONE;
	char real[REAL_NAME_MAX], path[XATTR_PATH_MAX];
	int r = perm_xattr(vn, name, PERM_R, c);

	if (r < 0)
		return r;
	r = real_name(name, real);
	if (r < 0)
		return r == -EPERM ? -ENODATA : r;
	r = xattr_path(node_of(vn), &l, path);
	return r < 0 ? r : x_ret(lgetxattr(path, real, buf, size));
}

/* All names of the real object, malloc'ed. */
static ssize_t list_real(const char *path, char **ret)
{
	for (;;) {
		ssize_t n = x_ret(llistxattr(path, NULL, 0));

		if (n <= 0)
			return n;
		_cleanup_free_ char *buf = malloc((size_t)n);
		if (!buf)
			return -ENOMEM;
		n = x_ret(llistxattr(path, buf, (size_t)n));
		if (n == -ERANGE)
			continue; /* one came meanwhile */
		if (n > 0)
			*ret = steal_ptr(&buf);
		return n;
	}
}

/* Filters in place; the result is never longer. */
static size_t filter_names(char *names, size_t len, const struct cred *c)
{
	bool trusted = cred_has_cap(c, CAP_SYS_ADMIN);
	char *out = names;

	for (char *in = names; in < names + len;) {
		size_t all = strlen(in) + 1, n = space_of(in);
		char *next = in + all;

		if (xattr_is_mark(in) || (!trusted && !strncmp(in, "trusted.", 8))) {
			in = next;
			continue;
		}
		if (n) {
			memmove(out, in, n);
			out += n;
			in += n + sizeof(ESCAPE) - 1;
			all -= n + sizeof(ESCAPE) - 1;
		}
		memmove(out, in, all);
		out += all;
		in = next;
	}
	return (size_t)(out - names);
}

ssize_t ovl_listxattr(struct vnode *vn, char *buf, size_t size, const struct cred *c)
{
	_cleanup_loc_ struct loc l = LOC_NONE;
	_cleanup_free_ char *names = NULL;
	char path[XATTR_PATH_MAX];
	int r = xattr_path(node_of(vn), &l, path);

	if (r < 0)
		return r;
	ssize_t n = list_real(path, &names);
	if (n <= 0)
		return n;
	size_t len = filter_names(names, (size_t)n, c);
	if (!size)
		return (ssize_t)len;
	if (len > size)
		return -ERANGE;
	memcpy(buf, names, len);
	return (ssize_t)len;
}

static int change_check(struct vnode *vn, const char *name, char *real, const struct cred *c)
{
	if (!ovl_of(vn)->rw)
		return -EROFS;
	int r = perm_xattr(vn, name, PERM_W, c);
	return r < 0 ? r : real_name(name, real);
}

/* A caller outside the group does not keep S_ISGID when it sets an ACL (ovl_set_acl()). */
static void acl_drop_sgid(struct vnode *vn, const struct loc *l, const struct cred *c)
{
	struct statx st;

	if (S_ISREG(vn->type) && x_statx(l->fd, l->name, &st) == 0 && (st.stx_mode & S_ISGID) &&
	    !cred_in_group(c, st.stx_gid) && !cred_has_cap(c, CAP_FSETID))
		chmod_at(l->fd, l->name, st.stx_mode & 07777 & ~(mode_t)S_ISGID);
}

int ovl_setxattr(struct vnode *vn, const char *name, const void *val, size_t size, int flags,
		 const struct cred *c)
{
	_cleanup_loc_ struct loc l = LOC_NONE;
	char real[REAL_NAME_MAX], path[XATTR_PATH_MAX];
	int r = change_check(vn, name, real, c);

	if (r == 0)
		r = copyup(node_of(vn), false);
	if (r == 0)
		r = xattr_path(node_of(vn), &l, path);
	if (r == 0)
		r = (int)x_ret(lsetxattr(path, real, val, size, flags));
	if (r == 0 && !strcmp(name, "system.posix_acl_access"))
		acl_drop_sgid(vn, &l, c);
	vfs_changed(vn);
	return r;
}

int ovl_removexattr(struct vnode *vn, const char *name, const struct cred *c)
{
	_cleanup_loc_ struct loc l = LOC_NONE, now = LOC_NONE;
	char real[REAL_NAME_MAX], path[XATTR_PATH_MAX];
	struct node *n = node_of(vn);
	int r = change_check(vn, name, real, c);

	if (r < 0)
		return r == -EPERM && is_fuse_mark(name) ? -ENODATA : r;
	/* What is not there needs no copy-up. */
	r = xattr_path(n, &l, path);
	if (r == 0 && !n->upper) {
		ssize_t len = x_ret(lgetxattr(path, real, NULL, 0));

		r = len < 0 ? (int)len : 0;
	}
	if (r == 0)
		r = copyup(n, false);
	if (r == 0)
		r = xattr_path(n, &now, path);
	if (r == 0)
		r = (int)x_ret(lremovexattr(path, real));
	vfs_changed(vn);
	return r;
}
