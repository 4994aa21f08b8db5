#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Symbolic links in all four directions, walked over the merged tree.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	mkdir -p "$L/d/sub" "$L/e" out
	echo low >"$L/d/f"
	echo outside >out/file
	ln -s d/f "$L/rel"
	ln -s "$M/d/f" "$L/abs"
	ln -s "$T/$tap_n/out" "$L/toout"
	ln -s "$M" "$L/self"
	ln -s ../d "$L/e/up"
	ln -s ../../out/file "$L/e/beyond"
	ln -s "$M/d" into
	ln -s mp also
	is "within, before a change" "$(vsh 'cat rel abs e/up/f self/self/d/f')" $'low\nlow\nlow\nlow'
	vsh 'echo high >d/f; echo new >d/new'
	is "within, after it" "$(vsh 'cat rel abs e/up/f self/self/d/f e/up/new')" $'high\nhigh\nhigh\nhigh\nnew'
	is "from the mount to outside" "$(vsh 'cat toout/file e/beyond')" $'outside\noutside'
	is "from outside into the mount" "$(view cat into/f also/d/new "$T/$tap_n/into/../d/f")" $'high\nnew\nhigh'
	is ".. leaves the mount for its parent" "$(vsh 'cat ../out/file; cd d/sub && cat ../../../out/file')" \
		$'outside\noutside'
	is "written through, from outside" "$(view sh -c 'echo w >into/f; cat "$M/d/f"')" w
	is "the host's directory is not touched" "$(find out -type f)" out/file
	vsh 'echo changed >toout/file'
	is "what is outside is written to" "$(cat out/file)" changed
	is "realpath" "$(vsh 'cd e/up && pwd -P; readlink -f ../e/beyond; readlink -f "$1/into/f"' "$T/$tap_n" |
		sed "s,$T/$tap_n/,,")" $'mp/d\nout/file\nmp/d/f'
	vsh 'ln -s d newlink; ln -sfn e newlink; rm rel; ln -s e/up rel; mv abs moved'
	is "made, replaced, moved" "$(vsh 'readlink newlink rel moved' | sed "s,$T/$tap_n/,,")" $'e\ne/up\nmp/d/f'
	same_on_mounts
	# The mount point named by a symlink, and by a path with one in it.
	ln -s "$T/$tap_n" way
	is "the mount point through a symlink" \
		"$("$FUSS" --mountpoint=way/mp2 --lowerdir="$L" -- cat "$T/$tap_n/mp2/d/f" way/mp2/d/f)" $'low\nlow'
}
variants body
