/* SPDX-License-Identifier: MIT */
/* What can be wrong with a set of layers; every sentence says what to do about it. */
#include "config.h"

#include <dirent.h>
#include <stdarg.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "overlay/ovl.h"

#define LOWER_MAX 500
#define SCAN_MAX 2000
#define SCAN_DEPTH 8

struct report {
	char *why;
	size_t size;
};

__attribute__((format(printf, 3, 4)))
static int fail(const struct report *rep, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rep->why, rep->size, fmt, ap);
	va_end(ap);
	return r;
}

static const char *shown(const struct layer *l)
{
	return *l->path ? l->path : "/";
}

static int open_layer(struct layer *l, const char *path, const char *what, const struct report *rep)
{
	int r = layer_init(l, path);

	if (r == -ENOENT)
		return fail(rep, r, "%s directory %s does not exist; create it or correct the path",
			    what, path);
	if (r == -ENOTDIR)
		return fail(rep, r, "%s %s is not a directory; give a directory", what, path);
	if (r < 0)
		return fail(rep, r, "cannot open %s directory %s: %s", what, path, strerror(-r));
	_cleanup_fd_ int fd = open_dir(l->fd, ".");
	if (fd < 0)
		return fail(rep, fd, "%s directory %s cannot be read (%s); check its permissions",
			    what, path, strerror(-fd));
	return 0;
}

static int check_upper(const struct layer *l, const struct report *rep)
{
	struct statvfs sv;
	int r = (int)x_ret(fstatvfs(l->fd, &sv));

	if (r == 0 && (sv.f_flag & ST_RDONLY))
		return fail(rep, -EROFS,
			    "upper directory %s is on a read-only file system; give one that "
			    "can be written, or none for a read-only view",
			    shown(l));
	r = (int)x_ret(faccessat(l->fd, ".", W_OK | X_OK, AT_EACCESS));
	if (r < 0)
		return fail(rep, r,
			    "upper directory %s cannot be written (%s); check its permissions",
			    shown(l), strerror(-r));
	return 0;
}

/* One directory of those that must not overlap. */
struct place {
	const struct layer *l;
	const char *what;
	bool lower;
};

static int check_same(const struct place *a, const struct place *b, const struct report *rep)
{
	if (a->l->dev != b->l->dev || a->l->ino != b->l->ino)
		return 0;
	if (a->lower && b->lower)
		return fail(rep, -EINVAL, "lower directory %s is given twice (%s); give it once",
			    shown(a->l), shown(b->l));
	return fail(rep, -EINVAL,
		    "%s directory %s is the %s directory as well; give two directories", a->what,
		    shown(a->l), b->what);
}

/*
 * Is inner below outer?  As the kernel does it, only within one file system: a file system that is
 * mounted in a layer is no part of it.  The host's root as a lower is let through: it holds
 * everything, the upper included, and is_our_own() keeps that out of the view.
 */
