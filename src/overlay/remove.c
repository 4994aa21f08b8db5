/* SPDX-License-Identifier: MIT */
/* unlink and rmdir: a whiteout only where a lower layer would show through. */
#include "config.h"

#include "overlay/whiteout.h"
#include "vfs/perm.h"

int remove_upper_dir(struct node *n, int fd, const char *name)
{
	struct overlay *ov = ovl_of(&n->vn);
	char tmp[WORK_NAME_MAX];
	int r = x_unlinkat(fd, name, AT_REMOVEDIR);

	if (r != -ENOTEMPTY && r != -EEXIST)
		return r;
	/* Marks are in it; they must not go before it does. */
	int work = work_fd(ov);
	if (work < 0)
		return work;
	work_name(ov, tmp);
	mode_t lent = lend_write(ov, fd, name);
	r = x_renameat2(fd, name, work, tmp, 0);
	if (r < 0) {
		lend_end(fd, name, lent);
		return r;
	}
	r = wh_dir_check(ov, tmp);
	if (r == 0) {
		work_remove(ov, tmp);
		return 0;
	}
	x_renameat2(work, tmp, fd, name, 0);
	lend_end(fd, name, lent);
	return r;
}

/* After the checks: the object goes from the upper, and what is below it from sight. */
static int remove_object(struct node *dir, const char *name, struct node *n)
{
	struct overlay *ov = ovl_of(&dir->vn);
	bool isdir = S_ISDIR(n->vn.type);
	int fd = copyup_dirfd(dir);
	int r = fd < 0 ? fd : merge_lower_has(dir, name, NULL);

	if (r < 0)
		return r;
	if (r > 0)
		r = ov->wh->hide(ov, dir, fd, name,
				 !n->upper ? HIDE_NOTHING : isdir ? HIDE_DIR : HIDE_FILE);
	else if (isdir && n->upper)
		r = remove_upper_dir(n, fd, name);
	else if (n->upper)
		r = x_unlinkat(fd, name, 0);
	/* Gone underneath already. */
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return r;
	if (isdir)
		dircache_drop(ov->dirs, n, 0);
	listing_forget(dir, name);
	vnode_kill(&n->vn);
	return 0;
}

int ovl_unlink(struct vnode *dir, const char *name, struct vnode *vn, const struct cred *c)
{
	if (!ovl_of(dir)->rw)
		return -EROFS;
	if (vn->dead)
		return -ENOENT;
	int r = perm_delete(dir, vn, false, c);
	return r < 0 ? r : remove_object(node_of(dir), name, node_of(vn));
}

int ovl_rmdir(struct vnode *dir, const char *name, struct vnode *vn, const struct cred *c)
{
	if (!ovl_of(dir)->rw)
		return -EROFS;
	if (vn->dead)
		return -ENOENT;
	int r = perm_delete(dir, vn, true, c);
	if (r == 0)
		r = listing_empty(node_of(vn));
	if (r <= 0)
		return r < 0 ? r : -ENOTEMPTY;
	return remove_object(node_of(dir), name, node_of(vn));
}
