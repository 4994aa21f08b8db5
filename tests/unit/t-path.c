/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "memfs.h"
#include "path/space.h"

#define DIR_ (S_IFDIR | 0755)
#define REG_ (S_IFREG | 0644)
#define LNK_ (S_IFLNK | 0777)

/* Tests spell the directory that the host's part of a test is in as "@". */
static char base[64];
static struct vfs *fs;
static struct path_space *space;
static struct path_result res;

static const gid_t users[] = { 100, 1000 };
static const struct cred root_cred = { .caps = UINT64_MAX };
static const struct cred user_cred = {
	.uid = 1000, .euid = 1000, .fsuid = 1000, .gid = 1000, .egid = 1000, .fsgid = 1000,
	.groups = users, .ngroups = 2,
};

/* --- spelling --------------------------------------------------------------------------------- */

static const char *expand(const char *s, char *buf)
{
	char *to = buf;

	for (; *s; s++) {
		if (*s == '@')
			to = stpcpy(to, base);
		else
			*to++ = *s;
	}
	*to = '\0';
	return buf;
}

static void shorten(const char *s, char *buf)
{
	const char *at;

	while ((at = strstr(s, base))) {
		memcpy(buf, s, (size_t)(at - s));
		buf += at - s;
		*buf++ = '@';
		s = at + strlen(base);
	}
	strcpy(buf, s);
}

static const char *error_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{ ENOENT, "ENOENT" }, { ENOTDIR, "ENOTDIR" }, { EACCES, "EACCES" },
		{ ELOOP, "ELOOP" },   { EXDEV, "EXDEV" },     { ENAMETOOLONG, "ENAMETOOLONG" }
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].error == -error)
			return names[i].name;
	}
	return "another error";
}

static const char *place(const struct vnode *vn)
{
	static char buf[2][PATH_MAX];
	static unsigned which;
	char *p = buf[which ^= 1];

	if (!vn)
		return "-";
	ck_assert_int_ge(path_virtual(space, vn, p, PATH_MAX), 0);
	p += strlen(space->mountpoint);
	return p[0] == '/' && p[1] ? p + 1 : ".";
}

/* "object | directory : name", or the errno, or "host path"; then what else is to be told. */
static const char *spell(int r)
{
	static const char *const last[] = { "", " dot", " dotdot", " root", " magic" };
	static char buf[3 * PATH_MAX];
	char host[PATH_MAX];

	if (r < 0)
		return error_name(r);
	if (!res.inside) {
		shorten(res.host, host);
		snprintf(buf, sizeof(buf), "host %s%s%s%s", host, res.as_given ? " given" : "",
			 res.synthetic ? " synthetic" : "", res.layer ? " layer" : "");
		return buf;
	}
	snprintf(buf, sizeof(buf), "%s | %s : %s%s%s", place(res.vn), place(res.dir), res.name,
		 last[res.last], res.slash ? " /" : "");
	return buf;
}

/* --- the scene -------------------------------------------------------------------------------- */

static struct path_where at_host, at_vnode;

static int magic(void *arg, pid_t tid, enum path_magic what, int fd, struct path_where *ret)
{
	(void)arg;
	*ret = (struct path_where){ .host = "" };
	if (tid != 4242 && tid != 4243)
		return -ENOENT;
	if (what == MAGIC_CWD) {
		*ret = at_vnode;
		return 0;
	}
	if (what != MAGIC_FD)
		return -ENOENT;
	switch (fd) {
	case 3:
		expand("@/out", ret->host);
		return 0;
	case 4:
		return 0;
	case 5:
		ret->vn = vfs_child(at_vnode.vn, "f");
		return 0;
	case 6:
		expand("@/layer/sub", ret->host);
		return 0;
	}
	return -ENOENT;
}

static void host_link(const char *target, const char *path)
{
	char a[PATH_MAX], b[PATH_MAX];

	ck_assert_int_eq(symlink(expand(target, a), expand(path, b)), 0);
}

static void host_dir(const char *path)
{
	char buf[PATH_MAX];

	ck_assert_int_eq(mkdir(expand(path, buf), 0755), 0);
}

