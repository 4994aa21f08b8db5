#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --help, the manual page and the completions name the same options and the same values.
. "${srcdir:-.}/tests/tap.sh"
tap_plain
[ -x "$FUSS" ] || { skip "options" "no program at $FUSS"; done_testing; }
cd "${srcdir:-.}" || exit 1
help=$("$FUSS" --help | sed -n 's/^  \(-[-a-z]*\).*/\1/p' | sort)
is "the manual page" "$(sed -n 's/^\.It Fl \\-\([a-z]*\).*/--\1/p; s/^\.It Fl \([a-z]\) .*/-\1/p' man/fuss.1 | sort)" "$help"
is "its arguments" "$(sed -n 's/^\.It Fl \\-\([a-z]* \)Ar \([A-Z]*\)$/--\1\2/p; s/^\.It Fl \([a-z] \)Ar \([A-Z]*\)$/-\1\2/p' \
	man/fuss.1 | sort)" "$("$FUSS" --help | sed -n 's/^  \(-[-a-z]* [A-Z][A-Z]*\) .*/\1/p' | sort)"
is "bash" "$(sed -n '/compgen -W "--mountpoint/,/-- "\$cur"/p' src/completion/fuss | grep -oE -- '(--[a-z]+|-o)' | sort)" "$help"
is "zsh" "$(grep -oE -- "(--[a-z]+|\*-o)[=[]" src/completion/_fuss | tr -d '*=[' | sort)" "$help"
is "fish" "$(sed -n 's/.* -l \([a-z]*\) .*/--\1/p; s/.* -s \([a-z]\) .*/-\1/p' src/completion/fuss.fish | sort)" "$help"
for values in "chardev fileprefix auto" "overlay passthrough"; do
	is "values $values" "$(grep -l "$values" src/completion/* | wc -l)" 3
	for v in $values; do
		ok "the manual page explains $v" grep -q "^\.Cm $v\( ,\)*\$" man/fuss.1
		like "--help names $v" "$("$FUSS" --help)" "$v"
	done
done
is "the version is that of the package" "$("$FUSS" --version)" "fuss $(sed -n 's/^AC_INIT(\[fuss\], \[\(.*\)\])$/\1/p' configure.ac)"
like "NEWS has the version" "$(cat NEWS)" "$("$FUSS" --version | sed 's/fuss //')"
for sh in bash zsh fish; do
	case $sh in bash) f=fuss ;; zsh) f=_fuss ;; fish) f=fuss.fish ;; esac
	if have $sh; then
		ok "$sh reads its completion" $sh -n src/completion/$f
	else
		skip "$sh reads its completion" "$sh is not installed"
	fi
done
done_testing
