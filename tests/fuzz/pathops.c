/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuzz.h"

static void op_mkdir(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e);
	const char *p = fuzz_path(e);
	mode_t m = fuzz_mode(e);

	fuzz_say_at(e, "mkdirat", dfd, p);
	fuzz_say(e, ", %o", m);
	fuzz_result(e, mkdirat(dfd, p, m));
}

static void op_mknod(struct fuzz_exec *e)
{
	static const mode_t types[] = { S_IFIFO, S_IFREG, S_IFSOCK, S_IFCHR, S_IFIFO, S_IFDIR };
	int dfd = fuzz_dirfd(e);
	const char *p = fuzz_path(e);
	mode_t m = fuzz_mode(e) | types[fuzz_rnd(&e->rng, 6)];
	dev_t dev = fuzz_pct(&e->rng, 30) ? 0 : makedev(1, 3);

	fuzz_say_at(e, "mknodat", dfd, p);
	fuzz_say(e, ", %o, %u", m, (unsigned int)dev);
	fuzz_result(e, mknodat(dfd, p, m, dev));
}

static void op_symlink(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e);
	const char *p = fuzz_path(e), *target = fuzz_path(e);

	fuzz_say_at(e, "symlinkat", dfd, p);
	fuzz_say(e, ", target \"%s\"", target);
	fuzz_result(e, symlinkat(target, dfd, p));
}

static void op_link(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), dfd2 = fuzz_dirfd(e);
	const char *p = fuzz_path(e), *q = fuzz_path(e);
	int flags = fuzz_pct(&e->rng, 20) ? AT_SYMLINK_FOLLOW : 0;

	fuzz_say_at(e, "linkat", dfd, p);
	fuzz_say_at(e, "; to ", dfd2, q);
	fuzz_say(e, "), %#x", flags);
	fuzz_result(e, linkat(dfd, p, dfd2, q, flags));
}

/* Gives a nameless or any other open file a name. */
static void op_link_fd(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL), dfd = fuzz_dirfd(e);
	const char *q = fuzz_path(e);
	char proc[64];

	if (e->root && fuzz_pct(&e->rng, 50)) {
		fuzz_say_at(e, "linkat(empty path of", fd, "");
		fuzz_say_at(e, "; to ", dfd, q);
		fuzz_result(e, linkat(fd, "", dfd, q, AT_EMPTY_PATH));
		return;
	}
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	fuzz_say_at(e, "linkat", AT_FDCWD, proc);
	fuzz_say_at(e, "; to ", dfd, q);
	fuzz_say(e, "), follow");
	fuzz_result(e, linkat(AT_FDCWD, proc, dfd, q, AT_SYMLINK_FOLLOW));
}

static void op_unlink(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), flags = fuzz_pct(&e->rng, 35) ? AT_REMOVEDIR : 0;
	const char *p = fuzz_path(e);

	fuzz_say_at(e, flags ? "rmdir unlinkat" : "unlinkat", dfd, p);
	fuzz_result(e, unlinkat(dfd, p, flags));
}

/* Removes a tree, the work of rm -r: whole directories become whiteouts now and then. */
static void op_remove_tree(struct fuzz_exec *e)
{
	const char *p = fuzz_path(e);
	struct stat st;

	fuzz_say_at(e, "rm -r", AT_FDCWD, p);
	if (strstr(p, "..") || p[0] == '/' || !strcmp(p, ".") || !p[0]) {
		fuzz_say(e, ") not done");
		return;
	}
	fuzz_remove(AT_FDCWD, p);
	fuzz_result(e, lstat(p, &st));
}

static void op_rename(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), dfd2 = fuzz_dirfd(e);
	const char *p = fuzz_path(e), *q = fuzz_path(e);
	unsigned int flags = 0;

	if (fuzz_pct(&e->rng, 30))
		flags = 1u << fuzz_rnd(&e->rng, 2);
	else if (fuzz_pct(&e->rng, 5))
		flags = fuzz_rnd(&e->rng, 16);
	fuzz_say_at(e, "renameat2", dfd, p);
	fuzz_say_at(e, "; to ", dfd2, q);
	fuzz_say(e, "), %#x", flags);
	fuzz_result(e, renameat2(dfd, p, dfd2, q, flags));
}

