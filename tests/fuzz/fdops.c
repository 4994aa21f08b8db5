/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuzz.h"

/* The data of a read-only descriptor may be from before a copy-up. */
static bool stale(struct fuzz_exec *e, unsigned int slot)
{
	return e->slot[slot].rdonly && !e->slot[slot].dir && !e->strict;
}

static void result_soft(struct fuzz_exec *e, unsigned int slot, long r)
{
	if (r > 0 && stale(e, slot))
		r = 0;
	fuzz_result(e, r);
}

/*
 * Changes through a descriptor of a lower file that has lost its name: fuss refuses all of them, the kernel
 * some.
 */
static bool no_change(struct fuzz_exec *e, int fd)
{
	bool lost = fuzz_lost_name(e, fd);

	if (lost)
		fuzz_say(e, ") = not done");
	return lost;
}

static int lost_name(int err)
{
	switch (err) {
	case EEXIST:
	case ENOENT:
	case ENOTDIR:
	case ENOTEMPTY:
	case EISDIR:
		return ESTALE;
	default:
		return err;
	}
}

static void result_change(struct fuzz_exec *e, long r)
{
	if (r < 0)
		errno = lost_name(errno);
	fuzz_result(e, r);
}

static void op_read(struct fuzz_exec *e)
{
	static char buf[20000];
	unsigned int s;
	int fd = fuzz_slot_fd(e, &s);
	size_t size = fuzz_rnd(&e->rng, fuzz_pct(&e->rng, 60) ? 100 : sizeof(buf));
	bool p = fuzz_pct(&e->rng, 50);
	off_t off = fuzz_rnd(&e->rng, 300);
	ssize_t n;

	fuzz_say_fd(e, p ? "pread" : "read", fd);
	fuzz_say(e, ", %zu, %lld", size, (long long)off);
	if (e->slot[s].fifo) {
		fuzz_say(e, ") = not done");
		return;
	}
	n = p ? pread(fd, buf, size, off) : read(fd, buf, size);
	result_soft(e, s, n);
	if (n > 0 && !stale(e, s))
		fuzz_say(e, " %016llx", (unsigned long long)fuzz_hash(1, buf, (size_t)n));
}

static void op_write(struct fuzz_exec *e)
{
	static char buf[20000];
	unsigned int s;
	int fd = fuzz_slot_fd(e, &s);
	size_t size = fuzz_rnd(&e->rng, fuzz_pct(&e->rng, 70) ? 100 : sizeof(buf));
	bool p = fuzz_pct(&e->rng, 50);
	off_t off = fuzz_rnd(&e->rng, 300);

	memset(buf, 'A' + (int)fuzz_rnd(&e->rng, 26), size);
	fuzz_say_fd(e, p ? "pwrite" : "write", fd);
	fuzz_say(e, ", %zu, %lld", size, (long long)off);
	if (e->slot[s].fifo) {
		fuzz_say(e, ") = not done");
		return;
	}
	fuzz_result(e, p ? pwrite(fd, buf, size, off) : write(fd, buf, size));
}

static void op_lseek(struct fuzz_exec *e)
{
	static const int whence[] = { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE };
	unsigned int s;
	int fd = fuzz_slot_fd(e, &s), w = whence[fuzz_rnd(&e->rng, 3)];
	off_t off = (off_t)fuzz_rnd(&e->rng, 200) - 20;

	fuzz_say_fd(e, "lseek", fd);
	/* Positions in directories are their own affair. */
	if (e->slot[s].dir) {
		fuzz_say(e, ", 0, SEEK_SET");
		fuzz_result(e, lseek(fd, 0, SEEK_SET));
		return;
	}
	fuzz_say(e, ", %lld, %d", (long long)off, w);
	result_soft(e, s, lseek(fd, off, w));
}

