/* SPDX-License-Identifier: MIT */
/* Bookkeeping that every file system needs: which vnode stands for which name. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "vfs/vfs.h"

/* (parent, name) -> live vnode: open addressing, linear probing, a power of two of slots. */
struct vfs_children {
	struct vfs_ops ops; /* the file system's, holes filled */
	struct vnode **slot;
	size_t nslot, used; /* used counts graves too */
	size_t live;
};

static struct vnode grave; /* a slot that held something */

static size_t slot_hash(const struct vfs_children *t, const struct vnode *dir, const char *name)
{
	return hash_bytes(name, strlen(name), (uint64_t)(uintptr_t)dir) & (t->nslot - 1);
}

static struct vnode **slot_find(struct vfs_children *t, const struct vnode *dir, const char *name)
{
	size_t i = slot_hash(t, dir, name);

	for (; t->slot[i]; i = (i + 1) & (t->nslot - 1)) {
		struct vnode *vn = t->slot[i];

		if (vn != &grave && vn->parent == dir && !strcmp(vn->name, name))
			return &t->slot[i];
	}
	return NULL;
}

static void slot_put(struct vfs_children *t, struct vnode *vn)
{
	size_t i = slot_hash(t, vn->parent, vn->name);

	while (t->slot[i])
		i = (i + 1) & (t->nslot - 1);
	t->slot[i] = vn;
	t->used++;
	t->live++;
}

/* Room for one more, so that slot_put() cannot fail. */
static int table_reserve(struct vfs_children *t)
{
	struct vnode **old = t->slot;
	size_t nold = t->nslot;

	if ((t->used + 2) * 4 < t->nslot * 3)
		return 0;
	size_t n = 256;
	while (n < (t->live + 2) * 4)
		n *= 2;
	struct vnode **fresh = calloc(n, sizeof(struct vnode *));
	if (!fresh)
		return -ENOMEM;
	t->slot = fresh;
	t->nslot = n;
	t->used = t->live = 0;
	for (size_t i = 0; i < nold; i++) {
		if (old[i] && old[i] != &grave)
			slot_put(t, old[i]);
	}
	free(old);
	return 0;
}

static void enter(struct vnode *vn, struct vnode *parent)
{
	vn->parent = parent;
	vn->sibling = parent->child;
	if (vn->sibling)
		vn->sibling->link = &vn->sibling;
	parent->child = vn;
	vn->link = &parent->child;
	slot_put(vn->fs->children, vn);
}

static void leave(struct vnode *vn)
{
	struct vfs_children *t = vn->fs->children;
	struct vnode **s = slot_find(t, vn->parent, vn->name);

	if (s) {
		*s = &grave;
		t->live--;
	}
	*vn->link = vn->sibling;
	if (vn->sibling)
		vn->sibling->link = vn->link;
	vn->sibling = NULL;
	vn->link = NULL;
	vn->parent = NULL;
}

int vnode_init(struct vnode *vn, struct vfs *fs, struct vnode *parent, const char *name,
	       mode_t type)
{
	int r = table_reserve(fs->children);

	if (r < 0)
		return r;
	*vn = (struct vnode){ .fs = fs, .name = strdup(name), .type = type & S_IFMT };
	if (!vn->name)
		return -ENOMEM;
	if (parent)
		enter(vn, parent);
	return 0;
}

struct vnode *vfs_child(struct vnode *dir, const char *name)
{
	struct vnode **s = slot_find(dir->fs->children, dir, name);

	return s ? *s : NULL;
}

void vnode_kill(struct vnode *vn)
{
	struct vnode *dir = vn->parent, *below = vn;

	/* Deepest first: each has no child when its turn comes. */
	while (below->child)
		below = below->child;
	while (below != vn) {
		struct vnode *up = below->parent;

		leave(below);
		below->dead = true;
		vfs_changed(below);
		below = up;
		while (below->child)
			below = below->child;
	}
	if (!dir)
		return; /* dead already, or the root */
	leave(vn);
	vn->dead = true;
	vfs_name_changed(dir, vn->name);
	vfs_changed(vn);
}

