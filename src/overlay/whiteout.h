/* SPDX-License-Identifier: MIT */
/*
 * How marks are written.  Reading knows every dialect (marks.c); an upper is written in one.
 *
 * A dialect hides names and moves objects in such a way that after each system call the upper is a
 * valid one.
 */
#ifndef FUSS_OVERLAY_WHITEOUT_H
#define FUSS_OVERLAY_WHITEOUT_H

#include "overlay/ovl.h"

/* What the upper holds under a name that is to be hidden; it goes away. */
enum { HIDE_NOTHING, HIDE_FILE, HIDE_DIR };

struct wh_ops {
	const char *name;
	/* Can it be written?  Tried in the work directory; the reason in why. */
	int (*probe)(struct overlay *ov, char *why, size_t size);
	/* Hides fd/name from the layers below.  HIDE_DIR: -ENOTEMPTY if it holds more than marks.
	 */
	int (*hide)(struct overlay *ov, struct node *dir, int fd, const char *name, int what);
	/*
	 * Renames an object of the upper.  hide: what the lowers hold under the old name stays
	 * hidden. way: what is in the way at the new one (WAY_*; an object is replaced).
	 */
	int (*move)(struct overlay *ov, int ofd, const char *oname, int nfd, const char *nname,
		    bool hide, int way, bool isdir);
	int (*set_opaque)(struct overlay *ov, int fd, const char *name);
	void (*clear_opaque)(struct overlay *ov, int fd, const char *name);
};

extern const struct wh_ops wh_chardev, wh_prefix;

/*
 * A mark at fd/name, made by make(): a link of one that is kept in the work directory, because a
 * link costs a tenth of an inode and rm -r needs many.  share is the name of the kept one.
 */
int wh_make(struct overlay *ov, int (*make)(int fd, const char *name), const char *share, int fd,
	    const char *name);
/* Both dialects: .wh.NAME, if there is one, goes. */
void wh_remove_prefix(struct overlay *ov, int fd, const char *name);
/* A directory that was moved to the work directory under this name holds nothing but marks. */
int wh_dir_check(struct overlay *ov, const char *work);

#endif
