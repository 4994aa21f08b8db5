/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that were opened for reading before a file was copied up.  On a kernel mount they read the
 * new data from then on.  Ours are on the lower file: the task opens the upper one in their place, with the
 * same number, offset and flags.
 *
 * The calls for that run in place of the next call of the process that is intercepted (as exec_comm()
 * does it); the process whose call made the copy does it before that call goes on.  A process that does
 * nothing but read meanwhile sees the old data until then.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "call/call.h"

enum step { STEP_OPEN, STEP_SEEK, STEP_DUP, STEP_CLOSE };

/* One descriptor of one process. */
struct reopen {
	struct reopen *next;
	pid_t tgid;
	int fd;
	struct vnode *vn;
	dev_t dev; /* the lower file: what the descriptor must still be on */
	ino_t ino;
	enum step step;
	int copy;      /* the new descriptor, in the process */
	bool borrowed; /* copy is another one's and stays */
	off_t pos;
};

static struct reopen **reopen_find(struct calls *cs, pid_t tgid, int fd)
{
	for (struct reopen **p = &cs->reopen; *p; p = &(*p)->next)
		if ((*p)->tgid == tgid && (fd < 0 || (*p)->fd == fd))
			return p;
	return NULL;
}

static void reopen_drop(struct reopen **p)
{
	struct reopen *e = *p;

	*p = e->next;
	free(e);
}

void reopen_forget(struct calls *cs, pid_t tgid)
{
	struct reopen **p;

	while ((p = reopen_find(cs, tgid, -1)))
		reopen_drop(p);
}

static void reopen_add(struct calls *cs, struct task *t, int fd, struct vnode *vn,
		       const struct stat *st)
{
	_cleanup_task_fd_ struct task_fd f = TASK_FD_NONE;
	struct reopen *e, **end = &cs->reopen;

	/* A descriptor on the layer's own path stays what it is. */
	if (task_fd_get(t, fd, &f) < 0 || !f.ours || f.vn != vn || (f.flags & O_PATH) ||
	    reopen_find(cs, t->tgid, fd))
		return;
	e = calloc(1, sizeof(*e));
	if (!e)
		return;
	*e = (struct reopen){ .tgid = t->tgid, .fd = fd, .vn = vn, .dev = st->st_dev, .ino = st->st_ino };
	while (*end)
		end = &(*end)->next;
	*end = e;
}

static void scan_process(struct calls *cs, struct task *t, struct vnode *vn, const struct stat *upper)
{
	char path[32];
	struct dirent *d;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)t->tid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.' || x_fstatat(dirfd(dir), d->d_name, &st, 0) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (st.st_dev == upper->st_dev && st.st_ino == upper->st_ino)
			continue;
		/* Of a file with several names each is an object of its own: reopen_add() knows. */
		if (st.st_nlink > 1 || path_by_stat(cs->space, &st) == vn)
			reopen_add(cs, t, atoi(d->d_name), vn, &st);
	}
	closedir(dir);
}

/* The descriptor is still what it was. */
static bool reopen_valid(struct task *t, const struct reopen *e, struct task_fd *f)
{
	return task_fd_get(t, e->fd, f) == 0 && f->st.st_dev == e->dev && f->st.st_ino == e->ino &&
	       !e->vn->dead;
}

/* Other descriptors of the process on the same open file follow the new one. */
static void share(struct calls *cs, const struct reopen *e)
{
	for (struct reopen *o = cs->reopen; o; o = o->next) {
		if (o == e || o->tgid != e->tgid || o->vn != e->vn || o->step != STEP_OPEN)
			continue;
		if (syscall(SYS_kcmp, e->tgid, e->tgid, KCMP_FILE, e->fd, o->fd) != 0)
			continue;
		o->copy = e->fd;
		o->borrowed = true;
		o->step = STEP_DUP;
	}
}

