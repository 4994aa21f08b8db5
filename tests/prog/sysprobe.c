/* SPDX-License-Identifier: MIT */
/*
 * sysprobe: makes the system calls that a script asks for and prints what each gave.
 *
 * The script is read from stdin, one call a line: the name as in its manual page, then the arguments as in
 * the prototype.  A directory descriptor is "." (AT_FDCWD) or the name of an open one, "$d"; "$d = openat . x
 * O_RDONLY" makes one.  "@" at the start of a path is the working directory at the start, so that absolute
 * paths can be written; "" is the empty path; \ooo stands for a byte.  Flags are joined with '|'; numbers are
 * as in C.  Lines that begin with '#' are printed as they are.
 *
 * What is printed does not depend on where or when it runs: identities (st_dev, st_ino) are numbered in the
 * order in which they are met, listings are sorted, times after 2020 are "now".
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MAXARG 8
#define Y2020 1577836800

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static char base[PATH_MAX];
static char *arg[MAXARG + 1];
static int nargs;
static bool no_ids; /* some mounts cannot keep identities: SYSPROBE_NO_IDS=1 */
static bool no_dir_links; /* a copied directory counts, a redirected one does not: SYSPROBE_NO_DIR_LINKS=1 */

static void broken(const char *what, const char *word)
{
	printf("sysprobe: %s: %s\n", what, word ? word : "(nothing)");
	exit(2);
}

/* --- words of the script ------------------------------------------------------------------------ */

struct flag {
	const char *name;
	unsigned long value;
};

#define F(x) { #x, (unsigned long)(x) }
static const struct flag flags[] = {
	F(O_RDONLY), F(O_WRONLY), F(O_RDWR), F(O_CREAT), F(O_EXCL), F(O_TRUNC), F(O_APPEND), F(O_DIRECTORY),
	F(O_NOFOLLOW), F(O_PATH), F(O_TMPFILE), F(O_CLOEXEC), F(O_NONBLOCK), F(O_NOATIME), F(O_SYNC),
	F(AT_SYMLINK_NOFOLLOW), F(AT_SYMLINK_FOLLOW), F(AT_REMOVEDIR), F(AT_EMPTY_PATH), F(AT_EACCESS),
	F(AT_NO_AUTOMOUNT), F(RENAME_NOREPLACE), F(RENAME_EXCHANGE), F(RENAME_WHITEOUT),
	F(XATTR_CREATE), F(XATTR_REPLACE), F(R_OK), F(W_OK), F(X_OK), F(F_OK), F(SEEK_SET), F(SEEK_CUR),
	F(SEEK_END), F(SEEK_DATA), F(SEEK_HOLE), F(S_IFREG), F(S_IFDIR), F(S_IFIFO), F(S_IFSOCK), F(S_IFCHR),
	F(S_IFBLK), F(RESOLVE_NO_XDEV), F(RESOLVE_NO_MAGICLINKS), F(RESOLVE_NO_SYMLINKS), F(RESOLVE_BENEATH),
	F(RESOLVE_IN_ROOT), F(FALLOC_FL_KEEP_SIZE), F(IN_CREATE), F(IN_MODIFY), F(IN_DELETE), F(IN_ALL_EVENTS),
	F(IN_ONLYDIR), F(IN_DONT_FOLLOW), F(UTIME_NOW), F(UTIME_OMIT), F(FS_IMMUTABLE_FL), F(FS_APPEND_FL),
	F(FS_NODUMP_FL),
};
#undef F

static unsigned long number(const char *s)
{
	unsigned long v = 0;

	if (!s)
		broken("a number is missing", NULL);
	while (*s) {
		size_t n = strcspn(s, "|"), i;
		char *end;

		for (i = 0; i < ARRAY_SIZE(flags); i++)
			if (strlen(flags[i].name) == n && !strncmp(flags[i].name, s, n))
				break;
		if (i < ARRAY_SIZE(flags)) {
			v |= flags[i].value;
		} else {
			v |= strtoul(s, &end, 0);
			if (end != s + n || !n)
				broken("no number or flag", s);
		}
		s += n;
		s += *s == '|';
	}
	return v;
}

