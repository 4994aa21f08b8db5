/* SPDX-License-Identifier: MIT */
/*
 * The seccomp programs, generated from sys/table.def.
 *
 * There are two, both run for every call, and the kernel takes the stronger verdict (ERRNO before
 * TRACE before ALLOW):
 *   known  allows every number of the table; any other is ENOSYS: who knows what it would do?
 *   trace  stops at the calls that are not PASS.
 * One program cannot do both through libseccomp, which has a single default action and no way to
 * say "this call, but none of these commands".
 */
#ifndef FUSS_ENGINE_FILTER_H
#define FUSS_ENGINE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch/abi.h"

struct filter {
	struct sock_filter *insn;
	unsigned len; /* instructions */
};

struct filter_set {
	struct filter known, trace;
};

/* cookie: see engine_cookie().  trace_denied: SYS_DENY calls stop, so that they can be logged. */
int filter_build(const struct abi *abi, uint64_t cookie, bool trace_denied, struct filter_set *ret);
void filter_free(struct filter_set *f);

/*
 * Puts the calling task under both.  Sets NO_NEW_PRIVS only where the kernel asks for it (no
 * CAP_SYS_ADMIN).  Touches no memory but its stack: for the time between fork and exec.
 */
int filter_install(const struct filter_set *f);

#endif