static int check_above(struct overlay *ov, const struct place *inner, const struct place *all,
		       unsigned n, const struct report *rep)
{
	_cleanup_fd_ int fd = x_openat(inner->l->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	dev_t dev = inner->l->dev;
	ino_t ino = inner->l->ino;
	bool crossed = false;
	struct stat st;

	while (fd >= 0 && x_fstat(fd, &st) == 0 && (st.st_dev != dev || st.st_ino != ino)) {
		crossed = crossed || st.st_dev != dev;
		for (unsigned i = 0; i < n; i++) {
			if (all[i].l->dev != st.st_dev || all[i].l->ino != st.st_ino)
				continue;
			if (all[i].lower && !inner->lower)
				ov->nested = true;
			if (crossed || (all[i].lower && !*all[i].l->path))
				continue;
			return fail(rep, -ELOOP,
				    "%s directory %s lies inside the %s directory %s; give "
				    "directories that do not overlap",
				    inner->what, shown(inner->l), all[i].what, shown(all[i].l));
		}
		dev = st.st_dev;
		ino = st.st_ino;
		int up = x_openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (up < 0)
			break;
		close(fd);
		fd = up;
	}
	return 0;
}

static int check_overlap(struct overlay *ov, const struct layer *work, const struct report *rep)
{
	struct place all[LOWER_MAX + 2];
	unsigned n = 0;
	int r = 0;

	if (ov->rw)
		all[n++] = (struct place){ &ov->layer[0], "upper", false };
	if (work)
		all[n++] = (struct place){ work, "work", false };
	for (unsigned i = 1; i < ov->nlayer; i++)
		all[n++] = (struct place){ &ov->layer[i], "lower", true };
	for (unsigned i = 0; r == 0 && i < n; i++) {
		for (unsigned j = 0; r == 0 && j < i; j++)
			r = check_same(&all[i], &all[j], rep);
		if (r == 0)
			r = check_above(ov, &all[i], all, n, rep);
	}
	return r;
}

static void cleanup_layer(struct layer *l)
{
	layer_fini(l);
}

int check_layers(struct overlay *ov, const struct overlay_config *cfg, char *why, size_t size)
{
	__attribute__((cleanup(cleanup_layer))) struct layer work = { .fd = -1 };
	const struct report rep = { why, size };
	int r = 0;

	if (!cfg->nlower && !cfg->upper)
		return fail(&rep, -EINVAL, "no layer is given; give a lower or an upper directory");
	if (cfg->nlower > LOWER_MAX)
		return fail(&rep, -EINVAL,
			    "%u lower directories are given, %d are possible; merge some",
			    cfg->nlower, LOWER_MAX);
	if (cfg->upper)
		r = open_layer(&ov->layer[0], cfg->upper, "upper", &rep);
	for (unsigned i = 0; r == 0 && i < cfg->nlower; i++)
		r = open_layer(&ov->layer[i + 1], cfg->lower[i], "lower", &rep);
	if (r == 0 && ov->rw)
		r = check_upper(&ov->layer[0], &rep);
	if (r == 0 && ov->rw && cfg->work)
		r = open_layer(&work, cfg->work, "work", &rep);
	if (r == 0)
		r = check_overlap(ov, ov->rw && cfg->work ? &work : NULL, &rep);
	return r;
}

/* --- which dialect does an upper use? --------------------------------------------------------- */

/* A later one decides: .wh. names in an upper of devices are rare, devices beside .wh. names are
 * what happens where mknod() was allowed only sometimes, and that dialect reads both. */
enum { SCAN_NOTHING, SCAN_CHARDEV, SCAN_PREFIX };

static bool has_opaque_file(int fd, const char *name)
{
	char file[256 + sizeof("/" PREFIX_OPAQUE)];

	snprintf(file, sizeof(file), "%s/" PREFIX_OPAQUE, name);
	return faccessat(fd, file, F_OK, 0) == 0;
}

static int scan_entry(int fd, const struct dirent *e)
{
	struct stat st;

	if (mark_is_prefixed(e->d_name))
		return SCAN_PREFIX;
	if (e->d_type == DT_CHR && x_fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_rdev == makedev(0, 0))
		return SCAN_CHARDEV;
	/* The other dialect has a file in an opaque directory besides the xattr. */
	if (e->d_type == DT_DIR && mark_opaque(fd, e->d_name, false) == OPAQUE_YES)
		return has_opaque_file(fd, e->d_name) ? SCAN_PREFIX : SCAN_CHARDEV;
	return SCAN_NOTHING;
}

static bool is_dots(const char *s)
{
	return !strcmp(s, ".") || !strcmp(s, "..");
}

static int scan_dir(int fd, const char *name, unsigned depth, unsigned *budget)
{
	int found = SCAN_NOTHING, dfd = open_dir(fd, name);
	DIR *d = dfd < 0 ? NULL : fdopendir(dfd);
	struct dirent *e;

	if (!d) {
		if (dfd >= 0)
			close(dfd);
		return found;
	}
	while (found != SCAN_PREFIX && *budget && (e = readdir(d))) {
		int r = is_dots(e->d_name) ? SCAN_NOTHING : scan_entry(dfd, e);

		--*budget;
		if (r > found)
			found = r;
	}
	rewinddir(d);
	while (found != SCAN_PREFIX && *budget && depth && (e = readdir(d))) {
		if (e->d_type != DT_DIR || is_dots(e->d_name))
			continue;
		int r = scan_dir(dfd, e->d_name, depth - 1, budget);
		if (r > found)
			found = r;
	}
	closedir(d);
	return found;
}

bool check_prefix_dialect(struct overlay *ov, enum overlay_dialect want)
{
	unsigned budget = SCAN_MAX;

	if (want != DIALECT_AUTO)
		return want == DIALECT_FILEPREFIX;
	return scan_dir(ov->layer[0].fd, ".", SCAN_DEPTH, &budget) != SCAN_CHARDEV;
}
