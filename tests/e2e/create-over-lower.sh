#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Making something under a name that a lower layer has fails with EEXIST and leaves nothing behind.
. "${srcdir:-.}/tests/tap.sh"

body() {
	fresh
	mkdir -p "$L/d" "$L/src"
	echo f >"$L/f"
	ln -s nowhere "$L/l"
	is "mkdir, symlink, link, mknod, open(O_EXCL)" "$(view sh -c "cd $M && $(prog sysprobe)" <<-'END' |
		mkdir d 0755
		mkdir f 0755
		mkdir l 0755
		symlink x d
		symlink x f
		symlink x l
		link f d
		link src/../f f
		link f l
		mknod d S_IFIFO|0644
		mknod f S_IFREG|0644
		mknod l S_IFIFO|0644
		open f O_WRONLY|O_CREAT|O_EXCL 0644
		open d O_RDONLY|O_CREAT|O_EXCL 0644
		open l O_WRONLY|O_CREAT|O_EXCL 0644
		END
		sed 's/.* => //' | sort | uniq -c | sed 's/^ *//')" "15 EEXIST"
	is "nothing was made" "$(find "$U" -mindepth 1 ! -type d)" ""
	same_on_mounts
}
variants body
