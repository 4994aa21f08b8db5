/* SPDX-License-Identifier: MIT */
/* The in-process executor: the verbs, as handlers' tests will use them. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/local.h"

static struct tracee self;
static void (*policy)(struct call *c);
static unsigned exits, cancels;
static int64_t last_result;

static void enter(struct call *c, void *ctx)
{
	(void)ctx;
	policy(c);
}

static void on_exit_call(struct call *c, void *ctx)
{
	(void)ctx;
	exits++;
	last_result = c->result;
	free(c->data);
	c->data = NULL;
	if (c->result == -ENOTDIR)
		call_return(c, -EXDEV);
	else if (c->result == -ELOOP && exits < 4)
		call_retry(c);
}

static void cancel(struct call *c, void *ctx)
{
	(void)ctx;
	cancels++;
	free(c->data);
	c->data = NULL;
}

static const struct engine_cb cb = { .enter = enter, .exit = on_exit_call, .cancel = cancel };

static void setup(void)
{
	self = (struct tracee){ .tid = gettid(), .tgid = getpid() };
	exits = cancels = 0;
}

static int64_t call(unsigned id, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t arg[6] = { a, b, c };

	return local_call(&cb, &self, id, arg);
}

#define PTR(p) ((uint64_t)(uintptr_t)(p))

static void nothing(struct call *c)
{
	ck_assert_ptr_eq(c->t, &self);
	ck_assert_int_eq(c->row->class, SYS_ACCESS);
}

START_TEST(passes)
{
	policy = nothing;
	ck_assert_int_eq(call(SYS_ID_access, PTR("/"), F_OK, 0), 0);
	ck_assert_int_eq(call(SYS_ID_access, PTR("/nonexistent"), F_OK, 0), -ENOENT);
	ck_assert_int_eq(call(SYS_ID_access, 8, F_OK, 0), -EFAULT);
	ck_assert_uint_eq(exits + cancels, 0);
}
END_TEST

static void answers(struct call *c)
{
	c->data = malloc(1);
	call_return(c, 1234);
}

START_TEST(answered_calls_do_not_run)
{
	policy = answers;
	ck_assert_int_eq(call(SYS_ID_close, 0, 0, 0), 1234);
	ck_assert_int_ge(fcntl(0, F_GETFD), 0);
	ck_assert_uint_eq(cancels, 1);
	ck_assert_uint_eq(exits, 0);
}
END_TEST

static void nobody_cares(struct call *c)
{
	(void)c;
}

START_TEST(refused_calls_are_refused)
{
	policy = nobody_cares;
	ck_assert_int_eq(call(SYS_ID_io_uring_setup, 0, 0, 0), -ENOSYS);
}
END_TEST

static void redirects(struct call *c)
{
	char path[64];
	int argno = sys_arg(c->row, R_PATH);

	ck_assert_int_eq(call_read_str(c, c->arg[argno], path, sizeof(path)), 1);
	ck_assert_str_eq(path, "x");
	ck_assert_int_eq(call_set_path(c, (unsigned)argno, "/proc/self/exe/x"), 0);
	call_want_exit(c);
}

static void becomes_statx(struct call *c)
{
	ck_assert_int_eq(call_set_id(c, SYS_ID_getppid), 0);
	ck_assert_int_eq(call_set_id(c, SYS_NID), -ENOSYS);
}

static void loops(struct call *c)
{
	ck_assert_int_eq(call_set_arg(c, 1, O_NOFOLLOW), 0);
	ck_assert_int_eq(call_set_arg(c, 6, 0), -EINVAL);
	c->data = malloc(1);
}

START_TEST(changed_calls)
{
	policy = redirects;
	ck_assert_int_eq(call(SYS_ID_access, PTR("x"), F_OK, 0), -EXDEV);
	ck_assert_int_eq(last_result, -ENOTDIR);
	policy = becomes_statx;
	ck_assert_int_eq(call(SYS_ID_access, PTR("x"), F_OK, 0), getppid());
	policy = loops;
	exits = 0;
	ck_assert_int_eq(call(SYS_ID_open, PTR("/proc/self/exe"), O_RDONLY, 0), -ELOOP);
	ck_assert_uint_eq(exits, 4);
}
END_TEST

/* Strings that end right before an unmapped page, and such as do not end. */
static char *edge;

