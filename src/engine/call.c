/* SPDX-License-Identifier: MIT */
/* The verbs: they write down what shall happen; the executor does it when the callback has
 * returned. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "engine/ops.h"

static struct active_call *active(struct call *c)
{
	return (struct active_call *)c;
}

void active_call_init(struct active_call *a, const struct engine_ops *ops, struct tracee *t,
		      const struct abi *abi, unsigned id, const uint64_t arg[6])
{
	*a = (struct active_call){
		.c = { .t = t, .abi = abi, .row = &sys_table[id], .id = id, .exec = ops },
		.id = id,
	};
	memcpy(a->c.arg, arg, sizeof(a->c.arg));
}

ssize_t call_read_some(struct call *c, uint64_t addr, void *buf, size_t len)
{
	return len ? c->exec->read(c, addr, buf, len) : 0;
}

int call_read(struct call *c, uint64_t addr, void *buf, size_t len)
{
	ssize_t n = call_read_some(c, addr, buf, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EFAULT;
}

int call_write(struct call *c, uint64_t addr, const void *buf, size_t len)
{
	ssize_t n = len ? c->exec->write(c, addr, buf, len) : 0;

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EFAULT;
}

/* Most strings are short, so a small piece is fetched first; one that ends before an unmapped
 * page is good. */
ssize_t call_read_str(struct call *c, uint64_t addr, char *buf, size_t size)
{
	size_t have = 0;

	while (have < size) {
		size_t want = size - have;
		ssize_t n;
		char *nul;

		if (have == 0 && want > 512)
			want = 512;
		n = c->exec->read(c, addr + have, buf + have, want);
		if (n < 0)
			return n;
		nul = memchr(buf + have, '\0', (size_t)n);
		if (nul)
			return nul - buf;
		if ((size_t)n < want)
			return -EFAULT;
		have += want;
	}
	return -ENAMETOOLONG;
}

int call_put(struct call *c, const void *p, size_t len, uint64_t *ret_addr)
{
	return c->exec->put(c, p, len, ret_addr);
}

int call_set_bytes(struct call *c, unsigned argno, const void *p, size_t len)
{
	uint64_t addr;
	int r = call_put(c, p, len, &addr);

	return r < 0 ? r : call_set_arg(c, argno, addr);
}

int call_set_path(struct call *c, unsigned argno, const char *path)
{
	return call_set_bytes(c, argno, path, strlen(path) + 1);
}

int call_set_arg(struct call *c, unsigned argno, uint64_t value)
{
	struct active_call *a = active(c);

	if (argno >= SYS_MAXARGS)
		return -EINVAL;
	a->arg[argno] = value;
	a->argmask |= 1u << argno;
	return 0;
}

int call_set_id(struct call *c, unsigned id)
{
	if (sys_nr(c->abi, id) < 0)
		return -ENOSYS;
	active(c)->id = id;
	return 0;
}

void call_return(struct call *c, int64_t value)
{
	active(c)->answered = true;
	active(c)->value = value;
}

void call_want_exit(struct call *c)
{
	active(c)->want_exit = true;
}

void call_retry(struct call *c)
{
	active(c)->retry = true;
}
