/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/layers.h"

/* As the kernel's overlayfs: OVL_MAX_STACK. */
#define MAX_LOWER 500

struct parse {
	struct config *c;
	char *why;
	size_t size;
	bool fs_given, whiteout_given;
};

struct row {
	const char *name; /* a single letter: -o; longer: --name */
	const char *arg;  /* what its argument is called, NULL: it has none */
	const char *help; /* lines of --help, '\n' between them */
	int (*set)(struct parse *p, const struct row *row, const char *value);
};

__attribute__((format(printf, 2, 3))) static int refuse(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, p->size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* -errno of a helper as a sentence, if it has not made one itself. */
static int failed(struct parse *p, const char *option, const char *value, int r)
{
	if (r == -ENOMEM)
		return refuse(p, "%s: out of memory", option);
	return refuse(p, "%s: %s: %s", option, value, strerror(-r));
}

/* --- setters ------------------------------------------------------------------------------------ */

/* One path into *slot, which may be set once only; option is what the user wrote. */
static int set_path(struct parse *p, char **slot, const char *option, const char *value)
{
	int r;

	if (!*value)
		return refuse(p, "%s: an empty path; name a directory", option);
	if (*slot)
		return refuse(p, "%s is given twice; give it once", option);
	r = layers_absolute(value, slot);
	return r < 0 ? failed(p, option, value, r) : 0;
}

static int set_mountpoint(struct parse *p, const struct row *row, const char *value)
{
	int r;

	(void)row;
	if (!*value)
		return refuse(p, "--mountpoint: an empty path; name a directory");
	if (p->c->mountpoint)
		return refuse(p, "--mountpoint is given twice; give it once");
	r = layers_canonical(value, &p->c->mountpoint);
	return r < 0 ? failed(p, "--mountpoint", value, r) : 0;
}

static int add_lower(struct parse *p, const char *option, const char *value, enum escaping esc)
{
	int r = layers_add(&p->c->lower, &p->c->nlower, value, esc);

	if (r == -EINVAL)
		return refuse(p, "%s: an empty path in '%s'; write one colon between two layers",
			      option, value);
	if (r == -ENOTSUP)
		return refuse(p, "%s: '::' asks for data-only layers, which fuss cannot read; "
			      "leave them out", option);
	if (r < 0)
		return failed(p, option, value, r);
	if (p->c->nlower > MAX_LOWER)
		return refuse(p, "%s: more than %d layers; merge some", option, MAX_LOWER);
	return 0;
}

static int set_lowerdir(struct parse *p, const struct row *row, const char *value)
{
	(void)row;
	return add_lower(p, "--lowerdir", value, ESCAPE_COLON);
}

static int set_upperdir(struct parse *p, const struct row *row, const char *value)
{
	(void)row;
	return set_path(p, &p->c->upper, "--upperdir", value);
}

static int set_workdir(struct parse *p, const struct row *row, const char *value)
{
	(void)row;
	return set_path(p, &p->c->work, "--workdir", value);
}

static int set_whiteout(struct parse *p, const struct row *row, const char *value)
{
	(void)row;
	if (p->whiteout_given)
		return refuse(p, "--whiteout is given twice; give it once");
	p->whiteout_given = true;
	if (!strcmp(value, "auto"))
		p->c->dialect = DIALECT_AUTO;
	else if (!strcmp(value, "chardev"))
		p->c->dialect = DIALECT_CHARDEV;
	else if (!strcmp(value, "fileprefix"))
		p->c->dialect = DIALECT_FILEPREFIX;
	else
		return refuse(p, "--whiteout: '%s' is none of chardev, fileprefix, auto", value);
	return 0;
}

static int set_fs(struct parse *p, const struct row *row, const char *value)
{
	(void)row;
	if (p->fs_given)
		return refuse(p, "--fs is given twice; give it once");
	p->fs_given = true;
	if (!strcmp(value, "overlay"))
		p->c->fs = FS_OVERLAY;
	else if (!strcmp(value, "passthrough"))
		p->c->fs = FS_PASSTHROUGH;
	else
		return refuse(p, "--fs: '%s' is neither overlay nor passthrough", value);
	return 0;
}

static int set_help(struct parse *p, const struct row *row, const char *value)
{
	(void)row, (void)value;
	p->c->action = ACTION_HELP;
	return 0;
}

static int set_version(struct parse *p, const struct row *row, const char *value)
{
	(void)row, (void)value;
	p->c->action = ACTION_VERSION;
	return 0;
}

/* --- -o: options as mount(8) has them ----------------------------------------------------------- */

enum mount_kind {
	MNT_LOWER,
	MNT_LOWER_ADD, /* lowerdir+=: one layer, nothing escaped */
	MNT_UPPER,
	MNT_WORK,
	MNT_USERXATTR,
	MNT_NOTHING, /* asks for what is so anyway */
	MNT_IGNORED, /* known, has no meaning here: named in the warning */
	MNT_DATA,
};

static const struct mount_option {
	const char *name;
	const char *value; /* NULL: any or none */
	enum mount_kind kind;
} mount_options[] = {
	{ "lowerdir", NULL, MNT_LOWER },
	{ "lowerdir+", NULL, MNT_LOWER_ADD },
	{ "datadir+", NULL, MNT_DATA },
	{ "upperdir", NULL, MNT_UPPER },
	{ "workdir", NULL, MNT_WORK },
	{ "userxattr", NULL, MNT_USERXATTR },
	{ "rw", NULL, MNT_NOTHING },
	{ "defaults", NULL, MNT_NOTHING },
	{ "index", "off", MNT_NOTHING },
	{ "metacopy", "off", MNT_NOTHING },
	{ "nfs_export", "off", MNT_NOTHING },
	{ "verity", "off", MNT_NOTHING },
	{ "default_permissions", NULL, MNT_IGNORED },
	{ "redirect_dir", NULL, MNT_IGNORED },
	{ "index", NULL, MNT_IGNORED },
	{ "uuid", NULL, MNT_IGNORED },
	{ "nfs_export", NULL, MNT_IGNORED },
	{ "xino", NULL, MNT_IGNORED },
	{ "metacopy", NULL, MNT_IGNORED },
	{ "verity", NULL, MNT_IGNORED },
	{ "volatile", NULL, MNT_IGNORED },
	{ "override_creds", NULL, MNT_IGNORED },
	{ "nooverride_creds", NULL, MNT_IGNORED },
	{ "casefold", NULL, MNT_IGNORED },
	/* for every file system */
	{ "ro", NULL, MNT_IGNORED },
	{ "noatime", NULL, MNT_IGNORED },
	{ "relatime", NULL, MNT_IGNORED },
	{ "nodiratime", NULL, MNT_IGNORED },
	{ "strictatime", NULL, MNT_IGNORED },
	{ "lazytime", NULL, MNT_IGNORED },
	{ "nodev", NULL, MNT_IGNORED },
	{ "dev", NULL, MNT_IGNORED },
	{ "nosuid", NULL, MNT_IGNORED },
	{ "suid", NULL, MNT_IGNORED },
	{ "noexec", NULL, MNT_IGNORED },
	{ "exec", NULL, MNT_IGNORED },
	{ "sync", NULL, MNT_IGNORED },
	{ "async", NULL, MNT_IGNORED },
	{ "dirsync", NULL, MNT_IGNORED },
	{ "noauto", NULL, MNT_IGNORED },
	{ "auto", NULL, MNT_IGNORED },
	{ "user", NULL, MNT_IGNORED },
	{ "nofail", NULL, MNT_IGNORED },
	{ "context", NULL, MNT_IGNORED },
};

static const struct mount_option *find_mount_option(const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_options); i++) {
		const struct mount_option *o = &mount_options[i];

		if (strcmp(o->name, name))
			continue;
		if (!o->value || (value && !strcmp(o->value, value)))
			return o;
	}
	return NULL;
}

