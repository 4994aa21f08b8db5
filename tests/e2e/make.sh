#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# make -j4 of C files, in the mount and in place; the same results as outside.
. "${srcdir:-.}/tests/tap.sh"

project() {
	local i
	mkdir -p "$1/src" "$1/include"
	echo 'int value(int);' >"$1/include/value.h"
	for i in $(seq 1 16); do
		printf '#include "value.h"\nint f%d(void);\nint f%d(void) { return value(%d); }\n' $i $i $i >"$1/src/f$i.c"
	done
	{
		echo '#include <stdio.h>'
		echo '#include "value.h"'
		for i in $(seq 1 16); do echo "int f$i(void);"; done
		echo 'int value(int x) { return x; }'
		echo 'int main(void) { int s = 0;'
		for i in $(seq 1 16); do echo "s += f$i();"; done
		echo 'printf("%d\n", s); return 0; }'
	} >"$1/src/main.c"
	cat >"$1/Makefile" <<-'END'
		.RECIPEPREFIX = >
		objects = $(patsubst src/%.c,obj/%.o,$(wildcard src/*.c))
		prog: $(objects)
		> $(CC) -o $@ $^
		obj/%.o: src/%.c include/value.h
		> @mkdir -p obj
		> $(CC) -Iinclude -c -o $@ $<
		check: prog
		> test "$$(./prog)" = 136
		clean:
		> rm -rf obj prog
	END
	find "$1" -exec touch -d '2020-02-03 04:05:06' {} +
}

body() {
	local i bad=0
	export CC=${FUSS_TEST_CC:-cc}
	have make && have "${CC%% *}" || { skip "make -j4" "make and a compiler are needed"; return; }
	fresh
	project "$L"
	for i in 1 2 3 4 5; do
		vsh 'make -j4 check CC="$CC" && make clean && make -j4 CC="$CC" check' >"$T/out" 2>&1 || {
			bad=$((bad + 1)); note "round $i: $(tail -n 5 "$T/out")"; }
		[ "$i" = 5 ] || vsh 'make clean' >/dev/null
	done
	is "make -j4, make clean, 5 times" "$bad" 0
	is "what was made" "$(vsh './prog; ls obj | wc -l')" $'136\n17'
	like "nothing to do in the next run" "$(vsh 'make CC="$CC"')" 'up to date'
	is "a changed header makes all again" "$(vsh 'touch include/value.h; make -j4 CC="$CC" | grep -c -- -c')" 17
	same_on_mounts
	fresh
	project "$L"
	M=$L
	ok "in place" vsh 'make -j4 CC="$CC" check'
	untouched "in place: "
}
variants body
