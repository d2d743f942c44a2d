package callcore_test

import (
	"errors"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
	"intercom/signaling/memory"
)

const (
	notTheDevice = "it is from another device than the one in the call"
	notProven    = notTheDevice + ", and has not shown that it is the same one"
)

var unlock = map[string]string{"command": "unlock"}

// another is a device of the page's user that knows the call.
func (p *page) another(w *callcoretest.World, device string) *page {
	return &page{Script: w.Script(p.Self(), device), call: p.call}
}

// asks sends an update to the door, and does not wait for what becomes of it.
func (p *page) asks() { p.Reply(p.call, signaling.Signal{Kind: signaling.Update, Info: unlock}) }

// reconnects makes the connection that a page was told to make, as the JS SDK does: the old one
// is closed first. The page was impolite if the door is polite.
func (p *page) reconnects(t *testing.T, old *page, politeDoor bool) {
	t.Helper()
	d := p.await(t, "offer")
	old.Renew()
	if politeDoor {
		p.offer("page")
		p.apply(t)
		return
	}
	p.answer(d)
	p.answer(p.await(t, "offer"))
}

// verdict waits for what has become of an update.
func verdict(t *testing.T, door *callcoretest.Phone, device, want string) {
	t.Helper()
	u := callcoretest.Await[callcore.Updated](door)
	if u.Device != device || u.NotLive != want || u.Live != (want == "") || u.Info["command"] != "unlock" {
		t.Errorf("update of %s, not live because %q; want one of %s, %q", u.Device, u.NotLive, device, want)
	}
}

// never checks that nothing of a kind is told for a while.
func never[E callcore.Event](t *testing.T, door *callcoretest.Phone, d time.Duration) {
	t.Helper()
	time.Sleep(d)
	seen := len(door.Seen)
	must(t, door.Client.Tell(t.Context(), 99, "", unlock))
	callcoretest.AwaitWhere(door, func(u callcore.Undeliverable) bool { return u.User == 99 })
	for _, e := range door.Seen[seen:] {
		if _, is := e.(E); is {
			t.Errorf("told %+v", e)
		}
	}
}

// TestClaim: the page lost its connection to the chat server and has a new resource, while
// media flow on. The first that it asks for is granted, when it has shown that it is the
// device in the call; from then on it is that in everything.
func TestClaim(t *testing.T) {
	for name, user := range map[string]signaling.UserID{"polite door": 9, "impolite door": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
				door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
				s, tab := talk(t, w, door, user)
				idle := tab.another(w, "idle")
				tab.Client.Close()
				next := tab.another(w, "next")
				start := time.Now()
				next.asks()
				must(t, next.Tell(t.Context(), &signaling.Message{Peer: door.User, Info: unlock}))
				next.reconnects(t, tab, user == 9)
				told(t, door, callcore.Reconnecting)
				told(t, door, callcore.Reconnected)
				next.Speak(time.Second)
				verdict(t, door, "next", "")
				if m := callcoretest.Await[callcore.Message](door); !m.Live || m.Device != "next" || m.Session != s {
					t.Errorf("message %+v", m)
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("granted after %v", took)
				}
				if u := updated(t, door, next.Script, s.ID()); !u.Live {
					t.Errorf("not live because %q", u.NotLive)
				}
				must(t, s.Update(t.Context(), map[string]string{"event": "opened"}))
				if u := next.Await(signaling.Update); u.Info["event"] != "opened" {
					t.Errorf("the page got %+v", u)
				}
				if got := idle.Listen(time.Second); len(got) > 1 {
					t.Errorf("the idle device got %d signals, want the call alone", len(got))
				}
				next.hangUp()
				closed(t, door, callcore.ReasonPeerHungUp)
			})
		})
	}
}

// TestClaimTwice: the page may lose its chat connection again and again.
func TestClaimTwice(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		_, now := talk(t, w, door, 2)
		for _, name := range []string{"second", "third", "fourth"} {
			now.Client.Close()
			next := now.another(w, name)
			next.asks()
			next.reconnects(t, now, true)
			next.Speak(time.Second)
			verdict(t, door, name, "")
			now = next
			now.Speak(10 * time.Second) // it is not asked for ever who is there
		}
	})
}

