/* SPDX-License-Identifier: MIT */
/* Layouts of arch/x86/include/uapi/asm/stat.h and asm-generic/statfs.h, with the kernel's own
 * widths. */
#include "config.h"

#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/x86_64/x86_64.h"

struct stat_x86_64 {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad0;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	int64_t unused[3];
};
_Static_assert(sizeof(struct stat_x86_64) == 144, "struct stat");
_Static_assert(offsetof(struct stat_x86_64, rdev) == 40, "struct stat");
_Static_assert(offsetof(struct stat_x86_64, atime) == 72, "struct stat");
_Static_assert(sizeof(struct stat_x86_64) <= ABI_STRUCT_MAX, "ABI_STRUCT_MAX");

struct statfs_x86_64 {
	int64_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	int32_t fsid[2];
	int64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct statfs_x86_64) == 120, "struct statfs");
_Static_assert(offsetof(struct statfs_x86_64, fsid) == 56, "struct statfs");

/* new_encode_dev() of include/linux/kdev_t.h. */
static uint32_t encode_dev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

static int put_stat(const struct statx *stx, void *buf)
{
	struct stat_x86_64 st = {
		.dev = encode_dev(stx->stx_dev_major, stx->stx_dev_minor),
		.ino = stx->stx_ino,
		.nlink = stx->stx_nlink,
		.mode = stx->stx_mode,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.rdev = encode_dev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.size = (int64_t)stx->stx_size,
		.blksize = stx->stx_blksize,
		.blocks = (int64_t)stx->stx_blocks,
		.atime = (uint64_t)stx->stx_atime.tv_sec,
		.atime_nsec = stx->stx_atime.tv_nsec,
		.mtime = (uint64_t)stx->stx_mtime.tv_sec,
		.mtime_nsec = stx->stx_mtime.tv_nsec,
		.ctime = (uint64_t)stx->stx_ctime.tv_sec,
		.ctime_nsec = stx->stx_ctime.tv_nsec,
	};

	if (st.size < 0)
		return -EOVERFLOW;
	memcpy(buf, &st, sizeof(st));
	return sizeof(st);
}

static int put_statfs(const struct statfs *s, void *buf)
{
	struct statfs_x86_64 st = {
		.type = s->f_type,
		.bsize = s->f_bsize,
		.blocks = s->f_blocks,
		.bfree = s->f_bfree,
		.bavail = s->f_bavail,
		.files = s->f_files,
		.ffree = s->f_ffree,
		.namelen = s->f_namelen,
		.frsize = s->f_frsize,
		.flags = s->f_flags,
	};

	_Static_assert(sizeof(st.fsid) == sizeof(s->f_fsid), "fsid_t");
	memcpy(st.fsid, &s->f_fsid, sizeof(st.fsid));
	memcpy(buf, &st, sizeof(st));
	return sizeof(st);
}

const struct abi abi_x86_64 = {
	.name = "x86_64",
	.audit_arch = AUDIT_ARCH_X86_64,
	.word = 8,
	.index = ABI_X86_64,
	.put_stat = put_stat,
	.put_statfs = put_statfs,
};
