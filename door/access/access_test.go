package access_test

import (
	"strings"
	"testing"
	"time"

	"intercom/door/access"
	"intercom/door/schedule"
	"intercom/signaling"
)

const (
	anna    signaling.UserID = 2001 // call and keypad at the door, call at the gate
	ben     signaling.UserID = 2002 // by account at the door
	carla   signaling.UserID = 2003 // in two steps at the door
	dora    signaling.UserID = 2004 // call at the door, in the day
	erik    signaling.UserID = 2005 // by account at the door, and has a key
	fred    signaling.UserID = 2006 // nothing
	mallory signaling.UserID = 2009 // lives elsewhere
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) // a Monday

func secret(s string) []byte { return []byte(strings.Repeat(s, 16)) }

func setup(t testing.TB) access.Config {
	day, err := schedule.Parse(time.UTC, "mon-fri 08:00-18:00")
	if err != nil {
		t.Fatal(err)
	}
	return access.Config{
		Locks: []string{"door", "gate"}, Keypads: []string{"front", "back"},
		Residents: []access.Resident{
			{anna, "135790", "135791", []access.Rule{{Lock: "door", Call: true, Keypad: true}, {Lock: "gate", Call: true}}},
			{ben, "", "", []access.Rule{{Lock: "door", Call: true, Account: true}}},
			{carla, "24680", "24681", []access.Rule{{Lock: "door", Call: true, TwoStep: true}}},
			{dora, "8642", "", []access.Rule{{Lock: "door", Call: true, Keypad: true, When: &day}}},
			{erik, "", "", []access.Rule{{Lock: "door", Call: true, Account: true}}},
			{fred, "", "", nil},
		},
		HangUp: true, ClockFrom: noon.AddDate(-1, 0, 0), Seed: [32]byte{1},
	}
}

var keys = []access.Key{
	{"phone", anna, secret("a")}, {"tablet", anna, secret("b")}, {"phone", carla, secret("c")},
	{"phone", dora, secret("d")}, {"phone", erik, secret("e")}, {"phone", mallory, secret("m")}, {"short", ben, []byte("short")},
}

// house is a state with a call, in which somebody has a challenge.
type house struct {
	t     *testing.T
	s     access.State
	now   time.Time
	given string
}

func newHouse(t *testing.T, user signaling.UserID, changes ...func(*access.Config)) *house {
	t.Helper()
	cfg := setup(t)
	for _, c := range changes {
		c(&cfg)
	}
	s, err := access.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, s: s.SetKeys(keys), now: noon}
	h.s, h.given = h.s.Challenge(h.now, "1", user)
	return h
}

// request is a proper one of a user's phone, with the key's secret.
func (h *house) request(user signaling.UserID, key, pin string) access.Request {
	r := access.Request{User: user, Call: "1", Session: "S", Live: true, Carrier: access.ByUpdate, Challenge: h.given, Key: "phone"}
	r.MAC = access.MAC(secret(key), r.Challenge, "", "S", user, pin)
	return r
}

func (h *house) ask(r access.Request) access.Verdict {
	var v access.Verdict
	h.s, v = h.s.Ask(h.now, r)
	if v.Next != "" {
		h.given = v.Next
	}
	return v
}

func (h *house) typed(pin string) access.Verdict {
	var v access.Verdict
	h.s, v = h.s.Type(h.now, access.Typed{Keypad: "front", PIN: pin})
	return v
}

