#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The directions of dependency between the modules, as src/README draws them.
. "${srcdir:-.}/tests/tap.sh"
tap_plain
cd "${srcdir:-.}/src" || exit 1

allowed() { # modules that a module may include from, besides itself
	case $1 in
	base) echo "" ;;
	arch) echo "base sys/sys.h" ;; # the ids of the calls are the table's
	sys) echo "base arch" ;;
	engine) echo "base arch sys" ;;
	vfs) echo "base" ;;
	overlay) echo "base vfs" ;;
	path) echo "base vfs" ;;
	task) echo "base vfs path engine arch sys" ;;
	call) echo "base vfs path task engine arch sys" ;;
	cli) echo "base overlay/overlay.h vfs" ;;
	esac
}

for module in base arch sys engine vfs overlay path task call cli; do
	bad=
	while IFS=: read -r file header; do
		ok=
		case $header in "$module"/*) ok=1 ;; esac
		for a in $(allowed "$module"); do
			case $header in "$a" | "$a"/*) ok=1 ;; esac
		done
		[ -n "$ok" ] || bad="$bad $file->$header"
	done < <(grep -rhoHE '^#[[:space:]]*include "[a-z]+/[^"]*"' "$module" --include='*.[ch]' |
		sed 's/:.*"\(.*\)"/:\1/')
	is "$module includes only:$(allowed "$module" | sed 's/^/ /')" "$bad" ""
done
is "no ptrace in the file systems and the resolver" \
	"$(grep -rlE 'sys/ptrace.h|linux/ptrace.h|engine/|task/' overlay vfs path --include='*.[ch]' | xargs -r grep -lE \
		'^#[[:space:]]*include [<"](sys/ptrace|linux/ptrace|engine/|task/)')" ""
is "no file system in the engine" \
	"$(grep -rlE '^#[[:space:]]*include "(vfs|overlay|path|task|call)/' engine arch sys base --include='*.[ch]')" ""
is "architectures are told apart in arch/ only" \
	"$(grep -rlE '^#[[:space:]]*(if|elif|ifdef|ifndef).*__(x86_64|i386|aarch64|arm)__' . --include='*.[ch]' |
		grep -v '^\./arch/')" ""
is "config.h is the first include of every source" \
	"$(find . -name '*.c' | sort | while read -r f; do
		[ "$(grep -m1 -E '^#[[:space:]]*include' "$f")" = '#include "config.h"' ] || echo "$f"; done)" ""
is "and of no header" "$(grep -rl 'include "config.h"' . --include='*.h')" ""
is "libc's -1 goes no further than base: no errno elsewhere in the file systems" \
	"$(grep -rnE '[^_a-z]exit\(|[^_a-z]abort\(|perror\(' overlay vfs path base task call --include='*.c' | head -n 5)" ""
done_testing
