#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A lower layer that others change while the command runs: seen at once, whatever was asked before.
. "${srcdir:-.}/tests/tap.sh"

# Inside: $1 is a FIFO for requests to the outside, $2 the one for answers.
script='exec 3>"$1" 4<"$2"
outside() { echo "$1" >&3; read -r _ <&4; }
cat f; ls d; readlink ln; [ -e new ] || [ -e d/new ] || echo none
outside "echo 2 >f; echo n >new; echo dn >d/new; ln -sfn other ln"
cat f new d/new; readlink ln; echo mine >mine
outside "mv d dold; mkdir d; echo fresh >d/y"
ls d dold; cat d/y
outside "rm -r d; rm f; echo file >d"
cat d; [ -e f ] || echo f is gone; echo $(ls)
outside "rm d; mkdir -p d/e/g; chmod 700 d"
ls d/e; touch d/e/g/z; stat -c %a d'

answer() {
	local line
	while read -r line; do
		(cd "$L" && eval "$line")
		echo answered
	done
}

body() {
	fresh
	mkfifo "$T/request" "$T/answer"
	for M in "$L" "$T/elsewhere"; do
		rm -rf "${L:?}"/* "${U:?}"/*
		mkdir "$L/d"
		echo 1 >"$L/f"
		echo a >"$L/d/x"
		ln -s f "$L/ln"
		answer <"$T/request" >"$T/answer" &
		is "all changes are seen, $([ "$M" = "$L" ] && echo in place || echo elsewhere)" "$(vsh "$script" "$T/request" "$T/answer")" "1
x
f
none
2
n
dn
other
d:
y

dold:
new
x
fresh
file
f is gone
d dold ln mine new
g
700"
		wait
		is "only the upper layer was written to" "$(cd "$U" && find . -type f | sort | tr '\n' ' ')" \
			"./d/e/g/z ./mine "
	done
}
variants body
