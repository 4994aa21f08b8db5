/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/layers.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Removes "//", "/./" and trailing slashes of an absolute path, in place. */
static void tidy(char *path)
{
	char *out = path;

	for (char *in = path; *in;) {
		size_t len;

		in += strspn(in, "/");
		len = strcspn(in, "/");
		if (len && !(len == 1 && in[0] == '.')) {
			*out++ = '/';
			memmove(out, in, len);
			out += len;
		}
		in += len;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

int layers_absolute(const char *path, char **ret)
{
	_cleanup_free_ char *cwd = NULL;
	char *s;

	if (path[0] == '/') {
		s = strdup(path);
		if (!s)
			return -ENOMEM;
	} else {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return (int)x_ret(-1);
		if (asprintf(&s, "%s/%s", cwd, path) < 0)
			return -ENOMEM;
	}
	tidy(s);
	*ret = s;
	return 0;
}

/* Is there a ".." component in path? */
static int has_dotdot(const char *path)
{
	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && !strncmp(path, "..", 2))
			return 1;
		path += len;
	}
	return 0;
}

int layers_canonical(const char *path, char **ret)
{
	_cleanup_free_ char *abs = NULL;
	size_t cut;
	int r;

	r = layers_absolute(path, &abs);
	if (r < 0)
		return r;
	cut = strlen(abs);
	/* The longest prefix that exists, and the rest as it is written. */
	for (;;) {
		_cleanup_free_ char *real = NULL;
		char saved = abs[cut];
		struct stat st;

		abs[cut] = '\0';
		real = realpath(cut ? abs : "/", NULL);
		r = real ? 0 : (int)x_ret(-1);
		abs[cut] = saved;
		if (real) {
			const char *rest = abs + cut;

			if (has_dotdot(rest))
				return -EINVAL;
			if (*rest && (r = (int)x_ret(stat(real, &st))) < 0)
				return r;
			if (*rest && !S_ISDIR(st.st_mode))
				return -ENOTDIR;
			if (asprintf(ret, "%s%s", !strcmp(real, "/") && *rest ? "" : real, rest) < 0)
				return -ENOMEM;
			return 0;
		}
		if (r != -ENOENT)
			return r;
		while (cut && abs[--cut] != '/')
			;
	}
}

char *layers_next(char *s, char separator)
{
	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			s++;
		} else if (*s == separator) {
			*s = '\0';
			return s + 1;
		}
	}
	return NULL;
}

void layers_unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		*out++ = *s;
	}
	*out = '\0';
}

static void unescape_colon(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s == '\\' && (s[1] == ':' || s[1] == '\\'))
			s++;
		*out++ = *s;
	}
	*out = '\0';
}

static int add_one(char ***list, unsigned *n, const char *path)
{
	char **grown;
	int r;

	if (!*path)
		return -EINVAL;
	grown = reallocarray(*list, *n + 2, sizeof(**list));
	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[*n] = NULL;
	r = layers_absolute(path, &grown[*n]);
	if (r < 0)
		return r;
	grown[++*n] = NULL;
	return 0;
}

int layers_add(char ***list, unsigned *n, const char *value, enum escaping esc)
{
	_cleanup_free_ char *copy = NULL;
	char *next;

	if (esc == ESCAPE_NONE)
		return add_one(list, n, value);
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	for (char *s = copy; s; s = next) {
		int r;

		next = layers_next(s, ':');
		if (next && *next == ':')
			return -ENOTSUP;
		if (esc == ESCAPE_MOUNT)
			layers_unescape(s);
		else
			unescape_colon(s);
		r = add_one(list, n, s);
		if (r < 0)
			return r;
	}
	return 0;
}
