/* SPDX-License-Identifier: MIT */
#ifndef FUSS_FUZZ_RUN_H
#define FUSS_FUZZ_RUN_H

#include "fuzz.h"

struct fuzz_config {
	const char *fuss;
	bool user;		/* without privileges, the kernel in a user namespace */
	bool fileprefix;
	bool strict;
	bool redirects;		/* the preparing mount writes redirect marks */
	bool shrink;
	bool verbose;
	bool trace;
	unsigned int nops;
	unsigned int timeout;
};

/* What is made of one seed. */
struct fuzz_plan {
	uint64_t seed;
	unsigned int nlowers;
	unsigned int n[FUZZ_PHASES];	/* steps of each phase */
	bool upper;			/* the upper has its own random contents */
	bool links;			/* hard links in the layers; then no directory is renamed */
	char *skip[FUZZ_PHASES];
};

struct fuzz_output {
	struct fuzz_out out, err;
	int status;			/* of wait(2); -1 when it hung */
};

/* A private mount namespace with a root of its own: nothing outside can be hurt. */
void fuzz_enter_root(const struct fuzz_config *c);
/* Empty directories for the layers and the mount point, and nothing else. */
void fuzz_reset_outside(void);
void fuzz_make_dirs(const char *base, const struct fuzz_plan *p, uid_t uid);

enum fuzz_where { FUZZ_KERNEL, FUZZ_FUSS };

/* Runs a phase (or only shows the tree with FUZZ_PHASES) on the layers below base. */
void fuzz_run(const struct fuzz_config *c, const struct fuzz_plan *p, enum fuzz_where where,
	      const char *base, enum fuzz_phase phase, struct fuzz_output *ret);
/* As root, calls fuzz_bad_whiteouts() until there are none. */
void fuzz_clean_whiteouts(const struct fuzz_config *c, const struct fuzz_plan *p,
			  const char *base);
void fuzz_output_free(struct fuzz_output *o);

#endif
