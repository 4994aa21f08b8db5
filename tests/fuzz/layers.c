/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuzz.h"

static void layer_path(struct fuzz_rng *r, char *buf, size_t size)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	unsigned int depth = fuzz_pct(r, 35) ? 1 : fuzz_pct(r, 60) ? 2 : 3;
	size_t n = 0;

	for (unsigned int i = 0; i < depth; i++)
		n += (size_t)snprintf(buf + n, size - n, "/%s", names[fuzz_rnd(r, 5)]);
}

static mode_t layer_mode(struct fuzz_rng *r, bool dir)
{
	static const mode_t file[] = { 0644, 0600, 0755, 0444, 0, 04755, 02755, 02644, 0666, 01644 };
	static const mode_t dirs[] = { 0755, 0755, 0755, 0700, 01777, 02775, 0555, 0711, 0750 };

	if (dir)
		return dirs[fuzz_rnd(r, sizeof(dirs) / sizeof(*dirs))];
	return file[fuzz_rnd(r, sizeof(file) / sizeof(*file))];
}

static uid_t layer_owner(struct fuzz_rng *r, uid_t uid)
{
	unsigned int k = fuzz_rnd(r, 4);

	return uid || k < 2 ? uid : 1000 + k - 2;
}

static void make_parents(const char *path, size_t from, uid_t uid)
{
	char buf[1024];

	snprintf(buf, sizeof(buf), "%s", path);
	for (char *s = buf + from + 1; (s = strchr(s, '/')); s++) {
		*s = 0;
		if (!mkdir(buf, 0755) && chmod(buf, 0755) + chown(buf, uid, uid))
			perror(buf);
		*s = '/';
	}
}

static int make_file(struct fuzz_rng *r, const char *path)
{
	size_t size = fuzz_pct(r, 15) ? 0 : fuzz_pct(r, 80) ? fuzz_rnd(r, 200) : fuzz_rnd(r, 30000);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char *buf = malloc(size + 1);

	if (fd < 0 || !buf) {
		free(buf);
		return -1;
	}
	for (size_t i = 0; i < size; i++)
		buf[i] = (char)('a' + fuzz_rnd(r, 26));
	if (fuzz_pct(r, 8))
		(void)!lseek(fd, 10000, SEEK_SET);
	if (write(fd, buf, size) != (ssize_t)size)
		perror(path);
	free(buf);
	return close(fd);
}

static int make_symlink(struct fuzz_rng *r, const char *path)
{
	static const char *const prefix[] = { "", "", "../", FUZZ_MNT, "./", FUZZ_MNT "/.", "/" };
	char rel[64], target[128];

	layer_path(r, rel, sizeof(rel));
	switch (fuzz_rnd(r, 10)) {
	case 0:
		snprintf(target, sizeof(target), "nowhere");
		break;
	case 1:
		snprintf(target, sizeof(target), "%s", fuzz_pct(r, 50) ? ".." : ".");
		break;
	default:
		{
			const char *p = prefix[fuzz_rnd(r, 7)];

			/* A path of the mount point goes on with a slash, the others not. */
			snprintf(target, sizeof(target), "%s%s", p,
				 p[0] == '/' && p[1] ? rel : rel + 1);
		}
	}
	if (fuzz_pct(r, 5))
		strcat(target, "/");
	return symlink(target, path);
}

enum kind { DIRECTORY, REGULAR, SYMLINK, HARDLINK, FIFO, SOCKET, DEVICE, WHITEOUT, OPAQUE, XATTR };

static const enum kind kinds[] = {
	DIRECTORY, DIRECTORY, DIRECTORY, DIRECTORY, DIRECTORY, REGULAR, REGULAR, REGULAR, REGULAR,
	REGULAR, REGULAR, SYMLINK, SYMLINK, SYMLINK, HARDLINK, HARDLINK, HARDLINK, FIFO, SOCKET,
	DEVICE, WHITEOUT, WHITEOUT, WHITEOUT, OPAQUE, OPAQUE, XATTR, XATTR,
};

static const char *const kind_names[] = {
	"mkdir", "file", "symlink", "link", "fifo", "socket", "device", "whiteout", "opaque", "xattr",
};

void fuzz_layer_step(const char *base, uint64_t seed, unsigned int i, unsigned int nlowers,
		     bool upper, bool links, uid_t uid, struct fuzz_out *text)
{
	struct fuzz_rng rng = fuzz_rng_of(seed, FUZZ_LAYERS, i), *r = &rng;
	unsigned int l = fuzz_rnd(r, nlowers + (upper ? 1 : 0));
	enum kind kind = kinds[fuzz_rnd(r, sizeof(kinds) / sizeof(*kinds))];
	char root[256], path[512], other[512], rel[64], rel2[64];
	bool bottom = l == nlowers - 1;
	mode_t mode = layer_mode(r, kind == DIRECTORY) | (uid ? 0700 : 0);
	uid_t owner = layer_owner(r, uid);
	const char *ns = uid ? "user" : "trusted";
	int ret = -1;

	if (bottom && (kind == WHITEOUT || kind == OPAQUE))
		kind = REGULAR;
	if (uid && kind == DEVICE)
		kind = FIFO;
	layer_path(r, rel, sizeof(rel));
	layer_path(r, rel2, sizeof(rel2));
	if (l < nlowers)
		snprintf(root, sizeof(root), "%s/l%u", base, l);
	else
		snprintf(root, sizeof(root), "%s/up", base);
	snprintf(path, sizeof(path), "%s%s", root, rel);
	snprintf(other, sizeof(other), "%s%s", root, rel2);
	make_parents(path, strlen(root), uid);

	switch (kind) {
	case DIRECTORY:
		ret = mkdir(path, 0755);
		break;
	case REGULAR:
		ret = make_file(r, path);
		break;
	case SYMLINK:
		ret = make_symlink(r, path);
		break;
	case HARDLINK:
		{
			struct stat st;

			/* A whiteout has no second name in a layer that the kernel made. */
			if (links && !lstat(other, &st) && !S_ISCHR(st.st_mode))
				ret = link(other, path);
		}
		break;
	case FIFO:
		ret = mknod(path, S_IFIFO | 0600, 0);
		break;
	case SOCKET:
		ret = mknod(path, S_IFSOCK | 0600, 0);
		break;
	case DEVICE:
		ret = mknod(path, S_IFCHR | 0600, makedev(1, 3));
		break;
	case WHITEOUT:
		ret = mknod(path, S_IFCHR | 0600, makedev(0, 0));
		break;
	case OPAQUE:
		ret = mkdir(path, 0755);
		snprintf(other, sizeof(other), "%s.overlay.opaque", ns);
		if (!ret)
			ret = setxattr(path, other, "y", 1, 0);
		break;
	case XATTR:
		snprintf(other, sizeof(other), "%s.%c", uid || fuzz_pct(r, 70) ? "user" : "trusted",
			 'x' + (char)fuzz_rnd(r, 2));
		ret = lsetxattr(path, other, "value", fuzz_rnd(r, 6), 0);
		break;
	}
	if (ret)
		return;
	if (kind != HARDLINK && kind != WHITEOUT && kind != XATTR) {
		if (lchown(path, owner, owner))
			perror(path);
		if (kind != SYMLINK && chmod(path, kind == OPAQUE ? 0755 : mode))
			perror(path);
	}
	if (text)
		fuzz_add(text, "%s %s%s%s\n", kind_names[kind], path, kind == HARDLINK ? " from " : "",
			 kind == HARDLINK ? rel2 : "");
}
