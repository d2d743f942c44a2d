package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// ErrNotRunning is wrapped by Dial's error when no station listens on the socket.
var ErrNotRunning = errors.New("no station is running")

// RefusedError is the station's answer to a request it did not carry out, such as an
// unknown button.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }

// replyTimeout is longer than the station may take: its own words are better than ours.
const replyTimeout = requestTimeout + writeTimeout

// Client talks to a running station over its control socket. It has one connection and
// makes one request at a time: it is not for concurrent use. After any error but a
// RefusedError it is of no more use than to be closed.
type Client struct {
	conn  net.Conn
	lines *bufio.Scanner
}

// Dial connects to the control socket of a running station. The error wraps
// ErrNotRunning if there is none.
func Dial(ctx context.Context, path string) (*Client, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return newClient(c), nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("control socket %s: %w", path, ErrNotRunning)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("control socket %s: permission denied; it belongs to the user the station runs as", path)
	}
	return nil, fmt.Errorf("control socket %s: %w", path, err)
}

func newClient(c net.Conn) *Client {
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, 0, 4096), maxReply)
	return &Client{conn: c, lines: lines}
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Press presses and releases a button of the station.
func (c *Client) Press(ctx context.Context, name string) error {
	_, err := c.ask(ctx, request{Cmd: cmdPress, Name: name})
	return err
}

// Type presses keys of the station's keypad, one after the other.
func (c *Client) Type(ctx context.Context, keys string) error {
	_, err := c.ask(ctx, request{Cmd: cmdType, Keys: keys})
	return err
}

// HangUp ends the station's call, if there is one.
func (c *Client) HangUp(ctx context.Context) error {
	_, err := c.ask(ctx, request{Cmd: cmdHangUp})
	return err
}

// Status returns the station's state.
func (c *Client) Status(ctx context.Context) (Status, error) {
	r, err := c.ask(ctx, request{Cmd: cmdStatus})
	if err != nil {
		return Status{}, err
	}
	if r.Status == nil {
		return Status{}, errors.New("status: the reply has none")
	}
	return *r.Status, nil
}

// Snapshot returns the camera's next picture as a JPEG.
func (c *Client) Snapshot(ctx context.Context) ([]byte, error) {
	r, err := c.ask(ctx, request{Cmd: cmdSnap})
	if err == nil && len(r.JPEG) == 0 {
		err = errors.New("snapshot: the reply has none")
	}
	return r.JPEG, err
}

// Events calls f with each event from now on, in order, until ctx ends or f returns an
// error, which it returns; io.EOF if the station ended. The client can then only be closed.
func (c *Client) Events(ctx context.Context, f func(Event) error) error {
	if _, err := c.ask(ctx, request{Cmd: cmdEvents}); err != nil {
		return err
	}
	if err := c.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { c.conn.Close() })()
	for {
		line, err := c.read(ctx)
		if err != nil {
			return err
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		if err := f(e); err != nil {
			return err
		}
	}
}

// ask sends one request and reads its reply.
func (c *Client) ask(ctx context.Context, req request) (reply, error) {
	defer context.AfterFunc(ctx, func() { c.conn.Close() })()
	if err := writeLine(c.conn, req); err != nil {
		return reply{}, c.cause(ctx, fmt.Errorf("%s: %w", req.Cmd, err))
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(replyTimeout)); err != nil {
		return reply{}, c.cause(ctx, err)
	}
	line, err := c.read(ctx)
	if err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%s: read reply: %w", req.Cmd, err)
		}
		return reply{}, err
	}
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		return reply{}, fmt.Errorf("%s: read reply: %w", req.Cmd, err)
	}
	if !r.OK {
		if r.Error == "" {
			return reply{}, fmt.Errorf("%s: the reply says neither yes nor no", req.Cmd)
		}
		return reply{}, &RefusedError{Text: r.Error}
	}
	return r, nil
}

// read returns the next line.
func (c *Client) read(ctx context.Context) ([]byte, error) {
	if c.lines.Scan() {
		return c.lines.Bytes(), nil
	}
	err := c.lines.Err()
	if err == nil {
		err = io.EOF
	}
	return nil, c.cause(ctx, err)
}

// cause is the context's error once that has ended: it closed the connection.
func (c *Client) cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