static int add_ignored(struct parse *p, const char *name)
{
	char *s = NULL;

	if (asprintf(&s, "%s%s%s", p->c->ignored ? p->c->ignored : "", p->c->ignored ? "," : "",
		     name) < 0)
		return refuse(p, "-o: out of memory");
	free(p->c->ignored);
	p->c->ignored = s;
	return 0;
}

static int mount_path(struct parse *p, char **slot, const char *option, const char *value)
{
	_cleanup_free_ char *plain = strdup(value);

	if (!plain)
		return refuse(p, "-o: out of memory");
	layers_unescape(plain);
	return set_path(p, slot, option, plain);
}

/* One of the options between the commas: "name" or "name=value", commas in it still escaped. */
static int set_mount_option(struct parse *p, char *opt)
{
	char *value = strchr(opt, '=');
	const struct mount_option *o;

	if (!*opt)
		return 0;
	if (value)
		*value++ = '\0';
	if (!strncmp(opt, "x-", 2) || !strncmp(opt, "comment", 7))
		return 0; /* for other programs */
	o = find_mount_option(opt, value);
	if (!o)
		return refuse(p, "-o: '%s' is no option of an overlay; see fuss(1) for those known",
			      opt);
	if (o->kind <= MNT_WORK && (!value || !*value))
		return refuse(p, "-o: %s needs a directory: %s=DIR", opt, opt);
	switch (o->kind) {
	case MNT_LOWER:
		return add_lower(p, "-o lowerdir", value, ESCAPE_MOUNT);
	case MNT_LOWER_ADD:
		return add_lower(p, "-o lowerdir+", value, ESCAPE_NONE);
	case MNT_UPPER:
		return mount_path(p, &p->c->upper, "-o upperdir", value);
	case MNT_WORK:
		return mount_path(p, &p->c->work, "-o workdir", value);
	case MNT_USERXATTR:
		p->c->userxattr = 1;
		return 0;
	case MNT_NOTHING:
		return 0;
	case MNT_IGNORED:
		return add_ignored(p, opt);
	case MNT_DATA:
		break;
	}
	return refuse(p, "-o: datadir+ asks for a data-only layer, which fuss cannot read; leave it out");
}

