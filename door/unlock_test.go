package door

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"intercom/door/access"
	"intercom/signaling"
)

var annasKey = access.Key{ID: "k1", User: anna, Secret: []byte("0123456789abcdef0123456789abcdef")}

// newGuarded is a door that opens for Anna by her paired phone and by her PIN, and tells Ben
// of alarms.
func newGuarded(t *testing.T, inputs ...Input) *table {
	t.Helper()
	cfg := setup()
	cfg.Residents[0].Opens = []access.Rule{{Lock: "door", Call: true, Keypad: true}}
	cfg.Residents[0].PIN, cfg.Residents[0].DuressPIN = "1234", "4321"
	cfg.Alarm = []signaling.UserID{anna, ben}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	x := &table{t: t, state: s, now: time.Unix(1e9, 0)}
	x.run(up, KeysChanged{Keys: []access.Key{annasKey}})
	x.run(inputs...)
	return x
}

// challengeIn returns the challenge that is told in some effects.
func challengeIn(t *testing.T, effects []Effect) string {
	t.Helper()
	for _, e := range effects {
		switch e := e.(type) {
		case Tell:
			if c := e.Info["challenge"]; c != "" {
				return c
			}
		case Ring:
			if c := e.Challenges[anna]; c != "" {
				return c
			}
		}
	}
	t.Fatalf("no challenge in %s", show(effects))
	return ""
}

func proved(challenge, pin string) Asked {
	a := unlock
	a.Key, a.Challenge = annasKey.ID, challenge
	a.MAC = access.MAC(annasKey.Secret, challenge, "", a.Session, anna, pin)
	return a
}

// without leaves challenges out: they are as good as random.
func without(effects []Effect) string {
	for _, e := range effects {
		if e, ok := e.(Tell); ok {
			delete(e.Info, "challenge")
		}
	}
	return show(effects)
}

func TestPairedPhone(t *testing.T) {
	x := newGuarded(t)
	ring := x.run(press)
	if c := ring[2].(Ring).Challenges; len(c) != 1 || c[anna] == "" {
		t.Fatalf("challenges of the call: %v, want one for Anna, who alone has a paired phone", c)
	}
	talk := x.run(answered)
	first, second := challengeIn(t, ring), challengeIn(t, talk)
	if first == second {
		t.Fatal("there is no fresh challenge when a phone has answered")
	}
	if got, want := without(x.run(unlock)), "refused 2001 (a paired phone is needed); Tell{1 2001 update map[event:refused lock:door reason:a paired phone is needed]}"; got != want {
		t.Errorf("without a key:\ngot  %s\nwant %s", got, want)
	}
	if got := show(x.run(proved(first, ""))); got != "Open{door 2001}" {
		t.Fatalf("with the challenge of the call: %s", got)
	}
	receipt := x.run(opened)
	next := challengeIn(t, receipt)
	if got, want := without(receipt), "opened 2001 (key); Cue{opened}; Tell{1 2001 update map[event:opened lock:door]}; light opened"; got != want {
		t.Errorf("the receipt:\ngot  %s\nwant %s", got, want)
	}
	x.run(closed, Wake{})
	if got := without(x.run(proved(second, ""))); !strings.HasPrefix(got, "refused 2001 (the challenge was used already)") {
		t.Errorf("with a challenge from before the opening: %s", got)
	}
	if got := show(x.run(proved(next, ""))); got != "Open{door 2001}" {
		t.Errorf("with the receipt's challenge: %s", got)
	}
}

func TestRevokedKey(t *testing.T) {
	x := newGuarded(t, press)
	c := challengeIn(t, x.run(answered))
	x.run(KeysChanged{})
	if got := show(x.run(proved(c, ""))); !strings.HasPrefix(got, "refused 2001 (unknown key)") || strings.Contains(got, "challenge:") {
		t.Errorf("a revoked key: %s", got)
	}
}

// TestLostKeys: while nobody knows the keys the account alone opens nothing.
func TestLostKeys(t *testing.T) {
	x := newTable(t, up, KeysChanged{Lost: true}, press, answered)
	if got := show(x.run(unlock)); !strings.HasPrefix(got, "refused 2001 (a paired phone is needed)") {
		t.Errorf("by account: %s", got)
	}
	x.run(KeysChanged{})
	if got := show(x.run(unlock)); got != "Open{door 2001}" {
		t.Errorf("once it is known that there are none: %s", got)
	}
}

