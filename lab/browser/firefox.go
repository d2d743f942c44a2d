package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// preferences make Firefox work without any traffic of its own, beside those that it sets by
// itself when it is driven. They give every page a camera and a microphone, without a person
// who allows it, and let it see the host's addresses, as those do that may use them.
var preferences = map[string]any{
	"app.normandy.enabled":                       false,
	"browser.topsites.contile.enabled":           false,
	"datareporting.policy.dataSubmissionEnabled": false,
	"dom.push.connection.enabled":                false,
	"extensions.systemAddon.update.enabled":      false,
	"media.autoplay.default":                     0,     // anything plays
	"media.gmp-manager.updateEnabled":            false, // the plug-in for H.264
	"media.navigator.permission.disabled":        true,
	"media.navigator.streams.fake":               true,
	obfuscate:                                    false,
	"network.captive-portal-service.enabled":     false,
	"network.connectivity-service.enabled":       false,
	"services.settings.server":                   "data:,",
}

// obfuscate names the preference for names under .local in place of addresses.
const obfuscate = "media.peerconnection.ice.obfuscate_host_addresses"

// firefox is a Firefox with a profile that goes with it.
type firefox struct {
	*bidi
	profile  string // folder
	released string
	pid      int           // of its process group
	gone     chan struct{} // closed when the process has ended
}

func startFirefox(ctx context.Context, c Config, log io.Writer, note func(said)) (*firefox, error) {
	if len(c.Wrap) > 0 || c.Private {
		return nil, errors.New("start browser: Wrap and Private are for Chromium")
	}
	executable := c.executable("FIREFOX", "/usr/bin/firefox-esr")
	if _, err := os.Stat(executable); err != nil {
		return nil, fmt.Errorf("start browser: %w: run scripts/setup.sh e2e, or name one in $FIREFOX", err)
	}
	profile, err := os.MkdirTemp("", "firefox")
	if err != nil {
		return nil, fmt.Errorf("start browser: %w", err)
	}
	f := &firefox{profile: profile, gone: make(chan struct{})}
	if err := f.start(ctx, executable, c, log, note); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", executable, err), f.close())
	}
	return f, nil
}

func (f *firefox) start(ctx context.Context, executable string, c Config, log io.Writer, note func(said)) error {
	file, err := userJS(c.Preferences)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(f.profile, "user.js"), file, 0o600); err != nil {
		return err
	}
	args := append([]string{"--headless", "--no-remote", "--profile", f.profile, "--remote-debugging-port", "0", "--remote-allow-origins", origin}, c.Flags...)
	cmd := exec.Command(executable, args...)
	cmd.Env = append(os.Environ(), "MOZ_CRASHREPORTER_DISABLE=1")
	address, err := f.run(cmd, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, launchLimit)
	defer cancel()
	var at string
	select {
	case at = <-address:
	case <-f.gone:
		return errEnded
	case <-ctx.Done():
		return fmt.Errorf("wait for its address: %w", ctx.Err())
	}
	if f.bidi, err = dialBiDi(ctx, at, func(method string, params json.RawMessage) { event(note, method, params) }); err != nil {
		return err
	}
	var session struct {
		Capabilities struct {
			BrowserVersion string
		}
	}
	always := map[string]any{"unhandledPromptBehavior": map[string]any{"default": "dismiss"}}
	err = f.do(ctx, stepLimit, "session.new", map[string]any{"capabilities": map[string]any{"alwaysMatch": always}}, &session)
	if err != nil {
		return err
	}
	f.released = session.Capabilities.BrowserVersion
	return f.do(ctx, stepLimit, "session.subscribe", map[string]any{"events": []string{"log.entryAdded", "network.fetchError"}}, nil)
}

// userJS is a profile's file of preferences: ours, and a test's.
func userJS(more map[string]any) ([]byte, error) {
	all := maps.Clone(preferences)
	maps.Copy(all, more)
	var file bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value, err := json.Marshal(all[name])
		if err != nil {
			return nil, fmt.Errorf("preference %s: %w", name, err)
		}
		fmt.Fprintf(&file, "user_pref(%q, %s);\n", name, value)
	}
	return file.Bytes(), nil
}

