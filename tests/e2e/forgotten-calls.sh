#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Calls that interception tools forget: each must see the view, never the host.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	mkdir -p "$L/d"
	echo x >"$L/f"
	is "openat2, xattrs, sockets, watches, faccessat2, fchmodat2" \
		"$(view sh -c "cd $M && $(prog sysprobe)" <<-'END' | sed 's/.* => //; s/id=.*//' | tr '\n' '|'
		openat2 . f O_RDWR
		openat2 . d/new O_WRONLY|O_CREAT 0640
		setxattr f user.a b
		getxattr f user.a
		removexattr f user.a
		lsetxattr f user.c d
		listxattr f
		bind sock
		connect sock
		$i = inotify_init
		inotify_add_watch $i d IN_CREATE
		put d/made x
		events $i
		faccessat2 . f W_OK AT_EACCESS
		fchmodat2 . f 0600
		statx . f 0
		truncate f 1
		utimes f 1000000000 1000000000
		utime f 1000000000 1000000000
		creat d/creat 0644
		statfs d
		readlinkat . f
		END
		)" "fd|fd|0|1 'b'|0|0|7 user.c|0|0|fd|1|1|100:made |0|0|reg 0600 $(id -u):$(id -g) links=1 |0|0|0|fd|namelen=255 readonly=0|EINVAL|"
	ok "the socket is in the view, not on the host" [ -S "$U/sock" ]
	if have python3; then
		is "io_uring is refused, callers fall back" "$(view python3 -c '
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(425, 8, ctypes.create_string_buffer(120)), errno.errorcode[ctypes.get_errno()])')" "-1 ENOSYS"
	else
		skip "io_uring is refused" "python3 is not installed"
	fi
	same_on_mounts
}
variants body
