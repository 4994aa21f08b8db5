/* SPDX-License-Identifier: MIT */
/*
 * The host's side of a walk: what its components are, and the links of /proc that lead into
 * processes.  What is asked by path here is asked of fuss's own view, which is the one that the
 * command started in.
 */
#include "config.h"

#include "path/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* --- nodes ------------------------------------------------------------------------------------ */

uint32_t host_layer_flags(const struct path_space *s, const char *path)
{
	size_t len = strlen(path);
	uint32_t flags = 0;

	while (len && path[len - 1] == '/')
		len--;
	for (unsigned i = 0; i < s->nlayer; i++) {
		const struct path_layer *l = &s->layer[i];

		if (len >= l->len && memcmp(path, l->path, l->len) == 0 &&
		    (len == l->len || path[l->len] == '/'))
			return NODE_LAYER;
		if (len < l->len && memcmp(path, l->path, len) == 0 && l->path[len] == '/')
			flags = NODE_OVER_LAYER;
	}
	return flags;
}

int host_pin(struct path_space *s, arena_ref parent, const char *name, size_t len, uint32_t flags,
	     arena_ref *ret)
{
	char path[PATH_MAX];
	arena_ref entry;
	int r;

	r = cache_get_entry(&s->cache, parent, name, len, &entry);
	if (r < 0)
		return r;
	if (ENTRY_KIND(cache_entry(&s->cache, entry)->state) == ENTRY_PINNED) {
		*ret = ENTRY_NODE_OF(cache_entry(&s->cache, entry)->state);
		cache_set_flags(&s->cache, *ret, flags, 0);
		return 0;
	}
	r = cache_new_node(&s->cache, NODE_HOST | NODE_DIR | NODE_PINNED | flags, entry, ret);
	if (r < 0)
		return r;
	if (cache_path(&s->cache, *ret, path, sizeof(path)) >= 0)
		cache_set_flags(&s->cache, *ret, host_layer_flags(s, path), 0);
	cache_publish(&s->cache, entry, ENTRY_PINNED, *ret);
	return 0;
}

/* Enters (dir, name) = path as a directory or symlink.  The node of an earlier generation is used
 * again where it can be. */
static int learn(struct path_space *s, const struct resolve *w, const char *path, uint32_t type,
		 const char *target, size_t len, arena_ref *ret)
{
	arena_ref entry, node;
	int r;

	r = cache_get_entry(&s->cache, w->at, w->name, w->len, &entry);
	if (r < 0)
		return r;
	node = ENTRY_NODE_OF(cache_entry(&s->cache, entry)->state);
	if (!node || !(cache_flags(cache_node(&s->cache, node)) & type)) {
		r = cache_new_node(&s->cache, NODE_HOST | type | host_layer_flags(s, path), entry,
				   &node);
		if (r < 0)
			return r;
	}
	if (target) {
		r = cache_set_target(&s->cache, node, target, len);
		if (r < 0)
			return r;
	}
	cache_publish(&s->cache, entry, ENTRY_NODE, node);
	s->host_used = true;
	*ret = node;
	return 0;
}

static int learn_dir(struct path_space *s, const struct resolve *w, const char *path,
		     const struct stat *st)
{
	arena_ref node;
	int r;

	r = learn(s, w, path, NODE_DIR, NULL, 0, &node);
	if (r < 0 || !st)
		return r;
	return cache_set_perm(
		&s->cache, node,
		&(struct cache_perm){ st->st_mode & 07777, st->st_uid, st->st_gid, 0 });
}

/* --- /proc ------------------------------------------------------------------------------------ */

struct proc_link {
	pid_t tid;
	enum path_magic what;
	int fd;
};

static const char *parse_number(const char *p, int *ret)
{
	long v = 0;

	/* The kernel takes no leading zeros (name_to_int()). */
	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (*p - '0');
		if (v > INT_MAX)
			return NULL;
	}
	*ret = (int)v;
	return p;
}

static const char *parse_word(const char *p, const char *word)
{
	size_t n = strlen(word);

	return p && strncmp(p, word, n) == 0 ? p + n : NULL;
}

