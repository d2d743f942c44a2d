package station

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/door/access"
	"intercom/internal/control"
	"intercom/internal/keyring"
	"intercom/signaling"
)

// paired is a house whose residents open by paired phones alone, by each carrier.
func paired(t *testing.T) func(*Config) {
	return func(c *Config) {
		c.Door.Residents[0].Opens = []access.Rule{{Lock: "door", Call: true, Keypad: true}}
		c.Door.Residents[0].PIN, c.Door.Residents[0].DuressPIN = "135790", "135791"
		c.Door.Residents[1].Opens = []access.Rule{{Lock: "door", Call: true}}
		c.Door.Access.HangUp = true
		c.Door.Alarm = []signaling.UserID{ben}
		var err error
		if c.Keyring, err = keyring.Open(""); err != nil {
			t.Fatal(err)
		}
	}
}

// pair pairs a phone.
func (r *rig) pair(resident string) keyring.Link {
	r.t.Helper()
	p, err := r.Pair(r.t.Context(), resident, "phone")
	if err != nil {
		r.t.Fatal(err)
	}
	l, err := keyring.ParseLink(p.Link)
	if err != nil {
		r.t.Fatal(err)
	}
	if l.Door != int64(doorID) || l.Lock != "door" || l.ID != p.Key.ID {
		r.t.Errorf("the link %+v is not for this door, or key %+v", l, p.Key)
	}
	return l
}

// proof is what a paired app sends.
func proof(l keyring.Link, challenge, session, pin string) map[string]string {
	u := signaling.UserID(l.User)
	return map[string]string{"command": "unlock", "challenge": challenge, "device": l.ID, "mac": access.MAC(l.Secret, challenge, "", session, u, pin)}
}

// talk has a phone answer, and returns the wire's id of the session, and the challenges of
// the call and of the answer.
func (r *rig) talk(p *callcoretest.Phone) (s *callcore.Session, first, second string) {
	r.t.Helper()
	r.press("call")
	call := callcoretest.Await[callcore.Incoming](p)
	if err := call.Session.Accept(r.t.Context(), nil); err != nil {
		r.t.Fatal(err)
	}
	told := callcoretest.Await[callcore.Updated](p)
	if told.Info["event"] != "challenge" {
		r.t.Errorf("told %v, want a challenge", told.Info)
	}
	r.expect(control.Connected)
	return call.Session, call.Info["challenge"], told.Info["challenge"]
}

// TestPairedPhoneOpens opens by each carrier, and shows that the answer comes back by it.
func TestPairedPhoneOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, paired(t))
		defer r.end()
		l := r.pair("Anna")
		if e := r.expect(control.Paired); e.User != int64(anna) || e.Name != l.ID || strings.Contains(e.Text, string(l.Secret)) {
			t.Errorf("paired: %+v", e)
		}
		a := r.world.Phone(callcoretest.Spec{User: anna, Device: "phone-a"})
		s, first, second := r.talk(a)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		refused := func(want string) {
			t.Helper()
			if e := r.expect(control.Refused); e.Reason != want || e.User != int64(anna) {
				t.Errorf("refused: %+v, want %q", e, want)
			}
		}

		must(s.Update(t.Context(), map[string]string{"command": "unlock"}))
		refused("a paired phone is needed")
		receipt := callcoretest.Await[callcore.Updated](a).Info
		if receipt["event"] != "refused" || receipt["challenge"] == "" || receipt["challenge"] == second {
			t.Errorf("told %v, want a refusal with a fresh challenge", receipt)
		}
		must(s.Update(t.Context(), proof(l, second, "another", "")))
		refused("wrong code")
		callcoretest.Await[callcore.Updated](a)

		must(s.Update(t.Context(), proof(l, first, s.ID(), "")))
		if e := r.expect(control.Opened); e.User != int64(anna) || e.Reason != "key" || !strings.Contains(e.Text, l.ID) {
			t.Errorf("opened: %+v", e)
		}
		receipt = callcoretest.Await[callcore.Updated](a).Info
		if receipt["event"] != "opened" || receipt["lock"] != "door" {
			t.Errorf("told %v", receipt)
		}
		r.expect(control.Locked)
		time.Sleep(2 * time.Second)

		must(s.Update(t.Context(), proof(l, first, s.ID(), "")))
		refused("the challenge was used already")

		message := proof(l, receipt["challenge"], s.ID(), "")
		message[callcore.InfoSession] = s.ID()
		must(a.Client.Tell(t.Context(), doorID, "", message))
		r.expect(control.Opened)
		told := callcoretest.Await[callcore.Message](a)
		if told.Info["event"] != "opened" || told.Info[callcore.InfoSession] != s.ID() || told.User != doorID || told.Info["challenge"] == "" {
			t.Errorf("told by message %v", told.Info)
		}
		r.expect(control.Locked)
		time.Sleep(2 * time.Second)

		must(s.HangUp(t.Context(), proof(l, told.Info["challenge"], s.ID(), "")))
		if e := r.expect(control.Opened); e.User != int64(anna) {
			t.Errorf("opened by hanging up: %+v", e)
		}
		if told := callcoretest.Await[callcore.Message](a); told.Info["event"] != "opened" {
			t.Errorf("told of it %v", told.Info)
		}
		r.expect(control.Locked)
	})
}

