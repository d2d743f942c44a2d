package callcore_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// told waits for a state of the reconnection.
func told(t *testing.T, p *callcoretest.Phone, want callcore.ReconnectState) callcore.Reconnect {
	t.Helper()
	r := callcoretest.Await[callcore.Reconnect](p)
	if r.State != want {
		t.Errorf("phone %s: %s, want %s", p.User, r.State, want)
	}
	return r
}

// flows checks that media flow both ways on a connection, and how many feeds were opened
// for it and those before it.
func flows(t *testing.T, p *callcoretest.Phone, s *callcore.Session, opened int) {
	t.Helper()
	before := s.Stats()[0]
	played := p.Media.Played(s.Users()[0])
	time.Sleep(2 * time.Second)
	after := s.Stats()[0]
	if n := after.Audio.PacketsReceived - before.Audio.PacketsReceived; n < 90 {
		t.Errorf("phone %s: %d packets of sound in 2 s", p.User, n)
	}
	if n := p.Media.Played(s.Users()[0]) - played; n < 90 {
		t.Errorf("phone %s: %d packets played in 2 s", p.User, n)
	}
	if s.CallType() == signaling.Video && after.Video.PacketsReceived-before.Video.PacketsReceived < 60 {
		t.Errorf("phone %s: hardly any picture: %+v then %+v", p.User, before, after)
	}
	feeds := 1
	if s.CallType() == signaling.Video {
		feeds = 2
	}
	if got := p.Media.OpenFeeds(); got != feeds {
		t.Errorf("phone %s: %d feeds open, want %d", p.User, got, feeds)
	}
	if got := p.Media.OpenPlayers(); got != 1 {
		t.Errorf("phone %s: %d players open, want 1", p.User, got)
	}
	if got := len(p.Media.Opened()); opened > 0 && got != opened {
		t.Errorf("phone %s: %d feeds were opened in all, want %d", p.User, got, opened)
	}
	if got := s.State(); got != callcore.StateConnected {
		t.Errorf("phone %s: state %s, want connected", p.User, got)
	}
}

// TestShortCut: three seconds without packets are no loss, and eight come back by
// themselves.
func TestShortCut(t *testing.T) {
	for _, c := range []struct {
		cut  time.Duration
		lost bool
	}{{3 * time.Second, false}, {8 * time.Second, true}} {
		t.Run(c.cut.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Phone(callcoretest.Spec{User: 2})
				out, in := connect(t, door, phone, signaling.Audio)
				cut := w.Cut()
				time.Sleep(c.cut)
				cut(false)
				for p, s := range map[*callcoretest.Phone]*callcore.Session{door: out, phone: in} {
					var seen []callcore.ReconnectState
					for _, e := range p.Idle(20 * time.Second) {
						if e, ok := e.(callcore.Reconnect); ok {
							seen = append(seen, e.State)
						}
					}
					if c.lost && (len(seen) != 2 || seen[0] != callcore.Reconnecting || seen[1] != callcore.Reconnected) || !c.lost && len(seen) != 0 {
						t.Errorf("phone %s: reconnect %v", p.User, seen)
					}
					flows(t, p, s, 1)
				}
			})
		})
	}
}

