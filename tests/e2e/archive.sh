#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tar, rsync, cp -a, rm -rf, find: whole trees in and out, again and again.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local i bad=0 rounds=${FUSS_TEST_ROUNDS:-20} want
	fresh
	mkdir -p "$L/tree/a/b/c" "$L/tree/empty" "$L/tree/x"
	for i in $(seq 1 40); do echo "content $i" >"$L/tree/a/f$i"; done
	for i in $(seq 1 20); do head -c $((i * 997)) /dev/urandom >"$L/tree/a/b/r$i"; done
	ln "$L/tree/a/f1" "$L/tree/x/hard1"
	ln -s ../a "$L/tree/x/link"
	ln -s nowhere "$L/tree/x/dangling"
	chmod 700 "$L/tree/x"
	chmod 4711 "$L/tree/a/f2"
	setfattr -n user.test -v value "$L/tree/a/f3"
	find "$L/tree" -exec touch -h -d '2001-02-03 04:05:06' {} +
	cd "$L" && tar --xattrs -cf "$T/in.tar" tree && cd "$T/$tap_n" || exit 1
	# The roots' own times differ: copies keep those, extraction does not matter here.
	want=$(tree_of -n "$L/tree")
	cat >"$T/scenario" <<-'END'
		set -e
		rm -rf "$M/out" "$M/copy" "$M/synced" "$M/new"
		mkdir "$M/out"
		cd "$M"
		tar -cf - tree | tar -xpf - -C out
		cp -a tree copy
		! command -v rsync >/dev/null || rsync -aHX tree/ synced/
		[ "$(find out -type f -exec cat {} \; | cksum)" = "$(find copy -type f -exec cat {} \; | cksum)" ]
		find copy -name 'f*' -exec rm {} +
		find copy -type d -empty -delete
		cp -a tree/a/. copy/a/
		rm -rf copy/x
		cp -a tree/x copy/x
		rm -rf out/tree/a
		mkdir -p out/tree/a/b
		tar --xattrs --xattrs-include='*' -xpf "$1" -C out
		mkdir new
		mv out new/
		rm -rf new/out/tree/x
		mv copy/x new/out/tree/
	END
	for i in $(seq 1 "$rounds"); do
		view sh "$T/scenario" "$T/in.tar" >"$T/out" 2>&1 || { bad=$((bad + 1)); note "round $i: $(tail -n 5 "$T/out")"; }
	done
	is "tar, cp -a, rsync, find, rm -rf: $rounds times" "$bad" 0
	is "an unpacked archive is the original" "$(view "$(prog tree)" -n "$M/new/out/tree" | grep -v '^\. ')" \
		"$(grep -v '^\. ' <<<"$want")"
	have rsync && is "so is a synchronised copy" "$(view "$(prog tree)" -n "$M/synced")" "$want"
	is "what tar takes out of the view" "$(view tar -C "$M/tree" -cf - . | tar -tf - | sort)" \
		"$(tar -C "$L/tree" -cf - . | tar -tf - | sort)"
	same_on_mounts
	for i in 1 2 3; do
		vsh 'rm -rf tree && mkdir tree && cp -a new/out/tree/. tree/ && rm -rf new && mkdir -p new/out && mv tree new/out/ &&
			cp -a new/out/tree tree' || bad=$((bad + 1))
	done
	is "a lower tree removed and made again" "$bad" 0
	is "it is the same" "$(view "$(prog tree)" -nm "$M/tree" | grep -v '^\. ')" \
		"$(tree_of -nm "$L/tree" | grep -v '^\. ')"
	same_on_mounts "made again"
}
variants body
