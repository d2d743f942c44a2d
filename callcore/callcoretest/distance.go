package callcoretest

import (
	"testing"
	"time"
)

// NewDistantWorld makes a network like NewWorld's, in which packets take d, and signals a
// quarter more.
func NewDistantWorld(tb testing.TB, d time.Duration) *World {
	tb.Helper()
	w := newWorldAt(tb, "10.0.0.0/24", "10.0.0.%d", d)
	w.Hub.Delay = d + d/4
	return w
}