struct vnode *vnode_next(const struct vnode *top, struct vnode *vn)
{
	if (vn->child)
		return vn->child;
	while (vn != top && !vn->sibling)
		vn = vn->parent;
	return vn == top ? NULL : vn->sibling;
}

static void tell_subtree(struct vnode *vn)
{
	for (struct vnode *i = vn; i; i = vnode_next(vn, i))
		vfs_changed(i);
}

int vnode_move(struct vnode *vn, struct vnode *dir, const char *name)
{
	struct vnode *odir = vn->parent;
	char *copy = strdup(name);
	int r = table_reserve(vn->fs->children);

	if (!copy || r < 0) {
		free(copy);
		return -ENOMEM;
	}
	leave(vn);
	char *oname = vn->name;
	vn->name = copy;
	enter(vn, dir);
	if (odir)
		vfs_name_changed(odir, oname);
	vfs_name_changed(dir, vn->name);
	tell_subtree(vn);
	free(oname);
	return 0;
}

int vnode_swap(struct vnode *a, struct vnode *b)
{
	struct vnode *ap = a->parent, *bp = b->parent;
	char *an = a->name, *bn = b->name;
	/* Two graves and two entries. */
	int r = table_reserve(a->fs->children);

	if (r < 0)
		return r;
	leave(a);
	leave(b);
	a->name = bn;
	b->name = an;
	r = table_reserve(a->fs->children);
	if (r < 0) {
		a->name = an;
		b->name = bn;
		enter(a, ap);
		enter(b, bp);
		return r;
	}
	enter(a, bp);
	enter(b, ap);
	vfs_name_changed(ap, an);
	vfs_name_changed(bp, bn);
	tell_subtree(a);
	tell_subtree(b);
	return 0;
}

int vnode_path(const struct vnode *vn, char *buf, size_t size)
{
	const struct vnode *i;
	size_t len = 0;

	for (i = vn; i->parent; i = i->parent)
		len += strlen(i->name) + 1;
	if (i->dead || *i->name)
		return -ENOENT;
	if (size == 0 || len > size)
		return -ENAMETOOLONG;
	if (!len) {
		*buf = '\0';
		return 0;
	}
	char *p = buf + len;
	for (i = vn; i->parent; i = i->parent) {
		size_t n = strlen(i->name);

		*--p = i == vn ? '\0' : '/';
		p -= n;
		memcpy(p, i->name, n);
	}
	return 0;
}

bool vnode_is_ancestor(const struct vnode *anc, const struct vnode *vn)
{
	for (; vn; vn = vn->parent) {
		if (vn == anc)
			return true;
	}
	return false;
}

/* --- operations that a file system does not have ---------------------------------------------- */

#define NOT_SUPPORTED return -EOPNOTSUPP
#define U __attribute__((unused))

static int no_root(U struct vfs *fs, U struct vnode **ret) { NOT_SUPPORTED; }
static int no_lookup(U struct vnode *d, U const char *n, U struct vnode **ret) { NOT_SUPPORTED; }
static int no_getattr(U struct vnode *vn, U struct statx *ret) { NOT_SUPPORTED; }
static int no_path(U struct vnode *vn, U char *buf, U size_t size) { NOT_SUPPORTED; }
static int no_layer(U struct vnode *vn) { return 0; }
static int no_make_writable(U struct vnode *vn, U bool trunc) { NOT_SUPPORTED; }
static int no_create_path(U struct vnode *d, U const char *n, U const struct cred *c, U char *buf,
			  U size_t size) { NOT_SUPPORTED; }
static int no_tmpfile(U struct vnode *d, U const struct cred *c, U char *buf, U size_t size)
	{ NOT_SUPPORTED; }
static int no_create(U struct vnode *d, U const char *n, U const struct vfs_create *how,
		     U const struct cred *c, U struct vnode **ret) { NOT_SUPPORTED; }
