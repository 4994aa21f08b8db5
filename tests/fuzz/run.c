/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

static void die(const char *what)
{
	perror(what);
	_exit(2);
}

static void copy_program(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n;

	if (in < 0 || out < 0)
		die(from);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			die(to);
	close(in);
	close(out);
}

static void bind(const char *root, const char *dir)
{
	char path[256], target[256];
	ssize_t n = readlink(dir, target, sizeof(target) - 1);

	snprintf(path, sizeof(path), "%s%s", root, dir);
	if (n > 0) {
		target[n] = 0;
		if (symlink(target, path))
			die(path);
		return;
	}
	if (access(dir, F_OK))
		return;
	if (mkdir(path, 0755) || mount(dir, path, NULL, MS_BIND | MS_REC, NULL))
		die(path);
}

static const char *const root_names[] = {
	"usr", "lib", "lib64", "lib32", "bin", "proc", "dev", "z", "k", "l", "fuss", "fuzz", "skip",
	"old", NULL
};

void fuzz_enter_root(const struct fuzz_config *c)
{
	static const char root[] = "/tmp/fuss-fuzz-root";
	static const char *const dirs[] = {
		"/usr", "/lib", "/lib64", "/lib32", "/bin", "/proc", "/dev"
	};

	umask(022);
	mkdir(root, 0755);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("a mount namespace");
	if (mount("fuzz", root, "tmpfs", MS_NOATIME, "mode=755,inode64"))
		die("a tmpfs");
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		bind(root, dirs[i]);
	copy_program("/proc/self/exe", "/tmp/fuss-fuzz-root/fuzz");
	copy_program(c->fuss, "/tmp/fuss-fuzz-root/fuss");
	if (mkdir("/tmp/fuss-fuzz-root/old", 0755) ||
	    syscall(SYS_pivot_root, root, "/tmp/fuss-fuzz-root/old") || chdir("/") ||
	    umount2("/old", MNT_DETACH))
		die("pivot_root");
	rmdir("/old");
}

void fuzz_reset_outside(void)
{
	static const char *const z_names[] = { "mnt", NULL };

	fuzz_remove_others("/", root_names);
	mkdir("/z", 0755);
	fuzz_remove_others("/z", z_names);
	mkdir(FUZZ_MNT, 0755);
	fuzz_fix_times("/z");
}

static void make_dir(const char *base, const char *name, uid_t uid)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	if (mkdir(path, 0755) || chown(path, uid, uid))
		die(path);
}

void fuzz_make_dirs(const char *base, const struct fuzz_plan *p, uid_t uid)
{
	char name[16];

	fuzz_remove(AT_FDCWD, base);
	if (mkdir(base, 0755) || chown(base, uid, uid))
		die(base);
	for (unsigned int l = 0; l < p->nlowers; l++) {
		snprintf(name, sizeof(name), "l%u", l);
		make_dir(base, name, uid);
	}
	make_dir(base, "up", uid);
	make_dir(base, "work", uid);
}

static void lower_option(char *buf, size_t size, const char *base, unsigned int nlowers)
{
	size_t n = 0;

	for (unsigned int l = 0; l < nlowers; l++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s/l%u", l ? ":" : "", base, l);
}

static void mount_kernel(const struct fuzz_config *c, const struct fuzz_plan *p, const char *base,
			 bool redirects)
{
	char lower[256], opts[1024];

	lower_option(lower, sizeof(lower), base, p->nlowers);
	snprintf(opts, sizeof(opts), "lowerdir=%s,upperdir=%s/up,workdir=%s/work,%s%s", lower, base,
		 base, c->user ? "userxattr" : "index=off,metacopy=off,xino=on",
		 c->user ? "" : redirects ? ",redirect_dir=on" : ",redirect_dir=off");
	for (int i = 0; mount("overlay", FUZZ_MNT, "overlay", MS_NOATIME, opts); i++) {
		if (errno != EBUSY || i == 200)
			die(opts);
		usleep(1000);
	}
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/* A user namespace with one user, the same for the kernel and for fuss. */
static void become_user(void)
{
	char map[64];

	if (setgroups(0, NULL) || setresgid(FUZZ_UID, FUZZ_UID, FUZZ_UID) ||
	    setresuid(FUZZ_UID, FUZZ_UID, FUZZ_UID) || prctl(PR_SET_DUMPABLE, 1) ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNS))
		die("a user namespace");
	snprintf(map, sizeof(map), "%d %d 1", FUZZ_UID, FUZZ_UID);
	put("/proc/self/setgroups", "deny");
	put("/proc/self/uid_map", map);
	put("/proc/self/gid_map", map);
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	if (syscall(SYS_capset, &h, d))
		die("capset");
}

static void show_tree(void)
{
	struct fuzz_out o = { 0 };

	fuzz_dump(&o, NULL, AT_FDCWD, FUZZ_MNT, "", 0);
	if (write(STDOUT_FILENO, o.p, o.n) != (ssize_t)o.n)
		_exit(99);
}

static int execute(const struct fuzz_config *c, const struct fuzz_plan *p, enum fuzz_phase phase)
{
	if (phase == FUZZ_PHASES) {
		show_tree();
		return 0;
	}
	return fuzz_execute(p->seed, phase, p->n[phase], p->skip[phase], c->strict);
}

static void run_fuss(const struct fuzz_config *c, const struct fuzz_plan *p, const char *base,
		     enum fuzz_phase phase)
{
	char lower[256], lowers[300], upper[300], seed[32], ph[8], nops[16];

	lower_option(lower, sizeof(lower), base, p->nlowers);
	snprintf(lowers, sizeof(lowers), "--lowerdir=%s", lower);
	snprintf(upper, sizeof(upper), "--upperdir=%s/up", base);
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)p->seed);
	snprintf(ph, sizeof(ph), "%d", phase);
	snprintf(nops, sizeof(nops), "%u", p->n[phase]);
	if (c->user) {
		become_user();
		drop_capabilities();
	}
	if (c->trace)
		setenv("FUSS_LOG_LEVEL", "intercept", 1);
	execl("/fuss", "fuss", "--mountpoint=" FUZZ_MNT, lowers, upper,
	      c->fileprefix ? "--whiteout=fileprefix" : "--whiteout=chardev", "--", "/fuzz",
	      c->strict ? "--exec-strict" : "--exec", seed, ph, nops, NULL);
	die("/fuss");
}