static void op_ftruncate(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL);
	off_t size = fuzz_rnd(&e->rng, fuzz_pct(&e->rng, 70) ? 300 : 40000);

	fuzz_say_fd(e, "ftruncate", fd);
	fuzz_say(e, ", %lld", (long long)size);
	fuzz_result(e, ftruncate(fd, size));
}

static void op_fstat(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL);
	bool at = fuzz_pct(&e->rng, 30);
	struct stat st;

	fuzz_say_fd(e, at ? "fstatat(empty path)" : "fstat", fd);
	if (no_change(e, fd))
		return;
	fuzz_result_stat(e, at ? fstatat(fd, "", &st, AT_EMPTY_PATH) : fstat(fd, &st), &st);
}

static void op_fchmod(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL);
	mode_t m = fuzz_mode(e);

	fuzz_say_fd(e, "fchmod", fd);
	fuzz_say(e, ", %o", m);
	if (!no_change(e, fd))
		result_change(e, fchmod(fd, m));
}

static void op_fchown(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL);
	uid_t u = fuzz_owner(e), g = fuzz_owner(e);

	fuzz_say_fd(e, "fchown", fd);
	fuzz_say(e, ", %d, %d", (int)u, (int)g);
	if (!no_change(e, fd))
		result_change(e, fchown(fd, u, g));
}

static void op_futimens(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL);
	struct timespec ts[2] = {
		{ 1200000000 + (time_t)fuzz_rnd(&e->rng, 1000), fuzz_rnd(&e->rng, 1000000000) },
		{ 1200000000 + (time_t)fuzz_rnd(&e->rng, 1000), fuzz_rnd(&e->rng, 1000000000) },
	};

	fuzz_say_fd(e, "futimens", fd);
	fuzz_say(e, ", %lld, %lld", (long long)ts[0].tv_sec, (long long)ts[1].tv_sec);
	if (!no_change(e, fd))
		result_change(e, futimens(fd, ts));
}

static void op_fxattr(struct fuzz_exec *e)
{
	static const char *const names[] = { "user.x", "user.y", "trusted.x", "trusted.x" };
	const char *name = names[fuzz_rnd(&e->rng, fuzz_pct(&e->rng, 80) ? 2 : 4)];
	int fd = fuzz_slot_fd(e, NULL);
	size_t size = fuzz_rnd(&e->rng, 9);
	char buf[4096];
	ssize_t n;

	switch (fuzz_rnd(&e->rng, 4)) {
	case 0:
		fuzz_say_fd(e, "fsetxattr", fd);
		fuzz_say(e, ", %s, {%zu}", name, size);
		if (!no_change(e, fd))
			result_change(e, fsetxattr(fd, name, "valuevalue", size, 0));
		break;
	case 1:
		fuzz_say_fd(e, "fremovexattr", fd);
		fuzz_say(e, ", %s", name);
		if (!no_change(e, fd))
			result_change(e, fremovexattr(fd, name));
		break;
	case 2:
		fuzz_say_fd(e, "fgetxattr", fd);
		fuzz_say(e, ", %s", name);
		n = fgetxattr(fd, name, buf, sizeof(buf));
		fuzz_result(e, n);
		if (n > 0)
			fuzz_add_quoted(&e->line, buf, (size_t)n);
		break;
	default:
		fuzz_say_fd(e, "flistxattr", fd);
		fuzz_result_names(e, flistxattr(fd, buf, sizeof(buf)), buf);
	}
}

static void op_fchdir(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL);

	fuzz_say_fd(e, "fchdir", fd);
	fuzz_result(e, fchdir(fd));
}

static void op_dup(struct fuzz_exec *e)
{
	unsigned int s, t = fuzz_rnd(&e->rng, FUZZ_NSLOTS);
	int fd = fuzz_slot_fd(e, &s), r;

	fuzz_say_fd(e, "dup2", fd);
	fuzz_say(e, ", %u", FUZZ_SLOT0 + t);
	r = dup2(fd, FUZZ_SLOT0 + (int)t);
	fuzz_result(e, r);
	if (r >= 0)
		e->slot[t] = e->slot[s];
}

