#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Nothing outlives fuss on the host's files: not when it is killed, not in the background.
. "${srcdir:-.}/tests/tap.sh"

alive() { # the process is there and not a zombie
	case $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) in '' | Z | X) return 1 ;; esac
}

gone() { # within two seconds
	local i
	for i in $(seq 1 40); do
		alive "$1" || return 0
		sleep 0.05
	done
	return 1
}

wait_for() {
	local i
	for i in $(seq 1 100); do
		[ ! -s "$1" ] || return 0
		sleep 0.05
	done
	return 1
}

body() {
	local p child size
	fresh
	echo x >"$L/file"
	tap_seal
	"$FUSS" --mountpoint="$M" --lowerdir="$L" --upperdir="$U" --whiteout="$DIALECT" -- sh -c \
		'"$0" "$M/log" & echo $! >"$1"; wait' "$(prog spin)" "$T/pid" &
	p=$!
	wait_for "$T/pid"
	wait_for "$U/log"
	ok "a child writes into the view" [ -s "$U/log" ]
	child=$(cat "$T/pid")
	kill -KILL "$p"
	wait "$p" 2>/dev/null
	ok "fuss is killed: its processes are gone" gone "$child"
	ok "nothing was written to the host" [ ! -e "$M" ]
	size=$(stat -c %s "$U/log")
	sleep 0.2
	is "and nothing is written any more" "$(stat -c %s "$U/log")" "$size"
	is "the upper can be used again" "$(vsh 'cat file; [ -s log ] && echo log')" $'x\nlog'
	# A command that leaves something in the background: fuss stays with it.
	view sh -c '(sleep 0.4; echo late >"$M/late") & exit 7' >/dev/null 2>&1
	is "the status is the command's" "$?" 7
	is "what runs in the background ends before fuss does" "$(cat "$U/late")" late
	untouched
}
variants body
