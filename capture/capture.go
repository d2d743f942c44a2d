// Package capture holds the words of the media path: frames from a camera, packets from
// an encoder, the feeds and players that a call uses, and the interfaces of the devices
// and codecs behind them. It is vocabulary and reference counting; it opens no device,
// encodes nothing and starts no goroutine.
//
// capture/video shares a camera and capture/audio a sound card among calls;
// capture/soft/* are codecs, capture/synth is a device made of mathematics and
// capture/capturetest is the contract that every backend passes.
package capture

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Codec is a coding by its media type, as in SDP's rtpmap (RFC 8866) with the kind in front.
type Codec string

// The codings that are sent and received.
const (
	VP8  Codec = "video/VP8"  // RFC 6386, RTP payload RFC 7741
	H264 Codec = "video/H264" // constrained baseline, Annex B byte stream; RTP payload RFC 6184
	Opus Codec = "audio/opus" // RFC 6716, RTP payload RFC 7587
)

// IsVideo tells pictures from sound.
func (c Codec) IsVideo() bool { return strings.HasPrefix(string(c), "video/") }

// ClockRate is the RTP clock in Hz: 90000 for pictures, 48000 for Opus.
func (c Codec) ClockRate() uint32 {
	if c.IsVideo() {
		return 90000
	}
	return 48000
}

// Sound inside the station is mono, signed 16 bit, at one rate, in periods of 20 ms.
const (
	SampleRate    = 48000
	PeriodSamples = SampleRate / 50
	Period        = 20 * time.Millisecond
)

// Pixel is the memory layout of a frame.
type Pixel uint8

// Layouts a camera may deliver. Coded ones have their bytes in plane 0.
const (
	I420  Pixel = iota + 1 // Y, U, V planes; chroma halved in both directions
	NV12                   // Y plane, interleaved UV plane
	YUYV                   // packed 4:2:2
	MJPEG                  // coded
	AVC                    // coded H.264, Annex B
)

var pixelNames = [...]string{I420: "I420", NV12: "NV12", YUYV: "YUYV", MJPEG: "MJPEG", AVC: "H264"}

// String returns the usual name, such as "I420".
func (p Pixel) String() string {
	if int(p) < len(pixelNames) && pixelNames[p] != "" {
		return pixelNames[p]
	}
	return "unknown"
}

// Format is what a camera delivers or an encoder takes.
type Format struct {
	Pixel         Pixel
	Width, Height int // pixels; even
	FPS           int // frames a second; nominal
}

// Camera delivers frames. Run opens the device, calls out with each frame, in order and
// from one goroutine, until ctx ends or the device is lost, and closes it: when Run has
// returned the camera is off. out borrows the frame: who keeps it beyond the call
// retains it.
type Camera interface {
	Run(ctx context.Context, out func(*Frame)) error
}

// Target is what an encoder is asked for. Zero fields leave things as they are.
type Target struct {
	BitRate  int  // bits a second
	FPS      int  // frames a second that will be given to Encode
	KeyFrame bool // the next frame is a key frame
}

// Encoder codes the frames of one format. Encode and Set are called from one goroutine.
type Encoder interface {
	// Encode codes one frame, which it borrows.
	Encode(*Frame) error
	Set(Target) error
	// Close frees the encoder; out is not called after it returned.
	Close() error
}

// NewEncoder makes an encoder. out borrows each packet; it may be called later than
// Encode and from another goroutine, as hardware codes asynchronously.
type NewEncoder func(f Format, out func(*Packet)) (Encoder, error)

// SoundEncoder codes periods of sound.
type SoundEncoder interface {
	// Encode codes PeriodSamples samples into dst and returns the packet's length.
	Encode(pcm []int16, dst []byte) (int, error)
	// Expect tells which share of the packets will not arrive, from 0 to 1: what error
	// correction in them is to prepare for.
	Expect(loss float64) error
	Close() error
}

// SoundDecoder decodes what one peer sends.
type SoundDecoder interface {
	// Decode decodes one packet into pcm and returns the number of samples. A nil
	// packet conceals a lost one: it fills all of pcm.
	Decode(packet []byte, pcm []int16) (int, error)
	// Recover makes all of pcm, a lost packet, of what the one after it brings of it, and
	// conceals what that does not. The next packet is decoded after it.
	Recover(next []byte, pcm []int16) error
	Close() error
}

// Duplex is a microphone and a loudspeaker on one clock. Run opens the device and calls
// period every Period with what was heard, PeriodSamples samples, and a buffer of the
// same size for what is to be played; period neither blocks nor allocates. When Run has
// returned, microphone and loudspeaker are off.
type Duplex interface {
	Run(ctx context.Context, period func(mic, speaker []int16)) error
}

// Demand is what one peer needs of a shared encoder. Zero fields leave things as they are.
type Demand struct {
	BitRate  int  // bits a second that its network carries
	KeyFrame bool // it cannot decode before the next key frame

	// Reported tells that Loss is news: the share of packets, from 0 to 1, that did not arrive
	// there of late.
	Reported bool
	Loss     float64
}

// Feed is one peer's place at a shared encoder. The first feed opens the device, the last
// one to be closed turns it off. Next has one reader.
type Feed interface {
	// Next returns the next packet, which the caller releases. A video feed begins
	// with a key frame; who is late skips to the next one, and nobody waits for him.
	// The error is the context's, or ErrClosed.
	Next(context.Context) (*Packet, error)
	Demand(Demand)
	// Close may be called from any goroutine and more than once; Next then returns.
	Close() error
}

// Received is one RTP packet from a peer, without its header.
type Received struct {
	Sequence  uint16
	Timestamp uint32 // in units of the codec's clock
	Arrival   time.Time
	Payload   []byte // borrowed
}

// Player takes what one peer sends. Write never blocks.
type Player interface {
	Write(Received)
	// Close may be called from any goroutine and more than once.
	Close() error
}

// Viewer takes the pictures that one peer sends, in order and from one goroutine. It begins
// with a key frame, and after a loss goes on with one.
type Viewer interface {
	// View takes one coded picture, which it borrows. The goroutine is the one that reads the
	// peer's stream: what takes longer than until the next picture is late. An error asks
	// the peer for a key frame.
	View(*Packet) error
	Close() error
}

// What shared devices answer with when they cannot serve.
var (
	ErrClosed     = errors.New("capture: closed")      // this feed or player was closed
	ErrNotRunning = errors.New("capture: not running") // Run has not started, or has ended
)
