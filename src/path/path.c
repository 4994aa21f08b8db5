/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "path/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Address space, not memory: about 40 million names. */
#define CACHE_MAX ((uint64_t)8 << 30)
/* What the host's components are is believed for so long. */
#define HOST_TTL_MS 1000

/* --- the host's generations ------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void path_host_changed(struct path_space *s)
{
	/* Nothing was learnt since the last time: there is nothing to forget. */
	if (!s->host_used)
		return;
	cache_new_generation(&s->cache, 1);
	s->host_used = false;
}

static void check_age(struct path_space *s)
{
	int64_t now = now_ms();

	if (now - s->host_time < HOST_TTL_MS)
		return;
	s->host_time = now;
	if (s->blind)
		path_forget_all(s);
	path_host_changed(s);
}

/* --- look-up ---------------------------------------------------------------------------------- */

static int report_outside(struct path_space *s, const struct resolve *w, struct path_result *ret)
{
	uint32_t flags = w->node ? cache_flags(cache_node(&s->cache, w->node)) : 0;
	/* A level that is empty: the walk came to its end. */
	bool whole = !w->depth && !*w->level[0];
	ssize_t n;

	n = resolve_host_path(&s->cache, w, ret->host, sizeof(ret->host));
	if (n < 0) {
		/* The kernel can use what the tracee wrote. */
		if (!w->as_given)
			return (int)n;
		ret->host[0] = '\0';
	}
	ret->inside = false;
	ret->vn = ret->dir = NULL;
	ret->name[0] = '\0';
	ret->as_given = w->as_given;
	ret->synthetic = whole && flags & NODE_SYNTHETIC;
	ret->layer = flags & NODE_LAYER || w->in_layer;
	if (flags & NODE_OVER_LAYER)
		ret->layer = host_layer_flags(s, ret->host) & NODE_LAYER;
	return 0;
}

static int report(struct path_space *s, const struct resolve *w, struct path_result *ret)
{
	size_t len = w->name && w->len <= NAME_MAX ? w->len : 0;

	ret->slash = w->slash;
	ret->last = w->last;
	if (w->kind == RESOLVE_ERROR)
		return w->error;
	if (w->kind == RESOLVE_OUTSIDE)
		return report_outside(s, w, ret);
	ret->inside = true;
	ret->vn = w->kind == RESOLVE_FOUND ? space_vnode(s, w->node) : NULL;
	ret->dir = space_vnode(s, w->dir);
	memcpy(ret->name, w->name ? w->name : "", len);
	ret->name[len] = '\0';
	ret->host[0] = '\0';
	ret->as_given = ret->synthetic = ret->layer = false;
	return 0;
}

static int make_request(struct path_space *s, const struct path_query *q,
			struct resolve_request *ret)
{
	*ret = (struct resolve_request){
		.path = q->path,
		.flags = q->flags,
		.cred = q->cred,
		.tid = q->tid,
		.tgid = q->tgid,
	};
	if (!q->start)
		return 0;
	if (q->start->vn)
		return fill_node(s, q->start->vn, &ret->start);
	ret->start_host = q->start->host;
	return 0;
}

int path_lookup(struct path_space *s, const struct path_query *q, struct path_result *ret)
{
	struct resolve_request req;
	struct resolve w;
	bool hit = true;
	int r;

	watch_read(s);
	check_age(s);
	r = make_request(s, q, &req);
	if (r < 0)
		return r;
	resolve_start(&s->cache, &req, &w);
	while (w.kind == RESOLVE_MISS || w.kind == RESOLVE_MAGIC) {
		resolve(&s->cache, &req, &w);
		if (w.kind == RESOLVE_MISS) {
			s->stats.misses++;
			hit = false;
			r = fill(s, &req, &w);
		} else if (w.kind == RESOLVE_MAGIC) {
			r = host_magic(s, &req, &w);
		}
		if (r < 0)
			return w.denied ? -EACCES : r;
	}
	s->stats.hits += hit;
	return report(s, &w, ret);
}

void path_forget(struct path_space *s, struct vnode *dir, const char *name)
{
	if (s->fs->obs.name_changed)
		s->fs->obs.name_changed(s->fs->obs.arg, dir, name);
}

void path_forget_all(struct path_space *s)
{
	cache_new_generation(&s->cache, 0);
}

void path_get_stats(struct path_space *s, struct path_stats *ret)
{
	*ret = s->stats;
	ret->nodes = cache_head(&s->cache)->nnodes;
	ret->bytes = s->cache.mem.used;
}

/* --- setting up ------------------------------------------------------------------------------- */

/* Canonical as far as it exists, the rest as it is; no trailing slash, so "" for "/". */
static int canonical(const char *path, char **ret)
{
	_cleanup_free_ char *head = strdup(path), *real = NULL;
	const char *tail;
	char *slash;
	int n;

	if (!head)
		return -ENOMEM;
	if (*path != '/')
		return -EINVAL;
	while (!(real = realpath(*head ? head : "/", NULL))) {
		slash = strrchr(head, '/');
		if (!slash)
			return -ENOENT;
		*slash = '\0';
	}
	tail = path + strlen(head);
	if (resolve_goes_up(tail))
		return -EINVAL;
	if (!real[1])
		real[0] = '\0';
	tail += strspn(tail, "/");
	n = asprintf(ret, "%s%s%s", real, *tail ? "/" : "", tail);
	if (n < 0)
		return -ENOMEM;
	while (n && (*ret)[n - 1] == '/')
		(*ret)[--n] = '\0';
	return 0;
}

