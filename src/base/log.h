/* SPDX-License-Identifier: MIT */
/*
 * Messages to people and the logfmt log.
 *
 * Everything goes to one private duplicate of stderr (CLOEXEC, a high number, so that a command
 * that closes its descriptors cannot hit it), one write(2) a line, so that lines of several
 * processes never interleave.
 */
#ifndef FUSS_BASE_LOG_H
#define FUSS_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_QUIET, LOG_INTERCEPT, LOG_DEBUG };

extern enum log_level log_level; /* read-only outside log.c */

/* Reads FUSS_LOG_LEVEL (intercept|debug) and FUSS_DEBUG=1.  Returns -EINVAL for another value. */
int log_init(void);
/* The private descriptor, -1 before log_init(). */
int log_fd(void);

static inline bool log_on(enum log_level level)
{
	return log_level >= level;
}

/* "fuss: ..." and a newline, always shown. */
void msg(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "fuss: warning: ..." */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* time= level=DEBUG msg="..." */
void debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One logfmt line: log_begin(), any number of fields, log_end() writes it. */
struct log_line {
	char buf[16384];
	size_t len;
};
void log_begin(struct log_line *l, const char *level, const char *message);
void log_str(struct log_line *l, const char *key, const char *value); /* quoted where needed */
void log_int(struct log_line *l, const char *key, int64_t value);
void log_end(struct log_line *l);

#endif
