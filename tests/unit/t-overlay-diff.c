/* SPDX-License-Identifier: MIT */
/*
 * Random changes on a kernel overlay mount and through the overlay's operations: the same errno from
 * every call, the same tree in the end, and in the kernel's dialect the same upper directory.  Then the kernel
 * (or fuse-overlayfs) mounts what we wrote and must show it as we do.
 *
 * Needs root.  FUSS_TEST_SEED and FUSS_TEST_ROUNDS choose others than the usual rounds.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ovltest.h"
#include "vfs/perm.h"

static unsigned rnd_state;

static unsigned rnd(unsigned n)
{
	rnd_state = rnd_state * 1103515245u + 12345u;
	return (rnd_state >> 16) % n;
}

static const char *const names[] = { "a", "b", "c", "d", "e" };

/* Up to three components. */
static void random_path(char *buf)
{
	unsigned depth = 1 + (rnd(3) > 0) + (rnd(4) == 0);

	*buf = '\0';
	while (depth--) {
		strcat(buf, *buf ? "/" : "");
		strcat(buf, names[rnd(5)]);
	}
}

/* --- layers ----------------------------------------------------------------------------------- */

static void set_old_time(const char *path)
{
	struct timespec t[2] = { { 1000 + rnd(1000), 123456789 }, { 3000 + rnd(1000), 987654321 } };

	utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW);
}

static void random_object(const char *path, unsigned depth, bool bottom)
{
	char sub[512];
	unsigned what = rnd(12);
	struct stat st;

	if (depth && lstat(path, &st) == 0)
		return; /* the second name of another */
	if (depth == 0 || (depth < 3 && what < 7)) {
		if (depth)
			mkdir(path, 0755);
		for (unsigned i = 0; i < 5; i++) {
			snprintf(sub, sizeof(sub), "%.400s/%s", path, names[i]);
			if (rnd(3))
				random_object(sub, depth + 1, bottom);
		}
		if (depth && !bottom && rnd(5) == 0)
			setxattr(path, "trusted.overlay.opaque", "y", 1, 0);
		if (rnd(6) == 0)
			chmod(path, rnd(2) ? 01777 : 02775);
		if (rnd(4) == 0)
			setxattr(path, "user.d", "1", 1, 0);
	} else if (what < 9) {
		int fd = open(path, O_WRONLY | O_CREAT, 0644);

		if (rnd(4))
			dprintf(fd, "%u", rnd(100000));
		close(fd);
		if (rnd(4) == 0)
			setxattr(path, "user.k", "value", 5, 0);
		if (rnd(4) == 0 && chown(path, 1000, 1000) < 0)
			abort();
		if (rnd(3) == 0)
			chmod(path, rnd(2) ? 06755 : 0600);
		if (rnd(5) == 0) {
			/* A second name of it beside it. */
			snprintf(sub, sizeof(sub), "%.400s", path);
			sub[strlen(sub) - 1] = (char)('a' + rnd(5));
			if (link(path, sub) == 0)
				return set_old_time(path);
		}
	} else if (what == 9) {
		if (symlink("nowhere", path) < 0)
			return;
	} else if (what == 10) {
		if (mkfifo(path, 0640) < 0)
			return;
	} else if (!bottom) {
		if (mknod(path, S_IFCHR, makedev(0, 0)) < 0)
			return;
	}
	set_old_time(path);
}

/* The same layers below each of two directories. */
static void make_layers(const char *dir, unsigned seed, bool with_upper)
{
	char path[64];

	rnd_state = seed;
	sh("mkdir -p %s/l1 %s/l2 %s/u %s/w %s/m", dir, dir, dir, dir, dir);
	snprintf(path, sizeof(path), "%s/l2", dir);
	random_object(path, 0, true);
	snprintf(path, sizeof(path), "%s/l1", dir);
	random_object(path, 0, false);
	if (with_upper) {
		snprintf(path, sizeof(path), "%s/u", dir);
		random_object(path, 0, false);
	}
}

/* --- one operation on both -------------------------------------------------------------------- */

enum { OP_MKDIR, OP_WRITE, OP_APPEND, OP_UNLINK, OP_RMDIR, OP_RENAME, OP_NOREPLACE, OP_EXCHANGE, OP_LINK,
       OP_SYMLINK, OP_FIFO, OP_CHMOD, OP_CHOWN, OP_TRUNCATE, OP_UTIMES, OP_SETX, OP_RMX, OP_RENAME2, OP_N };

