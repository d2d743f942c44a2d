package chat

import (
	"bytes"
	"strings"
	"testing"
)

// An offer, from bytes to bytes: what routing costs.
func BenchmarkElement(b *testing.B) {
	offer := []byte(`<message id="m" to="2-1@chat.test" type="headline" xmlns="jabber:client"><extraParams xmlns="jabber:client"><sdp>` +
		strings.Repeat("a=rtpmap:96 VP8/90000\r\n", 250) + `</sdp></extraParams></message>`)
	b.SetBytes(int64(len(offer)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := readElement(bytes.NewReader(offer), nsClient)
		if err != nil {
			b.Fatal(err)
		}
		e.bytes("1-1@chat.test/a", e.get("to"), "")
	}
}
