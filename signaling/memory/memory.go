// Package memory carries signals between clients of one process: for tests, and for
// trying things out without a server. It behaves as a chat server does where that matters
// to a call: one user may have several devices, a signal to a user reaches all of them
// and one to a device only that one, an absent addressee bounces, and a link can be cut
// and restored. It is not a server: it knows no passwords and stores nothing for later.
//
// It starts no goroutine; waiting is done in Client.Receive, on channels and timers only,
// so that it may be used in a testing/synctest bubble.
package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"intercom/signaling"
)

// inboxSize bounds what waits for one reader. A reader that is this far behind has
// stopped; signals to it then fail at the sender, as they would on a full connection.
const inboxSize = 1024

// Errors of a Client.
var (
	// ErrLinkDown is returned by Send and Probe while the link is down.
	ErrLinkDown = errors.New("memory: the link is down")
	// ErrClosed is returned by all methods after Close.
	ErrClosed = errors.New("memory: the channel is closed")
)

// Hub connects clients. The zero value is ready; it is used from any goroutine.
type Hub struct {
	// Delay is how long a signal or a bounce is under way. It is set before the first
	// client joins.
	Delay time.Duration

	mu      sync.Mutex
	clients []*Client
	lastID  int
}

// Client is one device of one user. It implements signaling.Channel.
type Client struct {
	hub    *Hub
	user   signaling.UserID
	device string

	// Guarded by hub.mu.
	up, closed bool
	swallows   bool // what it sends is lost
	pong       Pong
	inbox      []arrival

	more chan struct{} // one token: the inbox has changed
}

// arrival is an event and the moment from which it can be received.
type arrival struct {
	due   time.Time
	event signaling.Event
}

// Join adds a device of a user, with its link up: the first event it receives says so.
// The device's name is its resource; a name that is taken is an error.
func (h *Hub) Join(user signaling.UserID, device string) (*Client, error) {
	if user <= 0 || device == "" {
		return nil, fmt.Errorf("memory: join %s/%q: a user id and a device are needed", user, device)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.clients {
		if c.user == user && c.device == device {
			return nil, fmt.Errorf("memory: join %s/%s: there is such a device already", user, device)
		}
	}
	c := &Client{hub: h, user: user, device: device, up: true, more: make(chan struct{}, 1)}
	h.clients = append(h.clients, c)
	c.put(0, signaling.LinkUp{})
	return c, nil
}

// Self returns the user's id.
func (c *Client) Self() signaling.UserID { return c.user }

// Device returns the name the client joined with.
func (c *Client) Device() string { return c.device }

// Send delivers a copy of s to the devices it is addressed to. If there are none it comes
// back as a Bounce.
func (c *Client) Send(ctx context.Context, s *signaling.Signal) error {
	return c.deliver(ctx, s.Kind.String(), &s.ID, s.Peer, s.Device, func() signaling.Event {
		copied := clone(s)
		copied.Peer, copied.Device = c.user, c.device
		return copied
	})
}

// deliver has copies made of something, one for each device it is addressed to.
func (c *Client) deliver(ctx context.Context, what string, id *string, peer signaling.UserID, device string, copied func() signaling.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := c.usable(); err != nil {
		return err
	}
	if *id == "" {
		h.lastID++
		*id = strconv.Itoa(h.lastID)
	}
	if c.swallows {
		return nil
	}
	reached := false
	for _, to := range h.clients {
		if to.user != peer || !to.up || (device != "" && to.device != device) {
			continue
		}
		if len(to.inbox) >= inboxSize {
			return fmt.Errorf("memory: send %s to %s/%s: its inbox is full", what, to.user, to.device)
		}
		reached = true
		to.put(h.Delay, copied())
	}
	if !reached {
		c.put(h.Delay, &signaling.Bounce{Peer: peer, Device: device, ID: *id, Condition: "service-unavailable"})
	}
	return nil
}

// Tell delivers a copy of m as Send does a signal.
func (c *Client) Tell(ctx context.Context, m *signaling.Message) error {
	return c.deliver(ctx, "message", &m.ID, m.Peer, m.Device, func() signaling.Event {
		return &signaling.Message{ID: m.ID, Peer: c.user, Device: c.device, Info: maps.Clone(m.Info)}
	})
}

// Receive returns the next event that has arrived.
func (c *Client) Receive(ctx context.Context) (signaling.Event, error) {
	for {
		e, wait, err := c.take()
		if e != nil || err != nil {
			return e, err
		}
		var due <-chan time.Time // nil: nothing is under way
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-due:
		case <-c.more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Probe returns nil while the link is up.
func (c *Client) Probe(ctx context.Context) error {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.usable()
}

// Pong is what a client does when it is asked for a sign of life.
type Pong uint8

// What devices do.
const (
	PongAnswer  Pong = iota // as they should
	PongRefuse              // with service-unavailable, as one does that does not know the question
	PongNothing             // as one does whose connection is dead, and the server does not know yet
)

// SetPong sets what the client does when it is asked for a sign of life.
func (c *Client) SetPong(p Pong) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	c.pong = p
}

// Ping asks a device for a sign of life, and waits for the answer: the device's as of now, or
// signaling.ErrUnavailable if it is not there.
func (c *Client) Ping(ctx context.Context, u signaling.UserID, device string) error {
	pong, err := c.ask(u, device)
	if err != nil {
		return err
	}
	var back <-chan time.Time // nil: nothing comes back
	if pong != PongNothing {
		back = time.After(2 * c.hub.Delay)
	}
	select {
	case <-back:
	case <-ctx.Done():
		return ctx.Err()
	}
	if pong == PongRefuse {
		return signaling.ErrUnavailable
	}
	return nil
}

// ask looks up what a device does when it is asked for a sign of life.
func (c *Client) ask(u signaling.UserID, device string) (Pong, error) {
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := c.usable(); err != nil {
		return 0, err
	}
	if c.swallows {
		return PongNothing, nil
	}
	i := slices.IndexFunc(h.clients, func(o *Client) bool { return o.user == u && o.device == device && o.up })
	if i < 0 {
		return PongRefuse, nil
	}
	return h.clients[i].pong, nil
}

// SetLink cuts the client's link or restores it. What is under way to it when the link is
// cut is lost.
func (c *Client) SetLink(up bool) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if c.closed || c.up == up {
		return
	}
	c.up = up
	if up {
		c.put(0, signaling.LinkUp{})
		return
	}
	now := time.Now()
	c.inbox = slices.DeleteFunc(c.inbox, func(a arrival) bool { return a.due.After(now) })
	c.put(0, signaling.LinkDown{Err: ErrLinkDown})
}

// Swallow loses without an error what the client sends from now on, as a connection does
// that is dead and does not know yet; or does so no longer.
func (c *Client) Swallow(on bool) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	c.swallows = on
}