func TestDuress(t *testing.T) {
	alarm := "alarm 2001 (under duress); Tell{ 2002 message map[event:alarm lock:door reason:under duress user:2001]}"
	x := newGuarded(t, press)
	c := challengeIn(t, x.run(answered))
	if got, want := show(x.run(proved(c, "4321"))), "Open{door 2001}; "+alarm; got != want {
		t.Errorf("by phone:\ngot  %s\nwant %s", got, want)
	}
	if got, want := without(x.run(opened)), "opened 2001 (key); Cue{opened}; Tell{1 2001 update map[event:opened lock:door]}; light opened"; got != want {
		t.Errorf("the phone shows:\ngot  %s\nwant %s", got, want)
	}
	x = newGuarded(t)
	if got, want := show(x.run(keys("*4321#")...)), "Open{door 2001}; "+alarm; got != want {
		t.Errorf("by PIN:\ngot  %s\nwant %s", got, want)
	}
	x.run(opened)
	if got, want := show(x.run(keys("*4321#")...)), alarm+"; refused 2001 (opened a moment ago); Cue{opened}"; got != want {
		t.Errorf("while the lock is open:\ngot  %s\nwant %s", got, want)
	}
}

func TestCode(t *testing.T) {
	x := newGuarded(t, keys("*12")...)
	if x.state.Typed != "***" || x.state.Phase != Dialling {
		t.Errorf("a code shows as %q, %v", x.state.Typed, x.state.Phase)
	}
	for _, c := range []struct {
		name, keys, want string
	}{
		{"right", "*1234#", "Open{door 2001}"},
		{"wrong", "*1235#", "refused (wrong code); Cue{refused}"},
		{"begun again", "*99*" + "*1234#", "Open{door 2001}"},
		{"cleared", "*1234C#", ""},
		{"nothing", "*#", ""},
		{"without a star it is a number", "1234#", "dialled (there is no such flat); Cue{unknown}"},
	} {
		x := newGuarded(t)
		if got := show(x.run(keys(c.keys)...)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if x.state.Typed != "" || x.state.Phase != Idle {
			t.Errorf("%s: %q is left, %v", c.name, x.state.Typed, x.state.Phase)
		}
	}
	x = newGuarded(t, append(keys("*1234#"), opened, closed)...)
	if got := show(x.run(keys("*1234#")...)); got != "Open{door 2001}" {
		t.Errorf("again, after the pause: %s", got)
	}
	x = newGuarded(t, keys("*1234#")...)
	if got := show(x.run(opened)); got != "opened 2001 (PIN); Cue{opened}; light opened" {
		t.Errorf("opened: %s", got)
	}
	if got := show(x.run(keys("*1234#")...)); got != "refused 2001 (opened a moment ago); Cue{opened}" {
		t.Errorf("while it is open: %s", got)
	}
	if got := show(x.run(keys("*1235#")...)); got != "refused (wrong code); Cue{refused}" {
		t.Errorf("a wrong one while it is open: %s", got)
	}
	x = newGuarded(t, Tamper{Blocked: true})
	if got := show(x.run(keys("*1234#")...)); got != "refused (somebody tampers with the station); Cue{refused}" {
		t.Errorf("while locks are blocked: %s", got)
	}
}

// TestCodeAgain: who types his PIN once more hears how the lock is, and there is no second pulse.
func TestCodeAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []Input
		want   string
	}{
		{"while it is opening", nil, "refused 2001 (opened a moment ago)"}, // what becomes of it is heard in a moment
		{"while it is open", []Input{opened}, "refused 2001 (opened a moment ago); Cue{opened}"},
		{"in its pause", []Input{opened, closed}, "refused 2001 (opened a moment ago); Cue{refused}"},
	} {
		x := newGuarded(t)
		x.state.cfg.Locks[0].Pause = time.Minute
		x.run(keys("*1234#")...)
		x.run(c.before...)
		if got := show(x.run(keys("*1234#")...)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestKeypadLock: a keypad beside the gate opens the gate.
func TestKeypadLock(t *testing.T) {
	cfg := setup()
	cfg.Locks = append(cfg.Locks, Lock{Name: "gate"})
	cfg.KeypadLock = "gate"
	cfg.Residents[0].PIN, cfg.Residents[1].PIN = "1234", "5678"
	cfg.Residents[0].Opens = []access.Rule{{Lock: "door", Keypad: true}, {Lock: "gate", Keypad: true}}
	cfg.Residents[1].Opens = []access.Rule{{Lock: "door", Keypad: true}}
	for code, want := range map[string]string{
		"*1234#": "Open{gate 2001}",
		"*5678#": "refused 2002 (not allowed); Cue{refused}",
	} {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		x := &table{t: t, state: s, now: time.Unix(1e9, 0)}
		if got := show(x.run(keys(code)...)); got != want {
			t.Errorf("%s: got %s, want %s", code, got, want)
		}
	}
}

func TestTryingCodes(t *testing.T) {
	x := newGuarded(t)
	for i := range 5 {
		got := show(x.run(keys("*0000#")...))
		want := "refused (wrong code); Cue{refused}"
		if i == 4 {
			alarm := "map[event:alarm lock:door reason:too many wrong attempts]}"
			want = "alarm (too many wrong attempts); Tell{ 2001 message " + alarm + "; Tell{ 2002 message " + alarm + "; " + want
		}
		if got != want {
			t.Errorf("attempt %d:\ngot  %s\nwant %s", i+1, got, want)
		}
	}
	if got := show(x.run(keys("*1234#")...)); got != "refused (too many wrong attempts); Cue{refused}" {
		t.Errorf("the right one: %s", got)
	}
	x.now = x.now.Add(time.Minute)
	if got := show(x.run(keys("*1234#")...)); got != "Open{door 2001}" {
		t.Errorf("the right one a minute later: %s", got)
	}
}

// TestCarriers: an answer goes back the way the request came, to the phone it came from.
func TestCarriers(t *testing.T) {
	for _, carrier := range []Carrier{ByUpdate, ByMessage, ByHangUp} {
		x := newGuarded(t, press)
		a := proved(challengeIn(t, x.run(answered)), "")
		a.Carrier, a.Device, a.Live = carrier, "phone", false
		for _, e := range x.run(a) {
			if tell, ok := e.(Tell); ok && (tell.Carrier != carrier || tell.Device != "phone" || tell.Call != "1") {
				t.Errorf("%v: answered by %+v", carrier, tell)
			}
		}
	}
}

func TestCommandsOfStrangers(t *testing.T) {
	x := newGuarded(t, press, answered)
	if got := show(x.run(Asked{User: mallory, Command: "explode"})); got != "refused 2009 (not a resident)" {
		t.Errorf("got %s", got)
	}
}

// TestWarnings: who wants to be told of alarms is told what happens to the door, too.
func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		in   Input
		want string
	}{
		{Contact{"door", ContactForced}, "forced; Tell{ 2001 message map[event:alarm lock:door reason:the door was forced]}; Tell{ 2002 message map[event:alarm lock:door reason:the door was forced]}"},
		{Contact{"door", ContactHeld}, "held_open; Tell{ 2001 message map[event:alarm lock:door reason:the door is held open]}; Tell{ 2002 message map[event:alarm lock:door reason:the door is held open]}"},
		{Tamper{Blocked: true}, "Tell{ 2001 message map[event:alarm lock: reason:somebody tampers with the station]}; Tell{ 2002 message map[event:alarm lock: reason:somebody tampers with the station]}; tampered; light fault"},
		{Contact{"door", ContactOpen}, ""},
	} {
		if got := show(newGuarded(t).run(c.in)); got != c.want {
			t.Errorf("%#v\ngot  %s\nwant %s", c.in, got, c.want)
		}
	}
}

