/* SPDX-License-Identifier: MIT */
/* From the engine's events to the handlers, and the log of intercepted calls. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "call/call.h"

static const call_handler handlers[SYS_NCLASS] = {
	[SYS_OPEN] = call_open,
	[SYS_STAT] = call_stat,
	[SYS_ACCESS] = call_access,
	[SYS_READLINK] = call_readlink,
	[SYS_GETDENTS] = call_getdents,
	[SYS_MKNOD] = call_mknod,
	[SYS_SYMLINK] = call_symlink,
	[SYS_LINK] = call_link,
	[SYS_UNLINK] = call_unlink,
	[SYS_RENAME] = call_rename,
	[SYS_CHMOD] = call_chmod,
	[SYS_CHOWN] = call_chown,
	[SYS_UTIME] = call_utime,
	[SYS_TRUNCATE] = call_truncate,
	[SYS_GETXATTR] = call_getxattr,
	[SYS_SETXATTR] = call_setxattr,
	[SYS_LISTXATTR] = call_listxattr,
	[SYS_REMOVEXATTR] = call_removexattr,
	[SYS_STATFS] = call_statfs,
	[SYS_CHDIR] = call_chdir,
	[SYS_GETCWD] = call_getcwd,
	[SYS_EXEC] = call_exec,
	[SYS_SOCK] = call_sock,
	[SYS_REDIRECT] = call_redirect,
	[SYS_MOUNT] = call_mount,
	[SYS_FCNTL] = call_fcntl,
	[SYS_IOCTL] = call_ioctl,
	[SYS_FILEATTR] = call_fileattr,
	[SYS_CRED] = call_cred,
};

/* Failures that a change between redirect and execution can cause. */
static bool is_race_errno(int64_t r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ENXIO || r == -ELOOP || r == -EEXIST ||
	       r == -EISDIR;
}

uint64_t call_arg(const struct call *c, enum sys_role role)
{
	int i = sys_arg(c->row, role);

	return i < 0 ? 0 : c->arg[i];
}

void pending_free(struct pending *p)
{
	if (p)
		free(p->text);
	free(p);
}

int call_reserve(struct call *c)
{
	uint64_t addr;

	return call_put(c, "", 1, &addr);
}

struct pending *call_pending(struct calls *cs, struct call *c)
{
	struct pending *p = c->data;

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		p->gen = cs->gen;
		c->data = p;
	}
	call_want_exit(c);
	return p;
}

static void log_call(struct calls *cs, const struct call *c, int64_t result, bool ran)
{
	static struct log_line l;
	static char path[PATH_MAX];
	struct target *t = NULL;
	int argno = sys_arg(c->row, R_PATH);

	log_begin(&l, "INFO", "intercept");
	log_int(&l, "pid", c->t->tid);
	log_str(&l, "syscall", c->row->name);
	if (argno >= 0 && (t = malloc(sizeof(*t)))) {
		*t = (struct target){ .fd = TASK_FD_NONE };
		if (call_read_str((struct call *)c, c->arg[argno], path, sizeof(path)) >= 0)
			log_str(&l, "path", path);
		if (target_get(cs, (struct call *)c, 1, PATH_CREATE, t) == 0 && !t->by_fd) {
			const struct path_result *r = &t->res;
			ssize_t n = -1;

			if (!t->inside)
				log_str(&l, "resolved", r->host);
			else if (t->vn)
				n = path_virtual(cs->space, t->vn, path, sizeof(path));
			else if (r->dir)
				n = path_virtual(cs->space, r->dir, path, sizeof(path));
			if (n >= 0 && !t->vn && (size_t)n + strlen(r->name) + 2 < sizeof(path)) {
				path[n++] = '/';
				strcpy(path + n, r->name);
			}
			if (n >= 0) {
				size_t m = strlen(cs->mountpoint);

				log_str(&l, "resolved", path);
				log_str(&l, "vfs", path[m] ? path + m : "/");
			}
			if (t->vn && cs->fs->ops->layer)
				log_int(&l, "layer", cs->fs->ops->layer(t->vn));
		}
		target_put(t);
		free(t);
	}
	if (result < 0)
		log_str(&l, "result", strerrorname_np((int)-result) ? strerrorname_np((int)-result) : "error");
	else if (ran)
		log_int(&l, "result", result);
	log_end(&l);
}

static void on_enter(struct call *c, void *ctx)
{
	struct calls *cs = ctx;
	call_handler h = c->row->class < SYS_NCLASS ? handlers[c->row->class] : NULL;
	int r;

	if (c->row->class == SYS_PASS)
		return;
	if (call_task(c)->comm[0]) {
		r = exec_comm(cs, c);
		if (r == 0)
			return;
	}
	if (c->again || (cs->reopen && reopen_step(cs, c)))
		r = 0;
	else if (c->row->class == SYS_DENY)
		r = -c->row->deny;
	else
		r = h ? h(cs, c) : -ENOSYS;
	if (c->again) { /* entered once more with memory to write to */
		pending_free(c->data);
		c->data = NULL;
		return;
	}
	if (r < 0)
		call_return(c, r);
}

