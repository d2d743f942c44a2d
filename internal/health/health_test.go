package health

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		r := New(2*time.Second, func(c Condition, wrong bool) { told = append(told, fmt.Sprint(c.Name, " ", c.Text, " ", wrong)) })
		start := time.Now()
		r.Report("camera", nil) // was never wrong
		r.Report("chat", errors.New("refused"))
		time.Sleep(time.Second)
		r.Report("camera", errors.New("unplugged"))
		r.Report("chat", errors.New("timed out"))
		if got := r.Wrong(); len(got) != 0 {
			t.Errorf("after 1 s: got %v, want nothing shown yet", got)
		}
		time.Sleep(1500 * time.Millisecond)
		r.Report("camera", nil) // repaired before it was shown
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []Condition{{Name: "chat", Text: "timed out", Since: start}}
		if got := r.Wrong(); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		r.Report("chat", nil)
		r.Report("chat", nil)
		if got := r.Wrong(); len(got) != 0 {
			t.Errorf("after the repair: got %v, want nothing", got)
		}
		if want := []string{"chat timed out true", "chat timed out false"}; !reflect.DeepEqual(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		r.Report("card", errors.New("gone"))
		r.Close()
		time.Sleep(time.Minute)
		if len(told) != 2 {
			t.Errorf("told %q after Close", told[2:])
		}
	})
}

func TestShowsAtOnce(t *testing.T) {
	n := 0
	r := New(0, func(Condition, bool) { n++ })
	r.Report("b", errors.New("x"))
	r.Report("a", errors.New("y"))
	if got := r.Wrong(); len(got) != 2 || got[0].Name != "a" || n != 2 {
		t.Errorf("got %v told %d, want a and b, told at once", got, n)
	}
}
