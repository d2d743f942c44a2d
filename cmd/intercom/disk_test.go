package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"
)

// TestTryDisk: what a disk does wrong keeps no door from ringing; what a configuration does is
// refused.
func TestTryDisk(t *testing.T) {
	for _, tt := range []struct {
		err   error
		later bool
	}{
		{nil, false}, {syscall.EROFS, true}, {syscall.ENOSPC, true}, {syscall.EIO, true}, {syscall.EUCLEAN, true},
		{syscall.ENOENT, false}, {syscall.EACCES, false}, {errors.New("another process appends to it"), false},
	} {
		wrapped := tt.err
		if tt.err != nil {
			wrapped = fmt.Errorf("journal: %w", &fs.PathError{Op: "open", Path: "/x", Err: tt.err})
		}
		var log bytes.Buffer
		first, second := "now", "later"
		got, err := tryDisk(defaults(), "journal.file", slog.New(slog.NewTextHandler(&log, nil)),
			func() (*string, error) { return &first, wrapped }, func() (*string, error) { return &second, nil })
		switch {
		case tt.err == nil || tt.later:
			if err != nil || got == nil || (*got == "later") != tt.later || tt.later != strings.Contains(log.String(), "journal.file") {
				t.Errorf("%v: %v, %v, log %s", tt.err, got, err, &log)
			}
		case !errors.As(err, &exitError{}) || !strings.Contains(err.Error(), "journal.file"):
			t.Errorf("%v: %v, want that the configuration is refused", tt.err, err)
		}
	}
}
