/* SPDX-License-Identifier: MIT */
/*
 * The command line.  One table of rows (name, argument, help, setter) makes --help and the parser; a test
 * compares it with the man page and the completions.
 */
#ifndef FUSS_CLI_OPTIONS_H
#define FUSS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "overlay/overlay.h"

/* What fuss exits with when the command's own status is not known. */
enum {
	EXIT_FUSS = 125,   /* fuss itself failed: options, layers, tracing */
	EXIT_NOEXEC = 126, /* the command was found and cannot be executed */
	EXIT_NOCMD = 127,  /* the command was not found */
	EXIT_SIGNAL = 128, /* plus the number of the signal that ended the command */
};

enum config_action { ACTION_RUN, ACTION_HELP, ACTION_VERSION };
enum config_fs { FS_OVERLAY, FS_PASSTHROUGH };

/*
 * What the command line asks for.  Strings and arrays are owned by the config, except argv, which points
 * into the arguments of main().  All paths are absolute, made so when they were read: later changes of the
 * working directory do not matter.
 */
struct config {
	enum config_action action; /* nothing below is set or checked unless ACTION_RUN */
	enum config_fs fs;
	char *mountpoint;   /* symlinks resolved as far as it exists */
	char *upper;	    /* NULL: read-only view; the directory to show with FS_PASSTHROUGH */
	char *work;	    /* NULL: fuss finds a place itself */
	char **lower;	    /* NULL-terminated, top-most first */
	unsigned nlower;
	enum overlay_dialect dialect;
	int userxattr;	    /* as in struct overlay_config */
	char *ignored;	    /* -o options that have no meaning here, comma-separated; NULL: none */
	char **argv;	    /* the command, NULL-terminated */
};

/*
 * Returns 0; or -EINVAL and one sentence with the remedy in why.  Checks what can be known without looking
 * at the layers.  Warns (base/log.h) of config->ignored.
 */
int options_parse(int argc, char **argv, struct config *ret, char *why, size_t size);
void config_fini(struct config *c);
/* The same as struct overlay_config; lives as long as c. */
struct overlay_config config_overlay(const struct config *c);

void options_help(FILE *f);
void options_version(FILE *f);

#endif
