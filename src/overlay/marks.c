/* SPDX-License-Identifier: MIT */
/* Whiteouts and opaque marks as they are read: every dialect, in every layer. */
#include "config.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "overlay/ovl.h"

static void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}
#define _cleanup_dir_ __attribute__((cleanup(cleanup_dir)))

bool mark_is_prefixed(const char *name)
{
	return !strncmp(name, PREFIX, sizeof(PREFIX) - 1);
}

int mark_prefix_exists(int fd, const char *name)
{
	char buf[sizeof(PREFIX) + 256];
	struct stat st;

	snprintf(buf, sizeof(buf), PREFIX "%s", name);
	int r = x_fstatat(fd, buf, &st, AT_SYMLINK_NOFOLLOW);
	/* ENAMETOOLONG: no such mark can exist. */
	if (r == -ENOENT || r == -ENAMETOOLONG || r == -ENOTDIR)
		return 0;
	return r < 0 ? r : 1;
}

static bool has_xattr(int fd, const char *name, const char *xattr)
{
	char path[XATTR_PATH_MAX];

	fd_path(path, fd, name);
	return lgetxattr(path, xattr, NULL, 0) >= 0;
}

int mark_is_whiteout(int fd, const char *name, mode_t mode, dev_t rdev, off_t size, bool xwh)
{
	if (S_ISCHR(mode))
		return rdev == makedev(0, 0);
	if (!xwh || !S_ISREG(mode) || size != 0)
		return 0;
	return has_xattr(fd, name, "trusted.overlay.whiteout") ||
	       has_xattr(fd, name, "user.overlay.whiteout");
}

static const char *const opaque_names[] = {
	"trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque",
};

/* Value of one mark on a directory. */
static int opaque_value(const char *path, const char *xattr)
{
	char c;

	if (lgetxattr(path, xattr, &c, 1) != 1)
		return OPAQUE_NO;
	return c == 'y' ? OPAQUE_YES : c == 'x' ? OPAQUE_X : OPAQUE_NO;
}

int mark_opaque(int fd, const char *name, bool files)
{
	char path[XATTR_PATH_MAX], names[4096], file[256 + sizeof("/" PREFIX_OPAQUE)];
	bool x = false;
	struct stat st;

	fd_path(path, fd, name);
	/* Most directories have no attribute at all: one call instead of three. */
	ssize_t len = llistxattr(path, names, sizeof(names));
	if (len != 0 && !(len < 0 && errno == EOPNOTSUPP)) {
		for (size_t i = 0; i < ARRAY_SIZE(opaque_names); i++) {
			int v = opaque_value(path, opaque_names[i]);

			if (v == OPAQUE_YES)
				return v;
			x = x || v == OPAQUE_X;
		}
	}
	if (files) {
		snprintf(file, sizeof(file), "%s/" PREFIX_OPAQUE, name);
		if (x_fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return OPAQUE_YES;
	}
	return x ? OPAQUE_X : OPAQUE_NO;
}

/*
 * Marks that say that the data or the names below are elsewhere.  Not to follow them would show something
 * wrong: refused, and said once.
 */
int mark_refused(struct overlay *ov, int fd, const char *name, const struct stat *st)
{
	const char *what = S_ISDIR(st->st_mode) ? "redirect" : "metacopy";
	char xattr[64];

	/* A file without its data has a size and (but for attributes) no blocks. */
	if (S_ISREG(st->st_mode) ? st->st_blocks * 512 >= st->st_size : !S_ISDIR(st->st_mode))
		return 0;
	for (unsigned user = 0; user < 2; user++) {
		snprintf(xattr, sizeof(xattr), "%s.overlay.%s", user ? "user" : "trusted", what);
		if (!has_xattr(fd, name, xattr))
			continue;
		if (!ov->told_mark)
			msg("%s has the mark %s, which fuss does not follow: input/output error; "
			    "mount the layers with overlayfs instead", name, xattr);
		ov->told_mark = true;
		return -EIO;
	}
	return 0;
}

bool node_xwh(struct node *n, unsigned layer, int fd)
{
	signed char *known = &n->upper_xwh;

	for (unsigned i = 0; layer && i < n->nlower; i++) {
		if (n->lower[i].layer == layer)
			known = &n->lower[i].xwh;
	}
	if (*known < 0)
		*known = mark_opaque(fd, ".", false) == OPAQUE_X;
	return *known;
}

int mark_in_way(struct node *dir, int fd, const char *name)
{
	struct overlay *ov = ovl_of(&dir->vn);
	struct stat st;
	int r = x_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW);

	if (r == 0) {
		bool xwh = S_ISREG(st.st_mode) && !st.st_size && node_xwh(dir, 0, fd);

		return mark_is_whiteout(fd, name, st.st_mode, st.st_rdev, st.st_size, xwh) ?
		       WAY_NODE : WAY_OBJECT;
	}
	if (r != -ENOENT)
		return r;
	if (!ov->prefix)
		return WAY_FREE;
	r = mark_prefix_exists(fd, name);
	return r > 0 ? WAY_PREFIX : r;
}

static bool entry_is_mark(struct overlay *ov, int fd, const char *name, bool xwh)
{
	struct stat st;

	if (ov->prefix && mark_is_prefixed(name))
		return true;
	return x_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mark_is_whiteout(fd, name, st.st_mode, st.st_rdev, st.st_size, xwh);
}

static int marks_open(int fd, const char *name, DIR **ret)
{
	int dfd = open_dir(fd, name);

	if (dfd < 0)
		return dfd;
	*ret = fdopendir(dfd);
	if (*ret)
		return 0;
	close(dfd);
	return -ENOMEM;
}

static bool is_dots(const char *s)
{
	return s[0] == '.' && (!s[1] || (s[1] == '.' && !s[2]));
}

int marks_only(struct overlay *ov, int fd, const char *name, bool xwh)
{
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *e;
	int r = marks_open(fd, name, &d);

	if (r < 0)
		return r;
	while ((e = readdir(d))) {
		if (!is_dots(e->d_name) && !entry_is_mark(ov, dirfd(d), e->d_name, xwh))
			return 0;
	}
	return 1;
}

/* An opaque mark that is a file stays: the directory may go on living. */
int marks_clear(struct overlay *ov, int fd, const char *name, bool xwh)
{
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *e;
	int r = marks_open(fd, name, &d);

	if (r < 0)
		return r;
	while ((e = readdir(d))) {
		if (is_dots(e->d_name) || !strcmp(e->d_name, PREFIX_OPAQUE) ||
		    !entry_is_mark(ov, dirfd(d), e->d_name, xwh))
			continue;
		r = x_unlinkat(dirfd(d), e->d_name, 0);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}
