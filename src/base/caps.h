/* SPDX-License-Identifier: MIT */
#ifndef FUSS_BASE_CAPS_H
#define FUSS_BASE_CAPS_H

#include <stdbool.h>

/* Has this process the capability (CAP_* of <linux/capability.h>) in its effective set? */
bool caps_effective(int cap);

#endif
