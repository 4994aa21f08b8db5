#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An autotools project: configure, make and make check in the view give the same as outside.  The project is the
# tarball that $FUSS_TEST_TARBALL names, else a small one with the usual parts made here.
. "${srcdir:-.}/tests/tap.sh"

project() {
	mkdir -p "$1/src" "$1/tests"
	printf 'AC_INIT([sample],[1.0])\nAC_CONFIG_AUX_DIR([build-aux])\nAM_INIT_AUTOMAKE([foreign subdir-objects])\n' \
		>"$1/configure.ac"
	printf 'AC_PROG_CC\nAC_CHECK_HEADERS([unistd.h sys/stat.h])\nAC_CHECK_FUNCS([openat2 renameat2])\n' >>"$1/configure.ac"
	printf 'AC_CONFIG_HEADERS([config.h])\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n' >>"$1/configure.ac"
	printf 'bin_PROGRAMS = src/sample\nTESTS = tests/run.sh\nEXTRA_DIST = tests/run.sh\n' >"$1/Makefile.am"
	printf '#include "config.h"\n#include <stdio.h>\nint main(void) { puts(PACKAGE_STRING); return 0; }\n' >"$1/src/sample.c"
	printf '#!/bin/sh\ntest "$(./src/sample)" = "sample 1.0"\n' >"$1/tests/run.sh"
	chmod 755 "$1/tests/run.sh"
	(cd "$1" && mkdir build-aux && autoreconf -fi)
}

build='./configure --prefix=/usr >/dev/null && make -j2 >/dev/null && make check && make install DESTDIR="$PWD/inst" >/dev/null &&
	find inst | sort'

body() {
	local out
	have make && have cc || { skip "configure, make, make check" "make and a compiler are needed"; return; }
	fresh
	if [ -n "${FUSS_TEST_TARBALL:-}" ]; then
		tar -xf "$FUSS_TEST_TARBALL" -C "$L" --strip-components=1
	elif have autoreconf; then
		project "$L" >"$T/out" 2>&1
	else
		skip "configure, make, make check" "autoreconf is not installed and FUSS_TEST_TARBALL not set"
		return
	fi
	cp -a "$L" "$T/native"
	out=$(cd "$T/native" && sh -c "$build" 2>&1 | grep -E '^(# [A-Z]+:|PASS|FAIL|inst)')
	is "the same results as outside" "$(vsh "$build" 2>&1 | grep -E '^(# [A-Z]+:|PASS|FAIL|inst)')" "$out"
	is "the same files were made" "$(vsh 'find . -type f | sort')" "$(cd "$T/native" && find . -type f | sort)"
	same_on_mounts
	ok "make distclean" vsh 'rm -rf inst && make distclean'
	same_on_mounts cleaned
}
variants body