// TestWithoutTheCall: a key alone opens nothing.
func TestWithoutTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, paired(t))
		defer r.end()
		l := r.pair("Anna")
		a := r.world.Phone(callcoretest.Spec{User: anna, Device: "phone-a"})
		tablet := r.world.Phone(callcoretest.Spec{User: anna, Device: "tablet"})
		s, _, challenge := r.talk(a)
		ask := func(p *callcoretest.Phone, want string) {
			t.Helper()
			m := proof(l, challenge, s.ID(), "")
			m[callcore.InfoSession] = s.ID()
			if err := p.Client.Tell(t.Context(), doorID, "", m); err != nil {
				t.Fatal(err)
			}
			if e := r.expect(control.Refused); e.Reason != want {
				t.Errorf("refused for %q, want %q", e.Reason, want)
			}
			time.Sleep(4 * time.Second)
		}
		ask(tablet, "it is from another device than the one in the call")
		if err := s.HangUp(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Ended)
		ask(a, "the call has ended")
		if h := r.board.History("door"); len(h) != 1 || h[0].High {
			t.Errorf("the lock's line moved: %v", h)
		}
	})
}

// TestKeypadAndDuress opens by PINs; the one under duress alarms a neighbour's phone.
func TestKeypadAndDuress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, paired(t))
		defer r.end()
		b := r.world.Phone(callcoretest.Spec{User: ben})
		for _, c := range []struct {
			keys, reason string
			alarm        bool
		}{{"*135790#", "PIN", false}, {"*135791#", "PIN", true}} {
			if err := r.Type(t.Context(), c.keys); err != nil {
				t.Fatal(err)
			}
			if c.alarm {
				if e := r.expect(control.Alarm); e.Reason != "under duress" || e.User != int64(anna) {
					t.Errorf("alarm: %+v", e)
				}
				want := map[string]string{"event": "alarm", "reason": "under duress", "lock": "door", "user": anna.String()}
				if m := callcoretest.Await[callcore.Message](b); !maps.Equal(m.Info, want) {
					t.Errorf("Ben was told %v", m.Info)
				}
			}
			if e := r.expect(control.Opened); e.Reason != c.reason || e.User != int64(anna) {
				t.Errorf("opened: %+v", e)
			}
			r.expect(control.Locked)
			time.Sleep(2 * time.Second)
		}
		if err := r.Type(t.Context(), "*135792#"); err != nil {
			t.Fatal(err)
		}
		if e := r.expect(control.Refused); e.Reason != "wrong code" || strings.Contains(e.Text, "135792") {
			t.Errorf("refused: %+v", e)
		}
	})
}

// TestKeysOverControl pairs, lists, rotates and revokes while a call goes on.
func TestKeysOverControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, paired(t))
		defer r.end()
		if _, err := r.Pair(t.Context(), "Zoe", ""); err == nil || !strings.Contains(err.Error(), "Anna, Ben") {
			t.Errorf("an unknown resident: %v", err)
		}
		old := r.pair(anna.String())
		a := r.world.Phone(callcoretest.Spec{User: anna})
		s, _, challenge := r.talk(a)
		p, err := r.Rotate(t.Context(), old.ID)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := keyring.ParseLink(p.Link)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(l keyring.Link, want string) {
			t.Helper()
			if err := s.Update(t.Context(), proof(l, challenge, s.ID(), "")); err != nil {
				t.Fatal(err)
			}
			if want == "" {
				r.expect(control.Opened)
				r.expect(control.Locked)
				challenge = callcoretest.AwaitWhere(a, func(u callcore.Updated) bool { return u.Info["event"] == "opened" }).Info["challenge"]
				time.Sleep(2 * time.Second)
			} else if e := r.expect(control.Refused); e.Reason != want {
				t.Errorf("refused for %q, want %q", e.Reason, want)
			}
		}
		ask(old, "wrong code")
		ask(fresh, "")
		if list := r.PairedKeys(); len(list) != 1 || list[0].ID != old.ID || list[0].Resident != "Anna" || list[0].Name != "phone" {
			t.Errorf("keys: %+v", list)
		}
		if k, err := r.Revoke(t.Context(), fresh.ID); err != nil || k.ID != fresh.ID {
			t.Errorf("revoked %+v, %v", k, err)
		}
		r.expect(control.Revoked)
		ask(fresh, "unknown key")
		if list := r.PairedKeys(); len(list) != 0 {
			t.Errorf("keys: %+v", list)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		if _, err := r.Pair(t.Context(), "Anna", ""); err == nil || !strings.Contains(err.Error(), "access.keys") {
			t.Errorf("a door that keeps no keys: %v", err)
		}
	})
}

// TestRevokedAllTheSame: what is on the disk holds at the door, whatever became of who wanted
// it, and in whatever order the changes reach the loop.
func TestRevokedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, paired(t))
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna})
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 10 {
			if _, err := r.Revoke(gone, r.pair("Anna").ID); err != nil {
				t.Fatalf("revoked by somebody who does not wait: %v", err)
			}
		}
		l := r.pair("Anna")
		before := r.keysChanged()
		if _, err := r.Revoke(t.Context(), l.ID); err != nil {
			t.Fatal(err)
		}
		if err := r.ask(t.Context(), before); err != nil { // of a pairing that was overtaken
			t.Fatal(err)
		}
		r.pair("Anna") // another phone: challenges are told
		s, _, c := r.talk(a)
		if err := s.Update(t.Context(), proof(l, c, s.ID(), "")); err != nil {
			t.Fatal(err)
		}
		if e := r.expect(control.Refused); e.Reason != "unknown key" {
			t.Errorf("refused for %q, want the key to be unknown", e.Reason)
		}
	})
}
