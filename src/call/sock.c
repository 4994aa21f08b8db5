/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX addresses that are paths.  The address is 108 bytes at most: a real path that is longer is
 * reached through a directory descriptor of ours.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "call/call.h"
#include "vfs/perm.h"

/* 1: a path was read; 0: another family, an abstract or no name, or the kernel's to refuse. */
static int sock_path(struct call *c, uint64_t addr, uint64_t len, char path[sizeof(struct sockaddr_un)])
{
	struct sockaddr_un un = { 0 };
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	int r;

	if (addr == 0 || len <= head || len > sizeof(un))
		return 0;
	r = call_read(c, addr, &un, len);
	if (r < 0)
		return r;
	if (un.sun_family != AF_UNIX || un.sun_path[0] == 0)
		return 0;
	memcpy(path, un.sun_path, len - head);
	path[len - head] = 0;
	return 1;
}

#define ADDR_PATH sizeof(((struct sockaddr_un *)0)->sun_path)
/* Longer names do not fit behind the descriptor of their directory. */
#define SHORT_NAME (ADDR_PATH - sizeof("/proc/4194304/fd/1048576/"))

static bool sock_fits(const char *real)
{
	return strlen(real) < ADDR_PATH || strlen(strrchr(real, '/') + 1) <= SHORT_NAME;
}

/*
 * real as a socket address: itself where it fits, else through a descriptor of its directory, or of
 * the socket if its name is long, too.  It stays open until the call is over (a ring: as many calls
 * as are ever in flight).
 */
static int sock_short(const char *real, struct sockaddr_un *un, socklen_t *len)
{
	static int ring[64] = { 0 };
	static unsigned next;
	char dir[PATH_MAX];
	const char *slash;
	int fd, n;

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(real) < sizeof(un->sun_path)) {
		strcpy(un->sun_path, real);
		*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(real) + 1);
		return 0;
	}
	slash = sock_fits(real) ? strrchr(real, '/') : "";
	snprintf(dir, sizeof(dir), "%.*s", (int)(strlen(real) - strlen(slash)), real);
	fd = x_openat(AT_FDCWD, dir, O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	if (ring[next])
		close(ring[next]);
	ring[next] = fd;
	next = (next + 1) % 64;
	n = snprintf(un->sun_path, sizeof(un->sun_path), "/proc/%d/fd/%d%s", (int)getpid(), fd, slash);
	if (n >= (int)sizeof(un->sun_path))
		return -ENAMETOOLONG;
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
	return 0;
}

static int sock_set_addr(struct calls *cs, struct call *c, const char *real)
{
	struct sockaddr_un un;
	struct pending *p = call_pending(cs, c);
	socklen_t len;
	int r = p ? sock_short(real, &un, &len) : -ENOMEM;

	if (r < 0)
		return r;
	p->redirected = c->row->class == SYS_SOCK && c->id != SYS_ID_bind;
	r = call_set_bytes(c, (unsigned)sys_arg(c->row, R_ADDR), &un, sizeof(un));
	return r < 0 ? r : call_set_arg(c, (unsigned)sys_arg(c->row, R_ADDRLEN), len);
}

static void bound(struct calls *cs, struct call *c, struct pending *p)
{
	const struct cred *cred;
	struct vnode *vn;
	int r;

	path_forget(cs->space, p->dir, p->name);
	cs->gen++;
	if (!p->text || c->result < 0)
		return;
	/* Made under another name: a whiteout was in the way, or its own is long. */
	r = task_cred(call_task(c), &cred);
	path_forget(cs->space, p->dir, p->text);
	if (r == 0)
		r = cs->fs->ops->lookup(p->dir, p->text, &vn);
	if (r == 0)
		r = cs->fs->ops->rename(p->dir, p->text, vn, p->dir, p->name, NULL, 0, cred);
	if (r < 0)
		call_return(c, r);
}

