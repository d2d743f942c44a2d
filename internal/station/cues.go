package station

import (
	"intercom/callcore"
	"intercom/capture/cue"
	"intercom/door"
)

// play lets the visitor hear what happens. Of a cue that is not there nothing is heard, and
// the one before it ends all the same.
func (l *loop) play(name cue.Name) {
	l.Station.sound.Cue(l.cfg.Cues[name], name == cue.Calling)
}

// hush ends the ringing that the visitor hears.
func (l *loop) hush() { l.Station.sound.Cue(nil, false) }

// playNote plays what belongs to something that the door notes.
func (l *loop) playNote(n door.Note) {
	switch n.Type {
	case door.NoteAnswered:
		l.hush() // the resident is heard in a moment
	case door.NoteConnected:
		l.play(cue.Connected)
	case door.NoteOpened:
		l.play(cue.Opened)
	case door.NoteNotAnswered:
		if n.Reason == door.ReasonNoLink {
			l.play(cue.Fault)
		}
	}
}

// playEnd plays why the door's call is over. Who hung up knows.
func (l *loop) playEnd(key string, why callcore.Reason) {
	if key == "" || key != l.state.Call {
		return
	}
	switch why {
	case callcore.ReasonNotAnswered:
		l.play(cue.Unanswered)
	case callcore.ReasonPeerRejected:
		l.play(cue.Busy)
	case callcore.ReasonNotConnected, callcore.ReasonLost, callcore.ReasonFailed:
		l.play(cue.Fault)
	default:
		l.hush()
	}
}
