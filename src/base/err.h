/* SPDX-License-Identifier: MIT */
/*
 * System calls that return -errno.  A variable named r holds 0 or -errno only; errno itself is
 * read nowhere but here.
 */
#ifndef FUSS_BASE_ERR_H
#define FUSS_BASE_ERR_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Turns the libc convention (-1 and errno) into ours; values >= 0 pass through. */
static inline long x_ret(long r)
{
	return r == -1 ? -errno : r;
}

static inline int x_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	return (int)x_ret(openat(dirfd, path, flags, mode));
}

static inline int x_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return (int)x_ret(fstatat(dirfd, path, st, flags));
}

static inline int x_fstat(int fd, struct stat *st)
{
	return (int)x_ret(fstat(fd, st));
}

static inline int x_mkdirat(int dirfd, const char *path, mode_t mode)
{
	return (int)x_ret(mkdirat(dirfd, path, mode));
}

static inline int x_mknodat(int dirfd, const char *path, mode_t mode, dev_t dev)
{
	return (int)x_ret(mknodat(dirfd, path, mode, dev));
}

static inline int x_unlinkat(int dirfd, const char *path, int flags)
{
	return (int)x_ret(unlinkat(dirfd, path, flags));
}

static inline int x_symlinkat(const char *target, int dirfd, const char *path)
{
	return (int)x_ret(symlinkat(target, dirfd, path));
}

static inline int x_linkat(int od, const char *op, int nd, const char *np, int flags)
{
	return (int)x_ret(linkat(od, op, nd, np, flags));
}

static inline int x_renameat2(int od, const char *op, int nd, const char *np, unsigned flags)
{
	return (int)x_ret(renameat2(od, op, nd, np, flags));
}

/* Length of the target, never terminated, or -errno. */
static inline ssize_t x_readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	return x_ret(readlinkat(dirfd, path, buf, size));
}

#endif
