package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"intercom/lab/vm/wire"
)

// Lines of the panel's GPIO chip, which is labelled "panel", in the order of their
// offsets (lab/guest/panel.sh). Four more have no name: "#12" to "#15", here alone.
const (
	ButtonCall   = "BTN_CALL"
	ButtonCall2  = "BTN_CALL2"
	ButtonHangUp = "BTN_HANGUP"
	DoorSense    = "DOOR_SENSE"
	RelayDoor    = "RELAY_DOOR"
	RelayGate    = "RELAY_GATE"
	LEDStatus    = "LED_STATUS"
	Light        = "LIGHT"
	ExitDoor     = "EXIT_DOOR"
	ExitGate     = "EXIT_GATE"
	GateSense    = "GATE_SENSE"
	Case         = "CASE"
)

// LineState is the level of a line: what the program drives, or else the line's pull.
type LineState struct {
	High bool
	At   time.Time // when it was read, by the guest's clock, which is set to this machine's
}

// Step is a part of a Sequence: a level and how long it lasts.
type Step struct {
	High bool
	For  time.Duration
}

// Pull pulls a line up or down from outside: an input reads that level. A program that
// asks for the line with a bias changes the pull itself.
func (m *Machine) Pull(ctx context.Context, line string, high bool) error {
	query := url.Values{"name": {line}, "high": {fmt.Sprint(high)}}
	return m.ask(ctx, stepLimit, "pull line "+line, http.MethodPut, wire.Line, query, nil, nil)
}

// Press closes the contact of a button. Buttons connect their line to ground, so that it
// is to be configured as active low with its bias up.
func (m *Machine) Press(ctx context.Context, button string) error { return m.Pull(ctx, button, false) }

// Release opens the contact of a button.
func (m *Machine) Release(ctx context.Context, button string) error { return m.Pull(ctx, button, true) }

// Sequence pulls a line to one level after another, without the delays of separate
// calls, and returns when the last step is over. At least a millisecond or so lies
// between two.
func (m *Machine) Sequence(ctx context.Context, line string, steps ...Step) error {
	limit := stepLimit
	var all []wire.Step
	for _, s := range steps {
		all = append(all, wire.Step{High: s.High, For: s.For.Nanoseconds()})
		limit += 2 * s.For
	}
	body, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return m.ask(ctx, limit, "pull line "+line, http.MethodPost, wire.Sequence, url.Values{"name": {line}}, body, nil)
}

// Line reads a line.
func (m *Machine) Line(ctx context.Context, line string) (LineState, error) {
	var s wire.LineState
	err := m.ask(ctx, stepLimit, "read line "+line, http.MethodGet, wire.Line, url.Values{"name": {line}}, nil, &s)
	return LineState(s), err
}

// AwaitLine waits until a line has the level. It looks about once a millisecond.
func (m *Machine) AwaitLine(ctx context.Context, limit time.Duration, line string, high bool) (LineState, error) {
	var s wire.LineState
	query := url.Values{"name": {line}, "high": {fmt.Sprint(high)}, "limit": {limit.String()}}
	err := m.ask(ctx, limit+stepLimit, "wait for line "+line, http.MethodGet, wire.Watch, query, nil, &s)
	return LineState(s), err
}

// Trace watches a line for a time and returns the levels that it has had, beginning with
// the first. It looks about once a millisecond.
func (m *Machine) Trace(ctx context.Context, line string, d time.Duration) ([]LineState, error) {
	var changes []wire.Change
	query := url.Values{"name": {line}, "for": {d.String()}}
	err := m.ask(ctx, d+stepLimit, "trace line "+line, http.MethodGet, wire.Trace, query, nil, &changes)
	var states []LineState
	for _, c := range changes {
		states = append(states, LineState(c))
	}
	return states, err
}