static const char *const op_names[] = { "mkdir", "write", "append", "unlink", "rmdir", "rename", "noreplace",
	"exchange", "link", "symlink", "fifo", "chmod", "chown", "truncate", "utimes", "setxattr",
	"removexattr", "rename" };

struct op {
	unsigned what;
	char path[64], other[64];
	unsigned mode;
	bool user; /* on behalf of uid 1000 */
};

static int kernel_write(const char *p, const char *text, bool append)
{
	int fd = open(p, O_WRONLY | O_NONBLOCK | O_CREAT | O_NOFOLLOW | (append ? O_APPEND : O_TRUNC), 0666);

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) < 0)
		abort();
	return close(fd);
}

static int kernel_do(const struct op *op, const char *p, const char *q)
{
	struct timespec t[2] = { { op->mode, 5 }, { op->mode, 7 } };

	switch (op->what) {
	case OP_MKDIR: return mkdir(p, 0777);
	case OP_WRITE: return kernel_write(p, "new", false);
	case OP_APPEND: return kernel_write(p, "+", true);
	case OP_UNLINK: return unlink(p);
	case OP_RMDIR: return rmdir(p);
	case OP_RENAME2:
	case OP_RENAME: return renameat2(AT_FDCWD, p, AT_FDCWD, q, 0);
	case OP_NOREPLACE: return renameat2(AT_FDCWD, p, AT_FDCWD, q, RENAME_NOREPLACE);
	case OP_EXCHANGE: return renameat2(AT_FDCWD, p, AT_FDCWD, q, RENAME_EXCHANGE);
	case OP_LINK: return linkat(AT_FDCWD, p, AT_FDCWD, q, 0);
	case OP_SYMLINK: return symlink("target", p);
	case OP_FIFO: return mknod(p, S_IFIFO | 0666, 0);
	case OP_CHMOD: return fchmodat(AT_FDCWD, p, op->mode, 0);
	case OP_CHOWN: return lchown(p, op->mode & 1 ? 1000 : 0, op->mode & 2 ? 1000 : 0);
	case OP_TRUNCATE: return truncate(p, op->mode % 9);
	case OP_UTIMES: return utimensat(AT_FDCWD, p, t, AT_SYMLINK_NOFOLLOW);
	case OP_SETX: return lsetxattr(p, "user.n", "v", 1, 0);
	case OP_RMX: return lremovexattr(p, "user.k");
	}
	abort();
}

static int on_kernel(const struct op *op, const char *dir)
{
	char p[128], q[128];

	snprintf(p, sizeof(p), "%s/m/%s", dir, op->path);
	snprintf(q, sizeof(q), "%s/m/%s", dir, op->other);
	if (op->user && (setegid(1000) < 0 || seteuid(1000) < 0))
		abort();
	int r = kernel_do(op, p, q) < 0 ? -errno : 0;
	if (op->user && (seteuid(0) < 0 || setegid(0) < 0))
		abort();
	return r;
}

/* v_write() opens with the test's own credentials: what open(2) checks is checked here. */
static int checked_write(struct vfs *fs, const struct op *op, const struct cred *c);

/* What a walk of the path would say to this caller. */
static int search(struct vfs *fs, const char *path, const struct cred *c)
{
	struct vnode *vn;
	int r = fs->ops->root(fs, &vn);

	for (const char *slash; r == 0 && (slash = strchr(path, '/')); path = slash + 1) {
		_cleanup_free_ char *name = strndup(path, (size_t)(slash - path));

		r = perm_vnode(vn, PERM_X, c);
		if (r == 0)
			r = fs->ops->lookup(vn, name, &vn);
		if (r == 0 && !S_ISDIR(vn->type))
			r = S_ISLNK(vn->type) ? -ENOENT : -ENOTDIR;
	}
	return r == 0 ? perm_vnode(vn, PERM_X, c) : r;
}

static bool has_two_paths(const struct op *op)
{
	return (op->what >= OP_RENAME && op->what <= OP_LINK) || op->what == OP_RENAME2;
}

