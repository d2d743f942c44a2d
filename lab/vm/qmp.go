package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Event is one of QEMU's: WATCHDOG, SHUTDOWN, RESET, STOP, NIC_RX_FILTER_CHANGED and so on
// (QEMU's QMP reference lists them with their data).
type Event struct {
	Name string
	Data json.RawMessage
	Time time.Time // by QEMU's clock, which is this machine's
}

// monitor is the client of QEMU's monitor protocol, QMP. One goroutine reads; it ends with
// the connection.
type monitor struct {
	conn net.Conn
	done chan struct{} // closed when the reader has ended

	asking  sync.Mutex // one request at a time, as the protocol has it
	answers chan message

	mu     sync.Mutex
	events []Event
	more   chan struct{} // closed and replaced with each event
}

// message is anything that QEMU says.
type message struct {
	QMP    json.RawMessage `json:"QMP"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Text string `json:"desc"`
	} `json:"error"`
	Event     string          `json:"event"`
	Data      json.RawMessage `json:"data"`
	Timestamp struct {
		Seconds      int64 `json:"seconds"`
		Microseconds int64 `json:"microseconds"`
	} `json:"timestamp"`
}

var errEnded = errors.New("the machine has ended")

func newMonitor(conn net.Conn) *monitor {
	q := &monitor{conn: conn, done: make(chan struct{}), answers: make(chan message, 1), more: make(chan struct{})}
	go q.read()
	return q
}

func (q *monitor) read() {
	defer close(q.done)
	for d := json.NewDecoder(q.conn); ; {
		var m message
		if d.Decode(&m) != nil {
			return
		}
		if m.Event == "" {
			select {
			case q.answers <- m:
			default: // nobody waits any more for the one before: it timed out
				<-q.answers
				q.answers <- m
			}
			continue
		}
		q.mu.Lock()
		at := time.Unix(m.Timestamp.Seconds, m.Timestamp.Microseconds*1000)
		q.events = append(q.events, Event{Name: m.Event, Data: m.Data, Time: at})
		close(q.more)
		q.more = make(chan struct{})
		q.mu.Unlock()
	}
}

// greet reads the greeting and begins.
func (q *monitor) greet(ctx context.Context) error {
	select {
	case <-q.answers:
	case <-q.done:
		return errEnded
	case <-ctx.Done():
		return fmt.Errorf("the monitor does not greet: %w", ctx.Err())
	}
	return q.do(ctx, "qmp_capabilities", nil, nil)
}

// do runs a command of the monitor and puts its result where result points, if it does.
func (q *monitor) do(ctx context.Context, command string, arguments, result any) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	q.asking.Lock()
	defer q.asking.Unlock()
	select {
	case <-q.answers: // too late for whom it was for
	default:
	}
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := json.NewEncoder(q.conn).Encode(request); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	select {
	case m := <-q.answers:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", command, m.Error.Text)
		}
		if result != nil {
			return json.Unmarshal(m.Return, result)
		}
		return nil
	case <-q.done:
		return fmt.Errorf("%s: %w", command, errEnded)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", command, ctx.Err())
	}
}

func (q *monitor) close() {
	q.conn.Close()
	<-q.done
}

// Monitor runs a command of QEMU's monitor protocol; arguments and result travel as JSON
// and may be nil.
func (m *Machine) Monitor(ctx context.Context, command string, arguments, result any) error {
	return m.monitor.do(ctx, command, arguments, result)
}

// Events returns what QEMU has reported so far, oldest first.
func (m *Machine) Events() []Event {
	m.monitor.mu.Lock()
	defer m.monitor.mu.Unlock()
	return append([]Event(nil), m.monitor.events...)
}

// AwaitEvent waits until QEMU reports, or has reported, an event of that name as its n-th,
// from 1.
func (m *Machine) AwaitEvent(ctx context.Context, limit time.Duration, name string, n int) (Event, error) {
	late := time.After(limit)
	for {
		m.monitor.mu.Lock()
		more, seen := m.monitor.more, 0
		for _, e := range m.monitor.events {
			if e.Name != name {
				continue
			}
			if seen++; seen == n {
				m.monitor.mu.Unlock()
				return e, nil
			}
		}
		m.monitor.mu.Unlock()
		select {
		case <-more:
		case <-late:
			return Event{}, fmt.Errorf("QEMU has reported %d events %s within %v, want %d", seen, name, limit, n)
		case <-m.monitor.done:
			return Event{}, fmt.Errorf("wait for event %s: %w", name, errEnded)
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// Screenshot writes a PNG file of what the guest's display shows. The kernel brings what
// a program draws to the display a moment later.
func (m *Machine) Screenshot(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	return m.Monitor(ctx, "screendump", map[string]string{"filename": path, "format": "png"}, nil)
}

// Link connects the door's own network, eth0, or pulls its cable. The agent's is another.
func (m *Machine) Link(ctx context.Context, up bool) error {
	return m.Monitor(ctx, "set_link", map[string]any{"name": "lan0", "up": up}, nil)
}

// forwarded asks QEMU which port of this machine it has chosen for the agent.
func (m *Machine) forwarded(ctx context.Context) (string, error) {
	var table string
	if err := m.Monitor(ctx, "human-monitor-command", map[string]string{"command-line": "info usernet"}, &table); err != nil {
		return "", err
	}
	for line := range strings.Lines(table) {
		// TCP[HOST_FORWARD]  12  127.0.0.1 40123  10.0.3.15  7000  0  0
		if f := strings.Fields(line); len(f) > 5 && f[0] == "TCP[HOST_FORWARD]" && f[4]+":"+f[5] == agentAddress {
			return f[2] + ":" + f[3], nil
		}
	}
	return "", fmt.Errorf("QEMU has no port for the agent:\n%s", table)
}
