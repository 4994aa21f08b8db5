/* SPDX-License-Identifier: MIT */
/*
 * A directory becomes wholly upper, so that it can be renamed as the upper's file system renames.
 *
 * The view does not change by it.  A part that only lowers hold is built in the work directory,
 * marked opaque and put where it is seen, in one step; where the upper holds a part already, what
 * is missing there is copied up piece by piece (objects that the upper holds stay the same inodes:
 * tasks may have them open), then the directory becomes opaque and its whiteouts go.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "overlay/whiteout.h"

/* The children of a directory at one time. */
struct children {
	struct node **n;
	size_t count, cap;
	struct node *dir;
	int r;
};

static void children_free(struct children *c)
{
	free(c->n);
}
#define _cleanup_children_ __attribute__((cleanup(children_free)))

struct names {
	char **name;
	size_t count, cap;
	int r;
};

static bool collect_name(void *arg, const struct vfs_dirent *d)
{
	struct names *l = arg;

	if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
		return true;
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		char **more = realloc(l->name, cap * sizeof(*more));

		if (!more) {
			l->r = -ENOMEM;
			return false;
		}
		l->name = more;
		l->cap = cap;
	}
	l->name[l->count] = strdup(d->name);
	if (!l->name[l->count]) {
		l->r = -ENOMEM;
		return false;
	}
	l->count++;
	return true;
}

/* Names first: a look-up may refresh the listing that is being read. */
static int children_get(struct node *dir, struct children *c)
{
	struct names l = { 0 };
	int r = ovl_readdir(&dir->vn, 0, collect_name, &l);

	if (r == 0)
		r = l.r;
	c->n = calloc(l.count ? l.count : 1, sizeof(struct node *));
	if (!c->n)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < l.count; i++) {
		struct vnode *vn;

		r = ovl_lookup(&dir->vn, l.name[i], &vn);
		if (r == 0)
			c->n[c->count++] = node_of(vn);
		else if (r == -ENOENT)
			r = 0; /* gone meanwhile */
	}
	for (size_t i = 0; i < l.count; i++)
		free(l.name[i]);
	free(l.name);
	return r;
}

/* --- what only lowers hold: a copy in the work directory -------------------------------------- */

static int build_dir(struct overlay *ov, struct node *dir, const char *up, const char *name);

static int build_files(struct overlay *ov, const struct children *c, const char *rel)
{
	_cleanup_fd_ int dst = open_beneath(ov->work, rel);
	int r = dst < 0 ? dst : 0;

	for (size_t i = 0; r == 0 && i < c->count; i++) {
		_cleanup_loc_ struct loc src = LOC_NONE;
		struct statx st;

		if (S_ISDIR(c->n[i]->vn.type))
			continue;
		r = node_loc(c->n[i], &src);
		if (r == 0)
			r = x_statx(src.fd, src.name, &st);
		if (r == 0)
			r = copyup_build(ov, &src, &st, false, false, dst, c->n[i]->vn.name);
	}
	return r;
}

/* Metadata last: it may forbid to write into the directory. */
static int finish_dir(struct overlay *ov, struct node *dir, const char *up, const char *name)
{
	_cleanup_loc_ struct loc src = LOC_NONE;
	_cleanup_fd_ int dst = open_beneath(ov->work, up);
	struct statx st;

	if (dst < 0)
		return dst;
	int r = node_loc(dir, &src);
	if (r == 0)
		r = x_statx(src.fd, src.name, &st);
	return r < 0 ? r : copy_attrs(ov, &src, -1, dst, name, -1, &st);
}

/* No descriptor is held while it goes down: no depth is too deep. */
static int build_dir(struct overlay *ov, struct node *dir, const char *up, const char *name)
{
	_cleanup_children_ struct children c = { 0 };
	_cleanup_free_ char *rel = path_join(up, name);
	_cleanup_fd_ int dst = open_beneath(ov->work, up);

	if (!rel || dst < 0)
		return rel ? dst : -ENOMEM;
	int r = x_mkdirat(dst, name, 0700);
	close(steal_fd(&dst));
	if (r == 0)
		r = children_get(dir, &c);
	if (r == 0)
		r = build_files(ov, &c, rel);
	for (size_t i = 0; r == 0 && i < c.count; i++) {
		if (S_ISDIR(c.n[i]->vn.type))
			r = build_dir(ov, c.n[i], rel, c.n[i]->vn.name);
	}
	return r < 0 ? r : finish_dir(ov, dir, up, name);
}