// run starts the process and gives the address that it listens at, once it does.
func (f *firefox) run(cmd *exec.Cmd, log io.Writer) (<-chan string, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	address := make(chan string, 1)
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread ends that started the process.
		runtime.LockOSThread()
		defer close(f.gone)
		err := cmd.Start()
		if err == nil {
			f.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			fmt.Fprintf(log, "firefox: %s\n", lines.Text())
			if _, at, found := strings.Cut(lines.Text(), "WebDriver BiDi listening on ws://"); found {
				address <- at
			}
		}
		cmd.Wait() // what there is to say of its end, close says
	}()
	return address, <-started
}

func (f *firefox) version() string { return f.released }

func (f *firefox) close() error {
	var err error
	if f.bidi != nil {
		err = f.do(context.Background(), closeLimit, "browser.close", map[string]any{}, nil)
	}
	if f.pid > 0 {
		if f.bidi != nil && err == nil {
			select {
			case <-f.gone:
			case <-time.After(closeLimit):
				err = fmt.Errorf("it has not ended after %v", closeLimit)
			}
		}
		syscall.Kill(-f.pid, syscall.SIGKILL)
		<-f.gone
	}
	if f.bidi != nil {
		f.conn.Close()
		<-f.ended
	}
	return errors.Join(err, os.RemoveAll(f.profile))
}

// event tells what a page said.
func event(note func(said), method string, params json.RawMessage) {
	var p struct {
		Type, Method, Text string
		Source             struct{ Context string }
		StackTrace         struct {
			CallFrames []struct {
				FunctionName, URL string
				LineNumber        int
			}
		}
		Context   string
		ErrorText string
		Request   struct{ Method, URL string }
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return // not as the standard has it
	}
	switch {
	case method == "network.fetchError":
		note(said{p.Context, "request", "", p.Request.Method + " " + p.Request.URL + ": " + p.ErrorText})
	case p.Type == "console":
		note(said{p.Source.Context, "console", p.Method, p.Text})
	case strings.HasPrefix(p.Text, "XML Parsing Error"):
		// The SDK gives DOMParser elements in place of texts. Its caller sees it from the result.
	case p.Type == "javascript":
		for _, at := range p.StackTrace.CallFrames {
			p.Text += fmt.Sprintf("\n    at %s (%s:%d)", at.FunctionName, at.URL, at.LineNumber+1)
		}
		note(said{p.Source.Context, "error", "", p.Text})
	}
}

// firefoxTab is a page in a window of its own, so that it is always shown, and in a user
// context of its own.
type firefoxTab struct {
	f             *firefox
	user, context string
}

func (f *firefox) open(ctx context.Context, scripts []string) (tab, error) {
	var user struct{ UserContext string }
	if err := f.do(ctx, stepLimit, "browser.createUserContext", map[string]any{}, &user); err != nil {
		return nil, err
	}
	for _, s := range scripts {
		script := map[string]any{"functionDeclaration": "() => {" + s + "\n}", "userContexts": []string{user.UserContext}}
		if err := f.do(ctx, stepLimit, "script.addPreloadScript", script, nil); err != nil {
			return nil, err
		}
	}
	var page struct{ Context string }
	if err := f.do(ctx, stepLimit, "browsingContext.create", map[string]any{"type": "window", "userContext": user.UserContext}, &page); err != nil {
		return nil, err
	}
	t := firefoxTab{f, user.UserContext, page.Context}
	size := map[string]any{"width": pageWidth, "height": pageHeight}
	return t, t.do(ctx, stepLimit, "browsingContext.setViewport", map[string]any{"viewport": size}, nil)
}

func (t firefoxTab) id() string { return t.context }

func (t firefoxTab) do(ctx context.Context, limit time.Duration, method string, params map[string]any, result any) error {
	params["context"] = t.context
	return t.f.do(ctx, limit, method, params, result)
}

