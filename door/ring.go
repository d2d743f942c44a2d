package door

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"intercom/signaling"
)

// Why a call is over, where the door says so itself.
const (
	ReasonHungUp     = "hung up at the door"
	ReasonLongest    = "the longest call time was reached"
	ReasonOpened     = "the door was opened"
	ReasonUnanswered = "not answered"
	ReasonAnother    = "another answered"
	ReasonNext       = "others are called instead"
	ReasonCorrected  = "another flat was rung"
	ReasonQuiet      = "quiet hours"
)

const (
	// shotAfter: the visitor has let go of the button and looks at the camera, which has
	// found its exposure.
	shotAfter = 2 * time.Second
	// endingTime is how long a call that we hung up may take to be over.
	endingTime = 5 * time.Second
)

// visit is what a visitor has set going.
type visit struct {
	target *Flat  // whom he wants
	next   int    // the step of it that comes next
	rings  []ring // calls that nobody has answered yet; never changed in place
	missed bool   // one of them was not answered
}

// ring is one call.
type ring struct {
	call  string
	users []signaling.UserID
}

func (n *step) pressed(in Pressed) {
	b, target, ok := n.cfg.button(in.Button)
	if !ok {
		return
	}
	if in.Long {
		n.held(target)
		return
	}
	n.note(Note{Type: NotePressed, Call: n.Call, Name: b.Name, Text: fmt.Sprintf("button %q was pressed", b.Name)})
	switch {
	case b.HangUp:
		n.hangUp(ReasonHungUp)
	case b.Directory:
		n.directory()
	default:
		n.want(target)
	}
}

// want is what happens when a visitor asks for a flat. Who asks again while phones ring
// wants them to ring: they do already. Who asks for another one has made a mistake before.
// A call that somebody has answered goes on.
func (n *step) want(f *Flat) {
	switch {
	case n.Phase == Talking && !n.ending:
	case (n.Phase == Calling || n.Phase == Waiting) && !n.ending && n.visit.target == f:
	default:
		n.quit(ReasonCorrected)
		n.begin(f)
	}
}

// held is a button that is not let go of: who cannot wait gets the next step at once.
func (n *step) held(f *Flat) {
	if n.Phase == Calling && !n.ending && n.visit.target == f {
		n.timers[timerStep] = time.Time{}
		n.advance()
	}
}

// begin calls a flat, or waits until it can.
func (n *step) begin(f *Flat) {
	n.clear()
	if !n.link {
		n.enter(Waiting)
		n.visit.target, n.Flat = f, f.Name
		n.after(timerPhase, max(n.cfg.Retry, 1))
		n.play(CueWait)
		n.do(Snapshot{})
		return
	}
	n.enter(Calling)
	n.visit.target, n.Flat = f, f.Name
	n.after(timerPhase, n.cfg.Ring)
	n.after(timerShot, shotAfter)
	if !n.advance() {
		n.missed(ReasonQuiet, CueQuiet)
		return
	}
	n.play(CueCalling)
}

// advance takes the next step, and the ones after it for as long as no phone rings. It says
// whether one does.
func (n *step) advance() bool {
	v := &n.visit
	for v.next < len(v.target.Steps) {
		s := v.target.Steps[v.next]
		v.next++
		if n.noClock || !s.Quiet.Covers(n.now) {
			if s.Instead {
				n.silence("", ReasonNext)
			}
			n.ring(s.Residents)
		}
		if len(v.rings) > 0 {
			break
		}
	}
	if v.next < len(v.target.Steps) {
		n.timers[timerStep] = n.Since.Add(v.target.Steps[v.next].After)
	}
	return len(v.rings) > 0
}

// ring calls those of some users whose phones do not ring yet.
func (n *step) ring(users []signaling.UserID) {
	users = slices.DeleteFunc(slices.Clone(users), n.rung)
	if len(users) == 0 {
		return
	}
	n.calls++
	n.Call = strconv.Itoa(n.calls)
	n.visit.rings = append(slices.Clip(n.visit.rings), ring{n.Call, users})
	n.note(Note{Type: NoteRinging, Call: n.Call, Name: n.Flat, Text: "calling " + n.names(users)})
	n.do(Ring{Call: n.Call, Users: users, Challenges: n.challenges(n.Call, users)})
}

// rung says whether a user's phones ring.
func (n *step) rung(u signaling.UserID) bool {
	return slices.ContainsFunc(n.visit.rings, func(r ring) bool { return slices.Contains(r.users, u) })
}

// silence ends the calls that ring, but for one of them.
func (n *step) silence(but, reason string) {
	for _, r := range n.visit.rings {
		if r.call != but {
			n.do(HangUp{Call: r.call, Reason: reason})
		}
	}
	n.visit.rings = nil
}

func (n *step) stepDue() {
	if n.Phase == Calling && !n.ending {
		n.advance()
	}
}

func (n *step) linkChanged(up bool) {
	n.link = up
	if up && n.Phase == Waiting {
		n.begin(n.visit.target)
	}
}

