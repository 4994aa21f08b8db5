/* SPDX-License-Identifier: MIT */
/* From objects and real places back to what programs see. */
#include "config.h"

#include "path/space.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"

struct vnode *path_by_inode(struct path_space *s, dev_t dev, ino_t ino)
{
	return space_vnode(s, (arena_ref)cache_find_inode(&s->cache, dev, ino));
}

struct vnode *path_by_stat(struct path_space *s, const struct stat *st)
{
	uint64_t i = cache_find_inode(&s->cache, st->st_dev, st->st_ino);
	struct vnode *vn = space_vnode(s, (arena_ref)i);

	if (vn && vn->dead && st->st_nlink && !(i & INODE_LOWER))
		return NULL;
	return vn;
}

ssize_t path_virtual(struct path_space *s, const struct vnode *vn, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t len = strlen(s->mountpoint);
	arena_ref node;
	ssize_t n;
	int r;

	/* The node may be made here: it changes nothing that anybody sees of vn. */
	r = fill_node(s, (struct vnode *)(uintptr_t)vn, &node);
	if (r < 0)
		return r;
	if (len + 2 > size)
		return -ENAMETOOLONG;
	memcpy(buf, s->mountpoint, len);
	n = cache_path(&s->cache, node, buf + len, size - len);
	if (n < 0)
		return n;
	len += (size_t)n;
	if (!len)
		buf[len++] = '/';
	if (vn->dead) {
		if (len + sizeof(deleted) > size)
			return -ENAMETOOLONG;
		memcpy(buf + len, deleted, sizeof(deleted) - 1);
		len += sizeof(deleted) - 1;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

bool path_in_layer(struct path_space *s, const char *host)
{
	return host_layer_flags(s, host) & NODE_LAYER;
}

bool path_in_upper(struct path_space *s, const char *host)
{
	size_t len = s->upper ? strlen(s->upper) : 0;

	return s->upper && strncmp(host, s->upper, len) == 0 && (!host[len] || host[len] == '/');
}

/* The innermost layer that host is in: what follows its path, or NULL. */
static const char *below_layer(const struct path_space *s, const char *host)
{
	size_t best = 0;
	bool found = false;

	for (unsigned i = 0; i < s->nlayer; i++) {
		const struct path_layer *l = &s->layer[i];

		if (l->len >= best && strncmp(host, l->path, l->len) == 0 &&
		    (!host[l->len] || host[l->len] == '/')) {
			best = l->len;
			found = true;
		}
	}
	return found ? host + best : NULL;
}

/* vn's real object is the one that host names, now. */
static bool is_at(struct vnode *vn, const char *host)
{
	char real[PATH_MAX];
	struct stat st, other;

	if (vn->dead || vn->fs->ops->realpath(vn, real, sizeof(real)) < 0)
		return false;
	if (strcmp(real, host) == 0)
		return true;
	/* Spelled otherwise: through a descriptor, or a layer whose path has a symlink in it. */
	return x_fstatat(AT_FDCWD, real, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       x_fstatat(AT_FDCWD, host, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == other.st_dev && st.st_ino == other.st_ino;
}

/* The object that the view shows at path, nothing followed. */
static struct vnode *literal(struct path_space *s, const char *path)
{
	struct path_where root = { .host = "" };
	struct path_query q = {
		.path = path + strspn(path, "/"),
		.flags = PATH_EMPTY | PATH_NO_SYMLINKS | PATH_BENEATH,
		.start = &root,
	};
	struct path_result res;

	root.vn = space_vnode(s, cache_head(&s->cache)->vfs_root);
	return path_lookup(s, &q, &res) == 0 ? res.vn : NULL;
}

struct vnode *path_of_real(struct path_space *s, const char *host)
{
	const char *below = below_layer(s, host);
	struct vnode *vn = NULL, *seen = NULL;
	struct stat st;

	if (!below)
		return NULL;
	/* Nearly always the view shows it under the same path.  A moved directory, or something
	 * below one, only its inode tells. */
	vn = literal(s, below);
	if (vn && is_at(vn, host))
		return vn;
	if (x_fstatat(AT_FDCWD, host, &st, AT_SYMLINK_NOFOLLOW) == 0)
		seen = path_by_inode(s, st.st_dev, st.st_ino);
	return seen && is_at(seen, host) ? seen : NULL;
}
