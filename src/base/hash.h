/* SPDX-License-Identifier: MIT */
#ifndef FUSS_BASE_HASH_H
#define FUSS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A 64-bit finaliser (the constants are those of splitmix64, which is in the public domain). */
static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* FNV-1a over bytes, finalised. */
static inline uint64_t hash_bytes(const void *p, size_t n, uint64_t seed)
{
	const unsigned char *s = p;
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * UINT64_C(0x100000001b3);
	return hash_u64(h);
}

#endif
