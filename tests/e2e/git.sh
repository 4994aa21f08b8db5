#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# git: clone from and into the mount, branch, merge, rebase, stash, gc, mv of a lower directory.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local i bad=0 rounds=${FUSS_TEST_ROUNDS:-20}
	have git || { skip "git" "git is not installed"; return; }
	fresh
	export GIT_CONFIG_GLOBAL=$T/gitconfig GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
	git config --global user.name "A Test"
	git config --global user.email test@example.org
	git config --global init.defaultBranch main
	git config --global advice.detachedHead false
	git config --global --add safe.directory '*'
	(
		git init -q "$L/repo" && cd "$L/repo" || exit 1
		mkdir -p dir/sub
		for i in $(seq 1 30); do echo "line $i" >"dir/file$i"; done
		echo deep >dir/sub/deep
		git add . && git commit -qm first
		echo more >>dir/file1 && git commit -qam second
	) >&2
	cat >"$T/scenario" <<-'END'
		set -e
		cd "$M"
		rm -rf clone work out.git
		git clone -q repo clone
		git clone -q --bare repo out.git
		cd clone
		git checkout -q -b topic
		git mv dir moved
		[ "$(ls moved | wc -l)" = 31 ]
		git commit -qm moved
		echo topic >>moved/file2
		git commit -qam topic
		git checkout -q main
		[ "$(ls dir | wc -l)" = 31 ]
		echo main >new
		git add new
		git commit -qm new
		git merge -q -m merged topic
		[ -e new ] && [ "$(tail -n 1 moved/file2)" = topic ]
		git checkout -q -b other HEAD~1
		echo other >other
		git add other
		git commit -qm other
		git rebase -q main
		echo dirty >>other
		git stash -q
		[ "$(cat other)" = other ]
		git stash pop -q
		git commit -qam stashed
		git gc -q
		git fsck --strict --no-dangling
		[ -z "$(git status --porcelain)" ]
		git push -q ../out.git other
		git worktree add -q ../work main
		rm -rf ../work
		git worktree prune
		git log --oneline | wc -l
	END
	for i in $(seq 1 "$rounds"); do
		vsh ". $T/scenario" >"$T/out" 2>&1 || { bad=$((bad + 1)); note "round $i: $(tail -n 5 "$T/out")"; }
	done
	is "clone, branch, mv, merge, rebase, stash, gc, fsck: $rounds times" "$bad" 0
	ok "in a repository of the lower layer" vsh 'set -e; cd repo; git mv dir renamed; [ "$(ls renamed | wc -l)" = 31 ]
		[ ! -e dir ]; git commit -qm renamed; echo x >>renamed/file3; git stash -q; git stash pop -q; git commit -qam x
		git reset -q --hard HEAD~2; [ "$(ls dir | wc -l)" = 31 ]; [ ! -e renamed ]; git reset -q --hard ORIG_HEAD
		git gc -q; git fsck --strict --no-dangling; [ -z "$(git status --porcelain)" ]'
	ok "a clone out of the mount" vsh "git clone -q repo '$T/outside' && cd '$T/outside' && git fsck --strict"
	same_on_mounts
	ok "git outside agrees" sh -c 'cd "$1" && git fsck --strict --no-dangling' sh "$U/clone"
}
variants body
