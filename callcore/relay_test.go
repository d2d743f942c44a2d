package callcore_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// connected waits until a phone is, with media.
func connected(p *callcoretest.Phone) {
	callcoretest.AwaitWhere(p, func(e callcore.ConnectionChanged) bool { return e.State == callcore.PeerConnected })
	callcoretest.Await[callcore.MediaStarted](p)
}

// relayOnly is a client that uses nothing but a relay.
func relayOnly(s ...callcore.ICEServer) callcore.ICE {
	return callcore.ICE{Policy: callcore.PolicyRelay, Servers: s}
}

// TestPolicyRelay: who may use relays only offers nothing else, is reached by whom that
// does not hold for, and the other way round.
func TestPolicyRelay(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, doorOnly := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				w := callcoretest.NewWorld(t)
				r := w.Relay()
				relayed := passesRelay(w, r)
				ice := [2]callcore.ICE{relayOnly(r.Server(transport))}
				if !doorOnly {
					ice[0], ice[1] = ice[1], ice[0]
				}
				a := w.Phone(callcoretest.Spec{User: 1, ICE: ice[0]})
				b := w.Phone(callcoretest.Spec{User: 2, ICE: ice[1]})
				s := connecting(t, a, b)
				connected(a)
				connected(b)
				a.Idle(time.Second)
				if relayed(false) == 0 {
					t.Errorf("%s, door only %v: no media by way of the relay", transport, doorOnly)
				}
				if err := s.HangUp(context.Background(), nil); err != nil {
					t.Fatal(err)
				}
				callcoretest.Await[callcore.Closed](b)
			})
		}
	}
}

// TestRelayNetworkChanged: a change of the network that did not harm the way to the relay
// does not end it.
func TestRelayNetworkChanged(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		synctest.Test(t, func(t *testing.T) {
			w := callcoretest.NewWorld(t)
			ice := relayOnly(w.Relay().Server(transport))
			a := w.Phone(callcoretest.Spec{User: 1, ICE: ice})
			b := w.Phone(callcoretest.Spec{User: 2, ICE: ice})
			connecting(t, a, b)
			connected(a)
			connected(b)
			a.Idle(time.Second)
			a.NetworkChanged()
			for _, e := range a.Idle(5 * time.Second) {
				if e, is := e.(callcore.Reconnect); is {
					t.Errorf("%s: %v", transport, e.State)
				}
			}
		})
	}
}

// TestUDPBlocked: behind a firewall that lets nothing of UDP through, a relay that is
// reached by TCP makes the call; the one that is tried by UDP is told.
func TestUDPBlocked(t *testing.T) {
	for _, name := range []string{"door", "phone"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := callcoretest.NewWorld(t)
				r := w.Relay()
				ice := callcore.ICE{Servers: []callcore.ICEServer{r.Server("udp"), r.Server("tcp")}}
				host := w.Net()
				w.Block(w.Address(host))
				relayed := passesRelay(w, r)
				specs := [2]callcoretest.Spec{{User: 1, ICE: ice}, {User: 2, ICE: ice}}
				blocked := 0
				if name == "phone" {
					blocked = 1
				}
				specs[blocked].Net = host
				phones := [2]*callcoretest.Phone{w.Phone(specs[0]), w.Phone(specs[1])}
				begun := time.Now()
				connecting(t, phones[0], phones[1])
				connected(phones[0])
				connected(phones[1])
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("media after %v", took)
				}
				phones[1-blocked].Idle(time.Second)
				if relayed(false) == 0 {
					t.Error("no media by way of the relay")
				}
				e := callcoretest.Await[callcore.ServerChanged](phones[blocked])
				if e.Err == nil || !strings.Contains(e.Err.Error(), "transport=tcp may get through") || e.URL != r.Server("udp").URLs[0] {
					t.Errorf("server changed: got %s, %v", e.URL, e.Err)
				}
				phones[1-blocked].Idle(5 * time.Second)
				for _, e := range phones[1-blocked].Seen {
					if e, is := e.(callcore.ServerChanged); is {
						t.Errorf("the other end: server changed: %s, %v", e.URL, e.Err)
					}
				}
			})
		})
	}
}

