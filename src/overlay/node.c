/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "overlay/ovl.h"

int node_new(struct overlay *ov, struct node *dir, const char *name, mode_t type, struct node **ret)
{
	_cleanup_free_ struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	int r = vnode_init(&n->vn, &ov->vfs, dir ? &dir->vn : NULL, name, type);
	if (r < 0)
		return r;
	n->upper_xwh = -1;
	n->all = ov->all;
	ov->all = n;
	*ret = steal_ptr(&n);
	return 0;
}

void node_clear_lower(struct node *n)
{
	struct overlay *ov = ovl_of(&n->vn);

	for (unsigned i = 0; i < n->nlower; i++) {
		if (S_ISDIR(n->vn.type) && ov->dirs)
			dircache_drop(ov->dirs, n, n->lower[i].layer);
		free(n->lower[i].path);
	}
	free(n->lower);
	n->lower = NULL;
	n->nlower = 0;
}

void node_free(struct node *n)
{
	node_clear_lower(n);
	listing_free(n->list);
	free(n->vn.name);
	free(n);
}

static const struct ref *node_ref(const struct node *n, unsigned layer)
{
	for (unsigned i = 0; i < n->nlower; i++) {
		if (n->lower[i].layer == layer)
			return &n->lower[i];
	}
	return NULL;
}

/* Is path this name in the directory dir?  (Not where the two parted: a removed object.) */
static bool path_in_dir(const char *path, const char *dir, const char *name)
{
	size_t len = strlen(dir);

	if (len) {
		if (strncmp(path, dir, len) || path[len] != '/')
			return false;
		path += len + 1;
	}
	return !strcmp(path, name);
}

/* A descriptor for n's parent in that layer, if it is at hand. */
static int parent_at_hand(struct node *n, unsigned layer, const char *path)
{
	struct overlay *ov = ovl_of(&n->vn);
	struct node *dir = node_of(n->vn.parent);

	if (!dir)
		return -1;
	if (path) {
		const struct ref *ref = node_ref(dir, layer);

		if (!ref || !path_in_dir(path, ref->path, n->vn.name))
			return -1;
	}
	if (dir == ov->root)
		return ov->layer[layer].fd;
	return dircache_get(ov->dirs, dir, layer);
}

