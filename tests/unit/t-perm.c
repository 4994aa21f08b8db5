/* SPDX-License-Identifier: MIT */
/*
 * The permission rules, compared with the kernel's: passthrough shows a directory, the kernel answers for
 * the same object to a process that has become the caller.  As root; others check what needs no other user.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ovltest.h"
#include "vfs/passthrough.h"
#include "vfs/perm.h"

static struct vfs *fs;
static const gid_t groups[] = { 2000, 3000, 4000 };
static struct cred user;

static void setup(void)
{
	scratch_enter();
	ck_assert_int_eq(passthrough_new(at("."), &fs), 0);
	cred_user(&user, 1000, 1000);
	user.groups = groups;
	user.ngroups = ARRAY_SIZE(groups);
}

static void teardown(void)
{
	fs->ops->destroy(fs);
	scratch_leave();
}

static void become_user(void)
{
	if (setgroups(ARRAY_SIZE(groups), groups) < 0 || setegid(1000) < 0 || seteuid(1000) < 0)
		abort();
}

static void become_root(void)
{
	if (seteuid(0) < 0 || setegid(0) < 0 || setgroups(0, NULL) < 0)
		abort();
}

/* --- access ----------------------------------------------------------------------------------- */

struct acl {
	uint32_t version;
	struct { uint16_t tag, perm; uint32_t id; } e[8];
};

/* Named entries for the caller, one of its groups, a stranger, as bits of which. */
static size_t make_acl(struct acl *a, unsigned which, unsigned perm)
{
	unsigned n = 0;

#define ENTRY(t, p, i) (a->e[n].tag = (t), a->e[n].perm = (p), a->e[n].id = (i), n++)
	a->version = 2;
	ENTRY(1, 7, ~0u);
	if (which & 1)
		ENTRY(2, perm & 7, 1000);
	ENTRY(4, perm >> 1 & 7, ~0u);
	if (which & 2)
		ENTRY(8, perm >> 2 & 7, 3000);
	if (which & 4)
		ENTRY(8, perm >> 3 & 7, 9999);
	ENTRY(16, perm >> 4 & 7, ~0u);
	ENTRY(32, perm & 7, ~0u);
#undef ENTRY
	return 4 + n * 8;
}

static void compare_access(const char *name)
{
	struct vnode *vn;

	ck_assert_int_eq(v_find(fs, name, &vn), 0);
	for (unsigned mask = 0; mask < 8; mask++) {
		struct stat st;

		become_user();
		int want = faccessat(AT_FDCWD, name, (int)mask, AT_EACCESS) < 0 ? -errno : 0;
		become_root();
		int got = perm_vnode(vn, mask, &user);
		stat(name, &st);
		ck_assert_msg(want == got, "mode %o uid %u gid %u mask %o: kernel %s, we %s", st.st_mode,
			      st.st_uid, st.st_gid, mask, strerror(-want), strerror(-got));
		want = faccessat(AT_FDCWD, name, (int)mask, AT_EACCESS) < 0 ? -errno : 0;
		ck_assert_int_eq(want, perm_vnode(vn, mask, &cred_root));
	}
}

START_TEST(access_by_mode)
{
	static const uid_t uids[] = { 0, 1000 };
	static const gid_t gids[] = { 0, 1000, 3000 };

	if (geteuid() != 0)
		return;
	sh("touch f; mkdir d");
	for (unsigned i = 0; i < ARRAY_SIZE(uids) * ARRAY_SIZE(gids); i++) {
		for (const char *const *n = (const char *const[]){ "f", "d", NULL }; *n; n++) {
			ck_assert_int_eq(chown(*n, uids[i % 2], gids[i / 2]), 0);
			for (mode_t mode = 0; mode < 01000; mode += 7) {
				ck_assert_int_eq(chmod(*n, mode), 0);
				compare_access(*n);
			}
		}
	}
}
END_TEST

