package browser

import (
	"context"
	"encoding/json"
	"time"
)

// FirefoxTone is the frequency of each microphone in Firefox, in Hz.
const FirefoxTone = 1000.0

// ProbeConfig says how the probe changes a page.
type ProbeConfig struct {
	// Tone is the frequency of the page's microphone, in Hz; in Firefox it is FirefoxTone.
	Tone float64 `json:"tone,omitempty"`
	// Codec, if set, is the only video codec that the page accepts, such as "H264".
	Codec string `json:"codec,omitempty"`
}

// ProbeScripts returns the scripts for NewPage that put the probe into the page.
func ProbeScripts(c ProbeConfig) []string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // a tone that is no number
	}
	return []string{"window.probeConfig = " + string(text), probe}
}

// Video is what a page's remote picture was like for a while.
type Video struct {
	Width            int     `json:"width"`
	Height           int     `json:"height"`
	DecodedPerSecond float64 `json:"decodedPerSecond"` // frames, by the browser's statistics
	ShownPerSecond   float64 `json:"shownPerSecond"`   // frames that reached the screen
	Mean             float64 `json:"mean"`             // of the darkest sample; 0 is black, 255 white
	Brightest        float64 `json:"brightest"`        // point of the darkest sample, likewise
	Change           float64 `json:"change"`           // part of the picture, 0..1, that changed least between samples
}

// Audio is what a page's remote sound was like at one moment.
type Audio struct {
	Frequency float64 `json:"frequency"` // dominant, in Hz; 0 in silence
	Margin    float64 `json:"margin"`    // of the dominant frequency over all others, in dB
	DBFS      float64 `json:"dbfs"`      // root mean square; 0 is full scale
	Gap       float64 `json:"gap"`       // the longest silence lately, in ms
}

// Received is what came over one connection.
type Received struct {
	State string `json:"state"` // as RTCPeerConnection.connectionState
	// Local and Remote are the two ends of the path in use; nil: there is none yet.
	Local  *Candidate `json:"local"`
	Remote *Candidate `json:"remote"`
	Audio  *struct {
		Codec string `json:"codec"`
		Bytes int64  `json:"bytes"`
	} `json:"audio"`
	Video *struct {
		Codec         string `json:"codec"`
		Bytes         int64  `json:"bytes"`
		FramesDecoded int    `json:"framesDecoded"`
	} `json:"video"`
}

// Candidate is one end of a path that media takes.
type Candidate struct {
	Type   string `json:"type"`   // host, srflx, prflx, relay
	Server string `json:"server"` // how a relay of the page's own is reached: udp, tcp, tls
}

// Video measures the remote picture that the page shows, for the given time. It is an
// error if the page shows none.
func (p *Page) Video(ctx context.Context, d time.Duration) (Video, error) {
	var v Video
	err := p.Eval(ctx, "probe.video", map[string]any{"ms": d.Milliseconds()}, &v)
	return v, err
}

// Audio measures the remote sound after the given time, which should be a second or more:
// it looks at the last 0.7 s. It is an error if there is none.
func (p *Page) Audio(ctx context.Context, d time.Duration) (Audio, error) {
	var a Audio
	err := p.Eval(ctx, "probe.audio", map[string]any{"ms": d.Milliseconds()}, &a)
	return a, err
}

// Received returns the statistics of the page's open connections, oldest first.
func (p *Page) Received(ctx context.Context) ([]Received, error) {
	var r []Received
	err := p.Eval(ctx, "probe.stats", nil, &r)
	return r, err
}
