/* SPDX-License-Identifier: MIT */
/*
 * rename(2): the checks of vfs_rename(), then one step.
 *
 * Both objects are brought wholly into the upper first (tree.c), which the view does not show; the
 * rename itself is then one of the upper, together with the whiteout that the old name may need.
 */
#include "config.h"

#include "overlay/whiteout.h"
#include "vfs/perm.h"

#define RENAME_KNOWN (RENAME_NOREPLACE | RENAME_EXCHANGE | (1u << 2))

struct renaming {
	struct overlay *ov;
	struct node *odir, *ndir, *n, *target;
	const char *oname, *nname;
	int ofd, nfd;
	unsigned flags;
	bool isdir;
	bool opaque_set, target_opaque_set; /* to be undone */
};

static bool same_inode(const struct node *a, const struct node *b)
{
	if (a == b)
		return true;
	/* Hard links of a lower are objects of their own (index=off). */
	return a->upper && b->upper && !S_ISDIR(a->vn.type) && a->udev == b->udev &&
	       a->uino == b->uino;
}

/* do_renameat2(), up to vfs_rename(). */
static int check_places(const struct renaming *m)
{
	const struct vnode *target = m->target ? &m->target->vn : NULL;

	if ((m->flags & ~RENAME_KNOWN) ||
	    ((m->flags & RENAME_EXCHANGE) && (m->flags & ~(unsigned)RENAME_EXCHANGE)))
		return -EINVAL;
	if (!m->ov->rw)
		return -EROFS;
	if (m->n->vn.dead || m->ndir->vn.dead)
		return -ENOENT;
	if ((m->flags & RENAME_NOREPLACE) && target)
		return -EEXIST;
	if ((m->flags & RENAME_EXCHANGE) && !target)
		return -ENOENT;
	if (m->isdir && vnode_is_ancestor(&m->n->vn, &m->ndir->vn))
		return -EINVAL;
	if (target && vnode_is_ancestor(target, &m->odir->vn))
		return m->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* vfs_rename() */
static int check_permissions(const struct renaming *m, const struct cred *c)
{
	bool exchange = m->flags & RENAME_EXCHANGE;
	bool target_dir = m->target && S_ISDIR(m->target->vn.type);
	int r = perm_delete(&m->odir->vn, &m->n->vn, m->isdir, c);

	if (r == 0 && !m->target)
		r = perm_create(&m->ndir->vn, c);
	else if (r == 0)
		r = perm_delete(&m->ndir->vn, &m->target->vn, exchange ? target_dir : m->isdir, c);
	/* .. changes with the parent: that is writing. */
	if (r == 0 && m->odir != m->ndir && m->isdir)
		r = perm_vnode(&m->n->vn, PERM_W, c);
	if (r == 0 && m->odir != m->ndir && exchange && target_dir)
		r = perm_vnode(&m->target->vn, PERM_W, c);
	if (r < 0)
		return r;
	if (m->flags & (1u << 2)) /* RENAME_WHITEOUT, refused by ovl_rename() */
		return -EINVAL;
	if (m->ov->prefix && mark_is_prefixed(m->nname))
		return -EINVAL;
	if (target_dir && !exchange) {
		r = listing_empty(m->target);
		if (r <= 0)
			return r < 0 ? r : -ENOTEMPTY;
	}
	return 0;
}

/* n, a directory that is wholly upper, must not merge with what lies below its new name. */
static int make_opaque(struct renaming *m, struct node *n, int fd, const char *name,
		       struct node *dir, const char *newname, bool *set)
{
	bool lower_dir;

	if (!S_ISDIR(n->vn.type) || !dir->nlower)
		return 0;
	if (mark_opaque(fd, name, m->ov->prefix) == OPAQUE_YES)
		return 0;
	int r = merge_lower_has(dir, newname, &lower_dir);
	if (r < 0)
		return r;
	/* The kernel marks any directory in a merged one; in the other dialect that is clutter. */
	if (!lower_dir && m->ov->prefix)
		return 0;
	r = m->ov->wh->set_opaque(m->ov, fd, name);
	*set = r == 0;
	return lower_dir ? r : 0;
}

static int bring_up(struct renaming *m)
{
	int r = tree_complete(m->n);

	if (r == 0)
		r = copyup(m->n, false);
	if (r == 0 && (m->flags & RENAME_EXCHANGE)) {
		r = tree_complete(m->target);
		if (r == 0)
			r = copyup(m->target, false);
	}
	if (r == 0)
		r = copyup(m->ndir, false);
	if (r < 0)
		return r;
	m->ofd = node_dirfd(m->odir, 0);
	m->nfd = node_dirfd(m->ndir, 0);
	r = m->ofd < 0 ? m->ofd : m->nfd < 0 ? m->nfd : 0;
	if (r == 0)
		r = make_opaque(m, m->n, m->ofd, m->oname, m->ndir, m->nname, &m->opaque_set);
	if (r == 0 && (m->flags & RENAME_EXCHANGE))
		r = make_opaque(m, m->target, m->nfd, m->nname, m->odir, m->oname,
				&m->target_opaque_set);
	return r;
}

/* An upper directory that is empty in the view becomes empty on disk, so that it can be replaced.
 */
static int clear_target(struct renaming *m)
{
	struct node *t = m->target;

	/* The other dialect's mark is a file in it: its move() exchanges. */
	if (!t || !t->upper || !S_ISDIR(t->vn.type) || m->ov->prefix)
		return 0;
	int fd = node_dirfd(t, 0);
	int r = fd < 0 ? fd : 0;
	if (r == 0 && t->nlower)
		r = m->ov->wh->set_opaque(m->ov, fd, ".");
	if (r < 0)
		return r;
	bool xwh = node_xwh(t, 0, fd);
	r = marks_clear(m->ov, fd, ".", xwh);
	if (r == 0 && t->nlower) {
		node_clear_lower(t);
		vfs_changed(&t->vn);
	}
	return r;
}

static int move(struct renaming *m)
{
	int hide, way;
	int r = clear_target(m);

	if (r < 0)
		return r;
	hide = merge_lower_has(m->odir, m->oname, NULL);
	if (hide < 0)
		return hide;
	way = mark_in_way(m->ndir, m->nfd, m->nname);
	if (way < 0)
		return way;
	/* Something came there behind our back. */
	if (way == WAY_OBJECT && !(m->target && m->target->upper))
		return -ESTALE;
	return m->ov->wh->move(m->ov, m->ofd, m->oname, m->nfd, m->nname, hide, way, m->isdir);
}

static void moved(struct renaming *m)
{
	if (m->flags & RENAME_EXCHANGE) {
		if (vnode_swap(&m->n->vn, &m->target->vn) < 0) {
			vnode_kill(&m->n->vn);
			vnode_kill(&m->target->vn);
		}
		return;
	}
	if (m->target) {
		dircache_drop(m->ov->dirs, m->target, 0);
		vnode_kill(&m->target->vn);
	}
	listing_forget(m->odir, m->oname);
	/* Out of memory: it is looked up anew. */
	if (vnode_move(&m->n->vn, &m->ndir->vn, m->nname) < 0)
		vnode_kill(&m->n->vn);
}

int ovl_rename(struct vnode *odir, const char *oname, struct vnode *vn, struct vnode *ndir,
	       const char *nname, struct vnode *target, unsigned flags, const struct cred *c)
{
	struct renaming m = {
		.ov = ovl_of(vn), .odir = node_of(odir), .ndir = node_of(ndir), .n = node_of(vn),
		.target = target ? node_of(target) : NULL, .oname = oname, .nname = nname,
		.flags = flags, .isdir = S_ISDIR(vn->type),
	};
	int r = check_places(&m);

	if (r < 0)
		return r;
	if (m.target && same_inode(m.n, m.target))
		return 0;
	r = check_permissions(&m, c);
	if (r < 0)
		return r;
	r = bring_up(&m);
	if (r == 0 && (flags & RENAME_EXCHANGE))
		r = x_renameat2(m.ofd, oname, m.nfd, nname, RENAME_EXCHANGE);
	else if (r == 0)
		r = move(&m);
	if (r < 0) {
		if (m.opaque_set)
			m.ov->wh->clear_opaque(m.ov, m.ofd, oname);
		if (m.target_opaque_set)
			m.ov->wh->clear_opaque(m.ov, m.nfd, nname);
		return r;
	}
	moved(&m);
	return 0;
}
