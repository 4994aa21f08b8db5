/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "path/resolve.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#define CAP(n) (UINT64_C(1) << (n))

/* What a step tells the loop. */
enum { ON = -1 };

static inline const char *skip_slashes(const char *p)
{
	while (*p == '/')
		p++;
	return p;
}

/* What was forbidden on the way comes first, unless the kernel will say so itself. */
static enum resolve_kind done(struct resolve *w, enum resolve_kind kind)
{
	if (w->denied && kind != RESOLVE_MISS && kind != RESOLVE_MAGIC &&
	    !(kind == RESOLVE_OUTSIDE && w->as_given)) {
		w->error = -EACCES;
		kind = RESOLVE_ERROR;
	}
	w->kind = kind;
	return kind;
}

static int fail(struct resolve *w, int error)
{
	w->error = error;
	return (int)done(w, RESOLVE_ERROR);
}

static int miss(struct resolve *w, enum resolve_miss what, arena_ref node)
{
	w->miss = what;
	w->node = node;
	return (int)done(w, RESOLVE_MISS);
}

/* The kernel gives its verdict on the rest when the call runs. */
enum resolve_kind resolve_outside(struct resolve *w)
{
	w->node = w->at;
	w->last = LAST_NORM;
	w->slash |= w->final && w->trailing;
	return done(w, RESOLVE_OUTSIDE);
}

static int outside(struct resolve *w)
{
	return (int)resolve_outside(w);
}

/* --- what is left to walk --------------------------------------------------------------------- */

static void pop(struct resolve *w)
{
	w->depth--;
	if (w->literal) {
		/* Here the path starts. */
		w->literal = false;
		w->name = NULL;
		w->last = *w->level[0] == '/' ? LAST_ROOT : LAST_DOT;
		if (w->scoped)
			w->top = w->at;
	}
}

/* The component at hand was walked. */
static int consume(struct resolve *w)
{
	const char *rest = skip_slashes(w->name + w->len);

	w->level[w->depth] = rest;
	if (w->final)
		w->slash |= w->trailing;
	if (!*rest && w->depth)
		pop(w);
	return ON;
}

/* The component at hand is a symlink with that target.  A level that has nothing left is replaced,
 * so that there are never more levels than links. */
static void push(struct resolve *w, const char *target)
{
	const char *rest = skip_slashes(w->name + w->len);

	if (w->final)
		w->slash |= w->trailing;
	w->level[w->depth] = rest;
	if (*rest)
		w->depth++;
	w->level[w->depth] = target;
}

void resolve_replace_rest(struct resolve *w, const char *path)
{
	w->depth = 0;
	w->literal = false;
	w->level[0] = path;
}

