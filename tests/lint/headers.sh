#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each header can be included alone, twice; its guard is named for its path.
. "${srcdir:-.}/tests/tap.sh"
tap_plain
cc=${FUSS_TEST_CC:-cc}
have "${cc%% *}" || { skip "headers" "no compiler"; done_testing; }
top=$(cd "${srcdir:-.}" && pwd)
cd "$top/src" || exit 1
bad='' guards=''
while read -r h; do
	h=${h#./}
	printf '#include "config.h"\n#include "%s"\n#include "%s"\n' "$h" "$h" >"$T/t.c"
	# config.h of the build, or what matters of it.
	[ -e "$FUSS_TEST_BUILD/config.h" ] || echo '#define _GNU_SOURCE 1' >"$T/config.h"
	$cc -std=gnu11 -Wall -Wextra -Werror -Wno-unused-function -fsyntax-only -I"$T" -I"$FUSS_TEST_BUILD" \
		-I"$top/src" "$T/t.c" >"$T/out" 2>&1 || { bad="$bad $h"; note "$(head -n 5 "$T/out")"; }
	g=FUSS_$(tr 'a-z/.-' 'A-Z___' <<<"$h")
	[ "$(grep -cE "^#(ifndef|define) $g\$" "$h")" = 2 ] || guards="$guards $h"
done < <(find . -name '*.h' | sort)
is "headers that need another before them" "$bad" ""
is "guards that are not FUSS_<DIR>_<FILE>_H" "$guards" ""
done_testing
