// Package payload cuts coded pictures into what RTP packets carry: H.264 by RFC 6184 and VP8
// by RFC 7741. Each cutter has a buffer of its own, which it uses again and again: nothing is
// allocated for a picture.
//
// It makes no RTP headers, puts nothing together again, and has no state from one picture to
// the next. It starts no goroutine; a cutter has one user at a time.
package payload
