package callcore

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// dialerTo returns what dials a TURN server.
func dialerTo(t *testing.T, url string) relayDialer {
	t.Helper()
	n, err := newNetwork(Config{Logger: slog.New(slog.DiscardHandler), ICE: ICE{Servers: []ICEServer{{URLs: []string{url}, Username: "u", Credential: "c"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return relayDialer{n, n.turn}
}

// TestRelayCertificate: TLS with who cannot prove who he is fails, and is told with what
// to do.
func TestRelayCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	address := server.Listener.Addr().String()
	d := dialerTo(t, "turns:"+address)
	if c, err := d.Dial("tcp4", address); err == nil {
		c.Close()
		t.Fatal("a certificate that nobody trusts was taken")
	}
	got := d.relays.take()
	if len(got) != 1 || got[0].URL != "turns:"+address || !strings.Contains(got[0].Err.Error(), "not trusted") || !strings.Contains(got[0].Err.Error(), "SSL_CERT_FILE") {
		t.Errorf("told: %+v", got)
	}
}

// TestRelayIPv6: a TURN server that has IPv6 only is reached, and asked for a relay of IPv4.
func TestRelayIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	d := dialerTo(t, "turn:"+address+"?transport=tcp")
	c, err := d.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if a, is := c.LocalAddr().(*net.TCPAddr); !is || a.IP.To4() == nil {
		t.Errorf("local address %v is not one of IPv4", c.LocalAddr())
	}
	p, err := d.net.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	u, err := net.ListenPacket("udp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if _, err := p.WriteTo([]byte("hello"), u.LocalAddr()); err != nil {
		t.Errorf("by UDP: %v", err)
	}
	if a, is := p.LocalAddr().(*net.UDPAddr); !is || a.IP.To4() == nil {
		t.Errorf("local address %v is not one of IPv4", p.LocalAddr())
	}
}

// stunMessage makes a STUN message with one attribute.
func stunMessage(kind uint16, transaction byte, attribute uint16, value []byte) []byte {
	size := (len(value) + 3) &^ 3
	b := make([]byte, stunHeader+4+size)
	binary.BigEndian.PutUint16(b, kind)
	binary.BigEndian.PutUint16(b[2:], uint16(4+size))
	b[8] = transaction
	binary.BigEndian.PutUint16(b[stunHeader:], attribute)
	binary.BigEndian.PutUint16(b[stunHeader+2:], uint16(len(value)))
	copy(b[stunHeader+4:], value)
	return b
}

// TestExchange follows allocations message by message, cut into single bytes.
func TestExchange(t *testing.T) {
	refusal := func(transaction byte, code int, reason string) []byte {
		return stunMessage(allocateError, transaction, stunErrorCode, append([]byte{0, 0, byte(code / 100), byte(code % 100)}, reason...))
	}
	success := stunMessage(allocateSuccess, 9, 0x0016, make([]byte, 8))
	for name, c := range map[string]struct {
		messages [][]byte
		want     string // of the error; empty: nothing was told, or that it works
	}{
		"works":               {[][]byte{refusal(1, 401, "Unauthorized"), success}, ""},
		"asked again":         {[][]byte{refusal(1, 401, ""), refusal(1, 401, ""), success}, ""},
		"stale nonce":         {[][]byte{refusal(1, 401, ""), refusal(2, 438, "Stale Nonce"), success}, ""},
		"refused":             {[][]byte{refusal(1, 401, ""), refusal(2, 401, "Unauthorized")}, `refuses the user name or the credential (error 401 "Unauthorized")`},
		"full":                {[][]byte{refusal(1, 401, ""), refusal(2, 486, "Allocation Quota Reached")}, `gives no address (error 486 "Allocation Quota Reached")`},
		"no code":             {[][]byte{stunMessage(allocateError, 1, 0x8022, []byte("coturn"))}, "without a code"},
		"too short a code":    {[][]byte{stunMessage(allocateError, 1, stunErrorCode, []byte{0, 0})}, "without a code"},
		"attribute too long":  {[][]byte{append(stunMessage(allocateError, 1, 1, nil)[:22], 0xff, 0xff)}, "without a code"},
		"something else":      {[][]byte{stunMessage(0x0101, 1, 1, nil)}, ""},
		"something, then end": {[][]byte{make([]byte, stunHeader)}, ""},
	} {
		d := dialerTo(t, "turn:192.0.2.1?transport=tcp")
		near, far := net.Pipe()
		s := &watchedStream{Conn: near, exchange: exchange{relays: d.relays, address: "192.0.2.1:3478", transport: "tcp", begun: time.Now()}}
		go func() {
			for _, m := range c.messages {
				for i := range m {
					far.Write(m[i : i+1])
				}
			}
			far.Close()
		}()
		var err error
		for b := make([]byte, 100); err == nil; {
			_, err = s.Read(b)
		}
		if got := d.relays.take(); c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0].Err.Error(), c.want)) {
			t.Errorf("%s: told %+v, want %q", name, got, c.want)
		}
		s.Close()
	}
}

// TestRelayNews: what stays as it is is not told again.
func TestRelayNews(t *testing.T) {
	d := dialerTo(t, "turn:turn.example.org")
	d.relays.resolve("turn.example.org:3478", "192.0.2.1:3478")
	bad, worse := errors.New("bad"), errors.New("worse")
	for i, c := range []struct {
		address, transport string
		err                error
		told               bool
	}{
		{"192.0.2.1:3478", "udp", nil, false},
		{"192.0.2.1:3478", "udp", bad, true},
		{"192.0.2.1:3478", "udp", bad, false},
		{"192.0.2.1:3478", "udp", worse, true},
		{"192.0.2.1:3478", "tcp", nil, false},
		{"192.0.2.2:3478", "udp", nil, false},
		{"turn.example.org:3478", "udp", nil, true},
		{"turn.example.org:3478", "udp", nil, false},
	} {
		d.relays.tell(c.address, c.transport, c.err)
		if got := d.relays.take(); (len(got) == 1) != c.told || c.told && got[0].Err != c.err {
			t.Errorf("%d: told %+v, want %v", i, got, c.told)
		}
	}
}

// FuzzExchange: whatever a server sends, it is followed to some end.
func FuzzExchange(f *testing.F) {
	f.Add(stunMessage(allocateSuccess, 1, 0x0016, make([]byte, 8)), 7)
	f.Add(stunMessage(allocateError, 1, stunErrorCode, []byte{0, 0, 4, 1, 'n', 'o'}), 1)
	f.Add(stunMessage(allocateError, 1, stunErrorCode, []byte{0, 0, 4}), 30)
	f.Add([]byte{1, 0x13, 0xff, 0xff}, 3)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		if cut <= 0 {
			cut = 1
		}
		r := &relays{servers: []iceURL{{text: "turn:x?transport=tcp", host: "x", port: 3478, transport: "tcp"}},
			news: make(chan struct{}, 1), resolved: map[string][]string{}, state: map[string]error{}}
		near, far := net.Pipe()
		s := &watchedStream{Conn: near, exchange: exchange{relays: r, address: "x:3478", transport: "tcp", begun: time.Now()}}
		go func() {
			for part := range slices.Chunk(data, cut) {
				far.Write(part)
			}
			far.Close()
		}()
		b := make([]byte, 1500)
		for {
			if _, err := s.Read(b); err != nil {
				break
			}
		}
		if n := len(r.take()); n > 1 {
			t.Errorf("told %d times about one allocation", n)
		}
		if len(s.held) > stunHeader+1<<16 {
			t.Errorf("%d bytes are held", len(s.held))
		}
	})
}
