package guard

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestRequests(t *testing.T) {
	for packet, want := range map[string]request{
		`intercom-guard/1 take low off "gpiochip0:17"`: {take, claim{"gpiochip0:17", true, false}},
		`intercom-guard/1 take high on "a b\n"`:        {take, claim{"a b\n", false, true}},
		"intercom-guard/1 open":                        {verb: open},
		"intercom-guard/1 safe":                        {verb: safe},
		"intercom-guard/1 ping":                        {verb: ping},
		"intercom-guard/1 release":                     {verb: release},
		"intercom-guard/1 end":                         {verb: end},
	} {
		got, err := parseRequest([]byte(packet))
		if err != nil || got != want || got.String() != packet {
			t.Errorf("%s: got %+v, %v, that is %q", packet, got, err, got)
		}
	}
	for _, packet := range []string{
		"", "open", "intercom-guard/1", "intercom-guard/1 ", "intercom-guard/2 open", "intercom-guard/1 open ", "intercom-guard/1 open\n",
		"intercom-guard/1 OPEN", "intercom-guard/1 gone", "intercom-guard/1 openopen", "intercom-guard/1 take", `intercom-guard/1 take low off ""`,
		"intercom-guard/1 take low off lock", "intercom-guard/1 take low off `lock`", `intercom-guard/1 take Low off "lock"`, `intercom-guard/1 take low off "lock" `,
		`intercom-guard/1 take low  off "lock"`, `intercom-guard/1 take low off "` + strings.Repeat("x", maxFrame) + `"`,
	} {
		if r, err := parseRequest([]byte(packet)); err == nil {
			t.Errorf("%q is taken for %+v", packet, r)
		}
	}
}

func TestReplies(t *testing.T) {
	for _, err := range []error{nil, errors.New("line \"lock\": is taken"), errors.New("two\nlines\x1b[2J"), errors.New(strings.Repeat("ä", maxFrame))} {
		packet := formatReply(err)
		got := parseReply([]byte(packet))
		if err == nil {
			if got != nil {
				t.Errorf("%q: %v", packet, got)
			}
			continue
		}
		refused := (*RefusedError)(nil)
		if !errors.As(got, &refused) || strings.ContainsAny(refused.Text, "\n\x1b") || !utf8.ValidString(refused.Text) {
			t.Errorf("%q: %v", packet, got)
		}
	}
	for _, packet := range []string{"", "OK", "ok ", "no", "no ", "no two\nlines", "no " + strings.Repeat("x", maxFrame)} {
		refused := (*RefusedError)(nil)
		if err := parseReply([]byte(packet)); err == nil || errors.As(err, &refused) {
			t.Errorf("%q is taken for an answer: %v", packet, err)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add([]byte("ok"))
	f.Add([]byte("no line \"lock\": is taken"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := parseReply(b); (err == nil) != (string(b) == "ok") {
			t.Errorf("%q: %v", b, err)
		}
	})
}

// FuzzNeverOpens sends packets, one a line, by three connections in turn. Only who took
// the line, with the right words, opens it.
func FuzzNeverOpens(f *testing.F) {
	const taking = `intercom-guard/1 take high off "lock"`
	f.Add([]byte("intercom-guard/1 open\nintercom-guard/1 safe\nintercom-guard/1 ping"))
	f.Add([]byte("intercom-guard/1 take low off \"lock\"\n\n\nintercom-guard/1 open"))
	f.Add([]byte(taking + "\nintercom-guard/1 open\nintercom-guard/1 open\nintercom-guard/1 open\nintercom-guard/1 release\n\nintercom-guard/1 open"))
	f.Add([]byte(taking + "\n\n\nintercom-guard/1 open\n" + taking + "\nintercom-guard/1 end\nintercom-guard/1 open"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &wire{}
		g, err := New(Config{Lines: w, Line: lockLine, Child: true})
		if err != nil {
			t.Fatal(err)
		}
		l := &loop{Guard: g}
		if err := l.safe(); err != nil {
			t.Fatal(err)
		}
		conns := [3]*conn{{}, {}, {}}
		took := -1 // who did, to our knowledge
		now := time.Now()
		for i, packet := range bytes.Split(b, []byte("\n")) {
			from := i % len(conns)
			r, err := parseRequest(packet)
			if err != nil {
				continue // the connection ends in practice
			}
			was := w.active()
			err = l.carryOut(now, conns[from], r)
			switch string(packet) {
			case taking:
				if took < 0 {
					took = from
				}
			case "intercom-guard/1 release":
				if took == from {
					took = -1
				}
			}
			is := w.active()
			if !was && is && (took != from || string(packet) != "intercom-guard/1 open" || err != nil) {
				t.Fatalf("%q of connection %d opened the lock, which is that of %d (%v)", packet, from, took, err)
			}
		}
	})
}
