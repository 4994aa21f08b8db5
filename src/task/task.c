/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "task/task.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>

static struct task **task_bucket(struct tasks *all, pid_t tid)
{
	return &all->bucket[(unsigned)tid % TASK_BUCKETS];
}

void tasks_init(struct tasks *all)
{
	*all = (struct tasks){ .cred_gen = 1 };
}

static void task_fs_unref(struct task_fs *fs)
{
	if (fs && --fs->refs == 0)
		free(fs);
}

static void task_image_unref(struct task_image *image)
{
	if (image && --image->refs == 0)
		free(image);
}

struct task *tasks_find(struct tasks *all, pid_t tid)
{
	struct task *t = *task_bucket(all, tid);

	while (t && t->tid != tid)
		t = t->next;
	return t;
}

static void task_link(struct task *t)
{
	struct task **b = task_bucket(t->all, t->tid);

	t->next = *b;
	*b = t;
}

static void task_unlink(struct task *t)
{
	for (struct task **p = task_bucket(t->all, t->tid); *p; p = &(*p)->next) {
		if (*p != t)
			continue;
		*p = t->next;
		return;
	}
}

static struct task_fs *task_fs_for(struct task *parent, uint64_t flags)
{
	if (parent && (flags & CLONE_FS)) {
		parent->fs->refs++;
		return parent->fs;
	}
	struct task_fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->refs = 1;
	fs->cwd_raw = parent && parent->fs->cwd_raw;
	return fs;
}

static struct task_image *task_image_for(struct task *parent, uint64_t flags)
{
	if (parent && (flags & CLONE_VM)) {
		parent->image->refs++;
		return parent->image;
	}
	struct task_image *image = calloc(1, sizeof(*image));

	if (!image)
		return NULL;
	image->refs = 1;
	image->exe = parent ? parent->image->exe : NULL;
	return image;
}

int task_new(struct tasks *all, pid_t tid, pid_t tgid, struct task *parent, uint64_t flags,
	     struct task **ret)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->all = all;
	t->tid = tid;
	t->tgid = tgid;
	t->fs = task_fs_for(parent, flags);
	t->image = task_image_for(parent, flags);
	if (!t->fs || !t->image) {
		task_fs_unref(t->fs);
		task_image_unref(t->image);
		free(t);
		return -ENOMEM;
	}
	task_link(t);
	*ret = t;
	return 0;
}

void task_free(struct task *t)
{
	if (!t)
		return;
	task_unlink(t);
	task_fs_unref(t->fs);
	task_image_unref(t->image);
	free(t->groups);
	free(t);
}

void tasks_fini(struct tasks *all)
{
	for (unsigned i = 0; i < TASK_BUCKETS; i++)
		while (all->bucket[i])
			task_free(all->bucket[i]);
}

int task_exec(struct task *t, pid_t tid, pid_t tgid, struct vnode *exe)
{
	struct task_image *image = calloc(1, sizeof(*image));

	if (!image)
		return -ENOMEM;
	image->refs = 1;
	image->exe = exe;
	task_image_unref(t->image);
	t->image = image;
	t->cred_gen = 0; /* set-id programs, capabilities */
	if (t->tid != tid) {
		task_unlink(t);
		t->tid = tid;
		task_link(t);
	}
	t->tgid = tgid;
	return 0;
}

int task_unshare_fs(struct task *t)
{
	if (t->fs->refs == 1)
		return 0;
	struct task_fs *fs = task_fs_for(t, 0);

	if (!fs)
		return -ENOMEM;
	task_fs_unref(t->fs);
	t->fs = fs;
	return 0;
}

void task_creds_changed(struct tasks *all)
{
	all->cred_gen++;
}
