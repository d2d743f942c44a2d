//go:build e2e

package lab

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
	"intercom/internal/control"
	"intercom/lab/browser"
)

// bottleneck is a link that carries so many bits a second: what comes faster waits in a
// queue, and is lost if that is full.
type bottleneck struct {
	conn *net.UDPConn
	all  sync.WaitGroup

	mu     sync.Mutex
	bits   int       // a second
	free   time.Time // when the last packet has passed
	lost   int
	queue  chan waiting
	closed bool
}

// waiting is a packet in the queue.
type waiting struct {
	data []byte
	to   netip.AddrPort
	due  time.Time
}

// bottleneckBytes is the queue's length: 150 ms at 2 Mbit/s, a second at 300 kbit/s.
const bottleneckBytes = 37_500

func newBottleneck(conn *net.UDPConn, bits int) *bottleneck {
	b := &bottleneck{conn: conn, bits: bits, queue: make(chan waiting, bottleneckBytes)}
	b.all.Go(func() {
		for w := range b.queue {
			time.Sleep(time.Until(w.due)) // the link takes its time: that is what it is for
			b.conn.WriteToUDPAddrPort(w.data, w.to)
		}
	})
	return b
}

// carry sets the rate, and tells how many packets were lost since the last time.
func (b *bottleneck) carry(bits int) (lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lost, b.bits, b.lost = b.lost, bits, 0
	return lost
}

func (b *bottleneck) send(data []byte, to netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.free.Before(now) {
		b.free = now
	}
	rate := time.Duration(b.bits)
	if waits := int(b.free.Sub(now) * rate / 8 / time.Second); b.closed || waits+len(data) > bottleneckBytes {
		b.lost++
		return
	}
	b.free = b.free.Add(time.Duration(len(data)) * 8 * time.Second / rate)
	b.queue <- waiting{append([]byte(nil), data...), to, b.free}
}

func (b *bottleneck) close() {
	b.mu.Lock()
	b.closed = true
	close(b.queue)
	b.mu.Unlock()
	b.all.Wait()
}

// clip writes a film with so much going on that its coding needs the bits it may have.
func clip(t *testing.T, format capture.Format) (file string) {
	t.Helper()
	file = filepath.Join(lab.out, "film.y4m")
	f, err := os.Create(file)
	must(t, err)
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n", format.Width, format.Height, format.FPS)
	for _, p := range capturetest.Film(format, 2*format.FPS) {
		fmt.Fprintln(w, "FRAME")
		for i, plane := range p.Planes {
			width, height := format.Width, format.Height
			if i > 0 {
				width, height = width/2, height/2
			}
			for y := range height {
				w.Write(plane[y*p.Stride[i]:][:width])
			}
		}
	}
	must(t, w.Flush())
	return file
}

// followed is what a page saw of a picture for a while.
type followed struct {
	Gap    float64 `json:"gap"`    // ms, the longest without a new picture
	FPS    float64 `json:"fps"`    // decoded, of the second half
	Kbit   float64 `json:"kbit"`   // a second, likewise
	Width  int     `json:"width"`  // of the last picture
	Height int     `json:"height"` // likewise
}

// followPicture watches the page's one incoming picture by the browser's statistics.
const followPicture = `async ({ ms }) => {
	const c = probe.connections.findLast((c) => c.connectionState === 'connected');
	const look = async () => [...(await c.getStats()).values()].find((s) => s.type === 'inbound-rtp' && s.kind === 'video');
	const begin = performance.now();
	let last = begin, gap = 0, was = await look(), half = null;
	for (let now = begin; now - begin < ms; now = performance.now()) {
		await new Promise((done) => setTimeout(done, 40));
		const got = await look(), at = performance.now();
		gap = Math.max(gap, at - last);
		if (got.framesDecoded > was.framesDecoded) last = at;
		was = got;
		if (!half && at - begin > ms / 2) half = { at, got };
	}
	const seconds = (performance.now() - half.at) / 1000;
	return {
		gap, fps: (was.framesDecoded - half.got.framesDecoded) / seconds,
		kbit: (was.bytesReceived - half.got.bytesReceived) * 8 / 1000 / seconds, width: was.frameWidth, height: was.frameHeight,
	};
}`

