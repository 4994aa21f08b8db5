#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Commands, scripts and interpreters inside the mount; $0, /proc/self/exe and the cwd show the paths of the view.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local cat
	fresh
	cat=$(command -v cat)
	mkdir -p "$L/bin" "$L/d"
	cp "$(readlink -f "$cat")" "$L/bin/cat"
	cp "$(readlink -f /bin/sh)" "$L/bin/mysh"
	cp "$(readlink -f "$(command -v readlink)")" "$L/bin/readlink"
	printf '#!/bin/sh\necho "script $0 $*"\n' >"$L/start.sh"
	printf '#!%s/bin/mysh\necho "inside $0 $*"\n' "$M" >"$L/inside.sh"
	printf '#!start.sh\n' >"$L/d/nested"
	printf 'echo "plain $0"\n' >"$L/plain"
	printf '#!/nonexistent/interpreter\n' >"$L/bad"
	printf '#!%s/start.sh one\n' "$M" >"$L/chain"
	chmod 755 "$L"/*.sh "$L/d/nested" "$L/plain" "$L/bad" "$L/chain"
	echo text >"$L/text"
	is "the first command, by its path in the mount" "$(view "$M/bin/cat" "$M/text")" text
	is "a script as the first command" "$(view "$M/start.sh" a b)" "script $M/start.sh a b"
	is "an interpreter inside the mount" "$(view "$M/inside.sh" x)" "inside $M/inside.sh x"
	is "a script as the interpreter of a script" "$(view "$M/chain" z)" "script $M/start.sh one $M/chain z"
	is "by a relative path" "$(vsh './start.sh r; cd d && ../start.sh q; ../bin/cat ../text')" \
		$'script ./start.sh r\nscript ../start.sh q\ntext'
	is "through PATH" "$(PATH=$M/bin:$PATH view mysh -c 'cat "$0"; command -v cat' "$M/text")" "text
$M/bin/cat"
	is "/proc/self/exe" "$(view "$M/bin/readlink" /proc/self/exe)" "$M/bin/readlink"
	is "/proc/self/cwd and getcwd" "$(vsh 'cd d && "$M/bin/readlink" /proc/self/cwd; pwd -P; /bin/pwd')" \
		"$M/d
$M/d
$M/d"
	is "/proc/self/fd/N" "$(vsh 'exec 8<text; readlink /proc/self/fd/8; cat /proc/self/fd/8; cat /dev/fd/8 <&8')" \
		"$M/text
text
text"
	is "a program written in the view runs at once" "$(vsh 'cp /bin/echo e && ./e new
		printf "#!/bin/sh\necho made\n" >s; chmod +x s; ./s; mv s s2; ./s2; echo "echo changed" >s2; ./s2')" \
		$'new\nmade\nmade\nchanged'
	is "errors" "$(vsh './text; ./d; ./nothing; ./bad' 2>&1 | sed 's/.*: //' | sort | uniq -c | sed 's/^ *//')" \
		"$(cd "$L" && sh -c './text; ./d; ./nothing; ./bad' 2>&1 | sed 's/.*: //' | sort | uniq -c | sed 's/^ *//')"
	if [ -e "$(prog static)" ]; then
		cp "$(prog static)" "$U/static"
		is "a static program" "$(view "$M/static" "$M/text")" text
	fi
	if [ -e /lib64/ld-linux-x86-64.so.2 ] && have patchelf; then
		cp /lib64/ld-linux-x86-64.so.2 "$U/ld.so"
		cp "$L/bin/cat" "$U/cat2"
		patchelf --set-interpreter "$M/ld.so" "$U/cat2"
		is "an ELF interpreter in the mount" "$(view "$M/cat2" "$M/text")" text
	else
		skip "an ELF interpreter in the mount" "patchelf is not installed"
	fi
	same_on_mounts
}
variants body