func (t firefoxTab) load(ctx context.Context, limit time.Duration, url string) error {
	return t.do(ctx, limit, "browsingContext.navigate", map[string]any{"url": url, "wait": "complete"}, nil)
}

func (t firefoxTab) evaluate(ctx context.Context, limit time.Duration, expression string, result any) error {
	// An exception is a value, too: of one that comes out of a promise BiDi tells no stack.
	const safe = "(async () => { try { return JSON.stringify({ value: (await (%s)) ?? null }); } " +
		"catch (e) { return JSON.stringify({ error: `${e}` }); } })()"
	var r struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string } // of what cannot be read
	}
	if err := t.f.do(ctx, limit, "script.evaluate", map[string]any{
		"expression":     fmt.Sprintf(safe, expression),
		"target":         map[string]any{"context": t.context},
		"awaitPromise":   true,
		"userActivation": true,
	}, &r); err != nil {
		return err
	}
	if text := r.ExceptionDetails.Text; text != "" {
		return errors.New(text)
	}
	var outcome struct {
		Value json.RawMessage
		Error string
	}
	if err := json.Unmarshal([]byte(r.Result.Value), &outcome); err != nil {
		return fmt.Errorf("read %.200s: %w", r.Result.Value, err)
	}
	switch {
	case outcome.Error != "":
		return errors.New(outcome.Error)
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(outcome.Value, result); err != nil {
		return fmt.Errorf("read %.200s: %w", outcome.Value, err)
	}
	return nil
}

// reachable waits until an element can be clicked: it is there, visible, enabled, where it
// was a frame ago, and not covered. It returns the point to click.
const reachable = `(async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const end = performance.now() + %[2]d;
  for (let why = ''; ; await frame()) {
    if (performance.now() > end) throw new Error('cannot click ' + %[1]s + ' within %[2]d ms: ' + why);
    const e = document.querySelector(%[1]s);
    if (!e) { why = 'there is none'; continue; }
    if (!e.checkVisibility({ visibilityProperty: true })) { why = 'it is not visible'; continue; }
    if (e.disabled) { why = 'it is disabled'; continue; }
    e.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
    const was = e.getBoundingClientRect();
    await frame();
    const is = e.getBoundingClientRect();
    if (was.x !== is.x || was.y !== is.y) { why = 'it moves'; continue; }
    const [x, y] = [is.x + is.width / 2, is.y + is.height / 2];
    const top = document.elementFromPoint(x, y);
    if (!top || !e.contains(top)) { why = 'it is covered by ' + (top?.outerHTML.slice(0, 80) ?? 'nothing'); continue; }
    return [Math.round(x), Math.round(y)];
  }
})()`

func (t firefoxTab) click(ctx context.Context, limit time.Duration, selector string) error {
	name, err := json.Marshal(selector)
	if err != nil {
		return err
	}
	var point [2]int
	if err := t.evaluate(ctx, limit+2*time.Second, fmt.Sprintf(reachable, name, limit.Milliseconds()), &point); err != nil {
		return err
	}
	return t.do(ctx, limit, "input.performActions", map[string]any{"actions": []any{map[string]any{
		"type": "pointer", "id": "mouse", "actions": []any{
			map[string]any{"type": "pointerMove", "x": point[0], "y": point[1]},
			map[string]any{"type": "pointerDown", "button": 0},
			map[string]any{"type": "pointerUp", "button": 0},
		},
	}}}, nil)
}

func (t firefoxTab) screenshot(ctx context.Context, limit time.Duration, path string) error {
	var shot struct{ Data string }
	if err := t.do(ctx, limit, "browsingContext.captureScreenshot", map[string]any{}, &shot); err != nil {
		return err
	}
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		return err
	}
	return os.WriteFile(path, png, 0o644)
}

func (t firefoxTab) close(ctx context.Context, limit time.Duration) error {
	return t.f.do(ctx, limit, "browser.removeUserContext", map[string]any{"userContext": t.user}, nil)
}
