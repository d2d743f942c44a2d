package callcore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestGlare: two clients call each other, at once or one before the other's call is there.
// The two calls become one.
func TestGlare(t *testing.T) {
	for _, gap := range []time.Duration{-4 * time.Millisecond, 0, 4 * time.Millisecond} {
		t.Run(gap.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Phone(callcoretest.Spec{User: 2})
				var a, b *callcore.Session
				if gap <= 0 {
					a = door.Call(signaling.Audio, 2)
					time.Sleep(-gap)
					b = phone.Call(signaling.Audio, 1)
				} else {
					b = phone.Call(signaling.Audio, 1)
					time.Sleep(gap)
					a = door.Call(signaling.Audio, 2)
				}
				for p, s := range map[*callcoretest.Phone]*callcore.Session{door: a, phone: b} {
					if e := callcoretest.Await[callcore.Accepted](p); e.Session != s {
						t.Errorf("phone %s: accepted %+v", p.User, e)
					}
					callcoretest.Await[callcore.MediaStarted](p)
					if s.Initiator() != p.User || s.Incoming() {
						t.Errorf("phone %s: session begun by %s", p.User, s.Initiator())
					}
				}
				time.Sleep(20 * time.Second) // calls are not repeated any more
				flows(t, door, a, 0)
				flows(t, phone, b, 0)
				for _, p := range []*callcoretest.Phone{door, phone} {
					for _, e := range append(p.Seen, p.Idle(time.Second)...) {
						switch e.(type) {
						case callcore.Incoming, callcore.Rejected, callcore.Closed:
							t.Errorf("phone %s: %#v", p.User, e)
						}
					}
				}
				must(t, a.HangUp(t.Context(), nil))
				closed(t, door, callcore.ReasonHungUp)
				closed(t, phone, callcore.ReasonPeerHungUp)
			})
		})
	}
}

// TestGlareWithSDK: a page that has called rejects our call. Whatever its id, and whichever
// call was first, its own is accepted.
func TestGlareWithSDK(t *testing.T) {
	for _, user := range []signaling.UserID{2, 9} {
		for _, first := range []string{"ours", "theirs"} {
			t.Run(fmt.Sprint(user, " ", first), func(t *testing.T) {
				bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
					door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
					other := w.Script(3, "other") // of the same ring group
					tab, tablet := w.Script(user, "tab"), w.Script(user, "tablet")
					theirs := signaling.Signal{Kind: signaling.Call, Peer: 5, Session: "P", SDP: tab.Offer(), Info: map[string]string{"it": "is me"}}
					s := door.Call(signaling.Audio, user, 3)
					if first == "theirs" {
						tab.Post(theirs)
					}
					ours := tab.Await(signaling.Call)
					if first == "ours" {
						tab.Post(theirs)
					}
					tab.Reply(ours, signaling.Signal{Kind: signaling.Reject, SDP: ours.SDP})
					if e := callcoretest.Await[callcore.Accepted](door); e.Session != s || e.User != user || e.Device != "tab" || e.Info["it"] != "is me" {
						t.Errorf("accepted %+v", e)
					}
					tab.Post(theirs) // repeated, and crossing the accept
					a := tab.Await(signaling.Accept)
					if a.Session != "P" || a.Initiator != user {
						t.Errorf("accept %+v", a)
					}
					tab.Accepted(a.SDP)
					tablet.Await(signaling.HangUp) // it rings no more, nor does the other user
					other.Await(signaling.HangUp)
					callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
					tab.Speak(time.Second)
					flowsTo(t, door, s)
					tab.Reply(a, signaling.Signal{Kind: signaling.HangUp})
					closed(t, door, callcore.ReasonPeerHungUp)
				})
			})
		}
	}
}