static void host_file(const char *path)
{
	char buf[PATH_MAX];
	int fd = open(expand(path, buf), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static struct vnode *add(const char *path, mode_t mode, uid_t uid, const char *target)
{
	char buf[PATH_MAX];

	return memfs_add(fs, path, mode, uid, target ? expand(target, buf) : NULL);
}

static void build_host(void)
{
	umask(022);
	strcpy(base, "/tmp/fuss-path-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	chmod(base, 0755);
	host_dir("@/mnt");
	host_dir("@/out");
	host_dir("@/out/sub");
	host_dir("@/closed");
	host_dir("@/layer");
	host_dir("@/layer/sub");
	host_file("@/out/file");
	host_file("@/layer/sub/file");
	host_link("mnt", "@/link");
	host_link("../mnt/d", "@/out/in");
	host_link("@/mnt/d/f", "@/out/inf");
	host_link("../mnt/none", "@/out/dangle");
	host_link("loop", "@/out/loop");
	host_link("/", "@/out/root");
	host_link("../mnt", "@/closed/in");
}

static void build_tree(void)
{
	char name[8], target[8];

	add("d", DIR_, 0, NULL);
	add("d/f", REG_, 0, NULL);
	add("d/sub", DIR_, 0, NULL);
	add("d/sub/g", REG_, 0, NULL);
	add("l", LNK_, 0, "d");
	add("lf", LNK_, 0, "d/f");
	add("up", LNK_, 0, "..");
	add("out", LNK_, 0, "../out");
	add("outabs", LNK_, 0, "@/out");
	add("chain", LNK_, 0, "out/in/f");
	add("loop", LNK_, 0, "loop");
	add("dangle", LNK_, 0, "d/none");
	add("dslash", LNK_, 0, "d/none/");
	add("slash", LNK_, 0, "d//");
	add("fslash", LNK_, 0, "lf/");
	add("rootlink", LNK_, 0, "/");
	add("self", LNK_, 0, "/proc/self");
	add("secret", S_IFDIR | 0700, 0, NULL);
	add("secret/x", REG_, 0, NULL);
	add("group", S_IFDIR | 0770, 100, NULL);
	add("notgroup", S_IFDIR | 0707, 100, NULL);
	add("group/x", REG_, 0, NULL);
	add("own", S_IFDIR | 0100, 1000, NULL);
	add("own/x", REG_, 0, NULL);
	add("notown", S_IFDIR | 0077, 1000, NULL);
	add("sticky", S_IFDIR | 01777, 0, NULL);
	add("sticky/other", LNK_, 2000, "../d/f");
	add("sticky/mine", LNK_, 1000, "../d/f");
	add("sticky/dirs", LNK_, 0, "../d/f");
	for (int i = 0; i < 41; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(target, sizeof(target), i ? "s%d" : "d", i - 1);
		add(name, LNK_, 0, target);
	}
}

static void start_space(const char *mountpoint)
{
	static const struct path_hooks hooks = { .magic = magic };
	char buf[2][PATH_MAX];
	const char *layers[] = { "/upper", expand("@/layer", buf[0]), NULL };

	ck_assert_int_eq(path_space_new(fs, expand(mountpoint, buf[1]), layers, &hooks, &space), 0);
	cache_head_rw(&space->cache)->protected_symlinks = 1;
	expand("@/out", at_host.host);
	at_vnode.vn = vfs_child(space_vnode(space, cache_head(&space->cache)->vfs_root), "d");
}

static void setup(void)
{
	build_host();
	fs = memfs_new();
	build_tree();
	start_space("@/mnt");
}

static void teardown(void)
{
	char cmd[128];

	path_space_free(space);
	testfs_free(fs);
	ck_assert_int_eq(strncmp(base, "/tmp/fuss-path-", 15), 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", base);
	ck_assert_int_eq(system(cmd), 0);
}

static int look(const char *path, unsigned flags, const struct path_where *start,
		const struct cred *cred)
{
	static char buf[PATH_MAX];
	struct path_query q = {
		.path = expand(path, buf),
		.flags = flags,
		.start = start,
		.cred = cred,
		.tid = 4243,
		.tgid = 4242,
	};

	memset(&res, 0x5a, sizeof(res));
	return path_lookup(space, &q, &res);
}

/* --- one path after the other ----------------------------------------------------------------- */

enum { IN_D = 1 << 20, IN_OUT = 1 << 21, USER = 1 << 22 };
#define FOLLOW PATH_FOLLOW

static const struct row {
	const char *path;
	unsigned flags;
	const char *want;
} rows[] = {
	/* plain */
	{ "@/mnt/d/f", FOLLOW, "d/f | d : f" },
	{ "@/mnt//d/./sub/../f", FOLLOW, "d/f | d : f" },
	{ "@/mnt", FOLLOW, ". | - : mnt" },
	{ "@/mnt/", FOLLOW, ". | - : mnt /" },
	{ "@/mnt/.", FOLLOW, ". | - : . dot /" },
	{ "@/mnt/d/..", FOLLOW, ". | - : .. dotdot /" },
	{ "@/mnt/d/sub/", FOLLOW, "d/sub | d : sub /" },
	{ "f", FOLLOW | IN_D, "d/f | d : f" },
	{ "./sub/g", IN_D, "d/sub/g | d/sub : g" },
	{ "..", IN_D, ". | - : .. dotdot /" },
	{ ".", IN_D, "d | - : . dot /" },
	{ "", IN_D, "ENOENT" },
	{ "", IN_D | PATH_EMPTY, "d | - :  dot" },
	{ "", IN_OUT, "ENOENT" },
	{ "", IN_OUT | PATH_EMPTY, "host @/out given" },
	/* missing */
	{ "@/mnt/x", FOLLOW, "- | . : x" },
	{ "@/mnt/x/", PATH_CREATE, "- | . : x /" },
	{ "@/mnt/x/y", FOLLOW, "ENOENT" },
	{ "@/mnt/x/.", FOLLOW, "ENOENT" },
	{ "@/mnt/d/f/y", FOLLOW, "ENOTDIR" },
	{ "@/mnt/d/f/.", FOLLOW, "ENOTDIR" },
	{ "@/mnt/d/f/..", FOLLOW, "ENOTDIR" },
	{ "@/mnt/d/f/", FOLLOW, "ENOTDIR" },
	{ "@/mnt/d/f/", PATH_CREATE, "d/f | d : f /" },
	/* symlinks */
	{ "@/mnt/l", 0, "l | . : l" },
	{ "@/mnt/l", FOLLOW, "d | . : d" },
	{ "@/mnt/l/", 0, "d | . : d /" },
	{ "@/mnt/l/", PATH_CREATE, "l | . : l /" },
	{ "@/mnt/l/f", 0, "d/f | d : f" },
	{ "@/mnt/lf/", FOLLOW, "ENOTDIR" },
	{ "@/mnt/slash", FOLLOW, "d | . : d /" },
	{ "@/mnt/fslash", FOLLOW, "ENOTDIR" },
	{ "@/mnt/fslash", FOLLOW | PATH_CREATE, "lf | . : lf /" },
	{ "@/mnt/dangle", 0, "dangle | . : dangle" },
	{ "@/mnt/dangle", FOLLOW, "- | d : none" },
	{ "@/mnt/dangle", FOLLOW | PATH_CREATE, "- | d : none" },
	{ "@/mnt/dslash", FOLLOW | PATH_CREATE, "- | d : none /" },
	{ "@/mnt/dangle/x", FOLLOW, "ENOENT" },
	{ "@/mnt/loop", 0, "loop | . : loop" },
	{ "@/mnt/loop", FOLLOW, "ELOOP" },
	{ "@/mnt/loop/x", 0, "ELOOP" },
	{ "@/mnt/s39", FOLLOW, "d | . : d" },
	{ "@/mnt/s40", FOLLOW, "ELOOP" },
	{ "@/mnt/s20/../s18", FOLLOW, "d | . : d" },
	{ "@/mnt/s20/../s19", FOLLOW, "ELOOP" },
	/* between the two sides */
	{ "@/mnt/..", FOLLOW, "host @" },
	{ "@/mnt/../out", FOLLOW, "host @/out" },
	{ "@/mnt/up", FOLLOW, "host @" },
	{ "@/mnt/out/file", FOLLOW, "host @/out/file" },
	{ "@/mnt/outabs/file", FOLLOW, "host @/out/file" },
	{ "@/mnt/out/none/x/", FOLLOW, "host @/out/none/x/" },
	{ "@/mnt/out/sub/.", FOLLOW, "host @/out/sub/." },
	{ "@/mnt/out/sub/..", FOLLOW, "host @/out" },
	{ "@/mnt/chain", FOLLOW, "d/f | d : f" },
	{ "@/mnt/up/out/in/sub", FOLLOW, "d/sub | d : sub" },
	{ "@/mnt/rootlink", FOLLOW, "host /" },
	{ "@/mnt/rootlink/etc/", FOLLOW, "host /etc/" },
	{ "@/out/in", 0, "host @/out/in given" },
	{ "@/out/in", FOLLOW, "d | . : d" },
	{ "@/out/in/", 0, "d | . : d /" },
	{ "@/out/in/f", 0, "d/f | d : f" },
	{ "@/out/inf", FOLLOW, "d/f | d : f" },
	{ "@/out/inf/", FOLLOW, "ENOTDIR" },
	{ "@/out/dangle", FOLLOW, "- | . : none" },
	{ "@/out/loop", FOLLOW, "ELOOP" },
	{ "@/out/loop", 0, "host @/out/loop given" },
	{ "@/link/d", 0, "d | . : d" },
	{ "@/link", 0, "host @/link given" },
	{ "@/link", FOLLOW, ". | - : mnt" },
	{ "in/f", IN_OUT, "d/f | d : f" },
	{ "../mnt/d", IN_OUT, "d | . : d" },
	{ "../../..", IN_OUT, "host / given" },
	{ "../../../../../..", IN_OUT, "host / given" },
	{ "../../out/in/f", IN_D, "d/f | d : f" },
	{ "../..", IN_D, "host @" },
	/* outside */
	{ "/", FOLLOW, "host / given" },
	{ "/etc/passwd", FOLLOW, "host /etc/passwd given" },
	{ "/etc/../etc//passwd", FOLLOW, "host /etc/passwd given" },
	{ "/nowhere/../etc", FOLLOW, "host /nowhere/../etc given" },
	{ "/etc/passwd/../../..@/mnt/d", FOLLOW, "host /etc/passwd/../../..@/mnt/d given" },
	{ "@/out/root", FOLLOW, "host / given" },
	{ "@/out/root/etc", FOLLOW, "host /etc given" },
	{ "@/out/sub/", FOLLOW, "host @/out/sub/ given" },
	{ "file", IN_OUT, "host @/out/file given" },
	{ "@/layer", FOLLOW, "host @/layer given layer" },
	{ "@/layer/sub/file", FOLLOW, "host @/layer/sub/file given layer" },
	{ "@/layer/none", FOLLOW, "host @/layer/none given layer" },
	{ "@/layers", FOLLOW, "host @/layers given" },
	{ "@/mnt/../layer/sub", FOLLOW, "host @/layer/sub layer" },
	{ "/upper/x", FOLLOW, "host /upper/x given layer" },
	{ "/proc/meminfo", FOLLOW, "host /proc/meminfo given" },
	/* /proc */
	{ "/proc/self", 0, "host /proc/self given" },
	{ "/proc/self", FOLLOW, "host /proc/4242 given" },
	{ "/proc/self/", 0, "host /proc/4242/ given" },
	{ "/proc/self/status", FOLLOW, "host /proc/4242/status given" },
	{ "/proc/thread-self/status", FOLLOW, "host /proc/4242/task/4243/status given" },
	{ "/proc/self/cwd", FOLLOW, "d | - :  magic" },
	{ "/proc/self/cwd/", 0, "d | - :  magic /" },
	{ "/proc/self/cwd", 0, "host /proc/4242/cwd given" },
	{ "/proc/self/cwd/f", 0, "d/f | d : f" },
	{ "/proc/self/cwd/../l/f", 0, "d/f | d : f" },
	{ "/proc/self/./cwd//sub/.", 0, "d/sub | - : . dot /" },
	{ "/proc/4242/cwd/f", FOLLOW, "d/f | d : f" },
	{ "/proc/4242/task/4243/cwd/f", FOLLOW, "d/f | d : f" },
	{ "/proc/thread-self/cwd/f", FOLLOW, "d/f | d : f" },
	{ "/proc/thread-self/fd/3/in/f", FOLLOW, "d/f | d : f" },
	{ "/proc/self/fd/3", FOLLOW, "host /proc/4242/fd/3 given" },
	{ "/proc/self/fd/3/file", FOLLOW, "host @/out/file given" },
	{ "/proc/self/fd/3/..", FOLLOW, "host @ given" },
	{ "/proc/self/fd/4/x", FOLLOW, "host /proc/4242/fd/4/x given" },
	{ "/proc/self/fd/4/../x", FOLLOW, "ENOENT" },
	{ "/proc/self/fd/5", FOLLOW, "d/f | - :  magic" },
	{ "/proc/self/fd/5/", FOLLOW, "ENOTDIR" },
	{ "/proc/self/fd/5/x", FOLLOW, "ENOTDIR" },
	{ "/proc/self/fd/6", FOLLOW, "host /proc/4242/fd/6 given layer" },
	{ "/proc/self/fd/6/file", FOLLOW, "host @/layer/sub/file given layer" },
	{ "/proc/self/fd/99", FOLLOW, "host /proc/4242/fd/99 given" },
	{ "/proc/self/fd", FOLLOW, "host /proc/4242/fd given" },
	{ "/dev/fd/5", FOLLOW, "d/f | - :  magic" },
	{ "/dev/fd/3/in", FOLLOW, "d | . : d" },
	{ "/proc/self/exe", FOLLOW, "host /proc/4242/exe given" },
	{ "/proc/self/exe", 0, "host /proc/4242/exe given" },
	{ "/proc/self/root", FOLLOW, "host /proc/4242/root given" },
	{ "@/mnt/self", 0, "self | . : self" },
	{ "@/mnt/self/cwd/f", 0, "d/f | d : f" },
	{ "@/mnt/self/maps", 0, "host /proc/4242/maps" },
	{ "@/mnt/self/fd/3", FOLLOW, "host /proc/4242/fd/3" },
	/* permissions */
	{ "@/mnt/secret", USER, "secret | . : secret" },
	{ "@/mnt/secret/", USER, "secret | . : secret /" },
	{ "@/mnt/secret/.", USER, "EACCES" },
	{ "@/mnt/secret/..", USER, "EACCES" },
	{ "@/mnt/secret/x", USER, "EACCES" },
	{ "@/mnt/secret/none/x", USER, "EACCES" },
	{ "@/mnt/secret/x", 0, "secret/x | secret : x" },
	{ "@/mnt/group/x", USER, "group/x | group : x" },
	{ "@/mnt/notgroup/x", USER, "EACCES" },
	{ "@/mnt/own/x", USER, "own/x | own : x" },
	{ "@/mnt/notown/x", USER, "EACCES" },
	{ "@/mnt/sticky/other", USER, "sticky/other | sticky : other" },
	{ "@/mnt/sticky/other", USER | FOLLOW, "EACCES" },
	{ "@/mnt/sticky/other", FOLLOW, "EACCES" },
	{ "@/mnt/sticky/mine", USER | FOLLOW, "d/f | d : f" },
	{ "@/mnt/sticky/dirs", USER | FOLLOW, "d/f | d : f" },
	/* openat2 */
	{ "@/mnt/d", PATH_NO_XDEV, "EXDEV" },
	{ "sub/../..", PATH_NO_XDEV | IN_D, ". | - : .. dotdot /" },
	{ "../..", PATH_NO_XDEV | IN_D, "EXDEV" },
	{ "../outabs", PATH_NO_XDEV | IN_D | FOLLOW, "EXDEV" },
	{ "../out", PATH_NO_XDEV | IN_D | FOLLOW, "EXDEV" },
	{ "../l", PATH_NO_XDEV | IN_D | FOLLOW, "d | . : d" },
	{ "../mnt", PATH_NO_XDEV | IN_OUT, "EXDEV" },
	{ "sub", PATH_NO_XDEV | IN_OUT, "host @/out/sub given" },
	{ "../l", PATH_NO_SYMLINKS | IN_D, "l | . : l" },
	{ "../l", PATH_NO_SYMLINKS | IN_D | FOLLOW, "ELOOP" },
	{ "../l/f", PATH_NO_SYMLINKS | IN_D, "ELOOP" },
	{ "/proc/self/cwd", PATH_NO_SYMLINKS | FOLLOW, "ELOOP" },
	{ "/proc/1/cwd", PATH_NO_MAGICLINKS | FOLLOW, "ELOOP" },
	{ "/proc/4242/cwd", PATH_NO_MAGICLINKS, "host /proc/4242/cwd given" },
	{ "/proc/4242/cwd", PATH_NO_XDEV | FOLLOW, "EXDEV" },
	{ "sub/g", PATH_BENEATH | IN_D, "d/sub/g | d/sub : g" },
	{ "sub/..", PATH_BENEATH | IN_D, "d | - : .. dotdot /" },
	{ "sub/../..", PATH_BENEATH | IN_D, "EXDEV" },
	{ "/etc", PATH_BENEATH | IN_D, "EXDEV" },
	{ "in/f", PATH_BENEATH | IN_OUT, "EXDEV" },
	{ "sub/../file", PATH_BENEATH | IN_OUT, "host @/out/file given" },
	{ "/sub", PATH_IN_ROOT | IN_D, "d/sub | d : sub" },
	{ "/", PATH_IN_ROOT | IN_D, "d | - :  root /" },
	{ "../../f", PATH_IN_ROOT | IN_D, "d/f | d : f" },
	{ "/../sub", PATH_IN_ROOT | IN_OUT, "host @/out/sub given" },
	{ "/", PATH_IN_ROOT | IN_OUT, "host @/out given" },
};

static int look_row(const struct row *row)
{
	const struct path_where *start = row->flags & IN_D     ? &at_vnode :
					 row->flags & IN_OUT ? &at_host :
								 NULL;

	return look(row->path, row->flags & 0xfff, start,
		    row->flags & USER ? &user_cred : &root_cred);
}

/* Twice: what is learnt the first time must not change the answer. */
START_TEST(look_up)
{
	const struct row *row = &rows[_i];

	setup();
	ck_assert_str_eq(spell(look_row(row)), row->want);
	ck_assert_str_eq(spell(look_row(row)), row->want);
	memfs_lookups(fs);
	if (!strchr(row->want, '/'))
		ck_assert_str_eq(spell(look_row(row)), row->want);
	ck_assert_uint_eq(memfs_lookups(fs), 0);
	teardown();
}
END_TEST

/* All in one life of the cache, in both orders. */
START_TEST(look_up_all)
{
	setup();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_str_eq(spell(look_row(&rows[i])), rows[i].want);
	for (size_t i = ARRAY_SIZE(rows); i-- > 0;)
		ck_assert_str_eq(spell(look_row(&rows[i])), rows[i].want);
	teardown();
}
END_TEST

/* --- the pure function ------------------------------------------------------------------------ */

static void request_of(const struct row *row, struct resolve_request *q, char *buf)
{
	*q = (struct resolve_request){
		.path = expand(row->path, buf),
		.flags = row->flags & 0xfff,
		.cred = row->flags & USER ? &user_cred : &root_cred,
	};
	if (row->flags & IN_D)
		q->start = at_vnode.vn->cache_id;
	if (row->flags & IN_OUT)
		q->start_host = at_host.host;
}

static enum resolve_kind run(const struct cache *c, const struct resolve_request *q,
			     struct resolve *w)
{
	resolve_start(c, q, w);
	return w->kind == RESOLVE_MISS ? resolve(c, q, w) : w->kind;
}

START_TEST(resolves_in_a_copy_elsewhere)
{
	char path[PATH_MAX], a[2 * PATH_MAX], b[2 * PATH_MAX];
	struct resolve_request q;
	struct resolve w, v;
	struct cache copy;
	unsigned found = 0;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		look_row(&rows[i]);
	copy.mem = (struct arena){ .base = malloc(space->cache.mem.used) };
	memcpy(copy.mem.base, space->cache.mem.base, space->cache.mem.used);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		request_of(&rows[i], &q, path);
		run(&space->cache, &q, &w);
		ck_assert_int_eq(run(&copy, &q, &v), w.kind);
		ck_assert_uint_eq(v.node, w.node);
		ck_assert_uint_eq(v.dir, w.dir);
		ck_assert_uint_eq(v.last, w.last);
		ck_assert_int_eq(v.error, w.error);
		ck_assert_int_eq(v.slash, w.slash);
		found += w.kind == RESOLVE_FOUND;
		if (w.kind == RESOLVE_OUTSIDE) {
			ck_assert_int_ge(resolve_host_path(&space->cache, &w, a, sizeof(a)), 0);
			ck_assert_int_ge(resolve_host_path(&copy, &v, b, sizeof(b)), 0);
			ck_assert_str_eq(a, b);
		}
	}
	ck_assert_uint_ge(found, 40);
	free(copy.mem.base);
	teardown();
}
END_TEST

static void check_real(const char *path, const char *want, unsigned layer)
{
	char buf[PATH_MAX], p[PATH_MAX];
	struct resolve_request q = { .path = expand(path, p), .flags = RESOLVE_PLACE };
	struct resolve w;
	unsigned got = 99;

	look(path, 0, NULL, NULL);
	if (run(&space->cache, &q, &w) == RESOLVE_MISS) {
		ck_assert_int_eq(w.miss, MISS_PLACE);
		ck_assert_int_eq(fill_place(space, w.node), 0);
		ck_assert_int_eq(resolve(&space->cache, &q, &w), RESOLVE_FOUND);
	}
	ck_assert_int_ge(cache_real(&space->cache, w.node, &got, buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, expand(want, p));
	ck_assert_uint_eq(got, layer);
}

START_TEST(knows_real_places)
{
	struct vnode *d, *g;
	char buf[PATH_MAX];

	setup();
	d = at_vnode.vn;
	g = vfs_child(vfs_child(d, "sub"), "g");
	memfs_place(g, 3, expand("@/low/d/sub/g", buf));
	check_real("@/mnt", "/upper", 0);
	check_real("@/mnt/d/f", "/upper/d/f", 0);
	check_real("@/mnt/d/sub/g", "@/low/d/sub/g", 3);
	ck_assert_int_eq(cache_node(&space->cache, g->cache_id)->place >> 32 != 0, 1);
	/* The upper's path follows a rename, the lower's does not. */
	memfs_rename(d, d->parent, "e");
	check_real("@/mnt/e/f", "/upper/e/f", 0);
	check_real("@/mnt/e/sub/g", "@/low/d/sub/g", 3);
	memfs_place(g, 0, NULL);
	check_real("@/mnt/e/sub/g", "/upper/e/sub/g", 0);
	teardown();
}
END_TEST

/* --- changes ---------------------------------------------------------------------------------- */

#define CHECK(path, flags, want) ck_assert_str_eq(spell(look(path, flags, NULL, &root_cred)), want)

START_TEST(follows_a_rename)
{
	struct vnode *d;

	setup();
	d = at_vnode.vn;
	CHECK("@/mnt/d/sub/g", 0, "d/sub/g | d/sub : g");
	CHECK("@/mnt/l/sub/g", 0, "d/sub/g | d/sub : g");
	CHECK("@/mnt/e", 0, "- | . : e");
	memfs_rename(d, d->parent, "e");
	memfs_lookups(fs);
	CHECK("@/mnt/e/sub/g", 0, "e/sub/g | e/sub : g");
	/* Only the moved name was asked for: what is below is still known. */
	ck_assert_uint_eq(memfs_lookups(fs), 1);
	CHECK("@/mnt/d", 0, "- | . : d");
	CHECK("@/mnt/l/sub/g", 0, "ENOENT");
	memfs_rename(vfs_child(d, "sub"), vfs_child(d->parent, "own"), "sub");
	CHECK("@/mnt/own/sub/g", 0, "own/sub/g | own/sub : g");
	CHECK("@/mnt/own/sub/../x", 0, "own/x | own : x");
	teardown();
}
END_TEST

START_TEST(swaps_two_directories)
{
	struct vnode *a, *b;

	setup();
	a = at_vnode.vn;
	b = vfs_child(a->parent, "own");
	CHECK("@/mnt/d/f", 0, "d/f | d : f");
	CHECK("@/mnt/own/x", 0, "own/x | own : x");
	ck_assert_int_eq(vnode_swap(a, b), 0);
	ck_assert_str_eq(place(a), "own");
	ck_assert_str_eq(place(b), "d");
	ck_assert_str_eq(place(vfs_child(a, "f")), "own/f");
	teardown();
}
END_TEST

START_TEST(forgets_the_removed)
{
	struct vnode *f, *d;
	char buf[PATH_MAX], want[PATH_MAX];

	setup();
	d = at_vnode.vn;
	CHECK("@/mnt/d/f", 0, "d/f | d : f");
	f = res.vn;
	memfs_remove(f);
	CHECK("@/mnt/d/f", 0, "- | d : f");
	ck_assert_int_gt(path_virtual(space, f, buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, expand("@/mnt/d/f (deleted)", want));
	add("d/f", DIR_, 0, NULL);
	CHECK("@/mnt/d/f", 0, "d/f | d : f");
	ck_assert_ptr_ne(res.vn, f);
	ck_assert_int_gt(path_virtual(space, f, buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, expand("@/mnt/d/f (deleted)", want));
	memfs_remove(d);
	ck_assert_str_eq(spell(look(".", 0, &at_vnode, &root_cred)), "d (deleted) | - : . dot /");
	ck_assert_str_eq(spell(look("", PATH_EMPTY, &at_vnode, &root_cred)),
			 "d (deleted) | - :  dot");
	ck_assert_str_eq(spell(look("..", 0, &at_vnode, &root_cred)), ". | - : .. dotdot /");
	ck_assert_str_eq(spell(look("f", 0, &at_vnode, &root_cred)), "ENOENT");
	ck_assert_str_eq(spell(look("f", PATH_CREATE, &at_vnode, &root_cred)), "ENOENT");
	ck_assert_str_eq(spell(look("sub", 0, &at_vnode, &user_cred)), "ENOENT");
	/* As after getcwd() in the directory of a renamed parent. */
	CHECK("@/mnt/d", 0, "- | . : d");
	teardown();
}
END_TEST

START_TEST(hears_of_permissions)
{
	struct vnode *secret;

	setup();
	ck_assert_str_eq(spell(look("@/mnt/secret/x", 0, NULL, &user_cred)), "EACCES");
	secret = vfs_child(at_vnode.vn->parent, "secret");
	memfs_chmod(secret, 0711, 0);
	ck_assert_str_eq(spell(look("@/mnt/secret/x", 0, NULL, &user_cred)),
			 "secret/x | secret : x");
	memfs_chmod(secret, 0611, 1000);
	ck_assert_str_eq(spell(look("@/mnt/secret/x", 0, NULL, &user_cred)), "EACCES");
	/* perm_vnode() is asked for what has an ACL. */
	memfs_chmod(secret, 0701, 0);
	memfs_acl(secret);
	ck_assert_str_eq(spell(look("@/mnt/secret/x", 0, NULL, &user_cred)),
			 "secret/x | secret : x");
	ck_assert_str_eq(spell(look("@/mnt/secret/../secret/./x", 0, NULL, &user_cred)),
			 "secret/x | secret : x");
	memfs_chmod(secret, 0770, 0);
	ck_assert_str_eq(spell(look("@/mnt/secret/x", 0, NULL, &user_cred)), "EACCES");
	memfs_chmod(secret, 0770, 100);
	ck_assert_str_eq(spell(look("@/mnt/secret/x", 0, NULL, &user_cred)),
			 "secret/x | secret : x");
	teardown();
}
END_TEST

START_TEST(minds_closed_directories_of_the_host)
{
	char path[PATH_MAX];

	setup();
	chmod(expand("@/closed", path), 0700);
	if (geteuid() == 0) {
		ck_assert_str_eq(spell(look("@/closed/in/d", 0, NULL, &user_cred)), "EACCES");
		/* What stays outside the kernel judges. */
		ck_assert_str_eq(spell(look("@/closed/x", 0, NULL, &user_cred)),
				 "host @/closed/x given");
		ck_assert_str_eq(spell(look("@/closed/../out", 0, NULL, &user_cred)),
				 "host @/out given");
		ck_assert_str_eq(spell(look("@/closed/../mnt", 0, NULL, &user_cred)), "EACCES");
	}
	CHECK("@/closed/in/d", 0, "d | . : d");
	chmod(path, 0755);
	path_host_changed(space);
	ck_assert_str_eq(spell(look("@/closed/in/d", 0, NULL, &user_cred)), "d | . : d");
	teardown();
}
END_TEST

START_TEST(sees_changes_of_the_host)
{
	char path[PATH_MAX];

	setup();
	CHECK("@/out/in/f", 0, "d/f | d : f");
	CHECK("@/out/new/f", 0, "host @/out/new/f given");
	ck_assert_int_eq(unlink(expand("@/out/in", path)), 0);
	host_link("@/mnt/own", "@/out/in");
	host_link("@/mnt/own", "@/out/new");
	/* What was missing was not remembered. */
	CHECK("@/out/new/x", 0, "own/x | own : x");
	path_host_changed(space);
	CHECK("@/out/in/x", 0, "own/x | own : x");
	ck_assert_int_eq(unlink(expand("@/out/in", path)), 0);
	host_dir("@/out/in");
	/* Nobody tells: time does. */
	space->host_time -= 2000;
	CHECK("@/out/in/x", 0, "host @/out/in/x given");
	ck_assert_int_eq(rmdir(path), 0);
	host_link("../mnt", "@/out/in");
	path_host_changed(space);
	CHECK("@/out/in/d", 0, "d | . : d");
	teardown();
}
END_TEST

START_TEST(forgets_on_request)
{
	setup();
	CHECK("@/mnt/d/f", 0, "d/f | d : f");
	memfs_lookups(fs);
	CHECK("@/mnt/d/f", 0, "d/f | d : f");
	ck_assert_uint_eq(memfs_lookups(fs), 0);
	path_forget(space, at_vnode.vn, "f");
	CHECK("@/mnt/d/f", 0, "d/f | d : f");
	ck_assert_uint_eq(memfs_lookups(fs), 1);
	path_forget_all(space);
	CHECK("@/mnt/d/f", 0, "d/f | d : f");
	ck_assert_uint_eq(memfs_lookups(fs), 2);
	teardown();
}
END_TEST

/* --- back from objects ------------------------------------------------------------------------ */

START_TEST(finds_by_inode)
{
	struct vnode *d, *f;

	setup();
	d = at_vnode.vn;
	f = vfs_child(d, "f");
	ck_assert_ptr_null(path_by_inode(space, 7, 1));
	vfs_real(d, 7, 1);
	vfs_real(f, 7, 2);
	vfs_real(f, 8, 1); /* copied up */
	ck_assert_ptr_eq(path_by_inode(space, 7, 1), d);
	ck_assert_ptr_eq(path_by_inode(space, 7, 2), f);
	ck_assert_ptr_eq(path_by_inode(space, 8, 1), f);
	vfs_real(d, 7, 2);
	ck_assert_ptr_eq(path_by_inode(space, 7, 2), d);
	/* Gone, and the number is used again; a lower layer never gives one away. */
	memfs_place(f, 1, "/low/f");
	vfs_real(f, 10, 2);
	memfs_place(f, 0, NULL);
	memfs_remove(f);
	ck_assert_ptr_eq(path_by_inode(space, 8, 1), f);
	ck_assert_ptr_eq(path_by_stat(space, &(struct stat){ .st_dev = 8, .st_ino = 1 }), f);
	ck_assert_ptr_null(
		path_by_stat(space, &(struct stat){ .st_dev = 8, .st_ino = 1, .st_nlink = 1 }));
	ck_assert_ptr_eq(
		path_by_stat(space, &(struct stat){ .st_dev = 10, .st_ino = 2, .st_nlink = 1 }), f);
	ck_assert_ptr_eq(
		path_by_stat(space, &(struct stat){ .st_dev = 7, .st_ino = 1, .st_nlink = 2 }), d);
	for (ino_t i = 100; i < 20000; i++)
		vfs_real(i & 1 ? d : f, 9, i);
	for (ino_t i = 100; i < 20000; i++)
		ck_assert_ptr_eq(path_by_inode(space, 9, i), i & 1 ? d : f);
	ck_assert_ptr_null(path_by_inode(space, 9, 20000));
	teardown();
}
END_TEST

static struct vnode *of_real(const char *path)
{
	char buf[PATH_MAX];

	return path_of_real(space, expand(path, buf));
}

START_TEST(finds_by_real_path)
{
	struct vnode *d, *f, *sub, *moved;
	char buf[PATH_MAX];
	struct stat st;

	setup();
	d = at_vnode.vn;
	f = vfs_child(d, "f");
	sub = vfs_child(d, "sub");
	ck_assert_ptr_eq(of_real("/upper/d/f"), f);
	ck_assert_ptr_eq(of_real("/upper/d/"), NULL); /* not as the kernel spells it */
	ck_assert_ptr_eq(of_real("/upper/d"), d);
	ck_assert_ptr_eq(of_real("/upper"), d->parent);
	ck_assert_ptr_null(of_real("/upper/none"));
	ck_assert_ptr_null(of_real("/upperd/f"));
	ck_assert_ptr_null(of_real("/etc/passwd"));
	/* Symlinks are not followed: this is no path of a program. */
	ck_assert_ptr_null(of_real("/upper/l/f"));
	/* A lower file is shown under its path, and, when that was moved, known by its inode. */
	memfs_place(sub, 1, expand("@/layer/sub", buf));
	ck_assert_ptr_null(of_real("@/layer/sub"));
	moved = vfs_child(sub, "g");
	memfs_place(moved, 1, expand("@/layer/sub/file", buf));
	ck_assert_ptr_null(of_real("@/layer/sub/file"));
	ck_assert_int_eq(stat(buf, &st), 0);
	vfs_real(moved, st.st_dev, st.st_ino);
	ck_assert_ptr_eq(of_real("@/layer/sub/file"), moved);
	/* Copied up: the lower file is not shown any more. */
	memfs_place(moved, 0, NULL);
	ck_assert_ptr_null(of_real("@/layer/sub/file"));
	ck_assert_ptr_eq(of_real("/upper/d/sub/g"), moved);
	ck_assert(path_in_layer(space, "/upper/x"));
	ck_assert(!path_in_layer(space, "/upperx"));
	ck_assert(!path_in_layer(space, "/"));
	teardown();
}
END_TEST

/* --- mount points ----------------------------------------------------------------------------- */

static void remount(const char *mountpoint)
{
	path_space_free(space);
	start_space(mountpoint);
}

START_TEST(mounts_where_nothing_is)
{
	setup();
	remount("@/no/such/mnt/");
	CHECK("@/no/such/mnt/d/f", 0, "d/f | d : f");
	CHECK("@/no", 0, "host @/no given synthetic");
	CHECK("@/no/such/", 0, "host @/no/such/ given synthetic");
	CHECK("@/no/such/mnt/..", 0, "host @/no/such synthetic");
	CHECK("@/no/such/mnt/../../../out/file", 0, "host @/out/file");
	CHECK("@/no/other", 0, "host @/no/other given");
	CHECK("@/no/other/x", FOLLOW, "host @/no/other/x given");
	teardown();
}
END_TEST

START_TEST(mounts_on_a_symlink)
{
	char buf[PATH_MAX], want[PATH_MAX];

	setup();
	remount("@/link");
	CHECK("@/mnt/d/f", 0, "d/f | d : f");
	CHECK("@/link/d/f", 0, "d/f | d : f");
	ck_assert_int_gt(path_virtual(space, res.vn, buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, expand("@/mnt/d/f", want));
	remount("@/link/below/it");
	ck_assert_str_eq(space->mountpoint, expand("@/mnt/below/it", want));
	teardown();
}
END_TEST

/* The root and the cwd of processes that are not ours lead to the mount point too. */
START_TEST(passes_through_other_processes)
{
	char path[PATH_MAX];

	setup();
	ck_assert_int_eq(chdir(expand("@/out", path)), 0);
	snprintf(path, sizeof(path), "/proc/%d/root%s/mnt/d", getpid(), base);
	CHECK(path, FOLLOW, "d | . : d");
	snprintf(path, sizeof(path), "/proc/%d/cwd/in/f", getpid());
	CHECK(path, FOLLOW, "d/f | d : f");
	snprintf(path, sizeof(path), "/proc/%d/cwd/../out/file", getpid());
	CHECK(path, FOLLOW, "host @/out/file given");
	snprintf(path, sizeof(path), "/proc/%d/root/", getpid());
	CHECK(path, FOLLOW, "host / given");
	ck_assert_int_eq(chdir("/"), 0);
	teardown();
}
END_TEST

/* A directory below the mount point that somebody was in before shows what is covered. */
START_TEST(leaves_the_covered_covered)
{
	struct path_where covered = { .host = "" };

	setup();
	host_dir("@/mnt/real");
	expand("@/mnt/real", covered.host);
	ck_assert_str_eq(spell(look("x", 0, &covered, &root_cred)), "host @/mnt/real/x given");
	ck_assert_str_eq(spell(look("../d", 0, &covered, &root_cred)), "host @/mnt/d given");
	ck_assert_str_eq(spell(look("../..", 0, &covered, &root_cred)), "host @ given");
	ck_assert_str_eq(spell(look("../../mnt/d", 0, &covered, &root_cred)), "d | . : d");
	CHECK("@/mnt/real", 0, "- | . : real");
	teardown();
}
END_TEST

START_TEST(mounts_on_the_root)
{
	setup();
	remount("/");
	CHECK("/d/f", 0, "d/f | d : f");
	CHECK("/", 0, ". | - :  root /");
	CHECK("/..", 0, ". | - : .. dotdot /");
	CHECK("/rootlink/l/f", 0, "d/f | d : f");
	CHECK("/etc", 0, "- | . : etc");
	ck_assert_str_eq(spell(look("../..", 0, &at_vnode, &root_cred)), ". | - : .. dotdot /");
	ck_assert_str_eq(spell(look("../d", 0, &at_host, &root_cred)), "host @/d given");
	teardown();
}
END_TEST

START_TEST(starts_from_odd_places)
{
	struct path_where gone = { .host = "" }, file = { .host = "" };

	setup();
	ck_assert_str_eq(spell(look("x", 0, &gone, &root_cred)), "host  given");
	ck_assert_str_eq(spell(look("../x", 0, &gone, &root_cred)), "ENOENT");
	ck_assert_str_eq(spell(look("", PATH_EMPTY, &gone, &root_cred)), "host  given");
	ck_assert_str_eq(spell(look("x", 0, NULL, &root_cred)), "ENOENT");
	expand("@/out/file", file.host);
	ck_assert_str_eq(spell(look("../../mnt/d", 0, &file, &root_cred)),
			 "host @/out/file/../../mnt/d given");
	file.vn = vfs_child(at_vnode.vn, "f");
	ck_assert_str_eq(spell(look("../f", 0, &file, &root_cred)), "ENOTDIR");
	teardown();
}
END_TEST

/* --- length ----------------------------------------------------------------------------------- */

START_TEST(measures_names)
{
	char path[PATH_MAX] = "@/mnt/";
	size_t n = strlen(path);

	setup();
	memset(path + n, 'x', 255);
	path[n + 255] = '\0';
	ck_assert_int_eq(look(path, 0, NULL, &root_cred), 0);
	ck_assert_uint_eq(strlen(res.name), 255);
	strcpy(path + n + 255, "x");
	CHECK(path, 0, "ENAMETOOLONG");
	strcpy(path + n + 255, "/y");
	CHECK(path, 0, "ENOENT");
	strcpy(path + n + 255, "x/y");
	CHECK(path, 0, "ENAMETOOLONG");
	teardown();
}
END_TEST

/* A path of the host that becomes too long by its symlinks is the kernel's affair while it is
 * given. */
START_TEST(bears_long_rests)
{
	char target[PATH_MAX], path[PATH_MAX];
	size_t n;

	setup();
	for (n = 0; n < 4000; n += 8)
		memcpy(target + n, "missing/", 8);
	target[n] = '\0';
	host_link(target, "@/out/long");
	expand("@/out/long/", path);
	n = strlen(path);
	memset(path + n, '/', 2000);
	for (size_t i = n; i < n + 2000; i += 2)
		path[i] = 'y';
	path[n + 2000] = '\0';
	ck_assert_int_eq(look(path, FOLLOW, NULL, &root_cred), 0);
	ck_assert(res.as_given);
	ck_assert_str_eq(res.host, "");
	teardown();
}
END_TEST

START_TEST(goes_deep)
{
	char path[PATH_MAX] = "d", full[2 * PATH_MAX];
	struct vnode *vn = NULL;

	setup();
	for (int i = 0; i < 1000; i++) {
		strcat(path, "/n");
		vn = add(path, DIR_, 0, NULL);
	}
	snprintf(full, sizeof(full), "%s/mnt/%s", base, path);
	ck_assert_int_eq(look(full, 0, NULL, &root_cred), 0);
	ck_assert_ptr_eq(res.vn, vn);
	ck_assert_int_eq(path_virtual(space, vn, path, sizeof(path)), (ssize_t)strlen(full));
	ck_assert_str_eq(path, full);
	ck_assert_int_eq(path_virtual(space, vn, path, 100), -ENAMETOOLONG);
	teardown();
}
END_TEST

/* --- chance: whatever is cached, the answer is that of an empty cache ------------------------- */

static uint64_t state;

static unsigned any(unsigned n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((state >> 33) % n);
}

#define MANY 30

static void random_path(char *s)
{
	static const char *const words[] = { "a", "b", "c", "d", "l", "m", "..", ".", "n" };
	unsigned n = 1 + any(5);

	*s = '\0';
	for (unsigned i = 0; i < n; i++) {
		strcat(s, i ? "/" : "");
		strcat(s, words[any(ARRAY_SIZE(words))]);
	}
}

static struct vnode *random_vnode(bool dir)
{
	static struct path_where start;
	char path[64];

	start.vn = space_vnode(space, cache_head(&space->cache)->vfs_root);
	for (unsigned i = 0; i < 200; i++) {
		random_path(path);
		if (look(path, PATH_IN_ROOT, &start, NULL) == 0 && res.vn &&
		    (dir ? S_ISDIR(res.vn->type) : res.vn != start.vn))
			return res.vn;
	}
	return dir ? start.vn : NULL;
}

static void random_change(void)
{
	struct vnode *dir = random_vnode(true), *vn = random_vnode(false);
	char path[PATH_MAX], target[64], name[2] = { (char)('a' + any(4)), 0 };

	switch (vn ? any(4) : 0) {
	case 0:
		if (any(2))
			*name = any(2) ? 'l' : 'm';
		if (vfs_child(dir, name) || dir->dead)
			return;
		ck_assert_int_eq(vnode_path(dir, path, sizeof(path)), 0);
		strcat(path, *path ? "/" : "");
		strcat(path, name);
		random_path(target);
		if (*name == 'l' || *name == 'm')
			memfs_add(fs, path, LNK_, 0, target);
		else
			memfs_add(fs, path, any(4) ? DIR_ : REG_, 0, NULL);
		break;
	case 1:
		if (!vn->child)
			memfs_remove(vn);
		break;
	default:
		if (vnode_is_ancestor(vn, dir) || vfs_child(dir, name) == vn)
			return;
		if (vfs_child(dir, name) && vnode_is_ancestor(vfs_child(dir, name), vn))
			return;
		if (vfs_child(dir, name) && vfs_child(dir, name)->child)
			return;
		memfs_rename(vn, dir, name);
	}
}

static void look_many(struct path_where *start, char paths[][64], const unsigned *flags,
		      char got[][256])
{
	for (unsigned i = 0; i < MANY; i++)
		snprintf(got[i], 256, "%s", spell(look(paths[i], flags[i], start, &root_cred)));
}

START_TEST(agrees_with_an_empty_cache)
{
	static char paths[MANY][64], warm[MANY][256], cold[MANY][256];
	static struct path_where start;
	unsigned flags[MANY];

	state = (uint64_t)_i + 1;
	build_host();
	fs = memfs_new();
	add("d", DIR_, 0, NULL);
	add("a", DIR_, 0, NULL);
	start_space("@/mnt");
	for (int round = 0; round < 600; round++) {
		start.vn = random_vnode(true);
		for (unsigned i = 0; i < MANY; i++) {
			random_path(paths[i]);
			flags[i] = any(2) ? PATH_FOLLOW : 0;
		}
		look_many(&start, paths, flags, warm);
		random_change();
		look_many(&start, paths, flags, warm);
		path_forget_all(space);
		look_many(&start, paths, flags, cold);
		for (unsigned i = 0; i < MANY; i++)
			ck_assert_msg(strcmp(warm[i], cold[i]) == 0, "%s: %s, but %s", paths[i],
				      warm[i], cold[i]);
	}
	teardown();
}
END_TEST

/* --- speed: only shown (FUSS_TEST_SPEED=1) ---------------------------------------------------- */

static void measure(const char *path, unsigned flags, const struct path_where *start)
{
	const int n = 300000;
	struct timespec a, b;
	char buf[PATH_MAX];
	struct path_query q = { .path = expand(path, buf), .flags = flags, .start = start,
				.cred = &user_cred, .tid = 1, .tgid = 1 };

	path_lookup(space, &q, &res);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < n; i++)
		path_lookup(space, &q, &res);
	clock_gettime(CLOCK_MONOTONIC, &b);
	fprintf(stderr, "%-32s %4.0f ns\n", path,
		((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / n);
}

START_TEST(is_fast)
{
	setup();
	if (getenv("FUSS_TEST_SPEED")) {
		measure("/usr/include/sys/types.h", 0, NULL);
		measure("/usr/include/sys/types.h", FOLLOW, NULL);
		measure("@/mnt/d/sub/g", FOLLOW, NULL);
		measure("@/mnt/none", FOLLOW, NULL);
		measure("sub/g", FOLLOW, &at_vnode);
		measure("file", 0, &at_host);
	}
	teardown();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("path");
	TCase *t = tcase_create("look up"), *c = tcase_create("changes"),
	      *m = tcase_create("places");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, look_up, 0, ARRAY_SIZE(rows));
	tcase_add_test(t, look_up_all);
	tcase_add_test(t, resolves_in_a_copy_elsewhere);
	tcase_add_test(t, knows_real_places);
	tcase_add_test(t, is_fast);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, follows_a_rename);
	tcase_add_test(c, swaps_two_directories);
	tcase_add_test(c, forgets_the_removed);
	tcase_add_test(c, hears_of_permissions);
	tcase_add_test(c, minds_closed_directories_of_the_host);
	tcase_add_test(c, sees_changes_of_the_host);
	tcase_add_test(c, forgets_on_request);
	tcase_add_loop_test(c, agrees_with_an_empty_cache, 0, 6);
	tcase_add_test(m, finds_by_inode);
	tcase_add_test(m, finds_by_real_path);
	tcase_add_test(m, mounts_where_nothing_is);
	tcase_add_test(m, mounts_on_a_symlink);
	tcase_add_test(m, passes_through_other_processes);
	tcase_add_test(m, leaves_the_covered_covered);
	tcase_add_test(m, mounts_on_the_root);
	tcase_add_test(m, starts_from_odd_places);
	tcase_add_test(m, measures_names);
	tcase_add_test(m, bears_long_rests);
	tcase_add_test(m, goes_deep);
	suite_add_tcase(s, t);
	suite_add_tcase(s, c);
	suite_add_tcase(s, m);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