/* PID[/task/TID]/{cwd,root,exe,fd/N} in a path below /proc: what follows it, or NULL. */
static const char *parse_link(const char *p, struct proc_link *ret)
{
	static const struct {
		const char *word;
		enum path_magic what;
	} links[] = { { "/cwd", MAGIC_CWD }, { "/root", MAGIC_ROOT }, { "/exe", MAGIC_EXE } };
	const char *t;

	p = parse_number(p, &ret->tid);
	if (!p)
		return NULL;
	t = parse_word(p, "/task/");
	if (t) {
		p = parse_number(t, &ret->tid);
		if (!p)
			return NULL;
	}
	ret->fd = -1;
	ret->what = MAGIC_FD;
	t = parse_word(p, "/fd/");
	if (t)
		t = parse_number(t, &ret->fd);
	for (size_t i = 0; !t && i < sizeof(links) / sizeof(links[0]); i++) {
		t = parse_word(p, links[i].word);
		ret->what = links[i].what;
	}
	return t && (!*t || *t == '/') ? t : NULL;
}

/* Path without empty components and those "." that are not the last. */
static void tidy(char *path)
{
	const char *from = path;
	char *to = path;

	while (*from) {
		const char *end = strchrnul(from, '/'), *next = end;

		while (*next == '/')
			next++;
		if (!(end - from == 1 && *from == '.' && *next)) {
			memmove(to, from, (size_t)(end - from));
			to += end - from;
			if (*end)
				*to++ = '/';
		}
		from = next;
	}
	*to = '\0';
}

/* The link leads to a tracee's object.  rest: what follows the link. */
static int jump(struct path_space *s, const struct resolve_request *q, struct resolve *w,
		const struct path_where *to, const char *rest)
{
	const char *after = rest;
	arena_ref node;
	int r;

	while (*after == '/')
		after++;
	if (to->vn) {
		if (q->flags & PATH_NO_XDEV)
			return -EXDEV;
		r = fill_node(s, to->vn, &node);
		if (r < 0)
			return r;
		resolve_replace_rest(w, after);
		w->at = node;
		w->dir = 0;
		w->name = NULL;
		w->last = LAST_MAGIC;
		w->as_given = false;
		w->slash |= *rest && !*after;
		return FILL_AGAIN;
	}
	if (!*after || !*to->host) {
		if (*after && resolve_goes_up(after))
			return -ENOENT;
		/* The link itself is the best name of what is behind it. */
		w->in_layer = host_layer_flags(s, to->host) & NODE_LAYER;
		resolve_outside(w);
		return FILL_DONE;
	}
	memcpy(s->jump, to->host, sizeof(s->jump));
	resolve_jump_host(&s->cache, w, s->jump, after);
	return FILL_AGAIN;
}

static bool same_object(const char *a, const char *b)
{
	struct stat st, other;

	return x_fstatat(AT_FDCWD, a, &st, AT_NO_AUTOMOUNT) == 0 &&
	       x_fstatat(AT_FDCWD, b, &other, AT_NO_AUTOMOUNT) == 0 &&
	       st.st_dev == other.st_dev && st.st_ino == other.st_ino;
}

/* The link of a process that is not ours, or one that nobody knows better than the kernel: where
 * more follows, it may lead to the mount point all the same. */
static int jump_unknown(struct path_space *s, const struct resolve_request *q, struct resolve *w,
			const struct proc_link *link, const char *text, const char *rest)
{
	char path[64];
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/%.*s", (int)(rest - text), text);
	if (link->what == MAGIC_ROOT && same_object(path, "/")) {
		r = resolve_jump_root(&s->cache, q, w);
		resolve_replace_rest(w, rest);
		w->last = LAST_MAGIC;
		return r < 0 ? r : FILL_AGAIN;
	}
	if (!w->final) {
		n = x_readlinkat(AT_FDCWD, path, s->jump, sizeof(s->jump) - 1);
		s->jump[n < 0 ? 0 : n] = '\0';
		if (*s->jump == '/' && same_object(path, s->jump)) {
			resolve_jump_host(&s->cache, w, s->jump, rest);
			return FILL_AGAIN;
		}
	}
	resolve_outside(w);
	return FILL_DONE;
}

