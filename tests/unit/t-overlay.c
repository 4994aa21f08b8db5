/* SPDX-License-Identifier: MIT */
/* The overlay's behaviour, both dialects, as root and as an ordinary user. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ovltest.h"

static const enum overlay_dialect dialects[] = { DIALECT_CHARDEV, DIALECT_FILEPREFIX };
#define EACH_DIALECT(t, f) tcase_add_loop_test(t, f, no_devices, 2)

static struct cred self;
static bool no_devices; /* 0:0 cannot be made here: an overlay, an old kernel */

static void probe_devices(void)
{
	scratch_enter();
	no_devices = mknod("device", S_IFCHR, 0) < 0;
	scratch_leave();
}

/* One scratch directory for all tests, so that one that fails leaves nothing either. */
static void setup(void)
{
	cred_self(&self);
	sh("umount tiny 2>/dev/null; chmod -R u+rwx .; find . -mindepth 1 -delete; mkdir l1 l2 u");
}

static struct vfs *open_both(int dialect)
{
	return ovl_open("u", "l1:l2", dialects[dialect]);
}

static uint64_t ino_of(struct vfs *fs, const char *path)
{
	struct statx st;
	int r = v_stat(fs, path, &st);

	ck_assert_msg(r == 0, "%s: %s", path, strerror(-r));
	return st.stx_ino;
}

#define OK(e) do { int r_ = (e); ck_assert_msg(r_ == 0, "%s: %s", #e, strerror(-r_)); } while (0)
#define FAILS(e, with) do { int r_ = (e); ck_assert_msg(r_ == -(with), "%s: %s, not %s", #e, \
			    r_ < 0 ? strerror(-r_) : "success", strerror(with)); } while (0)

