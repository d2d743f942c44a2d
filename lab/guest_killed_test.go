//go:build e2e && lab

package lab

import (
	"syscall"
	"testing"
	"time"

	"intercom/hw/guard"
	"intercom/internal/control"
	"intercom/lab/browser"
	"intercom/lab/vm"
)

// safeAgain is how long a lock may stay open that nobody minds any more; and what one looks
// at it by takes time here, too.
const safeAgain = time.Second + 500*time.Millisecond

// TestGuestKilled ends the program as badly as possible while the lock is open: the lock is
// safe again within a second, on a line that stays safe when it is let go and on one that does
// not. Another start finds it in order.
func TestGuestKilled(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})
	config := guestSettings(s, with(t, realDevices, `open = "1s"`, `open = "8s"`, `longest = "2s"`, `longest = "10s"`))
	for _, tt := range []struct {
		name   string
		unsafe bool // the line's own pull
		signal syscall.Signal
		limit  time.Duration
	}{
		{"killed", false, syscall.SIGKILL, safeAgain},
		{"killed, on a line that opens when it is let go", true, syscall.SIGKILL, safeAgain},
		{"hangs", true, syscall.SIGSTOP, guard.Silence + safeAgain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			must(t, g.Pull(t.Context(), vm.RelayDoor, tt.unsafe))
			d := g.startDoor(t, config)
			d.begin(t)
			g.is(t, vm.RelayDoor, false)
			g.visit(t, d, a)
			must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
			d.expect(t, soon, control.Opened)
			g.await(t, soon, vm.RelayDoor, true)
			before, err := g.Line(t.Context(), vm.RelayDoor)
			must(t, err)
			must(t, d.signal(tt.signal))
			after, err := g.AwaitLine(t.Context(), soon, vm.RelayDoor, false)
			must(t, err)
			took := after.At.Sub(before.At)
			t.Logf("safe again %v later", took)
			if !before.High || took > tt.limit {
				t.Errorf("the lock, open %v: safe again after %v, want %v at most", before.High, took, tt.limit)
			}
			if tt.signal != syscall.SIGKILL {
				must(t, d.signal(syscall.SIGKILL))
			}
			<-d.ended
			time.Sleep(500 * time.Millisecond) // it stays so
			g.is(t, vm.RelayDoor, false)
			must(t, a.Click(t.Context(), quick, "#hangup"))
			a.next(t, soon, "closed")
		})
	}
}
