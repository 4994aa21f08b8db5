// SPDX-License-Identifier: MIT

// files DIR: 16 goroutines that make, write, rename, list and remove files in DIR and check what they see.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

const (
	workers = 16
	rounds  = 25
)

func work(dir string, who int) error {
	mine := filepath.Join(dir, fmt.Sprintf("w%d", who))
	if err := os.MkdirAll(mine, 0o755); err != nil {
		return err
	}
	for i := 0; i < rounds; i++ {
		a := filepath.Join(mine, fmt.Sprintf("a%d", i))
		b := filepath.Join(mine, fmt.Sprintf("b%d", i))
		want := fmt.Sprintf("worker %d round %d", who, i)
		if err := os.WriteFile(a, []byte(want), 0o644); err != nil {
			return err
		}
		if err := os.Rename(a, b); err != nil {
			return err
		}
		if _, err := os.Stat(a); !os.IsNotExist(err) {
			return fmt.Errorf("%s is still there: %v", a, err)
		}
		got, err := os.ReadFile(b)
		if err != nil || string(got) != want {
			return fmt.Errorf("%s holds %q, not %q: %v", b, got, want, err)
		}
		if i%2 == 1 {
			if err := os.Remove(b); err != nil {
				return err
			}
		}
		if err := os.Chmod(mine, 0o755); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(mine)
	if err != nil || len(entries) != (rounds+1)/2 {
		return fmt.Errorf("%s has %d entries: %v", mine, len(entries), err)
	}
	return nil
}

func main() {
	var group sync.WaitGroup
	failed := make(chan error, workers)
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func(who int) {
			defer group.Done()
			if err := work(os.Args[1], who); err != nil {
				failed <- err
			}
		}(i)
	}
	group.Wait()
	close(failed)
	status := 0
	for err := range failed {
		fmt.Fprintln(os.Stderr, "files:", err)
		status = 1
	}
	os.Exit(status)
}
