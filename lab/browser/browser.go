// Package browser runs one Chromium for a suite of end-to-end tests: contexts, which
// share nothing, pages in them, and what a test does to a page and asks of it. probe.js,
// which it puts into each page on request, measures what the browser itself decoded.
//
// It is not a browser automation library: it has what the lab needs. The browser is
// driven by a small Node program (driver.mjs, on playwright-core) over its standard input
// and output; both end with Close, and also when the test process dies. One goroutine
// reads the driver's output; it belongs to the Browser and ends with it.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	_ "embed"
)

//go:embed driver.mjs
var driver []byte

// probe measures media in a page: see the comment at its top for what it puts there.
//
//go:embed probe.js
var probe string

// flags make Chromium work without a screen and without any traffic of its own.
var flags = []string{
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	"--autoplay-policy=no-user-gesture-required",
}

// granted give every page a camera and a microphone, without a person who allows it, and
// let it see the host's addresses, as those do that may use them.
var granted = []string{
	"--use-fake-ui-for-media-stream",
	"--use-fake-device-for-media-stream",
	"--disable-features=WebRtcHideLocalIpsWithMdns",
}

// Limits of single steps. They are generous: a step that takes as long has gone wrong,
// one that is merely slow on a busy machine has not.
const (
	launchLimit = 60 * time.Second
	stepLimit   = 30 * time.Second
	closeLimit  = 10 * time.Second
)

// Config says how to start the browser.
type Config struct {
	// Root is the folder whose node_modules holds playwright-core.
	Root string
	// Executable is Chromium's; empty means $CHROMIUM, or /usr/bin/chromium.
	Executable string
	// Flags are more of Chromium's.
	Flags []string
	// Private gives pages neither camera nor microphone, and names under .local in place
	// of the host's addresses.
	Private bool
	// Wrap is a command, with its arguments, that runs the command it is given, such as
	// nsenter; empty: none. The driver is run by it, and so is the browser.
	Wrap []string
	// Log takes the driver's diagnostics and what every page writes to its console; nil
	// discards them. It is written to by one goroutine at a time.
	Log io.Writer
}

// Browser is a running Chromium.
type Browser struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	log     *lockedWriter
	pid     int // the browser's process group
	ended   chan struct{}
	version string

	mu      sync.Mutex // guards what follows, and writing to in
	next    int
	waiting map[int]chan reply
	pages   map[int]*Page
}

// message is a line of the driver's output.
type message struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
	Event  string          `json:"event"`
	Page   int             `json:"page"`
	Kind   string          `json:"kind"`
	Text   string          `json:"text"`
}

type reply struct {
	result json.RawMessage
	err    error
}

// errEnded is the answer to whatever is asked of a browser that has ended.
var errEnded = errors.New("the browser has ended")

// Start starts the browser. Close ends it.
func Start(ctx context.Context, c Config) (*Browser, error) {
	if c.Executable == "" {
		c.Executable = os.Getenv("CHROMIUM")
	}
	if c.Executable == "" {
		c.Executable = "/usr/bin/chromium"
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	if _, err := os.Stat(filepath.Join(c.Root, "node_modules", "playwright-core")); err != nil {
		return nil, fmt.Errorf("start browser: %w: run npm ci", err)
	}
	b := &Browser{
		log:     &lockedWriter{w: c.Log},
		ended:   make(chan struct{}),
		waiting: map[int]chan reply{},
		pages:   map[int]*Page{},
	}
	// The driver is given as an argument, so that it needs no file beside the test binary.
	command := append(slices.Clone(c.Wrap), "node", "--input-type=module", "--eval", string(driver))
	b.cmd = exec.Command(command[0], command[1:]...)
	b.cmd.Env = append(os.Environ(), "NODE_ROOT="+c.Root)
	b.cmd.Stderr = b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start browser: %w", err)
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start browser: %w", err)
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start browser: %w", err)
	}
	go b.read(out)

	var launched struct {
		PID     int    `json:"pid"`
		Version string `json:"version"`
	}
	all := append(slices.Clone(flags), c.Flags...)
	if !c.Private {
		all = append(all, granted...)
	}
	args := map[string]any{"executable": c.Executable, "args": all}
	if err := b.do(ctx, launchLimit, "launch", args, &launched); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", c.Executable, err), b.Close())
	}
	b.pid, b.version = launched.PID, launched.Version
	return b, nil
}

// Version returns Chromium's version, such as "141.0.7390.37".
func (b *Browser) Version() string { return b.version }

// Close ends the browser and the driver and waits until they are gone. It must not be
// called twice.
func (b *Browser) Close() error {
	b.in.Close()
	select {
	case <-b.ended:
	case <-time.After(closeLimit):
		syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
		<-b.ended
	}
	err := b.cmd.Wait()
	if b.pid > 0 {
		// The driver has done this already, unless it had to be killed.
		syscall.Kill(-b.pid, syscall.SIGKILL)
	}
	if err != nil {
		return fmt.Errorf("end browser: %w", err)
	}
	return nil
}

// do asks the driver for something and waits for the answer, for at most limit and a
// little: the driver itself keeps the limit, and this one is for a driver that hangs.
func (b *Browser) do(ctx context.Context, limit time.Duration, op string, args map[string]any, result any) error {
	ctx, cancel := context.WithTimeout(ctx, limit+5*time.Second)
	defer cancel()
	if args == nil {
		args = map[string]any{}
	}
	args["op"], args["timeout"] = op, limit.Milliseconds()

	b.mu.Lock()
	b.next++
	id := b.next
	answer := make(chan reply, 1)
	b.waiting[id] = answer
	args["id"] = id
	line, err := json.Marshal(args)
	if err == nil {
		_, err = b.in.Write(append(line, '\n'))
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.waiting, id)
		b.mu.Unlock()
	}()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}

	select {
	case r := <-answer:
		if r.err != nil {
			return r.err
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(r.result, result); err != nil {
			return fmt.Errorf("%s: read %.200s: %w", op, r.result, err)
		}
		return nil
	case <-b.ended:
		return fmt.Errorf("%s: %w", op, errEnded)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
}

// read delivers the driver's output until it ends.
func (b *Browser) read(out io.Reader) {
	defer close(b.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			fmt.Fprintf(b.log, "driver: %s\n", lines.Bytes())
			continue
		}
		if m.Event != "" {
			b.event(m)
			continue
		}
		b.mu.Lock()
		answer := b.waiting[m.ID]
		b.mu.Unlock()
		if answer == nil {
			continue // nobody waits any more
		}
		r := reply{result: m.Result}
		if m.Error != "" {
			r.err = errors.New(m.Error)
		}
		answer <- r
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintf(b.log, "driver: %v\n", err)
	}
}

func (b *Browser) event(m message) {
	kind := m.Event
	if m.Kind != "" {
		kind += " " + m.Kind
	}
	b.mu.Lock()
	p := b.pages[m.Page]
	b.mu.Unlock()
	name := fmt.Sprintf("page %d", m.Page)
	if p != nil {
		name = p.name
		p.note(m, kind)
	}
	fmt.Fprintf(b.log, "%s %s: %s: %s\n", time.Now().Format("15:04:05.000"), name, kind, m.Text)
}

// lockedWriter serializes the driver's diagnostics and ours.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
