#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --fs=passthrough: the reference file system shows a directory as it is.
. "${srcdir:-.}/tests/tap.sh"

pass() {
	"$FUSS" --mountpoint="$M" --fs=passthrough --upperdir="$U" -- "$@"
}

body() {
	fresh
	mkdir -p "$U/d/sub"
	echo x >"$U/d/f"
	ln -s d/f "$U/l"
	tap_seal
	is "reading" "$(pass sh -c 'cd "$0" && cat l d/f && find . | sort | tr "\n" " "' "$M")" \
		$'x\nx\n. ./d ./d/f ./d/sub ./l '
	is "changing" "$(pass sh -ec 'cd "$0"; echo y >d/f; mv d e; rm l; mkdir -p a/b; ln e/f hard; chmod 600 e/f
		echo z >>hard; cat e/f; ls; pwd' "$M")" "y
z
a
e
hard
$M"
	is "the directory has the changes" "$(cd "$U" && cat hard; stat -c %a e/f; ls | tr '\n' ' ')" $'y\nz\n600\na e hard '
	is "a program with 8 threads" "$(pass sh -c 'mkdir "$1/t" && "$0" "$1/t" 8 5' "$(prog threads)" "$M"; echo $?)" 0
	is "registers" "$(echo x >"$U/file"; pass "$(prog registers)" "$M"; echo $?)" 0
	is "a script inside" "$(printf '#!/bin/sh\necho "$0"\n' >"$U/s"; chmod 755 "$U/s"; pass "$M/s")" "$M/s"
	is "the same identities as outside" "$(pass stat -c %i "$M/e/f")" "$(stat -c %i "$U/e/f")"
	is "rm -rf" "$(pass sh -c 'rm -rf "$0/e" "$0/a"; ls "$0"' "$M" | tr '\n' ' ')" "file hard s t "
	ok "nothing at the place of the mount point" [ ! -e "$M" ]
}
variants body chardev
