package guard

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestRequests(t *testing.T) {
	for packet, want := range map[string]request{
		`intercom-guard/2 take low off "gpiochip0:17"`: {take, claim{"gpiochip0:17", true, false}},
		`intercom-guard/2 take high on "a b\n"`:        {take, claim{"a b\n", false, true}},
		`intercom-guard/2 open "lock"`:                 {open, claim{name: "lock"}},
		"intercom-guard/2 safe":                        {verb: safe},
		`intercom-guard/2 safe "lock"`:                 {safe, claim{name: "lock"}},
		"intercom-guard/2 ping":                        {verb: ping},
		`intercom-guard/2 release "lock"`:              {release, claim{name: "lock"}},
		"intercom-guard/2 end":                         {verb: end},
	} {
		got, err := parseRequest([]byte(packet))
		if err != nil || got != want || got.String() != packet {
			t.Errorf("%s: got %+v, %v, that is %q", packet, got, err, got)
		}
	}
	for _, packet := range []string{
		"", "open", "intercom-guard/2", "intercom-guard/2 ", "intercom-guard/3 ping", "intercom-guard/2 open", `intercom-guard/2 open ""`, "intercom-guard/2 open lock", `intercom-guard/2 open "lock" `, `intercom-guard/2 ping "lock"`, "intercom-guard/2 safe ", "intercom-guard/2 ping\n",
		"intercom-guard/2 OPEN", "intercom-guard/2 gone", "intercom-guard/2 openopen", "intercom-guard/2 take", `intercom-guard/2 take low off ""`,
		"intercom-guard/2 take low off lock", "intercom-guard/2 take low off `lock`", `intercom-guard/2 take Low off "lock"`, `intercom-guard/2 take low off "lock" `,
		`intercom-guard/2 take low  off "lock"`, `intercom-guard/2 take low off "` + strings.Repeat("x", maxFrame) + `"`,
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

// FuzzNeverOpens sends packets, one a line, by three connections in turn, to a guard of two
// lines. Only who took a line, with the right words, opens it.
func FuzzNeverOpens(f *testing.F) {
	taking := map[string]string{
		`intercom-guard/2 take high off "lock"`: "lock",
		`intercom-guard/2 take low on "gate"`:   "gate",
	}
	const take, open = `intercom-guard/2 take high off "lock"`, `intercom-guard/2 open "lock"`
	f.Add([]byte(open + "\nintercom-guard/2 safe\nintercom-guard/2 ping"))
	f.Add([]byte("intercom-guard/2 take low off \"lock\"\n\n\n" + open))
	f.Add([]byte(take + "\n" + open + "\n" + open + "\n" + open + "\nintercom-guard/2 release \"lock\"\n\n" + open))
	f.Add([]byte(take + "\n\n\n" + open + "\n" + take + "\nintercom-guard/2 end\n" + open))
	f.Add([]byte(take + "\n" + `intercom-guard/2 take low on "gate"` + "\n\n" + `intercom-guard/2 open "gate"` + "\n" + `intercom-guard/2 open "gate"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := wires{"lock": {}, "gate": {}}
		g, err := New(Config{Lines: w, Locks: []Lock{{Line: lockLine}, {Line: gateLine, Safe: true}}, Child: true})
		if err != nil {
			t.Fatal(err)
		}
		l := newLoop(g)
		if err := l.safe(); err != nil {
			t.Fatal(err)
		}
		isOpen := func(name string) bool { return w[name].active() != (name == "gate") }
		conns := [3]*conn{{}, {}, {}}
		took := map[string]int{"lock": -1, "gate": -1} // who did, to our knowledge
		now := time.Now()
		for i, packet := range bytes.Split(b, []byte("\n")) {
			from := i % len(conns)
			r, err := parseRequest(packet)
			if err != nil {
				continue // the connection ends in practice
			}
			was := map[string]bool{"lock": isOpen("lock"), "gate": isOpen("gate")}
			err = l.carryOut(now, conns[from], r)
			if name := taking[string(packet)]; name != "" && took[name] < 0 {
				took[name] = from
			}
			for name := range took {
				if string(packet) == "intercom-guard/2 release "+strconv.Quote(name) && took[name] == from {
					took[name] = -1
				}
				if !was[name] && isOpen(name) && (took[name] != from || string(packet) != "intercom-guard/2 open "+strconv.Quote(name) || err != nil) {
					t.Fatalf("%q of connection %d opened %s, which is that of %d (%v)", packet, from, name, took[name], err)
				}
			}
		}
	})
}
