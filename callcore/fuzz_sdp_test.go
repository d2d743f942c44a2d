package callcore

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"intercom/signaling"
)

// FuzzSDP reads descriptions as peers may send them: what passes the checks can be worked
// with, and nothing is made worse by taking its candidates out.
func FuzzSDP(f *testing.F) {
	chrome, err := os.ReadFile("testdata/chrome-offer.sdp")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(chrome))
	f.Add(strings.ReplaceAll(string(chrome), "\r\n", "\n"))
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 00\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\na=end-of-candidates\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		bare, list := cutCandidates(text)
		if again, more := cutCandidates(bare); again != bare || len(more) > 0 {
			t.Errorf("%d candidates are left in %q", len(more), bare)
		}
		if strings.Contains(bare, "\na=candidate:") {
			t.Errorf("a candidate is left in %q", bare)
		}
		for _, c := range list {
			if !strings.HasPrefix(c.Candidate, "candidate:") || strings.ContainsAny(c.Candidate, "\n") {
				t.Errorf("candidate %q", c.Candidate)
			}
		}
		audio, video := kinds(text)
		ufrag := iceUfrag(text)
		firstMid(text)
		if err := checkOffer(text); err != nil {
			return
		}
		if ufrag == "" {
			t.Error("passed without a user name fragment")
		}
		if err := checkAnswer(text, signaling.Video); err == nil && len(list) == 0 && audio && video && strings.Count("\n"+text, "\nm=") > 2 {
			t.Error("an answer with more sections than were offered")
		}
	})
}

// FuzzCandidate reads candidates as peers may send them (RFC 8839, 5.1).
func FuzzCandidate(f *testing.F) {
	for _, c := range []string{
		"", "candidate:", "candidate:1 1 udp 2130706431 10.0.0.2 40000 typ host",
		"candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0 ufrag EEtu network-id 3",
		"candidate:1 1 udp 5 127.0.0.1 9 typ host", "candidate:1 1 udp 5 ::1 9 typ host", "candidate:1 1 udp 5 fe80::1%eth0 9 typ host",
		"candidate:1 1 tcp 5 4bd3ab1e.local 9 typ host tcptype active ufrag",
	} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, text string) {
		was, is := strings.Fields(text), strings.Fields(demote(text))
		if len(was) != len(is) {
			t.Fatalf("%q became %q", text, demote(text))
		}
		for i := range was {
			if i != 3 && was[i] != is[i] {
				t.Errorf("field %d of %q became %q", i, text, is[i])
			}
		}
		if demote(demote(text)) != demote(text) {
			t.Errorf("%q is demoted twice", text)
		}
		if u := candidateUfrag(text); u != "" && !slices.Contains(was, u) {
			t.Errorf("%q has no ufrag %q", text, u)
		}
		c := signaling.Candidate{Candidate: text}
		if a, ok := hostAddress(c); ok && (!a.IsValid() || a.Zone() != "" || a.Is4In6()) {
			t.Errorf("host address %v of %q", a, text)
		} else if !ok && a != (netip.Addr{}) && a.Zone() != "" {
			t.Errorf("address %v of %q", a, text)
		}
		p := &peer{ufrag: "EEtu"}
		if now, later := p.sortCandidates([]signaling.Candidate{c}); len(now)+len(later) != 1 {
			t.Errorf("%q is sorted into %d and %d", text, len(now), len(later))
		}
	})
}
