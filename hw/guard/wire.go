package guard

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"intercom/hw"
)

// A request is one packet of a unixpacket socket, and so is the reply; a client sends the
// next request after the reply to the last. A request is the protocol's name, a word and
// what that wants: the name of a line, quoted as in Go, and before it, for "take", what the
// client believes of the line: which level is active, and whether the active one is safe.
//
//	intercom-guard/2 take low off "gpiochip0:17"
//	intercom-guard/2 open "gpiochip0:17"
//	intercom-guard/2 ping
//
// A reply is "ok", or "no" and the reason.
const (
	protocol = "intercom-guard/2"
	maxFrame = 512 // bytes of a packet
)

// verb is what a client wants.
type verb string

const (
	take    verb = "take"    // to be the one who opens a line; it is made safe
	open    verb = "open"    // a line opened
	safe    verb = "safe"    // a line made safe, or all if none is named: anybody may want that
	ping    verb = "ping"    // to hear whether all is well, and to be believed alive
	release verb = "release" // to be the one no longer; the line is made safe
	end     verb = "end"     // the guard to end, if a station started it
	gone    verb = "gone"    // never on the wire: the connection has ended
)

// claim is what a client believes of the line.
type claim struct {
	name      string
	activeLow bool
	safe      bool // the line is safe when it is active
}

func claimOf(l hw.Line, safe bool) claim {
	return claim{name: l.Name, activeLow: l.ActiveLow, safe: safe}
}

func (c claim) String() string {
	active, safe := "high", "off"
	if c.activeLow {
		active = "low"
	}
	if c.safe {
		safe = "on"
	}
	return active + " " + safe + " " + strconv.Quote(c.name)
}

// request is a packet of a client.
type request struct {
	verb  verb
	claim claim // of take; of open, safe and release the name alone
}

func (r request) String() string {
	s := protocol + " " + string(r.verb)
	switch {
	case r.verb == take:
		s += " " + r.claim.String()
	case r.claim.name != "":
		s += " " + strconv.Quote(r.claim.name)
	}
	return s
}

var errForeign = errors.New("this is not a request to the guard of a lock")

// parseRequest reads a packet. There is one way to write a request: all else is refused.
func parseRequest(b []byte) (request, error) {
	s, ok := strings.CutPrefix(string(b), protocol+" ")
	if !ok || len(b) > maxFrame {
		return request{}, errForeign
	}
	word, rest, more := strings.Cut(s, " ")
	r := request{verb: verb(word)}
	named := true
	switch r.verb {
	case ping, end:
		named = false
	case safe:
		named = more
	case open, release:
	case take:
		f := strings.SplitN(rest, " ", 3)
		if len(f) != 3 {
			return request{}, errForeign
		}
		r.claim = claim{activeLow: f[0] == "low", safe: f[1] == "on"}
		rest = f[2]
	default:
		return request{}, errForeign
	}
	if named {
		r.claim.name, _ = strconv.Unquote(rest)
	}
	if named && r.claim.name == "" || r.String() != string(b) {
		return request{}, errForeign
	}
	return r, nil
}

// formatReply makes the packet that answers a request; a nil error is a yes.
func formatReply(err error) string {
	if err == nil {
		return "ok"
	}
	s := "no " + plain(err.Error())
	if len(s) > maxFrame {
		s = strings.ToValidUTF8(s[:maxFrame], "")
	}
	return s
}

// plain makes one line of text that cannot upset a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return ' '
	}, s)
}

// parseReply reads the guard's answer: nil, the guard's refusal, or that it is none.
func parseReply(b []byte) error {
	s := string(b)
	reason, no := strings.CutPrefix(s, "no ")
	switch {
	case s == "ok":
		return nil
	case no && reason != "" && len(b) <= maxFrame && plain(reason) == reason:
		return &RefusedError{reason}
	}
	return fmt.Errorf("an answer that is none: %.40q", s)
}

// RefusedError is the guard's answer to a request that it did not carry out.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }
