package door

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the machine may have no zones

	"intercom/door/access"
	"intercom/door/schedule"
	"intercom/signaling"
)

const (
	dora signaling.UserID = 2004
	emil signaling.UserID = 2005
)

// house is a panel for several flats. Flat 1 is Anna's, and Ben's 20 s later; flat 2 is
// Dora's, and instead of her after 15 s Emil's; flat 3 is quiet at night.
func house(t *testing.T) Config {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	night, err := schedule.Parse(zone, "22:00-07:00")
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Buttons: []Button{{Name: "one", Flat: "1"}, {Name: "two", Flat: "2"}, {Name: "list", Directory: true}, {Name: "hang-up", HangUp: true}},
		Flats: []Flat{
			{Name: "1", Steps: []Step{{Residents: group(anna)}, {After: 20 * time.Second, Residents: group(anna, ben)}}},
			{Name: "2", Steps: []Step{{Residents: group(dora)}, {After: 15 * time.Second, Residents: group(emil), Instead: true}}},
			{Name: "3", Steps: []Step{{Residents: group(dora), Quiet: night}, {After: 10 * time.Second, Residents: group(emil)}}},
			{Name: "4", Hidden: true, Steps: []Step{{Residents: group(dora), Quiet: night}}},
		},
		Residents: []Resident{
			{ID: anna, Name: "Anna", MayCall: true, Opens: byAccount}, {ID: ben, Name: "Ben", MayCall: true, Opens: byAccount},
			{ID: dora, Name: "Dora", MayCall: true, Opens: byAccount}, {ID: emil, Name: "Emil", MayCall: true, Opens: byAccount},
		},
		Access: access.Config{AccountInterval: 1, Seed: [32]byte{1}},
		Locks:  []Lock{{"door", 2 * time.Second}},
		Ring:   40 * time.Second, Longest: 5 * time.Minute, Retry: 20 * time.Second, AfterOpening: 10 * time.Second,
	}
}

func group(users ...signaling.UserID) []signaling.UserID { return users }

// newHouse begins at noon with a link.
func newHouse(t *testing.T, inputs ...Input) *table {
	t.Helper()
	s, err := New(house(t))
	if err != nil {
		t.Fatal(err)
	}
	x := &table{t: t, state: s, now: time.Date(2026, 1, 15, 11, 0, 0, 0, time.UTC)}
	x.run(LinkChanged{Up: true})
	x.run(inputs...)
	return x
}

// sleep goes to the next Wake, which must be due at that time after now, and takes it.
func (x *table) sleep(d time.Duration) string {
	x.t.Helper()
	if got := x.wake.Sub(x.now); got != d {
		x.t.Fatalf("it wakes in %v, want %v", got, d)
	}
	x.now = x.wake.Add(-time.Second) // run adds it
	return show(x.run(Wake{}))
}

func (x *table) expect(got, want string) {
	x.t.Helper()
	if got != want {
		x.t.Errorf("got  %s\nwant %s", got, want)
	}
}

// keys are presses of a keypad.
func keys(text string) []Input {
	var in []Input
	for _, k := range text {
		in = append(in, Key{k})
	}
	return in
}

func TestFallbackAlso(t *testing.T) {
	x := newHouse(t, Pressed{Button: "one"})
	x.expect(x.sleep(2*time.Second), "Snapshot{}")
	x.expect(x.sleep(18*time.Second), "ringing; Ring{2 [2002]}") // Anna's rings on
	x.expect(show(x.run(Ended{"1", EndDeclined, "rejected"})), "")
	x.expect(show(x.run(Answered{"1", anna})), "")
	x.expect(show(x.run(Answered{"2", ben})), "Cue{}; answered 2002; light talking")
	x.expect(x.state.Flat, "1")

	// The first to answer ends the other's call.
	x = newHouse(t, Pressed{Button: "one"})
	x.sleep(2 * time.Second)
	x.sleep(18 * time.Second)
	x.expect(show(x.run(Answered{"1", anna})), "HangUp{2 another answered}; Cue{}; answered 2001; light talking")
	x.expect(show(x.run(Answered{"2", ben}, Asked{Call: "2", Session: "S", User: ben, Command: CommandUnlock, Live: true})),
		"refused 2002 (not in this call); Tell{2 2002 update map[event:refused lock:door reason:not in this call]}")

	// Nobody does: it rings for as long as it may, from the press on.
	x = newHouse(t, Pressed{Button: "one"})
	x.sleep(2 * time.Second)
	x.sleep(18 * time.Second)
	x.expect(x.sleep(20*time.Second), "HangUp{1 not answered}; HangUp{2 not answered}; Cue{unanswered}; not_answered (not answered); Record{1 not answered}; light idle")
	if !x.wake.IsZero() {
		t.Errorf("idle, it wakes at %v", x.wake)
	}
}

