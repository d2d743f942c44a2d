package door

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"intercom/door/access"
	"intercom/signaling"
)

const (
	anna    signaling.UserID = 2001
	ben     signaling.UserID = 2002
	carla   signaling.UserID = 2003 // may neither open nor call
	mallory signaling.UserID = 2009 // no resident
)

// byAccount lets somebody open without a key: what keys are about is tested in unlock_test.go.
var byAccount = []access.Rule{{Lock: "door", Call: true, Account: true}}

func setup() Config {
	return Config{
		Buttons: []Button{
			{Name: "call", Residents: []signaling.UserID{anna, ben, carla}},
			{Name: "hang-up", HangUp: true},
		},
		Residents: []Resident{{ID: anna, Name: "Anna", MayCall: true, Opens: byAccount}, {ID: ben, Name: "Ben", MayCall: true, Opens: byAccount}, {ID: carla, Name: "Carla"}},
		Access:    access.Config{AccountInterval: 1, Seed: [32]byte{1}},
		Locks:     []Lock{{"door", 2 * time.Second}},
		Longest:   5 * time.Minute, Retry: 20 * time.Second,
	}
}

// table runs inputs one second apart and returns the effects of the last.
type table struct {
	t     *testing.T
	state State
	now   time.Time
	wake  time.Time
}

func newTable(t *testing.T, inputs ...Input) *table {
	t.Helper()
	s, err := New(setup())
	if err != nil {
		t.Fatal(err)
	}
	x := &table{t: t, state: s, now: time.Unix(1e9, 0)}
	x.run(inputs...)
	return x
}

func (x *table) run(inputs ...Input) (last []Effect) {
	for _, in := range inputs {
		x.now = x.now.Add(time.Second)
		x.state, last, x.wake = x.state.Next(x.now, in)
	}
	return last
}

// show writes effects short: notes as their type, user and reason.
func show(effects []Effect) string {
	var parts []string
	for _, e := range effects {
		switch e := e.(type) {
		case Note:
			s := string(e.Type)
			if e.User != 0 {
				s += " " + e.User.String()
			}
			if e.Reason != "" {
				s += " (" + e.Reason + ")"
			}
			parts = append(parts, s)
		case Ring:
			parts = append(parts, fmt.Sprintf("Ring{%s %v}", e.Call, e.Users))
		case Tell:
			parts = append(parts, fmt.Sprintf("Tell{%s %v %v %v}", e.Call, e.User, e.Carrier, e.Info))
		case Keep: // see tally_test.go
		case Light:
			parts = append(parts, "light "+string(e.Show))
		default:
			parts = append(parts, fmt.Sprintf("%s%v", strings.TrimPrefix(fmt.Sprintf("%T", e), "door."), e))
		}
	}
	return strings.Join(parts, "; ")
}

var (
	up       = LinkChanged{Up: true}
	press    = Pressed{Button: "call"}
	answered = Answered{"1", anna}
	media    = MediaStarted{"1", anna}
	unlock   = Asked{Call: "1", Session: "S", User: anna, Command: CommandUnlock, Live: true}
	opened   = LockChanged{Lock: "door", Open: true}
	closed   = LockChanged{Lock: "door", Open: false}
)

