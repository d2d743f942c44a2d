package access_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"intercom/door/access"
	"intercom/signaling"
)

// proof is what a MAC was made of, as the one remembers who made it.
type proof struct {
	secret                        string
	challenge, lock, session, pin string
	user                          signaling.UserID
}

// gift is a challenge as the one remembers who was given it.
type gift struct {
	call string
	user signaling.UserID
	at   time.Time
	nth  int // of this user in this call
	used bool
}

// conversation is a call as somebody sees it who stands beside the door.
type conversation struct {
	call, session string
	rung          []signaling.UserID
	with          signaling.UserID // who answered
	device        string           // on it
	media, ended  bool
}

// world is an observer of a door. It shares nothing with State: it knows who made which
// proof, who was given which challenge, and which phone is in which call, and says from that
// whether a request is rightful.
type world struct {
	t   *testing.T
	r   *rand.Rand
	s   access.State
	now time.Time

	calls   []*conversation
	rang    int
	gifts   map[string]*gift
	order   []string // challenges as they were given
	given   map[string]int
	proofs  map[string]proof
	made    []access.Request // proper ones, to be replayed and spoilt
	from    []string         // the phone of each
	revoked map[string]bool  // user/key
	tamper  bool

	account, shut map[signaling.UserID]time.Time
}

// household is what the observer knows of residents: not read from the configuration.
var household = map[signaling.UserID]struct {
	pin, duress    string
	locks          []string
	account, steps bool
	keys           map[string]string
}{
	anna:  {pin: "135790", duress: "135791", locks: []string{"door", "gate"}, keys: map[string]string{"phone": "a", "tablet": "b"}},
	ben:   {locks: []string{"door"}, account: true},
	carla: {pin: "24680", duress: "24681", locks: []string{"door"}, steps: true, keys: map[string]string{"phone": "c"}},
	dora:  {pin: "8642", locks: []string{"door"}, keys: map[string]string{"phone": "d"}},
	erik:  {locks: []string{"door"}, account: true, keys: map[string]string{"phone": "e"}},
	fred:  {},
}

var everybody = []signaling.UserID{anna, ben, carla, dora, erik, fred, mallory}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// take gives the observer's door a challenge for everybody whose phone rings, or for one.
func (w *world) give(call string, u signaling.UserID) {
	var text string
	if w.s, text = w.s.Challenge(w.now, call, u); text != "" {
		w.note(call, u, text)
	}
}

func (w *world) note(call string, u signaling.UserID, text string) {
	if w.gifts[text] != nil {
		w.t.Fatalf("challenge %q was given before", text)
	}
	id := call + "/" + u.String()
	w.given[id]++
	w.gifts[text] = &gift{call: call, user: u, at: w.now, nth: w.given[id]}
	w.order = append(w.order, text)
}

// happen lets something happen that is no request.
func (w *world) happen() {
	w.now = w.now.Add(time.Duration(w.r.IntN(8000)) * time.Millisecond)
	switch n := w.r.IntN(40); {
	case n < 2 || len(w.calls) == 0:
		w.rang++
		id := strconv.Itoa(w.rang)
		c := &conversation{call: id, session: "session-" + id, media: true}
		for range 1 + w.r.IntN(3) {
			u := pick(w.r, everybody)
			c.rung = append(c.rung, u)
			w.give(c.call, u)
		}
		if len(w.calls) > 3 {
			w.s = w.s.End(w.calls[0].call)
			w.calls = w.calls[1:]
		}
		w.calls = append(w.calls, c)
	case n < 8:
		if c := pick(w.r, w.calls); c.with == 0 && !c.ended {
			c.with, c.device = pick(w.r, c.rung), pick(w.r, []string{"phone", "tablet"})
			w.give(c.call, c.with)
		}
	case n < 10:
		c := pick(w.r, w.calls)
		c.media = !c.media || w.r.IntN(3) > 0
	case n == 10:
		c := pick(w.r, w.calls)
		c.ended = true
		w.s = w.s.End(c.call)
	case n == 11:
		w.tamper = w.r.IntN(4) == 0
	case n == 12:
		w.now = w.now.Add(time.Duration(w.r.IntN(120)) * time.Minute)
	case n == 13:
		clear(w.revoked)
		var left []access.Key
		for _, k := range keys {
			if w.r.IntN(8) == 0 {
				w.revoked[k.User.String()+"/"+k.ID] = true
			} else {
				left = append(left, k)
			}
		}
		w.s = w.s.SetKeys(left)
	}
}

