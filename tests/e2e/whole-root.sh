#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The mount point is /: devices and /proc stay those of the host.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	is "a command over the whole root" "$("$FUSS" --mountpoint=/ --lowerdir=/ --upperdir="$U" -- \
		sh -c 'echo x >/dev/null; cat /etc/hostname >/dev/null; echo done' 2>&1)" "done"
	is "/dev/null is still a device" "$(find "$U" -name null)" ""
	is "changes go to the upper" "$("$FUSS" --mountpoint=/ --lowerdir=/ --upperdir="$U" -- \
		sh -c 'echo new >"$0/new" && cat "$0/new"' "$L" 2>&1; [ ! -e "$L/new" ] && echo unchanged)" $'new\nunchanged'
	is "/proc/self is the process's own" "$("$FUSS" --mountpoint=/ --lowerdir=/ --upperdir="$U" -- \
		sh -c 'readlink /proc/self/cwd; cd /usr && readlink /proc/self/cwd' 2>&1)" "$PWD
/usr"
}
variants body chardev
