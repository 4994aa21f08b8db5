/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "path/cache.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/hash.h"

/*
 * Tables.  Open addressing over 64-bit slots: 32 bits of the hash and a reference, so that one
 * store enters something and most slots that do not match are passed without looking at what they
 * name.  The index is taken from the same 32 bits: growing needs no look at the things themselves.
 * A table that was grown out of stays where it is, for readers that are in it.
 */

#define TABLE_BITS 10

typedef bool (*table_same)(const void *thing, const void *key);

static inline uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static inline arena_ref table_find(const struct cache *c, uint64_t table, uint32_t tag,
				   table_same same, const void *key)
{
	const uint64_t *slot = arena_at(&c->mem, (arena_ref)(table >> 32));
	uint32_t mask = (UINT32_C(1) << (table & 31)) - 1;

	for (uint32_t i = tag & mask;; i = (i + 1) & mask) {
		uint64_t w = arena_load(&slot[i]);

		if (!w)
			return 0;
		if ((uint32_t)(w >> 32) == tag && same(arena_at(&c->mem, (arena_ref)w), key))
			return (arena_ref)w;
	}
}

static void table_put(struct cache *c, uint64_t table, uint64_t word)
{
	uint64_t *slot = arena_at(&c->mem, (arena_ref)(table >> 32));
	uint32_t mask = (UINT32_C(1) << (table & 31)) - 1;
	uint32_t i = (uint32_t)(word >> 32) & mask;

	while (slot[i])
		i = (i + 1) & mask;
	arena_store(&slot[i], word);
}

static int table_new(struct cache *c, unsigned bits, uint64_t *ret)
{
	arena_ref ref;
	int r;

	r = arena_alloc(&c->mem, sizeof(uint64_t) << bits, &ref);
	if (r < 0)
		return r;
	*ret = (uint64_t)ref << 32 | bits;
	return 0;
}

/* Makes room for one more; at most half of the slots are taken. */
static int table_reserve(struct cache *c, uint64_t *table, uint32_t count)
{
	uint64_t old = *table, new;
	const uint64_t *slot = arena_at(&c->mem, (arena_ref)(old >> 32));
	uint32_t n = UINT32_C(1) << (old & 31);
	int r;

	if (count < n / 2)
		return 0;
	if ((old & 31) >= 30)
		return -ENOMEM;
	r = table_new(c, (unsigned)(old & 31) + 1, &new);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++) {
		if (slot[i])
			table_put(c, new, slot[i]);
	}
	arena_store(table, new);
	return 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

struct entry_key {
	arena_ref dir;
	size_t len;
	const char *name;
};

static bool entry_same(const void *thing, const void *key)
{
	const struct cache_entry *e = thing;
	const struct entry_key *k = key;

	return e->dir == k->dir && e->len == k->len && memcmp(e->name, k->name, k->len) == 0;
}

/* Eight bytes a step: this is what a warm look-up spends its time on. */
static uint32_t entry_tag(const struct entry_key *k)
{
	const uint64_t prime = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = (k->dir ^ (uint64_t)k->len << 32) * prime, w = 0;
	const char *p = k->name;
	size_t n = k->len;

	for (; n >= sizeof(w); n -= sizeof(w), p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		h = (h ^ w) * prime;
		h ^= h >> 32;
	}
	for (w = 0; n; n--)
		w = w << 8 | (unsigned char)p[n - 1];
	return tag_of(hash_u64(h ^ w));
}

arena_ref cache_find(const struct cache *c, arena_ref dir, const char *name, size_t len)
{
	struct entry_key k = { dir, len, name };

	return table_find(c, arena_load(&cache_head(c)->entries), entry_tag(&k), entry_same, &k);
}

int cache_get_entry(struct cache *c, arena_ref dir, const char *name, size_t len, arena_ref *ret)
{
	struct cache_head *h = cache_head_rw(c);
	struct cache_entry *e;
	arena_ref ref;
	int r;

	ref = cache_find(c, dir, name, len);
	if (ref) {
		*ret = ref;
		return 0;
	}
	r = table_reserve(c, &h->entries, h->nentries);
	if (r < 0)
		return r;
	r = arena_alloc(&c->mem, sizeof(*e) + len + 1, &ref);
	if (r < 0)
		return r;
	e = arena_at(&c->mem, ref);
	e->dir = dir;
	e->len = (uint16_t)len;
	memcpy(e->name, name, len);
	table_put(c, h->entries,
		  (uint64_t)entry_tag(&(struct entry_key){ dir, len, name }) << 32 | ref);
	h->nentries++;
	*ret = ref;
	return 0;
}

