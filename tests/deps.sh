#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs with apt-get what the build and the tests use.  --build: only what the build needs.  Packages that
# the distribution does not have are left out: their tests skip.
set -eu

build="autoconf automake gcc make pkgconf libattr1-dev libcap-dev libseccomp-dev libc6-dev"
tests="check libsubunit-dev attr acl mandoc groff shellcheck codespell python3 python3-venv git rsync vim-tiny
	golang-go nodejs npm fuse-overlayfs strace patchelf util-linux mount bash zsh fish debhelper"

if ! command -v apt-get >/dev/null 2>&1; then
	echo "deps.sh: no apt-get here; install by the means of your system: $build" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	sudo=sudo
fi
if [ "${1:-}" = --build ]; then
	tests=
fi
missing=
for p in $build $tests; do
	dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
done
# A tool that is there by another way needs no package.
wanted=
for p in $missing; do
	case $p in
	golang-go) command -v go >/dev/null 2>&1 && continue ;;
	nodejs) command -v node >/dev/null 2>&1 && continue ;;
	vim-tiny) command -v vi >/dev/null 2>&1 && continue ;;
	npm | git | rsync | strace | shellcheck | mandoc | patchelf) command -v "$p" >/dev/null 2>&1 && continue ;;
	esac
	wanted="$wanted $p"
done
[ -n "$wanted" ] || exit 0
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q
# shellcheck disable=SC2086
if ! $sudo apt-get install -q -y --no-install-recommends $wanted; then
	# One by one: what the build needs must be there, the rest may be missing.
	for p in $wanted; do
		$sudo apt-get install -q -y --no-install-recommends "$p" || case " $build check " in
		*" $p "*)
			echo "deps.sh: cannot install $p" >&2
			exit 1
			;;
		esac
	done
fi