ssize_t resolve_rest(const struct resolve *w, char *buf, size_t size)
{
	size_t len = 0;

	for (unsigned i = w->depth + 1; i-- > 0;) {
		const char *p = skip_slashes(w->level[i]);
		size_t n = strlen(p);

		/* Room for a slash and the end. */
		if (len + n + 2 > size)
			return -ENAMETOOLONG;
		if (len && n)
			buf[len++] = '/';
		memcpy(buf + len, p, n);
		len += n;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

ssize_t resolve_host_path(const struct cache *c, const struct resolve *w, char *buf, size_t size)
{
	ssize_t len, rest;

	if (size < 4)
		return -ENAMETOOLONG;
	if (!w->node) {
		buf[0] = '\0';
		return 0;
	}
	len = cache_path(c, w->node, buf, size - 3);
	if (len < 0)
		return len;
	buf[len] = '/';
	rest = resolve_rest(w, buf + len + 1, size - (size_t)len - 2);
	if (rest < 0)
		return rest;
	if (rest) {
		len += 1 + rest;
		/* It was the link that led here that had the slash. */
		if (w->slash && buf[len - 1] != '/')
			buf[len++] = '/';
		buf[len] = '\0';
		return len;
	}
	/* The end of the path as spelled matters to the kernel: EINVAL for ".", a directory for
	 * "/". */
	if (!len || (w->slash && w->last == LAST_NORM) || (w->last == LAST_DOT && w->name))
		len++;
	if (w->last == LAST_DOT && w->name)
		buf[len++] = '.';
	buf[len] = '\0';
	return len;
}

/* --- permissions ------------------------------------------------------------------------------ */

static bool may_search_all(const struct cred *cred)
{
	return !cred || cred->caps & (CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH));
}

/* may_lookup(): the class of the caller decides alone, as in acl_permission_check(). */
static bool mode_allows_search(const struct cache_perm *p, const struct cred *cred)
{
	if (cred->fsuid == p->uid)
		return p->mode & 0100;
	if (cred_in_group(cred, p->gid))
		return p->mode & 0010;
	return p->mode & 0001;
}

static int search(const struct cache *c, const struct resolve_request *q, struct resolve *w)
{
	const struct cache_perm *p;

	if (may_search_all(q->cred) || w->granted == w->at)
		return ON;
	p = cache_perm(c, cache_node(c, w->at));
	if (!p)
		return miss(w, MISS_PERM, w->at);
	if (p->acl && q->cred->fsuid != p->uid)
		return miss(w, MISS_ACCESS, w->at);
	return mode_allows_search(p, q->cred) ? ON : fail(w, -EACCES);
}

/*
 * On the host the kernel checks, when the call runs.  But where the walk then leads to us no call
 * of that kind runs, so what would have been refused is remembered.
 */
static int search_host(const struct cache *c, const struct resolve_request *q, struct resolve *w)
{
	const struct cache_perm *p;

	if (w->denied || w->literal || may_search_all(q->cred) || w->granted == w->at)
		return ON;
	p = cache_perm(c, cache_node(c, w->at));
	if (!p)
		return miss(w, MISS_PERM, w->at);
	if (!mode_allows_search(p, q->cred))
		return miss(w, MISS_ACCESS, w->at);
	return ON;
}

/* --- places ----------------------------------------------------------------------------------- */

static bool is_inside(const struct cache *c, arena_ref node)
{
	return !(cache_flags(cache_node(c, node)) & NODE_HOST);
}

/* Enters a node of the host: from a mount point on to what is mounted, or, for somebody whose
 * directory is below it, to what is covered. */
static int enter_host(const struct cache *c, const struct resolve_request *q, struct resolve *w,
		      arena_ref node)
{
	const struct cache_node *n = cache_node(c, node);

	w->at = node;
	if (!(cache_flags(n) & NODE_MOUNT))
		return ON;
	if (w->literal) {
		w->at = n->twin;
		return ON;
	}
	if (q->flags & PATH_NO_XDEV)
		return fail(w, -EXDEV);
	if (w->denied)
		return fail(w, -EACCES);
	w->at = cache_head(c)->vfs_root;
	w->as_given = false;
	return ON;
}

/* nd_jump_root() */
static int jump_root(const struct cache *c, const struct resolve_request *q, struct resolve *w)
{
	const struct cache_head *h = cache_head(c);
	bool mounted = cache_flags(cache_node(c, h->host_root)) & NODE_MOUNT;

	if (q->flags & PATH_BENEATH)
		return fail(w, -EXDEV);
	w->dir = 0;
	w->name = NULL;
	w->last = LAST_ROOT;
	if (w->top) { /* PATH_IN_ROOT */
		w->at = w->top;
		return ON;
	}
	if (mounted) {
		w->at = h->vfs_root;
		w->as_given = false;
		return ON;
	}
	if (q->flags & PATH_NO_XDEV && w->at && is_inside(c, w->at))
		return fail(w, -EXDEV);
	w->at = h->host_root;
	return ON;
}

/* follow_dotdot() */
static int dotdot(const struct cache *c, const struct resolve_request *q, struct resolve *w)
{
	const struct cache_head *h = cache_head(c);
	arena_ref parent = 0;

	if (w->at == h->vfs_root)
		parent = cache_parent(c, h->mount);
	else
		parent = cache_parent(c, w->at);
	if (w->at == w->top || !parent)
		return q->flags & PATH_BENEATH ? fail(w, -EXDEV) : ON;
	if (w->at == h->vfs_root && q->flags & PATH_NO_XDEV)
		return fail(w, -EXDEV);
	w->at = parent;
	return ON;
}

/* "." and "..": true if it was one. */
static bool dots(const struct cache *c, const struct resolve_request *q, struct resolve *w,
		 int *ret)
{
	if (w->name[0] != '.' || w->len > 2 || (w->len == 2 && w->name[1] != '.'))
		return false;
	*ret = w->len == 2 ? dotdot(c, q, w) : ON;
	if (*ret != ON)
		return true;
	w->dir = 0;
	w->last = w->len == 2 ? LAST_DOTDOT : LAST_DOT;
	if (w->final)
		w->slash = true;
	*ret = consume(w);
	return true;
}

/* --- symlinks --------------------------------------------------------------------------------- */

bool resolve_follows(const struct resolve_request *q, const struct resolve *w)
{
	if (!w->final)
		return true;
	if (q->flags & PATH_CREATE)
		return q->flags & PATH_FOLLOW && !w->trailing;
	return q->flags & PATH_FOLLOW || w->trailing || w->slash;
}

int resolve_count_link(const struct resolve_request *q, struct resolve *w)
{
	return w->links++ >= RESOLVE_MAXLINKS || q->flags & PATH_NO_SYMLINKS ? -ELOOP : 0;
}

/*
 * may_follow_link() with fs.protected_symlinks: in a sticky directory that everybody may write to
 * the last symlink is followed by its owner only, or if it belongs to the directory's owner.
 */
static int may_follow(const struct cache *c, const struct resolve_request *q, struct resolve *w,
		      arena_ref link)
{
	const struct cache_perm *dir, *own;

	if (!w->final || !q->cred || !cache_head(c)->protected_symlinks)
		return ON;
	own = cache_perm(c, cache_node(c, link));
	if (!own)
		return miss(w, MISS_PERM, link);
	if (own->uid == q->cred->fsuid)
		return ON;
	dir = cache_perm(c, cache_node(c, w->at));
	if (!dir)
		return miss(w, MISS_PERM, w->at);
	if ((dir->mode & 01002) != 01002 || dir->uid == own->uid)
		return ON;
	return fail(w, -EACCES);
}

/* pick_link(), in its order. */
static int follow(const struct cache *c, const struct resolve_request *q, struct resolve *w,
		  arena_ref link)
{
	const struct cache_node *n = cache_node(c, link);
	const char *target;
	int r;

	if (w->links >= RESOLVE_MAXLINKS)
		return fail(w, -ELOOP);
	if (!(cache_flags(n) & NODE_HOST)) {
		r = may_follow(c, q, w, link);
		if (r != ON)
			return r;
	}
	if (q->flags & PATH_NO_SYMLINKS)
		return fail(w, -ELOOP);
	target = cache_target(c, n);
	if (!target)
		return miss(w, MISS_TARGET, link);
	if (!*target)
		return fail(w, -ENOENT);
	w->links++;
	push(w, target);
	return *target == '/' ? jump_root(c, q, w) : ON;
}

/* --- one component ---------------------------------------------------------------------------- */

/* What the entry says, if it may be believed; 0 (ENTRY_UNKNOWN) if not. */
static uint64_t state_of(const struct cache *c, arena_ref dir, uint32_t dirflags, const char *name,
			 size_t len)
{
	arena_ref ref = cache_find(c, dir, name, len);
	uint64_t state;

	if (!ref)
		return 0;
	state = arena_load(&cache_entry(c, ref)->state);
	return cache_entry_valid(cache_head(c), dirflags, state) ? state : 0;
}

static int step_inside(const struct cache *c, const struct resolve_request *q, struct resolve *w,
		       uint32_t flags)
{
	arena_ref node;
	uint64_t state;
	int r;

	if (!(flags & NODE_DIR))
		return fail(w, -ENOTDIR);
	r = search(c, q, w);
	if (r != ON || dots(c, q, w, &r))
		return r;
	if (flags & NODE_DEAD)
		return fail(w, -ENOENT);
	if (w->len > NAME_MAX)
		return fail(w, -ENAMETOOLONG);
	state = state_of(c, w->at, flags, w->name, w->len);
	node = ENTRY_NODE_OF(state);
	if (ENTRY_KIND(state) == ENTRY_NEGATIVE) {
		if (!w->final)
			return fail(w, -ENOENT);
		w->slash |= w->trailing;
		w->dir = w->at;
		w->last = LAST_NORM;
		return (int)done(w, RESOLVE_NEGATIVE);
	}
	if (ENTRY_KIND(state) == ENTRY_UNKNOWN || cache_flags(cache_node(c, node)) & NODE_DEAD)
		return miss(w, MISS_NAME, w->at);
	if (cache_flags(cache_node(c, node)) & NODE_LINK && resolve_follows(q, w))
		return follow(c, q, w, node);
	w->dir = w->at;
	w->at = node;
	w->last = LAST_NORM;
	return consume(w);
}

/* Below /proc: a number, "self" or "thread-self"? */
static bool names_process(const struct resolve *w)
{
	if (w->len == 4 && memcmp(w->name, "self", 4) == 0)
		return true;
	if (w->len == 11 && memcmp(w->name, "thread-self", 11) == 0)
		return true;
	return !w->plain_proc && w->name[0] >= '0' && w->name[0] <= '9';
}

static int step_host(const struct cache *c, const struct resolve_request *q, struct resolve *w,
		     uint32_t flags)
{
	arena_ref node;
	uint64_t state;
	int r;

	r = search_host(c, q, w);
	if (r != ON || dots(c, q, w, &r))
		return r;
	if (w->len > NAME_MAX)
		return outside(w);
	if (flags & NODE_PROC && !w->literal && names_process(w)) {
		if (w->final && !resolve_follows(q, w))
			return outside(w);
		return (int)done(w, RESOLVE_MAGIC);
	}
	state = state_of(c, w->at, flags, w->name, w->len);
	node = ENTRY_NODE_OF(state);
	if (!node) {
		if (w->final && !resolve_follows(q, w))
			return outside(w);
		return miss(w, w->final ? MISS_LAST : MISS_NAME, w->at);
	}
	if (cache_flags(cache_node(c, node)) & NODE_LINK) {
		if (w->literal)
			return miss(w, MISS_NAME, w->at);
		return resolve_follows(q, w) ? follow(c, q, w, node) : outside(w);
	}
	w->dir = 0;
	w->last = LAST_NORM;
	r = enter_host(c, q, w, node);
	return r == ON ? consume(w) : r;
}

static int finish(const struct cache *c, const struct resolve_request *q, struct resolve *w)
{
	const struct cache_node *n = cache_node(c, w->at);
	uint32_t flags = cache_flags(n);

	w->node = w->at;
	if (w->last == LAST_ROOT)
		w->slash = true;
	if (flags & NODE_HOST)
		return (int)done(w, RESOLVE_OUTSIDE);
	if (w->slash && !(flags & NODE_DIR) && !(q->flags & PATH_CREATE))
		return fail(w, -ENOTDIR);
	if (q->flags & RESOLVE_PLACE && !cache_has(c, n, NODE_HAS_PLACE))
		return miss(w, MISS_PLACE, w->at);
	return (int)done(w, RESOLVE_FOUND);
}

enum resolve_kind resolve(const struct cache *c, const struct resolve_request *q,
			  struct resolve *w)
{
	int r = ON;

	while (r == ON) {
		const char *p = skip_slashes(w->level[w->depth]), *end, *rest;
		uint32_t flags;

		w->level[w->depth] = p;
		if (!*p) {
			if (!w->depth)
				return (enum resolve_kind)finish(c, q, w);
			pop(w);
			continue;
		}
		end = strchrnul(p, '/');
		rest = skip_slashes(end);
		w->name = p;
		w->len = (size_t)(end - p);
		w->final = !*rest && !w->depth;
		w->trailing = *end == '/';
		flags = cache_flags(cache_node(c, w->at));
		r = flags & NODE_HOST ? step_host(c, q, w, flags) : step_inside(c, q, w, flags);
	}
	return (enum resolve_kind)r;
}

/* --- the start -------------------------------------------------------------------------------- */

bool resolve_goes_up(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2) {
		if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return true;
	}
	return false;
}

