/* SPDX-License-Identifier: MIT */
/*
 * execve, execveat.  The kernel is given the real file of a program.  What it does with names itself, it
 * would do with the host's: so #! lines are followed here (load_script()), and a program whose ELF
 * interpreter lies in the view is started by running that interpreter on it.
 */
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "call/call.h"
#include "vfs/perm.h"

#define HEAD_SIZE 256	 /* BINPRM_BUF_SIZE */
#define SCRIPT_DEPTH 5	 /* exec_binprm() */
#define PREFIX_MAX (3 * SCRIPT_DEPTH + 3)

/* A program on its way to being run. */
struct program {
	struct vnode *vn;	/* ours, or NULL: host is its path */
	char real[PATH_MAX];	/* what the kernel is to open */
	bool as_given;		/* the kernel would find it by the name used */
	bool changed;		/* something had to be replaced: the call cannot run as it is */
	char *prefix[PREFIX_MAX]; /* replaces argv[0], last first; owned */
	unsigned nprefix;
};

static void program_put(struct program *p)
{
	while (p->nprefix)
		free(p->prefix[--p->nprefix]);
}

static int program_push(struct program *p, const char *text)
{
	char *s = strdup(text);

	if (!s)
		return -ENOMEM;
	if (p->nprefix == PREFIX_MAX) {
		free(s);
		return -ELOOP;
	}
	p->prefix[p->nprefix++] = s;
	return 0;
}

/* do_open_execat(): what may be executed at all. */
static int exec_check(struct vnode *vn, const struct cred *cred)
{
	int r;

	if (S_ISLNK(vn->type))
		return -ELOOP;
	if (!S_ISREG(vn->type))
		return -EACCES;
	r = perm_vnode(vn, PERM_X, cred);
	return r;
}

/* The object that t stands for becomes the program. */
static int program_set(struct calls *cs, struct program *p, const struct target *t)
{
	int r;

	p->vn = NULL;
	if (!t->inside) {
		strcpy(p->real, t->res.host);
		p->as_given = t->res.as_given;
		p->changed |= !t->res.as_given;
		return 0;
	}
	if (!t->vn)
		return -ENOENT;
	r = exec_check(t->vn, t->cred);
	if (r == 0)
		r = cs->fs->ops->realpath(t->vn, p->real, sizeof(p->real));
	if (r < 0)
		return r;
	p->vn = t->vn;
	p->as_given = false;
	p->changed = true;
	return 0;
}