/* A link that must not be followed, if it is there: it is looked up first. */
static int refused_link(const char *text, const char *rest)
{
	char path[64];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "/proc/%.*s", (int)(rest - text), text);
	r = x_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
	return r == -ENOENT ? r : -ELOOP;
}

/* All that is left to walk is text, below /proc, with the number of a process in front. */
static int walk_process(struct path_space *s, const struct resolve_request *q, struct resolve *w,
			const char *text)
{
	struct path_where to;
	struct proc_link link;
	const char *rest;
	int r;

	w->at = cache_head(&s->cache)->proc;
	resolve_replace_rest(w, text);
	rest = parse_link(text, &link);
	if (!rest) {
		/* No link that leads anywhere, except by "..". */
		if (resolve_goes_up(text)) {
			w->plain_proc = true;
			return FILL_AGAIN;
		}
		resolve_outside(w);
		return FILL_DONE;
	}
	w->final = !rest[strspn(rest, "/")];
	w->trailing = *rest == '/';
	if (!resolve_follows(q, w)) {
		resolve_outside(w);
		return FILL_DONE;
	}
	if (resolve_count_link(q, w) < 0 || q->flags & PATH_NO_MAGICLINKS)
		return refused_link(text, rest);
	if (w->scoped)
		return -EXDEV;
	r = -ENOENT;
	if (s->hooks.magic)
		r = s->hooks.magic(s->hooks.arg, link.tid, link.what, link.fd, &to);
	if (r == -ENOENT)
		return jump_unknown(s, q, w, &link, text, rest);
	return r < 0 ? r : jump(s, q, w, &to, rest);
}

/* The buffer that the rest of the path is not in. */
static char *other_text(struct path_space *s, size_t *size)
{
	s->which_text ^= 1;
	*size = sizeof(s->text[0]);
	return s->text[s->which_text];
}

/* prefix, then what follows the component at hand. */
static int replace_component(struct path_space *s, struct resolve *w, const char *prefix,
			     const char **ret)
{
	size_t size, len = strlen(prefix);
	char *text = other_text(s, &size);
	ssize_t n;

	if (len + 2 > size)
		return -ENAMETOOLONG;
	memcpy(text, prefix, len);
	text[len++] = '/';
	w->level[w->depth] = w->name + w->len;
	n = resolve_rest(w, text + len, size - len);
	if (n < 0)
		return (int)n;
	if (!n && !w->trailing)
		text[len - 1] = '\0';
	tidy(text);
	*ret = text;
	return 0;
}

int host_magic(struct path_space *s, const struct resolve_request *q, struct resolve *w)
{
	char prefix[64];
	const char *text;
	int r;

	/* An absolute path has crossed from "/" to /proc. */
	if (q->flags & PATH_NO_XDEV && *q->path == '/')
		return -EXDEV;
	if (w->name[0] >= '0' && w->name[0] <= '9') {
		if (w->len >= sizeof(prefix)) {
			resolve_outside(w);
			return FILL_DONE;
		}
		memcpy(prefix, w->name, w->len);
		prefix[w->len] = '\0';
	} else {
		if (resolve_count_link(q, w) < 0)
			return -ELOOP;
		if (w->name[0] == 's')
			snprintf(prefix, sizeof(prefix), "%d", q->tgid);
		else
			snprintf(prefix, sizeof(prefix), "%d/task/%d", q->tgid, q->tid);
	}
	r = replace_component(s, w, prefix, &text);
	return r < 0 ? r : walk_process(s, q, w, text);
}

/* --- what the resolver missed ----------------------------------------------------------------- */

/* The absolute path of the component at hand. */
static int component_path(const struct path_space *s, const struct resolve *w, char *buf,
			  size_t size)
{
	ssize_t n = cache_path(&s->cache, w->at, buf, size);

	if (n < 0)
		return (int)n;
	if ((size_t)n + w->len + 2 > size)
		return -ENAMETOOLONG;
	buf[n] = '/';
	memcpy(buf + n + 1, w->name, w->len);
	buf[(size_t)n + 1 + w->len] = '\0';
	return 0;
}

