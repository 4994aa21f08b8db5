/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "overlay/ovl.h"

/* linux/openat2.h came with 5.6; the build host's headers may be older than the kernel. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define BENEATH (0x08 | 0x04 | 0x02) /* RESOLVE_BENEATH, NO_SYMLINKS, NO_MAGICLINKS */
#define OPEN_DIR (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void loc_close(struct loc *l)
{
	if (l->own && l->fd >= 0)
		close(l->fd);
}

/* One openat() a component: where openat2() is missing or forbidden. */
static int open_components(int root, const char *path, size_t len)
{
	_cleanup_fd_ int fd = -1;
	const char *end = path + len;
	char name[NAME_MAX + 1];

	while (path < end) {
		size_t n = strcspn(path, "/");

		if (n > (size_t)(end - path))
			n = end - path;
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, n);
		name[n] = '\0';
		int next = x_openat(fd < 0 ? root : fd, name, OPEN_DIR, 0);
		if (next < 0)
			return next;
		if (fd >= 0)
			close(fd);
		fd = next;
		path += n + (path[n] == '/');
	}
	return steal_fd(&fd);
}

/* A piece of a path that fits into PATH_MAX; len bytes. */
static int open_piece(int root, const char *path, size_t len)
{
	static bool no_openat2;
	struct { uint64_t flags, mode, resolve; } how = { .flags = OPEN_DIR, .resolve = BENEATH };
	char buf[PATH_MAX];

	if (!no_openat2) {
		memcpy(buf, path, len);
		buf[len] = '\0';
		int fd = (int)x_ret(syscall(SYS_openat2, root, buf, &how, sizeof(how)));
		if (fd != -ENOSYS && fd != -EPERM && fd != -EAGAIN)
			return fd;
		no_openat2 = fd == -ENOSYS;
	}
	return open_components(root, path, len);
}

int open_beneath(int root, const char *path)
{
	_cleanup_fd_ int fd = -1;

	if (!*path)
		return x_openat(root, ".", OPEN_DIR, 0);
	while (*path) {
		size_t len = strlen(path);

		if (len >= PATH_MAX) {
			for (len = PATH_MAX - 1; path[len] != '/'; len--)
				;
		}
		int next = open_piece(fd < 0 ? root : fd, path, len);
		if (next < 0)
			return next;
		if (fd >= 0)
			close(fd);
		fd = next;
		path += len;
		path += *path == '/';
	}
	return steal_fd(&fd);
}

int layer_init(struct layer *l, const char *path)
{
	struct stat st;
	size_t len = strlen(path);

	while (len && path[len - 1] == '/')
		len--;
	*l = (struct layer){ .fd = -1, .path = strndup(path, len) };
	if (!l->path)
		return -ENOMEM;
	/* The layer itself may be named through a symlink. */
	l->fd = x_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (l->fd < 0)
		return l->fd;
	int r = x_fstat(l->fd, &st);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return r;
}

void layer_fini(struct layer *l)
{
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
}

void fd_path(char buf[XATTR_PATH_MAX], int fd, const char *name)
{
	snprintf(buf, XATTR_PATH_MAX, "/proc/self/fd/%d/%s", fd, name);
}

dev_t statx_dev(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

static struct statx_timestamp to_statx_time(struct timespec t)
{
	return (struct statx_timestamp){ .tv_sec = t.tv_sec, .tv_nsec = (uint32_t)t.tv_nsec };
}

static void stat_to_statx(const struct stat *st, struct statx *stx)
{
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st->st_blksize,
		.stx_nlink = (uint32_t)st->st_nlink,
		.stx_uid = st->st_uid,
		.stx_gid = st->st_gid,
		.stx_mode = (uint16_t)st->st_mode,
		.stx_ino = st->st_ino,
		.stx_size = (uint64_t)st->st_size,
		.stx_blocks = (uint64_t)st->st_blocks,
		.stx_atime = to_statx_time(st->st_atim),
		.stx_mtime = to_statx_time(st->st_mtim),
		.stx_ctime = to_statx_time(st->st_ctim),
		.stx_rdev_major = major(st->st_rdev),
		.stx_rdev_minor = minor(st->st_rdev),
		.stx_dev_major = major(st->st_dev),
		.stx_dev_minor = minor(st->st_dev),
	};
}

int x_statx(int fd, const char *name, struct statx *ret)
{
	static bool no_statx; /* before 4.11, or forbidden by an old container's filter */
	struct stat st;
	int r;

	if (!no_statx) {
		r = (int)x_ret(statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
				     STATX_BASIC_STATS | STATX_BTIME, ret));
		if (r != -ENOSYS && r != -EPERM)
			return r;
		no_statx = true;
	}
	r = x_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
	if (r == 0)
		stat_to_statx(&st, ret);
	return r;
}

int open_dir(int fd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	/* Only the owner may ask for O_NOATIME. */
	int r = x_openat(fd, name, flags | O_NOATIME, 0);

	return r == -EPERM ? x_openat(fd, name, flags, 0) : r;
}

char *path_join(const char *dir, const char *name)
{
	char *ret;

	if (asprintf(&ret, "%s%s%s", dir, *dir ? "/" : "", name) < 0)
		return NULL;
	return ret;
}
