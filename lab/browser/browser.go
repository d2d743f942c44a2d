// Package browser runs browsers for a suite of end-to-end tests, Chromium and Firefox: pages,
// which share nothing, and what a test does to a page and asks of it. probe.js, which it
// puts into each page on request, measures what the browser itself decoded.
//
// It is not a browser automation library: it has what the lab needs. Chromium is driven by a
// small Node program (driver.mjs, on playwright-core) over its standard input and output;
// Firefox, as its makers and Debian release it, by WebDriver BiDi, the W3C's protocol, which
// it speaks itself. Browser and driver end with Close, and also when the test process dies.
// The goroutines that read what they say belong to the Browser and end with it.
package browser

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	_ "embed"
)

// probe measures media in a page: see the comment at its top for what it puts there.
//
//go:embed probe.js
var probe string

// Limits of single steps. They are generous: a step that takes as long has gone wrong,
// one that is merely slow on a busy machine has not.
const (
	launchLimit = 60 * time.Second
	stepLimit   = 30 * time.Second
	closeLimit  = 10 * time.Second
)

// The size of a page, in pixels.
const (
	pageWidth  = 1100
	pageHeight = 800
)

// Config says how to start a browser.
type Config struct {
	// Root is the folder whose node_modules holds playwright-core. Firefox needs none.
	Root string
	// Executable is the browser's; empty means $CHROMIUM, or /usr/bin/chromium; and for
	// Firefox $FIREFOX, or /usr/bin/firefox-esr.
	Executable string
	// Flags are more of the browser's.
	Flags []string
	// Preferences are more of Firefox's, or others than ours: booleans, numbers, texts.
	Preferences map[string]any
	// Private gives pages neither camera nor microphone, and names under .local in place
	// of the host's addresses. For Chromium only.
	Private bool
	// Wrap is a command, with its arguments, that runs the command it is given, such as
	// nsenter; empty: none. The driver is run by it, and so is the browser. For Chromium only.
	Wrap []string
	// Log takes the driver's diagnostics and what every page writes to its console; nil
	// discards them. It is written to by one goroutine at a time.
	Log io.Writer
}

// executable returns which program to start, for a browser of which the environment may
// name another one.
func (c Config) executable(variable, usual string) string {
	if c.Executable != "" {
		return c.Executable
	}
	if named := os.Getenv(variable); named != "" {
		return named
	}
	return usual
}

// engine is a kind of browser, running.
type engine interface {
	// version is the browser's, such as "141.0.7390.37".
	version() string
	// open opens an empty page that shares nothing with others. The scripts run in each of
	// its documents before the document's own.
	open(ctx context.Context, scripts []string) (tab, error)
	close() error
}

// tab is a page of an engine's. What takes longer than a limit is an error.
type tab interface {
	id() string // as in what the page says
	load(ctx context.Context, limit time.Duration, url string) error
	// evaluate waits for the promise, if the expression is one, and puts the value, which
	// travels as JSON, where result points, unless that is nil.
	evaluate(ctx context.Context, limit time.Duration, expression string, result any) error
	click(ctx context.Context, limit time.Duration, selector string) error
	screenshot(ctx context.Context, limit time.Duration, path string) error
	close(ctx context.Context, limit time.Duration) error
}

// said is what a page wrote to its console, an exception that nothing caught, or a request
// that failed.
type said struct {
	page  string // a tab's id
	event string // console, error, request
	kind  string // of console: log, warn, ...
	text  string
}

// Browser is a running browser.
type Browser struct {
	engine
	log *lockedWriter

	mu    sync.Mutex
	pages map[string]*Page
}

// Start starts Chromium. Close ends it.
func Start(ctx context.Context, c Config) (*Browser, error) {
	b := newBrowser(c)
	var err error
	if b.engine, err = startChromium(ctx, c, b.log, b.note); err != nil {
		return nil, err
	}
	return b, nil
}

// StartFirefox starts Firefox. Close ends it.
func StartFirefox(ctx context.Context, c Config) (*Browser, error) {
	b := newBrowser(c)
	var err error
	if b.engine, err = startFirefox(ctx, c, b.log, b.note); err != nil {
		return nil, err
	}
	return b, nil
}

func newBrowser(c Config) *Browser {
	if c.Log == nil {
		c.Log = io.Discard
	}
	return &Browser{log: &lockedWriter{w: c.Log}, pages: map[string]*Page{}}
}

// Version returns the browser's version, such as "141.0.7390.37".
func (b *Browser) Version() string { return b.version() }

// Close ends the browser, and what drives it, and waits until they are gone. It must not be
// called twice.
func (b *Browser) Close() error {
	if err := b.engine.close(); err != nil {
		return fmt.Errorf("end browser: %w", err)
	}
	return nil
}

// note keeps what a page said.
func (b *Browser) note(s said) {
	kind := s.event
	if s.kind != "" {
		kind += " " + s.kind
	}
	b.mu.Lock()
	p := b.pages[s.page]
	b.mu.Unlock()
	name := "page " + s.page
	if p != nil {
		name = p.name
		p.note(s, kind)
	}
	fmt.Fprintf(b.log, "%s %s: %s: %s\n", time.Now().Format("15:04:05.000"), name, kind, s.text)
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
