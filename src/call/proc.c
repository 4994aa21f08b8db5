/* SPDX-License-Identifier: MIT */
/* Links in /proc that lead to something of ours show the path in the view. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "call/call.h"

/*
 * "/proc/PID/WHAT" or "/proc/PID/task/TID/WHAT": the task, and WHAT.  The numbers are numeric: the path
 * module has replaced self and thread-self.
 */
static struct task *proc_task(struct calls *cs, const char *host, const char **ret_what)
{
	const char *p = host;
	char *end;
	long tid;

	if (strncmp(p, "/proc/", 6) != 0)
		return NULL;
	tid = strtol(p + 6, &end, 10);
	if (end == p + 6 || *end != '/')
		return NULL;
	if (strncmp(end, "/task/", 6) == 0) {
		p = end;
		tid = strtol(p + 6, &end, 10);
		if (end == p + 6 || *end != '/')
			return NULL;
	}
	*ret_what = end + 1;
	return tasks_find(&cs->tasks, (pid_t)tid);
}

struct task *proc_fd_of(struct calls *cs, const char *host, int *ret_fd)
{
	const char *what;
	char *end;
	struct task *t = proc_task(cs, host, &what);
	long fd;

	if (!t || strncmp(what, "fd/", 3) != 0)
		return NULL;
	fd = strtol(what + 3, &end, 10);
	if (end == what + 3 || *end)
		return NULL;
	*ret_fd = (int)fd;
	return t;
}

ssize_t proc_link_text(struct calls *cs, const char *host, char *buf, size_t size)
{
	const char *what;
	struct task *t = proc_task(cs, host, &what);
	struct path_where w;
	int fd;

	if (!t)
		return -ENOENT;
	if (proc_fd_of(cs, host, &fd)) {
		_cleanup_task_fd_ struct task_fd f = TASK_FD_NONE;
		int r = task_fd_get(t, fd, &f);

		return r < 0 ? -ENOENT : task_fd_path(t, &f, fd, buf, size);
	}
	if (strcmp(what, "exe") == 0) {
		if (!t->image->exe)
			return -ENOENT;
		return path_virtual(cs->space, t->image->exe, buf, size);
	}
	if (strcmp(what, "cwd") == 0) {
		if (task_start(t, AT_FDCWD, true, &w) < 0 || !w.vn)
			return -ENOENT;
		return path_virtual(cs->space, w.vn, buf, size);
	}
	return -ENOENT;
}
