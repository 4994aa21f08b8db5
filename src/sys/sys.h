/* SPDX-License-Identifier: MIT */
/*
 * The one table of system calls: every call of every ABI that fuss knows, its class and the role of
 * each argument.  The seccomp filter, the dispatcher, the log and the documentation derive from it.
 */
#ifndef FUSS_SYS_SYS_H
#define FUSS_SYS_SYS_H

#include <stdbool.h>
#include <stdint.h>

/* What is done with a call.  One handler a class (call/). */
enum sys_class {
	SYS_PASS,     /* nothing to do with paths: never stops */
	SYS_DENY,     /* refused: row->deny is the errno, row->note the reason */
	SYS_OPEN,     /* open openat openat2 creat */
	SYS_STAT,     /* stat lstat fstat newfstatat statx */
	SYS_ACCESS,   /* access faccessat faccessat2 */
	SYS_READLINK, /* readlink readlinkat */
	SYS_GETDENTS, /* getdents getdents64 */
	SYS_MKNOD,    /* mkdir mkdirat mknod mknodat (row->form tells) */
	SYS_SYMLINK,
	SYS_LINK,
	SYS_UNLINK, /* unlink rmdir unlinkat */
	SYS_RENAME,
	SYS_CHMOD,
	SYS_CHOWN,
	SYS_UTIME,
	SYS_TRUNCATE, /* truncate; ftruncate is SYS_PASS: the descriptor was opened for writing */
	SYS_GETXATTR,
	SYS_SETXATTR,
	SYS_LISTXATTR,
	SYS_REMOVEXATTR,
	SYS_STATFS, /* statfs fstatfs */
	SYS_CHDIR,  /* chdir fchdir */
	SYS_GETCWD,
	SYS_EXEC,  /* execve execveat */
	SYS_SOCK,  /* bind connect: sockaddr in an argument; sendto sendmsg sendmmsg */
	SYS_SOCKNAME, /* getsockname getpeername: the filter passes them */
	SYS_REDIRECT, /* reads a path that may be ours, the kernel runs it: inotify_add_watch,
		       * name_to_handle_at, fanotify_mark, swapon, acct, uselib, quotactl … */
	SYS_MOUNT,    /* mount umount2 pivot_root chroot open_tree move_mount fspick mount_setattr
		       * statmount …: on our paths refused with a reason, else run */
	SYS_FCNTL,    /* F_GETFL only (the filter looks at the command) */
	SYS_IOCTL,    /* the commands of sys_ioctl_cmd only */
	SYS_FILEATTR, /* file_getattr file_setattr */
	SYS_CRED,     /* set*id, setgroups, capset, umask, unshare, setns: what we cached about the
		       * task is forgotten afterwards; the call runs */
	SYS_NCLASS
};

/* What an argument is. */
enum sys_role {
	R_NONE, /* past the last argument */
	R_INT,	/* a number or pointer that we do not touch */
	R_DIRFD,
	R_PATH,
	R_DIRFD2,
	R_PATH2,
	R_FD,
	R_ATFLAGS,
	R_OFLAGS,
	R_HOW,	   /* struct open_how * */
	R_HOWSIZE,
	R_MODE,
	R_DEV,
	R_MASK,	   /* access mode, statx mask */
	R_OUT,	   /* result structure; row->form tells which */
	R_BUF,	   /* buffer for bytes */
	R_LEN,	   /* its size */
	R_TARGET,  /* text of a symlink: not a path to resolve */
	R_UID,
	R_GID,
	R_TIMES,   /* row->form tells */
	R_SIZE,	   /* new file size */
	R_XNAME,
	R_XVAL,
	R_XSIZE,
	R_XFLAGS,
	R_XARGS,   /* struct xattr_args * of the *xattrat calls, R_XSIZE its size */
	R_RFLAGS,  /* renameat2 flags */
	R_ARGV,
	R_ENVP,
	R_ADDR,	   /* struct sockaddr * */
	R_ADDRLEN,
	R_MSG,	   /* struct msghdr *, or the vector of sendmmsg with R_LEN */
	R_CMD,	   /* fcntl, ioctl command, prctl option */
	R_ARG,
};

/* Layouts and variants inside a class. */
enum sys_form {
	F_NONE,
	F_MKDIR,
	F_MKNOD,
	F_STAT,	  /* the ABI's struct stat */
	F_STAT64, /* the ABI's struct stat64 (32-bit ABIs) */
	F_STATX,
	F_UTIMBUF,
	F_TIMEVAL,
	F_TIMESPEC,
	F_DIRENT,   /* legacy getdents */
	F_DIRENT64,
	F_STATFS,
	F_STATFS64,
};

#define SYS_MAXARGS 6

struct sys_row {
	const char *name;
	uint8_t class;			/* enum sys_class */
	uint8_t role[SYS_MAXARGS];	/* enum sys_role */
	uint8_t form;			/* enum sys_form */
	unsigned at;			/* AT_* flags that the call implies: AT_SYMLINK_NOFOLLOW,
					 * AT_REMOVEDIR, AT_EMPTY_PATH */
	unsigned oflags;		/* O_* flags that the call implies (creat) */
	int deny;			/* SYS_DENY: errno, positive */
	const char *note;		/* status or reason, for people; may be NULL */
};

/* Neutral ids: SYS_ID_openat …, 0 is SYS_ID_unknown. */
enum sys_id {
	SYS_ID_unknown,
#define SYS(n, ...) SYS_ID_##n,
#include "sys/table.def"
#undef SYS
	SYS_NID
};

extern const struct sys_row sys_table[SYS_NID];

/* Index of the argument with that role, or -1. */
int sys_arg(const struct sys_row *row, enum sys_role role);

/* SYS_FCNTL and SYS_IOCTL stop for these commands only; 0 ends the list. */
extern const uint32_t sys_fcntl_cmd[];
extern const uint32_t sys_ioctl_cmd[];

struct abi;
/* The call behind a number: enum sys_id, SYS_ID_unknown for any number that the ABI does not
 * have. */
unsigned sys_by_nr(const struct abi *abi, uint64_t nr);
/* The number of a call, -1 where the ABI lacks it. */
int sys_nr(const struct abi *abi, unsigned id);

#endif
