/* SPDX-License-Identifier: MIT */
/* The handlers of calls, by the local executor: every call below is made by this process itself. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "call/call.h"
#include "engine/local.h"
#include "ovltest.h"

static struct vfs *fs;
static struct path_space *space;
static struct calls calls;
static struct tracee self;
static struct engine_cb cb;
static enum overlay_dialect dialect;
static char *owned[3];

static int64_t k(unsigned id, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	const uint64_t arg[6] = { a, b, c, d, e, 0 };

	return local_call(&cb, &self, id, arg);
}

#define K(name, a, b, c, d, e)                                                                      \
	k(SYS_ID_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e))

static void setup(void)
{
	const char *layers[3];
	struct path_hooks hooks = { task_magic, &calls.tasks };

	scratch_enter();
	sh("mkdir -p lower/dir/sub upper mnt && echo low >lower/file && echo x >lower/dir/x && "
	   "ln -s file lower/link && ln -s /nowhere lower/dangling && chmod 640 lower/file && "
	   "mkfifo lower/fifo && cp lower/file lower/twin && ln lower/file lower/hard");
	fs = ovl_open("upper", "lower", dialect);
	layers[0] = owned[0] = strdup(at("upper"));
	layers[1] = owned[1] = strdup(at("lower"));
	layers[2] = NULL;
	owned[2] = strdup(at("mnt"));
	ck_assert_int_eq(path_space_new(fs, at("mnt"), layers, &hooks, &space), 0);
	ck_assert_int_eq(calls_init(&calls, fs, space, owned[2]), 0);
	cb = calls_callbacks(&calls);
	self = (struct tracee){ .tid = getpid(), .tgid = getpid() };
	ck_assert_int_eq(cb.task_new(&self, NULL, 0, cb.ctx), 0);
}

static void setup_chardev(void)
{
	dialect = DIALECT_CHARDEV;
	setup();
}

static void setup_prefix(void)
{
	dialect = DIALECT_FILEPREFIX;
	setup();
}

static void teardown(void)
{
	cb.task_gone(&self, cb.ctx);
	calls_fini(&calls);
	path_space_free(space);
	ovl_close(fs);
	for (unsigned i = 0; i < 3; i++)
		free(owned[i]);
	scratch_leave();
}

/* A path below the mount point; static storage, a few at a time. */
static const char *m(const char *name)
{
	static char buf[4][PATH_MAX];
	static unsigned i;
	char *p = buf[i++ % 4];

	snprintf(p, PATH_MAX, "%s/%s", at("mnt"), name);
	return p;
}

static int64_t k_open(const char *name, int flags, mode_t mode)
{
	return K(openat, AT_FDCWD, m(name), flags, mode, 0);
}

static void lower_is_untouched(void)
{
	sh("test \"$(cat lower/file)\" = low && test \"$(stat -c %%a lower/file)\" = 640 && "
	   "test \"$(ls -A lower | tr '\\n' ' ')\" = 'dangling dir fifo file hard link twin ' && "
	   "test \"$(cat lower/dir/x)\" = x && test -z \"$(ls -A mnt)\"");
}

START_TEST(open_reads_lower_and_is_marked)
{
	int fd = (int)k_open("link", O_RDONLY, 0);
	char buf[8];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 4);
	/* The mark is there, and F_GETFL does not show it. */
	ck_assert(fcntl(fd, F_GETFL) & O_ASYNC);
	ck_assert_int_eq(K(fcntl, fd, F_GETFL, 0, 0, 0) & ~0100000, O_RDONLY);
	ck_assert_int_eq(k_open("link", O_RDONLY | O_NOFOLLOW, 0), -ELOOP);
	ck_assert_int_eq(k_open("file", O_RDONLY | O_DIRECTORY, 0), -ENOTDIR);
	ck_assert_int_eq(k_open("dir", O_WRONLY, 0), -EISDIR);
	ck_assert_int_eq(k_open("none", O_RDONLY, 0), -ENOENT);
	ck_assert_int_eq(k_open("dangling", O_RDONLY, 0), -ENOENT);
	close(fd);
}
END_TEST

START_TEST(open_for_writing_copies_up)
{
	int fd = (int)k_open("file", O_WRONLY | O_APPEND, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "more\n", 5), 5);
	close(fd);
	lower_is_untouched();
	sh("test \"$(cat upper/file | tr '\\n' ' ')\" = 'low more '");
}
END_TEST

