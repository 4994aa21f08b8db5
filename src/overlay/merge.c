/* SPDX-License-Identifier: MIT */
/*
 * Look-up: what a name in a merged directory is.
 *
 * From the top: the first layer that holds the name decides its type.  A directory goes on merging
 * with directories of that name below until a whiteout, an opaque mark or something that is no
 * directory.  Marks are looked for only where a layer below has something that they could hide.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "overlay/ovl.h"

/* What a look-up found. */
struct found {
	mode_t type; /* 0: nothing */
	bool upper;
	struct stat top; /* the real object that is shown */
	uint64_t upper_ino; /* if upper: the number that goes with it */
	unsigned nlower;
	struct ref *lower;
};

static void found_free(struct found *f)
{
	for (unsigned i = 0; i < f->nlower; i++)
		free(f->lower[i].path);
	free(f->lower);
}

/* One look-up on its way down. */
struct walk {
	struct node *dir;
	const char *name;
	unsigned next_mark; /* layers of dir above this position have no .wh.NAME */
	struct found *f;
};

/* Position 0 is the upper's, 1.. are dir's lowers. */
static unsigned layer_at(const struct node *dir, unsigned pos)
{
	return pos ? dir->lower[pos - 1].layer : 0;
}

/* Does a layer above pos hold .wh.NAME?  0, 1, -errno. */
static int hidden_above(struct walk *w, unsigned pos)
{
	struct overlay *ov = ovl_of(&w->dir->vn);

	for (; w->next_mark < pos; w->next_mark++) {
		unsigned layer = layer_at(w->dir, w->next_mark);

		if (layer == 0 && (!w->dir->upper || !ov->prefix))
			continue;
		int fd = node_dirfd(w->dir, layer);
		int r = fd < 0 ? fd : mark_prefix_exists(fd, w->name);
		if (r == -ENOENT || r == -ENOTDIR)
			continue; /* the directory went away underneath */
		if (r != 0)
			return r;
	}
	return 0;
}

/* A whole-root overlay has its own upper below a lower: that is not part of the view. */
static bool is_our_own(struct overlay *ov, const struct stat *st)
{
	if (!ov->nested || !S_ISDIR(st->st_mode))
		return false;
	if (st->st_dev == ov->layer[0].dev && st->st_ino == ov->layer[0].ino)
		return true;
	struct stat work;
	return ov->work >= 0 && x_fstat(ov->work, &work) == 0 && work.st_dev == st->st_dev &&
	       work.st_ino == st->st_ino;
}