/* load_script(): interpreter and argument of a #! line.  0: no script. */
static int script_line(char *head, ssize_t n, char **ret_interp, char **ret_arg)
{
	char *end, *p;

	*ret_arg = NULL;
	if (n < 2 || head[0] != '#' || head[1] != '!')
		return 0;
	head[n < HEAD_SIZE ? n : HEAD_SIZE] = 0;
	end = memchr(head, '\n', (size_t)n);
	if (!end) {
		/* A line that is cut is refused where the interpreter's name could be what was cut. */
		p = head + 2 + strspn(head + 2, " \t");
		if (n >= HEAD_SIZE && !p[strcspn(p, " \t")])
			return -ENOEXEC;
		end = head + strlen(head);
	}
	while (end > head + 2 && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = 0;
	p = head + 2 + strspn(head + 2, " \t");
	if (!*p)
		return -ENOEXEC;
	*ret_interp = p;
	p += strcspn(p, " \t");
	if (*p) {
		*p++ = 0;
		p += strspn(p, " \t");
		if (*p)
			*ret_arg = p;
	}
	return 1;
}

/* Follows #! lines until a binary is reached.  name: how the program was called. */
static int exec_scripts(struct calls *cs, struct call *c, struct program *p, const char *name)
{
	_cleanup_free_ struct target *t = malloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	for (int depth = 0;; depth++) {
		char head[HEAD_SIZE + 1], *interp, *arg;
		_cleanup_fd_ int fd = x_openat(AT_FDCWD, p->real, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
		ssize_t n;
		int r;

		/* Not readable for us (a binary with mode 0111) or not there: the kernel will see. */
		if (fd < 0)
			return 0;
		n = x_ret(pread(fd, head, HEAD_SIZE, 0));
		r = n < 0 ? 0 : script_line(head, n, &interp, &arg);
		if (r <= 0)
			return r;
		if (depth == SCRIPT_DEPTH)
			return -ELOOP;
		/* In place of argv[0], which is the name called: for a nested one on top already. */
		r = depth == 0 ? program_push(p, name) : 0;
		if (r == 0 && arg)
			r = program_push(p, arg);
		if (r == 0)
			r = program_push(p, interp);
		if (r < 0)
			return r;
		r = target_by_name(cs, c, interp, PATH_FOLLOW, t);
		if (r == 0)
			r = program_set(cs, p, t);
		if (r < 0)
			return r;
	}
}

/* The PT_INTERP of an ELF file, "" if it has none. */
static int elf_interp(int fd, char *buf, size_t size)
{
	union {
		Elf64_Ehdr e64;
		Elf32_Ehdr e32;
	} h;
	uint64_t phoff;
	unsigned phnum, phsize;
	bool is64;

	buf[0] = 0;
	if (x_ret(pread(fd, &h, sizeof(h), 0)) < (long)sizeof(h.e32) ||
	    memcmp(h.e64.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	is64 = h.e64.e_ident[EI_CLASS] == ELFCLASS64;
	phoff = is64 ? h.e64.e_phoff : h.e32.e_phoff;
	phnum = is64 ? h.e64.e_phnum : h.e32.e_phnum;
	phsize = is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	for (unsigned i = 0; i < phnum; i++) {
		union {
			Elf64_Phdr p64;
			Elf32_Phdr p32;
		} ph;
		uint64_t off, len;

		if (x_ret(pread(fd, &ph, phsize, (off_t)(phoff + i * phsize))) != (long)phsize)
			return 0;
		if ((is64 ? ph.p64.p_type : ph.p32.p_type) != PT_INTERP)
			continue;
		off = is64 ? ph.p64.p_offset : ph.p32.p_offset;
		len = is64 ? ph.p64.p_filesz : ph.p32.p_filesz;
		if (len < 2 || len > size || x_ret(pread(fd, buf, len, (off_t)off)) != (long)len ||
		    buf[len - 1]) {
			buf[0] = 0;
			return -ENOEXEC;
		}
		return 0;
	}
	return 0;
}

/* Does the dynamic loader know --argv0 (glibc since 2.33, musl)? */
static bool loader_has_argv0(const char *real)
{
	_cleanup_fd_ int fd = x_openat(AT_FDCWD, real, O_RDONLY | O_CLOEXEC, 0);
	struct stat st;
	void *map;
	bool found;

	if (fd < 0 || x_fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > 64 << 20)
		return false;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return false;
	found = memmem(map, (size_t)st.st_size, "argv0", 6) != NULL;
	munmap(map, (size_t)st.st_size);
	return found;
}

/* argv[0] as it would be without us. */
static int exec_argv0(struct call *c, const struct program *p, char *buf, size_t size)
{
	uint64_t argv = call_arg(c, R_ARGV), ptr = 0;
	int r;

	if (p->nprefix) {
		snprintf(buf, size, "%s", p->prefix[p->nprefix - 1]);
		return 0;
	}
	buf[0] = 0;
	r = argv ? call_read(c, argv, &ptr, c->abi->word) : 0;
	if (r < 0 || !ptr)
		return r;
	return (int)call_read_str(c, ptr, buf, size) < 0 ? -EFAULT : 0;
}

/*
 * An ELF interpreter that only the view has.  The kernel would look on the host; so the interpreter is
 * the program, and the program its argument.
 */
static int exec_loader(struct calls *cs, struct call *c, struct program *p)
{
	_cleanup_fd_ int fd = x_openat(AT_FDCWD, p->real, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	_cleanup_free_ struct target *t = malloc(sizeof(*t));
	char interp[PATH_MAX], argv0[PATH_MAX], self[PATH_MAX];
	int r;

	if (!t)
		return -ENOMEM;
	if (fd < 0)
		return 0;
	r = elf_interp(fd, interp, sizeof(interp));
	if (r < 0 || !interp[0])
		return r;
	r = target_by_name(cs, c, interp, PATH_FOLLOW, t);
	if (r < 0)
		return r;
	if (!t->inside && t->res.as_given)
		return 0;
	if (t->inside && !t->vn)
		return -ENOENT;
	r = exec_argv0(c, p, argv0, sizeof(argv0));
	if (r < 0)
		return r;
	if (p->vn) {
		ssize_t n = path_virtual(cs->space, p->vn, self, sizeof(self));

		if (n < 0)
			return (int)n;
	} else {
		strcpy(self, p->real);
	}
	if (t->inside) {
		r = exec_check(t->vn, t->cred);
		if (r == 0)
			r = cs->fs->ops->realpath(t->vn, p->real, sizeof(p->real));
	} else {
		strcpy(p->real, t->res.host);
	}
	if (r < 0)
		return r;
	p->changed = true;
	if (p->nprefix)
		free(p->prefix[--p->nprefix]); /* argv[0], which --argv0 gives */
	r = program_push(p, self);
	if (r == 0 && loader_has_argv0(p->real)) {
		r = program_push(p, argv0);
		if (r == 0)
			r = program_push(p, "--argv0");
	}
	return r < 0 ? r : program_push(p, interp);
}

/* The tracee's argv as words, without the terminating NULL.  -E2BIG beyond what any kernel takes. */
static int read_argv(struct call *c, uint64_t **ret, size_t *ret_n)
{
	const unsigned word = c->abi->word;
	uint64_t addr = call_arg(c, R_ARGV);
	_cleanup_free_ uint64_t *v = NULL;
	size_t n = 0, room = 0;

	while (addr) {
		uint64_t w = 0;
		int r = call_read(c, addr + n * word, &w, word);

		if (r < 0)
			return r;
		if (!w)
			break;
		if (n == room) {
			uint64_t *more = reallocarray(v, room = room ? 2 * room : 64, sizeof(*v));

			if (!more)
				return -ENOMEM;
			v = more;
		}
		v[n++] = w;
		if (n > 1 << 22)
			return -E2BIG;
	}
	*ret = steal_ptr(&v);
	*ret_n = n;
	return 0;
}

/* New argv: the prefix in place of argv[0]; one block of the tracee's memory, strings first. */
static int exec_set_argv(struct call *c, const struct program *p)
{
	const unsigned word = c->abi->word;
	_cleanup_free_ uint64_t *old = NULL;
	_cleanup_free_ uint8_t *array = NULL;
	_cleanup_free_ char *text = NULL;
	size_t nold, size = 0, at = 0, k = 0;
	uint64_t base, addr;
	int r;

	if (p->nprefix == 0)
		return 0;
	r = read_argv(c, &old, &nold);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < p->nprefix; i++)
		size += strlen(p->prefix[i]) + 1;
	text = malloc(size);
	array = calloc(p->nprefix + nold + 2, word);
	if (!text || !array)
		return -ENOMEM;
	for (unsigned i = p->nprefix; i-- > 0; at += strlen(p->prefix[i]) + 1)
		strcpy(text + at, p->prefix[i]);
	r = call_put(c, text, size, &base);
	if (r < 0)
		return r;
	at = 0;
	for (unsigned i = p->nprefix; i-- > 0; at += strlen(p->prefix[i]) + 1) {
		addr = base + at;
		memcpy(array + word * k++, &addr, word);
	}
	for (size_t i = 1; i < nold; i++)
		memcpy(array + word * k++, &old[i], word);
	r = call_put(c, array, word * (k + 1), &addr);
	if (r < 0)
		return r;
	return call_set_arg(c, (unsigned)sys_arg(c->row, R_ARGV), addr);
}

/*
 * The path for the kernel.  It ends up in the new image (AT_EXECFN), where exec_done() puts the name as
 * it was given: leading slashes make room for it.
 */
static int exec_set_path(struct call *c, const struct program *p, const char *given)
{
	size_t want = strlen(given), have = strlen(p->real);
	char buf[PATH_MAX];
	size_t pad = want > have ? want - have : 0;

	if (pad + have >= sizeof(buf))
		pad = 0;
	memset(buf, '/', pad);
	memcpy(buf + pad, p->real, have + 1);
	return call_set_path(c, (unsigned)sys_arg(c->row, R_PATH), buf);
}

/* How the kernel names the program: for a directory descriptor /dev/fd/N/path. */
static void exec_name(struct call *c, const struct target *t, char *buf, size_t size)
{
	int dirfd = call_has(c, R_DIRFD) ? (int)call_arg(c, R_DIRFD) : AT_FDCWD;

	if (t->by_fd)
		snprintf(buf, size, "/dev/fd/%d", dirfd);
	else if (t->path[0] != '/' && dirfd != AT_FDCWD)
		snprintf(buf, size, "/dev/fd/%d/%s", dirfd, t->path);
	else
		snprintf(buf, size, "%s", t->path);
}

static int exec_run(struct calls *cs, struct call *c, const struct target *t, struct program *p)
{
	char name[PATH_MAX + 32];
	struct vnode *exe;
	struct pending *pend;
	int flagarg = sys_arg(c->row, R_ATFLAGS);
	int r;

	exec_name(c, t, name, sizeof(name));
	r = exec_scripts(cs, c, p, name);
	exe = p->vn;
	if (r == 0)
		r = exec_loader(cs, c, p);
	if (r < 0)
		return r;
	if (!p->changed)
		return 0;
	pend = call_pending(cs, c);
	if (!pend)
		return -ENOMEM;
	pend->vn = exe;
	pend->redirected = true;
	free(pend->text);
	pend->text = strdup(name);
	if (!pend->text)
		return -ENOMEM;
	pend->flag = strcmp(basename(name), basename(p->real)) != 0;
	r = exec_set_argv(c, p);
	if (r == 0)
		r = exec_set_path(c, p, name);
	if (r == 0 && flagarg >= 0) /* the path is absolute and followed already */
		r = call_set_arg(c, (unsigned)flagarg, 0);
	return r;
}

int call_exec(struct calls *cs, struct call *c)
{
	_cleanup_target_ struct target t = { .fd = TASK_FD_NONE };
	struct program p = { .as_given = true };
	int r;

	if (call_atflags(c) & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = target_object(cs, c, &t);
	if (r < 0)
		return r;
	/* A descriptor that is not ours, or a program without a name: the kernel runs what it holds. */
	if (t.by_fd && (!t.vn || t.magic))
		return 0;
	r = program_set(cs, &p, &t);
	if (r == 0)
		r = exec_run(cs, c, &t, &p);
	program_put(&p);
	return r;
}

/* The address of the value of AT_EXECFN in the new image's stack. */
static int find_execfn(struct call *c, uint64_t sp, uint64_t *ret)
{
	const unsigned word = c->abi->word;
	uint64_t addr = sp, v = 0, value = 0;
	int r = call_read(c, addr, &v, word); /* argc */

	if (r < 0)
		return r;
	addr += word * (v + 2);
	do { /* environment */
		v = 0;
		r = call_read(c, addr, &v, word);
		addr += word;
	} while (r >= 0 && v);
	for (; r >= 0; addr += 2 * word) {
		v = value = 0;
		r = call_read(c, addr, &v, word);
		if (r >= 0)
			r = call_read(c, addr + word, &value, word);
		if (r < 0 || v == AT_NULL)
			break;
		if (v == AT_EXECFN) {
			*ret = value;
			return 0;
		}
	}
	return r < 0 ? r : -ENOENT;
}

void exec_done(struct calls *cs, struct task *t, struct call *c, uint64_t sp)
{
	struct pending *p = c->data;
	uint64_t addr;

	(void)cs;
	t->comm[0] = 0;
	if (!p || !p->text)
		return;
	if (find_execfn(c, sp, &addr) == 0)
		call_write(c, addr, p->text, strlen(p->text) + 1);
	if (p->flag)
		snprintf(t->comm, sizeof(t->comm), "%.15s", basename(p->text));
}

static void comm_set(struct calls *cs, struct call *c, struct pending *p)
{
	(void)cs;
	(void)p;
	call_retry(c);
}

int exec_comm(struct calls *cs, struct call *c)
{
	struct task *t = call_task(c);
	struct pending *p = call_pending(cs, c);
	int r = p ? call_set_id(c, SYS_ID_prctl) : -ENOMEM;

	if (r == 0)
		r = call_set_arg(c, 0, PR_SET_NAME);
	if (r == 0)
		r = call_set_bytes(c, 1, t->comm, sizeof(t->comm));
	if (r < 0)
		return r;
	p->finish = comm_set;
	t->comm[0] = 0;
	return 0;
}
