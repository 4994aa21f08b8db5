/* SPDX-License-Identifier: MIT */
/* The working directory: a real directory of a layer, shown by its path in the view. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <fcntl.h>

#include "call/call.h"
#include "vfs/perm.h"

/* p->flag: the new cwd is a layer's directory, reached past the view. */
static void cwd_changed(struct calls *cs, struct call *c, struct pending *p)
{
	(void)cs;
	if (c->result >= 0)
		call_task(c)->fs->cwd_raw = p->flag;
}

static int cwd_after(struct calls *cs, struct call *c, bool raw)
{
	struct pending *p = call_pending(cs, c);

	if (!p)
		return -ENOMEM;
	p->finish = cwd_changed;
	p->flag = raw;
	return 0;
}

static int call_fchdir(struct calls *cs, struct call *c)
{
	_cleanup_task_fd_ struct task_fd f = TASK_FD_NONE;
	const struct cred *cred;
	int r = task_fd_get(call_task(c), (int)call_arg(c, R_FD), &f);

	if (r < 0)
		return r;
	if (!S_ISDIR(f.st.st_mode))
		return 0;
	if (!f.ours) {
		/* The same inode may be known as ours: then only the bit tells. */
		return path_by_stat(cs->space, &f.st) ? cwd_after(cs, c, true) : 0;
	}
	r = task_cred(call_task(c), &cred);
	if (r == 0 && f.vn && !f.vn->dead)
		r = perm_vnode(f.vn, PERM_X, cred);
	return r < 0 ? r : cwd_after(cs, c, false);
}

int call_chdir(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	int r;

	if (!call_has(c, R_PATH))
		return call_fchdir(cs, c);
	r = target_get(cs, c, 1, PATH_FOLLOW, &t);
	if (r < 0)
		return r;
	if (!t.inside) {
		r = target_outside(cs, c, 1, &t);
		return r == 0 && t.res.layer ? cwd_after(cs, c, true) : r;
	}
	if (!t.vn)
		return -ENOENT;
	if (!S_ISDIR(t.vn->type))
		return -ENOTDIR;
	if (t.vn->dead && !t.path[strspn(t.path, "./")])
		return 0; /* "." of a removed directory: where the task is already */
	r = perm_vnode(t.vn, PERM_X, t.cred);
	if (r < 0)
		return r;
	r = cwd_after(cs, c, false);
	return r < 0 ? r : target_redirect(cs, c, 1, t.vn);
}

int call_getcwd(struct calls *cs, struct call *c)
{
	struct path_where w;
	char text[PATH_MAX];
	ssize_t n;
	int r = task_start(call_task(c), AT_FDCWD, true, &w);

	if (r < 0)
		return r;
	if (!w.vn)
		return 0;
	if (w.vn->dead)
		return -ENOENT;
	n = path_virtual(cs->space, w.vn, text, sizeof(text));
	if (n < 0)
		return (int)n;
	if ((uint64_t)n + 1 > call_arg(c, R_LEN))
		return -ERANGE;
	r = call_write(c, call_arg(c, R_BUF), text, (size_t)n + 1);
	if (r < 0)
		return r;
	call_return(c, n + 1);
	return 0;
}
