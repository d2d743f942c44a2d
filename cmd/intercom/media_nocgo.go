//go:build !cgo

package main

import "errors"

// coders refuses: all coders of picture and sound are C libraries.
func (d *devices) coders(*config) error {
	return exitError{exitFailed, errors.New("this program was built without cgo and cannot code picture and sound; build it with CGO_ENABLED=1 (make build)")}
}
