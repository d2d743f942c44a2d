package station

import (
	"strconv"
	"sync"
	"time"

	"intercom/callcore"
	"intercom/capture/audio"
	"intercom/capture/video"
	"intercom/internal/control"
	"intercom/signaling"
)

// rateGap is the least time between two samples that a rate is made of.
const rateGap = time.Second

// mediaOf returns how pictures and sound fare; talk is the call, or nil.
func (s *Station) mediaOf(talk *callcore.Session) control.Media {
	m := control.Media{Camera: cameraOf(s.video), Sound: soundOf(s.sound), Viewers: []control.Share{}}
	if s.cfg.Echo != nil {
		e := s.cfg.Echo()
		m.Echo = &e
	}
	if talk != nil {
		m.Viewers = append(m.Viewers, s.shares.of(talk, s.sound.Players())...)
	}
	return m
}

func cameraOf(v *video.Source) control.Camera {
	view, stats := v.View(), v.Stats()
	c := control.Camera{
		State: string(view.State), Width: view.Format.Width, Height: view.Format.Height, FPS: view.FPS,
		Frames: stats.Frames, Spoiled: stats.Spoiled, Passed: stats.Passed, Late: stats.Dropped,
	}
	if view.Format.Pixel != 0 {
		c.Pixels = view.Format.Pixel.String()
	}
	return c
}

func soundOf(a *audio.Source) control.Sound {
	stats := a.Stats()
	s := control.Sound{State: "off", Overruns: stats.Overruns, Late: stats.Dropped}
	switch {
	case a.Up():
		s.State = "on"
	case a.On():
		s.State = "opening"
	}
	return s
}

// shares remembers samples of the call going on, to tell rates.
type shares struct {
	mu   sync.Mutex
	call *callcore.Session
	last map[signaling.UserID]sample
}

// sample is what had been exchanged with a user at a moment, and the rates until then.
type sample struct {
	at                     time.Time
	pictures               uint64
	video, sound, received uint64 // bytes
	rates                  control.Share
}

// of returns what is exchanged with each user of a call.
func (s *shares) of(call *callcore.Session, players []audio.PlayerStats) []control.Share {
	stats := call.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.call != call {
		s.call, s.last = call, map[signaling.UserID]sample{}
		for _, t := range call.Timeline() {
			s.last[t.User] = sample{at: t.FirstSent}
		}
	}
	var all []control.Share
	for _, st := range stats {
		if st.Audio.PacketsSent+st.Audio.PacketsReceived+st.Video.PacketsSent > 0 {
			all = append(all, s.share(st, players))
		}
	}
	return all
}

// share returns what is exchanged with one user. The lock is held.
func (s *shares) share(st callcore.Stats, players []audio.PlayerStats) control.Share {
	was := s.last[st.User]
	if took := st.Time.Sub(was.at); was.at.IsZero() || took >= rateGap {
		now := sample{at: st.Time, pictures: st.Video.PicturesSent.Count, video: st.Video.BytesSent, sound: st.Audio.BytesSent, received: st.Audio.BytesReceived}
		if !was.at.IsZero() {
			kbit := func(now, was uint64) float64 { return float64(now-was) * 8 / 1000 / took.Seconds() }
			now.rates.FPS = float64(now.pictures-was.pictures) / took.Seconds()
			now.rates.BitRate, now.rates.SoundOut, now.rates.SoundIn = kbit(now.video, was.video), kbit(now.sound, was.sound), kbit(now.received, was.received)
		}
		s.last[st.User], was = now, now
	}
	out := was.rates
	out.User, out.Available = int64(st.User), st.Available
	out.RoundTrip = milliseconds(max(st.Video.RoundTrip, st.Audio.RoundTrip))
	out.Codec, out.Width, out.Height = string(st.Video.Codec), st.Video.PicturesSent.Width, st.Video.PicturesSent.Height
	out.Target, out.LostSent = st.Video.Target, st.Video.RemoteFractionLost
	out.Jitter, out.Lost = milliseconds(st.Audio.Jitter), st.Audio.Lost
	for _, p := range players {
		if p.Name == playerName(st.User) {
			out.Delay, out.Concealed = milliseconds(p.Delay), p.ConcealedShare()
		}
	}
	return out
}

// playerName is what the player of a user's voice is called.
func playerName(u signaling.UserID) string { return strconv.FormatInt(int64(u), 10) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
