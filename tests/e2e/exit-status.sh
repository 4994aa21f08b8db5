#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The exit status of the command; 125, 126, 127, 128 + signal.
. "${srcdir:-.}/tests/tap.sh"

status() {
	view "$@" >/dev/null 2>&1
	echo $?
}

body() {
	local s
	fresh
	echo 'echo x' >"$L/not-executable"
	mkdir "$L/dir"
	printf '#!/bin/sh\nexit 9\n' >"$L/nine"
	printf '#!/nowhere\n' >"$L/no-interpreter"
	chmod 755 "$L/nine" "$L/no-interpreter"
	for s in 0 1 42 125 126 127 255; do is "exit $s" "$(status sh -c "exit $s")" "$s"; done
	is "a script in the mount" "$(status "$M/nine")" 9
	is "a command that is not there" "$(status /nonexistent/command)" 127
	is "a command that is nowhere in PATH" "$(PATH=/usr/bin:/bin status no-such-command-anywhere)" 127
	is "a command that is not there, in the mount" "$(status "$M/nothing")" 127
	is "a file that cannot be executed" "$(status "$M/not-executable")" 126
	is "a directory" "$(status "$M/dir")" 126
	is "an interpreter that is not there" "$(status "$M/no-interpreter")" 127
	like "with a message" "$(view "$M/nothing" 2>&1)" '^fuss: .*nothing: No such file'
	for s in TERM KILL INT HUP SEGV USR1; do
		is "ended by SIG$s" "$(status sh -c "kill -$s \$\$")" $((128 + $(kill -l $s)))
	done
	is "--help" "$("$FUSS" --help >/dev/null; echo $?)" 0
	is "a wrong option" "$("$FUSS" --wrong 2>/dev/null; echo $?)" 125
}
variants body chardev
