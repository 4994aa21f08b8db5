#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Without an upper layer nothing can be changed, and every call says so as a read-only mount does.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	mkdir "$L/d"
	echo x >"$L/f"
	ln -s f "$L/l"
	tap_seal
	ro() { "$FUSS" --mountpoint="$M" --lowerdir="$L" -- "$@"; }
	is "reading works" "$(ro sh -c 'cd "$0" && cat f l && ls' "$M" | tr '\n' ' ')" "x x d f l "
	is "every change is EROFS" "$(ro sh -c "cd $M && $(prog sysprobe)" <<-'END' | sed 's/.* => //' | tr '\n' ' '
		open f O_WRONLY
		open new O_WRONLY|O_CREAT 0644
		open f O_RDONLY|O_TRUNC
		mkdir x 0755
		symlink x y
		link f y
		unlink f
		rmdir d
		rename f g
		chmod f 0600
		truncate f 0
		utimensat . f now now
		setxattr f user.a b
		access f W_OK
		mknod x S_IFIFO|0644
		open . O_TMPFILE|O_RDWR 0600
		bind sock
		END
		)" "EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS EROFS "
	is "the order of checks is that of the kernel" "$(ro sh -c "cd $M && $(prog sysprobe)" <<-'END' |
		mkdir d 0755
		unlink nothing
		open f O_WRONLY|O_CREAT|O_EXCL 0644
		rename nothing x
		open f O_RDONLY|O_CREAT 0644
		rmdir nothing
		link nothing x
		link f d
		symlink x f
		mknod f S_IFIFO|0644
		chmod nothing 0644
		truncate d 1
		access d W_OK
		open new O_RDONLY|O_CREAT 0644
		END
		sed 's/.* => //' | tr '\n' ' ')" "EEXIST EROFS EEXIST EROFS fd EROFS ENOENT EEXIST EEXIST EEXIST ENOENT EISDIR EROFS EROFS "
	like "statfs says read-only" "$(ro sh -c "cd $M && echo statfs . | $(prog sysprobe)")" 'readonly=1'
	untouched
}
variants body chardev