func (n *step) answered(in Answered) {
	i := slices.IndexFunc(n.visit.rings, func(r ring) bool { return r.call == in.Call && slices.Contains(r.users, in.User) })
	if n.Phase != Calling || n.ending || i < 0 {
		return
	}
	n.silence(in.Call, ReasonAnother)
	flat := n.Flat
	n.enter(Talking)
	n.Call, n.User, n.Flat = in.Call, in.User, flat
	n.after(timerPhase, n.cfg.Longest)
	n.play(CueNone) // the resident is heard in a moment
	n.note(Note{Type: NoteAnswered, Call: in.Call, User: in.User, Text: n.name(in.User) + " answered"})
	n.offer()
}

func (n *step) declined(in Declined) {
	if n.Phase == Calling && slices.ContainsFunc(n.visit.rings, func(r ring) bool { return r.call == in.Call }) {
		n.note(Note{Type: NoteDeclined, Call: in.Call, User: in.User, Text: n.name(in.User) + " declined"})
	}
}

func (n *step) mediaStarted(in MediaStarted) {
	if n.Phase == Talking && in.Call == n.Call && in.User == n.User && !n.connected {
		n.connected = true
		n.play(CueConnected)
		n.note(Note{Type: NoteConnected, Call: in.Call, User: in.User, Text: n.name(in.User) + " is heard at the door"})
	}
}

// incoming is a resident who calls the door. He is let in unless it is in use.
func (n *step) incoming(in Incoming) {
	r, known := n.resident(in.User)
	refuse := func(reason, text string) {
		n.noteRefusal(request{call: in.Call, user: in.User}, "", reason, text)
		n.do(Decline{Call: in.Call, Reason: reason})
	}
	switch {
	case !known:
		refuse(ReasonStranger, n.name(in.User)+" called the door and is not a resident")
	case !r.MayCall:
		refuse(ReasonNotAllowed, r.Name+" called the door and may not")
	case n.Phase == Calling || n.Phase == Talking:
		refuse(ReasonBusy, r.Name+" called the door while it was busy")
	default:
		n.clear()
		n.enter(Talking)
		n.Call, n.User, n.Incoming = in.Call, in.User, true
		n.after(timerPhase, n.cfg.Longest)
		n.play(CueIncoming)
		n.note(Note{Type: NoteIncoming, Call: in.Call, User: in.User, Text: r.Name + " calls the door"})
		n.do(Answer{Call: in.Call})
		n.offer()
	}
}

// hangUp ends whatever goes on. The call is over for the door at once; that it ended is
// told when it has.
func (n *step) hangUp(reason string) {
	switch {
	case n.ending:
	case n.Phase == Dialling || n.Phase == Waiting:
		n.clear()
		n.play(CueNone)
		n.enter(Idle)
	case n.Phase == Calling:
		for _, r := range n.visit.rings {
			n.do(HangUp{Call: r.call, Reason: reason})
		}
		n.closing()
	case n.Phase == Talking:
		n.do(HangUp{Call: n.Call, Reason: reason})
		n.closing()
	}
}

func (n *step) closing() {
	n.ending = true
	n.play(CueNone)
	n.timers = timers{timerTyped: n.timers[timerTyped]}
	n.after(timerPhase, endingTime)
}

// quit leaves a call in favour of something else, without waiting for its end.
func (n *step) quit(reason string) {
	if n.Phase != Calling && n.Phase != Talking {
		return
	}
	call := n.Call
	if !n.ending {
		n.silence("", reason)
	}
	if reason != ReasonUnanswered {
		n.note(Note{Type: NoteEnded, Call: call, User: n.User, Reason: reason, Text: "the call ended: " + reason})
	}
}

// ended takes the end of a call. Another step may be left to be taken, or still ring.
func (n *step) ended(in Ended) {
	n.access = n.access.End(in.Call)
	if n.Phase == Talking && in.Call == n.Call {
		n.over(in)
		return
	}
	v := &n.visit
	left := slices.DeleteFunc(slices.Clone(v.rings), func(r ring) bool { return r.call == in.Call })
	if n.Phase != Calling || len(left) == len(v.rings) {
		return
	}
	if v.rings = left; len(left) > 0 {
		n.Call = left[len(left)-1].call
	}
	v.missed = v.missed || in.How == EndUnanswered
	switch {
	case len(left) > 0:
	case n.ending:
		n.over(in)
	case n.advance():
	case v.missed:
		n.missed(in.Reason, CueUnanswered)
	case in.How == EndFailed:
		n.do(Record{Name: n.Flat, Reason: in.Reason})
		n.over(in)
	default:
		n.over(in)
	}
}

// over is the end of a call that somebody had, or declined, or hung up.
func (n *step) over(in Ended) {
	switch {
	case in.How == EndDeclined && n.Phase == Calling:
		n.play(CueBusy)
	case in.How == EndFailed:
		n.play(CueFault)
	case !n.ending:
		n.play(CueNone)
	}
	n.note(Note{Type: NoteEnded, Call: in.Call, User: n.User, Reason: in.Reason, Text: "the call ended: " + in.Reason})
	n.enter(Idle)
}

// missed is the end of a visit that nobody has answered.
func (n *step) missed(reason string, cue CueName) {
	text := "nobody answered"
	switch reason {
	case ReasonNoLink:
		text = "nobody could be called: the chat server is not reached"
	case ReasonQuiet:
		text = "nobody is called at this hour"
	}
	n.play(cue)
	n.note(Note{Type: NoteNotAnswered, Call: n.Call, Name: n.Flat, Reason: reason, Text: text})
	n.do(Record{Name: n.Flat, Reason: reason})
	n.enter(Idle)
}
