// Package sdnotify tells the service manager that started this process how it is, as
// sd_notify(3) does: one datagram for each message. It decides nothing, and it starts no
// goroutine. A process that no service manager started tells nobody.
package sdnotify

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Messages; see sd_notify(3).
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Watchdog = "WATCHDOG=1"
)

// Status is the message with a line for people: `systemctl status` shows it.
func Status(text string) string {
	return "STATUS=" + strings.Join(strings.Fields(text), " ")
}

// Notifier tells the service manager; a nil one tells nobody.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// sendLimit bounds the wait for a service manager whose queue is full.
const sendLimit = time.Second

// Open reads what the service manager set in this process's environment. It is nil if there
// is no service manager.
func Open() (*Notifier, error) { return open(os.Getenv, os.Getpid()) }

func open(getenv func(string) string, pid int) (*Notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	if path[0] != '/' && path[0] != '@' {
		return nil, fmt.Errorf("NOTIFY_SOCKET is %q: neither a path nor an abstract socket", path)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		return nil, fmt.Errorf("service manager's socket: %w", err)
	}
	n := &Notifier{conn: conn}
	if who := getenv("WATCHDOG_PID"); who == "" || who == strconv.Itoa(pid) {
		if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
			n.watchdog = time.Duration(us) * time.Microsecond
		}
	}
	return n, nil
}

// Tell sends messages.
func (n *Notifier) Tell(messages ...string) error {
	if n == nil {
		return nil
	}
	if err := n.conn.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return err
	}
	if _, err := n.conn.Write([]byte(strings.Join(messages, "\n"))); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

// Watchdog is how long the service manager waits for the message Watchdog until it takes
// the process for dead; 0: it does not.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}
