package payload

// vp8Start is the bit S of the payload descriptor (RFC 7741, 4.2): a partition begins here.
const vp8Start = 0x10

// VP8 cuts frames. There are no picture ids: sequence numbers do.
type VP8 struct {
	most int
	buf  []byte
	rest []byte
	head byte
}

// NewVP8 returns a cutter for payloads of at most so many bytes, at least 2.
func NewVP8(most int) *VP8 {
	most = max(most, 2)
	return &VP8{most: most, buf: make([]byte, 0, most)}
}

// Start begins with a frame, which it keeps until Next has returned the last payload.
func (v *VP8) Start(frame []byte) { v.rest, v.head = frame, vp8Start }

// Next returns the next payload, which is valid until it is called again, and whether it is the
// frame's last. nil: there was none.
func (v *VP8) Next() (payload []byte, last bool) {
	if len(v.rest) == 0 {
		return nil, true
	}
	n := min(v.most-1, len(v.rest))
	v.buf = append(append(v.buf[:0], v.head), v.rest[:n]...)
	v.rest, v.head = v.rest[n:], 0
	return v.buf, len(v.rest) == 0
}
