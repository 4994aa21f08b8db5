/* SPDX-License-Identifier: MIT */
/*
 * Walks beside the kernel: random trees, random paths; path_lookup() must lead to the object, or to
 * the errno, that the kernel gives for the same path.
 *
 * The tree is a plain directory, and, where that is allowed, it is bind-mounted on another one,
 * which makes of the mount point a real one.  FUSS_TEST_SEED and FUSS_TEST_ROUNDS change what is
 * tried.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "memfs.h"
#include "path/path.h"

#define NOBODY 65534

static char base[64], mnt[PATH_MAX], tree[PATH_MAX];
static struct path_space *space;
static struct vfs *fs;
static bool mounted;
static struct cred cred;

/* Where relative paths start, and what /proc/self/cwd and fd/N are. */
#define NSTART 12
static struct {
	int fd;
	struct path_where where;
} starts[NSTART];
static unsigned cwd;

/* --- chance ----------------------------------------------------------------------------------- */

static uint64_t state;

static unsigned any(unsigned n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((state >> 33) % n);
}

static const char *pick(const char *const *words, unsigned n)
{
	return words[any(n)];
}
#define PICK(words) pick(words, ARRAY_SIZE(words))

static const char *name(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "ab", "long-name" };

	return PICK(names);
}

__attribute__((format(printf, 2, 3)))
static void add(char *s, const char *fmt, ...)
{
	size_t n = strlen(s);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s + n, PATH_MAX - n, fmt, ap);
	va_end(ap);
}

static void components(char *s, unsigned n)
{
	while (n--) {
		switch (any(10)) {
		case 0:
			add(s, "..");
			break;
		case 1:
			add(s, ".");
			break;
		case 2:
			add(s, "../..");
			break;
		default:
			add(s, "%s", name());
		}
		if (n)
			add(s, any(8) ? "/" : "//");
	}
}

static void absolute(char *s, bool proc)
{
	switch (any(proc ? 16 : 8)) {
	case 0:
		add(s, "/");
		break;
	case 1:
	case 2:
		add(s, "%s/out/", base);
		break;
	case 3:
		add(s, "%s/", base);
		break;
	case 8:
		add(s, "/proc/self/cwd/");
		break;
	case 9:
		add(s, "/proc/%d/task/%d/cwd/", getpid(), getpid());
		break;
	case 10:
		add(s, "/proc/self/root%s/", mnt);
		break;
	case 11:
		add(s, "/proc/thread-self/cwd/");
		break;
	case 12:
		add(s, "/proc/self/net/.././cwd/");
		break;
	case 13:
		add(s, cred.fsuid ? "/proc/self/" : "/dev/fd/%d/", starts[any(NSTART)].fd);
		break;
	case 14:
		add(s, cred.fsuid ? "/proc/./self//" : "/proc/self/fd/%d", starts[any(NSTART)].fd);
		break;
	default:
		add(s, "%s/", mnt);
	}
}

static void random_path(char *s, bool target)
{
	*s = '\0';
	if (any(target ? 4 : 3) == 0)
		absolute(s, true);
	components(s, *s && !any(12) ? 0 : 1 + any(target ? 3 : 6));
	if (!any(10))
		add(s, "/");
	if (!target && !any(40))
		add(s, "%0300d", 0);
}

/* --- the trees -------------------------------------------------------------------------------- */

static void grow(const char *dir, unsigned depth)
{
	static const mode_t modes[] = { 0755, 0755, 0755,  0711, 0700, 0750,
					0,    0100, 01777, 0010, 0001 };
	char path[PATH_MAX], target[PATH_MAX];

	for (unsigned i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, name());
		switch (any(6)) {
		case 0:
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
			break;
		case 1:
		case 2:
			random_path(target, true);
			if (symlink(target, path) == 0 && !any(3))
				(void)!lchown(path, NOBODY, NOBODY);
			break;
		default:
			if (!depth || mkdir(path, 0755) < 0)
				break;
			grow(path, depth - 1);
			(void)!chown(path, any(3) ? 0 : NOBODY, any(3) ? 0 : NOBODY);
			/* fs.protected_symlinks of the host's side is the kernel's affair. */
			mode_t mode = modes[any(ARRAY_SIZE(modes))];

			if (strncmp(path, tree, strlen(tree)) != 0)
				mode &= 0777;
			if (geteuid() != 0)
				mode = 0755; /* nobody would look on our behalf */
			ck_assert_int_eq(chmod(path, mode), 0);
		}
	}
}

