// Package capturetest is the contract that cameras, sound cards and encoders pass, whatever
// they are made of: suites that take the test and a constructor. Beside them are what tests
// of encoders need: a painted film, PSNR, and ffmpeg as the judge of a coded stream.
//
// It is imported by tests only and stays out of the binary. It starts no goroutine that
// outlives a test.
package capturetest
