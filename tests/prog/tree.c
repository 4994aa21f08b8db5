/* SPDX-License-Identifier: MIT */
/*
 * tree [-mnrtux] DIR: prints everything about a tree that two views of it must agree on, sorted: type, mode,
 * owner, links, size, mtime, hash of the content, target, xattrs.  Objects with several names are told by the
 * first of them.  Inode numbers differ between views and are not shown.
 *  -m  no mtime             -n  no link counts and link groups
 *  -r  no line for DIR      -t  times after 2020 are "now": the run made them
 *  -u  the overlay's own xattrs too, except those that only help the kernel (for upper directories)
 *  -x  no xattrs
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define Y2020 1577836800

struct seen {
	dev_t dev;
	ino_t ino;
	char *path;
	struct seen *next;
};

static struct seen *seen[4096];
static bool no_mtime, no_links, no_root, coarse, upper, no_xattrs;
static int failed;

static void die(const char *what)
{
	fprintf(stderr, "tree: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void complain(const char *path, const char *what)
{
	printf(" %s=%s", what, strerrorname_np(errno));
	fprintf(stderr, "tree: %s: %s: %s\n", path, what, strerror(errno));
	failed = 1;
}

/* The path under which an object with several links was first met. */
static const char *group(const struct stat *st, const char *path)
{
	struct seen **slot = &seen[st->st_ino % 4096], *s;

	for (s = *slot; s; s = s->next)
		if (s->dev == st->st_dev && s->ino == st->st_ino)
			return s->path;
	s = malloc(sizeof(*s));
	if (!s)
		die("malloc");
	*s = (struct seen){ st->st_dev, st->st_ino, strdup(path), *slot };
	*slot = s;
	return s->path;
}

static void quoted(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c >= 127 || c == '\\')
			printf("\\%03o", c);
		else
			putchar(c);
	}
}

static void content(int dir, const char *name, const char *path)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
	unsigned char buf[65536];
	ssize_t n;

	if (fd < 0)
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		complain(path, "open");
		return;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			h = (h ^ buf[i]) * UINT64_C(0x100000001b3);
	if (n < 0)
		complain(path, "read");
	close(fd);
	printf(" data=%016" PRIx64, h);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Which xattrs count.  For an upper directory the kernel's own bookkeeping does not. */
static bool wanted(const char *name)
{
	static const char *const helpers[] = { "origin", "impure", "nlink", "upper", "uuid", "protattr" };
	const char *key = strstr(name, ".overlay.");

	if (!strcmp(name, "security.selinux"))
		return false;
	if (!upper || !key)
		return true;
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (!strcmp(key + strlen(".overlay."), helpers[i]))
			return false;
	return true;
}

static void xattrs(const char *path)
{
	static char list[65536], value[65536];
	char *names[1024];
	size_t count = 0;
	ssize_t n = llistxattr(path, list, sizeof(list));

	if (n < 0) {
		if (errno != EOPNOTSUPP)
			complain(path, "llistxattr");
		return;
	}
	for (char *s = list; s < list + n && count < 1024; s += strlen(s) + 1)
		names[count++] = s;
	if (count)
		qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < count; i++) {
		if (!wanted(names[i]))
			continue;
		putchar(' ');
		quoted(names[i], strlen(names[i]));
		n = lgetxattr(path, names[i], value, sizeof(value));
		if (n < 0) {
			complain(path, names[i]);
			continue;
		}
		putchar('=');
		quoted(value, (size_t)n);
	}
}

static char type_char(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	default:
		return '?';
	}
}

static void mtime(const struct stat *st)
{
	if (no_mtime)
		return;
	if (coarse && st->st_mtim.tv_sec > Y2020)
		printf(" mtime=now");
	else
		printf(" mtime=%lld.%09ld", (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

static void object(int dir, const char *name, const char *path, const struct stat *st)
{
	char target[4096];
	ssize_t n;

	quoted(path, strlen(path));
	if (upper && S_ISCHR(st->st_mode) && st->st_rdev == 0) {
		printf(" whiteout\n"); /* its mode, owner, links and time mean nothing */
		return;
	}
	printf(" %c %04o %u:%u", type_char(st->st_mode), st->st_mode & 07777, st->st_uid, st->st_gid);
	if (!S_ISDIR(st->st_mode)) {
		if (!no_links) {
			printf(" links=%lu", (unsigned long)st->st_nlink);
			if (st->st_nlink > 1) {
				printf(" group=");
				quoted(group(st, path), strlen(group(st, path)));
			}
		}
		printf(" size=%lld", (long long)st->st_size);
	}
	mtime(st);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf(" dev=%u:%u", major(st->st_rdev), minor(st->st_rdev));
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, target, sizeof(target));
		if (n < 0) {
			complain(path, "readlink");
		} else {
			printf(" -> ");
			quoted(target, (size_t)n);
		}
	}
	if (S_ISREG(st->st_mode))
		content(dir, name, path);
	if (!no_xattrs)
		xattrs(path);
	putchar('\n');
}

static void walk(int parent, const char *name, const char *path)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char **names = NULL;
	size_t count = 0;
	struct dirent *e;
	DIR *d;

	if (fd < 0 || !(d = fdopendir(fd))) {
		printf("%s opendir=%s\n", path, strerrorname_np(errno));
		failed = 1;
		return;
	}
	errno = 0;
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		names = reallocarray(names, count + 1, sizeof(*names));
		if (!names || !(names[count++] = strdup(e->d_name)))
			die("malloc");
	}
	if (errno)
		complain(path, "readdir");
	if (count)
		qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < count; i++) {
		struct stat st;
		char *sub;

		if (asprintf(&sub, "%s/%s", path, names[i]) < 0)
			die("malloc");
		if (i && !strcmp(names[i], names[i - 1])) {
			printf("%s listed twice\n", sub);
			failed = 1;
		}
		if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			printf("%s listed, stat=%s\n", sub, strerrorname_np(errno));
			failed = 1;
		} else {
			object(fd, names[i], sub, &st);
			if (S_ISDIR(st.st_mode))
				walk(fd, names[i], sub);
		}
		free(sub);
	}
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	closedir(d);
}

int main(int argc, char **argv)
{
	struct stat st;
	int opt;

	while ((opt = getopt(argc, argv, "mnrtux")) != -1)
		switch (opt) {
		case 'm':
			no_mtime = true;
			break;
		case 'n':
			no_links = true;
			break;
		case 'r':
			no_root = true;
			break;
		case 't':
			coarse = true;
			break;
		case 'u':
			upper = true;
			break;
		case 'x':
			no_xattrs = true;
			break;
		default:
			return 2;
		}
	if (optind != argc - 1 || chdir(argv[optind]) < 0)
		die(optind < argc ? argv[optind] : "usage: tree [-mnrtux] DIR");
	if (stat(".", &st) < 0)
		die(".");
	if (!no_root) {
		int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			die(".");
		object(fd, ".", ".", &st);
		close(fd);
	}
	walk(AT_FDCWD, ".", ".");
	return failed;
}
