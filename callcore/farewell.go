package callcore

import (
	"slices"
	"time"

	"intercom/signaling"
)

// This file sees to it that the last word of a call gets through. It is said once, and a
// connection to the chat server that is dead without knowing takes it and loses it; whoever
// was to hear it would ring, or show a frozen picture, until its own timers end that.

const (
	// deadTime is how long such a connection may have been dead when that is found out.
	deadTime = 20 * time.Second

	// farewellsKept bounds what is remembered: several ring groups' last words.
	farewellsKept = 64
)

// farewell is a hangUp or reject that was handed to the channel.
type farewell struct {
	outgoing
	at time.Time
}

// lastWord tells whether a signal ends something.
func lastWord(k signaling.Kind) bool { return k == signaling.HangUp || k == signaling.Reject }

// keepFarewell remembers a last word while the link that takes it may be dead. One that is
// said a second time is not.
func (l *loop) keepFarewell(o outgoing) {
	if o.retried || !lastWord(o.signal.Kind) {
		return
	}
	now := time.Now()
	l.forgetFarewells(now)
	if len(l.farewells) >= farewellsKept {
		l.farewells = slices.Delete(l.farewells, 0, 1)
	}
	l.farewells = append(l.farewells, farewell{o, now})
}

// forgetFarewells forgets those that have been heard, or never will be.
func (l *loop) forgetFarewells(now time.Time) {
	l.farewells = slices.DeleteFunc(l.farewells, func(f farewell) bool { return now.Sub(f.at) > deadTime })
}

// lose notes that the link, or a signal, was lost: what was said shortly before it may be
// lost too.
func (l *loop) lose() {
	l.lost = true
	now := time.Now()
	for _, f := range l.farewells {
		if now.Sub(f.at) <= deadTime {
			l.keepUnsent(f.outgoing)
		}
	}
	l.farewells = nil
}

// keepUnsent keeps a last word until the link is back. Hearing it twice does no harm.
func (l *loop) keepUnsent(o outgoing) {
	same := func(u outgoing) bool { return u.signal == o.signal }
	if o.retried || len(l.unsent) >= outboxSize || slices.ContainsFunc(l.unsent, same) {
		return
	}
	o.retried = true
	l.unsent = append(l.unsent, o)
}