static bool on_disk(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* --- merging ---------------------------------------------------------------------------------- */

START_TEST(names_are_merged)
{
	sh("mkdir -p l1/d l2/d/e; echo 1 >l1/d/x; echo 2 >l2/d/x; echo 2 >l2/d/y; echo 3 >l2/d/e/z; echo >u/n");
	struct vfs *fs = open_both(_i);
	ck_assert_str_eq(v_ls(fs, ""), "d n");
	ck_assert_str_eq(v_ls(fs, "d"), "e x y");
	ck_assert_str_eq(v_read(fs, "d/x"), "1\n");
	ck_assert_str_eq(v_read(fs, "d/e/z"), "3\n");
	struct vnode *vn;
	OK(v_find(fs, "d/y", &vn));
	ck_assert_int_eq(fs->ops->layer(vn), 2);
	FAILS(v_find(fs, "d/none", &vn), ENOENT);
	ovl_close(fs);
}
END_TEST

/* Every form of whiteout and opaque mark is read, in lowers and (the dialect's) in the upper. */
START_TEST(foreign_marks_are_read)
{
	sh("mkdir -p l2/a l2/b l2/c l2/w l1/a l1/b l1/c l1/w; touch l2/a/x l2/b/x l2/c/x l2/w/p l2/w/q l2/top");
	sh("touch l1/a/.wh..wh..opq l1/w/.wh.p l1/.wh.top l1/w/.wh..wh.plnk");
	OK(setxattr("l1/b", "user.overlay.opaque", "y", 1, 0));
	OK(setxattr("l1/c", "user.fuseoverlayfs.opaque", "y", 1, 0));
	if (no_devices)
		sh("touch l1/w/.wh.q");
	else
		OK(mknod("l1/w/q", S_IFCHR, 0));
	struct vfs *fs = open_both(_i);
	ck_assert_str_eq(v_ls(fs, ""), "a b c w");
	ck_assert_str_eq(v_ls(fs, "a"), "");
	ck_assert_str_eq(v_ls(fs, "b"), "");
	ck_assert_str_eq(v_ls(fs, "c"), "");
	ck_assert_str_eq(v_ls(fs, "w"), "");
	struct statx st;
	FAILS(v_stat(fs, "w/p", &st), ENOENT);
	FAILS(v_stat(fs, "w/q", &st), ENOENT);
	FAILS(v_stat(fs, "w/.wh.p", &st), ENOENT);
	FAILS(v_stat(fs, "a/x", &st), ENOENT);
	FAILS(v_stat(fs, "top", &st), ENOENT);
	ovl_close(fs);
}
END_TEST

START_TEST(xattr_whiteouts_are_read)
{
	sh("mkdir -p l1/d l2/d; touch l1/d/gone l1/d/empty; echo x >l2/d/gone");
	OK(setxattr("l1/d", "user.overlay.opaque", "x", 1, 0));
	OK(setxattr("l1/d/gone", "user.overlay.whiteout", "y", 1, 0));
	struct vfs *fs = open_both(_i);
	ck_assert_str_eq(v_ls(fs, "d"), "empty");
	OK(v_make(fs, "d/gone", S_IFREG | 0644, NULL, &self));
	ck_assert_str_eq(v_read(fs, "d/gone"), "");
	ovl_close(fs);
}
END_TEST

/* An opaque or hidden ancestor, not only the parent, cuts what is below (lessons 12). */
START_TEST(marks_of_every_ancestor_count)
{
	sh("mkdir -p l2/a/b/c l1/a/b u/a; touch l2/a/b/c/f l2/a/b/f l1/a/b/g l1/.wh.x; mkdir l2/x; touch l2/x/f");
	OK(setxattr("l1/a", "user.overlay.opaque", "y", 1, 0));
	struct vfs *fs = open_both(_i);
	ck_assert_str_eq(v_ls(fs, "a"), "b");
	ck_assert_str_eq(v_ls(fs, "a/b"), "g");
	struct statx st;
	FAILS(v_stat(fs, "a/b/c", &st), ENOENT);
	FAILS(v_stat(fs, "x/f", &st), ENOENT);
	ovl_close(fs);
}
END_TEST

START_TEST(type_conflicts_end_the_merge)
{
	sh("mkdir -p l2/a l1/b u/c; touch l2/a/x l1/a l1/b/y; touch l2/b; touch l1/c; mkdir l2/c; touch l2/c/no");
	struct vfs *fs = open_both(_i);
	struct statx st;
	OK(v_stat(fs, "a", &st));
	ck_assert(S_ISREG(st.stx_mode));
	ck_assert_str_eq(v_ls(fs, "b"), "y");
	ck_assert_str_eq(v_ls(fs, "c"), "");
	ovl_close(fs);
}
END_TEST

START_TEST(prefix_names_are_ordinary_with_devices)
{
	if (no_devices)
		return;
	sh("echo 1 >u/.wh.n; touch l1/n");
	struct vfs *fs = ovl_open("u", "l1:l2", DIALECT_CHARDEV);
	ck_assert_str_eq(v_ls(fs, ""), ".wh.n n");
	OK(v_make(fs, ".wh.m", S_IFREG | 0644, NULL, &self));
	ovl_close(fs);
	fs = ovl_open("u", "l1:l2", DIALECT_FILEPREFIX);
	ck_assert_str_eq(v_ls(fs, ""), "");
	FAILS(v_make(fs, ".wh.m", S_IFREG | 0644, NULL, &self), EINVAL);
	FAILS(v_rename(fs, "nix", ".wh.m", 0, &self), ENOENT);
	ovl_close(fs);
}
END_TEST

START_TEST(auto_finds_the_dialect)
{
	sh("touch l1/a l1/b");
	struct vfs *fs = ovl_open("u", "l1:l2", DIALECT_AUTO);
	OK(v_unlink(fs, "a", &self));
	ovl_close(fs);
	ck_assert(on_disk("u/.wh.a"));
	if (no_devices)
		return;
	sh("rm -rf u; mkdir -p u/d/e");
	OK(mknod("u/d/e/a", S_IFCHR, 0));
	fs = ovl_open("u", "l1:l2", DIALECT_AUTO);
	OK(v_unlink(fs, "b", &self));
	ovl_close(fs);
	ck_assert(on_disk("u/b"));
}
END_TEST

/* --- removing --------------------------------------------------------------------------------- */

/* lessons 3 and 5 */
START_TEST(remove_and_create_again)
{
	sh("mkdir -p l1/d/sub l2/d; echo old >l1/d/f; echo old >l2/d/g; echo old >l1/d/sub/h");
	struct vfs *fs = open_both(_i);
	FAILS(v_rmdir(fs, "d", &self), ENOTEMPTY);
	OK(v_unlink(fs, "d/f", &self));
	OK(v_unlink(fs, "d/g", &self));
	FAILS(v_unlink(fs, "d/g", &self), ENOENT);
	ck_assert_str_eq(v_ls(fs, "d"), "sub");
	OK(v_unlink(fs, "d/sub/h", &self));
	OK(v_rmdir(fs, "d/sub", &self));
	OK(v_rmdir(fs, "d", &self));
	ck_assert_str_eq(v_ls(fs, ""), "");
	OK(v_mkdir(fs, "d", 0755, &self));
	ck_assert_str_eq(v_ls(fs, "d"), "");
	OK(v_mkdir(fs, "d/sub", 0755, &self));
	ck_assert_str_eq(v_ls(fs, "d/sub"), "");
	OK(v_write(fs, "d/f", "new", false, &self));
	ck_assert_str_eq(v_read(fs, "d/f"), "new");
	FAILS(v_unlink(fs, "d", &self), EISDIR);
	FAILS(v_rmdir(fs, "d/f", &self), ENOTDIR);
	ovl_close(fs);
	fs = open_both(_i);
	ck_assert_str_eq(v_ls(fs, "d"), "f sub");
	ck_assert_str_eq(v_ls(fs, "d/sub"), "");
	ovl_close(fs);
	ck_assert(on_disk("l1/d/f") && on_disk("l2/d/g"));
}
END_TEST

START_TEST(whiteouts_only_where_needed)
{
	sh("mkdir l1/d; touch l1/f l1/d/x");
	struct vfs *fs = open_both(_i);
	OK(v_write(fs, "n", "x", false, &self));
	OK(v_unlink(fs, "n", &self));
	OK(v_mkdir(fs, "p", 0755, &self));
	OK(v_write(fs, "p/q", "x", false, &self));
	OK(v_unlink(fs, "p/q", &self));
	OK(v_rmdir(fs, "p", &self));
	ck_assert_int_eq(sh_status("test -z \"$(ls -A u)\""), 0);
	OK(v_unlink(fs, "f", &self));
	OK(v_write(fs, "f", "x", false, &self));
	OK(v_unlink(fs, "f", &self));
	OK(v_unlink(fs, "d/x", &self));
	OK(v_rmdir(fs, "d", &self));
	ovl_close(fs);
	/* One mark a name, none inside what is gone. */
	ck_assert_int_eq(sh_status("test $(find u -mindepth 1 | wc -l) = 2"), 0);
}
END_TEST

START_TEST(new_over_old_fails)
{
	sh("touch l1/f; mkdir l1/d");
	struct vfs *fs = open_both(_i);
	FAILS(v_mkdir(fs, "f", 0755, &self), EEXIST);
	FAILS(v_mkdir(fs, "d", 0755, &self), EEXIST);
	FAILS(v_make(fs, "f", S_IFLNK | 0777, "t", &self), EEXIST);
	FAILS(v_make(fs, "d", S_IFIFO | 0644, NULL, &self), EEXIST);
	FAILS(v_link(fs, "f", "d", &self), EEXIST);
	FAILS(v_link(fs, "d", "n", &self), EPERM);
	ovl_close(fs);
	ck_assert_int_eq(sh_status("test -z \"$(ls -A u)\""), 0);
}
END_TEST

START_TEST(every_type_over_a_whiteout)
{
	sh("for i in a b c d e; do echo l >l1/$i; done; mkdir l1/o; touch l1/o/x");
	struct vfs *fs = open_both(_i);
	for (char n[] = "a"; *n <= 'e'; (*n)++)
		OK(v_unlink(fs, n, &self));
	OK(v_mkdir(fs, "a", 0750, &self));
	OK(v_make(fs, "b", S_IFLNK | 0777, "target", &self));
	OK(v_make(fs, "c", S_IFIFO | 0640, NULL, &self));
	OK(v_write(fs, "d", "new", false, &self));
	OK(v_link(fs, "d", "e", &self));
	ck_assert_str_eq(v_ls(fs, ""), "a b c d e o");
	ck_assert_int_eq(ino_of(fs, "d"), ino_of(fs, "e"));
	struct statx st;
	OK(v_stat(fs, "a", &st));
	ck_assert_int_eq(st.stx_mode, S_IFDIR | 0750);
	OK(v_stat(fs, "c", &st));
	ck_assert_int_eq(st.stx_mode, S_IFIFO | 0640);
	ovl_close(fs);
	ck_assert_int_eq(sh_status("test -z \"$(find u -type c -o -name '.wh.[a-e]')\""), 0);
}
END_TEST

START_TEST(long_names_can_be_removed)
{
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	if (no_devices)
		return;
	sh("touch l1/%s", name);
	struct vfs *fs = open_both(_i);
	OK(v_unlink(fs, name, &self));
	ck_assert_str_eq(v_ls(fs, ""), "");
	OK(v_write(fs, name, "x", false, &self));
	ck_assert_str_eq(v_ls(fs, ""), name);
	ovl_close(fs);
}
END_TEST

/* --- copy-up ---------------------------------------------------------------------------------- */

/* lessons 10 */
START_TEST(copy_up_loses_nothing)
{
	struct stat a, b;
	char big[3000], got[3000];

	memset(big, 'v', sizeof(big));
	sh("mkdir -p l1/p/q; echo data >l1/p/q/f; chmod 6755 l1/p/q/f; chmod 1711 l1/p; chmod 2750 l1/p/q");
	OK(setxattr("l1/p/q/f", "user.big", big, sizeof(big), 0));
	OK(setxattr("l1/p/q", "user.dir", "1", 1, 0));
	OK(setxattr("l1/p/q/f", "user.overlay.opaque", "y", 1, 0));
	sh("touch -d '2001-02-03 04:05:06.123456789' l1/p/q/f; touch -d @1000.5 l1/p/q; touch -d @2000.25 l1/p");
	struct vfs *fs = open_both(_i);
	struct vnode *vn;
	OK(v_find(fs, "p/q/f", &vn));
	OK(fs->ops->make_writable(vn, false));
	for (const char *const *p = (const char *const[]){ "p", "p/q", "p/q/f", NULL }; *p; p++) {
		char l[64], u[64];

		snprintf(l, sizeof(l), "l1/%s", *p);
		snprintf(u, sizeof(u), "u/%s", *p);
		OK(lstat(l, &a));
		OK(lstat(u, &b));
		ck_assert_int_eq(a.st_mode, b.st_mode);
		ck_assert_int_eq(a.st_uid, b.st_uid);
		ck_assert_int_eq(a.st_gid, b.st_gid);
		ck_assert_int_eq(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
		ck_assert_int_eq(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
		ck_assert_int_eq(a.st_atim.tv_sec, b.st_atim.tv_sec);
	}
	ck_assert_int_eq(getxattr("u/p/q/f", "user.big", got, sizeof(got)), sizeof(big));
	ck_assert_int_eq(getxattr("u/p/q", "user.dir", got, sizeof(got)), 1);
	ck_assert_int_eq(getxattr("u/p/q/f", "user.overlay.opaque", got, sizeof(got)), -1);
	ck_assert_str_eq(v_read(fs, "p/q/f"), "data\n");
	ovl_close(fs);
}
END_TEST

START_TEST(copy_up_of_special_files)
{
	sh("mkfifo l1/fifo; ln -s 'a target' l1/link; touch -h -d @77.5 l1/link l1/fifo; chmod 604 l1/fifo");
	sh("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"l1/sock\")'");
	struct vfs *fs = open_both(_i);
	/* Opening the FIFO would hang. */
	OK(v_chmod(fs, "fifo", 0606, &self));
	OK(v_utimes(fs, "link", 99, &self));
	OK(v_chmod(fs, "sock", 0700, &self));
	struct stat st;
	OK(lstat("u/fifo", &st));
	ck_assert_int_eq(st.st_mode, S_IFIFO | 0606);
	ck_assert_int_eq(st.st_mtim.tv_sec, 77);
	OK(lstat("u/link", &st));
	ck_assert_int_eq(st.st_mtim.tv_sec, 99);
	OK(lstat("u/sock", &st));
	ck_assert_int_eq(st.st_mode, S_IFSOCK | 0700);
	char buf[32];
	struct vnode *vn;
	OK(v_find(fs, "link", &vn));
	ck_assert_int_eq(fs->ops->readlink(vn, buf, sizeof(buf)), 8);
	ovl_close(fs);
}
END_TEST

START_TEST(copy_up_keeps_holes)
{
	struct stat a, b;

	sh("truncate -s 5G l1/sparse; printf middle | dd of=l1/sparse bs=1 seek=3000000000 conv=notrunc 2>/dev/null");
	struct vfs *fs = open_both(_i);
	OK(v_chmod(fs, "sparse", 0600, &self));
	OK(stat("l1/sparse", &a));
	OK(stat("u/sparse", &b));
	ck_assert_int_eq(a.st_size, b.st_size);
	ck_assert_int_le(b.st_blocks, a.st_blocks + 64);
	ck_assert_int_eq(sh_status("test \"$(dd if=u/sparse bs=1 skip=3000000000 count=6 2>/dev/null)\" = middle"), 0);
	ovl_close(fs);
}
END_TEST

START_TEST(truncation_copies_no_data)
{
	sh("truncate -s 1G l1/big; echo 12345 >l1/small; echo x | tee l1/t >/dev/null; touch -d @5 l1/t");
	struct vfs *fs = open_both(_i);
	struct vnode *vn;
	OK(v_find(fs, "big", &vn));
	OK(fs->ops->make_writable(vn, true));
	struct statx st;
	OK(v_stat(fs, "big", &st));
	ck_assert_int_eq(st.stx_size, 0);
	OK(v_truncate(fs, "small", 3, &self));
	ck_assert_str_eq(v_read(fs, "small"), "123");
	OK(v_truncate(fs, "t", 0, &self));
	OK(v_stat(fs, "t", &st));
	ck_assert_int_eq(st.stx_size, 0);
	ck_assert_int_ne(st.stx_mtime.tv_sec, 5);
	ovl_close(fs);
	ck_assert_int_eq(sh_status("test \"$(cat l1/small)\" = 12345"), 0);
}
END_TEST

START_TEST(copy_up_without_space_leaves_nothing)
{
	if (geteuid() != 0)
		return;
	sh("mkdir tiny && mount -t tmpfs -o size=1m tmpfs tiny && mkdir tiny/u && dd if=/dev/urandom of=l1/f "
	   "bs=1M count=4 2>/dev/null; mkdir l1/d; cp l1/f l1/d/g; echo s >l1/d/s");
	struct vfs *fs = ovl_open("tiny/u", "l1:l2", dialects[_i]);
	FAILS(v_chmod(fs, "f", 0600, &self), ENOSPC);
	FAILS(v_rename(fs, "d", "e", 0, &self), ENOSPC);
	ck_assert_str_eq(v_ls(fs, ""), "d f");
	ck_assert_str_eq(v_ls(fs, "d"), "g s");
	ck_assert_int_eq(sh_status("test -z \"$(ls -A tiny/u)\""), 0);
	ovl_close(fs);
	ck_assert_int_eq(sh_status("test \"$(ls -A tiny)\" = u"), 0);
	sh("umount tiny");
}
END_TEST

START_TEST(copy_up_of_read_only_directories)
{
	sh("mkdir -p l1/r/s; echo x >l1/r/s/f; chmod 555 l1/r/s l1/r");
	struct vfs *fs = open_both(_i);
	OK(v_write(fs, "r/s/f", "y", false, &self));
	struct stat st;
	OK(stat("u/r/s", &st));
	ck_assert_int_eq(st.st_mode & 07777, 0555);
	ck_assert_str_eq(v_read(fs, "r/s/f"), "y");
	if (geteuid() != 0)
		FAILS(v_unlink(fs, "r/s/f", &self), EACCES);
	ovl_close(fs);
}
END_TEST

START_TEST(hard_links_are_split)
{
	sh("echo x >l1/a; ln l1/a l1/b");
	struct vfs *fs = open_both(_i);
	ck_assert_int_eq(ino_of(fs, "a"), ino_of(fs, "b"));
	uint64_t b = ino_of(fs, "b");
	OK(v_write(fs, "a", "y", false, &self));
	ck_assert_str_eq(v_read(fs, "b"), "x\n");
	ck_assert_int_eq(ino_of(fs, "b"), b);
	ck_assert_int_ne(ino_of(fs, "a"), b);
	OK(v_link(fs, "a", "c", &self));
	OK(v_write(fs, "c", "z", false, &self));
	ck_assert_str_eq(v_read(fs, "a"), "z");
	ck_assert_int_eq(ino_of(fs, "a"), ino_of(fs, "c"));
	/* The same file on both sides: nothing happens. */
	OK(v_rename(fs, "a", "c", 0, &self));
	ck_assert_str_eq(v_ls(fs, ""), "a b c");
	ovl_close(fs);
}
END_TEST

/* --- identity --------------------------------------------------------------------------------- */

/* lessons 13 */
START_TEST(numbers_do_not_change)
{
	sh("mkdir -p l1/d l2/d/e; echo x >l1/d/f; echo x >l2/d/g");
	struct vfs *fs = open_both(_i);
	uint64_t d = ino_of(fs, "d"), e = ino_of(fs, "d/e"), f = ino_of(fs, "d/f");
	struct statx st, root;
	OK(v_chmod(fs, "d/f", 0600, &self));
	OK(v_chmod(fs, "d/e", 0700, &self));
	ck_assert_int_eq(ino_of(fs, "d"), d);
	ck_assert_int_eq(ino_of(fs, "d/e"), e);
	ck_assert_int_eq(ino_of(fs, "d/f"), f);
	OK(v_rename(fs, "d/f", "moved", 0, &self));
	ck_assert_int_eq(ino_of(fs, "moved"), f);
	OK(v_rename(fs, "d", "dd", 0, &self));
	ck_assert_int_eq(ino_of(fs, "dd"), d);
	ck_assert_int_eq(ino_of(fs, "dd/e"), e);
	OK(v_link(fs, "moved", "two", &self));
	ck_assert_int_eq(ino_of(fs, "two"), f);
	OK(v_stat(fs, "two", &st));
	OK(v_stat(fs, "", &root));
	ck_assert(st.stx_dev_major == root.stx_dev_major && st.stx_dev_minor == root.stx_dev_minor);
	/* A descriptor's attributes become the view's. */
	struct statx raw;
	OK(statx(AT_FDCWD, "u/two", 0, STATX_BASIC_STATS | STATX_BTIME, &raw));
	fs->ops->identify(fs, &raw);
	ck_assert_int_eq(raw.stx_ino, f);
	ck_assert_int_eq(raw.stx_dev_minor, root.stx_dev_minor);
	free(dump_vfs(fs, 0)); /* d_ino is st_ino */
	ovl_close(fs);
}
END_TEST

START_TEST(two_file_systems)
{
	char other[] = "/dev/shm/t-overlay.XXXXXX";
	struct stat a, b;

	if (!mkdtemp(other) || stat(other, &a) < 0 || stat(".", &b) < 0 || a.st_dev == b.st_dev)
		return;
	sh("mkdir -p %s/d l1/d; touch %s/d/x l1/d/y %s/z l1/w", other, other, other);
	_cleanup_free_ char *lowers = NULL;
	ck_assert_int_gt(asprintf(&lowers, "l1:%s", other), 0);
	struct vfs *fs = ovl_open("u", lowers, dialects[_i]);
	ck_assert_str_eq(v_ls(fs, "d"), "x y");
	ck_assert_int_eq(ino_of(fs, "w") >> 48, 0);
	uint64_t x = ino_of(fs, "d/x"), z = ino_of(fs, "z");
	ck_assert_int_ne(x >> 48, 0);
	OK(v_chmod(fs, "d/x", 0600, &self));
	OK(v_write(fs, "z", "1", true, &self));
	ck_assert_int_eq(ino_of(fs, "d/x"), x);
	ck_assert_int_eq(ino_of(fs, "z"), z);
	free(dump_vfs(fs, 0));
	ovl_close(fs);
	sh("rm -rf %s", other);
}
END_TEST

/* --- listings --------------------------------------------------------------------------------- */

struct reader {
	uint64_t off;
	unsigned n, stop;
	char last[256];
};

static bool read_some(void *arg, const struct vfs_dirent *d)
{
	struct reader *r = arg;

	if (r->n == r->stop)
		return false;
	r->n++;
	r->off = d->off;
	snprintf(r->last, sizeof(r->last), "%s", d->name);
	return true;
}

START_TEST(positions_last)
{
	sh("cd l1 && touch $(seq 1 50) && cd ../l2 && touch $(seq 40 90)");
	struct vfs *fs = open_both(_i);
	struct vnode *root;
	OK(fs->ops->root(fs, &root));
	struct reader a = { .stop = 30 }, b = { .stop = 1000 };
	OK(fs->ops->readdir(root, 0, read_some, &a));
	ck_assert_int_eq(a.n, 30);
	ck_assert_int_eq(a.off, 30);
	/* Another stream starts, the directory changes: the first goes on where it was. */
	OK(v_write(fs, "new", "x", false, &self));
	OK(v_unlink(fs, "1", &self));
	OK(v_unlink(fs, "90", &self));
	OK(fs->ops->readdir(root, 0, read_some, &b));
	ck_assert_int_eq(b.n, 90 + 2 + 1 - 2);
	ck_assert_str_eq(b.last, "new");
	struct reader c = { .stop = 1, .off = 0 };
	OK(fs->ops->readdir(root, a.off, read_some, &c));
	ck_assert_int_ge(c.off, 31);
	/* The same position gives the same entry. */
	struct reader d = { .stop = 1 };
	OK(fs->ops->readdir(root, a.off, read_some, &d));
	ck_assert_str_eq(c.last, d.last);
	ovl_close(fs);
}
END_TEST

/* As rm -r does it: the listing is read in pieces while its names go. */
START_TEST(remove_while_reading)
{
	sh("mkdir l1/d && cd l1/d && touch $(seq 1 500)");
	struct vfs *fs = open_both(_i);
	struct vnode *d;
	OK(v_find(fs, "d", &d));
	unsigned removed = 0;
	struct reader r = { .stop = 1 };
	for (;; r.n = 0) {
		uint64_t from = r.off;

		OK(fs->ops->readdir(d, from, read_some, &r));
		if (r.n == 0)
			break;
		if (*r.last == '.')
			continue;
		char path[300];
		snprintf(path, sizeof(path), "d/%s", r.last);
		OK(v_unlink(fs, path, &self));
		removed++;
	}
	ck_assert_int_eq(removed, 500);
	OK(v_rmdir(fs, "d", &self));
	ovl_close(fs);
}
END_TEST

START_TEST(large_directories_are_linear)
{
	struct reader r = { .stop = ~0u };
	struct timespec t0, t1;
	struct vnode *root;

	for (int i = 0; i < 100000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "l%d/n%d", 1 + i % 2, i);
		OK(mknod(name, S_IFREG | 0644, 0));
	}
	struct vfs *fs = open_both(1);
	OK(fs->ops->root(fs, &root));
	clock_gettime(CLOCK_MONOTONIC, &t0);
	OK(fs->ops->readdir(root, 0, read_some, &r));
	while (r.off % 100) /* and in pieces */
		r.off--;
	for (uint64_t off = 0; off < 100000; off += 100) {
		struct reader p = { .stop = 100 };

		OK(fs->ops->readdir(root, off ? off : 1, read_some, &p));
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	ck_assert_int_eq(r.n, 100002);
	ck_assert_int_lt(t1.tv_sec - t0.tv_sec, 10);
	ovl_close(fs);
}
END_TEST

/* --- rename ----------------------------------------------------------------------------------- */

/* lessons 4 */
START_TEST(lower_directories_move_whole)
{
	sh("mkdir -p l1/d/sub l2/d/sub/deep; for i in 1 2 3; do echo $i >l1/d/f$i; echo $i >l2/d/sub/g$i; done");
	sh("ln -s f1 l1/d/link; mkfifo l2/d/sub/deep/fifo; touch -d @99 l2/d/sub; chmod 750 l1/d/sub");
	struct vfs *fs = open_both(_i);
	OK(v_write(fs, "d/up", "u", false, &self));
	OK(v_unlink(fs, "d/f2", &self));
	struct vnode *vn, *same;
	OK(v_find(fs, "d/sub/g1", &vn));
	uint64_t ino = ino_of(fs, "d/sub/g1");
	OK(v_rename(fs, "d", "e", 0, &self));
	ck_assert_str_eq(v_ls(fs, ""), "e");
	ck_assert_str_eq(v_ls(fs, "e"), "f1 f3 link sub up");
	ck_assert_str_eq(v_ls(fs, "e/sub"), "deep g1 g2 g3");
	ck_assert_str_eq(v_read(fs, "e/sub/g2"), "2\n");
	/* What was known stays known. */
	OK(v_find(fs, "e/sub/g1", &same));
	ck_assert_ptr_eq(vn, same);
	ck_assert_int_eq(ino_of(fs, "e/sub/g1"), ino);
	ck_assert_int_eq(fs->ops->layer(vn), 0);
	OK(v_rename(fs, "e/sub", "d", 0, &self));
	ck_assert_str_eq(v_ls(fs, "d"), "deep g1 g2 g3");
	ck_assert_str_eq(v_ls(fs, "e"), "f1 f3 link up");
	ovl_close(fs);
	fs = open_both(_i);
	ck_assert_str_eq(v_ls(fs, "d"), "deep g1 g2 g3");
	ck_assert_str_eq(v_ls(fs, "e"), "f1 f3 link up");
	ovl_close(fs);
	ck_assert(!on_disk(".u.fuss-work"));
}
END_TEST

START_TEST(failed_renames_leave_nothing)
{
	sh("mkdir -p l1/d/x l1/e; touch l1/d/f l1/f; touch l1/e/full");
	struct vfs *fs = open_both(_i);
	FAILS(v_rename(fs, "f", "e", 0, &self), EISDIR);
	FAILS(v_rename(fs, "d", "f", 0, &self), ENOTDIR);
	FAILS(v_rename(fs, "d", "e", 0, &self), ENOTEMPTY);
	FAILS(v_rename(fs, "d", "d/x/y", 0, &self), EINVAL);
	FAILS(v_rename(fs, "d/x", "d", 0, &self), ENOTEMPTY);
	FAILS(v_rename(fs, "f", "d/f", RENAME_NOREPLACE, &self), EEXIST);
	FAILS(v_rename(fs, "f", "none", RENAME_EXCHANGE, &self), ENOENT);
	FAILS(v_rename(fs, "f", "n", 1u << 2, &self), EINVAL);
	FAILS(v_rename(fs, "f", "n", 1u << 7, &self), EINVAL);
	FAILS(v_rename(fs, "f", "n", RENAME_EXCHANGE | RENAME_NOREPLACE, &self), EINVAL);
	OK(v_rename(fs, "f", "f", 0, &self));
	ovl_close(fs);
	ck_assert_int_eq(sh_status("test -z \"$(ls -A u)\""), 0);
}
END_TEST

START_TEST(exchange_of_file_and_directory)
{
	sh("mkdir -p l1/d; echo in >l1/d/f; echo file >l2/x");
	struct vfs *fs = open_both(_i);
	OK(v_rename(fs, "d", "x", RENAME_EXCHANGE, &self));
	ck_assert_str_eq(v_read(fs, "d"), "file\n");
	ck_assert_str_eq(v_read(fs, "x/f"), "in\n");
	ovl_close(fs);
	fs = open_both(_i);
	ck_assert_str_eq(v_ls(fs, ""), "d x");
	ck_assert_str_eq(v_ls(fs, "x"), "f");
	ovl_close(fs);
}
END_TEST

START_TEST(directory_onto_emptied_directory)
{
	sh("mkdir -p l1/a l1/b l2/b; touch l1/a/in l1/b/x l2/b/y");
	struct vfs *fs = open_both(_i);
	OK(v_unlink(fs, "b/x", &self));
	FAILS(v_rename(fs, "a", "b", 0, &self), ENOTEMPTY);
	OK(v_unlink(fs, "b/y", &self));
	OK(v_rename(fs, "a", "b", 0, &self));
	ck_assert_str_eq(v_ls(fs, ""), "b");
	ck_assert_str_eq(v_ls(fs, "b"), "in");
	ovl_close(fs);
	fs = open_both(_i);
	ck_assert_str_eq(v_ls(fs, ""), "b");
	ck_assert_str_eq(v_ls(fs, "b"), "in");
	ovl_close(fs);
}
END_TEST

/* A file that a task holds open must stay the same inode when its directory moves. */
START_TEST(open_files_survive_a_move)
{
	struct stat a, b;

	sh("mkdir -p l1/d/s; echo l >l1/d/s/low");
	struct vfs *fs = open_both(_i);
	OK(v_write(fs, "d/s/up", "u", false, &self));
	OK(stat("u/d/s/up", &a));
	OK(v_rename(fs, "d", "e", 0, &self));
	OK(stat("u/e/s/up", &b));
	ck_assert_int_eq(a.st_ino, b.st_ino);
	ck_assert_str_eq(v_ls(fs, "e/s"), "low up");
	ovl_close(fs);
}
END_TEST

START_TEST(deep_paths)
{
	char name[201], path[PATH_MAX * 3] = "", real[PATH_MAX];
	struct vnode *vn;

	memset(name, 'x', 200);
	name[200] = '\0';
	sh("python3 -c 'import os\nos.chdir(\"l1\")\nfor i in range(40): os.mkdir(\"%s\"); os.chdir(\"%s\")\n"
	   "open(\"end\", \"w\").write(\"deep\")'", name, name);
	struct vfs *fs = open_both(_i);
	for (int i = 0; i < 40; i++) {
		strcat(path, name);
		strcat(path, "/");
	}
	strcat(path, "end");
	ck_assert_str_eq(v_read(fs, path), "deep");
	OK(v_write(fs, path, "changed", false, &self));
	ck_assert_str_eq(v_read(fs, path), "changed");
	OK(v_find(fs, path, &vn));
	OK(fs->ops->realpath(vn, real, sizeof(real)));
	ck_assert_int_eq(strncmp(real, "/proc/", 6), 0);
	OK(v_rename(fs, name, "short", 0, &self));
	path[0] = 'S';
	char moved[sizeof(path)];
	snprintf(moved, sizeof(moved), "short%s", path + 200);
	ck_assert_str_eq(v_read(fs, moved), "changed");
	ovl_close(fs);
}
END_TEST

/* --- attributes ------------------------------------------------------------------------------- */

START_TEST(marks_are_hidden)
{
	char buf[256];
	struct vnode *vn;

	sh("mkdir l1/d; touch l1/d/f");
	OK(setxattr("l1/d", "user.overlay.foo", "1", 1, 0));
	OK(setxattr("l1/d", "user.fuseoverlayfs.foo", "1", 1, 0));
	OK(setxattr("l1/d", "user.overlay.overlay.nested", "n", 1, 0));
	OK(setxattr("l1/d", "user.mine", "m", 1, 0));
	struct vfs *fs = open_both(_i);
	OK(v_find(fs, "d", &vn));
	ssize_t n = fs->ops->listxattr(vn, buf, sizeof(buf), &self);
	ck_assert_int_eq(n, (int)(sizeof("user.mine") + sizeof("user.overlay.nested")));
	ck_assert_int_eq(fs->ops->listxattr(vn, buf, 0, &self), n);
	FAILS((int)fs->ops->listxattr(vn, buf, 3, &self), ERANGE);
	FAILS((int)fs->ops->getxattr(vn, "user.overlay.foo", buf, 9, &self), ENODATA);
	FAILS((int)fs->ops->getxattr(vn, "user.fuseoverlayfs.foo", buf, 9, &self), ENODATA);
	ck_assert_int_eq(fs->ops->getxattr(vn, "user.overlay.nested", buf, 9, &self), 1);
	FAILS(v_setxattr(fs, "d", "user.fuseoverlayfs.opaque", "y", &self), EPERM);
	OK(v_setxattr(fs, "d", "user.overlay.opaque", "y", &self));
	ck_assert_str_eq(v_ls(fs, "d"), "f");
	ck_assert_int_eq(getxattr("u/d", "user.overlay.overlay.opaque", buf, 9), 1);
	FAILS(v_rmxattr(fs, "d", "user.none", &self), ENODATA);
	OK(v_rmxattr(fs, "d", "user.mine", &self));
	ovl_close(fs);
}
END_TEST

START_TEST(removing_no_xattr_copies_nothing)
{
	sh("touch l1/f");
	struct vfs *fs = open_both(_i);
	FAILS(v_rmxattr(fs, "f", "user.none", &self), ENODATA);
	ck_assert(!on_disk("u/f"));
	ovl_close(fs);
}
END_TEST

/* lessons 6: nothing that is changed through the view changes a lower, dead objects included. */
START_TEST(lowers_stay_as_they_are)
{
	sh("mkdir l1/d; echo x >l1/d/f; touch -d @5 l1/d/f; chmod 644 l1/d/f");
	_cleanup_free_ char *before = dump_host("l1", 0);
	struct vfs *fs = open_both(_i);
	struct vnode *vn;
	struct vfs_setattr a = { .mask = VFS_MODE, .mode = 0600 };
	OK(v_find(fs, "d/f", &vn));
	OK(v_unlink(fs, "d/f", &self));
	FAILS(fs->ops->setattr(vn, &a, &self), ESTALE);
	FAILS(fs->ops->setxattr(vn, "user.x", "1", 1, 0, &self), ESTALE);
	FAILS(fs->ops->make_writable(vn, true), ESTALE);
	struct statx st;
	OK(fs->ops->getattr(vn, &st));
	ovl_close(fs);
	_cleanup_free_ char *after = dump_host("l1", 0);
	same_text("lower", before, after);
}
END_TEST

START_TEST(permissions_are_the_callers)
{
	struct cred other;

	sh("mkdir l1/d l1/t; chmod 755 l1/d; chmod 1777 l1/t; touch l1/d/f l1/t/f; chmod 644 l1/d/f");
	struct vfs *fs = open_both(_i);
	cred_user(&other, 12345, 12345);
	FAILS(v_unlink(fs, "d/f", &other), EACCES);
	FAILS(v_unlink(fs, "t/f", &other), EPERM);
	FAILS(v_mkdir(fs, "d/n", 0755, &other), EACCES);
	FAILS(v_chmod(fs, "d/f", 0777, &other), EPERM);
	FAILS(v_chown(fs, "d/f", 12345, 12345, &other), EPERM);
	FAILS(v_truncate(fs, "d/f", 0, &other), EACCES);
	FAILS(v_setxattr(fs, "d/f", "user.x", "1", &other), EACCES);
	FAILS(v_setxattr(fs, "d/f", "trusted.x", "1", &other), EPERM);
	FAILS(v_rename(fs, "d/f", "d/g", 0, &other), EACCES);
	ck_assert_int_eq(sh_status("test -z \"$(ls -A u)\""), 0);
	if (geteuid() == 0) {
		struct statx st;

		OK(v_mkdir(fs, "t/n", 0777, &other));
		OK(v_stat(fs, "t/n", &st));
		ck_assert_int_eq(st.stx_uid, 12345);
		ck_assert_int_eq(st.stx_mode & 07777, 0755);
	}
	ovl_close(fs);
}
END_TEST

START_TEST(default_acl_applies_over_a_whiteout)
{
	/* user::rwx,group::r-x,group:4242:rwx,mask::rwx,other::--- */
	static const unsigned char acl[] = {
		2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255,
		8, 0, 7, 0, 0x92, 0x10, 0, 0, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
	};

	sh("mkdir l1/d; touch l1/d/f l1/d/g");
	if (setxattr("l1/d", "system.posix_acl_default", acl, sizeof(acl), 0) < 0)
		return; /* not this file system */
	struct vfs *fs = open_both(_i);
	OK(v_unlink(fs, "d/f", &self));
	OK(v_make(fs, "d/f", S_IFREG | 0666, NULL, &self));
	OK(v_make(fs, "d/n", S_IFREG | 0666, NULL, &self));
	OK(v_unlink(fs, "d/g", &self));
	OK(v_mkdir(fs, "d/g", 0777, &self));
	struct statx over, plain, dir;
	OK(v_stat(fs, "d/f", &over));
	OK(v_stat(fs, "d/n", &plain));
	OK(v_stat(fs, "d/g", &dir));
	ck_assert_int_eq(plain.stx_mode & 07777, 0660);
	ck_assert_int_eq(over.stx_mode, plain.stx_mode);
	ck_assert_int_eq(dir.stx_mode & 07777, 0770);
	ck_assert_int_gt(getxattr("u/d/g", "system.posix_acl_default", NULL, 0), 0);
	/* A copy-up in such a directory inherits nothing. */
	ovl_close(fs);
}
END_TEST

START_TEST(set_gid_directories)
{
	if (geteuid() != 0)
		return;
	sh("mkdir l1/d; chgrp 4242 l1/d; chmod 2775 l1/d; touch l1/d/old l1/d/sub");
	struct vfs *fs = open_both(_i);
	struct statx st;
	OK(v_unlink(fs, "d/sub", &self));
	OK(v_mkdir(fs, "d/sub", 0755, &self));
	OK(v_mkdir(fs, "d/new", 0755, &self));
	for (const char *const *p = (const char *const[]){ "d/sub", "d/new", NULL }; *p; p++) {
		OK(v_stat(fs, *p, &st));
		ck_assert_int_eq(st.stx_gid, 4242);
		ck_assert_int_eq(st.stx_mode & 07777, 02755);
	}
	ovl_close(fs);
}
END_TEST

/* --- read-only, foreign changes --------------------------------------------------------------- */

START_TEST(read_only_view)
{
	struct vnode *vn;
	struct statfs sf;

	sh("mkdir l1/d; echo x >l1/f; echo y >l2/g");
	struct vfs *fs = ovl_open(NULL, "l1:l2", DIALECT_AUTO);
	ck_assert_str_eq(v_ls(fs, ""), "d f g");
	FAILS(v_mkdir(fs, "d", 0755, &self), EEXIST);
	FAILS(v_mkdir(fs, "n", 0755, &self), EROFS);
	FAILS(v_unlink(fs, "f", &self), EROFS);
	FAILS(v_unlink(fs, "d", &self), EROFS);
	FAILS(v_rmdir(fs, "f", &self), EROFS);
	FAILS(v_rename(fs, "f", "o", 0, &self), EROFS);
	FAILS(v_link(fs, "f", "g", &self), EEXIST);
	FAILS(v_link(fs, "d", "o", &self), EROFS);
	FAILS(v_truncate(fs, "d", 0, &self), EISDIR);
	FAILS(v_truncate(fs, "f", 0, &self), EROFS);
	FAILS(v_chmod(fs, "f", 0600, &self), EROFS);
	FAILS(v_setxattr(fs, "f", "user.a", "1", &self), EROFS);
	FAILS(v_rmxattr(fs, "f", "user.a", &self), EROFS);
	OK(v_find(fs, "f", &vn));
	FAILS(fs->ops->make_writable(vn, false), EROFS);
	OK(fs->ops->statfs(vn, &sf));
	ck_assert(sf.f_flags & 1);
	ovl_close(fs);
	/* It locks nothing and makes nothing. */
	struct vfs *a = ovl_open(NULL, "l1", DIALECT_AUTO), *b = ovl_open(NULL, "l1", DIALECT_AUTO);
	ovl_close(a);
	ovl_close(b);
}
END_TEST

START_TEST(layers_may_change_underneath)
{
	struct vnode *d, *f, *again;
	struct statx st;

	sh("mkdir -p l1/d/s; echo 1 >l1/d/f; touch l1/x");
	struct vfs *fs = open_both(_i);
	OK(v_find(fs, "d", &d));
	OK(v_find(fs, "d/f", &f));
	sh("rm l1/d/f; mkdir l1/d/f");
	ck_assert_int_lt(fs->ops->getattr(f, &st), 0);
	FAILS(v_chmod(fs, "d/nothing", 0600, &self), ENOENT);
	OK(v_find(fs, "d/f", &again));
	ck_assert_ptr_ne(again, f);
	ck_assert(f->dead && S_ISDIR(again->type));
	ck_assert_int_lt(fs->ops->setattr(f, &(struct vfs_setattr){ .mask = VFS_MODE }, &self), 0);
	/* A whole directory goes. */
	sh("rm -r l1/d");
	FAILS(v_find(fs, "d", &again), ENOENT);
	ck_assert(d->dead);
	FAILS(fs->ops->readdir(d, 0, read_some, &(struct reader){ .stop = 9 }), ENOENT);
	FAILS(fs->ops->create(d, "n", &(struct vfs_create){ .mode = S_IFREG }, &self, &again), ENOENT);
	/* The upper gets something of its own. */
	OK(v_find(fs, "x", &f));
	sh("echo foreign >u/x; mkdir -p u/e; echo >u/e/in");
	ck_assert_str_eq(v_read(fs, "x"), "foreign\n");
	ck_assert_str_eq(v_ls(fs, ""), "e x");
	/* It vanishes while it is known. */
	OK(v_find(fs, "e", &d));
	sh("rm -r u/e");
	ck_assert_int_lt(v_write(fs, "e/n", "x", false, &self), 0);
	ck_assert_str_eq(v_ls(fs, ""), "x");
	ovl_close(fs);
}
END_TEST

/* --- what a layer set may be ------------------------------------------------------------------ */

START_TEST(layer_sets_are_checked)
{
	static const struct {
		const char *upper, *lower, *work;
		int r;
		const char *says;
	} bad[] = {
		{ "u", "none", NULL, -ENOENT, "does not exist" },
		{ "none", "l1", NULL, -ENOENT, "does not exist" },
		{ "u", "file", NULL, -ENOTDIR, "not a directory" },
		{ "u", "l1:l2:l1", NULL, -EINVAL, "given twice" },
		{ "l1", "l1:l2", NULL, -EINVAL, "two directories" },
		{ "l1/in", "l1", NULL, -ELOOP, "inside the lower" },
		{ "u", "u/in", NULL, -ELOOP, "inside the upper" },
		{ "u", "l1", "u/in", -ELOOP, "inside the upper" },
		{ "u", "l1", "u", -EINVAL, "two directories" },
		{ "u", "l1:l1/in", NULL, -ELOOP, "inside the lower" },
		{ "u", "l1", "none", -ENOENT, "does not exist" },
		{ "u", "l1", "volatile", -EINVAL, "volatile" },
		{ NULL, "", NULL, -EINVAL, "no layer" },
	};
	struct vfs *fs;
	char why[512];

	sh("mkdir l1/in u/in; touch file; mkdir -p volatile/work/incompat/volatile");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int r = ovl_try(bad[i].upper, bad[i].lower, bad[i].work, DIALECT_AUTO, &fs, why, sizeof(why));

		ck_assert_msg(r == bad[i].r, "case %zu: %s: %s", i, strerror(-r), why);
		ck_assert_msg(strstr(why, bad[i].says), "case %zu: %s", i, why);
	}
	ck_assert_int_eq(sh_status("test \"$(ls -A | tr '\\n' ' ')\" = 'file l1 l2 u volatile '"), 0);
}
END_TEST

START_TEST(an_upper_is_used_once)
{
	struct vfs *second;
	char why[512];
	struct vfs *fs = open_both(_i);

	FAILS(ovl_try("u", "l1", NULL, dialects[_i], &second, why, sizeof(why)), EBUSY);
	ck_assert_ptr_nonnull(strstr(why, "in use by another fuss"));
	ovl_close(fs);
	fs = open_both(_i);
	ovl_close(fs);
}
END_TEST

START_TEST(work_directories)
{
	struct vfs *fs;
	char why[512];

	sh("touch l1/f; mkdir w; mkdir -p .u.fuss-work/'#1'/deep/er; touch .u.fuss-work/'#2'");
	fs = open_both(_i);
	OK(v_chmod(fs, "f", 0600, &self));
	ck_assert(on_disk(".u.fuss-work"));
	ck_assert_int_eq(sh_status("test -z \"$(ls -A .u.fuss-work)\""), 0);
	ovl_close(fs);
	ck_assert(!on_disk(".u.fuss-work"));
	sh("rm u/f");
	OK(ovl_try("u", "l1", "w", dialects[_i], &fs, why, sizeof(why)));
	OK(v_chmod(fs, "f", 0600, &self));
	ck_assert(on_disk("w/work") && !on_disk(".u.fuss-work"));
	ovl_close(fs);
	if (geteuid() != 0) {
		sh("chmod 555 .");
		FAILS(ovl_try("u", "l1", NULL, dialects[_i], &fs, why, sizeof(why)), EACCES);
		ck_assert_ptr_nonnull(strstr(why, "--workdir"));
		sh("chmod 755 .");
	}
}
END_TEST

START_TEST(many_lowers)
{
	_cleanup_free_ char *list = calloc(1, 8000);
	struct vfs *fs;
	char why[512];

	sh("for i in $(seq 1 501); do mkdir many$i; echo $i >many$i/f$i; echo $i >many$i/all; done");
	for (int i = 1; i <= 500; i++)
		sprintf(list + strlen(list), "%smany%d", i > 1 ? ":" : "", i);
	OK(ovl_try("u", list, NULL, dialects[_i], &fs, why, sizeof(why)));
	ck_assert_str_eq(v_read(fs, "f500"), "500\n");
	ck_assert_str_eq(v_read(fs, "all"), "1\n");
	OK(v_unlink(fs, "all", &self));
	ck_assert_int_lt(v_stat(fs, "all", &(struct statx){ 0 }), 0);
	ovl_close(fs);
	strcat(list, ":many501");
	FAILS(ovl_try("u", list, NULL, dialects[_i], &fs, why, sizeof(why)), EINVAL);
}
END_TEST

START_TEST(few_descriptors)
{
	struct rlimit lim = { 48, 48 };

	sh("for i in $(seq 1 80); do mkdir -p l1/d$i/e$i; touch l1/d$i/e$i/f; done");
	struct vfs *fs;
	OK(setrlimit(RLIMIT_NOFILE, &lim));
	fs = open_both(_i);
	for (int i = 1; i <= 80; i++) {
		char p[64];

		snprintf(p, sizeof(p), "d%d/e%d/f", i, i);
		OK(v_chmod(fs, p, 0600, &self));
	}
	free(dump_vfs(fs, 0));
	OK(v_rename(fs, "d1", "moved", 0, &self));
	ovl_close(fs);
}
END_TEST

/* --- what readers are told -------------------------------------------------------------------- */

struct told {
	unsigned real, changed, names;
	struct vnode *last_real;
};

static void told_real(void *arg, struct vnode *vn, dev_t dev, ino_t ino)
{
	struct told *t = arg;

	(void)dev;
	(void)ino;
	t->real++;
	t->last_real = vn;
}

static void told_changed(void *arg, struct vnode *vn)
{
	(void)vn;
	((struct told *)arg)->changed++;
}

static void told_name(void *arg, struct vnode *dir, const char *name)
{
	(void)dir;
	(void)name;
	((struct told *)arg)->names++;
}

START_TEST(observers_are_told)
{
	struct told t = { 0 };
	struct vnode *vn;

	sh("mkdir -p l1/a/b; touch l1/a/b/f");
	struct vfs *fs = open_both(_i);
	fs->obs = (struct vfs_observer){ told_real, told_changed, told_name, &t };
	OK(v_find(fs, "a/b/f", &vn));
	ck_assert_int_eq(t.real, 3);
	t = (struct told){ 0 };
	OK(fs->ops->make_writable(vn, false));
	/* The file and both directories above it. */
	ck_assert_int_eq(t.real, 3);
	ck_assert_ptr_eq(t.last_real, vn);
	ck_assert_int_ge(t.changed, 3);
	t = (struct told){ 0 };
	OK(v_unlink(fs, "a/b/f", &self));
	ck_assert_int_ge(t.names, 1);
	ck_assert(vn->dead);
	t = (struct told){ 0 };
	OK(v_mkdir(fs, "a/n", 0755, &self));
	ck_assert_int_ge(t.names, 1);
	ck_assert_int_ge(t.real, 1);
	OK(v_find(fs, "a/b", &vn));
	t = (struct told){ 0 };
	OK(v_rename(fs, "a", "z", 0, &self));
	ck_assert_int_ge(t.names, 2);
	ck_assert_int_ge(t.changed, 3);
	ovl_close(fs);
}
END_TEST

START_TEST(native_creation)
{
	char real[PATH_MAX];
	struct vnode *root, *d;

	sh("mkdir l1/d; touch l1/d/f");
	struct vfs *fs = open_both(_i);
	OK(v_find(fs, "d", &d));
	OK(fs->ops->root(fs, &root));
	OK(fs->ops->create_path(d, "new", &self, real, sizeof(real)));
	ck_assert_str_eq(real, at("u/d/new"));
	OK(v_unlink(fs, "d/f", &self));
	FAILS(fs->ops->create_path(d, "f", &self, real, sizeof(real)), EEXIST);
	OK(fs->ops->tmpfile_path(d, &self, real, sizeof(real)));
	ck_assert_str_eq(real, at("u/d"));
	int fd = open(real, O_TMPFILE | O_RDWR, 0644);
	if (fd >= 0) {
		OK(fs->ops->link_fd(fs, fd, d, "f", &self));
		ck_assert_str_eq(v_ls(fs, "d"), "f");
		close(fd);
	}
	ovl_close(fs);
}
END_TEST

/* Changes without end, until somebody kills it.  Every file holds a letter many times. */
static void work_until_killed(int dialect, unsigned seed)
{
	static char text[300001];
	char from[32], to[32];
	struct vfs *fs = open_both(dialect);

	srand(seed);
	for (;;) {
		snprintf(from, sizeof(from), "d%d/f%d", rand() % 4, rand() % 4);
		snprintf(to, sizeof(to), "d%d/f%d", rand() % 4, rand() % 4);
		switch (rand() % 6) {
		case 0:
			v_rename(fs, from, to, rand() % 2 ? RENAME_EXCHANGE : 0, &self);
			break;
		case 1: /* directories */
			from[2] = to[2] = '\0';
			v_rename(fs, from, to, rand() % 2 ? RENAME_EXCHANGE : 0, &self);
			break;
		case 2:
			v_unlink(fs, from, &self);
			break;
		case 3:
			v_chmod(fs, from, 0600, &self);
			break;
		case 4:
			v_link(fs, from, to, &self);
			break;
		case 5:
			from[2] = '\0';
			v_mkdir(fs, from, 0755, &self);
			memset(text, 'n', sizeof(text) - 1);
			v_write(fs, to, text, false, &self);
			break;
		}
	}
}

START_TEST(a_killed_run_leaves_a_valid_upper)
{
	sh("mkdir l1/d0 l1/d1 l2/d1 l2/d2; for l in 1 2; do for d in 0 1 2; do for f in 0 1 2 3; do test -d l$l/d$d && "
	   "head -c 200000 /dev/zero | tr '\\0' $f >l$l/d$d/f$f; done; done; done");
	for (unsigned i = 0; i < 12; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			work_until_killed(_i, i);
			_exit(1);
		}
		usleep(2000 + i * 7919 % 40000);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		struct vfs *fs = open_both(_i);
		for (int n = 0; n < 16; n++) {
			struct statx st;
			char path[32];

			snprintf(path, sizeof(path), "d%d/f%d", n / 4, n % 4);
			int r = v_stat(fs, path, &st);
			ck_assert_msg(r == 0 || r == -ENOENT || r == -ENOTDIR, "%s: %s", path, strerror(-r));
			/* What the test itself was writing may be cut; what was copied up may not. */
			if (r == 0 && S_ISREG(st.stx_mode) && *v_read(fs, path) != 'n' && st.stx_size)
				ck_assert_int_eq(st.stx_size, 200000);
		}
		free(dump_vfs(fs, 0));
		ovl_close(fs);
		ck_assert(!on_disk(".u.fuss-work"));
	}
}
END_TEST

/* The whole host as a lower: the upper is on the same file system and does not show up in the view. */
START_TEST(whole_root)
{
	struct vfs *fs = ovl_open("u", "/", dialects[_i]);
	struct statx st;
	const char *here = at("") + 1;
	char path[PATH_MAX];

	OK(v_stat(fs, "etc/passwd", &st));
	snprintf(path, sizeof(path), "%su", here);
	FAILS(v_stat(fs, path, &st), ENOENT);
	snprintf(path, sizeof(path), "%.*s", (int)strlen(here) - 1, here);
	ck_assert_str_eq(v_ls(fs, path), "l1 l2");
	ovl_close(fs);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("overlay");
	TCase *t = tcase_create("overlay");

	probe_devices();
	tcase_add_unchecked_fixture(t, scratch_enter, scratch_leave);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	EACH_DIALECT(t, names_are_merged);
	EACH_DIALECT(t, foreign_marks_are_read);
	EACH_DIALECT(t, xattr_whiteouts_are_read);
	EACH_DIALECT(t, marks_of_every_ancestor_count);
	EACH_DIALECT(t, type_conflicts_end_the_merge);
	tcase_add_test(t, prefix_names_are_ordinary_with_devices);
	tcase_add_test(t, auto_finds_the_dialect);
	EACH_DIALECT(t, remove_and_create_again);
	EACH_DIALECT(t, whiteouts_only_where_needed);
	EACH_DIALECT(t, new_over_old_fails);
	EACH_DIALECT(t, every_type_over_a_whiteout);
	EACH_DIALECT(t, long_names_can_be_removed);
	EACH_DIALECT(t, copy_up_loses_nothing);
	EACH_DIALECT(t, copy_up_of_special_files);
	EACH_DIALECT(t, copy_up_keeps_holes);
	EACH_DIALECT(t, truncation_copies_no_data);
	EACH_DIALECT(t, copy_up_without_space_leaves_nothing);
	EACH_DIALECT(t, copy_up_of_read_only_directories);
	EACH_DIALECT(t, hard_links_are_split);
	EACH_DIALECT(t, numbers_do_not_change);
	EACH_DIALECT(t, two_file_systems);
	EACH_DIALECT(t, positions_last);
	EACH_DIALECT(t, remove_while_reading);
	tcase_add_test(t, large_directories_are_linear);
	EACH_DIALECT(t, lower_directories_move_whole);
	EACH_DIALECT(t, failed_renames_leave_nothing);
	EACH_DIALECT(t, exchange_of_file_and_directory);
	EACH_DIALECT(t, directory_onto_emptied_directory);
	EACH_DIALECT(t, open_files_survive_a_move);
	EACH_DIALECT(t, deep_paths);
	EACH_DIALECT(t, marks_are_hidden);
	EACH_DIALECT(t, removing_no_xattr_copies_nothing);
	EACH_DIALECT(t, lowers_stay_as_they_are);
	EACH_DIALECT(t, permissions_are_the_callers);
	EACH_DIALECT(t, default_acl_applies_over_a_whiteout);
	EACH_DIALECT(t, set_gid_directories);
	tcase_add_test(t, read_only_view);
	EACH_DIALECT(t, layers_may_change_underneath);
	tcase_add_test(t, layer_sets_are_checked);
	EACH_DIALECT(t, an_upper_is_used_once);
	EACH_DIALECT(t, work_directories);
	EACH_DIALECT(t, many_lowers);
	EACH_DIALECT(t, few_descriptors);
	EACH_DIALECT(t, observers_are_told);
	EACH_DIALECT(t, native_creation);
	EACH_DIALECT(t, a_killed_run_leaves_a_valid_upper);
	EACH_DIALECT(t, whole_root);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
