package relay

import "time"

const (
	keepEvery = 30 * time.Second // the file says how much of a block is left
	saveRetry = time.Second
)

// box is what is known of the station's case; its zero value is that before it is read.
type box struct {
	known bool      // its contact can be read
	open  bool      // what that told last
	until time.Time // nothing opens before; zero: nothing blocks
	save  time.Time // when the file is to be written anew; zero: it is right
	quiet bool      // a Tampered has yet to be told: once the file has it
	why   string    // what is to be told with it
	fault string    // why the last save failed
}

// blocks tells whether nothing may open. A block ends by a wake, not by the clock alone.
func (b *box) blocks() bool { return b.open || !b.until.IsZero() }

// left is how long a block will last at least.
func (b *box) left(now time.Time, block time.Duration) time.Duration {
	if b.open {
		return block
	}
	return max(b.until.Sub(now), 0)
}

func (b *box) due() [2]time.Time {
	if b.open {
		return [2]time.Time{b.save}
	}
	return [2]time.Time{b.save, b.until}
}

// cased takes the level of the case's contact.
func (n *step) cased(opened bool) {
	b := &n.box
	was := b.open
	b.known, b.open = true, opened
	if opened == was {
		return
	}
	// The time counts from when the case is closed again; who turns the station off
	// meanwhile finds all of it before them.
	n.block(n.rules.block, "")
}

// restored takes what the file says.
func (n *step) restored(in restored) {
	switch {
	case in.err != nil:
		n.block(n.rules.block, in.err.Error())
	case in.left > 0:
		n.block(min(in.left, n.rules.block), "since before the restart")
	}
}

// block shuts every lock, and keeps them shut for a time.
func (n *step) block(d time.Duration, why string) {
	b := &n.box
	if b.until.IsZero() {
		b.quiet, b.why = true, why
	}
	b.until = n.now.Add(d)
	for i := range n.locks {
		n.end(i)
	}
	n.store()
}

// store has the file written.
func (n *step) store() {
	b := &n.box
	b.save = time.Time{}
	left := time.Duration(0)
	if b.blocks() {
		left = b.left(n.now, n.rules.block)
		if !b.open {
			b.save = n.now.Add(keepEvery)
		}
	}
	n.do(save{left: left})
}

// saved takes how the last save went. A block that would not outlive the process is told,
// too, and so is that.
func (n *step) saved(err error) {
	b := &n.box
	text := ""
	if err != nil {
		text = err.Error()
		b.save = n.now.Add(saveRetry)
		if b.quiet {
			b.why = "it would not outlive a restart: " + text
		}
	}
	if text != b.fault {
		b.fault = text
		n.do(report{part: TamperPart, err: text})
	}
	n.tampered()
}

// tampered tells of a block, once.
func (n *step) tampered() {
	if n.box.quiet {
		n.do(notify{kind: Tampered, lock: everywhere, reason: n.box.why})
		n.box.quiet, n.box.why = false, ""
	}
}

func (n *step) wakeBox() {
	b := &n.box
	if !b.until.IsZero() && !b.open && !n.now.Before(b.until) {
		n.tampered() // a disk may be slower than a short block
		b.until = time.Time{}
		n.do(notify{kind: TamperOver, lock: everywhere})
		n.store()
		return
	}
	if !b.save.IsZero() && !n.now.Before(b.save) {
		n.store()
	}
}
