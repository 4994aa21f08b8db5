/* SPDX-License-Identifier: MIT */
/* The seccomp programs, run by a small interpreter over every call of the table. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arch.h"
#include "base/cleanup.h"
#include "engine/filter.h"
#include "sys/sys.h"

#define COOKIE UINT64_C(0x123456789abcdef0)

static struct filter_set filter, filter_logged;

static void setup(void)
{
	ck_assert_int_eq(filter_build(abi_list[0], COOKIE, false, &filter), 0);
	ck_assert_int_eq(filter_build(abi_list[0], COOKIE, true, &filter_logged), 0);
}

static void teardown(void)
{
	filter_free(&filter);
	filter_free(&filter_logged);
}

/* What libseccomp generates: loads of seccomp_data, and, jumps, returns. */
static uint32_t interpret(const struct filter *f, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned pc = 0; pc < f->len; pc++) {
		const struct sock_filter *i = &f->insn[pc];
		bool yes;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			ck_assert_uint_le(i->k + 4, sizeof(*data));
			memcpy(&a, (const char *)data + i->k, 4);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = a & i->k;
			break;
		default:
			ck_abort_msg("instruction %x", i->code);
		}
		pc += yes ? i->jt : i->jf;
	}
	ck_abort_msg("fell off the end");
}

/* The kernel takes the smallest action, as a signed number. */
static uint32_t run(const struct filter_set *f, const struct seccomp_data *data)
{
	uint32_t known = interpret(&f->known, data), trace = interpret(&f->trace, data);

	return (int32_t)(known & SECCOMP_RET_ACTION_FULL) <
			       (int32_t)(trace & SECCOMP_RET_ACTION_FULL)
		       ? known
		       : trace;
}

static uint32_t call(const char *name, uint64_t a0, uint64_t a1, uint64_t a4, uint64_t a5)
{
	struct seccomp_data d = { .arch = abi_list[0]->audit_arch,
				  .args = { a0, a1, 0, 0, a4, a5 } };

	d.nr = -1;
	for (unsigned id = 1; id < SYS_NID; id++)
		if (strcmp(sys_table[id].name, name) == 0)
			d.nr = sys_nr(abi_list[0], id);
	ck_assert_int_ge(d.nr, 0);
	return run(&filter, &d);
}

#define ALLOW SECCOMP_RET_ALLOW
#define TRACE SECCOMP_RET_TRACE
#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))

START_TEST(every_row_does_what_its_class_says)
{
	for (unsigned id = 1; id < SYS_NID; id++) {
		const struct sys_row *row = &sys_table[id];
		struct seccomp_data d = { .nr = sys_nr(abi_list[0], id),
					  .arch = abi_list[0]->audit_arch };
		uint32_t expect = TRACE;

		if (id == SYS_ID_clone3)
			expect = TRACE;
		else if (row->class == SYS_PASS || row->class == SYS_SOCKNAME)
			expect = ALLOW;
		else if (row->class == SYS_FCNTL || row->class == SYS_IOCTL || id == SYS_ID_sendto)
			expect = ALLOW; /* all arguments zero */
		else if (row->class == SYS_DENY)
			expect = ERRNO((unsigned)row->deny);
		ck_assert_msg(run(&filter, &d) == expect, "%s: %x, not %x", row->name,
			      run(&filter, &d), expect);
		if (row->class == SYS_DENY)
			ck_assert_uint_eq(run(&filter_logged, &d), TRACE);
	}
}
END_TEST

START_TEST(unknown_numbers_are_enosys)
{
	for (unsigned nr = 0; nr < 0x2000; nr++) {
		struct seccomp_data d = { .nr = (int)nr, .arch = abi_list[0]->audit_arch };

		if (sys_by_nr(abi_list[0], nr) == SYS_ID_unknown)
			ck_assert_msg(run(&filter, &d) == ERRNO(ENOSYS), "%u", nr);
	}
}
END_TEST

