/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "engine/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Where process_vm_readv is compiled out or forbidden.  (It writes to read-only pages too.) */
static ssize_t mem_by_proc(pid_t tid, uint64_t addr, void *buf, size_t len, bool write)
{
	_cleanup_fd_ int fd = -1;
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
	fd = x_openat(AT_FDCWD, path, (write ? O_WRONLY : O_RDONLY) | O_CLOEXEC, 0);
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	if (addr > INT64_MAX)
		return -EFAULT;
	n = write ? x_ret(pwrite(fd, buf, len, (off_t)addr))
		  : x_ret(pread(fd, buf, len, (off_t)addr));
	return n == -EIO || n == 0 ? -EFAULT : n;
}

/*
 * One remote iovec: the kernel pins it page by page and reports what it could do before the first
 * bad page.  (Only a transfer that fails at once gives EFAULT.)
 */
static ssize_t mem_rw(pid_t tid, uint64_t addr, void *buf, size_t len, bool write)
{
	struct iovec here = { buf, len }, there = { (void *)(uintptr_t)addr, len };
	ssize_t n;

	if (addr != (uintptr_t)addr)
		return -EFAULT;
	n = write ? x_ret(process_vm_writev(tid, &here, 1, &there, 1, 0))
		  : x_ret(process_vm_readv(tid, &here, 1, &there, 1, 0));
	if (n == -ENOSYS || n == -EPERM)
		return mem_by_proc(tid, addr, buf, len, write);
	return n == 0 || n == -EINVAL ? -EFAULT : n;
}

ssize_t mem_read(pid_t tid, uint64_t addr, void *buf, size_t len)
{
	return mem_rw(tid, addr, buf, len, false);
}

ssize_t mem_write(pid_t tid, uint64_t addr, const void *buf, size_t len)
{
	return mem_rw(tid, addr, (void *)(uintptr_t)buf, len, true);
}
