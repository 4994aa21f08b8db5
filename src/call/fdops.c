/* SPDX-License-Identifier: MIT */
/* fcntl(F_GETFL), ioctls that change an inode, file_getattr/file_setattr. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "call/call.h"

int call_fcntl(struct calls *cs, struct call *c)
{
	_cleanup_task_fd_ struct task_fd f = TASK_FD_NONE;
	int fd = (int)call_arg(c, R_FD), r;

	(void)cs;
	if ((int)call_arg(c, R_CMD) != F_GETFL)
		return 0;
	r = task_fd_get(call_task(c), fd, &f);
	if (r < 0)
		return r;
	if (f.ours)
		call_return(c, task_unmark_oflags(call_task(c), fd, &f));
	return 0;
}

/* The flags ioctls take a long by name and an int in fact. */
static int ioctl_on_upper(struct calls *cs, struct call *c, struct vnode *vn, uint64_t cmd)
{
	_cleanup_fd_ int fd = -1;
	char real[PATH_MAX];
	union {
		int flags;
		struct fsxattr xattr;
	} arg = { 0 };
	size_t len = cmd == FS_IOC_FSSETXATTR ? sizeof(arg.xattr) : sizeof(arg.flags);
	int r = call_read(c, call_arg(c, R_ARG), &arg, len);

	if (r < 0)
		return r;
	r = cs->fs->ops->make_writable(vn, false);
	cs->gen++;
	if (r == 0)
		r = cs->fs->ops->realpath(vn, real, sizeof(real));
	if (r < 0)
		return r;
	fd = x_openat(AT_FDCWD, real, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	return (int)x_ret(ioctl(fd, (unsigned long)cmd, &arg));
}

/* A descriptor that was opened on a lower file: the change belongs to its copy. */
int call_ioctl(struct calls *cs, struct call *c)
{
	_cleanup_task_fd_ struct task_fd f = TASK_FD_NONE;
	uint64_t cmd = call_arg(c, R_CMD) & 0xffffffff;
	const struct cred *cred;
	struct statx stx;
	int r = task_fd_get(call_task(c), (int)call_arg(c, R_FD), &f);

	if (r < 0)
		return r;
	if (!f.ours || !f.vn || (f.flags & O_PATH))
		return 0;
	if (!S_ISREG(f.vn->type) && !S_ISDIR(f.vn->type))
		return 0;
	if (f.vn->dead)
		return task_fd_in_upper(call_task(c), (int)call_arg(c, R_FD)) ? 0 : -ESTALE;
	if (cs->readonly)
		return -EROFS;
	if (!cs->fs->ops->make_writable)
		return -EOPNOTSUPP;
	r = task_cred(call_task(c), &cred);
	if (r == 0)
		r = cs->fs->ops->getattr(f.vn, &stx);
	if (r < 0)
		return r;
	if (stx.stx_uid != cred->fsuid && !cred_has_cap(cred, CAP_FOWNER))
		return -EACCES;
	switch (cmd) {
	case FS_IOC_SETFLAGS:
	case FS_IOC32_SETFLAGS:
		r = ioctl_on_upper(cs, c, f.vn, FS_IOC_SETFLAGS);
		break;
	case FS_IOC_FSSETXATTR:
		r = ioctl_on_upper(cs, c, f.vn, cmd);
		break;
	default:
		return -ENOTTY; /* as overlayfs, which passes on only the flags */
	}
	if (r < 0)
		return r;
	call_return(c, 0);
	return 0;
}

/* Both are answered with what callers fall back from: the flags ioctls. */
int call_fileattr(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	int r = target_object(cs, c, &t);

	if (r < 0)
		return r;
	return t.inside ? -EOPNOTSUPP : target_outside(cs, c, 1, &t);
}
