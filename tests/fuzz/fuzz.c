/* SPDX-License-Identifier: MIT */
/*
 * fuzz [options] SEED [COUNT]: the differential fuzzer.  For each seed it makes the same random
 * layers twice, runs the same random calls on a kernel overlay mount of the one and inside fuss
 * on the other, at the same mount point, and compares: every call (value, errno, what it
 * filled in), the merged tree at the end, the lower layers with what they were, the place of the
 * mount point, and what the kernel shows of the upper layer that fuss leaves.  On a difference it
 * leaves steps out as long as the difference stays and prints the rest, with both answers.
 * It needs root (for the mounts), with --user too.
 *
 *	--user		layers of a user, the kernel mount in a user namespace with userxattr
 *	--fileprefix	fuss writes .wh. files; the kernel cannot show that upper at the end
 *	--redirects	the upper may have redirect marks from an earlier kernel mount
 *	--strict	data read through read-only descriptors is compared as well
 *	--ops=N		calls for each seed (200)
 *	--fuss=PATH	the program (otherwise $FUSS)
 *	--timeout=S	seconds for each run (20)
 *	--no-shrink	print seeds and differences only
 *	--show		print all answers of fuss
 *	--trace		print fuss's log of a shrunk sequence
 *
 * With --user all is readable and writable for its owner: the kernel's mount has powers in its user
 * namespace that fuss has not; and inode numbers of files are not compared.
 *
 * Accepted, and therefore not compared or made alike:
 * - the data behind a descriptor that was opened read-only (a copy-up may have come since);
 * - a rename of a lower directory that the kernel refuses with EXDEV (no redirect_dir in user
 *   namespaces, nor here where layers have hard links: fuss copies the directory, which makes them
 *   files of their own): the step is left out;
 * - fstat(2) of what was removed through a descriptor not open for writing; opening a removed
 *   directory again;
 * - st_nlink, st_size of directories; times that are "now"; the order of listings; d_off;
 * - file status flags but for the access mode, O_APPEND, O_NONBLOCK, O_PATH;
 * - SEEK_END in directories;
 * - changes through a read-only descriptor of a file that has no name any more: ESTALE of fuss where
 *   the descriptor is on a lower file, of the kernel whatever the copy-up at its old name meets;
 * - copy_file_range(2) between the mount and another file system, which may be the layers' own;
 * - d_ino of an entry that was copied up since the kernel cached the listing, and changed (hard links);
 * - an O_PATH descriptor, opened through /proc, of a file that has no name any more;
 * - what /proc/self/fd/N says of a file that has lost the name it was opened by but has others;
 * - the length that listxattr(2) tells without a buffer, and ERANGE: of the kernel with its own marks;
 * - what goes through FIFOs (one in a lower layer and its copy are two), and what it does to their times.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

/* The first difference. */
struct diff {
	bool found;
	char sig[256];		/* what kind: equal for the same cause, mostly */
	char kernel[600], fuss[600];
	int index;		/* of the call; -1 for none */
	struct fuzz_out err;	/* what fuss said */
};

static size_t line_length(const char *s)
{
	return strcspn(s, "\n");
}

/* The answer: what is after the last " = " of a call, the whole for other lines. */
static void answer(char *buf, size_t size, const char *line)
{
	const char *eq = strstr(line, ") = ");

	snprintf(buf, size, "%.24s", eq ? eq + 4 : "");
	buf[strcspn(buf, " \n")] = 0;
	if (buf[0] != 'E')
		strcpy(buf, "ok");
}

static void set_diff(struct diff *d, const char *what, const char *k, const char *f)
{
	char call[600], ak[32], af[32], *end;

	d->found = true;
	snprintf(d->kernel, sizeof(d->kernel), "%.*s", (int)line_length(k), k);
	snprintf(d->fuss, sizeof(d->fuss), "%.*s", (int)line_length(f), f);
	d->index = (int)strtol(d->kernel, &end, 10);
	if (end == d->kernel)
		d->index = -1;
	snprintf(call, sizeof(call), "%s", d->index < 0 ? d->kernel : end + 1);
	call[strcspn(call, d->index < 0 ? " :" : "(")] = 0;
	answer(ak, sizeof(ak), d->kernel);
	answer(af, sizeof(af), d->fuss);
	snprintf(d->sig, sizeof(d->sig), "%s %.60s %s/%s", what, call, ak, af);
}

