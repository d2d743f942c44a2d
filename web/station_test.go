package web

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"intercom/internal/control"
)

// fakeStation is a control.Station that a test drives by hand.
type fakeStation struct {
	mu       sync.Mutex
	status   control.Status
	pressed  []string
	typed    string
	hangUps  int
	fail     error                                // of Press and HangUp
	stuck    bool                                 // Press waits for its context
	asked    int                                  // calls of Status
	watchers map[chan control.Event]chan struct{} // events in, closed when the watcher left
	watching chan struct{}                        // one token for each Watch that began
	past     []control.Event                      // what happened before a Watch
	endWatch error                                // ends each Watch at once
}

func newFakeStation() *fakeStation {
	return &fakeStation{
		status: control.Status{
			Version: "v0.1.0", State: "idle", Light: "idle",
			Link:    control.Link{Up: true},
			Buttons: []control.Button{{Name: "front", Label: "Byron"}, {Name: "back", Label: "Garden"}},
			Locks:   []control.Lock{{Name: "front door"}},
			Speaker: control.Level{DBFS: -100},
		},
		watchers: map[chan control.Event]chan struct{}{},
		watching: make(chan struct{}, 64),
	}
}

func (s *fakeStation) Press(ctx context.Context, name string) error {
	s.mu.Lock()
	stuck, fail := s.stuck, s.fail
	known := slices.ContainsFunc(s.status.Buttons, func(b control.Button) bool { return b.Name == name })
	if !stuck && fail == nil && known {
		s.pressed = append(s.pressed, name)
	}
	s.mu.Unlock()
	if stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	if !known {
		return fmt.Errorf("press %q: no such button; there are front and back", name)
	}
	return fail
}

func (s *fakeStation) Type(_ context.Context, keys string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.typed += keys
	return s.fail
}

func (s *fakeStation) HangUp(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangUps++
	return s.fail
}

func (s *fakeStation) Snapshot(context.Context) ([]byte, error) { return nil, s.fail }

func (s *fakeStation) Status() control.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	now := s.status
	now.Time = time.Now()
	return now
}

func (s *fakeStation) set(change func(*control.Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

func (s *fakeStation) Watch(ctx context.Context, last int, f func(control.Event) error) error {
	for _, e := range s.past[max(0, len(s.past)-last):] {
		if err := f(e); err != nil {
			return err
		}
	}
	in, left := make(chan control.Event, 16), make(chan struct{})
	s.mu.Lock()
	if s.endWatch != nil {
		defer s.mu.Unlock()
		return s.endWatch
	}
	s.watchers[in] = left
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watchers, in)
		s.mu.Unlock()
		close(left)
	}()
	s.watching <- struct{}{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-in:
			if err := f(e); err != nil {
				return err
			}
		}
	}
}

// emit gives an event to all who watch.
func (s *fakeStation) emit(e control.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for in := range s.watchers {
		in <- e
	}
}

func (s *fakeStation) count() (asked, watchers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, len(s.watchers)
}

func newPhone() *Phone {
	return &Phone{
		API: "http://127.0.0.1:8081", Chat: "chat.localhost", WebSocket: "ws://127.0.0.1:8082/ws",
		AppID: 1, AuthKey: "key", AuthSecret: "secret", AccountKey: "account", Door: 100,
		Residents: []Resident{{ID: 101, Login: "ada", Password: "ada-password", Name: "Ada Byron"}},
	}
}

func newPage(t *testing.T, c Config) *Page {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