static void op_close(struct fuzz_exec *e)
{
	unsigned int s;
	int fd = fuzz_slot_fd(e, &s);

	fuzz_say_fd(e, "close", fd);
	fuzz_result(e, close(fd));
	e->slot[s].used = e->slot[s].dir = false;
}

static void op_getfl(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL), r = fcntl(fd, F_GETFL);

	fuzz_say_fd(e, "F_GETFL", fd);
	/* The kernel adds O_NOFOLLOW and the like to overlay files; the marks are not compared. */
	fuzz_result(e, r < 0 ? r : r & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_PATH));
}

static void op_proc_link(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL);
	char path[64], buf[4096];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		st.st_nlink = 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fuzz_say(e, "fd link(%s", path);
	n = readlink(path, buf, sizeof(buf));
	if (n < 0) {
		fuzz_result(e, n);
		return;
	}
	fuzz_say(e, ") = %d ", S_ISDIR(st.st_mode) ? 0 : (int)st.st_nlink);
	/* Nameless files are called by their inode number. */
	if (memmem(buf, (size_t)n, "/#", 2))
		fuzz_say(e, "nameless (deleted)");
	else
		fuzz_say(e, "%.*s", (int)n, buf);
}

/* Opens an open file once more. */
static void op_reopen(struct fuzz_exec *e)
{
	static const int modes[] = { O_RDONLY, O_RDWR, O_WRONLY, O_RDWR | O_TRUNC, O_PATH };
	unsigned int t = fuzz_rnd(&e->rng, FUZZ_NSLOTS);
	int fd = fuzz_slot_fd(e, NULL), flags = modes[fuzz_rnd(&e->rng, 5)], r;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fuzz_say(e, "open(%s, %#o", path, (unsigned int)flags);
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode) && no_change(e, fd))
		return;
	r = open(path, flags | O_NONBLOCK | O_CLOEXEC);
	if (r < 0 && e->slot[fd - FUZZ_SLOT0].used)
		errno = lost_name(errno);
	fuzz_result_open(e, r, flags, t);
}

static void op_fallocate(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL), mode = (int)fuzz_rnd(&e->rng, 4);
	off_t off = fuzz_rnd(&e->rng, 300), len = fuzz_rnd(&e->rng, 9000);

	fuzz_say_fd(e, "fallocate", fd);
	fuzz_say(e, ", %d, %lld, %lld", mode, (long long)off, (long long)len);
	fuzz_result(e, fallocate(fd, mode, off, len));
}

static void op_copy_range(struct fuzz_exec *e)
{
	unsigned int s, t;
	int in = fuzz_slot_fd(e, &s), out = fuzz_slot_fd(e, &t);
	off_t from = fuzz_rnd(&e->rng, 100), to = fuzz_rnd(&e->rng, 100);
	size_t n = fuzz_rnd(&e->rng, 500);
	struct stat a, b;

	fuzz_say_fd(e, "copy_file_range", in);
	fuzz_say(e, ", %d", out);
	if (stale(e, s) || e->slot[t].fifo) {
		fuzz_say(e, ") = not done");
		return;
	}
	fuzz_say(e, ", %lld, %lld, %zu", (long long)from, (long long)to, n);
	if (!fstat(in, &a) && !fstat(out, &b) && a.st_dev != b.st_dev) {
		fuzz_say(e, ") = not done");
		return;
	}
	fuzz_result(e, copy_file_range(in, &from, out, &to, n, 0));
}