static int set_o(struct parse *p, const struct row *row, const char *value)
{
	_cleanup_free_ char *copy = strdup(value);
	char *next;

	(void)row;
	if (!copy)
		return refuse(p, "-o: out of memory");
	for (char *s = copy; s; s = next) {
		int r;

		next = layers_next(s, ',');
		r = set_mount_option(p, s);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the table ---------------------------------------------------------------------------------- */

static const struct row rows[] = {
	{ "mountpoint", "PATH", "where the view appears; need not exist", set_mountpoint },
	{ "lowerdir", "PATHS", "read-only layers, colon-separated, leftmost on top\n"
	  "(\\: for a colon); given again: layers below these", set_lowerdir },
	{ "upperdir", "PATH", "layer that takes all changes; without it the view is\n"
	  "read-only", set_upperdir },
	{ "workdir", "PATH", "for unfinished changes, on the file system of upperdir;\n"
	  "seldom needed", set_workdir },
	{ "whiteout", "MODE", "how a deletion is written down: chardev, fileprefix or\n"
	  "auto (what upperdir already uses, else fileprefix)", set_whiteout },
	{ "o", "OPTIONS", "the same as mount(8) takes for an overlay: lowerdir=,\n"
	  "upperdir=,workdir=,userxattr", set_o },
	{ "fs", "NAME", "overlay, or passthrough: upperdir as it is", set_fs },
	{ "help", NULL, "show this and exit", set_help },
	{ "version", NULL, "show the version and exit", set_version },
};

static const struct row *find_row(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strlen(rows[i].name) == len && !strncmp(rows[i].name, name, len))
			return &rows[i];
	return NULL;
}

static const char *dashes(const struct row *row)
{
	return row->name[1] ? "--" : "-";
}

/* Takes argv[*i], and argv[*i + 1] where that is its value. */
static int parse_one(struct parse *p, int argc, char **argv, int *i)
{
	const char *arg = argv[*i], *name, *value = NULL;
	const struct row *row;
	size_t len;

	if (arg[1] == '-') {
		name = arg + 2;
		len = strcspn(name, "=");
		row = len > 1 ? find_row(name, len) : NULL;
		if (name[len] == '=')
			value = name + len + 1;
	} else {
		name = arg + 1;
		len = 1;
		row = find_row(name, len);
		if (name[1])
			value = name + 1;
	}
	if (!row)
		return refuse(p, "unknown option %.*s; 'fuss --help' lists them",
			      (int)(name - arg + (long)(arg[1] == '-' ? len : strlen(name))), arg);
	if (!row->arg && value)
		return refuse(p, "%s%s takes no value; write it alone", dashes(row), row->name);
	if (row->arg && !value) {
		if (*i + 1 >= argc)
			return refuse(p, "%s%s needs a value: %s%s %s", dashes(row), row->name,
				      dashes(row), row->name, row->arg);
		value = argv[++*i];
	}
	return row->set(p, row, value);
}

static int check(struct parse *p)
{
	struct config *c = p->c;

	if (!c->mountpoint)
		return refuse(p, "no mount point; say where the view appears with --mountpoint PATH");
	if (!c->argv[0])
		return refuse(p, "no command; write it after the options: fuss [options] -- command");
	if (c->fs == FS_PASSTHROUGH) {
		if (!c->upper || c->nlower || c->work || p->whiteout_given)
			return refuse(p, "--fs=passthrough shows one directory; give it with "
				      "--upperdir and no other layer option");
		return 0;
	}
	if (!c->upper && !c->nlower)
		return refuse(p, "no layer; give --lowerdir, --upperdir or both");
	if (c->work && !c->upper)
		return refuse(p, "a work directory without an upper one; add --upperdir or leave it out");
	return 0;
}

int options_parse(int argc, char **argv, struct config *ret, char *why, size_t size)
{
	struct config c = { .dialect = DIALECT_AUTO, .userxattr = -1 };
	struct parse p = { .c = &c, .why = why, .size = size };
	int i, r = 0;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		r = parse_one(&p, argc, argv, &i);
		if (r < 0 || c.action != ACTION_RUN)
			break;
	}
	if (r == 0 && c.action == ACTION_RUN) {
		c.argv = argv + (i < argc ? i : argc);
		r = check(&p);
	}
	if (r < 0) {
		config_fini(&c);
		return r;
	}
	if (c.ignored)
		warn("-o: no meaning in fuss, ignored: %s", c.ignored);
	*ret = c;
	return 0;
}

