// Package speextest is speexdsp's canceller of echo, which capture/aec is compared with: see
// make bench. It is no part of the program, is built with the tag bench alone, and starts no
// goroutine.
package speextest
