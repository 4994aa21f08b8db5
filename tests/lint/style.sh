#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Rules about every file: a licence line, widths, white space, no leftovers.
. "${srcdir:-.}/tests/tap.sh"
tap_plain
cd "${srcdir:-.}" || exit 1
files() { # tracked kinds of text
	find src tests man .ci -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' -o -name '*.ops' -o -name '*.am' \
		-o -name '*.py' -o -name '*.go' -o -name '*.1' -o -path 'src/completion/*' -o -path .ci/run \) | sort
	ls configure.ac Makefile.am autogen.sh
}
is "an SPDX line within the first three" "$(files | while read -r f; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT' || case $f in *.ops) ;; *) echo "$f" ;; esac; done)" ""
is "no line of C over 120 columns (100 are the rule)" "$(find src -name '*.[ch]' | sort | while read -r f; do
	expand "$f" | awk -v f="$f" 'length > 120 { print f ":" NR ": " length }'; done | head -n 20)" ""
is "no white space at the end of lines" "$(files | xargs grep -nE '[[:blank:]]+$' | head -n 10)" ""
is "a newline at the end" "$(files | while read -r f; do [ -z "$(tail -c 1 "$f")" ] || echo "$f"; done)" ""
is "nothing left to do in comments" "$(files | grep -v lint/style | xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' | head)" ""
is "tabs indent C" "$(find src -name '*.[ch]' -exec grep -nE '^ {8}' {} + | head -n 5)" ""
is "files of C of at most 800 lines" "$(find src -name '*.c' -exec wc -l {} + | awk '$2 != "total" && $1 > 800')" ""
done_testing
