/* SPDX-License-Identifier: MIT */
/*
 * Merged listings with positions that last.
 *
 * A directory's listing is a vector of entries in the order of their positions, with a hash by
 * name. Reading from the start reads the layers again: names that stay keep their position, new
 * ones get the next, those that went are taken out.  Positions are never used twice, so a stream
 * that is half-way through keeps its place whatever others read.
 */
#include "config.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "overlay/ovl.h"

#define POS_DOT 1
#define POS_DOTDOT 2

struct entry {
	char *name; /* NULL: went */
	uint64_t ino;
	uint64_t off;	    /* 0: none yet */
	uint32_t seen;	    /* the refresh that saw it last */
	unsigned char type; /* DT_* */
	bool hidden;	    /* a whiteout, in the refresh that saw it */
	bool merged;	    /* an upper directory that has the name below too: ino by look-up */
	unsigned layer;	    /* where it was seen first */
};

struct listing {
	struct entry *e;
	size_t n, cap, gone;
	uint32_t *slot; /* index + 1 into e, by name; 0: free */
	size_t nslot;
	uint64_t next; /* position of the next new name */
	uint32_t round;
};

void listing_free(struct listing *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->e[i].name);
	free(l->e);
	free(l->slot);
	free(l);
}

static size_t slot_of(const struct listing *l, const char *name)
{
	size_t i = hash_bytes(name, strlen(name), 0) & (l->nslot - 1);

	for (; l->slot[i]; i = (i + 1) & (l->nslot - 1)) {
		const struct entry *e = &l->e[l->slot[i] - 1];

		if (e->name && !strcmp(e->name, name))
			break;
	}
	return i;
}

static struct entry *listing_find(struct listing *l, const char *name)
{
	uint32_t i = l->nslot ? l->slot[slot_of(l, name)] : 0;

	return i ? &l->e[i - 1] : NULL;
}

/* A table of the right size, with the vector packed. */
static int listing_rehash(struct listing *l)
{
	size_t nslot = 64, keep = 0;

	while (nslot < (l->n + 1) * 3)
		nslot *= 2;
	uint32_t *slot = calloc(nslot, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	free(l->slot);
	l->slot = slot;
	l->nslot = nslot;
	for (size_t i = 0; i < l->n; i++) {
		if (!l->e[i].name)
			continue;
		l->e[keep] = l->e[i];
		l->slot[slot_of(l, l->e[keep].name)] = (uint32_t)keep + 1;
		keep++;
	}
	l->n = keep;
	l->gone = 0;
	return 0;
}

static int listing_add(struct listing *l, const char *name, struct entry **ret)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 32;
		struct entry *e = realloc(l->e, cap * sizeof(*e));

		if (!e)
			return -ENOMEM;
		l->e = e;
		l->cap = cap;
	}
	if ((l->n + 1) * 2 > l->nslot) {
		int r = listing_rehash(l);

		if (r < 0)
			return r;
	}
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	size_t s = slot_of(l, name);
	l->e[l->n] = (struct entry){ .name = copy };
	l->slot[s] = (uint32_t)++l->n;
	*ret = &l->e[l->n - 1];
	return 0;
}

static void entry_drop(struct listing *l, struct entry *e)
{
	/* The slot goes on leading to it, as a grave, until the next rehash. */
	free(e->name);
	e->name = NULL;
	l->gone++;
}

void listing_forget(struct node *dir, const char *name)
{
	struct entry *e = dir->list ? listing_find(dir->list, name) : NULL;

	if (e)
		entry_drop(dir->list, e);
}

/* --- reading the layers ----------------------------------------------------------------------- */

struct scan {
	struct node *dir;
	struct listing *l;
	unsigned layer;
	int fd;	       /* the layer's directory */
	dev_t dev;
	bool prefixes; /* .wh. is a mark here */
	bool xwh;
};

static unsigned char type_of_mode(mode_t mode)
{
	return IFTODT(mode);
}

