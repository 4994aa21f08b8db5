/* SPDX-License-Identifier: MIT */
/* Learns from the file system what the resolver missed, and hears of its changes. */
#include "config.h"

#include "path/space.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "vfs/perm.h"

/* Fuss itself: for what the cache asks on its own behalf. */
static const struct cred all_powerful = { .caps = UINT64_MAX };

/* --- nodes ------------------------------------------------------------------------------------ */

static int number_vnode(struct path_space *s, struct vnode *vn, unsigned *ret)
{
	if (s->nvn == s->vn_size) {
		unsigned size = s->vn_size ? s->vn_size * 2 : 256;
		struct vnode **p = reallocarray(s->vn, size, sizeof(struct vnode *));

		if (!p)
			return -ENOMEM;
		s->vn = p;
		s->vn_size = size;
		if (!s->nvn)
			s->vn[s->nvn++] = NULL;
	}
	s->vn[s->nvn] = vn;
	*ret = s->nvn++;
	return 0;
}

/* The entry that names vn; 0 where nothing does (the root, or it is gone). */
static int entry_of(struct path_space *s, struct vnode *vn, arena_ref *ret)
{
	arena_ref dir;
	int r;

	*ret = 0;
	if (!vn->parent)
		return 0;
	r = fill_node(s, vn->parent, &dir);
	if (r < 0)
		return r;
	return cache_get_entry(&s->cache, dir, vn->name, strlen(vn->name), ret);
}

int fill_node(struct path_space *s, struct vnode *vn, arena_ref *ret)
{
	uint32_t flags = vn->dead ? NODE_DEAD : 0;
	arena_ref entry;
	unsigned number;
	int r;

	if (vn->cache_id) {
		*ret = vn->cache_id;
		return 0;
	}
	if (S_ISDIR(vn->type))
		flags |= NODE_DIR;
	else if (S_ISLNK(vn->type))
		flags |= NODE_LINK;
	r = entry_of(s, vn, &entry);
	if (r < 0)
		return r;
	r = number_vnode(s, vn, &number);
	if (r < 0)
		return r;
	r = cache_new_node(&s->cache, flags, entry, ret);
	if (r < 0) {
		s->nvn--;
		return r;
	}
	cache_node_rw(&s->cache, *ret)->number = number;
	vn->cache_id = *ret;
	return 0;
}

/* --- what the resolver missed ----------------------------------------------------------------- */

static int fill_name(struct path_space *s, struct resolve *w)
{
	struct vnode *dir = space_vnode(s, w->node), *vn;
	char name[NAME_MAX + 1];
	arena_ref entry, node;
	int r;

	memcpy(name, w->name, w->len);
	name[w->len] = '\0';
	watch_dir(s, dir, w->node);
	r = dir->fs->ops->lookup(dir, name, &vn);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		r = fill_node(s, vn, &node);
		if (r < 0)
			return r;
		r = cache_get_entry(&s->cache, w->node, name, w->len, &entry);
		if (r == 0)
			cache_publish(&s->cache, entry, ENTRY_NODE, node);
		return r;
	}
	r = cache_get_entry(&s->cache, w->node, name, w->len, &entry);
	if (r == 0)
		cache_publish(&s->cache, entry, ENTRY_NEGATIVE, 0);
	return r;
}

/* The mode is the whole truth only where there is no ACL. */
static bool may_have_acl(struct vnode *vn)
{
	ssize_t r;

	r = vn->fs->ops->getxattr(vn, "system.posix_acl_access", NULL, 0, &all_powerful);
	return r != -ENODATA && r != -EOPNOTSUPP;
}

static int fill_perm(struct path_space *s, arena_ref node)
{
	struct vnode *vn = space_vnode(s, node);
	struct cache_perm p;
	struct statx stx;
	int r;

	r = vn->fs->ops->getattr(vn, &stx);
	if (r < 0 && !vn->dead)
		return r;
	/* Nothing is found in a removed directory, whatever its mode was. */
	p = (struct cache_perm){ .mode = 0777 };
	if (r == 0) {
		p = (struct cache_perm){
			.mode = stx.stx_mode & 07777U,
			.uid = stx.stx_uid,
			.gid = stx.stx_gid,
			.acl = S_ISDIR(vn->type) && may_have_acl(vn),
		};
	}
	return cache_set_perm(&s->cache, node, &p);
}

