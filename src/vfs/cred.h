/* SPDX-License-Identifier: MIT */
/* On whose behalf a file system operation is asked for. */
#ifndef FUSS_VFS_CRED_H
#define FUSS_VFS_CRED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cred {
	uid_t uid, euid, fsuid;
	gid_t gid, egid, fsgid;
	const gid_t *groups; /* supplementary, sorted ascending; owned by the task */
	unsigned ngroups;
	uint64_t caps; /* the effective set, bit n is capability n */
	mode_t umask;
};

bool cred_has_cap(const struct cred *c, int cap);
bool cred_in_group(const struct cred *c, gid_t gid); /* fsgid or supplementary */

#endif
