package control

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func publish(h *Hub, from, to int) {
	for i := from; i < to; i++ {
		h.Publish(Event{Type: Pressed, Name: strconv.Itoa(i)})
	}
}

// recent returns what a hub has kept.
func recent(t *testing.T, h *Hub) (names []string) {
	t.Helper()
	enough := errors.New("enough")
	h.Publish(Event{Type: Pressed, Name: "last"})
	err := h.Watch(t.Context(), 1000, func(e Event) error {
		if e.Name == "last" {
			return enough
		}
		names = append(names, e.Name)
		return nil
	})
	if err != enough {
		t.Errorf("Watch: %v", err)
	}
	return names
}

func TestHubKeepsTheLast(t *testing.T) {
	var h Hub
	publish(&h, 0, 3)
	if got, want := recent(t, &h), []string{"0", "1", "2"}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	publish(&h, 3, 1000)
	if got := recent(t, &h); len(got) != hubRecent-1 || got[0] != "801" || got[len(got)-1] != "999" {
		t.Errorf("kept %d events from %v, want %d from 801, and the last one", len(got), got[0], hubRecent-1)
	}
}

func TestHubWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub
		publish(&h, 0, 10)
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan error, 1)
		go func() { done <- h.Watch(ctx, 3, func(e Event) error { got = append(got, e.Name); return nil }) }()
		synctest.Wait()
		publish(&h, 10, 12)
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch: %v, want the context's error", err)
		}
		if want := "7 8 9 10 11"; strings.Join(got, " ") != want {
			t.Errorf("got %v, want %v", strings.Join(got, " "), want)
		}
		if len(h.watchers) != 0 {
			t.Error("the watcher is still known")
		}
	})
}

func TestHubSlowWatcherLosesTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub
		end := errors.New("seen enough")
		var got []string
		done := make(chan error, 1)
		go func() {
			done <- h.Watch(t.Context(), 0, func(e Event) error {
				time.Sleep(time.Second)
				if got = append(got, e.Name); e.Name == "999" {
					return end
				}
				return nil
			})
		}()
		synctest.Wait()
		publish(&h, 0, 1) // taken at once; the others arrive while it is being looked at
		synctest.Wait()
		publish(&h, 1, 1000)
		if err := <-done; !errors.Is(err, end) {
			t.Errorf("Watch: %v, want what the watcher returned", err)
		}
		if len(got) != 1+hubQueue || got[0] != "0" || got[1] != strconv.Itoa(1000-hubQueue) {
			t.Errorf("got %d events, %v %v ...; want the first and the last %d", len(got), got[0], got[1], hubQueue)
		}
	})
}