START_TEST(open_creates_over_a_whiteout_with_a_read_only_mode)
{
	struct stat st;
	int fd;

	ck_assert_int_eq(K(unlink, m("file"), 0, 0, 0, 0), 0);
	ck_assert_int_eq(k_open("file", O_RDONLY, 0), -ENOENT);
	fd = (int)k_open("file", O_CREAT | O_EXCL | O_WRONLY, 0444);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "new", 3), 3);
	ck_assert_int_eq(K(fstat, fd, &st, 0, 0, 0), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0444);
	ck_assert_int_eq(st.st_size, 3);
	close(fd);
	ck_assert_int_eq(k_open("file", O_CREAT | O_EXCL | O_WRONLY, 0444), -EEXIST);
	lower_is_untouched();
}
END_TEST

START_TEST(a_truncating_open_without_a_free_descriptor_loses_nothing)
{
	struct rlimit old, none = { 0, 0 };

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	none.rlim_cur = 3;
	/* The supervisor is this process too: its own descriptors are above the limit already. */
	for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0 && fd < 2;)
		;
	ck_assert_int_ge(k_open("file", O_RDONLY, 0), 0); /* what is to be cached is cached */
	setrlimit(RLIMIT_NOFILE, &none);
	ck_assert_int_lt(k_open("file", O_WRONLY | O_TRUNC, 0), 0);
	setrlimit(RLIMIT_NOFILE, &old);
	sh("test ! -e upper/file || test -s upper/file");
	lower_is_untouched();
}
END_TEST

START_TEST(stat_and_fstat_agree_over_a_copy_up)
{
	struct stat a, b, c;
	int fd = (int)k_open("twin", O_RDONLY, 0);

	ck_assert_int_eq(K(stat, m("twin"), &a, 0, 0, 0), 0);
	ck_assert_int_eq(K(fstat, fd, &b, 0, 0, 0), 0);
	ck_assert_int_eq(K(chmod, m("twin"), 0600, 0, 0, 0), 0);
	ck_assert_int_eq(K(newfstatat, AT_FDCWD, m("twin"), &c, 0, 0), 0);
	ck_assert(a.st_ino == b.st_ino && a.st_ino == c.st_ino);
	ck_assert(a.st_dev == b.st_dev && a.st_dev == c.st_dev);
	/* The descriptor from before shows what the file is now. */
	ck_assert_int_eq(K(fstat, fd, &b, 0, 0, 0), 0);
	ck_assert_int_eq(b.st_mode & 07777, 0600);
	close(fd);
}
END_TEST

START_TEST(changes_through_a_read_only_descriptor_reach_the_copy)
{
	struct timespec ts[2] = { { 1000, 1 }, { 2000, 2 } };
	int fd = (int)k_open("file", O_RDONLY, 0);
	struct stat st;

	ck_assert_int_eq(K(fchmod, fd, 0604, 0, 0, 0), 0);
	ck_assert_int_eq(K(utimensat, fd, 0, ts, 0, 0), 0);
	ck_assert_int_eq(K(stat, m("file"), &st, 0, 0, 0), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0604);
	ck_assert_int_eq(st.st_mtim.tv_sec, 2000);
	ck_assert_int_eq(st.st_mtim.tv_nsec, 2);
	lower_is_untouched();
	/* Unlinked: the kernel cannot copy it up any more, and no lower file is ever changed. */
	close(fd);
	ck_assert_int_ge(fd = (int)k_open("twin", O_RDONLY, 0), 0);
	ck_assert_int_eq(K(unlink, m("twin"), 0, 0, 0, 0), 0);
	ck_assert_int_lt(K(fchmod, fd, 0777, 0, 0, 0), 0);
	lower_is_untouched();
	close(fd);
}
END_TEST

START_TEST(an_unlinked_copy_does_not_lead_to_the_lower_file)
{
	int fd = (int)k_open("twin", O_RDONLY, 0);

	ck_assert_int_eq(K(chmod, m("twin"), 0600, 0, 0, 0), 0);
	ck_assert_int_eq(K(unlink, m("twin"), 0, 0, 0, 0), 0);
	ck_assert_int_lt(K(fchmod, fd, 0777, 0, 0, 0), 0);
	ck_assert_int_lt(K(fsetxattr, fd, "user.a", "b", 1, 0), 0);
	sh("test \"$(stat -c %%a lower/twin)\" != 777");
	lower_is_untouched();
	close(fd);
}
END_TEST

/* Every name of a listing, read with a buffer of this size, sorted. */
static void names_of(int fd, size_t size, char *out)
{
	char *buf = malloc(size), *list[64];
	unsigned n = 0;

	for (;;) {
		int64_t got = K(getdents64, fd, buf, size, 0, 0);

		ck_assert_int_ge(got, 0);
		if (!got)
			break;
		for (int64_t at_ = 0; at_ < got;) {
			struct dirent64 *d = (struct dirent64 *)(void *)(buf + at_);

			list[n++] = strdup(d->d_name);
			at_ += d->d_reclen;
		}
	}
	*out = 0;
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = i + 1; j < n; j++)
			if (strcmp(list[i], list[j]) > 0) {
				char *t = list[i];

				list[i] = list[j];
				list[j] = t;
			}
		strcat(strcat(out, list[i]), " ");
		free(list[i]);
	}
	free(buf);
}

