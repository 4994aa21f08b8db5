/* SPDX-License-Identifier: MIT */
/* The union of directories: vfs.h over layers in the format of kernel overlayfs and fuse-overlayfs.
 */
#ifndef FUSS_OVERLAY_OVERLAY_H
#define FUSS_OVERLAY_OVERLAY_H

#include "vfs/vfs.h"

enum overlay_dialect { DIALECT_AUTO, DIALECT_CHARDEV, DIALECT_FILEPREFIX };

struct overlay_config {
	const char *upper;	    /* absolute; NULL: read-only view */
	const char *const *lower;   /* absolute, top-most first */
	unsigned nlower;
	const char *work; /* absolute; NULL: a private directory beside upper, when needed */
	enum overlay_dialect dialect;
	int userxattr;		    /* 1: marks under user., 0: trusted., -1: by privilege */
};

/*
 * Checks everything before anything is changed.  On failure returns -errno and puts one sentence
 * with the reason and the remedy into why (no trailing newline).
 */
int overlay_new(const struct overlay_config *cfg, struct vfs **ret, char *why, size_t size);

#endif