static int sock_bind(struct calls *cs, struct call *c, struct target *t)
{
	char real[PATH_MAX], temp[32];
	struct pending *p;
	int r;

	/* unix_bind_bsd() gives EADDRINUSE for what filename_create() calls EEXIST. */
	if (t->vn || !t->res.dir || t->res.last != LAST_NORM)
		return -EADDRINUSE;
	if (t->res.slash)
		return -ENOENT;
	if (cs->readonly)
		return -EROFS;
	r = perm_create(t->res.dir, t->cred);
	if (r < 0)
		return r;
	if (!cs->fs->ops->create_path)
		return -EOPNOTSUPP;
	p = call_pending(cs, c);
	if (!p)
		return -ENOMEM;
	p->finish = bound;
	p->dir = t->res.dir;
	strcpy(p->name, t->res.name);
	r = cs->fs->ops->create_path(t->res.dir, t->res.name, t->cred, real, sizeof(real));
	if (r == -EEXIST || (r == 0 && !sock_fits(real))) {
		snprintf(temp, sizeof(temp), ".fuss-bind-%d", (int)c->t->tid);
		free(p->text);
		p->text = strdup(temp);
		if (!p->text)
			return -ENOMEM;
		r = cs->fs->ops->create_path(t->res.dir, temp, t->cred, real, sizeof(real));
	}
	if (r < 0)
		return r;
	path_forget(cs->space, p->dir, p->name);
	return sock_set_addr(cs, c, real);
}

/* The address of connect and sendto, or of a message: *ret_real is its real path, "" for none of ours. */
static int sock_peer(struct calls *cs, struct call *c, struct target *t, char real[PATH_MAX])
{
	int r = target_by_name(cs, c, t->path, PATH_FOLLOW, t);

	real[0] = 0;
	if (r < 0)
		return r;
	if (!t->inside) {
		if (!t->res.as_given)
			strcpy(real, t->res.host);
		return 0;
	}
	if (!t->vn)
		return -ENOENT;
	if (S_ISSOCK(t->vn->type)) {
		r = perm_vnode(t->vn, PERM_W, t->cred);
		if (r < 0)
			return r;
	}
	return cs->fs->ops->realpath(t->vn, real, PATH_MAX);
}

/* sendmsg: the header is copied, with another name. */
static int sock_message(struct calls *cs, struct call *c, struct target *t)
{
	struct { /* as a 64-bit ABI has it */
		uint64_t name;
		uint32_t namelen, pad;
		uint64_t rest[5];
	} msg;
	char real[PATH_MAX];
	struct sockaddr_un un;
	socklen_t len;
	int r;

	if (c->abi->word != 8)
		return -EOPNOTSUPP;
	r = call_read(c, call_arg(c, R_MSG), &msg, 56);
	if (r < 0)
		return r;
	r = sock_path(c, msg.name, msg.namelen, t->path);
	if (r <= 0)
		return r;
	r = sock_peer(cs, c, t, real);
	if (r < 0 || !real[0])
		return r;
	if (c->id == SYS_ID_sendmmsg) {
		warn("sendmmsg to a socket path below the mount point is not supported (process %d)",
		     (int)c->t->tgid);
		return -EOPNOTSUPP;
	}
	r = sock_short(real, &un, &len);
	if (r == 0)
		r = call_put(c, &un, sizeof(un), &msg.name);
	if (r < 0)
		return r;
	msg.namelen = len;
	return call_set_bytes(c, (unsigned)sys_arg(c->row, R_MSG), &msg, 56);
}

int call_sock(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	char real[PATH_MAX];
	int r;

	if (call_has(c, R_MSG))
		return sock_message(cs, c, &t);
	r = sock_path(c, call_arg(c, R_ADDR), call_arg(c, R_ADDRLEN), t.path);
	if (r <= 0)
		return r;
	if (c->id == SYS_ID_bind) {
		r = target_by_name(cs, c, t.path, PATH_CREATE, &t);
		if (r < 0)
			return r;
		if (t.inside)
			return sock_bind(cs, c, &t);
		return t.res.as_given ? 0 : sock_set_addr(cs, c, t.res.host);
	}
	r = sock_peer(cs, c, &t, real);
	if (r < 0)
		return r;
	return real[0] ? sock_set_addr(cs, c, real) : 0;
}