static void op_mmap(struct fuzz_exec *e)
{
	unsigned int s;
	int fd = fuzz_slot_fd(e, &s);
	struct stat st;
	bool shared = fuzz_pct(&e->rng, 50);
	char *p;

	fuzz_say_fd(e, shared ? "mmap shared" : "mmap private", fd);
	if (stale(e, s) || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < 1) {
		fuzz_say(e, ") = not done");
		return;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | (shared ? PROT_WRITE : 0),
		 shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	fuzz_result(e, p == MAP_FAILED ? -1 : 0);
	if (p == MAP_FAILED)
		return;
	fuzz_say(e, " %016llx", (unsigned long long)fuzz_hash(1, p, (size_t)st.st_size));
	if (shared)
		p[fuzz_rnd(&e->rng, (unsigned int)st.st_size)] = '@';
	munmap(p, (size_t)st.st_size);
}

struct entry {
	char name[256];
	unsigned char type;
	ino_t ino;
};

static int by_entry(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* A listing from the start in pieces of a random size; the order is not compared. */
static void op_list(struct fuzz_exec *e)
{
	static struct entry v[512];
	unsigned int s = 0, k = 0;
	int fd = fuzz_slot_fd(e, NULL);
	size_t size = fuzz_pct(&e->rng, 50) ? 4096 : 24 + fuzz_rnd(&e->rng, 100);
	char buf[4096] __attribute__((aligned(8)));
	long n;

	for (unsigned int i = 0; i < FUZZ_NSLOTS; i++) {
		s = (unsigned int)(fd - FUZZ_SLOT0);
		if (e->slot[s].used && e->slot[s].dir)
			break;
		fd = FUZZ_SLOT0 + (int)((s + 1) % FUZZ_NSLOTS);
	}
	fuzz_say_fd(e, "getdents64", fd);
	fuzz_say(e, ", %zu", size);
	if (e->slot[s].dir)
		lseek(fd, 0, SEEK_SET);
	while ((n = syscall(SYS_getdents64, fd, buf, size)) > 0 && k < 500)
		for (long off = 0; off < n && k < 500;) {
			const struct dirent64 *de = (const struct dirent64 *)(void *)(buf + off);

			snprintf(v[k].name, sizeof(v[k].name), "%s", de->d_name);
			v[k].type = de->d_type;
			v[k++].ino = de->d_ino;
			off += de->d_reclen;
		}
	fuzz_result(e, n);
	qsort(v, k, sizeof(*v), by_entry);
	for (unsigned int i = 0; i < k; i++) {
		struct stat st;

		fuzz_say(e, " %s:%u", v[i].name, v[i].type);
		if (!strcmp(v[i].name, "..") || fstatat(fd, v[i].name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (!e->root && !S_ISDIR(st.st_mode))
			continue;
		fuzz_say(e, ":%d%s", fuzz_id(&e->ids, st.st_dev, st.st_ino),
			 st.st_ino == v[i].ino ? "" : "?");
	}
}

/* A part of a listing; what there is of it is up to the order. */
static void op_list_some(struct fuzz_exec *e)
{
	int fd = fuzz_slot_fd(e, NULL);
	char buf[300] __attribute__((aligned(8)));
	long n;

	fuzz_say_fd(e, "getdents64 once", fd);
	n = syscall(SYS_getdents64, fd, buf, 60 + fuzz_rnd(&e->rng, 200));
	fuzz_result(e, n > 0 ? 0 : n);
}

const struct fuzz_op fuzz_fd_ops[] = {
	{ op_read, 25 },
	{ op_write, 30 },
	{ op_lseek, 10 },
	{ op_ftruncate, 10 },
	{ op_fstat, 25 },
	{ op_fchmod, 12 },
	{ op_fchown, 8 },
	{ op_futimens, 10 },
	{ op_fxattr, 18 },
	{ op_fchdir, 10 },
	{ op_dup, 6 },
	{ op_close, 8 },
	{ op_getfl, 4 },
	{ op_proc_link, 10 },
	{ op_reopen, 14 },
	{ op_fallocate, 5 },
	{ op_copy_range, 6 },
	{ op_mmap, 5 },
	{ op_list, 30 },
	{ op_list_some, 4 },
	{ NULL, 0 },
};
