/* SPDX-License-Identifier: MIT */
/* vfs.c's bookkeeping, and passthrough, the reference implementation. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ovltest.h"
#include "vfs/passthrough.h"

static struct vfs fs;
static const struct vfs_ops none = { .version = VFS_VERSION, .name = "none" };

static unsigned changed, names;

static void on_changed(void *arg, struct vnode *vn)
{
	(void)arg;
	(void)vn;
	changed++;
}

static void on_name(void *arg, struct vnode *dir, const char *name)
{
	(void)arg;
	(void)dir;
	(void)name;
	names++;
}

static void setup(void)
{
	ck_assert_int_eq(vfs_init(&fs, &none), 0);
	fs.obs = (struct vfs_observer){ .changed = on_changed, .name_changed = on_name };
	changed = names = 0;
}

static struct vnode *made[8192];
static unsigned nmade;

static void teardown(void)
{
	for (unsigned i = 0; i < nmade; i++) {
		free(made[i]->name);
		free(made[i]);
	}
	nmade = 0;
	vfs_fini(&fs);
}

static struct vnode *add(struct vnode *dir, const char *name)
{
	struct vnode *vn = calloc(1, sizeof(*vn));

	ck_assert_int_eq(vnode_init(vn, &fs, dir, name, S_IFDIR), 0);
	made[nmade++] = vn;
	return vn;
}

START_TEST(children_are_found)
{
	struct vnode *root = add(NULL, "");
	char name[32], path[64];

	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		add(root, name);
	}
	for (int i = 0; i < 5000; i += 2) {
		snprintf(name, sizeof(name), "n%d", i);
		vnode_kill(vfs_child(root, name));
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		struct vnode *vn = vfs_child(root, name);
		ck_assert_int_eq(vn != NULL, i & 1);
		if (vn) {
			ck_assert_int_eq(vnode_path(vn, path, sizeof(path)), 0);
			ck_assert_str_eq(path, name);
		}
	}
}
END_TEST

START_TEST(paths)
{
	struct vnode *root = add(NULL, ""), *a = add(root, "a"), *b = add(a, "b"), *c = add(b, "c");
	char buf[64];

	ck_assert_int_eq(vnode_path(root, buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "");
	ck_assert_int_eq(vnode_path(c, buf, 6), 0);
	ck_assert_str_eq(buf, "a/b/c");
	ck_assert_int_eq(vnode_path(c, buf, 5), -ENAMETOOLONG);
	ck_assert(vnode_is_ancestor(a, c) && vnode_is_ancestor(c, c) && !vnode_is_ancestor(c, a));
	ck_assert_int_eq(vnode_move(b, root, "x"), 0);
	ck_assert_int_eq(vnode_path(c, buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "x/c");
	ck_assert_ptr_null(vfs_child(a, "b"));
	ck_assert_ptr_eq(vfs_child(root, "x"), b);
	/* Both names, and the two objects that moved. */
	ck_assert_int_eq(names, 2);
	ck_assert_int_eq(changed, 2);
	ck_assert_int_eq(vnode_swap(a, c), 0);
	ck_assert_ptr_eq(vfs_child(root, "a"), c);
	ck_assert_ptr_eq(vfs_child(b, "c"), a);
}
END_TEST

START_TEST(death_takes_what_is_below)
{
	struct vnode *root = add(NULL, ""), *a = add(root, "a"), *b = add(a, "b"), *c = add(b, "c");
	struct vnode *d = add(a, "d");
	char buf[64];

	vnode_kill(a);
	ck_assert(a->dead && b->dead && c->dead && d->dead && !root->dead);
	ck_assert_int_eq(vnode_path(c, buf, sizeof(buf)), -ENOENT);
	ck_assert_int_eq(vnode_path(a, buf, sizeof(buf)), -ENOENT);
	ck_assert_ptr_null(vfs_child(root, "a"));
	ck_assert_int_eq(changed, 4);
	vnode_kill(a);
	ck_assert_int_eq(changed, 4);
	ck_assert_ptr_null(vnode_next(root, root));
}
END_TEST

