/* SPDX-License-Identifier: MIT */
/* The union as a file system: start, end, and the table of its operations. */
#include "config.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/caps.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "overlay/whiteout.h"

static int ovl_root(struct vfs *fs, struct vnode **ret)
{
	*ret = &((struct overlay *)fs)->root->vn;
	return 0;
}

static int ovl_layer(struct vnode *vn)
{
	struct node *n = node_of(vn);

	return n->upper || !n->nlower ? 0 : (int)n->lower[0].layer;
}

/* The data of anything but files is not behind its name: nothing to copy. */
static int ovl_make_writable(struct vnode *vn, bool trunc)
{
	struct statx st;

	if (!S_ISREG(vn->type) && !S_ISDIR(vn->type))
		return 0;
	if (!ovl_of(vn)->rw)
		return -EROFS;
	if (node_of(vn)->upper)
		return 0;
	int r = node_statx(node_of(vn), &st);
	if (r == 0 && (st.stx_attributes & STATX_ATTR_IMMUTABLE))
		r = -EPERM;
	return r < 0 ? r : copyup(node_of(vn), trunc);
}

static void ovl_destroy(struct vfs *fs)
{
	struct overlay *ov = (struct overlay *)fs;

	work_close(ov);
	for (struct node *n = ov->all, *before; n; n = before) {
		before = n->all;
		node_free(n);
	}
	vfs_fini(&ov->vfs);
	dircache_free(ov->dirs);
	identity_free(ov->id);
	for (unsigned i = 0; i < NPIN; i++)
		cleanup_fd(&ov->pin[i]);
	for (unsigned i = 0; ov->layer && i < ov->nlayer; i++)
		layer_fini(&ov->layer[i]);
	free(ov->layer);
	cleanup_fd(&ov->lock);
	free(ov);
}

/* The lower parts: the upper one is ours alone, as the lock says. */
static int ovl_parts(struct vnode *dir, int (*fn)(void *arg, int dirfd), void *arg)
{
	struct node *n = node_of(dir);
	int r = 0;

	for (unsigned i = 0; i < n->nlower && r >= 0; i++) {
		int fd = node_dirfd(n, n->lower[i].layer);

		if (fd >= 0)
			r = fn(arg, fd);
	}
	return r < 0 ? r : 0;
}

static const struct vfs_ops ops = {
	.version = VFS_VERSION,
	.name = "overlay",
	.root = ovl_root,
	.lookup = ovl_lookup,
	.getattr = ovl_getattr,
	.readlink = ovl_readlink,
	.realpath = node_realpath,
	.layer = ovl_layer,
	.make_writable = ovl_make_writable,
	.create_path = ovl_create_path,
	.tmpfile_path = ovl_tmpfile_path,
	.create = ovl_create,
	.link = ovl_link,
	.link_fd = ovl_link_fd,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.listxattr = ovl_listxattr,
	.setxattr = ovl_setxattr,
	.removexattr = ovl_removexattr,
	.readdir = ovl_readdir,
	.parts = ovl_parts,
	.statfs = ovl_statfs,
	.identify = ovl_identify,
	.xattr_hidden = xattr_is_mark,
	.destroy = ovl_destroy,
};

static int lock_upper(struct overlay *ov, char *why, size_t size)
{
	ov->lock = x_openat(ov->layer[0].fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (ov->lock < 0)
		return ov->lock;
	int r = (int)x_ret(flock(ov->lock, LOCK_EX | LOCK_NB));
	if (r == -EWOULDBLOCK) {
		snprintf(why, size,
			 "upper directory %s is in use by another fuss; wait for it or give "
			 "another upper directory",
			 ov->layer[0].path);
		return -EBUSY;
	}
	/* Some network file systems cannot lock a directory. */
	if (r < 0)
		debug("upper directory %s: no lock: %s", ov->layer[0].path, strerror(-r));
	return 0;
}

static int set_up_writing(struct overlay *ov, const struct overlay_config *cfg, char *why,
			  size_t size)
{
	int r = lock_upper(ov, why, size);

	if (r < 0)
		return r;
	ov->uid = geteuid();
	ov->gid = getegid();
	ov->chown = caps_effective(CAP_CHOWN);
	ov->dac = caps_effective(CAP_DAC_OVERRIDE);
	ov->userxattr_auto = cfg->userxattr < 0;
	ov->userxattr = cfg->userxattr < 0 ? !caps_effective(CAP_SYS_ADMIN) : cfg->userxattr;
	ov->prefix = check_prefix_dialect(ov, cfg->dialect);
	ov->wh = ov->prefix ? &wh_prefix : &wh_chardev;
	r = work_prepare(ov, cfg->work, why, size);
	return r < 0 ? r : ov->wh->probe(ov, why, size);
}

static int make_root(struct overlay *ov)
{
	int r = node_new(ov, NULL, "", S_IFDIR, &ov->root);

	if (r < 0)
		return r;
	struct node *n = ov->root;
	n->lower = calloc(ov->nlayer, sizeof(*n->lower));
	if (!n->lower)
		return -ENOMEM;
	for (unsigned i = 1; i < ov->nlayer; i++) {
		const struct layer *l = &ov->layer[i];
		struct ref *ref = &n->lower[n->nlower++];

		*ref = (struct ref){ .layer = i, .path = strdup(""), .dev = l->dev, .ino = l->ino,
				     .xwh = -1 };
		if (!ref->path)
			return -ENOMEM;
		/* The root of a layer may be opaque, too. */
		if (i + 1 < ov->nlayer && mark_opaque(l->fd, ".", true) == OPAQUE_YES)
			break;
	}
	n->upper = ov->rw;
	n->upper_xwh = -1;
	if (ov->rw) {
		n->udev = ov->layer[0].dev;
		n->uino = ov->layer[0].ino;
	}
	n->ino = ov->rw ? identity_ino(ov->id, n->udev, n->uino) :
			  identity_ino(ov->id, n->lower[0].dev, n->lower[0].ino);
	return 0;
}

static void cleanup_overlay(struct overlay **ov)
{
	if (*ov)
		ovl_destroy(&(*ov)->vfs);
}

int overlay_new(const struct overlay_config *cfg, struct vfs **ret, char *why, size_t size)
{
	__attribute__((cleanup(cleanup_overlay))) struct overlay *ov = calloc(1, sizeof(*ov));

	snprintf(why, size, "out of memory");
	if (!ov)
		return -ENOMEM;
	ov->lock = ov->worklock = ov->workparent = ov->work = -1;
	for (unsigned i = 0; i < NPIN; i++)
		ov->pin[i] = -1;
	ov->nlayer = cfg->nlower + 1;
	ov->rw = cfg->upper != NULL;
	ov->layer = calloc(ov->nlayer, sizeof(*ov->layer));
	if (!ov->layer)
		return -ENOMEM;
	for (unsigned i = 0; i < ov->nlayer; i++)
		ov->layer[i].fd = -1;
	int r = vfs_init(&ov->vfs, &ops);
	if (r == 0)
		r = dircache_new(&ov->dirs);
	if (r == 0)
		r = check_layers(ov, cfg, why, size);
	if (r == 0)
		r = identity_new(ov->layer[ov->rw ? 0 : 1].dev, &ov->id);
	if (r == 0 && ov->rw)
		r = set_up_writing(ov, cfg, why, size);
	if (r == 0)
		r = make_root(ov);
	if (r < 0)
		return r;
	*why = '\0';
	*ret = &steal_ptr(&ov)->vfs;
	return 0;
}
