/* SPDX-License-Identifier: MIT */
/* What an executor supplies (memory), and what the verbs of engine.h write down for it. */
#ifndef FUSS_ENGINE_OPS_H
#define FUSS_ENGINE_OPS_H

#include "engine/engine.h"

struct engine_ops {
	/* Up to the first unmapped page: length; -EFAULT if nothing could be done. */
	ssize_t (*read)(struct call *c, uint64_t addr, void *buf, size_t len);
	ssize_t (*write)(struct call *c, uint64_t addr, const void *buf, size_t len);
	/* Bytes into scratch memory; -EAGAIN with c->again. */
	int (*put)(struct call *c, const void *p, size_t len, uint64_t *ret_addr);
};

/* A call and what enter or exit wants done with it.  Every struct call is the first member of
 * one. */
struct active_call {
	struct call c;
	bool answered; /* in enter: value is the result; in exit: it replaces the kernel's */
	int64_t value;
	uint64_t arg[6]; /* those in argmask */
	unsigned argmask;
	unsigned id; /* what runs */
	bool want_exit;
	bool retry;
};

void active_call_init(struct active_call *a, const struct engine_ops *ops, struct tracee *t,
		      const struct abi *abi, unsigned id, const uint64_t arg[6]);

/* Would the kernel restart a call with this (internal) result after a signal?
 * include/linux/errno.h: ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK. */
static inline bool result_restarts(int64_t result)
{
	return result == -512 || result == -513 || result == -514 || result == -516;
}

#endif
