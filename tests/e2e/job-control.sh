#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An interactive shell on a terminal: Ctrl-C, Ctrl-Z, fg, bg, jobs, an editor.
. "${srcdir:-.}/tests/tap.sh"

in_terminal() {
	timeout -k 5 100 python3 "$srcdir/tests/e2e/terminal.py" "$FUSS" --mountpoint="$M" --lowerdir="$L" \
		--upperdir="$U" --whiteout="$DIALECT" -- "$@" 2>&1
}

body() {
	have python3 || { skip "job control" "python3 is not installed"; return; }
	fresh
	echo one >"$L/file"
	tap_seal
	is "Ctrl-C ends the program, not the shell" "$(in_terminal bash --norc --noprofile -i <<-END
		expect bash-[0-9.]+[#\$]
		send cd $M\r
		expect bash-[0-9.]+[#\$]
		send sleep 100\r
		pause 0.5
		send \x03
		expect bash-[0-9.]+[#\$]
		send echo status=\$?\r
		expect status=130
		send exit 5\r
		END
		)" "status 5"
	is "Ctrl-Z, jobs, fg, bg" "$(in_terminal bash --norc --noprofile -i <<-END
		expect bash-[0-9.]+[#\$]
		send cd $M\r
		expect bash-[0-9.]+[#\$]
		send cat >typed\r
		pause 0.5
		send line one\r
		pause 0.3
		send \x1a
		expect Stopped
		expect bash-[0-9.]+[#\$]
		send jobs\r
		expect Stopped +cat
		expect bash-[0-9.]+[#\$]
		send fg\r
		expect cat > ?typed
		pause 0.3
		send line two\r
		pause 0.3
		send \x04
		expect bash-[0-9.]+[#\$]
		send cat typed | tr '\\\\n' '+'\r
		expect line one\\+line two\\+
		send sleep 100\r
		pause 0.5
		send \x1a
		expect Stopped
		send bg\r
		expect sleep 100 &
		send jobs\r
		expect Running +sleep
		send kill %1; sleep 2\r
		expect Terminated
		send exit\r
		END
		)" "status 0"
	is "a background job that reads the terminal is stopped" "$(in_terminal bash --norc --noprofile -i <<-END
		expect bash-[0-9.]+[#\$]
		send cat &\r
		pause 0.5
		send \r
		expect Stopped
		send kill -9 %1; sleep 2\r
		expect Killed
		send exit\r
		END
		)" "status 0"
	is "a pipeline is one job" "$(in_terminal bash --norc --noprofile -i <<-END
		expect bash-[0-9.]+[#\$]
		send sleep 100 | cat | cat\r
		pause 0.5
		send \x1a
		expect Stopped +sleep 100 \\| cat \\| cat
		send fg\r
		pause 0.3
		send \x03
		expect bash-[0-9.]+[#\$]
		send exit\r
		END
		)" "status 130"
	if have vi; then
		is "vi" "$(in_terminal bash --norc --noprofile -i <<-END
			expect bash-[0-9.]+[#\$]
			send cd $M; vi file\r
			pause 1.5
			send otwo\x1b
			pause 0.3
			send :wq\r
			expect bash-[0-9.]+[#\$]
			send cat file | tr '\\\\n' '+'\r
			expect one\\+two\\+
			send exit\r
			END
			)" "status 0"
		is "what vi wrote" "$(cat "$U/file" 2>&1)" $'one\ntwo'
	else
		skip "vi" "it is not installed"
	fi
	is "Ctrl-C reaches a command that is no shell" "$(in_terminal sleep 100 <<-'END'
		pause 0.7
		send \x03
		END
		)" "status 130"
	is "the shell that started fuss can stop it and go on" "$(timeout 60 python3 "$srcdir/tests/e2e/terminal.py" \
		bash --norc --noprofile -i <<-END
		expect bash-[0-9.]+[#\$]
		send $FUSS --mountpoint=$M --lowerdir=$L --upperdir=$U -- sh -c 'cat; echo ended'\r
		pause 1
		send \x1a
		expect Stopped
		expect bash-[0-9.]+[#\$]
		send fg\r
		pause 0.5
		send hello\r
		expect hello
		pause 0.3
		send \x04
		expect ended
		expect bash-[0-9.]+[#\$]
		send exit 3\r
		END
		)" "status 3"
	same_on_mounts
}
variants body
