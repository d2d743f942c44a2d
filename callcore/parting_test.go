package callcore

import "testing"

// TestParting: why a conference has ended, of all that ended in it.
func TestParting(t *testing.T) {
	type left struct {
		from state
		why  Reason
	}
	for _, c := range []struct {
		name string
		left []left
		want Reason
	}{
		{"the last of those who came", []left{{connected, ReasonPeerHungUp}, {connected, ReasonLost}}, ReasonLost},
		{"who came, not who did not", []left{{connected, ReasonPeerHungUp}, {dialing, ReasonNotAnswered}}, ReasonPeerHungUp},
		{"and not who should have called", []left{{reconnecting, ReasonLost}, {expecting, ReasonNotAnswered}}, ReasonLost},
		{"nobody came", []left{{dialing, ReasonNotAnswered}, {dialing, ReasonPeerRejected}}, ReasonNotAnswered},
		{"all declined", []left{{dialing, ReasonPeerRejected}, {dialing, ReasonPeerRejected}}, ReasonPeerRejected},
		{"called off", []left{{ringing, ReasonPeerHungUp}, {invited, ReasonHungUp}}, ReasonPeerHungUp},
		{"declined here", []left{{ringing, ReasonRejected}, {invited, ReasonRejected}}, ReasonRejected},
		{"declined here by who is left", []left{{ringing, ReasonPeerHungUp}, {ringing, ReasonRejected}, {invited, ReasonRejected}}, ReasonRejected},
		{"answered on another device", []left{{ringing, ReasonElsewhere}, {invited, ReasonElsewhere}}, ReasonElsewhere},
		{"stopped", []left{{connected, ReasonPeerHungUp}, {dialing, ReasonStopped}}, ReasonStopped},
	} {
		var p parting
		for _, l := range c.left {
			p.note(l.from, l.why)
		}
		if p.reason != c.want {
			t.Errorf("%s: %s, want %s", c.name, p.reason, c.want)
		}
	}
}