// TestNarrow: the network of a resident's browser falls from 2 Mbit/s to 300 kbit/s and comes
// back. The picture goes on, and becomes what the network carries. What is promised exactly is
// tested on a virtual network (TestEncodersFollowTheNetwork): here a real browser estimates,
// on a machine that has other things to do.
func TestNarrow(t *testing.T) {
	c, err := lab.coturn()
	must(t, err)
	h, _ := lab.house(t)
	format := capture.Format{Pixel: capture.I420, Width: 640, Height: 480, FPS: 20}
	d, err := startHouseDoor(filmAccount, h.chat, "20s", fmt.Sprintf("\n[camera]\nsource = %q\nbit_rate = 1500000\n", "file:"+clip(t, format)))
	must(t, err)
	d.until(t, returns, "at its chat server", func(s control.Status) bool { return s.Link.Up })
	d.begin(t)
	network := newPath(t, c.address)
	link := newBottleneck(network.near, 2_000_000)
	network.narrow(link)
	a := newPhone(t, h.behindTURN(network.address), anna, browser.ProbeConfig{Tone: annaTone})
	d.pressNamed(t, "anna")
	a.answers(t, d)

	const (
		longestGap = 2000.0 // ms
		leastFPS   = 5.0
	)
	var seen []followed
	for _, part := range []struct {
		name        string
		bits        int
		lasts       time.Duration
		least, most float64 // kbit/s of the second half
	}{
		{"wide", 2_000_000, 10 * time.Second, 350, 2000},
		{"narrow", 300_000, 12 * time.Second, 60, 300},
		{"wide again", 2_000_000, 16 * time.Second, 300, 2000},
	} {
		link.carry(part.bits)
		var got followed
		must(t, a.Eval(t.Context(), followPicture, map[string]any{"ms": part.lasts.Milliseconds()}, &got))
		seen = append(seen, got)
		s, err := d.ask()
		must(t, err)
		if len(s.Media.Viewers) != 1 {
			t.Fatalf("the status has %d residents in the call, want one", len(s.Media.Viewers))
		}
		v := s.Media.Viewers[0]
		t.Logf("%s, %d kbit/s: %.0f kbit/s of %dx%d, %.1f pictures a second, the longest gap %.0f ms, %d packets lost; the door: %s", part.name, part.bits/1000, got.Kbit, got.Width, got.Height, got.FPS, got.Gap, link.carry(part.bits), v.Sent())
		if got.Gap > longestGap {
			t.Errorf("%s: no picture for %.0f ms", part.name, got.Gap)
		}
		if got.Kbit < part.least || got.Kbit > part.most || got.FPS < leastFPS {
			t.Errorf("%s: %.0f kbit/s and %.1f pictures a second, want %.0f to %.0f, and %.0f", part.name, got.Kbit, got.FPS, part.least, part.most, leastFPS)
		}
		if v.Target == 0 || v.Available == 0 || !strings.HasPrefix(v.Codec, "video/") || v.Concealed > 0.5 {
			t.Errorf("%s: the status has %+v", part.name, v)
		}
	}
	if seen[2].Kbit < 1.2*seen[1].Kbit {
		t.Errorf("%.0f kbit/s on the narrow network and %.0f afterwards: it does not recover", seen[1].Kbit, seen[2].Kbit)
	}
	lab.note("from 2 Mbit/s to 300 kbit/s and back in Chromium: %.0f, %.0f, %.0f kbit/s; longest gaps %.0f, %.0f, %.0f ms",
		seen[0].Kbit, seen[1].Kbit, seen[2].Kbit, seen[0].Gap, seen[1].Gap, seen[2].Gap)
	a.hangsUp(t, d)
}