func TestAsk(t *testing.T) {
	none := func(*access.Request) {}
	keyless := func(r *access.Request) { r.Key, r.MAC, r.Challenge = "", "", "" }
	for _, c := range []struct {
		name   string
		user   signaling.UserID
		key    string // whose secret
		pin    string
		change func(*access.Request)
		want   access.Reason
		way    access.Way
		duress bool
	}{
		{name: "paired", user: anna, key: "a", change: none, way: access.WayKey},
		{name: "padded", user: anna, key: "a", change: func(r *access.Request) { r.MAC += "=" }, way: access.WayKey},
		{name: "with a PIN that need not be", user: anna, key: "a", pin: "135790", change: none, way: access.WayKey},
		{name: "under duress", user: anna, key: "a", pin: "135791", change: none, way: access.WayKey, duress: true},
		{name: "with a wrong PIN", user: anna, key: "a", pin: "111111", change: none, want: access.ReasonWrong},
		{name: "by message", user: anna, key: "a", change: func(r *access.Request) { r.Carrier = access.ByMessage }, way: access.WayKey},
		{name: "by hang-up", user: anna, key: "a", change: func(r *access.Request) { r.Carrier = access.ByHangUp }, way: access.WayKey},
		{name: "other lock than proved", user: anna, key: "a", change: func(r *access.Request) { r.Lock = "gate" }, want: access.ReasonWrong},
		{name: "the same lock by name", user: anna, key: "a", change: func(r *access.Request) { r.Lock = "door" }, want: access.ReasonWrong},
		{name: "no such lock", user: anna, key: "a", change: func(r *access.Request) { r.Lock = "attic" }, want: access.ReasonNoLock},
		{name: "other session", user: anna, key: "a", change: func(r *access.Request) { r.Session = "T" }, want: access.ReasonWrong},
		{name: "no session", user: anna, key: "a", change: func(r *access.Request) { r.Session = "" }, want: access.ReasonNoCall},
		{name: "other call", user: anna, key: "a", change: func(r *access.Request) { r.Call = "2" }, want: access.ReasonNoCall},
		{name: "not live", user: anna, key: "a", change: func(r *access.Request) { r.Live, r.NotLive = false, "no media" }, want: access.ReasonNotLive},
		{name: "blocked", user: anna, key: "a", change: func(r *access.Request) { r.Blocked = true }, want: access.ReasonBlocked},
		{name: "other key's id", user: anna, key: "a", change: func(r *access.Request) { r.Key = "tablet" }, want: access.ReasonWrong},
		{name: "no such key", user: anna, key: "a", change: func(r *access.Request) { r.Key = "watch" }, want: access.ReasonKey},
		{name: "key without proof", user: anna, key: "a", change: func(r *access.Request) { r.MAC = "" }, want: access.ReasonWrong},
		{name: "proof without a key", user: anna, key: "a", change: func(r *access.Request) { r.Key = "" }, want: access.ReasonKey},
		{name: "no challenge", user: anna, key: "a", change: func(r *access.Request) { r.Challenge = "" }, want: access.ReasonChallenge},
		{name: "own challenge", user: anna, key: "a", change: func(r *access.Request) {
			r.Challenge = "x"
			r.MAC = access.MAC(secret("a"), "x", "", "S", anna, "")
		}, want: access.ReasonChallenge},
		{name: "somebody else's key", user: anna, key: "m", change: none, want: access.ReasonWrong},
		{name: "no key, has one", user: anna, key: "a", change: keyless, want: access.ReasonKeyNeeded},
		{name: "no key, by account, has one", user: erik, key: "e", change: keyless, want: access.ReasonKeyNeeded},
		{name: "by account", user: ben, change: keyless, way: access.WayAccount},
		{name: "by account, with a key too short to count", user: ben, change: func(r *access.Request) { r.Key = "short" }, want: access.ReasonKey},
		{name: "one step of two", user: carla, key: "c", change: none, want: access.ReasonPIN},
		{name: "two steps", user: carla, key: "c", pin: "24680", change: none, way: access.WayTwoStep},
		{name: "two steps, duress", user: carla, key: "c", pin: "24681", change: none, way: access.WayTwoStep, duress: true},
		{name: "two steps, wrong PIN", user: carla, key: "c", pin: "135790", change: none, want: access.ReasonWrong},
		{name: "in hours", user: dora, key: "d", change: none, way: access.WayKey},
		{name: "may nothing", user: fred, change: keyless, want: access.ReasonNotAllowed},
		{name: "stranger with a key", user: mallory, key: "m", change: none, want: access.ReasonStranger},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, c.user)
			r := h.request(c.user, c.key, c.pin)
			c.change(&r)
			v := h.ask(r)
			if v.Reason != c.want || v.Way != c.way || v.Duress != c.duress {
				t.Errorf("got %+v, want reason %q, way %q, duress %v", v, c.want, c.way, c.duress)
			}
			if v.Granted() && v.Lock != "door" {
				t.Errorf("lock %q would open, want the first", v.Lock)
			}
		})
	}
}

