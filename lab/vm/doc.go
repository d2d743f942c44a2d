// Package vm runs the lab's machine: a small Linux in QEMU, in software emulation, whose
// camera, sound card, GPIO lines, display and watchdog are the kernel's real drivers for
// virtual devices. It starts one, runs programs in it, presses its buttons, listens to
// its loudspeaker and pulls its plugs. lab/guest/build.sh makes what it boots; docs/lab.md
// describes it. It knows nothing of the intercom, and it asserts nothing.
//
// A Machine owns the QEMU process and one goroutine that reads its events; both end with
// Close, and QEMU ends also when the process that started it dies, however that happens.
// There is one machine at a time on a cache: Start waits for its turn.
//
// Every method that talks to the guest has a limit of its own (stepLimit, or what it is
// told), beside that of its context. No time that is measured in the guest says anything
// about a real one: pixels are some ten times slower there.
package vm
