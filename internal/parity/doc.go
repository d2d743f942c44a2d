// Package parity is a test of docs/parity.md: that every method, callback, state, setting
// and timer of the two SDK documents this module implements has a row there, that the Go
// identifiers in a row exist, and that the tests in it exist and use them. It has no code to
// import and no goroutines. It also tests docs/traps.md: each trap of the protocol has tests
// that name it.
//
// The documents are copied into testdata/seeds. What is in them is extracted anew by each
// run: all first cells of tables, and the members, calls, keys and types in code. Tests of
// the module are type-checked without the modules it depends on, which is quick and enough
// to tell whose method is called.
package parity
