/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "memfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct object {
	struct vnode vn;
	struct object *next; /* all that ever were */
	struct object *parent;
	char *name;
	mode_t mode;
	uid_t uid;
	char *target;
	int layer;
	char *real;
	bool acl, gone;
	bool shown; /* looked up: vn is in use */
};

struct testfs {
	struct vfs fs;
	struct object *root, *all;
	unsigned lookups;
	char real[PATH_MAX]; /* of the root */
	bool mirror;
};

static struct testfs *testfs_of(struct vfs *fs)
{
	return (struct testfs *)(void *)fs;
}

static struct object *object_of(struct vnode *vn)
{
	return (struct object *)(void *)vn;
}

static struct object *object_new(struct testfs *t, struct object *parent, const char *name,
				 mode_t mode)
{
	struct object *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	o->next = t->all;
	t->all = o;
	o->parent = parent;
	o->name = strdup(name);
	o->mode = mode;
	return o;
}

static struct object *find(struct testfs *t, struct object *dir, const char *name, size_t len)
{
	for (struct object *o = t->all; o; o = o->next) {
		if (o->parent == dir && !o->gone && strlen(o->name) == len &&
		    memcmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

static void show(struct testfs *t, struct object *o)
{
	if (o->shown)
		return;
	if (vnode_init(&o->vn, &t->fs, o->parent ? &o->parent->vn : NULL, o->name, o->mode) < 0)
		abort();
	o->shown = true;
}

/* --- operations ------------------------------------------------------------------------------- */

static int op_root(struct vfs *fs, struct vnode **ret)
{
	*ret = &testfs_of(fs)->root->vn;
	return 0;
}

static int op_realpath(struct vnode *vn, char *buf, size_t size)
{
	struct testfs *t = testfs_of(vn->fs);
	char path[PATH_MAX];
	int r;

	if (object_of(vn)->real) {
		r = snprintf(buf, size, "%s", object_of(vn)->real);
		return r < (int)size ? 0 : -ENAMETOOLONG;
	}
	r = vnode_path(vn, path, sizeof(path));
	if (r < 0)
		return r;
	r = snprintf(buf, size, "%s%s%s", t->real, *path ? "/" : "", path);
	return r < (int)size ? 0 : -ENAMETOOLONG;
}

static int op_layer(struct vnode *vn)
{
	return object_of(vn)->layer;
}

static int mem_lookup(struct vnode *dir, const char *name, struct vnode **ret)
{
	struct testfs *t = testfs_of(dir->fs);
	struct object *o = find(t, object_of(dir), name, strlen(name));

	t->lookups++;
	if (!o)
		return -ENOENT;
	show(t, o);
	*ret = &o->vn;
	return 0;
}

static int mem_getattr(struct vnode *vn, struct statx *ret)
{
	*ret = (struct statx){
		.stx_mode = (uint16_t)object_of(vn)->mode,
		.stx_uid = object_of(vn)->uid,
		.stx_gid = object_of(vn)->uid,
	};
	return 0;
}

static int mem_readlink(struct vnode *vn, char *buf, size_t size)
{
	const char *s = object_of(vn)->target;
	size_t n = s ? strlen(s) : 0;

	if (!s)
		return -EINVAL;
	memcpy(buf, s, n < size ? n : size);
	return (int)(n < size ? n : size);
}

/* An ACL of the least entries and a mask says what the mode says. */
static ssize_t mem_getxattr(struct vnode *vn, const char *name, void *buf, size_t size,
			    const struct cred *c)
{
	mode_t m = object_of(vn)->mode;
	uint8_t acl[4 + 4 * 8] = { 2, 0, 0, 0 };
	const uint8_t tag[4] = { 1, 4, 0x10, 0x20 };
	const uint8_t perm[4] = { m >> 6 & 7, m >> 3 & 7, m >> 3 & 7, m & 7 };

	(void)c;
	if (!object_of(vn)->acl || strcmp(name, "system.posix_acl_access") != 0)
		return -ENODATA;
	for (unsigned i = 0; i < 4; i++) {
		acl[4 + i * 8] = tag[i];
		acl[6 + i * 8] = perm[i];
		memset(acl + 8 + i * 8, 0xff, 4);
	}
	if (size && size < sizeof(acl))
		return -ERANGE;
	if (size)
		memcpy(buf, acl, sizeof(acl));
	return sizeof(acl);
}

static int mirror_lookup(struct vnode *dir, const char *name, struct vnode **ret)
{
	struct testfs *t = testfs_of(dir->fs);
	char path[PATH_MAX];
	struct object *o;
	struct stat st;
	size_t n;
	int r;

	t->lookups++;
	*ret = vfs_child(dir, name);
	if (*ret)
		return 0;
	r = op_realpath(dir, path, sizeof(path));
	if (r < 0)
		return r;
	n = strlen(path);
	if (snprintf(path + n, sizeof(path) - n, "/%s", name) >= (int)(sizeof(path) - n))
		return -ENAMETOOLONG;
	r = x_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
	if (r < 0)
		return r;
	o = object_new(t, object_of(dir), name, st.st_mode);
	show(t, o);
	*ret = &o->vn;
	vfs_real(&o->vn, st.st_dev, st.st_ino);
	return 0;
}

static int mirror_getattr(struct vnode *vn, struct statx *ret)
{
	char path[PATH_MAX];
	int r = op_realpath(vn, path, sizeof(path));

	if (r == 0)
		r = (int)x_ret(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, ret));
	return r;
}

static int mirror_readlink(struct vnode *vn, char *buf, size_t size)
{
	char path[PATH_MAX];
	int r = op_realpath(vn, path, sizeof(path));

	return r < 0 ? r : (int)x_readlinkat(AT_FDCWD, path, buf, size);
}

static const struct vfs_ops mem_ops = {
	.version = VFS_VERSION,
	.name = "memfs",
	.root = op_root,
	.lookup = mem_lookup,
	.getattr = mem_getattr,
	.readlink = mem_readlink,
	.getxattr = mem_getxattr,
	.realpath = op_realpath,
	.layer = op_layer,
};

static const struct vfs_ops mirror_ops = {
	.version = VFS_VERSION,
	.name = "mirror",
	.root = op_root,
	.lookup = mirror_lookup,
	.getattr = mirror_getattr,
	.readlink = mirror_readlink,
	.realpath = op_realpath,
	.layer = op_layer,
};

/* --- the trees -------------------------------------------------------------------------------- */

static struct vfs *testfs_new(const struct vfs_ops *ops, const char *real, bool mirror)
{
	struct testfs *t = calloc(1, sizeof(*t));

	if (!t || vfs_init(&t->fs, ops) < 0)
		abort();
	snprintf(t->real, sizeof(t->real), "%s", real);
	t->mirror = mirror;
	t->root = object_new(t, NULL, "", S_IFDIR | 0755);
	show(t, t->root);
	return &t->fs;
}

struct vfs *memfs_new(void)
{
	return testfs_new(&mem_ops, "/upper", false);
}

struct vfs *mirror_new(const char *root)
{
	return testfs_new(&mirror_ops, root, true);
}

struct vnode *memfs_add(struct vfs *fs, const char *path, mode_t mode, uid_t uid,
			const char *target)
{
	struct testfs *t = testfs_of(fs);
	struct object *dir = t->root, *o;
	const char *end;

	for (; (end = strchr(path, '/')); path = end + 1) {
		dir = find(t, dir, path, (size_t)(end - path));
		if (!dir)
			abort();
	}
	o = object_new(t, dir, path, mode);
	o->uid = uid;
	o->target = target ? strdup(target) : NULL;
	show(t, dir);
	show(t, o);
	vfs_name_changed(&dir->vn, path);
	return &o->vn;
}

void memfs_place(struct vnode *vn, int layer, const char *real)
{
	struct object *o = object_of(vn);

	o->layer = layer;
	free(o->real);
	o->real = real ? strdup(real) : NULL;
	vfs_changed(vn);
}

void memfs_chmod(struct vnode *vn, mode_t mode, uid_t uid)
{
	struct object *o = object_of(vn);

	o->mode = (o->mode & S_IFMT) | mode;
	o->uid = uid;
	vfs_changed(vn);
}

void memfs_acl(struct vnode *vn)
{
	object_of(vn)->acl = true;
	vfs_changed(vn);
}

void memfs_remove(struct vnode *vn)
{
	object_of(vn)->gone = true;
	vnode_kill(vn);
}

void memfs_rename(struct vnode *vn, struct vnode *dir, const char *name)
{
	struct object *o = object_of(vn), *old;

	old = find(testfs_of(vn->fs), object_of(dir), name, strlen(name));
	if (old)
		memfs_remove(&old->vn);
	o->parent = object_of(dir);
	free(o->name);
	o->name = strdup(name);
	if (vnode_move(vn, dir, name) < 0)
		abort();
}

unsigned memfs_lookups(struct vfs *fs)
{
	unsigned n = testfs_of(fs)->lookups;

	testfs_of(fs)->lookups = 0;
	return n;
}

void testfs_free(struct vfs *fs)
{
	struct testfs *t = testfs_of(fs);
	struct object *next;

	for (struct object *o = t->all; o; o = next) {
		next = o->next;
		if (o->shown)
			free(o->vn.name);
		free(o->name);
		free(o->target);
		free(o->real);
		free(o);
	}
	vfs_fini(fs);
	free(t);
}