func TestFallbackInstead(t *testing.T) {
	x := newHouse(t, Pressed{Button: "two"})
	x.sleep(2 * time.Second)
	x.expect(x.sleep(13*time.Second), "HangUp{1 others are called instead}; ringing; Ring{2 [2005]}")
	x.expect(show(x.run(Answered{"1", dora})), "")
	x.expect(show(x.run(Ended{"1", EndOver, "hung up here"})), "")
	x.expect(show(x.run(Ended{"2", EndDeclined, "rejected"})), "Cue{busy}; ended (rejected); light idle")
}

func TestFallbackAtOnce(t *testing.T) {
	// Who declines, or cannot be called, is no reason to wait.
	for _, how := range []End{EndDeclined, EndFailed, EndUnanswered} {
		x := newHouse(t, Pressed{Button: "one"})
		x.expect(show(x.run(Ended{"1", how, "x"})), "ringing; Ring{2 [2001 2002]}")
		want := map[End]string{
			EndDeclined:   "Cue{busy}; ended (x); light idle",
			EndFailed:     "Cue{busy}; ended (x); light idle",
			EndUnanswered: "Cue{unanswered}; not_answered (x); Record{1 x}; light idle",
		}
		x.expect(show(x.run(Ended{"2", EndDeclined, "x"})), want[how])
	}
	// Nor is a visitor who holds the button.
	x := newHouse(t, Pressed{Button: "one"})
	x.expect(show(x.run(Pressed{Button: "two", Long: true})), "")
	x.expect(show(x.run(Pressed{Button: "one", Long: true})), "ringing; Ring{2 [2002]}")
	x.expect(show(x.run(Pressed{Button: "one", Long: true})), "")
	x.expect(show(newHouse(t).run(Pressed{Button: "one", Long: true})), "")
}

func TestAnotherFlat(t *testing.T) {
	x := newHouse(t, Pressed{Button: "one"})
	x.expect(show(x.run(Pressed{Button: "two"})),
		"pressed; HangUp{1 another flat was rung}; ended (another flat was rung); ringing; Ring{2 [2004]}; Cue{calling}")
	x.expect(show(x.run(Ended{"1", EndOver, "hung up here"})), "")
	// While the link is down the last one counts.
	x = newHouse(t, LinkChanged{}, Pressed{Button: "one"}, Pressed{Button: "two"})
	x.expect(show(x.run(LinkChanged{Up: true})), "ringing; Ring{1 [2004]}; Cue{calling}")
	// A talk is not ended by it.
	x = newHouse(t, Pressed{Button: "one"}, Answered{"1", anna})
	x.expect(show(x.run(Pressed{Button: "two"})), "pressed")
	// A new visitor need not wait until the last one's call has closed.
	x.run(Pressed{Button: "hang-up"})
	x.expect(show(x.run(Pressed{Button: "two"})), "pressed; ended 2001 (another flat was rung); ringing; Ring{2 [2004]}; Cue{calling}; light calling")
}

