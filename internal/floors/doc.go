// Package floors is a test of the whole module: direct imports go strictly downwards from
// floor to floor, every package says what it is, and every path that a comment or a
// document names exists. It has no code to import and no goroutines.
//
// It reads every Go file whatever its build tags, so what only builds with cgo or in an
// end-to-end test is held to the same rules.
package floors
