/* SPDX-License-Identifier: MIT */
/* Credentials and umask of a task, as /proc/TID/status shows them. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "task/task.h"

/* The text after "Key:\t", or NULL. */
static const char *status_field(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, n) == 0 && p[n] == ':')
			return p + n + 1;
	}
	return NULL;
}

static int compare_gid(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

static int parse_groups(struct task *t, const char *p)
{
	unsigned n = 0, room = 0;
	gid_t *g = NULL;

	for (;;) {
		char *end;
		unsigned long v;

		while (*p == ' ' || *p == '\t')
			p++;
		if (*p < '0' || *p > '9')
			break;
		v = strtoul(p, &end, 10);
		p = end;
		if (n == room) {
			gid_t *more = reallocarray(g, room = room ? 2 * room : 16, sizeof(*g));

			if (!more) {
				free(g);
				return -ENOMEM;
			}
			g = more;
		}
		g[n++] = (gid_t)v;
	}
	if (n)
		qsort(g, n, sizeof(*g), compare_gid);
	free(t->groups);
	t->groups = g;
	t->cred.groups = g;
	t->cred.ngroups = n;
	return 0;
}

/* The whole of a small /proc file, terminated. */
static int read_status(pid_t tid, char **ret)
{
	char path[64];
	_cleanup_fd_ int fd = -1;
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, room = 8192;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	fd = x_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	buf = malloc(room);
	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = x_ret(read(fd, buf + len, room - len - 1));

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		len += (size_t)n;
		if (room - len < 2) { /* 65,536 groups are possible */
			char *more = realloc(buf, room *= 2);

			if (!more)
				return -ENOMEM;
			buf = more;
		}
	}
	buf[len] = 0;
	*ret = steal_ptr(&buf);
	return 0;
}

int task_cred(struct task *t, const struct cred **ret)
{
	_cleanup_free_ char *text = NULL;
	const char *p;
	int r;

	if (t->cred_gen == t->all->cred_gen) {
		*ret = &t->cred;
		return 0;
	}
	r = read_status(t->tid, &text);
	if (r < 0)
		return r;
	p = status_field(text, "Uid");
	if (!p || sscanf(p, "%u %u %*u %u", &t->cred.uid, &t->cred.euid, &t->cred.fsuid) != 3)
		return -EIO;
	p = status_field(text, "Gid");
	if (!p || sscanf(p, "%u %u %*u %u", &t->cred.gid, &t->cred.egid, &t->cred.fsgid) != 3)
		return -EIO;
	p = status_field(text, "CapEff");
	if (!p)
		return -EIO;
	t->cred.caps = strtoull(p + strspn(p, " \t"), NULL, 16);
	p = status_field(text, "Umask"); /* since Linux 4.7 */
	t->cred.umask = p ? (mode_t)strtoul(p + strspn(p, " \t"), NULL, 8) : 022;
	p = status_field(text, "Groups");
	if (!p)
		return -EIO;
	r = parse_groups(t, p);
	if (r < 0)
		return r;
	t->cred_gen = t->all->cred_gen;
	*ret = &t->cred;
	return 0;
}
