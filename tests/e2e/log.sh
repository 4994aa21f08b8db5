#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# FUSS_LOG_LEVEL: a line of logfmt for each intercepted call, on the standard error of fuss.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local log line
	fresh
	echo x >"$L/file"
	log=$(FUSS_LOG_LEVEL=intercept view cat "$M/file" "$M/nothing" 2>&1 >/dev/null)
	line=$(grep 'vfs=/*file' <<<"$log" | grep -E 'syscall=open(at)?' | head -n 1)
	like "time" "$line" '^time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+ level=INFO msg=intercept pid=[0-9]+ syscall=open'
	like "path as given and resolved" "$line" "path=$M/file .*resolved=($M|$L)/file .*vfs=/?file .*layer=[0-9]+"
	like "the result" "$line" 'result=[0-9]+$'
	like "a call that fails" "$(grep 'nothing' <<<"$log" | grep syscall=open)" 'result=(-?ENOENT|-2)'
	like "a change" "$(FUSS_LOG_LEVEL=intercept view mkdir "$M/dir" 2>&1)" 'syscall=mkdir(at)? .*path=[^ ]*/dir .*result=0'
	is "nothing without it" "$(view cat "$M/file" 2>&1)" x
	ok "FUSS_DEBUG=1 says no less" sh -c '[ "$1" -ge "$2" ]' sh \
		"$(FUSS_DEBUG=1 view cat "$M/file" 2>&1 | wc -l)" "$(FUSS_LOG_LEVEL=intercept view cat "$M/file" 2>&1 | wc -l)"
	is "another value is refused" "$(FUSS_LOG_LEVEL=loud view true 2>&1 | wc -l; FUSS_LOG_LEVEL=loud view true 2>/dev/null
		echo $?)" $'1\n125'
	is "a command that closes its standard error does not lose it to others" \
		"$(FUSS_LOG_LEVEL=intercept view sh -c 'exec 2>&-; exec 2>"$0/captured"; cat "$0/file"' "$M" 2>/dev/null
		grep -c intercept "$U/captured")" $'x\n0'
}
variants body
