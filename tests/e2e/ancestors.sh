#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whiteouts and opaque marks of every ancestor and every layer count.
. "${srcdir:-.}/tests/tap.sh"

mark() { # an opaque directory as this user can write it
	if [ "$WHO" = root ]; then
		setfattr -n trusted.overlay.opaque -v y "$1"
	else
		setfattr -n user.overlay.opaque -v y "$1"
	fi
}

body() {
	local l1 l2 l3
	fresh
	l1=$T/$tap_n/l1 l2=$T/$tap_n/l2 l3=$L
	mkdir -p "$l1/w/x" "$l2/a/b/c" "$l2/o/p/q" "$l3/a/b/c/d" "$l3/o/p/q/r" "$l3/w/x/y" "$l1/o/p" "$l2/f"
	echo 3 >"$l3/a/b/c/d/three"
	echo 3 >"$l3/o/p/q/r/three"
	echo 3 >"$l3/w/x/y/three"
	echo 2 >"$l2/a/b/c/two"
	echo 2 >"$l2/o/p/q/two"
	echo 1 >"$l1/o/p/one"
	echo 3 >"$l3/f"
	mark "$l2/o"
	mknod "$l2/w" c 0 0
	LOWER=$l1:$l2:$l3
	is "an opaque directory in a middle layer hides all that is below" \
		"$(vsh 'find o | sort | tr "\n" " "; cat o/p/q/r/three 2>&1')" \
		"o o/p o/p/one o/p/q o/p/q/two cat: o/p/q/r/three: No such file or directory"
	is "a whiteout in a middle layer too" "$(vsh 'find w | sort | tr "\n" " "')" "w w/x "
	is "a directory over a file" "$(vsh 'find f; echo x >f/new; cat f/new')" $'f\nx'
	is "merged where nothing hides" "$(vsh 'find a | sort | tr "\n" " "')" \
		"a a/b a/b/c a/b/c/d a/b/c/d/three a/b/c/two "
	vsh 'rm -rf a/b; mkdir -p a/b/c/d'
	is "removed and made again: nothing from below" "$(vsh 'find a | sort | tr "\n" " "')" "a a/b a/b/c a/b/c/d "
	is "in the next run" "$(vsh 'ls -A a/b/c/d; cat a/b/c/d/three 2>&1')" \
		"cat: a/b/c/d/three: No such file or directory"
	vsh 'rm -rf o; mkdir -p o/p/q/r; echo new >o/p/new'
	is "an opaque one made again" "$(vsh 'find o | sort | tr "\n" " "')" "o o/p o/p/new o/p/q o/p/q/r "
	same_on_mounts
}
variants body