// TestClaimWhileThere: another phone of the user asks while the one in the call is there, or
// may be. That costs the call nothing, and the phone is refused.
func TestClaimWhileThere(t *testing.T) {
	for _, c := range []struct {
		name   string
		before memory.Pong // what the page answers when the call begins
		then   func(tab, tablet *page)
		want   string
		after  time.Duration
	}{
		{"it answers", memory.PongAnswer, func(tab, tablet *page) {}, notTheDevice, 0},
		{"it is silent", memory.PongAnswer, func(tab, _ *page) { tab.SetPong(memory.PongNothing) }, notTheDevice + ", and that one does not say whether it is there", 2 * time.Second},
		{"it does not know pings", memory.PongRefuse, func(tab, tablet *page) {}, notTheDevice, 0},
		{"it does not know pings, and is gone", memory.PongRefuse, func(tab, _ *page) { tab.Client.Close() }, notTheDevice, 0},
		{"it never answered, and is gone", memory.PongNothing, func(tab, _ *page) { tab.Client.Close() }, notTheDevice, 0},
		{"the other one does not know pings", memory.PongAnswer, func(tab, tablet *page) {
			tab.Client.Close()
			tablet.SetPong(memory.PongRefuse)
		}, notTheDevice + ", and does not say whether it is there", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				s, tab := talkTo(t, w, door, 2, c.before)
				tablet := tab.another(w, "tablet")
				time.Sleep(2 * time.Second)
				c.then(tab, tablet)
				start := time.Now()
				tablet.asks()
				verdict(t, door, "tablet", c.want)
				if took := time.Since(start); took < c.after || took > c.after+100*time.Millisecond {
					t.Errorf("refused after %v, want %v", took, c.after)
				}
				never[callcore.Reconnect](t, door, 12*time.Second)
				if s.State() != callcore.StateConnected || len(door.Media.Opened()) != 1 {
					t.Errorf("state %s, %d feeds opened", s.State(), len(door.Media.Opened()))
				}
			})
		})
	}
}

// TestClaimOfAnotherPhone: the page in the call has lost its chat connection, and before it
// is back another phone of the user asks to open. It is refused whatever it does, and the
// page's call goes on undisturbed. The page is followed when it is back.
func TestClaimOfAnotherPhone(t *testing.T) {
	for name, does := range map[string]func(t *testing.T, tablet *page){
		"does nothing": func(*testing.T, *page) {},
		"offers": func(t *testing.T, tablet *page) {
			tablet.offer("too early")
			tablet.await(t, "offer")
			tablet.offer("mine")
		},
		"answers": func(t *testing.T, tablet *page) {
			tablet.answer(tablet.await(t, "offer"))
		},
	} {
		for role, user := range map[string]signaling.UserID{"polite door": 9, "impolite door": 2} {
			t.Run(name+" to a "+role, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
					door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
					s, tab := talk(t, w, door, user)
					tablet := tab.another(w, "tablet")
					tab.Client.Close()
					tablet.asks()
					does(t, tablet)
					next := tab.another(w, "next")
					tab.Speak(11 * time.Second)
					verdict(t, door, "tablet", notProven)
					if s.State() != callcore.StateConnected || len(door.Media.Opened()) != 1 {
						t.Errorf("state %s, %d feeds opened", s.State(), len(door.Media.Opened()))
					}
					next.asks()
					time.Sleep(100 * time.Millisecond)
					tablet.hangUp() // it is not the one that closes the connection next
					refusedOther(t, door)
					next.reconnects(t, tab, user == 9)
					next.Speak(time.Second)
					verdict(t, door, "next", "")
				})
			})
		}
	}
}

// TestClaimIsNotForged: while the page is told to make a new connection, others who know the
// call make one. Only the one that was told is followed.
func TestClaimIsNotForged(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
		_, tab := talk(t, w, door, 2)
		tablet, stranger := tab.another(w, "tablet"), &page{Script: w.Script(3, "next"), call: tab.call}
		tab.Client.Close()
		next := tab.another(w, "next")
		next.asks()
		d := next.await(t, "offer")
		tablet.answer(d) // as if it had been told
		if e := callcoretest.Await[callcore.Invalid](door); e.Device != "tablet" || !errors.Is(e.Err, callcore.ErrOutOfPlace) {
			t.Errorf("invalid %+v, want %v", e, callcore.ErrOutOfPlace)
		}
		tablet.asks()
		verdict(t, door, "tablet", notTheDevice)
		stranger.asks()
		stranger.answer(d)
		for range 2 {
			if e := callcoretest.Await[callcore.Invalid](door); e.User != 3 || !errors.Is(e.Err, callcore.ErrNotParticipant) {
				t.Errorf("invalid %+v, want %v", e, callcore.ErrNotParticipant)
			}
		}
		tab.Renew()
		next.answer(d)
		next.answer(next.await(t, "offer"))
		next.Speak(time.Second)
		verdict(t, door, "next", "")
	})
}

