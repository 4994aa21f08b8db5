/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/msdos_fs.h>

#include "arch/abi.h"

#define A1(a) .role = { R_##a }
#define A2(a, b) .role = { R_##a, R_##b }
#define A3(a, b, c) .role = { R_##a, R_##b, R_##c }
#define A4(a, b, c, d) .role = { R_##a, R_##b, R_##c, R_##d }
#define A5(a, b, c, d, e) .role = { R_##a, R_##b, R_##c, R_##d, R_##e }
#define A6(a, b, c, d, e, f) .role = { R_##a, R_##b, R_##c, R_##d, R_##e, R_##f }
#define N0 .role = { R_NONE }
#define N1 A1(INT)
#define N2 A2(INT, INT)
#define N3 A3(INT, INT, INT)
#define N4 A4(INT, INT, INT, INT)
#define N5 A5(INT, INT, INT, INT, INT)
#define N6 A6(INT, INT, INT, INT, INT, INT)
#define SYS(n, c, ...) [SYS_ID_##n] = { .name = #n, .class = SYS_##c, __VA_ARGS__ },

const struct sys_row sys_table[SYS_NID] = {
	[SYS_ID_unknown] = { .name = "unknown", .class = SYS_DENY, .deny = ENOSYS,
			     .note = "not known to this version" },
#include "sys/table.def"
};

#undef SYS

const uint32_t sys_fcntl_cmd[] = { F_GETFL, 0 };

/*
 * What changes a file through a descriptor that need not be open for writing.  (FICLONE,
 * EXT4_IOC_MOVE_EXT and the like want one that is, so the file is in the upper layer already.)
 */
const uint32_t sys_ioctl_cmd[] = {
	FS_IOC_SETFLAGS,
	FS_IOC32_SETFLAGS,
	FS_IOC_SETVERSION,
	FS_IOC32_SETVERSION,
	_IOW('f', 4, long), /* ext4's first number for FS_IOC_SETVERSION */
	_IOW('f', 4, int),
	FS_IOC_FSSETXATTR,
	FS_IOC_SETFSLABEL,
	FAT_IOCTL_SET_ATTRIBUTES,
	FS_IOC_ENABLE_VERITY,
	FS_IOC_SET_ENCRYPTION_POLICY,
	FS_IOC_ADD_ENCRYPTION_KEY,
	FS_IOC_REMOVE_ENCRYPTION_KEY,
	FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS,
	BTRFS_IOC_SUBVOL_CREATE,
	BTRFS_IOC_SUBVOL_CREATE_V2,
	BTRFS_IOC_SUBVOL_SETFLAGS,
	BTRFS_IOC_SNAP_CREATE,
	BTRFS_IOC_SNAP_CREATE_V2,
	BTRFS_IOC_SNAP_DESTROY,
#ifdef BTRFS_IOC_SNAP_DESTROY_V2
	BTRFS_IOC_SNAP_DESTROY_V2,
#endif
	BTRFS_IOC_SET_RECEIVED_SUBVOL,
	0
};

int sys_arg(const struct sys_row *row, enum sys_role role)
{
	for (int i = 0; i < SYS_MAXARGS; i++)
		if (row->role[i] == (uint8_t)role)
			return i;
	return -1;
}

/* The numbers of each ABI, both ways.  The inverse holds number + 1: 0 says that the ABI lacks
 * the call. */
#define NR(name, nr) [nr] = SYS_ID_##name,
static const uint16_t x86_64_id[] = {
#include "arch/x86_64/nr.def"
};
#undef NR

#define NR(name, nr) [SYS_ID_##name] = (nr) + 1,
static const uint16_t x86_64_nr[SYS_NID] = {
#include "arch/x86_64/nr.def"
};
#undef NR

static const struct {
	const uint16_t *id;
	unsigned nid;
	const uint16_t *nr;
} numbers[ABI_N] = {
	[ABI_X86_64] = { x86_64_id, sizeof(x86_64_id) / sizeof(x86_64_id[0]), x86_64_nr },
};

unsigned sys_by_nr(const struct abi *abi, uint64_t nr)
{
	return nr < numbers[abi->index].nid ? numbers[abi->index].id[nr] : SYS_ID_unknown;
}

int sys_nr(const struct abi *abi, unsigned id)
{
	return id < SYS_NID ? numbers[abi->index].nr[id] - 1 : -1;
}