START_TEST(foreign_abis_stop)
{
	static const uint32_t arch[] = { AUDIT_ARCH_I386, AUDIT_ARCH_ARM, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(arch); i++) {
		for (int nr = 0; nr < 500; nr++) {
			struct seccomp_data d = { .nr = nr, .arch = arch[i] };

			ck_assert_uint_eq(run(&filter, &d), TRACE | ARCH_DATA_FOREIGN);
		}
	}
	if (abi_list[0]->audit_arch == AUDIT_ARCH_X86_64) {
		struct seccomp_data x32 = { .nr = 0x40000000, .arch = AUDIT_ARCH_X86_64 };

		ck_assert_uint_eq(run(&filter, &x32), TRACE | ARCH_DATA_FOREIGN);
		x32.nr += 520;
		ck_assert_uint_eq(run(&filter, &x32), TRACE | ARCH_DATA_FOREIGN);
	}
}
END_TEST

/* Each half of the cookie counts, and only where the sixth argument has no other use. */
START_TEST(the_cookie_lets_path_calls_pass)
{
	for (unsigned id = 1; id < SYS_NID; id++) {
		const struct sys_row *row = &sys_table[id];
		struct seccomp_data d = { .nr = sys_nr(abi_list[0], id),
					  .arch = abi_list[0]->audit_arch };
		static const uint64_t wrong[] = { COOKIE + 1, COOKIE + (UINT64_C(1) << 32), 0,
						  COOKIE & 0xffffffff, COOKIE >> 32 << 32 };

		if (sys_arg(row, R_PATH) < 0)
			continue;
		d.args[5] = COOKIE;
		ck_assert_uint_eq(run(&filter, &d), row->role[5] == R_NONE ? ALLOW : TRACE);
		for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
			d.args[5] = wrong[i];
			ck_assert_msg(run(&filter, &d) == TRACE, "%s", row->name);
		}
	}
}
END_TEST

START_TEST(commands_stop)
{
	const uint64_t junk = UINT64_C(0xdead) << 32;

	ck_assert_uint_eq(call("fcntl", 1, F_GETFL, 0, 0), TRACE);
	ck_assert_uint_eq(call("fcntl", 1, F_GETFL | junk, 0, 0), TRACE);
	ck_assert_uint_eq(call("fcntl", 1, F_SETFL, 0, 0), ALLOW);
	ck_assert_uint_eq(call("fcntl", 1, F_DUPFD_CLOEXEC, 0, 0), ALLOW);
	for (const uint32_t *cmd = sys_ioctl_cmd; *cmd; cmd++) {
		ck_assert_uint_eq(call("ioctl", 1, *cmd, 0, 0), TRACE);
		ck_assert_uint_eq(call("ioctl", 1, *cmd | junk, 0, 0), TRACE);
	}
	ck_assert_uint_eq(call("ioctl", 1, TCGETS, 0, 0), ALLOW);
	ck_assert_uint_eq(call("ioctl", 1, FS_IOC_GETFLAGS, 0, 0), ALLOW);
	ck_assert_uint_eq(call("ioctl", 1, FICLONE, 0, 0), ALLOW);
}
END_TEST

START_TEST(arguments_decide)
{
	ck_assert_uint_eq(call("sendto", 1, 2, 0, 0), ALLOW);
	ck_assert_uint_eq(call("sendto", 1, 2, UINT64_C(1) << 40, 0), TRACE);
	ck_assert_uint_eq(call("sendto", 1, 2, 16, COOKIE), TRACE);
	ck_assert_uint_eq(call("clone", CLONE_VM | CLONE_FS, 0, 0, 0), ALLOW);
	ck_assert_uint_eq(call("clone", CLONE_VM | CLONE_UNTRACED, 0, 0, 0), TRACE);
	ck_assert_uint_eq(call("clone3", 0, 0, 0, 0), TRACE);
	ck_assert_uint_eq(call("seccomp", SECCOMP_SET_MODE_FILTER, 0, 0, 0), ALLOW);
	ck_assert_uint_eq(call("seccomp", SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, 0, 0),
			  ALLOW);
	ck_assert_uint_eq(
		call("seccomp", SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, 0, 0),
		ERRNO(EBUSY));
	ck_assert_uint_eq(call("seccomp", SECCOMP_GET_NOTIF_SIZES, 8, 0, 0), ALLOW);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("filter");
	TCase *c = tcase_create("verdicts");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, every_row_does_what_its_class_says);
	tcase_add_test(c, unknown_numbers_are_enosys);
	tcase_add_test(c, foreign_abis_stop);
	tcase_add_test(c, the_cookie_lets_path_calls_pass);
	tcase_add_test(c, commands_stop);
	tcase_add_test(c, arguments_decide);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
