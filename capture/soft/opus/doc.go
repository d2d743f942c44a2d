// Package opus codes and decodes speech in Opus (RFC 6716) with libopus: 48 kHz, mono,
// periods of 20 ms, with in-band forward error correction. It is not a general binding and
// starts no goroutine. Built without cgo the package is empty.
//
// The static library comes from pion/mediadevices, by importing its package; nothing else
// of that package is used. The header files are in include, with their licence.
package opus
