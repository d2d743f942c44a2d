//go:build !cgo

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestWithoutCgo: a program that cannot code picture and sound says so, and how to get one.
func TestWithoutCgo(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	for _, args := range [][]string{
		{"demo", "--listen", "127.0.0.1:0", "--control", socket},
		{"run", "--config", write(t, ""), "--control", socket},
	} {
		var out, errs bytes.Buffer
		code := dispatch(t.Context(), args, &out, &errs)
		if code != exitFailed || !strings.Contains(errs.String(), "CGO_ENABLED=1") || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%q: exit %d, %q; want %d and one line that names CGO_ENABLED=1", args[0], code, errs.String(), exitFailed)
		}
	}
}