static struct {
	char name[16];
	int fd;
} slots[32];

static int *slot(const char *name, bool make)
{
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		if (!strcmp(slots[i].name, name))
			return &slots[i].fd;
	if (!make)
		broken("no such descriptor", name);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		if (!slots[i].name[0]) {
			snprintf(slots[i].name, sizeof(slots[i].name), "%s", name);
			return &slots[i].fd;
		}
	broken("too many descriptors", name);
	return NULL;
}

static int descriptor(const char *s)
{
	if (!s)
		broken("a descriptor is missing", NULL);
	if (!strcmp(s, "."))
		return AT_FDCWD;
	if (s[0] == '$')
		return *slot(s, false);
	return (int)number(s);
}

/* The bytes that a word stands for; a static buffer for each argument. */
static const char *text(int i)
{
	static char bufs[MAXARG][3 * PATH_MAX];
	const char *s = i < nargs ? arg[i] : NULL;
	char *out = s ? bufs[i] : NULL, *end;
	const char *count;

	if (!s)
		broken("an argument is missing", NULL);
	if (!strcmp(s, "\"\""))
		return "";
	if (!strcmp(s, "NULL"))
		return NULL;
	if (!strcmp(s, "BAD"))
		return (const char *)1;
	end = out + sizeof(bufs[i]) - 1;
	if (*s == '@') {
		out = stpcpy(out, base);
		s++;
	}
	/* "x*300" repeats what is before the star; for names and paths that are too long. */
	count = strchr(s, '*');
	if (count && count[1]) {
		for (long n = strtol(count + 1, NULL, 10); n > 0 && out + (count - s) < end; n--) {
			memcpy(out, s, (size_t)(count - s));
			out += count - s;
		}
		*out = '\0';
		return bufs[i];
	}
	for (; *s && out < end; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
	return bufs[i];
}

/* --- results that do not depend on the place ---------------------------------------------------- */

static struct {
	dev_t dev;
	ino_t ino;
} objects[8192];
static unsigned nobjects;

static unsigned identity(dev_t dev, ino_t ino)
{
	for (unsigned i = 0; i < nobjects; i++)
		if (objects[i].dev == dev && objects[i].ino == ino)
			return i;
	if (nobjects == ARRAY_SIZE(objects))
		broken("too many objects", "");
	objects[nobjects].dev = dev;
	objects[nobjects].ino = ino;
	return nobjects++;
}

static void result(long r)
{
	if (r < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%ld\n", r);
}

static const char *type_name(mode_t mode)
{
	static const char *const names[] = { "?", "fifo", "chr", "?", "dir", "?", "blk", "?",
					     "reg", "?", "lnk", "?", "sock", "?", "?", "?" };

	return names[mode >> 12 & 15];
}

static void when(const char *label, long long sec, long nsec)
{
	if (sec > Y2020)
		printf(" %s=now", label);
	else
		printf(" %s=%lld.%09ld", label, sec, nsec);
}

static void show_stat(const struct stat *st)
{
	printf("%s %04o %u:%u", type_name(st->st_mode), st->st_mode & 07777, st->st_uid, st->st_gid);
	if (!no_dir_links || !S_ISDIR(st->st_mode))
		printf(" links=%lu", (unsigned long)st->st_nlink);
	if (!no_ids)
		printf(" id=#%u", identity(st->st_dev, st->st_ino));
	if (!S_ISDIR(st->st_mode))
		printf(" size=%lld", (long long)st->st_size);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf(" rdev=%u:%u", major(st->st_rdev), minor(st->st_rdev));
	when("mtime", st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	putchar('\n');
}

static void stat_result(int r, const struct stat *st)
{
	if (r < 0)
		result(r);
	else
		show_stat(st);
}

static void show_statx(const struct statx *x)
{
	struct stat st = {
		.st_mode = x->stx_mode, .st_uid = x->stx_uid, .st_gid = x->stx_gid, .st_nlink = x->stx_nlink,
		.st_dev = makedev(x->stx_dev_major, x->stx_dev_minor), .st_ino = x->stx_ino,
		.st_size = (off_t)x->stx_size, .st_rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor),
		.st_mtim = { x->stx_mtime.tv_sec, x->stx_mtime.tv_nsec },
	};

	show_stat(&st);
}

static void bytes(const char *s, ssize_t n)
{
	if (n < 0) {
		result(n);
		return;
	}
	printf("%zd '", n);
	for (ssize_t i = 0; i < n && i < 200; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < ' ' || c >= 127 || c == '\\' || c == '\'')
			printf("\\%03o", c);
		else
			putchar(c);
	}
	printf("'\n");
}

/* Paths of the view without the place where it is. */
static void path_bytes(const char *s, ssize_t n)
{
	size_t len = strlen(base);

	if (n >= (ssize_t)len && !strncmp(s, base, len) && (n == (ssize_t)len || s[len] == '/')) {
		printf("@");
		bytes(s + len, n - (ssize_t)len);
	} else {
		bytes(s, n);
	}
}

/* --- calls that need more than a line ----------------------------------------------------------- */

struct entry {
	char name[NAME_MAX + 1];
	ino_t ino;
	long long off;
	unsigned char type;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

struct raw_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

/* All entries from the current position of fd in buffers of size bytes; count or -1. */
static long entries(int fd, size_t size, struct entry **ret)
{
	_Alignas(8) static char buf[65536];
	struct entry *list = NULL;
	long n, count = 0;

	if (size > sizeof(buf))
		size = sizeof(buf);
	while ((n = syscall(SYS_getdents64, fd, buf, size)) > 0)
		for (long p = 0; p < n;) {
			const struct raw_dirent *d = (const void *)(buf + p);

			list = reallocarray(list, (size_t)count + 1, sizeof(*list));
			if (!list)
				broken("memory", "");
			snprintf(list[count].name, sizeof(list[count].name), "%s", d->name);
			list[count].ino = d->ino;
			list[count].off = d->off;
			list[count].type = d->type;
			count++;
			p += d->reclen;
		}
	*ret = list;
	return n < 0 ? -1 : count;
}

/* d_ino must be what stat() shows, except for "..", which nothing promises. */
static void op_getdents(void)
{
	int fd = descriptor(arg[1]);
	struct entry *list;
	struct stat st;
	long n = entries(fd, nargs > 2 ? number(arg[2]) : 32768, &list);

	if (n < 0) {
		result(n);
		return;
	}
	qsort(list, (size_t)n, sizeof(*list), by_name);
	printf("%ld", n);
	if (fstat(fd, &st) < 0)
		st.st_dev = 0;
	for (long i = 0; i < n; i++) {
		printf(" %s:%s", list[i].name, type_name((mode_t)list[i].type << 12));
		if (strcmp(list[i].name, "..") && !no_ids)
			printf(":#%u", identity(st.st_dev, list[i].ino));
	}
	printf("\n");
	free(list);
}

/* Every position that a listing gives must lead back to the entry behind it. */
static void op_seekdir(void)
{
	int fd = descriptor(arg[1]);
	struct entry *list, *again;
	long n, m, bad = 0;

	if (lseek(fd, 0, SEEK_SET) < 0 || (n = entries(fd, 4096, &list)) < 0) {
		result(-1);
		return;
	}
	for (long i = 0; i < n; i++) {
		if (lseek(fd, list[i].off, SEEK_SET) < 0)
			bad++;
		m = entries(fd, 4096, &again);
		if (m != n - i - 1 || (m > 0 && strcmp(again[0].name, list[i + 1].name)))
			bad++;
		free(again);
	}
	lseek(fd, 0, SEEK_SET);
	m = entries(fd, 256, &again);
	printf("%ld entries, %ld wrong positions, %ld after rewind\n", n, bad, m);
	free(list);
	free(again);
}

static void op_cat(void)
{
	static char buf[65536];
	int fd = open(text(1), O_RDONLY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	bytes(buf, n);
	if (fd >= 0)
		close(fd);
}

static void op_put(void)
{
	int fd = open(text(1), O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0666);
	const char *s = text(2);

	result(fd < 0 ? -1 : write(fd, s, strlen(s)));
	if (fd >= 0)
		close(fd);
}

static void op_statx(void)
{
	struct statx x = { 0 };
	int r = statx(descriptor(arg[1]), text(2), (int)number(arg[3]), STATX_BASIC_STATS | STATX_BTIME, &x);

	if (r < 0)
		result(r);
	else
		show_statx(&x);
}

static struct timespec one_time(const char *s)
{
	if (!strcmp(s, "now"))
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (!strcmp(s, "omit"))
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	return (struct timespec){ .tv_sec = strtol(s, NULL, 10),
				  .tv_nsec = strchr(s, '.') ? strtol(strchr(s, '.') + 1, NULL, 10) : 0 };
}

static void op_utimensat(void)
{
	const char *path = text(2);
	struct timespec ts[2] = { one_time(arg[3]), one_time(arg[4]) };

	result(utimensat(descriptor(arg[1]), path, ts, nargs > 5 ? (int)number(arg[5]) : 0));
}

static void op_futimens(void)
{
	struct timespec ts[2] = { one_time(arg[2]), one_time(arg[3]) };

	result(futimens(descriptor(arg[1]), ts));
}

static void op_utimes(void)
{
	struct timeval tv[2] = { { one_time(arg[2]).tv_sec, 0 }, { one_time(arg[3]).tv_sec, 0 } };

	result(utimes(text(1), tv));
}

static void op_utime(void)
{
	struct utimbuf ut = { one_time(arg[2]).tv_sec, one_time(arg[3]).tv_sec };

	result(utime(text(1), &ut));
}

static void xattr_list(char *list, ssize_t n)
{
	char *names[256];
	size_t count = 0;

	if (n < 0) {
		result(n);
		return;
	}
	for (char *s = list; s < list + n && count < 256; s += strlen(s) + 1)
		names[count++] = s;
	for (size_t i = 0; i < count; i++) /* few: sorted by insertion */
		for (size_t k = i; k && strcmp(names[k - 1], names[k]) > 0; k--) {
			char *t = names[k];

			names[k] = names[k - 1];
			names[k - 1] = t;
		}
	printf("%zd", n);
	for (size_t i = 0; i < count; i++)
		printf(" %s", names[i]);
	printf("\n");
}

static void op_bind(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", text(1));
	result(bind(fd, (void *)&a, sizeof(a)) < 0 ? -1 : listen(fd, 4));
	*slot("$socket", true) = fd;
}

static void op_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", text(1));
	result(connect(fd, (void *)&a, sizeof(a)));
	close(fd);
}

/* Runs a program, prints its exit status. */
static void op_exec(void)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		char *argv[MAXARG + 1] = { NULL };
		const char *path = text(1);

		for (int i = 1; i < nargs; i++)
			argv[i - 1] = (char *)text(i);
		execv(path, argv);
		fprintf(stdout, "%s ", strerrorname_np(errno));
		fflush(stdout);
		_exit(111);
	}
	waitpid(pid, &status, 0);
	printf("status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

static void op_readlinkat(void)
{
	char buf[PATH_MAX];
	const char *path = text(2);
	ssize_t n = readlinkat(descriptor(arg[1]), path, buf, nargs > 3 ? number(arg[3]) : sizeof(buf));

	path_bytes(buf, n);
}

static void op_getcwd(void)
{
	char buf[PATH_MAX];
	long n = syscall(SYS_getcwd, buf, nargs > 1 ? number(arg[1]) : sizeof(buf));

	path_bytes(buf, n > 0 ? n - 1 : n);
}

static void op_statfs(const struct statfs *s, int r)
{
	if (r < 0)
		result(r);
	else
		printf("namelen=%ld readonly=%ld\n", (long)s->f_namelen, (long)s->f_flags & 1);
}

/* Events that are waiting at an inotify descriptor, names only where they have one. */
static void op_events(void)
{
	_Alignas(struct inotify_event) char buf[8192];
	struct pollfd p = { descriptor(arg[1]), POLLIN, 0 };
	ssize_t n = 0;

	if (poll(&p, 1, 200) > 0)
		n = read(p.fd, buf, sizeof(buf));
	for (ssize_t i = 0; i < n;) {
		const struct inotify_event *e = (const void *)(buf + i);

		printf("%x%s%s ", e->mask, e->len ? ":" : "", e->len ? e->name : "");
		i += (ssize_t)(sizeof(*e) + e->len);
	}
	printf("\n");
}

static void op_mmap(void)
{
	int fd = descriptor(arg[1]);
	char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	bytes(p, p == MAP_FAILED ? -1 : (ssize_t)number(arg[2]));
	if (p != MAP_FAILED)
		munmap(p, 4096);
}

/* Effective ids of an ordinary user and back: permission checks in one script. */
static void op_user(void)
{
	unsigned id = (unsigned)number(arg[1]);

	if (geteuid() != 0 && seteuid(0) < 0) {
		result(-1);
		return;
	}
	result(setegid(id) < 0 || seteuid(id) < 0 ? -1 : 0);
}

static void op_ioctl_flags(void)
{
	int fd = descriptor(arg[1]), attr = nargs > 2 ? (int)number(arg[2]) : 0;

	if (nargs > 2)
		result(ioctl(fd, FS_IOC_SETFLAGS, &attr));
	else if (ioctl(fd, FS_IOC_GETFLAGS, &attr) < 0)
		result(-1);
	else
		printf("%x\n", attr & (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL));
}

/* --- the table of calls ------------------------------------------------------------------------- */

static struct stat st;
static struct statfs sfs;
static char big[65536];

#define D1 descriptor(arg[1])
#define N(i) number(arg[i])
#define OPT(i) (nargs > (i) ? number(arg[i]) : 0)
#define MODE(i) ((mode_t)OPT(i))
#define CALL(call) { long r_ = (call); result(r_); }
#define FD(call) { long r_ = (call); return r_; }

/* Calls that give a descriptor: its value does not matter, that there is one does. */
static long descriptor_call(const char *op)
{
	if (!strcmp(op, "open"))
		FD(open(text(1), (int)N(2), MODE(3)));
	if (!strcmp(op, "openat"))
		FD(openat(D1, text(2), (int)N(3), MODE(4)));
	if (!strcmp(op, "creat"))
		FD(syscall(SYS_creat, text(1), MODE(2)));
	if (!strcmp(op, "openat2")) {
		struct open_how how = { .flags = N(3), .mode = OPT(4), .resolve = OPT(5) };

		FD(syscall(SYS_openat2, D1, text(2), &how, sizeof(how)));
	}
	if (!strcmp(op, "dup"))
		FD(dup(D1));
	if (!strcmp(op, "inotify_init"))
		FD(inotify_init1(IN_NONBLOCK));
	return -2;
}

static bool simple_call(const char *op)
{
	if (!strcmp(op, "close")) CALL(close(D1))
	else if (!strcmp(op, "mkdir")) CALL(mkdir(text(1), MODE(2)))
	else if (!strcmp(op, "mkdirat")) CALL(mkdirat(D1, text(2), MODE(3)))
	else if (!strcmp(op, "rmdir")) CALL(rmdir(text(1)))
	else if (!strcmp(op, "unlink")) CALL(unlink(text(1)))
	else if (!strcmp(op, "unlinkat")) CALL(unlinkat(D1, text(2), (int)OPT(3)))
	else if (!strcmp(op, "link")) CALL(link(text(1), text(2)))
	else if (!strcmp(op, "linkat")) CALL(linkat(D1, text(2), descriptor(arg[3]), text(4), (int)OPT(5)))
	else if (!strcmp(op, "symlink")) CALL(symlink(text(1), text(2)))
	else if (!strcmp(op, "symlinkat")) CALL(symlinkat(text(1), descriptor(arg[2]), text(3)))
	else if (!strcmp(op, "mknod")) CALL(mknod(text(1), MODE(2), nargs > 4 ? makedev(N(3), N(4)) : 0))
	else if (!strcmp(op, "mknodat"))
		CALL(mknodat(D1, text(2), MODE(3), nargs > 5 ? makedev(N(4), N(5)) : 0))
	else if (!strcmp(op, "rename")) CALL(rename(text(1), text(2)))
	else if (!strcmp(op, "renameat")) CALL(renameat(D1, text(2), descriptor(arg[3]), text(4)))
	else if (!strcmp(op, "renameat2"))
		CALL(renameat2(D1, text(2), descriptor(arg[3]), text(4), (unsigned)OPT(5)))
	else if (!strcmp(op, "chmod")) CALL(chmod(text(1), MODE(2)))
	else if (!strcmp(op, "fchmod")) CALL(fchmod(D1, MODE(2)))
	else if (!strcmp(op, "fchmodat")) CALL(syscall(SYS_fchmodat, D1, text(2), MODE(3)))
	else if (!strcmp(op, "fchmodat2")) CALL(syscall(SYS_fchmodat2, D1, text(2), MODE(3), (int)OPT(4)))
	else if (!strcmp(op, "chown")) CALL(chown(text(1), (uid_t)N(2), (gid_t)N(3)))
	else if (!strcmp(op, "lchown")) CALL(lchown(text(1), (uid_t)N(2), (gid_t)N(3)))
	else if (!strcmp(op, "fchown")) CALL(fchown(D1, (uid_t)N(2), (gid_t)N(3)))
	else if (!strcmp(op, "fchownat")) CALL(fchownat(D1, text(2), (uid_t)N(3), (gid_t)N(4), (int)OPT(5)))
	else if (!strcmp(op, "truncate")) CALL(truncate(text(1), (off_t)N(2)))
	else if (!strcmp(op, "ftruncate")) CALL(ftruncate(D1, (off_t)N(2)))
	else if (!strcmp(op, "fallocate")) CALL(fallocate(D1, (int)N(2), (off_t)N(3), (off_t)N(4)))
	else if (!strcmp(op, "access")) CALL(access(text(1), (int)N(2)))
	else if (!strcmp(op, "faccessat")) CALL(syscall(SYS_faccessat, D1, text(2), (int)N(3)))
	else if (!strcmp(op, "faccessat2")) CALL(syscall(SYS_faccessat2, D1, text(2), (int)N(3), (int)OPT(4)))
	else if (!strcmp(op, "chdir")) CALL(chdir(text(1)))
	else if (!strcmp(op, "fchdir")) CALL(fchdir(D1))
	else if (!strcmp(op, "umask")) CALL((long)umask(MODE(1)))
	else if (!strcmp(op, "setxattr")) CALL(setxattr(text(1), text(2), text(3), strlen(text(3)), (int)OPT(4)))
	else if (!strcmp(op, "lsetxattr"))
		CALL(lsetxattr(text(1), text(2), text(3), strlen(text(3)), (int)OPT(4)))
	else if (!strcmp(op, "fsetxattr")) CALL(fsetxattr(D1, text(2), text(3), strlen(text(3)), (int)OPT(4)))
	else if (!strcmp(op, "removexattr")) CALL(removexattr(text(1), text(2)))
	else if (!strcmp(op, "lremovexattr")) CALL(lremovexattr(text(1), text(2)))
	else if (!strcmp(op, "fremovexattr")) CALL(fremovexattr(D1, text(2)))
	else if (!strcmp(op, "lseek")) CALL(lseek(D1, (off_t)strtol(arg[2], NULL, 0), (int)N(3)))
	else if (!strcmp(op, "write")) CALL(write(D1, text(2), strlen(text(2))))
	else if (!strcmp(op, "copy_file_range"))
		CALL(copy_file_range(D1, NULL, descriptor(arg[2]), NULL, N(3), 0))
	else if (!strcmp(op, "inotify_add_watch")) CALL(inotify_add_watch(D1, text(2), (uint32_t)N(3)))
	else if (!strcmp(op, "fsync")) CALL(fsync(D1))
	else return false;
	return true;
}

static bool shown_call(const char *op)
{
	if (!strcmp(op, "stat")) stat_result(stat(text(1), &st), &st);
	else if (!strcmp(op, "lstat")) stat_result(lstat(text(1), &st), &st);
	else if (!strcmp(op, "fstat")) stat_result(fstat(D1, &st), &st);
	else if (!strcmp(op, "fstatat")) stat_result(fstatat(D1, text(2), &st, (int)OPT(3)), &st);
	else if (!strcmp(op, "readlink")) path_bytes(big, readlink(text(1), big, nargs > 2 ? N(2) : sizeof(big)));
	else if (!strcmp(op, "getxattr")) bytes(big, getxattr(text(1), text(2), big, sizeof(big)));
	else if (!strcmp(op, "lgetxattr")) bytes(big, lgetxattr(text(1), text(2), big, sizeof(big)));
	else if (!strcmp(op, "fgetxattr")) bytes(big, fgetxattr(D1, text(2), big, sizeof(big)));
	else if (!strcmp(op, "getxattr_size")) CALL(getxattr(text(1), text(2), big, N(3)))
	else if (!strcmp(op, "listxattr")) xattr_list(big, listxattr(text(1), big, sizeof(big)));
	else if (!strcmp(op, "llistxattr")) xattr_list(big, llistxattr(text(1), big, sizeof(big)));
	else if (!strcmp(op, "flistxattr")) xattr_list(big, flistxattr(D1, big, sizeof(big)));
	else if (!strcmp(op, "listxattr_size")) CALL(listxattr(text(1), big, N(2)))
	else if (!strcmp(op, "read")) bytes(big, read(D1, big, N(2) < sizeof(big) ? N(2) : sizeof(big)));
	else if (!strcmp(op, "statfs")) op_statfs(&sfs, statfs(text(1), &sfs));
	else if (!strcmp(op, "fstatfs")) op_statfs(&sfs, fstatfs(D1, &sfs));
	else if (!strcmp(op, "getfl")) printf("%o\n", (unsigned)fcntl(D1, F_GETFL));
	else return false;
	return true;
}

static const struct {
	const char *name;
	void (*run)(void);
} special[] = {
	{ "getdents", op_getdents }, { "seekdir", op_seekdir }, { "cat", op_cat }, { "put", op_put },
	{ "statx", op_statx }, { "utimensat", op_utimensat }, { "futimens", op_futimens },
	{ "utimes", op_utimes }, { "utime", op_utime }, { "bind", op_bind }, { "connect", op_connect },
	{ "exec", op_exec }, { "readlinkat", op_readlinkat }, { "getcwd", op_getcwd },
	{ "events", op_events }, { "mmap", op_mmap }, { "user", op_user }, { "fsflags", op_ioctl_flags },
};

static void run(const char *name)
{
	const char *op = arg[0];
	long fd;

	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (!strcmp(op, special[i].name)) {
			special[i].run();
			return;
		}
	fd = descriptor_call(op);
	if (fd != -2) {
		if (fd < 0) {
			result(-1);
		} else {
			printf("fd\n");
			if (name)
				*slot(name, true) = (int)fd;
			else
				close((int)fd);
		}
	} else if (!simple_call(op) && !shown_call(op)) {
		broken("unknown call", op);
	}
}

int main(void)
{
	static char line[65536], copy[65536];

	if (!getcwd(base, sizeof(base)))
		broken("getcwd", strerrorname_np(errno));
	umask(022);
	no_ids = getenv("SYSPROBE_NO_IDS") != NULL;
	no_dir_links = getenv("SYSPROBE_NO_DIR_LINKS") != NULL;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	while (fgets(line, sizeof(line), stdin)) {
		const char *name = NULL;
		char *save = NULL;

		line[strcspn(line, "\n")] = '\0';
		if (!line[0] || line[0] == '#') {
			puts(line);
			continue;
		}
		strcpy(copy, line);
		nargs = 0;
		for (char *w = strtok_r(copy, " \t", &save); w && nargs < MAXARG;
		     w = strtok_r(NULL, " \t", &save))
			arg[nargs++] = w;
		arg[nargs] = NULL;
		if (nargs > 2 && !strcmp(arg[1], "=")) {
			name = arg[0];
			memmove(arg, arg + 2, (MAXARG - 1) * sizeof(arg[0]));
			nargs -= 2;
		}
		printf("%s => ", line);
		run(name);
		fflush(stdout);
	}
	return 0;
}
