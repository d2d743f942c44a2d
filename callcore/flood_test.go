package callcore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore/callcoretest"
	"intercom/internal/loglimit"
	"intercom/signaling"
)

// TestFloodOfSignals: a stranger sends whatever he can think of, for a moment. The log does not
// grow by more than a few lines of each kind, nor by long ones, and all of it is counted.
func TestFloodOfSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		var log bytes.Buffer // written by the loop alone, and read when it has ended
		door := w.Phone(callcoretest.Spec{User: 1, Device: "door", Logger: slog.New(slog.NewTextHandler(&log, nil))})
		stranger := w.Script(9, "phone")
		const each = 200
		kinds := []signaling.Kind{signaling.Call, signaling.Accept, signaling.Reject, signaling.HangUp, signaling.Candidates, signaling.Update}
		go func() {
			for range door.Events() {
			}
		}()
		for i := range each {
			for _, k := range kinds {
				stranger.Post(signaling.Signal{Kind: k, Peer: 1, Session: fmt.Sprint(i, strings.Repeat("x", 5000)), Initiator: 9, CallType: signaling.Video, SDP: "nonsense"})
			}
			time.Sleep(20 * time.Millisecond) // the stranger's way to the door
		}
		door.Stop()
		lines := strings.Count(log.String(), "\n")
		ignored := strings.Count(log.String(), "signal ignored")
		if ignored != loglimit.OfPeer || lines > 3*loglimit.OfPeer || log.Len() > lines*(2*loglimit.MostText+400) {
			t.Errorf("%d signals made %d lines of %d bytes, of which %d say that one was ignored; want %d", each*len(kinds), lines, log.Len(), ignored, loglimit.OfPeer)
		}
	})
}
