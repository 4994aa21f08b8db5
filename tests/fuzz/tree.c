/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuzz.h"

void fuzz_add(struct fuzz_out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	for (;;) {
		va_start(ap, fmt);
		n = vsnprintf(o->p ? o->p + o->n : NULL, o->cap - o->n, fmt, ap);
		va_end(ap);
		if (n < 0)
			abort();
		if (o->n + (size_t)n < o->cap)
			break;
		o->cap = (o->cap + (size_t)n) * 2 + 256;
		o->p = realloc(o->p, o->cap);
		if (!o->p)
			abort();
	}
	o->n += (size_t)n;
}

void fuzz_add_quoted(struct fuzz_out *o, const char *s, size_t n)
{
	fuzz_add(o, "\"");
	for (size_t i = 0; i < n; i++) {
		size_t run = 1;

		while (i + run < n && s[i + run] == s[i])
			run++;
		if (s[i] < 32 || s[i] == 127 || s[i] == '"' || s[i] == '\\')
			fuzz_add(o, "\\%03o", (unsigned char)s[i]);
		else
			fuzz_add(o, "%c", s[i]);
		if (run > 8) {
			fuzz_add(o, "{%zu}", run);
			i += run - 1;
		}
	}
	fuzz_add(o, "\"");
}

void fuzz_out_free(struct fuzz_out *o)
{
	free(o->p);
	*o = (struct fuzz_out){ 0 };
}

const char *fuzz_errname(int err)
{
	const char *s = strerrorname_np(err);

	return s ? s : "E?";
}

uint64_t fuzz_hash(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * 0x100000001b3u;
	return h;
}

int fuzz_id(struct fuzz_ids *ids, dev_t dev, ino_t ino)
{
	unsigned int i;

	if (dev != ids->dev[0] && dev != ids->dev[1])
		return -1;
	for (i = 0; i < ids->n; i++)
		if (ids->v[i].dev == dev && ids->v[i].ino == ino)
			return (int)i;
	if (i == ids->cap) {
		ids->cap = ids->cap * 2 + 64;
		ids->v = realloc(ids->v, ids->cap * sizeof(*ids->v));
		if (!ids->v)
			abort();
	}
	ids->v[i].dev = dev;
	ids->v[i].ino = ino;
	ids->n++;
	return (int)i;
}

void fuzz_ids_free(struct fuzz_ids *ids)
{
	free(ids->v);
	*ids = (struct fuzz_ids){ 0 };
}

static void add_time(struct fuzz_out *o, const char *name, const struct timespec *t)
{
	/* Times of the layers and those set by a call are old; what is new is only "now". */
	if (t->tv_sec < 1500000000)
		fuzz_add(o, " %s=%lld.%ld", name, (long long)t->tv_sec, t->tv_nsec);
	else
		fuzz_add(o, " %s=now", name);
}

void fuzz_add_stat(struct fuzz_out *o, struct fuzz_ids *ids, const struct stat *st, int flags)
{
	fuzz_add(o, "%o %u:%u", st->st_mode, st->st_uid, st->st_gid);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		fuzz_add(o, " dev=%u:%u", major(st->st_rdev), minor(st->st_rdev));
	if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
		fuzz_add(o, " size=%lld", (long long)st->st_size);
	if (!S_ISDIR(st->st_mode) || flags & FUZZ_DUMP_RAW)
		fuzz_add(o, " nlink=%u", (unsigned int)st->st_nlink);
	add_time(o, "m", &st->st_mtim);
	add_time(o, "a", &st->st_atim);
	if (ids)
		fuzz_add(o, " id=%d", fuzz_id(ids, st->st_dev, st->st_ino));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sorted names of a directory, without "." and ".."; NULL at the end. */
static char **names_of(int fd)
{
	char **v = NULL;
	size_t n = 0, cap = 0;
	struct dirent *de;
	DIR *d;

	fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return NULL;
	for (;;) {
		if (n + 1 >= cap) {
			cap = cap * 2 + 16;
			v = realloc(v, cap * sizeof(*v));
			if (!v)
				abort();
		}
		de = readdir(d);
		if (!de)
			break;
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			v[n++] = strdup(de->d_name);
	}
	v[n] = NULL;
	qsort(v, n, sizeof(*v), by_name);
	closedir(d);
	return v;
}

static void names_free(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

static void dump_data(struct fuzz_out *o, int fd)
{
	uint64_t h = 0xcbf29ce484222325u;
	static char buf[65536];
	size_t sum = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		h = fuzz_hash(h, buf, (size_t)n);
		sum += (size_t)n;
	}
	if (n < 0)
		fuzz_add(o, " read=%s", fuzz_errname(errno));
	else
		fuzz_add(o, " data=%zu:%016llx", sum, (unsigned long long)h);
}

static void dump_xattrs(struct fuzz_out *o, const char *path)
{
	char list[4096], value[8192], *v[64];
	ssize_t n = llistxattr(path, list, sizeof(list));
	size_t k = 0;

	if (n < 0) {
		if (errno != ENOTSUP)
			fuzz_add(o, " xattrs=%s", fuzz_errname(errno));
		return;
	}
	for (char *s = list; s < list + n && k < 64; s += strlen(s) + 1)
		v[k++] = s;
	qsort(v, k, sizeof(*v), by_name);
	for (size_t i = 0; i < k; i++) {
		n = lgetxattr(path, v[i], value, sizeof(value));
		fuzz_add(o, " %s=", v[i]);
		if (n < 0)
			fuzz_add(o, "%s", fuzz_errname(errno));
		else if (strstr(v[i], ".overlay.origin") || strstr(v[i], ".overlay.uuid"))
			fuzz_add(o, "(%zd)", n);
		else
			fuzz_add_quoted(o, value, (size_t)n);
	}
}

void fuzz_dump(struct fuzz_out *o, struct fuzz_ids *ids, int dirfd, const char *name,
	       const char *shown, int flags)
{
	char path[64 + 256], target[4096], **v;
	struct stat st;
	ssize_t n;
	int fd;

	fuzz_add(o, "D %s: ", shown);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW)) {
		fuzz_add(o, "%s\n", fuzz_errname(errno));
		return;
	}
	fuzz_add_stat(o, ids, &st, flags);
	if (dirfd == AT_FDCWD)
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	dump_xattrs(o, path);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dirfd, name, target, sizeof(target));
		fuzz_add(o, " -> ");
		if (n < 0)
			fuzz_add(o, "%s", fuzz_errname(errno));
		else
			fuzz_add_quoted(o, target, (size_t)n);
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		fuzz_add(o, "\n");
		return;
	}
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fuzz_add(o, " open=%s", fuzz_errname(errno));
	else if (S_ISREG(st.st_mode))
		dump_data(o, fd);
	fuzz_add(o, "\n");
	v = fd >= 0 && S_ISDIR(st.st_mode) ? names_of(fd) : NULL;
	for (size_t i = 0; v && v[i]; i++) {
		char *sub = NULL;

		if (asprintf(&sub, "%s/%s", shown, v[i]) < 0)
			abort();
		fuzz_dump(o, ids, fd, v[i], sub, flags);
		free(sub);
	}
	names_free(v);
	if (fd >= 0)
		close(fd);
}