// proper makes a request as a resident's app does, in a call of this moment, with the last
// challenge it was given.
func (w *world) proper() (access.Request, string) {
	c := pick(w.r, w.calls)
	for range 3 {
		if c.with == 0 || c.ended {
			c = pick(w.r, w.calls)
		}
	}
	u, device := c.with, c.device
	if u == 0 {
		u, device = pick(w.r, c.rung), "phone"
	}
	r := access.Request{User: u, Call: c.call, Session: c.session, Carrier: pick(w.r, []access.Carrier{access.ByUpdate, access.ByMessage, access.ByHangUp})}
	if u == anna && w.r.IntN(2) == 0 {
		r.Lock = pick(w.r, []string{"door", "gate"})
	}
	home := household[u]
	secrets := home.keys[device]
	if secrets == "" {
		return r, device
	}
	r.Key = device
	for _, text := range slices.Backward(w.order) {
		if g := w.gifts[text]; g.call == c.call && g.user == u {
			r.Challenge = text
			break
		}
	}
	pin := ""
	if home.steps || home.pin != "" && w.r.IntN(8) == 0 {
		pin = pick(w.r, []string{home.pin, home.pin, home.pin, home.pin, home.pin, home.duress, "", "0000"})
	}
	w.prove(&r, secrets, pin)
	w.made, w.from = append(w.made, r), append(w.from, device)
	return r, device
}

func (w *world) prove(r *access.Request, key, pin string) {
	r.MAC = access.MAC(secret(key), r.Challenge, r.Lock, r.Session, r.User, pin)
	w.proofs[r.MAC] = proof{key, r.Challenge, r.Lock, r.Session, pin, r.User}
}

// attempt is a request and the phone it comes from: a proper one, an old one, or a spoilt
// one, with everything in it that an attacker may change.
func (w *world) attempt() (access.Request, string) {
	r, device := w.proper()
	if w.r.IntN(4) == 0 && len(w.made) > 0 { // replayed, reordered, stale, after hang-up
		i := w.r.IntN(len(w.made))
		if w.r.IntN(2) == 0 {
			i = max(0, len(w.made)-1-w.r.IntN(20))
		}
		r, device = w.made[i], w.from[i]
	}
	for range max(0, w.r.IntN(5)-2) {
		switch w.r.IntN(12) {
		case 0:
			r.User = pick(w.r, everybody)
		case 1:
			c := pick(w.r, w.calls)
			r.Call, r.Session = c.call, c.session
		case 2:
			r.Call = pick(w.r, []string{"", "0", "99999", pick(w.r, w.calls).call})
		case 3:
			r.Session = pick(w.r, []string{"", "session-0", pick(w.r, w.calls).session})
		case 4:
			r.Lock = pick(w.r, []string{"", "door", "gate", "attic", "door\n"})
		case 5:
			r.Challenge = pick(w.r, []string{"", pick(w.r, append(w.order, "")), w.noise()})
		case 6:
			r.Key = pick(w.r, []string{"", "phone", "tablet", w.noise()})
		case 7:
			r.MAC = pick(w.r, []string{"", r.MAC[:len(r.MAC)/2], r.MAC + "A", w.noise()})
		case 8: // with a key that somebody has, perhaps his own
			w.prove(&r, pick(w.r, []string{"a", "b", "c", "d", "e", "m"}), pick(w.r, []string{"", "135790", "24680"}))
		case 9: // from another phone
			device = pick(w.r, []string{"phone", "tablet", "third"})
		case 10: // an old challenge, freshly proved by the right key
			if k := household[r.User].keys[device]; k != "" && len(w.order) > 0 {
				r.Challenge = w.order[max(0, len(w.order)-1-w.r.IntN(30))]
				w.prove(&r, k, household[r.User].pin)
			}
		case 11:
			r.Key, r.Challenge, r.MAC = "", "", ""
		}
	}
	r.Blocked = w.tamper
	r.Live, r.NotLive = w.live(r, device)
	return r, device
}

func (w *world) noise() string {
	b := make([]byte, w.r.IntN(64))
	for i := range b {
		b[i] = byte(w.r.Uint32())
	}
	return string(b)
}

// talks returns the call in which this phone talks to the door; nil: none.
func (w *world) talks(call string, u signaling.UserID, device string) *conversation {
	for _, c := range w.calls {
		if c.call == call && c.with == u && c.device == device && c.media && !c.ended {
			return c
		}
	}
	return nil
}

