/* SPDX-License-Identifier: MIT */
/*
 * The dialect of fuse-overlayfs and OCI layers: an empty file .wh.NAME beside the name,
 * .wh..wh..opq in a directory and the xattr besides.
 *
 * .wh.NAME beside an existing NAME of the same layer hides only what is below: it can be made
 * before the object goes and removed after one came, and each change of the view is one system
 * call.
 */
#include "config.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "overlay/whiteout.h"

#define PREFIX_NAME_MAX (sizeof(PREFIX) + 256)

static int make(int fd, const char *name)
{
	mode_t mask = umask(0);
	int r = x_mknodat(fd, name, S_IFREG | 0644, 0);

	umask(mask);
	return r;
}

static int make_shared(struct overlay *ov, int fd, const char *name)
{
	return wh_make(ov, make, "fileprefix", fd, name);
}

void wh_remove_prefix(struct overlay *ov, int fd, const char *name)
{
	char wh[PREFIX_NAME_MAX];

	if (!ov->prefix)
		return;
	snprintf(wh, sizeof(wh), PREFIX "%s", name);
	x_unlinkat(fd, wh, 0);
}

int wh_dir_check(struct overlay *ov, const char *work)
{
	int r = marks_only(ov, ov->work, work, mark_opaque(ov->work, work, false) == OPAQUE_X);

	return r < 0 ? r : r ? 0 : -ENOTEMPTY;
}

static int prefix_probe(struct overlay *ov, char *why, size_t size)
{
	(void)ov;
	(void)why;
	(void)size;
	return 0;
}

static int prefix_hide(struct overlay *ov, struct node *dir, int fd, const char *name, int what)
{
	char wh[PREFIX_NAME_MAX], tmp[WORK_NAME_MAX];

	snprintf(wh, sizeof(wh), PREFIX "%s", name);
	int r = make_shared(ov, fd, wh);
	bool made = r == 0;
	/* A name of 252 bytes or more leaves no room for the prefix; devices are read as well. */
	if (r == -ENAMETOOLONG) {
		r = wh_chardev.hide(ov, dir, fd, name, what);
		return r == -EPERM ? -ENAMETOOLONG : r;
	}
	if (r == -EEXIST)
		r = 0;
	if (r < 0 || what == HIDE_NOTHING)
		return r;
	if (what == HIDE_FILE) {
		r = x_unlinkat(fd, name, 0);
	} else {
		int work = work_fd(ov);

		work_name(ov, tmp);
		r = work < 0 ? work : x_renameat2(fd, name, work, tmp, 0);
		if (r == 0) {
			r = wh_dir_check(ov, tmp);
			if (r == 0)
				work_remove(ov, tmp);
			else
				x_renameat2(work, tmp, fd, name, 0);
		}
	}
	if (r < 0 && made)
		x_unlinkat(fd, wh, 0);
	return r;
}

static int move_object(struct overlay *ov, int ofd, const char *oname, int nfd, const char *nname,
		       int way, bool isdir)
{
	int r;

	/* A directory cannot replace a device, nor a directory with marks in it. */
	if (!isdir || (way != WAY_NODE && way != WAY_OBJECT))
		return x_renameat2(ofd, oname, nfd, nname, 0);
	r = x_renameat2(ofd, oname, nfd, nname, RENAME_EXCHANGE);
	if (r == -EINVAL) {
		if (way == WAY_OBJECT)
			r = x_unlinkat(nfd, nname, AT_REMOVEDIR);
		else
			r = x_unlinkat(nfd, nname, 0);
		return r < 0 ? r : x_renameat2(ofd, oname, nfd, nname, 0);
	}
	if (r < 0)
		return r;
	if (way == WAY_NODE)
		return x_unlinkat(ofd, oname, 0);
	/* The empty directory that was replaced is at the old name now. */
	char tmp[WORK_NAME_MAX];
	int work = work_fd(ov);

	work_name(ov, tmp);
	r = work < 0 ? work : x_renameat2(ofd, oname, work, tmp, 0);
	if (r == 0) {
		r = wh_dir_check(ov, tmp);
		if (r == 0) {
			work_remove(ov, tmp);
			return 0;
		}
		x_renameat2(work, tmp, ofd, oname, 0);
	}
	x_renameat2(ofd, oname, nfd, nname, RENAME_EXCHANGE);
	return r;
}

static int prefix_move(struct overlay *ov, int ofd, const char *oname, int nfd, const char *nname,
		       bool hide, int way, bool isdir)
{
	char wh[PREFIX_NAME_MAX];
	bool made = false;
	int r;

	if (hide) {
		snprintf(wh, sizeof(wh), PREFIX "%s", oname);
		r = make_shared(ov, ofd, wh);
		if (r == -ENAMETOOLONG)
			return wh_chardev.move(ov, ofd, oname, nfd, nname, hide, way, isdir);
		if (r < 0 && r != -EEXIST)
			return r;
		made = r == 0;
	}
	r = move_object(ov, ofd, oname, nfd, nname, way, isdir);
	if (r < 0) {
		if (made)
			x_unlinkat(ofd, wh, 0);
		return r;
	}
	wh_remove_prefix(ov, nfd, nname);
	return 0;
}

static const char *const xattrs[] = {
	"trusted.overlay.opaque", "user.fuseoverlayfs.opaque", "user.overlay.opaque",
};

/* A mark is not a change that anybody made: the directory keeps its times, as it does with an xattr. */
static void keep_times(int fd, const char *name, const struct stat *was)
{
	const struct timespec ts[2] = { was->st_atim, was->st_mtim };

	if (utimensat(fd, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
		debug("times of %s: %m", name);
}

static int prefix_set_opaque(struct overlay *ov, int fd, const char *name)
{
	char path[XATTR_PATH_MAX], file[256 + sizeof("/" PREFIX_OPAQUE)];

	struct stat was;

	snprintf(file, sizeof(file), "%s/" PREFIX_OPAQUE, name);
	int r = x_fstatat(fd, name, &was, AT_SYMLINK_NOFOLLOW);
	if (r == 0)
		r = make_shared(ov, fd, file);
	if (r == 0)
		keep_times(fd, name, &was);
	if (r < 0 && r != -EEXIST)
		return r;
	/* The file is enough for whoever reads this dialect. */
	fd_path(path, fd, name);
	for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++) {
		if (lsetxattr(path, xattrs[i], "y", 1, 0) == 0)
			break;
	}
	return 0;
}

static void prefix_clear_opaque(struct overlay *ov, int fd, const char *name)
{
	char path[XATTR_PATH_MAX], file[256 + sizeof("/" PREFIX_OPAQUE)];

	(void)ov;
	fd_path(path, fd, name);
	for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++)
		lremovexattr(path, xattrs[i]);
	struct stat was;

	snprintf(file, sizeof(file), "%s/" PREFIX_OPAQUE, name);
	if (x_fstatat(fd, name, &was, AT_SYMLINK_NOFOLLOW) == 0 && x_unlinkat(fd, file, 0) == 0)
		keep_times(fd, name, &was);
}

const struct wh_ops wh_prefix = {
	.name = "fileprefix",
	.probe = prefix_probe,
	.hide = prefix_hide,
	.move = prefix_move,
	.set_opaque = prefix_set_opaque,
	.clear_opaque = prefix_clear_opaque,
};
