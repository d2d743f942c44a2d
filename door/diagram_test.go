package door

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the diagram in docs/door.md")

const (
	diagramFile  = "../docs/door.md"
	diagramBegin = "<!-- states: written by go test ./door -run TestDiagram -update -->\n"
	diagramEnd   = "<!-- end of states -->\n"
)

// happening is an input in words. Wake comes when it is due.
type happening struct {
	words string
	in    Input
}

// happenings are what changes phases. Those that answer a call are about the one there is.
func happenings(s State) []happening {
	all := []happening{
		{"button", Pressed{Button: "one"}},
		{"directory button", Pressed{Button: "list"}},
		{"digit", Key{'2'}}, {"*", Key{KeyCode}}, {"#", Key{KeyConfirm}}, {"clear", Key{KeyClear}},
		{"hang-up button", Pressed{Button: "hang-up"}},
		{"link up", LinkChanged{Up: true}}, {"link lost", LinkChanged{}},
		{"a resident calls", Incoming{"in", anna}},
		{"answered", Answered{s.Call, anna}}, {"answered", Answered{s.Call, dora}},
		{"call failed", Ended{s.Call, EndFailed, ""}}, {"time is up", Wake{}},
	}
	if s.Phase == Calling && !s.ending {
		return append(all, happening{"declined by all", Ended{s.Call, EndDeclined, ""}}, happening{"not answered", Ended{s.Call, EndUnanswered, ""}})
	}
	return append(all, happening{"call over", Ended{s.Call, EndOver, ""}})
}

// diagram explores the table from the beginning on and draws what leads from one phase to
// another.
func diagram(t *testing.T) string {
	type place struct {
		state State
		now   time.Time
	}
	s, err := New(house(t))
	if err != nil {
		t.Fatal(err)
	}
	edges := map[string]map[string]bool{}
	seen := map[string]bool{}
	queue := []place{{s, time.Date(2026, 1, 15, 11, 0, 0, 0, time.UTC)}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, h := range happenings(at.state) {
			now := at.now
			if _, ok := h.in.(Wake); ok {
				if now = at.state.timers.next(); now.IsZero() {
					continue
				}
			}
			next, _, _ := at.state.Next(now, h.in)
			if from, to := phase(at.state), phase(next); from != to {
				arrow := fmt.Sprintf("    %s --> %s: ", from, to)
				if edges[arrow] == nil {
					edges[arrow] = map[string]bool{}
				}
				edges[arrow][h.words] = true
			}
			var pending []bool
			for _, at := range next.timers {
				pending = append(pending, !at.IsZero())
			}
			key := fmt.Sprint(phase(next), next.Incoming, next.link, next.Typed, next.visit.next, len(next.visit.rings), next.visit.missed, next.Flat, pending)
			if !seen[key] && len(next.Typed) <= 2 {
				seen[key] = true
				queue = append(queue, place{next, now})
			}
		}
	}
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> idle\n")
	for _, arrow := range slices.Sorted(maps.Keys(edges)) {
		b.WriteString(arrow + strings.Join(slices.Sorted(maps.Keys(edges[arrow])), ", ") + "\n")
	}
	b.WriteString("```\n")
	return b.String()
}

// phase is a phase, and whether it is only waiting for its end.
func phase(s State) string {
	if s.ending {
		return "ending"
	}
	return s.Phase.String()
}

// TestDiagram holds the diagram in the documents against the table.
func TestDiagram(t *testing.T) {
	data, err := os.ReadFile(diagramFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), diagramBegin)
	drawn, after, ended := strings.Cut(rest, diagramEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the diagram", diagramFile)
	}
	want := diagram(t)
	if *update {
		if err := os.WriteFile(diagramFile, []byte(before+diagramBegin+want+diagramEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if drawn != want {
		t.Errorf("the diagram in %s is not that of the table: run go test ./door -run TestDiagram -update", diagramFile)
	}
}
