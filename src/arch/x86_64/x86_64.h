/* SPDX-License-Identifier: MIT */
#ifndef FUSS_ARCH_X86_64_X86_64_H
#define FUSS_ARCH_X86_64_X86_64_H

#include "arch/abi.h"

extern const struct abi abi_x86_64;

#endif
