/* SPDX-License-Identifier: MIT */
/* fuss: parse, build the file system, run the engine, exit status. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "call/call.h"
#include "cli/options.h"
#include "engine/engine.h"
#include "overlay/overlay.h"
#include "path/path.h"
#include "vfs/passthrough.h"

extern char **environ;

/* Everything that lives as long as the command runs. */
struct session {
	struct config cfg;
	struct vfs *fs;
	struct path_space *space;
	struct calls calls;
	struct engine *engine;
	char cwd[PATH_MAX]; /* the real directory that the command starts in; "": where we are */
};

static void session_fini(struct session *s)
{
	engine_free(s->engine);
	calls_fini(&s->calls);
	path_space_free(s->space);
	if (s->fs && s->fs->ops->destroy)
		s->fs->ops->destroy(s->fs);
	config_fini(&s->cfg);
}

static int session_fs(struct session *s, char *why, size_t size)
{
	struct overlay_config oc;
	int r;

	if (s->cfg.fs == FS_PASSTHROUGH) {
		r = passthrough_new(s->cfg.upper, &s->fs);
		if (r < 0)
			snprintf(why, size, "cannot show %s: %s", s->cfg.upper, strerror(-r));
		return r;
	}
	oc = config_overlay(&s->cfg);
	return overlay_new(&oc, &s->fs, why, size);
}

/* The layers as path_space_new() wants them: upper, lowers, NULL.  The array is the caller's to free. */
static const char **session_layers(const struct config *cfg)
{
	const char **list = calloc(cfg->nlower + 2, sizeof(*list));
	unsigned n = 0;

	if (!list)
		return NULL;
	if (cfg->upper)
		list[n++] = cfg->upper;
	for (unsigned i = 0; i < cfg->nlower; i++)
		list[n++] = cfg->lower[i];
	return list;
}

/* A working directory at or below the mount point means the merged directory, not what it hides. */
static int session_cwd(struct session *s, char *why, size_t size)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	_cleanup_free_ struct path_result *res = malloc(sizeof(*res));
	struct cred cred = { .caps = ~UINT64_C(0) };
	struct path_query q = { .path = cwd, .flags = PATH_FOLLOW, .cred = &cred, .tid = getpid(),
				.tgid = getpid() };
	int r;

	if (!cwd || !res)
		return 0; /* a directory without a path is nobody's: stay there */
	r = path_lookup(s->space, &q, res);
	if (r < 0 || !res->inside)
		return 0;
	if (!res->vn || !S_ISDIR(res->vn->type)) {
		snprintf(why, size, "the working directory %s does not exist in the layers: change to one that does",
			 cwd);
		return -ENOENT;
	}
	return s->fs->ops->realpath(res->vn, s->cwd, sizeof(s->cwd));
}

static int session_start(struct session *s, char *why, size_t size)
{
	_cleanup_free_ const char **layers = session_layers(&s->cfg);
	struct path_hooks hooks = { .magic = task_magic, .arg = &s->calls.tasks };
	struct engine_options opt = { .want_all_exits = log_on(LOG_INTERCEPT) };
	struct engine_cb cb;
	struct stat st;
	int r;

	if (!layers)
		return -ENOMEM;
	if (x_fstatat(AT_FDCWD, s->cfg.mountpoint, &st, 0) == 0 && !S_ISDIR(st.st_mode)) {
		snprintf(why, size, "the mount point %s is not a directory: give one, or a path that does not exist",
			 s->cfg.mountpoint);
		return -ENOTDIR;
	}
	r = session_fs(s, why, size);
	if (r < 0)
		return r;
	s->fs->mountpoint = s->cfg.mountpoint;
	r = path_space_new(s->fs, s->cfg.mountpoint, layers, &hooks, &s->space);
	if (r < 0) {
		snprintf(why, size, "cannot use mount point %s: %s", s->cfg.mountpoint, strerror(-r));
		return r;
	}
	r = calls_init(&s->calls, s->fs, s->space, s->cfg.mountpoint);
	if (r < 0)
		return r;
	r = session_cwd(s, why, size);
	if (r < 0)
		return r;
	cb = calls_callbacks(&s->calls);
	return engine_new(&cb, &opt, &s->engine, why, size);
}

/* Runs in the new process. */
static int enter_cwd(void *arg)
{
	struct session *s = arg;

	if (!s->cwd[0])
		return 0;
	return (int)x_ret(chdir(s->cwd));
}

static int session_run(struct session *s)
{
	int status = 0, exec_errno = 0;
	int r = engine_run(s->engine, s->cfg.argv, environ, enter_cwd, s, &status, &exec_errno);

	if (r < 0) {
		msg("cannot run %s: %s", s->cfg.argv[0], strerror(-r));
		return EXIT_FUSS;
	}
	if (exec_errno) {
		msg("%s: %s", s->cfg.argv[0], strerror(exec_errno));
		return exec_errno == ENOENT ? EXIT_NOCMD : EXIT_NOEXEC;
	}
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct session s = { .fs = NULL };
	char why[PATH_MAX + 256] = "";
	int r, status = EXIT_FUSS;

	r = log_init();
	if (r == -EINVAL) {
		fprintf(stderr, "fuss: FUSS_LOG_LEVEL is not one of intercept, debug\n");
		return EXIT_FUSS;
	}
	r = options_parse(argc, argv, &s.cfg, why, sizeof(why));
	if (r == 0 && s.cfg.action == ACTION_HELP) {
		options_help(stdout);
		status = 0;
	} else if (r == 0 && s.cfg.action == ACTION_VERSION) {
		options_version(stdout);
		status = 0;
	} else {
		if (r == 0)
			r = session_start(&s, why, sizeof(why));
		if (r < 0)
			msg("%s", why[0] ? why : strerror(-r));
		else
			status = session_run(&s);
	}
	session_fini(&s);
	return status;
}
