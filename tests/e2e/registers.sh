#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Argument registers and memory below the stack pointer are the program's own; Go programs live on that.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	echo x >"$L/file"
	ok "registers and memory around redirected calls" view "$(prog registers)" "$M"
	ok "threads with the smallest stacks" vsh "mkdir t && $(prog threads) t 8 10 16384"
	untouched
}
variants body