func TestQuietHours(t *testing.T) {
	night := time.Date(2026, 1, 15, 22, 0, 0, 0, time.UTC) // 23:00 in Berlin
	at := func(now time.Time, inputs ...Input) string {
		x := newHouse(t)
		x.now = now
		return show(x.run(inputs...))
	}
	x := newHouse(t)
	x.expect(at(night, keys("3#")...), "dialled; ringing; Ring{1 [2005]}; Cue{calling}; light calling")
	x.expect(at(night, keys("4#")...), "dialled; Cue{quiet}; not_answered (quiet hours); Record{4 quiet hours}")
	x.expect(at(night.Add(-12*time.Hour), keys("4#")...), "dialled; ringing; Ring{1 [2004]}; Cue{calling}; light calling")
	// Summer time: 21:30 in Berlin, and 22:30.
	summer := time.Date(2026, 7, 15, 19, 30, 0, 0, time.UTC)
	x.expect(at(summer, keys("4#")...), "dialled; ringing; Ring{1 [2004]}; Cue{calling}; light calling")
	x.expect(at(summer.Add(time.Hour), keys("4#")...), "dialled; Cue{quiet}; not_answered (quiet hours); Record{4 quiet hours}")
	// A door that does not know the time rings.
	x.expect(at(night, append([]Input{ClockChanged{}}, keys("4#")...)...), "dialled; ringing; Ring{1 [2004]}; Cue{calling}; light calling")
	// They begin while it rings: the next step is left out, the phones ring on.
	c := house(t)
	c.Flats[0].Steps[1].Quiet = c.Flats[3].Steps[0].Quiet
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	y := &table{t: t, state: s, now: night.Add(-time.Hour - 10*time.Second)}
	y.run(LinkChanged{Up: true}, Pressed{Button: "one"})
	y.sleep(2 * time.Second)
	y.expect(y.sleep(18*time.Second), "")
	y.expect(y.sleep(20*time.Second), "HangUp{1 not answered}; Cue{unanswered}; not_answered (not answered); Record{1 not answered}; light idle")
}

func TestAfterOpening(t *testing.T) {
	x := newHouse(t, Pressed{Button: "one"}, Answered{"1", anna}, unlock)
	x.expect(show(x.run(opened)), "opened 2001 (account); Cue{opened}; Tell{1 2001 update map[event:opened lock:door]}; light opened")
	x.expect(x.sleep(10*time.Second), "HangUp{1 the door was opened}; Cue{}")
	// Nobody says that the call is over.
	x.expect(x.sleep(5*time.Second), "ended 2001 (hung up at the door)")
	// An opening from inside ends no call, nor does one for the call before.
	x = newHouse(t, Pressed{Button: "one"}, Answered{"1", anna}, LockChanged{Lock: "door", Open: true, Exit: true})
	x.sleep(5*time.Minute - time.Second)
	x = newHouse(t, Pressed{Button: "one"}, Answered{"1", anna}, unlock, Ended{Call: "1"}, Pressed{Button: "one"}, Answered{"2", anna}, opened)
	x.sleep(5*time.Minute - time.Second)
	// Somebody inside was quicker: who asked is answered all the same, and can ask again.
	x = newHouse(t, Pressed{Button: "one"}, Answered{"1", anna}, unlock)
	x.expect(show(x.run(LockChanged{Lock: "door", Open: true, Exit: true})),
		"opened (from inside); opened 2001 (account); Cue{opened}; Tell{1 2001 update map[event:opened lock:door]}; light opened")
	x.run(closed)
	x.now = x.now.Add(5 * time.Second)
	x.expect(show(x.run(unlock)), "Open{door 2001}")
}

func TestFlatsAreChecked(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"a flat has no name":           func(c *Config) { c.Flats[0].Name = "" },
		"two flats are called":         func(c *Config) { c.Flats[1].Name = "1" },
		"has nobody to be called":      func(c *Config) { c.Flats[0].Steps = nil },
		"step 2 calls nobody":          func(c *Config) { c.Flats[0].Steps[1].Residents = nil },
		"the first step is late":       func(c *Config) { c.Flats[0].Steps[0].After = 1 },
		"before the one before it":     func(c *Config) { c.Flats[0].Steps = append(c.Flats[0].Steps, Step{Residents: group(dora)}) },
		"who is not a resident":        func(c *Config) { c.Flats[0].Steps[1].Residents = group(mallory) },
		"which does not exist":         func(c *Config) { c.Buttons[0].Flat = "9" },
		"to do more than one thing":    func(c *Config) { c.Buttons[0].HangUp = true },
		"a duration is negative":       func(c *Config) { c.Dial = -1 },
		"a lock has no name":           func(c *Config) { c.Locks[0].Name = "" },
		`two locks are called "door"`:  func(c *Config) { c.Locks = append(c.Locks, c.Locks[0]) },
		"at most 8 are allowed":        func(c *Config) { c.Locks = make([]Lock, 9) },
		`flat "2" calls user 2004 twi`: func(c *Config) { c.Flats[1].Steps[0].Residents = group(dora, dora) },
	} {
		c := house(t)
		spoil(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
