package callcore_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/transport/v4/vnet"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestNAT calls from behind each kind of NAT to behind each other kind, with no server,
// with STUN and with TURN: a table of RFC 5128's results.
func TestNAT(t *testing.T) {
	var (
		cone       = callcoretest.FullCone()
		restricted = callcoretest.PortRestricted()
		symmetric  = callcoretest.Symmetric()
	)
	const (
		none = "none"
		stun = "STUN"
		turn = "TURN"
	)
	for _, c := range []struct {
		name          string
		door, phone   callcoretest.NAT
		server        string
		direct, relay bool // how they are connected; neither: not at all
	}{
		{"restricted, restricted", restricted, restricted, none, false, false},
		{"cone, cone", cone, cone, stun, true, false},
		{"cone, symmetric", cone, symmetric, stun, true, false},
		{"restricted, cone", restricted, cone, stun, true, false},
		{"restricted, restricted", restricted, restricted, stun, true, false},
		{"restricted, symmetric", restricted, symmetric, stun, false, false},
		{"symmetric, restricted", symmetric, restricted, stun, false, false},
		{"symmetric, symmetric", symmetric, symmetric, stun, false, false},
		{"restricted, restricted", restricted, restricted, turn, true, false},
		{"restricted, symmetric", restricted, symmetric, turn, false, true},
		{"symmetric, restricted", symmetric, restricted, turn, false, true},
		{"symmetric, symmetric", symmetric, symmetric, turn, false, true},
	} {
		t.Run(c.name+", "+c.server, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := callcoretest.NewWorld(t)
				r := w.Relay()
				var ice callcore.ICE
				switch c.server {
				case stun:
					ice.Servers = []callcore.ICEServer{r.STUN()}
				case turn:
					ice.Servers = []callcore.ICEServer{r.Server("udp")}
				}
				relayed := passesRelay(w, r)
				near, _ := w.Behind(c.door)
				far, _ := w.Behind(c.phone)
				a := w.Phone(callcoretest.Spec{User: 1, ICE: ice, Net: near})
				b := w.Phone(callcoretest.Spec{User: 2, ICE: ice, Net: far})
				called := time.Now()
				connecting(t, a, b)
				if !c.direct && !c.relay {
					// Both give up at the same time: who is first hangs up on the other.
					ends := []callcore.Reason{callcoretest.Await[callcore.Closed](a).Reason, callcoretest.Await[callcore.Closed](b).Reason}
					if !slices.Contains(ends, callcore.ReasonNotConnected) {
						t.Errorf("closed: %v, want %v at one end", ends, callcore.ReasonNotConnected)
					}
					return
				}
				callcoretest.AwaitWhere(a, func(e callcore.ConnectionChanged) bool { return e.State == callcore.PeerConnected })
				if took := time.Since(called); took > 2*time.Second {
					t.Errorf("connected after %v", took)
				}
				callcoretest.Await[callcore.MediaStarted](a)
				callcoretest.Await[callcore.MediaStarted](b)
				a.Idle(time.Second)
				relayed(true)
				a.Idle(time.Second)
				if got := relayed(false) > 0; got != c.relay {
					t.Errorf("media by way of the relay: %v, want %v", got, c.relay)
				}
			})
		})
	}
}

// connecting makes a call and answers it.
func connecting(t *testing.T, from, to *callcoretest.Phone) *callcore.Session {
	t.Helper()
	s := from.Call(signaling.Video, to.User)
	in := callcoretest.Await[callcore.Incoming](to)
	if err := in.Session.Accept(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	callcoretest.Await[callcore.Accepted](from)
	return s
}

// passesRelay counts the packets to and from a relay that are larger than those of ICE.
func passesRelay(w *callcoretest.World, r callcoretest.Relay) func(reset bool) int {
	n := make(chan int, 1)
	n <- 0
	w.Filter(func(c vnet.Chunk) bool {
		if strings.HasPrefix(c.SourceAddr().String(), r.IP+":") || strings.HasPrefix(c.DestinationAddr().String(), r.IP+":") {
			if len(c.UserData()) > 300 {
				n <- 1 + <-n
			}
		}
		return true
	})
	return func(reset bool) int {
		v := <-n
		if reset {
			v = 0
		}
		n <- v
		return v
	}
}
