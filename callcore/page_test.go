package callcore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
	"intercom/signaling/memory"
)

// page is a Script that reconnects as the JS SDK does.
type page struct {
	*callcoretest.Script
	call *signaling.Signal
	id   string // of its latest offer
}

// talk puts a door and a page into a call in which the page speaks.
func talk(t *testing.T, w *callcoretest.World, door *callcoretest.Phone, user signaling.UserID) (*callcore.Session, *page) {
	t.Helper()
	return talkTo(t, w, door, user, memory.PongAnswer)
}

// talkTo does so with a page that answers pings, or does not.
func talkTo(t *testing.T, w *callcoretest.World, door *callcoretest.Phone, user signaling.UserID, pong memory.Pong) (*callcore.Session, *page) {
	t.Helper()
	p := &page{Script: w.Script(user, "tab")}
	p.SetPong(pong)
	s := door.Call(signaling.Audio, user)
	p.call = answered(t, door, p.Script)
	p.Speak(time.Second)
	return s, p
}

// describe sends a description to the door.
func (p *page) describe(id, kind, sdp string) {
	p.Reply(p.call, signaling.Signal{Kind: signaling.Update, Reconnect: &signaling.Description{OfferID: id, Type: kind, SDP: sdp}})
}

// offer replaces the connection and sends an offer of the new one, as an impolite page
// does; or a poke, as a polite one does.
func (p *page) offer(id string) {
	p.Renew()
	p.id = id
	p.describe(id, "offer", p.Offer())
}

// await receives the next description.
func (p *page) await(t *testing.T, kind string) *signaling.Description {
	t.Helper()
	for {
		if s := p.Await(signaling.Update); s.Reconnect != nil {
			if s.Reconnect.Type != kind || s.Reconnect.OfferID == "" || s.Initiator != p.call.Initiator || s.Session != p.call.Session {
				t.Errorf("reconnection %+v, want %s", s, kind)
			}
			return s.Reconnect
		}
	}
}

// apply applies the answer to the latest offer.
func (p *page) apply(t *testing.T) {
	t.Helper()
	d := p.await(t, "answer")
	if d.OfferID != p.id {
		t.Errorf("answer to offer %q, want %q", d.OfferID, p.id)
	}
	p.Accepted(d.SDP)
}

// answer replaces the connection and answers an offer.
func (p *page) answer(d *signaling.Description) {
	p.Renew()
	p.describe(d.OfferID, "answer", p.Answer(d.SDP))
}

// TestPageReconnects: trap 15. A page loses its connection and tells; ours looks fine. Both roles.
func TestPageReconnects(t *testing.T) {
	for name, user := range map[string]signaling.UserID{"polite door": 9, "impolite door": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
				door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
				s, tab := talk(t, w, door, user)
				if u := updated(t, door, tab.Script, s.ID()); !u.Live {
					t.Errorf("not live because %q", u.NotLive)
				}
				for i, id := range []string{"first", "second", "third"} {
					tab.PeerConnection() // closed by the offer
					tab.offer(id)
					told(t, door, callcore.Reconnecting)
					if u := updated(t, door, tab.Script, s.ID()); u.NotLive != "the connection is not up" {
						t.Errorf("while reconnecting: not live because %q", u.NotLive)
					}
					if user == 9 {
						tab.apply(t)
					} else {
						d := tab.await(t, "offer")
						if d.OfferID == id {
							t.Error("our offer has the page's id")
						}
						tab.answer(d)
					}
					told(t, door, callcore.Reconnected)
					if u := updated(t, door, tab.Script, s.ID()); u.NotLive != "no media have arrived" {
						t.Errorf("connected again: not live because %q", u.NotLive)
					}
					tab.Speak(time.Second)
					if u := updated(t, door, tab.Script, s.ID()); !u.Live {
						t.Errorf("talking again: not live because %q", u.NotLive)
					}
					if got := len(door.Media.Opened()); got != i+2 {
						t.Errorf("%d feeds opened for %d connections", got, i+2)
					}
				}
				flowsTo(t, door, s)
			})
		})
	}
}

// flowsTo checks that the door sends, with one feed and one player.
func flowsTo(t *testing.T, door *callcoretest.Phone, s *callcore.Session) {
	t.Helper()
	before := s.Stats()[0].Audio.PacketsSent
	time.Sleep(time.Second)
	if n := s.Stats()[0].Audio.PacketsSent - before; n < 45 {
		t.Errorf("%d packets sent in 1 s", n)
	}
	if f, p := door.Media.OpenFeeds(), door.Media.OpenPlayers(); f != 1 || p != 1 {
		t.Errorf("%d feeds and %d players open", f, p)
	}
}

// TestWeLose: the door notices, and asks the page, which had to be told. Both roles.
func TestWeLose(t *testing.T) {
	for name, user := range map[string]signaling.UserID{"polite door": 9, "impolite door": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
				door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
				sever := w.Sever()
				s, tab := talk(t, w, door, user)
				tab.Listen(time.Second)
				sever()
				r := told(t, door, callcore.Reconnecting)
				d := tab.await(t, "offer")
				if took := time.Since(r.Time); took < 5*time.Second || took > 5*time.Second+200*time.Millisecond {
					t.Errorf("the offer came %v after the loss, want 5 s", took)
				}
				if user == 9 {
					tab.offer("mine")
					tab.apply(t)
				} else {
					tab.answer(d)
				}
				told(t, door, callcore.Reconnected)
				tab.Speak(time.Second)
				flowsTo(t, door, s)
			})
		})
	}
}