// TestServerChanged: what is wrong with a TURN server is told once, by its address, with
// what to do about it; and that it works again.
func TestServerChanged(t *testing.T) {
	wrongUser, wrongPassword, absent := func(s *callcore.ICEServer) { s.Username = "nobody" }, func(s *callcore.ICEServer) { s.Credential = "guess" },
		func(s *callcore.ICEServer) { s.URLs[0] = strings.Replace(s.URLs[0], ":3478", ":3479", 1) }
	for _, c := range []struct {
		name, transport string
		spoil           func(*callcore.ICEServer)
		want            string // in the error
	}{
		{"user", "udp", wrongUser, "refuses the user name or the credential (error 40"},
		{"user", "tcp", wrongUser, "refuses the user name or the credential (error 40"},
		{"password", "udp", wrongPassword, "refuses the user name or the credential (error 40"},
		{"password", "tcp", wrongPassword, "refuses the user name or the credential (error 40"},
		{"port", "udp", absent, "does not answer"},
		{"port", "tcp", absent, "connection refused"},
	} {
		t.Run(c.name+", "+c.transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := callcoretest.NewWorld(t)
				r := w.Relay()
				bad := r.Server(c.transport)
				c.spoil(&bad)
				a := w.Phone(callcoretest.Spec{User: 1, ICE: callcore.ICE{Servers: []callcore.ICEServer{bad}}})
				b := w.Phone(callcoretest.Spec{User: 2})
				for range 2 { // a second call tells nothing new
					s := connecting(t, a, b)
					connected(a) // a server that fails does not harm a call that can do without
					if c.want == "does not answer" {
						a.Idle(10 * time.Second) // pion gives up after 8 s
					}
					a.Idle(time.Second)
					if err := s.HangUp(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
					callcoretest.Await[callcore.Closed](b)
				}
				var got []callcore.ServerChanged
				for _, e := range a.Seen {
					if e, is := e.(callcore.ServerChanged); is {
						got = append(got, e)
					}
				}
				if len(got) != 1 || got[0].URL != bad.URLs[0] || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), c.want) {
					t.Errorf("got %+v, want one about %s with %q", got, bad.URLs[0], c.want)
				}
			})
		})
	}
}

// TestServerWorksAgain: a relay that did not answer for one call, and does for the next.
func TestServerWorksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		r := w.Relay()
		cut := w.Cut()
		a := w.Phone(callcoretest.Spec{User: 1, ICE: relayOnly(r.Server("udp"))})
		b := w.Phone(callcoretest.Spec{User: 2})
		s := connecting(t, a, b)
		if e := callcoretest.Await[callcore.ServerChanged](a); e.Err == nil {
			t.Error("told to work while it was cut off")
		}
		if err := s.HangUp(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		callcoretest.Await[callcore.Closed](b)
		cut(false)
		connecting(t, a, b)
		connected(a)
		var last callcore.ServerChanged
		for _, e := range a.Seen {
			if e, is := e.(callcore.ServerChanged); is {
				last = e
			}
		}
		if last.Err != nil || last.URL != r.Server("udp").URLs[0] {
			t.Errorf("got %+v, want that it works again", last)
		}
	})
}

// TestLossyStart: the door's network loses three packets of ten in each direction from the
// first one on: in gathering, in the checks and in DTLS.
func TestLossyStart(t *testing.T) {
	for _, c := range []struct {
		name string
		nat  callcoretest.NAT
		only bool
	}{
		{"direct", callcoretest.PortRestricted(), false},
		{"relay", callcoretest.Symmetric(), false},
		{"relay only", callcoretest.PortRestricted(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var took []time.Duration
			for seed := range uint64(lossyCalls) {
				synctest.Test(t, func(t *testing.T) {
					if d, ok := lossyCall(t, c.nat, c.only, seed); ok {
						took = append(took, d)
					}
				})
			}
			slices.Sort(took)
			t.Logf("%d of %d connected, after %v", len(took), lossyCalls, took)
			if len(took) < lossyCalls-2 || took[lossyCalls/2] > 5*time.Second {
				t.Errorf("%d of %d connected, after %v; want nearly all, half of them within 5 s", len(took), lossyCalls, took)
			}
		})
	}
}

// lossyCalls is how many calls there are of a kind.
const lossyCalls = 10

// lossyCall makes one, and tells how long it took.
func lossyCall(t *testing.T, nat callcoretest.NAT, only bool, seed uint64) (time.Duration, bool) {
	w := callcoretest.NewWorld(t)
	ice := callcore.ICE{Servers: []callcore.ICEServer{w.Relay().Server("udp")}}
	if only {
		ice.Policy = callcore.PolicyRelay
	}
	near, outside := w.Behind(nat)
	far, _ := w.Behind(nat)
	w.Lose(0.3, outside, seed)
	a := w.Phone(callcoretest.Spec{User: 1, ICE: ice, Net: near})
	b := w.Phone(callcoretest.Spec{User: 2, ICE: ice, Net: far})
	begun := time.Now()
	connecting(t, a, b)
	up := false
	callcoretest.AwaitWhere(a, func(e callcore.ConnectionChanged) bool {
		up = e.State == callcore.PeerConnected
		return up || e.State == callcore.PeerClosed
	})
	return time.Since(begun), up
}

// TestRelayCallAtOnce: who may use relays only has no host candidates to wait for; the call
// goes out before the relay has answered.
func TestRelayCallAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		phone := w.Script(2, "phone")
		door := w.Phone(callcoretest.Spec{User: 1, ICE: relayOnly(w.Relay().Server("udp"))})
		asked := time.Now()
		door.Call(signaling.Video, 2)
		call := phone.Await(signaling.Call)
		if took := time.Since(asked); took != w.Hub.Delay {
			t.Errorf("the call came after %v, want %v", took, w.Hub.Delay)
		}
		if again := phone.Await(signaling.Call); len(candidates(again.SDP, "relay")) == 0 || iceUfrag(again.SDP) != iceUfrag(call.SDP) {
			t.Errorf("the repeated call has no relay candidate, or is of another connection:\n%s", again.SDP)
		}
	})
}
