/* SPDX-License-Identifier: MIT */
/*
 * The work directory: where objects are built before one rename shows them.
 *
 * Either WORKDIR/work, as with the kernel, or a private directory beside the upper, made when it is
 * needed and removed at the end.  What a crashed run left in it is removed at the start.
 */
#include "config.h"

#include <dirent.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "overlay/ovl.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

/* Can an object be renamed from one directory into the other? */
static bool same_mount(int a, int b)
{
	struct stat sa, sb;
	struct statx xa, xb;

	if (x_fstat(a, &sa) < 0 || x_fstat(b, &sb) < 0 || sa.st_dev != sb.st_dev)
		return false;
	if (statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &xa) < 0 ||
	    statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &xb) < 0 ||
	    !(xa.stx_mask & xb.stx_mask & STATX_MNT_ID))
		return true; /* before 5.8: the device must do */
	/* stx_mnt_id lies behind stx_dev_minor; headers before 5.8 do not name it. */
	uint64_t ma, mb;
	memcpy(&ma, (const char *)&xa.stx_dev_minor + 4, sizeof(ma));
	memcpy(&mb, (const char *)&xb.stx_dev_minor + 4, sizeof(mb));
	return ma == mb;
}

static bool writable(int fd)
{
	return faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

/* The kernel leaves work/incompat/volatile in the work directory of a mount without syncs, and
 * other names there for features that a reader must know. */
static int check_incompat(int fd, const char *work, char *why, size_t size)
{
	int r = x_openat(fd, "work/incompat", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct dirent *e;

	if (r < 0)
		return 0;
	DIR *d = fdopendir(r);
	if (!d) {
		close(r);
		return -ENOMEM;
	}
	r = 0;
	while (r == 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(why, size,
			 "the upper directory was used by a mount with the feature \"%s\", "
			 "which may have left it incomplete; if it is sound, remove "
			 "%s/work/incompat",
			 e->d_name, work);
		r = -EINVAL;
	}
	closedir(d);
	return r;
}

static int work_given(struct overlay *ov, const char *work, char *why, size_t size)
{
	int r = x_openat(AT_FDCWD, work, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (r < 0) {
		snprintf(why, size, "cannot open the work directory %s: %s", work, strerror(-r));
		return r;
	}
	ov->workparent = ov->worklock = r;
	if (!same_mount(ov->workparent, ov->lock)) {
		snprintf(why, size,
			 "the work directory %s is not on the file system of the upper "
			 "directory %s; give --workdir a directory beside it",
			 work, ov->layer[0].path);
		return -EXDEV;
	}
	if (!writable(ov->workparent)) {
		snprintf(why, size, "the work directory %s is not writable", work);
		return -EACCES;
	}
	r = check_incompat(ov->workparent, work, why, size);
	if (r < 0)
		return r;
	r = (int)x_ret(flock(ov->worklock, LOCK_EX | LOCK_NB));
	if (r == -EWOULDBLOCK) {
		snprintf(why, size, "work directory %s is in use by another fuss", work);
		return -EBUSY;
	}
	ov->workname = strdup("work");
	return ov->workname ? 0 : -ENOMEM;
}

static int work_beside(struct overlay *ov, char *why, size_t size)
{
	const char *upper = ov->layer[0].path, *base = strrchr(upper, '/');
	int r = x_openat(ov->lock, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	base = base ? base + 1 : upper;
	if (r >= 0) {
		ov->workparent = r;
		if (!same_mount(r, ov->lock))
			r = -EXDEV;
		else if (!writable(r))
			r = -EACCES;
		else if (strlen(base) + strlen("..fuss-work") > 255)
			r = -ENAMETOOLONG;
	}
	if (r < 0) {
		snprintf(why, size,
			 "no work directory can be made beside the upper directory %s (%s); "
			 "give --workdir a directory on the same file system",
			 upper, strerror(-r));
		return r;
	}
	ov->workprivate = true;
	return asprintf(&ov->workname, ".%s.fuss-work", base) < 0 ? -ENOMEM : 0;
}

static int work_open(struct overlay *ov)
{
	return x_openat(ov->workparent, ov->workname,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

static void work_empty(struct overlay *ov)
{
	int fd = (int)x_ret(fcntl(ov->work, F_DUPFD_CLOEXEC, 0));
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	rewinddir(d);
	/* New names must not be among the old ones. */
	while ((e = readdir(d))) {
		unsigned n;

		if (sscanf(e->d_name, "#%x", &n) == 1 && n > ov->workseq)
			ov->workseq = n;
	}
	rewinddir(d);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
		    strcmp(e->d_name, "incompat"))
			work_remove(ov, e->d_name);
	}
	closedir(d);
}

int work_prepare(struct overlay *ov, const char *work, char *why, size_t size)
{
	int r = work ? work_given(ov, work, why, size) : work_beside(ov, why, size);

	if (r < 0)
		return r;
	/* Left by a run that crashed? */
	r = work_open(ov);
	if (r >= 0) {
		ov->work = r;
		work_empty(ov);
	} else if (r != -ENOENT) {
		snprintf(why, size, "cannot use the work directory %s%s%s: %s",
			 work ? work : "", work ? "/" : "", ov->workname, strerror(-r));
		return r;
	}
	return 0;
}

int work_fd(struct overlay *ov)
{
	if (ov->work >= 0)
		return ov->work;
	if (!ov->rw)
		return -EROFS;
	int r = x_mkdirat(ov->workparent, ov->workname, 0700);
	if (r < 0 && r != -EEXIST)
		return r;
	r = work_open(ov);
	if (r < 0)
		return r;
	ov->work = r;
	/* Objects made here inherit nothing: neither a default ACL nor a group. */
	fremovexattr(r, "system.posix_acl_default");
	if (fchmod(r, 0700) < 0)
		debug("work directory: chmod: %s", strerror(errno));
	return r;
}

void work_name(struct overlay *ov, char buf[WORK_NAME_MAX])
{
	snprintf(buf, WORK_NAME_MAX, "#%x", ++ov->workseq);
}

/* Empties a directory of the work directory; directories in it become its siblings first, so that
 * no depth is too deep.  Returns how many of them there were, or -errno. */
static int work_flatten(struct overlay *ov, const char *name)
{
	char fresh[WORK_NAME_MAX];
	int fd = open_dir(ov->work, name), subdirs = 0, r;
	struct dirent *e;

	if (fd == -EACCES) {
		chmod_at(ov->work, name, 0700);
		fd = open_dir(ov->work, name);
	}
	if (fd < 0)
		return fd;
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		r = x_unlinkat(fd, e->d_name, 0);
		if (r == -EISDIR || r == -EPERM)
			r = x_unlinkat(fd, e->d_name, AT_REMOVEDIR);
		if (r != -ENOTEMPTY && r != -EEXIST)
			continue;
		work_name(ov, fresh);
		if (x_renameat2(fd, e->d_name, ov->work, fresh, RENAME_NOREPLACE) == 0)
			subdirs++;
	}
	closedir(d);
	return subdirs;
}

void work_remove(struct overlay *ov, const char *name)
{
	int r = x_unlinkat(ov->work, name, 0);

	if (r != -EISDIR && r != -EPERM)
		return;
	if (x_unlinkat(ov->work, name, AT_REMOVEDIR) == 0)
		return;
	/* Subdirectories get numbers of their own, in a row, which are removed in the same way. */
	unsigned next = ov->workseq + 1;
	r = work_flatten(ov, name);
	if (r >= 0)
		r = x_unlinkat(ov->work, name, AT_REMOVEDIR);
	while (r >= 0 && next <= ov->workseq) {
		char sub[WORK_NAME_MAX];

		snprintf(sub, sizeof(sub), "#%x", next++);
		r = work_flatten(ov, sub);
		if (r >= 0)
			r = x_unlinkat(ov->work, sub, AT_REMOVEDIR);
	}
	if (r < 0)
		debug("work directory: cannot remove %s: %s", name, strerror(-r));
}

void work_close(struct overlay *ov)
{
	if (ov->work >= 0) {
		if (ov->workprivate) {
			work_empty(ov);
			x_unlinkat(ov->workparent, ov->workname, AT_REMOVEDIR);
		}
		close(ov->work);
	}
	if (ov->workparent >= 0)
		close(ov->workparent);
	free(ov->workname);
}
