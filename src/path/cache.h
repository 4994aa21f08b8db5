/* SPDX-License-Identifier: MIT */
/*
 * What is known of names and objects, all of it in one arena, so that a reader needs nothing else.
 *
 *   entry  (directory node, name) -> unknown | negative | a node: one 64-bit word, stored at once
 *   node   a directory, symlink or other object of ours (a vnode), or a directory or symlink of the
 *          host
 *   inode  (st_dev, st_ino) of a real object -> node
 *
 * A node knows its place through its entry (parent and name), so that moving a directory changes
 * one word, and what is cached below it stays true: entries are keyed by the node of their
 * directory.
 *
 * Entries, and what else is known of a node (permissions, target, place), hold for one generation.
 * Those of the host get a new one every so often, those of the file system only when everything is
 * to be forgotten.
 */
#ifndef FUSS_PATH_CACHE_H
#define FUSS_PATH_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "path/arena.h"

enum {
	NODE_DIR = 1 << 0,
	NODE_LINK = 1 << 1,
	NODE_HOST = 1 << 2,	  /* of the host, else ours */
	NODE_DEAD = 1 << 3,	  /* no path leads here any more */
	NODE_MOUNT = 1 << 4,	  /* host: the walk goes on at the root of the file system */
	NODE_SYNTHETIC = 1 << 5,  /* host: does not exist, but leads to the mount point */
	NODE_PROC = 1 << 6,	  /* host: the root of procfs */
	NODE_LAYER = 1 << 7,	  /* host: a layer, or below one */
	NODE_OVER_LAYER = 1 << 8, /* host: an ancestor of a layer */
	NODE_HAS_PERM = 1 << 9,	  /* these three: known in the node's generation */
	NODE_HAS_TARGET = 1 << 10,
	NODE_HAS_PLACE = 1 << 11,
	NODE_WATCHED = 1 << 13,	  /* changes behind our back are told, see watch.c */
	NODE_PINNED = 1 << 12,	  /* host: holds for ever (the way to the mount point) */
};

/* The permissions of a directory, or the owner of a symlink; never changed once published. */
struct cache_perm {
	uint32_t mode; /* permission bits */
	uint32_t uid, gid;
	uint32_t acl; /* has one, or it is not known: mode is not the whole truth */
};

struct cache_node {
	uint64_t word;	 /* flags in the lower half, struct cache_perm in the upper */
	uint64_t place;	 /* ours: the real location, see below */
	uint32_t entry;	 /* parent and name; 0: a root */
	uint32_t target; /* NODE_LINK: a string */
	uint32_t twin;	 /* NODE_MOUNT: the host directory that the mount covers */
	uint32_t number; /* the writer's */
	uint32_t gen;	 /* what is known holds in this generation */
};

/* place: layer number, and the absolute path or "the upper and the chain of names". */
#define PLACE_CHAIN (UINT64_C(1) << 16)
#define PLACE_LAYER(place) ((unsigned)((place) & 0xffff))
#define PLACE_PATH(place) ((arena_ref)((place) >> 32))

struct cache_entry {
	uint64_t state; /* see below */
	uint32_t dir;
	uint16_t len;
	char name[]; /* terminated */
};

/* state: kind in bits 0-1, generation in bits 2-31, node in bits 32-63. */
enum entry_kind { ENTRY_UNKNOWN, ENTRY_NEGATIVE, ENTRY_NODE, ENTRY_PINNED };
#define ENTRY_KIND(state) ((enum entry_kind)((state) & 3))
#define ENTRY_GEN(state) ((uint32_t)(state) >> 2)
#define ENTRY_NODE_OF(state) ((arena_ref)((state) >> 32))

struct cache_inode {
	uint64_t dev, ino;
	uint64_t node; /* and INODE_LOWER; changes, 64 bits, so that one store publishes it */
};

/* In struct cache_inode: of a layer that does not change: the number is never given away. */
#define INODE_LOWER (UINT64_C(1) << 32)

/* At ARENA_FIRST.  Tables are words: place in the upper half, log2 of the slots in the lower. */
struct cache_head {
	uint64_t entries, inodes, perms;
	uint32_t gen[2]; /* of entries in directories of ours [0] and of the host [1] */
	uint32_t host_root, vfs_root, mount, proc;
	uint32_t upper; /* string: the root of layer 0 */
	uint32_t protected_symlinks;
	uint32_t nentries, ninodes, nperms, nnodes; /* the writer's */
};