static int on_vfs(const struct op *op, struct vfs *fs)
{
	struct cred user, *c = &cred_root;
	struct vnode *vn;

	cred_user(&user, 1000, 1000);
	if (op->user)
		c = &user;
	int r = search(fs, op->path, c);
	if (r == 0 && op->what == OP_LINK) /* is resolved as a whole first */
		r = v_find(fs, op->path, &vn);
	if (r == 0 && has_two_paths(op))
		r = search(fs, op->other, c);
	if (r < 0)
		return r;
	/* These calls follow symlinks, and ours lead nowhere. */
	if ((op->what == OP_CHMOD || op->what == OP_TRUNCATE) && v_find(fs, op->path, &vn) == 0 &&
	    S_ISLNK(vn->type))
		return -ENOENT;
	switch (op->what) {
	case OP_MKDIR: return v_mkdir(fs, op->path, 0777, c);
	case OP_WRITE:
	case OP_APPEND: return checked_write(fs, op, c);
	case OP_UNLINK: return v_unlink(fs, op->path, c);
	case OP_RMDIR: return v_rmdir(fs, op->path, c);
	case OP_RENAME2:
	case OP_RENAME: return v_rename(fs, op->path, op->other, 0, c);
	case OP_NOREPLACE: return v_rename(fs, op->path, op->other, RENAME_NOREPLACE, c);
	case OP_EXCHANGE: return v_rename(fs, op->path, op->other, RENAME_EXCHANGE, c);
	case OP_LINK: return v_link(fs, op->path, op->other, c);
	case OP_SYMLINK: return v_make(fs, op->path, S_IFLNK | 0777, "target", c);
	case OP_FIFO: return v_make(fs, op->path, S_IFIFO | 0666, NULL, c);
	case OP_CHMOD: return v_chmod(fs, op->path, op->mode, c);
	case OP_CHOWN: return v_chown(fs, op->path, op->mode & 1 ? 1000 : 0, op->mode & 2 ? 1000 : 0, c);
	case OP_TRUNCATE: return v_truncate(fs, op->path, op->mode % 9, c);
	case OP_UTIMES: return v_utimes(fs, op->path, op->mode, c);
	case OP_SETX: return v_setxattr(fs, op->path, "user.n", "v", c);
	case OP_RMX: return v_rmxattr(fs, op->path, "user.k", c);
	}
	abort();
}

static int checked_write(struct vfs *fs, const struct op *op, const struct cred *c)
{
	const char *text = op->what == OP_WRITE ? "new" : "+";
	struct vnode *vn, *dir;
	const char *name;
	char real[4096];
	int r = v_dir(fs, op->path, &dir, &name);

	if (r < 0)
		return r;
	r = v_find(fs, op->path, &vn);
	if (r == 0 && S_ISDIR(vn->type))
		return -EISDIR;
	if (r == 0 && S_ISLNK(vn->type))
		return -ELOOP;
	if (r == 0) {
		r = perm_vnode(vn, PERM_W, c);
		if (r < 0)
			return r;
		if (S_ISFIFO(vn->type))
			return -ENXIO;
	}
	if (!op->user || r < 0) {
		/* Created by the task itself: with its credentials. */
		if (op->user) {
			r = fs->ops->create_path(dir, name, c, real, sizeof(real));
			if (r == 0) {
				if (setegid(1000) < 0 || seteuid(1000) < 0)
					abort();
				r = kernel_write(real, text, op->what == OP_APPEND) < 0 ? -errno : 0;
				if (seteuid(0) < 0 || setegid(0) < 0)
					abort();
				return r < 0 ? r : fs->ops->lookup(dir, name, &vn);
			}
			if (r != -EEXIST)
				return r;
		}
		return v_write(fs, op->path, text, op->what == OP_APPEND, c);
	}
	r = fs->ops->make_writable(vn, op->what == OP_WRITE);
	if (r == 0)
		r = fs->ops->realpath(vn, real, sizeof(real));
	if (r < 0)
		return r;
	if (setegid(1000) < 0 || seteuid(1000) < 0)
		abort();
	r = kernel_write(real, text, op->what == OP_APPEND) < 0 ? -errno : 0;
	if (seteuid(0) < 0 || setegid(0) < 0)
		abort();
	return r;
}

static void random_op(struct op *op, bool users)
{
	op->what = rnd(OP_N);
	random_path(op->path);
	random_path(op->other);
	op->mode = rnd(2) ? rnd(07777 + 1) : 0755;
	op->user = users && rnd(3) == 0;
}

/* --- rounds ----------------------------------------------------------------------------------- */

enum { ROUND_REDIRECT = 1, ROUND_PREFIX = 2, ROUND_UPPER = 4 };

