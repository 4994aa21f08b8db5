/* SPDX-License-Identifier: MIT */
/* Another name for an object: always one of the upper. */
#include "config.h"

#include "overlay/whiteout.h"
#include "vfs/perm.h"

static int link_place(struct node *dir, int fd, const char *name, int sfd, const char *sname,
		      int flags)
{
	struct overlay *ov = ovl_of(&dir->vn);
	char tmp[WORK_NAME_MAX];
	int way = mark_in_way(dir, fd, name);

	if (way < 0 || way == WAY_OBJECT)
		return way < 0 ? way : -EEXIST;
	if (way != WAY_NODE) {
		int r = x_linkat(sfd, sname, fd, name, flags);

		if (r == 0 && way == WAY_PREFIX)
			wh_remove_prefix(ov, fd, name);
		return r;
	}
	/* A link replaces nothing, a rename does. */
	int work = work_fd(ov);
	if (work < 0)
		return work;
	work_name(ov, tmp);
	int r = x_linkat(sfd, sname, work, tmp, flags);
	if (r < 0)
		return r;
	r = place(dir, work, tmp, fd, name, S_IFREG, way);
	if (r < 0)
		work_remove(ov, tmp);
	return r;
}

static int link_check(struct vnode *dir, const char *name)
{
	struct vnode *there;
	int r = ovl_lookup(dir, name, &there);

	if (r != -ENOENT)
		return r < 0 ? r : -EEXIST;
	return ovl_of(dir)->rw ? 0 : -EROFS;
}

int ovl_link(struct vnode *vn, struct vnode *dir, const char *name, const struct cred *c)
{
	_cleanup_loc_ struct loc src = LOC_NONE;
	struct node *d = node_of(dir);
	struct statx st;
	int r = link_check(dir, name);

	if (r == 0)
		r = perm_link(vn, c);
	if (r == 0)
		r = create_check(d, name, c);
	if (r == 0)
		r = ovl_getattr(vn, &st);
	if (r < 0)
		return r;
	if ((st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) || S_ISDIR(vn->type))
		return -EPERM;
	if (vn->dead)
		return -ENOENT;
	r = copyup(node_of(vn), false);
	if (r < 0)
		return r;
	int fd = copyup_dirfd(d);
	if (fd < 0)
		return fd;
	r = node_loc(node_of(vn), &src);
	if (r == 0)
		r = link_place(d, fd, name, src.fd, src.name, 0);
	return r < 0 ? r : place_new(d, name, NULL);
}

int ovl_link_fd(struct vfs *fs, int fd, struct vnode *dir, const char *name, const struct cred *c)
{
	struct node *d = node_of(dir);
	char path[XATTR_PATH_MAX];
	int r = link_check(dir, name);

	(void)fs;
	if (r == 0)
		r = create_check(d, name, c);
	int dfd = r < 0 ? r : copyup_dirfd(d);
	if (dfd < 0)
		return dfd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = link_place(d, dfd, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
	return r < 0 ? r : place_new(d, name, NULL);
}
