/* SPDX-License-Identifier: MIT */
/* The kernel's dialect: a character device 0:0, overlay.opaque=y. */
#include "config.h"

#include <string.h>

#include "base/log.h"
#include "overlay/whiteout.h"

#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT (1 << 2)
#endif

static int make(int fd, const char *name)
{
	mode_t mask = umask(0);
	int r = x_mknodat(fd, name, S_IFCHR, makedev(0, 0));

	umask(mask);
	return r;
}

static int make_shared(struct overlay *ov, int fd, const char *name)
{
	return wh_make(ov, make, "chardev", fd, name);
}

static const char *opaque_name(const struct overlay *ov)
{
	return ov->userxattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

static int chardev_set_opaque(struct overlay *ov, int fd, const char *name)
{
	char path[XATTR_PATH_MAX];

	fd_path(path, fd, name);
	return (int)x_ret(lsetxattr(path, opaque_name(ov), "y", 1, 0));
}

static void chardev_clear_opaque(struct overlay *ov, int fd, const char *name)
{
	char path[XATTR_PATH_MAX];

	fd_path(path, fd, name);
	lremovexattr(path, opaque_name(ov));
}

static int chardev_probe(struct overlay *ov, char *why, size_t size)
{
	char name[WORK_NAME_MAX];
	const char *what = "make character devices 0:0";
	int fd = work_fd(ov);
	int r = fd;

	work_name(ov, name);
	if (r >= 0)
		r = make(fd, name);
	if (r == 0) {
		x_unlinkat(fd, name, 0);
		what = ov->userxattr ? "set user.overlay attributes" :
				       "set trusted.overlay attributes (it takes CAP_SYS_ADMIN)";
		r = x_mkdirat(fd, name, 0700);
		if (r == 0)
			r = chardev_set_opaque(ov, fd, name);
		/* root of a user namespace has the capability, but not there. */
		if (r == -EPERM && ov->userxattr_auto && !ov->userxattr) {
			ov->userxattr = true;
			r = chardev_set_opaque(ov, fd, name);
		}
		x_unlinkat(fd, name, AT_REMOVEDIR);
	}
	if (r < 0)
		snprintf(why, size,
			 "cannot %s in the upper directory %s: %s; "
			 "--whiteout=fileprefix works without",
			 what, ov->layer[0].path, strerror(-r));
	return r;
}

/* Puts a whiteout where a directory is; the directory goes, if it holds nothing but marks. */
static int replace_dir(struct overlay *ov, int work, const char *tmp, int fd, const char *name)
{
	int r = x_renameat2(work, tmp, fd, name, RENAME_EXCHANGE);

	if (r == -EINVAL) {
		/* No RENAME_EXCHANGE here: for a moment what is below shows. */
		char aside[WORK_NAME_MAX];

		work_name(ov, aside);
		r = x_renameat2(fd, name, work, aside, 0);
		if (r < 0)
			return r;
		r = wh_dir_check(ov, aside);
		if (r == 0)
			r = x_renameat2(work, tmp, fd, name, 0);
		if (r < 0)
			x_renameat2(work, aside, fd, name, 0);
		else
			work_remove(ov, aside);
		return r;
	}
	if (r < 0)
		return r;
	r = wh_dir_check(ov, tmp);
	if (r < 0)
		x_renameat2(work, tmp, fd, name, RENAME_EXCHANGE);
	return r;
}

static int chardev_hide(struct overlay *ov, struct node *dir, int fd, const char *name, int what)
{
	char tmp[WORK_NAME_MAX];

	(void)dir;
	if (what == HIDE_NOTHING)
		return make_shared(ov, fd, name);
	int work = work_fd(ov);
	if (work < 0)
		return work;
	work_name(ov, tmp);
	int r = make_shared(ov, work, tmp);
	if (r < 0)
		return r;
	if (what == HIDE_FILE)
		r = x_renameat2(work, tmp, fd, name, 0);
	else
		r = replace_dir(ov, work, tmp, fd, name);
	if (r < 0 || what == HIDE_DIR)
		work_remove(ov, tmp);
	return r;
}

/* Where RENAME_WHITEOUT is not known: both names exist for a moment, none is ever lost. */
static int move_leaving(int ofd, const char *oname, int nfd, const char *nname)
{
	int r = x_renameat2(ofd, oname, nfd, nname, RENAME_WHITEOUT);

	if (r != -EINVAL)
		return r;
	r = x_renameat2(ofd, oname, nfd, nname, 0);
	return r < 0 ? r : make(ofd, oname);
}

static int chardev_move(struct overlay *ov, int ofd, const char *oname, int nfd, const char *nname,
			bool hide, int way, bool isdir)
{
	struct stat st;

	if (way == WAY_NODE) {
		int r = x_fstatat(nfd, nname, &st, AT_SYMLINK_NOFOLLOW);

		/* A device can move to the old name and serve there. */
		if (r == 0 && S_ISCHR(st.st_mode) && (hide || isdir)) {
			r = x_renameat2(ofd, oname, nfd, nname, RENAME_EXCHANGE);
			if (r == 0 && !hide)
				r = x_unlinkat(ofd, oname, 0);
			if (r != -EINVAL)
				return r;
		}
		/* A directory cannot be renamed onto what is none. */
		if (isdir) {
			r = x_unlinkat(nfd, nname, 0);
			if (r < 0)
				return r;
		}
	} else if (way == WAY_PREFIX) {
		wh_remove_prefix(ov, nfd, nname);
	}
	if (hide)
		return move_leaving(ofd, oname, nfd, nname);
	return x_renameat2(ofd, oname, nfd, nname, 0);
}

const struct wh_ops wh_chardev = {
	.name = "chardev",
	.probe = chardev_probe,
	.hide = chardev_hide,
	.move = chardev_move,
	.set_opaque = chardev_set_opaque,
	.clear_opaque = chardev_clear_opaque,
};
