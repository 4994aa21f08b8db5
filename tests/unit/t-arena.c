/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "path/arena.h"
#include "path/cache.h"

/* --- the arena -------------------------------------------------------------------------------- */

START_TEST(gives_zeroed_memory)
{
	struct arena a;
	arena_ref ref, first = 0;

	ck_assert_int_eq(arena_init(&a, (size_t)1 << 30), 0);
	for (size_t i = 1; i < 3000; i++) {
		static const char zero[3000];

		ck_assert_int_eq(arena_alloc(&a, i, &ref), 0);
		ck_assert_uint_eq((uintptr_t)arena_at(&a, ref) % ARENA_UNIT, 0);
		ck_assert_int_eq(memcmp(arena_at(&a, ref), zero, i), 0);
		memset(arena_at(&a, ref), 0xff, i);
		if (!first)
			first = ref;
	}
	ck_assert_uint_eq(first, ARENA_FIRST);
	arena_fini(&a);
}
END_TEST

START_TEST(stays_where_it_is)
{
	struct arena a;
	arena_ref ref;
	char *base;

	ck_assert_int_eq(arena_init(&a, (size_t)64 << 20), 0);
	base = a.base;
	for (int i = 0; i < 63; i++) {
		ck_assert_int_eq(arena_alloc(&a, (size_t)1 << 20, &ref), 0);
		memset(arena_at(&a, ref), i, (size_t)1 << 20);
	}
	ck_assert_ptr_eq(a.base, base);
	arena_fini(&a);
}
END_TEST

START_TEST(ends)
{
	struct arena a;
	arena_ref ref;

	ck_assert_int_eq(arena_init(&a, (size_t)1 << 20), 0);
	ck_assert_int_eq(arena_alloc(&a, (size_t)2 << 20, &ref), -ENOMEM);
	ck_assert_int_eq(arena_alloc(&a, SIZE_MAX, &ref), -ENOMEM);
	ck_assert_int_eq(arena_alloc(&a, (size_t)1 << 19, &ref), 0);
	ck_assert_int_eq(arena_alloc(&a, (size_t)1 << 19, &ref), -ENOMEM);
	ck_assert_int_eq(arena_alloc(&a, 1 << 18, &ref), 0);
	memset(arena_at(&a, ref), 1, 1 << 18);
	arena_fini(&a);
}
END_TEST

START_TEST(makes_do_with_less_address_space)
{
	struct rlimit lim = { (rlim_t)1 << 30, (rlim_t)1 << 30 };
	struct arena a;
	arena_ref ref;

#if defined(__SANITIZE_ADDRESS__)
	return; /* takes terabytes itself */
#endif
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &lim), 0);
	ck_assert_int_eq(arena_init(&a, (size_t)1 << 33), 0);
	ck_assert_uint_lt(a.reserved, (size_t)1 << 30);
	ck_assert_int_eq(arena_alloc(&a, 4096, &ref), 0);
	arena_fini(&a);
}
END_TEST

/* --- the cache in it -------------------------------------------------------------------------- */

static struct cache cache;
static arena_ref root;

static void setup(void)
{
	ck_assert_int_eq(cache_init(&cache, (size_t)1 << 30), 0);
	ck_assert_int_eq(cache_new_node(&cache, NODE_DIR, 0, &root), 0);
}

static void teardown(void)
{
	cache_fini(&cache);
}

static arena_ref entry(arena_ref dir, const char *name)
{
	arena_ref ref;

	ck_assert_int_eq(cache_get_entry(&cache, dir, name, strlen(name), &ref), 0);
	return ref;
}

static uint64_t state(arena_ref ref)
{
	return cache_entry(&cache, ref)->state;
}

START_TEST(keeps_many_names)
{
	enum { DIRS = 10, NAMES = 2000 };
	static arena_ref dir[DIRS], ref[DIRS][NAMES];
	struct cache copy;
	char name[300];

	for (int i = 0; i < DIRS; i++)
		ck_assert_int_eq(cache_new_node(&cache, NODE_DIR, 0, &dir[i]), 0);
	for (int i = 0; i < DIRS; i++) {
		for (int j = 0; j < NAMES; j++) {
			snprintf(name, sizeof(name), "%0*d", 1 + j % 250, j);
			ck_assert_uint_eq(cache_find(&cache, dir[i], name, strlen(name)), 0);
			ref[i][j] = entry(dir[i], name);
			cache_publish(&cache, ref[i][j], ENTRY_NODE, dir[(i + j) % DIRS]);
		}
	}
	/* Here, and in a copy at another address. */
	copy.mem = (struct arena){ .base = malloc(cache.mem.used) };
	memcpy(copy.mem.base, cache.mem.base, cache.mem.used);
	for (int i = 0; i < DIRS; i++) {
		for (int j = 0; j < NAMES; j++) {
			snprintf(name, sizeof(name), "%0*d", 1 + j % 250, j);
			ck_assert_uint_eq(entry(dir[i], name), ref[i][j]);
			ck_assert_uint_eq(cache_find(&copy, dir[i], name, strlen(name)), ref[i][j]);
			ck_assert_uint_eq(ENTRY_NODE_OF(cache_entry(&copy, ref[i][j])->state),
					  dir[(i + j) % DIRS]);
		}
	}
	free(copy.mem.base);
}
END_TEST

