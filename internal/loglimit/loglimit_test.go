package loglimit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newLog() (*slog.Logger, *bytes.Buffer) {
	var text bytes.Buffer
	return Logger(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))), &text
}

func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text := newLog()
		count := func(what string) int { return strings.Count(text.String(), what) }
		for range 1000 {
			log.Info("signal ignored", PeerKey, 7)
		}
		log.Info("signal ignored", PeerKey, 8)
		log.With("scope", "ice").Info("signal ignored", PeerKey, 7) // the same kind
		log.Warn("another kind", PeerKey, 7)
		if got := count("peer=7"); got != OfPeer+1 || count("peer=8") != 1 || count("another kind") != 1 {
			t.Errorf("%d lines about one peer, want %d and one of another kind:\n%s", got, OfPeer, text)
		}
		for peer := range 1000 { // who has many accounts
			log.Info("signal ignored", PeerKey, 100+peer)
		}
		if got := count("signal ignored"); got != OfKind {
			t.Errorf("%d lines of one kind, want %d", got, OfKind)
		}
		if count(LeftOut) != 0 {
			t.Errorf("told too early:\n%s", text)
		}
		time.Sleep(Window)
		text.Reset()
		log.Info("something else")
		want := fmt.Sprintf("level=WARN msg=%q of=\"signal ignored\" lines=%d\n", LeftOut, 2002-OfKind)
		if got := text.String(); !strings.Contains(got, want) || !strings.HasSuffix(got, "msg=\"something else\"\n") {
			t.Errorf("got %s, want %s and the line itself", got, want)
		}
		text.Reset()
		log.Info("signal ignored", PeerKey, 7)
		if count("peer=7") != 1 || count(LeftOut) != 0 {
			t.Errorf("in the next minute: %s", text)
		}
	})
}

// TestManyKinds: messages with numbers in them are a kind each.
func TestManyKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text := newLog()
		for i := range 10_000 {
			log.Error(fmt.Sprintf("packet %d is odd", i))
		}
		if got := strings.Count(text.String(), "\n"); got != mostKinds+OfKind {
			t.Errorf("%d lines", got)
		}
		time.Sleep(Window)
		for i := range 10_000 {
			log.Error(fmt.Sprintf("kind %d", i%50))
		}
		if got := strings.Count(text.String(), "\n"); got != mostKinds+OfKind+1+OfAll {
			t.Errorf("%d lines, with those of the second minute and one that sums up the first", got)
		}
	})
}

func TestLongValues(t *testing.T) {
	log, text := newLog()
	long := strings.Repeat("ä", 10_000)
	log.Info("short", "call", long, "cause", errors.New(long), "n", 7)
	log.Info(long)
	for i, line := range strings.Split(strings.TrimSpace(text.String()), "\n") {
		if len(line) > 2*MostText+200 || !strings.Contains(line, "…") || i == 0 && !strings.Contains(line, "n=7") {
			t.Errorf("%d bytes: %.200s", len(line), line)
		}
	}
	if !strings.Contains(text.String(), strings.Repeat("ä", MostText/2)) {
		t.Error("nothing is left of it")
	}
}

func TestDebugPasses(t *testing.T) {
	log, text := newLog()
	for range 1000 {
		log.Debug("for who looks")
	}
	if got := strings.Count(text.String(), "\n"); got != 1000 {
		t.Errorf("%d lines", got)
	}
	if log.Enabled(t.Context(), slog.LevelDebug-1) || Logger(log) != log {
		t.Error("it is not what it was made of")
	}
}
