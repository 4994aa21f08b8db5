#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Marks of a kernel mount that are not understood: refused in one line, never shown as something else.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local prefix=user
	fresh
	[ "$WHO" = root ] && prefix=trusted
	mkdir -p "$L/old" "$T/top/new"
	echo data >"$L/old/file"
	truncate -s 5 "$T/top/meta"
	echo 12345 >"$L/meta"
	truncate -s 100000 "$T/top/sparse"
	if ! setfattr -n $prefix.overlay.redirect -v /old "$T/top/new" 2>/dev/null; then
		skip "marks" "no extended attributes here"
		return
	fi
	setfattr -n $prefix.overlay.metacopy "$T/top/meta"
	LOWER=$T/top:$L
	out=$(view sh -c "ls $M/new; cat $M/meta; ls $M/old" 2>&1)
	like "a redirect is an error" "$out" "new': Input/output error"
	like "a file without its data, too" "$out" "meta: Input/output error"
	like "it is said" "$out" "fuss: .*has the mark $prefix.overlay"
	is "once" "$(grep -c 'has the mark' <<<"$out")" 1
	is "what has none is shown" "$(vsh 'cat old/file; stat -c %s sparse')" $'data\n100000'
}
variants body
