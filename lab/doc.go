// Package lab holds the end-to-end tests, behind the build tag e2e: the real program, the
// official QuickBlox SDK in real browsers, real servers. It has no code of its own that
// the program uses.
//
// One run has one Chromium and one start of each server that its tests need, and
// one more of both in a network of its own, whose links a test changes; TestFirefox* have
// a Firefox beside it. Each test has its own pages and leaves the door idle. What a test asserts about picture
// and sound is what the browser itself decoded (lab/browser), or what the door's
// loudspeaker measured. Logs, and a picture of every page of a test that failed, are in
// lab/out.
//
//	go test -tags e2e -count=1 ./lab
//
// -count=1, because go test does not know that the result depends on the whole program.
package lab
