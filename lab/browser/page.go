package browser

import (
	"context"
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
	b       *Browser
	name    string
	context int
	id      int

	mu      sync.Mutex
	console []string
	errors  []string
}

// NewPage opens an empty page in a new context. The scripts run in each document that
// it loads, in order, before the document's own. name says in logs which page it is.
func (b *Browser) NewPage(ctx context.Context, name string, scripts ...string) (*Page, error) {
	p := &Page{b: b, name: name}
	if err := b.do(ctx, stepLimit, "context", map[string]any{"scripts": scripts}, &p.context); err != nil {
		return nil, fmt.Errorf("new page %s: %w", name, err)
	}
	if err := b.do(ctx, stepLimit, "page", map[string]any{"context": p.context}, &p.id); err != nil {
		return nil, fmt.Errorf("new page %s: %w", name, err)
	}
	b.mu.Lock()
	b.pages[p.id] = p
	b.mu.Unlock()
	return p, nil
}

// Name returns the page's name.
func (p *Page) Name() string { return p.name }

// Goto loads a document and returns after its load event.
func (p *Page) Goto(ctx context.Context, url string) error {
	return p.do(ctx, stepLimit, "goto", map[string]any{"url": url}, nil)
}

// Eval calls a function, given as JavaScript source text, with arg, which travels as
// JSON; waits for its promise, if it returns one; and puts the result, which travels as
// JSON, where result points. A nil result is not read.
func (p *Page) Eval(ctx context.Context, function string, arg, result any) error {
	return p.do(ctx, stepLimit, "eval", map[string]any{"source": function, "arg": arg}, result)
}

// Wait calls a function as Eval does, again and again, until it returns something true.
// It is an error if that takes longer than limit.
func (p *Page) Wait(ctx context.Context, limit time.Duration, function string, arg any) error {
	if err := p.do(ctx, limit, "wait", map[string]any{"source": function, "arg": arg}, nil); err != nil {
		return fmt.Errorf("%w: %s", err, function)
	}
	return nil
}

// Click clicks the element as a person would: it must be visible, enabled and not
// covered, within limit.
func (p *Page) Click(ctx context.Context, limit time.Duration, selector string) error {
	return p.do(ctx, limit, "click", map[string]any{"selector": selector}, nil)
}

// Screenshot writes a PNG file of what the page shows.
func (p *Page) Screenshot(ctx context.Context, path string) error {
	return p.do(ctx, stepLimit, "screenshot", map[string]any{"path": path}, nil)
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
	delete(p.b.pages, p.id)
	p.b.mu.Unlock()
	return p.do(ctx, closeLimit, "close", map[string]any{"context": p.context}, nil)
}

func (p *Page) do(ctx context.Context, limit time.Duration, op string, args map[string]any, result any) error {
	args["page"] = p.id
	if err := p.b.do(ctx, limit, op, args, result); err != nil {
		return fmt.Errorf("page %s: %w", p.name, err)
	}
	return nil
}

// note keeps what the page said.
func (p *Page) note(m message, kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.console) == consoleKept {
		p.console = slices.Delete(p.console, 0, 1)
	}
	p.console = append(p.console, time.Now().Format("15:04:05.000")+" "+kind+": "+m.Text)
	if m.Event == "error" {
		p.errors = append(p.errors, m.Text)
	}
}
