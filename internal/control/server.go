package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"intercom/internal/unixsock"
)

// Listen opens the control socket, for its owner alone (mode 0600). A missing directory
// is made, for its owner alone too. The socket that a dead process left behind is
// replaced; one that answers is an error, as are two stations on one socket.
func Listen(path string) (net.Listener, error) {
	l, err := unixsock.Listen("unix", path)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, unixsock.ErrTaken):
		return nil, fmt.Errorf("control socket %s: another station is running on it", path)
	}
	return nil, fmt.Errorf("control socket %s: %w", path, err)
}

// Serve answers requests on l until ctx ends, which is no error, and closes l. It owns a
// goroutine for each connection and returns when all have ended. A nil logger discards.
func Serve(ctx context.Context, l net.Listener, st Station, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &server{station: st, log: log, slots: make(chan struct{}, maxConns)}
	ctx, cancel := context.WithCancel(ctx)
	defer s.conns.Wait()
	defer cancel()
	s.conns.Go(func() {
		<-ctx.Done()
		l.Close()
	})
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			s.accept(ctx, c)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("control socket: %w", err)
		default: // out of file descriptors, for example: this passes
			log.Warn("control socket does not accept", "cause", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

type server struct {
	station Station
	log     *slog.Logger
	slots   chan struct{} // one token for each connection
	conns   sync.WaitGroup
}

func (s *server) accept(ctx context.Context, c net.Conn) {
	select {
	case s.slots <- struct{}{}:
	default:
		s.log.Warn("control socket: connection refused", "cause", "too many connections", "limit", maxConns)
		_ = writeLine(c, reply{Error: "too many connections to the control socket"}) // a fresh socket's buffer takes it
		c.Close()
		return
	}
	s.conns.Go(func() {
		defer func() { <-s.slots }()
		defer c.Close()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		if err := s.serve(ctx, cancel, c); err != nil && ctx.Err() == nil {
			s.log.Debug("control connection ended", "cause", err)
		}
	})
}

// serve answers the requests of one connection, one after the other.
func (s *server) serve(ctx context.Context, cancel context.CancelFunc, c net.Conn) error {
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, 0, 512), maxRequest)
	for {
		if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
			return err
		}
		if !lines.Scan() {
			err := lines.Err()
			if errors.Is(err, bufio.ErrTooLong) {
				err = errors.Join(err, writeLine(c, reply{Error: fmt.Sprintf("request is longer than %d bytes", maxRequest)}))
			}
			return err
		}
		req, err := parseRequest(lines.Bytes())
		if err == nil && req.Cmd == cmdEvents {
			return s.stream(ctx, cancel, c)
		}
		var ans reply
		if err == nil {
			ans, err = s.carryOut(ctx, req)
		}
		if err != nil {
			ans = reply{Error: err.Error()}
		}
		if err := answer(c, ans); err != nil {
			return err
		}
	}
}

// answer writes a reply. One that JSON has no words for (a level that is not a number)
// becomes an error that says so.
func answer(c net.Conn, r reply) error {
	err := writeLine(c, r)
	if bad := (*json.UnsupportedValueError)(nil); errors.As(err, &bad) {
		return writeLine(c, reply{Error: err.Error()})
	}
	return err
}

func (s *server) carryOut(ctx context.Context, req request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if r, is, err := askKeys(ctx, s.station, req); is {
		r.OK = err == nil
		return r, err
	}
	switch req.Cmd {
	case cmdPress:
		if err := s.station.Press(ctx, req.Name); err != nil {
			return reply{}, err
		}
	case cmdType:
		if err := s.station.Type(ctx, req.Keys); err != nil {
			return reply{}, err
		}
	case cmdHangUp:
		if err := s.station.HangUp(ctx); err != nil {
			return reply{}, err
		}
	case cmdSnap:
		picture, err := s.station.Snapshot(ctx)
		return reply{OK: err == nil, JPEG: picture}, err
	case cmdStatus:
		st := s.station.Status()
		return reply{OK: true, Status: &st}, nil
	}
	return reply{OK: true}, nil
}

// stream sends events until the client goes away. What it sends meanwhile is ignored.
func (s *server) stream(ctx context.Context, cancel context.CancelFunc, c net.Conn) error {
	if err := writeLine(c, reply{OK: true}); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, c) // the end of the connection is all it tells
	})
	defer reader.Wait()
	defer c.Close()
	return s.station.Watch(ctx, 0, func(e Event) error { return writeLine(c, e) })
}