/* ") = N TEXT" of "fd link": the text alone decides, unless the file has other names (N of the kernel). */
static bool accepted_link(const char *k, size_t nk, const char *f, size_t nf)
{
	static const char deleted[] = " (deleted)";
	size_t n = sizeof(deleted) - 1;
	const char *ek = strstr(k, ") = "), *ef = strstr(f, ") = ");

	if (!ek || !ef || ek + 5 > k + nk || ef + 5 > f + nf || ef - f != ek - k)
		return false;
	if (nk == nf && !memcmp(ek + 5, ef + 5, nk - (size_t)(ek + 5 - k)))
		return true;
	return nk > n && !memcmp(k + nk - n, deleted, n) &&
	       (ek[4] > '0' || !strncmp(ek + 6, "nameless", 8));
}

static bool accepted(const char *k, size_t nk, const char *f, size_t nf)
{
	const char *call = k + strspn(k, "0123456789 ");

	if (!strncmp(call, "fd link(", 8))
		return accepted_link(k, nk, f, nf);
	if (!strncmp(call, "getdents64(", 11))
		return memchr(k, '?', nk); /* a listing from the kernel's cache */
	/* What lost the name that it was opened by, but has others. */
	return !strncmp(k, "final fstat(", 12) && !memchr(k, '=', nk);
}

/* True when the texts are the same; tells of their first different lines. */
static bool same_text(struct diff *d, const char *what, const char *k, const char *f)
{
	while (*k || *f) {
		size_t nk = line_length(k), nf = line_length(f);

		if (nk == nf && !memcmp(k, f, nk)) {
			k += nk + (k[nk] == '\n');
			f += nf + (f[nf] == '\n');
			continue;
		}
		/* From here on the two are in different states. */
		if (nk > 12 && !memcmp(k + nk - 12, ") = not done", 12))
			return true;
		if (!accepted(k, nk, f, nf)) {
			set_diff(d, what, k, f);
			return false;
		}
		k += nk + (k[nk] == '\n');
		f += nf + (f[nf] == '\n');
	}
	return true;
}

static void dump_layers(struct fuzz_out *o, const char *base, const struct fuzz_plan *p)
{
	char path[64], shown[16];

	for (unsigned int l = 0; l < p->nlowers; l++) {
		snprintf(path, sizeof(path), "%s/l%u", base, l);
		snprintf(shown, sizeof(shown), "l%u", l);
		fuzz_dump(o, NULL, AT_FDCWD, path, shown, FUZZ_DUMP_RAW);
	}
	fuzz_add(o, "\n");
}

static void dump_outside(struct fuzz_out *o)
{
	static const char names[] = "abcdef";
	char path[8], shown[16];

	for (const char *n = names; *n; n++)
		for (int z = 0; z < 2; z++) {
			snprintf(path, sizeof(path), z ? "/z/%c" : "/%c", *n);
			snprintf(shown, sizeof(shown), "outside%s", path);
			if (!access(path, F_OK) || errno != ENOENT)
				fuzz_dump(o, NULL, AT_FDCWD, path, shown, 0);
		}
	fuzz_dump(o, NULL, AT_FDCWD, FUZZ_MNT, "mount point", 0);
}

static void prepare(const struct fuzz_config *c, const struct fuzz_plan *p, const char *base,
		    struct fuzz_out *text, struct fuzz_output *out)
{
	char up[64];

	fuzz_reset_outside();
	fuzz_make_dirs(base, p, c->user ? FUZZ_UID : 0);
	for (unsigned int i = 0; i < p->n[FUZZ_LAYERS]; i++)
		if (!p->skip[FUZZ_LAYERS][i])
			fuzz_layer_step(base, p->seed, i, p->nlowers, p->upper,
					p->links, c->user ? FUZZ_UID : 0, text);
	fuzz_clean_whiteouts(c, p, base);
	if (p->n[FUZZ_PREPARE])
		fuzz_run(c, p, FUZZ_KERNEL, base, FUZZ_PREPARE, out);
	for (unsigned int l = 0; l < p->nlowers; l++) {
		snprintf(up, sizeof(up), "%s/l%u", base, l);
		fuzz_fix_times(up);
	}
	snprintf(up, sizeof(up), "%s/up", base);
	fuzz_fix_times(up);
}

