/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "path/arena.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/err.h"

#define ARENA_STEP ((size_t)1 << 20)
#define ARENA_LEAST ((size_t)16 << 20)
/* What an arena_ref can name. */
#define ARENA_MOST ((uint64_t)UINT32_MAX * ARENA_UNIT)

int arena_init(struct arena *a, size_t max)
{
	void *p;

	*a = (struct arena){ 0 };
	if (max > ARENA_MOST)
		max = (size_t)ARENA_MOST;
	max = (max + ARENA_STEP - 1) & ~(ARENA_STEP - 1);
	/* No page of it is accounted for before it is made usable, but RLIMIT_AS counts all. */
	for (;;) {
		p = mmap(NULL, max, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p != MAP_FAILED)
			break;
		if (max <= ARENA_LEAST)
			return -ENOMEM;
		max = max / 2 & ~(ARENA_STEP - 1);
	}
	a->base = p;
	a->reserved = max;
	a->used = (size_t)ARENA_FIRST * ARENA_UNIT;
	return 0;
}

void arena_fini(struct arena *a)
{
	if (a->reserved)
		munmap(a->base, a->reserved);
	*a = (struct arena){ 0 };
}

static int grow(struct arena *a, size_t need)
{
	size_t add;
	int r;

	if (need > a->reserved - a->usable)
		return -ENOMEM;
	add = (need + ARENA_STEP - 1) & ~(ARENA_STEP - 1);
	if (add > a->reserved - a->usable)
		add = a->reserved - a->usable;
	r = (int)x_ret(mprotect(a->base + a->usable, add, PROT_READ | PROT_WRITE));
	if (r < 0)
		return r;
	a->usable += add;
	return 0;
}

int arena_alloc(struct arena *a, size_t size, arena_ref *ret)
{
	size_t end;
	int r;

	if (size > a->reserved)
		return -ENOMEM;
	size = (size + ARENA_UNIT - 1) & ~(size_t)(ARENA_UNIT - 1);
	end = a->used + size;
	if (end > a->usable) {
		r = grow(a, end - a->usable);
		if (r < 0)
			return r;
	}
	*ret = (arena_ref)(a->used / ARENA_UNIT);
	a->used = end;
	return 0;
}