START_TEST(access_by_acl)
{
	struct acl a;

	if (geteuid() != 0)
		return;
	sh("touch f");
	for (unsigned i = 0; i < 8 * 128; i++) {
		size_t n = make_acl(&a, i & 7, i >> 3);

		ck_assert_int_eq(chown("f", 0, i & 64 ? 3000 : 0), 0);
		if (setxattr("f", "system.posix_acl_access", &a, n, 0) < 0)
			return;
		compare_access("f");
	}
}
END_TEST

/* --- changes: the same call by the kernel as that user, and by passthrough on its behalf ------- */

static void compare_change(const char *what, int want, int got)
{
	ck_assert_msg(want == got, "%s: kernel %s, we %s", what, strerror(-want), strerror(-got));
}

#define AS_USER(call) ({ become_user(); int r_ = (call) < 0 ? -errno : 0; become_root(); r_; })

START_TEST(attributes)
{
	static const struct { uid_t uid; gid_t gid; mode_t mode; } objects[] = {
		{ 1000, 1000, 0644 }, { 1000, 0, 02755 }, { 0, 1000, 0664 }, { 0, 0, 0666 }, { 0, 0, 0600 },
		{ 1000, 3000, 06777 }, { 0, 3000, 04775 },
	};
	static const mode_t modes[] = { 0600, 02755, 06777, 0 };
	static const struct { uid_t uid; gid_t gid; } owners[] = {
		{ 1000, (gid_t)-1 }, { 0, (gid_t)-1 }, { (uid_t)-1, 3000 }, { (uid_t)-1, 1000 }, { (uid_t)-1, 7 },
		{ 1000, 2000 },
	};

	if (geteuid() != 0)
		return;
	sh("touch k v");
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
#define RESET() do { for (const char *const *n = (const char *const[]){ "k", "v", NULL }; *n; n++) { \
		ck_assert_int_eq(chown(*n, objects[i].uid, objects[i].gid), 0); \
		ck_assert_int_eq(chmod(*n, objects[i].mode), 0); } } while (0)
#define SAME() do { struct stat a, b; stat("k", &a); stat("v", &b); \
		ck_assert_int_eq(a.st_mode, b.st_mode); ck_assert_int_eq(a.st_uid, b.st_uid); \
		ck_assert_int_eq(a.st_gid, b.st_gid); } while (0)
		for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
			RESET();
			compare_change("chmod", AS_USER(chmod("k", modes[m])), v_chmod(fs, "v", modes[m], &user));
			SAME();
		}
		for (size_t o = 0; o < ARRAY_SIZE(owners); o++) {
			struct vnode *vn;
			struct vfs_setattr a = {
				.mask = (owners[o].uid != (uid_t)-1 ? VFS_UID : 0u) |
					(owners[o].gid != (gid_t)-1 ? VFS_GID : 0u),
				.uid = owners[o].uid, .gid = owners[o].gid,
			};

			RESET();
			ck_assert_int_eq(v_find(fs, "v", &vn), 0);
			compare_change("chown", AS_USER(chown("k", owners[o].uid, owners[o].gid)),
				       fs->ops->setattr(vn, &a, &user));
		}
		RESET();
		struct timespec t[2] = { { 5, 0 }, { 5, 0 } }, now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
		struct vfs_setattr a = { .mask = VFS_ATIME | VFS_MTIME, .time = { now[0], now[1] } };
		struct vnode *vn;
		ck_assert_int_eq(v_find(fs, "v", &vn), 0);
		compare_change("utimes", AS_USER(utimensat(AT_FDCWD, "k", t, 0)), v_utimes(fs, "v", 5, &user));
		compare_change("touch", AS_USER(utimensat(AT_FDCWD, "k", now, 0)),
			       fs->ops->setattr(vn, &a, &user));
		compare_change("truncate", AS_USER(truncate("k", 0)), v_truncate(fs, "v", 0, &user));
		compare_change("user.", AS_USER(setxattr("k", "user.a", "1", 1, 0)),
			       v_setxattr(fs, "v", "user.a", "1", &user));
		compare_change("trusted.", AS_USER(setxattr("k", "trusted.a", "1", 1, 0)),
			       v_setxattr(fs, "v", "trusted.a", "1", &user));
		compare_change("security.", AS_USER(setxattr("k", "security.a", "1", 1, 0)),
			       v_setxattr(fs, "v", "security.a", "1", &user));
		RESET(); /* passthrough's truncate keeps set-id bits */
		sh("mkdir -m 777 l; chown 1000 l");
		compare_change("link", AS_USER(link("k", "l/k")), v_link(fs, "v", "l/v", &user));
		sh("rm -r l; rm k v; touch k v");
	}
}
END_TEST