static int fill_access(struct path_space *s, const struct resolve_request *q, struct resolve *w)
{
	int r = perm_vnode(space_vnode(s, w->node), PERM_X, q->cred);

	if (r == 0)
		w->granted = w->node;
	return r;
}

static int fill_target(struct path_space *s, arena_ref node)
{
	struct vnode *vn = space_vnode(s, node);
	char buf[PATH_MAX];
	ssize_t n;

	n = vn->fs->ops->readlink(vn, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	if ((size_t)n >= sizeof(buf))
		return -ENAMETOOLONG;
	return cache_set_target(&s->cache, node, buf, (size_t)n);
}

int fill_place(struct path_space *s, arena_ref node)
{
	struct vnode *vn = space_vnode(s, node);
	char real[PATH_MAX], chain[PATH_MAX];
	int layer, r;
	size_t n;

	layer = vn->fs->ops->layer(vn);
	if (layer < 0)
		return layer;
	r = vn->fs->ops->realpath(vn, real, sizeof(real));
	if (r < 0)
		return r;
	/* Through a descriptor of ours: of no use to anybody else. */
	if (strncmp(real, "/proc/", 6) == 0)
		return -ENAMETOOLONG;
	n = layer == 0 && s->upper ? strlen(s->upper) : 0;
	if (n && strncmp(real, s->upper, n) == 0 &&
	    cache_path(&s->cache, node, chain, sizeof(chain)) >= 0 && strcmp(real + n, chain) == 0)
		return cache_set_place(&s->cache, node, 0, NULL);
	return cache_set_place(&s->cache, node, (unsigned)layer, real);
}

int fill(struct path_space *s, const struct resolve_request *q, struct resolve *w)
{
	int r = -EIO;

	if (cache_flags(cache_node(&s->cache, w->node)) & NODE_HOST)
		return host_fill(s, q, w);
	switch (w->miss) {
	case MISS_NAME:
	case MISS_LAST:
		r = fill_name(s, w);
		break;
	case MISS_PERM:
		r = fill_perm(s, w->node);
		break;
	case MISS_ACCESS:
		r = fill_access(s, q, w);
		break;
	case MISS_TARGET:
		r = fill_target(s, w->node);
		break;
	case MISS_PLACE:
		r = fill_place(s, w->node);
		break;
	}
	return r < 0 ? r : FILL_AGAIN;
}

/* --- what the file system tells --------------------------------------------------------------- */

/* Memory that is short leaves the map without an entry: the object is then not found by its inode,
 * but nothing wrong is. */
static void on_real(void *arg, struct vnode *vn, dev_t dev, ino_t ino)
{
	struct path_space *s = arg;
	uint64_t lower = vn->fs->ops->layer(vn) > 0 ? INODE_LOWER : 0;
	arena_ref node;

	if (fill_node(s, vn, &node) == 0)
		(void)cache_set_inode(&s->cache, dev, ino, node | lower);
}

static void on_changed(void *arg, struct vnode *vn)
{
	struct path_space *s = arg;
	arena_ref entry;

	if (!vn->cache_id)
		return;
	cache_set_flags(&s->cache, vn->cache_id, vn->dead ? NODE_DEAD : 0,
			NODE_HAS_PERM | NODE_HAS_TARGET | NODE_HAS_PLACE);
	/* The dead keep their last place: for path_virtual() and for "..". */
	if (!vn->dead && vn->parent && entry_of(s, vn, &entry) == 0)
		arena_store32(&cache_node_rw(&s->cache, vn->cache_id)->entry, entry);
}

static void on_name_changed(void *arg, struct vnode *dir, const char *name)
{
	struct path_space *s = arg;
	arena_ref entry;

	if (!dir->cache_id)
		return;
	entry = cache_find(&s->cache, dir->cache_id, name, strlen(name));
	if (entry)
		cache_publish(&s->cache, entry, ENTRY_UNKNOWN, 0);
}

void fill_observe(struct path_space *s)
{
	s->fs->obs = (struct vfs_observer){
		.real = on_real,
		.changed = on_changed,
		.name_changed = on_name_changed,
		.arg = s,
	};
}

void fill_unobserve(struct path_space *s)
{
	s->fs->obs = (struct vfs_observer){ 0 };
}