START_TEST(tells_names_apart)
{
	arena_ref other;

	ck_assert_int_eq(cache_new_node(&cache, NODE_DIR, 0, &other), 0);
	ck_assert_uint_ne(entry(root, "a"), entry(other, "a"));
	ck_assert_uint_ne(entry(root, "a"), entry(root, "b"));
	ck_assert_uint_ne(entry(root, "ab"), entry(root, "a"));
	ck_assert_uint_ne(entry(root, "12345678"), entry(root, "123456789"));
	/* A name in a path is not terminated. */
	ck_assert_uint_eq(cache_find(&cache, root, "ab/c", 2), entry(root, "ab"));
	ck_assert_str_eq(cache_entry(&cache, entry(root, "ab"))->name, "ab");
}
END_TEST

START_TEST(entries_live_for_a_generation)
{
	const struct cache_head *h = cache_head(&cache);
	arena_ref host, mine, theirs, fixed;

	ck_assert_int_eq(cache_new_node(&cache, NODE_DIR | NODE_HOST, 0, &host), 0);
	mine = entry(root, "x");
	theirs = entry(host, "x");
	fixed = entry(host, "y");
	ck_assert(!cache_entry_valid(h, 0, state(mine)));
	cache_publish(&cache, mine, ENTRY_NEGATIVE, 0);
	cache_publish(&cache, theirs, ENTRY_NODE, host);
	cache_publish(&cache, fixed, ENTRY_PINNED, host);
	ck_assert(cache_entry_valid(h, 0, state(mine)));
	ck_assert(cache_entry_valid(h, NODE_HOST, state(theirs)));
	ck_assert_int_eq(ENTRY_KIND(state(mine)), ENTRY_NEGATIVE);
	ck_assert_uint_eq(ENTRY_NODE_OF(state(theirs)), host);
	cache_new_generation(&cache, 1);
	ck_assert(cache_entry_valid(h, 0, state(mine)));
	ck_assert(!cache_entry_valid(h, NODE_HOST, state(theirs)));
	ck_assert(cache_entry_valid(h, NODE_HOST, state(fixed)));
	cache_new_generation(&cache, 0);
	ck_assert(!cache_entry_valid(h, 0, state(mine)));
	/* The number is 30 bits wide and never 0, the generation of what was never published. */
	cache_head_rw(&cache)->gen[0] = (1U << 30) - 1;
	cache_publish(&cache, mine, ENTRY_NODE, UINT32_MAX);
	ck_assert(cache_entry_valid(h, 0, state(mine)));
	ck_assert_uint_eq(ENTRY_NODE_OF(state(mine)), UINT32_MAX);
	ck_assert_int_eq(ENTRY_KIND(state(mine)), ENTRY_NODE);
	cache_new_generation(&cache, 0);
	ck_assert_uint_eq(h->gen[0], 1);
}
END_TEST

START_TEST(finds_inodes)
{
	for (uint64_t i = 1; i < 5000; i++)
		ck_assert_int_eq(cache_set_inode(&cache, i % 3, i, (arena_ref)i), 0);
	for (uint64_t i = 1; i < 5000; i++) {
		ck_assert_uint_eq(cache_find_inode(&cache, i % 3, i), i);
		ck_assert_uint_eq(cache_find_inode(&cache, (i + 1) % 3, i), 0);
	}
	ck_assert_int_eq(cache_set_inode(&cache, 1, 1, 77), 0);
	ck_assert_uint_eq(cache_find_inode(&cache, 1, 1), 77);
}
END_TEST