func TestNext(t *testing.T) {
	without := func(f func(*Asked)) Asked { a := unlock; f(&a); return a }
	for _, c := range []struct {
		name   string
		before []Input
		in     Input
		want   string
	}{
		{"link", nil, up, "light idle"},
		{"press", []Input{up}, press, "pressed; ringing; Ring{1 [2001 2002 2003]}; Cue{calling}; light calling"},
		{"second press", []Input{up, press}, press, "pressed"},
		{"unknown button", []Input{up}, Pressed{Button: "bell"}, ""},
		{"hang-up button, idle", []Input{up}, Pressed{Button: "hang-up"}, "pressed"},
		{"hang-up button, calling", []Input{up, press}, Pressed{Button: "hang-up"}, "pressed; HangUp{1 hung up at the door}; Cue{}"},
		{"press without a link", nil, press, "pressed; Cue{wait}; Snapshot{}; light calling"},
		{"link comes in time", []Input{press}, up, "ringing; Ring{1 [2001 2002 2003]}; Cue{calling}"},
		{"hang-up button, waiting", []Input{press, Pressed{Button: "hang-up"}}, up, "light idle"},
		{"declined by one", []Input{up, press}, Declined{"1", ben}, "declined 2002"},
		{"declined in another call", []Input{up, press}, Declined{"7", ben}, ""},
		{"answered", []Input{up, press}, answered, "Cue{}; answered 2001; light talking"},
		{"answered late", []Input{up, press, Ended{Call: "1"}}, answered, ""},
		{"nobody answers", []Input{up, press}, Ended{"1", EndUnanswered, "not answered"}, "Cue{unanswered}; not_answered (not answered); Record{call not answered}; light idle"},
		{"cannot be called", []Input{up, press}, Ended{"1", EndFailed, "no connection"}, "Record{call no connection}; Cue{fault}; ended (no connection); light idle"},
		{"connection lost", []Input{up, press, answered}, Ended{"1", EndFailed, "lost"}, "Cue{fault}; ended 2001 (lost); light idle"},
		{"media", []Input{up, press, answered}, media, "Cue{connected}; connected 2001"},
		{"media again", []Input{up, press, answered, media}, media, ""},
		{"media of another", []Input{up, press, answered}, MediaStarted{"1", ben}, ""},
		{"call ends", []Input{up, press, answered}, Ended{"1", EndOver, "hung up by the peer"}, "Cue{}; ended 2001 (hung up by the peer); light idle"},
		{"another call ends", []Input{up, press, answered}, Ended{"0", EndOver, "x"}, ""},
		{"press in a call", []Input{up, press, answered}, press, "pressed"},
		{"fault", []Input{up}, Fault{true}, "light fault"},
		{"fault repaired", []Input{up, Fault{true}}, Fault{false}, "light idle"},

		{"resident calls", []Input{up}, Incoming{"s", anna}, "Cue{incoming}; incoming 2001; Answer{s}; light talking"},
		{"stranger calls", []Input{up}, Incoming{"s", mallory}, "refused 2009 (not a resident); Decline{s not a resident}"},
		{"resident who may not calls", []Input{up}, Incoming{"s", carla}, "refused 2003 (not allowed); Decline{s not allowed}"},
		{"resident calls, busy", []Input{up, press}, Incoming{"s", anna}, "refused 2001 (busy); Decline{s busy}"},

		{"unlock", []Input{up, press, answered}, unlock, "Open{door 2001}"},
		{"unlock, opened", []Input{up, press, answered, unlock}, opened, "opened 2001 (account); Cue{opened}; Tell{1 2001 update map[event:opened lock:door]}; light opened"},
		{"unlock, closed again", []Input{up, press, answered, unlock, opened}, closed, "locked; light talking"},
		{"unlock, the guard fails", []Input{up, press, answered, unlock}, LockFailed{"door", "no such line"}, "refused 2001 (no such line); Tell{1 2001 update map[event:refused lock:door reason:no such line]}"},
		{"unlock twice", []Input{up, press, answered, unlock}, unlock, "refused 2001 (opened a moment ago); Tell{1 2001 update map[event:refused lock:door reason:opened a moment ago]}"},
		{"unlock after the pause", []Input{up, press, answered, unlock, opened, closed}, unlock, "Open{door 2001}"},
		{"unlock in a resident's own call", []Input{up, Incoming{"s", anna}}, without(func(a *Asked) { a.Call = "s" }), "Open{door 2001}"},
		{"unlock, not live", []Input{up, press, answered}, without(func(a *Asked) { a.Live, a.NotLive = false, "no media" }), "refused 2001 (no media); Tell{1 2001 update map[event:refused lock:door reason:no media]}"},
		{"unlock, while ringing", []Input{up, press}, unlock, "refused 2001 (not in this call); Tell{1 2001 update map[event:refused lock:door reason:not in this call]}"},
		{"unlock, by the other resident", []Input{up, press, answered}, without(func(a *Asked) { a.User = ben }), "refused 2002 (not in this call); Tell{1 2002 update map[event:refused lock:door reason:not in this call]}"},
		{"unlock, by one who may not", []Input{up, press, Answered{"1", carla}}, without(func(a *Asked) { a.User = carla }), "refused 2003 (not allowed); Tell{1 2003 update map[event:refused lock:door reason:not allowed]}"},
		{"unlock, by a stranger", []Input{up, press, answered}, Asked{User: mallory, Command: CommandUnlock, NotLive: "no such session"}, "refused 2009 (not a resident)"},
		{"unlock, after the call", []Input{up, press, answered, Ended{Call: "1"}}, unlock, "refused 2001 (not in this call); Tell{1 2001 update map[event:refused lock:door reason:not in this call]}"},
		{"unlock, after the hang-up button", []Input{up, press, answered, Pressed{Button: "hang-up"}}, unlock, "refused 2001 (the call is being ended); Tell{1 2001 update map[event:refused lock:door reason:the call is being ended]}"},
		{"answered by one who was not called", []Input{up, press}, Answered{"1", mallory}, ""},
		{"answered after the hang-up button", []Input{up, press, Pressed{Button: "hang-up"}}, answered, ""},
		{"unknown command", []Input{up, press, answered}, without(func(a *Asked) { a.Command = "explode" }), "refused 2001 (unknown command); Tell{1 2001 update map[event:refused reason:unknown command]}"},
		{"an update without a command", []Input{up, press, answered}, without(func(a *Asked) { a.Command = "" }), ""},
		{"lock, by who opened", []Input{up, press, answered, unlock, opened, Ended{Call: "1"}}, Asked{User: anna, Command: CommandLock, Carrier: ByMessage}, "Shut{door 2001}; Tell{ 2001 message map[event:locked lock:door]}"},
		{"lock, by who talks", []Input{up, press, answered, LockChanged{Lock: "door", Open: true, Exit: true}}, without(func(a *Asked) { a.Command = CommandLock }), "Shut{door 2001}; Tell{1 2001 update map[event:locked lock:door]}"},
		{"lock, by another resident", []Input{up, press, answered, unlock, opened}, Asked{User: ben, Command: CommandLock}, "refused 2002 (not allowed)"},
		{"lock, by a stranger", []Input{up, press, answered, unlock, opened}, Asked{User: mallory, Command: CommandLock}, "refused 2009 (not a resident)"},
		{"lock, by who opened the time before", []Input{up, press, answered, unlock, opened, closed, LockChanged{Lock: "door", Open: true, Exit: true}, Ended{Call: "1"}}, Asked{User: anna, Command: CommandLock}, "refused 2001 (not allowed)"},
		{"lock, not open", []Input{up, press, answered}, without(func(a *Asked) { a.Command = CommandLock }), "refused 2001 (it is not open); Tell{1 2001 update map[event:refused lock:door reason:it is not open]}"},
		{"unlock, another lock", []Input{up, press, answered}, without(func(a *Asked) { a.Lock = "gate" }), "refused 2001 (there is no such lock); Tell{1 2001 update map[event:refused lock:gate reason:there is no such lock]}"},
		{"unlock, by message", []Input{up, press, answered}, without(func(a *Asked) { a.Carrier = ByMessage }), "Open{door 2001}"},
		{"unlock, by message, no call", []Input{up}, without(func(a *Asked) { a.Call, a.Carrier = "", ByMessage }), "refused 2001 (not in this call); Tell{ 2001 message map[event:refused lock:door reason:not in this call]}"},
		{"unlock, by message of a stranger", []Input{up}, without(func(a *Asked) { a.Call, a.User, a.Carrier = "", mallory, ByMessage }), "refused 2009 (not a resident)"},
		{"from inside", []Input{up}, LockChanged{Lock: "door", Open: true, Exit: true}, "opened (from inside); light opened"},
		{"forced", []Input{up}, Contact{"door", ContactForced}, "forced"},
		{"held open, and shut", []Input{up, Contact{"door", ContactHeld}}, Contact{"door", ContactClosed}, "shut"},
		{"opened and shut", []Input{up, Contact{"door", ContactOpen}}, Contact{"door", ContactClosed}, ""},
		{"tampered", []Input{up}, Tamper{Blocked: true}, "tampered; light fault"},
		{"tampered again", []Input{up, Tamper{Blocked: true}}, Tamper{Blocked: true}, ""},
		{"tamper is over", []Input{up, Tamper{Blocked: true}}, Tamper{}, "tamper_over; light idle"},
		{"unlock, tampered", []Input{up, press, answered, Tamper{Blocked: true}}, unlock, "refused 2001 (somebody tampers with the station); Tell{1 2001 update map[event:refused lock:door reason:somebody tampers with the station]}"},
		{"wake too early", []Input{up, press, answered}, Wake{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := show(newTable(t, c.before...).run(c.in)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestDeadlines(t *testing.T) {
	x := newTable(t, press)
	if want := x.now.Add(20 * time.Second); !x.wake.Equal(want) {
		t.Fatalf("a press without a link wakes at %v, want %v", x.wake, want)
	}
	x.now = x.wake
	if got := show(x.run(Wake{})); got != "Cue{fault}; not_answered (the chat server is not reached); Record{call the chat server is not reached}; light fault" || x.state.Phase != Idle || !x.wake.IsZero() {
		t.Errorf("link never came: got %q, %v", got, x.state.Phase)
	}
	x = newTable(t, up, press, answered)
	x.now = x.wake
	if got := show(x.run(Wake{})); got != "HangUp{1 the longest call time was reached}; Cue{}" {
		t.Errorf("longest call: got %q", got)
	}
}

func TestFloodOfRequests(t *testing.T) {
	x := newTable(t, up)
	noted := 0
	ask := func(n int) {
		for range n {
			x.now = x.now.Add(-990 * time.Millisecond) // run adds a second: one each 10 ms
			noted += len(x.run(Asked{User: mallory, Command: CommandUnlock}))
		}
	}
	ask(5000)
	if noted != refusalsNoted {
		t.Errorf("%d of 5000 requests in 50 s were noted, want %d", noted, refusalsNoted)
	}
	if want := x.state.refusedSince.Add(refusalsTime); !x.wake.Equal(want) {
		t.Errorf("it wakes at %v to sum up, want %v", x.wake, want)
	}
	x.now = x.wake.Add(-time.Second)
	if got, want := x.run(Wake{}), fmt.Sprintf("%d more requests were refused: not a resident", 5000-refusalsNoted); len(got) != 1 || got[0].(Note).Text != want {
		t.Errorf("summed up: %+v, want %q", got, want)
	}
	if !x.wake.IsZero() {
		t.Errorf("it wakes again, at %v", x.wake)
	}
	ask(1)
	if noted != refusalsNoted+1 {
		t.Error("after a minute a request was not noted")
	}
}

func TestSetupIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"calls nobody":        func(c *Config) { c.Buttons[0].Residents = nil },
		"not a resident":      func(c *Config) { c.Buttons[0].Residents = []signaling.UserID{mallory} },
		"twice":               func(c *Config) { c.Buttons[0].Residents = []signaling.UserID{anna, anna} },
		"no name":             func(c *Config) { c.Buttons[0].Name = "" },
		"two buttons":         func(c *Config) { c.Buttons[0].Name = "hang-up" },
		"more than one thing": func(c *Config) { c.Buttons[1].Residents = []signaling.UserID{anna} },
		"not positive":        func(c *Config) { c.Residents[0].ID = 0 },
		"another resident's":  func(c *Config) { c.Residents[0].ID = ben },
		"negative":            func(c *Config) { c.Locks[0].Pause = -1 },
		"codes at the keypad": func(c *Config) { c.KeypadLock = "gate" },
	} {
		c := setup()
		spoil(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
