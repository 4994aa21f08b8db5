#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whatever is wrong: one clear line with the remedy, exit 125, nothing changed.
. "${srcdir:-.}/tests/tap.sh"

# refused DESCRIPTION PATTERN ARGUMENT...
refused() {
	local what=$1 pattern=$2 out st before
	shift 2
	before=$(tree_of "$T/$tap_n" 2>/dev/null)
	out=$("$FUSS" "$@" 2>&1 >/dev/null)
	st=$?
	is "$what: exit status" "$st" 125
	is "$what: one line" "$(wc -l <<<"$out")" 1
	like "$what: the message" "$out" "^fuss: .*$pattern"
	is "$what: nothing changed" "$(tree_of "$T/$tap_n" 2>/dev/null)" "$before"
}

body() {
	local o p
	fresh
	echo x >"$L/file"
	mkdir "$L/dir" "$U/dir"
	o=(--mountpoint="$M" --lowerdir="$L" --upperdir="$U")
	refused "no mount point" "--mountpoint" --lowerdir="$L" -- true
	refused "no command" "command" "${o[@]}"
	refused "no layers" "--lowerdir" --mountpoint="$M" -- true
	refused "an unknown option" "--frob.*--help" "${o[@]}" --frob -- true
	refused "a wrong mode" "chardev" "${o[@]}" --whiteout=none -- true
	refused "a lower layer that is missing" "$L/nothing" --mountpoint="$M" --lowerdir="$L/nothing" -- true
	refused "a lower layer that is a file" "$L/file" --mountpoint="$M" --lowerdir="$L/file" -- true
	refused "an upper layer that is missing" "$U/nothing" --mountpoint="$M" --lowerdir="$L" --upperdir="$U/nothing" -- true
	refused "an upper layer that is a file" "$L/file" --mountpoint="$M" --lowerdir="$L" --upperdir="$L/file" -- true
	refused "upper and lower the same" "$L" --mountpoint="$M" --lowerdir="$L" --upperdir="$L" -- true
	refused "the upper inside a lower layer" "$L" --mountpoint="$M" --lowerdir="$L" --upperdir="$L/dir" -- true
	refused "a lower layer inside the upper" "$U" --mountpoint="$M" --lowerdir="$U/dir" --upperdir="$U" -- true
	refused "work inside the upper" "$U" "${o[@]}" --workdir="$U/dir" -- true
	refused "work that is missing" "$W/nothing" "${o[@]}" --workdir="$W/nothing" -- true
	refused "a mount point that is a file" "$L/file" --mountpoint="$L/file" --lowerdir="$L" -- true
	refused "an unknown file system" "overlay" "${o[@]}" --fs=xyz -- true
	if [ "$WHO" = user ]; then
		mkdir "$T/$tap_n/closed"
		chmod 0 "$T/$tap_n/closed"
		refused "a layer that cannot be read" "closed" --mountpoint="$M" --lowerdir="$T/$tap_n/closed" -- true
		refused "an upper that cannot be written" "/usr" --mountpoint="$M" --lowerdir="$L" --upperdir=/usr -- true
		chmod 755 "$T/$tap_n/closed"
	fi
	# An upper that another run uses.
	"$FUSS" "${o[@]}" -- sh -c 'echo ready >"$0"; exec sleep 20' "$T/ready" &
	p=$!
	while [ ! -s "$T/ready" ] && kill -0 "$p" 2>/dev/null; do sleep 0.05; done
	refused "an upper that is in use" "$U.*(use|lock|busy)" "${o[@]}" -- true
	ok "the other run goes on" kill -0 "$p"
	kill "$p"
	wait "$p" 2>/dev/null
	is "then it can be used" "$("$FUSS" "${o[@]}" -- cat "$M/file")" x
	if have strace && strace -o /dev/null true 2>/dev/null; then
		out=$(strace -f -o /dev/null "$FUSS" "${o[@]}" -- true 2>&1)
		st=$?
		if [ "$st" = 0 ]; then
			skip "tracing is refused" "it is not refused here"
		else
			is "tracing is refused: exit status" "$st" 125
			is "tracing is refused: one line" "$(wc -l <<<"$out")" 1
			like "tracing is refused: the message" "$out" '^fuss: .*trac'
		fi
	else
		skip "tracing is refused" "strace is not installed"
	fi
	is "options without meaning are named in one warning" \
		"$("$FUSS" --mountpoint="$M" -o "lowerdir=$L,upperdir=$U,xino=on,volatile" -- cat "$M/file" 2>&1)" \
		$'fuss: warning: -o: no meaning in fuss, ignored: xino,volatile\nx'
	like "--help" "$("$FUSS" --help)" '^usage: fuss .*--mountpoint'
	like "--version" "$("$FUSS" --version)" '^fuss [0-9]+\.[0-9]+'
}
variants body chardev