static void kernel_mount(const char *dir, const char *lower, bool redirect)
{
	char opts[1024];

	snprintf(opts, sizeof(opts), "lowerdir=%s/l1:%s/l2,upperdir=%s/u,workdir=%s/w,redirect_dir=%s,xino=on",
		 lower, lower, dir, dir, redirect ? "on" : "nofollow");
	ck_assert_msg(mount("overlay", at(strcmp(dir, "k") ? "v/m" : "k/m"), "overlay", 0, opts) == 0,
		      "mount: %s", strerror(errno));
}

static bool show_ops(void)
{
	return getenv("FUSS_TEST_VERBOSE") != NULL;
}

/* A directory that a lower holds a part of: without redirects the kernel does not rename it (and may leave
 * an opaque mark behind when it finds out). */
static bool is_lower_dir(struct vfs *fs, const char *path)
{
	struct vnode *vn;
	struct statx st;

	return v_find(fs, path, &vn) == 0 && S_ISDIR(vn->type) &&
	       (fs->ops->layer(vn) > 0 || (fs->ops->getattr(vn, &st) == 0 && st.stx_nlink == 1));
}

/* A rename onto it fails, but only after the kernel's left an opaque mark on the other one. */
static bool is_full_dir(struct vfs *fs, const char *path)
{
	struct vnode *vn;

	return v_find(fs, path, &vn) == 0 && S_ISDIR(vn->type) && *v_ls(fs, path);
}

static void run_ops(unsigned seed, unsigned nops, unsigned mode, struct vfs **fs)
{
	enum overlay_dialect dialect = mode & ROUND_PREFIX ? DIALECT_FILEPREFIX : DIALECT_CHARDEV;

	rnd_state = seed * 77 + 5;
	for (unsigned i = 0; i < nops; i++) {
		struct vnode *vn;
		struct op op;

		random_op(&op, true);
		if (!(mode & ROUND_REDIRECT) && has_two_paths(&op) &&
		    (is_lower_dir(*fs, op.path) || is_lower_dir(*fs, op.other) ||
		     is_full_dir(*fs, op.other)))
			continue;
		/* What open(2) says of a symlink depends on protected_symlinks. */
		if ((op.what == OP_WRITE || op.what == OP_APPEND) && v_find(*fs, op.path, &vn) == 0 &&
		    S_ISLNK(vn->type))
			continue;
		int want = on_kernel(&op, "k");
		int got = on_vfs(&op, *fs);
		if (show_ops())
			fprintf(stderr, "%u: %s %s %s %o%s = %s / %s\n", i, op_names[op.what], op.path,
				op.other, op.mode, op.user ? " user" : "", strerror(-want), strerror(-got));
		ck_assert_msg(want == got, "seed %u mode %u op %u: %s %s %s %o%s: kernel %s, we %s", seed, mode, i,
			      op_names[op.what], op.path, op.other, op.mode, op.user ? " (user)" : "",
			      strerror(-want), strerror(-got));
		if (rnd(40) == 0) { /* nothing may hang on what is remembered */
			ovl_close(*fs);
			*fs = ovl_open("v/u", "v/l1:v/l2", dialect);
		}
	}
}

static void check_lowers(const char *what)
{
	_cleanup_free_ char *k = dump_host("k/l1", 0), *v = dump_host("v/l1", 0);
	_cleanup_free_ char *k2 = dump_host("k/l2", 0), *v2 = dump_host("v/l2", 0);

	same_text(what, k, v);
	same_text(what, k2, v2);
}

/* Others must see what we wrote as we do. */
static void check_readers(unsigned seed, unsigned mode)
{
	_cleanup_free_ char *theirs = NULL, *ours = NULL;
	char what[64];

	if (!(mode & ROUND_PREFIX))
		kernel_mount("v", "v", false);
	else if (sh_status("fuse-overlayfs -o lowerdir=v/l1:v/l2,upperdir=v/u,workdir=v/w v/m 2>/dev/null"))
		return;
	theirs = dump_host("v/m", DUMP_NO_LINKS);
	umount("v/m");
	struct vfs *fs = ovl_open("v/u", "v/l1:v/l2", DIALECT_AUTO);
	ours = dump_vfs(fs, DUMP_NO_LINKS);
	ovl_close(fs);
	snprintf(what, sizeof(what), "seed %u mode %u: our upper, mounted", seed, mode);
	same_text(what, ours, theirs);
}

