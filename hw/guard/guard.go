// Package guard keeps the lines of locks safe when the station that opens them dies. A
// released line has no guaranteed level, so the lines belong to a process of its own, for
// as long as that lives, from their safe levels on: the guard's. The station asks it by a
// socket, as a [Client], which drives a line like any other output.
//
// When the connection ends (the station was killed, crashed, or was silent for Silence),
// the guard drives its lines safe and keeps them. No opening lasts longer than the lock's Max,
// whatever anybody asks for: a station that hangs may do so with an open lock. A line that
// does not obey is driven again and again. The next station finds the lines taken and safe.
//
// It does not decide who may open, nor for how long, nor which locks may be open together:
// that is hw/relay's and door's, in the station. It is no defence against its own death:
// whoever starts it does so again, another guard may wait for that ([Client.Gone]), and a
// resistor at the line does the rest.
//
// All goroutines of a Guard live inside Serve: one that owns the lines, one that logs, one
// that accepts and one for each of few connections. A panic in any of them ends the program
// once the lines are safe. A Client has none but in Watch.
package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"intercom/hw"
	"intercom/internal/failsafe"
	"intercom/internal/unixsock"
)

// Silence is how long a station may say nothing before it counts as dead. Clients ask
// far more often.
const Silence = 2 * time.Second

// DefaultMax is the Max of a Config that has none.
const DefaultMax = 10 * time.Second

const (
	maxConns     = 6                      // a station, the next one, a guard that waits, and people who look
	writeTimeout = time.Second            // nobody who does not read is waited for
	retry        = 200 * time.Millisecond // after a write that failed the line is driven safe again, at the latest
	firstRetry   = 2 * time.Millisecond   // and at the earliest: a guard that has just died may not be gone altogether
	aliveEvery   = time.Second
)

// Lock is a line that is guarded.
type Lock struct {
	Line hw.Line

	// Safe is the state of the line in which the door is shut, as in hw/relay.
	Safe bool

	Max   time.Duration // no opening lasts longer; 0 means DefaultMax
	Pause time.Duration // between the end of an opening and the next; 0: none
}

// Config says which lines are guarded.
type Config struct {
	Lines hw.Lines
	Locks []Lock // at least one

	// Child says that a station started this guard, and may end it when it ends itself.
	Child bool

	// Alive is called every second for as long as the guard does its work, from the
	// goroutine that logs; nil: nothing is.
	Alive  func()
	Logger *slog.Logger // nil discards
}

// Guard guards lines.
type Guard struct {
	cfg     Config
	asks    chan ask
	notices chan notice
	done    chan struct{} // closed when the lines are guarded no more
	panics  *failsafe.Panics
	began   atomic.Bool
}

// ask is a request on its way to who owns the lines.
type ask struct {
	from   *conn
	what   request
	answer chan error // holds one
}

// notice is something to be logged.
type notice struct {
	level slog.Level
	text  string
	line  string // "": all
	cause string // "": none
	alive bool   // nothing to log, but a sign of life
}

// New checks the configuration. It touches no line.
func New(c Config) (*Guard, error) {
	if c.Lines == nil {
		return nil, errors.New("guard: no lines")
	}
	if len(c.Locks) == 0 {
		return nil, errors.New("guard: no locks")
	}
	c.Locks = slices.Clone(c.Locks)
	for i := range c.Locks {
		l := &c.Locks[i]
		if l.Max == 0 {
			l.Max = DefaultMax
		}
		name := l.Line.Name
		switch {
		case name == "":
			return nil, errors.New("guard: a line has no name")
		case slices.ContainsFunc(c.Locks[:i], func(o Lock) bool { return o.Line.Name == name }):
			return nil, fmt.Errorf("guard: line %q: it is named twice", name)
		case l.Max < 0 || l.Pause < 0:
			return nil, fmt.Errorf("guard: line %q: a time is negative", name)
		case len(request{verb: take, claim: claimOf(l.Line, l.Safe)}.String()) > maxFrame:
			return nil, fmt.Errorf("guard: a line's name of %d bytes", len(name))
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Guard{cfg: c, asks: make(chan ask), notices: make(chan notice, 16), done: make(chan struct{})}
	g.panics = failsafe.NewPanics(g.done)
	return g, nil
}

// ErrTaken is wrapped by Listen's error when another guard is running on the socket.
var ErrTaken = unixsock.ErrTaken

// Listen opens the socket of a guard, for its owner alone. There is at most one guard on a
// socket.
func Listen(path string) (net.Listener, error) {
	l, err := unixsock.Listen(network, path)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, unixsock.ErrTaken):
		return nil, fmt.Errorf("socket %s: another guard is running: %w", path, ErrTaken)
	}
	return nil, fmt.Errorf("socket %s: %w", path, err)
}