// Close removes the device from the hub. It may be called more than once.
func (c *Client) Close() error {
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	c.closed, c.up = true, false
	h.clients = slices.DeleteFunc(h.clients, func(o *Client) bool { return o == c })
	c.wake()
	return nil
}

func (c *Client) usable() error {
	switch {
	case c.closed:
		return ErrClosed
	case !c.up:
		return ErrLinkDown
	}
	return nil
}

// put appends an event. The delay is constant, so the inbox stays in order of arrival,
// except for link events, which overtake nothing that has arrived.
func (c *Client) put(delay time.Duration, e signaling.Event) {
	c.inbox = append(c.inbox, arrival{due: time.Now().Add(delay), event: e})
	c.wake()
}

func (c *Client) wake() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// take returns the next event, or how long to wait for it; zero: until something changes.
func (c *Client) take() (signaling.Event, time.Duration, error) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if len(c.inbox) == 0 {
		if c.closed {
			return nil, 0, ErrClosed
		}
		return nil, 0, nil
	}
	if wait := time.Until(c.inbox[0].due); wait > 0 {
		return nil, wait, nil
	}
	e := c.inbox[0].event
	c.inbox[0] = arrival{}
	c.inbox = c.inbox[1:]
	return e, 0, nil
}

// clone copies a signal, so that sender and receivers share nothing.
func clone(s *signaling.Signal) *signaling.Signal {
	k := *s
	k.Opponents = slices.Clone(s.Opponents)
	k.Info = maps.Clone(s.Info)
	k.Candidates = slices.Clone(s.Candidates)
	k.Extra = cloneFields(s.Extra)
	if s.Reconnect != nil {
		d := *s.Reconnect
		k.Reconnect = &d
	}
	return &k
}

func cloneFields(fields []signaling.Field) []signaling.Field {
	k := slices.Clone(fields)
	for i := range k {
		k[i].Fields = cloneFields(k[i].Fields)
	}
	return k
}
