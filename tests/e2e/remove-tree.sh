#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# rm -rf of lower trees; what is made again under the old name is new.
. "${srcdir:-.}/tests/tap.sh"

tree() {
	mkdir -p "$1/a/b/c" "$1/e"
	echo 1 >"$1/a/1"
	echo 2 >"$1/a/b/2"
	echo 3 >"$1/a/b/c/3"
	ln -s ../a "$1/e/link"
}

body() {
	local i bad=0
	fresh
	tree "$L/t"
	tree "$L/u"
	ok "rm -rf of a lower tree" vsh 'rm -rf t'
	is "it is gone" "$(vsh 'ls -A; ls t 2>&1')" "u
ls: cannot access 't': No such file or directory"
	ok "made again" vsh 'mkdir t'
	is "it is empty" "$(vsh 'find t | sort')" t
	vsh 'mkdir -p t/a/b; echo new >t/a/b/new'
	is "so are the directories below" "$(vsh 'find t | sort | tr "\n" " "')" "t t/a t/a/b t/a/b/new "
	same_on_mounts "one tree"
	vsh 'rm -rf u; mkdir u; rm -rf u; mkdir -p u/a; rmdir u/a; mkdir u/a; echo x >u/a/1'
	is "removed and made several times" "$(vsh 'find u | sort | tr "\n" " "; cat u/a/1')" "u u/a u/a/1 x"
	for i in $(seq 1 20); do
		vsh 'rm -rf t u && mkdir -p t/a/b/c && echo again >t/a/1 && [ "$(find t | wc -l)" = 5 ] &&
			[ ! -e u ] && mkdir u' || bad=$((bad + 1))
	done
	is "20 times" "$bad" 0
	same_on_mounts "20 times"
	fresh
	tree "$L/t"
	is "rmdir of what is not empty" "$(vsh 'rmdir t t/a 2>&1 | grep -c "not empty"')" 2
	is "a failed rmdir leaves nothing behind" "$(find "$U" -mindepth 1)" ""
	vsh 'rm t/a/1 t/a/b/2 t/a/b/c/3; rmdir t/a/b/c t/a/b t/a; mkdir t/a'
	is "emptied, removed, made again" "$(vsh 'ls -A t/a')" ""
	same_on_mounts "emptied"
}
variants body
