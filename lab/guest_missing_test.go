//go:build e2e && lab

package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
	"intercom/lab/vm"
)

// TestGuestMissing gives the door devices that are not there, or that somebody else uses.
// Without a line it does not start, and says what is wrong; without camera and card it still
// rings and opens.
func TestGuestMissing(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	d := g.startDoor(t, guestSettings(s, with(t, realDevices, `source = "v4l2:vivid"`, `source = "v4l2:Doorbell"`,
		`microphone = "alsa:Loop"`, `microphone = "alsa:Headset"`, `loudspeaker = "alsa:Loop"`, `loudspeaker = "alsa:Headset"`)))
	d.begin(t)

	t.Run("lines", func(t *testing.T) { g.refusedLines(t, s) })
	t.Run("devices", func(t *testing.T) { g.listsDevices(t) })

	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})
	t.Run("no camera, no card", func(t *testing.T) {
		// It is known before the first visitor comes.
		d.suffers(t, "camera", "Doorbell")
		d.suffers(t, "sound", "Headset")
		g.answerBlind(t, d, a)
		d.suffers(t, "camera", "Doorbell")
		d.suffers(t, "sound", "Headset")
		g.checkOpening(t, d, a)
		a.hangsUp(t, d)
	})

	must(t, d.stop())
	d = g.startDoor(t, guestSettings(s, realDevices))
	d.begin(t)
	t.Run("camera in use", func(t *testing.T) {
		user := g.start(t, "user", vm.Command{Args: []string{"v4l2-ctl", "-d", "/dev/video0", "--stream-mmap", "--stream-to=/dev/null"}})
		must(t, user.await(soon, func() error {
			_, err := g.Shell(t.Context(), "ls -l /proc/*/fd 2>/dev/null | grep -q /dev/video0")
			return err
		}))
		time.Sleep(time.Second) // until it streams
		g.answerBlind(t, d, a)
		d.suffers(t, "camera", "/dev/video0")
		s, err := d.ask()
		must(t, err)
		if len(s.Health) == 0 || !strings.Contains(s.Health[0].Text, "another program uses it") {
			t.Errorf("got %+v, want that another program uses the camera", s.Health)
		}
		must(t, user.stop())
		a.sees(t)
		d.recovers(t, "camera")
		g.checkPicture(t, a)
		a.hangsUp(t, d)
	})
}

// answerBlind is a visit at a door that may show no picture.
func (g *guest) answerBlind(t *testing.T, d *door, a *phone) {
	t.Helper()
	g.tap(t, vm.ButtonCall)
	a.next(t, soon, "call-received")
	must(t, a.Click(t.Context(), quick, "#answer"))
	d.expect(t, soon, control.Answered)
	d.expect(t, soon, control.Connected)
}

