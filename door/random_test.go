package door

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"intercom/door/access"
	"intercom/signaling"
)

// TestNeverOpensByItself drives the table at random and holds every Open against what an
// observer knows of the call, kept apart from the table's own state.
func TestNeverOpensByItself(t *testing.T) {
	users := []signaling.UserID{anna, anna, anna, ben, carla, mallory, 0, -1}
	calls := []string{"", "1", "2", "3", "s"}
	commands := []string{CommandUnlock, CommandUnlock, CommandUnlock, "", "UNLOCK"}
	r := rand.New(rand.NewPCG(1, 2))
	var typing []Input
	any := func(call string) Input {
		if len(typing) > 0 && r.IntN(10) > 0 {
			in := typing[0]
			typing = typing[1:]
			return in
		}
		if r.IntN(40) == 0 {
			typing = keys([]string{"*1234#", "1234#", "*1235#", "**1234#", "*12C34#"}[r.IntN(5)])
		}
		u, c := users[r.IntN(len(users))], calls[r.IntN(len(calls))]
		if r.IntN(2) == 0 {
			c = call // the door's own
		}
		return []Input{
			Pressed{Button: "call"}, Pressed{Button: "hang-up"}, Pressed{Button: "?"}, LinkChanged{r.IntN(4) > 0}, Incoming{c, u}, Answered{c, u}, Declined{c, u}, MediaStarted{c, u},
			Asked{Call: c, Session: "S", User: u, Command: commands[r.IntN(len(commands))], Live: r.IntN(2) == 0}, Asked{Call: c, Session: "S", User: u, Command: CommandUnlock, Live: true},
			Asked{Call: c, Session: "S", User: u, Command: CommandUnlock, NotLive: "no media"},
			Ended{c, End(r.IntN(4)), "x"}, LockChanged{Lock: "door", Open: r.IntN(2) == 0}, LockChanged{Lock: "other", Open: true}, LockFailed{"door", "x"}, Fault{r.IntN(2) == 0}, Wake{}, nil,
		}[r.IntN(18)]
	}
	cfg := setup()
	cfg.Residents[0].PIN = "1234"
	cfg.Residents[0].Opens = []access.Rule{{Lock: "door", Call: true, Account: true, Keypad: true}}
	first, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	opens, codes, refusals := 0, 0, 0
	for range 4000 {
		x := &table{t: t, state: first, now: time.Unix(1e9, 0)}
		typed := ""                              // all keys so far
		talking, with := "", signaling.UserID(0) // the observer's: from effects and inputs
		ringing := ""
		var lastOpen time.Time
		for range 100 {
			in := any(x.state.Call)
			x.now = x.now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			if a, ok := in.(Answered); ok && a.Call == ringing && ringing != "" && (a.User == anna || a.User == ben || a.User == carla) {
				talking, with, ringing = a.Call, a.User, ""
			}
			if e, ok := in.(Ended); ok {
				if e.Call == talking {
					talking = ""
				}
				if e.Call == ringing {
					ringing = ""
				}
			}
			if k, ok := in.(Key); ok {
				typed += string(k.Symbol)
			}
			before := x.state
			var effects []Effect
			x.state, effects, x.wake = x.state.Next(x.now, in)
			asked, isAsk := in.(Asked)
			granted, refused := false, false
			for _, e := range effects {
				switch e := e.(type) {
				case Ring:
					ringing = e.Call
				case HangUp:
					ringing, talking = "", ""
				case Answer:
					talking, with = e.Call, in.(Incoming).User
				case Open:
					granted = true
					opens++
					if _, key := in.(Key); key && strings.HasSuffix(typed, "*1234#") {
						codes++
					} else if !isAsk || !asked.Live || asked.Command != CommandUnlock || asked.Call == "" || asked.Call != talking || asked.User != with || asked.User != anna && asked.User != ben {
						t.Fatalf("opened by %#v while talking to %d in %q", in, with, talking)
					}
					if !lastOpen.IsZero() && x.now.Sub(lastOpen) < 2*time.Second {
						t.Fatalf("opened again after %v", x.now.Sub(lastOpen))
					}
					lastOpen = x.now
				case Note:
					if e.Text == "" {
						t.Fatalf("a note without a text: %#v", e)
					}
					if e.Type == NoteRefused {
						refused = true
						refusals++
						if e.Reason == "" {
							t.Fatalf("refused without a reason: %#v", e)
						}
					}
				}
			}
			if isAsk && asked.Command != "" && granted == refused {
				t.Fatalf("%#v in %+v: granted %v, refused %v; want one of them", asked, before, granted, refused)
			}
			if in == nil && (len(effects) != 0 || !reflect.DeepEqual(before, x.state)) {
				t.Fatalf("nothing happened, and it did %s", show(effects))
			}
		}
	}
	if opens < 100 || codes < 100 || refusals < 1000 {
		t.Errorf("only %d openings, %d by code, and %d refusals were tried: the test proves little", opens, codes, refusals)
	}
}