static void compare_status(struct diff *d, const struct fuzz_output *k, const struct fuzz_output *f)
{
	char sk[32], sf[32];

	if (k->status == f->status)
		return;
	snprintf(sk, sizeof(sk), "status %#x", (unsigned int)k->status);
	snprintf(sf, sizeof(sf), f->status == -1 ? "hung" : "status %#x", (unsigned int)f->status);
	d->found = true;
	snprintf(d->kernel, sizeof(d->kernel), "%s", sk);
	snprintf(d->fuss, sizeof(d->fuss), "%s", sf);
	snprintf(d->sig, sizeof(d->sig), "%s/%s", sk, sf);
	d->index = -1;
}

/* What another implementation shows of the layers that fuss leaves. */
static void compare_remount(const struct fuzz_config *c, const struct fuzz_plan *p, struct diff *d,
			    const char *tree)
{
	struct fuzz_output m = { 0 };
	char *own = strdup(tree), *end = strstr(own, "outside\n");

	if (end)
		*end = 0;
	fuzz_reset_outside();
	fuzz_run(c, p, FUZZ_KERNEL, "/l", FUZZ_PHASES, &m);
	if (m.err.n)
		fuzz_add(&d->err, "%s", m.err.p);
	same_text(d, "remount", m.out.p, own);
	fuzz_output_free(&m);
	free(own);
}

static void one_run(const struct fuzz_config *c, const struct fuzz_plan *p, struct diff *d)
{
	struct fuzz_out before[2] = { 0 }, after[2] = { 0 }, outside[2] = { 0 };
	struct fuzz_output k = { 0 }, f = { 0 }, pk = { 0 }, pf = { 0 };
	const char *tree;

	*d = (struct diff){ .index = -1 };
	prepare(c, p, "/k", NULL, &pk);
	prepare(c, p, "/l", NULL, &pf);
	dump_layers(&before[0], "/k", p);
	dump_layers(&before[1], "/l", p);
	if (!same_text(d, "layers", before[0].p, before[1].p))
		goto out;
	if (pk.out.p && !same_text(d, "preparation", pk.out.p, pf.out.p))
		goto out;
	fuzz_reset_outside();
	fuzz_run(c, p, FUZZ_KERNEL, "/k", FUZZ_RUN, &k);
	dump_outside(&outside[0]);
	fuzz_reset_outside();
	fuzz_run(c, p, FUZZ_FUSS, "/l", FUZZ_RUN, &f);
	dump_outside(&outside[1]);
	if (c->verbose)
		printf("%s", f.out.p);
	dump_layers(&after[0], "/k", p);
	dump_layers(&after[1], "/l", p);
	if (f.err.n)
		fuzz_add(&d->err, "%s", f.err.p);
	if (k.err.n)
		fuzz_add(&d->err, "%s", k.err.p);
	if (!same_text(d, "call", k.out.p, f.out.p))
		goto out;
	compare_status(d, &k, &f);
	tree = strstr(f.out.p, "\nD : ");
	if (d->found || !tree ||
	    !same_text(d, "lower layers", before[1].p, after[1].p) ||
	    !same_text(d, "outside", outside[0].p, outside[1].p) || c->fileprefix)
		goto out;
	compare_remount(c, p, d, tree + 1);
out:
	for (int i = 0; i < 2; i++) {
		fuzz_out_free(&before[i]);
		fuzz_out_free(&after[i]);
		fuzz_out_free(&outside[i]);
	}
	fuzz_output_free(&k);
	fuzz_output_free(&f);
	fuzz_output_free(&pk);
	fuzz_output_free(&pf);
}

