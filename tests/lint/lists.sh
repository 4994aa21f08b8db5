#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every file of src and of the tests is in the lists of the makefiles, and every listed file exists.
. "${srcdir:-.}/tests/tap.sh"
tap_plain
cd "${srcdir:-.}" || exit 1

listed() { # the words of the makefile fragments that look like paths under a directory
	sed 's/#.*//' src/Makemodule.am man/Makemodule.am tests/Makemodule.am Makefile.am | tr -s ' \t\\' '\n' |
		grep "^$1/" | sort -u
}

is "sources" "$(listed src)" "$( (find src -name '*.c' -o -name '*.h' -o -name '*.def'
	find src/completion -type f; echo src/README; echo src/Makemodule.am) | sort -u)"
is "manual pages" "$(listed man | grep -v Makemodule)" "$(find man -name '*.[1-8]' | sort)"
# Programs are listed without their suffix.
is "tests" "$(listed tests | grep -vE '^tests/(Makemodule.am|unit/libunit.a|fuzz/fuzz(\$\(EXEEXT\))?)$' | sed 's/\.c$//' | sort -u)" \
	"$(find tests -type f ! -name Makemodule.am \( -path '*/unit/*.[ch]' -o -path '*/prog/*.c' -o -path '*/prog/*.go' -o -path '*/fuzz/*.[ch]' \
		-o -name '*.sh' -o -name '*.ops' -o -name '*.py' -o -name '*.awk' -o -name README -o -name codespellrc \) |
		sed 's/\.c$//' | sort)"
done_testing
