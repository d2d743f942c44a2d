// Package jpeg decodes the pictures of MJPEG cameras into I420 with libjpeg-turbo, without a
// way through RGB: five times cheaper than image/jpeg, and nothing is allocated.
//
// It encodes nothing, reads no files and starts no goroutine. Built without cgo the package
// is empty.
//
// The static library of Debian's libturbojpeg0-dev is linked. A cross build says where the
// target's header files and library are with CGO_CFLAGS and CGO_LDFLAGS.
package jpeg
