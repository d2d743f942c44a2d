package sdk_test

import (
	"fmt"
	"strings"
	"testing"

	"intercom/callcore"
	"intercom/callcore/sdk"
	"intercom/signaling"
)

// unnamed are the strings of values that have no name: the tables below end there.
const unnamed = "unknown"

// sessions and peers list all states, found by their names.
func sessions() (all []callcore.SessionState) {
	for s := callcore.StateNew; s.String() != unnamed; s++ {
		all = append(all, s)
	}
	return all
}

func peers() (all []callcore.PeerState) {
	all = append(all, callcore.PeerUnknown)
	for s := callcore.PeerUnknown + 1; s.String() != unnamed; s++ {
		all = append(all, s)
	}
	return all
}

func reasons() (all []callcore.Reason) {
	all = append(all, 0)
	for r := callcore.ReasonHungUp; r.String() != unnamed; r++ {
		all = append(all, r)
	}
	return all
}

// whole checks that the results of a mapping are the ones that are wanted, all of them.
func whole[T interface {
	comparable
	fmt.Stringer
}](t *testing.T, got map[T]bool, want ...T) {
	t.Helper()
	for _, w := range want {
		if !got[w] {
			t.Errorf("nothing is %s", w)
		}
		delete(got, w)
	}
	for g := range got {
		t.Errorf("%s is no state of the SDK", g)
	}
}

func TestJSSession(t *testing.T) {
	got := map[sdk.JSSession]bool{}
	for _, s := range sessions() {
		for _, why := range reasons() {
			want := sdk.JSActive
			switch {
			case s == callcore.StateNew, s == callcore.StateRinging:
				want = sdk.JSNew
			case s == callcore.StateClosed:
				want = sdk.JSClosed
			case s == callcore.StateClosing && (why == callcore.ReasonHungUp || why == callcore.ReasonStopped):
				want = sdk.JSHungUp
			case s == callcore.StateClosing && why == callcore.ReasonRejected:
				want = sdk.JSRejected
			}
			is := sdk.JSSessionOf(s, why)
			if got[is] = true; is != want {
				t.Errorf("%s, %s: %s, want %s", s, why, is, want)
			}
		}
	}
	whole(t, got, sdk.JSNew, sdk.JSActive, sdk.JSHungUp, sdk.JSRejected, sdk.JSClosed)
	for value, name := range []string{1: "NEW", "ACTIVE", "HUNGUP", "REJECTED", "CLOSED"} {
		if s := sdk.JSSession(value); value > 0 && s.String() != name {
			t.Errorf("value %d is %s, want %s", value, s, name)
		}
	}
}

func TestAndroidSession(t *testing.T) {
	want := map[callcore.SessionState]sdk.AndroidSession{
		callcore.StateNew:     sdk.AndroidSessionNew,
		callcore.StateCalling: sdk.AndroidSessionPending, callcore.StateRinging: sdk.AndroidSessionPending,
		callcore.StateConnecting: sdk.AndroidSessionConnecting, callcore.StateConnected: sdk.AndroidSessionConnecting,
		callcore.StateClosing: sdk.AndroidSessionGoingToClose, callcore.StateClosed: sdk.AndroidSessionClosed,
	}
	got := map[sdk.AndroidSession]bool{}
	for _, s := range sessions() {
		is := sdk.AndroidSessionOf(s)
		if got[is] = true; is != want[s] {
			t.Errorf("%s: %s, want %s", s, is, want[s])
		}
		if !strings.HasPrefix(is.String(), "QB_RTC_SESSION_") {
			t.Errorf("%s: no name: %s", s, is)
		}
	}
	whole(t, got, sdk.AndroidSessionNew, sdk.AndroidSessionPending, sdk.AndroidSessionConnecting,
		sdk.AndroidSessionGoingToClose, sdk.AndroidSessionClosed)
}

// TestPeers is the whole table: what each state is called in either SDK.
func TestPeers(t *testing.T) {
	table := map[callcore.PeerState]struct {
		js      sdk.JSConnection
		android sdk.AndroidPeer
	}{
		callcore.PeerUnknown:      {sdk.JSConnectionUndefined, sdk.AndroidUnknown},
		callcore.PeerNew:          {sdk.JSConnectionUndefined, sdk.AndroidNew},
		callcore.PeerWaiting:      {sdk.JSConnectionUndefined, sdk.AndroidWait},
		callcore.PeerPending:      {sdk.JSConnectionUndefined, sdk.AndroidPending},
		callcore.PeerConnecting:   {sdk.JSConnectionConnecting, sdk.AndroidConnecting},
		callcore.PeerChecking:     {sdk.JSConnectionConnecting, sdk.AndroidChecking},
		callcore.PeerConnected:    {sdk.JSConnectionConnected, sdk.AndroidConnected},
		callcore.PeerCompleted:    {sdk.JSConnectionCompleted, sdk.AndroidConnected},
		callcore.PeerDisconnected: {sdk.JSConnectionDisconnected, sdk.AndroidDisconnected},
		callcore.PeerTimedOut:     {sdk.JSConnectionClosed, sdk.AndroidDisconnectTimeout},
		callcore.PeerClosed:       {sdk.JSConnectionClosed, sdk.AndroidClosed},
		callcore.PeerNotAnswered:  {sdk.JSConnectionClosed, sdk.AndroidNotAnswer},
		callcore.PeerRejected:     {sdk.JSConnectionClosed, sdk.AndroidReject},
		callcore.PeerHungUp:       {sdk.JSConnectionClosed, sdk.AndroidHangUp},
		callcore.PeerFailed:       {sdk.JSConnectionFailed, sdk.AndroidFailed},
		callcore.PeerError:        {sdk.JSConnectionFailed, sdk.AndroidError},
		callcore.PeerNotOffered:   {sdk.JSConnectionClosed, sdk.AndroidNotOffer},
	}
	js, android := map[sdk.JSConnection]bool{}, map[sdk.AndroidPeer]bool{}
	for _, s := range peers() {
		want, ok := table[s]
		if !ok {
			t.Errorf("%s is not in the table", s)
		}
		j, a := sdk.JSConnectionOf(s), sdk.AndroidPeerOf(s)
		if js[j], android[a] = true, true; j != want.js || a != want.android {
			t.Errorf("%s: %s and %s, want %s and %s", s, j, a, want.js, want.android)
		}
		if !strings.HasPrefix(a.String(), "QB_RTC_CONNECTION_") {
			t.Errorf("%s: no name: %s", s, a)
		}
	}
	whole(t, js, sdk.JSConnectionUndefined, sdk.JSConnectionConnecting, sdk.JSConnectionConnected, sdk.JSConnectionFailed,
		sdk.JSConnectionDisconnected, sdk.JSConnectionClosed, sdk.JSConnectionCompleted)
	for a := sdk.AndroidUnknown; a <= sdk.AndroidNotOffer; a++ {
		if !android[a] {
			t.Errorf("nothing is %s", a)
		}
	}
	for value, name := range []string{"UNDEFINED", "CONNECTING", "CONNECTED", "FAILED", "DISCONNECTED", "CLOSED", "COMPLETED"} {
		if c := sdk.JSConnection(value); c.String() != name {
			t.Errorf("value %d is %s, want %s", value, c, name)
		}
	}
}

func TestInvalidEvent(t *testing.T) {
	for k, want := range map[signaling.Kind]string{
		signaling.Call: "onCall", signaling.Accept: "onAccept", signaling.HangUp: "onStop",
		signaling.Reject: "", signaling.Candidates: "", signaling.Update: "",
	} {
		if got := sdk.InvalidEvent(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
}
