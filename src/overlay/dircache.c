/* SPDX-License-Identifier: MIT */
/* Descriptors of directories, the least recently used one closed first. */
#include "config.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "overlay/ovl.h"

#define CACHE_MIN 16u
#define CACHE_MAX 1024u
#define NONE UINT32_MAX

struct slot {
	const struct node *n;
	unsigned layer;
	int fd;
	uint32_t hnext;	      /* in the bucket, or in the free list */
	uint32_t newer, older; /* in the order of use */
};

struct dircache {
	uint32_t cap, nbucket;
	uint32_t newest, oldest, free;
	struct slot *slot;
	uint32_t *bucket;
};

int dircache_new(struct dircache **ret)
{
	_cleanup_free_ struct dircache *c = calloc(1, sizeof(*c));
	struct rlimit rl = { .rlim_cur = 1024 };

	if (!c)
		return -ENOMEM;
	/* A quarter: the engine and the work of one call need descriptors, too. */
	getrlimit(RLIMIT_NOFILE, &rl);
	rlim_t quarter = rl.rlim_cur / 4;
	c->cap = quarter > CACHE_MAX ? CACHE_MAX : (uint32_t)quarter;
	if (c->cap < CACHE_MIN)
		c->cap = CACHE_MIN;
	c->nbucket = 16;
	while (c->nbucket < c->cap * 2)
		c->nbucket *= 2;
	c->slot = calloc(c->cap, sizeof(*c->slot));
	c->bucket = calloc(c->nbucket, sizeof(*c->bucket));
	if (!c->slot || !c->bucket) {
		free(c->slot);
		free(c->bucket);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < c->nbucket; i++)
		c->bucket[i] = NONE;
	for (uint32_t i = 0; i < c->cap; i++)
		c->slot[i] = (struct slot){ .fd = -1, .hnext = i + 1 < c->cap ? i + 1 : NONE };
	c->newest = c->oldest = NONE;
	*ret = steal_ptr(&c);
	return 0;
}

static uint32_t *bucket_of(struct dircache *c, const struct node *n, unsigned layer)
{
	return &c->bucket[hash_u64((uint64_t)(uintptr_t)n + layer) & (c->nbucket - 1)];
}

static void use_unlink(struct dircache *c, uint32_t i)
{
	struct slot *s = &c->slot[i];

	*(s->newer == NONE ? &c->newest : &c->slot[s->newer].older) = s->older;
	*(s->older == NONE ? &c->oldest : &c->slot[s->older].newer) = s->newer;
}

static void use_newest(struct dircache *c, uint32_t i)
{
	struct slot *s = &c->slot[i];

	s->older = c->newest;
	s->newer = NONE;
	*(c->newest == NONE ? &c->oldest : &c->slot[c->newest].newer) = i;
	c->newest = i;
}

static void slot_release(struct dircache *c, uint32_t i)
{
	struct slot *s = &c->slot[i];
	uint32_t *p = bucket_of(c, s->n, s->layer);

	while (*p != i)
		p = &c->slot[*p].hnext;
	*p = s->hnext;
	use_unlink(c, i);
	close(s->fd);
	s->fd = -1;
	s->hnext = c->free;
	c->free = i;
}

static uint32_t slot_find(struct dircache *c, const struct node *n, unsigned layer)
{
	uint32_t i = *bucket_of(c, n, layer);

	while (i != NONE && (c->slot[i].n != n || c->slot[i].layer != layer))
		i = c->slot[i].hnext;
	return i;
}

int dircache_get(struct dircache *c, const struct node *n, unsigned layer)
{
	uint32_t i = slot_find(c, n, layer);

	if (i == NONE)
		return -1;
	if (c->newest != i) {
		use_unlink(c, i);
		use_newest(c, i);
	}
	return c->slot[i].fd;
}

void dircache_put(struct dircache *c, const struct node *n, unsigned layer, int fd)
{
	dircache_drop(c, n, layer);
	if (c->free == NONE)
		slot_release(c, c->oldest);
	uint32_t i = c->free;
	uint32_t *b = bucket_of(c, n, layer);

	c->free = c->slot[i].hnext;
	c->slot[i] = (struct slot){ .n = n, .layer = layer, .fd = fd, .hnext = *b };
	*b = i;
	use_newest(c, i);
}

void dircache_drop(struct dircache *c, const struct node *n, unsigned layer)
{
	uint32_t i = slot_find(c, n, layer);

	if (i != NONE)
		slot_release(c, i);
}

void dircache_free(struct dircache *c)
{
	if (!c)
		return;
	while (c->oldest != NONE)
		slot_release(c, c->oldest);
	free(c->slot);
	free(c->bucket);
	free(c);
}
