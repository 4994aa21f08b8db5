/* SPDX-License-Identifier: MIT */
#ifndef FUSS_VFS_PASSTHROUGH_H
#define FUSS_VFS_PASSTHROUGH_H

#include "vfs/vfs.h"

/* Shows the directory root (absolute) as it is: the reference implementation of vfs.h. */
int passthrough_new(const char *root, struct vfs **ret);

#endif
