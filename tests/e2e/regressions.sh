#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What was wrong once, and belongs to no other file.

. "${srcdir:-.}/tests/tap.sh"

scripts() {
	local native
	fresh
	mkdir "$M"
	cat >"$L/s0" <<-'EOF'
		#!/bin/sh
		echo "$# $0 $*"
	EOF
	printf '#!%s/s0 one\n' "$M" >"$L/s1"
	printf '#!%s/s1 two\n' "$M" >"$L/s2"
	chmod 755 "$L"/s?
	cp -p "$L"/s? "$M"
	native=$(cd "$M" && ./s1 x && ./s2 y)
	rm -r "$M"
	is "a script whose interpreter is a script has the kernel's arguments" \
		"$(vsh './s1 x && ./s2 y')" "$native"
}

removed_cwd() {
	local out
	fresh
	mkdir -p "$L/low/sub"
	out=$(vsh 'mkdir new; cd new; rmdir ../new; ls -a; ls -a .; env -C . echo in; touch x 2>/dev/null || echo no
		cd ../low/sub; rm -r ../../low; ls -a; mkdir ../x 2>/dev/null || echo no; ls ..' 2>&1)
	is "a removed working directory can be opened and is empty" "$out" "in
no
no"
	same_on_mounts
}

sockets() {
	local out
	fresh
	: >"$L/low"
	out=$(vsh 'rm low; exec "$@"' "$(command -v python3)" -c '
import os, socket
def pair(n):
	s = socket.socket(socket.AF_UNIX)
	s.bind(n)
	s.listen()
	c = socket.socket(socket.AF_UNIX)
	c.connect(n)
	a, _ = s.accept()
	a.send(b"q")
	assert c.recv(1) == b"q"
	try:
		socket.socket(socket.AF_UNIX).bind(n)
	except OSError as e:
		assert e.errno == 98, e
pair("low")
for i in range(75, 108):
	pair("s" * i)
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
d.bind("d" * 107)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"hi", "d" * 107)
assert d.recv(9) == b"hi"
for i in range(25):
	os.mkdir("n" * 200)
	os.chdir("n" * 200)
os.mkdir("e")
' 2>&1)
	is "sockets with names of any length that an address holds" "$out" ""
	is "all of them are there" "$(vsh 'ls | grep -c "[sd]"')" 34
}

file_size() {
	local out
	fresh
	head -c 100000 /dev/zero >"$L/big"
	chmod 644 "$L/big"
	# Soft: the limit is the command's.  Hard: the copy fails, and nobody dies.
	out=$(
		ulimit -S -f 10
		# shellcheck disable=SC2016
		vsh 'chmod 600 big; echo $?; stat -c "%s %a" big' 2>&1
	)
	is "a file size limit of the command does not matter for a copy-up" "$out" "0
100000 600"
	fresh
	head -c 100000 /dev/zero >"$L/big"
	chmod 644 "$L/big"
	out=$(
		ulimit -f 10
		# shellcheck disable=SC2016
		vsh 'chmod 600 big 2>/dev/null; echo $?; stat -c "%s %a" big' 2>&1
	)
	is "with a hard limit the call fails" "$out" "1
100000 644"
	is "nothing is left in the upper layer" "$(ls -A "$U")" ""
}

not_dumpable() {
	local out
	fresh
	echo a >"$L/a"
	# What agents that hold secrets do: an unprivileged tracer may not read their memory.
	out=$(vsh 'exec "$@"' "$(command -v python3)" -c '
import ctypes
print(ctypes.CDLL(None).prctl(4, 0, 0, 0, 0), open("a").read().strip())' 2>&1)
	is "a process that asks not to be dumpable still sees the view" "$out" "0 a"
}

body() {
	scripts
	removed_cwd
	if have python3; then sockets; not_dumpable; fi
	file_size
}
variants body
