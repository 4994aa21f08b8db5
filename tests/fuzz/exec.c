/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

static void rel_path(struct fuzz_exec *e, char *buf, size_t size)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	struct fuzz_rng *r = &e->rng;
	unsigned int k = fuzz_rnd(r, 100);
	unsigned int depth = k < 35 ? 1 : k < 75 ? 2 : k < 95 ? 3 : 4;
	size_t n = 0;

	for (unsigned int i = 0; i < depth; i++) {
		const char *name = names[fuzz_rnd(r, 6)];

		k = fuzz_rnd(r, 100);
		if (k < 3)
			name = "..";
		else if (k < 6)
			name = ".";
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? k > 97 ? "//" : "/" : "", name);
	}
	if (fuzz_pct(r, 4))
		snprintf(buf + n, size - n, "/");
}

const char *fuzz_path(struct fuzz_exec *e)
{
	char *p = e->path[e->paths++ % 4];
	size_t size = sizeof(e->path[0]);
	struct fuzz_rng *r = &e->rng;
	unsigned int k = fuzz_rnd(r, 100);
	int n = 0;

	if (k < 2) {
		snprintf(p, size, "%s", (const char *const[]){ "", ".", "..", "/" }[fuzz_rnd(r, 4)]);
		return p;
	}
	if (k < 4) {
		snprintf(p, size, "/proc/self/fd/%u", FUZZ_SLOT0 + fuzz_rnd(r, FUZZ_NSLOTS));
		return p;
	}
	if (k < 6)
		n = snprintf(p, size, "/proc/self/fd/%u/", FUZZ_SLOT0 + fuzz_rnd(r, FUZZ_NSLOTS));
	else if (k < 8)
		n = snprintf(p, size, "/proc/self/cwd/");
	else if (k < 30)
		n = snprintf(p, size, "%s/", FUZZ_MNT);
	rel_path(e, p + n, size - (size_t)n);
	return p;
}

int fuzz_dirfd(struct fuzz_exec *e)
{
	unsigned int s = fuzz_rnd(&e->rng, FUZZ_NSLOTS);

	if (fuzz_pct(&e->rng, 60))
		return AT_FDCWD;
	/* Rather the next directory than this: else nearly all calls fail. */
	for (unsigned int i = 0; i < FUZZ_NSLOTS && fuzz_pct(&e->rng, 95); i++) {
		if (e->slot[s].used && e->slot[s].dir)
			break;
		s = (s + 1) % FUZZ_NSLOTS;
	}
	return FUZZ_SLOT0 + (int)s;
}

unsigned int fuzz_owner(struct fuzz_exec *e)
{
	static const unsigned int ids[] = { (unsigned int)-1, 0, 1000, 1001, FUZZ_UID };
	unsigned int id = ids[fuzz_rnd(&e->rng, 5)];

	/* A user namespace knows only its own. */
	return e->root || id == (unsigned int)-1 ? id : FUZZ_UID;
}

int fuzz_slot_fd(struct fuzz_exec *e, unsigned int *ret_slot)
{
	unsigned int s = fuzz_rnd(&e->rng, FUZZ_NSLOTS);

	for (unsigned int i = 0; i < FUZZ_NSLOTS && !e->slot[s].used; i++)
		s = (s + 1) % FUZZ_NSLOTS;
	if (ret_slot)
		*ret_slot = s;
	return FUZZ_SLOT0 + (int)s;
}

mode_t fuzz_mode(struct fuzz_exec *e)
{
	static const mode_t common[] = { 0644, 0755, 0600, 0700, 0777, 0666 };

	/* What its owner may not use, fuss cannot use for him; the kernel's mount can. */
	mode_t own = e->root ? 0 : 0700;

	if (fuzz_pct(&e->rng, 70))
		return common[fuzz_rnd(&e->rng, 6)] | own;
	return fuzz_rnd(&e->rng, 010000) | own;
}

void fuzz_say_at(struct fuzz_exec *e, const char *call, int dfd, const char *path)
{
	if (dfd == AT_FDCWD)
		fuzz_say(e, "%s(AT_FDCWD, ", call);
	else
		fuzz_say(e, "%s(%d, ", call, dfd);
	fuzz_say(e, "\"%s\"", path);
}

void fuzz_say_fd(struct fuzz_exec *e, const char *call, int fd)
{
	fuzz_say(e, "%s(%d", call, fd);
}

void fuzz_result(struct fuzz_exec *e, long r)
{
	if (r < 0)
		fuzz_say(e, ") = %s", fuzz_errname(errno));
	else
		fuzz_say(e, ") = %ld", r);
}

void fuzz_result_stat(struct fuzz_exec *e, long r, const struct stat *st)
{
	struct fuzz_ids *ids = &e->ids;

	fuzz_result(e, r);
	if (r)
		return;
	fuzz_say(e, " ");
	/* Without origin marks the kernel shows two numbers for a file that is copied up. */
	if (!e->root && !S_ISDIR(st->st_mode))
		ids = NULL;
	fuzz_add_stat(&e->line, ids, st, 0);
}

