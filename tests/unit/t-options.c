/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/layers.h"
#include "cli/options.h"

#define MAXARG 12

static char why[512];

static int parse(struct config *c, const char *const *words)
{
	static char *argv[MAXARG + 2];
	int argc = 0;

	argv[argc++] = (char *)"fuss";
	for (int i = 0; i < MAXARG && words[i]; i++)
		argv[argc++] = (char *)words[i];
	argv[argc] = NULL;
	why[0] = '\0';
	return options_parse(argc, argv, c, why, sizeof(why));
}

static const struct {
	const char *name;
	const char *words[MAXARG];
	const char *mountpoint, *upper, *work, *lower[4];
	enum overlay_dialect dialect;
	int userxattr;
	const char *command;
} good[] = {
	{ "equal sign", { "--mountpoint=/mp", "--lowerdir=/a", "--", "true" },
	  "/mp", NULL, NULL, { "/a" }, DIALECT_AUTO, -1, "true" },
	{ "separate value", { "--mountpoint", "/mp", "--lowerdir", "/a", "--", "true" },
	  "/mp", NULL, NULL, { "/a" }, DIALECT_AUTO, -1, "true" },
	{ "no --", { "--mountpoint", "/mp", "--lowerdir", "/a", "true", "--version" },
	  "/mp", NULL, NULL, { "/a" }, DIALECT_AUTO, -1, "true" },
	{ "upper alone", { "--mountpoint=/mp", "--upperdir=/u", "--", "-x" },
	  "/mp", "/u", NULL, { NULL }, DIALECT_AUTO, -1, "-x" },
	{ "leftmost on top, appended below",
	  { "--mountpoint=/mp", "--lowerdir=/a:/b", "--lowerdir=/c", "--", "true" },
	  "/mp", NULL, NULL, { "/a", "/b", "/c" }, DIALECT_AUTO, -1, "true" },
	{ "escaped colon", { "--mountpoint=/mp", "--lowerdir=/a\\:b:/c\\d:/e\\\\", "--", "true" },
	  "/mp", NULL, NULL, { "/a:b", "/c\\d", "/e\\" }, DIALECT_AUTO, -1, "true" },
	{ "a colon in upper is a colon", { "--mountpoint=/mp", "--upperdir=/u:v", "--", "true" },
	  "/mp", "/u:v", NULL, { NULL }, DIALECT_AUTO, -1, "true" },
	{ "tidied", { "--mountpoint=//mp//./x/", "--lowerdir=/a/./b//", "--upperdir=/u/", "--", "true" },
	  "/mp/x", "/u", NULL, { "/a/b" }, DIALECT_AUTO, -1, "true" },
	{ "the root", { "--mountpoint=/", "--lowerdir=/", "--", "true" },
	  "/", NULL, NULL, { "/" }, DIALECT_AUTO, -1, "true" },
	{ "work, whiteout", { "--mountpoint=/mp", "--upperdir=/u", "--workdir=/w", "--whiteout=chardev",
	  "--", "true" }, "/mp", "/u", "/w", { NULL }, DIALECT_CHARDEV, -1, "true" },
	{ "fileprefix", { "--mountpoint=/mp", "--upperdir=/u", "--whiteout", "fileprefix", "--", "true" },
	  "/mp", "/u", NULL, { NULL }, DIALECT_FILEPREFIX, -1, "true" },
	{ "mount options", { "--mountpoint=/mp", "-o",
	  "lowerdir=/a:/b,upperdir=/u,workdir=/w,userxattr,rw,index=off", "--", "true" },
	  "/mp", "/u", "/w", { "/a", "/b" }, DIALECT_AUTO, 1, "true" },
	{ "mount options, joined and escaped", { "--mountpoint=/mp",
	  "-olowerdir=/a\\,1:/b\\:2:/c\\\\,upperdir=/u\\,\\:", "--", "true" },
	  "/mp", "/u,:", NULL, { "/a,1", "/b:2", "/c\\" }, DIALECT_AUTO, -1, "true" },
	{ "lowerdir+", { "--mountpoint=/mp", "-o", "lowerdir+=/a:1,lowerdir+=/b", "--", "true" },
	  "/mp", NULL, NULL, { "/a:1", "/b" }, DIALECT_AUTO, -1, "true" },
};

