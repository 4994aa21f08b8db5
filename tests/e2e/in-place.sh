#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The mount point is the lower layer itself, or lies in it, or a layer lies below the mount point.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	mkdir -p "$L/src/deep"
	echo low >"$L/file"
	echo s >"$L/src/s"
	M=$L
	tap_seal
	is "reading" "$(vsh 'cat file src/s')" $'low\ns'
	vsh 'echo high >file; rm src/s; mkdir new; echo n >new/n; mv src/deep new/'
	is "the view has the changes" "$(vsh 'cat file new/n; find . | sort | tr "\n" " "')" \
		$'high\nn\n. ./file ./new ./new/deep ./new/n ./src '
	is "the directory itself does not" "$(cat "$L/file" "$L/src/s")" $'low\ns'
	untouched
	M=$T/$tap_n/other
	same_on_mounts
	# A part of the host's tree.
	fresh
	mkdir -p "$L/part"
	echo p >"$L/part/p"
	echo o >"$L/o"
	M=$L/part
	tap_seal
	LOWER=$L/part
	vsh 'echo q >p; echo r >../o2'
	is "only what is below the mount point is redirected" "$(cat "$L/part/p" "$L/o2"; cat "$U/p")" $'p\nr\nq'
	# The working directory of the caller is in the mount point.
	is "the caller's working directory" "$(cd "$L/part" && "$FUSS" --mountpoint=. --lowerdir=. --upperdir="$U" -- \
		sh -c 'pwd; cat p; cd ..; cat o; cd part; cat p')" "$L/part
q
o
q"
}
variants body
