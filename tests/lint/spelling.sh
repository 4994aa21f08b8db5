#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# codespell on everything that is written in words.
. "${srcdir:-.}/tests/tap.sh"
tap_plain
have codespell || { skip "codespell" "codespell is not installed"; done_testing; }
cd "${srcdir:-.}" || exit 1
is "codespell" "$(codespell --config tests/lint/codespellrc README NEWS man src tests configure.ac Makefile.am .ci 2>&1)" ""
done_testing
