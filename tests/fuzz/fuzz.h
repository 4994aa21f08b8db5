/* SPDX-License-Identifier: MIT */
/*
 * The differential fuzzer: the same random layers twice, the same random calls on a kernel
 * overlay mount and inside fuss, and every answer compared.  See fuzz.c.
 */
#ifndef FUSS_FUZZ_FUZZ_H
#define FUSS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define FUZZ_MNT "/z/mnt"
#define FUZZ_NSLOTS 8
#define FUZZ_SLOT0 100		/* number of the descriptor in the first slot */
#define FUZZ_UID 1234		/* the user of --user */

/* Everything random is drawn for one step from (seed, phase, index): a step can be left out
 * without changing the others. */
enum fuzz_phase { FUZZ_LAYERS, FUZZ_PREPARE, FUZZ_RUN, FUZZ_PHASES };

struct fuzz_rng {
	uint64_t s;
};

static inline uint64_t fuzz_next(struct fuzz_rng *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline unsigned int fuzz_rnd(struct fuzz_rng *r, unsigned int n)
{
	return (unsigned int)(fuzz_next(r) >> 33) % n;
}

/* True in pct of 100 cases. */
static inline bool fuzz_pct(struct fuzz_rng *r, unsigned int pct)
{
	return fuzz_rnd(r, 100) < pct;
}

static inline struct fuzz_rng fuzz_rng_of(uint64_t seed, enum fuzz_phase phase, unsigned int i)
{
	struct fuzz_rng r = { seed * 0x2545f4914f6cdd1du + phase * 7919u };

	r.s = fuzz_next(&r) + i;
	r.s = fuzz_next(&r);
	return r;
}

/* A growing text. */
struct fuzz_out {
	char *p;
	size_t n, cap;
};

void fuzz_add(struct fuzz_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Bytes as a C string; a long run of one byte, as in long values, is shortened. */
void fuzz_add_quoted(struct fuzz_out *o, const char *s, size_t n);
void fuzz_out_free(struct fuzz_out *o);
const char *fuzz_errname(int err);
uint64_t fuzz_hash(uint64_t h, const void *p, size_t n);

/* Numbers for inodes in the order of their first appearance. */
struct fuzz_ids {
	struct { dev_t dev; ino_t ino; } *v;
	unsigned int n, cap;
	dev_t dev[2];		/* only inodes of these two devices are known */
};

int fuzz_id(struct fuzz_ids *ids, dev_t dev, ino_t ino);
void fuzz_ids_free(struct fuzz_ids *ids);

/* tree.c: a tree as text, one line for each object, and other walks. */
enum {
	FUZZ_DUMP_RAW = 1,	/* a layer: with directory links and every time */
};

void fuzz_dump(struct fuzz_out *o, struct fuzz_ids *ids, int dirfd, const char *name,
	       const char *shown, int flags);
void fuzz_add_stat(struct fuzz_out *o, struct fuzz_ids *ids, const struct stat *st, int flags);
/* Removes what name is; keeps those at the top of a directory whose names are in keep (or NULL). */
void fuzz_remove(int dirfd, const char *name);
void fuzz_remove_others(const char *dir, const char *const *keep);
/* Gives everything below dir times that depend on its path only. */
void fuzz_fix_times(const char *dir);
/* Removes whiteouts that the kernel would list but not find: those in directories not merged. */
int fuzz_bad_whiteouts(const char *mnt, const char *layers, unsigned int nlowers);

/* layers.c: one step of making layers below base; text gets it in words. */
void fuzz_layer_step(const char *base, uint64_t seed, unsigned int i, unsigned int nlowers,
		     bool upper, bool links, uid_t uid, struct fuzz_out *text);

/* exec.c: the calls.  skip: one byte for each step, 1 to leave it out. */
struct fuzz_exec {
	struct fuzz_rng rng;
	unsigned int index;
	struct fuzz_out line;
	struct fuzz_ids ids;
	bool root;		/* calls that need root make sense */
	bool strict;		/* data through read-only descriptors is compared as well */
	struct { bool used, rdonly, dir, fifo; } slot[FUZZ_NSLOTS];
	unsigned int paths;
	char path[4][512];
};

int fuzz_execute(uint64_t seed, enum fuzz_phase phase, unsigned int nops, const char *skip,
		 bool strict);

struct fuzz_op {
	void (*run)(struct fuzz_exec *e);
	unsigned int weight;
};

extern const struct fuzz_op fuzz_path_ops[], fuzz_fd_ops[];

/* Helpers of the calls. */
#define fuzz_say(e, ...) fuzz_add(&(e)->line, __VA_ARGS__)
const char *fuzz_path(struct fuzz_exec *e);
int fuzz_dirfd(struct fuzz_exec *e);
int fuzz_slot_fd(struct fuzz_exec *e, unsigned int *ret_slot);
mode_t fuzz_mode(struct fuzz_exec *e);
unsigned int fuzz_owner(struct fuzz_exec *e);
void fuzz_say_at(struct fuzz_exec *e, const char *call, int dfd, const char *path);
void fuzz_say_fd(struct fuzz_exec *e, const char *call, int fd);
void fuzz_result(struct fuzz_exec *e, long r);
void fuzz_result_stat(struct fuzz_exec *e, long r, const struct stat *st);
/* A descriptor of something (but a file open for writing) that is not found by its name any more. */
bool fuzz_lost_name(const struct fuzz_exec *e, int fd);
/* A list of xattr names, sorted. */
void fuzz_result_names(struct fuzz_exec *e, ssize_t n, char *list);
/* An open file goes into a slot. */
void fuzz_result_open(struct fuzz_exec *e, int fd, int flags, unsigned int slot);

#endif