int node_dirfd(struct node *n, unsigned layer)
{
	struct overlay *ov = ovl_of(&n->vn);
	_cleanup_free_ char *virtual = NULL;
	const char *path;

	if (n == ov->root)
		return ov->layer[layer].fd;
	int fd = dircache_get(ov->dirs, n, layer);
	if (fd >= 0)
		return fd;
	if (layer == 0) {
		path = virtual = node_path(n);
		if (!path)
			return n->vn.dead ? -ESTALE : -ENOMEM;
	} else {
		const struct ref *ref = node_ref(n, layer);

		if (!ref)
			return -ESTALE;
		path = ref->path;
	}
	int up = parent_at_hand(n, layer, layer ? path : NULL);
	if (up >= 0)
		fd = x_openat(up, n->vn.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	else
		fd = open_beneath(ov->layer[layer].fd, path);
	if (fd >= 0)
		dircache_put(ov->dirs, n, layer, fd);
	return fd;
}

int node_loc_lower(struct node *n, unsigned i, struct loc *ret)
{
	struct overlay *ov = ovl_of(&n->vn);
	struct node *dir = node_of(n->vn.parent);
	const struct ref *ref = &n->lower[i];
	const char *base = strrchr(ref->path, '/');

	if (n == ov->root) {
		*ret = (struct loc){ .fd = ov->layer[ref->layer].fd, .name = "." };
		return 0;
	}
	if (dir) {
		const struct ref *up = node_ref(dir, ref->layer);

		if (up && path_in_dir(ref->path, up->path, n->vn.name)) {
			int fd = node_dirfd(dir, ref->layer);

			if (fd < 0)
				return fd;
			*ret = (struct loc){ .fd = fd, .name = n->vn.name };
			return 0;
		}
	}
	_cleanup_free_ char *up = strndup(ref->path, base ? (size_t)(base - ref->path) : 0);
	if (!up)
		return -ENOMEM;
	int fd = open_beneath(ov->layer[ref->layer].fd, up);
	if (fd < 0)
		return fd;
	*ret = (struct loc){ .fd = fd, .name = base ? base + 1 : ref->path, .own = true };
	return 0;
}

int node_loc(struct node *n, struct loc *ret)
{
	struct overlay *ov = ovl_of(&n->vn);

	if (!n->upper)
		return n->nlower ? node_loc_lower(n, 0, ret) : -ESTALE;
	if (n == ov->root) {
		*ret = (struct loc){ .fd = ov->layer[0].fd, .name = "." };
		return 0;
	}
	if (!n->vn.parent)
		return -ESTALE;
	int fd = node_dirfd(node_of(n->vn.parent), 0);
	if (fd < 0)
		return fd;
	*ret = (struct loc){ .fd = fd, .name = n->vn.name };
	return 0;
}

int node_statx(struct node *n, struct statx *ret)
{
	_cleanup_loc_ struct loc l = LOC_NONE;
	int r = node_loc(n, &l);

	return r < 0 ? r : x_statx(l.fd, l.name, ret);
}

char *node_path(const struct node *n)
{
	size_t size = 256;

	for (;;) {
		char *buf = malloc(size);

		if (!buf)
			return NULL;
		int r = vnode_path(&n->vn, buf, size);
		if (r == 0)
			return buf;
		free(buf);
		if (r != -ENAMETOOLONG)
			return NULL;
		size *= 2;
	}
}

/* "/proc/PID/fd/N/NAME" through a duplicate of fd that stays open for a while. */
static int pinned_path(struct overlay *ov, int fd, const char *name, char *buf, size_t size)
{
	int copy = (int)x_ret(fcntl(fd, F_DUPFD_CLOEXEC, 0));

	if (copy < 0)
		return copy;
	int *slot = &ov->pin[ov->npin++ % NPIN];
	if (*slot >= 0)
		close(*slot);
	*slot = copy;
	int len = snprintf(buf, size, "/proc/%d/fd/%d/%s", getpid(), copy, name);
	return len >= 0 && (size_t)len < size ? 0 : -ENAMETOOLONG;
}

static int layer_path(struct overlay *ov, unsigned layer, const char *path, char *buf, size_t size)
{
	const char *top = ov->layer[layer].path;
	int len = snprintf(buf, size, "%s%s%s", top, *path || !*top ? "/" : "", path);

	return len >= 0 && (size_t)len < size && len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int node_realpath(struct vnode *vn, char *buf, size_t size)
{
	struct node *n = node_of(vn);
	struct overlay *ov = ovl_of(vn);
	_cleanup_free_ char *virtual = NULL;
	int r;

	if (n->upper) {
		virtual = node_path(n);
		if (!virtual)
			return -ESTALE;
		r = layer_path(ov, 0, virtual, buf, size);
	} else {
		if (!n->nlower)
			return -ESTALE;
		r = layer_path(ov, n->lower[0].layer, n->lower[0].path, buf, size);
	}
	if (r != -ENAMETOOLONG)
		return r;
	_cleanup_loc_ struct loc l = LOC_NONE;
	r = node_loc(n, &l);
	return r < 0 ? r : pinned_path(ov, l.fd, l.name, buf, size);
}

int node_upper_path(struct node *dir, const char *name, char *buf, size_t size)
{
	struct overlay *ov = ovl_of(&dir->vn);
	_cleanup_free_ char *virtual = node_path(dir);
	_cleanup_free_ char *path = virtual ? path_join(virtual, name) : NULL;

	if (!path)
		return dir->vn.dead ? -ENOENT : -ENOMEM;
	int r = layer_path(ov, 0, path, buf, size);
	if (r != -ENAMETOOLONG)
		return r;
	int fd = node_dirfd(dir, 0);
	return fd < 0 ? fd : pinned_path(ov, fd, name, buf, size);
}

int node_set_upper(struct node *n, const struct statx *real, uint64_t ino)
{
	struct overlay *ov = ovl_of(&n->vn);

	if (ino != identity_ino(ov->id, statx_dev(real), real->stx_ino)) {
		int r = identity_add(ov->id, real, ino);

		if (r < 0)
			return r;
	}
	n->upper = true;
	n->upper_xwh = 0;
	n->udev = statx_dev(real);
	n->uino = real->stx_ino;
	n->ino = ino;
	if (!S_ISDIR(n->vn.type))
		node_clear_lower(n);
	vfs_real(&n->vn, n->udev, n->uino);
	vfs_changed(&n->vn);
	return 0;
}
