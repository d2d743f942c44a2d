package backoff

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestWindowDoublesUpToTheCap(t *testing.T) {
	b := Backoff{Base: time.Second, Cap: 10 * time.Second}
	want := []time.Duration{1, 2, 4, 8, 10, 10, 10}
	for i, w := range want {
		if got := b.window(); got != w*time.Second {
			t.Errorf("window after %d failures: got %v, want %v", i, got, w*time.Second)
		}
		if d := b.Next(); d < 0 || d > w*time.Second {
			t.Errorf("wait after %d failures: got %v, want 0 to %v", i, d, w*time.Second)
		}
	}
}

func TestZeroValueHasTheDefaults(t *testing.T) {
	var b Backoff
	if got := b.window(); got != DefaultBase {
		t.Errorf("first window: got %v, want %v", got, DefaultBase)
	}
	for range 100 {
		b.Next()
	}
	if got := b.window(); got != DefaultCap {
		t.Errorf("last window: got %v, want %v", got, DefaultCap)
	}
}

func TestCapBelowBaseIsTheBase(t *testing.T) {
	b := Backoff{Base: time.Minute, Cap: time.Second}
	b.Next()
	if got := b.window(); got != time.Minute {
		t.Errorf("window: got %v, want %v", got, time.Minute)
	}
}

// A window near the largest duration must not overflow into a negative wait.
func TestHugeCapDoesNotOverflow(t *testing.T) {
	b := Backoff{Base: time.Hour, Cap: math.MaxInt64 - 1}
	for i := range 200 {
		if d := b.Next(); d < 0 {
			t.Fatalf("wait after %d failures: got %v, want none below zero", i, d)
		}
	}
}

// Full jitter: waits are spread over the whole window, not bunched at its end.
func TestJitterFillsTheWindow(t *testing.T) {
	const n = 2000
	var tenths [10]int
	b := Backoff{Base: time.Second, Cap: time.Second}
	for range n {
		d := b.Next()
		tenths[min(9, int(10*d/time.Second))]++
	}
	for i, got := range tenths {
		// The mean is 200, the standard deviation 13.4: seven of them either way.
		if got < 106 || got > 294 {
			t.Errorf("waits in tenth %d of the window: got %d of %d, want about %d", i, got, n, n/10)
		}
	}
}

func TestFailuresAreForgottenAfterAHealthyMinuteOnly(t *testing.T) {
	tests := []struct {
		name string
		up   time.Duration
		want time.Duration // the window of the wait after that failure
	}{
		{"dropped at once", 0, 16 * time.Second},
		{"just short of healthy", time.Minute - 1, 16 * time.Second},
		{"healthy", time.Minute, time.Second},
		{"healthy for long", 24 * time.Hour, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b Backoff
				for range 4 {
					time.Sleep(b.Next())
				}
				b.Up()
				time.Sleep(tt.up)
				if d := b.Next(); d > tt.want {
					t.Errorf("wait: got %v, want at most %v", d, tt.want)
				}
				if got, want := b.window(), 2*tt.want; got != min(want, DefaultCap) {
					t.Errorf("following window: got %v, want %v", got, min(want, DefaultCap))
				}
			})
		})
	}
}

// The minute counts from Up to the next failure, not across failures: an old Up must
// not make a later failed attempt look healthy.
func TestAnOldUpDoesNotCountTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Backoff
		b.Up()
		time.Sleep(time.Second)
		b.Next()
		time.Sleep(time.Hour)
		b.Next()
		if got, want := b.window(), 4*time.Second; got != want {
			t.Errorf("window: got %v, want %v", got, want)
		}
	})
}
