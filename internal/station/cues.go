package station

import (
	"time"

	"intercom/capture/cue"
	"intercom/door"
)

// shownFor is how long a visitor can read what he was told.
const shownFor = 10 * time.Second

// play lets the visitor hear what happens. Of a cue that is not there nothing is heard, and
// the one before it ends all the same.
func (l *loop) play(name door.CueName) {
	l.sound.Cue(l.cfg.Cues[cue.Name(name)], name == door.CueCalling)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Cue, l.status.Says, l.said = string(name), l.cfg.Says[cue.Name(name)], time.Now()
}
