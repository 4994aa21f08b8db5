/* SPDX-License-Identifier: MIT */
/*
 * A stopped tracee's registers, as the engine needs them.  One implementation per architecture
 * (arch/ARCH/regs.c); which ABI a call belongs to is said by the stop, see struct arch_stop.
 */
#ifndef FUSS_ARCH_ARCH_H
#define FUSS_ARCH_ARCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/abi.h"

/* All general registers, opaque. */
struct arch_regs {
	uint64_t word[36];
	/* The number of the call where it is no general register (aarch64: NT_ARM_SYSTEM_CALL). */
	int64_t nr;
	bool nr_dirty;
};

/* A task at the seccomp stop of a call. */
struct arch_stop {
	uint32_t audit_arch;
	uint64_t nr;
	uint64_t arg[6];
};

/* SECCOMP_RET_DATA of the filter for a call of an ABI that it was not made for. */
enum { ARCH_DATA_FOREIGN = 1 };

/* With PTRACE_GET_SYSCALL_INFO (Linux 5.3), else from the registers and the filter's data. */
int arch_get_stop(pid_t tid, struct arch_stop *s);

/* -errno; a task that was killed meanwhile gives -ESRCH. */
int arch_get_regs(pid_t tid, struct arch_regs *r);
int arch_set_regs(pid_t tid, struct arch_regs *r);

int64_t arch_nr(const struct arch_regs *r);
uint64_t arch_arg(const struct arch_regs *r, unsigned i);
int64_t arch_result(const struct arch_regs *r);
uint64_t arch_sp(const struct arch_regs *r);

void arch_set_nr(struct arch_regs *r, int64_t nr);
void arch_set_arg(struct arch_regs *r, unsigned i, uint64_t value);
void arch_set_result(struct arch_regs *r, int64_t value);
/* At an exit stop, with the arguments as they were: the instruction that made call nr runs
 * again. */
void arch_rewind(struct arch_regs *r, uint64_t nr);

/* At a seccomp stop: the call is not made, its result is value.  For calls of any ABI. */
int arch_answer(pid_t tid, int64_t value);

/* What to call an ABI that is not in abi_list. */
const char *arch_foreign_name(uint32_t audit_arch);
/* A number that selects another ABI of the same audit_arch (x32). */
bool arch_nr_is_foreign(uint64_t nr);

#endif
