#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every script passes shellcheck.
. "${srcdir:-.}/tests/tap.sh"
tap_plain
have shellcheck || { skip "shellcheck" "shellcheck is not installed"; done_testing; }
cd "${srcdir:-.}" || exit 1
# Not from where a test is read, and variables that tap.sh and the tests give each other.
for f in autogen.sh .ci/run tests/deps.sh tests/tap.sh tests/*/*.sh src/completion/fuss; do
	is "$f" "$(shellcheck -S warning -e SC1010,SC1091,SC2034,SC2154 "$f" 2>&1)" ""
done
done_testing