void cache_publish(struct cache *c, arena_ref entry, enum entry_kind kind, arena_ref node)
{
	struct cache_entry *e = arena_at(&c->mem, entry);
	unsigned side = cache_flags(cache_node(c, e->dir)) & NODE_HOST ? 1 : 0;
	uint64_t gen = cache_head(c)->gen[side];

	arena_store(&e->state, (uint64_t)node << 32 | gen << 2 | kind);
}

void cache_new_generation(struct cache *c, unsigned side)
{
	struct cache_head *h = cache_head_rw(c);

	/* 30 bits; 0 is the generation of entries that were never published. */
	arena_store32(&h->gen[side], h->gen[side] % ((UINT32_C(1) << 30) - 1) + 1);
}

/* --- inodes ----------------------------------------------------------------------------------- */

static bool inode_same(const void *thing, const void *key)
{
	const struct cache_inode *i = thing, *k = key;

	return i->ino == k->ino && i->dev == k->dev;
}

static uint32_t inode_tag(const struct cache_inode *k)
{
	return tag_of(hash_u64(k->ino ^ hash_u64(k->dev)));
}

uint64_t cache_find_inode(const struct cache *c, dev_t dev, ino_t ino)
{
	struct cache_inode k = { dev, ino, 0 };
	const struct cache_inode *i;
	arena_ref ref;

	ref = table_find(c, arena_load(&cache_head(c)->inodes), inode_tag(&k), inode_same, &k);
	if (!ref)
		return 0;
	i = arena_at(&c->mem, ref);
	return arena_load(&i->node);
}

int cache_set_inode(struct cache *c, dev_t dev, ino_t ino, uint64_t node)
{
	struct cache_head *h = cache_head_rw(c);
	struct cache_inode k = { dev, ino, node }, *i;
	uint32_t tag = inode_tag(&k);
	arena_ref ref;
	int r;

	ref = table_find(c, h->inodes, tag, inode_same, &k);
	if (ref) {
		i = arena_at(&c->mem, ref);
		arena_store(&i->node, node);
		return 0;
	}
	r = table_reserve(c, &h->inodes, h->ninodes);
	if (r < 0)
		return r;
	r = arena_alloc(&c->mem, sizeof(*i), &ref);
	if (r < 0)
		return r;
	i = arena_at(&c->mem, ref);
	*i = k;
	table_put(c, h->inodes, (uint64_t)tag << 32 | ref);
	h->ninodes++;
	return 0;
}

/* --- permissions: few are different, so each is kept once ------------------------------------- */

static bool perm_same(const void *thing, const void *key)
{
	return memcmp(thing, key, sizeof(struct cache_perm)) == 0;
}

static int intern_perm(struct cache *c, const struct cache_perm *p, arena_ref *ret)
{
	struct cache_head *h = cache_head_rw(c);
	uint32_t tag = tag_of(hash_bytes(p, sizeof(*p), 0));
	arena_ref ref;
	int r;

	ref = table_find(c, h->perms, tag, perm_same, p);
	if (ref) {
		*ret = ref;
		return 0;
	}
	r = table_reserve(c, &h->perms, h->nperms);
	if (r < 0)
		return r;
	r = arena_alloc(&c->mem, sizeof(*p), &ref);
	if (r < 0)
		return r;
	memcpy(arena_at(&c->mem, ref), p, sizeof(*p));
	table_put(c, h->perms, (uint64_t)tag << 32 | ref);
	h->nperms++;
	*ret = ref;
	return 0;
}

/* --- nodes ------------------------------------------------------------------------------------ */

int cache_new_node(struct cache *c, uint32_t flags, arena_ref entry, arena_ref *ret)
{
	struct cache_node *n;
	int r;

	r = arena_alloc(&c->mem, sizeof(*n), ret);
	if (r < 0)
		return r;
	n = arena_at(&c->mem, *ret);
	n->word = flags;
	n->entry = entry;
	cache_head_rw(c)->nnodes++;
	return 0;
}

void cache_set_flags(struct cache *c, arena_ref node, uint32_t set, uint32_t clear)
{
	struct cache_node *n = cache_node_rw(c, node);

	arena_store(&n->word, (n->word | set) & ~(uint64_t)clear);
}

/* What was known in an earlier generation is not to be believed with what is learnt now. */
static void renew(struct cache *c, arena_ref node)
{
	struct cache_node *n = cache_node_rw(c, node);
	uint32_t gen = cache_head(c)->gen[n->word & NODE_HOST ? 1 : 0];

	if (n->gen == gen)
		return;
	cache_set_flags(c, node, 0, NODE_HAS_PERM | NODE_HAS_TARGET | NODE_HAS_PLACE);
	arena_store32(&n->gen, gen);
}

int cache_set_perm(struct cache *c, arena_ref node, const struct cache_perm *p)
{
	struct cache_node *n = cache_node_rw(c, node);
	arena_ref ref;
	int r;

	r = intern_perm(c, p, &ref);
	if (r < 0)
		return r;
	renew(c, node);
	arena_store(&n->word, (uint64_t)ref << 32 | (uint32_t)n->word | NODE_HAS_PERM);
	return 0;
}

