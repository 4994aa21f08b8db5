/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "arch/abi.h"

#include "arch/x86_64/x86_64.h"

const struct abi *const abi_list[] = {
#if defined(__x86_64__) && !defined(__ILP32__)
	&abi_x86_64,
#else
#error "no port to this architecture: see arch/"
#endif
	NULL
};

const struct abi *abi_find(uint32_t audit_arch)
{
	for (unsigned i = 0; abi_list[i]; i++)
		if (abi_list[i]->audit_arch == audit_arch)
			return abi_list[i];
	return NULL;
}
