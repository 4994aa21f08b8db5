/* SPDX-License-Identifier: MIT */
/*
 * threads DIR [THREADS [ROUNDS [STACK]]]: threads that work on files of their own and on a shared directory, and
 * check every result.  Started again for every round, so that calls are made while others begin and end.  STACK
 * is the size of their stacks in bytes.  Exits 0 if everything was as it must be.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir;
static int failures;

static void fail(const char *what, long who, long round)
{
	dprintf(2, "threads: %s (thread %ld, round %ld): %s\n", what, who, round, strerror(errno));
	__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
}

struct job {
	long who, round;
};

/* Paths are built into static memory: the stacks may be small. */
static char paths[64][3][512];

static void *work(void *arg)
{
	const struct job *j = arg;
	char *a = paths[j->who][0], *b = paths[j->who][1], *d = paths[j->who][2], text[32], back[32];
	struct stat st, st2;
	ssize_t n;
	int fd;

	snprintf(d, 512, "%s/t%ld", dir, j->who);
	snprintf(a, 512, "%s/t%ld/file%ld", dir, j->who, j->round);
	snprintf(b, 512, "%s/shared-%ld-%ld", dir, j->who, j->round);
	if (mkdir(d, 0755) < 0 && errno != EEXIST)
		fail("mkdir", j->who, j->round);
	fd = open(a, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0) {
		fail("create", j->who, j->round);
		return NULL;
	}
	n = snprintf(text, sizeof(text), "%ld.%ld", j->who, j->round);
	if (write(fd, text, (size_t)n) != n)
		fail("write", j->who, j->round);
	if (fstat(fd, &st) < 0 || stat(a, &st2) < 0 || st.st_ino != st2.st_ino || st.st_dev != st2.st_dev)
		fail("identity", j->who, j->round);
	if (rename(a, b) < 0)
		fail("rename", j->who, j->round);
	if (access(a, F_OK) == 0 || errno != ENOENT)
		fail("old name", j->who, j->round);
	if (stat(b, &st2) < 0 || st.st_ino != st2.st_ino)
		fail("identity after rename", j->who, j->round);
	if (pread(fd, back, sizeof(back), 0) != n || memcmp(text, back, (size_t)n))
		fail("read back", j->who, j->round);
	close(fd);
	if (j->round % 2 && unlink(b) < 0)
		fail("unlink", j->who, j->round);
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 2 ? atol(argv[2]) : 8, rounds = argc > 3 ? atol(argv[3]) : 20, left = 0;
	size_t stack = argc > 4 ? (size_t)atol(argv[4]) : 0;
	struct job jobs[64];
	pthread_t tid[64];
	pthread_attr_t attr;
	struct dirent *e;
	DIR *list;

	if (argc < 2 || threads > 64)
		return 2;
	dir = argv[1];
	pthread_attr_init(&attr);
	if (stack && pthread_attr_setstacksize(&attr, stack))
		return 2;
	for (long r = 0; r < rounds; r++) {
		for (long i = 0; i < threads; i++) {
			jobs[i] = (struct job){ i, r };
			if (pthread_create(&tid[i], &attr, work, &jobs[i]))
				return 2;
		}
		for (long i = 0; i < threads; i++)
			pthread_join(tid[i], NULL);
	}
	list = opendir(dir);
	while (list && (e = readdir(list)))
		left += !strncmp(e->d_name, "shared-", 7);
	if (left != threads * ((rounds + 1) / 2)) {
		dprintf(2, "threads: %ld files left, not %ld\n", left, threads * ((rounds + 1) / 2));
		failures++;
	}
	return failures != 0;
}