/* One run; directory renames that only the kernel refuses are left out for good. */
static void run(const struct fuzz_config *c, struct fuzz_plan *p, struct diff *d)
{
	for (;;) {
		one_run(c, p, d);
		if (!d->found || d->index < 0 || (!c->user && !p->links) ||
		    !strstr(d->kernel, " renameat2(") || !strstr(d->kernel, ") = EXDEV"))
			break;
		p->skip[FUZZ_RUN][d->index] = 1;
		fuzz_out_free(&d->err);
	}
}

static void make_plan(const struct fuzz_config *c, uint64_t seed, struct fuzz_plan *p)
{
	struct fuzz_rng r = fuzz_rng_of(seed, FUZZ_PHASES, 0);
	unsigned int kind = fuzz_rnd(&r, 3);

	*p = (struct fuzz_plan){ .seed = seed, .nlowers = 1 + fuzz_rnd(&r, 3) };
	p->upper = kind == 1;
	p->links = fuzz_pct(&r, 50);
	p->n[FUZZ_LAYERS] = 10 + fuzz_rnd(&r, 60);
	p->n[FUZZ_PREPARE] = kind == 2 ? 80 : 0;
	p->n[FUZZ_RUN] = c->nops;
	for (int i = 0; i < FUZZ_PHASES; i++) {
		p->skip[i] = calloc(1, p->n[i] + 1);
		if (!p->skip[i])
			abort();
	}
}

static void free_plan(struct fuzz_plan *p)
{
	for (int i = 0; i < FUZZ_PHASES; i++)
		free(p->skip[i]);
}

/* Leaves the steps [from, to) out; keeps it so when the difference stays. */
static bool try_without(const struct fuzz_config *c, struct fuzz_plan *p, int phase,
			unsigned int from, unsigned int to, const char *sig)
{
	char *saved[FUZZ_PHASES];
	bool some = false, same;
	struct diff d;

	for (unsigned int i = from; i < to; i++)
		some |= !p->skip[phase][i];
	if (!some)
		return false;
	for (int i = 0; i < FUZZ_PHASES; i++) {
		saved[i] = malloc(p->n[i] + 1);
		memcpy(saved[i], p->skip[i], p->n[i] + 1);
	}
	memset(p->skip[phase] + from, 1, to - from);
	run(c, p, &d);
	same = d.found && !strcmp(d.sig, sig);
	fuzz_out_free(&d.err);
	for (int i = 0; i < FUZZ_PHASES; i++) {
		if (!same)
			memcpy(p->skip[i], saved[i], p->n[i] + 1);
		free(saved[i]);
	}
	return same;
}

static void shrink(const struct fuzz_config *c, struct fuzz_plan *p, const struct diff *d)
{
	static const int order[] = { FUZZ_RUN, FUZZ_PREPARE, FUZZ_LAYERS, FUZZ_RUN, FUZZ_LAYERS };

	if (d->index >= 0)
		try_without(c, p, FUZZ_RUN, (unsigned int)d->index + 1, p->n[FUZZ_RUN], d->sig);
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		unsigned int n = p->n[order[i]], chunk = n / 2 ? n / 2 : 1;

		for (; n; chunk = chunk > 4 ? chunk / 2 : chunk - 1) {
			for (unsigned int from = n; from;) {
				unsigned int to = from;

				from = from > chunk ? from - chunk : 0;
				try_without(c, p, order[i], from, to, d->sig);
			}
			if (chunk == 1)
				break;
		}
	}
}

static void report(const struct fuzz_config *c, struct fuzz_plan *p)
{
	struct fuzz_config all = *c;
	struct fuzz_out text = { 0 };
	struct fuzz_output out = { 0 };
	struct diff d;

	prepare(c, p, "/l", &text, &out);
	printf("--- %u lower layers, of:\n%s", p->nlowers, text.p ? text.p : "");
	if (out.out.n)
		printf("--- the kernel mount before:\n%.*s",
		       (int)(strstr(out.out.p, "final ") ? strstr(out.out.p, "final ") - out.out.p :
			     (long)out.out.n), out.out.p);
	printf("--- calls of fuss:\n");
	fflush(stdout);
	all.verbose = true;
	all.trace = c->trace;
	run(&all, p, &d);
	printf("--- %s\nkernel: %s\nfuss:   %s\n", d.sig, d.kernel, d.fuss);
	if (d.err.n)
		printf("--- messages:\n%s", d.err.p);
	fuzz_out_free(&d.err);
	fuzz_out_free(&text);
	fuzz_output_free(&out);
}

