package xmpp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"intercom/signaling/xmpp/xmpptest"
)

func stall(srv *xmpptest.Server) (release func()) {
	hold := make(chan struct{})
	srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
		if st.Attr["id"] == "hold" {
			<-hold
		}
		return false
	}
	return func() { close(hold) }
}

func TestWritersHonourTheirOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		release := stall(srv)
		r := newRig(t, srv, nil)
		defer r.stop()
		defer release()
		r.wantUp()
		if err := r.Send(t.Context(), message("2002-99@chat.test", "hold")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		type result struct {
			err  error
			took time.Duration
		}
		results := make(chan result, 3)
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
			defer cancel()
			go func() {
				err := r.Send(ctx, message("2002-99@chat.test", "m"))
				results <- result{err, time.Since(start)}
			}()
			synctest.Wait()
		}
		for i := range 3 {
			got := <-results
			if want := time.Duration(i+1) * time.Second; !errors.Is(got.err, context.DeadlineExceeded) || got.took != want {
				t.Errorf("send %d: got %v after %v, want deadline exceeded after %v", i, got.err, got.took, want)
			}
		}
	})
}

func TestStalledWriteEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		release := stall(srv)
		r := newRig(t, srv, func(_ *rig, c *Config) { c.Timers.Ping = time.Hour })
		defer r.stop()
		defer release()
		r.wantUp()
		if err := r.Send(t.Context(), message("2002-99@chat.test", "hold")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err := r.Send(t.Context(), message("2002-99@chat.test", "m"))
		if got := time.Since(start); !errors.Is(err, ErrDown) || got != 10*time.Second {
			t.Errorf("send: got %v after %v, want ErrDown after 10s", err, got)
		}
		r.wantDown("no answer in time")
	})
}

func TestRunEndsThoughTheServerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		release := stall(srv)
		r := newRig(t, srv, nil)
		defer release()
		r.wantUp()
		if err := r.Send(t.Context(), message("2002-99@chat.test", "hold")); err != nil {
			t.Fatal(err)
		}
		go func() { _ = r.Send(context.Background(), message("2002-99@chat.test", "m")) }()
		synctest.Wait()
		start := time.Now()
		r.stop()
		if got := time.Since(start); got > 2*farewellTimeout {
			t.Errorf("Run ended %v after its context, want within %v", got, 2*farewellTimeout)
		}
	})
}