static int fill_link(struct path_space *s, struct resolve *w, const char *path)
{
	char target[PATH_MAX];
	arena_ref node;
	ssize_t n;
	int r;

	n = x_readlinkat(AT_FDCWD, path, target, sizeof(target));
	if (n < 0 || (size_t)n == sizeof(target)) {
		/* Not a symlink, missing, or not for us to see. */
		resolve_outside(w);
		return FILL_DONE;
	}
	r = learn(s, w, path, NODE_LINK, target, (size_t)n, &node);
	return r < 0 ? r : FILL_AGAIN;
}

/* A component of the path of a directory that somebody is in: it is known to be a directory, unless
 * somebody looks up paths from a file. */
static int fill_literal(struct path_space *s, struct resolve *w, const char *path)
{
	struct stat st;
	bool known, dir;
	int r;

	known = x_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0;
	dir = known && S_ISDIR(st.st_mode);
	if (known && !dir && !S_ISLNK(st.st_mode)) {
		resolve_outside(w);
		return FILL_DONE;
	}
	r = learn_dir(s, w, path, dir ? &st : NULL);
	return r < 0 ? r : FILL_AGAIN;
}

static int fill_component(struct path_space *s, const struct resolve_request *q, struct resolve *w)
{
	struct proc_link link;
	char path[PATH_MAX];
	struct stat st;
	const char *t;
	int r;

	if (component_path(s, w, path, sizeof(path)) < 0) {
		resolve_outside(w);
		return FILL_DONE;
	}
	if (w->literal)
		return fill_literal(s, w, path);
	if (cache_head(&s->cache)->proc && strncmp(path, "/proc/", 6) == 0) {
		t = parse_link(path + 6, &link);
		if (t && !*t) {
			r = replace_component(s, w, path + 6, &t);
			return r < 0 ? r : walk_process(s, q, w, t);
		}
	}
	if (w->miss == MISS_LAST)
		return fill_link(s, w, path);
	r = x_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
	if (r == 0 && S_ISLNK(st.st_mode))
		return fill_link(s, w, path);
	if (r < 0 || !S_ISDIR(st.st_mode)) {
		resolve_outside(w);
		return FILL_DONE;
	}
	r = learn_dir(s, w, path, &st);
	return r < 0 ? r : FILL_AGAIN;
}

static int fill_perm(struct path_space *s, arena_ref node)
{
	/* What is not there the kernel will judge; what is made up may be walked through. */
	struct cache_perm p = { .mode = 0755 };
	char path[PATH_MAX];
	struct stat st;
	ssize_t n;
	int r;

	n = cache_path(&s->cache, node, path, sizeof(path));
	if (n >= 0 && !(cache_flags(cache_node(&s->cache, node)) & NODE_SYNTHETIC) &&
	    x_fstatat(AT_FDCWD, n ? path : "/", &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0)
		p = (struct cache_perm){ st.st_mode & 07777, st.st_uid, st.st_gid, 0 };
	r = cache_set_perm(&s->cache, node, &p);
	s->host_used = true;
	return r < 0 ? r : FILL_AGAIN;
}

/* The mode forbids it.  An ACL may allow it nevertheless: that is for the kernel to say. */
static int fill_access(struct path_space *s, struct resolve *w)
{
	char path[PATH_MAX];
	ssize_t n = cache_path(&s->cache, w->node, path, sizeof(path));

	w->granted = w->node;
	if (n >= 0)
		w->denied = getxattr(n ? path : "/", "system.posix_acl_access", NULL, 0) <= 0;
	return FILL_AGAIN;
}

int host_fill(struct path_space *s, const struct resolve_request *q, struct resolve *w)
{
	switch (w->miss) {
	case MISS_NAME:
	case MISS_LAST:
		return fill_component(s, q, w);
	case MISS_PERM:
		return fill_perm(s, w->node);
	case MISS_ACCESS:
		return fill_access(s, w);
	case MISS_TARGET:
	case MISS_PLACE:
		break;
	}
	return -EIO;
}
