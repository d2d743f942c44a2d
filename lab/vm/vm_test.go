//go:build lab

package vm

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMachine boots one machine and uses all that it can do.
func TestMachine(t *testing.T) {
	c := Config{Guest: filepath.Join("..", "..", "build", "lab", "guest"), Out: t.TempDir()}
	if missing := Missing(c); len(missing) > 0 {
		t.Skip(strings.Join(missing, "; "))
	}
	begun := time.Now()
	m, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Log(m.explain(errors.New("the machine")))
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	t.Logf("booted in %v, %v with waiting for its turn", m.BootTime(), time.Since(begun))
	type part struct {
		name string
		test func(*testing.T, *Machine)
	}
	for _, p := range []part{{"devices", testDevices}, {"run", testRun}, {"sound", testSound}, {"plugs", testPlugs}} {
		t.Run(p.name, func(t *testing.T) { p.test(t, m) })
	}
	t.Run("beside each other", func(t *testing.T) {
		for _, p := range []part{
			{"network", testNetwork}, {"lines", testLines}, {"files", testFiles}, {"dial", testDial}, {"feed", testFeed}, {"screen", testScreen},
		} {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.test(t, m)
			})
		}
	})
	t.Run("clock", func(t *testing.T) { testClock(t, m) })       // late, because a clock may be set again
	t.Run("watchdog", func(t *testing.T) { testWatchdog(t, m) }) // the last: it stops the guest
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shell runs a script that must not fail.
func shell(t *testing.T, m *Machine, script string) string {
	t.Helper()
	out, err := m.Shell(t.Context(), script)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return strings.TrimSpace(out)
}

func testDevices(t *testing.T, m *Machine) {
	for _, tt := range []struct{ script, want string }{
		{"cat /sys/class/video4linux/video0/name", "vivid-000-vid-cap"},
		{"cat /sys/class/video4linux/video10/name", "Feed"},
		{"cat /proc/asound/card0/id /proc/asound/card1/id", "Loop\nDummy"},
		{"cat /sys/bus/gpio/devices/gpiochip0/uevent | grep -c gpiochip0", "1"},
		{"cat /sys/class/watchdog/watchdog0/identity", "i6300ESB timer"},
		{"cat /sys/class/graphics/fb0/virtual_size", "1280,800"},
		{"ls /dev/video0 /dev/snd/pcmC0D0c /dev/gpiochip0 /dev/watchdog0 /dev/fb0 /dev/dri/card0 | wc -l", "6"},
	} {
		if got := shell(t, m, tt.script); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.script, got, tt.want)
		}
	}
	if got := shell(t, m, "v4l2-ctl -d /dev/video0 --list-formats"); !strings.Contains(got, "YUYV") {
		t.Errorf("the camera's formats: got %s, want YUYV among them", got)
	}
	if got := shell(t, m, "cat /sys/class/video4linux/*/name"); !strings.Contains(got, "stateful-encoder") {
		t.Errorf("video devices: got %q, want vicodec's encoder among them", got)
	}
	if log, err := os.ReadFile(filepath.Join(m.out, "serial.log")); err != nil || bytes.Contains(log, []byte("lab: modprobe")) {
		t.Errorf("serial log: got %q, %v, want no module that does not load", log, err)
	}
}

func testRun(t *testing.T, m *Machine) {
	_, err := m.Shell(t.Context(), "echo oh no >&2; exit 3")
	var e *ExitError
	if !errors.As(err, &e) || e.Code != 3 || !strings.Contains(err.Error(), "oh no") {
		t.Errorf("a program that ends with status 3: got %v", err)
	}
	if _, err := m.Run(t.Context(), "nonsense"); err == nil {
		t.Error("a program that does not exist: got no error")
	}

	// What it writes comes while it runs, and a signal reaches it and its children.
	r, w := io.Pipe()
	p, err := m.Start(t.Context(), Command{Args: []string{"sh", "-c", "echo up; sleep 1000; echo down"}, Stdout: w})
	must(t, err)
	up := make([]byte, 3)
	if _, err := io.ReadFull(r, up); err != nil || string(up) != "up\n" {
		t.Errorf("first line: got %q, %v", up, err)
	}
	must(t, p.Signal(t.Context(), syscall.SIGTERM))
	if err := p.Wait(20 * time.Second); !errors.As(err, &e) || e.Code != -1 {
		t.Errorf("after SIGTERM: got %v, want an end by a signal", err)
	}

	// It ends with its context.
	ctx, cancel := context.WithCancel(t.Context())
	p, err = m.Start(ctx, Command{Args: []string{"sleep", "1234"}})
	must(t, err)
	cancel()
	if err := p.Wait(20 * time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: got %v, want %v", err, context.Canceled)
	}
	shell(t, m, "for i in $(seq 50); do ps | grep -q '[s]leep 1234' || exit 0; usleep 100000; done; ps; exit 1")
}

func testFiles(t *testing.T, m *Machine) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	begun := time.Now()
	must(t, m.Put(t.Context(), "/opt/new/file", 0o755, content))
	put := time.Since(begun)
	got, err := m.Get(t.Context(), "/opt/new/file")
	must(t, err)
	if !bytes.Equal(got, content) {
		t.Errorf("got %d bytes, not the %d that were put", len(got), len(content))
	}
	t.Logf("16 MB: put in %v, got in %v", put, time.Since(begun)-put)
	if got := shell(t, m, "ls -l /opt/new/file | cut -c1-10"); got != "-rwxr-xr-x" {
		t.Errorf("mode: got %s", got)
	}
	if _, err := m.Get(t.Context(), "/nonsense"); err == nil {
		t.Error("a file that does not exist: got no error")
	}
}