void fuzz_remove(int dirfd, const char *name)
{
	char **v;
	int fd;

	if (!unlinkat(dirfd, name, 0) || (errno != EISDIR && errno != EPERM))
		return;
	fchmodat(dirfd, name, 0700, 0);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	v = names_of(fd);
	for (size_t i = 0; v && v[i]; i++)
		fuzz_remove(fd, v[i]);
	names_free(v);
	close(fd);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

void fuzz_remove_others(const char *dir, const char *const *keep)
{
	char list[4096], **v;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	v = names_of(fd);
	for (size_t i = 0; v && v[i]; i++) {
		size_t k = 0;

		while (keep[k] && strcmp(keep[k], v[i]))
			k++;
		if (!keep[k])
			fuzz_remove(fd, v[i]);
	}
	names_free(v);
	n = flistxattr(fd, list, sizeof(list));
	for (char *s = list; n > 0 && s < list + n; s += strlen(s) + 1)
		fremovexattr(fd, s);
	fchown(fd, 0, 0);
	fchmod(fd, 0755);
	close(fd);
}

static void fix_times(int dirfd, const char *name, uint64_t h)
{
	struct timespec ts[2];
	struct stat st;
	char **v;
	int fd;

	h = fuzz_hash(h, name, strlen(name));
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		v = fd < 0 ? NULL : names_of(fd);
		for (size_t i = 0; v && v[i]; i++)
			fix_times(fd, v[i], h);
		names_free(v);
		if (fd >= 0)
			close(fd);
	}
	ts[0].tv_sec = 1000000000 + (time_t)(h % 1000000);
	ts[0].tv_nsec = (long)(h >> 40) % 1000000000;
	ts[1].tv_sec = ts[0].tv_sec + 100;
	ts[1].tv_nsec = 999999999 - ts[0].tv_nsec;
	utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW);
}

void fuzz_fix_times(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fix_times(fd, ".", 0xcbf29ce484222325u);
	close(fd);
}

static int bad_whiteouts(int dirfd, const char *rel, const char *layers, unsigned int nlowers)
{
	char **v = names_of(dirfd), path[1024];
	int found = 0;

	for (size_t i = 0; v && v[i]; i++) {
		struct stat st;
		char *sub = NULL;

		if (asprintf(&sub, "%s/%s", rel, v[i]) < 0)
			abort();
		if (fstatat(dirfd, v[i], &st, AT_SYMLINK_NOFOLLOW)) {
			for (unsigned int l = 0; l <= nlowers; l++) {
				if (l < nlowers)
					snprintf(path, sizeof(path), "%s/l%u%s", layers, l, sub);
				else
					snprintf(path, sizeof(path), "%s/up%s", layers, sub);
				if (!lstat(path, &st) && S_ISCHR(st.st_mode) && !st.st_rdev)
					found += !unlink(path);
			}
		} else if (S_ISDIR(st.st_mode)) {
			int fd = openat(dirfd, v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			if (fd >= 0) {
				found += bad_whiteouts(fd, sub, layers, nlowers);
				close(fd);
			}
		}
		free(sub);
	}
	names_free(v);
	return found;
}

int fuzz_bad_whiteouts(const char *mnt, const char *layers, unsigned int nlowers)
{
	int fd = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;

	if (fd < 0)
		return 0;
	n = bad_whiteouts(fd, "", layers, nlowers);
	close(fd);
	return n;
}