static void op_stat(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), flags = fuzz_pct(&e->rng, 50) ? AT_SYMLINK_NOFOLLOW : 0;
	const char *p = fuzz_path(e);
	struct stat st;

	if (fuzz_pct(&e->rng, 10))
		flags |= AT_EMPTY_PATH;
	if (fuzz_pct(&e->rng, 10))
		flags |= AT_NO_AUTOMOUNT;
	fuzz_say_at(e, "fstatat", dfd, p);
	fuzz_say(e, ", %#x", (unsigned int)flags);
	fuzz_result_stat(e, fstatat(dfd, p, &st, flags), &st);
}

static void op_statx(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), flags = fuzz_pct(&e->rng, 50) ? AT_SYMLINK_NOFOLLOW : 0;
	const char *p = fuzz_path(e);
	struct statx stx;
	struct stat st = { 0 };
	long r;

	if (fuzz_pct(&e->rng, 10))
		flags |= AT_EMPTY_PATH;
	if (fuzz_pct(&e->rng, 10))
		flags |= AT_STATX_DONT_SYNC;
	fuzz_say_at(e, "statx", dfd, p);
	fuzz_say(e, ", %#x", (unsigned int)flags);
	r = statx(dfd, p, flags, STATX_BASIC_STATS, &stx);
	if (!r) {
		st.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
		st.st_ino = stx.stx_ino;
		st.st_mode = stx.stx_mode;
		st.st_nlink = stx.stx_nlink;
		st.st_uid = stx.stx_uid;
		st.st_gid = stx.stx_gid;
		st.st_size = (off_t)stx.stx_size;
		st.st_rdev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor);
		st.st_mtim.tv_sec = stx.stx_mtime.tv_sec;
		st.st_mtim.tv_nsec = stx.stx_mtime.tv_nsec;
		st.st_atim.tv_sec = stx.stx_atime.tv_sec;
		st.st_atim.tv_nsec = stx.stx_atime.tv_nsec;
	}
	fuzz_result_stat(e, r, &st);
	if (!r)
		fuzz_say(e, " mask=%x", stx.stx_mask & STATX_BASIC_STATS);
}

static void op_access(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), mode = (int)fuzz_rnd(&e->rng, 8), flags = 0;
	const char *p = fuzz_path(e);

	if (fuzz_pct(&e->rng, 30))
		flags |= AT_EACCESS;
	if (fuzz_pct(&e->rng, 30))
		flags |= AT_SYMLINK_NOFOLLOW;
	fuzz_say_at(e, "faccessat2", dfd, p);
	fuzz_say(e, ", %d, %#x", mode, (unsigned int)flags);
	fuzz_result(e, syscall(SYS_faccessat2, dfd, p, mode, flags));
}

static void op_readlink(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e);
	const char *p = fuzz_path(e);
	size_t size = fuzz_pct(&e->rng, 15) ? fuzz_rnd(&e->rng, 8) : 512;
	char buf[512];
	ssize_t n;

	fuzz_say_at(e, "readlinkat", dfd, p);
	fuzz_say(e, ", %zu", size);
	n = readlinkat(dfd, p, buf, size);
	fuzz_result(e, n);
	if (n >= 0) {
		fuzz_say(e, " ");
		fuzz_add_quoted(&e->line, buf, (size_t)n);
	}
}

static void op_chmod(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e);
	const char *p = fuzz_path(e);
	mode_t m = fuzz_mode(e);

	fuzz_say_at(e, "fchmodat", dfd, p);
	fuzz_say(e, ", %o", m);
	fuzz_result(e, syscall(SYS_fchmodat, dfd, p, m));
}

