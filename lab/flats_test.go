//go:build e2e

package lab

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
	"time"

	behaviour "intercom/door"
	"intercom/internal/control"
	"intercom/internal/records"
	"intercom/lab/browser"
)

// flatsHouse has flat 1, Anna's, and after 2 s Ben's; flat 2, Ben's; and flat 3, where nobody
// is to be called at any hour. Ben may not call the door.
const flatsHouse = `
[records]
folder = %q

[tamper]
block = "2s"
file = %q

[[flat]]
name = "1"
label = "Ash"
residents = ["Anna"]
fallback = [{ after = "2s", residents = ["Ben"], instead = true }]

[[flat]]
name = "2"
label = "Byron"
residents = ["Ben"]

[[flat]]
name = "3"
label = "Chaucer"
residents = ["Anna"]
quiet = ["00:00-12:00", "12:00-24:00"]

[[button]]
name = "list"
label = "All flats"
directory = true

[[resident]]
id = 2001
name = "Anna"
may_open = true
by_account = true
may_call = true
pin = "135790"

[[resident]]
id = 2002
name = "Ben"
`

// dial types at the keypad of the page's panel.
func (r *resident) dial(t *testing.T, keys string) {
	t.Helper()
	for _, k := range keys {
		r.click(t, fmt.Sprintf(`[data-key="%c"]`, k))
	}
}

// types types at the keypad with a keyboard.
func (r *resident) types(t *testing.T, keys string) {
	t.Helper()
	var stops int
	must(t, r.Eval(t.Context(), `(keys) => {
		const stops = document.querySelectorAll("#keypad button[tabindex='0']");
		stops[0].focus();
		for (const key of keys) document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
		return stops.length;
	}`, keys, &stops))
	if stops != 1 {
		t.Errorf("the keypad is %d stops of the Tab key, want 1", stops)
	}
}

// TestFlats is a door of several flats, with its page.
func TestFlats(t *testing.T) {
	folder := filepath.Join(lab.out, "records")
	d, err := startDemo("flats", fmt.Sprintf(flatsHouse, folder, filepath.Join(lab.out, "tamper")))
	must(t, err)
	store, err := records.Open(folder, records.Limits{})
	must(t, err)
	d.begin(t)
	a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
	b := newPhone(t, d.server, ben, browser.ProbeConfig{})

	t.Run("dialled at the page", func(t *testing.T) {
		d.begin(t)
		begun := d.count()
		a.dial(t, "2#")
		if e := d.expect(t, soon, control.Dialled); e.Name != "2" {
			t.Errorf("dialled %q", e.Name)
		}
		b.next(t, soon, "call-received")
		a.is(t, quick, "ready") // her phone does not ring
		must(t, b.Click(t.Context(), quick, "#decline"))
		d.expect(t, soon, control.Declined)
		d.expect(t, soon, control.Ended)
		d.never(t, begun, control.NotAnswered)
	})

	t.Run("chosen from the directory", func(t *testing.T) {
		d.begin(t)
		a.click(t, `[data-button="list"]`)
		a.click(t, `[data-flat="1"]`)
		a.answers(t, d.door)
		checkCall(t, a.Page, d.door, annaTone)
		a.click(t, "#open")
		if e := d.expect(t, soon, control.Opened); e.User != anna.id {
			t.Errorf("opened by %d", e.User)
		}
		a.click(t, "#hangup")
		d.expect(t, soon, control.Ended)
	})

	t.Run("fallback", func(t *testing.T) {
		d.begin(t)
		a.dial(t, "1#")
		a.is(t, soon, "ringing")
		b.next(t, soon, "call-received")
		a.is(t, soon, "ready") // she is called no longer
		b.answers(t, d.door)
		d.hangUp(t)
		d.expect(t, soon, control.Ended)
	})

	t.Run("nobody answers", func(t *testing.T) {
		d.begin(t)
		a.dial(t, "1#")
		if e := d.expect(t, ringTime+soon, control.NotAnswered); e.Name != "1" {
			t.Errorf("not answered: %+v", e)
		}
		r := awaitRecord(t, store, "1", behaviour.ReasonUnanswered)
		data, err := os.ReadFile(store.Path(r))
		must(t, err)
		picture, err := jpeg.Decode(bytes.NewReader(data))
		must(t, err)
		if b := picture.Bounds(); b.Dx() != 640 || b.Dy() != 480 {
			t.Errorf("a picture of %v", b)
		}
	})

	t.Run("quiet hours", func(t *testing.T) {
		d.begin(t)
		begun := d.count()
		a.types(t, "3#")
		if e := d.expect(t, soon, control.NotAnswered); e.Reason != behaviour.ReasonQuiet {
			t.Errorf("not answered: %q", e.Reason)
		}
		d.never(t, begun, control.Ringing)
		must(t, a.Wait(t.Context(), quick, `() => /hour/.test(document.querySelector("#light-text").textContent)`, nil))
		awaitRecord(t, store, "3", behaviour.ReasonQuiet)
	})

	t.Run("tampered with", func(t *testing.T) {
		d.begin(t)
		a.dial(t, "*135790#")
		if e := d.expect(t, soon, control.Opened); e.User != anna.id {
			t.Errorf("opened by %d", e.User)
		}
		d.expect(t, soon, control.Locked)
		d.pressNamed(t, "tamper")
		d.expect(t, soon, control.Tampered)
		begun := d.count()
		a.dial(t, "*135790#")
		if e := d.expect(t, soon, control.Refused); e.Reason != behaviour.ReasonTampered {
			t.Errorf("refused: %+v", e)
		}
		must(t, a.Wait(t.Context(), quick, `() => document.querySelector("#light").dataset.light === "fault"`, nil))
		d.never(t, begun, control.Opened)
		d.expect(t, soon, control.TamperOver)
	})

	t.Run("residents call the door", func(t *testing.T) {
		d.begin(t)
		must(t, b.Eval(t.Context(), "(user) => phone.call(user)", doorAccount.id, nil))
		if e := d.expect(t, soon, control.Refused); e.User != ben.id || e.Reason != behaviour.ReasonNotAllowed {
			t.Errorf("refused: %+v", e)
		}
		a.click(t, "#calldoor")
		if e := d.expect(t, soon, control.Incoming); e.User != anna.id {
			t.Errorf("incoming: %+v", e)
		}
		a.is(t, soon, "talking")
		d.expect(t, soon, control.Connected)
		a.click(t, "#hangup")
		d.expect(t, soon, control.Ended)
	})
}

// awaitRecord waits until a visitor is on record, and returns him.
func awaitRecord(t *testing.T, store *records.Store, name, reason string) records.Record {
	t.Helper()
	// Another process writes it: nothing to wait on.
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		list, err := store.List()
		must(t, err)
		if n := len(list); n > 0 && list[n-1].Name == name && list[n-1].Reason == reason {
			return list[n-1]
		}
	}
	list, err := store.List()
	t.Fatalf("no record of a visitor for %q, %s: %v, %v", name, reason, list, err)
	return records.Record{}
}
