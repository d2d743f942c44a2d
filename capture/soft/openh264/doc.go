// Package openh264 codes and decodes H.264 in constrained baseline at level 3.1 or below
// (the profile-level-id 42e01f that every browser takes) with OpenH264, tuned for a call:
// one thread, one slice, one reference, constant bit rate by quality, no frame skipped and
// no key frame that nobody asked for. SPS and PPS come with every key frame, in the same
// access unit.
//
// It is not a general binding: I420 frames of one size for an encoder. It starts no
// goroutine. Built without cgo the package is empty.
//
// The static library comes from pion/mediadevices, by importing its package; nothing else
// of that package is used. The header files are in include, with their licence.
package openh264
