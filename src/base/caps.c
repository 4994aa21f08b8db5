/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/caps.h"

#include <sys/capability.h>

bool caps_effective(int cap)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t has = CAP_CLEAR;

	if (!caps)
		return false;
	if (cap_get_flag(caps, cap, CAP_EFFECTIVE, &has) < 0)
		has = CAP_CLEAR;
	cap_free(caps);
	return has == CAP_SET;
}