// TestReconnects: two clients, of which the higher id offers, whoever called. The path is
// dead for good, or for longer than the first attempt lasts.
func TestReconnects(t *testing.T) {
	for _, c := range []struct {
		name   string
		caller signaling.UserID
		heal   time.Duration // zero: only for new sockets
	}{{"dead path, polite caller", 1, 0}, {"dead path, impolite caller", 2, 0}, {"15 s, polite caller", 1, 15 * time.Second}, {"15 s, impolite caller", 2, 15 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				sever := w.Sever()
				phone := w.Phone(callcoretest.Spec{User: 2})
				a, b := door, phone
				if c.caller == 2 {
					a, b = phone, door
				}
				out, in := connect(t, a, b, signaling.Video)
				time.Sleep(time.Second)
				before := out.Stats()[0]
				start := time.Now()
				limit := 13 * time.Second
				if c.heal > 0 {
					cut := w.Cut()
					time.AfterFunc(c.heal, func() { cut(false) })
					limit = c.heal + 9*time.Second
				} else {
					sever()
				}
				for p, s := range map[*callcoretest.Phone]*callcore.Session{a: out, b: in} {
					if r := told(t, p, callcore.Reconnecting); r.Session != s || r.User != s.Users()[0] {
						t.Errorf("reconnect %+v", r)
					}
				}
				if out.State() != callcore.StateConnecting {
					t.Errorf("state %s", out.State())
				}
				keys := a.Media.KeyDemands()
				for _, p := range []*callcoretest.Phone{a, b} {
					r := told(t, p, callcore.Reconnected)
					if took := r.Time.Sub(start); took > limit {
						t.Errorf("phone %s: reconnected after %v", p.User, took)
					}
					callcoretest.Await[callcore.MediaStarted](p)
				}
				if a.Media.KeyDemands() == keys {
					t.Error("no key frame was demanded for the new connection")
				}
				flows(t, a, out, 0)
				flows(t, b, in, 0)
				if after := out.Stats()[0]; after.Audio.PacketsSent < before.Audio.PacketsSent || after.Audio.BytesReceived < before.Audio.BytesReceived {
					t.Errorf("stats began again: %+v, then %+v", before, after)
				}
				if e := a.Idle(12 * time.Second); len(e) > 1 { // the other track may start later
					t.Errorf("events afterwards: %+v", e)
				}
				must(t, out.HangUp(t.Context(), nil))
				closed(t, b, callcore.ReasonPeerHungUp)
				synctest.Wait()
				for _, p := range []*callcoretest.Phone{a, b} {
					if n := p.Media.OpenFeeds() + p.Media.OpenPlayers(); n != 0 {
						t.Errorf("phone %s: %d feeds and players open after the call", p.User, n)
					}
				}
			})
		})
	}
}

// TestNoReconnection: nobody answers; the disconnect interval counts from the loss.
func TestNoReconnection(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		_, tab := talk(t, w, door, 2)
		w.Cut()
		r := told(t, door, callcore.Reconnecting)
		told(t, door, callcore.ReconnectFailed)
		closed(t, door, callcore.ReasonLost)
		if took := time.Since(r.Time); took != 30*time.Second {
			t.Errorf("given up %v after the loss, want 30s", took)
		}
		offers := map[string]bool{}
		got := tab.Listen(time.Minute)
		for _, g := range got {
			if g.Reconnect != nil {
				if offers[g.Reconnect.OfferID] {
					t.Errorf("offer %s was sent twice", g.Reconnect.OfferID)
				}
				offers[g.Reconnect.OfferID] = true
			}
		}
		if len(offers) < 3 || len(offers) > 6 {
			t.Errorf("%d offers in 25 s", len(offers))
		}
		if got[len(got)-1].Kind != signaling.HangUp {
			t.Errorf("last signal %s", got[len(got)-1].Kind)
		}
	})
}

// TestStaleAnswer: trap 15. An answer to any offer but the latest is ignored.
func TestStaleAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
		s, tab := talk(t, w, door, 2)
		tab.describe("poke", "offer", "v=0") // whatever it says
		first := tab.await(t, "offer")
		tab.describe("again", "offer", "v=0")
		second := tab.await(t, "offer")
		if first.OfferID == second.OfferID {
			t.Error("both offers have the same id")
		}
		tab.answer(first)
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrOutOfPlace) {
			t.Errorf("invalid %+v", e)
		}
		tab.answer(second)
		tab.describe(second.OfferID, "answer", tab.PeerConnection().LocalDescription().SDP) // once more
		callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
		tab.Speak(time.Second)
		flowsTo(t, door, s)
	})
}

// TestReconnectGlare: both lose at the same moment and send their offers; the higher id's
// counts.
func TestReconnectGlare(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
		for _, user := range []signaling.UserID{2, 9} {
			s, tab := talk(t, w, door, user)
			// The page's offer crosses the one that the door sends because DTLS closed.
			tab.Renew()
			d := tab.await(t, "offer")
			tab.offer("crossing")
			if user == 9 {
				tab.apply(t)
			} else {
				tab.answer(d)
				callcoretest.Await[callcore.Invalid](door) // stale
				tab.answer(tab.await(t, "offer"))
			}
			callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
			tab.Speak(time.Second)
			flowsTo(t, door, s)
			must(t, s.HangUp(t.Context(), nil))
			closed(t, door, callcore.ReasonHungUp)
		}
	})
}