static void op_chmod2(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e);
	const char *p = fuzz_path(e);
	mode_t m = fuzz_mode(e);

	fuzz_say_at(e, "fchmodat2", dfd, p);
	fuzz_say(e, ", %o, nofollow", m);
	fuzz_result(e, syscall(452, dfd, p, m, AT_SYMLINK_NOFOLLOW));
}

static void op_chown(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), flags = fuzz_pct(&e->rng, 40) ? AT_SYMLINK_NOFOLLOW : 0;
	uid_t u = fuzz_owner(e), g = fuzz_owner(e);
	const char *p = fuzz_path(e);

	if (fuzz_pct(&e->rng, 8))
		flags |= AT_EMPTY_PATH;
	fuzz_say_at(e, "fchownat", dfd, p);
	fuzz_say(e, ", %d, %d, %#x", (int)u, (int)g, (unsigned int)flags);
	fuzz_result(e, fchownat(dfd, p, u, g, flags));
}

static void op_utimens(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), flags = fuzz_pct(&e->rng, 40) ? AT_SYMLINK_NOFOLLOW : 0;
	const char *p = fuzz_path(e);
	struct timespec ts[2];

	for (int i = 0; i < 2; i++) {
		ts[i].tv_sec = 1100000000 + (time_t)fuzz_rnd(&e->rng, 1000);
		ts[i].tv_nsec = fuzz_rnd(&e->rng, 1000000000);
		if (fuzz_pct(&e->rng, 15))
			ts[i].tv_nsec = fuzz_pct(&e->rng, 50) ? UTIME_NOW : UTIME_OMIT;
	}
	fuzz_say_at(e, "utimensat", dfd, p);
	fuzz_say(e, ", %lld.%ld, %lld.%ld, %#x", (long long)ts[0].tv_sec, ts[0].tv_nsec,
		 (long long)ts[1].tv_sec, ts[1].tv_nsec, (unsigned int)flags);
	fuzz_result(e, utimensat(dfd, p, fuzz_pct(&e->rng, 10) ? NULL : ts, flags));
}

static void op_truncate(struct fuzz_exec *e)
{
	const char *p = fuzz_path(e);
	off_t size = fuzz_rnd(&e->rng, fuzz_pct(&e->rng, 70) ? 300 : 40000);

	fuzz_say_at(e, "truncate", AT_FDCWD, p);
	fuzz_say(e, ", %lld", (long long)size);
	fuzz_result(e, truncate(p, size));
}

/* The whole of a file by one open: what any reader sees now. */
static void op_read_file(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), fd;
	const char *p = fuzz_path(e);
	static char buf[100000];
	struct stat st;
	ssize_t n;

	fuzz_say_at(e, "cat", dfd, p);
	fd = openat(dfd, p, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		fuzz_result(e, -1);
	} else if (!S_ISREG(st.st_mode)) {
		fuzz_say(e, ") = type %o", st.st_mode & S_IFMT);
	} else {
		n = read(fd, buf, sizeof(buf));
		fuzz_result(e, n);
		if (n > 0)
			fuzz_say(e, " %016llx", (unsigned long long)fuzz_hash(1, buf, (size_t)n));
	}
	if (fd >= 0)
		close(fd);
}

static int open_flags(struct fuzz_exec *e)
{
	struct fuzz_rng *r = &e->rng;
	unsigned int k = fuzz_rnd(r, 100);
	/* A FIFO must not stop the run. */
	int flags = (k < 42 ? O_RDONLY : k < 85 ? O_RDWR : k < 99 ? O_WRONLY : 3) | O_NONBLOCK;

	if (fuzz_pct(r, 30))
		flags |= O_CREAT;
	if (fuzz_pct(r, 10))
		flags |= O_EXCL;
	if (fuzz_pct(r, 12))
		flags |= O_TRUNC;
	if (fuzz_pct(r, 10))
		flags |= O_APPEND;
	if (fuzz_pct(r, (flags & O_ACCMODE) == O_RDONLY ? 40 : 2))
		flags |= O_DIRECTORY;
	if (fuzz_pct(r, 10))
		flags |= O_NOFOLLOW;
	if (fuzz_pct(r, 8))
		flags |= O_PATH;
	if (fuzz_pct(r, 3))
		flags |= O_TMPFILE;
	if (fuzz_pct(r, 3))
		flags |= O_NOATIME;
	return flags;
}

