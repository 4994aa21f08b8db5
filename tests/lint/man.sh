#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The manual page: valid mdoc, for mandoc and groff.
. "${srcdir:-.}/tests/tap.sh"
tap_plain
cd "${srcdir:-.}" || exit 1
for page in man/*.[1-8]; do
	if have mandoc; then
		is "mandoc -T lint $page" "$(mandoc -T lint -W warning "$page" 2>&1)" ""
	else
		skip "mandoc -T lint $page" "mandoc is not installed"
	fi
	if have groff; then
		is "groff -ww $page" "$(groff -mandoc -ww -Tutf8 "$page" 2>&1 >/dev/null)" ""
	else
		skip "groff -ww $page" "groff is not installed"
	fi
	for section in NAME SYNOPSIS DESCRIPTION ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
		ok "$page has $section" grep -q "^\.Sh $section\$" "$page"
	done
done
done_testing
