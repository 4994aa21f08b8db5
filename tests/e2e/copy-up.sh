#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A file is copied up whole: mode, times, attributes, holes, parents; by its type; in one step.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local big
	fresh
	mkdir -p "$L/p/q/r"
	chmod 2750 "$L/p/q"
	chmod 1777 "$L/p"
	echo x >"$L/p/q/r/f"
	chmod 6755 "$L/p/q/r/f"
	setfattr -n user.small -v s "$L/p/q/r/f"
	setfattr -n user.big -v "$(head -c 3500 /dev/zero | tr '\0' b)" "$L/p/q/r/f"
	setfattr -n user.dir -v d "$L/p"
	# Of oneself: a user namespace knows nobody else.
	have setfacl && setfacl -m "u:$(id -u):r" "$L/p/q/r/f"
	truncate -s 5M "$L/holes"
	echo end >>"$L/holes"
	mkfifo "$L/fifo"
	ln -s target "$L/link"
	touch -h -d '2001-02-03 04:05:06.123456789' "$L/link" "$L/fifo" "$L/p/q/r/f" "$L/p/q/r" "$L/p/q" "$L/p" \
		"$L/holes"
	if [ "$WHO" = root ]; then
		chown 12:34 "$L/p/q/r/f"
		chmod 6755 "$L/p/q/r/f"
		chown 56:78 "$L/p" "$L/p/q/r"
		chown -h 9:9 "$L/link"
		setfattr -n trusted.mine -v t "$L/p/q/r/f"
		mknod "$L/null" c 1 3
		touch -d '2001-02-03 04:05:06.123456789' "$L/p/q/r/f"
	fi
	vsh 'touch -a p/q/r/f fifo holes; touch -h -a link; [ ! -e null ] || chmod 644 null; ln fifo fifo2'
	is "everything but the time of access is as it was" \
		"$(view "$(prog tree)" -r "$M" | grep -v fifo2 | sed 's/ group=[^ ]*//; s/links=./links/; /null/s/ 0.../ mode/')" \
		"$(tree_of -r "$L" | sed 's/ group=[^ ]*//; s/links=./links/; /null/s/ 0.../ mode/')"
	is "it was copied up" "$(cd "$U" && find . -name f -o -name link -o -name holes | sort | tr '\n' ' ')" \
		"./holes ./link ./p/q/r/f "
	ok "holes stay holes" [ "$(stat -c %b "$U/holes")" -lt 2000 ]
	same_on_mounts attributes

	fresh
	mkfifo "$L/fifo"
	ok "chmod of a FIFO does not wait for a writer" timeout 10 "$FUSS" --mountpoint="$M" --lowerdir="$L" \
		--upperdir="$U" -- chmod 600 "$M/fifo"
	ok "nor does moving it" timeout 10 "$FUSS" --mountpoint="$M" --lowerdir="$L" --upperdir="$U" \
		-- mv "$M/fifo" "$M/fifo2"

	fresh
	big=$L/big
	head -c 30000000 /dev/urandom >"$big"
	is "O_TRUNC copies no data" "$(vsh ': >big; stat -c %s big'; stat -c %b "$U/big")" $'0\n0'
	fresh
	head -c 3000000 /dev/urandom >"$L/big"
	vsh 'printf x | dd of=big bs=1 seek=100 conv=notrunc 2>/dev/null'
	ok "the rest of the data is the same" sh -c 'cmp -l "$1" "$2" | wc -l | grep -qx "[01]"' sh "$L/big" "$U/big"
	vsh 'seq 1 100 >many; for i in 1 2 3 4 5 6 7 8 9; do echo $i >>big; done'
	same_on_mounts data
	is "no temporary files are left" "$(find "$U" "$W" -mindepth 1 | sed "s,$U/,," | sort | tr '\n' ' ')" "big many "
}
variants body
