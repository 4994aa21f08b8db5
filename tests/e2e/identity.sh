#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# (st_dev, st_ino) of an object does not change while it lives, and stat, fstat and d_ino agree.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	mkdir -p "$L/d/sub" "$L/e"
	echo x >"$L/d/f"
	echo y >"$L/d/g"
	is "through copy-up and rename" "$(view sh -c "cd $M && $(prog sysprobe)" <<-'END' | sed -n 's/.*\(id=#[0-9]*\).*/\1/p' | tr '\n' ' '
		$f = open d/f O_RDONLY
		stat d/f
		stat d
		stat d/sub
		chmod d/f 0600
		stat d/f
		fstat $f
		rename d/f e/f2
		stat e/f2
		fstat $f
		stat d
		chmod d/sub 0700
		stat d/sub
		put d/g more
		stat e/f2
		END
		)" "id=#0 id=#1 id=#2 id=#0 id=#0 id=#0 id=#0 id=#1 id=#2 id=#0 "
	is "d_ino is st_ino" "$(vsh 'for f in d/* e/*; do
		[ "$(stat -c %i "$f")" = "$(ls -id "$f" | cut -d" " -f1)" ] || echo "$f"; done
		find d e -printf "%i %p\n" | while read -r i f; do [ "$i" = "$(stat -c %i "$f")" ] || echo "find: $f"; done')" ""
	if have python3; then
		is "as scandir sees it" "$(view python3 -c 'import os, sys
for top, dirs, files in os.walk(sys.argv[1]):
    for e in os.scandir(top):
        if e.inode() != os.lstat(e.path).st_ino: print(e.path)' "$M")" ""
	else
		skip "as scandir sees it" "python3 is not installed"
	fi
	is "hard links made in the view are one object" "$(vsh 'ln d/g hard; echo z >>hard; [ d/g -ef hard ] && cat d/g
		stat -c %h d/g')" $'morez\n2'
	ok "one device for all" vsh '[ "$(find . -printf "%D\n" | sort -u | wc -l)" = 1 ]'
	same_on_mounts
}
variants body
