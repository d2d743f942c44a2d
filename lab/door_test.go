//go:build e2e

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"intercom/internal/control"
)

// door is a running station, driven over its control socket.
type door struct {
	*process
	socket string
	page   string // the address of its page, if it has one

	mu     sync.Mutex
	events []control.Event // all so far
	more   chan struct{}   // closed and replaced with each
	from   int             // where the current test's events begin; the next one to expect
}

// demo is `intercom demo`: a door, our server for its residents, and its page.
type demo struct {
	*door
	server // for phones
}

// doorTone is the frequency of the door's microphone, in Hz.
const doorTone = 523

// ringTime is how long phones ring: short, because a test waits for it to be over, and
// longer than any test takes to answer.
const ringTime = 8 * time.Second

// eventsShown is how many of a door's last events the report of a failure has.
const eventsShown = 30

// settings are the same for all doors of the lab. The lock's times are short so that
// tests which open it one after the other need not wait. Cues are off: what the loudspeaker
// plays is to be the residents'.
const settings = `
[sound]
tone = %d

[cues]
play = false

[call]
ring = "%v"
dialing = "2s"

[[lock]]
name = "door"
open = "1s"
longest = "2s"
pause = "100ms"

[access]
account_interval = "1s"
`

// intercom builds the program, once for the run.
var intercom = sync.OnceValues(func() (string, error) {
	program := filepath.Join(lab.root, "build", "lab", "intercom")
	cmd := exec.Command("go", "build", "-o", program, "./cmd/intercom")
	cmd.Dir = lab.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build intercom: %w\n%s", err, out)
	}
	return program, nil
})

// startDoor runs the program with a configuration file of this text, and with env added
// to its environment; by way of wrap, a command that runs another one, unless that is nil.
func startDoor(name, config string, wrap, env []string, command string, args ...string) (*door, error) {
	program, err := intercom()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(lab.out, name+".toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	all := slices.Concat(wrap, []string{program, command, "--config", file}, args)
	cmd := exec.Command(all[0], all[1:]...)
	cmd.Env = append(os.Environ(), env...)
	p, err := startProcess(name, cmd)
	if err != nil {
		return nil, err
	}
	return &door{process: p, more: make(chan struct{})}, nil
}

// newSocket returns a path for a control socket: short, because the kernel allows 107
// bytes, which lab/out may exceed.
func newSocket() (string, error) {
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		return "", err
	}
	lab.atEnd(func() error { return os.RemoveAll(dir) })
	return filepath.Join(dir, "control"), nil
}

// startDemo starts a demo, with more settings than all doors have, and with env added to
// its environment.
func startDemo(name, more string, env ...string) (*demo, error) {
	return startDemoIn(nil, name, more, env...)
}

