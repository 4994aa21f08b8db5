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
	is "what exists and what does not still comes first" "$(ro sh -c "cd $M && $(prog sysprobe)" <<-'END' |
		mkdir d 0755
		unlink nothing
		open f O_WRONLY|O_CREAT|O_EXCL 0644
		rename nothing x
		open f O_RDONLY|O_CREAT 0644
		END
		sed 's/.* => //' | tr '\n' ' ')" "EEXIST ENOENT EEXIST ENOENT fd "
	like "statfs says read-only" "$(ro sh -c "cd $M && echo statfs . | $(prog sysprobe)")" 'readonly=1'
	untouched
}
variants body chardev
