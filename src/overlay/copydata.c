/* SPDX-License-Identifier: MIT */
/* Data of a regular file: shared where the file system can, holes kept, progress shown. */
#include "config.h"

#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "overlay/ovl.h"

#define CHUNK (16 << 20)
#define BUFFER (256 << 10)

struct copy {
	int in, out;
	off_t size;
	const char *what; /* for the progress line */
	bool by_hand;	  /* copy_file_range() does not work between these two */
	int tty;	  /* -1: nobody looks */
	struct timespec last;
	bool shown;
	char *buf;
};

static int progress_tty(void)
{
	int fd = log_fd();

	if (fd < 0)
		fd = STDERR_FILENO;
	return isatty(fd) ? fd : -1;
}

static void progress(struct copy *c, off_t done)
{
	char line[160];
	struct timespec now;

	if (c->tty < 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - c->last.tv_sec + (now.tv_nsec - c->last.tv_nsec) / 1e9 < 1)
		return;
	c->last = now;
	c->shown = true;
	int n = snprintf(line, sizeof(line), "\r\033[Kfuss: copying %.80s: %lld of %lld MB",
			 c->what, (long long)done >> 20, (long long)c->size >> 20);
	if (write(c->tty, line, (size_t)n) < 0)
		c->tty = -1;
}

static void progress_end(struct copy *c)
{
	static const char erase[] = "\r\033[K";

	if (c->shown && c->tty >= 0 && write(c->tty, erase, sizeof(erase) - 1) < 0)
		c->tty = -1;
}

static int write_all(int fd, const char *p, size_t n, off_t off)
{
	while (n) {
		ssize_t w = x_ret(pwrite(fd, p, n, off));

		if (w == -EINTR)
			continue;
		if (w < 0)
			return (int)w;
		p += w;
		off += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Returns bytes copied, 0 at the end of the file. */
static ssize_t copy_by_hand(struct copy *c, off_t off, size_t n)
{
	if (!c->buf) {
		c->buf = malloc(BUFFER);
		if (!c->buf)
			return -ENOMEM;
	}
	ssize_t got;
	do {
		got = x_ret(pread(c->in, c->buf, n < BUFFER ? n : BUFFER, off));
	} while (got == -EINTR);
	if (got <= 0)
		return got;
	int r = write_all(c->out, c->buf, (size_t)got, off);
	return r < 0 ? r : got;
}

static ssize_t copy_some(struct copy *c, off_t off, size_t n)
{
	if (!c->by_hand) {
		off_t in = off, out = off;
		size_t len = n < CHUNK ? n : CHUNK;
		ssize_t got = x_ret(copy_file_range(c->in, &in, c->out, &out, len, 0));

		if (got > 0)
			return got;
		if (got == -ENOSPC || got == -EDQUOT || got == -EIO || got == -EFBIG)
			return got;
		if (got == -EINTR)
			return copy_some(c, off, n);
		/* Not between these file systems, before 4.5, or 0 for a file that has data. */
		c->by_hand = true;
	}
	return copy_by_hand(c, off, n);
}

static int copy_extent(struct copy *c, off_t off, off_t end)
{
	while (off < end) {
		ssize_t n = copy_some(c, off, (size_t)(end - off));

		if (n < 0)
			return (int)n;
		if (n == 0)
			return 0; /* it shrank under us */
		off += n;
		progress(c, off);
	}
	return 0;
}

static int copy_extents(struct copy *c)
{
	off_t off = 0;

	while (off < c->size) {
		off_t data = (off_t)x_ret(lseek(c->in, off, SEEK_DATA));

		if (data == -ENXIO)
			break; /* a hole up to the end */
		if (data < 0)
			return copy_extent(c, off, c->size); /* knows no holes */
		off_t hole = (off_t)x_ret(lseek(c->in, data, SEEK_HOLE));
		if (hole <= data || hole > c->size)
			hole = c->size;
		int r = copy_extent(c, data, hole);
		if (r < 0)
			return r;
		off = hole;
	}
	return 0;
}

int copy_data(int in, int out, off_t size, const char *what)
{
	struct copy c = { .in = in, .out = out, .size = size, .what = what, .tty = progress_tty() };

	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &c.last);
	int r = copy_extents(&c);
	if (r == 0)
		r = (int)x_ret(ftruncate(out, size));
	progress_end(&c);
	free(c.buf);
	return r;
}
