/* SPDX-License-Identifier: MIT */
/*
 * Scratch memory: where bytes for rewritten arguments are put.  It is mapped into the tracee for
 * the purpose, because there is no memory of its own that is free for sure: below the stack
 * pointer other things lie (thread and goroutine stacks are small, signal stacks too).
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/mem.h"
#include "engine/private.h"

enum { FIRST_SLOTS = 8, MAX_SLOTS = 64, MAX_REQUEST = 64 << 20 };

struct mm *mm_new(void)
{
	struct mm *mm = calloc(1, sizeof(*mm));

	if (mm)
		mm->users = 1;
	return mm;
}

/* suspended: the other user sleeps until this one is gone (vfork). */
struct mm *mm_share(struct mm *mm, bool suspended)
{
	mm->users++;
	if (!suspended)
		mm->threads = true;
	return mm;
}

/*
 * A region that another thread maps after the fork, but before we hear of it, is not in the
 * child.  So the copy of a space with threads starts with nothing; what is mapped there is found
 * by nobody and costs nothing.
 */
struct mm *mm_fork(const struct mm *mm)
{
	struct mm *copy = mm_new();

	if (!copy || mm->threads || !mm->nregion)
		return copy;
	copy->region = malloc(mm->nregion * sizeof(*copy->region));
	if (!copy->region) {
		free(copy);
		return NULL;
	}
	memcpy(copy->region, mm->region, mm->nregion * sizeof(*copy->region));
	copy->nregion = mm->nregion;
	for (unsigned i = 0; i < copy->nregion; i++)
		copy->region[i].used = 0;
	return copy;
}

void mm_unref(struct mm *mm)
{
	if (!mm || --mm->users)
		return;
	free(mm->region);
	free(mm);
}

static uint64_t full_mask(unsigned n)
{
	return n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* The smallest slot that holds len, as a new chunk of the call. */
static bool take_slot(struct task *t, size_t len)
{
	struct mm *mm = t->mm;
	struct region *best = NULL;
	struct chunk *c = &t->chunk[t->nchunk];

	for (unsigned i = 0; i < mm->nregion; i++) {
		struct region *g = &mm->region[i];

		if (!g->n || g->slot < len || g->used == full_mask(g->n))
			continue;
		if (!best || g->slot < best->slot)
			best = g;
	}
	if (!best)
		return false;
	c->region = (unsigned)(best - mm->region);
	c->slot = (unsigned)__builtin_ctzll(~best->used);
	c->fill = 0;
	best->used |= UINT64_C(1) << c->slot;
	t->nchunk++;
	return true;
}

/* What was mapped for this task is its own until it takes it: others cannot starve it. */
static bool take_reserved(struct task *t, size_t len)
{
	unsigned i = t->reserved - 1;
	struct region *g;

	if (!t->reserved)
		return false;
	t->reserved = 0;
	g = &t->mm->region[i];
	if (!g->n || g->slot < len) {
		g->used &= ~UINT64_C(1);
		return false;
	}
	t->chunk[t->nchunk++] = (struct chunk){ .region = i };
	return true;
}

static size_t align16(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

static int need(struct call *c, struct task *t, size_t len)
{
	size_t total = align16(len);

	if (len > MAX_REQUEST)
		return -ENOMEM;
	for (unsigned i = 0; i < t->nchunk; i++)
		total += t->chunk[i].fill;
	t->want = total;
	c->again = true;
	return -EAGAIN;
}

/* The last chunk if it has room, else another one. */
static int find_room(struct call *c, struct task *t, size_t len)
{
	struct chunk *k = t->nchunk ? &t->chunk[t->nchunk - 1] : NULL;

	if (k && t->mm->region[k->region].slot - k->fill >= len)
		return 0;
	if (t->nchunk < SCRATCH_CHUNKS && (take_reserved(t, len) || take_slot(t, len)))
		return 0;
	return need(c, t, len);
}

int scratch_put(struct call *c, const void *p, size_t len, uint64_t *ret_addr)
{
	struct task *t = (struct task *)c->t;
	struct chunk *k;
	struct region *g;
	uint64_t addr;
	ssize_t n;
	int r;

	for (;;) {
		r = find_room(c, t, len);
		if (r < 0)
			return r;
		k = &t->chunk[t->nchunk - 1];
		g = &t->mm->region[k->region];
		addr = g->addr + k->slot * g->slot + k->fill;
		n = len ? mem_write(t->t.tid, addr, p, len) : 0;
		if (n >= 0 && (size_t)n == len)
			break;
		if (n < 0 && n != -EFAULT)
			return (int)n;
		/* The program unmapped what it did not know.  Forget the region, take another. */
		g->n = 0;
		t->nchunk--;
	}
	k->fill += align16(len);
	*ret_addr = addr;
	return 0;
}

void scratch_unreserve(struct task *t)
{
	if (t->reserved)
		t->mm->region[t->reserved - 1].used &= ~UINT64_C(1);
	t->reserved = 0;
}

void scratch_release(struct task *t)
{
	while (t->nchunk) {
		struct chunk *k = &t->chunk[--t->nchunk];

		t->mm->region[k->region].used &= ~(UINT64_C(1) << k->slot);
	}
}

/* The common case gets slots for many threads; a large request a region of its own, kept for the
 * next one. */
size_t scratch_map_size(const struct task *t)
{
	size_t size = SCRATCH_SLOT * FIRST_SLOTS;
	unsigned n = 0;

	if (t->want > SCRATCH_SLOT) {
		while (size < t->want)
			size *= 2;
		return size;
	}
	for (unsigned i = 0; i < t->mm->nregion; i++)
		if (t->mm->region[i].slot == SCRATCH_SLOT && t->mm->region[i].n > n)
			n = t->mm->region[i].n;
	return n ? (size_t)SCRATCH_SLOT * (n < MAX_SLOTS ? n * 2 : n) : size;
}

int scratch_mapped(struct task *t, uint64_t addr)
{
	struct mm *mm = t->mm;
	struct region *g = NULL;

	for (unsigned i = 0; i < mm->nregion && !g; i++)
		if (!mm->region[i].n && !mm->region[i].used)
			g = &mm->region[i];
	if (!g) {
		struct region *more = realloc(mm->region, (mm->nregion + 1) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		mm->region = more;
		g = &more[mm->nregion++];
	}
	*g = (struct region){ .addr = addr, .slot = t->map_size, .n = 1, .used = 1 };
	if (t->want <= SCRATCH_SLOT) {
		g->slot = SCRATCH_SLOT;
		g->n = (unsigned)(t->map_size / SCRATCH_SLOT);
	}
	t->reserved = (unsigned)(g - mm->region) + 1;
	return 0;
}