static int add_lower(struct walk *w, unsigned pos, const struct stat *st)
{
	struct found *f = w->f;
	struct ref *more = realloc(f->lower, (f->nlower + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	f->lower = more;
	more += f->nlower;
	*more = (struct ref){ .layer = layer_at(w->dir, pos), .dev = st->st_dev, .ino = st->st_ino,
			      .xwh = -1,
			      .path = path_join(w->dir->lower[pos - 1].path, w->name) };
	if (!more->path)
		return -ENOMEM;
	f->nlower++;
	return 0;
}

static uint64_t upper_ino(struct overlay *ov, int fd, const char *name, const struct stat *st)
{
	struct statx stx;

	if (identity_known(ov->id, st->st_dev, st->st_ino) && x_statx(fd, name, &stx) == 0)
		return identity_find(ov->id, &stx);
	return identity_ino(ov->id, st->st_dev, st->st_ino);
}

/* Looks into one layer.  0: go on below, 1: no layer below matters, -errno. */
static int look_at(struct walk *w, unsigned pos, bool last)
{
	struct overlay *ov = ovl_of(&w->dir->vn);
	unsigned layer = layer_at(w->dir, pos);
	struct found *f = w->f;
	struct stat st;
	int fd = node_dirfd(w->dir, layer);

	if (fd < 0)
		return fd;
	int r = x_fstatat(fd, w->name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
	if (r < 0)
		return r;
	r = hidden_above(w, pos);
	if (r != 0)
		return r;
	bool xwh = S_ISREG(st.st_mode) && !st.st_size && node_xwh(w->dir, layer, fd);
	if (mark_is_whiteout(fd, w->name, st.st_mode, st.st_rdev, st.st_size, xwh))
		return 1;
	if (layer && is_our_own(ov, &st))
		return 0;
	if (f->type && !S_ISDIR(st.st_mode))
		return 1;
	r = last ? 0 : mark_refused(ov, fd, w->name, &st);
	if (r < 0)
		return r;
	if (!f->type) {
		f->type = st.st_mode & S_IFMT;
		f->top = st;
	}
	if (layer) {
		r = add_lower(w, pos, &st);
	} else {
		f->upper = true;
		f->upper_ino = upper_ino(ov, fd, w->name, &st);
	}
	if (r < 0)
		return r;
	if (last || !S_ISDIR(st.st_mode))
		return 1;
	return mark_opaque(fd, w->name, layer || ov->prefix) == OPAQUE_YES;
}

/* From position from of dir's layers on.  Nothing found is no error. */
static int walk_layers(struct node *dir, const char *name, unsigned from, struct found *f)
{
	struct overlay *ov = ovl_of(&dir->vn);
	struct walk w = { .dir = dir, .name = name, .next_mark = from, .f = f };
	bool prefixed = mark_is_prefixed(name);

	for (unsigned pos = from; pos <= dir->nlower; pos++) {
		if (pos == 0 && !dir->upper)
			continue;
		if (prefixed && (pos || ov->prefix))
			continue; /* a mark, never a name */
		int r = look_at(&w, pos, pos == dir->nlower);
		/* ENAMETOOLONG: this layer's file system has shorter names. */
		if (r == -ENOENT || r == -ENOTDIR || r == -ENAMETOOLONG || r == -ESTALE)
			continue;
		if (r < 0)
			return r;
		if (r > 0)
			break;
	}
	return 0;
}

/*
 * The number that the view shows: a directory's is that of its top-most lower, which it had before
 * a copy-up (kernel: ovl_getattr()); a file of the upper has its origin's.
 */
static uint64_t found_ino(struct overlay *ov, const struct found *f)
{
	if (f->upper && !(S_ISDIR(f->type) && f->nlower))
		return f->upper_ino;
	return identity_ino(ov->id, f->lower[0].dev, f->lower[0].ino);
}

/* Directory descriptors that lead to something else now are forgotten. */
static void drop_stale_dirs(struct overlay *ov, struct node *n, const struct found *f)
{
	if (n->upper && (!f->upper || n->udev != f->top.st_dev || n->uino != f->top.st_ino))
		dircache_drop(ov->dirs, n, 0);
	for (unsigned i = 0; i < n->nlower; i++) {
		bool same = false;

		for (unsigned j = 0; j < f->nlower; j++)
			same = same || (n->lower[i].layer == f->lower[j].layer &&
					n->lower[i].dev == f->lower[j].dev &&
					n->lower[i].ino == f->lower[j].ino);
		if (!same)
			dircache_drop(ov->dirs, n, n->lower[i].layer);
	}
}

static bool refs_equal(const struct node *n, const struct found *f)
{
	if (n->nlower != f->nlower)
		return false;
	for (unsigned i = 0; i < n->nlower; i++) {
		if (n->lower[i].layer != f->lower[i].layer || n->lower[i].dev != f->lower[i].dev ||
		    n->lower[i].ino != f->lower[i].ino ||
		    strcmp(n->lower[i].path, f->lower[i].path))
			return false;
	}
	return true;
}

/* The node becomes what was found; f's references move into it. */
static void node_take(struct overlay *ov, struct node *n, struct found *f, bool fresh)
{
	if (!fresh && n->upper == f->upper && refs_equal(n, f) &&
	    (!f->upper || (n->udev == f->top.st_dev && n->uino == f->top.st_ino)))
		return;
	if (!fresh && S_ISDIR(n->vn.type))
		drop_stale_dirs(ov, n, f);
	n->ino = found_ino(ov, f);
	for (unsigned i = 0; i < n->nlower; i++)
		free(n->lower[i].path);
	free(n->lower);
	n->lower = steal_ptr(&f->lower);
	n->nlower = f->nlower;
	f->nlower = 0;
	n->upper = f->upper;
	n->upper_xwh = -1;
	if (n->upper) {
		n->udev = f->top.st_dev;
		n->uino = f->top.st_ino;
	}
	vfs_real(&n->vn, f->top.st_dev, f->top.st_ino);
	if (!fresh)
		vfs_changed(&n->vn);
}

int ovl_lookup(struct vnode *dir, const char *name, struct vnode **ret)
{
	__attribute__((cleanup(found_free))) struct found f = { 0 };
	struct overlay *ov = ovl_of(dir);
	struct vnode *vn = vfs_child(dir, name);
	struct node *n;

	if (dir->dead)
		return -ENOENT;
	if (strlen(name) > 255)
		return -ENAMETOOLONG;
	int r = walk_layers(node_of(dir), name, 0, &f);
	if (r < 0)
		return r;
	/* Layers may have changed underneath: an object of another type is another object. */
	if (vn && vn->type != f.type) {
		vnode_kill(vn);
		vn = NULL;
	}
	if (!f.type)
		return -ENOENT;
	if (vn) {
		node_take(ov, node_of(vn), &f, false);
		*ret = vn;
		return 0;
	}
	r = node_new(ov, node_of(dir), name, f.type, &n);
	if (r < 0)
		return r;
	node_take(ov, n, &f, true);
	*ret = &n->vn;
	return 0;
}

int merge_lower_has(struct node *dir, const char *name, bool *isdir)
{
	__attribute__((cleanup(found_free))) struct found f = { 0 };
	int r = dir->nlower ? walk_layers(dir, name, 1, &f) : 0;

	if (r < 0)
		return r;
	if (isdir)
		*isdir = S_ISDIR(f.type);
	return f.type != 0;
}
