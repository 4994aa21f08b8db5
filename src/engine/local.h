/* SPDX-License-Identifier: MIT */
/* The executor for unit tests of handlers: a call of this process itself. */
#ifndef FUSS_ENGINE_LOCAL_H
#define FUSS_ENGINE_LOCAL_H

#include "engine/engine.h"

/*
 * Makes the call (of the native ABI) as an intercepted task would: enter, then, unless it
 * answered, the call as it was set, then exit.  Pointers in arg are ours; scratch memory is heap
 * that lives until the call has ended.  t is this task: t->tid = gettid(), t->tgid = getpid().
 * Value or -errno.
 */
int64_t local_call(const struct engine_cb *cb, struct tracee *t, unsigned id,
		   const uint64_t arg[6]);

#endif
