#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A Go program: its run time starts threads at will and gives goroutines stacks of 2 KiB.
. "${srcdir:-.}/tests/tap.sh"

body() {
	local i failed=0
	have go || { skip "a Go program with 16 goroutines" "go is not installed"; return; }
	fresh
	mkdir "$T/cache"
	if ! GOCACHE=$T/cache GOFLAGS=-mod=mod GO111MODULE=off CGO_ENABLED=0 \
		go build -o "$T/files" "$srcdir/tests/prog/files.go" >&2; then
		skip "a Go program with 16 goroutines" "go build does not work here"
		return
	fi
	for i in 1 2 3 4 5 6; do
		vsh "rm -rf g && mkdir g && $T/files g" || failed=$((failed + 1))
	done
	is "a Go program with 16 goroutines, 6 times" "$failed" 0
	is "what it left" "$(vsh 'find g -type f | wc -l')" 208
	same_on_mounts
}
variants body
