/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "engine/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "engine/mem.h"
#include "engine/ops.h"

struct block {
	struct block *next;
	_Alignas(16) unsigned char data[];
};

struct local_call {
	struct active_call a; /* first member */
	struct block *blocks;
};

/* Through the kernel, so that a bad pointer of a test is EFAULT here as well. */
static ssize_t local_read(struct call *c, uint64_t addr, void *buf, size_t len)
{
	return mem_read(c->t->tid, addr, buf, len);
}

static ssize_t local_write(struct call *c, uint64_t addr, const void *buf, size_t len)
{
	return mem_write(c->t->tid, addr, buf, len);
}

static int local_put(struct call *c, const void *p, size_t len, uint64_t *ret_addr)
{
	struct local_call *l = (struct local_call *)c;
	struct block *b = malloc(sizeof(*b) + len);

	if (!b)
		return -ENOMEM;
	memcpy(b->data, p, len);
	b->next = l->blocks;
	l->blocks = b;
	*ret_addr = (uintptr_t)b->data;
	return 0;
}

static const struct engine_ops local_ops = {
	.read = local_read,
	.write = local_write,
	.put = local_put,
};

static void free_blocks(struct local_call *l)
{
	while (l->blocks) {
		struct block *b = l->blocks;

		l->blocks = b->next;
		free(b);
	}
}

static int64_t run(const struct active_call *a)
{
	uint64_t arg[6];

	for (unsigned i = 0; i < 6; i++)
		arg[i] = a->argmask & 1u << i ? a->arg[i] : a->c.arg[i];
	return x_ret(
		syscall(sys_nr(a->c.abi, a->id), arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]));
}

static int64_t call_once(const struct engine_cb *cb, struct tracee *t, unsigned id,
			 const uint64_t arg[6], bool *retry)
{
	struct local_call l = { 0 };
	struct active_call *a = &l.a;
	int64_t result;

	active_call_init(a, &local_ops, t, abi_list[0], id, arg);
	if (cb->enter)
		cb->enter(&a->c, cb->ctx);
	if (a->c.row->class == SYS_DENY && !a->answered)
		call_return(&a->c, -a->c.row->deny);
	if (a->answered) {
		if (a->c.data && cb->cancel)
			cb->cancel(&a->c, cb->ctx);
		free_blocks(&l);
		return a->value;
	}
	result = run(a);
	a->c.result = result;
	if ((a->want_exit || a->c.data) && cb->exit)
		cb->exit(&a->c, cb->ctx);
	free_blocks(&l);
	*retry = a->retry;
	return a->answered ? a->value : result;
}

int64_t local_call(const struct engine_cb *cb, struct tracee *t, unsigned id, const uint64_t arg[6])
{
	bool retry;
	int64_t result;

	do {
		retry = false;
		result = call_once(cb, t, id, arg, &retry);
	} while (retry);
	return result;
}