// TestReconnectCandidates: they carry no offer id. Those that come on their own, with and
// without a user name fragment, before and after the offer, connect the call.
func TestReconnectCandidates(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				_, tab := talk(t, w, door, 2)
				tab.Renew()
				tab.id = "O"
				offer := tab.Offer()
				ufrag := line(offer, "a=ice-ufrag:")[len("a=ice-ufrag:"):]
				trickle := signaling.Signal{Kind: signaling.Candidates}
				for _, c := range candidatesIn(offer) {
					trickle.Candidates = append(trickle.Candidates, signaling.Candidate{Candidate: c + " ufrag " + ufrag, SDPMid: "0"})
				}
				if when == "before" {
					tab.Reply(tab.call, trickle)
				}
				tab.describe("O", "offer", withoutCandidates(offer))
				d := tab.await(t, "answer")
				tab.Accepted(withoutCandidates(d.SDP))
				// Theirs are all the door has, and it none of ours: it must have used them.
				if when == "after" {
					for i := range trickle.Candidates {
						trickle.Candidates[i].Candidate = candidatesIn(offer)[i]
					}
					tab.Reply(tab.call, trickle)
				}
				callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
			})
		})
	}
}

// candidatesIn returns the candidates of a description.
func candidatesIn(sdp string) []string {
	var list []string
	for l := range strings.Lines(sdp) {
		if c, ok := strings.CutPrefix(l, "a="); ok && strings.HasPrefix(c, "candidate:") {
			list = append(list, strings.TrimSpace(c))
		}
	}
	return list
}

// TestReconnectOnNewDevice: the JS SDK gets a new resource when it reconnects to the chat
// server. The call goes on with it once the one before is lost, and only then. This one
// answers no pings; for one that does see TestClaim.
func TestReconnectOnNewDevice(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		s, tab := talkTo(t, w, door, 2, memory.PongRefuse)
		next := &page{Script: w.Script(2, "next"), call: tab.call}
		next.offer("too early")
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrOtherDevice) || e.Device != "next" {
			t.Errorf("invalid %+v", e)
		}
		if u := updated(t, door, tab.Script, s.ID()); !u.Live {
			t.Errorf("not live because %q", u.NotLive)
		}

		// A signal of ours to the old device comes back, but then it is heard of.
		tab.SetLink(false)
		must(t, s.Update(t.Context(), nil))
		callcoretest.Await[callcore.Undeliverable](door)
		tab.SetLink(true)
		updated(t, door, tab.Script, s.ID())
		next.offer("too early again")
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrOtherDevice) {
			t.Errorf("invalid %+v", e)
		}

		// It is gone for good.
		tab.Close()
		must(t, s.Update(t.Context(), map[string]string{"are": "you there"}))
		callcoretest.Await[callcore.Undeliverable](door)
		if u := updated(t, door, next.Script, s.ID()); u.Live {
			t.Error("live from a device that has not reconnected")
		}
		told(t, door, callcore.Reconnecting) // see TestUnlockOnNewDevice
		next.await(t, "offer")
		next.offer("O")
		next.apply(t)
		if r := told(t, door, callcore.Reconnected); r.Device != "next" {
			t.Errorf("reconnect %+v", r)
		}
		if u := updated(t, door, next.Script, s.ID()); u.NotLive != "no media have arrived" {
			t.Errorf("not live because %q", u.NotLive)
		}
		next.Speak(time.Second)
		if u := updated(t, door, next.Script, s.ID()); !u.Live {
			t.Errorf("not live because %q", u.NotLive)
		}
		next.Reply(next.call, signaling.Signal{Kind: signaling.HangUp})
		closed(t, door, callcore.ReasonPeerHungUp)
	})
}

// TestRepeatedOnNewDevice: an offer that we have answered comes again from a new resource,
// which the answer has not reached.
func TestRepeatedOnNewDevice(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		_, tab := talk(t, w, door, 2)
		next := &page{Script: w.Script(2, "next"), call: tab.call}
		tab.offer("O")
		tab.await(t, "answer") // and forgets it
		next.describe("O", "offer", tab.Offer())
		d := next.await(t, "answer")
		if d.OfferID != "O" {
			t.Errorf("answer to offer %q", d.OfferID)
		}
		tab.Accepted(d.SDP)
		if r := callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected }); r.Device != "next" {
			t.Errorf("reconnect %+v", r)
		}
	})
}

// TestAnswerOnNewDevice: the page was offered a connection, and answers with a new resource.
func TestAnswerOnNewDevice(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
		sever := w.Sever()
		s, tab := talk(t, w, door, 2)
		sever()
		d := tab.await(t, "offer")
		next, thief := &page{Script: w.Script(2, "next"), call: tab.call}, &page{Script: w.Script(2, "thief"), call: tab.call}
		thief.describe("guessed", "answer", tab.PeerConnection().LocalDescription().SDP)
		if e := callcoretest.Await[callcore.Invalid](door); e.Device != "thief" {
			t.Errorf("invalid %+v", e)
		}
		next.answer(d)
		callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
		next.Speak(time.Second)
		if u := updated(t, door, next.Script, s.ID()); !u.Live {
			t.Errorf("not live because %q", u.NotLive)
		}
		if u := updated(t, door, tab.Script, s.ID()); u.Live {
			t.Error("live from the device that was lost")
		}
	})
}
