package audio

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// TestPlayers: each player has counters of its own; together they last beyond it.
func TestPlayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		anna, err := b.Play("anna")
		if err != nil {
			t.Fatal(err)
		}
		ben, err := b.Play("ben")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			anna.Write(packet(i + 1))
			if i%10 != 0 { // every tenth is lost
				ben.Write(packet(i + 1))
			}
			time.Sleep(capture.Period)
		}
		all := b.Players()
		if len(all) != 2 || all[0].Name != "anna" || all[1].Name != "ben" {
			t.Fatalf("got %+v", all)
		}
		a, c := all[0], all[1]
		if a.Received != 100 || a.Played < 90 || a.Recovered != 0 || a.Delay <= 0 || a.Delay > 120*time.Millisecond {
			t.Errorf("without losses: %+v", a)
		}
		if c.Received != 90 || c.Recovered+c.Concealed < 7 || c.ConcealedShare() > 0.2 {
			t.Errorf("with losses: %+v", c)
		}
		before := b.Stats()
		if before.Received != 190 || before.Played != a.Played+c.Played || before.Delay != max(a.Delay, c.Delay) {
			t.Errorf("together: %+v", before)
		}
		anna.Close()
		ben.Close()
		if after := b.Stats(); after.Received != 190 || after.Played < before.Played || after.Delay != 0 || len(b.Players()) != 0 {
			t.Errorf("when they are gone: %+v", after)
		}
	})
}

// TestUp: the card counts as up from its first period until it is lost.
func TestUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		if b.Up() {
			t.Error("up before anybody uses it")
		}
		defer b.feed(t).Close()
		time.Sleep(100 * time.Millisecond)
		if !b.Up() {
			t.Error("not up")
		}
		b.card.fail <- errors.New("unplugged")
		synctest.Wait()
		if b.Up() || !b.On() {
			t.Errorf("lost: up %v, on %v", b.Up(), b.On())
		}
		time.Sleep(time.Second)
		if !b.Up() {
			t.Error("not up again")
		}
	})
}

func TestConcealedShare(t *testing.T) {
	if s := (Stats{}).ConcealedShare(); s != 0 {
		t.Errorf("of nothing: %v", s)
	}
	if s := (Stats{Played: 90, Recovered: 5, Concealed: 5}).ConcealedShare(); math.Abs(s-0.05) > 1e-9 {
		t.Errorf("got %v, want 0.05", s)
	}
}