// live is the call engine's word: of the call that the door takes the request to be in.
func (w *world) live(r access.Request, device string) (bool, string) {
	if w.talks(r.Call, r.User, device) == nil {
		return false, "no"
	}
	return true, ""
}

// rightful says whether a request may open, and whether it must: the door need not
// remember every challenge.
func (w *world) rightful(r access.Request, device string) (may, must bool) {
	home, lives := household[r.User]
	c := w.talks(r.Call, r.User, device)
	lock := r.Lock
	if lock == "" {
		lock = "door"
	}
	if !lives || c == nil || w.tamper || !slices.Contains(home.locks, lock) {
		return false, false
	}
	if h := w.now.UTC(); r.User == dora && (h.Hour() < 8 || h.Hour() >= 18 || h.Weekday() == time.Saturday || h.Weekday() == time.Sunday) {
		return false, false
	}
	if r.Key == "" && r.MAC == "" {
		for k := range home.keys {
			if !w.revoked[r.User.String()+"/"+k] {
				return false, false
			}
		}
		last := w.account[r.User]
		ok := home.account && r.Session != "" && (last.IsZero() || w.now.Sub(last) >= access.DefaultAccountInterval)
		return ok, ok
	}
	p, made := w.proofs[r.MAC]
	g := w.gifts[r.Challenge]
	switch {
	case !made, g == nil, w.revoked[r.User.String()+"/"+r.Key], home.keys[r.Key] == "", p.secret != home.keys[r.Key]:
		return false, false
	case p.challenge != r.Challenge, p.lock != r.Lock, p.session != r.Session, p.session == "", p.user != r.User:
		return false, false
	case g.call != r.Call, g.user != r.User, g.used, w.now.Sub(g.at) > access.DefaultLifetime:
		return false, false
	case p.pin == "" && home.steps, p.pin != "" && p.pin != home.pin && p.pin != home.duress:
		return false, false
	}
	return true, w.given[r.Call+"/"+r.User.String()]-g.nth < 8
}

// opened takes down what follows from an opening.
func (w *world) opened(r access.Request) {
	if r.Key == "" {
		w.account[r.User] = w.now
		return
	}
	for _, g := range w.gifts {
		if g.call == r.Call && g.user == r.User {
			g.used = true
		}
	}
}

// TestNobodyOpensWrongfully makes more than 100,000 attempts and holds each verdict against
// the observer's.
func TestNobodyOpensWrongfully(t *testing.T) {
	const houses, steps = 80, 2000
	attempts, opened, withheld := 0, map[access.Way]int{}, 0
	reasons := map[access.Reason]int{}
	for n := range houses {
		s, err := access.New(setup(t))
		if err != nil {
			t.Fatal(err)
		}
		w := &world{
			t: t, r: rand.New(rand.NewPCG(6, uint64(n))), s: s.SetKeys(keys), now: noon.Add(-2 * time.Hour),
			gifts: map[string]*gift{}, given: map[string]int{}, proofs: map[string]proof{}, revoked: map[string]bool{},
			account: map[signaling.UserID]time.Time{}, shut: map[signaling.UserID]time.Time{},
		}
		for range steps {
			w.happen()
			r, device := w.attempt()
			attempts++
			may, must := w.rightful(r, device)
			var v access.Verdict
			w.s, v = w.s.Ask(w.now, r)
			locked := w.now.Before(w.shut[r.User])
			switch {
			case v.Granted() && (!may || locked):
				t.Fatalf("house %d, attempt %d: wrongfully opened by %+v from %s at %v: %+v", n, attempts, r, device, w.now, v)
			case !v.Granted() && must && !locked:
				t.Fatalf("house %d, attempt %d: a rightful request was refused: %+v from %s: %+v", n, attempts, r, device, v)
			case v.Granted() != (v.Way != ""):
				t.Fatalf("a verdict that is neither: %+v", v)
			case v.Granted() && v.Duress != (r.MAC != "" && w.proofs[r.MAC].pin != "" && w.proofs[r.MAC].pin == household[r.User].duress):
				t.Fatalf("duress: %+v by %+v", v, r)
			case v.Next != "" && w.talks(r.Call, r.User, device) == nil:
				t.Fatalf("a challenge was given to who is in no call: %+v", r)
			}
			if v.Granted() {
				opened[v.Way]++
				w.opened(r)
			} else {
				reasons[v.Reason]++
			}
			if v.Reason == access.ReasonWrong && v.LockedOut > 0 {
				w.shut[r.User] = w.now.Add(v.LockedOut)
			}
			if locked && may {
				withheld++
			}
			if v.Next != "" {
				w.note(r.Call, r.User, v.Next)
			}
		}
	}
	t.Logf("%d attempts, opened %v, %d withheld by a lock-out, refused %v", attempts, opened, withheld, reasons)
	if attempts < 100_000 {
		t.Errorf("only %d attempts", attempts)
	}
	for _, way := range []access.Way{access.WayKey, access.WayTwoStep, access.WayAccount} {
		if opened[way] < 500 {
			t.Errorf("only %d openings by %s: the test proves little", opened[way], way)
		}
	}
	for _, reason := range []access.Reason{
		access.ReasonStranger, access.ReasonNotAllowed, access.ReasonNoLock, access.ReasonNoCall, access.ReasonNotLive, access.ReasonBlocked,
		access.ReasonLockedOut, access.ReasonHours, access.ReasonNotPaired, access.ReasonKeyNeeded, access.ReasonTooSoon, access.ReasonKey,
		access.ReasonChallenge, access.ReasonReplayed, access.ReasonExpired, access.ReasonWrong, access.ReasonPIN,
	} {
		if reasons[reason] < 50 {
			t.Errorf("only %d refusals for %q: the test proves little", reasons[reason], reason)
		}
	}
}

