/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ovltest.h"

struct cred cred_root = { .caps = ~UINT64_C(0), .umask = 022 };

static char scratch[PATH_MAX];

void scratch_enter(void)
{
	const char *tmp = getenv("TMPDIR");

	umask(022);
	snprintf(scratch, sizeof(scratch), "%s/t-overlay.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(scratch) || chmod(scratch, 0755) < 0 || chdir(scratch) < 0)
		abort();
}

void scratch_leave(void)
{
	if (chdir("/") < 0 || sh_status("chmod -R u+rwx %s; rm -rf %s", scratch, scratch))
		abort();
}

__attribute__((format(printf, 1, 0)))
static int run(const char *fmt, va_list ap)
{
	char *cmd;

	if (vasprintf(&cmd, fmt, ap) < 0)
		abort();
	int r = system(cmd);
	free(cmd);
	return r;
}

void sh(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = run(fmt, ap);
	va_end(ap);
	ck_assert_msg(r == 0, "shell command failed: %s", fmt);
}

int sh_status(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = run(fmt, ap);
	va_end(ap);
	return r;
}

const char *at(const char *name)
{
	static char buf[16][PATH_MAX];
	static unsigned next;
	char *p = buf[next++ % 16];

	ck_assert_int_lt(snprintf(p, PATH_MAX, "%s/%s", scratch, name), PATH_MAX);
	return p;
}

int ovl_try(const char *upper, const char *lowers, const char *work, enum overlay_dialect dialect,
	    struct vfs **ret, char *why, size_t size)
{
	_cleanup_free_ char *list = strdup(lowers);
	const char *lower[600];
	unsigned n = 0;

	for (char *save, *s = strtok_r(list, ":", &save); s; s = strtok_r(NULL, ":", &save))
		lower[n++] = *s == '/' ? strdup(s) : strdup(at(s));
	struct overlay_config cfg = {
		.upper = upper ? *upper == '/' ? upper : at(upper) : NULL, .lower = lower, .nlower = n,
		.work = work ? at(work) : NULL, .dialect = dialect, .userxattr = -1,
	};
	int r = overlay_new(&cfg, ret, why, size);
	for (unsigned i = 0; i < n; i++)
		free((char *)(uintptr_t)lower[i]);
	return r;
}

struct vfs *ovl_open(const char *upper, const char *lowers, enum overlay_dialect dialect)
{
	char why[512] = "";
	struct vfs *fs = NULL;
	int r = ovl_try(upper, lowers, NULL, dialect, &fs, why, sizeof(why));

	ck_assert_msg(r == 0, "overlay_new: %s: %s", strerror(-r), why);
	return fs;
}

void ovl_close(struct vfs *fs)
{
	fs->ops->destroy(fs);
}

void cred_user(struct cred *c, uid_t uid, gid_t gid)
{
	*c = (struct cred){ .uid = uid, .euid = uid, .fsuid = uid, .gid = gid, .egid = gid,
			    .fsgid = gid, .umask = 022 };
}

void cred_self(struct cred *c)
{
	if (geteuid() == 0)
		*c = cred_root;
	else
		cred_user(c, geteuid(), getegid());
}

/* --- by path ---------------------------------------------------------------------------------- */

int v_dir(struct vfs *fs, const char *path, struct vnode **dir, const char **name)
{
	const char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	if (!slash)
		return fs->ops->root(fs, dir);
	_cleanup_free_ char *up = strndup(path, (size_t)(slash - path));
	int r = v_find(fs, up, dir);
	if (r < 0)
		return r;
	/* The generators' symlinks lead nowhere. */
	return S_ISDIR((*dir)->type) ? 0 : S_ISLNK((*dir)->type) ? -ENOENT : -ENOTDIR;
}

int v_find(struct vfs *fs, const char *path, struct vnode **ret)
{
	struct vnode *dir;
	const char *name;

	if (!*path || !strcmp(path, "."))
		return fs->ops->root(fs, ret);
	int r = v_dir(fs, path, &dir, &name);
	return r < 0 ? r : fs->ops->lookup(dir, name, ret);
}

int v_stat(struct vfs *fs, const char *path, struct statx *st)
{
	struct vnode *vn;
	int r = v_find(fs, path, &vn);

	return r < 0 ? r : fs->ops->getattr(vn, st);
}

int v_make(struct vfs *fs, const char *path, mode_t mode, const char *target, const struct cred *c)
{
	struct vfs_create how = { .mode = mode, .target = target };
	struct vnode *dir, *vn;
	const char *name;
	int r = v_dir(fs, path, &dir, &name);

	return r < 0 ? r : fs->ops->create(dir, name, &how, c, &vn);
}

int v_mkdir(struct vfs *fs, const char *path, mode_t mode, const struct cred *c)
{
	return v_make(fs, path, S_IFDIR | mode, NULL, c);
}

int v_unlink(struct vfs *fs, const char *path, const struct cred *c)
{
	struct vnode *dir, *vn;
	const char *name;
	int r = v_dir(fs, path, &dir, &name);

	if (r == 0)
		r = fs->ops->lookup(dir, name, &vn);
	return r < 0 ? r : fs->ops->unlink(dir, name, vn, c);
}

int v_rmdir(struct vfs *fs, const char *path, const struct cred *c)
{
	struct vnode *dir, *vn;
	const char *name;
	int r = v_dir(fs, path, &dir, &name);

	if (r == 0)
		r = fs->ops->lookup(dir, name, &vn);
	return r < 0 ? r : fs->ops->rmdir(dir, name, vn, c);
}

int v_rename(struct vfs *fs, const char *from, const char *to, unsigned flags, const struct cred *c)
{
	struct vnode *odir, *ndir, *vn, *target = NULL;
	const char *oname, *nname;
	int r = v_dir(fs, from, &odir, &oname);

	if (r == 0)
		r = v_dir(fs, to, &ndir, &nname);
	if (r == 0)
		r = fs->ops->lookup(odir, oname, &vn);
	if (r < 0)
		return r;
	r = fs->ops->lookup(ndir, nname, &target);
	if (r < 0 && r != -ENOENT)
		return r;
	return fs->ops->rename(odir, oname, vn, ndir, nname, r == 0 ? target : NULL, flags, c);
}

int v_link(struct vfs *fs, const char *from, const char *to, const struct cred *c)
{
	struct vnode *dir, *vn;
	const char *name;
	int r = v_find(fs, from, &vn);

	if (r == 0)
		r = v_dir(fs, to, &dir, &name);
	return r < 0 ? r : fs->ops->link(vn, dir, name, c);
}

static int v_setattr(struct vfs *fs, const char *path, const struct vfs_setattr *a,
		     const struct cred *c)
{
	struct vnode *vn;
	int r = v_find(fs, path, &vn);

	return r < 0 ? r : fs->ops->setattr(vn, a, c);
}

int v_chmod(struct vfs *fs, const char *path, mode_t mode, const struct cred *c)
{
	struct vfs_setattr a = { .mask = VFS_MODE, .mode = mode };

	return v_setattr(fs, path, &a, c);
}

int v_chown(struct vfs *fs, const char *path, uid_t uid, gid_t gid, const struct cred *c)
{
	struct vfs_setattr a = { .mask = VFS_UID | VFS_GID, .uid = uid, .gid = gid };

	return v_setattr(fs, path, &a, c);
}

int v_truncate(struct vfs *fs, const char *path, off_t size, const struct cred *c)
{
	struct vfs_setattr a = { .mask = VFS_SIZE, .size = size };

	return v_setattr(fs, path, &a, c);
}

int v_utimes(struct vfs *fs, const char *path, time_t when, const struct cred *c)
{
	struct vfs_setattr a = { .mask = VFS_ATIME | VFS_MTIME,
				 .time = { { .tv_sec = when, .tv_nsec = 5 }, { .tv_sec = when, .tv_nsec = 7 } } };

	return v_setattr(fs, path, &a, c);
}

int v_setxattr(struct vfs *fs, const char *path, const char *name, const char *val,
	       const struct cred *c)
{
	struct vnode *vn;
	int r = v_find(fs, path, &vn);

	return r < 0 ? r : fs->ops->setxattr(vn, name, val, strlen(val), 0, c);
}

int v_rmxattr(struct vfs *fs, const char *path, const char *name, const struct cred *c)
{
	struct vnode *vn;
	int r = v_find(fs, path, &vn);

	return r < 0 ? r : fs->ops->removexattr(vn, name, c);
}

int v_write(struct vfs *fs, const char *path, const char *text, bool append, const struct cred *c)
{
	char real[PATH_MAX];
	struct vnode *dir, *vn;
	const char *name;
	int flags = O_WRONLY | O_NONBLOCK | O_CREAT | (append ? O_APPEND : O_TRUNC);
	int r = v_dir(fs, path, &dir, &name);

	if (r < 0)
		return r;
	r = fs->ops->lookup(dir, name, &vn);
	if (r == -ENOENT) {
		r = fs->ops->create_path(dir, name, c, real, sizeof(real));
		if (r == -EEXIST) {
			struct vfs_create how = { .mode = S_IFREG | 0666 };

			r = fs->ops->create(dir, name, &how, c, &vn);
			if (r == 0)
				r = fs->ops->realpath(vn, real, sizeof(real));
		}
	} else if (r == 0) {
		if (S_ISDIR(vn->type))
			return -EISDIR;
		if (!S_ISREG(vn->type))
			return -ENXIO;
		r = fs->ops->make_writable(vn, !append);
		if (r == 0)
			r = fs->ops->realpath(vn, real, sizeof(real));
	}
	if (r < 0)
		return r;
	mode_t mask = umask(c->umask);
	int fd = open(real, flags, 0666);
	umask(mask);
	if (fd < 0)
		return -errno;
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return fs->ops->lookup(dir, name, &vn);
}

const char *v_read(struct vfs *fs, const char *path)
{
	static char buf[65536];
	char real[PATH_MAX];
	struct vnode *vn;
	int r = v_find(fs, path, &vn);

	if (r == 0)
		r = fs->ops->realpath(vn, real, sizeof(real));
	if (r < 0)
		return strerror(-r);
	int fd = open(real, O_RDONLY | O_NOFOLLOW);
	if (fd < 0)
		return strerror(errno);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

/* --- listings --------------------------------------------------------------------------------- */

struct list {
	char *name[4096];
	uint64_t ino[4096];
	unsigned n;
	uint64_t last;
};

static bool list_add(void *arg, const struct vfs_dirent *d)
{
	struct list *l = arg;

	ck_assert_uint_lt(l->n, 4096);
	ck_assert_uint_gt(d->off, l->last);
	l->last = d->off;
	l->ino[l->n] = d->ino;
	l->name[l->n++] = strdup(d->name);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *v_ls(struct vfs *fs, const char *path)
{
	static char buf[65536];
	struct list *l = calloc(1, sizeof(*l));
	struct vnode *vn;
	int r = v_find(fs, path, &vn);

	buf[0] = '\0';
	if (r == 0)
		r = fs->ops->readdir(vn, 0, list_add, l);
	if (r < 0)
		strcpy(buf, strerror(-r));
	else {
		ck_assert_str_eq(l->name[0], ".");
		ck_assert_str_eq(l->name[1], "..");
		qsort(l->name + 2, l->n - 2, sizeof(l->name[0]), by_name);
	}
	for (unsigned i = 0; i < l->n; i++) {
		if (i >= 2) {
			strcat(buf, *buf ? " " : "");
			strcat(buf, l->name[i]);
		}
		free(l->name[i]);
	}
	free(l);
	return buf;
}

/* --- dumps ------------------------------------------------------------------------------------ */

struct out {
	char *buf;
	size_t len;
	FILE *f;
	unsigned flags;
};

static void dump_xattrs(struct out *o, const char *names, ssize_t n,
			ssize_t (*get)(const void *obj, const char *name, char *buf, size_t size),
			const void *obj)
{
	const char *sorted[64];
	unsigned count = 0;

	for (const char *p = names; n > 0 && p < names + n && count < 64; p += strlen(p) + 1)
		sorted[count++] = p;
	qsort(sorted, count, sizeof(sorted[0]), by_name);
	for (unsigned i = 0; i < count; i++) {
		char val[1024];

		if (strstr(sorted[i], "overlay.origin") || strstr(sorted[i], "overlay.impure") ||
		    strstr(sorted[i], "overlay.uuid"))
			continue;
		ssize_t len = get(obj, sorted[i], val, sizeof(val));
		fprintf(o->f, " %s=", sorted[i]);
		for (ssize_t k = 0; k < len; k++)
			fprintf(o->f, "%02x", (unsigned char)val[k]);
		if (len < 0)
			fprintf(o->f, "?%d", errno);
	}
}

static void dump_meta(struct out *o, const char *path, mode_t mode, unsigned uid, unsigned gid,
		      unsigned nlink, long long size, long long mtime, long nsec, unsigned rdev,
		      unsigned long long ino)
{
	fprintf(o->f, "%s %o %u:%u", path, mode, uid, gid);
	if (!(o->flags & DUMP_NO_LINKS))
		fprintf(o->f, " n%u", nlink);
	if (!S_ISDIR(mode))
		fprintf(o->f, " %lld", size);
	if (mtime < 978307200 && !(S_ISDIR(mode) && (o->flags & DUMP_NO_DIRTIMES)))
		fprintf(o->f, " t%lld.%09ld", mtime, nsec);
	if (S_ISCHR(mode) || S_ISBLK(mode))
		fprintf(o->f, " r%x", rdev);
	if (o->flags & DUMP_INO)
		fprintf(o->f, " i%llu", ino);
}

static void dump_text(struct out *o, const char *real, mode_t mode)
{
	char buf[4096];
	ssize_t n = -1;

	if (S_ISLNK(mode)) {
		n = readlink(real, buf, sizeof(buf));
	} else if (S_ISREG(mode)) {
		int fd = open(real, O_RDONLY);

		n = read(fd, buf, sizeof(buf));
		close(fd);
	}
	for (ssize_t i = 0; i < n; i++) {
		if (i == 0)
			fputs(" '", o->f);
		fputc(buf[i] >= 32 ? buf[i] : '.', o->f);
		if (i == n - 1)
			fputc('\'', o->f);
	}
}

static ssize_t host_get(const void *obj, const char *name, char *buf, size_t size)
{
	return lgetxattr(obj, name, buf, size);
}

static void dump_host_at(struct out *o, const char *real, const char *path)
{
	char names[4096], sub[PATH_MAX], spath[PATH_MAX];
	struct dirent **e;
	struct stat st;

	/* The kernel lists a whiteout that it finds in an opaque directory. */
	if (lstat(real, &st) < 0)
		return;
	/* It makes whiteouts as links of one. */
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
		st.st_nlink = 1;
	dump_meta(o, path, st.st_mode, st.st_uid, st.st_gid, (unsigned)st.st_nlink, st.st_size,
		  st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (unsigned)st.st_rdev, st.st_ino);
	dump_xattrs(o, names, llistxattr(real, names, sizeof(names)), host_get, real);
	dump_text(o, real, st.st_mode);
	fputc('\n', o->f);
	if (!S_ISDIR(st.st_mode))
		return;
	int n = scandir(real, &e, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (strcmp(e[i]->d_name, ".") && strcmp(e[i]->d_name, "..")) {
			snprintf(sub, sizeof(sub), "%.2000s/%s", real, e[i]->d_name);
			snprintf(spath, sizeof(spath), "%.2000s/%s", path, e[i]->d_name);
			dump_host_at(o, sub, spath);
		}
		free(e[i]);
	}
	free(e);
}

char *dump_host(const char *dir, unsigned flags)
{
	struct out o = { .flags = flags };

	o.f = open_memstream(&o.buf, &o.len);
	setenv("LC_ALL", "C", 1);
	dump_host_at(&o, dir, "");
	fclose(o.f);
	return o.buf;
}

static ssize_t vfs_get(const void *obj, const char *name, char *buf, size_t size)
{
	struct vnode *vn = (struct vnode *)(uintptr_t)obj;
	ssize_t n = vn->fs->ops->getxattr(vn, name, buf, size, &cred_root);

	if (n < 0)
		errno = (int)-n;
	return n;
}

static void dump_vnode(struct out *o, struct vnode *vn, const char *path, uint64_t d_ino)
{
	const struct vfs_ops *ops = vn->fs->ops;
	char names[4096], real[PATH_MAX], spath[PATH_MAX];
	struct statx st;
	int r = ops->getattr(vn, &st);

	if (r < 0 || ops->realpath(vn, real, sizeof(real)) < 0) {
		fprintf(o->f, "%s: %s\n", path, strerror(-r));
		return;
	}
	ck_assert_msg(!d_ino || st.stx_ino == d_ino, "%s: d_ino %llu, st_ino %llu", path,
		      (unsigned long long)d_ino, (unsigned long long)st.stx_ino);
	dump_meta(o, path, st.stx_mode, st.stx_uid, st.stx_gid, st.stx_nlink, (long long)st.stx_size,
		  st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec,
		  (unsigned)makedev(st.stx_rdev_major, st.stx_rdev_minor), st.stx_ino);
	dump_xattrs(o, names, ops->listxattr(vn, names, sizeof(names), &cred_root), vfs_get, vn);
	dump_text(o, real, st.stx_mode);
	fputc('\n', o->f);
	if (!S_ISDIR(vn->type))
		return;
	struct list *l = calloc(1, sizeof(*l));
	r = ops->readdir(vn, 0, list_add, l);
	ck_assert_int_eq(r, 0);
	struct { char *name; uint64_t ino; } *sorted = calloc(l->n, sizeof(*sorted));
	for (unsigned i = 0; i < l->n; i++) {
		sorted[i].name = l->name[i];
		sorted[i].ino = l->ino[i];
	}
	qsort(sorted, l->n, sizeof(*sorted), by_name);
	for (unsigned i = 0; i < l->n; i++) {
		struct vnode *child;

		if (!strcmp(sorted[i].name, ".") || !strcmp(sorted[i].name, "..")) {
			free(sorted[i].name);
			continue;
		}
		snprintf(spath, sizeof(spath), "%.2000s/%s", path, sorted[i].name);
		r = ops->lookup(vn, sorted[i].name, &child);
		if (r < 0)
			fprintf(o->f, "%s: %s\n", spath, strerror(-r));
		else
			dump_vnode(o, child, spath, sorted[i].ino);
		free(sorted[i].name);
	}
	free(sorted);
	free(l);
}

char *dump_vfs(struct vfs *fs, unsigned flags)
{
	struct out o = { .flags = flags };
	struct vnode *root;

	o.f = open_memstream(&o.buf, &o.len);
	ck_assert_int_eq(fs->ops->root(fs, &root), 0);
	dump_vnode(&o, root, "", 0);
	fclose(o.f);
	return o.buf;
}

void same_text(const char *what, const char *a, const char *b)
{
	while (*a && *a == *b) {
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");

		if (n != m || memcmp(a, b, n))
			break;
		a += n + 1;
		b += m + 1;
	}
	if (!*a && !*b)
		return;
	ck_abort_msg("%s differ:\n  %.*s\n  %.*s", what, (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
}
