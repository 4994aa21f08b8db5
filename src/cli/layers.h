/* SPDX-License-Identifier: MIT */
/* Paths and lists of layers as the command line spells them. */
#ifndef FUSS_CLI_LAYERS_H
#define FUSS_CLI_LAYERS_H

/* How a list of layers is written. */
enum escaping {
	ESCAPE_COLON, /* \: is a colon, \\ a backslash; any other backslash stands for itself */
	ESCAPE_MOUNT, /* overlayfs: a backslash takes the next character as it is */
	ESCAPE_NONE,  /* one layer, every character stands for itself */
};

/* An absolute spelling of path (malloc'ed): relative ones start at the working directory; "//", "." and
 * trailing slashes go, ".." stays (it may follow a symlink).  -ENOMEM, errors of getcwd(3). */
int layers_absolute(const char *path, char **ret);
/* The same with symlinks and ".." resolved as far as the path exists.  -EINVAL: ".." behind a missing
 * component; -ELOOP, -EACCES, -ENOTDIR as realpath(3). */
int layers_canonical(const char *path, char **ret);

/*
 * Appends the layers of value, made absolute, to the NULL-terminated (*list)[0..*n).  -EINVAL: an empty
 * path; -ENOTSUP: "::" (data-only layers); -ENOMEM.  On failure what was appended before stays.
 */
int layers_add(char ***list, unsigned *n, const char *value, enum escaping esc);

/* Cuts s at the first unescaped separator and returns what follows, NULL at the end. */
char *layers_next(char *s, char separator);
/* Removes the backslashes of overlayfs' escaping in place. */
void layers_unescape(char *s);

#endif
