package station

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/capture/cue"
	"intercom/internal/control"
)

// pitches are what the cues of these tests sound like, in Hz.
var pitches = map[cue.Name]float64{cue.Calling: 300, cue.Connected: 400, cue.Unanswered: 500, cue.Busy: 600, cue.Opened: 700, cue.Fault: 800}

// withCues gives each cue its pitch, for half a second.
func withCues(c *Config) {
	c.Cues = map[cue.Name][]int16{}
	for name, hz := range pitches {
		pcm := make([]int16, capture.SampleRate/2)
		for i := range pcm {
			pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/capture.SampleRate))
		}
		c.Cues[name] = pcm
	}
}

// hears waits until the loudspeaker plays a cue.
func (r *rig) hears(name cue.Name) {
	r.t.Helper()
	var hz float64
	for range 40 {
		time.Sleep(100 * time.Millisecond)
		sp := r.Status().Speaker
		if hz = sp.Frequency; sp.On && math.Abs(hz-pitches[name]) < 10 {
			return
		}
	}
	r.t.Errorf("the loudspeaker does not play %q (%.0f Hz); it plays %.0f Hz", name, pitches[name], hz)
}

// silent waits until the card is off.
func (r *rig) silent() {
	r.t.Helper()
	time.Sleep(3 * time.Second)
	if sp := r.Status().Speaker; sp.On {
		r.t.Errorf("the loudspeaker is on: %+v", sp)
	}
}

func TestCues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, withCues)
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna, Device: "phone-a"})
		b := r.world.Phone(callcoretest.Spec{User: ben, Device: "phone-b"})
		r.silent()

		// A call that is answered, opens and is hung up.
		r.press("call")
		r.hears(cue.Calling)
		time.Sleep(5 * time.Second)
		r.hears(cue.Calling) // still
		call := callcoretest.Await[callcore.Incoming](a)
		callcoretest.Await[callcore.Incoming](b)
		if err := call.Session.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Connected)
		r.hears(cue.Connected)
		if err := call.Session.Update(t.Context(), map[string]string{"command": "unlock"}); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Opened)
		r.hears(cue.Opened)
		r.press("hang-up")
		r.expect(control.Ended)
		r.silent()

		// One that all decline.
		r.press("call")
		for _, p := range []*callcoretest.Phone{a, b} {
			if err := callcoretest.Await[callcore.Incoming](p).Session.Reject(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		r.expect(control.Ended)
		r.hears(cue.Busy)
		r.silent()

		// One that nobody answers, and one that is hung up before.
		r.press("call")
		r.expect(control.NotAnswered)
		r.hears(cue.Unanswered)
		r.silent()
		r.press("call")
		r.hears(cue.Calling)
		r.press("hang-up")
		r.expect(control.Ended)
		r.silent()

		// And one that cannot be made.
		r.link.SetLink(false)
		r.expect(control.LinkDown)
		r.press("call")
		r.expect(control.NotAnswered)
		r.hears(cue.Fault)
		r.silent()
	})
}

// TestNoCues: a door without cues is silent.
func TestNoCues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		r.press("call")
		r.expect(control.Ringing)
		time.Sleep(time.Second)
		if sp := r.Status().Speaker; sp.DBFS > -90 {
			t.Errorf("the loudspeaker plays while phones ring: %+v", sp)
		}
		r.expect(control.NotAnswered)
		r.silent()
	})
}
