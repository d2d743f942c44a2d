package station

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"intercom/callcore"
	"intercom/door"
	"intercom/internal/control"
	"intercom/signaling"
)

var _ control.Station = (*Station)(nil)

// errStopping is told to who asks a station that is not running, or no longer.
var errStopping = errors.New("the station is not running")

// Press presses and releases a button, or has a simulated line beside a lock change and change
// back: the button inside, the door's contact, the case's.
func (s *Station) Press(ctx context.Context, name string) error {
	i := slices.IndexFunc(s.cfg.Door.Buttons, func(b door.Button) bool { return b.Name == name })
	if i < 0 && s.cfg.Press != nil && s.besideLock(name) {
		return s.cfg.Press(name)
	}
	if i < 0 {
		names := make([]string, len(s.cfg.Door.Buttons))
		for i, b := range s.cfg.Door.Buttons {
			names[i] = b.Name
		}
		return fmt.Errorf("there is no button %q; there are: %s", name, strings.Join(names, ", "))
	}
	if s.cfg.Press != nil {
		return s.cfg.Press(name)
	}
	return s.ask(ctx, door.Pressed{Button: name})
}

// Type presses keys of the keypad, one after the other: digits, # to confirm, C to clear.
func (s *Station) Type(ctx context.Context, keys string) error {
	if strings.Trim(keys, keypadSymbols) != "" || len(keys) > mostKeys { // not said which: it may be a code
		return fmt.Errorf("that cannot be typed: keys are %s, at most %d of them", keypadSymbols, mostKeys)
	}
	for _, k := range keys {
		if err := s.ask(ctx, door.Key{Symbol: k}); err != nil {
			return err
		}
	}
	return nil
}

const (
	keypadSymbols = "0123456789#*C"
	mostKeys      = 40
)

// HangUp ends the call, if there is one.
func (s *Station) HangUp(ctx context.Context) error {
	i := slices.IndexFunc(s.cfg.Door.Buttons, func(b door.Button) bool { return b.HangUp })
	if i < 0 {
		return errors.New("this door has no hang-up button")
	}
	return s.Press(ctx, s.cfg.Door.Buttons[i].Name)
}

func (s *Station) ask(ctx context.Context, in door.Input) error {
	select {
	case s.asks <- in:
		return nil
	case <-s.done:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Report puts something that is wrong beside the station's own parts on the list that Status
// has; nil takes it off.
func (s *Station) Report(part string, err error) { s.health.Report(part, err) }

// Turn returns when the loop that owns the door's state has nothing better to do than to
// say so: while it does, the station works, with or without a network. A service manager's
// watchdog wants to know.
func (s *Station) Turn(ctx context.Context) error {
	select {
	case <-s.turns:
		return nil
	case <-s.done:
		return errStopping
	case <-ctx.Done():
		return fmt.Errorf("the station's loop does not turn: %w", ctx.Err())
	}
}

// Watch calls f with the last events and with each one from now on.
func (s *Station) Watch(ctx context.Context, last int, f func(control.Event) error) error {
	return s.hub.Watch(ctx, last, f)
}

// Status returns the state as of now.
func (s *Station) Status() control.Status {
	s.mu.Lock()
	st, talk := s.status, s.talk
	if st.State != "calling" && time.Since(s.said) > shownFor {
		st.Cue, st.Says = "", ""
	}
	s.mu.Unlock()
	if st.Call != nil && talk != nil {
		call := *st.Call
		call.Network = networkOf(talk, signaling.UserID(call.User))
		st.Call = &call
	}
	st.Time, st.Version = time.Now(), s.cfg.Version
	for i, b := range s.cfg.Buttons {
		if !s.cfg.Door.Buttons[i].HangUp {
			st.Buttons = append(st.Buttons, control.Button{Name: b.Line.Name, Label: b.Label})
		}
	}
	st.Keypad = len(s.cfg.Keypad) > 0 || slices.ContainsFunc(s.cfg.Door.Residents, func(r door.Resident) bool { return r.PIN != "" })
	for _, f := range s.cfg.Door.Flats {
		st.Keypad = st.Keypad || door.Dialled(f.Name)
		if !f.Hidden {
			st.Flats = append(st.Flats, control.Flat{Name: f.Name, Label: f.Label, Dialled: door.Dialled(f.Name)})
		}
	}
	st.Locks = s.locks()
	for _, r := range s.cfg.Door.Residents {
		st.Residents = append(st.Residents, control.Resident{ID: int64(r.ID), Name: r.Name})
	}
	st.Camera = s.video.On()
	if luma, dark, ok := s.video.Brightness(); ok {
		st.Brightness = &control.Brightness{Luma: luma, Dark: dark}
	}
	st.Journal = s.journalHead()
	st.Media = s.mediaOf(talk)
	st.Speaker.DBFS = silence
	if s.cfg.Speaker != nil && s.sound.On() {
		st.Speaker.On, st.Speaker.DBFS, st.Speaker.Frequency = s.cfg.Speaker()
	}
	st.Health = []control.Condition{}
	for _, c := range s.health.Wrong() {
		st.Health = append(st.Health, control.Condition{Name: c.Name, Text: c.Text, Since: c.Since})
		if c.Name == "chat" && !st.Link.Up {
			st.Link.Reason = c.Text
		}
	}
	return st
}

// timesOf returns how the call with a user came about; nil if it is with another one.
func timesOf(s *callcore.Session, u signaling.UserID) *control.Times {
	for _, t := range s.Timeline() {
		if t.User == u {
			return times(t)
		}
	}
	return nil
}

func times(t callcore.Timeline) *control.Times {
	return &control.Times{
		Pressed: t.Pressed, Sent: t.Sent, Ringing: t.Ringing, Accepted: t.Accepted,
		ICE: t.ICE, DTLS: t.DTLS, FirstSent: t.FirstSent, FirstReceived: t.FirstReceived,
	}
}

// silence is the level of a loudspeaker that is off, in dBFS.
const silence = -100

// networkOf returns how the call with a user fares; nil: it is over.
func networkOf(s *callcore.Session, u signaling.UserID) *control.Network {
	for _, st := range s.Stats() {
		if st.User == u {
			return &control.Network{
				Available: st.Available, Target: st.Video.Target, Pictures: st.Video.PicturesSent.PerSecond,
				Lost: st.Video.RemoteFractionLost, RoundTrip: max(st.Video.RoundTrip, st.Audio.RoundTrip).Seconds(),
			}
		}
	}
	return nil
}

// sentVideo returns the coding of the picture that a user gets.
func sentVideo(s *callcore.Session, u signaling.UserID) string {
	for _, st := range s.Stats() {
		if st.User == u {
			return string(st.Video.Codec)
		}
	}
	return ""
}
