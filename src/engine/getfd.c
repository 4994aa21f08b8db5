/* SPDX-License-Identifier: MIT */
/* Descriptors of a tracee. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "engine/engine.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

enum { THREAD = O_EXCL /* PIDFD_THREAD, since 6.9 */ };

/*
 * A pidfd of the task itself, or, before Linux 6.9, of its process; then the process must be one
 * whose table the task shares: unshare(CLONE_FILES) is rare, but the answer would be about
 * another file.
 */
static int pidfd_of(const struct tracee *t)
{
	int fd = (int)x_ret(syscall(SYS_pidfd_open, t->tid, THREAD));

	if (fd != -EINVAL)
		return fd;
	if (t->tid != t->tgid && syscall(SYS_kcmp, t->tid, t->tgid, KCMP_FILES, 0, 0) > 0)
		return -ENOSYS;
	return (int)x_ret(syscall(SYS_pidfd_open, t->tgid, 0));
}

int tracee_getfd(struct tracee *t, int fd)
{
	int pidfd;

	if (fd < 0)
		return -EBADF;
	if (!t->pidfd1) {
		pidfd = pidfd_of(t);
		if (pidfd < 0)
			return pidfd;
		t->pidfd1 = (unsigned)pidfd + 1;
	}
	return (int)x_ret(syscall(SYS_pidfd_getfd, (int)t->pidfd1 - 1, fd, 0));
}
