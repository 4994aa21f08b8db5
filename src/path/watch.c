/* SPDX-License-Identifier: MIT */
/*
 * Changes that others make in a layer while we run.  Overlayfs calls the result undefined; people do it
 * all the time (an editor outside, a build inside).  Every directory that the cache knows a name of is
 * watched, so that the cache never says what is no longer so: inotify queues an event before the change
 * returns to who made it, and the queue is read before each look-up.
 *
 * Where no (more) watches are to be had, what is cached holds for one second.
 */
#include "config.h"

#include "path/space.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

#define WATCH_MASK                                                                                  \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF |         \
	 IN_MOVE_SELF | IN_ONLYDIR)

void watch_init(struct path_space *s)
{
	s->watch_fd = (int)x_ret(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	s->blind = s->watch_fd < 0;
}

void watch_fini(struct path_space *s)
{
	if (s->watch_fd >= 0)
		close(s->watch_fd);
	free(s->watched);
}

struct adding {
	struct path_space *s;
	struct vnode *dir;
};

/* The number of a watch is small: they are counted from 1. */
static int remember(struct path_space *s, int wd, struct vnode *dir)
{
	if ((unsigned)wd >= s->nwatched) {
		unsigned size = (unsigned)wd * 2 + 64;
		struct vnode **p = reallocarray(s->watched, size, sizeof(struct vnode *));

		if (!p)
			return -ENOMEM;
		memset(p + s->nwatched, 0, (size - s->nwatched) * sizeof(struct vnode *));
		s->watched = p;
		s->nwatched = size;
	}
	s->watched[wd] = dir;
	return 0;
}

static int add(void *arg, int dirfd)
{
	struct adding *a = arg;
	char path[48];
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	wd = (int)x_ret(inotify_add_watch(a->s->watch_fd, path, WATCH_MASK));
	return wd < 0 ? wd : remember(a->s, wd, a->dir);
}

void watch_dir(struct path_space *s, struct vnode *dir, arena_ref node)
{
	struct adding a = { s, dir };
	int r;

	if (s->blind || !dir->fs->ops->parts ||
	    (cache_flags(cache_node(&s->cache, node)) & NODE_WATCHED))
		return;
	r = dir->fs->ops->parts(dir, add, &a);
	if (r == -ENOSPC || r == -ENOMEM) {
		debug("no more inotify watches: layers are asked again every second");
		s->blind = true;
	}
	cache_set_flags(&s->cache, node, NODE_WATCHED, 0);
}

/* The name, and what the object under it was, are unknown again. */
static void name_event(struct path_space *s, struct vnode *dir, const char *name)
{
	struct vnode *vn = vfs_child(dir, name);

	if (vn)
		s->fs->obs.changed(s->fs->obs.arg, vn);
	s->fs->obs.name_changed(s->fs->obs.arg, dir, name);
}

static void event(struct path_space *s, const struct inotify_event *ev)
{
	struct vnode *dir;

	if (ev->mask & IN_Q_OVERFLOW) {
		path_forget_all(s);
		return;
	}
	if (ev->wd <= 0 || (unsigned)ev->wd >= s->nwatched || !s->watched[ev->wd])
		return;
	dir = s->watched[ev->wd];
	if (ev->mask & IN_IGNORED) { /* the directory is gone; its number is not used again */
		s->watched[ev->wd] = NULL;
		cache_set_flags(&s->cache, dir->cache_id, 0, NODE_WATCHED);
	} else if (ev->len) {
		name_event(s, dir, ev->name);
	} else {
		s->fs->obs.changed(s->fs->obs.arg, dir);
	}
}

void watch_read(struct path_space *s)
{
	_Alignas(struct inotify_event) char buf[4096 + NAME_MAX];
	ssize_t n;

	if (s->watch_fd < 0)
		return;
	while ((n = x_ret(read(s->watch_fd, buf, sizeof(buf)))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *ev = (const void *)p;

			event(s, ev);
			p += sizeof(*ev) + ev->len;
		}
	}
}