static int add_layer(struct path_space *s, char *path)
{
	struct path_layer *p;

	for (unsigned i = 0; i < s->nlayer; i++) {
		if (strcmp(s->layer[i].path, path) == 0) {
			free(path);
			return 0;
		}
	}
	p = reallocarray(s->layer, s->nlayer + 1, sizeof(*p));
	if (!p) {
		free(path);
		return -ENOMEM;
	}
	s->layer = p;
	s->layer[s->nlayer++] = (struct path_layer){ path, strlen(path) };
	return 0;
}

/* As given and canonical: realpath() of the file system may use one, the kernel uses the other. */
static int add_layers(struct path_space *s, const char *const *paths)
{
	char *path;
	int r = 0;

	for (; r == 0 && paths && *paths; paths++) {
		path = strdup(*paths);
		if (!path)
			return -ENOMEM;
		for (size_t n = strlen(path); n && path[n - 1] == '/';)
			path[--n] = '\0';
		r = add_layer(s, path);
		if (r == 0)
			r = canonical(*paths, &path);
		if (r == 0)
			r = add_layer(s, path);
	}
	return r;
}

static int add_root(struct path_space *s)
{
	struct cache_head *h = cache_head_rw(&s->cache);
	char real[PATH_MAX];
	struct vnode *root;
	struct stat st;
	int r;

	r = s->fs->ops->root(s->fs, &root);
	if (r < 0)
		return r;
	root->cache_id = 0;
	r = fill_node(s, root, &h->vfs_root);
	if (r < 0)
		return r;
	r = s->fs->ops->realpath(root, real, sizeof(real));
	if (r < 0)
		return r;
	/* Nobody looked the root up, so nobody was told of its inode. */
	if (x_fstatat(AT_FDCWD, real, &st, 0) == 0)
		r = cache_set_inode(&s->cache, st.st_dev, st.st_ino, h->vfs_root);
	if (r < 0 || s->fs->ops->layer(root) != 0)
		return r;
	s->upper = strdup(real);
	if (!s->upper)
		return -ENOMEM;
	return cache_new_string(&s->cache, real, strlen(real), &h->upper);
}

/* With "/" as mount point what is no file system of files comes from the host. */
static int add_binds(struct path_space *s)
{
	static const char *const names[] = { "proc", "dev", "sys" };
	struct cache_head *h = cache_head_rw(&s->cache);
	char path[8];
	struct stat st;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		arena_ref node;

		snprintf(path, sizeof(path), "/%s", names[i]);
		if (x_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		r = host_pin(s, h->vfs_root, names[i], strlen(names[i]), i == 0 ? NODE_PROC : 0, &node);
		if (r == 0 && i == 0)
			h->proc = node;
	}
	return r;
}

/* The host's side: "/", /proc, and the way to the mount point, which need not exist. */
static int add_host(struct path_space *s)
{
	struct cache_head *h = cache_head_rw(&s->cache);
	arena_ref at, twin;
	struct stat st;
	int r;

	r = cache_new_node(&s->cache, NODE_HOST | NODE_DIR | NODE_PINNED | host_layer_flags(s, "/"),
			   0, &h->host_root);
	if (r == 0 && x_fstatat(AT_FDCWD, "/proc", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		r = host_pin(s, h->host_root, "proc", 4, NODE_PROC, &h->proc);
	at = h->host_root;
	for (char *p = s->mountpoint; r == 0 && *p;) {
		char *end = strchrnul(p + 1, '/'), saved = *end;

		*end = '\0';
		r = host_pin(s, at, p + 1, (size_t)(end - p - 1),
			     access(s->mountpoint, F_OK) == 0 ? 0 : NODE_SYNTHETIC, &at);
		*end = saved;
		p = end;
	}
	if (r < 0)
		return r;
	/* What the mount covers has the same name and the same parent. */
	r = cache_new_node(&s->cache, cache_flags(cache_node(&s->cache, at)),
			   cache_node(&s->cache, at)->entry, &twin);
	if (r < 0)
		return r;
	cache_node_rw(&s->cache, at)->twin = twin;
	cache_set_flags(&s->cache, at, NODE_MOUNT, 0);
	h->mount = at;
	return *s->mountpoint ? 0 : add_binds(s);
}

static uint32_t protected_symlinks(void)
{
	_cleanup_fd_ int fd = x_openat(AT_FDCWD, "/proc/sys/fs/protected_symlinks",
				       O_RDONLY | O_CLOEXEC, 0);
	char digit = '0';

	return fd >= 0 && read(fd, &digit, 1) == 1 && digit == '1';
}

int path_space_new(struct vfs *fs, const char *mountpoint, const char *const *layer_paths,
		   const struct path_hooks *hooks, struct path_space **ret)
{
	struct path_space *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->fs = fs;
	if (hooks)
		s->hooks = *hooks;
	s->host_time = now_ms();
	s->watch_fd = -1;
	r = cache_init(&s->cache, CACHE_MAX > SIZE_MAX / 8 ? SIZE_MAX / 8 : CACHE_MAX);
	if (r == 0)
		r = canonical(mountpoint, &s->mountpoint);
	if (r == 0)
		r = add_layers(s, layer_paths);
	if (r == 0)
		r = add_root(s);
	if (r == 0)
		r = add_host(s);
	if (r < 0) {
		path_space_free(s);
		return r;
	}
	cache_head_rw(&s->cache)->protected_symlinks = protected_symlinks();
	fill_observe(s);
	watch_init(s);
	*ret = s;
	return 0;
}

void path_space_free(struct path_space *s)
{
	if (!s)
		return;
	fill_unobserve(s);
	watch_fini(s);
	for (unsigned i = 1; i < s->nvn; i++)
		s->vn[i]->cache_id = 0;
	for (unsigned i = 0; i < s->nlayer; i++)
		free(s->layer[i].path);
	free(s->layer);
	free(s->vn);
	free(s->mountpoint);
	free(s->upper);
	cache_fini(&s->cache);
	free(s);
}
