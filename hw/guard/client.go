package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"intercom/hw"
)

// ErrNotRunning is wrapped by errors that say that there is no guard.
var ErrNotRunning = errors.New("no guard is running")

// Times of a client.
const (
	pingEvery    = Silence / 20
	replyTimeout = time.Second // for one request; the lock's loop waits that long at most
	startPause   = 2 * time.Second

	refusedPatience = 500 * time.Millisecond
)

// ClientConfig says where the guard is.
type ClientConfig struct {
	Path string // its socket
	// Start starts a guard, and is called when none is running, by Ready and Watch alone; nil:
	// whoever started the last one does it.
	Start func() error
	// Dial connects; nil: to Path. A test's seam.
	Dial func() (net.Conn, error)
}

// Client asks a guard for its lines. It is hw.Lines for outputs. Its methods may be called
// from any goroutine, and none lasts for longer than some seconds.
type Client struct {
	cfg  ClientConfig
	turn chan struct{} // one token: who has it uses what follows
	conn net.Conn      // nil: none
	outs []*output     // those that are not closed
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

// Output takes a line from the guard; see hw.Lines. The level must be the safe one, as
// the guard has it. The lock is at that level whenever the connection is lost, and the
// connection is made again when it is.
func (c *Client) Output(l hw.Line, active bool) (hw.Output, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	o := &output{client: c, line: l, safe: active}
	if slices.ContainsFunc(c.outs, func(other *output) bool { return other.line.Name == l.Name }) {
		return nil, o.wrong(errors.New("is taken"))
	}
	c.outs = append(c.outs, o)
	if err := o.take(); err != nil {
		c.forget(o)
		return nil, o.wrong(err)
	}
	return o, nil
}

// output is a line of a guard.
type output struct {
	client *Client
	line   hw.Line
	safe   bool
	ours   bool // by the present connection
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
	if !slices.Contains(c.outs, o) {
		return o.wrong(os.ErrClosed)
	}
	if v == release {
		defer c.forget(o)
		if !o.ours {
			return nil // the guard released it when the connection was lost
		}
	}
	err := o.take()
	if err == nil {
		err = c.exchange(request{verb: v, claim: claim{name: o.line.Name}})
	}
	if err != nil {
		return o.wrong(err)
	}
	return nil
}

// take connects and takes the line, if that is not done.
func (o *output) take() error {
	c := o.client
	if err := c.connect(); err != nil || o.ours {
		return err
	}
	err := c.exchange(request{verb: take, claim: claimOf(o.line, o.safe)})
	o.ours = err == nil
	return err
}

// forget drops an output, and with the last one the connection.
func (c *Client) forget(o *output) {
	c.outs = slices.DeleteFunc(c.outs, func(other *output) bool { return other == o })
	if len(c.outs) == 0 {
		c.drop()
	}
}

// connect connects, if there is no connection.
func (c *Client) connect() (err error) {
	if c.conn == nil {
		c.conn, err = c.cfg.Dial()
	}
	return err
}

func (c *Client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
	for _, o := range c.outs {
		o.ours = false
	}
}

// exchange sends one request and waits for its answer. After an error that is not the
// guard's the connection is over: what comes by it later would answer another question.
func (c *Client) exchange(r request) error {
	err := exchange(c.conn, r)
	if refused := (*RefusedError)(nil); err != nil && !errors.As(err, &refused) {
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

// check asks the guard whether all is well. With lines taken it makes a lost connection
// again, and tells the guard that we live.
func (c *Client) check() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if len(c.outs) == 0 {
		defer c.drop()
	}
	had := c.conn != nil
	err := c.checkOnce()
	if had && c.conn == nil { // it was lost; the next guard may be there already
		err = c.checkOnce()
	}
	return err
}

func (c *Client) checkOnce() error {
	if err := c.connect(); err != nil {
		return err
	}
	var first error
	for _, o := range c.outs {
		err := o.take()
		if c.conn == nil {
			return err
		}
		if err != nil && first == nil {
			first = o.wrong(err) // the others are to be had all the same
		}
	}
	if err := c.exchange(request{verb: ping}); first == nil || c.conn == nil {
		return err
	}
	return first
}

// Watch asks the guard ten times a second how it is, until ctx ends, and tells report what
// is wrong: that it is gone, that a line does not obey, that it made a line safe by
// itself. It tells nil when all is well. While an output is in use Watch must run, or the
// guard takes the station for dead. One that was well and has gone is started again at once,
// others not more often than every two seconds. It returns nil.
func (c *Client) Watch(ctx context.Context, report func(error)) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	var started time.Time
	for {
		err := c.check()
		if err == nil {
			started = time.Time{}
		}
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

// Ready waits until the guard answers that all is well, and starts one if none is running, or if
// the one that was there is just ending. One that answers that something is wrong is given half a
// second: whoever had its lines may just be ending, too.
func (c *Client) Ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var refused time.Time
	started := c.cfg.Start == nil
	for {
		err := c.check()
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrNotRunning) && !started {
			started = true
			if serr := c.cfg.Start(); serr != nil {
				return fmt.Errorf("%w, and none can be started: %w", err, serr)
			}
		}
		if r := (*RefusedError)(nil); errors.As(err, &r) {
			if refused.IsZero() {
				refused = time.Now()
			}
			if time.Since(refused) >= refusedPatience {
				return err
			}
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

// Gone returns nil as soon as there is no guard: one that dies is noticed at once. A guard
// that waits for another one's death calls it.
func (c *Client) Gone(ctx context.Context) error {
	for ctx.Err() == nil {
		conn, err := c.cfg.Dial()
		if errors.Is(err, ErrNotRunning) {
			return nil
		}
		if err == nil {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			watch(conn)
			stop()
			conn.Close()
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pingEvery):
		}
	}
	return ctx.Err()
}

// watch returns when a connection ends, or its guard does not answer.
func watch(conn net.Conn) {
	for {
		refused := (*RefusedError)(nil)
		if err := exchange(conn, request{verb: ping}); err != nil && !errors.As(err, &refused) {
			return
		}
		if conn.SetReadDeadline(time.Now().Add(pingEvery)) != nil {
			return
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

// Well asks the guard whether all its lines are in order.
func (c *Client) Well() error { return c.once(ping) }

// MakeSafe has the guard drive all lines safe, whoever has them. A nil error says that they
// were driven.
func (c *Client) MakeSafe() error { return c.once(safe) }

// End ends a guard that was started by a station; any other goes on. The lines are safe.
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
