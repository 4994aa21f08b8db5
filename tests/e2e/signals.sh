#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Signals: passed on by fuss, delivered as without it, to handlers, to groups, from keyboards and timers.
. "${srcdir:-.}/tests/tap.sh"

wait_for() {
	local i
	for i in $(seq 1 100); do
		[ ! -s "$1" ] || return 0
		sleep 0.05
	done
	return 1
}

body() {
	local s p r
	fresh
	tap_seal
	for s in TERM HUP QUIT INT; do
		rm -f "$T/ready"
		# env: background jobs of a shell ignore INT and QUIT.
		python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$FUSS" --mountpoint="$M" --lowerdir="$L" --upperdir="$U" -- \
			sh -c "trap 'echo caught >\"$M/$s\"; exit 33' $s; echo ready >\"$T/ready\"; while :; do sleep 0.05; done" &
		p=$!
		wait_for "$T/ready"
		kill -"$s" "$p"
		wait "$p"
		is "SIG$s to fuss reaches the command, its handler runs" "$? $(cat "$U/$s" 2>&1)" "33 caught"
	done
	is "a signal that the command ignores" "$(vsh 'trap "" TERM; kill -TERM $$; echo alive')" alive
	is "stop and continue" "$(vsh 'sleep 30 & p=$!; kill -STOP $p; sleep 0.1
		sed "s/.*) //; s/ .*//" /proc/$p/stat | tr t T; kill -CONT $p; sleep 0.1; sed "s/.*) //; s/ .*//" /proc/$p/stat
		kill $p; wait $p; echo $?')" $'T\nS\n143'
	is "SIGCHLD and wait" "$(vsh '(exit 3) & wait $!; echo $?; (kill -9 $(exec sh -c "echo \$PPID")) & wait $!; echo $?')" \
		$'3\n137'
	is "a timer interrupts a call" "$(view timeout 0.3 sleep 30; echo $?)" 124
	is "SIGTRAP is the program's own" "$(vsh 'trap "echo trapped" TRAP; kill -TRAP $$; echo after')" $'trapped\nafter'
	is "SIGPIPE" "$(view bash -c 'yes | head -n 1; echo "${PIPESTATUS[0]}"')" $'y\n141'
	if have python3; then
		is "handlers interrupt and calls are restarted" "$(view python3 -c '
import os, signal, sys, time
n = 0
def tick(*a):
    global n
    n += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
os.chdir(sys.argv[1])
for i in range(300):
    with open("f%d" % i, "w") as f: f.write("x")
    os.rename("f%d" % i, "g%d" % i)
    assert os.stat("g%d" % i).st_size == 1
    os.unlink("g%d" % i)
signal.setitimer(signal.ITIMER_REAL, 0)
print(n > 10, os.listdir("."))' "$M" | sed "s/'[A-Z]*'//g; s/[, ]*//g")" 'True[]'
	else
		skip "handlers interrupt and calls are restarted" "python3 is not installed"
	fi
	untouched
}
variants body chardev
