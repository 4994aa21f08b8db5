/* SPDX-License-Identifier: MIT */
/* The table of system calls: complete, and consistent with itself and with the kernel's headers. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "arch/abi.h"
#include "base/cleanup.h"
#include "sys/sys.h"

static const struct abi *native(void)
{
	return abi_list[0];
}

static FILE *kernel_header(void)
{
	static const char *const path[] = {
		"/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
		"/usr/include/asm/unistd_64.h",
	};
	FILE *f = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(path) && !f; i++)
		f = fopen(path[i], "re");
	return f;
}

static unsigned id_by_name(const char *name)
{
	for (unsigned id = 1; id < SYS_NID; id++)
		if (strcmp(sys_table[id].name, name) == 0)
			return id;
	return 0;
}

/* A call that the headers have and the table has not would slip by unclassified. */
START_TEST(kernel_header_is_covered)
{
	FILE *f = kernel_header();
	char line[256], name[64];
	unsigned n = 0;
	int nr;

	if (!f || native()->index != ABI_X86_64)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "#define __NR_%63s %d", name, &nr) != 2)
			continue;
		ck_assert_msg(id_by_name(name) != 0, "%s is not in table.def", name);
		ck_assert_msg(sys_nr(native(), id_by_name(name)) == nr, "%s is %d", name, nr);
		ck_assert_uint_eq(sys_by_nr(native(), (uint64_t)nr), id_by_name(name));
		n++;
	}
	fclose(f);
	ck_assert_uint_gt(n, 300);
}
END_TEST

START_TEST(numbers_are_bounded)
{
	static const uint64_t none[] = { 470, 10000, 0x40000000, 0xffffffff, UINT64_MAX, INT64_MAX,
					 UINT64_C(1) << 32 | 2, 400 };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		ck_assert_uint_eq(sys_by_nr(native(), none[i]), SYS_ID_unknown);
	ck_assert_int_eq(sys_nr(native(), SYS_ID_unknown), -1);
	ck_assert_int_eq(sys_nr(native(), SYS_NID), -1);
	ck_assert_int_eq(sys_table[SYS_ID_unknown].class, SYS_DENY);
	ck_assert_int_eq(sys_table[SYS_ID_unknown].deny, ENOSYS);
	ck_assert_ptr_null(abi_find(0));
	ck_assert_ptr_eq(abi_find(native()->audit_arch), native());
}
END_TEST

START_TEST(numbers_and_ids_are_inverse)
{
	unsigned found = 0;

	for (unsigned nr = 0; nr < 1000; nr++) {
		unsigned id = sys_by_nr(native(), nr);

		if (!id)
			continue;
		found++;
		ck_assert_int_eq(sys_nr(native(), id), nr);
	}
	/* No row without a number, none with two. */
	ck_assert_uint_eq(found, SYS_NID - 1);
}
END_TEST

START_TEST(names_are_unique)
{
	for (unsigned id = 1; id < SYS_NID; id++)
		ck_assert_uint_eq(id_by_name(sys_table[id].name), id);
}
END_TEST

static bool has(const struct sys_row *r, enum sys_role role)
{
	return sys_arg(r, role) >= 0;
}

static bool is_about_a_file(const struct sys_row *r)
{
	return r->class != SYS_PASS && r->class != SYS_DENY && r->class != SYS_CRED;
}

START_TEST(roles_are_contiguous_and_unique)
{
	for (unsigned id = 1; id < SYS_NID; id++) {
		const struct sys_row *r = &sys_table[id];
		bool end = false;

		for (int i = 0; i < SYS_MAXARGS; i++) {
			if (r->role[i] == R_NONE)
				end = true;
			else
				ck_assert_msg(!end, "%s: a gap", r->name);
			if (r->role[i] > R_INT)
				ck_assert_msg(sys_arg(r, r->role[i]) == i, "%s: role twice",
					      r->name);
		}
	}
}
END_TEST

