package callcore

import "testing"

// TestStatesAreShown: every state of the machine is shown as one that is known, every end as
// one that is over, and there is nothing that is never shown.
func TestStatesAreShown(t *testing.T) {
	shown := map[PeerState]bool{PeerUnknown: true} // of who is not there
	for s := idle; s < states; s++ {
		for why := Reason(0); int(why) < len(reasonNames); why++ {
			if (s == closed) != (why != 0) {
				continue
			}
			for _, ice := range []progress{{}, {checking: true}, {gathered: true}, {checking: true, gathered: true}} {
				is := peerState(s, why, ice)
				shown[is] = true
				if is == PeerUnknown || (s == closed) != (is >= PeerTimedOut) {
					t.Errorf("%s, %s: shown as %s", s, why, is)
				}
			}
		}
	}
	for s := range PeerState(len(peerStateNames)) {
		if s.String() == "" || s.String() == PeerUnknown.String() && s != PeerUnknown {
			t.Errorf("state %d has no name", s)
		}
		if !shown[s] {
			t.Errorf("nothing is shown as %s", s)
		}
	}
}