struct cache {
	struct arena mem;
};

/* --- reading ---------------------------------------------------------------------------------- */

static inline const struct cache_head *cache_head(const struct cache *c)
{
	return arena_at(&c->mem, ARENA_FIRST);
}

static inline const struct cache_node *cache_node(const struct cache *c, arena_ref node)
{
	return arena_at(&c->mem, node);
}

static inline const struct cache_entry *cache_entry(const struct cache *c, arena_ref entry)
{
	return arena_at(&c->mem, entry);
}

static inline const char *cache_string(const struct cache *c, arena_ref ref)
{
	return arena_at(&c->mem, ref);
}

static inline uint32_t cache_flags(const struct cache_node *n)
{
	return (uint32_t)arena_load(&n->word);
}

/* Is that one of NODE_HAS_* known, now? */
static inline bool cache_has(const struct cache *c, const struct cache_node *n, uint32_t what)
{
	uint32_t flags = cache_flags(n);

	return flags & what &&
	       arena_load32(&n->gen) == cache_head(c)->gen[flags & NODE_HOST ? 1 : 0];
}

static inline const struct cache_perm *cache_perm(const struct cache *c, const struct cache_node *n)
{
	if (!cache_has(c, n, NODE_HAS_PERM))
		return NULL;
	return arena_at(&c->mem, (arena_ref)(arena_load(&n->word) >> 32));
}

static inline const char *cache_target(const struct cache *c, const struct cache_node *n)
{
	if (!cache_has(c, n, NODE_HAS_TARGET))
		return NULL;
	return cache_string(c, arena_load32(&n->target));
}

/* The entry, or 0. */
arena_ref cache_find(const struct cache *c, arena_ref dir, const char *name, size_t len);
/* May what an entry of a directory with these flags says be believed?  The one place where a check
 * against changes behind our back belongs. */
static inline bool cache_entry_valid(const struct cache_head *h, uint32_t dirflags, uint64_t state)
{
	return ENTRY_KIND(state) == ENTRY_PINNED ||
	       ENTRY_GEN(state) == h->gen[dirflags & NODE_HOST ? 1 : 0];
}
/* The node, in the lower half, and INODE_LOWER; or 0. */
uint64_t cache_find_inode(const struct cache *c, dev_t dev, ino_t ino);
/* The directory that node is in; 0: a root. */
arena_ref cache_parent(const struct cache *c, arena_ref node);
/* "/a/b" from the root of node's side, "" for the root itself; length, or -ENAMETOOLONG. */
ssize_t cache_path(const struct cache *c, arena_ref node, char *buf, size_t size);
/* The absolute real path of a node of ours and the number of its layer.  -ENODATA: not known. */
ssize_t cache_real(const struct cache *c, arena_ref node, unsigned *ret_layer, char *buf,
		   size_t size);

/* --- writing: 0 or -ENOMEM -------------------------------------------------------------------- */

int cache_init(struct cache *c, size_t max);
void cache_fini(struct cache *c);
/* The entry; a new one is unknown. */
int cache_get_entry(struct cache *c, arena_ref dir, const char *name, size_t len, arena_ref *ret);
/* kind is stored with the present generation of the entry's directory. */
void cache_publish(struct cache *c, arena_ref entry, enum entry_kind kind, arena_ref node);
int cache_new_node(struct cache *c, uint32_t flags, arena_ref entry, arena_ref *ret);
void cache_set_flags(struct cache *c, arena_ref node, uint32_t set, uint32_t clear);
int cache_set_perm(struct cache *c, arena_ref node, const struct cache_perm *p);
int cache_set_target(struct cache *c, arena_ref node, const char *s, size_t len);
/* path NULL: the chain of names. */
int cache_set_place(struct cache *c, arena_ref node, unsigned layer, const char *path);
int cache_set_inode(struct cache *c, dev_t dev, ino_t ino, uint64_t node);
int cache_new_string(struct cache *c, const char *s, size_t len, arena_ref *ret);
/* Everything that is known of one side (0 ours, 1 host) becomes unknown. */
void cache_new_generation(struct cache *c, unsigned side);

static inline struct cache_head *cache_head_rw(struct cache *c)
{
	return arena_at(&c->mem, ARENA_FIRST);
}

static inline struct cache_node *cache_node_rw(struct cache *c, arena_ref node)
{
	return arena_at(&c->mem, node);
}

#endif