func startDemoIn(wrap []string, name, more string, env ...string) (*demo, error) {
	socket, err := newSocket()
	if err != nil {
		return nil, err
	}
	d, err := startDoor(name, fmt.Sprintf(settings, doorTone, ringTime)+more, wrap, env, "demo",
		"--listen", "127.0.0.1:0", "--control", socket, "--sdk", filepath.Join(lab.root, "build", "sdk"))
	if err != nil {
		return nil, err
	}
	if err := d.connect(socket); err != nil {
		return nil, err
	}
	m := &demo{door: d}
	for key, to := range map[string]*string{"page": &d.page, "rest": &m.rest, "websocket": &m.websocket} {
		if err := d.await(5*time.Second, func() (err error) { *to, err = d.address(key); return err }); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// connect waits until the station answers and reaches its chat server, and begins to
// record its events.
func (d *door) connect(socket string) error {
	d.socket = socket
	if err := d.await(30*time.Second, func() error {
		s, err := d.ask()
		if err == nil && !s.Link.Up {
			err = fmt.Errorf("it does not reach its chat server: %s", s.Link.Reason)
		}
		return err
	}); err != nil {
		return err
	}
	c, err := control.Dial(context.Background(), socket)
	if err != nil {
		return err
	}
	over := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { over <- c.Events(ctx, d.record) }()
	lab.atEnd(func() error {
		cancel()
		defer c.Close()
		if err := <-over; err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			return fmt.Errorf("events of %s: %w", d.name, err)
		}
		return nil
	})
	return nil
}

func (d *door) record(e control.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
	close(d.more)
	d.more = make(chan struct{})
	return nil
}

func (d *door) ask() (control.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := control.Dial(ctx, d.socket)
	if err != nil {
		return control.Status{}, err
	}
	defer c.Close()
	return c.Status(ctx)
}

// begin gives the door to a test: idle, shut, with events from now on. Afterwards its
// call, if there still is one, is ended; of a test that failed, its events are shown.
func (d *door) begin(t *testing.T) {
	t.Helper()
	d.settle(t)
	d.mu.Lock()
	d.from = len(d.events)
	begun := d.from
	d.mu.Unlock()
	t.Cleanup(func() {
		if t.Failed() {
			d.mu.Lock()
			for _, e := range d.events[max(begun, len(d.events)-eventsShown):] {
				t.Logf("door: %s %s user=%d name=%q reason=%q", e.Time.Format("15:04:05.000"), e.Type, e.User, e.Name, e.Reason)
			}
			d.mu.Unlock()
			s, err := d.ask()
			t.Logf("door: %+v %v", s, err)
		}
		if s, err := d.ask(); err == nil && s.State != "idle" {
			d.hangUp(t)
		}
	})
}

// settle waits until the door is idle and its locks are shut.
func (d *door) settle(t *testing.T) {
	t.Helper()
	d.until(t, 10*time.Second, "idle and shut", func(s control.Status) bool {
		return s.State == "idle" && !slices.ContainsFunc(s.Locks, func(l control.Lock) bool { return l.Open })
	})
}

// until waits until the door's status is as it should be.
func (d *door) until(t *testing.T, limit time.Duration, what string, ok func(control.Status) bool) control.Status {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		s, err := d.ask()
		switch {
		case err != nil:
			t.Fatal(err)
		case ok(s):
			return s
		case time.Now().After(end):
			t.Fatalf("the door is not %s within %v: %+v", what, limit, s)
		}
		time.Sleep(20 * time.Millisecond) // another process: nothing to wait on
	}
}

// expect waits for the next event of the type, passing over others, and returns it.
func (d *door) expect(t *testing.T, limit time.Duration, kind string) control.Event {
	t.Helper()
	late := time.After(limit)
	for {
		d.mu.Lock()
		i := slices.IndexFunc(d.events[d.from:], func(e control.Event) bool { return e.Type == kind })
		more := d.more
		if i >= 0 {
			e := d.events[d.from+i]
			d.from += i + 1
			d.mu.Unlock()
			return e
		}
		d.mu.Unlock()
		select {
		case <-more:
		case <-late:
			t.Fatalf("the door did not report %q within %v", kind, limit)
		}
	}
}

// never fails the test if the door has reported an event of the type since it began.
func (d *door) never(t *testing.T, begun int, kind string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events[begun:] {
		if e.Type == kind {
			t.Errorf("the door reported %q: %s", kind, e.Text)
		}
	}
}

// count returns how many events there have been so far.
func (d *door) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events)
}

// press presses the call button and returns when.
func (d *door) press(t *testing.T) time.Time {
	t.Helper()
	return d.pressNamed(t, "call")
}

// pressNamed presses a button and returns when.
func (d *door) pressNamed(t *testing.T, button string) time.Time {
	t.Helper()
	at := time.Now()
	d.drive(t, "press", func(ctx context.Context, c *control.Client) error { return c.Press(ctx, button) })
	return at
}

// hangUp presses the hang-up button.
func (d *door) hangUp(t *testing.T) {
	t.Helper()
	d.drive(t, "hang up", func(ctx context.Context, c *control.Client) error { return c.HangUp(ctx) })
}

func (d *door) drive(t *testing.T, what string, f func(context.Context, *control.Client) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := control.Dial(ctx, d.socket)
	if err == nil {
		defer c.Close()
		err = f(ctx, c)
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// hears waits until the door's loudspeaker plays a tone of that frequency.
func (d *door) hears(t *testing.T, limit time.Duration, tone float64) {
	t.Helper()
	d.until(t, limit, fmt.Sprintf("playing %.0f Hz", tone), func(s control.Status) bool {
		return s.Speaker.On && s.Speaker.DBFS > -40 && max(s.Speaker.Frequency-tone, tone-s.Speaker.Frequency) <= toneError
	})
}
