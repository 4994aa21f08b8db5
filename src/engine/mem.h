/* SPDX-License-Identifier: MIT */
#ifndef FUSS_ENGINE_MEM_H
#define FUSS_ENGINE_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Another task's memory: bytes up to the first page that is not there, -EFAULT if that is the
 * first one, -ESRCH if the task is gone, -EPERM. */
ssize_t mem_read(pid_t tid, uint64_t addr, void *buf, size_t len);
ssize_t mem_write(pid_t tid, uint64_t addr, const void *buf, size_t len);

#endif
