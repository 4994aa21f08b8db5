#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Threads and forks: every task is known exactly once, none runs on the host's files.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local i failed=0
	fresh
	mkdir "$L/dir"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		vsh 'rm -rf t && mkdir t && "$1" t 8 6' "$(prog threads)" || failed=$((failed + 1))
		[ ! -e "$M" ] || failed=$((failed + 100))
	done
	is "a program with 8 threads, 15 times" "$failed" 0
	ok "threads with stacks of 16 KiB" vsh "mkdir small && $(prog threads) small 16 10 16384"
	for i in $(seq 1 200); do echo "$i" >"$L/dir/$i"; done
	tap_sealed=''
	is "find -exec sees every file" "$(vsh 'find dir -type f -exec cat {} \; | sort -n | tail -n 1
		find dir -type f -exec sh -c "echo more >>\$1" sh {} \;; cat dir/* | grep -c more')" $'200\n200'
	is "children of children of children" "$(vsh 'for i in 1 2 3 4 5 6 7 8; do
		(for j in 1 2 3 4; do (echo $i$j >c$i$j; cat c$i$j >d$i$j) & done; wait) & done; wait
		cat d?? | sort | tr "\n" " "')" "$(for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3 4; do
		printf '%s ' $i$j; done; done)"
	ok "vfork and exec of many" vsh 'i=0; while [ $i -lt 100 ]; do /bin/echo $i >>out; i=$((i + 1)); done
		[ "$(wc -l <out)" = 100 ]'
	same_on_mounts
}
variants body
