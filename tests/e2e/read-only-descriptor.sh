#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Changes through a descriptor that was opened for reading never reach the lower layer.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	mkdir "$L/d"
	for i in 1 2 3 4 5 6 7 8 9 10; do echo $i >"$L/$i"; done
	is "fchmod, futimens, fsetxattr and their like" "$(view sh -c "cd $M && $(prog sysprobe)" <<-'END' |
		$1 = open 1 O_RDONLY
		$2 = open 2 O_RDONLY
		$3 = open 3 O_RDONLY
		$4 = open 4 O_RDONLY
		$5 = open 5 O_RDONLY
		$d = open d O_RDONLY|O_DIRECTORY
		fchmod $1 0604
		futimens $2 1000000000 1000000000
		fsetxattr $3 user.x y
		fsetxattr $4 user.x y
		fremovexattr $4 user.x
		fchown $5 0xffffffff 0xffffffff
		fchmod $d 0711
		futimens $d 1000000000 1000000000
		fsetxattr $d user.x y
		stat 1
		stat 2
		getxattr 3 user.x
		fstat $1
		open /proc/self/fd/7 O_RDWR
		END
		sed -n 's/^\(stat\|getx\|f\).* => //p')" \
		"0
0
0
0
0
0
0
0
0
reg 0604 $(id -u):$(id -g) links=1 id=#0 size=2 mtime=now
reg 0644 $(id -u):$(id -g) links=1 id=#1 size=2 mtime=1000000000.000000000
1 'y'
reg 0604 $(id -u):$(id -g) links=1 id=#0 size=2 mtime=now"
	ok "opened again for writing through /proc/self/fd" \
		vsh 'exec 7<6; echo more >>/proc/self/fd/7; [ "$(cat 6)" = "$(printf "6\nmore")" ]'
	ok "linked by its descriptor" vsh 'exec 7<7; ln -L /proc/self/fd/7 linked && echo more >>linked &&
		[ "$(cat 7)" = "$(printf "7\nmore")" ]'
	is "a reader sees what was written later" \
		"$(vsh 'exec 7<8; read -r a <&7; echo later >>8; cat <&7; echo $a')" $'later\n8'
	is "with duplicates that share an offset" "$(vsh 'exec 7<9 8<&7; read -r a <&7; printf "x\ny\n" >>9
		read -r b <&8; read -r c <&7; echo $a $b $c')" "9 x y"
	is "and one in another process" "$(vsh 'sh -c "exec 7<10; : >ready; while [ ! -e go ]; do sleep 0.1; done
		cat <&7" & while [ ! -e ready ]; do sleep 0.1; done; echo new >>10; : >go; wait; rm go ready')" \
		$'10\nnew'
	ok "a raw descriptor of the layer stays on it" view sh -c \
		"exec 7<$L/d/../2; echo no >>$M/2; [ \"\$(cat <&7)\" = 2 ]"
	same_on_mounts
}
variants body
