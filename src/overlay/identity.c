/* SPDX-License-Identifier: MIT */
/*
 * st_dev and st_ino of the view.
 *
 * One st_dev for everything.  st_ino is the real number where all layers are on one file system, as
 * with the kernel; numbers of a second, third … file system carry its index in the upper bits (the
 * kernel's xino).  A copied-up object keeps the number that it had below: kept in memory by its
 * upper inode, and by its time of birth, because inode numbers are used again.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "overlay/ovl.h"

#define FS_SHIFT 48
#define DEV_FIRST 0x7f000u
#define DEV_LAST 0x7ffffu

struct origin {
	dev_t dev;
	ino_t ino;
	int64_t btime; /* nanoseconds, 0: not known */
	uint64_t shown; /* 0: free slot */
};

struct identity {
	dev_t shown_dev;
	dev_t *fs;
	unsigned nfs;
	struct origin *slot;
	size_t nslot, used;
};

/* An anonymous device number that no mount has now. */
static dev_t unused_dev(void)
{
	unsigned minor_no = DEV_FIRST;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		unsigned maj, min;

		if (sscanf(line, "%*d %*d %u:%u", &maj, &min) == 2 && maj == 0 && min >= minor_no &&
		    min < DEV_LAST)
			minor_no = min + 1;
	}
	free(line);
	if (f)
		fclose(f);
	return makedev(0, minor_no);
}

int identity_new(dev_t first, struct identity **ret)
{
	_cleanup_free_ struct identity *id = calloc(1, sizeof(*id));

	if (!id)
		return -ENOMEM;
	id->shown_dev = unused_dev();
	id->fs = malloc(sizeof(*id->fs));
	id->nslot = 64;
	id->slot = calloc(id->nslot, sizeof(*id->slot));
	if (!id->fs || !id->slot) {
		free(id->fs);
		free(id->slot);
		return -ENOMEM;
	}
	id->fs[id->nfs++] = first;
	*ret = steal_ptr(&id);
	return 0;
}

void identity_free(struct identity *id)
{
	if (!id)
		return;
	free(id->fs);
	free(id->slot);
	free(id);
}

dev_t identity_dev(const struct identity *id)
{
	return id->shown_dev;
}

static unsigned fs_index(struct identity *id, dev_t dev)
{
	for (unsigned i = 0; i < id->nfs; i++) {
		if (id->fs[i] == dev)
			return i;
	}
	dev_t *more = realloc(id->fs, (id->nfs + 1) * sizeof(*more));
	if (!more)
		return id->nfs; /* a number for this once; no worse than ENOMEM for a stat */
	id->fs = more;
	id->fs[id->nfs] = dev;
	return id->nfs++;
}

uint64_t identity_ino(struct identity *id, dev_t dev, ino_t ino)
{
	unsigned i = fs_index(id, dev);

	if (i == 0)
		return ino;
	if (ino >> FS_SHIFT == 0 && i < 0x8000)
		return (uint64_t)i << FS_SHIFT | ino;
	/* Too large for its bits: spread over the upper half. */
	return hash_u64(ino ^ hash_u64(i)) | UINT64_C(1) << 63;
}

static size_t origin_slot(const struct identity *id, dev_t dev, ino_t ino)
{
	size_t i = hash_u64(ino ^ hash_u64(dev)) & (id->nslot - 1);

	while (id->slot[i].shown && (id->slot[i].ino != ino || id->slot[i].dev != dev))
		i = (i + 1) & (id->nslot - 1);
	return i;
}

static int origin_grow(struct identity *id)
{
	struct origin *old = id->slot;
	size_t nold = id->nslot;
	struct origin *fresh = calloc(nold * 2, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	id->slot = fresh;
	id->nslot = nold * 2;
	for (size_t i = 0; i < nold; i++) {
		if (old[i].shown)
			fresh[origin_slot(id, old[i].dev, old[i].ino)] = old[i];
	}
	free(old);
	return 0;
}

static int64_t btime_of(const struct statx *st)
{
	if (!(st->stx_mask & STATX_BTIME))
		return 0;
	return (int64_t)st->stx_btime.tv_sec * 1000000000 + st->stx_btime.tv_nsec;
}

int identity_add(struct identity *id, const struct statx *upper, uint64_t ino)
{
	if ((id->used + 1) * 4 > id->nslot * 3) {
		int r = origin_grow(id);

		if (r < 0)
			return r;
	}
	struct origin *o = &id->slot[origin_slot(id, statx_dev(upper), upper->stx_ino)];
	id->used += !o->shown;
	*o = (struct origin){ .dev = statx_dev(upper), .ino = upper->stx_ino,
			      .btime = btime_of(upper), .shown = ino };
	return 0;
}

bool identity_known(struct identity *id, dev_t dev, ino_t ino)
{
	return id->slot[origin_slot(id, dev, ino)].shown != 0;
}

uint64_t identity_find(struct identity *id, const struct statx *real)
{
	const struct origin *o = &id->slot[origin_slot(id, statx_dev(real), real->stx_ino)];
	int64_t born = btime_of(real);

	if (o->shown && (!born || !o->btime || born == o->btime))
		return o->shown;
	return identity_ino(id, statx_dev(real), real->stx_ino);
}