func TestHangUpIsTheInstallersChoice(t *testing.T) {
	h := newHouse(t, anna, func(c *access.Config) { c.HangUp = false })
	r := h.request(anna, "a", "")
	r.Carrier = access.ByHangUp
	if v := h.ask(r); v.Reason != access.ReasonHangUp {
		t.Errorf("got %+v", v)
	}
}

func TestOneOpeningForAChallenge(t *testing.T) {
	h := newHouse(t, anna)
	first := h.request(anna, "a", "")
	h.s, h.given = h.s.Challenge(h.now, "1", anna)
	second := h.request(anna, "a", "")
	if v := h.ask(first); !v.Granted() {
		t.Fatalf("the first of two challenges: %+v", v)
	}
	if v := h.ask(first); v.Reason != access.ReasonReplayed {
		t.Errorf("replayed: %+v", v)
	}
	if v := h.ask(second); v.Reason != access.ReasonReplayed {
		t.Errorf("one that was given before the opening: %+v", v)
	}
	if v := h.ask(h.request(anna, "a", "")); !v.Granted() {
		t.Errorf("with the challenge of the receipt: %+v", v)
	}
}

func TestChallengeAges(t *testing.T) {
	h := newHouse(t, anna)
	r := h.request(anna, "a", "")
	h.now = h.now.Add(access.DefaultLifetime + 1)
	v := h.ask(r)
	if v.Reason != access.ReasonExpired || v.Next == "" {
		t.Fatalf("too old: %+v, want a reason and a fresh challenge", v)
	}
	if v := h.ask(h.request(anna, "a", "")); !v.Granted() {
		t.Errorf("with the fresh one: %+v", v)
	}
	r = h.request(anna, "a", "")
	h.now = h.now.Add(-time.Second)
	if v := h.ask(r); v.Reason != access.ReasonExpired {
		t.Errorf("given in the future: %+v", v)
	}
}

func TestChallengesDiffer(t *testing.T) {
	cfg := setup(t)
	seen := map[string]bool{}
	for seed := range 2 {
		cfg.Seed[1] = byte(seed)
		s, err := access.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			var c string
			if s, c = s.Challenge(noon, "1", anna); len(c) < 22 || seen[c] {
				t.Fatalf("challenge %q is short, or was given before", c)
			}
			seen[c] = true
		}
	}
}

func TestEndedCall(t *testing.T) {
	h := newHouse(t, anna)
	r := h.request(anna, "a", "")
	h.s = h.s.End("1")
	if v := h.ask(r); v.Reason != access.ReasonNoCall || v.Next != "" {
		t.Errorf("after the call: %+v", v)
	}
}

func TestRevokedInACall(t *testing.T) {
	h := newHouse(t, anna)
	r := h.request(anna, "a", "")
	h.s = h.s.SetKeys(keys[1:])
	if v := h.ask(r); v.Reason != access.ReasonKey {
		t.Errorf("a revoked key: %+v", v)
	}
}

func TestByAccountInIntervals(t *testing.T) {
	h := newHouse(t, ben)
	r := h.request(ben, "", "")
	r.Key, r.MAC, r.Challenge = "", "", ""
	for i, want := range []access.Reason{"", access.ReasonTooSoon, access.ReasonTooSoon, ""} {
		if v := h.ask(r); v.Reason != want {
			t.Errorf("request %d: %+v, want %q", i, v, want)
		}
		h.now = h.now.Add(access.DefaultAccountInterval/3 + 1)
	}
}

