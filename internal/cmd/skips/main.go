// Command skips reads the output of go test -json, prints what a person wants to know of
// it, and ends with status 1 if a test failed, or was skipped without being listed in
// testdata/skips.txt with the reason. It runs nothing itself, and starts no goroutine.
//
//	go test -json ./... | go run ./internal/cmd/skips
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	list := flag.String("list", "testdata/skips.txt", "the `file` of tests that may be skipped")
	times := flag.Bool("times", false, "print how long each test took")
	flag.Parse()
	if err := run(*list, *times, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(1)
	}
}

func run(list string, times bool, in io.Reader, out io.Writer) error {
	f, err := os.Open(list)
	if err != nil {
		return fmt.Errorf("read the list of skips: %w", err)
	}
	defer f.Close()
	allowed, err := readAllowed(f)
	if err != nil {
		return fmt.Errorf("read the list of skips: %s: %w", list, err)
	}
	s := newSummary(allowed, out)
	s.showTimes = times
	if err := s.read(in); err != nil {
		return err
	}
	if !s.end() {
		return errors.New("not all tests passed")
	}
	return nil
}
