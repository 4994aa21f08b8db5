#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Reading, writing, removing, listing: the first things that anybody does.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	mkdir -p "$L/d/sub" "$L/gone"
	echo one >"$L/d/one"
	echo two >"$L/d/sub/two"
	echo x >"$L/gone/x"
	ln -s d/one "$L/link"
	is "a file of the lower layer" "$(vsh 'cat d/one link')" $'one\none'
	is "listing" "$(vsh 'ls')" $'d\ngone\nlink'
	is "by its absolute path, from elsewhere" "$(view cat "$M/d/sub/two")" two
	vsh 'echo more >>d/one; echo new >new; rm d/sub/two; rm -r gone; mkdir -p a/b/c; mv new a/b/c/moved'
	is "what was changed is there in the next run" "$(vsh 'cat d/one a/b/c/moved; ls; ls d/sub')" \
		$'one\nmore\nnew\na\nd\nlink'
	is "appended in the upper layer" "$(cat "$U/d/one")" $'one\nmore'
	same_on_mounts
}
variants body
