/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* stderr is the write end of a pipe while a test runs. */
static int out;

static void setup(void)
{
	int p[2];

	unsetenv("FUSS_LOG_LEVEL");
	unsetenv("FUSS_DEBUG");
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	fcntl(p[1], F_SETPIPE_SZ, 1 << 18);
	ck_assert_int_eq(dup2(p[1], STDERR_FILENO), STDERR_FILENO);
	close(p[1]);
	out = p[0];
}

static const char *written(void)
{
	static char buf[1 << 18];
	ssize_t n = read(out, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static const struct {
	const char *level, *debug;
	int r;
	enum log_level want;
} levels[] = {
	{ NULL, NULL, 0, LOG_QUIET },
	{ "", "", 0, LOG_QUIET },
	{ "intercept", NULL, 0, LOG_INTERCEPT },
	{ "debug", NULL, 0, LOG_DEBUG },
	{ NULL, "1", 0, LOG_DEBUG },
	{ "intercept", "1", 0, LOG_DEBUG },
	{ "intercept", "0", 0, LOG_INTERCEPT },
	{ "Debug", NULL, -EINVAL, LOG_QUIET },
	{ "info", NULL, -EINVAL, LOG_QUIET },
	{ NULL, "yes", -EINVAL, LOG_QUIET },
};

START_TEST(reads_the_level)
{
	if (levels[_i].level)
		setenv("FUSS_LOG_LEVEL", levels[_i].level, 1);
	if (levels[_i].debug)
		setenv("FUSS_DEBUG", levels[_i].debug, 1);
	ck_assert_int_eq(log_init(), levels[_i].r);
	ck_assert_int_eq((int)log_level, (int)levels[_i].want);
	ck_assert_int_eq(log_on(LOG_INTERCEPT), levels[_i].want >= LOG_INTERCEPT);
}
END_TEST

START_TEST(speaks_through_a_private_descriptor)
{
	ck_assert_int_eq(log_fd(), -1);
	msg("before %d", 1);
	ck_assert_str_eq(written(), "fuss: before 1\n");
	ck_assert_int_eq(log_init(), 0);
	ck_assert_int_gt(log_fd(), 100);
	ck_assert_int_eq(fcntl(log_fd(), F_GETFD), FD_CLOEXEC);
	int fd = log_fd();

	ck_assert_int_eq(log_init(), 0);
	ck_assert_int_eq(log_fd(), fd);
	close(STDERR_FILENO);
	msg("after");
	warn("%s", "careful");
	debug("not shown");
	ck_assert_str_eq(written(), "fuss: after\nfuss: warning: careful\n");
}
END_TEST

START_TEST(fits_a_low_limit)
{
	struct rlimit lim = { 64, 64 };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	ck_assert_int_eq(log_init(), 0);
	ck_assert_int_gt(log_fd(), 2);
	ck_assert_int_lt(log_fd(), 64);
}
END_TEST

START_TEST(bears_a_closed_stderr)
{
	close(STDERR_FILENO);
	ck_assert_int_eq(log_init(), 0);
	ck_assert_int_eq(log_fd(), -1);
	msg("into the void");
}
END_TEST

START_TEST(cuts_long_messages)
{
	_cleanup_free_ char *s = malloc(100001);
	const char *got;

	memset(s, 'x', 100000);
	s[100000] = '\0';
	msg("%s", s);
	got = written();
	ck_assert_uint_gt(strlen(got), 4000);
	ck_assert_int_eq(got[strlen(got) - 1], '\n');
	ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);
}
END_TEST

static const char *line(const char *key, const char *value)
{
	static struct log_line l;
	const char *s;

	log_begin(&l, "INTERCEPT", "hello");
	log_str(&l, key, value);
	log_int(&l, "n", -7);
	log_end(&l);
	s = written();
	ck_assert_int_eq(strncmp(s, "time=20", 7), 0);
	ck_assert_ptr_nonnull(strstr(s, "Z level=INTERCEPT msg=hello"));
	return strstr(s, "msg=hello") + strlen("msg=hello");
}

START_TEST(quotes_where_needed)
{
	ck_assert_str_eq(line("k", "plain/path-1.c"), " k=plain/path-1.c n=-7\n");
	ck_assert_str_eq(line("k", ""), " k=\"\" n=-7\n");
	ck_assert_str_eq(line("k", NULL), " n=-7\n");
	ck_assert_str_eq(line("k", "a b"), " k=\"a b\" n=-7\n");
	ck_assert_str_eq(line("k", "a=b"), " k=\"a=b\" n=-7\n");
	ck_assert_str_eq(line("k", "say \"x\"\\"), " k=\"say \\\"x\\\"\\\\\" n=-7\n");
	ck_assert_str_eq(line("k", "\n\t\r\x1b[0m\x7f"), " k=\"\\n\\t\\r\\x1b[0m\\x7f\" n=-7\n");
	ck_assert_str_eq(line("k", "\xc3\xa4"), " k=\xc3\xa4 n=-7\n");
}
END_TEST

START_TEST(debug_is_logfmt)
{
	setenv("FUSS_DEBUG", "1", 1);
	ck_assert_int_eq(log_init(), 0);
	debug("a \"%s\"\n", "b");
	ck_assert_ptr_nonnull(strstr(written(), " level=DEBUG msg=\"a \\\"b\\\"\\n\"\n"));
}
END_TEST

/* However much there is, one terminated line comes out, and no quote is left open. */
START_TEST(never_overflows)
{
	static char value[40000];
	static struct log_line l;

	for (size_t n = 15000; n < sizeof(value); n += 97) {
		memset(value, n & 1 ? '"' : 'v', n);
		value[n] = '\0';
		log_begin(&l, "DEBUG", "x");
		for (int i = 0; i < 3; i++) {
			log_str(&l, "key", value);
			log_str(&l, "other", "a b");
			log_int(&l, "number", INT64_MIN);
			ck_assert_uint_lt(l.len, sizeof(l.buf));
		}
		log_end(&l);
		const char *s = written(), *end = strchr(s, '\n');
		unsigned quotes = 0;

		ck_assert_uint_le(strlen(s), sizeof(l.buf));
		ck_assert_ptr_nonnull(end);
		ck_assert_int_eq(end[1], '\0');
		for (; *s; s++) {
			if (*s == '\\')
				s++;
			else
				quotes += *s == '"';
		}
		ck_assert_uint_eq(quotes % 2, 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, reads_the_level, 0, ARRAY_SIZE(levels));
	tcase_add_test(t, speaks_through_a_private_descriptor);
	tcase_add_test(t, fits_a_low_limit);
	tcase_add_test(t, bears_a_closed_stderr);
	tcase_add_test(t, cuts_long_messages);
	tcase_add_test(t, quotes_where_needed);
	tcase_add_test(t, debug_is_logfmt);
	tcase_add_test(t, never_overflows);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
