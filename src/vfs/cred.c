/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "vfs/cred.h"

bool cred_has_cap(const struct cred *c, int cap)
{
	return cap >= 0 && cap < 64 && (c->caps >> cap & 1);
}

bool cred_in_group(const struct cred *c, gid_t gid)
{
	unsigned lo = 0, hi = c->ngroups;

	if (gid == c->fsgid)
		return true;
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (c->groups[mid] == gid)
			return true;
		if (c->groups[mid] < gid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}
