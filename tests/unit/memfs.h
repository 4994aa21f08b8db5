/* SPDX-License-Identifier: MIT */
/* File systems for unit tests: a tree in memory, and a mirror of a real directory. */
#ifndef FUSS_TESTS_UNIT_MEMFS_H
#define FUSS_TESTS_UNIT_MEMFS_H

#include "vfs/vfs.h"

/* An empty tree, its root root-owned and 0755, in layer 0, whose real path is /upper. */
struct vfs *memfs_new(void);
/* path: below the root, its parent exists.  mode with S_IFMT; target of a symlink, else NULL. */
struct vnode *memfs_add(struct vfs *fs, const char *path, mode_t mode, uid_t uid,
			const char *target);
/* Real objects: layer and path; 0 and NULL: /upper and the path in the tree. */
void memfs_place(struct vnode *vn, int layer, const char *real);
void memfs_chmod(struct vnode *vn, mode_t mode, uid_t uid);
/* An extended ACL that changes nothing, so that the answer must come from perm_vnode(). */
void memfs_acl(struct vnode *vn);
void memfs_remove(struct vnode *vn);
void memfs_rename(struct vnode *vn, struct vnode *dir, const char *name);
/* Look-ups that came through since the last time. */
unsigned memfs_lookups(struct vfs *fs);

/* Shows the directory root as it is, in layer 0. */
struct vfs *mirror_new(const char *root);

void testfs_free(struct vfs *fs);

#endif
