package video

import (
	"time"

	"intercom/capture"
)

// State is how a camera is.
type State string

// The states of a camera.
const (
	Off        State = "off"
	Opening    State = "opening"
	Delivering State = "delivering"
	Absent     State = "absent" // it is opened again and again, and viewers see a sign
)

// View is what is known of a camera at one moment.
type View struct {
	State
	Format capture.Format // of the last picture since it was turned on; zero: there was none
	FPS    float64        // pictures a second of late
}

// View tells how the camera is now.
func (s *Source) View() View {
	v := View{State: Off}
	if !s.On() {
		return v
	}
	v.State = Opening
	p := &s.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.lost:
		v.State = Absent
	case p.delivered:
		v.State, v.FPS = Delivering, p.rate.perSecond(time.Now())
	}
	if p.delivered {
		v.Format = p.format
	}
	return v
}

// rateWindow is how long pictures are counted for a rate.
const rateWindow = 2 * time.Second

// rate counts pictures a second.
type rate struct {
	from   time.Time // when this window began
	frames int
	last   float64 // of the window before; 0: there is none
}

// see counts a picture.
func (r *rate) see(now time.Time) {
	took := now.Sub(r.from)
	switch {
	case r.from.IsZero() || took > 2*rateWindow: // it had stopped
		*r = rate{from: now}
		return
	case took >= rateWindow:
		r.last = float64(r.frames+1) / took.Seconds()
		r.from, r.frames = now, 0
		return
	}
	r.frames++
}

// perSecond is the rate of the last whole window, or of the first one so far.
func (r *rate) perSecond(now time.Time) float64 {
	took := now.Sub(r.from)
	switch {
	case r.from.IsZero() || took > 2*rateWindow:
		return 0
	case r.last > 0:
		return r.last
	case took <= 0:
		return 0
	}
	return float64(r.frames) / took.Seconds()
}
