package station

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/capture/synth"
	"intercom/door"
	"intercom/door/access"
	"intercom/hw"
	"intercom/hw/relay"
	"intercom/hw/sim"
	"intercom/internal/control"
	"intercom/internal/journal"
	"intercom/signaling"
	"intercom/signaling/memory"
)

const (
	doorID  signaling.UserID = 1001
	anna    signaling.UserID = 2001
	ben     signaling.UserID = 2002
	mallory signaling.UserID = 2009
)

// rig is a station on simulated lines, a virtual network and memory signaling, in a bubble.
type rig struct {
	*Station
	t       *testing.T
	world   *callcoretest.World
	board   *sim.Board
	link    *memory.Client
	journal string
	events  []control.Event
	more    chan control.Event
	stop    func() error
}

// chat is memory signaling that runs like a connection.
type chat struct {
	*memory.Client
	report func(error)
}

func (c *chat) Run(ctx context.Context) error {
	c.report(nil)
	<-ctx.Done()
	c.SetLink(false) // nothing is sent by a connection that has ended
	return ctx.Err()
}

// coder makes packets of nothing.
type coder struct{ out func(*capture.Packet) }

func (c *coder) Encode(f *capture.Frame) error {
	var pool capture.PacketPool
	p := pool.Get(100)
	p.Time, p.Key, p.Codec = f.Time, true, capture.VP8
	c.out(p)
	p.Release()
	return nil
}
func (c *coder) Set(capture.Target) error { return nil }
func (c *coder) Close() error             { return nil }

// voice codes sound as one byte.
type voice struct{}

func (voice) Encode(_ []int16, dst []byte) (int, error) { dst[0] = 0xf8; return 3, nil }
func (voice) Decode(_ []byte, pcm []int16) (int, error) {
	return min(len(pcm), capture.PeriodSamples), nil
}
func (voice) Recover([]byte, []int16) error { return nil }
func (voice) Expect(float64) error          { return nil }
func (voice) Close() error                  { return nil }

// byAccount lets residents open without a key.
var byAccount = []access.Rule{{Lock: "door", Call: true, Account: true}}

func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, world: callcoretest.NewWorld(t), more: make(chan control.Event, 1000)}
	r.journal = filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(r.journal, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if r.board, err = sim.New(sim.Config{Names: []string{"call", "hang-up", "status", "door"}}); err != nil {
		t.Fatal(err)
	}
	cam, err := synth.NewCamera(synth.CameraConfig{Width: 160, Height: 120, FPS: 5})
	if err != nil {
		t.Fatal(err)
	}
	card, err := synth.NewDuplex(synth.DuplexConfig{})
	if err != nil {
		t.Fatal(err)
	}
	r.link = r.world.Join(doorID, "door")
	cfg := Config{
		Version: "test",
		Door: door.Config{
			Buttons:   []door.Button{{Name: "call", Residents: []signaling.UserID{anna, ben}}, {Name: "hang-up", HangUp: true}},
			Residents: []door.Resident{{ID: anna, Name: "Anna", MayCall: true, Opens: byAccount}, {ID: ben, Name: "Ben", Opens: byAccount}},
			Locks:     []door.Lock{{Name: "door", Pause: time.Second}}, Longest: time.Minute, Retry: 20 * time.Second,
		},
		Buttons: []Button{{"Ring", hw.Line{Name: "call"}}, {"Hang up", hw.Line{Name: "hang-up"}}},
		Lines:   r.board, Light: hw.Line{Name: "status"},
		Locks:   relay.Config{Locks: []relay.Lock{{Line: hw.Line{Name: "door"}, OnTime: 3 * time.Second, Max: 5 * time.Second, Pause: time.Second}}},
		NewChat: func(report func(error)) (Chat, error) { return &chat{r.link, report}, nil },
		Timers:  callcore.Timers{Answer: 30 * time.Second},
		Net:     r.world.Net(),
		Camera:  cam, Format: cam.Format(), Codecs: []capture.Codec{capture.VP8},
		Encoders:        map[capture.Codec]capture.NewEncoder{capture.VP8: func(_ capture.Format, out func(*capture.Packet)) (capture.Encoder, error) { return &coder{out}, nil }},
		Duplex:          card,
		NewSoundEncoder: func() (capture.SoundEncoder, error) { return voice{}, nil },
		NewSoundDecoder: func() (capture.SoundDecoder, error) { return voice{}, nil },
		Speaker:         card.Speaker().Level,
		Journal:         j,
	}
	if change != nil {
		change(&cfg)
	}
	if r.Station, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		r.Watch(ctx, 0, func(e control.Event) error { r.more <- e; return nil })
	}()
	synctest.Wait() // the watcher is there before anything happens
	go func() { done <- r.Run(ctx) }()
	r.stop = func() error {
		cancel()
		<-watched
		err := <-done
		j.Close()
		return err
	}
	r.expect(control.LinkUp)
	return r
}

