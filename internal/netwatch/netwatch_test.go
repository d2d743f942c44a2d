package netwatch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// script is a feed and what is seen when one looks.
type script struct {
	messages chan error
	closed   chan struct{}
	once     sync.Once

	mu   sync.Mutex
	now  []string
	fail error // of look
	at   []time.Duration
}

func (s *script) next() error {
	select {
	case err := <-s.messages:
		return err
	case <-s.closed:
		return errors.New("closed")
	}
}

func (s *script) close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// set changes what is seen, and tells of it in so many messages a millisecond apart.
func (s *script) set(messages int, now ...string) {
	s.mu.Lock()
	s.now = now
	s.mu.Unlock()
	for range messages {
		s.messages <- nil
		time.Sleep(time.Millisecond)
	}
}

// told returns when changes were told.
func (s *script) told() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.at)
}

// refuse makes looking fail with err.
func (s *script) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// watch runs a watcher over a script in a bubble.
func watch(t *testing.T, f func(*script)) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{messages: make(chan error), now: []string{"a"}}
		start := time.Now()
		w, err := New(Config{Changed: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.at = append(s.at, time.Since(start))
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.open = func() (feed, error) {
			s.closed, s.once = make(chan struct{}), sync.Once{}
			return s, nil
		}
		w.look = func() (snapshot, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return newSnapshot(s.now), s.fail
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		f(s)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func TestBurst(t *testing.T) {
	watch(t, func(s *script) {
		s.set(20, "a", "b")
		time.Sleep(time.Second)
		if got, want := s.told(), []time.Duration{19*time.Millisecond + settleTime}; !slices.Equal(got, want) {
			t.Errorf("told at %v, want %v", got, want)
		}
	})
}

// TestStream: messages that never end do not keep a change from being told.
func TestStream(t *testing.T) {
	watch(t, func(s *script) {
		s.set(500, "b")
		if got := s.told(); len(got) != 1 || got[0] > settleLimit {
			t.Errorf("told at %v, want once within %v", got, settleLimit)
		}
	})
}

func TestNoise(t *testing.T) {
	watch(t, func(s *script) {
		for range 10 {
			s.set(5, "a")
			time.Sleep(time.Second)
		}
		s.set(5, "a", "a") // the same twice
		time.Sleep(time.Second)
		if got := s.told(); len(got) != 0 {
			t.Errorf("told at %v although nothing has changed", got)
		}
		s.set(1) // nothing is left
		time.Sleep(time.Second)
		s.set(1, "a")
		time.Sleep(time.Second)
		if got := s.told(); len(got) != 2 {
			t.Errorf("told at %v, want twice", got)
		}
	})
}

// TestBroken: a feed that breaks is opened again, and what has changed meanwhile is told.
func TestBroken(t *testing.T) {
	watch(t, func(s *script) {
		s.messages <- errors.New("broken")
		s.set(0, "b")
		time.Sleep(retryTime + time.Second)
		if got := s.told(); len(got) != 1 {
			t.Errorf("told at %v, want once", got)
		}
		s.refuse(errors.New("refused"))
		s.set(1, "c")
		time.Sleep(time.Second)
		s.refuse(nil)
		time.Sleep(retryTime)
		if got := s.told(); len(got) != 2 {
			t.Errorf("told at %v, want twice", got)
		}
	})
}

func TestNew(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a watcher that tells nobody")
	}
}