static void op_open(struct fuzz_exec *e)
{
	int dfd = fuzz_dirfd(e), flags = open_flags(e);
	unsigned int s = fuzz_rnd(&e->rng, FUZZ_NSLOTS);
	const char *p = fuzz_path(e);
	mode_t m = fuzz_mode(e);

	fuzz_say_at(e, "openat", dfd, p);
	fuzz_say(e, ", %#o, %o", (unsigned int)flags, m);
	fuzz_result_open(e, openat(dfd, p, flags | O_CLOEXEC, m), flags, s);
}

static void op_open_dir(struct fuzz_exec *e)
{
	unsigned int s = fuzz_rnd(&e->rng, FUZZ_NSLOTS);
	int dfd = fuzz_dirfd(e), flags = O_RDONLY | O_DIRECTORY;
	const char *p = fuzz_pct(&e->rng, 20) ? FUZZ_MNT : fuzz_path(e);

	fuzz_say_at(e, "opendir", dfd, p);
	fuzz_result_open(e, openat(dfd, p, flags | O_CLOEXEC), flags, s);
}

static void op_tmpfile(struct fuzz_exec *e)
{
	unsigned int s = fuzz_rnd(&e->rng, FUZZ_NSLOTS);
	int dfd = fuzz_dirfd(e), flags = O_RDWR | O_TMPFILE;
	const char *p = fuzz_path(e);
	mode_t m = fuzz_mode(e);

	fuzz_say_at(e, "tmpfile", dfd, p);
	fuzz_say(e, ", %o", m);
	fuzz_result_open(e, openat(dfd, p, flags | O_CLOEXEC, m), flags, s);
}

static void op_openat2(struct fuzz_exec *e)
{
	static const uint64_t resolve[] = {
		RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH,
		RESOLVE_IN_ROOT
	};
	unsigned int s = fuzz_rnd(&e->rng, FUZZ_NSLOTS);
	int dfd = fuzz_dirfd(e), flags = open_flags(e);
	const char *p = fuzz_path(e);
	struct open_how how = { 0 };

	for (int i = 0; i < 5; i++)
		if (fuzz_pct(&e->rng, 25))
			how.resolve |= resolve[i];
	how.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC;
	how.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? fuzz_mode(e) & 07777 : 0;
	fuzz_say_at(e, "openat2", dfd, p);
	fuzz_say(e, ", %#o, %o, resolve %#x", (unsigned int)flags, (unsigned int)how.mode,
		 (unsigned int)how.resolve);
	fuzz_result_open(e, (int)syscall(SYS_openat2, dfd, p, &how, sizeof(how)), flags, s);
}

static void op_chdir(struct fuzz_exec *e)
{
	const char *p = fuzz_pct(&e->rng, 40) ? FUZZ_MNT : fuzz_path(e);

	fuzz_say_at(e, "chdir", AT_FDCWD, p);
	fuzz_result(e, chdir(p));
}

static void op_getcwd(struct fuzz_exec *e)
{
	char buf[4096];
	char *p = getcwd(buf, sizeof(buf));

	fuzz_say(e, "getcwd(");
	fuzz_result(e, p ? 0 : -1);
	if (p)
		fuzz_say(e, " %s", p);
}

static void op_umask(struct fuzz_exec *e)
{
	static const mode_t masks[] = { 022, 022, 0, 077, 027 };
	mode_t m = masks[fuzz_rnd(&e->rng, 5)];

	fuzz_say(e, "umask(%o", m);
	fuzz_result(e, umask(m));
}