// TestGone: one that closes its connection and says nothing is not waited for as long as
// one that was cut off; one that says something is.
func TestGone(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		_, tab := talk(t, w, door, 2)
		start := time.Now()
		tab.Renew()
		closed(t, door, callcore.ReasonLost)
		if took := time.Since(start).Round(time.Second); took != 10*time.Second {
			t.Errorf("given up after %v, want 10s", took)
		}
		_, tab = talk(t, w, door, 3)
		start = time.Now()
		tab.Renew()
		time.Sleep(9 * time.Second)
		tab.describe("late", "offer", withoutCandidates(tab.Offer()))
		closed(t, door, callcore.ReasonLost)
		if took := time.Since(start).Round(time.Second); took != 30*time.Second {
			t.Errorf("given up after %v, want 30s", took)
		}
	})
}

// TestLinkWhileReconnecting: trap 16. The link to the chat server goes down together with
// the path; what is lost with it is sent again when it is back, by both roles.
func TestLinkWhileReconnecting(t *testing.T) {
	for _, down := range []string{"polite", "impolite", "both"} {
		t.Run(down, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				sever := w.Sever()
				phone := w.Phone(callcoretest.Spec{User: 2})
				out, in := connect(t, door, phone, signaling.Audio)
				sever()
				links := map[string][]*callcoretest.Phone{"polite": {door}, "impolite": {phone}, "both": {door, phone}}[down]
				for _, p := range links {
					p.Link.SetLink(false)
				}
				time.Sleep(13 * time.Second)
				for _, p := range links {
					p.Link.SetLink(true)
				}
				start := time.Now()
				told(t, door, callcore.Reconnecting)
				if r := told(t, door, callcore.Reconnected); r.Time.Sub(start) > time.Second {
					t.Errorf("reconnected %v after the link was back", r.Time.Sub(start))
				}
				callcoretest.AwaitWhere(phone, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
				time.Sleep(10 * time.Second) // nothing is left to try
				flows(t, door, out, 0)
				flows(t, phone, in, 0)
			})
		})
	}
}

// TestLostReanswer: our answer is repeated when the link is back, and when the offer is.
func TestLostReanswer(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		_, tab := talk(t, w, door, 2)
		tab.offer("O")
		time.Sleep(w.Hub.Delay) // it is there
		door.Link.SetLink(false)
		time.Sleep(time.Second)
		door.Link.SetLink(true)
		d := tab.await(t, "answer")
		tab.describe("O", "offer", tab.Offer())
		if again := tab.await(t, "answer"); *again != *d {
			t.Error("the repeated answer is another one")
		}
		tab.Accepted(d.SDP)
		callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
	})
}

// TestReconnectTooLate: who reconnects to a call that has ended, or that we have forgotten,
// is told.
func TestReconnectTooLate(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		s, tab := talk(t, w, door, 2)
		tab.Listen(time.Second)
		door.Link.SetLink(false) // so that the hangUp is not seen
		must(t, s.HangUp(t.Context(), nil))
		tab.Renew()
		sdp := tab.Offer()
		for _, c := range []struct {
			session string
			want    error
		}{{s.ID(), callcore.ErrEnded}, {"never heard of", callcore.ErrUnknownSession}} {
			door.Link.SetLink(true)
			tab.Listen(time.Second)
			tab.call.Session = c.session
			tab.describe("O", "offer", sdp)
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, c.want) {
				t.Errorf("invalid %+v, want %v", e, c.want)
			}
			if h := tab.AwaitWithin(signaling.HangUp, time.Second); h.Session != c.session {
				t.Errorf("hangUp for %q, want %q", h.Session, c.session)
			}
		}
	})
}

// TestHangUpWhileReconnecting ends the call at every stage, by either side.
func TestHangUpWhileReconnecting(t *testing.T) {
	for _, after := range []time.Duration{7 * time.Second, 11 * time.Second, 12 * time.Second, 14 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Phone(callcoretest.Spec{User: 2})
				out, _ := connect(t, door, phone, signaling.Video)
				w.Cut()
				time.Sleep(after)
				must(t, out.HangUp(context.Background(), nil))
				closed(t, door, callcore.ReasonHungUp)
				closed(t, phone, callcore.ReasonPeerHungUp)
				for _, p := range []*callcoretest.Phone{door, phone} {
					for _, e := range p.Seen {
						if e, ok := e.(callcore.Reconnect); ok && e.State != callcore.Reconnecting {
							t.Errorf("phone %s: %+v", p.User, e)
						}
					}
				}
			})
		})
	}
}
