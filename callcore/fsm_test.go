package callcore

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the diagram into docs/callcore.md")

// each calls f with every cell of the table.
func each(f func(s state, in input, r rule)) {
	for s := idle; s < states; s++ {
		for in := input(0); in < inputs; in++ {
			f(s, in, next(s, in))
		}
	}
}

func TestTableIsComplete(t *testing.T) {
	each(func(s state, in input, r rule) {
		if !r.decided {
			t.Errorf("%s, %s: nothing was decided", s, in)
		}
		if asked := in <= hangUpAsked; r.refuse != nil && !asked {
			t.Errorf("%s, %s: refused, but nobody asked", s, in)
		}
	})
	for i := input(0); i < inputs; i++ {
		if i.String() == "" {
			t.Errorf("input %d has no name", i)
		}
	}
	for e := effect(0); e < effects; e++ {
		if e.String() == "" {
			t.Errorf("effect %d has no name", e)
		}
	}
}

// TestTableRules checks what must hold in every cell.
func TestTableRules(t *testing.T) {
	used := map[effect]bool{}
	each(func(s state, in input, r rule) {
		for _, e := range r.do {
			used[e] = true
		}
		has := func(e effect) bool { return slices.Contains(r.do, e) }
		cell := fmt.Sprintf("%s, %s", s, in)
		if closes := r.to == closed; closes != has(release) || closes != (r.reason != 0) {
			t.Errorf("%s: to %s with reason %d and effects %v", cell, r.to, r.reason, r.do)
		}
		if s == closed && (r.to != same || len(r.do) > 0 && !slices.Equal(r.do, []effect{tellInvalid})) {
			t.Errorf("%s: does something: %v", cell, r.do)
		}
		if live := s != idle && s != closed; live && (in == hangUpAsked || in == stopAsked) && r.to != closed {
			t.Errorf("%s: does not end the call", cell)
		}
		// Whoever waits for us is told, unless it was he who ended it or his timer will.
		told := has(sendHangUp) || has(sendReject) || s == idle || s == ringing && in == answerDue ||
			s == invited && in == answerDue || in == elsewhereReceived ||
			in == hangUpReceived || in == rejectReceived || in == releaseAsked // here alone, as asked
		if r.to == closed && !told {
			t.Errorf("%s: ends the call and does not tell", cell)
		}
		// Trap 1: candidates that come before the accept are dropped by a JS callee.
		if s == dialing && (has(sendCandidate) || has(sendHeld)) && in != acceptReceived {
			t.Errorf("%s: sends candidates before the accept", cell)
		}
		// The call goes on with another device only when that one reconnects.
		if has(rebind) && in != reofferReceived && in != pokeReceived && in != reanswerReceived {
			t.Errorf("%s: rebinds the device", cell)
		}
		// A connection is only replaced when it was lost, when the peer replaces its own, or to
		// learn which device the call is with.
		if (has(prepareReoffer) || has(prepareReanswer)) && !slices.Contains([]input{reofferReceived, pokeReceived, graceDue, pathLost, mediaLost, deviceMoved}, in) {
			t.Errorf("%s: replaces the connection", cell)
		}
		if has(bind) != (in == acceptReceived && s == dialing) {
			t.Errorf("%s: binds a device", cell)
		}
		// A call that is not ringing any more must not be dialed on.
		if s != idle && s != dialing && in != joinAsked && (has(sendCall) || has(armDial)) {
			t.Errorf("%s: dials", cell)
		}
		// Whoever waits for something has a timer, or hears of it.
		switch r.to {
		case dialing:
			if !has(armDial) || !has(armAnswer) && !has(armWatch) {
				t.Errorf("%s: dials without timers", cell)
			}
		case expecting:
			if !has(armWatch) {
				t.Errorf("%s: waits without a timer", cell)
			}
		case disconnected:
			if !(has(armGiveUp) && has(armGrace)) && !has(armParting) {
				t.Errorf("%s: waits without a timer", cell)
			}
		case reoffering, reanswering:
			if !has(armRetry) {
				t.Errorf("%s: tries without a timer", cell)
			}
			if !has(armGiveUp) && s != connecting && s != reanswering && s != reconnecting && in != graceDue {
				t.Errorf("%s: tries without a limit", cell)
			}
		case connected:
			if !has(stopWaiting) {
				t.Errorf("%s: leaves the limit armed", cell)
			}
		}
	})
	for e := effect(0); e < effects; e++ {
		if !used[e] {
			t.Errorf("effect %q is in no rule", e)
		}
	}
}

// TestTableReaches checks that every state can be reached from the three beginnings, and
// that the end can be reached from every state.
func TestTableReaches(t *testing.T) {
	from := map[state][]state{}
	each(func(s state, _ input, r rule) {
		if r.to != same {
			from[s] = append(from[s], r.to)
		}
	})
	reach := func(todo ...state) map[state]bool {
		seen := map[state]bool{}
		for len(todo) > 0 {
			s := todo[0]
			todo = todo[1:]
			if !seen[s] {
				seen[s] = true
				todo = append(todo, from[s]...)
			}
		}
		return seen
	}
	all := reach(idle, ringing, invited)
	for s := idle; s < states; s++ {
		if !all[s] {
			t.Errorf("%s cannot be reached", s)
		}
		if !reach(s)[closed] {
			t.Errorf("%s never ends", s)
		}
	}
}

// diagram draws the table. Inputs that do the same between two states share an arrow.
func diagram() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> Idle: NewSession\n    [*] --> Ringing: call of an unknown session\n    [*] --> Invited: the same, of those who were called with us\n")
	for s := idle; s < states; s++ {
		type arrow struct {
			to state
			do string
		}
		var order []arrow
		labels := map[arrow][]string{}
		for in := input(0); in < inputs; in++ {
			r := next(s, in)
			if r.to == same {
				continue
			}
			var do []string
			for _, e := range r.do {
				if e != release {
					do = append(do, e.String())
				}
			}
			a := arrow{r.to, strings.Join(do, ", ")}
			if labels[a] == nil {
				order = append(order, a)
			}
			labels[a] = append(labels[a], in.String())
		}
		for _, a := range order {
			label := strings.Join(labels[a], ", ")
			if a.do != "" {
				label += " / " + a.do
			}
			fmt.Fprintf(&b, "    %s --> %s: %s\n", s, a.to, label)
		}
	}
	b.WriteString("    Closed --> [*]\n```\n\n")
	b.WriteString("Inputs that do something and leave the state as it is:\n\n| state | input | effects |\n|---|---|---|\n")
	each(func(s state, in input, r rule) {
		if r.to == same && r.refuse == nil && len(r.do) > 0 && !slices.Equal(r.do, []effect{tellInvalid}) {
			var do []string
			for _, e := range r.do {
				do = append(do, e.String())
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", s, in, strings.Join(do, ", "))
		}
	})
	return b.String()
}

func TestDiagram(t *testing.T) {
	const file, begin, end = "../docs/callcore.md", "<!-- begin: generated from callcore/fsm.go -->\n", "<!-- end -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s: no %q ... %q", file, begin, end)
	}
	want := before + begin + "\n" + diagram() + "\n" + end + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s is not the table's picture; run: go test ./callcore -run TestDiagram -update", file)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
