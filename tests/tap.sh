# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2031
#
# TAP from bash, and what every test of the program needs.  A test file is
#
#	. "${srcdir:-.}/tests/tap.sh"
#	body() { fresh; ...; view CMD; ok "..." [ ... ]; same_on_mounts; }
#	variants body
#
# variants runs the body in processes of their own: as root and as an ordinary user (when the test is
# started by root, else as who started it), each with both dialects of whiteouts.  In a body:
#
#	$WHO $DIALECT	root or user; chardev or fileprefix
#	fresh		new empty layers: $L lower, $U upper, $W for a work directory, $M the mount point,
#			which does not exist; the working directory is their parent
#	view CMD...	runs CMD in fuss with those; $FUSS_OPTS are more options, $LOWER replaces $L
#	vsh SCRIPT	the same for a script of sh, started in the mount point; more arguments are its $1 ...
#	same_on_mounts	the view equals what a kernel mount and fuse-overlayfs show of the same layers, the
#			lower layer is as it was when the first view began, the mount point was not touched
#
# Results go to stdout through ok, is, like, skip; what else is printed there is ignored.
# FUSS_TEST_USERS (both, root, user) and FUSS_TEST_DIALECTS narrow the variants, FUSS_TEST_ROUNDS the repetitions of
# long scenarios; FUSS_TEST_TIMEOUT is seconds for one run of fuss; with FUSS_TEST_KEEP=1 the
# directories stay for a look.

set -u
export LC_ALL=C
umask 022
unset FUSS_LOG_LEVEL FUSS_DEBUG MAKEFLAGS MFLAGS MAKELEVEL
tap_self=$0
tap_args=("$@")
tap_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${FUSS:=fuss}" "${FUSS_TEST_TIMEOUT:=120}" "${FUSS_TEST_USER:=nobody}"
: "${FUSS_TEST_BUILD:=$(dirname "$FUSS")}"

# --- results ------------------------------------------------------------------------------------

tap_say() { # ok|not ok, description
	printf '%s - %s\n' "$1" "${2//#/\\#}" >&"${TAP_FD:-1}"
}

note() {
	local line
	while IFS= read -r line; do printf '# %.400s\n' "$line" >&"${TAP_FD:-1}"; done <<<"$*"
}

# ok DESCRIPTION COMMAND...: the command succeeds.
ok() {
	local what=$1 out st
	shift
	out=$("$@" 2>&1) && st=0 || st=$?
	if [ "$st" = 0 ]; then
		tap_say ok "$what"
	else
		tap_say "not ok" "$what"
		note "status $st of: $*"
		[ -z "$out" ] || note "$(head -n 40 <<<"$out")"
	fi
}

# is DESCRIPTION GOT EXPECTED
is() {
	if [ "$2" = "$3" ]; then
		tap_say ok "$1"
	else
		tap_say "not ok" "$1"
		note "$(diff <(printf '%s\n' "$3") <(printf '%s\n' "$2") |
			sed -e 's/^</expected:/' -e 's/^>/got:     /' | head -n 24)"
	fi
}

# like DESCRIPTION GOT PATTERN (extended regular expression)
like() {
	if [[ $2 =~ $3 ]]; then
		tap_say ok "$1"
	else
		tap_say "not ok" "$1"
		note "does not match: $3"
		note "got: $(head -n 40 <<<"$2")"
	fi
}

skip() { # description, reason
	printf 'ok - %s # SKIP %s\n' "$1" "$2" >&"${TAP_FD:-1}"
}

