package failsafe

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLeave: every line is driven, again only if it does not obey, and not for ever.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("it does not obey")
		var driven [4]int
		begin := time.Now()
		left := Leave(4, func(i int) error {
			driven[i]++
			switch {
			case i == 1:
				return broken
			case i == 2 && driven[i] < 3:
				panic("in the driver")
			}
			return nil
		})
		if want := []error{nil, broken, nil, nil}; !slices.Equal(left, want) {
			t.Errorf("left %v, want %v", left, want)
		}
		if want := [...]int{1, tries, 3, 1}; driven != want {
			t.Errorf("driven %v times, want %v", driven, want)
		}
		if got := time.Since(begin); got >= patience {
			t.Errorf("it took %v: a panic waits for %v", got, patience)
		}
		left = Leave(1, func(int) error { panic("in the driver") })
		if left[0] == nil || !strings.Contains(left[0].Error(), "in the driver") {
			t.Errorf("a driver that always panics: %v", left[0])
		}
	})
}

// TestPanics: the panic of a goroutine is seen, and goes on when the lines are left, or when
// that takes too long.
func TestPanics(t *testing.T) {
	for _, tt := range []struct{ leaves, want time.Duration }{{100 * time.Millisecond, 100 * time.Millisecond}, {time.Hour, patience}} {
		synctest.Test(t, func(t *testing.T) {
			left := make(chan struct{})
			p := NewPanics(left)
			p.Wrap(func() {})()
			select {
			case <-p.Seen():
				t.Error("a goroutine that ends well is taken for one that panics")
			default:
			}
			go func() {
				<-p.Seen()
				time.Sleep(tt.leaves)
				close(left)
			}()
			begin := time.Now()
			func() {
				defer func() {
					if got := recover(); got != "oops" {
						t.Errorf("the panic is %v", got)
					}
				}()
				p.Wrap(func() { panic("oops") })()
			}()
			if got := time.Since(begin); got != tt.want {
				t.Errorf("it went on after %v, want %v", got, tt.want)
			}
			<-left
		})
	}
}