START_TEST(removing)
{
	static const mode_t modes[] = { 0755, 0777, 01777, 0711, 01775 };
	static const uid_t owners[] = { 0, 1000 };

	if (geteuid() != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(modes) * 4; i++) {
		uid_t dir = owners[i & 1], file = owners[i >> 1 & 1];

		for (const char *const *d = (const char *const[]){ "k", "v", NULL }; *d; d++)
			sh("rm -rf %s; mkdir %s %s/d; touch %s/f; chown %u %s; chown %u %s/*; chmod %o %s", *d, *d,
			   *d, *d, dir, *d, file, *d, modes[i / 4], *d);
		compare_change("mkdir", AS_USER(mkdir("k/new", 0700)), v_mkdir(fs, "v/new", 0700, &user));
		compare_change("rmdir file", AS_USER(rmdir("k/f")), v_rmdir(fs, "v/f", &user));
		compare_change("unlink dir", AS_USER(unlink("k/d")), v_unlink(fs, "v/d", &user));
		compare_change("rename", AS_USER(rename("k/f", "k/g")), v_rename(fs, "v/f", "v/g", 0, &user));
		compare_change("rmdir", AS_USER(rmdir("k/d")), v_rmdir(fs, "v/d", &user));
		compare_change("unlink", AS_USER(unlink("k/g")), v_unlink(fs, "v/g", &user));
		compare_change("fifo", AS_USER(mkfifo("k/p", 0600)), v_make(fs, "v/p", S_IFIFO | 0600, NULL, &user));
	}
}
END_TEST

START_TEST(flags)
{
	if (geteuid() != 0)
		return;
	sh("touch i a; mkdir di da; touch di/x da/x");
	if (sh_status("chattr +i i di 2>/dev/null && chattr +a a da 2>/dev/null"))
		return;
	int r[9] = {
		v_chmod(fs, "i", 0600, &cred_root), v_truncate(fs, "i", 0, &cred_root),
		v_unlink(fs, "i", &cred_root), v_chmod(fs, "a", 0600, &cred_root),
		v_truncate(fs, "a", 0, &cred_root), v_mkdir(fs, "di/n", 0700, &cred_root),
		v_unlink(fs, "di/x", &cred_root), v_unlink(fs, "da/x", &cred_root),
		v_link(fs, "i", "j", &cred_root),
	};
	int create = v_mkdir(fs, "da/n", 0700, &cred_root);
	sh("chattr -ia i a di da");
	for (size_t i = 0; i < ARRAY_SIZE(r); i++)
		ck_assert_msg(r[i] == -EPERM, "case %zu: %s", i, strerror(-r[i]));
	ck_assert_int_eq(create, 0);
}
END_TEST

START_TEST(credentials)
{
	struct cred c = { .fsgid = 7, .groups = groups, .ngroups = 3, .caps = UINT64_C(1) << CAP_FOWNER };

	ck_assert(cred_in_group(&c, 7) && cred_in_group(&c, 2000) && cred_in_group(&c, 4000));
	ck_assert(!cred_in_group(&c, 2001) && !cred_in_group(&c, 0));
	ck_assert(cred_has_cap(&c, CAP_FOWNER) && !cred_has_cap(&c, CAP_CHOWN) && !cred_has_cap(&c, 64));
	c.ngroups = 0;
	ck_assert(!cred_in_group(&c, 2000));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("perm");
	TCase *t = tcase_create("perm");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, access_by_mode);
	tcase_add_test(t, access_by_acl);
	tcase_add_test(t, attributes);
	tcase_add_test(t, removing);
	tcase_add_test(t, flags);
	tcase_add_test(t, credentials);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