static void run_mounted(const struct fuzz_config *c, const struct fuzz_plan *p, const char *base,
			enum fuzz_phase phase)
{
	int status, r;
	pid_t pid;

	if (c->user)
		become_user();
	else if (unshare(CLONE_NEWNS))
		die("unshare");
	mount_kernel(c, p, base, phase == FUZZ_RUN ? !p->links : c->redirects);
	pid = fork();
	if (!pid) {
		if (c->user)
			drop_capabilities();
		r = execute(c, p, phase);
		_exit(r);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("wait");
	if (umount(FUZZ_MNT))
		umount2(FUZZ_MNT, MNT_DETACH);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 96);
}

static void take(int fd, struct fuzz_out *o)
{
	off_t size = lseek(fd, 0, SEEK_END);

	o->p = malloc((size_t)size + 1);
	if (!o->p || pread(fd, o->p, (size_t)size, 0) != size)
		die("output");
	o->n = (size_t)size;
	o->p[size] = 0;
	close(fd);
}

/* Waits; kills the group when it takes too long. */
static int wait_for(pid_t pid, unsigned int seconds)
{
	int status, pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = { pidfd, POLLIN, 0 };
	bool hung = poll(&pfd, 1, (int)seconds * 1000) == 0;

	if (hung)
		kill(-pid, SIGKILL);
	close(pidfd);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	kill(-pid, SIGKILL);
	return hung ? -1 : status;
}

void fuzz_run(const struct fuzz_config *c, const struct fuzz_plan *p, enum fuzz_where where,
	      const char *base, enum fuzz_phase phase, struct fuzz_output *ret)
{
	const struct timespec old[2] = { { 1000000000, 1 }, { 1000000000, 2 } };
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), fd;
	pid_t pid;

	if (phase < FUZZ_PHASES) {
		fd = open("/skip", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, p->skip[phase], p->n[phase]) != (ssize_t)p->n[phase])
			die("/skip");
		close(fd);
	}
	utimensat(AT_FDCWD, "/", old, 0);
	utimensat(AT_FDCWD, "/z", old, 0);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		if (dup2(out, 1) < 0 || dup2(err, 2) < 0)
			die("dup2");
		if (where == FUZZ_FUSS)
			run_fuss(c, p, base, phase);
		else
			run_mounted(c, p, base, phase);
	}
	setpgid(pid, pid);
	ret->status = wait_for(pid, c->timeout);
	take(out, &ret->out);
	take(err, &ret->err);
}

void fuzz_clean_whiteouts(const struct fuzz_config *c, const struct fuzz_plan *p, const char *base)
{
	pid_t pid = fork();
	int n = 1;

	if (!pid) {
		if (unshare(CLONE_NEWNS))
			die("unshare");
		for (int i = 0; n && i < 10; i++) {
			mount_kernel(c, p, base, true);
			n = fuzz_bad_whiteouts(FUZZ_MNT, base, p->nlowers);
			if (umount(FUZZ_MNT))
				umount2(FUZZ_MNT, MNT_DETACH);
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

void fuzz_output_free(struct fuzz_output *o)
{
	fuzz_out_free(&o->out);
	fuzz_out_free(&o->err);
}