static void check_views(const char *when, unsigned seed, unsigned mode, struct vfs *fs)
{
	/* A redirected directory keeps the links of its lower; and a rename that fails after the copy-up
	 * touches the parent there. */
	unsigned flags = mode & ROUND_REDIRECT ? DUMP_NO_LINKS | DUMP_NO_DIRTIMES : 0;
	_cleanup_free_ char *k = dump_host("k/m", flags), *v = dump_vfs(fs, flags);
	char what[64];

	snprintf(what, sizeof(what), "seed %u mode %u: views at the %s", seed, mode, when);
	same_text(what, k, v);
}

/* The same layers in two ways: inode numbers, too. */
static void check_numbers(unsigned seed)
{
	struct vfs *fs = ovl_open("k/u", "k/l1:k/l2", DIALECT_CHARDEV);
	_cleanup_free_ char *k = dump_host("k/m", DUMP_INO), *v = dump_vfs(fs, DUMP_INO);
	char what[64];

	ovl_close(fs);
	snprintf(what, sizeof(what), "seed %u: numbers", seed);
	same_text(what, k, v);
}

static void check_uppers(unsigned seed, unsigned mode)
{
	_cleanup_free_ char *k = dump_host("k/u", 0), *v = dump_host("v/u", 0);
	char what[64];

	snprintf(what, sizeof(what), "seed %u mode %u: uppers", seed, mode);
	same_text(what, k, v);
}

static void clean_up(void)
{
	umount2("k/m", MNT_DETACH);
	umount2("v/m", MNT_DETACH);
	sh("rm -rf k v");
}

static void round_of(unsigned seed, unsigned mode)
{
	enum overlay_dialect dialect = mode & ROUND_PREFIX ? DIALECT_FILEPREFIX : DIALECT_CHARDEV;

	clean_up();
	make_layers("k", seed, mode & ROUND_UPPER);
	make_layers("v", seed, mode & ROUND_UPPER);
	kernel_mount("k", "k", mode & ROUND_REDIRECT);
	check_numbers(seed);
	struct vfs *fs = ovl_open("v/u", "v/l1:v/l2", dialect);
	check_views("start", seed, mode, fs);
	run_ops(seed, 120, mode, &fs);
	check_views("end", seed, mode, fs);
	ovl_close(fs);
	umount("k/m");
	if (!(mode & (ROUND_REDIRECT | ROUND_PREFIX)))
		check_uppers(seed, mode);
	check_readers(seed, mode);
	check_lowers("lowers");
	ck_assert_int_ne(access("v/.u.fuss-work", F_OK), 0);
}

static void enter(void)
{
	scratch_enter();
	if (setgroups(0, NULL) < 0)
		abort();
}

static void leave(void)
{
	clean_up();
	scratch_leave();
}

static void rounds(unsigned mode)
{
	const char *seed = getenv("FUSS_TEST_SEED"), *n = getenv("FUSS_TEST_ROUNDS");
	unsigned first = seed ? (unsigned)atoi(seed) : 1, count = n ? (unsigned)atoi(n) : 6;

	for (unsigned i = 0; i < count; i++)
		round_of(first + i, mode | (i & 1 ? ROUND_UPPER : 0));
}

START_TEST(chardev_as_kernel)
{
	rounds(0);
}
END_TEST

START_TEST(chardev_with_directory_renames)
{
	rounds(ROUND_REDIRECT);
}
END_TEST

START_TEST(fileprefix_with_directory_renames)
{
	rounds(ROUND_REDIRECT | ROUND_PREFIX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("overlay-diff");
	TCase *t = tcase_create("kernel");

	if (geteuid() != 0 || sh_status("exec 2>/dev/null; mkdir /tmp/.ovl-probe.$$ && cd /tmp/.ovl-probe.$$ && "
					"mkdir l u w m && mount -t overlay o -o lowerdir=l,upperdir=u,"
					"workdir=w m && umount m; r=$?; cd /; rm -rf /tmp/.ovl-probe.$$; exit $r")) {
		puts("1..0 # SKIP needs root and kernel overlayfs");
		return 0; /* TAP: a skip is a success */
	}
	tcase_add_unchecked_fixture(t, enter, leave); /* survives a test that fails */
	tcase_set_timeout(t, 120);
	tcase_add_test(t, chardev_as_kernel);
	tcase_add_test(t, chardev_with_directory_renames);
	tcase_add_test(t, fileprefix_with_directory_renames);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