START_TEST(accepts)
{
	struct config c;
	unsigned n = 0;

	ck_assert_msg(parse(&c, good[_i].words) == 0, "%s: %s", good[_i].name, why);
	ck_assert_int_eq(c.action, ACTION_RUN);
	ck_assert_str_eq(c.mountpoint, good[_i].mountpoint);
	ck_assert_pstr_eq(c.upper, good[_i].upper);
	ck_assert_pstr_eq(c.work, good[_i].work);
	while (n < 4 && good[_i].lower[n]) {
		ck_assert_uint_lt(n, c.nlower);
		ck_assert_str_eq(c.lower[n], good[_i].lower[n]);
		n++;
	}
	ck_assert_uint_eq(n, c.nlower);
	ck_assert_int_eq(c.dialect, good[_i].dialect);
	ck_assert_int_eq(c.userxattr, good[_i].userxattr);
	ck_assert_str_eq(c.argv[0], good[_i].command);
	config_fini(&c);
}
END_TEST

/* Each refusal names what is wrong and what to do: both words must be in the sentence. */
static const struct {
	const char *words[MAXARG];
	const char *what, *remedy;
} bad[] = {
	{ { "--", "true" }, "mount point", "--mountpoint PATH" },
	{ { "--mountpoint=/mp", "--lowerdir=/a", "--" }, "no command", "-- command" },
	{ { "--mountpoint=/mp", "--lowerdir=/a" }, "no command", "-- command" },
	{ { "--mountpoint=/mp", "--", "true" }, "no layer", "--lowerdir" },
	{ { "--mountpoint" }, "--mountpoint needs a value", "--mountpoint PATH" },
	{ { "--mountpoint=", "--", "true" }, "--mountpoint", "name a directory" },
	{ { "--mountpoint=/a", "--mountpoint=/b", "--", "true" }, "twice", "once" },
	{ { "--upperdir=/a", "-o", "upperdir=/b", "--", "true" }, "-o upperdir", "once" },
	{ { "--mountpint=/a", "--", "true" }, "unknown option --mountpint;", "--help" },
	{ { "--mount=/a", "--", "true" }, "unknown option --mount;", "--help" },
	{ { "-x", "--", "true" }, "unknown option -x;", "--help" },
	{ { "--o=a", "--", "true" }, "unknown option --o;", "--help" },
	{ { "--help=me", "--", "true" }, "--help takes no value", "alone" },
	{ { "--whiteout=xattr", "--", "true" }, "'xattr'", "fileprefix" },
	{ { "--fs=zfs", "--", "true" }, "'zfs'", "overlay" },
	{ { "--lowerdir=", "--", "true" }, "empty path", "one colon" },
	{ { "--lowerdir=/a:", "--", "true" }, "empty path", "one colon" },
	{ { "--lowerdir=/a::/b", "--", "true" }, "data-only", "leave them out" },
	{ { "-o", "datadir+=/b", "--", "true" }, "data-only", "leave it out" },
	{ { "-o", "lowerdirs=/b", "--", "true" }, "'lowerdirs'", "fuss(1)" },
	{ { "-o", "lowerdir", "--", "true" }, "lowerdir needs a directory", "lowerdir=DIR" },
	{ { "--mountpoint=/mp", "--lowerdir=/a", "--workdir=/w", "--", "true" }, "work", "--upperdir" },
	{ { "--mountpoint=/mp", "--fs=passthrough", "--lowerdir=/a", "--", "true" }, "passthrough",
	  "--upperdir" },
	{ { "--mountpoint=/nonexistent/../x", "--lowerdir=/a", "--", "true" }, "--mountpoint", "" },
};

START_TEST(refuses)
{
	struct config c;

	ck_assert_int_eq(parse(&c, bad[_i].words), -EINVAL);
	ck_assert_msg(strstr(why, bad[_i].what), "'%s' lacks '%s'", why, bad[_i].what);
	ck_assert_msg(strstr(why, bad[_i].remedy), "'%s' lacks '%s'", why, bad[_i].remedy);
	ck_assert_ptr_null(strchr(why, '\n'));
}
END_TEST

START_TEST(help_and_version_stop_parsing)
{
	struct config c;

	ck_assert_int_eq(parse(&c, (const char *const[MAXARG]){ "--help", "--nonsense" }), 0);
	ck_assert_int_eq(c.action, ACTION_HELP);
	config_fini(&c);
	ck_assert_int_eq(parse(&c, (const char *const[MAXARG]){ "--lowerdir=/a", "--version" }), 0);
	ck_assert_int_eq(c.action, ACTION_VERSION);
	config_fini(&c);
	/* Behind -- they are the command's. */
	ck_assert_int_eq(parse(&c, (const char *const[MAXARG]){ "--mountpoint=/m", "--lowerdir=/a", "--",
								 "cmd", "--help" }), 0);
	ck_assert_int_eq(c.action, ACTION_RUN);
	ck_assert_str_eq(c.argv[1], "--help");
	config_fini(&c);
}
END_TEST