// TestNobodyGuesses types PINs at random for a year.
func TestNobodyGuesses(t *testing.T) {
	s, err := access.New(setup(t))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(6, 6))
	now, heard := noon, 0
	for now.Before(noon.AddDate(1, 0, 0)) {
		var v access.Verdict
		s, v = s.Type(now, access.Typed{Keypad: "front", PIN: strconv.Itoa(100000 + r.IntN(35790))}) // never Anna's
		switch {
		case v.Granted():
			t.Fatal("a wrong PIN opened")
		case v.Reason == access.ReasonWrong:
			heard++
		}
		now = now.Add(max(v.LockedOut, time.Second))
	}
	if heard > 366*24+40 {
		t.Errorf("%d guesses were heard in a year, want about one in an hour", heard)
	}
}

// FuzzAsk takes whatever a request may hold. Nothing but the one proper proof opens.
func FuzzAsk(f *testing.F) {
	f.Add(int64(anna), "1", "S", "update", "", "phone", "challenge", "mac", int64(0))
	f.Add(int64(ben), "1", "S", "hangUp", "door", "", "", "", int64(60))
	f.Add(int64(mallory), "", "", "", "attic", "phone", "", "=", int64(-1))
	s, err := access.New(setup(f))
	if err != nil {
		f.Fatal(err)
	}
	s = s.SetKeys(keys)
	for _, u := range everybody {
		s, _ = s.Challenge(noon, "1", u)
	}
	_, given := s.Challenge(noon, "1", anna)
	s, _ = s.Challenge(noon, "1", anna)
	proper := access.MAC(secret("a"), given, "", "S", anna, "")
	f.Add(int64(anna), "1", "S", "update", "", "phone", given, proper, int64(1))
	f.Fuzz(func(t *testing.T, user int64, call, session, carrier, lock, key, challenge, mac string, after int64) {
		r := access.Request{
			User: signaling.UserID(user), Call: call, Session: session, Live: true, Carrier: access.Carrier(carrier), Lock: lock,
			Key: key, Challenge: challenge, MAC: mac,
		}
		_, v := s.Ask(noon.Add(time.Duration(after)), r)
		switch {
		case !v.Granted():
		case v.Way == access.WayAccount && r.User == ben && call == "1" && session != "" && (lock == "" || lock == "door") && key == "" && mac == "":
		case v.Way == access.WayKey && r.User == anna && call == "1" && session == "S" && lock == "" && key == "phone" && challenge == given && mac[:len(proper)] == proper:
		default:
			t.Fatalf("%+v opened: %+v", r, v)
		}
		r.Live = false
		if _, v := s.Ask(noon, r); v.Granted() {
			t.Fatalf("%+v opened", r)
		}
		if _, v := s.Type(noon, access.Typed{Keypad: call, Lock: lock, PIN: mac}); v.Granted() && mac != "135790" && mac != "135791" && mac != "8642" {
			t.Fatalf("PIN %q opened", mac)
		}
	})
}
