// Package unixsock opens the sockets in the file system by which the programs of one user
// talk to each other. It knows nothing of what they say, and it starts no goroutine.
package unixsock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxPath is what fits into a Linux socket address (unix(7): 108 bytes with the NUL).
const maxPath = 107

// ErrTaken is wrapped by Listen's error when somebody listens on the socket already.
var ErrTaken = errors.New("another one is running on it")

// Listen opens a socket, for its owner alone (mode 0600); network is "unix" or
// "unixpacket". A missing directory is made, for its owner alone too. The socket that a
// dead process left behind is replaced; one that answers is ErrTaken.
func Listen(network, path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("path is %d bytes, at most %d fit", len(path), maxPath)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// Two programs that start at the same moment must not both take the stale socket of
	// a third away: who holds the directory's lock is alone.
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock its directory: %w", err)
	}
	if err := removeStale(network, path); err != nil {
		return nil, err
	}
	// bind(2) gives the file the mode of the socket (less the umask), so there is no
	// moment at which others could connect.
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var err error
		if cerr := rc.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); cerr != nil {
			return cerr
		}
		return err
	}}
	return lc.Listen(context.Background(), network, path)
}

// removeStale removes a socket nobody listens on.
func removeStale(network, path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode().Type() != os.ModeSocket {
		return errors.New("there is a file of that name that is no socket")
	}
	c, err := net.DialTimeout(network, path, time.Second)
	if err == nil {
		c.Close()
		return ErrTaken
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether another one is running on it: %w", err)
	}
	return os.Remove(path)
}