START_TEST(unset_operations_say_so)
{
	struct vnode *root = add(NULL, ""), *vn;
	struct statx st;
	char buf[8];

	ck_assert_int_eq(fs.ops->root(&fs, &vn), -EOPNOTSUPP);
	ck_assert_int_eq(fs.ops->getattr(root, &st), -EOPNOTSUPP);
	ck_assert_int_eq(fs.ops->unlink(root, "x", root, &cred_root), -EOPNOTSUPP);
	ck_assert_int_eq((int)fs.ops->listxattr(root, buf, 8, &cred_root), -EOPNOTSUPP);
	fs.ops->identify(&fs, &st);
	fs.ops->destroy(&fs);
	struct vfs other;
	struct vfs_ops old = { .version = VFS_VERSION + 1 };
	ck_assert_int_eq(vfs_init(&other, &old), -EINVAL);
}
END_TEST

/* The same operations, the same tree. */
START_TEST(passthrough_is_the_directory)
{
	struct vfs *p;
	struct cred self;
	char real[PATH_MAX];
	struct vnode *vn;

	scratch_enter();
	cred_self(&self);
	sh("mkdir -p p/d p/e; echo x >p/d/f; ln -s f p/d/l");
	ck_assert_int_eq(passthrough_new(at("p"), &p), 0);
	ck_assert_str_eq(v_read(p, "d/f"), "x\n");
	ck_assert_int_eq(v_mkdir(p, "n", 0750, &self), 0);
	ck_assert_int_eq(v_mkdir(p, "n", 0750, &self), -EEXIST);
	ck_assert_int_eq(v_write(p, "n/g", "text", false, &self), 0);
	ck_assert_int_eq(v_link(p, "n/g", "n/h", &self), 0);
	ck_assert_int_eq(v_rename(p, "n/g", "n/h", 0, &self), 0);
	ck_assert_int_eq(v_rename(p, "d", "e", 0, &self), 0);
	ck_assert_int_eq(v_rename(p, "e", "n", RENAME_EXCHANGE, &self), 0);
	ck_assert_int_eq(v_rename(p, "n", "n/x", 0, &self), -EINVAL);
	ck_assert_int_eq(v_chmod(p, "n/f", 0600, &self), 0);
	ck_assert_int_eq(v_utimes(p, "n/l", 55, &self), 0);
	ck_assert_int_eq(v_truncate(p, "n/f", 1, &self), 0);
	ck_assert_int_eq(v_setxattr(p, "n/f", "user.a", "1", &self), 0);
	ck_assert_int_eq(v_rmxattr(p, "n/f", "user.b", &self), -ENODATA);
	ck_assert_int_eq(v_unlink(p, "e/h", &self), 0);
	ck_assert_int_eq(v_rmdir(p, "n", &self), -ENOTEMPTY);
	ck_assert_int_eq(v_find(p, "n/f", &vn), 0);
	ck_assert_int_eq(p->ops->realpath(vn, real, sizeof(real)), 0);
	ck_assert_str_eq(real, at("p/n/f"));
	_cleanup_free_ char *a = dump_host("p", 0), *b = dump_vfs(p, 0);
	same_text("trees", a, b);
	/* Changes from outside. */
	sh("rm p/n/f; mkdir p/n/f");
	struct vnode *again;
	ck_assert_int_eq(v_find(p, "n/f", &again), 0);
	ck_assert(vn->dead && again != vn);
	p->ops->destroy(p);
	scratch_leave();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vfs");
	TCase *t = tcase_create("vfs"), *p = tcase_create("passthrough");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, children_are_found);
	tcase_add_test(t, paths);
	tcase_add_test(t, death_takes_what_is_below);
	tcase_add_test(t, unset_operations_say_so);
	tcase_add_test(p, passthrough_is_the_directory);
	suite_add_tcase(s, t);
	suite_add_tcase(s, p);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