/* A path is relative to the descriptor right before it. */
START_TEST(dirfd_stands_before_path)
{
	for (unsigned id = 1; id < SYS_NID; id++) {
		const struct sys_row *r = &sys_table[id];
		size_t len = strlen(r->name);

		if (has(r, R_DIRFD))
			ck_assert_msg(sys_arg(r, R_PATH) == sys_arg(r, R_DIRFD) + 1, "%s", r->name);
		if (has(r, R_DIRFD2))
			ck_assert_msg(sys_arg(r, R_PATH2) == sys_arg(r, R_DIRFD2) + 1, "%s",
				      r->name);
		if (has(r, R_PATH2) && r->class != SYS_MOUNT)
			ck_assert_msg(has(r, R_DIRFD) == has(r, R_DIRFD2), "%s", r->name);
		if (len > 2 && strcmp(r->name + len - 2, "at") == 0 && is_about_a_file(r) &&
		    strcmp(r->name, "stat") != 0 && strcmp(r->name, "lstat") != 0 &&
		    strcmp(r->name, "fstat") != 0 && strcmp(r->name, "creat") != 0)
			ck_assert_msg(has(r, R_DIRFD), "%s has no descriptor", r->name);
	}
}
END_TEST

START_TEST(every_file_call_names_its_file)
{
	for (unsigned id = 1; id < SYS_NID; id++) {
		const struct sys_row *r = &sys_table[id];

		if (!is_about_a_file(r)) {
			ck_assert_msg(!has(r, R_PATH), "%s", r->name);
			continue;
		}
		ck_assert_msg(has(r, R_PATH) || has(r, R_FD) || r->class == SYS_GETCWD, "%s",
			      r->name);
		/* A form on a descriptor has no path and the other way round, but for the
		 * watchers. */
		if (r->class != SYS_REDIRECT)
			ck_assert_msg(has(r, R_PATH) != has(r, R_FD) || r->class == SYS_GETCWD,
				      "%s", r->name);
		if (r->name[0] == 'f' && id_by_name(r->name + 1) && r->class != SYS_MOUNT)
			ck_assert_msg(has(r, R_FD), "%s works on a descriptor", r->name);
	}
}
END_TEST

static const struct {
	enum sys_class class;
	enum sys_role need[4];
} class_needs[] = {
	{ SYS_OPEN, { R_PATH } },
	{ SYS_STAT, { R_OUT } },
	{ SYS_ACCESS, { R_PATH, R_MASK } },
	{ SYS_READLINK, { R_PATH, R_BUF, R_LEN } },
	{ SYS_GETDENTS, { R_FD, R_BUF, R_LEN } },
	{ SYS_MKNOD, { R_PATH, R_MODE } },
	{ SYS_SYMLINK, { R_PATH, R_TARGET } },
	{ SYS_LINK, { R_PATH, R_PATH2 } },
	{ SYS_UNLINK, { R_PATH } },
	{ SYS_RENAME, { R_PATH, R_PATH2 } },
	{ SYS_CHMOD, { R_MODE } },
	{ SYS_CHOWN, { R_UID, R_GID } },
	{ SYS_UTIME, { R_PATH, R_TIMES } },
	{ SYS_TRUNCATE, { R_PATH, R_SIZE } },
	{ SYS_GETXATTR, { R_XNAME, R_XSIZE } },
	{ SYS_SETXATTR, { R_XNAME, R_XSIZE } },
	{ SYS_LISTXATTR, { R_BUF, R_LEN } },
	{ SYS_REMOVEXATTR, { R_XNAME } },
	{ SYS_STATFS, { R_OUT } },
	{ SYS_GETCWD, { R_BUF, R_LEN } },
	{ SYS_EXEC, { R_PATH, R_ARGV, R_ENVP } },
	{ SYS_REDIRECT, { R_PATH } },
	{ SYS_MOUNT, { R_PATH } },
	{ SYS_FCNTL, { R_FD, R_CMD, R_ARG } },
	{ SYS_IOCTL, { R_FD, R_CMD, R_ARG } },
	{ SYS_FILEATTR, { R_PATH, R_ARG, R_LEN, R_ATFLAGS } },
};

START_TEST(classes_have_their_roles)
{
	for (size_t i = 0; i < ARRAY_SIZE(class_needs); i++) {
		for (unsigned id = 1; id < SYS_NID; id++) {
			const struct sys_row *r = &sys_table[id];

			if (r->class != class_needs[i].class)
				continue;
			for (int k = 0; k < 4 && class_needs[i].need[k]; k++)
				ck_assert_msg(has(r, class_needs[i].need[k]), "%s lacks role %d",
					      r->name, class_needs[i].need[k]);
		}
	}
}
END_TEST