// TestFlappingContact: phones are told of a door once a minute, whatever its contact does.
func TestFlappingContact(t *testing.T) {
	x := newGuarded(t)
	notes, told := 0, 0
	for range 150 { // a second each
		for _, in := range []Input{Contact{"door", ContactForced}, Contact{"door", ContactClosed}} {
			for _, e := range x.run(in) {
				switch e.(type) {
				case Note:
					notes++
				case Tell:
					told++
				}
			}
		}
	}
	if notes != 10 || told != 10 {
		t.Errorf("in 5 minutes %d notes and %d messages; want that it is forced and shut 5 times, and that two are told", notes, told)
	}
	if got := show(x.run(Contact{"door", ContactHeld})); !strings.HasPrefix(got, "held_open; Tell{ 2001") {
		t.Errorf("another alarm: %s", got)
	}
}

// TestFloodOfStrangers: the journal is bounded, and whoever fills it would erase what it has.
func TestFloodOfStrangers(t *testing.T) {
	x := newGuarded(t)
	noted, declined, most, now := 0, 0, 0, x.now
	for i := range 1000 {
		for _, in := range []Input{
			Incoming{Call: "from " + strconv.Itoa(i), User: mallory},
			Asked{User: mallory, Command: CommandUnlock, Lock: strings.Repeat("x", 16<<10)},
		} {
			x.now = now // all within a moment
			for _, e := range x.run(in) {
				switch e := e.(type) {
				case Note:
					noted, most = noted+1, max(most, len(e.Name)+len(e.Text))
				case Decline:
					declined++
				}
			}
		}
	}
	if noted != refusalsNoted || declined != 1000 || most > 200 {
		t.Errorf("%d notes of up to %d bytes, %d calls declined; want %d of at most 200 bytes, and all", noted, most, declined, refusalsNoted)
	}
	a := unlock
	a.Call, a.Carrier = "", ByMessage
	if got, want := show(x.run(a)), "refused 2001 (not in this call); Tell{ 2001 message map[event:refused lock:door reason:not in this call]}"; got != want {
		t.Errorf("a resident meanwhile:\ngot  %s\nwant %s", got, want)
	}
}