// expect waits for the next event of a type.
func (r *rig) expect(typ string) control.Event {
	r.t.Helper()
	for limit := time.After(2 * time.Minute); ; {
		select {
		case e := <-r.more:
			r.events = append(r.events, e)
			if e.Type == typ {
				return e
			}
		case <-limit:
			r.t.Fatalf("no event %q; there were %v", typ, r.events)
		}
	}
}

func (r *rig) end() {
	r.t.Helper()
	if err := r.stop(); err != nil {
		r.t.Errorf("the station ended with %v", err)
	}
}

// press puts a finger on a simulated button.
func (r *rig) press(name string) {
	r.t.Helper()
	if err := r.board.Press(name); err != nil {
		r.t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if err := r.board.Release(name); err != nil {
		r.t.Fatal(err)
	}
}

func TestVisitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna, Device: "phone-a"})
		b := r.world.Phone(callcoretest.Spec{User: ben, Device: "phone-b"})

		if st := r.Status(); st.State != "idle" || st.Camera || st.Call != nil || len(st.Health) != 0 || !st.Link.Up {
			t.Errorf("before: %+v", st)
		}
		r.press("call")
		r.expect(control.Pressed)
		r.expect(control.Ringing)
		call := callcoretest.Await[callcore.Incoming](a)
		benCall := callcoretest.Await[callcore.Incoming](b)
		if !r.board.Active("status") {
			t.Error("the light is off while phones ring")
		}
		if err := call.Session.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		answered := r.expect(control.Answered)
		if answered.User != int64(anna) || answered.Call == "" {
			t.Errorf("answered: %+v", answered)
		}
		callcoretest.Await[callcore.Closed](b) // Ben's phone falls silent
		r.expect(control.Connected)
		time.Sleep(time.Second)
		if st := r.Status(); st.State != "talking" || !st.Camera || st.Call.Device != "phone-a" || !st.Call.Media || st.Call.Codec != string(capture.VP8) {
			t.Errorf("in the call: %+v, call %+v", st, st.Call)
		}

		// Ben was called too, and is not in the call.
		unlock := map[string]string{"command": "unlock"}
		benCall.Session.Update(t.Context(), unlock)
		if err := call.Session.Update(t.Context(), unlock); err != nil {
			t.Fatal(err)
		}
		opened := time.Now()
		if e := r.expect(control.Opened); e.User != int64(anna) {
			t.Errorf("opened: %+v", e)
		}
		if told := callcoretest.Await[callcore.Updated](a); told.Info["event"] != "opened" || !r.board.Active("door") {
			t.Errorf("told %v, door active %v", told.Info, r.board.Active("door"))
		}
		r.expect(control.Locked)
		if d := time.Since(opened).Round(100 * time.Millisecond); r.board.Active("door") || d != 3*time.Second {
			t.Errorf("the lock was open for %v, and is now %v; want 3 s", d, r.board.Active("door"))
		}

		r.press("hang-up")
		if e := r.expect(control.Ended); e.Reason != "hung up here" {
			t.Errorf("ended: %+v", e)
		}
		callcoretest.Await[callcore.HungUp](a)
		time.Sleep(time.Second)
		if st := r.Status(); st.State != "idle" || st.Camera || r.board.Active("status") {
			t.Errorf("after: %+v", st)
		}
	})
}

func TestNobodyElseOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		m := r.world.Phone(callcoretest.Spec{User: mallory})
		b := r.world.Phone(callcoretest.Spec{User: ben})

		// A stranger who calls, and one who may open but not call.
		for _, p := range []*callcoretest.Phone{m, b} {
			s := p.Call(signaling.Video, doorID)
			e := r.expect(control.Refused)
			if e.User != int64(p.User) || e.Reason == "" {
				t.Errorf("refused: %+v", e)
			}
			if told := callcoretest.Await[callcore.Rejected](p); told.Info["reason"] != e.Reason {
				t.Errorf("told %v, want %q", told.Info, e.Reason)
			}
			callcoretest.Await[callcore.Closed](p)
			// What is said in a call that was refused is heard, and refused too.
			raw := &signaling.Signal{Kind: signaling.Update, Peer: doorID, Session: s.ID(), Initiator: p.User,
				Opponents: []signaling.UserID{doorID}, CallType: signaling.Video, Info: map[string]string{"command": "unlock"}}
			if err := p.Link.Send(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
			if e := r.expect(control.Refused); e.User != int64(p.User) || e.Reason == "" {
				t.Errorf("refused: %+v", e)
			}
		}
		if h := r.board.History("door"); len(h) != 1 || h[0].High {
			t.Errorf("the lock's line moved: %v", h)
		}
	})
}

func TestResidentCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna})
		s := a.Call(signaling.Video, doorID)
		r.expect(control.Incoming)
		callcoretest.Await[callcore.Accepted](a)
		r.expect(control.Connected)
		if err := s.Update(t.Context(), map[string]string{"command": "unlock"}); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Opened)
		if err := s.HangUp(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Ended)
		r.expect(control.Locked) // the opening outlives the call, not the guard's time
	})
}

func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna})
		b := r.world.Phone(callcoretest.Spec{User: ben})
		r.press("call")
		start := time.Now()
		if err := callcoretest.Await[callcore.Incoming](b).Session.Reject(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if e := r.expect(control.Declined); e.User != int64(ben) {
			t.Errorf("declined: %+v", e)
		}
		callcoretest.Await[callcore.Incoming](a)
		r.expect(control.NotAnswered)
		if d := time.Since(start).Round(time.Second); d != 30*time.Second {
			t.Errorf("it rang for %v, want 30 s", d)
		}
	})
}

func TestPressWithoutALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna})
		r.link.SetLink(false)
		r.expect(control.LinkDown)
		if st := r.Status(); st.Link.Up || st.Light != "fault" {
			t.Errorf("without a link: %+v", st)
		}
		r.press("call")
		r.expect(control.Pressed)
		time.Sleep(5 * time.Second)
		r.link.SetLink(true)
		r.expect(control.Ringing) // the visitor still waits
		callcoretest.Await[callcore.Incoming](a)
		if err := r.HangUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Ended)
		callcoretest.Await[callcore.HungUp](a)
	})
}

func TestJournalAndPress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		if err := r.Press(t.Context(), "bell"); err == nil || !strings.Contains(err.Error(), "there are: call, hang-up") {
			t.Errorf("unknown button: %v", err)
		}
		if err := r.Press(t.Context(), "hang-up"); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Pressed)
		r.end()
		if err := r.Press(t.Context(), "call"); !errors.Is(err, errStopping) {
			t.Errorf("after the end: %v", err)
		}
		f, err := os.Open(r.journal)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var types []string
		for s := bufio.NewScanner(f); s.Scan(); {
			var e control.Event
			if err := json.Unmarshal(s.Bytes(), &e); err != nil || e.Text == "" || e.Time.IsZero() {
				t.Errorf("line %s: %v", s.Text(), err)
			}
			types = append(types, e.Type)
		}
		if want := []string{control.Started, control.LinkUp, control.Pressed, control.Stopped}; !slices.Equal(types, want) {
			t.Errorf("the journal has %v, want %v", types, want)
		}
	})
}

// A caller chooses the id of his call, which must not pass for one of ours.
func TestStrangerCallsAsTheButtonIsPressed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna})
		m := r.world.Script(mallory, "phone")
		offer := m.Offer()
		for round := range 5 {
			m.Post(signaling.Signal{Kind: signaling.Call, Session: strconv.Itoa(round + 1), Peer: doorID, Initiator: mallory,
				Opponents: []signaling.UserID{doorID}, CallType: signaling.Video, SDP: offer})
			time.Sleep(5 * time.Millisecond)
			if err := r.Press(t.Context(), "call"); err != nil {
				t.Fatal(err)
			}
			callcoretest.Await[callcore.Incoming](a)
			time.Sleep(time.Second)
			if st := r.Status(); st.State != "calling" {
				t.Fatalf("round %d: phones ring, and the door is %s", round, st.State)
			}
			if err := r.HangUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			callcoretest.Await[callcore.HungUp](a)
		}
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Camera = brokenCamera{} })
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna})
		r.press("call")
		callcoretest.Await[callcore.Incoming](a)
		if e := r.expect(control.HealthChanged); e.Name != "camera" || !strings.Contains(e.Reason, "unplugged") {
			t.Errorf("health: %+v", e)
		}
		if st := r.Status(); len(st.Health) != 1 || st.Health[0].Name != "camera" {
			t.Errorf("status: %+v", st.Health)
		}
	})
}

type brokenCamera struct{}

func (brokenCamera) Run(context.Context, func(*capture.Frame)) error {
	return errors.New("camera unplugged")
}

func TestNewRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board, err := sim.New(sim.Config{Names: []string{"call"}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(Config{Lines: board, Light: hw.Line{Name: "status"}, Locks: relay.Config{Locks: []relay.Lock{{Line: hw.Line{Name: "door"}}}}})
		if err == nil || !strings.Contains(err.Error(), "status") {
			t.Errorf("a light without a line: %v", err)
		}
		// What was taken before is given back.
		if _, err := board.Inputs(hw.Line{Name: "call"}); err != nil {
			t.Errorf("the button is still taken: %v", err)
		}
	})
}