START_TEST(ignored_options_are_named)
{
	struct config c;

	ck_assert_int_eq(parse(&c, (const char *const[MAXARG]){
		"--mountpoint=/m", "-o", "lowerdir=/a,xino=on,metacopy=off,redirect_dir=on,x-foo,volatile",
		"--", "true" }), 0);
	ck_assert_str_eq(c.ignored, "xino,redirect_dir,volatile");
	config_fini(&c);
}
END_TEST

START_TEST(relative_paths_become_absolute)
{
	_cleanup_free_ char *cwd = NULL, *want = NULL;
	char dir[] = "/tmp/t-options.XXXXXX";
	struct config c;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	cwd = getcwd(NULL, 0);
	ck_assert_ptr_nonnull(cwd);
	ck_assert_int_eq(symlink(".", "link"), 0);
	ck_assert_int_eq(parse(&c, (const char *const[MAXARG]){ "--mountpoint=link/mp", "--lowerdir=a:../b",
								 "--upperdir=link", "true" }), 0);
	ck_assert_int_ge(asprintf(&want, "%s/mp", cwd), 0);
	ck_assert_str_eq(c.mountpoint, want); /* symlinks resolved as far as they exist */
	free(want);
	ck_assert_int_ge(asprintf(&want, "%s/../b", cwd), 0);
	ck_assert_str_eq(c.lower[1], want);
	free(want);
	ck_assert_int_ge(asprintf(&want, "%s/link", cwd), 0);
	ck_assert_str_eq(c.upper, want);
	config_fini(&c);
	unlink("link");
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(dir);
}
END_TEST

START_TEST(config_becomes_overlay_config)
{
	struct config c;
	struct overlay_config o;

	ck_assert_int_eq(parse(&c, (const char *const[MAXARG]){ "--mountpoint=/m", "--lowerdir=/a:/b",
		"--upperdir=/u", "--workdir=/w", "--whiteout=chardev", "--", "true" }), 0);
	o = config_overlay(&c);
	ck_assert_str_eq(o.upper, "/u");
	ck_assert_str_eq(o.work, "/w");
	ck_assert_uint_eq(o.nlower, 2);
	ck_assert_str_eq(o.lower[1], "/b");
	ck_assert_ptr_null(o.lower[2]);
	ck_assert_int_eq(o.dialect, DIALECT_CHARDEV);
	ck_assert_int_eq(o.userxattr, -1);
	config_fini(&c);
}
END_TEST

START_TEST(help_fits_a_screen)
{
	char *text = NULL;
	size_t size, lines = 0, width = 0;
	FILE *f = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(f);
	options_help(f);
	fclose(f);
	for (char *s = text; *s; s++, width++) {
		if (*s != '\n')
			continue;
		ck_assert_uint_le(width, 80);
		width = (size_t)-1;
		lines++;
	}
	ck_assert_uint_le(lines, 24);
	ck_assert_ptr_nonnull(strstr(text, "--mountpoint PATH"));
	free(text);
}
END_TEST

START_TEST(separators_and_escapes)
{
	char list[] = "a\\:b:c\\\\:d\\";
	char *second = layers_next(list, ':'), *third = layers_next(second, ':');

	ck_assert_str_eq(list, "a\\:b");
	ck_assert_str_eq(second, "c\\\\");
	ck_assert_str_eq(third, "d\\");
	ck_assert_ptr_null(layers_next(third, ':'));
	layers_unescape(list);
	ck_assert_str_eq(list, "a:b");
	layers_unescape(second);
	ck_assert_str_eq(second, "c\\");
	layers_unescape(third);
	ck_assert_str_eq(third, "d\\");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, accepts, 0, ARRAY_SIZE(good));
	tcase_add_loop_test(t, refuses, 0, ARRAY_SIZE(bad));
	tcase_add_test(t, help_and_version_stop_parsing);
	tcase_add_test(t, ignored_options_are_named);
	tcase_add_test(t, relative_paths_become_absolute);
	tcase_add_test(t, config_becomes_overlay_config);
	tcase_add_test(t, help_fits_a_screen);
	tcase_add_test(t, separators_and_escapes);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
