#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The uses that the documentation shows.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	# One lower layer and a shell.
	mkdir "$L/sub"
	echo hello >"$L/file"
	tap_seal
	is "one lower layer and bash" "$("$FUSS" --mountpoint="$M" --lowerdir="$L" -- bash -c \
		'cd "$1" && cat file && pwd && echo x >new' bash "$M" 2>&1)" "hello
$M
bash: line 1: new: Read-only file system"
	# Three layers and a program of theirs.
	mkdir "$T/$tap_n"/{top,middle,bottom}
	printf '#!/bin/sh\ncat one two three\n' >"$T/$tap_n/bottom/start.sh"
	chmod 755 "$T/$tap_n/bottom/start.sh"
	echo wrong >"$T/$tap_n/bottom/one"
	echo 1 >"$T/$tap_n/top/one"
	echo 2 >"$T/$tap_n/middle/two"
	echo 3 >"$T/$tap_n/bottom/three"
	is "three layers and ./start.sh in the mount point" \
		"$(cd "$T/$tap_n" && mkdir app && cd app && "$FUSS" --mountpoint=. --lowerdir=../top:../middle:../bottom \
			-- ./start.sh)" $'1\n2\n3'
	is "the same with an absolute path, from elsewhere" \
		"$("$FUSS" --mountpoint "$M" --lowerdir top:middle --lowerdir bottom --upperdir "$U" -- \
			sh -c 'cd "$0" && ./start.sh' "$M")" $'1\n2\n3'
	untouched

	# In place: the source tree is the lower layer and the mount point.
	have make || { skip "make in place" "make is not installed"; return; }
	fresh
	printf 'all: out/prog\nout/prog: src/a.txt src/b.txt\n\tmkdir -p out\n\tcat src/a.txt src/b.txt >out/prog\n' \
		>"$L/Makefile"
	mkdir "$L/src"
	echo a >"$L/src/a.txt"
	echo b >"$L/src/b.txt"
	M=$L
	tap_seal
	ok "make in place, cwd in the mount point" \
		sh -c 'cd "$1" && "$0" --mountpoint="$1" --lowerdir="$1" --upperdir="$2" --whiteout="$3" -- make all' \
		"$FUSS" "$L" "$U" "$DIALECT"
	is "the products are in the upper layer" "$(cd "$U" && find . -type f)" ./out/prog
	untouched
	is "nothing is left to be made" \
		"$(cd "$L" && "$FUSS" --mountpoint=. --lowerdir=. --upperdir="$U" -- make all)" \
		"make: Nothing to be done for 'all'."
	ok "a change of a source outside is seen" sh -c 'sleep 1; echo c >"$1/src/a.txt"; cd "$1"
		"$0" --mountpoint=. --lowerdir=. --upperdir="$2" -- make all && grep -q c "$2/out/prog"' \
		"$FUSS" "$L" "$U"
}
variants body