START_TEST(forms_are_given_where_layouts_differ)
{
	for (unsigned id = 1; id < SYS_NID; id++) {
		const struct sys_row *r = &sys_table[id];
		bool need = r->class == SYS_STAT || r->class == SYS_STATFS ||
			    r->class == SYS_UTIME || r->class == SYS_GETDENTS ||
			    r->class == SYS_MKNOD;

		ck_assert_msg(need == (r->form != F_NONE), "%s", r->name);
	}
}
END_TEST

START_TEST(refusals_have_a_reason)
{
	for (unsigned id = 0; id < SYS_NID; id++) {
		const struct sys_row *r = &sys_table[id];

		ck_assert_int_eq(r->class == SYS_DENY, r->deny > 0);
		if (r->class == SYS_DENY)
			ck_assert_ptr_nonnull(r->note);
	}
}
END_TEST

static const struct {
	const char *name;
	unsigned at;
} implied[] = {
	{ "lstat", AT_SYMLINK_NOFOLLOW },     { "lchown", AT_SYMLINK_NOFOLLOW },
	{ "lgetxattr", AT_SYMLINK_NOFOLLOW }, { "lsetxattr", AT_SYMLINK_NOFOLLOW },
	{ "llistxattr", AT_SYMLINK_NOFOLLOW }, { "lremovexattr", AT_SYMLINK_NOFOLLOW },
	{ "rmdir", AT_REMOVEDIR },	      { "readlinkat", AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH },
	{ "stat", 0 },			      { "chown", 0 },
	{ "link", 0 },			      { "unlink", 0 },
};

START_TEST(flags_are_implied)
{
	ck_assert_uint_eq(sys_table[id_by_name("creat")].oflags, O_CREAT | O_WRONLY | O_TRUNC);
	ck_assert_uint_eq(sys_table[id_by_name(implied[_i].name)].at, implied[_i].at);
}
END_TEST

START_TEST(put_stat_is_the_kernels)
{
	unsigned char buf[ABI_STRUCT_MAX], expect[ABI_STRUCT_MAX];
	static const char *const path[] = { "/", "/dev/null", "/proc/self/exe", "/dev/tty" };
	struct statx stx;

	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		memset(expect, 0, sizeof(expect));
		ck_assert_int_eq(statx(AT_FDCWD, path[i], 0, STATX_BASIC_STATS, &stx), 0);
		ck_assert_int_eq(stat(path[i], (struct stat *)(void *)expect), 0);
		ck_assert_int_eq(native()->put_stat(&stx, buf), sizeof(struct stat));
		ck_assert_mem_eq(buf, expect, sizeof(struct stat));
	}
}
END_TEST

START_TEST(put_statfs_is_the_kernels)
{
	unsigned char buf[ABI_STRUCT_MAX];
	struct statfs s;

	ck_assert_int_eq(statfs("/proc", &s), 0);
	ck_assert_int_eq(native()->put_statfs(&s, buf), sizeof(s));
	ck_assert_mem_eq(buf, &s, sizeof(s));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys");
	TCase *c = tcase_create("table");
	SRunner *r;
	int failed;

	tcase_add_test(c, kernel_header_is_covered);
	tcase_add_test(c, numbers_are_bounded);
	tcase_add_test(c, numbers_and_ids_are_inverse);
	tcase_add_test(c, names_are_unique);
	tcase_add_test(c, roles_are_contiguous_and_unique);
	tcase_add_test(c, dirfd_stands_before_path);
	tcase_add_test(c, every_file_call_names_its_file);
	tcase_add_test(c, classes_have_their_roles);
	tcase_add_test(c, forms_are_given_where_layouts_differ);
	tcase_add_test(c, refusals_have_a_reason);
	tcase_add_loop_test(c, flags_are_implied, 0, ARRAY_SIZE(implied));
	tcase_add_test(c, put_stat_is_the_kernels);
	tcase_add_test(c, put_statfs_is_the_kernels);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
