#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Directories of the lower layers are renamed with all that is in them, or not at all.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local i before
	fresh
	mkdir -p "$L/d/sub/deep" "$L/target" "$L/full"
	for i in 1 2 3 4 5 6 7 8 9 10; do echo $i >"$L/d/$i"; done
	echo deep >"$L/d/sub/deep/file"
	ln -s ../1 "$L/d/sub/link"
	chmod 700 "$L/d/sub"
	touch -d '2001-02-03 04:05:06.7' "$L/d/1" "$L/d/sub/deep"
	echo x >"$L/full/x"
	before=$(cd "$L/d" && tree_of -r .)
	ok "mv of a lower directory" vsh 'mv d e'
	is "nothing is lost" "$(view "$(prog tree)" -r "$M/e")" "$before"
	is "the old name is free" "$(vsh 'ls -d d 2>&1; mkdir d; ls -A d')" \
		"ls: cannot access 'd': No such file or directory"
	same_on_mounts renamed
	ok "again, after changes" vsh 'echo new >e/new; rm e/3; mv e/sub/deep .; mv e f; mv f e; mv e d/'
	is "all is there" "$(vsh 'ls d/e | tr "\n" " "; cat deep/file d/e/new d/e/sub/link')" \
		$'1 10 2 4 5 6 7 8 9 new sub deep\nnew\n1'
	same_on_mounts "renamed again"

	fresh
	mkdir -p "$L/d" "$L/empty" "$L/full"
	echo 1 >"$L/d/1"
	echo x >"$L/full/x"
	echo f >"$L/file"
	sysprobe() { vsh "$(prog sysprobe)" | sed 's/.* => //' | tr '\n' ' '; }
	is "renames that fail" "$(view sh -c "cd $M && $(prog sysprobe)" <<-'END' | sed 's/.* => //' | tr '\n' ' '
		rename d full
		rename d file
		rename file d
		rename d d/x
		rename nothing d
		renameat2 . d . empty RENAME_NOREPLACE
		renameat2 . d . nothing RENAME_EXCHANGE
		END
		)" "ENOTEMPTY ENOTDIR EISDIR EINVAL ENOENT EEXIST ENOENT "
	is "they leave nothing behind" "$(find "$U" -mindepth 1)" ""
	is "exchange and replace" "$(view sh -c "cd $M && $(prog sysprobe)" <<-'END' | sed 's/.* => //' | tr '\n' ' '
		renameat2 . d . file RENAME_EXCHANGE
		rename file empty
		END
		)" "0 0 "
	is "what is there then" "$(vsh 'ls | tr "\n" " "; cat d empty/1')" $'d empty full f\n1'
	same_on_mounts exchanged
}
variants body
