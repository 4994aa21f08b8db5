/* SPDX-License-Identifier: MIT */
/*
 * Copy-up: an object of a lower becomes one of the upper, and nobody can tell.
 *
 * Everything is made out of sight (an unnamed file, or an object in the work directory), complete
 * with metadata, and shown by one link or rename.  Data is synced before that, as the kernel does
 * it: after a power failure the upper must not hold an empty file where a full one was.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "overlay/ovl.h"

/* A device, FIFO or socket is never opened: FIFOs block, devices do things. */
static int open_source(const struct loc *src)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int r = x_openat(src->fd, src->name, flags | O_NOATIME, 0);

	return r == -EPERM ? x_openat(src->fd, src->name, flags, 0) : r;
}

static int same_object(int fd, const struct statx *st)
{
	struct stat now;
	int r = x_fstat(fd, &now);

	if (r < 0)
		return r;
	return S_ISREG(now.st_mode) && now.st_ino == st->stx_ino && now.st_dev == statx_dev(st) ?
	       0 : -ESTALE;
}

static int copy_symlink(const struct loc *src, int ddir, const char *dname)
{
	size_t size = 256;

	for (;;) {
		_cleanup_free_ char *buf = malloc(size + 1);

		if (!buf)
			return -ENOMEM;
		ssize_t n = x_readlinkat(src->fd, src->name, buf, size);
		if (n < 0)
			return (int)n;
		if ((size_t)n < size) {
			buf[n] = '\0';
			return x_symlinkat(buf, ddir, dname);
		}
		size *= 2;
	}
}

/* Data and metadata into an open new file; in may be -1 if there is no data to copy. */
static int fill_file(struct overlay *ov, const struct loc *src, int in, const struct statx *st,
		     bool data, bool sync, int ddir, const char *dname, int out)
{
	int r = 0;

	if (data) {
		r = copy_data(in, out, (off_t)st->stx_size, src->name);
		if (r == 0 && sync)
			r = (int)x_ret(fsync(out));
	}
	return r < 0 ? r : copy_attrs(ov, src, in, ddir, dname, in >= 0 || !dname ? out : -1, st);
}