static void reads(struct call *c)
{
	char buf[8192];
	const char word[8] = "written";

	ck_assert_int_eq(call_read_str(c, PTR(edge - 5), buf, sizeof(buf)), 4);
	edge[-1] = 'x';
	ck_assert_int_eq(call_read_str(c, PTR(edge - 5), buf, sizeof(buf)), -EFAULT);
	ck_assert_int_eq(call_read_str(c, PTR(edge - 5), buf, 5), -ENAMETOOLONG);
	ck_assert_int_eq(call_read_str(c, PTR(edge - 3000), buf, 2000), -ENAMETOOLONG);
	edge[-1] = '\0';
	ck_assert_int_eq(call_read_str(c, PTR(edge - 3000), buf, sizeof(buf)), 2999);
	ck_assert_int_eq(call_read_str(c, PTR(edge), buf, sizeof(buf)), -EFAULT);
	ck_assert_int_eq(call_read(c, PTR(edge - 8), buf, 8), 0);
	ck_assert_int_eq(call_read(c, PTR(edge - 8), buf, 9), -EFAULT);
	ck_assert_int_eq(call_read_some(c, PTR(edge - 8), buf, 100), 8);
	ck_assert_int_eq(call_read_some(c, PTR(edge), buf, 100), -EFAULT);
	ck_assert_int_eq(call_read_some(c, 0, buf, 0), 0);
	ck_assert_int_eq(call_read(c, UINT64_MAX - 3, buf, 8), -EFAULT);
	ck_assert_int_eq(call_read(c, UINT64_C(0xffff800000000000), buf, 8), -EFAULT);
	ck_assert_int_eq(call_write(c, PTR(edge - 8), word, 8), 0);
	ck_assert_mem_eq(edge - 8, word, 8);
	ck_assert_int_eq(call_write(c, PTR(edge - 4), word, 8), -EFAULT);
	ck_assert_int_eq(call_write(c, PTR("constant"), word, 8), -EFAULT);
	call_return(c, 0);
}

START_TEST(memory)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(p != MAP_FAILED);
	edge = p + 2 * page;
	ck_assert_int_eq(munmap(edge, page), 0);
	memset(p, 'a', 2 * page);
	edge[-1] = '\0';
	policy = reads;
	ck_assert_int_eq(call(SYS_ID_access, 0, 0, 0), 0);
}
END_TEST

START_TEST(descriptors_are_the_same_open_file)
{
	_cleanup_fd_ int fd = open("/dev/null", O_RDWR | O_CLOEXEC), copy = -1;

	copy = tracee_getfd(&self, fd);
	if (copy == -ENOSYS)
		return;
	ck_assert_int_ge(copy, 0);
	ck_assert_int_eq(fcntl(copy, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(copy, F_SETFL, O_APPEND), 0);
	ck_assert(fcntl(fd, F_GETFL) & O_APPEND);
	ck_assert_int_eq(tracee_getfd(&self, 4000), -EBADF);
	ck_assert_int_eq(tracee_getfd(&self, -1), -EBADF);
	ck_assert_int_eq(tracee_getfd(&self, AT_FDCWD), -EBADF);
	close((int)self.pidfd1 - 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("local");
	TCase *c = tcase_create("local");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, passes);
	tcase_add_test(c, answered_calls_do_not_run);
	tcase_add_test(c, refused_calls_are_refused);
	tcase_add_test(c, changed_calls);
	tcase_add_test(c, memory);
	tcase_add_test(c, descriptors_are_the_same_open_file);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
