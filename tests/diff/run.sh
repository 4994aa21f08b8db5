#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh FILE.ops: the same script on a kernel overlayfs mount and in fuss, on identical copies of the layers.
# Compared are what it prints, its exit status, the merged tree at the end, the tree that a second run sees
# and, with character devices as whiteouts, the upper directory.
#
# The first line of the script says what runs it: #!sysprobe (tests/prog/sysprobe.c), #!sh or #!python3; or
# #!random SEED COUNT, calls that random.awk makes up (FUSS_TEST_SEED is another seed).  More such lines may follow:
#	#mount OPTIONS	of the kernel mount, instead of redirect_dir=off,xino=on
#	#only root	an ordinary user cannot do this, or no mount of theirs can
#	#upper differs	the upper directory may look otherwise
#	#dirlinks differ	so may the link counts of directories: those that were renamed
. "${srcdir:-.}/tests/tap.sh"

script=${srcdir:-.}/tests/${1##*tests/}

directive() {
	sed -n "s/^#$1 //p" "$script" | head -n 1
}

# Times in the past, each another, so that one that is not kept is seen.
age() {
	local t=1000000000
	find "$@" -depth -print0 | sort -z | while IFS= read -r -d '' f; do
		t=$((t + 86400))
		touch -h -d "@$t.123456789" "$f"
	done
}

# Two lower layers and an upper one, with everything that a script may need.  The upper is what a mount made.
layers() {
	local a=$1/lower1 b=$1/lower2 u=$1/upper i
	mkdir -p "$a" "$b" "$u" "$b/d/sub/deep" "$b/d/empty" "$b/only2/x" "$b/opq" "$b/both/in2" "$b/many" \
		"$a/d" "$a/opq" "$a/both/in1" "$a/only1" "$b/priv" "$b/sticky"
	echo f1 >"$b/d/f1"
	echo f2-low >"$b/d/f2"
	echo f2-top >"$a/d/f2"
	echo f3 >"$a/d/f3"
	echo deep >"$b/d/sub/deep/file"
	echo x >"$b/only2/x/file"
	echo y >"$a/only1/file"
	echo old >"$b/opq/old"
	echo new >"$a/opq/new"
	for i in 2 1; do echo "$i" >"$1/lower$i/both/in$i/file"; echo "$i" >"$1/lower$i/both/common"; done
	for i in 1 2 3 4 5 6 7 8 9; do echo $i >"$b/many/$i"; done
	echo gone >"$b/gone"
	echo hard >"$b/hard1"
	ln "$b/hard1" "$b/hard2"
	printf 'hole' | dd of="$b/sparse" bs=1 seek=300000 2>/dev/null
	seq 1 20000 >"$b/big"
	mkfifo "$b/fifo"
	ln -s d/f1 "$b/link"
	ln -s "$M/d/f1" "$b/abs"
	ln -s d "$b/dirlink"
	ln -s nowhere "$b/dangling"
	ln -s loop2 "$b/loop1"
	ln -s loop1 "$b/loop2"
	ln -s ../.. "$b/d/sub/deep/top"
	printf '#!/bin/sh\necho ran\n' >"$b/prog"
	cp "$b/prog" "$b/suid"
	chmod 755 "$b/prog"
	chmod 6755 "$b/suid"
	echo secret >"$b/secret"
	chmod 400 "$b/secret"
	echo p >"$b/priv/p"
	chmod 700 "$b/priv"
	chmod 1777 "$b/sticky"
	echo s >"$b/sticky/s"
	setfattr -n user.colour -v red "$b/d/f1"
	setfattr -n user.colour -v blue "$b/d"
	# A whiteout and an opaque directory in the middle.
	mknod "$a/only2" c 0 0
	if [ "$WHO" = root ]; then
		setfattr -n trusted.overlay.opaque -v y "$a/opq"
		mknod "$b/null" c 1 3
		chmod 666 "$b/null"
		chown 1:1 "$b/d/f2" "$b/priv" "$b/priv/p"
	else
		setfattr -n user.overlay.opaque -v y "$a/opq"
	fi
	age "$a" "$b"
	# shellcheck disable=SC2016
	mounted kernel "$a:$b" "$u" "$1/work" index=off sh -ec 'cd "$1"
		mkdir both/inu up up/er; echo upper >both/inu/file; echo u >up/file; echo u >ufile
		rm gone' sh "$M"
	age "$u"
}

interpreter() {
	case $(head -n 1 "$script") in
	'#!sh') echo /bin/sh ;;
	'#!python3') command -v python3 ;;
	*) prog sysprobe ;;
	esac
}

