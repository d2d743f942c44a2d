package callcore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"intercom/capture"
)

// This file decides what media two sides have in common. Each peer gets the best codec of
// ours that it can (see track.Bind): H.264, else VP8, which is all that Safari's SDK has
// (protocol.md 4.9), and Opus wherever in its list that is. Without pictures in common a call
// is one of sound; without sound it is refused.

// checkCodecs refuses a description that no call could come of. It is used after parseSDP
// has approved of the text.
func (e *engine) checkCodecs(text string) error {
	d, err := parseSDP(text)
	if err != nil {
		return err
	}
	usable := false
	for _, m := range d.MediaDescriptions {
		switch {
		case !isOpen(m):
		case len(e.common(m)) > 0:
			usable = true
		case m.MediaName.Media == "audio":
			return fmt.Errorf("%w: for sound the peer has %s", ErrNoCommonCodec, codecNames(m))
		}
	}
	if !usable {
		return fmt.Errorf("%w: no section of the SDP is of use", ErrNoCommonCodec)
	}
	return nil
}

// checkVideo tells why there will be no pictures in a call with this description of the
// peer's; nil: there will be some, or there is no section for them.
func (e *engine) checkVideo(text string) error {
	d, err := parseSDP(text)
	if err != nil {
		return err
	}
	var why error
	for _, m := range d.MediaDescriptions {
		switch {
		case m.MediaName.Media != "video":
		case len(e.common(m)) == 0:
			why = fmt.Errorf("%w: for pictures the peer has %s", ErrNoCommonCodec, codecNames(m))
		case !isOpen(m):
			why = ErrVideoRefused
		default:
			return nil
		}
	}
	return why
}

// common returns the codecs of ours that a section has, best first.
func (e *engine) common(m *sdp.MediaDescription) []capture.Codec {
	var list []capture.Codec
	for _, c := range e.codecs {
		if slices.ContainsFunc(codecsOf(m), func(has string) bool { return strings.EqualFold(has, string(c)) }) {
			list = append(list, c)
		}
	}
	return list
}

// isOpen tells whether a section is used: a peer that refuses one keeps its place.
func isOpen(m *sdp.MediaDescription) bool {
	_, off := m.Attribute("inactive")
	return !off && m.MediaName.Port.Value != 0
}

// codecsOf returns the media types in a section, in its order: "audio/opus".
func codecsOf(m *sdp.MediaDescription) []string {
	var list []string
	for _, format := range m.MediaName.Formats {
		for _, a := range m.Attributes {
			pt, coding, ok := strings.Cut(a.Value, " ")
			if a.Key != "rtpmap" || !ok || pt != format {
				continue
			}
			name, _, _ := strings.Cut(coding, "/")
			if t := m.MediaName.Media + "/" + name; !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
	}
	return list
}

// codecNames lists them for a person, without what only goes along with others.
func codecNames(m *sdp.MediaDescription) string {
	list := slices.DeleteFunc(codecsOf(m), func(c string) bool {
		_, name, _ := strings.Cut(c, "/")
		return slices.Contains([]string{"rtx", "red", "ulpfec", "flexfec-03", "CN", "telephone-event"}, name)
	})
	if len(list) == 0 {
		return "none"
	}
	s := strings.Join(list, ", ")
	return s[:min(len(s), 200)]
}

// maxBandwidth is more than any call needs, in kbit/s.
const maxBandwidth = 1_000_000

// infoBandwidth is the key of the user info in which a JS caller says how many kbit/s its
// pictures, and those of whom it calls, may have. Zero means nothing.
const infoBandwidth = "bandwidth"

// bandwidthOf reads it; zero: there is none.
func bandwidthOf(info map[string]string) int {
	n, err := strconv.Atoi(info[infoBandwidth])
	if err != nil || n < 0 || n > maxBandwidth {
		return 0
	}
	return n
}

// callInfo is the application data of a call: those for all, those for this user alone, and
// the bandwidth if there is one.
func (p *peer) callInfo() map[string]string {
	info := joined(p.info, p.own)
	if p.session.bandwidth == 0 || info[infoBandwidth] != "" {
		return info
	}
	return joined(map[string]string{infoBandwidth: strconv.Itoa(p.session.bandwidth)}, info)
}

// joined returns both; of a key that both have, the value that more has.
func joined(info, more map[string]string) map[string]string {
	if len(more) == 0 {
		return info
	}
	all := maps.Clone(info)
	if all == nil {
		all = make(map[string]string, len(more))
	}
	maps.Copy(all, more)
	return all
}

// description is ours, as the peer gets it; a spare connection's as it is.
func (w *conn) description() string {
	if w.peer == nil {
		return w.pc.LocalDescription().SDP
	}
	return capVideo(w.pc.LocalDescription().SDP, w.peer.session.bandwidth)
}

// heed does what the peer's description asks of our pictures: it limits them, or tells why
// there are none. It returns whether there are some.
func (w *conn) heed(ctx context.Context, text string) bool {
	limit := tighter(limitOf(text), 1000*w.peer.session.bandwidth)
	why := w.engine.checkVideo(text)
	for _, t := range w.tracks {
		if !t.video {
			continue
		}
		t.setLimit(limit)
		if why != nil {
			w.report(ctx, report{what: trackFailed, codec: t.codecs[0], err: why})
		}
	}
	return why == nil
}

// setLimit tells the encoder what the peer's pictures may have. All who watch the same
// encoder get what the tightest limit among them allows.
func (t *track) setLimit(bits int) {
	t.mu.Lock()
	t.limit = bits
	feed, target := t.feed, tighter(bits, t.estimate)
	t.demanded = target
	t.mu.Unlock()
	t.demandRate(feed, target)
}

// limitOf returns how many bits a second the pictures may have by a description: b=AS, in
// kbit/s, or b=TIAS (RFC 8866, 5.8; RFC 3890) of the first section of video; zero: any.
func limitOf(text string) int {
	d, err := parseSDP(text)
	if err != nil {
		return 0
	}
	for _, m := range d.MediaDescriptions {
		if m.MediaName.Media != "video" {
			continue
		}
		limit := 0
		for _, b := range m.Bandwidth {
			n := b.Bandwidth
			switch {
			case b.Experimental || n == 0:
				continue
			case b.Type == "AS":
				n = min(n, maxBandwidth) * 1000
			case b.Type != "TIAS":
				continue
			}
			limit = tighter(limit, int(min(n, maxBandwidth*1000)))
		}
		return limit
	}
	return 0
}

// tighter returns the smaller of two limits, of which zero is none.
func tighter(a, b int) int {
	if a == 0 || b == 0 {
		return a + b
	}
	return min(a, b)
}

// capVideo puts b=AS into the first section of video, as the JS SDK does: after its i= and
// c= lines (RFC 8866, 5). Zero leaves the description as it is.
func capVideo(text string, kbit int) string {
	if kbit == 0 {
		return text
	}
	var b strings.Builder
	sections, done := 0, false // of video; whether the line is there
	inside := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "m=") {
			inside = strings.HasPrefix(line, "m=video ") && sections == 0
			if inside {
				sections++
			}
		} else if inside && strings.HasPrefix(line, "b=AS:") {
			continue
		} else if inside && !done && !strings.HasPrefix(line, "i=") && !strings.HasPrefix(line, "c=") {
			fmt.Fprintf(&b, "b=AS:%d\r\n", kbit)
			done = true
		}
		b.WriteString(line)
	}
	return b.String()
}