skip_all() {
	printf '1..0 # SKIP %s\n' "$*"
	exit 0
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# --- temporary directories ----------------------------------------------------------------------

tap_cleanup() {
	local m
	[ -n "${TAP_TMP:-}" ] && [ -e "$TAP_TMP/.fuss-test" ] || return 0
	if [ -n "${FUSS_TEST_KEEP:-}" ]; then
		printf '# kept: %s\n' "$TAP_TMP"
		return 0
	fi
	while read -r m; do umount -l "$m" 2>/dev/null; done < <(
		awk -v d="$TAP_TMP/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
	chmod -R u+rwX "$TAP_TMP" 2>/dev/null
	rm -rf --one-file-system "$TAP_TMP"
}

tap_make_tmp() {
	local here
	TAP_TMP=$(mktemp -d "${TMPDIR:-/tmp}/fuss-test.XXXXXX") || exit 1
	here=$(cd "$TAP_TMP" && pwd -P)
	TAP_TMP=$here
	: >"$TAP_TMP/.fuss-test"
	chmod 755 "$TAP_TMP"
	trap tap_cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# --- mounts -------------------------------------------------------------------------------------

# A kernel overlay can be mounted here: by root, or by an ordinary user in a user namespace.
need_overlay() {
	local t r=0
	t=$(mktemp -d "${T:-$TAP_TMP}/ovl.XXXXXX") && mkdir "$t"/{l,u,w,m} || return 1
	if [ "$(id -u)" = 0 ]; then
		unshare -m mount -t overlay o -o "lowerdir=$t/l,upperdir=$t/u,workdir=$t/w" "$t/m" \
			>/dev/null 2>&1 || r=1
	else
		unshare -U -c -m --keep-caps mount -t overlay o \
			-o "userxattr,lowerdir=$t/l,upperdir=$t/u,workdir=$t/w" "$t/m" \
			>/dev/null 2>&1 || r=1
	fi
	rm -rf "$t"
	return $r
}

need_fuse_overlayfs() {
	have fuse-overlayfs && [ -w /dev/fuse ]
}

prog() { # a helper program of tests/prog
	printf '%s/prog/%s' "$TAP_BIN" "$1"
}

tree_of() { # [flags] DIR
	"$(prog tree)" "$@"
}

# mounted WITH LOWER UPPER WORK OPTIONS CMD...: runs CMD with the overlay mounted at $M, which is made for
# that.  WITH is kernel or fuse-overlayfs.  Done in a mount namespace of its own, nothing is left behind.
mounted() {
	local with=$1 lower=$2 upper=$3 work=$4 mopts=$5 made='' r
	local -a ns=(unshare -m)
	shift 5
	[ -d "$M" ] || { mkdir -p "$M" && made=1; }
	mkdir -p "$work"
	if [ "$(id -u)" != 0 ]; then
		ns=(unshare -U -c -m --keep-caps)
		[ "$with" != kernel ] || mopts=userxattr,$mopts
	fi
	# shellcheck disable=SC2016
	timeout --foreground -k 5 "$FUSS_TEST_TIMEOUT" "${ns[@]}" bash -c '
		with=$1 at=$2 opts=$3 layers=$4; shift 4
		case $with in
		kernel) mount -t overlay o -o "$opts,$layers" "$at" ;;
		*) fuse-overlayfs -o "$layers" "$at" 2>&1 | grep -v "unknown argument ignored" >&2 ;;
		esac
		mountpoint -q "$at" || exit 97
		drop=
		[ "$(id -u)" = 0 ] || drop="setpriv --ambient-caps -all --inh-caps -all"
		$drop "$@"; r=$?
		umount "$at" 2>/dev/null || umount -l "$at"
		exit $r' mounted "$with" "$M" "$mopts" "lowerdir=$lower,upperdir=$upper,workdir=$work" "$@"
	r=$?
	[ -z "$made" ] || rmdir "$M"
	return $r
}

# --- layers and views ---------------------------------------------------------------------------

tap_n=0
fresh() {
	tap_n=$((tap_n + 1))
	cd "$T" || exit 1
	mkdir "$T/$tap_n" || exit 1
	L=$T/$tap_n/lower U=$T/$tap_n/upper W=$T/$tap_n/work M=$T/$tap_n/mp
	mkdir "$L" "$U" "$W"
	LOWER='' FUSS_OPTS=() tap_sealed=''
	export L U W M
	cd "$T/$tap_n" || exit 1
}

tap_seal() {
	[ -z "$tap_sealed" ] || return 0
	tap_sealed=1
	[ ! -d "$L" ] || tree_of "$L" >"$T/$tap_n/lower.before" 2>/dev/null
}

# The layers that are not the upper: $LOWER (as --lowerdir takes it) or $L.
view() {
	local -a opts
	tap_seal
	opts=(--mountpoint="$M" --lowerdir="${LOWER:-$L}" --upperdir="$U" --whiteout="$DIALECT")
	timeout --foreground -k 5 "$FUSS_TEST_TIMEOUT" \
		"$FUSS" "${opts[@]}" ${FUSS_OPTS[@]+"${FUSS_OPTS[@]}"} -- "$@"
}

vsh() {
	# shellcheck disable=SC2016
	view /bin/sh -c 'cd "$M" || exit 99; script=$1; shift; eval "$script"' sh "$@"
}

# Nothing below the lower layers changed, and the directory under the mount point is as it was.
untouched() {
	local now=$T/$tap_n/lower.now
	tree_of "$L" >"$now" 2>/dev/null
	is "${1:-}lower layer untouched" "$(diff "$T/$tap_n/lower.before" "$now")" ""
	[ "$M" = "$L" ] || ok "${1:-}nothing at the place of the mount point" [ ! -e "$M" ]
}

# What a mount shows of the layers.  The upper is used as it is; only the work directory is another.
tap_mount_tree() { # kernel|fuse-overlayfs, output file, tree flags...
	local with=$1 out=$2 extra='' r
	shift 2
	if [ "$(id -u)" = 0 ] || [ -z "${TAP_SERVICE:-}" ]; then
		[ "$with" != kernel ] || [ "${TAP_AS:-$WHO}" = root ] || [ "$(id -u)" != 0 ] || extra=userxattr,
		mounted "$with" "${LOWER:-$L}" "$U" "$T/$tap_n/mount-$with" "$extra${MOUNT_OPTS:-index=off}" \
			"$(prog tree)" "$@" "$M" >"$out" 2>"$out.err"
	else
		# Only root may mount: the process that started this one does it.
		printf '@tree %q %q %q %q %q %q %q %q\n' "$with" "$out" "${LOWER:-$L}" "$U" "$M" \
			"$tap_n" "${MOUNT_OPTS:-index=off}" "$*" >&"$TAP_FD"
		read -r r <"$TAP_SERVICE"
		return "$r"
	fi
}

tap_serve() { # the request of tap_mount_tree, run by root
	local with out lower upper r
	local -a req
	eval "req=($1)"
	with=${req[1]} out=${req[2]} lower=${req[3]} upper=${req[4]}
	(
		# shellcheck disable=SC2030,SC2034
		M=${req[5]} tap_n=${req[6]} MOUNT_OPTS=${req[7]} LOWER=$lower U=$upper TAP_AS=user WHO=user
		# shellcheck disable=SC2086
		tap_mount_tree "$with" "$out" ${req[8]}
	)
	r=$?
	printf '%s\n' "$r" >"$TAP_SERVICE"
}

same_on_mounts() { # [description]
	local what=${1:+$1: } v=$T/$tap_n/view.tree k=$T/$tap_n/mount.tree flags
	view "$(prog tree)" "$M" >"$v" 2>"$v.err"
	is "${what}the view can be read" "$(cat "$v.err")" ""
	untouched "$what"
	if [ "$DIALECT" != chardev ]; then
		:
	elif [ -z "$TAP_OVERLAY" ]; then
		skip "${what}a kernel mount shows the same" "no overlay mounts here"
	else
		tap_mount_tree kernel "$k"
		is "${what}a kernel mount shows the same" "$(diff "$k" "$v"; cat "$k.err")" ""
	fi
	if [ -n "$(find "$U" "$L" -type p -print -quit 2>/dev/null)" ]; then
		skip "${what}fuse-overlayfs shows the same" "it hangs when it meets a FIFO"
	elif [ -z "$TAP_FUSE_OVERLAYFS" ]; then
		skip "${what}fuse-overlayfs shows the same" "no fuse-overlayfs here"
	else
		# It counts links in its own way, and it never shows trusted.* of a layer.
		flags=-nx
		tap_mount_tree fuse-overlayfs "$k" $flags
		view "$(prog tree)" $flags "$M" >"$v" 2>"$v.err"
		is "${what}fuse-overlayfs shows the same" "$(diff "$k" "$v"; cat "$k.err")" ""
	fi
}

# --- variants -----------------------------------------------------------------------------------

# A place that the ordinary user can read, with copies of the programs and the scripts.
tap_stage() {
	mkdir "$TAP_TMP/bin" "$TAP_TMP/bin/prog" "$TAP_TMP/tests"
	[ ! -x "$FUSS" ] || cp "$FUSS" "$TAP_TMP/bin/fuss"
	find "$FUSS_TEST_BUILD/tests/prog" -maxdepth 1 -type f -perm -u+x \
		-exec cp {} "$TAP_TMP/bin/prog/" \; 2>/dev/null
	cp -R "$tap_dir"/. "$TAP_TMP/tests/"
	chmod -R a+rX "$TAP_TMP/bin" "$TAP_TMP/tests"
	[ ! -x "$TAP_TMP/bin/fuss" ] || FUSS=$TAP_TMP/bin/fuss
	TAP_BIN=$TAP_TMP/bin
	export FUSS TAP_BIN FUSS_TEST_TIMEOUT
}

tap_features() {
	TAP_OVERLAY=$(need_overlay && echo 1)
	TAP_FUSE_OVERLAYFS=$(need_fuse_overlayfs && echo 1)
	export TAP_OVERLAY TAP_FUSE_OVERLAYFS
}

# Tracing is possible at all?
need_fuss() {
	[ -x "$FUSS" ] || have "$FUSS" || skip_all "no program at $FUSS"
	case $(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null) in
	3) skip_all "kernel.yama.ptrace_scope is 3: no tracing here" ;;
	2) [ "$(id -u)" = 0 ] || skip_all "kernel.yama.ptrace_scope is 2: only root may trace" ;;
	esac
}

