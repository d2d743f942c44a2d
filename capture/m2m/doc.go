// Package m2m codes H.264 in hardware, by the stateful codec interface of the Linux kernel
// (V4L2 memory to memory): the encoder of a Raspberry Pi up to the 4 (bcm2835-codec,
// /dev/video11), and any other driver that keeps to the interface. A Raspberry Pi 5 has no
// such encoder.
//
// It is pure Go. It does not read cameras, scale or decode, and it does not choose between
// itself and an encoder in software.
//
// An encoder has one goroutine, which takes what the hardware has coded and calls out;
// Close ends it.
package m2m
