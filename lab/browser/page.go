package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// consoleKept is how many lines of a page's console are kept for a failure's report; the
// oldest go first. All of them are in Config.Log.
const consoleKept = 2000

// Page is one page, alone in a context of its own: it shares no storage, cookies or
// permissions with others.
type Page struct {
	b    *Browser
	name string
	tab  tab

	mu      sync.Mutex
	console []string
	errors  []string
}

// NewPage opens an empty page in a new context. The scripts run in each document that
// it loads, in order, before the document's own. name says in logs which page it is.
func (b *Browser) NewPage(ctx context.Context, name string, scripts ...string) (*Page, error) {
	t, err := b.open(ctx, scripts)
	if err != nil {
		return nil, fmt.Errorf("new page %s: %w", name, err)
	}
	p := &Page{b: b, name: name, tab: t}
	b.mu.Lock()
	b.pages[t.id()] = p
	b.mu.Unlock()
	return p, nil
}

// Name returns the page's name.
func (p *Page) Name() string { return p.name }

// Goto loads a document and returns after its load event.
func (p *Page) Goto(ctx context.Context, url string) error {
	return p.says(p.tab.load(ctx, stepLimit, url))
}

// Eval calls a function, given as JavaScript source text, with arg, which travels as
// JSON; waits for its promise, if it returns one; and puts the result, which travels as
// JSON, where result points. A nil result is not read.
func (p *Page) Eval(ctx context.Context, function string, arg, result any) error {
	text, err := json.Marshal(arg)
	if err != nil {
		return p.says(err)
	}
	// An expression needs no leave of the page's content security policy: what were evaluated
	// in the page would.
	return p.says(p.tab.evaluate(ctx, stepLimit, fmt.Sprintf("(%s)(%s)", function, text), result))
}

// until is a promise that a function with an argument has returned something true, within
// some milliseconds.
const until = `(async () => {
  const check = %s;
  const end = performance.now() + %d;
  for (;;) {
    const value = await check(%s);
    if (value) return true;
    if (performance.now() > end) throw new Error('not true within %[2]d ms');
    await new Promise((done) => setTimeout(done, 20));
  }
})()`

// Wait calls a function as Eval does, again and again, until it returns something true.
// It is an error if that takes longer than limit.
func (p *Page) Wait(ctx context.Context, limit time.Duration, function string, arg any) error {
	text, err := json.Marshal(arg)
	if err != nil {
		return p.says(err)
	}
	expression := fmt.Sprintf(until, function, limit.Milliseconds(), text)
	if err := p.tab.evaluate(ctx, limit+2*time.Second, expression, nil); err != nil {
		return fmt.Errorf("%w: %s", p.says(err), function)
	}
	return nil
}

// Click clicks the element as a person would: it must be visible, enabled and not
// covered, within limit.
func (p *Page) Click(ctx context.Context, limit time.Duration, selector string) error {
	return p.says(p.tab.click(ctx, limit, selector))
}

// Screenshot writes a PNG file of what the page shows.
func (p *Page) Screenshot(ctx context.Context, path string) error {
	return p.says(p.tab.screenshot(ctx, stepLimit, path))
}

// Console returns the last lines that the page wrote to its console, its errors and its
// failed requests, oldest first.
func (p *Page) Console() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.console)
}

// Errors returns the exceptions that nothing in the page caught, oldest first.
func (p *Page) Errors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.errors)
}

// Close closes the page and its context.
func (p *Page) Close(ctx context.Context) error {
	p.b.mu.Lock()
	delete(p.b.pages, p.tab.id())
	p.b.mu.Unlock()
	return p.says(p.tab.close(ctx, closeLimit))
}

// says tells of an error whose it is.
func (p *Page) says(err error) error {
	if err != nil {
		return fmt.Errorf("page %s: %w", p.name, err)
	}
	return nil
}

// note keeps what the page said.
func (p *Page) note(s said, kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.console) == consoleKept {
		p.console = slices.Delete(p.console, 0, 1)
	}
	p.console = append(p.console, time.Now().Format("15:04:05.000")+" "+kind+": "+s.text)
	if s.event == "error" {
		p.errors = append(p.errors, s.text)
	}
}
