package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"intercom/hw"
)

// ErrNotRunning is wrapped by errors that say that there is no guard.
var ErrNotRunning = errors.New("no guard is running")

// Times of a client.
const (
	pingEvery    = Silence / 8
	replyTimeout = time.Second // for one request; the lock's loop waits that long at most
	startPause   = 2 * time.Second
)

// ClientConfig says where the guard is.
type ClientConfig struct {
	Path string // its socket
	// Start starts a guard, and is called when none is running, by Watch alone and not
	// more often than every two seconds; nil: whoever started the last one does it.
	Start func() error
	// Dial connects; nil: to Path. A test's seam.
	Dial func() (net.Conn, error)
}

// Client asks a guard for its line. It is hw.Lines for outputs, of which there is one. Its
// methods may be called from any goroutine, and none lasts for longer than two seconds.
type Client struct {
	cfg  ClientConfig
	turn chan struct{} // one token: who has it uses what follows
	conn net.Conn      // nil: none
	out  *output       // the one that is not closed; nil: none
}

// NewClient makes a client. It connects when it needs to.
func NewClient(c ClientConfig) *Client {
	cl := &Client{cfg: c, turn: make(chan struct{}, 1)}
	if c.Dial == nil {
		cl.cfg.Dial = func() (net.Conn, error) { return dial(c.Path) }
	}
	return cl
}

func dial(path string) (net.Conn, error) {
	c, err := net.DialTimeout(network, path, replyTimeout)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("guard of the lock, socket %s: %w", path, ErrNotRunning)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("guard of the lock, socket %s: permission denied; it belongs to the user the guard runs as", path)
	}
	return nil, fmt.Errorf("guard of the lock, socket %s: %w", path, err)
}

// Output takes the line from the guard; see hw.Lines. The level must be the safe one, as
// the guard has it. The lock is at that level whenever the connection is lost, and the
// connection is made again when it is.
func (c *Client) Output(l hw.Line, active bool) (hw.Output, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	o := &output{client: c, line: l, safe: active}
	err := errors.New("is taken")
	if c.out == nil {
		c.out = o
		if err = c.take(); err == nil {
			return o, nil
		}
		c.drop()
		c.out = nil
	}
	return nil, o.wrong(err)
}

// output is the line of a guard.
type output struct {
	client *Client
	line   hw.Line
	safe   bool
}

func (o *output) wrong(err error) error { return fmt.Errorf("line %q: %w", o.line.Name, err) }

// Set is part of hw.Output.
func (o *output) Set(active bool) error {
	v := open
	if active == o.safe {
		v = safe
	}
	return o.do(v)
}

// Close is part of hw.Output. The guard keeps the line, at its safe level.
func (o *output) Close() error {
	if err := o.do(release); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (o *output) do(v verb) error {
	c := o.client
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if c.out != o {
		return o.wrong(os.ErrClosed)
	}
	if v == release {
		defer func() {
			c.drop()
			c.out = nil
		}()
		if c.conn == nil {
			return nil // the guard released it when the connection was lost
		}
	}
	err := c.take()
	if err == nil {
		err = c.exchange(request{verb: v})
	}
	if err != nil {
		return o.wrong(err)
	}
	return nil
}

// take connects and takes the line, if there is no connection.
func (c *Client) take() error {
	if c.conn != nil {
		return nil
	}
	if err := c.connect(); err != nil {
		return err
	}
	return c.exchange(request{verb: take, claim: claimOf(c.out.line, c.out.safe)})
}

func (c *Client) connect() (err error) {
	c.conn, err = c.cfg.Dial()
	return err
}

func (c *Client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// exchange sends one request and waits for its answer. After an error that is not the
// guard's the connection is over: what comes by it later would answer another question.
func (c *Client) exchange(r request) error {
	err := exchange(c.conn, r)
	if refused := (*RefusedError)(nil); err != nil && (r.verb == take || !errors.As(err, &refused)) {
		c.drop()
	}
	return err
}

func exchange(conn net.Conn, r request) error {
	err := conn.SetDeadline(time.Now().Add(replyTimeout))
	if err == nil {
		_, err = conn.Write([]byte(r.String()))
	}
	if err != nil {
		return fmt.Errorf("ask the lock's guard: %w", err)
	}
	buf := make([]byte, maxFrame+1)
	n, err := conn.Read(buf)
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("ask the lock's guard: it has gone: %w", err)
	case err != nil:
		return fmt.Errorf("ask the lock's guard: %w", err)
	}
	return parseReply(buf[:n])
}

// check asks the guard whether all is well. With the line taken it makes a lost connection
// again, and tells the guard that we live.
func (c *Client) check() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if c.out == nil {
		defer c.drop()
		if err := c.connect(); err != nil {
			return err
		}
	} else if c.conn != nil {
		if err := c.exchange(request{verb: ping}); c.conn != nil {
			return err
		}
		// It was lost. The next guard may be there already.
	}
	if c.out != nil {
		if err := c.take(); err != nil {
			return err
		}
	}
	return c.exchange(request{verb: ping})
}

// Watch asks the guard four times a second how it is, until ctx ends, and tells report what
// is wrong: that it is gone, that its line does not obey, that it made the line safe by
// itself. It tells nil when all is well. While an output is in use Watch must run, or the
// guard takes the station for dead. It returns nil.
func (c *Client) Watch(ctx context.Context, report func(error)) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	var started time.Time
	for {
		err := c.check()
		if errors.Is(err, ErrNotRunning) && c.cfg.Start != nil && ctx.Err() == nil && time.Since(started) >= startPause {
			started = time.Now()
			if serr := c.cfg.Start(); serr != nil {
				err = fmt.Errorf("%w, and none can be started: %w", err, serr)
			}
		}
		report(err)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Ready waits until the guard answers that all is well.
func (c *Client) Ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Running returns nil if there is a guard, and an error that wraps ErrNotRunning if not.
func (c *Client) Running() error {
	conn, err := c.cfg.Dial()
	if err != nil {
		return err
	}
	return conn.Close()
}

// MakeSafe has the guard drive the line safe, whoever has it. A nil error says that it was
// driven.
func (c *Client) MakeSafe() error { return c.once(safe) }

// End ends a guard that was started by a station; any other goes on. The line is safe.
func (c *Client) End() error {
	err := c.once(end)
	if refused := (*RefusedError)(nil); errors.As(err, &refused) && refused.Text == errStays.Error() {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil // it was in a hurry
	}
	return err
}

// once asks by a connection of its own.
func (c *Client) once(v verb) error {
	conn, err := c.cfg.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	return exchange(conn, request{verb: v})
}