// TestLostKeys: a door that does not know its keys opens by none, and nobody who may have had
// one opens by his account. Codes open.
func TestLostKeys(t *testing.T) {
	h := newHouse(t, ben)
	h.s = h.s.LoseKeys()
	keyless := h.request(ben, "", "")
	keyless.Key, keyless.MAC, keyless.Challenge = "", "", ""
	if v := h.ask(keyless); v.Reason != access.ReasonKeyNeeded {
		t.Errorf("by account: %+v", v)
	}
	h.s, h.given = h.s.Challenge(h.now, "1", anna)
	if v := h.ask(h.request(anna, "a", "")); v.Reason != access.ReasonKey {
		t.Errorf("by a key: %+v", v)
	}
	if v := h.typed("135790"); !v.Granted() {
		t.Errorf("by a code: %+v", v)
	}
	if h.s.Paired(mallory) {
		t.Error("a stranger is taken for paired")
	}
	if v := h.ask(h.request(anna, "a", "")); v.Reason != access.ReasonKey {
		t.Errorf("by a key: %+v", v)
	}
	h.s = h.s.SetKeys(keys)
	if v := h.ask(keyless); !v.Granted() {
		t.Errorf("by account once the keys are known: %+v", v)
	}
}

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		now  time.Time
		want access.Reason
	}{
		{noon, ""}, {noon.Add(6 * time.Hour), access.ReasonHours}, {noon.AddDate(0, 0, 5), access.ReasonHours},
		{noon.AddDate(-20, 0, 0), access.ReasonClock},
	} {
		h := newHouse(t, dora)
		h.now = c.now
		h.s, h.given = h.s.Challenge(h.now, "1", dora)
		if v := h.ask(h.request(dora, "d", "")); v.Reason != c.want {
			t.Errorf("by phone at %v: %+v, want %q", c.now, v, c.want)
		}
		if v := h.typed("8642"); v.Reason != c.want || v.User != dora {
			t.Errorf("by PIN at %v: %+v, want %q", c.now, v, c.want)
		}
	}
}

func TestKeypad(t *testing.T) {
	for _, c := range []struct {
		in     access.Typed
		want   access.Reason
		user   signaling.UserID
		duress bool
	}{
		{access.Typed{Keypad: "front", PIN: "135790"}, "", anna, false},
		{access.Typed{Keypad: "back", PIN: "135790", Lock: "door"}, "", anna, false},
		{access.Typed{Keypad: "front", PIN: "135791"}, "", anna, true},
		{access.Typed{Keypad: "front", PIN: "135792"}, access.ReasonWrong, 0, false},
		{access.Typed{Keypad: "front"}, access.ReasonWrong, 0, false},
		{access.Typed{Keypad: "front", PIN: "135790", Lock: "gate"}, access.ReasonNotAllowed, anna, false},
		{access.Typed{Keypad: "front", PIN: "135791", Lock: "gate"}, access.ReasonNotAllowed, anna, true}, // help is needed all the same
		{access.Typed{Keypad: "front", PIN: "24680"}, access.ReasonNotAllowed, carla, false},              // one step of two
		{access.Typed{Keypad: "front", PIN: "135790", Blocked: true}, access.ReasonBlocked, 0, false},
		{access.Typed{Keypad: "front", PIN: "135790", Lock: "attic"}, access.ReasonNoLock, 0, false},
		{access.Typed{Keypad: "hidden", PIN: "135790"}, access.ReasonNotAllowed, 0, false},
	} {
		h := newHouse(t, anna)
		_, v := h.s.Type(noon, c.in)
		if v.Reason != c.want || v.User != c.user || v.Duress != c.duress || v.Granted() != (v.Way == access.WayPIN) {
			t.Errorf("%+v: got %+v, want reason %q, user %d, duress %v", c.in, v, c.want, c.user, c.duress)
		}
	}
}

func TestLockOut(t *testing.T) {
	h := newHouse(t, anna)
	wrong := func(want time.Duration) {
		t.Helper()
		if v := h.typed("000000"); v.Reason != access.ReasonWrong || v.LockedOut != want {
			t.Fatalf("wrong PIN: %+v, want to be locked out for %v", v, want)
		}
	}
	for range 4 {
		wrong(0)
		if v := h.typed("135790"); !v.Granted() { // which forgives nothing
			t.Fatalf("a right PIN: %+v", v)
		}
	}
	for _, d := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		d *= time.Minute
		wrong(d)
		h.now = h.now.Add(d - 1)
		if v := h.typed("135790"); v.Reason != access.ReasonLockedOut || v.LockedOut != 1 {
			t.Fatalf("a right PIN while nobody is heard: %+v", v)
		}
		if _, v := h.s.Type(h.now, access.Typed{Keypad: "back", PIN: "135790"}); !v.Granted() {
			t.Fatalf("at the other keypad: %+v", v)
		}
		h.now = h.now.Add(1)
		if v := h.typed("135790"); !v.Granted() {
			t.Fatalf("a right PIN after %v: %+v", d, v)
		}
	}
	h.now = h.now.Add(100 * time.Hour)
	for range 4 {
		wrong(0)
	}
	wrong(time.Minute)
}