static int magic(void *arg, pid_t tid, enum path_magic what, int fd, struct path_where *ret)
{
	(void)arg;
	if (tid != getpid())
		return -ENOENT;
	if (what == MAGIC_CWD) {
		*ret = starts[cwd].where;
		return 0;
	}
	for (unsigned i = 0; what == MAGIC_FD && i < NSTART; i++) {
		if (starts[i].fd == fd) {
			*ret = starts[i].where;
			return 0;
		}
	}
	return -ENOENT;
}

static void host_of(int fd, char *buf)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, PATH_MAX - 1);
	ck_assert_int_gt(n, 0);
	buf[n] = '\0';
}

static bool below_mount(const char *path)
{
	size_t n = strlen(mnt);

	return strncmp(path, mnt, n) == 0 && (!path[n] || path[n] == '/');
}

/* A directory that some random path leads to. */
static void choose_start(unsigned i)
{
	struct path_query q = { .flags = PATH_FOLLOW, .tid = getpid(), .tgid = getpid() };
	static struct path_result res;
	char path[PATH_MAX];
	int fd;

	do {
		snprintf(path, sizeof(path), "%s/%s/", base, any(3) ? "mnt" : "out");
		components(path, any(4));
		fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	} while (fd < 0);
	starts[i].fd = fd;
	host_of(fd, starts[i].where.host);
	starts[i].where.vn = NULL;
	if (!below_mount(starts[i].where.host))
		return;
	q.path = starts[i].where.host;
	ck_assert_int_eq(path_lookup(space, &q, &res), 0);
	ck_assert_ptr_nonnull(res.vn);
	starts[i].where.vn = res.vn;
	starts[i].where.host[0] = '\0';
}

static void plant(uint64_t seed, bool bind)
{
	static const struct path_hooks hooks = { .magic = magic };
	char path[PATH_MAX];
	const char *layers[] = { tree, NULL };

	state = seed * 7919 + 1;
	umask(022);
	strcpy(base, "/tmp/fuss-walk-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	chmod(base, 0755);
	snprintf(mnt, sizeof(mnt), "%s/mnt", base);
	snprintf(tree, sizeof(tree), "%s/%s", base, bind ? "tree" : "mnt");
	mkdir(mnt, 0755);
	mkdir(tree, 0755);
	snprintf(path, sizeof(path), "%s/out", base);
	mkdir(path, 0755);
	grow(path, 3);
	grow(tree, 3);
	mounted = bind && unshare(CLONE_NEWNS) == 0 &&
		  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		  mount(tree, mnt, NULL, MS_BIND, NULL) == 0;
	fs = mirror_new(tree);
	ck_assert_int_eq(path_space_new(fs, mnt, layers, &hooks, &space), 0);
	for (unsigned i = 0; i < NSTART; i++)
		choose_start(i);
}

/* Only what mkdtemp() made here. */
static void clear(void)
{
	char cmd[256];

	for (unsigned i = 0; i < NSTART; i++)
		close(starts[i].fd);
	ck_assert_int_eq(chdir("/"), 0);
	path_space_free(space);
	testfs_free(fs);
	if (mounted)
		umount2(mnt, MNT_DETACH);
	ck_assert_int_eq(strncmp(base, "/tmp/fuss-walk-", 15), 0);
	snprintf(cmd, sizeof(cmd), "chmod -R u+rwx %s; rm -rf --one-file-system %s", base, base);
	ck_assert_int_eq(system(cmd), 0);
}

/* --- the kernel's answer ---------------------------------------------------------------------- */

static void as_caller(bool on)
{
	setfsgid(on ? cred.fsgid : 0);
	setfsuid(on ? cred.fsuid : 0);
}

/* 0 and the path of what was opened, or -errno. */
static int kernel(int dirfd, const char *path, uint64_t flags, uint64_t how_flags, bool caller,
		  char *ret)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = how_flags };
	int fd;

	if (flags & O_CREAT)
		how.mode = 0600;
	as_caller(caller);
	do /* EAGAIN: something was renamed somewhere while ".." was walked */
		fd = (int)x_ret(syscall(SYS_openat2, dirfd, path, &how, sizeof(how)));
	while (fd == -EAGAIN);
	as_caller(false);
	if (fd < 0)
		return fd;
	host_of(fd, ret);
	close(fd);
	return 0;
}

