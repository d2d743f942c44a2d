package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// StatusError is an answer of the server that says no. Anything else that can go wrong,
// such as a server that is not reached, is another error.
type StatusError struct {
	Resource string   // "session", "users", ...
	Status   int      // of HTTP
	Messages []string // the server's; may be empty
	Location string   // where a redirect points, which is not followed
	// ClockAhead is how far this machine's clock is ahead of the server's; 0 if the server
	// did not tell the time.
	ClockAhead time.Duration
}

// maxSkew is how far the clock may be off for a signature to count (QuickBlox: an hour).
const maxSkew = 55 * time.Minute

// Error returns what happened and, where that is known, what to do.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("rest: %s: %d %s", e.Resource, e.Status, http.StatusText(e.Status))
	if len(e.Messages) > 0 {
		text += ": " + strings.Join(e.Messages, "; ")
	}
	switch {
	case e.Resource == "session" && e.clockWrong():
		direction := "ahead of"
		if e.ClockAhead < 0 {
			direction = "behind"
		}
		text += fmt.Sprintf(" (this machine's clock is %v %s the server's)", e.ClockAhead.Abs(), direction)
	case e.Resource == "session" && e.Status == http.StatusUnauthorized:
		text += " (check account.login and account.password)"
	case e.Resource == "session" && e.Status == http.StatusUnprocessableEntity:
		text += " (check application_id, auth_key, auth_secret and this machine's clock)"
	case e.Resource == "account_settings" && e.Status == http.StatusUnauthorized:
		text += " (check account.account_key)"
	case e.Status == http.StatusTooManyRequests:
		text += " (the account's plan allows no more requests for now)"
	case e.Status >= 300 && e.Status < 400:
		text += fmt.Sprintf(" (it sends us to %.200q; redirects are not followed, check server.api)", e.Location)
	}
	return text
}

// Auth tells whether the credentials are at fault: trying again as things are is no use.
// A clock that is off is not: it will be set.
func (e *StatusError) Auth() bool {
	switch e.Status {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return e.Resource == "session" || e.Resource == "account_settings"
	case http.StatusUnprocessableEntity:
		return e.Resource == "session" && !e.clockWrong()
	}
	return false
}

// clockWrong tells whether a signature was refused because of the clock.
func (e *StatusError) clockWrong() bool {
	return e.Status == http.StatusUnprocessableEntity && e.ClockAhead.Abs() > maxSkew
}

// maxMessages bounds what is kept of an error's body.
const maxMessages = 8

// messages reads the texts of an error body, of which there are several shapes:
// {"errors": ["..."]}, {"errors": {"base": ["..."]}}, {"code": ..., "message": ...}.
func messages(body []byte) []string {
	var r struct {
		Errors  json.RawMessage `json:"errors"`
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(body, &r) != nil {
		return nil
	}
	var list []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" && len(list) < maxMessages {
			list = append(list, fmt.Sprintf("%.200s", s))
		}
	}
	var one string
	var many []string
	var fields map[string]json.RawMessage
	switch {
	case json.Unmarshal(r.Errors, &many) == nil:
		for _, s := range many {
			add(s)
		}
	case json.Unmarshal(r.Errors, &one) == nil:
		add(one)
	case json.Unmarshal(r.Errors, &fields) == nil:
		names := make([]string, 0, len(fields))
		for n := range fields {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			prefix := n + " "
			if n == "base" {
				prefix = ""
			}
			many, one = nil, ""
			if json.Unmarshal(fields[n], &many) != nil && json.Unmarshal(fields[n], &one) == nil {
				many = []string{one}
			}
			for _, s := range many {
				add(prefix + s)
			}
		}
	}
	if json.Unmarshal(r.Message, &one) == nil && len(list) == 0 {
		add(one)
	}
	return list
}
