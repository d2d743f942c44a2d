package station

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore/callcoretest"
	"intercom/internal/control"
	"intercom/signaling"
)

// noted counts the journal's lines by their types.
func (r *rig) noted() map[string]int {
	r.t.Helper()
	data, err := os.ReadFile(r.journal)
	if err != nil {
		r.t.Fatal(err)
	}
	types := map[string]int{}
	for line := range bytes.Lines(data) {
		var e control.Event
		if err := json.Unmarshal(line, &e); err != nil {
			r.t.Fatal(err)
		}
		types[e.Type]++
	}
	return types
}

// TestRations: a visitor who presses and hangs up again and again fills a part of the journal,
// and not all of it. Who watches sees everything, and what was left out is counted.
func TestRations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		const presses = 100
		for range presses {
			r.press("hang-up")
			time.Sleep(time.Second)
		}
		if got := r.noted()[control.Pressed]; got != mostNoted {
			t.Errorf("%d presses are in the journal, want %d", got, mostNoted)
		}
		seen := 0
		for seen < presses {
			if e := r.expect(control.Pressed); e.Name == "hang-up" {
				seen++
			}
		}
		time.Sleep(rationTime)
		if e := r.expect(control.Omitted); e.Name != "hang-up" || e.Reason != control.Pressed || !strings.Contains(e.Text, fmt.Sprint(presses-mostNoted)) {
			t.Errorf("what was left out: %+v", e)
		}
		r.press("hang-up")
		time.Sleep(time.Second)
		if got := r.noted(); got[control.Pressed] != mostNoted+1 || got[control.Omitted] != 1 {
			t.Errorf("later the journal has %v", got)
		}
		r.end()
	})
}

// TestFloodOfCalls: a stranger who calls all the time, and one who has a resident's account.
func TestFloodOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		m, a := r.world.Phone(callcoretest.Spec{User: mallory}), r.world.Phone(callcoretest.Spec{User: anna})
		for _, p := range []*callcoretest.Phone{m, a} {
			go func() {
				for range p.Events() {
				}
			}()
		}
		began := time.Now()
		const calls = mostNoted + 5
		for range calls {
			for _, p := range []*callcoretest.Phone{m, a} {
				s := p.Call(signaling.Video, doorID)
				time.Sleep(time.Second)
				_ = s.HangUp(t.Context(), nil)
				time.Sleep(time.Second)
			}
		}
		minutes := int(time.Since(began)/time.Minute) + 1
		got := r.noted()
		if got[control.Refused] > 31*minutes || got[control.Incoming] > mostNoted || got[control.Ended] > mostNoted || got[control.Incoming] < mostNoted {
			t.Errorf("%d calls of each in %d minutes made %v", calls, minutes, got)
		}
		r.end()
	})
}
