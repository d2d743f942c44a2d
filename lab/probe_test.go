//go:build e2e

package lab

import (
	"math"
	"slices"
	"testing"

	"intercom/lab/browser"
)

// The least that the issue asks of a call's picture and sound, as the browser decodes
// them.
const (
	leastFPS    = 10.0
	leastChange = 0.001 // of the picture, between samples 0.4 s apart: black bars do not move
	leastLight  = 64    // brightest point, of 255
	toneError   = 5.0   // Hz
	leastMargin = 15.0  // dB over all other frequencies
)

// checkVideo tells what is wrong with a remote picture.
func checkVideo(v browser.Video) (faults []string) {
	if v.DecodedPerSecond < leastFPS {
		faults = append(faults, "too few frames are decoded")
	}
	if v.ShownPerSecond <= 0 {
		faults = append(faults, "no frame is shown")
	}
	if v.Brightest < leastLight {
		faults = append(faults, "the picture is black")
	}
	if v.Change < leastChange {
		faults = append(faults, "the picture stands still")
	}
	return faults
}

// checkAudio tells what is wrong with a remote sound that should be a tone.
func checkAudio(a browser.Audio, tone float64) (faults []string) {
	if math.Abs(a.Frequency-tone) > toneError {
		faults = append(faults, "the frequency is wrong")
	}
	if a.Margin < leastMargin {
		faults = append(faults, "it is not a clear tone")
	}
	return faults
}

// loop connects a page with itself and sends a picture and a tone round.
const loop = `async ({ picture, tone, gaps }) => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
  const c = canvas.getContext('2d');
  let n = 0;
  const draw = () => {
    c.fillStyle = picture === 'black' ? '#000' : '#468';
    c.fillRect(0, 0, 320, 240);
    if (picture === 'moving') { c.fillStyle = '#fd4'; c.fillRect((n += 7) % 280, 90, 40, 60); }
    if (picture === 'still') { c.fillStyle = '#fd4'; c.fillRect(90, 90, 40, 60); }
  };
  draw();
  setInterval(draw, picture === 'slow' ? 500 : 50);
  if (picture === 'slow') setInterval(() => { c.fillStyle = '#fd4'; c.fillRect((n += 7) % 280, 90, 40, 60); }, 500);
  const stream = canvas.captureStream();
  if (tone) for (const t of (await navigator.mediaDevices.getUserMedia({ audio: true })).getTracks()) stream.addTrack(t);
  const [sound] = stream.getAudioTracks();
  if (gaps) setInterval(() => { sound.enabled = false; setTimeout(() => { sound.enabled = true; }, 150); }, 400);
  const a = new RTCPeerConnection(), b = new RTCPeerConnection();
  a.onicecandidate = (e) => e.candidate && b.addIceCandidate(e.candidate);
  b.onicecandidate = (e) => e.candidate && a.addIceCandidate(e.candidate);
  const shown = new Promise((done) => {
    b.ontrack = (e) => {
      const video = document.getElementById('remote');
      if (video.srcObject !== e.streams[0]) video.srcObject = e.streams[0];
      video.requestVideoFrameCallback(done);
    };
  });
  for (const t of stream.getTracks()) a.addTrack(t, stream);
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  await shown;
}`

// TestProbe shows that the measurements of the other tests can fail.
func TestProbe(t *testing.T) {
	tests := []struct {
		picture string
		codec   string
		faults  []string
	}{
		{picture: "moving"},
		{picture: "moving", codec: "H264"},
		{picture: "moving", codec: "VP8"},
		{picture: "still", faults: []string{"the picture stands still"}},
		{picture: "black", faults: []string{"the picture is black", "the picture stands still"}},
		{picture: "slow", faults: []string{"too few frames are decoded", "the picture stands still"}},
	}
	for _, tt := range tests {
		t.Run(tt.picture+tt.codec, func(t *testing.T) {
			p := newPage(t, "loop", browser.ProbeConfig{Tone: 523.25, Codec: tt.codec})
			must(t, p.Goto(t.Context(), lab.pages.URL+"/phone.html"))
			must(t, p.Eval(t.Context(), loop, map[string]any{"picture": tt.picture, "tone": true}, nil))
			v, a := measure(t, p)
			if got := checkVideo(v); !slices.Equal(got, tt.faults) {
				t.Errorf("picture: got %q, want %q: %+v", got, tt.faults, v)
			}
			if got := checkAudio(a, 523.25); got != nil {
				t.Errorf("sound: %q: %+v", got, a)
			}
			if got := checkAudio(a, 535); got == nil {
				t.Errorf("sound of another frequency passes: %+v", a)
			}
			if a.Gap > 50 {
				t.Errorf("sound without gaps: %+v", a)
			}
			if tt.codec != "" && codec(t, p) != "video/"+tt.codec {
				t.Errorf("codec: got %s, want %s", codec(t, p), tt.codec)
			}
		})
	}
}

// TestProbeGaps has the page hear a tone that breaks off now and then.
func TestProbeGaps(t *testing.T) {
	p := newPage(t, "loop", browser.ProbeConfig{Tone: 523.25})
	must(t, p.Goto(t.Context(), lab.pages.URL+"/phone.html"))
	must(t, p.Eval(t.Context(), loop, map[string]any{"picture": "moving", "tone": true, "gaps": true}, nil))
	_, a := measure(t, p)
	if a.Gap < 75 || a.Gap > 250 {
		t.Errorf("got %+v, want gaps of about 150 ms", a)
	}
}

// codec returns the video codec that the page receives.
func codec(t *testing.T, p *browser.Page) string {
	t.Helper()
	r, err := p.Received(t.Context())
	must(t, err)
	for _, c := range r {
		if c.Video != nil && c.Video.Bytes > 0 {
			return c.Video.Codec
		}
	}
	t.Fatalf("page %s receives no video: %+v", p.Name(), r)
	return ""
}