// TestGlareElse lists what else may become of two calls that cross, when the other one has
// the lower id and waits.
func TestGlareElse(t *testing.T) {
	cases := map[string]func(*testing.T, *callcoretest.World, *callcoretest.Phone, *callcore.Session, *callcoretest.Script, *callcoretest.Script, *signaling.Signal){
		"another device answers ours": func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone, _ *callcore.Session, tab, tablet *callcoretest.Script, call *signaling.Signal) {
			tablet.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: tablet.Answer(call.SDP)})
			if r := tab.Await(signaling.Reject); r.Session != "P" {
				t.Errorf("reject %+v", r)
			}
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrBusy) {
				t.Errorf("invalid %+v", e)
			}
		},
		"another device declines ours": func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone, _ *callcore.Session, tab, tablet *callcoretest.Script, call *signaling.Signal) {
			tablet.Reply(call, signaling.Signal{Kind: signaling.Reject})
			closed(t, door, callcore.ReasonPeerRejected)
			if in := callcoretest.Await[callcore.Incoming](door); in.Session.ID() != "P" || in.Device != "tab" {
				t.Errorf("incoming %+v", in)
			}
		},
		"we hang up": func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone, s *callcore.Session, tab, tablet *callcoretest.Script, call *signaling.Signal) {
			must(t, s.HangUp(t.Context(), nil))
			closed(t, door, callcore.ReasonHungUp)
			if in := callcoretest.Await[callcore.Incoming](door); in.Session.ID() != "P" {
				t.Errorf("incoming %+v", in)
			}
		},
		"they hang up theirs": func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone, s *callcore.Session, tab, tablet *callcoretest.Script, call *signaling.Signal) {
			tab.Post(signaling.Signal{Kind: signaling.HangUp, Peer: 5, Session: "P"})
			time.Sleep(time.Second)
			tab.Reply(call, signaling.Signal{Kind: signaling.Reject})
			closed(t, door, callcore.ReasonPeerRejected)
			for _, e := range door.Idle(time.Minute) {
				t.Errorf("event %#v", e)
			}
		},
		"theirs is of another type": func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone, s *callcore.Session, tab, tablet *callcoretest.Script, call *signaling.Signal) {
			tab.Post(signaling.Signal{Kind: signaling.Call, Peer: 5, Session: "V", SDP: tab.Offer(), CallType: signaling.Video})
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrBusy) {
				t.Errorf("invalid %+v", e)
			}
			if r := tab.Await(signaling.Reject); r.Session != "V" {
				t.Errorf("reject %+v", r)
			}
		},
		"the reject is there before the call": func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone, s *callcore.Session, tab, tablet *callcoretest.Script, call *signaling.Signal) {
			must(t, s.HangUp(t.Context(), nil))
			callcoretest.Await[callcore.Incoming](door)
			tab.Post(signaling.Signal{Kind: signaling.HangUp, Peer: 5, Session: "P"})
			callcoretest.AwaitWhere(door, func(c callcore.Closed) bool { return c.Session.ID() == "P" })
			door.Call(signaling.Audio, 2)
			again := tab.Await(signaling.Call)
			tab.Reply(again, signaling.Signal{Kind: signaling.Reject})
			tab.Post(signaling.Signal{Kind: signaling.Call, Peer: 5, Session: "Q", SDP: tab.Offer()})
			closed(t, door, callcore.ReasonPeerRejected)
			if in := callcoretest.Await[callcore.Incoming](door); in.Session.ID() != "Q" {
				t.Errorf("incoming %+v", in)
			}
		},
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
				door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
				tab, tablet := w.Script(2, "tab"), w.Script(2, "tablet")
				s := door.Call(signaling.Audio, 2)
				call := tablet.Await(signaling.Call)
				tab.Await(signaling.Call)
				tab.Post(signaling.Signal{Kind: signaling.Call, Peer: 5, Session: "P", SDP: tab.Offer()})
				time.Sleep(time.Second)
				run(t, w, door, s, tab, tablet, call)
			})
		})
	}
}
