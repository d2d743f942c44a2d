package memory_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"intercom/signaling"
	"intercom/signaling/memory"
)

var _ signaling.Channel = (*memory.Client)(nil)

func join(t *testing.T, h *memory.Hub, user signaling.UserID, device string) *memory.Client {
	t.Helper()
	c, err := h.Join(user, device)
	if err != nil {
		t.Fatal(err)
	}
	if e := receive(t, c); e != (signaling.LinkUp{}) {
		t.Fatalf("first event %#v, want LinkUp", e)
	}
	return c
}

func receive(t *testing.T, c *memory.Client) signaling.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := c.Receive(ctx)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return e
}

// nothing checks that no event arrives within a minute.
func nothing(t *testing.T, c *memory.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if e, err := c.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("received %#v, %v; want nothing", e, err)
	}
}

func TestDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &memory.Hub{Delay: 20 * time.Millisecond}
		door, phone, tablet := join(t, h, 1, "door"), join(t, h, 2, "phone"), join(t, h, 2, "tablet")
		start := time.Now()

		sent := &signaling.Signal{Kind: signaling.Call, Peer: 2, Session: "S", Opponents: []signaling.UserID{2}, Info: map[string]string{"a": "b"}}
		if err := door.Send(t.Context(), sent); err != nil {
			t.Fatal(err)
		}
		sent.Opponents[0], sent.Info["a"] = 9, "changed" // the signal is a copy
		for _, c := range []*memory.Client{phone, tablet} {
			got, ok := receive(t, c).(*signaling.Signal)
			want := &signaling.Signal{Kind: signaling.Call, ID: sent.ID, Peer: 1, Device: "door", Session: "S",
				Opponents: []signaling.UserID{2}, Info: map[string]string{"a": "b"}}
			if !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("%s received %+v, want %+v", c.Device(), got, want)
			}
		}
		if got := time.Since(start); got != h.Delay {
			t.Errorf("took %v, want %v", got, h.Delay)
		}

		if err := door.Send(t.Context(), &signaling.Signal{Kind: signaling.HangUp, Peer: 2, Device: "tablet"}); err != nil {
			t.Fatal(err)
		}
		if got, ok := receive(t, tablet).(*signaling.Signal); !ok || got.Kind != signaling.HangUp {
			t.Errorf("the tablet received %+v, want a hangUp", got)
		}
		nothing(t, phone)
	})
}

func TestBounce(t *testing.T) {
	for _, to := range []signaling.Signal{{Peer: 3}, {Peer: 2, Device: "gone"}} {
		synctest.Test(t, func(t *testing.T) {
			h := new(memory.Hub)
			door := join(t, h, 1, "door")
			join(t, h, 2, "phone")
			s := to
			if err := door.Send(t.Context(), &s); err != nil {
				t.Fatal(err)
			}
			want := &signaling.Bounce{Peer: to.Peer, Device: to.Device, ID: s.ID, Condition: "service-unavailable"}
			if got := receive(t, door); s.ID == "" || !reflect.DeepEqual(got, want) {
				t.Errorf("received %+v, want %+v", got, want)
			}
		})
	}
}

func TestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &memory.Hub{Delay: time.Second}
		door, phone := join(t, h, 1, "door"), join(t, h, 2, "phone")
		if err := door.Send(t.Context(), &signaling.Signal{Kind: signaling.Call, Peer: 2}); err != nil {
			t.Fatal(err)
		}
		phone.SetLink(false) // the call is under way, and lost
		if err := phone.Send(t.Context(), &signaling.Signal{Peer: 1}); !errors.Is(err, memory.ErrLinkDown) {
			t.Errorf("send on a cut link: %v, want ErrLinkDown", err)
		}
		if err := phone.Probe(t.Context()); !errors.Is(err, memory.ErrLinkDown) {
			t.Errorf("probe of a cut link: %v, want ErrLinkDown", err)
		}
		if e, ok := receive(t, phone).(signaling.LinkDown); !ok || e.Err == nil {
			t.Errorf("received %#v, want LinkDown with the reason", e)
		}
		phone.SetLink(true)
		if e := receive(t, phone); e != (signaling.LinkUp{}) {
			t.Errorf("received %#v, want LinkUp", e)
		}
		if err := phone.Probe(t.Context()); err != nil {
			t.Errorf("probe: %v", err)
		}
		nothing(t, phone)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(memory.Hub)
		door := join(t, h, 1, "door")
		time.AfterFunc(time.Second, func() { door.Close() })
		if _, err := door.Receive(t.Context()); !errors.Is(err, memory.ErrClosed) {
			t.Errorf("receive: %v, want ErrClosed", err)
		}
		if err := door.Send(t.Context(), &signaling.Signal{Peer: 1}); !errors.Is(err, memory.ErrClosed) {
			t.Errorf("send: %v, want ErrClosed", err)
		}
		join(t, h, 1, "door") // its name is free again
	})
}

func TestJoinRefused(t *testing.T) {
	h := new(memory.Hub)
	if _, err := h.Join(1, "door"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user   signaling.UserID
		device string
	}{{1, "door"}, {0, "door"}, {1, ""}} {
		if _, err := h.Join(c.user, c.device); err == nil {
			t.Errorf("join %d/%q: no error", c.user, c.device)
		}
	}
}

// TestPing: a device that is there answers as it was told to, one that is not is unavailable.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &memory.Hub{Delay: 20 * time.Millisecond}
		door, phone := join(t, h, 1, "door"), join(t, h, 2, "phone")
		ping := func(when string, device string, want error, took time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			if err := door.Ping(ctx, 2, device); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", when, err, want)
			}
			if got := time.Since(start); got != took {
				t.Errorf("%s: took %v, want %v", when, got, took)
			}
		}
		ping("there", "phone", nil, 2*h.Delay)
		ping("never there", "tablet", signaling.ErrUnavailable, 2*h.Delay)
		phone.SetPong(memory.PongRefuse)
		ping("does not know the question", "phone", signaling.ErrUnavailable, 2*h.Delay)
		phone.SetPong(memory.PongNothing)
		ping("dead", "phone", context.DeadlineExceeded, time.Second)
		phone.SetPong(memory.PongAnswer)
		door.Swallow(true)
		ping("our link is dead", "phone", context.DeadlineExceeded, time.Second)
		door.Swallow(false)
		phone.SetLink(false)
		ping("its link is down", "phone", signaling.ErrUnavailable, 2*h.Delay)
		door.SetLink(false)
		ping("our link is down", "phone", memory.ErrLinkDown, 0)
	})
}
