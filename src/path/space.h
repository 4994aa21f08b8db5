/* SPDX-License-Identifier: MIT */
/* Private to path/: the writer's side of the cache. */
#ifndef FUSS_PATH_SPACE_H
#define FUSS_PATH_SPACE_H

#include "path/cache.h"
#include "path/path.h"
#include "path/resolve.h"

struct path_layer {
	char *path;
	size_t len;
};

struct path_space {
	struct cache cache;
	struct vfs *fs;
	struct path_hooks hooks;
	char *mountpoint; /* canonical; "" for "/" */
	struct path_layer *layer;
	unsigned nlayer;
	char *upper; /* root of layer 0, NULL if there is none */
	struct vnode **vn; /* by node number; 0 is not used */
	unsigned nvn, vn_size;
	int64_t host_time; /* when the host generation began, milliseconds */
	bool host_used;	   /* something was learnt in this generation */
	struct path_stats stats;
	/* watch.c */
	int watch_fd; /* inotify, or -errno */
	bool blind;   /* some directory could not be watched */
	struct vnode **watched; /* by watch number */
	unsigned nwatched;
	/* What magic links put in the way of a walk: the rest of the path (two, since the new one
	 * is made from the old) and the directory that the link leads to. */
	char text[2][2 * PATH_MAX];
	unsigned which_text;
	char jump[PATH_MAX];
};

/* Results of fillers: go on with resolve(), or w->kind is final; or -errno. */
enum { FILL_AGAIN, FILL_DONE };

/* --- fill.c: the file system's side */

int fill(struct path_space *s, const struct resolve_request *q, struct resolve *w);
/* The node of a vnode, made where there is none; 0 or -ENOMEM. */
int fill_node(struct path_space *s, struct vnode *vn, arena_ref *ret);
int fill_place(struct path_space *s, arena_ref node);
void fill_observe(struct path_space *s);
void fill_unobserve(struct path_space *s);

static inline struct vnode *space_vnode(const struct path_space *s, arena_ref node)
{
	return node ? s->vn[cache_node(&s->cache, node)->number] : NULL;
}

/* --- watch.c: what others change in the layers */

void watch_init(struct path_space *s);
void watch_fini(struct path_space *s);
/* Before something is cached about a name in dir. */
void watch_dir(struct path_space *s, struct vnode *dir, arena_ref node);
/* Forgets what was changed since the last time. */
void watch_read(struct path_space *s);

/* --- host.c */

int host_fill(struct path_space *s, const struct resolve_request *q, struct resolve *w);
/* A component of /proc that names a process. */
int host_magic(struct path_space *s, const struct resolve_request *q, struct resolve *w);
/* A directory on the way to the mount point (or /proc itself), under parent, for ever. */
int host_pin(struct path_space *s, arena_ref parent, const char *name, size_t len, uint32_t flags,
	     arena_ref *ret);
/* NODE_LAYER, NODE_OVER_LAYER or 0 for an absolute path. */
uint32_t host_layer_flags(const struct path_space *s, const char *path);

#endif