// refusedLines starts doors on lines that do not exist, or are another door's. Without its
// buttons a door does not start. Without its lock it does, and rings: the lock stays shut.
func (g *guest) refusedLines(t *testing.T, s *sandboxServer) {
	const button, light, lock = `line = "BTN_CALL2"`, `line = "LIGHT"`, `line = "RELAY_GATE"`
	free := with(t, realDevices, `line = "BTN_CALL"`, button, `line = "BTN_HANGUP"`, `line = ""`, `line = "LED_STATUS"`, light, `line = "RELAY_DOOR"`, lock)
	for _, tt := range []struct {
		name, old, line string
		starts          bool
		want            []string
	}{
		{"a button that does not exist", button, "BTN_NONE", false, []string{"BTN_NONE", "there is no such line", "intercom devices"}},
		{"a chip that does not exist", light, "gpiochip9:1", false, []string{"gpiochip9:1", "there is no such line"}},
		{"a button of another door", button, vm.ButtonCall, false, []string{vm.ButtonCall, `in use by "intercom"`}},
		{"a lock that does not exist", lock, "panel:99", true, []string{"the station started", "the lock stays shut", "panel:99", "lines 0 to 15"}},
		{"a lock of another door", lock, vm.RelayDoor, true, []string{"the station started", "the lock stays shut", vm.RelayDoor, "in use by"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := guestSettings(s, with(t, free, tt.old, fmt.Sprintf("line = %q", tt.line)))
			must(t, g.Put(t.Context(), "/tmp/wrong.toml", 0o600, []byte(config)))
			var said words
			p, err := g.Start(t.Context(), vm.Command{Args: []string{guestProgram, "run", "--config", "/tmp/wrong.toml", "--control", "/tmp/wrong.sock"}, Stderr: &said})
			must(t, err)
			if err := said.await(2*soon, p.Ended(), tt.want...); err != nil {
				t.Error(err)
			}
			if started := strings.Contains(said.String(), "the station started"); started != tt.starts {
				t.Errorf("the door starts: %v, want %v", started, tt.starts)
			}
			if tt.starts {
				must(t, p.Signal(t.Context(), syscall.SIGTERM))
			} else {
				t.Log(strings.TrimSpace(said.String()))
			}
			var e *vm.ExitError
			if err := p.Wait(2 * soon); !errors.As(err, &e) || tt.starts && !strings.Contains(e.Stderr, "not known to be safe") {
				t.Errorf("the end: got %v, want that it has not been in order", err)
			}
		})
	}
}

// words are what a program has written so far.
type words struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// await waits until all of want are written, at the latest when the program has ended.
func (w *words) await(limit time.Duration, ended <-chan struct{}, want ...string) error {
	for late, last := time.Now().Add(limit), false; ; {
		text := w.String()
		missing := slices.DeleteFunc(slices.Clone(want), func(word string) bool { return strings.Contains(text, word) })
		if len(missing) == 0 {
			return nil
		}
		if last || time.Now().After(late) {
			return fmt.Errorf("%q does not say %q", text, missing)
		}
		select {
		case <-ended:
			last = true // it may have written something just before
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// listsDevices asks for the list of devices: it has the camera, the cards and the panel, and
// nothing that is no camera.
func (g *guest) listsDevices(t *testing.T) {
	text, err := g.Run(t.Context(), guestProgram, "devices")
	must(t, err)
	for _, want := range []string{`"v4l2:platform:vivid-000"`, "/dev/video0", "would use", `"alsa:Loop"`, "microphone yes, loudspeaker yes", "(panel), 16 lines",
		vm.ButtonCall + `, input in use by "intercom"`, vm.RelayDoor + `, output in use by "intercom"`, vm.Light, "H264"} {
		if !strings.Contains(text, want) {
			t.Errorf("the list does not have %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	text, err = g.Run(t.Context(), guestProgram, "devices", "--format", "json")
	must(t, err)
	var list struct {
		Cameras []struct {
			Path, Driver, Chosen string
			Modes                []any
		}
		Sound []struct{ ID string }
		Chips []struct {
			Label string
			Lines []struct {
				Name string
				Used bool
			}
		} `json:"gpio_chips"`
	}
	must(t, json.Unmarshal([]byte(text), &list))
	// Codecs, and a loopback that nothing feeds, are no cameras.
	if len(list.Cameras) != 1 || list.Cameras[0].Driver != "vivid" || list.Cameras[0].Chosen == "" || len(list.Cameras[0].Modes) == 0 {
		t.Errorf("cameras: got %+v, want vivid alone", list.Cameras)
	}
	if len(list.Sound) != 2 || list.Sound[0].ID != "Loop" {
		t.Errorf("sound cards: got %+v, want Loop and Dummy", list.Sound)
	}
	if len(list.Chips) != 1 || list.Chips[0].Label != "panel" || len(list.Chips[0].Lines) != 16 ||
		!slices.ContainsFunc(list.Chips[0].Lines, func(l struct {
			Name string
			Used bool
		}) bool {
			return l.Name == vm.ButtonCall && l.Used
		}) {
		t.Errorf("GPIO chips: got %+v, want the panel", list.Chips)
	}
}
