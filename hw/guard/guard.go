// Package guard keeps the line of a lock safe when the station that opens it dies. A
// released line has no guaranteed level, so the line belongs to a process of its own, for
// as long as that lives, from its safe level on: the guard's. The station asks it by a
// socket, as a [Client], which drives the line like any other output.
//
// When the connection ends (the station was killed, crashed, or was silent for Silence),
// the guard drives the line safe and keeps it. No opening lasts longer than its Max,
// whatever anybody asks for: a station that hangs may do so with an open lock. A line that
// does not obey is driven again and again. The next station finds the line taken and safe.
//
// It does not decide who may open, nor for how long: that is hw/relay's and door's, in the
// station. It is no defence against its own death: whoever starts it does so again, and a
// resistor at the line does the rest.
//
// All goroutines of a Guard live inside Serve: one that owns the line, one that logs, one
// that accepts and one for each of few connections. A Client has none but in Watch.
package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"intercom/hw"
	"intercom/internal/unixsock"
)

// Silence is how long a station may say nothing before it counts as dead. Clients ask
// far more often.
const Silence = 2 * time.Second

// DefaultMax is the Max of a Config that has none.
const DefaultMax = 10 * time.Second

const (
	maxConns     = 4                      // a station, the next one, and people who look
	writeTimeout = time.Second            // nobody who does not read is waited for
	retry        = 200 * time.Millisecond // after a write that failed the line is driven safe again
	aliveEvery   = time.Second
)

// Config says which line is guarded.
type Config struct {
	Lines hw.Lines
	Line  hw.Line

	// Safe is the state of the line in which the door is shut, as in hw/relay.
	Safe bool

	Max   time.Duration // no opening lasts longer; 0 means DefaultMax
	Pause time.Duration // between the end of an opening and the next; 0: none

	// Child says that a station started this guard, and may end it when it ends itself.
	Child bool

	// Alive is called every second for as long as the guard does its work, from the
	// goroutine that logs; nil: nothing is.
	Alive  func()
	Logger *slog.Logger // nil discards
}

// Guard guards one line.
type Guard struct {
	cfg     Config
	claim   claim
	asks    chan ask
	notices chan notice
	done    chan struct{} // closed when the line is guarded no more
	began   atomic.Bool
}

// ask is a request on its way to who owns the line.
type ask struct {
	from   *conn
	what   request
	answer chan error // holds one
}

// notice is something to be logged.
type notice struct {
	level slog.Level
	text  string
	cause string // "": none
	alive bool   // nothing to log, but a sign of life
}

// New checks the configuration. It touches no line.
func New(c Config) (*Guard, error) {
	if c.Max == 0 {
		c.Max = DefaultMax
	}
	switch {
	case c.Lines == nil:
		return nil, errors.New("guard: no lines")
	case c.Line.Name == "":
		return nil, errors.New("guard: the line has no name")
	case c.Max < 0 || c.Pause < 0:
		return nil, fmt.Errorf("guard: lock %q: a time is negative", c.Line.Name)
	}
	g := &Guard{
		cfg: c, claim: claimOf(c.Line, c.Safe),
		asks: make(chan ask), notices: make(chan notice, 16), done: make(chan struct{}),
	}
	if len(request{verb: take, claim: g.claim}.String()) > maxFrame {
		return nil, fmt.Errorf("guard: a line's name of %d bytes", len(c.Line.Name))
	}
	if c.Logger == nil {
		g.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return g, nil
}

// Listen opens the socket of a guard, for its owner alone. There is at most one guard on a
// socket.
func Listen(path string) (net.Listener, error) {
	l, err := unixsock.Listen(network, path)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, unixsock.ErrTaken):
		return nil, fmt.Errorf("socket %s: another guard is running on it", path)
	}
	return nil, fmt.Errorf("socket %s: %w", path, err)
}

// network keeps packets apart, and tells the end of a connection.
const network = "unixpacket"

// Serve takes the line and guards it until ctx ends, or the station that started it says
// so; then it drives the line safe, gives it back and closes l. A line that cannot be had
// is tried again for as long as it takes, and no client gets it meanwhile. The error says
// that the line could not be driven safe at the end. A guard serves once.
func (g *Guard) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	if g.began.Swap(true) {
		return fmt.Errorf("lock %q: its guard ran before", g.cfg.Line.Name)
	}
	ctx, cancel := context.WithCancel(ctx)
	var others, log sync.WaitGroup
	log.Go(g.tell)
	defer log.Wait()
	defer close(g.notices)
	defer others.Wait()
	defer cancel()
	others.Go(func() {
		<-ctx.Done()
		l.Close()
	})
	others.Go(func() { g.accept(ctx, l, &others) })
	w := &loop{Guard: g}
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
			g.log(slog.LevelWarn, "the socket does not accept", err) // out of descriptors, for example: this passes
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
				continue
			}
		}
		if err := stranger(c); err != nil {
			g.log(slog.LevelWarn, "a connection was refused", err)
			c.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			g.log(slog.LevelWarn, "a connection was refused", errors.New("there are too many"))
			c.Close()
			continue
		}
		conns.Go(func() {
			defer func() { <-slots }()
			g.serve(ctx, &conn{Conn: c})
		})
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
func (g *Guard) log(level slog.Level, text string, cause error) {
	n := notice{level: level, text: text}
	if cause != nil {
		n.cause = cause.Error()
	}
	select {
	case g.notices <- n:
	default: // the log is stuck, and would be none the wiser for more
	}
}

func (g *Guard) tell() {
	log := g.cfg.Logger.With("lock", g.cfg.Line.Name)
	for n := range g.notices {
		switch {
		case n.alive:
			g.cfg.Alive()
		case n.cause != "":
			log.Log(context.Background(), n.level, n.text, "cause", n.cause)
		default:
			log.Log(context.Background(), n.level, n.text)
		}
	}
}