func testLines(t *testing.T, m *Machine) {
	must(t, m.Release(t.Context(), ButtonCall))
	s, err := m.Line(t.Context(), ButtonCall)
	must(t, err)
	if !s.High || time.Since(s.At).Abs() > time.Minute {
		t.Errorf("released: got %+v, want high, now", s)
	}
	changes := make(chan []LineState)
	go func() {
		c, err := m.Trace(t.Context(), ButtonCall, 2*time.Second)
		if err != nil {
			t.Error(err)
		}
		changes <- c
	}()
	time.Sleep(500 * time.Millisecond) // another machine: nothing to wait on
	must(t, m.Sequence(t.Context(), ButtonCall, Step{false, 50 * time.Millisecond}, Step{true, 50 * time.Millisecond},
		Step{false, 200 * time.Millisecond}, Step{true, 0}))
	c := <-changes
	if len(c) != 5 || !c[0].High || c[1].High || !c[2].High || c[3].High || !c[4].High {
		t.Fatalf("two presses: got %+v, want high, low, high, low, high", c)
	}
	if d := c[4].At.Sub(c[3].At); d < 150*time.Millisecond {
		t.Errorf("the second press: lasted %v, want 200ms", d)
	}
	if _, err := m.AwaitLine(t.Context(), 50*time.Millisecond, ButtonCall, false); err == nil {
		t.Error("wait for a level that does not come: got no error")
	}
	must(t, m.Press(t.Context(), ButtonCall))
	if s, err := m.AwaitLine(t.Context(), time.Second, ButtonCall, false); err != nil || s.High {
		t.Errorf("wait for the press: got %+v, %v", s, err)
	}
	if _, err := m.Line(t.Context(), "nonsense"); err == nil || !strings.Contains(err.Error(), RelayDoor) {
		t.Errorf("a line that does not exist: got %v, want the names of those that do", err)
	}
	must(t, m.Pull(t.Context(), "#15", true))
}

func testDial(t *testing.T, m *Machine) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := m.Start(ctx, Command{Args: []string{"nc", "-ll", "-p", "4321", "-e", "/bin/cat"}})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	over := make(chan error, 1)
	go func() { over <- m.Forward(ctx, l, "tcp", "127.0.0.1:4321") }()
	var got []byte
	for range 50 { // until nc listens
		conn, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, "there and back")
		conn.(*net.TCPConn).CloseWrite()
		got, _ = io.ReadAll(conn)
		conn.Close()
		if len(got) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond) // another machine: nothing to wait on
	}
	if string(got) != "there and back" {
		t.Errorf("through a forwarded port: got %q", got)
	}
	if _, err := m.dial(ctx, "unix", "/nonsense"); err == nil {
		t.Error("dial a socket that does not exist: got no error")
	}
	cancel()
	must(t, <-over)
}

func testScreen(t *testing.T, m *Machine) {
	// Black, then white above. Not with dd: it counts what a pipe gives it at a time.
	shell(t, m, "head -c 4096000 /dev/zero >/dev/fb0; head -c 2048000 /dev/zero | tr '\\0' '\\377' >/dev/fb0")
	for late := time.Now().Add(10 * time.Second); ; {
		top, bottom := screenshot(t, m)
		if top == 255 && bottom == 0 {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("screenshot: got %d above and %d below, want 255 and 0", top, bottom)
		}
		time.Sleep(50 * time.Millisecond) // another machine: nothing to wait on
	}
}

// screenshot returns how bright the display is in the upper and in the lower half.
func screenshot(t *testing.T, m *Machine) (top, bottom uint32) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "screen.png")
	must(t, m.Screenshot(t.Context(), file))
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	p, err := png.Decode(f)
	must(t, err)
	if b := p.Bounds(); b.Dx() != 1280 || b.Dy() != 800 {
		t.Fatalf("screenshot: got %v, want 1280x800", b)
	}
	top, _, _, _ = p.At(600, 300).RGBA()
	bottom, _, _, _ = p.At(600, 500).RGBA()
	return top >> 8, bottom >> 8
}

func testPlugs(t *testing.T, m *Machine) {
	for _, tt := range []struct {
		device Device
		node   string
	}{{Camera, "/dev/video0"}, {Card, "/dev/snd/controlC0"}} {
		must(t, m.Unplug(t.Context(), tt.device))
		shell(t, m, "test ! -e "+tt.node)
		must(t, m.Replug(t.Context(), tt.device))
		shell(t, m, "test -e "+tt.node)
	}
	if got := shell(t, m, "v4l2-ctl -d0 --stream-mmap --stream-count=3 --stream-to=/tmp/frames >/dev/null 2>&1; test -s /tmp/frames && echo frames"); got != "frames" {
		t.Errorf("the camera that is back gives no frames")
	}
}

// testClock compares the guest's clock with this machine's.
func testClock(t *testing.T, m *Machine) {
	before := time.Now()
	s, err := m.Line(t.Context(), ButtonCall)
	must(t, err)
	after := time.Now()
	if early, late := before.Sub(s.At), s.At.Sub(after); early > time.Second || late > time.Second {
		t.Errorf("the guest's clock: got %v, want between %v and %v", s.At, before, after)
	}
}

func testWatchdog(t *testing.T, m *Machine) {
	// Two seconds; then nobody feeds it.
	_, err := m.Start(t.Context(), Command{Args: []string{"watchdog", "-F", "-T", "2", "-t", "1000", "/dev/watchdog0"}})
	must(t, err)
	e, err := m.AwaitEvent(t.Context(), time.Minute, "WATCHDOG", 1)
	must(t, err)
	if !strings.Contains(string(e.Data), `"pause"`) {
		t.Errorf("watchdog: got %s, want the action pause", e.Data)
	}
}