START_TEST(listings_use_the_offset_of_the_descriptor)
{
	char names[1024], buf[32];
	int fd = (int)k_open("", O_RDONLY, 0); /* O_DIRECTORY is not needed */
	int other = dup(fd);

	names_of(fd, 48, names);
	ck_assert_str_eq(names, ". .. dangling dir fifo file hard link twin ");
	ck_assert_int_eq(K(getdents64, other, buf, sizeof(buf), 0, 0), 0);
	lseek(other, 0, SEEK_SET);
	K(unlink, m("hard"), 0, 0, 0, 0);
	names_of(fd, 4096, names);
	ck_assert_str_eq(names, ". .. dangling dir fifo file link twin ");
	lseek(fd, 0, SEEK_SET);
	ck_assert_int_eq(K(getdents64, fd, buf, 10, 0, 0), -EINVAL);
	close(fd);
	close(other);
}
END_TEST

START_TEST(names_in_the_kernels_order_of_errors)
{
	ck_assert_int_eq(K(mkdir, m("file"), 0755, 0, 0, 0), -EEXIST);
	ck_assert_int_eq(K(mkdir, m("dir/."), 0755, 0, 0, 0), -EEXIST);
	ck_assert_int_eq(K(mkdir, m("new/"), 0755, 0, 0, 0), 0);
	ck_assert_int_eq(K(mknod, m("no/"), S_IFREG, 0, 0, 0), -ENOENT);
	ck_assert_int_eq(K(mknod, m("chr"), S_IFCHR, 0, 0, 0), -EPERM);
	ck_assert_int_eq(K(symlink, "", m("s"), 0, 0, 0), -ENOENT);
	ck_assert_int_eq(K(symlink, "x", m("link"), 0, 0, 0), -EEXIST);
	ck_assert_int_eq(K(link, m("file"), m("dir/x"), 0, 0, 0), -EEXIST);
	ck_assert_int_eq(K(link, m("file"), at("upper/raw"), 0, 0, 0), -EXDEV);
	ck_assert_int_eq(K(unlink, m("dir"), 0, 0, 0, 0), -EISDIR);
	ck_assert_int_eq(K(unlink, m("file/"), 0, 0, 0, 0), -ENOTDIR);
	ck_assert_int_eq(K(rmdir, m("dir/."), 0, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(K(rmdir, m("dir/.."), 0, 0, 0, 0), -ENOTEMPTY);
	ck_assert_int_eq(K(rmdir, m("dir"), 0, 0, 0, 0), -ENOTEMPTY);
	ck_assert_int_eq(K(rmdir, m(""), 0, 0, 0, 0), -EBUSY);
	ck_assert_int_eq(K(rename, m("dir"), m("dir/sub/in"), 0, 0, 0), -EINVAL);
	ck_assert_int_eq(K(rename, m("dir/."), m("d2"), 0, 0, 0), -EBUSY);
	ck_assert_int_eq(K(rename, m("file"), m("dir"), 0, 0, 0), -EISDIR);
	ck_assert_int_eq(K(renameat2, AT_FDCWD, m("file"), AT_FDCWD, m("twin"), RENAME_NOREPLACE),
			 -EEXIST);
	ck_assert_int_eq(K(renameat2, AT_FDCWD, m("file"), AT_FDCWD, m("none"), RENAME_EXCHANGE),
			 -ENOENT);
	lower_is_untouched();
}
END_TEST

START_TEST(working_directory_is_virtual)
{
	char buf[PATH_MAX];

	ck_assert_int_eq(K(chdir, m("dir/sub"), 0, 0, 0, 0), 0);
	ck_assert_int_eq(K(getcwd, buf, sizeof(buf), 0, 0, 0), (int64_t)strlen(m("dir/sub")) + 1);
	ck_assert_str_eq(buf, m("dir/sub"));
	ck_assert_int_eq(K(getcwd, buf, 3, 0, 0, 0), -ERANGE);
	ck_assert_int_ge(K(readlink, "/proc/self/cwd", buf, sizeof(buf), 0, 0), 0);
	ck_assert_int_eq(strncmp(buf, m("dir/sub"), strlen(m("dir/sub"))), 0);
	ck_assert_int_ge(K(open, "../../link", O_RDONLY, 0, 0, 0), 0);
	ck_assert_int_eq(K(rmdir, m("dir/sub"), 0, 0, 0, 0), 0);
	ck_assert_int_eq(K(getcwd, buf, sizeof(buf), 0, 0, 0), -ENOENT);
	ck_assert_int_eq(K(open, "f", O_CREAT | O_WRONLY, 0600, 0, 0), -ENOENT);
	ck_assert_int_eq(chdir(at(".")), 0);
}
END_TEST

START_TEST(raw_layer_directories_stay_raw)
{
	char names[1024];
	int fd;

	ck_assert_int_eq(K(unlink, m("file"), 0, 0, 0, 0), 0);
	fd = (int)K(open, at("lower"), O_RDONLY | O_DIRECTORY, 0, 0, 0);
	ck_assert_int_ge(fd, 0);
	names_of(fd, 4096, names);
	ck_assert_ptr_nonnull(strstr(names, "file"));
	close(fd);
	ck_assert_int_eq(K(chdir, at("lower"), 0, 0, 0, 0), 0);
	ck_assert_int_ge(fd = (int)K(open, "file", O_RDONLY, 0, 0, 0), 0);
	close(fd);
	ck_assert_int_eq(K(chdir, m(""), 0, 0, 0, 0), 0);
	ck_assert_int_eq(K(open, "file", O_RDONLY, 0, 0, 0), -ENOENT);
	ck_assert_int_eq(chdir(at(".")), 0);
}
END_TEST

START_TEST(bad_pointers_are_efault)
{
	struct stat st;

	ck_assert_int_eq(K(open, 8, O_RDONLY, 0, 0, 0), -EFAULT);
	ck_assert_int_eq(K(stat, m("file"), 8, 0, 0, 0), -EFAULT);
	ck_assert_int_eq(K(stat, "", &st, 0, 0, 0), -ENOENT);
	ck_assert_int_eq(K(fchmod, 9999, 0, 0, 0, 0), -EBADF);
	ck_assert_int_eq(K(openat, 9999, "x", O_RDONLY, 0, 0), -EBADF);
}
END_TEST

START_TEST(a_socket_is_bound_in_the_upper_layer)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(m("file")) >= sizeof(un.sun_path))
		return;
	strcpy(un.sun_path, m("file"));
	ck_assert_int_eq(K(bind, s, &un, sizeof(un), 0, 0), -EADDRINUSE);
	ck_assert_int_eq(K(unlink, m("file"), 0, 0, 0, 0), 0);
	ck_assert_int_eq(K(bind, s, &un, sizeof(un), 0, 0), 0);
	listen(s, 1);
	ck_assert_int_eq(K(connect, c, &un, sizeof(un), 0, 0), 0);
	sh("test -S upper/file && test -z \"$(ls upper | grep fuss)\"");
	close(s);
	close(c);
	lower_is_untouched();
}
END_TEST

