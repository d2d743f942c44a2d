//go:build e2e

package lab

import (
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// TestUnlock has a resident in a call open the door, and everybody else try.
func TestUnlock(t *testing.T) {
	t.Run("resident", func(t *testing.T) {
		d := lab.door(t)
		a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
		d.press(t)
		a.answers(t, d.door)
		a.click(t, "#open")
		e := d.expect(t, soon, control.Opened)
		if e.User != anna.id || e.Name != "door" {
			t.Errorf("opened: %q by user %d, want \"door\" by %d", e.Name, e.User, anna.id)
		}
		t.Logf("the page says %q", a.shows(t, quick, "#receipt"))
		must(t, a.Wait(t.Context(), quick, "() => document.querySelector('#receipt').dataset.receipt === 'opened' || /open/i.test(document.querySelector('#receipt').textContent)", nil))
		d.expect(t, soon, control.Locked)
		d.shut(t)
		// The call goes on.
		checkCall(t, a.Page, d.door, annaTone)
	})

	t.Run("stranger", func(t *testing.T) {
		d := lab.door(t)
		begun := d.count()
		a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
		m := newPhone(t, d.server, mallory, browser.ProbeConfig{})
		d.press(t)
		a.answers(t, d.door)
		var session string
		must(t, a.Eval(t.Context(), "() => window.intercom.session().ID", nil, &session))
		// In the resident's own session, whose id the stranger has got hold of.
		must(t, m.Eval(t.Context(), "([user, id]) => phone.pretend(user, id)", []any{doorAccount.id, session}, nil))
		if e := d.expect(t, soon, control.Refused); e.User != mallory.id {
			t.Errorf("refused: user %d, want %d", e.User, mallory.id)
		}
		d.shut(t)
		d.never(t, begun, control.Opened)
		a.is(t, quick, "talking")
	})

	t.Run("stranger in a call of his own", func(t *testing.T) {
		d := lab.door(t)
		begun := d.count()
		m := newPhone(t, d.server, mallory, browser.ProbeConfig{})
		must(t, m.Eval(t.Context(), "(user) => phone.call(user)", doorAccount.id, nil))
		must(t, m.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
		d.expect(t, soon, control.Refused)
		d.shut(t)
		d.never(t, begun, control.Opened)
	})

	t.Run("resident who has not answered", func(t *testing.T) {
		d := lab.door(t)
		begun := d.count()
		a := newPhone(t, d.server, anna, browser.ProbeConfig{})
		d.press(t)
		a.event(t, soon, "call-received", 1)
		must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
		if e := d.expect(t, soon, control.Refused); e.User != anna.id {
			t.Errorf("refused: user %d, want %d", e.User, anna.id)
		}
		d.shut(t)
		d.never(t, begun, control.Opened)
	})
}

// shut asserts that the lock is shut, and stays so for a moment.
func (d *door) shut(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		s, err := d.ask()
		must(t, err)
		for _, l := range s.Locks {
			if l.Open {
				t.Fatalf("lock %s is open", l.Name)
			}
		}
	}
}