bool fuzz_lost_name(const struct fuzz_exec *e, int fd)
{
	char path[64], buf[4096];
	struct stat st, named;
	ssize_t n;

	if (fstat(fd, &st) || (S_ISREG(st.st_mode) && !e->slot[fd - FUZZ_SLOT0].rdonly))
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, sizeof(buf) - 1);
	buf[n < 0 ? 0 : n] = 0;
	return lstat(buf, &named) || named.st_dev != st.st_dev || named.st_ino != st.st_ino;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void fuzz_result_names(struct fuzz_exec *e, ssize_t n, char *list)
{
	char *v[64];
	size_t k = 0;

	fuzz_result(e, n);
	for (char *s = list; s < list + n && k < 64; s += strlen(s) + 1)
		v[k++] = s;
	qsort(v, k, sizeof(*v), by_name);
	for (size_t i = 0; i < k; i++)
		fuzz_say(e, " %s", v[i]);
}

void fuzz_result_open(struct fuzz_exec *e, int fd, int flags, unsigned int slot)
{
	int to = FUZZ_SLOT0 + (int)slot;
	struct stat st;

	fuzz_result(e, fd < 0 ? -1 : to);
	if (fd < 0)
		return;
	/* Such a descriptor of what has no name any more shows the object of the layer. */
	if (flags & O_PATH && !fstat(fd, &st) && !st.st_nlink) {
		close(fd);
		return;
	}
	if (dup3(fd, to, O_CLOEXEC) < 0)
		abort();
	close(fd);
	e->slot[slot].used = true;
	e->slot[slot].rdonly = (flags & O_ACCMODE) == O_RDONLY;
	if (fstat(to, &st))
		st.st_mode = 0;
	e->slot[slot].dir = S_ISDIR(st.st_mode);
	e->slot[slot].fifo = S_ISFIFO(st.st_mode);
}

static const struct fuzz_op *choose(struct fuzz_rng *r)
{
	const struct fuzz_op *const tables[] = { fuzz_path_ops, fuzz_fd_ops };
	unsigned int sum = 0, k;

	for (size_t t = 0; t < 2; t++)
		for (const struct fuzz_op *op = tables[t]; op->run; op++)
			sum += op->weight;
	k = fuzz_rnd(r, sum);
	for (size_t t = 0; t < 2; t++)
		for (const struct fuzz_op *op = tables[t]; op->run; op++) {
			if (k < op->weight)
				return op;
			k -= op->weight;
		}
	abort();
}

static void write_all(const char *p, size_t n)
{
	while (n) {
		ssize_t r = write(STDOUT_FILENO, p, n);

		if (r <= 0)
			_exit(99);
		p += r;
		n -= (size_t)r;
	}
}

static void final_dump(struct fuzz_exec *e)
{
	struct stat st;
	char buf[4096];

	/* Held descriptors show what they showed. */
	for (unsigned int s = 0; s < FUZZ_NSLOTS; s++) {
		if (!e->slot[s].used)
			continue;
		fuzz_say(e, "final fstat(%u", FUZZ_SLOT0 + s);
		if (!fuzz_lost_name(e, FUZZ_SLOT0 + (int)s))
			fuzz_result_stat(e, fstat(FUZZ_SLOT0 + (int)s, &st), &st);
		fuzz_say(e, "\n");
		close(FUZZ_SLOT0 + (int)s);
	}
	fuzz_say(e, "final getcwd(");
	fuzz_result(e, getcwd(buf, sizeof(buf)) ? 0 : -1);
	fuzz_say(e, "\n");
	if (chdir(FUZZ_MNT))
		fuzz_say(e, "final chdir: %s\n", fuzz_errname(errno));
	fuzz_dump(&e->line, NULL, AT_FDCWD, FUZZ_MNT, "", 0);
	fuzz_say(e, "outside\n");
	if (chdir("/"))
		_exit(98);
}

int fuzz_execute(uint64_t seed, enum fuzz_phase phase, unsigned int nops, const char *skip,
		 bool strict)
{
	struct fuzz_exec e = { .root = geteuid() == 0, .strict = strict };
	struct stat st, root;

	if (chdir(FUZZ_MNT) || stat(".", &st) || stat("/", &root)) {
		perror(FUZZ_MNT);
		return 97;
	}
	e.ids.dev[0] = st.st_dev;
	e.ids.dev[1] = root.st_dev;
	umask(022);
	alarm(30);
	for (e.index = 0; e.index < nops; e.index++) {
		if (skip && skip[e.index])
			continue;
		e.rng = fuzz_rng_of(seed, phase, e.index);
		e.line.n = 0;
		fuzz_say(&e, "%u ", e.index);
		choose(&e.rng)->run(&e);
		fuzz_say(&e, "\n");
		write_all(e.line.p, e.line.n);
	}
	e.line.n = 0;
	final_dump(&e);
	write_all(e.line.p, e.line.n);
	fuzz_out_free(&e.line);
	fuzz_ids_free(&e.ids);
	return 0;
}
