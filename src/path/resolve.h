/* SPDX-License-Identifier: MIT */
/*
 * The walk: a pure, allocation-free function over the cache.  It only reads the arena, makes no
 * system call and keeps all of its state in struct resolve, so that it can run anywhere the arena
 * is mapped.
 *
 * Where it does not know enough it stops with RESOLVE_MISS (or RESOLVE_MAGIC) before the component
 * in question.  After the cache was filled resolve() may be called again with the same state and
 * goes on from there; starting anew gives the same result.
 */
#ifndef FUSS_PATH_RESOLVE_H
#define FUSS_PATH_RESOLVE_H

#include "path/cache.h"
#include "path/path.h"

/* As the kernel's MAXSYMLINKS. */
#define RESOLVE_MAXLINKS 40

/* In resolve_request.flags beside PATH_*: the real place of what is found must be known. */
#define RESOLVE_PLACE (1U << 16)

struct resolve_request {
	const char *path;
	unsigned flags;		 /* PATH_*, RESOLVE_PLACE */
	arena_ref start;	 /* the node that a relative path starts from, or 0 and … */
	const char *start_host;	 /* … a directory of the host; "": it has no path, NULL: none */
	const struct cred *cred; /* NULL: may search everywhere */
	pid_t tid, tgid;	 /* what thread-self and self of /proc mean, for the filler */
};

enum resolve_kind {
	RESOLVE_OUTSIDE,  /* node: a directory of the host, or 0; path: resolve_host_path() */
	RESOLVE_FOUND,	  /* node; dir and name, or dir 0 */
	RESOLVE_NEGATIVE, /* dir and name */
	RESOLVE_MISS,	  /* miss; node; name */
	RESOLVE_MAGIC,	  /* the component of /proc that names a process */
	RESOLVE_ERROR,	  /* error */
};

enum resolve_miss {
	MISS_NAME,   /* what node, a directory, holds under name */
	MISS_LAST,   /* the same for the last component on the host: is it a symlink? */
	MISS_PERM,   /* permissions of node */
	MISS_ACCESS, /* may cred search node?  Yes: set granted.  No on the host: set denied also */
	MISS_TARGET, /* target of the symlink node */
	MISS_PLACE,  /* real place of node */
};

struct resolve {
	/* result */
	enum resolve_kind kind;
	enum resolve_miss miss;
	int error; /* negative errno */
	arena_ref node, dir;
	const char *name; /* in the request, in the arena or in what the filler pushed */
	size_t len;
	bool slash;    /* the object must be a directory */
	bool as_given; /* never left the host */
	bool in_layer; /* RESOLVE_OUTSIDE: the filler knows that the object lies in a layer */
	uint8_t last;  /* LAST_* of struct path_result */

	/* the walk; the filler may change it, see fill.c */
	arena_ref at;	   /* where it is */
	arena_ref top;	   /* ".." goes no higher (RESOLVE_BENEATH, RESOLVE_IN_ROOT), 0: none */
	arena_ref granted; /* a directory that the caller may search, asked for elsewhere */
	bool denied;	   /* a directory of the host was passed that the caller may not search */
	bool scoped;	   /* top is to be set where the path starts */
	bool literal;	   /* the innermost level is a start_host: nothing in it is followed */
	bool plain_proc;   /* do not stop with RESOLVE_MAGIC at a number */
	bool final;	   /* the component at hand is the last one */
	bool trailing;	   /* … and has a slash behind it */
	unsigned links;	   /* followed so far */
	unsigned depth;
	/* What is left to walk: level[depth] first.  Below it are levels with something left. */
	const char *level[RESOLVE_MAXLINKS + 2];
};

/* Sets w up; RESOLVE_OUTSIDE or _ERROR in w->kind if this was all, else RESOLVE_MISS. */
void resolve_start(const struct cache *c, const struct resolve_request *q, struct resolve *w);
enum resolve_kind resolve(const struct cache *c, const struct resolve_request *q,
			  struct resolve *w);

/* RESOLVE_OUTSIDE: the host path, with what was not walked as it was spelled.  Length or
 * -ENAMETOOLONG. */
ssize_t resolve_host_path(const struct cache *c, const struct resolve *w, char *buf, size_t size);
/* What was not walked (the component at hand first), with no slash in front. */
ssize_t resolve_rest(const struct resolve *w, char *buf, size_t size);

/* --- for the filler: */

/* Counts a symlink that is about to be followed: 0 or -ELOOP. */
int resolve_count_link(const struct resolve_request *q, struct resolve *w);
/* Is the component at hand, being a symlink, to be followed? */
bool resolve_follows(const struct resolve_request *q, const struct resolve *w);
/* The walk ends where it is, before the component at hand: the kernel says what becomes of it. */
enum resolve_kind resolve_outside(struct resolve *w);
/* All that is left to walk is path; whoever owns it keeps it until the walk ends. */
void resolve_replace_rest(struct resolve *w, const char *path);
/* The walk goes on at host, the absolute path of a directory of the host, with path.  The directory
 * is the one that was there before anything was mounted. */
void resolve_jump_host(const struct cache *c, struct resolve *w, const char *host,
		       const char *path);
/* … or at what the caller sees as "/".  0 or -EXDEV. */
int resolve_jump_root(const struct cache *c, const struct resolve_request *q, struct resolve *w);
/* Does the path have a ".." in it? */
bool resolve_goes_up(const char *path);

#endif