struct attempt {
	unsigned flags;	   /* PATH_* */
	uint64_t resolve;  /* RESOLVE_* of openat2 */
	unsigned start;
	char path[PATH_MAX];
	int kernel;
	char where[PATH_MAX]; /* what the kernel found */
};

static void show_attempt(const struct attempt *a, int r, const struct path_result *res)
{
	const struct path_where *w = &starts[a->start].where;
	char virt[PATH_MAX] = "";

	if (w->vn)
		path_virtual(space, w->vn, virt, sizeof(virt));
	fprintf(stderr, "path %s flags %u resolve %#llx from %s%s\n", a->path, a->flags,
		(unsigned long long)a->resolve, w->host, virt);
	fprintf(stderr, "kernel %d %s\n", a->kernel, a->kernel ? strerror(-a->kernel) : a->where);
	virt[0] = '\0';
	if (r == 0 && res->vn)
		path_virtual(space, res->vn, virt, sizeof(virt));
	fprintf(stderr, "ours %d %s inside %d vn %s host %s given %d last %d name %s\n", r,
		r ? strerror(-r) : "", res->inside, virt, res->host, res->as_given, res->last,
		res->name);
}

static bool outside_agrees(const struct attempt *a, const struct path_result *res)
{
	char where[PATH_MAX];
	int r;

	if (a->kernel == 0 && below_mount(a->where) && mounted)
		return false;
	if (res->as_given && (!res->host[0] || a->kernel == -EACCES))
		return true;
	/* The caller may be in a directory that it could not reach from the root. */
	r = kernel(AT_FDCWD, res->host, O_PATH | (a->flags & PATH_FOLLOW ? 0 : O_NOFOLLOW), 0,
		   !res->as_given, where);
	/* openat2()'s rules were not given to this one. */
	if (a->resolve && a->kernel && res->as_given)
		return true;
	return r == a->kernel && (r || strcmp(where, a->where) == 0);
}

/* A file that open(O_CREAT) makes appears where we say it will. */
static bool creates_there(struct attempt *a, const struct path_result *res)
{
	char want[PATH_MAX], got[PATH_MAX];
	ssize_t n = path_virtual(space, res->dir, want, sizeof(want));
	int r;

	ck_assert_int_gt(n, 0);
	snprintf(want + n, sizeof(want) - (size_t)n, "/%s", res->name);
	r = kernel(starts[a->start].fd, a->path, O_CREAT | O_WRONLY, 0, true, got);
	if (r)
		return r == -EISDIR && res->slash;
	unlink(got);
	return strcmp(got, want) == 0;
}

static bool inside_agrees(struct attempt *a, const struct path_result *res)
{
	char virt[PATH_MAX];

	if (res->vn) {
		ck_assert_int_gt(path_virtual(space, res->vn, virt, sizeof(virt)), 0);
		return a->kernel == 0 && strcmp(virt, a->where) == 0;
	}
	if (a->kernel != -ENOENT || !res->dir)
		return false;
	if (a->flags != PATH_FOLLOW || cred.fsuid || res->slash)
		return true;
	return creates_there(a, res);
}