static const char *xattr_name(struct fuzz_exec *e)
{
	static const char *const names[] = {
		"user.x", "user.y", "user.x", "user.y", "user.z", "trusted.x", "overlay.opaque",
		"trusted.x", "system.nothing", "nothing", "overlay.z",
	};
	static char mark[64];
	const char *name = names[fuzz_rnd(&e->rng, fuzz_pct(&e->rng, 70) ? 5 : 11)];

	/* Names of marks are escaped; the kernel does it in one namespace only. */
	if (*name != 'o')
		return name;
	snprintf(mark, sizeof(mark), "%s.%s", e->root ? "trusted" : "user", name);
	return mark;
}

static void op_setxattr(struct fuzz_exec *e)
{
	static char value[5000];
	const char *p = fuzz_path(e), *name = xattr_name(e);
	size_t size = fuzz_pct(&e->rng, 95) ? fuzz_rnd(&e->rng, 10) : 5000;
	int flags = fuzz_pct(&e->rng, 30) ? 1 << fuzz_rnd(&e->rng, 2) : 0;
	bool l = fuzz_pct(&e->rng, 50);

	memset(value, 'a' + (int)fuzz_rnd(&e->rng, 26), sizeof(value));
	fuzz_say_at(e, l ? "lsetxattr" : "setxattr", AT_FDCWD, p);
	fuzz_say(e, ", %s, %c{%zu}, %d", name, value[0], size, flags);
	fuzz_result(e, (l ? lsetxattr : setxattr)(p, name, value, size, flags));
}

static void op_getxattr(struct fuzz_exec *e)
{
	static char value[8192];
	const char *p = fuzz_path(e), *name = xattr_name(e);
	size_t size = fuzz_pct(&e->rng, 70) ? sizeof(value) : fuzz_rnd(&e->rng, 6);
	bool l = fuzz_pct(&e->rng, 50);
	ssize_t n;

	fuzz_say_at(e, l ? "lgetxattr" : "getxattr", AT_FDCWD, p);
	fuzz_say(e, ", %s, %zu", name, size);
	n = (l ? lgetxattr : getxattr)(p, name, value, size);
	fuzz_result(e, n);
	if (n > 0 && size) {
		fuzz_say(e, " ");
		fuzz_add_quoted(&e->line, value, (size_t)n);
	}
}

static void op_removexattr(struct fuzz_exec *e)
{
	const char *p = fuzz_path(e), *name = xattr_name(e);
	bool l = fuzz_pct(&e->rng, 50);

	fuzz_say_at(e, l ? "lremovexattr" : "removexattr", AT_FDCWD, p);
	fuzz_say(e, ", %s", name);
	fuzz_result(e, (l ? lremovexattr : removexattr)(p, name));
}

static void op_listxattr(struct fuzz_exec *e)
{
	const char *p = fuzz_path(e);
	bool l = fuzz_pct(&e->rng, 50);
	char list[4096];

	fuzz_say_at(e, l ? "llistxattr" : "listxattr", AT_FDCWD, p);
	fuzz_result_names(e, (l ? llistxattr : listxattr)(p, list, sizeof(list)), list);
}

const struct fuzz_op fuzz_path_ops[] = {
	{ op_mkdir, 40 },
	{ op_mknod, 14 },
	{ op_symlink, 16 },
	{ op_link, 24 },
	{ op_link_fd, 12 },
	{ op_unlink, 60 },
	{ op_remove_tree, 8 },
	{ op_rename, 70 },
	{ op_stat, 40 },
	{ op_statx, 12 },
	{ op_access, 16 },
	{ op_readlink, 12 },
	{ op_chmod, 20 },
	{ op_chmod2, 6 },
	{ op_chown, 16 },
	{ op_utimens, 18 },
	{ op_truncate, 12 },
	{ op_read_file, 25 },
	{ op_open, 90 },
	{ op_open_dir, 25 },
	{ op_tmpfile, 8 },
	{ op_openat2, 25 },
	{ op_chdir, 24 },
	{ op_getcwd, 6 },
	{ op_umask, 4 },
	{ op_setxattr, 18 },
	{ op_getxattr, 12 },
	{ op_removexattr, 8 },
	{ op_listxattr, 8 },
	{ NULL, 0 },
};
