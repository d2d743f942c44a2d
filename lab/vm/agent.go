package vm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"intercom/lab/vm/wire"
)

// agentAddress is the agent's in its network.
const agentAddress = "10.0.3.15:7000"

// request asks the agent for something. The caller closes the answer's body.
func (m *Machine) request(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+m.agent+path, body)
	if err != nil {
		return nil, err
	}
	answer, err := m.http.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		return nil, errors.New(strings.TrimSpace(string(text)))
	}
	return answer, nil
}

// ask asks for something that takes at most limit and reads its JSON into result, unless
// that is nil. what begins the error.
func (m *Machine) ask(ctx context.Context, limit time.Duration, what, method, path string, query url.Values, body []byte, result any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := m.request(ctx, method, path, query, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer answer.Body.Close()
	if result == nil {
		_, err = io.Copy(io.Discard, answer.Body)
	} else {
		err = json.NewDecoder(answer.Body).Decode(result)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// setClock gives the guest this machine's time, so that times of both sides compare.
func (m *Machine) setClock(ctx context.Context) error {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return m.ask(ctx, stepLimit, "set clock", http.MethodPut, wire.Clock, nil, []byte(now), nil)
}

// Put writes a file of the guest; folders are made. A file of /sys, /proc or /dev is
// written in place, any other replaced.
func (m *Machine) Put(ctx context.Context, path string, mode fs.FileMode, content []byte) error {
	query := url.Values{"path": {path}, "mode": {fmt.Sprintf("%o", mode)}}
	return m.ask(ctx, stepLimit, "put "+path, http.MethodPut, wire.File, query, content, nil)
}

// PutFile copies a file of this machine into the guest, with its mode.
func (m *Machine) PutFile(ctx context.Context, path, local string) error {
	s, err := os.Stat(local)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(local)
	if err != nil {
		return err
	}
	return m.Put(ctx, path, s.Mode().Perm(), content)
}

// Get reads a file of the guest.
func (m *Machine) Get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	answer, err := m.request(ctx, http.MethodGet, wire.File, url.Values{"path": {path}}, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	return content, nil
}

// dial connects to something that listens in the guest: "tcp" with the guest's
// 127.0.0.1:PORT, or "unix" with a path.
func (m *Machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.agent)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	query := url.Values{"network": {network}, "address": {address}}
	fmt.Fprintf(conn, "GET %s?%s HTTP/1.1\r\nHost: agent\r\nConnection: Upgrade\r\nUpgrade: stream\r\n\r\n", wire.Dial, query.Encode())
	buffered := bufio.NewReader(conn)
	answer, err := http.ReadResponse(buffered, nil)
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		err = errors.New(strings.TrimSpace(string(text)))
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("dial %s in the guest: %w", address, err)
	}
	return &stream{Conn: conn, buffered: buffered}, nil
}

// stream is a connection of which some may have been read.
type stream struct {
	net.Conn
	buffered *bufio.Reader
}

func (s *stream) Read(b []byte) (int, error) { return s.buffered.Read(b) }

func (s *stream) CloseWrite() error { return s.Conn.(*net.TCPConn).CloseWrite() }

// Forward accepts connections on a listener of this machine and joins each with one to
// something that listens in the guest, as of Dial. It closes the listener, and returns
// when ctx ends or the listener is closed.
func (m *Machine) Forward(ctx context.Context, l net.Listener, network, address string) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		here, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		all.Go(func() {
			defer here.Close()
			there, err := m.dial(ctx, network, address)
			if err != nil {
				return // the other side sees its connection end, as with a server that is not there
			}
			defer there.Close()
			defer context.AfterFunc(ctx, func() { here.Close(); there.Close() })()
			join(here, there)
		})
	}
}

// join copies both ways until both have ended.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			io.Copy(way[0], way[1])
			if half, ok := way[0].(interface{ CloseWrite() error }); ok {
				half.CloseWrite()
			}
		})
	}
	both.Wait()
}
