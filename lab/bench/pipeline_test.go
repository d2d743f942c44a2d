//go:build bench

package bench

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"intercom/capture"
	"intercom/capture/soft/jpeg"
	"intercom/capture/soft/openh264"
	"intercom/capture/v4l2"
	"intercom/capture/video"
	"intercom/internal/payload"
)

// player is a camera that plays the film as pictures in a driver's memory, one when it is
// told to.
type player struct {
	frames   *v4l2.Frames
	pictures [][]byte
	next     chan int
}

func (p *player) Run(ctx context.Context, out func(*capture.Frame)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n := <-p.next:
			f, err := p.frames.Frame(p.pictures[n%len(p.pictures)], time.Now())
			if err != nil {
				return err
			}
			out(f)
			f.Release()
		}
	}
}

// pipeline is ours, from the camera's memory to the packets of so many watchers.
func pipeline(pixel capture.Pixel, watchers int) func(testing.TB, *stock) *bed {
	return func(t testing.TB, s *stock) *bed {
		decoder, err := jpeg.NewDecoder()
		must(t, err)
		frames, err := v4l2.NewFrames(capture.Format{Pixel: pixel, Width: width, Height: height, FPS: fps}, 0, decoder.Decode)
		must(t, err)
		p := &player{frames: frames, pictures: s.raw[pixel], next: make(chan int)}
		encoder := openh264.NewEncoder
		if pixel == capture.AVC {
			encoder = video.Passthrough
		}
		src, err := video.New(video.Config{Camera: p, BitRate: bitRate, Encoders: map[capture.Codec]capture.NewEncoder{capture.H264: encoder}})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- src.Run(ctx) }()
		sent := make(chan struct{}, watchers)
		var readers sync.WaitGroup
		for i := range watchers {
			feed, err := src.Open(capture.H264)
			for err != nil && ctx.Err() == nil { // it has not begun to run
				time.Sleep(time.Millisecond) // Run tells nobody that it has begun
				feed, err = src.Open(capture.H264)
			}
			must(t, err)
			readers.Go(func() { watch(ctx, feed, newSRTP(uint32(i+1)), sent) })
		}
		return &bed{
			step: func(n int) {
				p.next <- n
				for range watchers {
					<-sent
				}
			},
			close: func() {
				cancel()
				<-ran
				readers.Wait()
				if st := src.Stats(); st.Passed > 0 || st.Dropped > 0 {
					t.Errorf("%v, %d watchers: %d frames were passed over, %d packets dropped", pixel, watchers, st.Passed, st.Dropped)
				}
			},
		}
	}
}

// watch does what callcore does for a peer, but for the socket.
func watch(ctx context.Context, feed capture.Feed, s *srtp, sent chan<- struct{}) {
	defer feed.Close()
	cutter := payload.NewH264(1158)
	var h rtp.Header
	for {
		p, err := feed.Next(ctx)
		if err != nil {
			return
		}
		h.Timestamp += 90_000 / fps
		cutter.Start(p.Data)
		for h.Marker = false; !h.Marker; h.SequenceNumber++ {
			var b []byte
			b, h.Marker = cutter.Next()
			s.send(&h, b)
		}
		p.Release()
		sent <- struct{}{}
	}
}

// srtp protects packets by AEAD_AES_128_GCM (RFC 7714), which browsers prefer.
type srtp struct {
	gcm   cipher.AEAD
	ssrc  uint32
	salt  [12]byte
	last  uint16
	roc   uint32
	nonce [12]byte
	buf   [1500]byte
	sent  int
}

func newSRTP(ssrc uint32) *srtp {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return &srtp{gcm: gcm, ssrc: ssrc}
}

func (s *srtp) send(h *rtp.Header, payload []byte) {
	h.Version, h.PayloadType, h.SSRC = 2, 102, s.ssrc
	if h.SequenceNumber < s.last {
		s.roc++
	}
	s.last = h.SequenceNumber
	n, err := h.MarshalTo(s.buf[:])
	if err != nil {
		panic(err)
	}
	binary.BigEndian.PutUint32(s.nonce[2:], s.ssrc)
	binary.BigEndian.PutUint32(s.nonce[6:], s.roc)
	binary.BigEndian.PutUint16(s.nonce[10:], h.SequenceNumber)
	for i := range s.nonce {
		s.nonce[i] ^= s.salt[i]
	}
	s.sent += len(s.gcm.Seal(s.buf[:n], s.nonce[:], payload, s.buf[:n]))
	clear(s.nonce[:])
}
