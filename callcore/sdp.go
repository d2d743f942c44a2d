package callcore

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pion/sdp/v3"

	"intercom/signaling"
)

// sdpLimit is far above what any browser writes, and what servers let through.
const sdpLimit = 64 << 10

// checkOffer refuses a description that WebRTC could not work with, before it rings.
func checkOffer(text string) error {
	d, err := parseSDP(text)
	if err != nil {
		return err
	}
	for i, m := range d.MediaDescriptions {
		if mid, ok := m.Attribute("mid"); !ok || mid == "" {
			return fmt.Errorf("%w: SDP: section %d has no mid", ErrMalformed, i)
		}
	}
	return nil
}

// checkAnswer refuses a description that does not fit our offer. pion finds that out too,
// but then its connection can take no other answer.
func checkAnswer(text string, t signaling.CallType) error {
	d, err := parseSDP(text)
	if err != nil {
		return err
	}
	// One section of each kind, sound first: that is our offer.
	want := []string{"audio"}
	if t == signaling.Video {
		want = append(want, "video")
	}
	for i, m := range d.MediaDescriptions {
		if i < len(want) && m.MediaName.Media != want[i] {
			return fmt.Errorf("%w: SDP: section %d is %q, not %q", ErrMalformed, i, m.MediaName.Media, want[i])
		}
	}
	if len(d.MediaDescriptions) > len(want) {
		return fmt.Errorf("%w: SDP: %d sections for the %d that were offered", ErrMalformed, len(d.MediaDescriptions), len(want))
	}
	return nil
}

// parseSDP parses a description with CRLF or LF line ends, and checks what all need.
func parseSDP(text string) (*sdp.SessionDescription, error) {
	if len(text) > sdpLimit {
		return nil, fmt.Errorf("%w: SDP of %d bytes", ErrMalformed, len(text))
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("%w: SDP: %v", ErrMalformed, err)
	}
	if len(d.MediaDescriptions) == 0 {
		return nil, fmt.Errorf("%w: SDP: no media", ErrMalformed)
	}
	for _, name := range []string{"ice-ufrag", "ice-pwd", "fingerprint"} {
		v, ok := attribute(&d, name)
		if !ok {
			return nil, fmt.Errorf("%w: SDP: no %s", ErrMalformed, name)
		}
		if name == "fingerprint" && len(strings.Fields(v)) != 2 {
			return nil, fmt.Errorf("%w: SDP: fingerprint %q", ErrMalformed, v)
		}
	}
	return &d, nil
}

// attribute finds one in the session or in its first section, which all others are
// bundled with.
func attribute(d *sdp.SessionDescription, name string) (string, bool) {
	if v, ok := d.Attribute(name); ok && v != "" {
		return v, true
	}
	v, ok := d.MediaDescriptions[0].Attribute(name)
	return v, ok && v != ""
}

// kinds tells which media a description has room for.
func kinds(text string) (audio, video bool) {
	d, err := parseSDP(text)
	if err != nil {
		return false, false
	}
	for _, m := range d.MediaDescriptions {
		if _, off := m.Attribute("inactive"); off || m.MediaName.Port.Value == 0 {
			continue
		}
		audio = audio || m.MediaName.Media == "audio"
		video = video || m.MediaName.Media == "video"
	}
	return audio, video
}

// cutCandidates takes the candidates out of a description: pion refuses a description for
// one bad candidate in it, but takes them one by one.
func cutCandidates(text string) (string, []signaling.Candidate) {
	var list []signaling.Candidate
	var b strings.Builder
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(line, "a=candidate:"); ok {
			list = append(list, signaling.Candidate{Candidate: "candidate:" + strings.TrimSpace(c)})
			continue
		}
		if strings.HasPrefix(line, "a=end-of-candidates") {
			continue
		}
		b.WriteString(line)
	}
	return b.String(), list
}

// firstMid is the mid of a description's first section: with everything bundled, all
// candidates belong to it (RFC 8843, 9.3.1.1).
func firstMid(text string) string {
	for line := range strings.Lines(text) {
		if mid, ok := strings.CutPrefix(line, "a=mid:"); ok {
			return strings.TrimSpace(mid)
		}
	}
	return "0"
}

// demote gives a loopback candidate the lowest priority: it can only be of use on our own
// machine, and must not be the best of pairs that do not work (see network).
func demote(candidate string) string {
	f := strings.Fields(candidate) // RFC 8839, 5.1: foundation component transport priority address ...
	if len(f) < 6 {
		return candidate
	}
	if a, err := netip.ParseAddr(f[4]); err != nil || !a.IsLoopback() {
		return candidate
	}
	f[3] = "1"
	return strings.Join(f, " ")
}

// iceUfrag returns the user name fragment of a description; empty if there is none.
func iceUfrag(text string) string {
	d, err := parseSDP(text)
	if err != nil {
		return ""
	}
	u, _ := attribute(d, "ice-ufrag")
	return u
}