static bool attempt(struct attempt *a)
{
	struct path_query q = {
		.path = a->path,
		.flags = a->flags,
		.start = &starts[a->start].where,
		.cred = &cred,
		.tid = getpid(),
		.tgid = getpid(),
	};
	static struct path_result res;
	int r;

	a->kernel = kernel(starts[a->start].fd, a->path,
			   O_PATH | (a->flags & PATH_FOLLOW ? 0 : O_NOFOLLOW), a->resolve, true,
			   a->where);
	memset(&res, 0, sizeof(res));
	r = path_lookup(space, &q, &res);
	/* The kernel stops at other mounts of the host, earlier than we may see something else. */
	if (r < 0 && a->kernel == -EXDEV && a->resolve == RESOLVE_NO_XDEV)
		return true;
	if (r == 0 ? (res.inside ? inside_agrees(a, &res) : outside_agrees(a, &res))
		   : r == a->kernel)
		return true;
	show_attempt(a, r, &res);
	return false;
}

/* --- tests ------------------------------------------------------------------------------------ */

static unsigned from_env(const char *var, unsigned fallback)
{
	const char *s = getenv(var);

	return s ? (unsigned)strtoul(s, NULL, 0) : fallback;
}

static void random_flags(struct attempt *a)
{
	static const struct {
		unsigned path;
		uint64_t resolve;
	} scoped[] = {
		{ PATH_NO_XDEV, RESOLVE_NO_XDEV },
		{ PATH_NO_SYMLINKS | PATH_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS },
		{ PATH_NO_MAGICLINKS, RESOLVE_NO_MAGICLINKS },
		{ PATH_BENEATH, RESOLVE_BENEATH },
		{ PATH_IN_ROOT, RESOLVE_IN_ROOT },
	};
	unsigned i;

	a->flags = any(3) ? PATH_FOLLOW : 0;
	a->resolve = 0;
	if (any(3))
		return;
	i = any(ARRAY_SIZE(scoped));
	if (!mounted && scoped[i].path == PATH_NO_XDEV)
		return;
	a->flags |= scoped[i].path;
	a->resolve = scoped[i].resolve;
}

static void compare(uint64_t seed, bool bind, uid_t uid)
{
	unsigned rounds = from_env("FUSS_TEST_ROUNDS", 4000), wrong = 0;
	static struct attempt a;

	cred = (struct cred){ .caps = uid ? 0 : UINT64_MAX, .fsuid = uid, .fsgid = uid };
	plant(seed, bind);
	for (unsigned i = 0; i < rounds && wrong < 5; i++) {
		a.start = cwd = any(NSTART);
		ck_assert_int_eq(fchdir(starts[cwd].fd), 0);
		random_path(a.path, false);
		random_flags(&a);
		if (!attempt(&a))
			wrong++;
	}
	clear();
	ck_assert_msg(!wrong, "seed %llu: %u paths differ", (unsigned long long)seed, wrong);
}

START_TEST(walks_a_plain_directory)
{
	compare((uint64_t)_i + from_env("FUSS_TEST_SEED", 1), false, geteuid());
}
END_TEST

START_TEST(walks_a_mounted_directory)
{
	if (geteuid() == 0)
		compare((uint64_t)_i + from_env("FUSS_TEST_SEED", 1000), true, 0);
}
END_TEST

START_TEST(walks_as_nobody)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(setgroups(0, NULL), 0);
	compare((uint64_t)_i + from_env("FUSS_TEST_SEED", 2000), true, NOBODY);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("walk");
	TCase *t = tcase_create("beside the kernel");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, walks_a_plain_directory, 0, 4);
	tcase_add_loop_test(t, walks_a_mounted_directory, 0, 6);
	tcase_add_loop_test(t, walks_as_nobody, 0, 6);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