/* The step has run; p->value is the descriptor. */
static void step_done(struct calls *cs, struct call *c, struct pending *p)
{
	struct reopen **at = reopen_find(cs, c->t->tgid, (int)p->value);

	call_retry(c);
	if (!at)
		return;
	struct reopen *e = *at;

	switch (e->step) {
	case STEP_OPEN:
		if (c->result < 0) {
			reopen_drop(at);
			return;
		}
		e->copy = (int)c->result;
		e->step = e->pos ? STEP_SEEK : STEP_DUP;
		return;
	case STEP_SEEK:
		e->step = STEP_DUP;
		return;
	case STEP_DUP:
		if (e->borrowed)
			reopen_drop(at);
		else
			e->step = STEP_CLOSE;
		return;
	case STEP_CLOSE:
		reopen_drop(at);
		return;
	}
}

/* Runs a call of four arguments in place of the present one. */
static int run_step(struct calls *cs, struct call *c, const struct reopen *e, unsigned id,
		    const uint64_t arg[4])
{
	struct pending *p = call_pending(cs, c);
	int r = p ? call_set_id(c, id) : -ENOMEM;

	for (unsigned i = 0; i < 4 && r == 0; i++)
		r = call_set_arg(c, i, arg[i]);
	if (r < 0)
		return r;
	p->finish = step_done;
	p->value = e->fd;
	return 0;
}

static int step_open(struct calls *cs, struct call *c, struct reopen *e, const struct task_fd *f)
{
	const int kept = O_APPEND | O_NONBLOCK | O_DIRECT | O_SYNC;
	char real[PATH_MAX];
	uint64_t addr, arg[4] = { (uint64_t)AT_FDCWD };
	int r = cs->fs->ops->realpath(e->vn, real, sizeof(real));

	if (r == 0)
		r = call_put(c, real, strlen(real) + 1, &addr);
	if (r < 0)
		return r;
	e->pos = f->shared ? lseek(f->fd, 0, SEEK_CUR) : 0;
	if (e->pos < 0)
		e->pos = 0;
	arg[1] = addr;
	arg[2] = (uint64_t)(task_mark_oflags(f->flags & kept) | O_CLOEXEC);
	r = run_step(cs, c, e, SYS_ID_openat, arg);
	if (r == 0)
		share(cs, e);
	return r;
}

static int reopen_run(struct calls *cs, struct call *c, struct reopen *e)
{
	_cleanup_task_fd_ struct task_fd f = TASK_FD_NONE;
	struct task *t = call_task(c);

	if (e->step != STEP_CLOSE && !reopen_valid(t, e, &f)) {
		if (e->step == STEP_OPEN || e->borrowed)
			return -ESTALE;
		e->step = STEP_CLOSE;
	}
	switch (e->step) {
	case STEP_OPEN:
		return step_open(cs, c, e, &f);
	case STEP_SEEK:
		return run_step(cs, c, e, SYS_ID_lseek,
				(const uint64_t[4]){ (uint64_t)e->copy, (uint64_t)e->pos, SEEK_SET });
	case STEP_DUP:
		return run_step(cs, c, e, SYS_ID_dup3,
				(const uint64_t[4]){ (uint64_t)e->copy, (uint64_t)e->fd,
						     task_fd_cloexec(t, e->fd) ? O_CLOEXEC : 0 });
	case STEP_CLOSE:
		break;
	}
	return run_step(cs, c, e, SYS_ID_close, (const uint64_t[4]){ (uint64_t)e->copy });
}

bool reopen_step(struct calls *cs, struct call *c)
{
	struct reopen **p;

	while ((p = reopen_find(cs, c->t->tgid, -1))) {
		int r = reopen_run(cs, c, *p);

		if (r == 0 || c->again)
			return true;
		reopen_drop(p);
	}
	return false;
}

bool reopen_lent(struct calls *cs, struct call *c, struct vnode *vn)
{
	char real[PATH_MAX];
	struct stat upper;

	if (!vn->lent)
		return false;
	vn->lent = false;
	if (cs->fs->ops->realpath(vn, real, sizeof(real)) < 0 ||
	    x_fstatat(AT_FDCWD, real, &upper, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	for (unsigned i = 0; i < TASK_BUCKETS; i++)
		for (struct task *t = cs->tasks.bucket[i]; t; t = t->next)
			if (t->tid == t->tgid)
				scan_process(cs, t, vn, &upper);
	return reopen_step(cs, c);
}