static char seen[256][256];
static unsigned int nseen;

static bool is_new(const char *sig)
{
	for (unsigned int i = 0; i < nseen; i++)
		if (!strcmp(seen[i], sig))
			return false;
	if (nseen < 256)
		snprintf(seen[nseen++], sizeof(seen[0]), "%s", sig);
	return true;
}

static bool one_seed(const struct fuzz_config *c, uint64_t seed)
{
	struct fuzz_plan p;
	struct diff d;

	make_plan(c, seed, &p);
	run(c, &p, &d);
	if (d.found) {
		printf("seed %llu: %s\n  kernel: %s\n  fuss:   %s\n", (unsigned long long)seed, d.sig,
		       d.kernel, d.fuss);
		if (d.err.n)
			printf("  messages: %.300s\n", d.err.p);
		if (c->shrink && is_new(d.sig)) {
			shrink(c, &p, &d);
			report(c, &p);
		}
		fflush(stdout);
	}
	fuzz_out_free(&d.err);
	free_plan(&p);
	return d.found;
}

/* The program inside the mount: --exec SEED PHASE NOPS, or the tree only. */
static int inside(int argc, char **argv, bool strict)
{
	unsigned int nops;
	char *skip;
	int phase, fd;

	if (argc != 5)
		return 2;
	phase = atoi(argv[3]);
	nops = (unsigned int)strtoul(argv[4], NULL, 10);
	skip = calloc(1, nops + 1);
	fd = open("/skip", O_RDONLY | O_CLOEXEC);
	if (!skip || fd < 0 || read(fd, skip, nops) < 0)
		return 2;
	close(fd);
	return fuzz_execute(strtoull(argv[2], NULL, 10), (enum fuzz_phase)phase, nops, skip, strict);
}

static const struct option options[] = {
	{ "user", no_argument, NULL, 'u' },
	{ "fileprefix", no_argument, NULL, 'p' },
	{ "strict", no_argument, NULL, 's' },
	{ "redirects", no_argument, NULL, 'r' },
	{ "ops", required_argument, NULL, 'n' },
	{ "fuss", required_argument, NULL, 'f' },
	{ "timeout", required_argument, NULL, 't' },
	{ "no-shrink", no_argument, NULL, 'k' },
	{ "show", no_argument, NULL, 'v' },
	{ "trace", no_argument, NULL, 'l' },
	{ NULL, 0, NULL, 0 },
};

static int parse(int argc, char **argv, struct fuzz_config *c)
{
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'u':
			c->user = true;
			break;
		case 'p':
			c->fileprefix = true;
			break;
		case 's':
			c->strict = true;
			break;
		case 'r':
			c->redirects = true;
			break;
		case 'n':
			c->nops = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			c->fuss = optarg;
			break;
		case 't':
			c->timeout = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			c->shrink = false;
			break;
		case 'v':
			c->verbose = true;
			break;
		case 'l':
			c->trace = true;
			break;
		default:
			return -EINVAL;
		}
	}
	return optind < argc && c->fuss && c->nops ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct fuzz_config c = { .fuss = getenv("FUSS"), .shrink = true, .nops = 200, .timeout = 20 };
	unsigned long long seed, count, failed = 0;
	struct timespec t0, t1;

	if (argc > 1 && !strncmp(argv[1], "--exec", 6))
		return inside(argc, argv, !strcmp(argv[1], "--exec-strict"));
	if (parse(argc, argv, &c)) {
		fprintf(stderr, "usage: fuzz [options] --fuss=PATH SEED [COUNT]\n");
		return 2;
	}
	seed = strtoull(argv[optind], NULL, 10);
	count = argv[optind + 1] ? strtoull(argv[optind + 1], NULL, 10) : 1;
	fuzz_enter_root(&c);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (unsigned long long i = 0; i < count; i++)
		failed += one_seed(&c, seed + i);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("%llu seeds, %llu with a difference, %lld s\n", count, failed,
	       (long long)(t1.tv_sec - t0.tv_sec));
	return failed ? 1 : 0;
}
