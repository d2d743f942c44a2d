package door

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"intercom/signaling"
)

// randomInput makes inputs for the house, most of them about calls that there are.
func randomInput(r *rand.Rand, s State) Input {
	call := s.Call
	if rings := s.visit.rings; len(rings) > 0 && r.IntN(2) == 0 {
		call = rings[r.IntN(len(rings))].call
	}
	if r.IntN(10) == 0 {
		call = []string{"", "1", "2", "s"}[r.IntN(4)]
	}
	u := []signaling.UserID{anna, ben, dora, emil, mallory}[r.IntN(5)]
	switch r.IntN(20) {
	case 0, 1, 2:
		return Pressed{Button: []string{"one", "two", "list", "hang-up"}[r.IntN(4)], Long: r.IntN(4) == 0}
	case 3, 4, 5:
		return Key{[]rune("1234##C*")[r.IntN(8)]}
	case 6:
		return LinkChanged{r.IntN(3) > 0}
	case 7:
		return Incoming{call + "in", u}
	case 8, 9:
		return Answered{call, u}
	case 10:
		return Declined{call, u}
	case 11:
		return MediaStarted{call, u}
	case 12, 13:
		return Asked{Call: call, Session: "S", User: u, Command: CommandUnlock, Live: r.IntN(4) > 0}
	case 14, 15:
		return Ended{call, End(r.IntN(4)), "x"}
	case 16:
		return LockChanged{Lock: "door", Open: r.IntN(2) == 0}
	case 17:
		return Tamper{Blocked: r.IntN(3) == 0}
	case 18:
		return Fault{r.IntN(2) == 0}
	}
	return Wake{}
}

// living follows which calls there are, from inputs and effects alone.
type living map[string]bool

func (l living) follow(in Input, effects []Effect) {
	if in, ok := in.(Ended); ok {
		delete(l, in.Call)
	}
	for _, e := range effects {
		switch e := e.(type) {
		case Ring:
			l[e.Call] = true
		case Answer:
			l[e.Call] = true
		case HangUp:
			delete(l, e.Call)
		}
	}
}

// checkState holds what must be true of every state.
func checkState(t *testing.T, s State, effects []Effect, shown LightState) {
	t.Helper()
	open := s.locks[0].open
	switch {
	case s.Shows != shown:
		t.Fatalf("the light was told %q, and the state is that it shows %q", shown, s.Shows)
	case open != (s.Shows == LightOpened):
		t.Fatalf("the lock is open: %v, and the light shows %q", open, s.Shows)
	case !open && (s.Phase == Talking) != (s.Shows == LightTalking):
		t.Fatalf("%v, and the light shows %q", s.Phase, s.Shows)
	case s.Shows == LightIdle && (!s.link || s.fault || s.blocked):
		t.Fatalf("the light shows %q although link %v, fault %v, blocked %v", s.Shows, s.link, s.fault, s.blocked)
	case s.Phase == Idle && (s.Call != "" || s.User != 0 || s.Flat != "" || s.ending || s.visit.target != nil || s.Typed+s.secret != "" || s.coding):
		t.Fatalf("something is left in an idle door: %+v", s)
	case s.Phase == Talking && (s.Call == "" || s.User == 0):
		t.Fatalf("talking to nobody: %+v", s)
	case s.Phase != Idle && s.timers.next().IsZero():
		t.Fatalf("%v, and it is never woken", s.Phase)
	}
	for _, e := range effects {
		if e, ok := e.(Ring); ok && len(e.Users) == 0 {
			t.Fatal("it rings nobody")
		}
	}
}

// TestEveryStateLeaves: from wherever a door got to, with nothing but the time passing it
// becomes idle, with no phone ringing on and no call left.
func TestEveryStateLeaves(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	seen := map[Phase]int{}
	for range 5000 {
		x := newHouse(t)
		calls := living{}
		shown := x.state.Shows
		turn := func(in Input) {
			before := x.state
			next, effects, wake := before.Next(x.now, in)
			// A state is a value: what became of it does not change it.
			before.Next(x.now.Add(time.Minute), Key{'1'})
			if again, same, _ := before.Next(x.now, in); !reflect.DeepEqual(again, next) || !reflect.DeepEqual(same, effects) {
				t.Fatalf("%#v twice from one state: %+v and %+v", in, next, again)
			}
			x.state, x.wake = next, wake
			calls.follow(in, effects)
			for _, e := range effects {
				if e, ok := e.(Light); ok {
					shown = e.Show
				}
			}
			checkState(t, x.state, effects, shown)
			if _, ok := in.(Wake); ok && !wake.IsZero() && !wake.After(x.now) {
				t.Fatalf("woken at %v it wants to be woken at %v", x.now, wake)
			}
		}
		for range 1 + r.IntN(40) {
			x.now = x.now.Add(time.Duration(r.IntN(8000)) * time.Millisecond)
			for !x.wake.IsZero() && x.now.After(x.wake) && r.IntN(8) > 0 {
				turn(Wake{})
			}
			turn(randomInput(r, x.state))
		}
		seen[x.state.Phase]++
		for wakes := 0; x.state.Phase != Idle; wakes++ {
			if wakes > 10 {
				t.Fatalf("still %v after %d wakes: %+v", x.state.Phase, wakes, x.state)
			}
			if x.now.Before(x.wake) {
				x.now = x.wake
			}
			turn(Wake{})
		}
		if len(calls) > 0 {
			t.Fatalf("idle, and calls %v go on", calls)
		}
	}
	for _, p := range []Phase{Idle, Dialling, Waiting, Calling, Talking} {
		if seen[p] < 50 {
			t.Errorf("only %d of the walks ended %v: the test proves little", seen[p], p)
		}
	}
}