/* All that is known below top lives in the upper now. */
static void adopt(struct node *top)
{
	struct overlay *ov = ovl_of(&top->vn);
	struct vnode *vn;

	for (vn = &top->vn; vn; vn = vnode_next(&top->vn, vn)) {
		struct node *n = node_of(vn);
		struct statx lower, upper;
		uint64_t ino = n->ino;
		int fd = node_dirfd(node_of(vn->parent), 0);

		if (n->upper || fd < 0 || x_statx(fd, vn->name, &upper) < 0 ||
		    (upper.stx_mode & S_IFMT) != vn->type)
			continue;
		if (!S_ISDIR(vn->type) && node_statx(n, &lower) == 0 && lower.stx_nlink > 1)
			ino = identity_ino(ov->id, statx_dev(&upper), upper.stx_ino);
		if (node_set_upper(n, &upper, ino) == 0)
			node_clear_lower(n);
	}
}

static int complete_lower(struct node *n)
{
	struct overlay *ov = ovl_of(&n->vn);
	struct node *dir = node_of(n->vn.parent);
	char tmp[WORK_NAME_MAX];
	struct statx up;
	int work = work_fd(ov), fd = copyup_dirfd(dir);

	if (work < 0 || fd < 0)
		return work < 0 ? work : fd;
	work_name(ov, tmp);
	int r = build_dir(ov, n, "", tmp);
	if (r == 0) {
		struct statx own;

		r = node_statx(n, &own);
		mode_t lent = lend_write(ov, work, tmp);
		if (r == 0)
			r = ov->wh->set_opaque(ov, work, tmp);
		if (r == 0)
			r = (int)x_ret(syncfs(work));
		/* Building took a while; the descriptor may have been closed meanwhile. */
		fd = node_dirfd(dir, 0);
		if (r == 0)
			r = fd < 0 ? fd : x_statx(fd, ".", &up);
		mode_t dir_lent = r == 0 ? lend_write(ov, fd, ".") : LEND_NONE;
		if (r == 0)
			r = place(dir, work, tmp, fd, n->vn.name, S_IFDIR, WAY_FREE);
		if (r == 0) {
			lend_end(fd, n->vn.name, lent);
			copy_times(fd, n->vn.name, &own);
			lend_end(fd, ".", dir_lent);
			copy_times(fd, ".", &up);
		}
	}
	if (r < 0) {
		work_remove(ov, tmp);
		return r == -EEXIST ? -ESTALE : r;
	}
	adopt(n);
	return 0;
}

/* --- what the upper holds in part ------------------------------------------------------------- */

static int complete_merged(struct node *n)
{
	struct overlay *ov = ovl_of(&n->vn);
	_cleanup_children_ struct children c = { 0 };
	struct statx st;
	int r = children_get(n, &c);

	for (size_t i = 0; r == 0 && i < c.count; i++) {
		if (S_ISDIR(c.n[i]->vn.type))
			r = tree_complete(c.n[i]);
		else
			r = copyup(c.n[i], false);
	}
	int fd = r < 0 ? r : node_dirfd(n, 0);
	if (fd < 0)
		return fd;
	r = x_statx(fd, ".", &st);
	if (r < 0)
		return r;
	mode_t lent = lend_write(ov, fd, ".");
	bool xwh = node_xwh(n, 0, fd);
	r = ov->wh->set_opaque(ov, fd, ".");
	/* From here on nothing of a lower can show: the marks hide nothing. */
	if (r == 0)
		r = marks_clear(ov, fd, ".", xwh);
	lend_end(fd, ".", lent);
	copy_times(fd, ".", &st);
	if (r < 0)
		return r;
	node_clear_lower(n);
	n->upper_xwh = 0;
	vfs_changed(&n->vn);
	return 0;
}

int tree_complete(struct node *n)
{
	if (!S_ISDIR(n->vn.type))
		return copyup(n, false);
	if (!n->nlower)
		return 0;
	/* The number stays though the lowers are forgotten. */
	if (!n->upper)
		return complete_lower(n);
	struct statx st;
	int r = node_statx(n, &st);
	if (r == 0)
		r = identity_add(ovl_of(&n->vn)->id, &st, n->ino);
	return r < 0 ? r : complete_merged(n);
}
