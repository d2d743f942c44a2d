package payload

import (
	"encoding/binary"

	"intercom/internal/annexb"
)

// Types of H.264 payloads that are no NAL units (RFC 6184, table 1).
const (
	stapA = 24
	fuA   = 28
)

// Bits of headers (RFC 6184, 5.3 and 5.8).
const (
	forbidden = 0x80
	nri       = 0x60
	fuStart   = 0x80
	fuEnd     = 0x40
)

// H264 cuts access units in the byte stream format (packetization mode 1: single NAL units,
// several small ones in a STAP-A, large ones in FU-As). Delimiters and filler are left out:
// what they say, RTP says.
type H264 struct {
	most int
	buf  []byte
	nal  []byte // what is to be sent next; empty: there is no more
	rest []byte // of the access unit, after nal
	sent int    // bytes of nal that went into FU-As; zero: it has not begun
}

// NewH264 returns a cutter for payloads of at most so many bytes, at least 3.
func NewH264(most int) *H264 {
	most = max(most, 3)
	return &H264{most: most, buf: make([]byte, 0, most)}
}

// Start begins with an access unit, which it keeps until Next has returned the last payload.
func (h *H264) Start(unit []byte) {
	h.rest, h.sent = unit, 0
	h.advance()
}

// Next returns the next payload, which is valid until it is called again, and whether it is the
// access unit's last. nil: there was none.
func (h *H264) Next() (payload []byte, last bool) {
	switch {
	case len(h.nal) == 0:
		return nil, true
	case len(h.nal) > h.most:
		payload = h.fragment()
	default:
		payload = h.whole()
	}
	return payload, len(h.nal) == 0
}

// advance goes on to the next unit that is sent.
func (h *H264) advance() {
	for {
		h.nal, h.rest = annexb.Next(h.rest)
		if len(h.nal) == 0 {
			return
		}
		if t := annexb.Type(h.nal); t != annexb.Delimiter && t != annexb.Filler {
			return
		}
	}
}

// whole returns one unit, or as many as fit together.
func (h *H264) whole() []byte {
	nal := h.nal
	h.advance()
	size := 1 + 2 + len(nal)
	if len(h.nal) == 0 || size+2+len(h.nal) > h.most {
		return nal
	}
	head := nal[0] & (forbidden | nri)
	h.buf = appendSized(append(h.buf[:0], 0), nal)
	for len(h.nal) > 0 && len(h.buf)+2+len(h.nal) <= h.most {
		// The most important of them counts (5.7).
		head = (head|h.nal[0])&forbidden | max(head&nri, h.nal[0]&nri)
		h.buf = appendSized(h.buf, h.nal)
		h.advance()
	}
	h.buf[0] = head | stapA
	return h.buf
}

func appendSized(b, nal []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(nal))), nal...)
}

// fragment returns the next part of a unit that is too large for one packet. Its header goes
// along in parts.
func (h *H264) fragment() []byte {
	head := h.nal[0]
	fu := head & 0x1f
	if h.sent == 0 {
		h.sent = 1
		fu |= fuStart
	}
	n := min(h.most-2, len(h.nal)-h.sent)
	part := h.nal[h.sent:][:n]
	if h.sent += n; h.sent == len(h.nal) {
		fu |= fuEnd
		h.sent = 0
		h.advance()
	}
	h.buf = append(append(h.buf[:0], head&(forbidden|nri)|fuA, fu), part...)
	return h.buf
}
