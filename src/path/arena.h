/* SPDX-License-Identifier: MIT */
/*
 * Memory that means the same at any address: things are named by their offset.  One writer, who
 * only adds; readers may map or copy the memory wherever they like.
 *
 * The writer reserves address space once and makes it usable step by step, so that growing moves
 * nothing: a pointer that the writer holds stays good.
 */
#ifndef FUSS_PATH_ARENA_H
#define FUSS_PATH_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* Offset in units of ARENA_UNIT bytes; 0 is nothing. */
typedef uint32_t arena_ref;

#define ARENA_UNIT 8
/* The first allocation is always found here. */
#define ARENA_FIRST ((arena_ref)(64 / ARENA_UNIT))

struct arena {
	char *base;
	size_t used;	 /* bytes */
	size_t usable;	 /* made readable and writable so far */
	size_t reserved; /* 0: a reader's view of memory that belongs to somebody else */
};

/* max: bytes to reserve; less is taken where the address space is limited.  -ENOMEM. */
int arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);
/* Zeroed and aligned to ARENA_UNIT.  -ENOMEM. */
int arena_alloc(struct arena *a, size_t size, arena_ref *ret);

static inline void *arena_at(const struct arena *a, arena_ref ref)
{
	return a->base + (size_t)ref * ARENA_UNIT;
}

static inline uint64_t arena_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Publishes: what was written before is seen by whoever sees the word. */
static inline void arena_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint32_t arena_load32(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void arena_store32(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

#endif
