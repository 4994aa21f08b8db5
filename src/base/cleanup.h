/* SPDX-License-Identifier: MIT */
/* Ownership by scope: _cleanup_fd_ int fd = -1; a transfer is spelled steal_fd(&fd). */
#ifndef FUSS_BASE_CLEANUP_H
#define FUSS_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

#define _cleanup_fd_ __attribute__((cleanup(cleanup_fd)))
#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))

static inline int steal_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

static inline void *steal_ptr_(void *pp)
{
	void **p = pp, *ret = *p;

	*p = NULL;
	return ret;
}
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_ptr_(pp))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
