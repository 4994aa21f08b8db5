/* SPDX-License-Identifier: MIT */
/*
 * What differs between system call ABIs, as data and small functions; the only directory with #if
 * for an architecture.  The ABI is a property of a stop (seccomp's arch), never of a process.
 */
#ifndef FUSS_ARCH_ABI_H
#define FUSS_ARCH_ABI_H

#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statfs.h>

enum abi_index { ABI_X86_64, ABI_N };

struct abi {
	const char *name;	/* "x86_64" */
	uint32_t audit_arch;	/* AUDIT_ARCH_* */
	unsigned word;		/* bytes of a pointer */
	enum abi_index index;	/* of its numbers: sys_by_nr(), sys_nr() */
	/* Layouts.  Each fills buf (at least ABI_STRUCT_MAX bytes) and returns the length, or
	 * -EOVERFLOW. */
	int (*put_stat)(const struct statx *stx, void *buf);
	int (*put_stat64)(const struct statx *stx, void *buf); /* NULL on 64-bit ABIs */
	int (*put_statfs)(const struct statfs *s, void *buf);
	int (*put_statfs64)(const struct statfs *s, void *buf);
};

#define ABI_STRUCT_MAX 512

/* The ABIs of this build, the native one first, NULL at the end. */
extern const struct abi *const abi_list[];
const struct abi *abi_find(uint32_t audit_arch); /* NULL: unknown */

#endif