tap_variant() { # who, dialect, number: runs the body, passes its results on
	local who=$1 dialect=$2 dir=$TAP_TMP/$3 line st
	local -a as=()
	mkdir "$dir"
	TAP_SERVICE=
	if [ "$who" = user ] && [ "$(id -u)" = 0 ]; then
		chown "$FUSS_TEST_USER:" "$dir"
		as=(setpriv --reuid="$FUSS_TEST_USER" --regid="$(id -g "$FUSS_TEST_USER")" --clear-groups --)
		TAP_SERVICE=$TAP_TMP/service.$3
		mkfifo -m 644 "$TAP_SERVICE"
	fi
	while IFS= read -r line; do
		case $line in
		'ok - '* | 'not ok - '*)
			tap_count=$((tap_count + 1))
			printf '%s\n' "${line/ - / $tap_count - $who, $dialect: }"
			;;
		'# '*) printf '%s\n' "$line" ;;
		'@tree '*) T=$dir tap_serve "$line" ;;
		'@done '*)
			# Not the end of the pipe: a process that was left behind may hold it.
			st=${line#@done }
			break
			;;
		esac
	done < <(
		cd "$dir" || exit 1
		${as[@]+"${as[@]}"} env T="$dir" HOME="$dir" TMPDIR="$dir" WHO="$who" DIALECT="$dialect" \
			TAP_VARIANT=1 TAP_SERVICE="$TAP_SERVICE" srcdir="$TAP_TMP" \
			bash "$TAP_TMP/tests/${tap_self##*tests/}" ${tap_args[@]+"${tap_args[@]}"} 2>"$dir/stderr" </dev/null
		r=$?
		sed 's/^/# stderr: /' "$dir/stderr" | head -n 40
		echo "@done $r"
	)
	if [ "${st:-1}" != 0 ]; then
		tap_count=$((tap_count + 1))
		printf 'not ok %d - %s, %s: the test ends with status %s\n' "$tap_count" "$who" "$dialect" \
			"${st:-?}"
	fi
	[ -z "${FUSS_TEST_KEEP:-}" ] || return 0
	chmod -R u+rwX "$dir" 2>/dev/null
	rm -rf --one-file-system "$dir"
}