static int no_link(U struct vnode *vn, U struct vnode *d, U const char *n, U const struct cred *c)
	{ NOT_SUPPORTED; }
static int no_link_fd(U struct vfs *fs, U int fd, U struct vnode *d, U const char *n,
		      U const struct cred *c) { NOT_SUPPORTED; }
static int no_remove(U struct vnode *d, U const char *n, U struct vnode *vn, U const struct cred *c)
	{ NOT_SUPPORTED; }
static int no_rename(U struct vnode *od, U const char *on, U struct vnode *vn, U struct vnode *nd,
		     U const char *nn, U struct vnode *t, U unsigned fl, U const struct cred *c)
	{ NOT_SUPPORTED; }
static int no_setattr(U struct vnode *vn, U const struct vfs_setattr *a, U const struct cred *c)
	{ NOT_SUPPORTED; }
static ssize_t no_getxattr(U struct vnode *vn, U const char *n, U void *buf, U size_t size,
			   U const struct cred *c) { NOT_SUPPORTED; }
static ssize_t no_listxattr(U struct vnode *vn, U char *buf, U size_t size, U const struct cred *c)
	{ NOT_SUPPORTED; }
static int no_setxattr(U struct vnode *vn, U const char *n, U const void *val, U size_t size,
		       U int flags, U const struct cred *c) { NOT_SUPPORTED; }
static int no_removexattr(U struct vnode *vn, U const char *n, U const struct cred *c)
	{ NOT_SUPPORTED; }
static int no_readdir(U struct vnode *d, U uint64_t off, U vfs_dirent_fn fn, U void *arg)
	{ NOT_SUPPORTED; }
static int no_statfs(U struct vnode *vn, U struct statfs *ret) { NOT_SUPPORTED; }
static void no_identify(U struct vfs *fs, U struct statx *st) {}
static bool no_xattr_hidden(U const char *name) { return false; }
static void no_destroy(U struct vfs *fs) {}

#undef U

#define FILL(op, fn) do { if (!o->op) o->op = fn; } while (0)

static void fill_ops(struct vfs_ops *o)
{
	FILL(root, no_root);
	FILL(lookup, no_lookup);
	FILL(getattr, no_getattr);
	FILL(readlink, no_path);
	FILL(realpath, no_path);
	FILL(layer, no_layer);
	FILL(make_writable, no_make_writable);
	FILL(create_path, no_create_path);
	FILL(tmpfile_path, no_tmpfile);
	FILL(create, no_create);
	FILL(link, no_link);
	FILL(link_fd, no_link_fd);
	FILL(unlink, no_remove);
	FILL(rmdir, no_remove);
	FILL(rename, no_rename);
	FILL(setattr, no_setattr);
	FILL(getxattr, no_getxattr);
	FILL(listxattr, no_listxattr);
	FILL(setxattr, no_setxattr);
	FILL(removexattr, no_removexattr);
	FILL(readdir, no_readdir);
	FILL(statfs, no_statfs);
	FILL(identify, no_identify);
	FILL(xattr_hidden, no_xattr_hidden);
	FILL(destroy, no_destroy);
}

int vfs_init(struct vfs *fs, const struct vfs_ops *ops)
{
	if (ops->version != VFS_VERSION)
		return -EINVAL;
	_cleanup_free_ struct vfs_children *t = calloc(1, sizeof(*t));
	if (!t || table_reserve(t) < 0)
		return -ENOMEM;
	t->ops = *ops;
	fill_ops(&t->ops);
	*fs = (struct vfs){ .ops = &t->ops, .children = t };
	t = NULL; /* fs owns it now */
	return 0;
}

/* The vnodes are the file system's; only the table goes. */
void vfs_fini(struct vfs *fs)
{
	if (!fs->children)
		return;
	free(fs->children->slot);
	free(fs->children);
	fs->children = NULL;
}