# Run inside, in the mount point: the script, then the tree.
inside='cd "$1" || exit 99; "$2" <"$3"; echo "exit status $?"; echo "--- tree"; "$4" "$5" "$1"; exit 0'

body() {
	local options only k f run input flags=-t
	fresh
	export TZ=UTC PYTHONDONTWRITEBYTECODE=1
	only=$(directive only)
	if [ "$only" = root ] && [ "$WHO" != root ]; then
		skip "${script##*/}" "only root can make such a mount"
		return
	fi
	if [ -z "$TAP_OVERLAY" ] || { [ "$WHO" != root ] && ! TAP_AS=user need_overlay; }; then
		skip "${script##*/}" "no overlay mounts here"
		return
	fi
	# Without trusted.* the kernel cannot keep the identity of what it copies up; fuss can.
	[ "$WHO" = root ] || { flags=-tn; export SYSPROBE_NO_IDS=1; }
	[ "$(directive dirlinks)" != differ ] || export SYSPROBE_NO_DIR_LINKS=1
	run=$(interpreter)
	input=$script
	# shellcheck disable=SC2046
	set -- $(sed -n '1s/^#!random //p' "$script")
	if [ $# = 2 ]; then
		awk -v seed="${FUSS_TEST_SEED:-$1}" -v count="$2" -f "$srcdir/tests/diff/random.awk" >"$T/random"
		input=$T/random
		# Numbers of removed objects are given out again, by chance.
		export SYSPROBE_NO_IDS=1
	fi
	k=$T/k f=$T/f
	layers "$k"
	layers "$f"
	options=$(directive mount)
	[ -n "$options" ] || options=$([ "$WHO" = root ] && echo redirect_dir=off,)xino=on
	mounted kernel "$k/lower1:$k/lower2" "$k/upper" "$k/work" "$options" \
		sh -c "$inside" sh "$M" "$run" "$input" "$(prog tree)" "$flags" >"$k.out" 2>&1
	LOWER=$f/lower1:$f/lower2 U=$f/upper L=$f/lower1
	view sh -c "$inside" sh "$M" "$run" "$input" "$(prog tree)" "$flags" >"$f.out" 2>&1
	sed -i '/^fuss: warning: /d' "$f.out" # for people, no part of what the script gives
	is "the script gives the same" "$(sed '/^--- tree/,$d' "$f.out")" "$(sed '/^--- tree/,$d' "$k.out")"
	is "the tree is the same" "$(sed '1,/^--- tree/d' "$f.out")" "$(sed '1,/^--- tree/d' "$k.out")"
	is "a second run sees the tree that was left" "$(view "$(prog tree)" $flags "$M" 2>&1)" \
		"$(sed '1,/^--- tree/d' "$f.out")"
	if [ "$DIALECT" = chardev ]; then
		if [ "$(directive upper)" = differs ]; then
			skip "the upper directory is the same" "it may differ for this script"
		else
			is "the upper directory is the same" "$(tree_of -tu "$f/upper")" \
				"$(tree_of -tu "$k/upper")"
		fi
		mounted kernel "$f/lower1:$f/lower2" "$f/upper" "$f/work" index=off \
			"$(prog tree)" $flags "$M" >"$f.mount" 2>&1
		is "a mount of what fuss left shows the tree" "$(cat "$f.mount")" \
			"$(sed '1,/^--- tree/d' "$f.out")"
	fi
	is "lower layers untouched" "$(tree_of "$f/lower1"; tree_of "$f/lower2")" \
		"$(tree_of "$k/lower1"; tree_of "$k/lower2")"
}
variants body
