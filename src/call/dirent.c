/* SPDX-License-Identifier: MIT */
/*
 * Listings.  The cursor is the offset of the tracee's own descriptor: dup, fork, lseek and seekdir
 * need nothing from us.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "call/call.h"

struct fill {
	uint8_t *buf;
	size_t room, len;
	unsigned word;	/* of the ABI, for the legacy layout */
	bool legacy;
	bool full;
	uint64_t off;	/* after the last entry taken */
};

static void put(uint8_t *p, uint64_t v, size_t n)
{
	/* Both architectures are little-endian, as are their 32-bit ABIs. */
	memcpy(p, &v, n);
}

/* struct linux_dirent64: ino, off, reclen, type, name; struct linux_dirent: words, the type last. */
static bool fill_entry(void *arg, const struct vfs_dirent *d)
{
	struct fill *f = arg;
	size_t namelen = strlen(d->name);
	size_t head = f->legacy ? 2 * f->word + 2 : 19;
	size_t align = f->legacy ? f->word : 8;
	size_t reclen = (head + namelen + 1 + (f->legacy ? 1 : 0) + align - 1) & ~(align - 1);
	uint8_t *p = f->buf + f->len;

	if (reclen > f->room - f->len) {
		f->full = true;
		return false;
	}
	memset(p, 0, reclen);
	if (f->legacy) {
		put(p, d->ino, f->word);
		put(p + f->word, d->off, f->word);
		put(p + 2 * f->word, reclen, 2);
		p[reclen - 1] = d->type;
	} else {
		put(p, d->ino, 8);
		put(p + 8, d->off, 8);
		put(p + 16, reclen, 2);
		p[18] = d->type;
	}
	memcpy(p + head, d->name, namelen);
	f->len += reclen;
	f->off = d->off;
	return true;
}

/* Without a shared descriptor (kernels before 5.6) the position is in fdinfo, and the task moves it. */
static int64_t dir_position(struct task *t, int fd, const struct task_fd *f)
{
	char path[64], buf[512];
	_cleanup_fd_ int in = -1;
	ssize_t n;

	if (f->shared)
		return x_ret(lseek(f->fd, 0, SEEK_CUR));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)t->tid, fd);
	in = x_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (in < 0)
		return in;
	n = x_ret(read(in, buf, sizeof(buf) - 1));
	if (n < 0)
		return n;
	buf[n] = 0;
	return strncmp(buf, "pos:", 4) == 0 ? strtoll(buf + 4, NULL, 10) : -EIO;
}

static void moved(struct calls *cs, struct call *c, struct pending *p)
{
	(void)cs;
	if (c->result >= 0)
		call_return(c, p->value);
}

static int dir_answer(struct calls *cs, struct call *c, const struct task_fd *fd, const struct fill *f)
{
	int r = call_write(c, call_arg(c, R_BUF), f->buf, f->len);

	if (r < 0)
		return r;
	if (f->len == 0) {
		call_return(c, 0);
		return 0;
	}
	if (fd->shared) {
		r = (int)x_ret(lseek(fd->fd, (off_t)f->off, SEEK_SET) < 0 ? -1 : 0);
		if (r < 0)
			return r;
		call_return(c, (int64_t)f->len);
		return 0;
	}
	struct pending *p = call_pending(cs, c);

	if (!p)
		return -ENOMEM;
	p->finish = moved;
	p->value = (int64_t)f->len;
	r = call_set_id(c, SYS_ID_lseek);
	if (r == 0)
		r = call_set_arg(c, 1, f->off);
	if (r == 0)
		r = call_set_arg(c, 2, SEEK_SET);
	return r;
}

int call_getdents(struct calls *cs, struct call *c)
{
	_cleanup_task_fd_ struct task_fd fd = TASK_FD_NONE;
	_cleanup_free_ uint8_t *buf = NULL;
	struct fill f = { .legacy = c->row->form == F_DIRENT, .word = c->abi->word };
	int n = (int)call_arg(c, R_FD);
	int64_t pos;
	int r;

	r = task_fd_get(call_task(c), n, &fd);
	if (r < 0)
		return r;
	if (!fd.ours || !S_ISDIR(fd.st.st_mode) || (fd.flags & O_PATH))
		return 0; /* the kernel's own errno for what is no directory */
	if (!fd.vn || fd.vn->dead)
		return -ENOENT;
	pos = dir_position(call_task(c), n, &fd);
	if (pos < 0)
		return (int)pos;
	/* Larger buffers are filled in part, as the kernel may. */
	f.room = call_arg(c, R_LEN) & 0xffffffff;
	if (f.room > 1 << 20)
		f.room = 1 << 20;
	f.buf = buf = malloc(f.room ? f.room : 1);
	if (!buf)
		return -ENOMEM;
	r = cs->fs->ops->readdir ? cs->fs->ops->readdir(fd.vn, (uint64_t)pos, fill_entry, &f)
				 : -EOPNOTSUPP;
	if (r < 0)
		return r;
	if (f.full && f.len == 0)
		return -EINVAL;
	return dir_answer(cs, c, &fd, &f);
}