void config_fini(struct config *c)
{
	free(c->mountpoint);
	free(c->upper);
	free(c->work);
	for (unsigned i = 0; i < c->nlower; i++)
		free(c->lower[i]);
	free(c->lower);
	free(c->ignored);
	*c = (struct config){ 0 };
}

struct overlay_config config_overlay(const struct config *c)
{
	return (struct overlay_config){
		.upper = c->upper,
		.lower = (const char *const *)c->lower,
		.nlower = c->nlower,
		.work = c->work,
		.dialect = c->dialect,
		.userxattr = c->userxattr,
	};
}

/* --- messages to people ------------------------------------------------------------------------- */

#define HELP_COLUMN 24

static void help_row(FILE *f, const struct row *row)
{
	int n = fprintf(f, "  %s%s%s%s", dashes(row), row->name, row->arg ? " " : "",
			row->arg ? row->arg : "");

	for (const char *s = row->help; *s; s++) {
		if (s == row->help)
			fprintf(f, "%*s", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "");
		putc(*s, f);
		if (*s == '\n')
			fprintf(f, "%*s", HELP_COLUMN, "");
	}
	putc('\n', f);
}

void options_help(FILE *f)
{
	fputs("usage: fuss [options] -- command [args...]\n"
	      "Runs the command over a union of directories, which it sees at a mount point.\n"
	      "\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		help_row(f, &rows[i]);
	fputs("\nFUSS_LOG_LEVEL=intercept in the environment logs each intercepted call.\n"
	      "Example: fuss --mountpoint=. --lowerdir=. --upperdir=../out -- make\n", f);
}

void options_version(FILE *f)
{
	fputs(PACKAGE_STRING "\n", f);
}