/* What a directory entry of a layer is; types that need a look get one. */
static int scan_stat(const struct scan *s, const struct dirent *d, unsigned char *type,
		     bool *hidden)
{
	struct stat st;

	*type = d->d_type;
	*hidden = false;
	if (d->d_type != DT_UNKNOWN && d->d_type != DT_CHR && !(d->d_type == DT_REG && s->xwh))
		return 0;
	int r = x_fstatat(s->fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
	if (r < 0)
		return r;
	*type = type_of_mode(st.st_mode);
	*hidden = mark_is_whiteout(s->fd, d->d_name, st.st_mode, st.st_rdev, st.st_size, s->xwh);
	return 0;
}

/* Enters a name that this layer shows or hides, unless a layer above decided already. */
static int scan_enter(struct scan *s, const char *name, unsigned char type, uint64_t ino,
		      bool hidden)
{
	struct entry *e = listing_find(s->l, name);

	if (e && e->seen == s->l->round) {
		if (!hidden && !e->hidden && e->layer == 0 && s->layer && e->type == DT_DIR &&
		    type == DT_DIR)
			e->merged = true;
		/* .wh.NAME and NAME in one layer: the name is shown, what is below is not. */
		if (!hidden && e->hidden && e->layer == s->layer)
			e->hidden = false;
		else
			return 0;
	}
	if (!e) {
		int r = listing_add(s->l, name, &e);

		if (r < 0)
			return r;
	}
	e->seen = s->l->round;
	e->type = type;
	e->ino = ino;
	e->hidden = hidden;
	e->merged = false;
	e->layer = s->layer;
	return 0;
}

static uint64_t entry_ino(const struct scan *s, const struct dirent *d)
{
	struct overlay *ov = ovl_of(&s->dir->vn);
	struct statx st;

	/* Copied up: the number that it had below. */
	if (s->layer == 0 && identity_known(ov->id, s->dev, d->d_ino) &&
	    x_statx(s->fd, d->d_name, &st) == 0)
		return identity_find(ov->id, &st);
	return identity_ino(ov->id, s->dev, d->d_ino);
}

static int scan_entry(struct scan *s, const struct dirent *d)
{
	const char *name = d->d_name;
	unsigned char type;
	bool hidden;

	if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
		return 0;
	if (s->prefixes && mark_is_prefixed(name)) {
		name += sizeof(PREFIX) - 1;
		/* .wh..wh.*: marks of the directory, not of a name. */
		if (!*name || mark_is_prefixed(name))
			return 0;
		return scan_enter(s, name, DT_UNKNOWN, 0, true);
	}
	int r = scan_stat(s, d, &type, &hidden);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return scan_enter(s, name, type, entry_ino(s, d), hidden);
}

static int scan_layer(struct node *dir, struct listing *l, unsigned layer)
{
	struct overlay *ov = ovl_of(&dir->vn);
	struct scan s = { .dir = dir, .l = l, .layer = layer };
	struct stat st;
	int r = 0;

	s.fd = node_dirfd(dir, layer);
	/* Gone underneath: it has no names any more. */
	if (s.fd < 0)
		return s.fd == -ENOENT || s.fd == -ENOTDIR ? 0 : s.fd;
	s.prefixes = layer || ov->prefix;
	s.xwh = node_xwh(dir, layer, s.fd);
	r = x_fstat(s.fd, &st);
	if (r < 0)
		return r;
	s.dev = st.st_dev;
	int fd = open_dir(s.fd, ".");
	if (fd < 0)
		return fd;
	s.fd = fd;
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	for (;;) {
		errno = 0;
		struct dirent *e = readdir(d);
		if (!e) {
			r = -errno;
			break;
		}
		r = scan_entry(&s, e);
		if (r < 0)
			break;
	}
	closedir(d);
	return r;
}

/* An upper directory shows the number of what it merges with, if it does. */
static void settle_merged(struct node *dir, struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct vnode *vn;

		if (l->e[i].name && l->e[i].merged && ovl_lookup(&dir->vn, l->e[i].name, &vn) == 0)
			l->e[i].ino = node_of(vn)->ino;
	}
}

/* A whole-root overlay: what look-up does not show is not listed. */
static void settle_nested(struct node *dir, struct listing *l)
{
	struct vnode *vn;

	if (!ovl_of(&dir->vn)->nested)
		return;
	for (size_t i = 0; i < l->n; i++) {
		if (l->e[i].name && l->e[i].type == DT_DIR && l->e[i].layer &&
		    ovl_lookup(&dir->vn, l->e[i].name, &vn) == -ENOENT)
			entry_drop(l, &l->e[i]);
	}
}

static int listing_refresh(struct node *dir)
{
	struct listing *l = dir->list;
	int r = 0;

	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return -ENOMEM;
		l->next = POS_DOTDOT + 1;
		dir->list = l;
	}
	l->round++;
	if (dir->upper)
		r = scan_layer(dir, l, 0);
	for (unsigned i = 0; r == 0 && i < dir->nlower; i++)
		r = scan_layer(dir, l, dir->lower[i].layer);
	if (r < 0)
		return r;
	for (size_t i = 0; i < l->n; i++) {
		struct entry *e = &l->e[i];

		if (e->name && (e->seen != l->round || e->hidden))
			entry_drop(l, e);
		else if (e->name && !e->off)
			e->off = l->next++;
	}
	settle_merged(dir, l);
	settle_nested(dir, l);
	return l->gone ? listing_rehash(l) : 0;
}

int listing_empty(struct node *dir)
{
	int r = listing_refresh(dir);

	return r < 0 ? r : dir->list->n == 0;
}

/* --- the operation ---------------------------------------------------------------------------- */

/* The first entry after position off. */
static size_t entry_after(const struct listing *l, uint64_t off)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->e[mid].off <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int ovl_readdir(struct vnode *dir, uint64_t off, vfs_dirent_fn fn, void *arg)
{
	struct node *n = node_of(dir);
	struct node *up = dir->parent ? node_of(dir->parent) : n;

	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	if (dir->dead)
		return -ENOENT;
	if (off == 0 || !n->list) {
		int r = listing_refresh(n);

		if (r < 0)
			return r;
	}
	struct vfs_dirent dot = { ".", n->ino, POS_DOT, DT_DIR };
	struct vfs_dirent dotdot = { "..", up->ino, POS_DOTDOT, DT_DIR };
	if (off < POS_DOT && !fn(arg, &dot))
		return 0;
	if (off < POS_DOTDOT && !fn(arg, &dotdot))
		return 0;
	for (size_t i = entry_after(n->list, off); i < n->list->n; i++) {
		const struct entry *e = &n->list->e[i];
		struct vfs_dirent d = { e->name, e->ino, e->off, e->type };

		if (e->name && !fn(arg, &d))
			return 0;
	}
	return 0;
}
