package station

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/internal/control"
)

func TestStopWhilePhonesRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		a := r.world.Phone(callcoretest.Spec{User: anna})
		r.press("call")
		callcoretest.Await[callcore.Incoming](a)
		r.end()
		callcoretest.Await[callcore.HungUp](a) // not only after a minute
	})
}

func TestStopWithALockThatDoesNotObey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		if err := r.board.Fail("door", errors.New("line stuck")); err != nil {
			t.Fatal(err)
		}
		if err := r.stop(); err == nil || !strings.Contains(err.Error(), "not known to be safe") {
			t.Errorf("the station ended with %v, want that the lock is not known to be safe", err)
		}
	})
}

// What ended with the station is in the journal: the call, and that the lock is safe.
func TestStopInACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		a := r.world.Phone(callcoretest.Spec{User: anna})
		r.press("call")
		call := callcoretest.Await[callcore.Incoming](a)
		if err := call.Session.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Connected)
		if err := call.Session.Update(t.Context(), map[string]string{"command": "unlock"}); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Opened)
		r.end()
		if r.board.Active("door") {
			t.Error("the lock is open")
		}
		if st := r.Status(); st.State != "idle" || st.Locks[0].Open {
			t.Errorf("after the end: %+v", st)
		}
		journal, err := os.ReadFile(r.journal)
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range []string{control.Ended, control.Locked, control.Stopped} {
			if !strings.Contains(string(journal), `"type":"`+typ+`"`) {
				t.Errorf("the journal has no %q:\n%s", typ, journal)
			}
		}
	})
}
