/* SPDX-License-Identifier: MIT */
/* The step in which something that was built out of sight becomes a part of the view. */
#include "config.h"

#include "overlay/whiteout.h"

/* Not every file system knows the flag; one thread makes all changes, so nothing comes between. */
static int rename_noreplace(int fromfd, const char *from, int fd, const char *name)
{
	struct stat st;
	int r = x_renameat2(fromfd, from, fd, name, RENAME_NOREPLACE);

	if (r != -EINVAL)
		return r;
	r = x_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW);
	if (r != -ENOENT)
		return r < 0 ? r : -EEXIST;
	return x_renameat2(fromfd, from, fd, name, 0);
}

static int over_whiteout(int fromfd, const char *from, int fd, const char *name, mode_t type)
{
	if (!S_ISDIR(type))
		return x_renameat2(fromfd, from, fd, name, 0);
	int r = x_renameat2(fromfd, from, fd, name, RENAME_EXCHANGE);
	if (r == 0) {
		x_unlinkat(fromfd, from, 0);
		return 0;
	}
	if (r != -EINVAL)
		return r;
	/* No exchange here: the name below is visible for a moment. */
	r = x_unlinkat(fd, name, 0);
	return r < 0 ? r : rename_noreplace(fromfd, from, fd, name);
}

int place(struct node *dir, int fromfd, const char *from, int fd, const char *name, mode_t type,
	  int way)
{
	int r;

	if (way == WAY_OBJECT)
		return -EEXIST;
	if (way == WAY_NODE)
		return over_whiteout(fromfd, from, fd, name, type);
	r = rename_noreplace(fromfd, from, fd, name);
	if (r == 0 && way == WAY_PREFIX)
		wh_remove_prefix(ovl_of(&dir->vn), fd, name);
	return r;
}

/*
 * A directory that cannot be written cannot change its parent (.. is a part of it), and nothing can
 * be put into it: a rule that does not hold for the kernel's overlayfs, which acts as the mounter.
 * Without CAP_DAC_OVERRIDE the owner's bits are lent for the time being.
 */
mode_t lend_write(struct overlay *ov, int fd, const char *name)
{
	struct stat st;

	if (ov->dac || x_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != ov->uid || (st.st_mode & 0300) == 0300)
		return LEND_NONE;
	if (chmod_at(fd, name, st.st_mode | 0300) < 0)
		return LEND_NONE;
	return st.st_mode & 07777;
}

void lend_end(int fd, const char *name, mode_t lent)
{
	if (lent != LEND_NONE)
		chmod_at(fd, name, lent);
}

int place_new(struct node *dir, const char *name, struct vnode **ret)
{
	struct vnode *vn;
	int r = ovl_lookup(&dir->vn, name, &vn);

	vfs_name_changed(&dir->vn, name);
	if (r == 0 && ret)
		*ret = vn;
	return r;
}

int wh_make(struct overlay *ov, int (*make)(int fd, const char *name), const char *share, int fd,
	    const char *name)
{
	int work = ov->no_share ? -1 : work_fd(ov);

	if (work < 0)
		return make(fd, name);
	for (int try = 0; try < 2; try++) {
		int r = x_linkat(work, share, fd, name, 0);

		if (r == 0 || r == -EEXIST || r == -ENAMETOOLONG)
			return r;
		/* As many names as an inode can have: another inode. */
		if (r == -EMLINK)
			x_unlinkat(work, share, 0);
		else if (r != -ENOENT)
			break;
		r = make(work, share);
		if (r < 0 && r != -EEXIST)
			break;
	}
	ov->no_share = true;
	return make(fd, name);
}
