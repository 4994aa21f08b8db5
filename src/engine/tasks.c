/* SPDX-License-Identifier: MIT */
/*
 * The tasks of the command.  A child is heard of twice, in any order: by its creator's event and
 * by its own first stop.  Whichever comes first makes the struct; callbacks learn of the child,
 * and it runs, when both have come.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/private.h"

static struct task **bucket(struct engine *e, pid_t tid)
{
	return &e->hash[(unsigned)tid % TASK_HASH];
}

struct task *task_find(struct engine *e, pid_t tid)
{
	struct task *t = *bucket(e, tid);

	while (t && t->t.tid != tid)
		t = t->next;
	return t;
}

static void link_task(struct task *t)
{
	struct task **head = bucket(t->e, t->t.tid);

	t->next = *head;
	*head = t;
}

static void unlink_task(struct task *t)
{
	struct task **p = bucket(t->e, t->t.tid);

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
}

struct task *task_add(struct engine *e, pid_t tid, enum task_state state)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->t.tid = tid;
	t->t.tgid = tid;
	t->e = e;
	t->state = state;
	link_task(t);
	return t;
}

static struct mm *mm_for_child(struct task *parent, uint64_t flags)
{
	if (!parent)
		return mm_new();
	if (flags & CLONE_VM)
		return mm_share(parent->mm, flags & CLONE_VFORK);
	return mm_fork(parent->mm);
}

void task_announce(struct task *t, struct task *parent, uint64_t flags)
{
	struct engine *e = t->e;
	int r = -ENOMEM;

	if (parent && flags & CLONE_THREAD)
		t->t.tgid = parent->t.tgid;
	t->mm = mm_for_child(parent, flags);
	if (t->mm)
		r = e->cb.task_new
			    ? e->cb.task_new(&t->t, parent ? &parent->t : NULL, flags, e->cb.ctx)
			    : 0;
	if (r == 0)
		return;
	/* Nobody would know what its calls mean. */
	mm_unref(t->mm);
	t->mm = NULL;
	warn("task %d: %s, killed", (int)t->t.tid, strerror(-r));
	kill(t->t.tgid, SIGKILL);
}

static void close_pidfd(struct task *t)
{
	if (t->t.pidfd1)
		close((int)t->t.pidfd1 - 1);
	t->t.pidfd1 = 0;
}

void task_rename(struct task *t, pid_t tid)
{
	unlink_task(t);
	close_pidfd(t);
	t->t.tid = tid;
	link_task(t);
}

void task_end(struct task *t)
{
	struct engine *e = t->e;

	if (t->state == TASK_EARLY)
		e->nearly--;
	if (t->mm) {
		call_abandon(t);
		scratch_unreserve(t);
		if (e->cb.task_gone)
			e->cb.task_gone(&t->t, e->cb.ctx);
		mm_unref(t->mm);
	}
	close_pidfd(t);
	unlink_task(t);
	free(t);
}

void task_end_all(struct engine *e)
{
	for (unsigned i = 0; i < TASK_HASH; i++)
		while (e->hash[i])
			task_end(e->hash[i]);
}

static bool process_lives(struct engine *e, pid_t tgid)
{
	for (unsigned i = 0; i < TASK_HASH; i++)
		for (struct task *t = e->hash[i]; t; t = t->next)
			if (t->t.tgid == tgid &&
			    (t->state == TASK_LIVE || t->state == TASK_ANNOUNCED))
				return true;
	return false;
}

/* A line of /proc/TID/status, 0 if there is none. */
static pid_t status_pid(pid_t tid, const char *key)
{
	_cleanup_fd_ int fd = -1;
	char buf[1024];
	const char *p;
	ssize_t n;

	snprintf(buf, sizeof(buf), "/proc/%d/status", (int)tid);
	fd = x_openat(AT_FDCWD, buf, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	n = x_ret(read(fd, buf, sizeof(buf) - 1));
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	p = strstr(buf, key);
	return p ? (pid_t)strtol(p + strlen(key), NULL, 10) : 0;
}

/*
 * A creator that is killed inside clone reports nothing; its child has been traced from the start
 * and waits at its first stop.  Only called when no event is left to be read, so an event can be
 * expected only from a creator that lives: the child's parent (this process is the parent after
 * CLONE_PARENT) or its own process for a thread.
 */
bool task_adopt_orphans(struct engine *e)
{
	bool any = false;

	for (unsigned i = 0; i < TASK_HASH && e->nearly; i++) {
		for (struct task *t = e->hash[i]; t; t = t->next) {
			pid_t ppid, tgid;

			if (t->state != TASK_EARLY)
				continue;
			tgid = status_pid(t->t.tid, "\nTgid:");
			ppid = status_pid(t->t.tid, "\nPPid:");
			if (tgid != t->t.tid || ppid == getpid() || process_lives(e, ppid))
				continue;
			debug("task %d: its creator was killed", (int)t->t.tid);
			task_announce(t, NULL, SIGCHLD);
			task_started(t, t->first_status);
			any = true;
		}
	}
	return any;
}