// network keeps packets apart, and tells the end of a connection.
const network = "unixpacket"

// Serve takes the lines and guards them until ctx ends, or the station that started it says
// so; then it drives them safe, gives them back and closes l. A line that cannot be had
// is tried again for as long as it takes, and no client gets it meanwhile. The error says
// which could not be driven safe at the end. A guard serves once.
func (g *Guard) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	if g.began.Swap(true) {
		return errors.New("guard: it ran before")
	}
	ctx, cancel := context.WithCancel(ctx)
	var others, log sync.WaitGroup
	log.Go(g.panics.Wrap(g.tell))
	defer log.Wait()
	defer close(g.notices)
	defer others.Wait()
	defer cancel()
	others.Go(func() {
		<-ctx.Done()
		l.Close()
	})
	others.Go(g.panics.Wrap(func() { g.accept(ctx, l, &others) }))
	w := newLoop(g)
	defer close(g.done)
	return w.guard(ctx)
}

// accept serves who connects, if it is allowed to.
func (g *Guard) accept(ctx context.Context, l net.Listener, conns *sync.WaitGroup) {
	slots := make(chan struct{}, maxConns)
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			g.log("", slog.LevelWarn, "the socket does not accept", err) // out of descriptors, for example: this passes
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
				continue
			}
		}
		if err := stranger(c); err != nil {
			g.log("", slog.LevelWarn, "a connection was refused", err)
			c.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			g.log("", slog.LevelWarn, "a connection was refused", errors.New("there are too many"))
			c.Close()
			continue
		}
		conns.Go(g.panics.Wrap(func() {
			defer func() { <-slots }()
			g.serve(ctx, &conn{Conn: c})
		}))
	}
}

// stranger refuses who is neither root nor the user that this process runs as.
func stranger(c net.Conn) error {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil // a test's pipe
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var oops error
	if err := raw.Control(func(fd uintptr) { cred, oops = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if oops != nil {
		return oops
	}
	if !mayAsk(int(cred.Uid), os.Geteuid()) {
		return fmt.Errorf("process %d runs as user %d", cred.Pid, cred.Uid)
	}
	return nil
}

// mayAsk tells whether a user may ask a guard that runs as another.
func mayAsk(user, guard int) bool { return user == 0 || user == guard }

// conn is a connection, by which the loop knows who asks.
type conn struct{ net.Conn }

// serve answers one connection until it ends, which the loop is told.
func (g *Guard) serve(ctx context.Context, c *conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	defer g.ask(ask{from: c, what: request{verb: gone}, answer: make(chan error, 1)})
	buf := make([]byte, maxFrame+1)
	for {
		// Whoever is silent is as good as dead.
		if c.SetReadDeadline(time.Now().Add(Silence)) != nil {
			return
		}
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		r, err := parseRequest(buf[:n])
		if err == nil {
			err = g.ask(ask{from: c, what: r, answer: make(chan error, 1)})
		}
		if c.SetWriteDeadline(time.Now().Add(writeTimeout)) != nil {
			return
		}
		if _, werr := c.Write([]byte(formatReply(err))); werr != nil || errors.Is(err, errForeign) {
			return
		}
	}
}

// ask has the loop carry out a request.
func (g *Guard) ask(a ask) error {
	select {
	case g.asks <- a:
	case <-g.done:
		return errEnded
	}
	select {
	case err := <-a.answer:
		return err
	case <-g.done:
		select {
		case err := <-a.answer:
			return err
		default:
			return errEnded
		}
	}
}

var errEnded = errors.New("the guard ends")

// log has something logged by who has the time: a full disk must not hold a door open.
func (g *Guard) log(line string, level slog.Level, text string, cause error) {
	n := notice{level: level, text: text, line: line}
	if cause != nil {
		n.cause = cause.Error()
	}
	select {
	case g.notices <- n:
	default: // the log is stuck, and would be none the wiser for more
	}
}

func (g *Guard) tell() {
	for n := range g.notices {
		if n.alive {
			g.cfg.Alive()
			continue
		}
		var more []any
		if n.line != "" {
			more = append(more, "line", n.line)
		}
		if n.cause != "" {
			more = append(more, "cause", n.cause)
		}
		g.cfg.Logger.Log(context.Background(), n.level, n.text, more...)
	}
}
