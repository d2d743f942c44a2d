package callcore_test

import (
	"bytes"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// hostCandidate matches the address of a host candidate.
var hostCandidate = regexp.MustCompile(`(?m)^(a=candidate:\S+ \d \S+ \d+ )\S+( \d+ typ host)`)

// TestHiddenAddresses: a phone's candidates are names under .local that nobody resolves, as
// where multicast does not get through. Its own checks lead to it, at once. That there is
// no multicast is told once.
func TestHiddenAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		var log bytes.Buffer
		door := w.Phone(callcoretest.Spec{User: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		phone := w.Script(2, "phone")
		for range 2 {
			s := door.Call(signaling.Audio, 2)
			call := phone.Await(signaling.Call)
			answer := hostCandidate.ReplaceAllString(phone.Answer(call.SDP), "${1}1f4712db-ea17-4bcf-a596-105139dfd8bf.local$2")
			if !strings.Contains(answer, ".local ") {
				t.Fatalf("no host candidates to hide:\n%s", answer)
			}
			begun := time.Now()
			phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: answer})
			callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
			if took := time.Since(begun); took > 500*time.Millisecond {
				t.Errorf("connected after %v", took)
			}
			if err := s.HangUp(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			phone.Renew()
		}
		door.Stop()
		if got := strings.Count(log.String(), "mDNS"); got != 1 || !strings.Contains(log.String(), "no multicast DNS") {
			t.Errorf("the log tells of mDNS %d times, want once:\n%s", got, log.String())
		}
	})
}
