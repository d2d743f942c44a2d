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
	"strconv"
	"syscall"
	"time"

	_ "embed"
)

//go:embed driver.mjs
var driver []byte

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

// chromium is a Chromium and its driver.
type chromium struct {
	*calls
	cmd      *exec.Cmd // the driver
	in       io.WriteCloser
	log      io.Writer
	note     func(said)
	pid      int // the browser's process group
	released string
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

func startChromium(ctx context.Context, c Config, log io.Writer, note func(said)) (*chromium, error) {
	executable := c.executable("CHROMIUM", "/usr/bin/chromium")
	if _, err := os.Stat(filepath.Join(c.Root, "node_modules", "playwright-core")); err != nil {
		return nil, fmt.Errorf("start browser: %w: run npm ci", err)
	}
	b := &chromium{calls: newCalls(), log: log, note: note}
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
	args := map[string]any{"executable": executable, "args": all}
	if err := b.do(ctx, launchLimit, "launch", args, &launched); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", executable, err), b.close())
	}
	b.pid, b.released = launched.PID, launched.Version
	return b, nil
}

func (b *chromium) version() string { return b.released }

func (b *chromium) close() error {
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
	return err
}

// do asks the driver for something and waits for the answer, for at most limit and a
// little: the driver itself keeps the limit, and this one is for a driver that hangs.
func (b *chromium) do(ctx context.Context, limit time.Duration, op string, args map[string]any, result any) error {
	ctx, cancel := context.WithTimeout(ctx, limit+5*time.Second)
	defer cancel()
	if args == nil {
		args = map[string]any{}
	}
	args["op"], args["timeout"] = op, limit.Milliseconds()
	return b.calls.do(ctx, op, func(id int) error {
		args["id"] = id
		line, err := json.Marshal(args)
		if err != nil {
			return err
		}
		_, err = b.in.Write(append(line, '\n'))
		return err
	}, result)
}

// read delivers the driver's output until it ends.
func (b *chromium) read(out io.Reader) {
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
			b.note(said{strconv.Itoa(m.Page), m.Event, m.Kind, m.Text})
			continue
		}
		r := reply{result: m.Result}
		if m.Error != "" {
			r.err = errors.New(m.Error)
		}
		b.answer(m.ID, r)
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintf(b.log, "driver: %v\n", err)
	}
}

// chromiumTab is a page in a context of its own.
type chromiumTab struct {
	b    *chromium
	page int
}

func (b *chromium) open(ctx context.Context, scripts []string) (tab, error) {
	size := map[string]any{"width": pageWidth, "height": pageHeight}
	t := chromiumTab{b: b}
	err := b.do(ctx, stepLimit, "open", map[string]any{"scripts": scripts, "size": size}, &t.page)
	return t, err
}

func (t chromiumTab) id() string { return strconv.Itoa(t.page) }

func (t chromiumTab) do(ctx context.Context, limit time.Duration, op string, args map[string]any, result any) error {
	args["page"] = t.page
	return t.b.do(ctx, limit, op, args, result)
}

func (t chromiumTab) load(ctx context.Context, limit time.Duration, url string) error {
	return t.do(ctx, limit, "goto", map[string]any{"url": url}, nil)
}

func (t chromiumTab) evaluate(ctx context.Context, limit time.Duration, expression string, result any) error {
	return t.do(ctx, limit, "eval", map[string]any{"expression": expression}, result)
}

func (t chromiumTab) click(ctx context.Context, limit time.Duration, selector string) error {
	return t.do(ctx, limit, "click", map[string]any{"selector": selector}, nil)
}

func (t chromiumTab) screenshot(ctx context.Context, limit time.Duration, path string) error {
	return t.do(ctx, limit, "screenshot", map[string]any{"path": path}, nil)
}

func (t chromiumTab) close(ctx context.Context, limit time.Duration) error {
	return t.do(ctx, limit, "close", map[string]any{}, nil)
}