# variants BODY [dialect...]
variants() {
	local body=$1 who dialect n=0 users
	shift
	if [ -n "${TAP_VARIANT:-}" ]; then
		exec {TAP_FD}>&1 >/dev/null
		"$body"
		exit 0
	fi
	[ $# -gt 0 ] || set -- chardev fileprefix
	# shellcheck disable=SC2086
	[ -z "${FUSS_TEST_DIALECTS:-}" ] || set -- $FUSS_TEST_DIALECTS
	need_fuss
	tap_make_tmp
	tap_stage
	tap_features
	if [ "$(id -u)" = 0 ]; then
		case ${FUSS_TEST_USERS:-both} in
		both) users="root user" ;;
		self | root) users=root ;;
		*) users=user ;;
		esac
	else
		users=user
	fi
	tap_count=0
	for who in $users; do
		for dialect; do
			n=$((n + 1))
			tap_variant "$who" "$dialect" "$n"
		done
	done
	printf '1..%d\n' "$tap_count"
}

# For tests that have no variants: plain ok, is, like and then done_testing.
tap_plain() {
	tap_make_tmp
	tap_stage
	tap_features
	T=$TAP_TMP/plain WHO=self DIALECT=chardev
	mkdir "$T"
	exec {TAP_PLAIN}> >(awk '
		/^(not )?ok - / { n++; sub(/ok -/, "ok " n " -") } { print; fflush() }
		END { print "1.." n + 0 }')
	tap_plain_pid=$!
	TAP_FD=$TAP_PLAIN
}

done_testing() {
	exec {TAP_PLAIN}>&-
	wait "$tap_plain_pid"
	exit 0
}