int resolve_jump_root(const struct cache *c, const struct resolve_request *q, struct resolve *w)
{
	return jump_root(c, q, w) == ON ? 0 : w->error;
}

void resolve_jump_host(const struct cache *c, struct resolve *w, const char *host, const char *path)
{
	const struct cache_node *root = cache_node(c, cache_head(c)->host_root);

	w->at = cache_flags(root) & NODE_MOUNT ? root->twin : cache_head(c)->host_root;
	w->dir = 0;
	w->level[0] = path;
	w->level[1] = host;
	w->depth = 1;
	w->literal = true;
}

void resolve_start(const struct cache *c, const struct resolve_request *q, struct resolve *w)
{
	memset(w, 0, offsetof(struct resolve, level));
	w->kind = RESOLVE_MISS;
	w->miss = MISS_NAME;
	w->as_given = true;
	w->scoped = q->flags & (PATH_BENEATH | PATH_IN_ROOT);
	w->last = LAST_DOT;
	if (!*q->path && !(q->flags & PATH_EMPTY)) {
		fail(w, -ENOENT);
		return;
	}
	if (*q->path == '/' && !(q->flags & PATH_IN_ROOT)) {
		w->level[0] = q->path;
		jump_root(c, q, w);
		return;
	}
	if (q->start) {
		w->level[0] = q->path;
		w->at = q->start;
		w->as_given = cache_flags(cache_node(c, q->start)) & NODE_HOST;
		if (w->scoped)
			w->top = w->at;
	} else if (q->start_host && *q->start_host) {
		resolve_jump_host(c, w, q->start_host, q->path);
	} else if (q->start_host && !resolve_goes_up(q->path)) {
		/* Deleted, or no directory at all: nothing but ".." would lead out of it. */
		w->level[0] = "";
		done(w, RESOLVE_OUTSIDE);
	} else {
		fail(w, -ENOENT);
	}
	if (w->kind == RESOLVE_MISS && *q->path == '/')
		w->last = LAST_ROOT;
}