static int build_file(struct overlay *ov, const struct loc *src, const struct statx *st, bool data,
		      bool sync, int ddir, const char *dname)
{
	_cleanup_fd_ int in = open_source(src);
	int r;

	if (in >= 0) {
		r = same_object(in, st);
		if (r < 0)
			return r;
	} else if (in != -EACCES || data) {
		return in;
	}
	_cleanup_fd_ int out = x_openat(ddir, dname, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return out;
	return fill_file(ov, src, in, st, data, sync, ddir, dname, out);
}

int copyup_build(struct overlay *ov, const struct loc *src, const struct statx *st, bool trunc,
		 bool sync, int ddir, const char *dname)
{
	mode_t type = st->stx_mode & S_IFMT;
	int r;

	switch (type) {
	case S_IFREG:
		r = build_file(ov, src, st, !trunc && st->stx_size, sync, ddir, dname);
		break;
	case S_IFDIR:
		r = x_mkdirat(ddir, dname, 0700);
		break;
	case S_IFLNK:
		r = copy_symlink(src, ddir, dname);
		break;
	default:
		r = x_mknodat(ddir, dname, type | 0600,
			      makedev(st->stx_rdev_major, st->stx_rdev_minor));
		break;
	}
	if (r == 0 && type != S_IFREG)
		r = copy_attrs(ov, src, -1, ddir, dname, -1, st);
	if (r < 0 && r != -EEXIST)
		x_unlinkat(ddir, dname, type == S_IFDIR ? AT_REMOVEDIR : 0);
	return r;
}

/* An unnamed file, then a link.  -EOPNOTSUPP: not here. */
static int copyup_tmpfile(struct overlay *ov, const struct loc *src, const struct statx *st,
			  bool trunc, int work, int fd, const char *name)
{
	char path[XATTR_PATH_MAX];
	_cleanup_fd_ int in = open_source(src);
	int r;

	/* Without a descriptor xattrs are copied by name: that takes a file with one. */
	if (in < 0)
		return in == -EACCES && (trunc || !st->stx_size) ? -EOPNOTSUPP : in;
	r = same_object(in, st);
	if (r < 0)
		return r;
	_cleanup_fd_ int out = x_openat(work, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (out < 0)
		return out == -EISDIR || out == -EINVAL || out == -ENOENT ? -EOPNOTSUPP : out;
	r = fill_file(ov, src, in, st, !trunc && st->stx_size, true, -1, NULL, out);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", out);
	r = x_linkat(AT_FDCWD, path, fd, name, AT_SYMLINK_FOLLOW);
	/* No /proc, or a file system that does not link unnamed files. */
	return r == -ENOENT || r == -EXDEV || r == -EPERM ? -EOPNOTSUPP : r;
}

static int copyup_named(struct overlay *ov, const struct loc *src, const struct statx *st,
			bool trunc, int work, int fd, const char *name)
{
	char tmp[WORK_NAME_MAX];

	work_name(ov, tmp);
	int r = copyup_build(ov, src, st, trunc, true, work, tmp);
	if (r < 0)
		return r;
	mode_t lent = lend_write(ov, work, tmp);
	r = x_renameat2(work, tmp, fd, name, RENAME_NOREPLACE);
	if (r == -EINVAL) /* no RENAME_NOREPLACE; there is nothing, or we would not be here */
		r = x_renameat2(work, tmp, fd, name, 0);
	if (r < 0)
		work_remove(ov, tmp);
	else
		lend_end(fd, name, lent);
	return r;
}

static int copyup_object(struct overlay *ov, const struct loc *src, const struct statx *st,
			 bool trunc, int fd, const char *name)
{
	int r = -EOPNOTSUPP, work = work_fd(ov);

	if (work < 0)
		return work;
	if (S_ISREG(st->stx_mode))
		r = copyup_tmpfile(ov, src, st, trunc, work, fd, name);
	if (r == -EOPNOTSUPP)
		r = copyup_named(ov, src, st, trunc, work, fd, name);
	/* Something was put there behind our back. */
	return r == -EEXIST ? -ESTALE : r;
}

/* n's parent is in the upper. */
static int copyup_one(struct node *n, bool trunc)
{
	struct overlay *ov = ovl_of(&n->vn);
	_cleanup_loc_ struct loc src = LOC_NONE;
	struct statx st, up, made;
	int fd = node_dirfd(node_of(n->vn.parent), 0);

	if (fd < 0)
		return fd;
	int r = node_loc_lower(n, 0, &src);
	if (r == 0)
		r = x_statx(src.fd, src.name, &st);
	if (r == 0)
		r = x_statx(fd, ".", &up);
	if (r < 0)
		return r;
	if ((st.stx_mode & S_IFMT) != n->vn.type)
		return -ESTALE;
	mode_t lent = lend_write(ov, fd, ".");
	r = copyup_object(ov, &src, &st, trunc, fd, n->vn.name);
	lend_end(fd, ".", lent);
	if (r < 0)
		return r;
	/* The directory did not change, as far as anybody can see. */
	copy_times(fd, ".", &up);
	r = x_statx(fd, n->vn.name, &made);
	if (r < 0)
		return r;
	/* Hard links below are split: the other names keep the number. */
	bool split = !S_ISDIR(st.stx_mode) && st.stx_nlink > 1;
	uint64_t ino = split ? identity_ino(ov->id, statx_dev(&made), made.stx_ino) : n->ino;
	return node_set_upper(n, &made, ino);
}

int copyup(struct node *n, bool trunc)
{
	if (!ovl_of(&n->vn)->rw)
		return -EROFS;
	while (!n->upper) {
		struct node *top = n;

		if (n->vn.dead)
			return -ESTALE;
		while (top->vn.parent && !node_of(top->vn.parent)->upper)
			top = node_of(top->vn.parent);
		if (!top->vn.parent)
			return -ESTALE; /* below something that was removed */
		int r = copyup_one(top, top == n && trunc);
		if (r < 0)
			return r;
	}
	return 0;
}

int copyup_dirfd(struct node *dir)
{
	int r = copyup(dir, false);

	return r < 0 ? r : node_dirfd(dir, 0);
}