func TestLockOutOfAUser(t *testing.T) {
	h := newHouse(t, carla)
	for i := range 5 {
		v := h.ask(h.request(carla, "c", "11111"))
		if want := time.Duration(i/4) * time.Minute; v.Reason != access.ReasonWrong || v.LockedOut != want {
			t.Fatalf("wrong PIN %d: %+v, want to be locked out for %v", i, v, want)
		}
	}
	if v := h.ask(h.request(carla, "c", "24680")); v.Reason != access.ReasonLockedOut {
		t.Errorf("a right PIN while she is not heard: %+v", v)
	}
	var given string
	h.s, given = h.s.Challenge(h.now, "1", anna)
	h.given = given
	if v := h.ask(h.request(anna, "a", "")); !v.Granted() {
		t.Errorf("somebody else: %+v", v)
	}
}

func TestStateIsAValue(t *testing.T) {
	h := newHouse(t, anna)
	before := h.s
	r := h.request(anna, "a", "")
	for i := range 3 {
		if _, v := before.Ask(h.now, r); !v.Granted() {
			t.Fatalf("the same state, time %d: %+v", i, v)
		}
		before.End("1")
		before.SetKeys(nil)
		before.Type(h.now, access.Typed{Keypad: "front", PIN: "0000"})
	}
}

func TestCallsAreBounded(t *testing.T) {
	h := newHouse(t, anna)
	r := h.request(anna, "a", "")
	for i := range 64 {
		h.s, _ = h.s.Challenge(h.now, strings.Repeat("x", i+1), ben)
	}
	if v := h.ask(r); v.Reason != access.ReasonNoCall {
		t.Errorf("the oldest of many calls: %+v", v)
	}
	if _, c := h.s.Challenge(h.now, "1", mallory); c != "" {
		t.Error("a stranger was given a challenge")
	}
}

func TestSetupIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*access.Config){
		"seed":             func(c *access.Config) { c.Seed = [32]byte{} },
		"negative":         func(c *access.Config) { c.Lifetime = -1 },
		"shorter than the": func(c *access.Config) { c.LongestLockOut = 1 },
		"no name":          func(c *access.Config) { c.Locks = []string{"door", "door"} },
		`keypad ""`:        func(c *access.Config) { c.Keypads = []string{""} },
		"no user":          func(c *access.Config) { c.Residents[0].ID = 0 },
		"resident twice":   func(c *access.Config) { c.Residents[0].ID = ben },
		"is somebody's":    func(c *access.Config) { c.Residents[0].PIN = "24680" },
		"4 to 12 digits":   func(c *access.Config) { c.Residents[0].DuressPIN = "123" },
		"is 4 to 12":       func(c *access.Config) { c.Residents[0].PIN = "12 45" },
		"no lock":          func(c *access.Config) { c.Residents[0].Rules[0].Lock = "attic" },
		"two rules":        func(c *access.Config) { c.Residents[0].Rules[1].Lock = "door" },
		"for the second":   func(c *access.Config) { c.Residents[2].PIN = "" },
		"there is none":    func(c *access.Config) { c.Residents[3].PIN = "" },
		"neither":          func(c *access.Config) { c.Residents[2].Rules[0].Keypad = true },
		"in a call":        func(c *access.Config) { c.Residents[1].Rules[0].Call = false },
	} {
		cfg := setup(t)
		spoil(&cfg)
		_, err := access.New(cfg)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		for _, pin := range []string{"24680", "135790", "12 45", "123 "} {
			if strings.Contains(err.Error()+" ", pin) {
				t.Errorf("%s: the error tells a PIN: %v", name, err)
			}
		}
	}
}