/* Is a directory above the top-most layer closed to these credentials? */
static bool way_is_closed(struct calls *cs, const struct cred *cred)
{
	char real[PATH_MAX];
	struct vnode *root;
	struct stat st;

	if (cs->fs->ops->root(cs->fs, &root) < 0 ||
	    cs->fs->ops->realpath(root, real, sizeof(real)) < 0)
		return false;
	for (char *slash; (slash = strrchr(real, '/')) && slash != real;) {
		*slash = 0;
		if (stat(real, &st) < 0)
			return false;
		if (!(st.st_mode & (st.st_uid == cred->fsuid		? 0100
				    : cred_in_group(cred, st.st_gid) ? 0010
								     : 0001)))
			return true;
	}
	return false;
}

/*
 * A task that changed its user opens the real file with its own rights; where a directory above a layer is
 * closed to it, the kernel's mount would still let it in.
 */
static void warn_unreachable(struct calls *cs, const struct call *c)
{
	const struct cred *cred;

	if (cs->warned_reach || task_cred(call_task(c), &cred) < 0 ||
	    cred->fsuid == geteuid() || !way_is_closed(cs, cred))
		return;
	cs->warned_reach = true;
	warn("user %u of process %d may not have access to the layers: open the directories above them "
	     "to others (chmod o+x)", (unsigned)cred->fsuid, (int)c->t->tgid);
}

static void on_exit_call(struct call *c, void *ctx)
{
	struct calls *cs = ctx;
	struct pending *p = c->data;

	if (p) {
		if (p->redirected && c->result == -EACCES)
			warn_unreachable(cs, c);
		if (p->redirected && p->gen != cs->gen && is_race_errno(c->result) && !p->made) {
			debug("%s raced with a change, again", c->row->name);
			call_retry(c);
		} else if (p->finish) {
			p->finish(cs, c, p);
		}
		pending_free(p);
		c->data = NULL;
	}
	if (log_on(LOG_INTERCEPT) && c->row->class != SYS_PASS)
		log_call(cs, c, c->result, true);
}

static void on_cancel(struct call *c, void *ctx)
{
	(void)ctx;
	pending_free(c->data);
	c->data = NULL;
}

static int on_task_new(struct tracee *child, struct tracee *parent, uint64_t flags, void *ctx)
{
	struct calls *cs = ctx;
	struct task *t;
	int r = task_new(&cs->tasks, child->tid, child->tgid, parent ? parent->data : NULL, flags, &t);

	if (r < 0)
		return r;
	t->handle = child;
	child->data = t;
	return 0;
}

static void on_exec(struct tracee *t, struct call *c, uint64_t sp, void *ctx)
{
	struct calls *cs = ctx;
	struct task *task = t->data;
	struct pending *p = c ? c->data : NULL;

	if (task_exec(task, t->tid, t->tgid, p ? p->vn : NULL) < 0)
		msg("out of memory: process %d shows wrong /proc/self/exe", (int)t->tgid);
	if (c)
		exec_done(cs, task, c, sp);
}

static void on_task_gone(struct tracee *t, void *ctx)
{
	if (t->tid == t->tgid)
		reopen_forget(ctx, t->tgid);
	task_free(t->data);
	t->data = NULL;
}

static int getfd(void *arg, struct task *t, int fd)
{
	(void)arg;
	return tracee_getfd(t->handle, fd);
}

struct engine_cb calls_callbacks(struct calls *cs)
{
	return (struct engine_cb){
		.enter = on_enter,
		.exit = on_exit_call,
		.cancel = on_cancel,
		.task_new = on_task_new,
		.task_exec = on_exec,
		.task_gone = on_task_gone,
		.ctx = cs,
	};
}

int calls_init(struct calls *cs, struct vfs *fs, struct path_space *space, const char *mountpoint)
{
	struct vnode *root;
	struct statfs sf;
	int r = fs->ops->root(fs, &root);

	if (r < 0)
		return r;
	cs->fs = fs;
	cs->space = space;
	cs->mountpoint = mountpoint;
	cs->readonly = fs->ops->statfs && fs->ops->statfs(root, &sf) == 0 && (sf.f_flags & ST_RDONLY);
	tasks_init(&cs->tasks);
	cs->tasks.space = space;
	cs->tasks.vfs = fs;
	cs->tasks.getfd = getfd;
	return 0;
}

void calls_fini(struct calls *cs)
{
	tasks_fini(&cs->tasks);
}
