/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

enum log_level log_level = LOG_QUIET;
static int private_fd = -1;

int log_fd(void)
{
	return private_fd;
}

/* As high as the limit allows, yet not beyond what select(2) users and /proc listings expect. */
static int dup_high(int fd)
{
	struct rlimit lim;
	rlim_t at = 1000;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur <= at)
		at = lim.rlim_cur - lim.rlim_cur / 8 - 1;
	for (; at > 2; at /= 2) {
		int r = (int)x_ret(fcntl(fd, F_DUPFD_CLOEXEC, (int)at));

		if (r >= 0 || (r != -EINVAL && r != -EMFILE))
			return r;
	}
	return -EMFILE;
}

static int level_of(const char *s, enum log_level *ret)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = { { "", LOG_QUIET }, { "intercept", LOG_INTERCEPT }, { "debug", LOG_DEBUG } };

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(s, levels[i].name) == 0) {
			*ret = levels[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

int log_init(void)
{
	const char *s = getenv("FUSS_LOG_LEVEL");
	enum log_level level = LOG_QUIET;
	int r;

	if (private_fd < 0) {
		r = dup_high(STDERR_FILENO);
		/* A closed stderr only means that nobody listens. */
		if (r < 0 && r != -EBADF)
			return r;
		private_fd = r < 0 ? -1 : r;
	}
	r = s ? level_of(s, &level) : 0;
	if (r < 0)
		return r;
	s = getenv("FUSS_DEBUG");
	if (s && strcmp(s, "1") == 0)
		level = LOG_DEBUG;
	else if (s && *s && strcmp(s, "0") != 0)
		return -EINVAL;
	log_level = level;
	return 0;
}

static void put(const char *s, size_t n)
{
	int fd = private_fd >= 0 ? private_fd : STDERR_FILENO;

	while (n) {
		ssize_t r = x_ret(write(fd, s, n));

		if (r == -EINTR)
			continue;
		if (r <= 0)
			return;
		s += r;
		n -= (size_t)r;
	}
}

/* --- messages --------------------------------------------------------------------------------- */

static void say(const char *prefix, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void say(const char *prefix, const char *fmt, va_list ap)
{
	char line[8192];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s", prefix);
	int r = vsnprintf(line + n, sizeof(line) - n, fmt, ap);

	if (r < 0)
		return;
	n += (size_t)r;
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	put(line, n);
}

void msg(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("fuss: ", fmt, ap);
	va_end(ap);
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("fuss: warning: ", fmt, ap);
	va_end(ap);
}

void debug(const char *fmt, ...)
{
	struct log_line l;
	char text[4096];
	va_list ap;

	if (!log_on(LOG_DEBUG))
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) >= 0) {
		log_begin(&l, "DEBUG", text);
		log_end(&l);
	}
	va_end(ap);
}

/* --- logfmt ----------------------------------------------------------------------------------- */

/* One byte is kept for the newline. */
static void add(struct log_line *l, const char *s, size_t n)
{
	if (n > sizeof(l->buf) - 1 - l->len)
		n = sizeof(l->buf) - 1 - l->len;
	memcpy(l->buf + l->len, s, n);
	l->len += n;
}

static bool is_plain(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch <= ' ' || ch == '"' || ch == '=' || ch == '\\' || ch == 0x7f)
			return false;
	}
	return true;
}

/* Bytes above 0x7f stay: names are UTF-8 nearly always, and a log is read by people. */
static void add_quoted(struct log_line *l, const char *s)
{
	/* Where the line is full an escape or the closing quote must not be cut in half. */
	size_t last = sizeof(l->buf) - 8;

	add(l, "\"", 1);
	for (; *s && l->len < last; s++) {
		unsigned char ch = (unsigned char)*s;
		char esc[8];

		if (ch == '"' || ch == '\\')
			add(l, (const char[]){ '\\', (char)ch }, 2);
		else if (ch == '\n')
			add(l, "\\n", 2);
		else if (ch == '\t')
			add(l, "\\t", 2);
		else if (ch == '\r')
			add(l, "\\r", 2);
		else if (ch < ' ' || ch == 0x7f)
			add(l, esc, (size_t)snprintf(esc, sizeof(esc), "\\x%02x", ch));
		else
			add(l, s, 1);
	}
	add(l, "\"", 1);
}

static void add_key(struct log_line *l, const char *key)
{
	if (l->len)
		add(l, " ", 1);
	add(l, key, strlen(key));
	add(l, "=", 1);
}

/* A field that has no room is left out as a whole, its end excepted. */
static bool has_room(const struct log_line *l, const char *key)
{
	return l->len + strlen(key) + 32 < sizeof(l->buf);
}

void log_str(struct log_line *l, const char *key, const char *value)
{
	if (!value || !has_room(l, key))
		return;
	add_key(l, key);
	if (is_plain(value) && strlen(value) < sizeof(l->buf) - 8 - l->len)
		add(l, value, strlen(value));
	else
		add_quoted(l, value);
}

void log_int(struct log_line *l, const char *key, int64_t value)
{
	char text[24];

	if (!has_room(l, key))
		return;
	add_key(l, key);
	add(l, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

void log_begin(struct log_line *l, const char *level, const char *message)
{
	struct timespec ts;
	char day[32], stamp[64];
	struct tm tm;

	l->len = 0;
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp, sizeof(stamp), "%s.%06ldZ", day, ts.tv_nsec / 1000);
	log_str(l, "time", stamp);
	log_str(l, "level", level);
	log_str(l, "msg", message);
}

void log_end(struct log_line *l)
{
	l->buf[l->len++] = '\n';
	put(l->buf, l->len);
	l->len = 0;
}