int cache_new_string(struct cache *c, const char *s, size_t len, arena_ref *ret)
{
	int r;

	r = arena_alloc(&c->mem, len + 1, ret);
	if (r == 0)
		memcpy(arena_at(&c->mem, *ret), s, len);
	return r;
}

/* The string that a reference held before is kept where it is the same. */
static int renew_string(struct cache *c, arena_ref old, const char *s, size_t len, arena_ref *ret)
{
	if (old && strncmp(cache_string(c, old), s, len) == 0 && !cache_string(c, old)[len]) {
		*ret = old;
		return 0;
	}
	return cache_new_string(c, s, len, ret);
}

int cache_set_target(struct cache *c, arena_ref node, const char *s, size_t len)
{
	struct cache_node *n = cache_node_rw(c, node);
	arena_ref ref;
	int r;

	r = renew_string(c, n->target, s, len, &ref);
	if (r < 0)
		return r;
	renew(c, node);
	arena_store32(&n->target, ref);
	cache_set_flags(c, node, NODE_HAS_TARGET, 0);
	return 0;
}

int cache_set_place(struct cache *c, arena_ref node, unsigned layer, const char *path)
{
	struct cache_node *n = cache_node_rw(c, node);
	arena_ref ref = PLACE_PATH(n->place);
	int r;

	if (path) {
		r = renew_string(c, ref, path, strlen(path), &ref);
		if (r < 0)
			return r;
	}
	renew(c, node);
	arena_store(&n->place, (uint64_t)ref << 32 | (path ? 0 : PLACE_CHAIN) | (layer & 0xffff));
	cache_set_flags(c, node, NODE_HAS_PLACE, 0);
	return 0;
}

arena_ref cache_parent(const struct cache *c, arena_ref node)
{
	arena_ref entry = arena_load32(&cache_node(c, node)->entry);

	return entry ? cache_entry(c, entry)->dir : 0;
}

ssize_t cache_path(const struct cache *c, arena_ref node, char *buf, size_t size)
{
	const struct cache_entry *e;
	arena_ref at, entry;
	size_t len = 0;
	char *p;

	for (at = node; (entry = arena_load32(&cache_node(c, at)->entry)); at = e->dir) {
		e = cache_entry(c, entry);
		len += e->len + (size_t)1;
		if (len >= size)
			return -ENAMETOOLONG;
	}
	if (len >= size)
		return -ENAMETOOLONG;
	p = buf + len;
	*p = '\0';
	for (at = node; (entry = arena_load32(&cache_node(c, at)->entry)); at = e->dir) {
		e = cache_entry(c, entry);
		/* Only a reader in another process can see a move between the two passes. */
		if ((size_t)(p - buf) < e->len + (size_t)1)
			return -EAGAIN;
		p -= e->len;
		memcpy(p, e->name, e->len);
		*--p = '/';
	}
	return p == buf ? (ssize_t)len : -EAGAIN;
}

ssize_t cache_real(const struct cache *c, arena_ref node, unsigned *ret_layer, char *buf,
		   size_t size)
{
	const struct cache_node *at = cache_node(c, node);
	uint64_t place = arena_load(&at->place);
	const char *s;
	size_t len;
	ssize_t n = 0;

	if (!cache_has(c, at, NODE_HAS_PLACE))
		return -ENODATA;
	s = cache_string(c, place & PLACE_CHAIN ? cache_head(c)->upper : PLACE_PATH(place));
	len = strlen(s);
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(buf, s, len + 1);
	if (place & PLACE_CHAIN)
		n = cache_path(c, node, buf + len, size - len);
	if (n < 0)
		return n;
	*ret_layer = PLACE_LAYER(place);
	return (ssize_t)len + n;
}

/* --- the whole -------------------------------------------------------------------------------- */

int cache_init(struct cache *c, size_t max)
{
	struct cache_head *h;
	arena_ref ref;
	int r;

	r = arena_init(&c->mem, max);
	if (r < 0)
		return r;
	r = arena_alloc(&c->mem, sizeof(*h), &ref);
	if (r < 0)
		goto fail;
	h = arena_at(&c->mem, ref);
	h->gen[0] = h->gen[1] = 1;
	r = table_new(c, TABLE_BITS, &h->entries);
	if (r == 0)
		r = table_new(c, TABLE_BITS, &h->inodes);
	if (r == 0)
		r = table_new(c, TABLE_BITS, &h->perms);
	if (r < 0)
		goto fail;
	return 0;
fail:
	arena_fini(&c->mem);
	return r;
}

void cache_fini(struct cache *c)
{
	arena_fini(&c->mem);
}