START_TEST(unnamed_files_get_a_name)
{
	char path[64];
	int fd = (int)k_open("dir", O_TMPFILE | O_RDWR, 0600);

	if (fd == -EOPNOTSUPP)
		return;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "data", 4), 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ck_assert_int_eq(K(linkat, AT_FDCWD, path, AT_FDCWD, m("dir/x"), AT_SYMLINK_FOLLOW), -EEXIST);
	ck_assert_int_eq(K(linkat, AT_FDCWD, path, AT_FDCWD, m("dir/y"), AT_SYMLINK_FOLLOW), 0);
	sh("test \"$(cat upper/dir/y)\" = data");
	close(fd);
}
END_TEST

static TCase *tcase(const char *name, void (*before)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, before, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, open_reads_lower_and_is_marked);
	tcase_add_test(tc, open_for_writing_copies_up);
	tcase_add_test(tc, open_creates_over_a_whiteout_with_a_read_only_mode);
	tcase_add_test(tc, a_truncating_open_without_a_free_descriptor_loses_nothing);
	tcase_add_test(tc, stat_and_fstat_agree_over_a_copy_up);
	tcase_add_test(tc, changes_through_a_read_only_descriptor_reach_the_copy);
	tcase_add_test(tc, an_unlinked_copy_does_not_lead_to_the_lower_file);
	tcase_add_test(tc, listings_use_the_offset_of_the_descriptor);
	tcase_add_test(tc, names_in_the_kernels_order_of_errors);
	tcase_add_test(tc, working_directory_is_virtual);
	tcase_add_test(tc, raw_layer_directories_stay_raw);
	tcase_add_test(tc, bad_pointers_are_efault);
	tcase_add_test(tc, a_socket_is_bound_in_the_upper_layer);
	tcase_add_test(tc, unnamed_files_get_a_name);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("call");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, tcase("chardev", setup_chardev));
	suite_add_tcase(s, tcase("fileprefix", setup_prefix));
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
