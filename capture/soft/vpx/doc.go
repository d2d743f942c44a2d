// Package vpx codes and decodes VP8 (RFC 6386) with libvpx, tuned for a call: one pass, no
// look-ahead, constant bit rate, the fast end of its speed range, and no key frame that
// nobody asked for.
//
// It is not a general binding: one codec, I420 frames of one size for an encoder. It starts
// no goroutine; libvpx's own threads live and die with an encoder. Built without cgo the
// package is empty.
//
// The static library of Debian's libvpx-dev is linked. A cross build says where the
// target's header files and library are with CGO_CFLAGS and CGO_LDFLAGS.
package vpx