// TestClaimAfterLoss: what says that the page has closed its connection is lost, and so the
// connection is missed only after a while. The page's own description has to wait.
func TestClaimAfterLoss(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		sever := w.Sever()
		_, tab := talk(t, w, door, 2)
		tab.Client.Close()
		next := tab.another(w, "next")
		start := time.Now()
		next.asks()
		next.await(t, "offer")
		sever()
		next.offer("page")
		next.apply(t)
		told(t, door, callcore.Reconnecting)
		told(t, door, callcore.Reconnected)
		next.Speak(time.Second)
		verdict(t, door, "next", "")
		if took := time.Since(start); took < 5*time.Second || took > 8*time.Second {
			t.Errorf("granted after %v", took)
		}
	})
}

// TestClaimEnds: what is held is refused when the call ends, and when the device in the call
// turns out to be there.
func TestClaimEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		s, tab := talk(t, w, door, 2)
		next := tab.another(w, "next")
		tab.SetLink(false)
		next.asks()
		next.await(t, "offer")
		tab.SetLink(true)
		tab.asks()
		verdict(t, door, "next", notTheDevice)
		verdict(t, door, "tab", "")
		next.offer("late")
		refusedOther(t, door)
		tab.Client.Close()
		next.asks()
		next.await(t, "offer")
		must(t, s.HangUp(t.Context(), nil))
		verdict(t, door, "next", "the session has ended")
		closed(t, door, callcore.ReasonHungUp)
	})
}

// TestClaimIsBounded: a device that asks again and again is held up to a limit, and does not
// make the door ask forever who is there.
func TestClaimIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		_, tab := talk(t, w, door, 2)
		tablet := tab.another(w, "tablet")
		tab.SetPong(memory.PongNothing)
		for range 20 {
			tablet.asks()
		}
		refused := map[string]int{}
		for range 20 {
			refused[callcoretest.Await[callcore.Updated](door).NotLive]++
		}
		if n := refused[notTheDevice]; n != 12 || len(refused) != 2 {
			t.Errorf("refused %v, want 12 at once and the others after 2 s", refused)
		}
	})
}

// TestOfferWhileWeMove: another device's offer waits for the connection to end, and then it is
// we who change to another network. That shows nothing about who is in the call.
func TestOfferWhileWeMove(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		s, tab := talkTo(t, w, door, 2, memory.PongRefuse)
		tablet := tab.another(w, "tablet")
		door.Link.SetLink(false)
		door.Link.SetLink(true)
		tablet.offer("mine")
		time.Sleep(100 * time.Millisecond)
		w.Move(door.Net, "10.0.0.99")
		door.NetworkChanged()
		told(t, door, callcore.Reconnecting)
		tab.await(t, "offer")
		tab.offer("page")
		tab.apply(t)
		if r := told(t, door, callcore.Reconnected); r.Device != "tab" {
			t.Errorf("reconnect %+v", r)
		}
		tab.Speak(time.Second)
		if u := updated(t, door, tab.Script, s.ID()); !u.Live {
			t.Errorf("not live because %q", u.NotLive)
		}
	})
}

// TestOfferOnNewDevice: an offer of another device of the user comes while the connection
// stands, and the device in the call may be gone. It is followed when the other end closes
// the connection, and not if it does not.
func TestOfferOnNewDevice(t *testing.T) {
	for _, closes := range []bool{true, false} {
		bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
			s, tab := talkTo(t, w, door, 2, memory.PongRefuse)
			next, third := tab.another(w, "next"), tab.another(w, "third")
			door.Link.SetLink(false)
			door.Link.SetLink(true)
			next.offer("next")
			third.offer("third")
			refusedOther(t, door)
			if !closes {
				tab.Speak(11 * time.Second)
				refusedOther(t, door)
				must(t, tab.PeerConnection().Close())
				told(t, door, callcore.Reconnecting) // and it is asked for another one
				return
			}
			time.Sleep(100 * time.Millisecond)
			if len(door.Media.Opened()) != 1 {
				t.Error("followed although the connection stands")
			}
			tab.Renew()
			next.apply(t)
			told(t, door, callcore.Reconnecting)
			if r := told(t, door, callcore.Reconnected); r.Device != "next" {
				t.Errorf("reconnect %+v", r)
			}
			if got := s.State(); got != callcore.StateConnected {
				t.Errorf("state %s", got)
			}
		})
	}
}
