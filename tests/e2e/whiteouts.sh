#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Deleted names: never listed, never reachable, in every form that a layer may have; free to be used again.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local i
	fresh
	mkdir "$L/d"
	for i in a b c d e f; do echo $i >"$L/$i.txt"; done
	echo x >"$L/d/x"
	vsh 'rm a.txt; mv b.txt b2.txt; rm d/x; rm c.txt; echo again >c.txt'
	is "names that are gone are not listed" "$(vsh 'ls -A; ls -A d')" $'b2.txt\nc.txt\nd\nd.txt\ne.txt\nf.txt'
	is "nor can they be reached" "$(vsh 'for f in a.txt b.txt d/x; do [ -e $f ] || [ -L $f ] && echo $f; done')" ""
	vsh 'mv d.txt a.txt; mv e.txt b.txt'
	is "a name that is gone can be renamed to" "$(vsh 'cat a.txt b.txt; ls')" \
		$'d\ne\na.txt\nb.txt\nb2.txt\nc.txt\nd\nf.txt'
	case $DIALECT in
	chardev) is "whiteouts are character devices" \
		"$(cd "$U" && find . -type c | sort | tr '\n' ' ')" "./d.txt ./d/x ./e.txt " ;;
	fileprefix) is "whiteouts are files" "$(cd "$U" && find . -name '.wh.*' ! -name '.wh..*' -type f -size 0 |
		sort | tr '\n' ' ')" "./.wh.d.txt ./.wh.e.txt ./d/.wh.x " ;;
	esac
	is "a failed call leaves no whiteout" "$(vsh 'rmdir d/y f.txt 2>/dev/null; mv f.txt d/no/f 2>/dev/null
		rm d 2>/dev/null; ls -A' | tr '\n' ' ')" "a.txt b.txt b2.txt c.txt d f.txt "
	same_on_mounts

	# What other programs wrote.  A name that begins with .wh. is an ordinary one in an upper of the kernel's.
	fresh
	mkdir -p "$L/d" "$L/o" "$L/p" "$L/q"
	for i in a b c; do echo $i >"$L/$i"; echo $i >"$L/d/$i"; echo $i >"$L/o/$i"; echo $i >"$L/p/$i"; done
	echo q >"$L/q/q"
	forms() { # directory, with the prefix forms?
		mkdir -p "$1/d" "$1/o" "$1/p" "$1/q"
		mknod "$1/a" c 0 0
		mknod "$1/d/a" c 0 0
		setfattr -n user.overlay.opaque -v y "$1/o"
		setfattr -n user.fuseoverlayfs.opaque -v y "$1/q"
		echo new >"$1/p/new"
		[ "$2" = prefix ] || return 0
		: >"$1/.wh.b"
		: >"$1/d/.wh.b"
		: >"$1/p/.wh..wh..opq"
	}
	forms "$U" "$([ "$DIALECT" = chardev ] || echo prefix)"
	if [ "$DIALECT" = chardev ]; then
		is "forms that are understood, in the upper" "$(vsh 'find . | sort | tr "\n" " "')" \
			". ./b ./c ./d ./d/b ./d/c ./o ./p ./p/a ./p/b ./p/c ./p/new ./q "
	else
		is "forms that are understood, in the upper" "$(vsh 'find . | sort | tr "\n" " "')" \
			". ./c ./d ./d/c ./o ./p ./p/new ./q "
	fi
	mkdir "$T/$tap_n/middle" "$T/$tap_n/top"
	forms "$T/$tap_n/middle" prefix
	LOWER=$T/$tap_n/middle:$L U=$T/$tap_n/top
	is "all forms in a lower layer" "$(vsh 'find . | sort | tr "\n" " "')" ". ./c ./d ./d/c ./o ./p ./p/new ./q "
	if [ "$DIALECT" = fileprefix ]; then
		like "names with the prefix cannot be made" "$(vsh 'echo x >.wh.x' 2>&1)" '(Invalid|denied|permitted)'
		is "nor looked up" "$(vsh 'cat .wh.b 2>&1')" "cat: .wh.b: No such file or directory"
	fi
}
variants body