START_TEST(shares_permissions)
{
	struct cache_perm p = { .mode = 0755, .uid = 1, .gid = 2 };
	arena_ref node[100];
	size_t used = 0;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(cache_new_node(&cache, NODE_DIR, 0, &node[i]), 0);
		ck_assert_ptr_null(cache_perm(&cache, cache_node(&cache, node[i])));
	}
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(cache_set_perm(&cache, node[i], &p), 0);
		if (!i)
			used = cache.mem.used;
	}
	ck_assert_uint_eq(cache.mem.used, used);
	p.uid = 7;
	ck_assert_int_eq(cache_set_perm(&cache, node[5], &p), 0);
	ck_assert_uint_eq(cache_perm(&cache, cache_node(&cache, node[4]))->uid, 1);
	ck_assert_uint_eq(cache_perm(&cache, cache_node(&cache, node[5]))->uid, 7);
	ck_assert(cache_flags(cache_node(&cache, node[5])) & NODE_DIR);
	cache_set_flags(&cache, node[5], NODE_DEAD, NODE_HAS_PERM);
	ck_assert_ptr_null(cache_perm(&cache, cache_node(&cache, node[5])));
	/* A new generation knows nothing, and learns one thing at a time. */
	ck_assert_int_eq(cache_set_place(&cache, node[6], 1, "/x"), 0);
	cache_new_generation(&cache, 0);
	ck_assert_ptr_null(cache_perm(&cache, cache_node(&cache, node[6])));
	ck_assert_int_eq(cache_set_perm(&cache, node[6], &p), 0);
	ck_assert_uint_eq(cache_perm(&cache, cache_node(&cache, node[6]))->uid, 7);
	ck_assert(!cache_has(&cache, cache_node(&cache, node[6]), NODE_HAS_PLACE));
}
END_TEST

START_TEST(spells_paths)
{
	arena_ref a, b, c;
	char buf[64];

	ck_assert_int_eq(cache_new_node(&cache, NODE_DIR, entry(root, "a"), &a), 0);
	ck_assert_int_eq(cache_new_node(&cache, NODE_DIR, entry(a, "bb"), &b), 0);
	ck_assert_int_eq(cache_new_node(&cache, 0, entry(b, "ccc"), &c), 0);
	ck_assert_int_eq(cache_path(&cache, root, buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "");
	ck_assert_int_eq(cache_path(&cache, c, buf, sizeof(buf)), 9);
	ck_assert_str_eq(buf, "/a/bb/ccc");
	ck_assert_int_eq(cache_path(&cache, c, buf, 10), 9);
	ck_assert_int_eq(cache_path(&cache, c, buf, 9), -ENAMETOOLONG);
	ck_assert_uint_eq(cache_parent(&cache, c), b);
	ck_assert_uint_eq(cache_parent(&cache, root), 0);
	/* A move is one word. */
	arena_store32(&cache_node_rw(&cache, b)->entry, entry(root, "moved"));
	ck_assert_int_eq(cache_path(&cache, c, buf, sizeof(buf)), 10);
	ck_assert_str_eq(buf, "/moved/ccc");
}
END_TEST

START_TEST(keeps_strings_that_stay)
{
	arena_ref link;
	uint32_t target;
	size_t used;

	ck_assert_int_eq(cache_new_node(&cache, NODE_LINK, 0, &link), 0);
	ck_assert_int_eq(cache_set_target(&cache, link, "target-and-more", 6), 0);
	target = cache_node(&cache, link)->target;
	ck_assert_str_eq(cache_string(&cache, target), "target");
	used = cache.mem.used;
	ck_assert_int_eq(cache_set_target(&cache, link, "target", 6), 0);
	ck_assert_uint_eq(cache_node(&cache, link)->target, target);
	ck_assert_uint_eq(cache.mem.used, used);
	ck_assert_int_eq(cache_set_target(&cache, link, "targ", 4), 0);
	ck_assert_str_eq(cache_string(&cache, cache_node(&cache, link)->target), "targ");
	ck_assert_int_eq(cache_set_target(&cache, link, "target", 6), 0);
	ck_assert_str_eq(cache_string(&cache, cache_node(&cache, link)->target), "target");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("arena");
	TCase *a = tcase_create("arena"), *c = tcase_create("cache");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(a, gives_zeroed_memory);
	tcase_add_test(a, stays_where_it_is);
	tcase_add_test(a, ends);
	tcase_add_test(a, makes_do_with_less_address_space);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, keeps_many_names);
	tcase_add_test(c, tells_names_apart);
	tcase_add_test(c, entries_live_for_a_generation);
	tcase_add_test(c, finds_inodes);
	tcase_add_test(c, shares_permissions);
	tcase_add_test(c, spells_paths);
	tcase_add_test(c, keeps_strings_that_stay);
	suite_add_tcase(s, a);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
