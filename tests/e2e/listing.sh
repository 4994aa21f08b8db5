#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Listings: by any descriptor, several at once, with . and .., rewound, large, while they change.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local n
	fresh
	mkdir -p "$L/d/sub" "$U/d"
	touch "$L/d/a" "$L/d/b" "$U/d/b" "$U/d/c"
	is "merged, no duplicates, . and .." "$(vsh 'ls -a d | tr "\n" " "')" ". .. a b c sub "
	is "tar takes every file" "$(vsh 'tar cf - d | tar tf - | sort | tr "\n" " "')" "d/ d/a d/b d/c d/sub/ "
	is "a descriptor opened without O_DIRECTORY, rewound, at chosen positions" \
		"$(view sh -c "cd $M && $(prog sysprobe)" <<-'END' | sed -n 's/^\(getdents\|seekdir\).* => //p' | sed 's/:#[0-9]*//g'
		$d = open d O_RDONLY
		getdents $d
		getdents $d
		lseek $d 0 SEEK_SET
		getdents $d 64
		seekdir $d
		END
		)" "6 .:dir ..:dir a:reg b:reg c:reg sub:dir
0
6 .:dir ..:dir a:reg b:reg c:reg sub:dir
6 entries, 0 wrong positions, 6 after rewind"
	is "a listing in a child does not disturb that of another directory" \
		"$(vsh 'ls -a d >/dev/null; ls /proc/self/fd >/dev/null; (cd / && ls -d bin); find . -name sub')" $'bin\n./d/sub'
	is "the host's directories are the host's" "$(view ls /)" "$(ls /)"
	is "the layers by their own paths are the layers" "$(view ls "$U/d" "$L/d" | tr '\n' ' ')" \
		"$(ls "$U/d" "$L/d" | tr '\n' ' ')"
	if [ "$WHO" = root ] && [ "$DIALECT" = chardev ]; then
		mkdir "$L/large"
		(cd "$L/large" && seq -f 'some-name-%07g' 1 100000 | xargs touch)
		tap_sealed=''
		n=$(date +%s)
		is "100,000 entries" "$(vsh 'ls -f large | wc -l; rm large/some-name-0000001; ls -f large | wc -l')" \
			$'100002\n100001'
		n=$(($(date +%s) - n))
		ok "in reasonable time" [ "$n" -lt 60 ]
	fi
	mkdir "$L/many"
	(cd "$L/many" && seq 1 2000 | xargs touch)
	tap_sealed=''
	is "a directory that is emptied while it is read" "$(vsh 'find many -type f -delete; ls many | wc -l
		find many -depth -delete; [ -e many ]; echo $?')" $'0\n1'
	same_on_mounts
}
variants body
