package station

import (
	"bytes"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture/cue"
	"intercom/door"
	"intercom/door/schedule"
	"intercom/hw"
	"intercom/hw/sim"
	"intercom/internal/control"
	"intercom/internal/records"
	"intercom/signaling"
)

// withFlats gives the door flat 1, Anna's and after 10 s Ben's, and flat 2, Ben's, which is
// quiet all day. Its keypad has keys 1, 2 and #; a button opens the directory.
func withFlats(c *Config) {
	always, err := schedule.Parse(time.UTC, "00:00-24:00")
	if err != nil {
		panic(err)
	}
	c.Door.Buttons[0] = door.Button{Name: "call", Directory: true}
	c.Door.Flats = []door.Flat{
		{Name: "1", Label: "Ash", Steps: []door.Step{{Residents: []signaling.UserID{anna}}, {After: 10 * time.Second, Residents: []signaling.UserID{ben}}}},
		{Name: "2", Hidden: true, Steps: []door.Step{{Residents: []signaling.UserID{ben}, Quiet: always}}},
	}
	board, err := sim.New(sim.Config{Names: []string{"call", "hang-up", "status", "door", "key 1", "key 2", "key #"}})
	if err != nil {
		panic(err)
	}
	c.Lines = board
	for _, k := range "12#" {
		c.Keypad = append(c.Keypad, Key{hw.Line{Name: "key " + string(k)}, k})
	}
}

// kept opens a folder for records and has the station use it.
func kept(t *testing.T, c *Config) *records.Store {
	t.Helper()
	store, err := records.Open(filepath.Join(t.TempDir(), "records"), records.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	c.Records = store
	return store
}

// recorded waits for a record and returns it, with its picture if there is to be one.
func (r *rig) recorded(store *records.Store, picture bool) records.Record {
	r.t.Helper()
	time.Sleep(10 * time.Second)
	list, err := store.List()
	if err != nil || len(list) == 0 {
		r.t.Fatalf("records: %v, %v", list, err)
	}
	last := list[len(list)-1]
	if picture {
		data, err := os.ReadFile(store.Path(last))
		if err != nil {
			r.t.Fatal(err)
		}
		if img, err := jpeg.Decode(bytes.NewReader(data)); err != nil || img.Bounds().Dx() != 160 {
			r.t.Errorf("the picture: %v", err)
		}
	} else if last.Picture != "" {
		r.t.Errorf("a picture where there can be none: %+v", last)
	}
	return last
}

func TestDialAFlat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var store *records.Store
		r := newRig(t, func(c *Config) {
			withFlats(c)
			withCues(c)
			store = kept(t, c)
			c.Says = map[cue.Name]string{cue.Dial: "Dial, please."}
		})
		defer r.end()
		r.board = r.cfg.Lines.(*sim.Board)
		a := r.world.Phone(callcoretest.Spec{User: anna})
		b := r.world.Phone(callcoretest.Spec{User: ben})

		r.press("call")
		r.expect(control.Pressed)
		time.Sleep(time.Second)
		if st := r.Status(); st.State != "dialling" || st.Cue != "dial" || st.Says != "Dial, please." {
			t.Errorf("the directory: %+v", st)
		}
		want := []control.Flat{{Name: "1", Label: "Ash", Dialled: true}}
		if st := r.Status(); !slices.Equal(st.Flats, want) {
			t.Errorf("flats: %+v, want %+v", st.Flats, want)
		}
		r.press("key 1")
		time.Sleep(time.Second)
		if st := r.Status(); st.Typed != "1" {
			t.Errorf("typed: %+v", st)
		}
		r.press("key #")
		if e := r.expect(control.Dialled); e.Name != "1" {
			t.Errorf("dialled: %+v", e)
		}
		call := callcoretest.Await[callcore.Incoming](a)
		if st := r.Status(); st.State != "calling" || st.Flat != "1" {
			t.Errorf("calling: %+v", st)
		}
		// Anna does not answer: Ben is called as well, in a session of his own, and answers.
		other := callcoretest.Await[callcore.Incoming](b)
		if other.Session.ID() == call.Session.ID() {
			t.Error("both are called in one session")
		}
		if err := other.Session.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if e := r.expect(control.Answered); e.User != int64(ben) || e.Call != other.Session.ID() {
			t.Errorf("answered: %+v", e)
		}
		callcoretest.Await[callcore.HungUp](a)
		r.expect(control.Connected)
		if st := r.Status(); st.Call == nil || st.Call.User != int64(ben) || !st.Call.Media {
			t.Errorf("in the call: %+v", st.Call)
		}
		r.press("hang-up")
		r.expect(control.Ended)
		if list, err := store.List(); len(list) != 0 || err != nil {
			t.Errorf("somebody answered, and there are records: %v, %v", list, err)
		}
	})
}

func TestMissedVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var store *records.Store
		r := newRig(t, func(c *Config) {
			withFlats(c)
			store = kept(t, c)
		})
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna})
		// Nobody answers.
		if err := r.Type(t.Context(), "1#"); err != nil {
			t.Fatal(err)
		}
		callcoretest.Await[callcore.Incoming](a)
		r.expect(control.NotAnswered)
		if got := r.recorded(store, true); got.Name != "1" || got.Reason != door.ReasonUnanswered {
			t.Errorf("the record: %+v", got)
		}
		// Quiet hours: nobody is called, the camera stays off.
		if err := r.Type(t.Context(), "2#"); err != nil {
			t.Fatal(err)
		}
		if e := r.expect(control.NotAnswered); e.Reason != door.ReasonQuiet || r.Status().Camera {
			t.Errorf("quiet: %+v, camera %v", e, r.Status().Camera)
		}
		if got := r.recorded(store, false); got.Name != "2" || got.Reason != door.ReasonQuiet {
			t.Errorf("the record: %+v", got)
		}
		// No link: the camera is on for the picture and no longer.
		r.link.SetLink(false)
		r.expect(control.LinkDown)
		if err := r.Type(t.Context(), "1#"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if st := r.Status(); st.State != "waiting" || st.Light != "calling" || st.Camera {
			t.Errorf("waiting: %+v", st)
		}
		r.expect(control.NotAnswered)
		if got := r.recorded(store, true); got.Reason != door.ReasonNoLink {
			t.Errorf("the record: %+v", got)
		}
	})
}

func TestTypeRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		for _, keys := range []string{"12x", "1 2", string(make([]byte, 50)), "11111111111111111111111111111111111111111"} {
			if err := r.Type(t.Context(), keys); err == nil {
				t.Errorf("%q was typed", keys)
			}
		}
	})
}

// TestClock: without the time quiet hours do not count, and that is reported.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var set atomic.Bool
		r := newRig(t, func(c *Config) {
			withFlats(c)
			c.ClockSet = set.Load
		})
		defer r.end()
		b := r.world.Phone(callcoretest.Spec{User: ben})
		if e := r.expect(control.HealthChanged); e.Name != "clock" || e.Reason == "" {
			t.Errorf("the clock: %+v", e)
		}
		if err := r.Type(t.Context(), "2#"); err != nil {
			t.Fatal(err)
		}
		callcoretest.Await[callcore.Incoming](b)
		if err := r.HangUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		callcoretest.Await[callcore.HungUp](b)
		set.Store(true)
		if e := r.expect(control.HealthChanged); e.Name != "clock" || e.Reason != "" {
			t.Errorf("the clock: %+v", e)
		}
		if err := r.Type(t.Context(), "2#"); err != nil {
			t.Fatal(err)
		}
		if e := r.expect(control.NotAnswered); e.Reason != door.ReasonQuiet {
			t.Errorf("quiet: %+v", e)
		}
	})
}

// TestLight holds the line against the patterns.
func TestLight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		// blinks counts how often the line goes on within some seconds.
		blinks := func(d time.Duration) (n int) {
			before := len(r.board.History("status"))
			time.Sleep(d)
			for _, l := range r.board.History("status")[before:] {
				if l.High {
					n++
				}
			}
			return n
		}
		a := r.world.Phone(callcoretest.Spec{User: anna})
		if n := blinks(10 * time.Second); n != 0 || r.board.Active("status") {
			t.Errorf("idle: %d blinks", n)
		}
		r.press("call")
		call := callcoretest.Await[callcore.Incoming](a)
		if n := blinks(10 * time.Second); n != 10 {
			t.Errorf("calling: %d blinks in 10 s, want 10", n)
		}
		if err := call.Session.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Connected)
		if n := blinks(10 * time.Second); n != 0 || !r.board.Active("status") {
			t.Errorf("talking: %d blinks, lit %v", n, r.board.Active("status"))
		}
		if err := call.Session.Update(t.Context(), map[string]string{"command": "unlock"}); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Opened)
		if n := blinks(2 * time.Second); n < 7 || n > 9 {
			t.Errorf("opened: %d blinks in 2 s, want 8", n)
		}
		r.press("hang-up")
		r.expect(control.Ended)
		r.link.SetLink(false)
		r.expect(control.LinkDown)
		time.Sleep(5 * time.Second)
		if n := blinks(15 * time.Second); n != 10 {
			t.Errorf("fault: %d blinks in 15 s, want 10", n)
		}
	})
}
