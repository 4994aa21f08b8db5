/* SPDX-License-Identifier: MIT */
/* Calls that read one path, mounts, credentials. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/log.h"
#include "call/call.h"

/* AT_HANDLE_FID (since 6.5): only to tell files apart, for fanotify. */
#define HANDLE_FID 0x200

/* inotify_add_watch, name_to_handle_at, fanotify_mark, swapon, acct …: the kernel runs them. */
int call_redirect(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	unsigned flags = PATH_FOLLOW;
	int r;

	if (c->id == SYS_ID_inotify_add_watch && (call_arg(c, R_MASK) & IN_DONT_FOLLOW))
		flags = 0;
	if (c->id == SYS_ID_name_to_handle_at && !(call_atflags(c) & AT_SYMLINK_FOLLOW))
		flags = 0;
	/* acct(NULL), fanotify_mark(…, NULL) and quotactl(…, NULL) name nothing. */
	if (call_has(c, R_PATH) && call_arg(c, R_PATH) == 0)
		return 0;
	r = target_get(cs, c, 1, flags, &t);
	if (r < 0)
		return r;
	if (!t.inside)
		return target_outside(cs, c, 1, &t);
	if (!t.vn && !t.by_fd)
		return -ENOENT;
	/* A handle would lead to the real file, past us; overlayfs has none either (nfs_export=off). */
	if (c->id == SYS_ID_name_to_handle_at && !(call_atflags(c) & HANDLE_FID))
		return -EOPNOTSUPP;
	if (t.by_fd)
		return 0;
	return target_redirect(cs, c, 1, t.vn);
}

static int mount_refuse(struct calls *cs, const struct call *c, const char *why)
{
	if (!cs->warned_mount)
		warn("%s by process %d refused: %s", c->row->name, (int)c->t->tgid, why);
	cs->warned_mount = true;
	return -EPERM;
}

/*
 * Mounts on our paths would be made in a layer, where nobody could see them: refused.  Elsewhere they run,
 * and what host paths mean may have changed.
 */
int call_mount(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	struct pending *p;
	int r;

	for (int which = 1; which <= 2; which++) {
		int argno = sys_arg(c->row, which == 1 ? R_PATH : R_PATH2);

		if (argno < 0 || c->arg[argno] == 0)
			continue;
		r = target_get(cs, c, which, PATH_FOLLOW, &t);
		if (r == -ENOENT && which == 1 && c->id == SYS_ID_mount)
			continue; /* a source that is no path */
		if (r < 0)
			return r;
		if (t.inside)
			return mount_refuse(cs, c, "the directory is below the mount point of fuss");
		r = target_outside(cs, c, which, &t);
		if (r < 0)
			return r;
		if (c->id == SYS_ID_chroot && strcmp(t.res.host, "/") != 0)
			return mount_refuse(cs, c, "a changed root directory cannot be followed");
		if (c->id == SYS_ID_pivot_root)
			return mount_refuse(cs, c, "a changed root directory cannot be followed");
		target_put(&t);
	}
	p = call_pending(cs, c);
	if (!p)
		return -ENOMEM;
	path_host_changed(cs->space);
	return 0;
}

static void creds_changed(struct calls *cs, struct call *c, struct pending *p)
{
	(void)p;
	task_creds_changed(&cs->tasks);
	if (c->id == SYS_ID_unshare && c->result == 0 && (c->arg[0] & (CLONE_FS | CLONE_NEWNS)) &&
	    task_unshare_fs(call_task(c)) < 0)
		msg("out of memory: the working directory of process %d may be mistaken", (int)c->t->tgid);
}

int call_cred(struct calls *cs, struct call *c)
{
	struct pending *p = call_pending(cs, c);

	if (!p)
		return -ENOMEM;
	p->finish = creds_changed;
	return 0;
}
