#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An upper directory alone: what is in it, at another place.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	echo old >"$U/old"
	is "it is shown and changed" "$("$FUSS" --mountpoint="$M" --upperdir="$U" --whiteout="$DIALECT" -- sh -c "
		cd $M && cat old && mkdir d && mv old d/new && echo x >gone && rm gone && ls -R")" $'old
.:
d

./d:
new'
	is "without a mark of any kind" "$(cd "$U" && find . | sort | tr '\n' ' ')" ". ./d ./d/new "
	touch "$T/file"
	like "a mount point that is a file" "$("$FUSS" --mountpoint="$T/file" --upperdir="$U" -- true 2>&1
		echo $?)" "is not a directory.*125"
}
variants body
